"""Objectives without a model."""

from __future__ import annotations

import numpy as np
import pytest

from bnfhmc import Posterior
from bnfhmc.errors import InputError
from bnfhmc.noise.target import CallableTarget
from bnfhmc.read import load

X = "parameter: x1, prior: normal, mean: 0, sd: 3\nparameter: x2, prior: normal, mean: 0, sd: 3\n"
HEAD = "edition = 2\nfit_type = nuts\n"
MODES = "mode: weight = 0.5, mean = -4 -4, variance = 0.5 0.5\nmode: weight = 0.5, mean = 4 4, variance = 0.5 1\n"
CODE = """\
import math

def nll(params, data=None):
    rows = 0 if data is None else sum(len(columns["y"]) for columns in data.values())
    x = params["x1"] - rows
    return 0.5 * x**2 + params["x2"] ** 4, {"x1": x, "x2": 4 * params["x2"] ** 3}
"""


def target(folder, lines: str, **options):
    return load(folder.write("fit.conf", HEAD + lines + X), **options)


@pytest.mark.parametrize(
    ("lines", "loss"),
    [
        ("objective = gaussian, mean = 0 1, variance = 1 4\n", lambda x: 0.5 * (x[0] ** 2 + (x[1] - 1) ** 2 / 4)),
        ("objective = Banana, a = 1, b = 10\n", lambda x: 0.5 * ((1 - x[0]) ** 2 + 10 * (x[1] - x[0] ** 2) ** 2)),
        ("objfunc = banana\n", lambda x: 0.5 * ((1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2)),
        ("objective = funnel, sd = 3\n", lambda x: x[0] ** 2 / 18 + 0.5 * x[1] ** 2 * np.exp(-x[0]) + 0.5 * x[0]),
        ("objective = rotated_gaussian, mean = 0 0, variances = 1 4, angle = 0\n", lambda x: 0.5 * (x[0] ** 2 + x[1] ** 2 / 4)),
        ("objective = rotated_quartic, mean = 0 0, coeff = 1 2\n", lambda x: x[0] ** 4 + 2 * x[1] ** 2),
        ("objective = expression\nexpression = (x1 - 1)^2 + min(x2, 3)^2  # a bowl\n", lambda x: (x[0] - 1) ** 2 + x[1] ** 2),
    ],
)
def test_closed_forms(folder, quotient, lines, loss):
    problem = target(folder, lines)
    assert (problem.models, problem.experiments, problem.names) == ({}, (), ("x1", "x2"))
    posterior, x = Posterior(problem), np.array([0.3, -0.7])
    assert posterior.loss(x) == pytest.approx(loss(x))
    assert posterior.loss_gradient(x) == pytest.approx(quotient(posterior.loss, x), rel=1e-7)


def test_modes(folder, quotient):
    posterior = Posterior(target(folder, "objective = multimodal\n" + MODES))
    assert posterior.loss(np.array([4.0, 4.0])) == pytest.approx(-np.log(0.5))
    x = np.array([3.0, 3.5])
    assert posterior.loss_gradient(x) == pytest.approx(quotient(posterior.loss, x), rel=1e-7)


def test_an_expression_is_summed_over_the_rows_of_all_files(folder):
    folder.write("a.exp", "t y\n1 2\n2 nan\n")
    folder.write("b.exp", "t y\n-3 5\n")
    lines = "objective = expression\nexpression = 0.5*(y - x1*t - x2)^2\ndata = a.exp, b.exp\n"
    posterior = Posterior(target(folder, lines))
    assert posterior.loss(np.array([2.0, 1.0])) == pytest.approx(0.5 * ((2 - 2 - 1) ** 2 + (5 + 6 - 1) ** 2))


def test_a_callable_is_run_only_where_that_is_allowed(folder, quotient):
    folder.write("mine.py", CODE)
    folder.write("a.exp", "t y\n1 2\n2 1\n")
    lines = "objective = callable\ncallable = mine.py:nll\n"
    with pytest.raises(InputError) as error:
        target(folder, lines)
    (mistake,) = error.value.mistakes
    assert (mistake.line, "--allow-callable" in mistake.hint) == (4, True)
    made = target(folder, lines, allow_callable=True)
    assert isinstance(made.target, CallableTarget) and made.target.label == "mine.py:nll"
    for data, rows in (("", 0), ("data = a.exp\n", 2)):
        posterior, x = Posterior(target(folder, lines + data, allow_callable=True)), np.array([0.3, -0.7])
        assert posterior.loss(x) == pytest.approx(0.5 * (0.3 - rows) ** 2 + 0.7**4)
        assert posterior.loss_gradient(x) == pytest.approx(quotient(posterior.loss, x), rel=1e-7)


def wrong(folder, lines: str) -> list[str]:
    return folder.wrong(HEAD + lines + X)


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ("objective = banana, c = 1\n", "3: banana has no field 'c'; its fields are a, b"),
        ("objective = banana, a = x\n", "3: banana: 'a' takes finite numbers, got 'x'; type 'a = 1'"),
        ("objective = gaussian, mean = 0 0\n", "3: gaussian needs 'variance'; type 'variance = …', one number a coordinate"),
        ("objective = multimodal\n", "3: objective 'multimodal' has no mode; type 'mode: weight = 0.5, mean = 0 0, variance = "
         "1 1' for each of them"),
        ("objective = multimodal\n" + MODES.replace("variance = 0.5 1", "variance = 0 1"), "5: multimodal, mode 2: 'variance' "
         "holds positive numbers, got 0 1"),
        ("objective = expression\n", "3: objective 'expression' needs the expression itself; "
         "type 'expression = 0.5*((1 - x1)^2 "
         "+ 100*(x2 - x1^2)^2)'"),
        ("objective = expression\nexpression = x1 + x2 + x3\n", "4: 'expression = …' names 'x3', which is no declared "
         "parameter; type 'parameter: x3, prior: <family>, …'"),
        ("objective = expression\nexpression = (x1\n", "4: 'expression = (x1': '(x1': expected ')' at column 4, found 'the "
         "end'"),
        ("objective = expression\nexpression = x1^2\n", "6: parameter 'x2' is not in 'expression = …'; name it there, or "
         "delete the line"),
        ("objective = callable\n", "3: objective 'callable' needs the function itself; type 'callable = file.py:function' or "
         "'callable = module:function'"),
        ("objective = callable, x = 1\n", "3: objective 'callable' takes nothing after it, got 'x = 1'"),
        ("objective = banana\nexpression = x1\n", "4: 'expression' has no effect beside 'objective = banana'; delete the line"),
        ("objective = banana\nmode: weight = 1\n", "4: 'mode' has no effect beside 'objective = banana'; delete the line"),
        ("objective = banana\ndata = d1.exp\n", "4: 'data' has no effect beside 'objective = banana'; delete the line"),
    ],
)  # fmt: skip
def test_targets_that_are_wrong(folder, lines, what):
    assert f"fit.conf:{what}" in wrong(folder, lines)
    assert len(wrong(folder, lines)) == 1


