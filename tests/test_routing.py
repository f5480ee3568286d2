"""θ → model quantities under a condition, and its Jacobian against difference quotients."""

import numpy as np
import pytest

from bnfhmc.errors import InputError
from bnfhmc.expression import parse
from bnfhmc.problem import Condition, Perturbation
from bnfhmc.routing import route

NAMES = ("k", "p", "A0")
AT = {"k": 0.7, "p": 1.9, "A0": 4.0}  # p is no quantity of the model, A0 and k are


def condition(*perturbations):
    """``condition("k * 2", "s = p")``: target, operator and value, as a configuration writes them."""
    split = (text.split(maxsplit=2) for text in perturbations)
    return Condition("c", tuple(Perturbation(target, op, parse(value)) for target, op, value in split))


def test_without_a_condition_each_parameter_is_its_namesake(closed_form):
    routing = route(closed_form, None, NAMES)
    assert routing.quantities(AT) == {"k": 0.7, "A0": 4.0}
    J = dict(zip(routing.columns, routing.jacobian(AT), strict=True))
    assert J.keys() == {"k", "A0"}
    np.testing.assert_array_equal(J["k"], [1, 0, 0])
    np.testing.assert_array_equal(J["A0"], [0, 0, 1])


# the model's own values: A0 3, k 0.5, s 1.2, base 0.1, growth 0.4, X() 7
CASES = {
    "= number": (["k = 5"], {"k": 5.0}),
    "* number": (["k * 3"], {"k": 2.1}),
    "/ number": (["k / 4"], {"k": 0.175}),
    "+ number": (["k + 0.5"], {"k": 1.2}),
    "- number": (["k - 0.5"], {"k": 0.2}),
    "= parameter": (["s = p"], {"s": 1.9}),
    "* parameter": (["s * p"], {"s": 1.2 * 1.9}),
    "/ parameter": (["s / p"], {"s": 1.2 / 1.9}),
    "+ parameter": (["s + p"], {"s": 3.1}),
    "- parameter": (["s - p"], {"s": -0.7}),
    "own value by another parameter": (["k * p"], {"k": 0.7 * 1.9}),
    "own value divided by itself": (["k / k"], {"k": 1.0}),
    "= expression": (["s = p^2*k + exp(-A0)"], {"s": 1.9**2 * 0.7 + np.exp(-4.0)}),
    "* expression": (["k * (1 + p)"], {"k": 0.7 * 2.9}),
    "/ expression": (["base / (k*p)"], {"base": 0.1 / (0.7 * 1.9)}),
    "- expression": (["base - log10(p)"], {"base": 0.1 - np.log10(1.9)}),
    "composed": (["k * 2", "k * 5"], {"k": 7.0}),
    "composed of all": (["k * 2", "k + p", "k / 3", "k - 0.1"], {"k": (1.4 + 1.9) / 3 - 0.1}),
    "set, then changed": (["k = p", "k * 2"], {"k": 3.8}),
    "changed, then set": (["k * 2", "k = 4"], {"k": 4.0}),
    "a quantity that is not free": (["s * 2"], {"s": 2.4}),
    "a value from another quantity": (["s = 2*growth"], {"s": 0.8}),
    "a species": (["X() = 5"], {"X()": 5.0}),
    "a species to a parameter": (["X() = 2*p"], {"X()": 3.8}),
    "a species, then changed": (["X() = p", "X() + 1"], {"X()": 2.9}),
    "several": (["k * 2", "s = p", "X() = A0"], {"k": 1.4, "s": 1.9, "X()": 4.0}),
    "a negative factor": (["k * -2"], {"k": -1.4}),
    "a factor of zero": (["k * 0"], {"k": 0.0}),
}


@pytest.mark.parametrize("case", CASES)
def test_each_operator_changes_the_value(closed_form, case):
    perturbations, expected = CASES[case]
    got = route(closed_form, condition(*perturbations), NAMES).quantities(AT)
    assert got == pytest.approx({"k": 0.7, "A0": 4.0} | expected, rel=1e-14)


@pytest.mark.parametrize("case", CASES)
def test_the_jacobian_is_the_difference_quotient(closed_form, quotient, case):
    routing = route(closed_form, condition(*CASES[case][0]), NAMES)

    def quantities(x):
        return np.array(list(routing.quantities(dict(zip(NAMES, x, strict=True))).values()))

    expected = dict(zip(routing.values, quotient(quantities, np.array([AT[n] for n in NAMES])), strict=True))
    J = routing.jacobian(AT)
    assert J.shape == (len(routing.columns), 3)
    for c, row in zip(routing.columns, J, strict=True):
        np.testing.assert_allclose(row, expected.pop(c), rtol=1e-8, atol=1e-9)
    for name, row in expected.items():  # no column: nothing moves it
        np.testing.assert_allclose(row, 0.0, atol=1e-9, err_msg=name)


@pytest.mark.parametrize(
    "perturbation, factor", [("k = 3", None), ("k * 3", 3.0), ("k / 4", 0.25), ("k + 3", 1.0), ("k - 3", 1.0)]
)
def test_the_factors_of_the_operators(closed_form, perturbation, factor):
    routing = route(closed_form, condition(perturbation), NAMES)
    assert ("k" in routing.columns) == (factor is not None)
    if factor is not None:
        np.testing.assert_array_equal(routing.jacobian(AT)[routing.columns.index("k")], [factor, 0, 0])


