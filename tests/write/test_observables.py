"""Series as observables: one formula where they differ in numbers and parameters alone, placeholders in their place."""

from __future__ import annotations

import numpy as np

from bnfhmc.expression import parse
from bnfhmc.noise import Constant, Formula, Laplace, Normal
from bnfhmc.prior import Normal as NormalPrior
from bnfhmc.prior import Parameter
from bnfhmc.problem import Experiment, Problem, Series
from bnfhmc.write.observables import grouped, observable_of


def series(name: str, formula: str, sigma: object, n: int = 2, noise: object = None) -> Series:
    source = Formula(parse(sigma)) if isinstance(sigma, str) else Constant(sigma)
    return Series(name, parse(formula), np.arange(n), np.arange(n) + 1.0, noise or Normal(),
                  {("scale" if noise else "sigma"): source})  # fmt: skip


def problem(closed_form, *experiments: tuple[Series, ...]) -> Problem:
    parameters = tuple(Parameter(n, NormalPrior(0.0, 1.0)) for n in ("p", "q", "k"))
    made = tuple(Experiment(f"e{i}", "m", np.arange(2.0), s) for i, s in enumerate(experiments))
    return Problem(parameters, {"m": closed_form}, made)


def observables(made: Problem) -> list:
    return [observable_of(name, members, made) for name, members in grouped(made)]


def test_equal_series_of_several_experiments_are_one_observable(closed_form):
    (o,) = observables(problem(closed_form, (series("A", "A", 0.5),), (series("A", "A", 0.5),)))
    assert (o.name, o.formula.text, o.sources["sigma"].constant, o.placeholders) == ("A", "A", 0.5, {})
    assert [i for i, _ in o.members] == [0, 1]


def test_numbers_of_the_data_are_a_placeholder(closed_form):
    (o,) = observables(problem(closed_form, (series("A", "A", np.array([0.1, 0.2])),), (series("A", "A", 0.5),)))
    hole = o.numbers("sigma")
    assert o.sources["sigma"].text == "noiseParameter1_A"
    assert [[hole.token(k, n) for n in (0, 1)] for k in (0, 1)] == [[0.1, 0.2], [0.5, 0.5]]


def test_data_that_are_all_the_same_are_a_number(closed_form):
    (o,) = observables(problem(closed_form, (series("A", "A", np.array([0.1, 0.1])),)))
    assert o.sources["sigma"].constant == 0.1


def test_overrides_by_numbers_and_parameters_are_placeholders(closed_form):
    of_y = (series("y", "p*A + 2", "p/2"), series("y#2", "q*A + 3", "q/2"), series("y#3", "1*A + 2", "p/2"))
    (o,) = observables(problem(closed_form, of_y))
    assert o.formula.text == "((observableParameter1_y * A) + observableParameter2_y)"
    assert o.sources["sigma"].text == "(noiseParameter1_y / 2)"
    first, second = o.in_formula.values()
    assert [first.token(k, 0) for k in range(3)] == ["p", "q", 1.0]
    assert [second.token(k, 1) for k in range(3)] == [2.0, 3.0, 2.0]
    assert o.numbers("sigma") is None


def test_a_place_that_always_holds_the_same_as_another_shares_its_placeholder(closed_form):
    (o,) = observables(problem(closed_form, (series("y", "p*A", "p*B"), series("y#2", "q*A", "q*B"))))
    assert (o.formula.text, o.sources["sigma"].text) == ("(observableParameter1_y * A)", "(observableParameter1_y * B)")
    assert list(o.in_noise) == []


def test_outputs_and_quantities_are_no_tokens(closed_form):
    texts = {"y": "A", "y#2": "B", "y#3": "k*A", "y#4": "p*A"}
    made = observables(problem(closed_form, tuple(series(name, text, 1.0) for name, text in texts.items())))
    assert [o.formula.text for o in made] == ["A", "B", "(k * A)", "(p * A)"]


def test_other_noise_and_other_structure_are_other_observables(closed_form):
    made = problem(closed_form, (series("y", "A", 1.0), series("y#2", "A + 1", 1.0), series("y#3", "A", 1.0, noise=Laplace())))
    assert [(type(o.noise), o.formula.text) for o in observables(made)] == [(Normal, "A"), (Normal, "(A + 1)"), (Laplace, "A")]


def test_a_long_sum_is_no_trouble(closed_form):
    text = " + ".join(["A"] * 2000)
    (o,) = observables(problem(closed_form, (series("y", f"{text} + 1", 1.0), series("y#2", f"{text} + 2", 1.0))))
    assert list(o.in_formula) == ["observableParameter1_y"]
