"""What the data leave open, in words."""

import numpy as np
import pytest

from bnfhmc.optimizers.identifiability import directions
from bnfhmc.optimizers.objective import Objective
from bnfhmc.prior import make_parameter


def said(jacobian, scales=None, held=()):
    """The sentences for F = JᵀJ, with J by ln θ (or θ on a lin scale), of parameters k1, k2, …"""
    J = np.atleast_2d(np.asarray(jacobian, dtype=float)) * 100.0
    scales = scales or ["log10"] * J.shape[1]
    bounds = {"log10": (1e-4, 1e4), "ln": (1e-4, 1e4), "lin": (-5.0, 5.0)}
    parameters = [make_parameter(f"k{i + 1}", None, {}, s, *bounds[s]) for i, s in enumerate(scales)]
    objective = Objective(parameters, lambda theta: 0.0)
    per_u = np.array([np.log(10.0) if s == "log10" else 1.0 for s in scales])
    F = (J * per_u).T @ (J * per_u)
    return [d.sentence for d in directions(objective, F, [p.name in held for p in parameters])]


def test_everything_determined_leaves_nothing_to_say():
    assert said(np.eye(3)) == []
    assert said([[1.0, 1.0], [1.0, -1.0]]) == []


@pytest.mark.parametrize("scales", [["log10", "log10"], ["ln", "log10"]])
def test_products_and_ratios(scales):
    assert said([[1.0, 1.0]], scales) == ["k1·k2 is determined, k1/k2 is not"]
    assert said([[1.0, -1.0]], scales) == ["k1/k2 is determined, k1·k2 is not"]


def test_powers():
    assert said([[2.0, 1.0]]) == ["k1·k2^0.5 is determined, k1/k2^0.5 is not"]


def test_a_parameter_that_the_data_do_not_know():
    assert said([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]) == ["k3 is not determined: its posterior is as wide as its prior"]


def test_more_than_two_and_more_than_one():
    assert said([[1.0, 1.0, 1.0], [1.0, -1.0, 0.0]]) == [
        "k1, k2 and k3 are determined only together: k1·c^0.5, k2·c^0.5, k3/c fits as well for any c"
    ]
    assert sorted(said([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]])) == [
        "k1·k2 is determined, k1/k2 is not",
        "k3/k4 is determined, k3·k4 is not",
    ]


def test_sums_on_a_linear_scale():
    assert said([[1.0, 1.0]], ["lin", "lin"]) == [
        "k1 and k2 are determined only together: k1 + c, k2 - c fits as well for any c"
    ]


def test_parameters_at_a_bound_are_left_out():
    assert said([[1.0, 1.0]], held=("k2",)) == []


def test_a_combination_that_is_no_simple_one_is_named():
    (sentence,) = said(np.array([[1.0, 0.37, -0.81]]) + 0 * np.eye(1, 3), held=())[:1] or [""]
    assert "k1" in sentence or "k2" in sentence
    many = said([[1.0, 0.4, 0.3, 0.2, 0.7, 0.6]] + [list(r) for r in np.eye(6)[1:] - 0.3][:4])
    assert any(s.startswith("a combination of") for s in many)


def test_a_direction_says_how_much_the_data_know():
    objective = Objective([make_parameter(n, None, {}, "ln", 0.1, 10.0) for n in ("a", "b")], lambda theta: 0.0)
    (open_,) = directions(objective, np.diag([1e4, 1e-3]), [False, False])
    assert open_.exponents == {"b": 1.0} and 0 < open_.information < 1e-2
