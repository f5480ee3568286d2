"""The cases of PEtab's own test suite for version 1, read from the package petabtests where it is installed.

petab, fed with our simulations, is a second oracle: its log-likelihood and χ² of them.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import bnfhmc
from tests.read.petab.problems import At

pandas = pytest.importorskip("pandas", reason="the package pandas is not installed; petab brings it")
yaml = pytest.importorskip("yaml", reason="the package pyyaml is not installed; petab brings it")

CASES = [f"{i:04d}" for i in range(1, 19)]


@pytest.fixture(scope="module")
def suite() -> Path:
    spec = find_spec("petabtests")  # found, not imported: the package needs a petab of its own time
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the package petabtests is not installed: pip install petabtests")
    return Path(spec.submodule_search_locations[0]) / "cases" / "v1.0.0" / "sbml"


class Case:
    """One case: its problem at its nominal values, and what its author says they come to."""

    def __init__(self, folder: Path):
        self.folder, self.path = folder, folder / f"_{folder.name}.yaml"
        self.solution = yaml.safe_load((folder / f"_{folder.name}_solution.yaml").read_text())
        self.files = yaml.safe_load(self.path.read_text())
        problem = bnfhmc.load(self.path)
        nominal = self.table(self.files["parameter_file"]).set_index("parameterId")["nominalValue"]
        self.at = At.theta(problem, {n: float(nominal[n]) for n in problem.names})

    def table(self, name: str) -> pandas.DataFrame:
        return pandas.read_csv(self.folder / name, sep="\t")

    def tables(self, key: str) -> pandas.DataFrame:
        return pandas.concat([self.table(f) for f in self.files["problems"][0][key]], ignore_index=True)


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, suite: Path) -> Case:
    return Case(suite / request.param)


def test_simulations_and_likelihood_are_the_suites(case):
    simulated = pandas.concat([case.table(f) for f in case.solution["simulation_files"]], ignore_index=True)["simulation"]
    np.testing.assert_allclose(case.at.simulations, simulated, rtol=0, atol=case.solution["tol_simulations"])
    assert case.at.llh == pytest.approx(case.solution["llh"], abs=case.solution["tol_llh"])
    rho = case.at.posterior.residuals(case.at.u)[0]
    assert rho @ rho == pytest.approx(case.solution["chi2"], abs=case.solution["tol_chi2"])


def test_petab_counts_the_same_of_our_simulations(case):
    petab = pytest.importorskip("petab.v1", reason="the package petab is not installed")
    measured = case.tables("measurement_files")
    simulated = measured.rename(columns={"measurement": "simulation"}).assign(simulation=case.at.simulations)
    # as objects: older sympy, which petab puts them into formulas with, cannot read what newer numpy prints
    tables = (measured, simulated.astype(object), case.tables("observable_files").set_index("observableId"),
              case.table(case.files["parameter_file"]).set_index("parameterId").astype(object))  # fmt: skip
    assert case.at.llh == pytest.approx(petab.calculate_llh(*tables), abs=1e-8)
    rho = case.at.posterior.residuals(case.at.u)[0]
    assert rho @ rho == pytest.approx(petab.calculate_chi2(*tables), rel=1e-6)  # ρ is of the solve with sensitivities


def test_the_gradient_is_that_of_differences(case, quotient):
    at = case.at
    inside = np.where(at.u == 0.0, 0.05, at.u)  # a bound of many cases, where a difference would leave the prior's support
    assert At(at.posterior, inside).gradient_error(quotient) < 1e-4
    z = at.posterior.z_from_u(inside)
    by_differences = quotient(lambda x: at.posterior.evaluate(x).logp, z, step=1e-2)
    np.testing.assert_allclose(at.posterior.evaluate(z).grad, by_differences, rtol=1e-4, atol=1e-4)
