"""Condition and experiment tables of version 2: a row for each change, and for each condition of each period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bnfhmc.errors import nearest
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.petab.config import Part
from bnfhmc.read.petab.observables import formula
from bnfhmc.read.petab.records import Change, ConditionRecord, Course, PeriodRecord
from bnfhmc.read.petab.tables import Row, Rows, read_table

_CONDITIONS = ("conditionId", "targetId", "targetValue")
_EXPERIMENTS = ("experimentId", "time", "conditionId")
AS_IT_IS = Course("", None, (PeriodRecord(0.0, ConditionRecord("", ())),))  # of a measurement that names no experiment


def read_conditions(part: Part, mistakes: Mistakes) -> dict[str, ConditionRecord]:
    """The conditions of all the tables of a part."""
    rows = Rows(mistakes)
    found: dict[str, dict[str, Change]] = {}
    for file in part.tables["condition_files"]:
        table = read_table(file.path, mistakes, file.line, _CONDITIONS)
        for row in table.rows if table is not None else ():
            name, target = rows.id(row, "conditionId"), rows.id(row, "targetId")
            value = formula(row, "targetValue", row.get("targetValue"), rows)
            changes = found.setdefault(name, {}) if name else {}
            if target in changes:
                rows.wrong(row, f"condition '{name}' sets '{target}' twice", f"the other is in line {changes[target].row.line}",
                           kind="set twice")  # fmt: skip
            elif target and value is not None:
                changes[target] = Change(target, value, row)
    return {name: ConditionRecord(name, tuple(changes.values())) for name, changes in found.items()}


def read_courses(part: Part, conditions: Mapping[str, ConditionRecord], mistakes: Mistakes) -> dict[str, Course | None]:
    """The experiments of all the tables of a part, their periods in the order of time; None where one is wrong."""
    rows = Rows(mistakes)
    found: dict[str, dict[float, list[tuple[str, Row]]]] = {}
    for file in part.tables["experiment_files"]:
        table = read_table(file.path, mistakes, file.line, _EXPERIMENTS)
        for row in table.rows if table is not None else ():
            name, time = rows.id(row, "experimentId"), rows.number(row, "time", finite=False)
            if time == float("inf"):
                rows.wrong(row, "a period that starts at time inf", "type a time, or -inf for what is equilibrated under first")
            elif name and time is not None:
                found.setdefault(name, {}).setdefault(time, []).append((row.get("conditionId"), row))
    return {name: _course(name, periods, conditions, rows) for name, periods in found.items()} | {"": AS_IT_IS}


def _course(
    name: str, periods: Mapping[float, list[tuple[str, Row]]], conditions: Mapping[str, ConditionRecord], rows: Rows
) -> Course | None:
    records = {time: _period(name, time, periods[time], conditions, rows) for time in sorted(periods)}
    before = records.pop(float("-inf"), None)
    if not records:
        row = periods[float("-inf")][0][1]
        rows.wrong(row, f"experiment '{name}' has no period after the one that starts at -inf", "add one with a time")
        return None
    return Course(name, before, tuple(PeriodRecord(t, c) for t, c in records.items()))


def _period(
    whose: str, time: float, named: list[tuple[str, Row]], conditions: Mapping[str, ConditionRecord], rows: Rows
) -> ConditionRecord:
    """The changes of all the conditions of a period, which may not set one thing twice."""
    changes: dict[str, Change] = {}
    for name, row in named:
        if name and name not in conditions:
            rows.wrong(row, f"conditionId '{name}' is not in the condition table", nearest(name, conditions),
                       kind=f"condition {name}")  # fmt: skip
            continue
        for change in conditions[name].changes if name else ():
            if change.target in changes:
                rows.wrong(row, f"experiment '{whose}' sets '{change.target}' twice at time {time:g}",
                           "delete it from one of the conditions", kind="set twice")  # fmt: skip
            changes[change.target] = change
    return ConditionRecord(" + ".join(name for name, _ in named if name), tuple(changes.values()))


@dataclass(frozen=True, slots=True)
class Courses:
    """The courses that measurements may name; of one that is wrong nothing more is said."""

    found: Mapping[str, Course | None]

    def of(self, row: Row, rows: Rows) -> str | None:
        """The key of the course of a measurement; None, and a mistake, where it is not there."""
        name = row.get("experimentId")
        if name in self.found:
            return name if self.found[name] is not None else None
        rows.wrong(row, f"experimentId '{name}' is not in the experiment table", nearest(name, [n for n in self.found if n]),
                   kind=f"experiment {name}")  # fmt: skip
        return None
