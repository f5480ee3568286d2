"""Each finding by its own cause, and none where there is none."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from bnfhmc.posterior import Posterior
from bnfhmc.prior import make_parameter
from bnfhmc.problem import Settings
from bnfhmc.report.bands import SeriesFit
from bnfhmc.report.diagnosis import chains, data, diagnose, identifiability, priors
from bnfhmc.report.study import Loo
from bnfhmc.report.summary import summarize
from tests.report.finished import draws, laplace, problem, study

RNG = np.random.default_rng(0)


def fake(u=None, **given):
    """A study with only what a rule reads."""
    u = RNG.normal(size=(4, 200, 2)) if u is None else u
    names = tuple("ab"[: u.shape[2]])
    stats = {"lp": np.zeros(u.shape[:2]), **given.pop("stats", {})}
    settings = given.pop("settings", Settings())
    return SimpleNamespace(
        u=u, flat=u.reshape(-1, u.shape[2]), theta=u, names=names, stats=stats, summary=summarize(names, u),
        run=SimpleNamespace(settings=settings), **given,
    )  # fmt: skip


def only(found):
    (finding,) = found
    assert finding.what and finding.meaning and finding.advice.endswith(".")
    return finding


# chains


def test_energy():
    slow = np.cumsum(RNG.normal(size=(2, 400)), axis=1)
    quick = RNG.normal(size=(1, 400))
    found = only(chains.energy(fake(stats={"energy": np.concatenate([quick, slow])})))
    assert "chains 2 and 3 below 0.3" in found.what and not found.blocking
    assert not list(chains.energy(fake(stats={"energy": np.repeat(quick, 3, axis=0)})))
    assert not list(chains.energy(fake()))
    slower = {"energy": np.concatenate([quick, slow])}
    assert list(chains.energy(fake(stats=slower | {"lp": 1.0 - slower["energy"]})))  # the rest is kinetic
    assert not list(chains.energy(fake(stats=slower | {"lp": -slower["energy"]})))  # a random walk has no momentum


def test_tree_depth():
    depth = np.full((2, 100), 3)
    assert not list(chains.tree_depth(fake(stats={"tree_depth": depth})))
    depth[1, :7] = 10
    assert only(chains.tree_depth(fake(stats={"tree_depth": depth}))).what.startswith("3.5 % of the trajectories")


def test_the_depth_limit_is_that_of_the_settings():
    class Limited(Settings):
        max_tree_depth: int = 6

    found = only(chains.tree_depth(fake(settings=Limited(), stats={"tree_depth": np.full((2, 100), 6)})))
    assert "depth limit of 6" in found.what


def test_cost():
    steps, size = np.full((4, 50), 7), np.full((4, 50), 0.5)
    assert not list(chains.cost(fake(stats={"n_steps": steps, "step_size": size})))
    steps[2], size[2] = 31, 0.02
    found = only(chains.cost(fake(stats={"n_steps": steps, "step_size": size})))
    assert found.what == ("chain 3 took 4.4 times the gradients of the median chain, with steps of 0.02 beside a median of 0.5")


def test_basins():
    u = RNG.normal(size=(4, 200, 2))
    assert not list(chains.basins(fake(u)))
    u[1, :, 1] += 12.0
    u[3, :, 1] += 12.0
    lp = np.zeros((4, 200))
    lp[[0, 2]] = -7.5
    found = only(chains.basins(fake(u, stats={"lp": lp})))
    assert found.blocking and found.what.startswith("the chains lie in 2 basins of b (chains 2 and 4 at 1")
    assert "7.5 lower" in found.meaning and "chains 1 and 3" in found.advice


def test_chains_that_only_mix_badly_are_in_one_basin():
    u = RNG.normal(size=(4, 200, 1)) + np.arange(4)[:, None, None]
    assert not list(chains.basins(fake(u)))


# priors


def with_priors(u, *parameters):
    return fake(u, parameters=parameters)


WIDE = make_parameter("w", "normal", {"mean": 0.0, "sd": 1.0}, "lin")


def test_a_prior_that_dominates():
    u = np.stack([0.9 * RNG.normal(size=(4, 500)), 0.1 * RNG.normal(size=(4, 500))], axis=-1)
    found = only(priors.dominating(with_priors(u, WIDE, replace(WIDE, name="narrow"))))
    assert "w (1" in found.what and "narrow" not in found.what
    assert not list(priors.dominating(with_priors(u[:, :, 1:], WIDE)))


def test_a_prior_that_is_contradicted():
    u = 3.2 + 0.1 * RNG.normal(size=(4, 500, 1))
    assert "pull w (above)" in only(priors.contradicted(with_priors(u, WIDE))).what
    assert "pull w (below)" in only(priors.contradicted(with_priors(-u, WIDE))).what
    assert not list(priors.contradicted(with_priors(u - 3.0, WIDE)))


def test_bounds():
    bounded = make_parameter("k", None, {}, "log10", lower=1e-3, upper=1e2)
    piled = 2.0 - np.abs(0.2 * RNG.normal(size=(4, 500, 1)))
    found = only(priors.bounds(with_priors(piled, bounded)))
    assert found.what == "draws pile up for k at its upper bound 100"
    assert not list(priors.bounds(with_priors(0.2 * RNG.normal(size=(4, 500, 1)), bounded)))
    everywhere = RNG.uniform(-3, 2, size=(4, 500, 1))  # the prior dominates: said already
    assert not list(priors.bounds(with_priors(everywhere, bounded)))


def test_learnt():
    said = priors.learnt(WIDE, 0.5 * RNG.normal(size=100_000))
    assert said.before == pytest.approx(2 * 1.6449, abs=1e-3) and said.share == pytest.approx(0.5, abs=0.01)
    assert said.median_in_prior == pytest.approx(0.5, abs=0.01)


# what is determined


def test_the_spectrum_of_a_sum():
    """Data that know a + b with sd 0.1: λ = 2/0.01 along (1, 1), 0 along (1, −1)."""
    pair = (WIDE, replace(WIDE, name="v"))
    low, high = identifiability.spectrum(pair, np.full((2, 2), 100.0))
    assert low.eigenvalue == pytest.approx(0.0, abs=1e-9) and high.eigenvalue == pytest.approx(200.0, rel=1e-4)
    assert high.narrowed == pytest.approx(1 - 1 / np.sqrt(201), rel=1e-3)
    assert set(low.text.split()) == {"w", "v", "↑", "↓"} and high.text.count("↑") == 2
    np.testing.assert_allclose(np.abs(low.components), np.sqrt(0.5), rtol=1e-6)


def test_directions_are_in_widths_of_the_prior():
    vague = make_parameter("v", "normal", {"mean": 0.0, "sd": 100.0}, "lin")
    low, high = identifiability.spectrum((WIDE, vague), np.diag([2.0, 2.0]))
    assert (low.text, high.text) == ("w", "v") and high.eigenvalue == pytest.approx(2e4, rel=1e-4)
    assert identifiability.prior_width(vague) == pytest.approx(100.0, rel=1e-4)


def test_undetermined_parameters_are_named_one_by_one():
    """Data that know only a + b of four parameters: a − b, c and d are open, in whatever basis."""
    four = tuple(replace(WIDE, name=n) for n in "abcd")
    F = np.zeros((4, 4))
    F[:2, :2] = 100.0
    found = identifiability.spectrum(four, F)
    assert {d.text for d in found[:3]} >= {"c", "d"} and {"a", "b"} <= set(found[3].text.split())
    assert sum(d.eigenvalue < 1 for d in found) == 3 and found[3].eigenvalue == pytest.approx(200.0, rel=1e-4)
    V = np.array([d.components for d in found])
    np.testing.assert_allclose(V @ V.T, np.eye(4), atol=1e-9)


def test_varimax_keeps_the_space():
    V = np.linalg.qr(RNG.normal(size=(6, 3)))[0]
    W = identifiability.varimax(V)
    np.testing.assert_allclose(W @ W.T, V @ V.T, atol=1e-12)
    assert np.sum(W**4) >= np.sum(V**4)
    turned = np.eye(6)[:, :3] @ np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    np.testing.assert_allclose(np.sort(np.abs(identifiability.varimax(turned)).max(axis=0)), 1.0, atol=1e-6)


def test_an_undetermined_direction():
    pair = (WIDE, replace(WIDE, name="v"))
    found = only(identifiability.undetermined(fake(parameters=pair, fisher=np.full((2, 2), 100.0))))
    assert found.what.startswith("1 of 2 directions are not determined by the data: ") and "narrowed by 0 %" in found.what
    assert not list(identifiability.undetermined(fake(parameters=pair, fisher=np.diag([9.0, 9.0]))))
    assert not list(identifiability.undetermined(fake(parameters=pair, fisher=None)))


@pytest.mark.parametrize(("scale", "sign", "said"), [("lin", 1, "a − b"), ("lin", -1, "a + b"), ("log10", 1, "a / b"),
                                                      ("log10", -1, "a · b")])  # fmt: skip
def test_correlated(scale, sign, said):
    pair = tuple(make_parameter(n, "normal", {"mean": 0.0, "sd": 1.0}, scale) for n in "ab")
    x = RNG.normal(size=(4, 200))
    u = np.stack([x, sign * x + 0.05 * RNG.normal(size=(4, 200))], axis=-1)
    assert f"{said} is what is known" in only(identifiability.correlated(fake(u, parameters=pair))).what
    assert not list(identifiability.correlated(fake(parameters=pair)))


# the data


def fit(observed, new, x=None):
    """A fit with so many measurements; `new`: their 5 %, 25 %, 50 %, 75 % and 95 %."""
    n = len(observed)
    q = np.repeat(np.array(new, dtype=float)[:, None], n, axis=1)
    return SeriesFit("e", "s", "time", np.arange(n), q, np.arange(n) if x is None else x, np.array(observed, dtype=float), None,
                     q[2], q, np.full(n, 0.5), False)  # fmt: skip


BAND = (-1.64, -0.67, 0.0, 0.67, 1.64)


def test_coverage():
    ok = RNG.normal(size=40)
    assert not list(data.coverage(fake(fits=(fit(ok, BAND),))))
    assert "lie outside of the central 90 %" in only(data.coverage(fake(fits=(fit(ok * 3, BAND),)))).what
    assert only(data.coverage(fake(fits=(fit(np.zeros(100), BAND),)))).what.startswith("only 0 of 100")


def test_patterned():
    wave = np.sin(np.linspace(0, 2 * np.pi, 22))[1:-1]
    found = only(data.patterned(fake(fits=(fit(wave, BAND),))))
    assert found.what == "the residuals of s in e change their sign only once in 20 measurements"
    assert not list(data.patterned(fake(fits=(fit(RNG.normal(size=20), BAND),))))
    order = RNG.permutation(20)
    assert list(data.patterned(fake(fits=(fit(wave[order], BAND, order),))))  # by x, not by place
    assert not list(data.patterned(fake(fits=(fit(wave, BAND, np.zeros(20)),))))  # replicates at one time have no order


@pytest.mark.parametrize(("above", "below"), [(3, 4), (5, 5), (1, 6)])
def test_runs_by_counting_them_all(above, below):
    from itertools import combinations

    n = above + below
    counted = []
    for places in combinations(range(n), above):
        signs = np.isin(np.arange(n), places)
        counted.append(1 + int(np.sum(signs[1:] != signs[:-1])))
    for runs in range(1, n + 1):
        assert data.runs_at_most(runs, above, below) == pytest.approx(np.mean(np.array(counted) <= runs))


def test_calibrated():
    uniform = (np.arange(60) + 0.5) / 60
    assert not list(data.calibrated(fake(loo_pit=uniform))) and not list(data.calibrated(fake(loo_pit=None)))
    assert "less than" in only(data.calibrated(fake(loo_pit=0.35 + 0.3 * uniform))).what
    assert "lie above" in only(data.calibrated(fake(loo_pit=np.sqrt(uniform)))).what
    assert "more than" in only(data.calibrated(fake(loo_pit=np.r_[uniform[:30] / 4, 1 - uniform[:30] / 4]))).what


def test_influential():
    measured = Posterior(problem())
    k = np.full(21, 0.2)
    loo = Loo(-30.0, 3.0, 3.0, k, 0.67)
    assert not list(data.influential(fake(loo=loo, posterior=measured)))
    k[10], k[3] = 0.9, 0.7
    found = only(data.influential(fake(loo=loo, posterior=measured)))
    assert found.what == "Pareto k̂ is above 0.67 for N at 2 in counts (0.90); A at 3 in decay (0.70)"


def test_unsolved():
    def predictive(failures):
        return fake(predictive=SimpleNamespace(failures=failures, at=np.arange(197)))

    assert not list(data.unsolved(predictive({})))
    assert only(data.unsolved(predictive({"solver": 3}))).what.startswith("3 of 200 draws could not be solved again")


# together


def test_a_good_run_is_trusted():
    found = diagnose(study())
    assert found.trusted and set(found.topics) == {"chains", "priors", "determined", "data"}


def test_a_bad_run_is_not():
    posterior = Posterior(problem())
    z = laplace(posterior)
    z[3] += 5.0
    found = diagnose(study(posterior, draws(posterior, z)))
    assert not found.trusted and found.findings[0].blocking
    assert any("basins" in f.what for f in found.topics["chains"])
