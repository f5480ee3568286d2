"""Free parameters in both editions, and their start points."""

from __future__ import annotations

import numpy as np
import pytest

from bnfhmc.prior import FAMILIES
from bnfhmc.prior.families import FAMILIES as BY_NAME
from bnfhmc.read.keys import POSITIONAL

FIELDS = {
    "uniform": "lower: 1, upper: 2",
    "normal": "mean: 0, sd: 2",
    "laplace": "location: 0, scale: 2",
    "cauchy": "location: 0, scale: 2",
    "gamma": "shape: 2, scale: 1",
    "exponential": "scale: 3",
    "chisquare": "dof: 3",
    "rayleigh": "scale: 1",
    "half_normal": "scale: 1",
    "half_cauchy": "scale: 1",
    "beta": "alpha: 2, beta: 3",
    "inv_gamma": "shape: 3, scale: 1",
    "weibull": "shape: 2, scale: 1",
    "gumbel": "location: 0, scale: 1",
    "logistic": "location: 0, scale: 1",
    "student_t": "df: 3, location: 0, scale: 1",
}


def with_k2(fit: str, line: str) -> str:
    return "\n".join([*fit.splitlines()[:-1], line, ""])


def test_all_families_are_covered():
    assert set(FIELDS) == set(FAMILIES)
    assert set(POSITIONAL) == set(FAMILIES) - {"student_t"}


@pytest.mark.parametrize("scale", ["lin", "linear", "log10", "ln"])
@pytest.mark.parametrize("family", sorted(FIELDS))
def test_a_record_of_each_family_and_scale(folder, fit, family, scale):
    line = f"parameter: k2, prior: {family}, parameter_scale: {scale}, {FIELDS[family]}"
    k2 = folder.load(with_k2(fit, line)).parameters[1]
    assert k2.name == "k2" and isinstance(k2.prior, BY_NAME[family])
    assert k2.scale.name == {"linear": "lin"}.get(scale, scale)
    if family != "uniform":
        for field in FIELDS[family].split(", "):
            name, value = field.split(": ")
            assert getattr(k2.prior, name) == float(value)


@pytest.mark.parametrize(("prefix", "scale"), [("", "lin"), ("log", "log10")])
@pytest.mark.parametrize("family", sorted(POSITIONAL))
def test_a_positional_line_of_each_family(folder, fit, family, prefix, scale):
    numbers = " ".join(f.split(": ")[1] for f in FIELDS[family].split(", "))
    k2 = folder.load(with_k2(fit, f"{prefix}{family}_var = k2 {numbers}")).parameters[1]
    record = f"parameter: k2, prior: {family}, parameter_scale: {scale}, {FIELDS[family]}"
    assert k2 == folder.load(with_k2(fit, record)).parameters[1]


@pytest.mark.parametrize("flag", ["", " b", " U"])
def test_the_flag_of_a_uniform_leaves_its_density_alone(folder, fit, flag):
    k2 = folder.load(with_k2(fit, f"loguniform_var = k2 0.01 100{flag}")).parameters[1]
    assert k2.theta_bounds == pytest.approx((0.01, 100))
    assert k2.prior.logpdf(0.0) == pytest.approx(-np.log(4))


def test_bounds_alone_are_a_uniform_on_the_scale(folder, fit):
    k2 = folder.load(with_k2(fit, "parameter: k2, parameter_scale: log10, lower: 0.1, upper: 10")).parameters[1]
    assert k2.support == pytest.approx((-1, 1))


def test_bounds_truncate(folder, fit):
    k2 = folder.load(with_k2(fit, "parameter: k2, prior: normal, mean: 1, sd: 1, lower: 0")).parameters[1]
    assert k2.theta_bounds == (0, np.inf)


def test_order_of_declaration(folder, fit):
    moved = fit.splitlines()
    assert folder.load("\n".join([moved[-1], *moved[:-1]])).names == ("k2", "k1")


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (
            "parameter: k2, prior: norml, mean: 0, sd: 1",
            "parameter 'k2': unknown prior family 'norml'; did you mean 'normal'?",
        ),
        ("parameter: k2, prior: normal, men: 0, sd: x", "parameter 'k2': sd takes a number, got 'x'"),
        ("parameter: k2, prior: normal, mean: 0, sd: -1", "parameter 'k2': sd must be > 0, got -1"),
        (
            "parameter: k2, 3, prior: normal, mean: 0, sd: 1",
            "parameter 'k2': '3' has no field name; type '<field>: <value>'",
        ),
        (
            "parameter: 2k, prior: normal, mean: 0, sd: 1",
            "'2k' is no parameter name; a name is made of letters, digits and _",
        ),
        (
            "uniform_var = k2 0 q",
            "parameter 'k2': 'uniform_var' takes lower and upper, got '0 q'; type 'uniform_var = k2 <lower> <upper>'",
        ),
        (
            "normal_var = k2 1 2 u",
            "parameter 'k2': 'normal_var' takes mean and sd, got '1 2 u'; type 'normal_var = k2 <mean> <sd>'",
        ),
        (
            "exponential_var = k2",
            "parameter 'k2': 'exponential_var' takes scale, got ''; type 'exponential_var = k2 <scale>'",
        ),
    ],
)
def test_what_is_wrong_with_a_declaration(folder, fit, line, what):
    assert f"fit.conf:7: {what}" in folder.wrong(with_k2(fit, line))


