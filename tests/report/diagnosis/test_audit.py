"""The tolerance audit: a solver that matters, and one that does not."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from bnfhmc.posterior import Posterior
from bnfhmc.report.diagnosis.audit import TIGHTEST, Audit, audit, audit_findings, tightened
from bnfhmc.report.opened import Opened
from tests.conftest import ClosedForm
from tests.report.finished import draws, model, opened, problem


@dataclass(frozen=True)
class Tolerance:
    rtol: float = 1e-4
    atol: float = 1e-4


@dataclass
class Inexact(ClosedForm):
    """A is wrong by `size` · rtol, with a sign and a size that change with θ as those of a solver do."""

    tolerances: Tolerance = Tolerance()
    size: float = 1.0

    def solve(self, values, times, outputs, columns=(), seeds=None):
        solved = super().solve(values, times, outputs, columns, seeds)
        wrong = self.size * self.tolerances.rtol * np.sin(1e5 * values.get("k", self.quantities["k"]))
        return solved._replace(y=solved.y * (1 + wrong))

    def clone(self):
        return Inexact(self.formulas, self.quantities, self.amounts, tolerances=self.tolerances, size=self.size)


def run(size):
    closed, p = model(), problem()
    inexact = Inexact(closed.formulas, closed.quantities, tolerances=Tolerance(), size=size)
    posterior = Posterior(problem())
    made = opened(posterior, draws(posterior))
    return Opened(made.run, Posterior(replace(p, models={"closed": inexact})), made.u)


def test_a_solver_that_does_not_matter():
    found = audit(run(0.01), draws=100, cores=1)
    assert found.draws == 100 and found.failed == 0 and found.spread < 0.01
    assert max(abs(s) for s in found.shift.values()) < 0.01 and not audit_findings(found)


def test_a_solver_that_decides():
    found = audit(run(2e3), draws=100, cores=1)
    assert found.spread > 1 and found.pareto_k > 0.5
    (finding,) = audit_findings(found)
    assert finding.blocking and "the solver's as much as the model's" in finding.meaning and "Type rtol = " in finding.advice


def test_tolerances_are_tightened_and_nothing_else():
    p = run(1.0).posterior.problem
    tight = tightened(p, 0.01)
    assert tight.models["closed"].tolerances.rtol == pytest.approx(1e-6, rel=1e-12)
    assert p.models["closed"].tolerances == Tolerance()
    assert tight.models["closed"] is not p.models["closed"] and tight.experiments is p.experiments
    assert tightened(p, 1e-30).models["closed"].tolerances == Tolerance(TIGHTEST, TIGHTEST)


def test_without_tolerances_there_is_nothing_to_audit():
    assert audit(opened(Posterior(problem())), cores=1) is None and audit_findings(None) == ()


def test_failed_draws_are_said():
    (finding,) = audit_findings(Audit((1e-8, 1e-10), 190, 10, 0.1, 1e-6, {"k": 0.0}))
    assert finding.what.startswith("10 of 200 draws cannot be solved") and not finding.blocking


@pytest.mark.parametrize(("spread", "k", "shift", "count"), [(0.05, 0.9, 0.0, 0), (0.5, 0.9, 0.0, 1), (0.5, 0.3, 0.2, 1),
                                                             (0.5, 0.3, 0.0, 0)])  # fmt: skip
def test_what_matters_is_what_changes(spread, k, shift, count):
    assert len(audit_findings(Audit((1e-8, 1e-10), 200, 0, k, spread, {"k": shift}))) == count


def test_a_network_is_solved_more_exactly(network):
    """Against tolerances of 1e-12, the tightened model is closer than the one it was made of."""
    values, times = {"beta": 1.7}, np.linspace(0.0, 14.0, 8)
    loose = network("sir.net", rtol=1e-4, atol=1e-4)
    p = replace(problem(), models={"sir": loose}, experiments=())
    tight = tightened(p, 1e-3).models["sir"]
    exact = network("sir.net", rtol=1e-12, atol=1e-12).solve(values, times, ("I",)).y
    errors = [np.abs(m.solve(values, times, ("I",)).y - exact).max() for m in (loose, tight)]
    assert errors[1] < 0.05 * errors[0]
