"""Condition tables of version 1: a row for each condition, a column for each quantity that some condition sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bnfhmc.errors import nearest
from bnfhmc.expression import Expression, Name, Num, expression
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.petab.config import Part
from bnfhmc.read.petab.records import Change, ConditionRecord, Course, PeriodRecord
from bnfhmc.read.petab.tables import ID, Row, Rows, Table, number, read_table

_NAME = "conditionName"


def read_conditions(part: Part, mistakes: Mistakes) -> dict[str, ConditionRecord]:
    """The conditions of all the tables of a part.

    Each condition sets every column: what it leaves empty, or is a column of another file alone, has no value of its own.
    """
    rows = Rows(mistakes)
    read = (read_table(f.path, mistakes, f.line, ("conditionId",)) for f in part.tables["condition_files"])
    tables = [t for t in read if t is not None]
    targets = dict.fromkeys(c for t in tables for c in _targets(t, mistakes))
    named = ((name, row) for t in tables for row in t.rows if (name := rows.id(row, "conditionId")))
    return {
        name: ConditionRecord(name, tuple(Change(t, _value(row, t, rows), row) for t in targets))
        for name, row in rows.unique(named, "conditionId")
    }


def _targets(table: Table, mistakes: Mistakes) -> list[str]:
    targets = [c for c in table.columns if c and c not in ("conditionId", _NAME)]
    for name in targets:
        if not ID.fullmatch(name):
            mistakes.at(table.path).add(1, f"column '{name}' is no identifier", "type letters, digits and underscores")
    return [t for t in targets if ID.fullmatch(t)]


def _value(row: Row, column: str, rows: Rows) -> Expression | None:
    text = row.get(column)
    if not text:
        return None
    value = number(text)
    if value is not None and abs(value) != float("inf"):
        return expression(Num(value))
    if value is None and ID.fullmatch(text):
        return expression(Name(text))
    rows.wrong(row, f"{column} '{text}' is no finite number and no identifier", "type a number or a parameter", kind=column)
    return None


@dataclass(slots=True)
class Courses:
    """Collects the courses that measurements name: a condition, and perhaps one that is equilibrated under before it."""

    conditions: Mapping[str, ConditionRecord]
    found: dict[str, Course] = field(default_factory=dict)

    def of(self, row: Row, rows: Rows) -> str | None:
        """The key of the course of a measurement; None, and a mistake, where a condition is not there."""
        names = [row.get("preequilibrationConditionId"), row.get("simulationConditionId")]
        wrong = False
        for column, name in zip(("preequilibrationConditionId", "simulationConditionId"), names, strict=True):
            if name not in self.conditions and (name or column == "simulationConditionId"):
                said = f"{column} '{name}' is not in the condition table" if name else f"{column} is empty"
                rows.wrong(row, said, nearest(name, self.conditions), kind=f"condition {name}")
                wrong = True
        if wrong:
            return None
        before, name = names
        key = f"{name} after {before}" if before else name
        if key not in self.found:
            periods = (PeriodRecord(0.0, self.conditions[name]),)
            self.found[key] = Course(key, self.conditions[before] if before else None, periods)
        return key
