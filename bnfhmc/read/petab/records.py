"""What the tables of a PEtab problem say, in one form for both versions of the format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from bnfhmc.expression import Expression
from bnfhmc.prior import Prior, Scale
from bnfhmc.read.petab.config import ModelFile
from bnfhmc.read.petab.tables import Row

Kernel = Literal["normal", "laplace"]
NoiseScale = Literal["lin", "log", "log10"]


@dataclass(frozen=True, slots=True)
class ParameterRecord:
    """One row of the parameter table.

    ``nominal``: θ, in the parameter's own unit; ``prior``, ``start``: densities in u of an estimated parameter, its bounds
    and default already in them (None where there is no initialization prior, or a mistake).
    """

    name: str
    row: Row
    scale: Scale
    nominal: float | None
    estimate: bool
    prior: Prior | None = None
    start: Prior | None = None


@dataclass(frozen=True, slots=True)
class ObservableRecord:
    """One row of the observable table; placeholders are in the order that a measurement fills them in."""

    name: str
    row: Row
    formula: Expression
    noise: Expression
    kernel: Kernel
    scale: NoiseScale
    placeholders: tuple[str, ...]
    noise_placeholders: tuple[str, ...]


class Change(NamedTuple):
    """What a condition sets; a ``value`` of None leaves a state as it is and a parameter at the model's own value."""

    target: str
    value: Expression | None
    row: Row


@dataclass(frozen=True, slots=True)
class ConditionRecord:
    """What is set at once, under a name."""

    name: str
    changes: tuple[Change, ...]


class PeriodRecord(NamedTuple):
    """The condition that takes effect at a time."""

    time: float
    condition: ConditionRecord


@dataclass(frozen=True, slots=True)
class Course:
    """A course of conditions in time: the one that is equilibrated under first, and the periods in order, at least one."""

    name: str
    before: ConditionRecord | None
    periods: tuple[PeriodRecord, ...]


@dataclass(frozen=True, slots=True)
class MeasurementRecord:
    """One row of the measurement table; ``index`` counts rows over all the measurement files, from 0."""

    index: int
    row: Row
    model: str
    course: str
    observable: str
    time: float
    value: float
    overrides: tuple[Expression, ...]
    noise_overrides: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Records:
    """Everything that one part of a problem says, but for its parameters.

    ``mapping``: the model's own name of an entity, by the name that the tables have for it; ``targets``: everything that
    some condition sets.
    """

    models: tuple[ModelFile, ...]
    observables: Mapping[str, ObservableRecord]
    courses: Mapping[str, Course]
    measurements: tuple[MeasurementRecord, ...]
    mapping: Mapping[str, str]
    targets: frozenset[str]