def test_twice_in_any_form(folder, fit):
    found = folder.wrong(fit + "uniform_var = k1 0 1\nparameter: k2, lower: 0, upper: 1\n")
    assert found == [
        "fit.conf:8: parameter 'k1' is declared twice, first on line 6; keep one line",
        "fit.conf:9: parameter 'k2' is declared twice, first on line 7; keep one line",
    ]


def test_none_at_all(folder, fit):
    assert folder.wrong("\n".join(fit.splitlines()[:5])) == [
        "fit.conf: no parameter is declared; type 'parameter: <name>, prior: <family>, …'"
    ]


def test_in_no_model_and_no_formula(folder, fit):
    assert folder.wrong(fit + "parameter: A00, lower: 0, upper: 1\n") == [
        "fit.conf:8: parameter 'A00' appears in no model and no formula; did you mean 'A0'?",
    ]


def test_what_the_model_computes_from_others_can_be_fitted(folder, fit):
    assert folder.load(fit + "parameter: kd, lower: 0, upper: 1\n").names == ("k1", "k2", "kd")
    assert "kd" in folder.calls["decay"]["settable"]


def test_what_nothing_depends_on(folder, fit):
    conf = fit.replace("data: d1.exp", "data: d1.exp, condition: c") + "condition: c, perturbations: k1 = 2\n"
    assert folder.wrong(conf) == [
        "fit.conf:6: nothing that is measured depends on parameter 'k1'; every condition sets it, or its model and formulas "
        "are compared with no data; delete it"
    ]
    assert folder.wrong(conf + "experiment: d0, data: d1.exp\n") == []


def test_start_points(folder, fit):
    problem = folder.load(fit + "start_point = k2 0.9\n")
    assert problem.initial_theta == {"k2": 0.9}
    agreed = with_k2(fit, "parameter: k2, prior: normal, mean: 1, sd: 1, initial_value: 0.5") + "start_point = k2 0.5\n"
    assert folder.load(agreed).initial_theta == {"k2": 0.5}


def test_start_points_that_are_wrong(folder, fit):
    conf = with_k2(fit, "parameter: k2, prior: normal, mean: 1, sd: 1, initial_value: 0.5")
    found = folder.wrong(
        conf + "start_point = k2 0.6\nstart_point = k22 1\nstart_point = k1 50\nstart_point = k1\nstart_point = k1 2\n"
    )
    assert found == [
        "fit.conf:8: start_point = k2 0.6 contradicts initial_value: 0.5 on line 7; keep one of them",
        "fit.conf:9: start_point of 'k22', which is no declared parameter; did you mean 'k2'?",
        "fit.conf:10: parameter 'k1': the initial value 50 lies outside of [0.1, 10], where its prior has its mass; "
        "choose one inside, or widen the bounds",
        "fit.conf:11: 'start_point' takes a parameter and its value, got 'k1'; type 'start_point = <parameter> "
        "<value>'",
        "fit.conf:12: 'k1' has another start_point on line 10; keep one",
    ]


def test_the_loader_is_given_a_value_for_each(folder, fit):
    folder.load(fit + "start_point = k2 0.9\n")
    assert folder.calls["decay"]["free"] == {"k1": pytest.approx(0.1), "k2": 0.9}


def test_a_unit_and_a_description_are_words_and_change_nothing_else(folder, fit):
    line = "parameter: k2, prior: normal, mean: 0, sd: 2"
    k2 = folder.load(with_k2(fit, line + ", unit: 1/(nM*s), description: binding, at 37 degrees")).parameters[1]
    assert (k2.unit, k2.description) == ("1/(nM*s)", "binding, at 37 degrees")
    plain = folder.load(with_k2(fit, line)).parameters[1]
    assert (plain.unit, plain.description) == ("", "") and plain.prior == k2.prior
