"""Every layer of the likelihood that PyBNF has, read by both from one configuration: loss, and gradient in u.

Where PyBNF 1.8.1 is wrong, what is right.
"""

import re

import numpy as np
import pytest

pytest.importorskip("pybnf", reason="pybnf (test extra) is not installed")

import bnfhmc  # noqa: E402
from tests.oracles.pybnf_oracle import Oracle  # noqa: E402

MODEL = """
begin model
begin parameters
  k1    0.7
  k2    0.25
  dose  1.5
  A0    4
end parameters
begin molecule types
  A()
  B()
end molecule types
begin seed species
  A() A0
  B() 0.5
end seed species
begin observables
  Molecules A A()
  Molecules B B()
end observables
begin functions
  total() = A + B
end functions
begin reaction rules
  0 -> A()   dose
  A() -> B() k1
  B() -> 0   k2
end reaction rules
end model
"""
FILES = {
    "m.bngl": MODEL,
    "d1.exp": "# time A B\n1 3.6 1.9\n2 2.8 2.9\n4 2.4 nan\n5 2.1 4.4\n",
    "d2.exp": "# time A B\n0.5 5.5 1.1\n3 4.1 4.0\n",
    "y.exp": "# time y\n1 5.2\n2 5.9\n4 6.6\n",
    "ss.exp": "# time A B\ninf 2.2 5.7\n",
    "scan.exp": "# dose A B\n0.5 1.5 3.0\n1 2.2 4.2\n3 4.4 11\n",
    "c.prop": "A < 3 at 4 weight 2\nB < 1 always weight 1\n"
    "A > 5 once confidence 0.95 tolerance 0.5\nA < B always logit scale 0.7\n",
}
HEAD = """edition = 2
fit_type = nuts
model: m.bngl
parameter: k1, prior: uniform, lower: 0.01, upper: 10, parameter_scale: log10
parameter: k2, prior: uniform, lower: 0.01, upper: 10
"""
TIGHT = HEAD.replace("m.bngl", "m.bngl, rtol: 1e-10, atol: 1e-12")
S = "parameter: s, prior: uniform, lower: 0.01, upper: 10, parameter_scale: ln\n"
D1 = "experiment: d1, data: d1.exp\n"
Y = "experiment: d1, data: y.exp\nobjective = sos\n"
THETA = {"k1": 0.62, "k2": 0.31}

CASES = {
    "lognormal": f"{D1}{S}noise_model = lognormal, sigma = fit s\n",
    "lnnormal by its mean": f"{D1}{S}noise_model = lnnormal, sigma = fit s, location = mean\n",
    "laplace": f"{D1}{S}noise_model = laplace, scale = fit s\n",
    "student_t": f"{D1}{S}noise_model = student_t, sigma = fit s\n",
    "relative": f"{D1}objective = norm_sos\n",
    "column mean": "experiment: d1, data: d2.exp\nnoise_model = normal, sigma = column_mean\n",
    "sigma by a formula": f"{D1}{S}noise_model = normal, sigma = formula 0.1 + 0.5*s\n",
    "sigma by the prediction": f"{D1}{S}noise_model = normal, sigma = prediction_formula 0.1 + s*A\n",
    "cumulative": f"{D1}objective = sos\nnoise_model A = normal, sigma = fix_at 0.5, cumulative\n",
    "a formula": f"{Y}{S}observable: y, formula: s*A + 2*B\n",
    "peak": f"{D1}objective = sos\nnormalization A = peak\n",
    "init": f"{D1}objective = sos\nnormalization A = init\n",
    "zero": f"{D1}objective = sos\nnormalization B = zero\n",
    "unit": f"{D1}objective = sos\nnormalization B = unit\n",
    "floor and peak": f"{D1}objective = sos\nnormalization A = floor 0.03, peak\n",
    "scale": f"{D1}objective = sos\nnormalization A = scale\n",
    "constraints": "experiment: d1, data: d1.exp, c.prop\nobjective = sos\n",
    "steady state": "experiment: d1, data: ss.exp\nobjective = sos\n",
    "scan at steady state": "experiment: d1, data: scan.exp\nobjective = sos\n",
    "scan at a time": "experiment: d1, data: scan.exp, t_end: 3\nobjective = sos\n",
    "pre-equilibration": "condition: c0, perturbations: dose = 2\ncondition: c, perturbations: dose = 0.1\n"
    "experiment: d1, data: d1.exp, preequilibrate: c0, condition: c\nobjective = sos\n",
    "a value by a parameter": f"{S}condition: c, perturbations: dose = s\n"
    "experiment: d1, data: d1.exp, condition: c\nobjective = sos\n",
}


AT_REST = ("steady state", "scan at steady state", "pre-equilibration")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(folder, text):
    text = re.sub(r"(?m)^(model: .*)$", r"\1, sensitivity_method: staggered", text)  # as PyBNF solves
    (folder / "fit.conf").write_text(text, encoding="utf-8")
    return bnfhmc.Posterior(bnfhmc.load(folder / "fit.conf"))


@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradient_are_those_of_pybnf(folder, case):
    posterior = read(folder, HEAD + CASES[case])
    oracle = Oracle((HEAD + CASES[case]).replace("fit_type = nuts\n", ""), folder)
    theta = {n: {**THETA, "s": 0.8}[n] for n in posterior.names}
    u, said = posterior.u_from_theta(theta), oracle.at(theta)
    evaluation = posterior.evaluate(posterior.z_from_u(u))  # its loss is of the solve with sensitivities, as PyBNF's is
    place = posterior.prior.transform(posterior.z_from_u(u))
    loss = posterior.log_prior(u) + np.sum(place.log_du_dz) - evaluation.logp
    # the rest is found by another rule when there is one to be found, so to the solver's tolerance only
    assert loss == pytest.approx(said.loss, rel=2e-6 if case in AT_REST else 1e-8)
    gradient = posterior.loss_gradient(u)
    np.testing.assert_allclose(gradient, said.gradient, rtol=1e-5, atol=1e-5 * np.abs(gradient).max())


def test_a_condition_acts_on_the_experiments_that_name_it(folder, quotient):
    """PyBNF 1.8.1 applies a condition's factor to the gradient of any experiment whose name ends in the condition's."""
    text = "condition: c, perturbations: k1 * 3\nexperiment: acc, data: d1.exp\nexperiment: e2, data: d2.exp, condition: c\n"
    posterior = read(folder, f"{TIGHT}{text}objective = sos\n")
    u = posterior.u_from_theta(THETA)
    np.testing.assert_allclose(posterior.loss_gradient(u), quotient(posterior.loss, u, 2e-3), rtol=1e-6)


def test_a_formula_reads_what_the_condition_sets(folder, quotient):
    """PyBNF 1.8.1 reads the parameter as the fit has it."""
    text = "condition: c, perturbations: k1 = 2\nexperiment: d1, data: y.exp, condition: c\nobservable: y, formula: k1*A + B\n"
    other = text.replace("k1*A", "2*A")
    ours = read(folder, f"{TIGHT}{text}objective = sos\nexperiment: d2, data: d2.exp\n")
    same = read(folder, f"{TIGHT}{other}objective = sos\nexperiment: d2, data: d2.exp\n")
    u = ours.u_from_theta(THETA)
    assert ours.loss(u) == pytest.approx(same.loss(u), rel=1e-12)
    np.testing.assert_allclose(ours.loss_gradient(u), quotient(ours.loss, u, 2e-3), rtol=1e-6)
