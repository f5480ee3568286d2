"""When a condition on time changes, and how that moves with the parameters: expressions, evaluated anew at each point.

A rate law that switches at ``t* = f(p)`` has a sensitivity that jumps there by (f⁻ − f⁺) ∂t*/∂p, and an integrator has to
stop there. bngsim derives t* and ∂t*/∂p from the text of the model; here they are numbers in the form that it takes them,
of expressions that were read once. A *clock* is the time itself (−1) or a species whose rate is 1 (its index): what it
reads is the time plus a constant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import isfinite
from typing import NamedTuple

from bnfhmc.expression import Expression, ExpressionError, Node, expression, parse, substitute
from bnfhmc.expression.closures import Numbers, number_of

TIME = "time"
OFFSET = "(clock minus time)"  # no parameter has such a name
NEAR = 1e-11  # relative distance below which bngsim takes two crossings apart in ways of its own

Clocks = Mapping[int, float]  # clock → what it reads when the run starts
Window = tuple[float, float]  # when a run starts and ends
Stop = tuple[float, int, float]  # t*, clock, what it reads there
Jump = tuple[float, int, float, list[float], list[int], list[float]]  # t*, clock, its reading, ∂t*/∂column; what to isolate
Fire = tuple[int, list[float]]  # event, ∂t*/∂column


class Crossings(NamedTuple):
    """Where a run has to stop, where its sensitivities jump, and which events fire at times that move."""

    stops: list[Stop]
    jumps: list[Jump]
    fires: list[Fire]


class Ambiguous(Exception):
    """Closed forms do not tell here: two crossings at one instant, or a value that is no real number."""


@dataclass(frozen=True, slots=True)
class Line:
    """A condition on a clock as an expression of the time and, where the clock is a species, of ``OFFSET``: zero at t*."""

    clock: int
    residual: Expression
    _number: Callable[[Numbers], float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_number", number_of(self.residual))

    def root(self, m: dict[str, float], scale: float) -> float | None:
        """t*; None where the residual does not depend on the time, or by no straight line over times up to `scale`."""
        at = []
        for t in (0.0, scale):
            m[TIME] = t
            at.append(self._number(m))
        slope = (at[1] - at[0]) / scale
        if not isfinite(slope):
            raise Ambiguous
        if slope == 0.0:
            return None
        m[TIME] = -at[0] / slope
        return m[TIME] if abs(self._number(m)) <= 1e-9 * abs(slope) * scale else None


@dataclass(frozen=True)
class Thresholds:
    """Readings of clocks, (clock, reading), at which something changes, with their derivatives by `columns`."""

    readings: tuple[tuple[int, Expression], ...]
    columns: tuple[str, ...]
    _values: tuple[Callable[[Numbers], float], ...] = field(init=False, repr=False)
    _slopes: tuple[dict[int, Callable[[Numbers], float]], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        values = tuple(number_of(reading) for _, reading in self.readings)
        slopes = tuple(
            {c: number_of(reading.derivative(n)) for c, n in enumerate(self.columns) if n in reading.names}
            for _, reading in self.readings
        )
        object.__setattr__(self, "_values", values)
        object.__setattr__(self, "_slopes", slopes)

    @property
    def moves(self) -> bool:
        """Whether a column moves any of them."""
        return any(self._slopes)

    def at(self, m: Numbers, clocks: Clocks, start: float) -> list[tuple[float, int, float]]:
        """(t*, clock, reading) of each, in a run from `start`; raises Ambiguous where a reading is no real number."""
        out = []
        for (clock, _), value in zip(self.readings, self._values, strict=True):
            reading = value(m)
            if not isfinite(reading):
                raise Ambiguous
            out.append((reading if clock < 0 else start + (reading - clocks[clock]), clock, reading))
        return out

    def slope(self, k: int, m: Numbers) -> list[float]:
        """∂t*/∂column of the k-th."""
        out = [0.0] * len(self.columns)
        for c, d in self._slopes[k].items():
            out[c] = d(m)
        return out


@dataclass(frozen=True, slots=True)
class Trigger:
    """The trigger of an event that fires once all of `after` are passed, if none of `before` is by then."""

    event: int
    after: Thresholds
    before: Thresholds


@dataclass(frozen=True)
class Forms:
    """The closed forms of a model's crossings."""

    lines: tuple[Line, ...]
    switches: Thresholds
    triggers: tuple[Trigger, ...]
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        readings = [*self.switches.readings, *(r for t in self.triggers for r in (*t.after.readings, *t.before.readings))]
        found = [*(line.residual for line in self.lines), *(reading for _, reading in readings)]
        object.__setattr__(self, "names", tuple(sorted({n for e in found for n in e.names} - {TIME, OFFSET})))

    def at(self, m: Numbers, clocks: Clocks, window: Window) -> Crossings:
        """The crossings of a run, where `names` have the values `m`; raises Ambiguous."""
        jumps = _jumps(self.switches, m, clocks, window) if self.switches.moves else []
        return Crossings(_stops(self.lines, m, clocks, window), jumps, _fires(self.triggers, m, clocks, window))


