"""PEtab problems in a folder, written from short texts, and what they come to at a point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import bnfhmc
from bnfhmc.errors import InputError
from bnfhmc.problem import Problem

# A ⇌ B with rate constants k1 and k2, A(0) = a0 and B(0) = b0, in a volume v.
CONVERSION = """<?xml version="1.0" encoding="UTF-8"?>
<sbml xmlns="http://www.sbml.org/sbml/level3/version2/core" level="3" version="2">
  <model id="conversion">
    <listOfCompartments><compartment id="v" spatialDimensions="3" size="2" constant="true"/></listOfCompartments>
    <listOfSpecies>
      <species id="A" compartment="v" initialConcentration="1" hasOnlySubstanceUnits="false" boundaryCondition="false"
               constant="false"/>
      <species id="B" compartment="v" initialConcentration="0" hasOnlySubstanceUnits="false" boundaryCondition="false"
               constant="false"/>
    </listOfSpecies>
    <listOfParameters>
      <parameter id="a0" value="1" constant="true"/><parameter id="b0" value="0.2" constant="true"/>
      <parameter id="k1" value="0.4" constant="true"/><parameter id="k2" value="0.3" constant="true"/>
    </listOfParameters>
    <listOfInitialAssignments>
      <initialAssignment symbol="A"><math xmlns="http://www.w3.org/1998/Math/MathML"><ci>a0</ci></math></initialAssignment>
      <initialAssignment symbol="B"><math xmlns="http://www.w3.org/1998/Math/MathML"><ci>b0</ci></math></initialAssignment>
    </listOfInitialAssignments>
    <listOfReactions>
      <reaction id="there" reversible="false">
        <listOfReactants><speciesReference species="A" stoichiometry="1" constant="true"/></listOfReactants>
        <listOfProducts><speciesReference species="B" stoichiometry="1" constant="true"/></listOfProducts>
        <kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML">
          <apply><times/><ci>v</ci><ci>k1</ci><ci>A</ci></apply></math></kineticLaw>
      </reaction>
      <reaction id="back" reversible="false">
        <listOfReactants><speciesReference species="B" stoichiometry="1" constant="true"/></listOfReactants>
        <listOfProducts><speciesReference species="A" stoichiometry="1" constant="true"/></listOfProducts>
        <kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML">
          <apply><times/><ci>v</ci><ci>k2</ci><ci>B</ci></apply></math></kineticLaw>
      </reaction>
    </listOfReactions>
  </model>
</sbml>
"""

YAML_1 = """format_version: 1
parameter_file: parameters.tsv
problems:
- sbml_files: [model.xml]
  condition_files: [conditions.tsv]
  measurement_files: [measurements.tsv]
  observable_files: [observables.tsv]
