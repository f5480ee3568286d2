"""conf → Problem → PEtab → Problem and PEtab → Problem → conf → Problem: the same posterior each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from bnfhmc.write import convert
from tests.conftest import AMOUNT_SBML
from tests.write.building import MODELS, assert_same, read

UNIFORM = "parameter: k1, lower: 0.1, upper: 2\nparameter: k2, parameter_scale: log10, lower: 0.05, upper: 2\n"
TWO = "# time A B\n0 2.91 1.12\n0.5 2.73 1.31\n2 1.95 nan\n4 1.21 1.72\n"
WITH_SD = "# time A A_SD\n0 2.91 0.2\n1 2.53 0.3\n3 1.75 0.25\n"


def params(*rows: tuple[object, ...]) -> str:
    """A table of ``measurement_params``."""
    return "".join("\t".join(map(str, row)) + "\n" for row in [("column", "time", "placeholder", "token"), *rows])


# name → the configuration after its model line, and its files
CASES: dict[str, tuple[str, dict[str, str]]] = {
    "a course with σ in the data": (
        f"experiment: d1, data: d1.exp\nobjective = chi_sq\n{UNIFORM}", {"d1.exp": WITH_SD}
    ),
    "σ on a log10, some of it the same": (
        f"experiment: d1, data: d1.exp\nexperiment: d2, data: d2.exp\nobjective = lognormal\n{UNIFORM}",
        {"d1.exp": WITH_SD, "d2.exp": "# time A A_SD\n1 2.52 0.1\n2 1.96 0.1\n"},
    ),
    "noise that is fitted, or follows the prediction": (
        "experiment: d1, data: d1.exp\nnoise_model A = ln_laplace, scale = fit b\n"
        f"noise_model B = normal, sigma = prediction_formula 0.1 + s*B\nparameter: b, lower: 0.1, upper: 1\n"
        f"parameter: s, prior: half_normal, scale: 0.3\n{UNIFORM}",
        {"d1.exp": TWO},
    ),
    "noise from the data": (
        "experiment: d1, data: d1.exp\nexperiment: d2, data: d2.exp\nnoise_model A = log_laplace, scale = relative 0.2\n"
        f"noise_model B = laplace, scale = column_mean\n{UNIFORM}",
        {"d1.exp": TWO, "d2.exp": "# time A B\n1 2.52 0.91\n2 1.96 1.04\n"},
    ),
    "formulas of outputs, quantities and truths": (
        "experiment: d1, data: d1.exp\nobservable: f, formula: scale*(A > B)*A/total + k1^2 - min(A, make)*(-k2)^2\n"
        f"noise_model = lnnormal, sigma = formula s^2/3\nparameter: scale, lower: 1, upper: 4\n"
        f"parameter: s, parameter_scale: ln, lower: 0.3, upper: 2\n{UNIFORM}",
        {"d1.exp": "# time f\n0 2.9\n1 2.5\n2 3.1\n5 1.7\n"},
    ),
    "conditions that change what is fitted": (
        "experiment: d1, data: d1.exp\nexperiment: d2, data: d2.exp, condition: slow\nobjective = sos\n"
        f"condition: slow, perturbations: k1 * 0.5, make = 2*k2, k2 + 0.1\n{UNIFORM}",
        {"d1.exp": TWO, "d2.exp": "# time A\n1 2.52\n2 1.96\n"},
    ),
    "a pre-equilibration whose parameters come back": (
        "experiment: d1, data: d1.exp\nexperiment: d2, data: d2.exp, preequilibrate: blocked, condition: released\n"
        "condition: blocked, perturbations: k1 = 0.2, make * 3\ncondition: released, perturbations: make = 0.5\n"
        f"objective = sos\n{UNIFORM}",
        {"d1.exp": TWO, "d2.exp": "# time A\n0 2.52\n1 2.14\n2 1.96\n"},
    ),
    "steady states": (
        "experiment: d1, data: d1.exp\nexperiment: d2, data: d2.exp, condition: more\nobjective = sos\n"
        f"condition: more, perturbations: make = 0.9\n{UNIFORM}",
        {"d1.exp": "# time A B\ninf 0.8 1.3\n", "d2.exp": "# time A B\ninf 1.4 2.3\ninf 1.5 2.2\n"},
    ),
    "scans, at a time and at rest": (
        "experiment: d1, data: d1.exp\nexperiment: d2, data: d2.exp, t_end: 3, condition: slow\nobjective = chi_sq\n"
        f"condition: slow, perturbations: k1 / 2\n{UNIFORM}",
        {"d1.exp": "# make A A_SD\n0.1 0.21 0.1\n0.5 0.82 0.1\n1 1.35 0.2\n",
         "d2.exp": "# make A A_SD\n0.2 1.2 0.3\n0.7 1.6 0.2\n"},
    ),
    "replicates and placeholders": (
        "experiment: d1, data: a.exp, b.exp, measurement_params: p.tsv\nnoise_model = normal, sigma = fix_at 0.3\n"
        "observable: r, formula: observableParameter1_r*A + base\n"
        "noise_model r = normal, sigma = formula noiseParameter1_r*base\n"
        "parameter: s1, lower: 1, upper: 2\nparameter: s2, lower: 2, upper: 3\nparameter: base, lower: 0.5, upper: 1\n"
        f"parameter: late, lower: 1, upper: 2\n{UNIFORM}",
        {"a.exp": "# time r A\n0 4.4 2.9\n1 3.1 2.2\n", "b.exp": "# time r\n0 4.7\n1 nan\n2 2.6\n",
         "p.tsv": params(*(("r", t, f"{kind}Parameter1_r", token)
                           for t, o, n in ((0, "s1", 0.5), (1, "s2", 0.5), (2, "s2", "late"))
                           for kind, token in (("observable", o), ("noise", n))))},
    ),
}  # fmt: skip

MODEL_CASES = {
    "a species that is fitted": (
        "model: m.xml\nexperiment: d1, data: d1.exp\nexperiment: d2, data: d2.exp, preequilibrate: pre, condition: c\n"
        "condition: pre, perturbations: make = 0.9\ncondition: c, perturbations: make = 0.2, B = 3\nobjective = sos\n"
        f"parameter: A, lower: 1, upper: 5\n{UNIFORM}",
        {"d1.exp": TWO, "d2.exp": "# time A B\n0 2.52 3.1\n1 2.14 2.8\n"},
    ),
    "a wash of a pattern": (
        "model: m.bngl\nexperiment: d1, data: d1.exp, preequilibrate: pre, condition: wash\nobjective = sos\n"
        'condition: pre, perturbations: make * 2\ncondition: wash, perturbations: "A()" = 0.5*A0, "B(s~p)" = 0, make = 0\n'
        f"parameter: A0, prior: gamma, shape: 4, scale: 1\n{UNIFORM}",
        {"d1.exp": "# time A Bp\n0 2.52 0.1\n1 2.14 0.8\n"},
    ),
    "a species with components as a column": (
        f"model: m.bngl\nexperiment: d1, data: d1.exp\nobjective = sos\n{UNIFORM}",
        {"d1.exp": "# time A B(s~p)\n1 2.52 0.1\n2 2.14 0.8\n"},
    ),
    "two models": (
        "model: m.xml\nmodel: n.bngl\nexperiment: d1, data: d1.exp, model: m.xml\nobjective = sos\n"
        "experiment: d2, data: d2.exp, model: n.bngl, condition: slow\n"
        f"condition: slow, perturbations: k1 * 0.5\nparameter: kd, lower: 0.1, upper: 1\n{UNIFORM}",
        {"d1.exp": TWO, "d2.exp": "# time A B\n1 2.52 0.1\n2 2.14 0.8\n", "n.bngl": MODELS["m.bngl"]},
    ),
    "a species in units of amounts": (
        "model: amount.xml\nexperiment: d1, data: d1.exp, condition: c\nobjective = sos\n"
        "condition: c, perturbations: A = 4, B = b0\nparameter: b0, lower: 5, upper: 20\nparameter: k, lower: 0.1, upper: 1\n",
        {"d1.exp": "# time A B\n1 2.52 6.1\n2 2.14 5.8\n", "amount.xml": AMOUNT_SBML},
    ),
}


@pytest.mark.parametrize("model", ["m.xml", "m.bngl"])
@pytest.mark.parametrize("name", CASES)
def test_through_petab_and_back(conf, tmp_path: Path, name: str, model: str):
    text, files = CASES[name]
    _there_and_back(conf(f"model: {model}\n{text}", files), tmp_path)


@pytest.mark.parametrize("name", MODEL_CASES)
def test_what_a_model_is_needed_for(conf, tmp_path: Path, name: str):
    _there_and_back(conf(*MODEL_CASES[name]), tmp_path)


def _there_and_back(source: Path, folder: Path) -> None:
    problem = read(source)
    petab = convert(source, folder / "petab").paths[0]
    middle = read(petab)
    ids = dict(zip(problem.names, middle.names, strict=True))
    assert_same(problem, middle, ids)
    again = read(convert(petab, folder / "conf").paths[0])
    assert again.names == middle.names
    assert_same(middle, again, {n: n for n in middle.names})
