"""Measurements of one experiment → series: formulas filled in, noise, and rows of the time grid."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

import numpy as np

from bnfhmc.errors import nearest
from bnfhmc.expression import Expression, Node, Num, expression, substitute
from bnfhmc.noise import (
    Constant,
    Formula,
    Laplace,
    LnLaplace,
    LnNormal,
    LogLaplace,
    LogNormal,
    NoiseModel,
    Normal,
    Source,
)
from bnfhmc.problem import Series
from bnfhmc.read.petab.models import OpenModel
from bnfhmc.read.petab.phases import TIME
from bnfhmc.read.petab.records import MeasurementRecord, ObservableRecord
from bnfhmc.read.petab.tables import Rows

_NOISE: Mapping[tuple[str, str], NoiseModel] = {
    ("normal", "lin"): Normal(),
    ("normal", "log"): LnNormal(),
    ("normal", "log10"): LogNormal(),
    ("laplace", "lin"): Laplace(),
    ("laplace", "log"): LnLaplace(),
    ("laplace", "log10"): LogLaplace(),
}


class _Filled(NamedTuple):
    """An observable over outputs, quantities and free parameters, and its noise: a formula of these, or a number."""

    observable: Expression
    noise: Formula | float


@dataclass(slots=True)
class _Grouped:
    """The measurements that share an observable's formula and its noise, unless that is a number for each."""

    record: ObservableRecord
    observable: Expression
    noise: Formula | None
    rows: list[MeasurementRecord] = field(default_factory=list)
    sigma: list[float] = field(default_factory=list)


class _Wrong(Exception):
    """A formula that cannot be filled in; what is wrong has been said."""