"""
YAML_2 = """format_version: 2.0.0
parameter_files: [parameters.tsv]
model_files: {conversion: {location: model.xml, language: sbml}}
condition_files: [conditions.tsv]
experiment_files: [experiments.tsv]
measurement_files: [measurements.tsv]
observable_files: [observables.tsv]
"""
TABLES_1 = {
    "parameters": """parameterId | parameterScale | lowerBound | upperBound | nominalValue | estimate
                     k1 | log10 | 0.01 | 10 | 0.8 | 1
                     k2 | lin | 0 | 10 | 0.6 | 1""",
    "conditions": """conditionId
                     c0""",
    "observables": """observableId | observableFormula | noiseFormula
                      obs_a | A | 0.5""",
    "measurements": """observableId | simulationConditionId | time | measurement
                       obs_a | c0 | 0 | 0.7
                       obs_a | c0 | 3 | 0.1""",
}
TABLES_2 = {
    "parameters": """parameterId | lowerBound | upperBound | nominalValue | estimate
                     k1 | 0.01 | 10 | 0.8 | true
                     k2 | 0 | 10 | 0.6 | true""",
    "conditions": "conditionId | targetId | targetValue",
    "experiments": """experimentId | time | conditionId
                      e0 | 0 |""",
    "observables": TABLES_1["observables"],
    "measurements": """observableId | experimentId | time | measurement
                       obs_a | e0 | 0 | 0.7
                       obs_a | e0 | 3 | 0.1""",
}


def tsv(text: str) -> str:
    """A table whose cells are separated by bars, as one whose cells are separated by tabs."""
    return "".join("\t".join(c.strip() for c in line.split("|")) + "\n" for line in text.strip().split("\n"))


def conversion(t: float, a0: float = 1.0, b0: float = 0.2, k1: float = 0.8, k2: float = 0.6) -> tuple[float, float]:
    """A and B at time t."""
    rest = (a0 + b0) * k2 / (k1 + k2) if np.isinf(t) or k1 + k2 else a0
    a = rest + (a0 - rest) * np.exp(-(k1 + k2) * t)
    return float(a), float(a0 + b0 - a)


@dataclass
class Folder:
    """A folder of the files of one problem; what is not given is as in `TABLES_1` or `TABLES_2`."""

    path: Path

    def write(self, version: int = 2, yaml: str | None = None, model: str = CONVERSION, **tables: str) -> Path:
        """Write a problem; ``tables``: texts by file name, without its suffix. Returns the YAML file's path."""
        (self.path / "model.xml").write_text(model, encoding="utf-8")
        for name, text in {**(TABLES_1 if version == 1 else TABLES_2), **tables}.items():
            (self.path / f"{name}.tsv").write_text(tsv(text), encoding="utf-8")
        path = self.path / "problem.yaml"
        path.write_text(yaml if yaml is not None else YAML_1 if version == 1 else YAML_2, encoding="utf-8")
        return path

    def load(self, version: int = 2, yaml: str | None = None, model: str = CONVERSION, **tables: str) -> Problem:
        """Write and load a problem."""
        return bnfhmc.load(self.write(version, yaml, model, **tables))

    def wrong(self, version: int = 2, yaml: str | None = None, model: str = CONVERSION, **tables: str) -> list[str]:
        """What loading complains of, with the folder's own name left out."""
        path = self.write(version, yaml, model, **tables)
        try:
            bnfhmc.load(path)
        except InputError as error:
            return [str(m).replace(f"{self.path}/", "") for m in error.mistakes]
        return []


def simulations(posterior: bnfhmc.Posterior, u: np.ndarray) -> np.ndarray:
    """The model's value for each measurement, in the order of the measurement table."""
    origin = np.concatenate([s.origin for e in posterior.problem.experiments for s in e.series])
    out = np.full(len(origin), np.nan)
    out[origin] = posterior.predicted(u)
    return out


def log_likelihood(posterior: bnfhmc.Posterior, u: np.ndarray) -> float:
    """Σ log p(measurement | θ)."""
    return float(posterior.pointwise(u).sum())


@dataclass
class At:
    """A problem's posterior at a θ."""

    posterior: bnfhmc.Posterior
    u: np.ndarray

    @classmethod
    def theta(cls, problem: Problem, theta: Mapping[str, float] | Sequence[float]) -> At:
        posterior = bnfhmc.Posterior(problem)
        return cls(posterior, posterior.u_from_theta(theta))

    @property
    def simulations(self) -> np.ndarray:
        return simulations(self.posterior, self.u)

    @property
    def llh(self) -> float:
        return log_likelihood(self.posterior, self.u)

    def gradient_error(self, quotient) -> float:
        """How far the loss's gradient is from its difference quotient, by the larger of 1 and the gradient's size."""
        grad = self.posterior.loss_gradient(self.u)
        by_differences = quotient(self.posterior.loss, self.u, step=1e-2)  # well above the solver's noise of 1e-8
        return float(np.abs(grad - by_differences).max() / max(1.0, np.abs(grad).max()))