def _jumps(switches: Thresholds, m: Numbers, clocks: Clocks, window: Window) -> list[Jump]:
    """The crossings inside the window that a column moves, in order of time."""
    inside = sorted((t, k, clock, reading) for k, (t, clock, reading) in enumerate(switches.at(m, clocks, window[0]))
                    if window[0] < t <= window[1])  # fmt: skip
    if any(b[0] - a[0] <= NEAR * abs(b[0]) for a, b in pairwise(inside)):
        raise Ambiguous
    found: list[Jump] = [(t, clock, reading, switches.slope(k, m), [], []) for t, k, clock, reading in inside]
    return [jump for jump in found if any(jump[3])]


def _stops(lines: Sequence[Line], m: Numbers, clocks: Clocks, window: Window) -> list[Stop]:
    """Where the integrator has to stop inside the window, in order of time."""
    out, at = list[Stop](), dict(m)
    start, end = window
    for line in lines:
        at[OFFSET] = offset = clocks[line.clock] - start if line.clock >= 0 else 0.0
        t = line.root(at, max(abs(start), abs(end), 1.0))
        if t is None or not start < t <= end:
            continue
        stop = t, line.clock, t + offset if line.clock >= 0 else 0.0
        near = [i for i, seen in enumerate(out) if abs(t - seen[0]) <= 1e-12 * max(abs(t), 1.0)]
        if not near:
            out.append(stop)
        elif line.clock >= 0 and out[near[0]][1] < 0:  # a species has to land on its reading as well
            out[near[0]] = stop
    return sorted(out)


def _fires(triggers: Sequence[Trigger], m: Numbers, clocks: Clocks, window: Window) -> list[Fire]:
    """The events that fire inside the window at a time that a column moves."""
    out = []
    for trigger in triggers:
        times = [t for t, *_ in trigger.after.at(m, clocks, window[0])]
        ends = [t for t, *_ in trigger.before.at(m, clocks, window[0])]
        last = max(times)
        if sum(last - t <= NEAR * abs(last) for t in times) > 1:
            raise Ambiguous
        if window[0] < last <= min([window[1], *ends]) and any(slope := trigger.after.slope(times.index(last), m)):
            out.append((trigger.event, slope))
    return out


def in_primaries(text: str, derived: Mapping[str, str]) -> Expression:
    """The expression of `text` with every derived parameter replaced by what it is computed from.

    Raises ExpressionError where a text is not arithmetic that `parse` reads, or where one is defined by itself.
    """
    made: dict[str, Node] = {}

    def node(of: str, inside: tuple[str, ...]) -> Node:
        read = parse(of)
        for name in sorted(read.names & derived.keys() - made.keys()):
            if name in inside:
                raise ExpressionError(f"'{name}' is defined by itself")
            made[name] = node(derived[name], (*inside, name))
        return substitute(read.node, {n: made[n] for n in read.names & made.keys()})

    return expression(node(text, ()))
