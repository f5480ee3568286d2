"""Conditions."""

from __future__ import annotations

import pytest


def condition(folder, fit, perturbations: str):
    conf = fit.replace("data: d1.exp", "data: d1.exp, condition: c")
    got = folder.load(f"{conf}condition: c, perturbations: {perturbations}\n").experiments[0].condition
    assert got.name == "c"
    return [(p.target, p.op, p.value.constant) for p in got.perturbations]


@pytest.mark.parametrize("op", ["=", "*", "/", "+", "-"])
def test_every_operator(folder, fit, op):
    assert condition(folder, fit, f"k1 {op} 2, k2{op}-3e-1") == [("k1", op, 2.0), ("k2", op, -0.3)]


def test_species_and_arithmetic(folder, fit):
    assert condition(folder, fit, '"A()" = 2*(3 + 1), B() = "7", A0 = 1e2') == [
        ("A()", "=", 8.0),
        ("B()", "=", 7.0),
        ("A0", "=", 100.0),
    ]


def test_changes_of_one_target_keep_their_order(folder, fit):
    assert condition(folder, fit, "k1 = 2, k1 * 3, k1 = 2") == [("k1", "=", 2.0), ("k1", "*", 3.0), ("k1", "=", 2.0)]


def test_a_condition_that_is_not_used_is_checked_too(folder, fit):
    assert folder.wrong(fit + "condition: c, perturbations: k1 = 2\n") == []
    assert folder.wrong(fit + "condition: c, perturbations: k11 = 2\n") == [
        "fit.conf:8: condition 'c': model 'decay' has no settable parameter or species 'k11'; did you mean 'k1'?"
    ]


@pytest.mark.parametrize(
    ("perturbations", "what"),
    [
        ("k9 = 1", "model 'decay' has no settable parameter or species 'k9'"),
        ('"A" = 1', "model 'decay' has no settable parameter or species 'A'; did you mean 'A0'?"),
        (
            "A() * 2",
            "'A() * 2' changes an initial amount relative to itself, which is not supported yet; type '\"A()\" "
            "= <number>'",
        ),
        ("k1 = k2", "'k1 = k2' sets a value by k2, which is not supported yet; type a number"),
        ("k1 = 2*k2 + A0", "'k1 = 2*k2 + A0' sets a value by A0, k2, which is not supported yet; type a number"),
        ("k1 / 0", "'k1 / 0' gives no finite value; type another number"),
        ("k1 = 1/0", "'k1 = 1/0' gives no finite value; type another number"),
        (
            "k1 ^ 2",
            "'k1 ^ 2' is no perturbation; type '<id> <op> <number>' with one of = * / + -, or '\"<species>\" = "
            "<number>'",
        ),
        (
            "k1",
            "'k1' is no perturbation; type '<id> <op> <number>' with one of = * / + -, or '\"<species>\" = <number>'",
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
        ("condition: c", "condition 'c' changes nothing; type 'perturbations: <id> = <number>'"),
        ("condition: c, perturbations:", "a part of 'perturbations:' is empty; delete the comma or complete it"),
        (
            "condition: 1c, perturbations: k1 = 2",
            "'1c' is no name of a condition; type 'condition: <name>, perturbations: <id> = <number>'",
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
    assert folder.wrong(conf + "condition: c, model: decay.bngl, perturbations: k1 = 2\n") == []
