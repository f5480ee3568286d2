"""Constraint files of experiments, and the settings that hold for all constraints of a fit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from bnfhmc.errors import InputError, nearest
from bnfhmc.expression import Name, expression
from bnfhmc.noise.constraint import Constraint, configured
from bnfhmc.noise.constraint_penalty import Hinge, Inequality, Side
from bnfhmc.noise.constraint_timing import TIME, At, Between, Crossing, Split, Timing
from bnfhmc.noise.source import Formula
from bnfhmc.read.bpsl import read_constraints
from bnfhmc.read.lines import finite, is_file
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.record import Conf

FAMILIES = ("auto", "hinge", "probit", "logit")
KEYS = ("constraint_scale", "constraint_smoothing", "qualitative_loss", "qualitative_scale")

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Penalties:
    """``qualitative_loss``, ``constraint_scale``, ``qualitative_scale`` and ``constraint_smoothing``."""

    family: str = "auto"
    weight: float = 1.0
    scale: Formula | None = None
    smoothing: float | None = None

    @property
    def names(self) -> frozenset[str]:
        """The free parameters they name."""
        return self.scale.expression.names if self.scale else frozenset()


def read_penalties(conf: Conf, declared: Collection[str], used: bool, mistakes: Mistakes) -> Penalties:
    """The settings of all constraints; `used`: whether there is a constraint file, without which they say nothing."""
    if not used:
        for s in conf.assigned(*KEYS):
            mistakes.add(s.line, f"'{s.key}' has no effect: no constraint file is given",
                         "name a .con or .prop file among the data, or delete the line")  # fmt: skip
        return Penalties()

    def take(key: str, read: Callable[[str], Value | None], takes: str, otherwise: Value) -> Value:
        s = conf.one(key)
        value = None if s is None else read(s.value)
        if s is not None and value is None:
            mistakes.add(s.line, f"'{key}' takes {takes}, got '{s.value}'")
        return otherwise if value is None else value

    return Penalties(
        take("qualitative_loss", lambda text: text.lower() if text.lower() in FAMILIES else None, " | ".join(FAMILIES), "auto"),
        take("constraint_scale", _from_zero, "a number from 0 on", 1.0),
        _scale(conf, declared, mistakes),
        take("constraint_smoothing", lambda text: _from_zero(text) or None, "a positive width", None),
    )


def _from_zero(text: str) -> float | None:
    value = finite(text)
    return value if value is not None and value >= 0 else None


def _scale(conf: Conf, declared: Collection[str], mistakes: Mistakes) -> Formula | None:
    s = conf.one("qualitative_scale")
    if s is None:
        return None
    verb, _, name = s.value.partition(" ")
    name = name.strip()
    if verb.lower() != "fit" or not name:
        mistakes.add(s.line, f"'qualitative_scale' takes 'fit <parameter>', got '{s.value}'")
        return None
    if name not in declared:
        mistakes.add(s.line, f"'{name}', to be fitted as the scale of all constraints, is no declared parameter",
                     nearest(name, declared) or f"type 'parameter: {name}, prior: <family>, …'")  # fmt: skip
        return None
    return Formula(expression(Name(name)))


def read_files(paths: tuple[Path, ...], penalties: Penalties, line: int, mistakes: Mistakes) -> tuple[Constraint, ...]:
    """The constraints of an experiment's files under the settings of the fit; those with mistakes are left out."""
    out: list[Constraint] = []
    for path in paths:
        if not is_file(path, mistakes, line):
            continue
        try:
            found = read_constraints(path)
            out += configured(found, penalties.family, penalties.weight, penalties.scale, penalties.smoothing)
        except InputError as error:
            mistakes.at(path).include(error, None)
            continue
        if not found:
            mistakes.at(path).add(1, "the file holds no constraint", "a constraint is a line such as 'A < B always'")
    return tuple(out)


def bound(
    constraints: tuple[Constraint, ...],
    own: Sequence[str],
    outputs: Collection[str],
    changed: Mapping[str, str],
    mistakes: Mistakes,
) -> tuple[Constraint, ...]:
    """The constraints with ``experiment.output`` as ``output``; names that no output has are mistakes.

    `own`: what the experiment may be called, its name first; `changed`: why an output may not be read although it is one.
    """
    out = tuple(_renamed(c, lambda n: n.partition(".")[2] if n.partition(".")[0] in own else n) for c in constraints)
    for c in out:
        here = mistakes if c.path is None else mistakes.at(c.path)
        for name in c.outputs:
            other, dot, inner = name.partition(".")
            if dot:
                here.add(c.line, f"'{name}' is an output of another experiment than that of the file, '{own[0]}'",
                         f"compare outputs of one experiment: type '{inner}' in a file of '{other}'")  # fmt: skip
            elif name in changed:
                here.add(c.line, f"'{name}' {changed[name]}")
            elif name not in outputs:
                here.add(c.line, f"no output of the model is named '{name}'", nearest(name, outputs))
    return out


def _renamed(c: Constraint, new: Callable[[str], str]) -> Constraint:
    penalty = c.penalty
    if isinstance(penalty, Hinge) and penalty.alternative is not None:
        penalty = replace(penalty, alternative=_inequality(penalty.alternative, new))
    return replace(c, inequality=_inequality(c.inequality, new), timing=_timing(c.timing, new), penalty=penalty)


def _inequality(what: Inequality, new: Callable[[str], str]) -> Inequality:
    def side(of: Side) -> Side:
        return new(of) if isinstance(of, str) else of

    return replace(what, lesser=side(what.lesser), greater=side(what.greater))


def _timing(timing: Timing, new: Callable[[str], str]) -> Timing:
    def moment(c: Crossing) -> Crossing:
        return c if c.quantity == TIME else replace(c, quantity=new(c.quantity))

    if isinstance(timing, At):
        return replace(timing, crossing=moment(timing.crossing))
    if isinstance(timing, Between):
        return replace(timing, start=moment(timing.start), end=moment(timing.end))
    if isinstance(timing, Split):
        return replace(timing, lesser=moment(timing.lesser), greater=moment(timing.greater))
    return timing
