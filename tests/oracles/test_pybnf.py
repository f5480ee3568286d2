"""The same configuration read by PyBNF and by us: loss, gradient, residuals, Jacobian and log prior to 1e-6."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest

pytest.importorskip("pybnf", reason="pybnf (test extra) is not installed")

import bnfhmc  # noqa: E402
from bnfhmc.expression import parse  # noqa: E402
from bnfhmc.problem import Condition, Perturbation  # noqa: E402
from tests.oracles.pybnf_oracle import Oracle  # noqa: E402

CHAIN_PARAMETERS = """
parameter: A0, prior: normal, parameter_scale: lin, mean: 9, sd: 3, lower: 0, upper: 30
parameter: k1, prior: uniform, parameter_scale: log10, lower: 0.01, upper: 10
parameter: k2, prior: normal, parameter_scale: ln, mean: -1, sd: 0.8, lower: 0.01, upper: 5
"""
CHAIN_THETA = ({"A0": 8.5, "k1": 0.8, "k2": 0.33}, {"A0": 12.0, "k1": 0.25, "k2": 0.9})
PLAIN_DATA = "# time A B\n0 10.2 5.3\n0.3 8.0 6.2\n1 5.1 6.0\n2.5 1.2 nan\n6 0.1 0.9\n"
CHAIN_DATA = """# time A A_SD B B_SD
0   10.2  0.5   5.3  0.6
0.3  8.0  0.4   6.2  0.6
1    5.1  0.3   6.0  0.5
2.5  1.2  0.2   nan  0.4
6    0.1  0.05  0.9  0.3
"""
MORE_DATA = """# time A A_SD B B_SD
0.5  4.0  0.4   6.6  0.5
0.5  4.4  0.4   6.1  0.5
4    0.2  0.1   2.0  0.4
"""
SIR_PARAMETERS = """
parameter: beta, prior: normal, parameter_scale: lin, mean: 2, sd: 1, lower: 0, upper: 10
parameter: gamma, prior: half_normal, parameter_scale: lin, scale: 0.8, lower: 0, upper: 5
parameter: I0, prior: uniform, parameter_scale: ln, lower: 0.1, upper: 20
"""
SIR_THETA = {"beta": 1.74, "gamma": 0.54, "I0": 1.6}
SIR_DATA = "# time I\n" + "".join(
    f"{day} {count}\n"
    for day, count in enumerate([3, 8, 26, 76, 225, 298, 258, 233, 189, 128, 68, 29, 14, 4], start=1)
)
SIR_BNGL = """
begin model
begin parameters
  N      763
  I0     1
  beta   2
  gamma  0.5
end parameters
begin molecule types
  S()
  I()
  R()
end molecule types
begin seed species
  S()  N-I0
  I()  I0
  R()  0
end seed species
begin observables
  Molecules I I()
end observables
begin reaction rules
  S() + I() -> I() + I()  beta/N
  I() -> R()              gamma
end reaction rules
end model
"""
FREE_BNGL = """
begin model
begin parameters
  A0  10
  k1  k1__FREE
  k2  k2__FREE
  kd  2*k2
end parameters
begin molecule types
  A()
  B()
end molecule types
begin seed species
  A()  A0
  B()  0.5*A0
end seed species
begin observables
  Molecules A A()
  Molecules B B()
end observables
begin reaction rules
  A() -> B() k1
  B() -> 0   kd
