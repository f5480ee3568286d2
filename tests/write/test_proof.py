"""What `difference` sees between two problems."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bnfhmc.expression import parse
from bnfhmc.noise import Constant, LnNormal, Normal
from bnfhmc.prior import make_parameter
from bnfhmc.problem import Condition, Experiment, Perturbation, Problem, Series
from bnfhmc.write.proof import difference

NAMES = {"k": "k", "s": "s"}


@pytest.fixture
def problem(closed_form) -> Problem:
    s = make_parameter("s", "normal", {"mean": 1.0, "sd": 0.2}, "lin")
    parameters = (make_parameter("k", None, {}, "log10", 0.1, 2.0), s)
    times = np.array([0.0, 1.0, 2.0])
    made = (
        Series("A", parse("A"), np.array([0, 1, 2]), np.array([3.0, 2.0, 1.5]), Normal(), {"sigma": Constant(0.2)}),
        Series("B", parse("B"), np.array([1, 2]), np.array([1.4, 2.1]), LnNormal(), {"sigma": Constant(0.1)}),
    )
    return Problem(parameters, {"m": closed_form}, (Experiment("e", "m", times, made),))


def changed(problem: Problem, **what: object) -> Problem:
    (e,) = problem.experiments
    return replace(problem, experiments=(replace(e, series=(replace(e.series[0], **what), *e.series[1:])),))


def test_the_same_problem(problem):
    assert difference(problem, problem, NAMES) is None


def test_the_order_of_measurements_is_nothing(problem):
    (e,) = problem.experiments
    assert difference(problem, replace(problem, experiments=(replace(e, series=e.series[::-1]),)), NAMES) is None


def test_another_scale_with_the_same_density_is_the_same(problem):
    again = replace(problem, parameters=(make_parameter("k", None, {}, "ln", 0.1, 2.0), problem.parameters[1]))
    assert difference(problem, again, NAMES) is None


def test_another_prior(problem):
    again = replace(problem, parameters=(make_parameter("k", None, {}, "lin", 0.1, 2.0), problem.parameters[1]))
    assert "log prior of 'k'" in difference(problem, again, NAMES)


def test_another_measurement_a_missing_one_and_another_time(problem):
    assert "measurements" in difference(problem, changed(problem, observed=np.array([3.0, 2.0, 1.6])), NAMES)
    assert "measurements" in difference(
        problem, changed(problem, observed=np.array([3.0, 2.0]), time_index=np.array([0, 1])), NAMES
    )  # fmt: skip
    assert "predicts" in difference(problem, changed(problem, time_index=np.array([0, 1, 1])), NAMES)


def test_another_formula(problem):
    assert "predicts" in difference(problem, changed(problem, observable=parse("A*1.001")), NAMES)


def test_another_noise(problem):
    assert "log likelihood" in difference(problem, changed(problem, sources={"sigma": Constant(0.21)}), NAMES)


def test_another_name(problem):
    assert "parameters are k, s" in difference(problem, problem, {"k": "k", "s": "t"})


def test_where_neither_can_be_solved_nothing_is_known(problem):
    hopeless = Condition("c", (Perturbation("hopeless", "=", parse("1")),))
    never = replace(problem, experiments=(replace(problem.experiments[0], condition=hopeless),))
    assert difference(never, never, NAMES) == ""
    assert "cannot be solved" in difference(problem, never, NAMES)
