"""What every test shares: small models as text, the difference quotient, and caches that are nobody else's."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# A decay chain A → B → C with everything a network can do to a derivative: initial amounts from parameters, a derived
# rate, an observable over two species, functions of observables and parameters.
CHAIN_NET = """
begin parameters
    1 A0 10
    2 k1 0.7
    3 k2 0.3
    4 kd 2*k2
    5 s 1.5
    6 half 0.5*A0
end parameters
begin functions
    1 scaledB() s*B
    2 ratio() A/(A+B)
end functions
begin species
    1 A() A0
    2 B() half
    3 C() 1
end species
begin reactions
    1 1 2 k1
    2 2 3 kd
end reactions
begin groups
    1 A 1
    2 B 2
    3 C 3
    4 twoAandB 2*1,2
end groups
"""

CHAIN_BNGL = """
begin model
begin parameters
  A0  10
  k1  0.7
  k2  0.3
  kd  2*k2
  s   1.5
end parameters
begin molecule types
  A()
  B()
  C()
end molecule types
begin seed species
  A()  A0
  B()  0.5*A0
  C()  1
end seed species
begin observables
  Molecules A A()
  Molecules B B()
  Molecules C C()
  Molecules twoAandB A() A() B()
end observables
begin functions
  scaledB() = s*B
  ratio() = A/(A+B)
end functions
begin reaction rules
  A() -> B() k1
  B() -> C() kd
end reaction rules
end model
"""

CHAIN_ANT = """
model chain()
  compartment cell = 2;
  species A in cell, B in cell, C in cell;
  A0 = 10; k1 = 0.7; k2 = 0.3; s = 1.5;
  A = A0; B = 0.5*A0; C = 1;
  J1: A -> B; cell*k1*A;
  J2: B -> C; cell*2*k2*B;
  scaledB := s*B;
  ratio := A/(A + B);
  twoAandB := 2*A + B;
end
"""

# What antimony writes for `substanceOnly species B in cell` with a cell of volume 2: SBML's B is an amount.
AMOUNT_SBML = """<?xml version="1.0" encoding="UTF-8"?>
<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1">
  <model id="amount">
    <listOfCompartments>
      <compartment id="cell" spatialDimensions="3" size="2" constant="true"/>
    </listOfCompartments>
    <listOfSpecies>
      <species id="A" compartment="cell" initialConcentration="3" hasOnlySubstanceUnits="false"
               boundaryCondition="false" constant="false"/>
      <species id="B" compartment="cell" initialAmount="10" hasOnlySubstanceUnits="true"
               boundaryCondition="false" constant="false"/>
    </listOfSpecies>
    <listOfParameters>
      <parameter id="k" value="0.7" constant="true"/>
    </listOfParameters>
    <listOfReactions>
      <reaction id="J1" reversible="false" fast="false">
        <listOfReactants><speciesReference species="A" stoichiometry="1" constant="true"/></listOfReactants>
        <kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML">
          <apply><times/><ci>cell</ci><ci>k</ci><ci>A</ci></apply></math></kineticLaw>
      </reaction>
      <reaction id="J2" reversible="false" fast="false">
        <listOfReactants><speciesReference species="B" stoichiometry="1" constant="true"/></listOfReactants>
        <kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML">
          <apply><times/><ci>k</ci><ci>B</ci></apply></math></kineticLaw>
      </reaction>
    </listOfReactions>
  </model>
</sbml>
"""

# An outbreak: mass action over a derived rate, counts to observe.
SIR_NET = """
begin parameters
    1 N 763
    2 I0 1
    3 beta 1.7
    4 gamma 0.5
    5 contact beta/N
    6 S0 N-I0
end parameters
begin species
    1 S() S0
    2 I() I0
    3 R() 0
end species
begin reactions
    1 1,2 2,2 contact
    2 2 3 gamma
end reactions
begin groups
    1 S 1
    2 I 2
    3 R 3
end groups
"""

# Production by a Hill function against decay, saturable conversion: rate laws that are functions.
HILL_NET = """
begin parameters
    1 vmax 3
    2 K 2
    3 n 2
    4 d 0.4
    5 X0 5
    6 km 1.5
    7 vc 1.2
end parameters
begin functions
    1 make() vmax*K^n/(K^n+Y^n)
    2 turn() vc/(km+X)
end functions
begin species
    1 X() X0
    2 Y() 0.1
end species
begin reactions
    1 0 1 make
    2 1 2 turn
    3 2 0 d
end reactions
begin groups
    1 X 1
    2 Y 2
end groups
"""

# dX/dt = k X^n, which for n > 1 ends at infinity in finite time.
BLOWUP_NET = """
begin parameters
    1 k 1
    2 X0 1
    3 n 2
end parameters
begin functions
    1 f() k*X^n
end functions
begin species
    1 X() X0
end species
begin reactions
    1 0 1 f
end reactions
begin groups
    1 X 1