@pytest.mark.parametrize(
    "line",
    ["model: decay.bngl", "experiment: d1, data: d1.exp", "condition: c, perturbations: k = 1", "observable: A, column: a",
     "noise_model A = normal, sigma = fix_at 1", "noise_location = mean", "neg_bin_r = 3", "normalization = peak",
     "mutant = decay m k*2 : none", "time_course = time:3", "generate_network = max_iter=>3", "sbml_rtol = 1e-6",
     "wall_time_sim = 3", "constraint_scale = 3", "sensitivity_fallback = error"],
)  # fmt: skip
def test_nothing_of_a_model_stands_beside_a_target(folder, line):
    key = line.split(" ")[0].rstrip(":")
    assert wrong(folder, f"objective = banana\n{line}\n") == [
        f"fit.conf:4: '{key}' has no effect beside 'objective = banana', which needs no model; delete one of the two"
    ]


def test_the_data_of_an_expression(folder):
    lines = "objective = expression\nexpression = (y - x1)^2 + x2^2\ndata = a.exp, b.exp\n"
    folder.write("a.exp", "t y\n1 2\n")
    folder.write("b.exp", "t z\n1 2\n")
    assert wrong(folder, lines) == ["b.exp:1: no column 'y', which 'expression = …' names; add it, or leave out the file"]
    (folder.path / "b.exp").unlink()
    assert wrong(folder, lines) == ["fit.conf:5: file 'b.exp' not found; did you mean 'a.exp'?"]
    assert wrong(folder, lines.replace("b.exp", "a.exp"))[0].startswith("fit.conf:5: two data files are named 'a'")
    assert wrong(folder, lines.replace("(y - x1)", "x1").replace(", b.exp", "")) == [
        "fit.conf:5: 'data = …' is read by nothing: 'expression = …' names no column of it; its columns are t, y; delete the "
        "line if no data is meant"
    ]
