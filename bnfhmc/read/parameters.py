"""Free parameters: edition 2's ``parameter:`` records, edition 1's ``*_var`` lines, and their start points."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from bnfhmc.errors import InputError, nearest
from bnfhmc.prior import Parameter, make_parameter
from bnfhmc.read.keys import POSITIONAL, VARIABLES
from bnfhmc.read.lines import NAME, Statement, fields, number
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.record import Conf


@dataclass(frozen=True, slots=True)
class Declared:
    """A declared parameter and its line; ``parameter`` is None where its prior could not be made."""

    name: str
    line: int
    parameter: Parameter | None

    @property
    def start(self) -> float:
        """A value in θ for building the model, before any chain has a start."""
        if self.parameter is None:
            return 1.0
        if self.parameter.initial is not None:
            return self.parameter.initial
        low, high = self.parameter.theta_bounds
        return next((bound for bound in (low, high) if 0.0 < bound < float("inf")), 1.0)


class _Words(NamedTuple):
    """A declaration as written: family, family fields, scale, bounds and initial value."""

    line: int
    family: str | None
    fields: dict[str, float]
    scale: str
    lower: float | None = None
    upper: float | None = None
    initial: float | None = None
    about: tuple[str, str] = "", ""  # unit and description


def read_parameters(conf: Conf, mistakes: Mistakes) -> dict[str, Declared]:
    """The declared parameters by name, in the order of the file."""
    words: dict[str, _Words | None] = {}  # None: declared, but not readable
    lines: dict[str, int] = {}
    for s in conf.statements:
        if s.form == ":" and s.key == "parameter":
            name, said = _record(s, mistakes)
        elif s.form == "=" and s.key in VARIABLES:
            name, said = _positional(s, mistakes)
        else:
            continue
        if not NAME.fullmatch(name):
            mistakes.add(s.line, f"'{name}' is no parameter name", "a name is made of letters, digits and _")
        elif name in words:
            mistakes.add(s.line, f"parameter '{name}' is declared twice, first on line {lines[name]}", "keep one line")
        else:
            words[name], lines[name] = said, s.line
    if not words:
        mistakes.add(None, "no parameter is declared", "type 'parameter: <name>, prior: <family>, …'")
    starts = _start_points(conf, words, mistakes)
    return {n: Declared(n, lines[n], _made(n, said, starts.get(n), mistakes)) for n, said in words.items()}


def _made(name: str, said: _Words | None, start: tuple[float, int] | None, mistakes: Mistakes) -> Parameter | None:
    if said is None:
        return None
    line, initial = said.line, said.initial
    try:
        parameter = make_parameter(name, said.family, said.fields, said.scale, said.lower, said.upper, initial)
        if start is not None:
            initial, line = start
            parameter = make_parameter(name, said.family, said.fields, said.scale, said.lower, said.upper, initial)
        return replace(parameter, unit=said.about[0], description=said.about[1])
    except InputError as error:
        mistakes.include(error, line)
        return None


def _record(s: Statement, mistakes: Mistakes) -> tuple[str, _Words | None]:
    """``parameter: id, prior: family, parameter_scale: scale, <field>: number, lower:, upper:, initial_value:, unit:,
    description:``."""
    said = fields(s, None, mistakes)
    name = said.head[0] if said.head else ""
    before = len(mistakes.found)
    if len(said.head) > 1:
        mistakes.add(s.line, f"parameter '{name}': '{said.head[1]}' has no field name", "type '<field>: <value>'")
    numbers: dict[str, float] = {}
    for field in said.named:
        text = said.text(field) or ""
        if field in ("prior", "parameter_scale", "unit", "description"):
            continue
        if (value := number(text)) is None:
            mistakes.add(s.line, f"parameter '{name}': {field} takes a number, got '{text}'")
        else:
            numbers[field] = value
    if len(mistakes.found) > before:
        return name, None
    lower, upper, initial = (numbers.pop(f, None) for f in ("lower", "upper", "initial_value"))
    scale = said.text("parameter_scale") or "lin"
    about = said.text("unit") or "", said.text("description") or ""
    return name, _Words(s.line, said.text("prior"), numbers, scale, lower, upper, initial, about)


def _positional(s: Statement, mistakes: Mistakes) -> tuple[str, _Words | None]:
    """``<family>_var = id number number`` (log<family>_var: on log10).

    A uniform's trailing b or u says whether PyBNF's proposals reflect at its bounds; the prior is the same uniform
    density with either, so a sampler that draws from the posterior treats both alike.
    """
    family, scale = VARIABLES[s.key]
    wants = POSITIONAL[family]
    name, *words = s.value.split()
    if family == "uniform" and len(words) == 3 and words[2].lower() in ("b", "u"):
        words.pop()
    values = [number(w) for w in words]
    if len(values) != len(wants) or None in values:
        mistakes.add(s.line, f"parameter '{name}': '{s.key}' takes {' and '.join(wants)}, got '{' '.join(words)}'",
                     f"type '{s.key} = {name} {' '.join(f'<{w}>' for w in wants)}'")  # fmt: skip
        return name, None
    numbers = {w: v for w, v in zip(wants, values, strict=True) if v is not None}
    if family == "uniform":
        return name, _Words(s.line, family, {}, scale, numbers["lower"], numbers["upper"])
    return name, _Words(s.line, family, numbers, scale)


def _start_points(conf: Conf, words: dict[str, _Words | None], mistakes: Mistakes) -> dict[str, tuple[float, int]]:
    """``start_point = id θ`` as (θ, line) by id; an id's initial_value may say the same, never something else."""
    starts: dict[str, tuple[float, int]] = {}
    for s in conf.assigned("start_point"):
        name, *rest = s.value.split()
        value = number(rest[0]) if len(rest) == 1 else None
        if value is None:
            mistakes.add(s.line, f"'start_point' takes a parameter and its value, got '{s.value}'",
                         "type 'start_point = <parameter> <value>'")  # fmt: skip
        elif name not in words:
            mistakes.add(s.line, f"start_point of '{name}', which is no declared parameter", nearest(name, words))
        elif name in starts:
            mistakes.add(s.line, f"'{name}' has another start_point on line {starts[name][1]}", "keep one")
        else:
            starts[name] = (value, s.line)
            said = words[name]
            if said is not None and said.initial not in (None, value):
                mistakes.add(s.line, f"start_point = {name} {value:g} contradicts initial_value: {said.initial:g} on "
                                     f"line {said.line}", "keep one of them")  # fmt: skip
    return starts
