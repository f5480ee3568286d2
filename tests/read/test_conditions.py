"""Conditions."""

from __future__ import annotations

import pytest


def condition(folder, fit, perturbations: str):
    conf = fit.replace("data: d1.exp", "data: d1.exp, condition: c") + "experiment: d0, data: d1.exp\n"
    got = folder.load(f"{conf}condition: c, perturbations: {perturbations}\n").experiments[0].condition
    assert got.name == "c"
    return [(p.target, p.op, p.value.constant if p.value.constant is not None else p.value.text) for p in got.perturbations]


@pytest.mark.parametrize("op", ["=", "*", "/", "+", "-"])
def test_every_operator(folder, fit, op):
    assert condition(folder, fit, f"k1 {op} 2, k2{op}-3e-1") == [("k1", op, 2.0), ("k2", op, -0.3)]


def test_species_and_arithmetic(folder, fit):
    assert condition(folder, fit, '"A()" = 2*(3 + 1), B() = "7", A0 = 1e2') == [
        ("A()", "=", 8.0),
        ("B()", "=", 7.0),
        ("A0", "=", 100.0),
    ]


def test_values_are_expressions_of_parameters_and_quantities(folder, fit):
    assert condition(folder, fit, 'k1 = k2, A0 * 2*k1 + k2, "A()" = min(A0, 2)*kd, B() = "k1/(k2 + 1)"') == [
        ("k1", "=", "k2"),
        ("A0", "*", "2*k1 + k2"),
        ("A()", "=", "min(A0, 2)*kd"),
        ("B()", "=", "k1/(k2 + 1)"),
    ]
    assert {"k1", "A0", "A()", "B()", "k2", "kd"} <= folder.calls["decay"]["settable"]


def test_a_parameter_of_the_fit_that_only_a_condition_names(folder, fit):
    i0 = "parameter: _e, prior: normal, mean: 1, sd: 1\n"
    conf = fit.replace("data: d1.exp", "data: d1.exp, condition: c") + i0 + "condition: c, perturbations: A0 = _e\n"
    value = folder.load(conf).experiments[0].condition.perturbations[0].value
    assert value.names == {"_e"}
    assert folder.wrong(conf.replace("A0 = _e", "A0 = 2*_e")) == [
        "fit.conf:8: parameter '_e' appears in no model and no formula",
        "fit.conf:9: condition 'c': '_e' is a constant, and a declared parameter; give the parameter another name"
    ]


def test_changes_of_one_target_keep_their_order(folder, fit):
    assert condition(folder, fit, "k1 = 2, k1 * 3, k1 = 2") == [("k1", "=", 2.0), ("k1", "*", 3.0), ("k1", "=", 2.0)]


def test_a_condition_that_is_not_used_is_refused(folder, fit):
    assert folder.wrong(fit + "condition: c, perturbations: k1 = 2\n") == [
        "fit.conf:8: no experiment is under the condition 'c'; type 'condition: c' in an experiment, or delete the line"
    ]
    assert folder.wrong(fit + "condition: c, perturbations: k11 = 2\n") == [
        "fit.conf:8: condition 'c': model 'decay' has no parameter or species 'k11'; did you mean 'k1'?"
    ]


@pytest.mark.parametrize(
    ("perturbations", "what"),
    [
        ("k9 = 1", "model 'decay' has no parameter or species 'k9'"),
        ('"A" = 1', "model 'decay' has no parameter or species 'A'; did you mean 'A0'?"),
        (
            "A() * 2",
            "'A() * …' changes an initial amount by its own value, which parameters may set; write '\"A()\" = <amount>'",
        ),
        ("k1 = k22", "'k22' in 'k22' is no free parameter and no parameter of model 'decay'; did you mean 'k2'?"),
        ("k1 = A()/2", "'A' in 'A()/2' is no free parameter and no parameter of model 'decay'; did you mean 'A0'?"),
        ("k1 / 0", "'k1 / 0' gives no finite value; type another value"),
        ("k1 / 2 - 2", "'k1 / 2 - 2' gives no finite value; type another value"),
        ("k1 = 1/0", "'k1 = 1/0' gives no finite value; type another value"),
        ("k1 = 1e308*10", "'k1 = 1e308*10' gives no finite value; type another value"),
        ("A0 = 1, A0 / ln(A0)", "'A0 / ln(A0)' gives no finite value in model 'decay'; type another value"),
        (
            "k1 ^ 2",
            "'k1 ^ 2' is no perturbation; type '<id> <op> <value>' with one of = * / + -, or '\"<species>\" = "
            "<value>'",
        ),
        (
            "k1",
            "'k1' is no perturbation; type '<id> <op> <value>' with one of = * / + -, or '\"<species>\" = <value>'",
        ),
        ("k1 = (2", "'(2': expected ')' at column 3, found 'the end'"),
    ],
)
def test_perturbations_that_are_wrong(folder, fit, perturbations, what):
    conf = fit.replace("data: d1.exp", "data: d1.exp, condition: c")
    assert folder.wrong(f"{conf}condition: c, perturbations: {perturbations}\n") == [
        f"fit.conf:8: condition 'c': {what}"
    ]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("condition: c, perturbations: k1 = 2, k1 = 3", "condition 'c' sets 'k1' to 2 and to 3; keep one of them"),
        ("condition: c", "condition 'c' changes nothing; type 'perturbations: <id> = <value>'"),
        ("condition: c, perturbations:", "a part of 'perturbations:' is empty; delete the comma or complete it"),
        (
            "condition: 1c, perturbations: k1 = 2",
            "'1c' is no name of a condition; type 'condition: <name>, perturbations: <id> = <value>'",
        ),
        (
            "condition: c, perturbation: k1 = 2",
            "'condition:' has no field 'perturbation:'; did you mean 'perturbations'?",
        ),
    ],
)
def test_conditions_that_are_wrong(folder, fit, line, what):
    assert f"fit.conf:8: {what}" in folder.wrong(fit + line)


def test_twice(folder, fit):
    line = "condition: c, perturbations: k1 = 2\n"
    assert folder.wrong(fit + line + line) == ["fit.conf:9: condition 'c' is given twice; give each its own name"]


def test_an_experiment_under_an_unknown_condition(folder, fit):
    conf = fit.replace("data: d1.exp", "data: d1.exp, condition: hi") + "condition: high, perturbations: k1 = 2\n"
    assert folder.wrong(conf) == [
        "fit.conf:5: experiment 'd1' is under the condition 'hi', which is not given; did you mean 'high'?"
    ]


def test_a_condition_of_another_model(folder, fit):
    folder.write("other.bngl", (folder.path / "decay.bngl").read_text())
    conf = fit.replace("model: decay.bngl", "model: decay.bngl, other.bngl")
    conf = conf.replace("data: d1.exp", "data: d1.exp, condition: c, model: decay.bngl")
    assert folder.wrong(conf + "condition: c, model: other.bngl, perturbations: k1 = 2\n") == [
        "fit.conf:5: experiment 'd1' is of the model 'decay', its condition 'c' of 'other.bngl'; name the same "
        "model in both"
    ]
    assert folder.wrong(conf + "condition: c, model: decay.bngl, perturbations: k1 * 2\n") == []
