"""Courses of conditions → what a model is set to in each phase of an experiment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bnfhmc.errors import nearest
from bnfhmc.expression import Expression, Name, Node, Num, expression, substitute
from bnfhmc.problem import Condition, Period, Perturbation
from bnfhmc.read.petab.models import OpenModel
from bnfhmc.read.petab.records import Change, ConditionRecord, Course
from bnfhmc.read.petab.tables import Rows

TIME = "time"


@dataclass(frozen=True, slots=True)
class Phases:
    """A course of conditions for one model.

    ``outputs``: for each period from the first on, the values of names that only formulas have.
    """

    before: Condition | None
    condition: Condition | None
    later: tuple[Period, ...]
    outputs: tuple[Mapping[str, Node], ...]


@dataclass(frozen=True, slots=True)
class _At:
    """Where in a course a condition takes effect.

    ``settings``: what parameters have been set to before, which they keep; ``outputs``: names of formulas alone, likewise;
    ``first``: whether the state before is the model's own.
    """

    time: float
    settings: Mapping[str, Node]
    outputs: Mapping[str, Node]
    first: bool


class PhaseBuilder:
    """Translates courses for one model; ``formulas``: the names that formulas of observables and noise read."""

    def __init__(self, model: OpenModel, version: int, formulas: frozenset[str], rows: Rows):
        self.model, self.version, self.formulas, self.rows = model, version, formulas, rows
        self.bound = model.bound
        self._said: set[tuple[str, Path, int]] = set()

    def build(self, course: Course, end: float) -> Phases:
        """The phases of a course up to the time `end`; mistakes where something cannot be set.

        Parameters keep what the pre-equilibration has set them to, and amounts what they have become in it.
        """
        before, bound = None, self.bound
        settings: dict[str, Node] = {}
        outputs: dict[str, Node] = {}
        if course.before is not None:
            changed, outputs = self._changes(course.before, _At(-math.inf, {}, {}, True))
            before = _condition(course.before, {**bound, **changed}, "pre-equilibration")
            amounts = self.model.model.amounts
            settings = {t: n for t, n in changed.items() if t not in amounts}
            bound = {t: n for t, n in bound.items() if t not in amounts}
        first, *rest = [p for p in course.periods if p.time <= end] or course.periods[:1]
        changed, outputs = self._changes(first.condition, _At(first.time, settings, outputs, before is None))
        if before is not None:
            self._refuse_stale(course, first.condition, settings, changed)
        values = {**bound, **settings, **changed}
        condition = _condition(first.condition, values, "fixed parameters") if values else None
        found, later = [outputs], []
        for period in rest:
            changed, outputs = self._changes(period.condition, _At(period.time, {}, outputs, False))
            self._refuse_stale(course, period.condition, {}, changed)
            found.append(outputs)
            if changed:
                later.append(Period(period.time, _condition(period.condition, changed, "")))
        return Phases(before, condition, tuple(later), tuple(found))

    def _changes(self, record: ConditionRecord, at: _At) -> tuple[dict[str, Node], dict[str, Node]]:
        """What a condition sets of the model, by the model's own names, and all that names of formulas alone then are."""
        out: dict[str, Node] = {}
        outputs = dict(at.outputs)
        states = {*self.model.model.amounts, *self.model.compartments}
        for change in record.changes:
            target, node = self.model.own(change.target), self._value(change, record, at)
            if change.target in self.model.parameters:
                self._wrong(change, f"'{change.target}' is set by a condition and is in the parameter table", "delete one")
            elif target in self.model.model.quantities:
                if change.value is None and target not in states:
                    node = Num(float(self.model.model.quantities[target]))
                if node is not None:
                    out[target] = node
            elif change.target in self.formulas and not self.model.kind(change.target):
                outputs |= {} if node is None else {change.target: node}
            else:
                self._unsettable(change)
        return out, outputs

    def _value(self, change: Change, record: ConditionRecord, at: _At) -> Node | None:
        """The value of a change over free parameters, the model and the state before."""
        if change.value is None:
            return None
        value = self._followed(change, change.value, record) if self.version == 1 else change.value
        by: dict[str, Node] = {}
        for name in sorted(value.names):
            node = self._name(name, at)
            if node is None:
                said = f"the value of '{change.target}' names {self.model.said(name)}, which is no parameter of the problem"
                hint = nearest(name, self.model.known()) or "add it to the parameter table"
                self._wrong(change, f"{said} and nothing in the model", hint)
                return None
            if self.version == 2 and at.first and name not in self.model.parameters and not isinstance(node, Num):
                said = f"the value of '{change.target}' reads '{name}' at the start of an experiment, where only parameters of "
                self._wrong(change, f"{said}the table may be read", "add it to the parameter table")
            by[name] = node
        return substitute(value.node, by)

    def _name(self, name: str, at: _At) -> Node | None:
        if name == TIME:
            return Num(at.time) if math.isfinite(at.time) else None
        if name not in self.model.parameters and (own := self.model.own(name)) in at.settings:
            return at.settings[own]
        return self.model.node(name) or at.outputs.get(name)

    def _followed(self, change: Change, value: Expression, record: ConditionRecord) -> Expression:
        """The value of a change where it is another column of the same condition: what that column says (version 1)."""
        by_target, seen = {c.target: c for c in record.changes}, [change.target]
        while isinstance(value.node, Name) and value.node.id not in self.model.parameters and value.node.id in by_target:
            name = value.node.id
            following = by_target[name].value
            if name in seen:
                self._wrong(change, f"{' and '.join(seen)} are set by each other", "type a number or a parameter")
            if name in seen or following is None:
                break
            seen.append(name)
            value = following
        return value

    def _unsettable(self, change: Change) -> None:
        if kind := self.model.kind(change.target):
            self._wrong(change, f"a condition cannot set '{change.target}': it is {kind}", "set what it is computed from")
        else:
            whose = f"model '{self.model.model.name}'"
            said = f"a condition sets {self.model.said(change.target)}, which is nothing in {whose} and in no formula"
            self._wrong(change, said, nearest(change.target, self.model.known()))

    def _refuse_stale(
        self, course: Course, record: ConditionRecord, before: Mapping[str, Node], changed: Mapping[str, Node]
    ) -> None:
        """An initial assignment is computed once, from what its names are at the start of an experiment."""
        moved = {t for t, n in changed.items() if t not in before or expression(before[t]) != expression(n)}
        initial = self.model.sbml.initial if self.model.sbml is not None else {}
        for name, reads in initial.items():
            if name not in self.model.model.amounts and (hit := sorted(reads & moved)):
                said = f"'{name}' has an initial assignment that reads '{hit[0]}', which changes within experiment "
                self._wrong(record.changes[0], f"{said}'{course.name}'; this is not supported",
                            "write it as an assignment rule where it follows, or as a number")  # fmt: skip

    def _wrong(self, change: Change, what: str, hint: str) -> None:
        place = what, change.row.path, change.row.line
        if place not in self._said:
            self._said.add(place)
            self.rows.wrong(change.row, what, hint)


def _condition(record: ConditionRecord, values: Mapping[str, Node], otherwise: str) -> Condition:
    """The condition that sets `values` at once; ``otherwise``: its name where the tables give it none."""
    perturbations = tuple(Perturbation(target, "=", expression(node)) for target, node in values.items())
    return Condition(record.name or otherwise, perturbations, at_once=True)
