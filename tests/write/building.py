"""Small configurations with their files, and what it means that two problems are the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bnfhmc.posterior import Posterior
from bnfhmc.problem import Problem

HEAD = "edition = 2\nfit_type = nuts\n"

# A and B in a cell of volume 2: concentrations; k2 has an initial assignment in terms of k1, s is set by a rule
SBML = """<?xml version="1.0" encoding="UTF-8"?>
<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1">
  <model id="turnover">
    <listOfCompartments>
      <compartment id="cell" spatialDimensions="3" size="2" constant="false"/>
    </listOfCompartments>
    <listOfSpecies>
      <species id="A" compartment="cell" initialConcentration="3" hasOnlySubstanceUnits="false"
               boundaryCondition="false" constant="false"/>
      <species id="B" compartment="cell" initialConcentration="1" hasOnlySubstanceUnits="false"
               boundaryCondition="false" constant="false"/>
    </listOfSpecies>
    <listOfParameters>
      <parameter id="make" value="0.5" constant="true"/>
      <parameter id="k1" value="0.7" constant="true"/>
      <parameter id="k2" value="0.4" constant="true"/>
      <parameter id="total" constant="false"/>
    </listOfParameters>
    <listOfRules>
      <assignmentRule variable="total"><math xmlns="http://www.w3.org/1998/Math/MathML">
        <apply><plus/><ci>A</ci><ci>B</ci></apply></math></assignmentRule>
    </listOfRules>
    <listOfReactions>
      <reaction id="J0" reversible="false" fast="false">
        <listOfProducts><speciesReference species="A" stoichiometry="1" constant="true"/></listOfProducts>
        <kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML">
          <apply><times/><ci>cell</ci><ci>make</ci></apply></math></kineticLaw>
      </reaction>
      <reaction id="J1" reversible="false" fast="false">
        <listOfReactants><speciesReference species="A" stoichiometry="1" constant="true"/></listOfReactants>
        <listOfProducts><speciesReference species="B" stoichiometry="1" constant="true"/></listOfProducts>
        <kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML">
          <apply><times/><ci>cell</ci><ci>k1</ci><ci>A</ci></apply></math></kineticLaw>
      </reaction>
      <reaction id="J2" reversible="false" fast="false">
        <listOfReactants><speciesReference species="B" stoichiometry="1" constant="true"/></listOfReactants>
        <kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML">
          <apply><times/><ci>cell</ci><ci>k2</ci><ci>B</ci></apply></math></kineticLaw>
      </reaction>
    </listOfReactions>
  </model>
</sbml>
"""

ANT = """
model turnover()
  compartment cell = 2;
  species A in cell, B in cell;
  A = 3; B = 1; make = 0.5; k1 = 0.7; k2 = 0.4;
  J0: -> A; cell*make;
  J1: A -> B; cell*k1*A;
  J2: B -> ; cell*k2*B;
  total := A + B;
end
"""

BNGL = """
begin model
begin parameters
  A0   3
  make 0.5
  k1   0.7
  k2   0.4
  kd   2*k2
end parameters
begin molecule types
  A()
  B(s~u~p)
end molecule types
begin seed species
  A()      A0
  B(s~u)   1
  B(s~p)   0
end seed species
begin observables
  Molecules A  A()
  Molecules B  B()
  Molecules Bp B(s~p)
end observables
begin functions
  total() = A + B
end functions
begin reaction rules
  0 -> A()           make
  A() -> B(s~u)      k1
  B(s~u) -> B(s~p)   k2
  B() -> 0           kd
end reaction rules
end model
"""

MODELS = {"m.xml": SBML, "m.ant": ANT, "m.bngl": BNGL}


def tightly(path: Path, **options: Any) -> Any:
    """A model file, solved to eleven digits whatever is said of it."""
    from bnfhmc.model import load_model

    return load_model(path, **{**options, "rtol": 1e-11, "atol": 1e-13})


def read(path: Path) -> Problem:
    """The problem of a .conf or a PEtab .yaml, its models solved to eleven digits."""
    from bnfhmc.read.problem import load

    return load(path, load_model=tightly)


def some_theta(problem: Problem, count: int = 3) -> list[dict[str, float]]:
    """Draws from the central half of each prior, in θ."""
    rng = np.random.default_rng(7)
    return [{p.name: p.quantile(rng.uniform(0.25, 0.75)) for p in problem.parameters} for _ in range(count)]


def order(problem: Problem) -> list[int]:
    """The measurements in an order that both formats have: by value, then time, then name."""
    found = [(m.observed, m.time, m.series.removeprefix("obs_")) for m in Posterior(problem).measurements]
    assert len(set(found)) == len(found)
    return sorted(range(len(found)), key=found.__getitem__)


def assert_same(problem: Problem, again: Problem, ids: Mapping[str, str]) -> None:
    """Densities of measurements and of θ, predictions, and the gradient of the loss agree to 1e-8 at three θ."""
    one, other = Posterior(problem), Posterior(again)
    first, second = order(problem), order(again)
    for theta in some_theta(problem):
        u, v = one.u_from_theta(theta), other.u_from_theta({ids[n]: x for n, x in theta.items()})
        place = [other.names.index(ids[n]) for n in one.names]
        np.testing.assert_allclose(other.predicted(v)[second], one.predicted(u)[first], rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(other.pointwise(v)[second], one.pointwise(u)[first], rtol=1e-8, atol=1e-8)
        by_theta = [p.loss_gradient(x) / p.prior.dtheta_du(x) for p, x in ((one, u), (other, v))]
        size = np.abs(by_theta[0]).max(initial=0.0)
        np.testing.assert_allclose(by_theta[1][place], by_theta[0], rtol=1e-8, atol=1e-8 * size)
        priors = [p.prior.logpdf_terms(x) - np.log(p.prior.dtheta_du(x)) for p, x in ((one, u), (other, v))]
        np.testing.assert_allclose(priors[1][place], priors[0], rtol=1e-9, atol=1e-9)