class SeriesBuilder:
    """Fills in the formulas of one model's observables."""

    def __init__(self, model: OpenModel, observables: Mapping[str, ObservableRecord], rows: Rows):
        self.model, self.observables, self.rows = model, observables, rows
        self._filled: dict[object, _Filled | None] = {}
        self._reads_time: dict[str, bool] = {}

    def build(
        self, measurements: Sequence[MeasurementRecord], times: np.ndarray, starts: Sequence[float],
        outputs: Sequence[Mapping[str, Node]],
    ) -> tuple[Series, ...]:  # fmt: skip
        """The series of an experiment's measurements.

        ``times``: its grid; ``starts``: of its periods; ``outputs``: in each period the values of names of formulas alone.
        """
        grouped: dict[object, _Grouped] = {}
        for m in measurements:
            record = self.observables[m.observable]
            period = min(max(bisect_right(starts, m.time) - 1, 0), len(outputs) - 1)
            filled = self._fill(record, m, outputs[period])
            if filled is None:
                continue
            noise = filled.noise if isinstance(filled.noise, Formula) else None
            key = (m.observable, filled.observable, None if noise is None else noise.expression)
            group = grouped.setdefault(key, _Grouped(record, filled.observable, noise))
            group.rows.append(m)
            if not isinstance(filled.noise, Formula):
                group.sigma.append(filled.noise)
        count: dict[str, int] = {}
        return tuple(_series(g, times, count) for g in grouped.values())

    def _fill(
        self, record: ObservableRecord, m: MeasurementRecord, outputs: Mapping[str, Node]
    ) -> _Filled | None:
        """The formulas of a measurement, filled in; None where that cannot be."""
        time = m.time if self._timed(record) else None
        named = tuple(sorted((n, expression(v)) for n, v in outputs.items())) if outputs else ()
        key = (record.name, m.overrides, m.noise_overrides, named, time)
        if key not in self._filled:
            try:
                self._filled[key] = self._new(record, m, outputs)
            except _Wrong:
                self._filled[key] = None
        return self._filled[key]

    def _new(self, record: ObservableRecord, m: MeasurementRecord, outputs: Mapping[str, Node]) -> _Filled:
        given = dict(outputs)
        for names, overrides in ((record.placeholders, m.overrides), (record.noise_placeholders, m.noise_overrides)):
            for name, said in zip(names, overrides, strict=True):
                given[name] = self._override(said, outputs, m)
        observable = self._resolved(record, record.formula, given, m.time, (record.name,))
        noise = expression(
            self._resolved(record, record.noise, {**given, record.name: observable}, m.time, (record.name,))
        )
        sigma = noise.constant
        if sigma is None:
            return _Filled(expression(observable), Formula(noise))
        if not 0 < sigma < math.inf:
            self.rows.wrong(m.row, f"the noise of '{record.name}' is {sigma:g}, which is not positive",
                            "type a positive standard deviation or scale", kind="noise")  # fmt: skip
            raise _Wrong
        return _Filled(expression(observable), sigma)

    def _override(self, said: Expression, outputs: Mapping[str, Node], m: MeasurementRecord) -> Node:
        """What fills in a placeholder: a number, a parameter, or something that a condition or the model gives."""
        by: dict[str, Node] = {}
        for name in said.names:
            node = outputs.get(name) or self.model.node(name)
            if node is None:
                hint = nearest(name, self.model.known()) or "add it to the parameter table"
                self.rows.wrong(m.row, f"'{name}' fills in for a placeholder of '{m.observable}' and is not defined", hint,
                                kind=f"override {name}")  # fmt: skip
                raise _Wrong
            by[name] = node
        return substitute(said.node, by)

    def _resolved(
        self, record: ObservableRecord, said: Expression, given: Mapping[str, Node], time: float, within: tuple[str, ...]
    ) -> Node:
        """The formula with every name but those of the model and of free parameters replaced."""
        by = {name: self._name(record, name, given, time, within) for name in sorted(said.names)}
        return substitute(said.node, by)

    def _name(
        self, record: ObservableRecord, name: str, given: Mapping[str, Node], time: float, within: tuple[str, ...]
    ) -> Node:
        if name in given:
            return given[name]
        if name in self.observables and name not in self.model.parameters:
            if name in within:
                way = within[within.index(name) + 1 :]
                by_way = f" by way of {' and '.join(way)}" if way else ""
                self._wrong(record, f"the formula of '{name}' reads '{name}' itself{by_way}", "write what it is computed from")
            other = self.observables[name]
            if other.placeholders:
                self._wrong(record, f"it reads '{name}', whose formula has placeholders", "write out that formula")
            return self._resolved(record, other.formula, given, time, (*within, name))
        node = self.model.node(name)
        if node is not None:
            return node
        if name == TIME:
            if math.isfinite(time):
                return Num(time)
            self._wrong(record, "its formula reads the time, and is measured at a steady state", "write it without the time")
        if kind := self.model.kind(name):
            self._wrong(record, f"its formula reads '{name}', which is {kind} and no output", "write what it is computed from")
        known = [*self.model.known(), *self.observables]
        self._wrong(record, f"its formula reads {self.model.said(name)}, which is not defined",
                    nearest(name, known) or "add it to the parameter table")  # fmt: skip

    def _wrong(self, record: ObservableRecord, what: str, hint: str) -> NoReturn:
        self.rows.wrong(record.row, f"observable '{record.name}': {what}", hint)
        raise _Wrong

    def _timed(self, record: ObservableRecord) -> bool:
        """Whether an observable's formulas read the time, by way of other observables too."""
        if record.name not in self._reads_time:
            self._reads_time[record.name] = False  # of formulas that read each other
            names = record.formula.names | record.noise.names
            self._reads_time[record.name] = TIME in names or any(
                self._timed(self.observables[n]) for n in names if n in self.observables
            )
        return self._reads_time[record.name]


def _series(g: _Grouped, times: np.ndarray, count: dict[str, int]) -> Series:
    noise = _NOISE[g.record.kernel, g.record.scale]
    name = g.record.name
    count[name] = count.get(name, 0) + 1
    source: Source = Constant(np.array(g.sigma)) if g.noise is None else g.noise
    return Series(
        name if count[name] == 1 else f"{name}#{count[name]}",
        g.observable,
        np.searchsorted(times, [m.time for m in g.rows]),
        np.array([m.value for m in g.rows]),
        noise,
        {noise.parameters[0]: source},
        origin=np.array([m.index for m in g.rows]),
    )
