"""Experiments as PEtab has them: periods, each of which sets quantities of the model at its start."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from bnfhmc.expression import Expression, Name, Num, expression, number, substitute
from bnfhmc.model.protocol import Model
from bnfhmc.problem import Condition, Experiment, Problem
from bnfhmc.routing import DOSE, Routing, route

Changes = Mapping[str, Expression]  # quantity of the model → what it is, as an expression of θ


class Period(NamedTuple):
    """``time``: its start, −inf for the pre-equilibration; ``name``: what its condition might be called."""

    time: float
    changes: Changes
    name: str


class Course(NamedTuple):
    """An experiment, or one dose of a scan: ``experiment`` and ``row`` say which; ``read_at``: when a scan is read."""

    experiment: int
    row: int | None
    name: str
    periods: tuple[Period, ...]
    read_at: float | None = None


@dataclass(frozen=True, slots=True)
class _Phases:
    """What is set in an experiment: in its pre-equilibration, if there is one, and in its measured phase."""

    model: Model
    before: Routing | None
    measured: Routing
    set_before: frozenset[str] = frozenset()
    set_measured: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Courses:
    """What all the experiments of a problem set; ``phases``: by the index of the experiment."""

    problem: Problem
    phases: Mapping[int, _Phases] = field(default_factory=dict)

    @classmethod
    def of(cls, problem: Problem) -> Courses:
        """Those of the experiments that are measured."""
        return cls(problem, {i: _phases(e, problem) for i, e in enumerate(problem.experiments) if e.series})

    @property
    def targets(self) -> dict[str, set[str]]:
        """By model, the quantities that some condition or scan sets."""
        out: dict[str, set[str]] = {}
        for i, p in self.phases.items():
            out.setdefault(self.problem.experiments[i].model, set()).update(p.set_before | p.set_measured)
        return out

    def made(self, renamed: Collection[str]) -> Iterator[Course]:
        """The courses, one for each dose of a scan; `renamed` parameters are set wherever the model has their name."""
        for i, phases in self.phases.items():
            e = self.problem.experiments[i]
            if e.scan is None:
                start = float(e.times[0]) if np.isfinite(e.times[0]) else 0.0
                yield Course(i, None, e.name, tuple(_periods(e, phases, renamed, start)))
                continue
            for row, dose in enumerate(e.scan.doses.tolist()):
                periods = tuple(_periods(e, phases, renamed, 0.0, dose, f"_{row + 1}"))
                at = np.inf if e.scan.t_end is None else e.scan.t_end
                yield Course(i, row, f"{e.name}_{row + 1}", periods, at)


def _phases(e: Experiment, problem: Problem) -> _Phases:
    model, names, scan = problem.models[e.model], problem.names, e.scan.quantity if e.scan else None
    carried = model.amounts if e.before else frozenset[str]()
    measured = route(model, e.condition, names, scan, carried)
    before = route(model, e.before, names) if e.before else None
    set_before = frozenset() if before is None else _set(before, e.before, model)
    return _Phases(model, before, measured, set_before, _set(measured, e.condition, model) | ({scan} if scan else set()))


def _set(routing: Routing, condition: Condition | None, model: Model) -> frozenset[str]:
    """The quantities that a condition makes something else than they are without it."""
    targets = {p.target for p in condition.perturbations} if condition else set[str]()
    return frozenset(q for q, v in routing.values.items() if v.node != Name(q) and (q in targets or q not in model.derived))


def _periods(
    e: Experiment, phases: _Phases, renamed: Collection[str], start: float, dose: float | None = None, suffix: str = ""
) -> Iterator[Period]:
    """What the first period sets, and what each next one has to set since it does not find it so."""
    found: dict[str, Expression] = {}
    steps = [(-np.inf, phases.before, phases.set_before, e.before)] if phases.before is not None else []
    for time, routing, own, condition in [*steps, (start, phases.measured, phases.set_measured, e.condition)]:
        assert routing is not None
        wanted = {q for q in routing.values if q in own or (q in renamed and routing.values[q].node == Name(q))}
        wanted |= {q for q in found if q not in phases.model.amounts}
        changes = {q: _at_dose(_value(q, routing, phases.model), dose) for q in sorted(wanted)}
        changes = {q: v for q, v in changes.items() if q in phases.model.amounts or found.get(q) != v}
        found |= changes
        yield Period(time, changes, (condition.name if condition else e.name if suffix else "base") + suffix)


def _value(q: str, routing: Routing, model: Model) -> Expression:
    return routing.values.get(q, number(model.quantities[q]))


def _at_dose(value: Expression, dose: float | None) -> Expression:
    return value if dose is None else expression(substitute(value.node, {DOSE: Num(dose)}))
