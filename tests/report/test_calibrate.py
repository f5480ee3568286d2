"""Simulation-based calibration: a right sampler passes, wrong ones are found, and an interrupted one goes on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bnfhmc.errors import FailedSolve, InputError
from bnfhmc.expression import parse
from bnfhmc.noise import Constant, Formula, Normal
from bnfhmc.noise.transform import SeriesScale
from bnfhmc.posterior import Posterior
from bnfhmc.prior import make_parameter
from bnfhmc.problem import Experiment, Problem, Series, Settings
from bnfhmc.report.calibrate import (
    RANKED,
    Calibration,
    Replicate,
    calibrate,
    read_replicates,
    refuse_unsimulated,
    simulate,
    with_data,
)
from bnfhmc.report.calibration_verdict import findings, in_words, to_record
from bnfhmc.report.plots import plot_ranks
from tests.conftest import ClosedForm
from tests.report.finished import problem

TIMES, SIGMA = np.arange(5.0), 0.7


def linear() -> Problem:
    """y(t) = a + b t with known noise and normal priors: the posterior is a normal in closed form."""
    model = ClosedForm({"y": lambda m, t: m["a"] + m["b"] * t}, {"a": 0.0, "b": 0.0})
    series = Series("y", parse("y"), np.arange(5), np.zeros(5), Normal(), {"sigma": Constant(SIGMA)})
    a, b = (make_parameter(n, "normal", {"mean": 0.0, "sd": s}, "lin") for n, s in (("a", 2.0), ("b", 0.5)))
    return Problem((a, b), {"m": model}, (Experiment("e", "m", TIMES, (series,)),), Settings(), Path("fit.conf"))


def exact(posterior, seed, stretch=1.0, shift=0.0):
    """Draws of the posterior itself [chain, draw, d]; `stretch` and `shift` make them wrong."""
    X = np.stack([np.ones(5), TIMES], axis=1) / SIGMA
    y = posterior.problem.experiments[0].series[0].observed / SIGMA
    covariance = np.linalg.inv(X.T @ X + np.diag([1 / 4, 4.0]))
    mean = covariance @ (X.T @ y)
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(2, 200, 2)) @ np.linalg.cholesky(covariance).T
    return mean + shift * np.sqrt(np.diag(covariance)) + stretch * noise


@pytest.mark.parametrize(("wrong", "said"), [
    ({}, None),
    ({"stretch": 0.5}, "too narrow"),
    ({"stretch": 2.0}, "too wide"),
    ({"shift": 0.8}, "too large"),
    ({"shift": -0.8}, "too small"),
])  # fmt: skip
def test_what_is_wrong_is_found(tmp_path, wrong, said):
    found = calibrate(linear(), tmp_path, 150, lambda p, seed: exact(p, seed, **wrong), seed=4, cores=1)
    assert found.ranks.shape == (150, 2) and found.ranks.min() >= 0 and found.ranks.max() <= RANKED
    verdict = findings(found)
    if said is None:
        assert not any(verdict.values()) and "Calibrated:" in in_words(found)
        assert all(p["uniform"] for p in to_record(found)["parameters"].values())
    else:
        assert all(said in f.meaning for f in verdict.values()) and in_words(found).count("  - ") == 2


def test_it_goes_on_where_it_stopped(tmp_path):
    told = []
    whole = calibrate(linear(), tmp_path / "whole", 12, exact, seed=1, cores=3)
    calibrate(linear(), tmp_path / "parts", 5, exact, seed=1, cores=1)
    with open(tmp_path / "parts" / "replicates.jsonl", "a") as out:
        out.write('{"index": 5, "true": [0.')
    parts = calibrate(linear(), tmp_path / "parts", 12, exact, seed=1, cores=2, tell=told.append)
    assert parts == whole and sorted(r.index for r in told) == list(range(5, 12))
    assert calibrate(linear(), tmp_path / "parts", 12, None, seed=1) == whole  # nothing is left to be sampled
    assert len(calibrate(linear(), tmp_path / "parts", 3, None, seed=1).replicates) == 3


def test_another_calibration_is_left_alone(tmp_path):
    calibrate(linear(), tmp_path, 2, exact, seed=1, cores=1)
    first, second = linear().parameters
    other = replace(linear(), parameters=(first, replace(second, prior=replace(second.prior, sd=0.4))))
    for p, seed in ((linear(), 2), (other, 1)):
        with pytest.raises(InputError, match="the folder holds a calibration of another problem or seed"):
            calibrate(p, tmp_path, 2, exact, seed=seed)
    (tmp_path / "calibration.json").unlink()
    with pytest.raises(InputError, match="is not from a calibration of bnfhmc"):
        calibrate(linear(), tmp_path, 2, exact, seed=1)


def test_a_fit_that_fails_is_a_result(tmp_path):
    def sometimes(posterior, seed):
        if posterior.problem.experiments[0].series[0].observed[0] > 0:
            raise FailedSolve("solver", "no start")
        return exact(posterior, seed)

    found = calibrate(linear(), tmp_path, 30, sometimes, seed=2, cores=1)
    failed = [r for r in found.replicates if r.ranks is None]
    assert 5 < len(failed) < 25 and {r.failure for r in failed} == {"FailedSolve"}
    assert f"(failed: FailedSolve {len(failed)})" in in_words(found) and list(read_replicates(tmp_path))


def test_a_mistake_of_the_caller_ends_it(tmp_path):
    with pytest.raises(TypeError):
        calibrate(linear(), tmp_path, 3, lambda p: None, cores=1)


def test_simulated_data_are_those_of_the_noise():
    posterior = Posterior(problem())
    u, rng = np.array([1.0, -0.4, 0.3]), np.random.default_rng(0)
    data = [np.concatenate(simulate(posterior, u, rng)) for _ in range(2000)]
    np.testing.assert_allclose(np.mean(data, axis=0)[:9], posterior.predicted(u)[:9], atol=0.05)
    made = with_data(posterior.problem, simulate(posterior, u, rng))
    assert made.experiments[1].series[0].observed.shape == (8,)
    assert made.models["closed"] is not posterior.problem.models["closed"]
    with pytest.raises(ValueError, match="not finite"):
        simulate(posterior, np.array([1.0, -0.4, -1.0]), rng)


def test_what_cannot_be_simulated():
    p = problem()
    scaled = replace(p.experiments[0].series[0], transforms=(SeriesScale("linear"),))
    with pytest.raises(InputError, match="'A' is scaled by the data themselves"):
        refuse_unsimulated(replace(p, experiments=(replace(p.experiments[0], series=(scaled,)),)))
    with pytest.raises(InputError, match="there are no measurements to simulate"):
        refuse_unsimulated(replace(p, experiments=()))
    assert isinstance(p.experiments[0].series[0].sources["sigma"], Formula)


def test_too_few_to_tell():
    few = Calibration(("a",), RANKED, tuple(Replicate(i, (0.0,), (0,)) for i in range(19)))
    assert findings(few) == {"a": None} and "Too few to tell" in in_words(few)


def test_ranks_are_drawn():
    ranks = np.random.default_rng(0).integers(0, RANKED + 1, size=(50, 2))
    axes = plot_ranks(("a", "b"), ranks, RANKED)
    assert [ax.get_title(loc="left") for ax in axes] == ["a", "b"]