def test_a_linear_condition_has_the_same_jacobian_everywhere(closed_form):
    linear = route(closed_form, condition("k * 2", "s + p"), NAMES)
    assert linear.fixed is not None
    bent = route(closed_form, condition("k * p"), NAMES)
    assert bent.fixed is None
    moved = {**AT, "p": 5.0}
    np.testing.assert_array_equal(bent.jacobian(moved)[bent.columns.index("k")], [5.0, 0.7, 0])


def test_one_condition_does_not_reach_into_another(closed_form):
    before = route(closed_form, None, NAMES).quantities(AT)
    route(closed_form, condition("k * 2", "A0 = 1"), NAMES)
    assert route(closed_form, None, NAMES).quantities(AT) == before
    assert closed_form.quantities["k"] == 0.5


@pytest.mark.parametrize(
    "perturbations, said",
    [
        (["kk = 2"], ["kk", "did you mean 'k'"]),
        (["grwth * 2"], ["grwth", "did you mean 'growth'"]),
        (["p = 2"], ["'p'"]),  # free, but nothing of this model
        (["A = 2"], ["'A'"]),  # an output
        (["k = 2*zz"], ["zz"]),
        (["X() * 2"], ["X()", "initial amount"]),
        (["X() + p"], ["X()", "initial amount"]),
        (["kk = 2", "X() / 2", "k = 2*zz"], ["kk", "X()", "zz"]),  # all at once
    ],
)
def test_what_cannot_be_routed_is_refused_by_name(closed_form, perturbations, said):
    with pytest.raises(InputError) as error:
        route(closed_form, condition(*perturbations), NAMES)
    for words in ("condition 'c'", *said):
        assert words in str(error.value)


def test_a_species_that_is_a_free_parameter_has_a_base(closed_form):
    routing = route(closed_form, condition("X() * 2"), ("X()",))
    assert routing.quantities({"X()": 3.0}) == {"X()": 6.0}
    np.testing.assert_array_equal(routing.jacobian({"X()": 3.0}), [[2.0]])


# quantities that the model computes from others until they are set: kd = 2k, and fast = kd + base

DERIVED = {
    "left alone": ([], {"kd": 1.4, "fast": 1.5}),
    "its source changed": (["k * 2"], {"k": 1.4, "kd": 2.8, "fast": 2.9}),
    "its source set": (["k = p"], {"k": 1.9, "kd": 3.8, "fast": 3.9}),
    "set": (["kd = 5"], {"kd": 5.0, "fast": 5.1}),
    "set to a parameter": (["kd = p"], {"kd": 1.9, "fast": 2.0}),
    "changed": (["kd * 3"], {"kd": 4.2, "fast": 4.3}),
    "changed by a parameter": (["kd * p"], {"kd": 1.4 * 1.9, "fast": 1.4 * 1.9 + 0.1}),
    "changed with its source": (["kd * 3", "k * 2"], {"k": 1.4, "kd": 8.4, "fast": 8.5}),
    "read by another quantity": (["s = kd"], {"s": 1.4, "kd": 1.4, "fast": 1.5}),
    "read, its source changed": (["k * 2", "s = kd + 1"], {"s": 3.8, "k": 1.4, "kd": 2.8, "fast": 2.9}),
    "read by a species": (["X() = fast"], {"X()": 1.5, "kd": 1.4, "fast": 1.5}),
    "the last one changed": (["fast - 0.5"], {"kd": 1.4, "fast": 1.0}),
}


@pytest.fixture
def with_derived(closed_form):
    closed_form.quantities |= {"kd": 1.0, "fast": 1.1}  # 2k and kd + base at the model's own k = 0.5
    closed_form.derived |= {"kd": parse("2*k"), "fast": parse("kd + base")}
    return closed_form


@pytest.mark.parametrize("case", DERIVED)
def test_a_derived_quantity_follows_unless_it_is_set(with_derived, quotient, case):
    perturbations, expected = DERIVED[case]
    routing = route(with_derived, condition(*perturbations), NAMES)
    values = routing.quantities(AT)
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, rel=1e-14), name

    def quantities(x):
        return np.array([routing.quantities(dict(zip(NAMES, x, strict=True)))[c] for c in routing.columns])

    slopes = quotient(quantities, np.array([AT[n] for n in NAMES]))
    np.testing.assert_allclose(routing.jacobian(AT), slopes, rtol=1e-8, atol=1e-9)


def test_a_free_derived_quantity_no_longer_follows(with_derived):
    routing = route(with_derived, condition("k * 2"), ("k", "kd"))
    assert routing.quantities({"k": 0.7, "kd": 9.0}) == pytest.approx({"k": 1.4, "kd": 9.0, "fast": 9.1})


def test_derived_quantities_follow_without_a_condition(with_derived):
    """The condition of one experiment makes a number of what another one, without a condition, still has computed."""
    values = route(with_derived, None, ("k",)).quantities({"k": 0.7})
    assert values.keys() > {"k"} and values.keys() >= with_derived.derived.keys()
    for name, rule in with_derived.derived.items():
        assert values[name] == pytest.approx(float(rule({**with_derived.quantities, **values})))
