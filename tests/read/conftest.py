"""A folder of configuration, model and data files, read with a model that needs no simulator."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bnfhmc.errors import InputError
from bnfhmc.expression import Expression, parse
from bnfhmc.problem import Problem
from bnfhmc.read import load

BNGL = """\
begin model
begin parameters
  k1 0.5
  k2 0.2
  A0 10
  kd k1/2
end parameters
begin seed species
  A() A0
  B() 0
end seed species
begin observables
  Molecules A A()
  Molecules B B()
end observables
begin reaction rules
  A() -> B() k1
  B() -> 0   k2
end reaction rules
end model
"""
DATA = "# time A B\n0 10 0\n1 6 3\n2 4 nan\n"
FIT = """\
edition = 2
fit_type = nuts
objective = sos
model: decay.bngl
experiment: d1, data: d1.exp
parameter: k1, prior: uniform, lower: 0.1, upper: 10, parameter_scale: log10
parameter: k2, prior: normal, mean: 1, sd: 0.5
"""


@dataclass
class FakeModel:
    """A model that can be asked what it holds, and not solved."""

    name: str
    quantities: Mapping[str, float]
    amounts: frozenset[str]
    outputs: tuple[str, ...]
    derived: Mapping[str, Expression] = field(default_factory=dict)
    rtol: float = 1e-8
    triggers: tuple[Expression, ...] = ()

    def solve(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def equilibrate(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def refusal(self, columns: tuple[str, ...]) -> str:
        return ""

    def sensitivity_note(self, columns: tuple[str, ...]) -> str:
        return ""

    def clone(self) -> FakeModel:
        return self


@dataclass
class Folder:
    """Files in a folder of their own; ``calls``: what the loader was asked for, by model name."""

    path: Path
    calls: dict[str, dict[str, Any]] = field(default_factory=dict)
    outputs: tuple[str, ...] = ("A", "B", "f", "A()", "B()")

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def loader(
        self, path: Path, *, name: str, free: Mapping[str, float], settable: Collection[str], **more: Any
    ) -> FakeModel:
        self.calls[name] = {"path": path, "free": dict(free), "settable": set(settable), **more}
        quantities = {"k1": 0.5, "k2": 0.2, "A0": 10.0, "A()": 10.0, "B()": 0.0}
        quantities |= {n: v for n, v in free.items() if n.endswith("__FREE") and n in path.read_text()}
        derived = {"kd": parse("k1/2")} if "kd" in settable else {}
        quantities |= dict.fromkeys(derived, 0.25)
        return FakeModel(name, quantities, frozenset({"A()", "B()"}), self.outputs, derived)

    def load(self, conf: str | bytes) -> Problem:
        return load(self.write("fit.conf", conf), load_model=self.loader)

    def wrong(self, conf: str | bytes) -> list[str]:
        """What `load` complains of, with the folder's own name left out."""
        try:
            self.load(conf)
        except InputError as error:
            return [str(m).replace(f"{self.path}/", "") for m in error.mistakes]
        return []


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder with a model, a data file, and nothing wrong."""
    made = Folder(tmp_path)
    made.write("decay.bngl", BNGL)
    made.write("d1.exp", DATA)
    return made


@pytest.fixture
def texts() -> dict[str, str]:
    """The files of `folder`."""
    return {"decay.bngl": BNGL, "d1.exp": DATA}


@pytest.fixture
def fit() -> str:
    """A configuration that is right for `folder`."""
    return FIT
