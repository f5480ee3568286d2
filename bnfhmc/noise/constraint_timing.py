"""When a constraint is asked for: always, once, at a moment, between two moments, or at one moment for each side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float, Int

TIME = "time"  # the independent variable, as a constraint names it
EQUAL = 1e-5  # relative: a row this near to a level is taken to lie on it, as in PyBNF

Columns = Mapping[str, Float[np.ndarray, " row"]]


class Windows(NamedTuple):
    """The rows at which each side of the inequality is read: one penalty a window, over its worst (or best) row."""

    lesser: Int[np.ndarray, "window row"]
    greater: Int[np.ndarray, "window row"]


class Passages(NamedTuple):
    """Where a column passes a level: between row ``pair`` and the next; ``row`` is the one that stands for it."""

    pair: Int[np.ndarray, " passage"]
    row: Int[np.ndarray, " passage"]


@dataclass(frozen=True, slots=True)
class Crossing:
    """The moment `quantity` passes `level` in either direction.

    Its row is the last before the passage, or the one after where that lies on the level (within 1e-5 of it); with
    ``before`` it is the row before that one. ``quantity``: an output, or ``time``; ``level``: in the quantity's unit.
    """

    level: float
    quantity: str = TIME
    before: bool = False

    def passages(self, columns: Columns) -> Passages:
        """Every passage; a time that is the first of the output times is passed there."""
        x = columns[self.quantity]
        below = x < self.level
        equal = np.abs(x - self.level) <= EQUAL * abs(self.level)
        pair = np.flatnonzero(below[:-1] != below[1:])
        row = pair + (equal[pair + 1] & ~equal[pair])
        if self.quantity == TIME and not pair.size:
            row = np.flatnonzero(equal)[:1]
            pair = row - 1
        return Passages(pair, np.maximum(row - 1, 0) if self.before else row)

    def unmet(self, times: Float[np.ndarray, " row"]) -> str:
        """Why it cannot happen on these output times; empty when it can (an output's crossing always can)."""
        if self.quantity != TIME or self.passages({TIME: times}).row.size:
            return ""
        return f"time {self.level:g} lies outside the output times, {times[0]:g} to {times[-1]:g}"


@dataclass(frozen=True, slots=True)
class Whole:
    """``always``: at every row; ``once``: at one row at least."""

    once: bool = False
    crossings: ClassVar[tuple[Crossing, ...]] = ()
    needed: ClassVar[tuple[Crossing, ...]] = ()

    def windows(self, columns: Columns) -> Windows:
        return _same(np.arange(len(columns[TIME]))[None, :])

    def check(self) -> list[str]:
        return []


@dataclass(frozen=True, slots=True)
class At:
    """``at``: at the row of a crossing; the first one, or ``everytime`` with one penalty each."""

    crossing: Crossing
    everytime: bool = False
    once: ClassVar[bool] = False

    @property
    def crossings(self) -> tuple[Crossing, ...]:
        return (self.crossing,)

    @property
    def needed(self) -> tuple[Crossing, ...]:
        return self.crossings

    def windows(self, columns: Columns) -> Windows:
        rows = self.crossing.passages(columns).row
        return _same((rows if self.everytime else rows[:1])[:, None])

    def check(self) -> list[str]:
        return []


@dataclass(frozen=True, slots=True)
class Between:
    """``between``: at every row, with ``once`` at one at least, from the first start to the first end after it.

    Both ends belong to it; an interval that never ends goes on to the last row. An end that is an output is looked for
    after the pair of rows in which the interval starts; an end that is a time also in that pair.
    """

    start: Crossing
    end: Crossing
    once: bool = False

    @property
    def crossings(self) -> tuple[Crossing, ...]:
        return self.start, self.end

    @property
    def needed(self) -> tuple[Crossing, ...]:
        return (self.start,)

    def windows(self, columns: Columns) -> Windows:
        starts = self.start.passages(columns)
        if not starts.row.size:
            return _same(np.empty((0, 1), dtype=int))
        first = starts.row[0]
        ends = self.end.passages(columns)
        after = ends.row[ends.pair >= starts.pair[0] + (self.end.quantity != TIME)]
        last = max(after[0], first) if after.size else len(columns[TIME]) - 1
        return _same(np.arange(first, last + 1)[None, :])

    def check(self) -> list[str]:
        if self.start.quantity == self.end.quantity == TIME and self.start.level >= self.end.level:
            return [f"between {self.start.level:g},{self.end.level:g} ends no later than it starts"]
        return []


@dataclass(frozen=True, slots=True)
class Split:
    """``A at … < B at …``: each side at the first row of its own crossing."""

    lesser: Crossing
    greater: Crossing
    once: ClassVar[bool] = False

    @property
    def crossings(self) -> tuple[Crossing, ...]:
        return self.lesser, self.greater

    @property
    def needed(self) -> tuple[Crossing, ...]:
        return self.crossings

    def windows(self, columns: Columns) -> Windows:
        lesser = self.lesser.passages(columns).row[:1]
        greater = self.greater.passages(columns).row[:1]
        both = min(len(lesser), len(greater))
        return Windows(lesser[:both, None], greater[:both, None])

    def check(self) -> list[str]:
        return []


Timing = Whole | At | Between | Split


def _same(rows: Int[np.ndarray, "window row"]) -> Windows:
    return Windows(rows, rows)