end reaction rules
end model
begin actions
generate_network({overwrite=>1})
simulate({method=>"ode",t_start=>0,t_end=>6,n_steps=>60,suffix=>"d1",rtol=>1e-10,atol=>1e-11})
end actions
"""
@dataclass(frozen=True)
class Case:
    """``conf`` with its data files; the θ to compare at; whether the loss is exactly ½‖ρ‖²."""

    conf: str
    files: Mapping[str, str]
    thetas: tuple[dict[str, float], ...]
    least_squares: bool = False


def chain(lines, parameters="", data=CHAIN_DATA, least_squares=True, model="chain.bngl", more=None, **values):
    """The chain; ``more``: further data files, ``values``: of further parameters."""
    conf = f"edition = 2\nmodel: {model}\n{lines}\n{CHAIN_PARAMETERS}{parameters}"
    files = {f"{name}.exp": text for name, text in ({"d1": data} | (more or {})).items()}
    return Case(conf, files, tuple(theta | values for theta in CHAIN_THETA), least_squares)


def sir(lines, parameters="", **values):
    """The outbreak."""
    conf = f"edition = 2\nmodel: sir.bngl\n{ONE}\n{lines}\n{SIR_PARAMETERS}{parameters}"
    thetas = SIR_THETA | values, {**SIR_THETA, "beta": 2.1, "gamma": 0.3} | values
    return Case(conf, {"d1.exp": SIR_DATA}, thetas)


ONE = "experiment: d1, data: d1.exp"
TWO = "experiment: d1, data: d1.exp, condition: c\nexperiment: d2, data: d2.exp\nobjective = chi_sq\n"
SIGMA = "parameter: sigma, prior: uniform, parameter_scale: log10, lower: 0.01, upper: 10\n"
S = "parameter: s, prior: gamma, parameter_scale: lin, shape: 4, scale: 0.4, lower: 0, upper: 20\n"
R = "parameter: r, prior: uniform, parameter_scale: log10, lower: 0.1, upper: 1000\n"
MORE = {"d2": MORE_DATA}
OPERATORS = ("k1 = 0.5", "k1 * 3", "k2 / 4", "A0 + 2.5", "A0 - 1.5", "k1 * 2, k2 * 0.5, A0 + 1")

CASES = {
    "chi_sq from the file": chain(f"{ONE}\nobjective = chi_sq"),
    "sos": chain(f"{ONE}\nobjective = sos", data=PLAIN_DATA),
    "antimony": chain(f"{ONE}\nobjective = chi_sq", model="chain.ant"),
    "sigma fixed": chain(f"{ONE}\nnoise_model = normal, sigma = fix_at 0.7", data=PLAIN_DATA),
    "sigma estimated": chain(
        f"{ONE}\nnoise_model = normal, sigma = fit sigma", SIGMA, PLAIN_DATA, least_squares=False, sigma=0.6
    ),
    "sigma estimated for one of two": chain(
        f"{ONE}\nnoise_model = normal, sigma = read_exp_file _SD\nnoise_model B = normal, sigma = fit sigma",
        SIGMA, "# time A A_SD B\n0 10.2 0.5 5.3\n1 5.1 0.3 6\n2.5 1.2 0.2 nan\n", least_squares=False, sigma=0.6,
    ),
    "chi_sq_dynamic": chain(
        f"{ONE}\nobjective = chi_sq_dynamic", SIGMA.replace("sigma,", "sigma__FREE,"), PLAIN_DATA, False,
        sigma__FREE=0.6,
    ),
    "replicates": chain("experiment: d1, data: d1.exp, d2.exp\nobjective = chi_sq", more=MORE),
    "two experiments": chain(f"{TWO}condition: c, perturbations: k1 * 2.5", more=MORE),
    "every operator": chain(
        "objective = chi_sq\n" + ONE
        + "".join(f"\nexperiment: e{i}, data: e{i}.exp, condition: c{i}\ncondition: c{i}, perturbations: {c}"
                  for i, c in enumerate(OPERATORS)),
        more={f"e{i}": MORE_DATA for i in range(len(OPERATORS))},
    ),
    "a quantity that is not free": chain(
        "experiment: d1, data: d1.exp, condition: c\nexperiment: d3, data: d3.exp\nobjective = sos\n"
        "condition: c, perturbations: s * 3, k1 * 2",
        data="# time scaledB A\n0.5 20 4\n1 25 2\n", more={"d3": "# time scaledB\n0.5 9\n1 9\n"},
    ),
    "a derived quantity changed": chain(f"{TWO}condition: c, perturbations: kd * 2", more=MORE),
    "a derived quantity set": chain(f"{TWO}condition: c, perturbations: kd = 0.9", more=MORE),
    "functions as outputs": chain(
        f"{ONE}\nobjective = sos", S, "# time ratio scaledB twoAandB\n0 0.6 7 26\n0.5 0.4 9 21\n3 0.1 4 7\n", s=1.4
    ),
    "neg_bin by its mean, dispersion fixed": sir("noise_model = neg_bin, dispersion = fix_at 5, location = mean"),
    "neg_bin by its mean, dispersion estimated": sir(
        "noise_model = neg_bin, dispersion = fit r, location = mean", R, r=7.0
    ),
    "neg_bin by its median, dispersion fixed": sir("noise_model = neg_bin, dispersion = fix_at 5"),
    "neg_bin by its median, dispersion estimated": sir(
        "noise_model = neg_bin, dispersion = fit r, location = median", R, r=7.0
    ),
    "edition 1": Case(
        "fit_type = de\nmodel = free.bngl : d1.exp\nobjfunc = chi_sq\n"
        "loguniform_var = k1__FREE 0.01 10\nlognormal_var = k2__FREE -0.5 0.4\n",
        {"d1.exp": CHAIN_DATA}, ({"k1__FREE": 0.8, "k2__FREE": 0.33}, {"k1__FREE": 0.25, "k2__FREE": 0.9}), True,
    ),
    "edition 1, linear scales and sigma estimated": Case(
        "fit_type = de\nmodel = noisy.bngl : d1.exp\nobjfunc = chi_sq_dynamic\n"
        "uniform_var = k1__FREE 0.01 10\nnormal_var = k2__FREE 0.5 0.4\nloguniform_var = sigma__FREE 0.01 10\n",
        {"d1.exp": PLAIN_DATA}, ({"k1__FREE": 0.8, "k2__FREE": 0.33, "sigma__FREE": 0.5},),
    ),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path, model_path):
    """The models, where the configurations look for them."""
    for name in ("chain.bngl", "chain.net", "chain.ant"):
        (tmp_path / name).write_text(model_path(name).read_text())
    (tmp_path / "sir.bngl").write_text(SIR_BNGL)
    (tmp_path / "free.bngl").write_text(FREE_BNGL)
    # edition 1 wants every free name in some model
    (tmp_path / "noisy.bngl").write_text(FREE_BNGL.replace("  A0  10\n", "  A0  10\n  noise  sigma__FREE\n"))
    return tmp_path


def ours(case, folder):
    """Our reading of a configuration."""
    for name, text in case.files.items():
        (folder / name).write_text(text)
    path = folder / "fit.conf"
    path.write_text(case.conf.replace("fit_type = de\n", "") + "fit_type = nuts\n")
    return bnfhmc.Posterior(bnfhmc.load(path))


def agree(ours, theirs, what, tolerance=1e-6):
    """To `tolerance` relative to each number, and to a tenth of it relative to the largest of its kind."""
    floor = 0.1 * tolerance * max(np.abs(theirs).max(), 1e-6)
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=floor, err_msg=what)


def pairing(ours, theirs):
    """The row of `theirs` for each of ours: PyBNF goes time by time, we go series by series."""
    assert len(ours) == len(theirs)
    rank = np.empty(len(ours), dtype=int)
    rank[np.argsort(ours, kind="stable")] = np.argsort(theirs, kind="stable")
    return rank


# PyBNF 1.8.1 forgets that a derived quantity that a condition changes still follows what it is computed from; its loss is
# right, so its own loss is differenced instead of asking for its gradient.
WRONG_GRADIENT = ("a derived quantity changed", "a derived quantity set")


@pytest.mark.parametrize("name", CASES)
def test_the_same_numbers_as_pybnf(name, folder, quotient):
    case = CASES[name]
    posterior, oracle = ours(case, folder), Oracle(case.conf, folder, case.least_squares)
    assert posterior.names == tuple(oracle.parameters)
    assert posterior.least_squares == case.least_squares
    for theta in case.thetas:
        u, said = posterior.u_from_theta(theta), oracle.at(theta)
        agree(u, said.u, "u", 1e-12)
        agree(posterior.log_prior(u), said.log_prior, "log prior", 1e-9)
        agree(posterior.loss(u), said.loss, "loss")
        gradient = posterior.loss_gradient(u)
        if said.gradient is None or name in WRONG_GRADIENT:  # edition 1: its loss is all there is
            np.testing.assert_allclose(gradient, quotient(oracle.loss, u, 2e-3), rtol=1e-4, atol=1e-6)
            continue
        agree(gradient, said.gradient, "gradient in u")
        agree(gradient / posterior.prior.dtheta_du(u), said.gradient / said.dtheta_du, "gradient in θ")
        if case.least_squares:
            rho, J = posterior.residuals(u)
            order = pairing(rho, said.residuals)
            agree(rho, said.residuals[order], "residuals")
            agree(J, said.jacobian[order], "Jacobian")


def test_a_net_file_is_the_bngl_it_was_made_from(folder):
    """PyBNF reads no .net itself."""
    case = chain(f"{ONE}\nobjective = chi_sq", model="chain.net")
    posterior, oracle = ours(case, folder), Oracle(case.conf.replace(".net", ".bngl"), folder, True)
    for theta in case.thetas:
        u, said = posterior.u_from_theta(theta), oracle.at(theta)
        agree(posterior.loss(u), said.loss, "loss")
        agree(posterior.loss_gradient(u), said.gradient, "gradient")


def test_a_dispersion_by_formula_is_the_dispersion(folder):
    """r = 1/φ here, r itself there, where formulas need a further package: ∂/∂φ = −r² ∂/∂r."""
    phi = "parameter: phi_inv, prior: exponential, parameter_scale: lin, scale: 0.2\n"
    case = sir("noise_model = neg_bin, dispersion = formula 1/phi_inv, location = mean", phi)
    posterior = ours(case, folder)
    oracle = Oracle(sir("noise_model = neg_bin, dispersion = fit r, location = mean", R).conf, folder)
    u, said = posterior.u_from_theta(SIR_THETA | {"phi_inv": 0.14}), oracle.at(SIR_THETA | {"r": 1 / 0.14})
    agree(posterior.loss(u), said.loss, "loss")
    expected = said.gradient / said.dtheta_du * np.array([1, 1, 1, -(1 / 0.14) ** 2])
    agree(posterior.loss_gradient(u) / posterior.prior.dtheta_du(u), expected, "gradient in θ")


@pytest.mark.parametrize("text", ["k1 = k2", "k2 = s", "k1 * k2", "k1 / s"])
def test_conditions_that_take_a_parameter(folder, text):
    """The configuration's reader takes numbers only so far, so the value is put into the problem it read."""
    target, op, value = text.split()
    lines = f"{TWO.replace('chi_sq', 'sos')}condition: c, perturbations: "
    kinds = {"d1": "# time A scaledB\n0 4 8\n0.3 3 9\n1 2 8\n2.5 1 6\n", "d2": "# time A scaledB\n0.5 4 9\n4 0.2 3\n"}
    case = chain(f"{lines}{target} = 1", S, kinds["d1"], more={"d2": kinds["d2"]}, s=1.3)
    problem = ours(case, folder).problem
    change = Condition("c", (Perturbation(target, op, parse(value)),))
    experiments = tuple(replace(e, condition=change if e.condition else None) for e in problem.experiments)
    posterior = bnfhmc.Posterior(replace(problem, experiments=experiments))
    oracle = Oracle(chain(f"{lines}{text}", S).conf, folder, True, gradients=op == "=")
    for theta in case.thetas:
        u, said = posterior.u_from_theta(theta), oracle.at(theta)
        agree(posterior.loss(u), said.loss, "loss")
        if said.gradient is not None:
            agree(posterior.loss_gradient(u), said.gradient, "gradient")


def test_an_amount_is_the_amount_that_pybnf_sees(folder, model_path):
    """SBML's species with only substance units, in a compartment of volume 2."""
    (folder / "amount.xml").write_text(model_path("amount.xml").read_text())
    conf = (f"edition = 2\nmodel: amount.xml\n{ONE}\nobjective = sos\n"
            "parameter: k, prior: uniform, parameter_scale: log10, lower: 0.01, upper: 10\n")  # fmt: skip
    case = Case(conf, {"d1.exp": "# time A B\n0 3 9\n1 1.4 5\n2 0.8 2\n"}, ({"k": 0.7},), True)
    posterior, oracle = ours(case, folder), Oracle(conf, folder, True)
    u, said = posterior.u_from_theta({"k": 0.7}), oracle.at({"k": 0.7})
    agree(posterior.loss(u), said.loss, "loss")
    agree(posterior.loss_gradient(u), said.gradient, "gradient")
