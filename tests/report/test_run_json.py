"""run.json: strict JSON that says what ran."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from bnfhmc.prior import make_parameter
from bnfhmc.problem import Settings
from bnfhmc.report.run_json import configuration, finished, opening, plain, to_json, versions
from bnfhmc.report.summary import summarize
from bnfhmc.report.verdict import Evidence, judge
from bnfhmc.samplers.host import Tally
from tests.report.gaussian import Gaussian, draws, problem


def strict(text):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture(scope="module")
def record():
    posterior, settings = Gaussian(), Settings(random_seed=2**70, output_dir=Path("out"))
    run = draws(posterior, diverging=[(0, 3), (2, 1)], failures={"solver": 2})
    run = dataclasses.replace(run, random_seed=2**70)
    summary = summarize(posterior.names, np.where([True, False], 3.0, run.z))    # b is stuck: NaN diagnostics
    return strict(to_json(finished(
        opening("0.1.0", "then"), ended="now", problem=posterior.problem, settings=settings, draws=run, summary=summary,
        verdict=judge(Evidence.of(summary, settings, run)),
    )))  # fmt: skip


def test_origin(record):
    assert (record["program"], record["status"]) == ("bnfhmc", "finished")
    assert (record["started"], record["ended"]) == ("then", "now")
    assert record["random_seed"] == 2**70
    assert set(record["versions"]) == {
        "python", "bnfhmc", "bngsim", "jax", "jaxlib", "blackjax", "numpy", "scipy", "arviz"
    }  # fmt: skip
    assert record["versions"]["numpy"] == np.__version__ and record["versions"]["bnfhmc"] == "0.1.0"


def test_configuration(record):
    used = record["configuration"]
    assert {k: used[k] for k in ("file", "chains", "num_warmup", "target_accept", "random_seed", "output_dir")} == {
        "file": "fit.conf", "chains": 4, "num_warmup": 1000, "target_accept": 0.8, "random_seed": 2**70,
        "output_dir": "out",
    }  # fmt: skip
    assert used["parameters"] == [
        {"name": "b", "scale": "log10", "prior": {"kind": "HalfNormal", "scale": 1.0}, "initial": 10.0},
        {"name": "a", "scale": "lin", "prior": {"kind": "Normal", "mean": 0.0, "sd": 1.0}, "initial": None},
    ]
    assert used["experiments"] == [
        {
            "name": "d1", "model": "closed_form", "condition": None, "equilibrated_under": None, "later": [],
            "scan": None,
            "measurements": {"y": 3}, "constraints": [],
            "noise": {
                "y": {
                    "observable": "y", "kind": "Normal", "location": "median", "sources": {"sigma": 0.8}, "transforms": [],
                }
            },
        }
    ]


def test_counts(record):
    counts = record["counts"]
    assert counts["draws"] == 500 and counts["divergences"] == [1, 0, 1, 0] and counts["metric"] == "dense"
    assert counts["starting"][0] == {"gradients": 13, "failed_solves": {"solver": 1}}
    assert counts["warmup"][3] == {"gradients": 70, "failed_solves": {"timeout": 2}, "seconds": 0.5}
    assert counts["sampling"][3] == {"gradients": 1500, "failed_solves": {"solver": 2}, "seconds": 1.5}
    assert counts["redrawn_starts"] == [["solver"]] * 4


def test_solves_for_values_alone_are_counted():
    """A random walk has no gradients: its solves, and how many of them failed, are of values."""
    posterior, settings = Gaussian(), Settings()
    run = draws(posterior)
    walked = dataclasses.replace(run.chains[0], sampling=Tally(0, {"solver": 3}, values=400))
    run = dataclasses.replace(run, chains=(walked,) * 4)
    summary = summarize(posterior.names, run.z)
    evidence = Evidence.of(summary, settings, run)
    record = strict(to_json(finished(
        opening("0.1.0", "then"), ended="now", problem=posterior.problem, settings=settings, draws=run, summary=summary,
        verdict=judge(evidence),
    )))  # fmt: skip
    told = {"gradients": 0, "values": 400, "failed_solves": {"solver": 3}, "seconds": 1.5}
    assert record["counts"]["sampling"] == [told] * 4
    assert any("12 of 1600 solves failed" in finding.what for finding in judge(evidence).findings)


def test_what_came_of_it(record):
    assert record["summary"]["b"]["r_hat"] is None and record["summary"]["b"]["mean"] == 3.0
    assert record["summary"]["a"]["ess_bulk"] > 400
    assert record["verdict"]["converged"] is False
    assert [f["blocking"] for f in record["verdict"]["findings"]] == [True, True, False]


def test_infinite_bounds_are_words():
    cut = make_parameter("g", "normal", {"mean": 0.4, "sd": 0.5}, "lin", 0.0, float("inf"))
    used = dataclasses.replace(problem(), parameters=(cut,))
    prior = strict(to_json(configuration(used, Settings())))["parameters"][0]["prior"]
    normal = {"kind": "Normal", "mean": 0.4, "sd": 0.5}
    assert prior == {"kind": "Truncated", "prior": normal, "lower": 0.0, "upper": "inf"}


def test_plain():
    assert plain([np.float64("nan"), -np.inf, np.int64(3), np.bool_(True), Path("a"), None, "s"]) == [
        None, "-inf", 3, True, "a", None, "s"
    ]  # fmt: skip
    with pytest.raises(ValueError):
        to_json({"x": float("nan")})


def test_a_missing_package_is_null(monkeypatch):
    monkeypatch.setattr("bnfhmc.report.run_json.PACKAGES", ("no_such_package_at_all",))
    assert versions("1")["no_such_package_at_all"] is None
