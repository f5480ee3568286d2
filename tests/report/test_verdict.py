"""The verdict: every finding by its own cause, what it says, and whether it blocks."""

import numpy as np
import pytest

from bnfhmc.problem import Settings
from bnfhmc.report.summary import Summary
from bnfhmc.report.verdict import Evidence, judge
from tests.report.gaussian import Gaussian, draws

GOOD = (900.0, 900.0)


def evidence(r_hat=(1.0, 1.0), bulk=GOOD, tail=GOOD, divergences=(0, 0, 0, 0), failed=(), **settings):
    ones = np.ones(2)
    summary = Summary(("k1", "k2"), ones, ones, ones, ones, ones, np.array(bulk), np.array(tail), np.array(r_hat))
    return Evidence(summary, Settings(**settings), divergences, 10_000, dict(failed))


def only(evidence):
    verdict = judge(evidence)
    assert len(verdict.findings) == 1, str(verdict)
    return verdict.findings[0]


def test_converged():
    verdict = judge(evidence(r_hat=(1.01, 1.0), bulk=(400.0, 900.0), tail=(400.0, 900.0)))
    assert verdict.converged and not verdict.findings and str(verdict).startswith("Converged")


@pytest.mark.parametrize(("value", "said"), [(1.0101, "1.0101"), (1.01049, "1.01049"), (1.7, "1.700"), (np.inf, "inf")])
def test_r_hat(value, said):
    finding = only(evidence(r_hat=(1.005, value)))
    assert finding.blocking and f"R-hat is {said} for k2 " in finding.what
    assert "num_warmup = 2000 and num_samples = 2000" in finding.advice


def test_the_worst_is_named_first():
    names = tuple(f"k{i}" for i in range(6))
    ones, high = np.ones(6), np.array([1.02, 1.0, 1.5, 1.03, 1.3, 1.04])
    summary = Summary(names, ones, ones, ones, ones, ones, 900 * ones, 900 * ones, high)
    finding = only(Evidence(summary, Settings(), [0, 0], 1, {}))
    assert "for k2, k4, k5 and 2 more" in finding.what


@pytest.mark.parametrize("field", ["bulk", "tail"])
def test_ess(field):
    finding = only(evidence(**{field: (399.9, 100.0)}))
    assert finding.blocking and f"the smallest {field} ESS is 100, for k2, k1" in finding.what
    assert finding.advice == "Type num_samples = 4800."    # 1000 draws gave 100: four times as many, and a fifth more


def test_divergences():
    finding = only(evidence(divergences=(0, 2, 1, 0)))
    assert finding.blocking and finding.what == "3 of 4000 draws diverged (0, 2, 1, 0 by chain)"
    assert "target_accept = 0.95" in finding.advice
    assert "target_accept = 0.99" in only(evidence(divergences=(1, 0), target_accept=0.95)).advice
    assert "target_accept" not in only(evidence(divergences=(1, 0), target_accept=0.99)).advice


def test_one_chain():
    finding = only(evidence(r_hat=(np.nan, np.nan), divergences=(0,)))
    assert finding.blocking and "single chain" in finding.what and "population_size = 4" in finding.advice


def test_a_chain_that_does_not_move():
    finding = only(evidence(r_hat=(1.0, np.nan), bulk=(900.0, np.nan), tail=(900.0, np.nan)))
    assert finding.blocking and "k2" in finding.what and "k1" not in finding.what


def test_too_few_draws():
    nan = (np.nan, np.nan)
    finding = only(evidence(r_hat=nan, bulk=nan, tail=nan, num_samples=3))
    assert finding.blocking and "fewer than 4 draws" in finding.what


def test_failed_solves_are_said_and_do_not_block():
    verdict = judge(evidence(failed={"timeout": 1, "solver": 4, "outside": 0}))
    assert verdict.converged and "5 of 10000 solves failed while sampling (solver 4, timeout 1)" in str(verdict)


def test_every_cause_is_said():
    verdict = judge(evidence(r_hat=(1.1, 1.0), bulk=(50.0, 900.0), divergences=(1, 0), failed={"solver": 1}))
    assert not verdict.converged and len(verdict.findings) == 4
    assert str(verdict).startswith("Not converged:") and len(str(verdict).splitlines()) == 5


def test_a_name_stays_on_its_line():
    ones = np.ones(1)
    summary = Summary(("k\n[red]",), ones, ones, ones, ones, ones, 900 * ones, 900 * ones, 2 * ones)
    assert r"k\n[red]" in only(Evidence(summary, Settings(), [0, 0], 1, {})).what


def test_evidence_of_a_run():
    posterior = Gaussian()
    run = draws(posterior, diverging=[(0, 3), (2, 1)], failures={"solver": 2, "timeout": 1})
    found = Evidence.of(evidence().summary, Settings(), run)
    assert list(found.divergences) == [1, 0, 1, 0] and found.failed_solves == {"solver": 8, "timeout": 4}
    assert found.solves == 6000 and found.unsolved == 0


def test_divergences_at_failed_solves():
    posterior = Gaussian()
    run = draws(posterior, diverging=[(0, 3), (2, 1)], failures={"solver": 1})
    run.stats["failed"][2, 1:3] = 1
    found = Evidence.of(evidence().summary, Settings(num_samples=500), run)
    assert found.unsolved == 1
    assert "diverged (1, 0, 1, 0 by chain), 1 of them where the model could not be solved" in str(judge(found))


def test_a_method_with_a_step_of_its_own_is_not_told_to_tune_it():
    assert "fit_type = nuts" in only(evidence(divergences=(1, 0, 0, 0), method="mala")).advice
    assert "target_accept = 0.95" in only(evidence(divergences=(1, 0, 0, 0), method="hmc")).advice
