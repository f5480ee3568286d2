"""The tables, against petab's own likelihood and its linter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from petab import v2
from petab.v2.calculate import calculate_llh

from bnfhmc.noise import NOISE_FAMILIES
from bnfhmc.posterior import Posterior
from bnfhmc.write import convert
from bnfhmc.write.petab import lint
from bnfhmc.write.petab.noise import why_not
from tests.write.building import read

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:petab")

NOISE = {
    "normal": "normal, sigma = read_exp_file _SD", "laplace": "laplace, scale = read_exp_file _SD",
    "lnnormal": "lnnormal, sigma = read_exp_file _SD", "lognormal": "lognormal, sigma = read_exp_file _SD",
    "ln_laplace": "ln_laplace, scale = read_exp_file _SD", "log_laplace": "log_laplace, scale = read_exp_file _SD",
    "a formula": "lognormal, sigma = formula s^2/2", "a parameter": "log_laplace, scale = fit s",
}  # fmt: skip


@pytest.mark.parametrize("name", NOISE)
def test_petab_computes_the_same_likelihood(conf, tmp_path: Path, name: str):
    fit = "parameter: s, lower: 0.2, upper: 1, initial_value: 0.6\n" if "s" in NOISE[name].split(", ")[1].split() or (
        "formula" in NOISE[name]) else ""  # fmt: skip
    sd = "0.31", "0.12"
    data = f"# time A{' A_SD' * (not fit)}\n0.5 2.73 {'' if fit else sd[0]}\n2 1.95 {'' if fit else sd[1]}\n"
    source = conf(f"model: m.xml\nexperiment: d1, data: d1.exp\nnoise_model = {NOISE[name]}\n{fit}"
                  "parameter: k1, lower: 0.1, upper: 2, initial_value: 0.7\n", {"d1.exp": data})  # fmt: skip
    path = convert(source, tmp_path / "petab").paths[0]
    assert lint(path) == []
    posterior, petab = Posterior(read(source)), v2.Problem.from_yaml(path)
    u = posterior.u_from_theta({p.id: p.nominal_value for p in petab.parameters})
    measured = petab.measurement_df
    values = pd.Series(posterior.predicted(u).tolist(), dtype=object)  # sympy takes no numpy numbers
    simulated = measured.drop(columns="measurement").assign(simulation=values)
    tables = [pd.DataFrame(t) for t in (measured, simulated, petab.observable_df, petab.parameter_df)]
    assert calculate_llh(*tables) == pytest.approx(np.sum(posterior.pointwise(u)), rel=1e-10)


def test_every_noise_family_is_said_or_refused():
    said = {word for word, family in NOISE_FAMILIES.items() if why_not(family()) is None}
    assert said == {"normal", "gaussian", "laplace", "lnnormal", "lognormal", "ln_laplace", "log_laplace"}


@pytest.mark.parametrize("family", ["lnnormal", "lognormal", "ln_laplace", "log_laplace"])
def test_a_mean_on_a_logarithm_is_refused(family: str):
    assert why_not(NOISE_FAMILIES[family](location="mean")) is not None
    assert why_not(NOISE_FAMILIES[family.removeprefix("ln").removeprefix("log").strip("_")](location="mean")) is None


def test_an_equilibration_that_changes_nothing_stays_one(conf, tmp_path: Path):
    source = conf("model: m.xml\nexperiment: d1, data: d1.exp, preequilibrate: pre\ncondition: pre, perturbations: k1 = k1\n"
                  "objective = sos\nparameter: k1, lower: 0.1, upper: 2\n", {"d1.exp": "# time A B\n0 2.73 1.31\n2 1.95 1.4\n"})
    path = convert(source, tmp_path / "petab").paths[0]
    assert read(path).experiments[0].before is not None
    assert lint(path) == []
    again = convert(path, tmp_path / "conf").paths[0]
    assert read(again).experiments[0].before is not None