end groups
"""

MODELS = {
    "chain.net": CHAIN_NET,
    "chain.bngl": CHAIN_BNGL,
    "chain.ant": CHAIN_ANT,
    "amount.xml": AMOUNT_SBML,
    "sir.net": SIR_NET,
    "hill.net": HILL_NET,
    "blowup.net": BLOWUP_NET,
}

CACHES = ("BNGSIM_CODEGEN_CACHE_DIR", "BNGSIM_BNGL_CACHE_DIR")
_FOLDER = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Give bngsim, which looks for its caches when it is imported, caches of this session's own.

    Processes that share the tests of a session (pytest -n) share its caches too, and leave the cores to each other.
    """
    slow_host = [HealthCheck.too_slow]  # which goes by the clock, as a deadline does
    settings.register_profile("bnfhmc", derandomize=True, deadline=None, database=None, suppress_health_check=slow_host)
    settings.load_profile("bnfhmc")
    if hasattr(config, "workerinput"):
        return
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    folder = Path(tempfile.mkdtemp(prefix="bnfhmc_tests_"))
    config.stash[_FOLDER] = folder
    for name in CACHES:
        os.environ[name] = str(folder / name.lower())


def pytest_unconfigure(config: pytest.Config) -> None:
    if _FOLDER in config.stash:
        shutil.rmtree(config.stash[_FOLDER], ignore_errors=True)


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The path of a model of `MODELS`, by its file name."""
    folder = tmp_path_factory.mktemp("models")
    for name, text in MODELS.items():
        (folder / name).write_text(text, encoding="utf-8")
    return lambda name: folder / name


@pytest.fixture
def network(model_path: Callable[[str], Path]) -> Callable[..., object]:
    """``network("chain.net", rtol=1e-10, atol=1e-12)``: a model of `MODELS`, loaded."""
    from bnfhmc.model import load_model

    def load(name: str, rtol: float = 1e-10, atol: float = 1e-12, **options: float) -> object:
        return load_model(model_path(name), name=name.partition(".")[0], rtol=rtol, atol=atol, **options)

    return load


@pytest.fixture(scope="session")
def quotient() -> Callable[..., np.ndarray]:
    """``quotient(f, x)[..., j]`` = ∂f/∂x_j by the five-point central difference, whose error is of order h⁴."""

    def differences(f: Callable[[np.ndarray], np.ndarray], x: np.ndarray, step: float = 1e-3) -> np.ndarray:
        x = np.asarray(x, dtype=float)
        columns = []
        for j in range(x.size):
            h = step * max(1.0, abs(x[j]))

            def at(k: int, j: int = j, h: float = h) -> np.ndarray:
                return np.asarray(f(x + k * h * np.eye(x.size)[j]))

            columns.append((8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * h))
        return np.stack(columns, axis=-1)

    return differences


@dataclass
class ClosedForm:
    """A Model whose outputs are formulas f(values, times) of analytic functions, differentiated by the complex step."""

    formulas: Mapping[str, Callable[[Mapping[str, complex], np.ndarray], np.ndarray]]
    quantities: Mapping[str, float]
    amounts: frozenset[str] = frozenset()
    derived: Mapping[str, object] = field(default_factory=dict)
    name: str = "closed"
    rtol: float = 1e-14
    solves: list[dict] = field(default_factory=list)

    @property
    def outputs(self):
        return tuple(self.formulas)

    @property
    def triggers(self):
        return ()

    def solve(self, values, times, outputs, columns=(), seeds=None):
        from bnfhmc.model import Failure, FailureKind, Trajectory

        self.solves.append({"values": dict(values), "outputs": outputs, "columns": columns})
        if values.get("hopeless", 0.0) > 0:
            return Failure(FailureKind.SOLVER, "no progress at t = 0")
        m = {**self.quantities, **values}

        def y(name=None):
            at = m if name is None else {**m, name: m[name] + 1e-30j}
            return np.stack([self.formulas[o](at, times) + 0 * times for o in outputs], axis=1)

        dy = [y(c).imag / 1e-30 for c in columns]
        return Trajectory(y().real, np.stack(dy, axis=2) if dy else np.empty((len(times), len(outputs), 0)))

    def equilibrate(self, values, t_max, outputs, columns=(), seeds=None, since=0.0):
        return self.solve(values, np.array([t_max]), outputs, columns)

    def sensitivity_note(self, columns):
        return ""

    def refusal(self, columns):
        return ""

    def clone(self):
        return ClosedForm(self.formulas, self.quantities, self.amounts, self.derived, self.name)


@pytest.fixture
def closed_form():
    """Three outputs of five parameters: decay from an initial amount, its product, and a count that grows."""
    return ClosedForm(
        {
            "A": lambda m, t: m["A0"] * np.exp(-m["k"] * t) + m["base"],
            "B": lambda m, t: m["s"] * m["A0"] * (1 - np.exp(-m["k"] * t)),
            "N": lambda m, t: 20 * m["s"] + m["A0"] * np.exp(m["growth"] * t),
        },
        {"A0": 3.0, "k": 0.5, "s": 1.2, "base": 0.1, "growth": 0.4, "hopeless": 0.0, "X()": 7.0},
        frozenset({"X()"}),
    )


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time limits of runs by a clock that goes on by a millisecond at every look, so that no host is too slow or too fast."""
    from bnfhmc.samplers import relay

    looks = itertools.count()
    monkeypatch.setattr(relay, "time", SimpleNamespace(monotonic=lambda: 1e-3 * next(looks)))


@pytest.fixture(autouse=True)
def _signals_are_ours():
    """Ctrl-C interrupts: in the background a shell has it ignored, and bionetgen, which PyBNF imports, takes it for itself."""
    kept = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, kept)
