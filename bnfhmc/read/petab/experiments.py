"""The measurements of a part → experiments, one for each model and course of conditions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from bnfhmc.problem import Experiment
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.petab.models import OpenModel
from bnfhmc.read.petab.phases import PhaseBuilder
from bnfhmc.read.petab.records import Course, MeasurementRecord, Records
from bnfhmc.read.petab.series import SeriesBuilder
from bnfhmc.read.petab.tables import Rows


def build_experiments(
    records: Records, models: Mapping[str, OpenModel], version: int, mistakes: Mistakes
) -> tuple[Experiment, ...]:
    """The experiments of a part, in the order in which measurements first name them.

    What is measured at steady state (at time inf) is an experiment of its own beside what is measured in time.
    """
    rows = Rows(mistakes)
    formulas = frozenset(n for o in records.observables.values() for n in o.formula.names | o.noise.names)
    formulas |= {n for m in records.measurements for o in (*m.overrides, *m.noise_overrides) for n in o.names}
    phases = {name: PhaseBuilder(model, version, formulas, rows) for name, model in models.items()}
    series = {name: SeriesBuilder(model, records.observables, rows) for name, model in models.items()}
    several = len({m.model for m in records.measurements}) > 1
    grouped: dict[tuple[str, str, bool], list[MeasurementRecord]] = {}
    for m in records.measurements:
        grouped.setdefault((m.model, m.course, math.isinf(m.time)), []).append(m)
    out = []
    for (model, course, steady), measured in grouped.items():
        if model in models:
            name = _name(model, course, several, steady and (model, course, False) in grouped)
            built = _experiment(name, model, records.courses[course], measured, phases[model], series[model], rows)
            if built is not None:
                out.append(built)
    return tuple(out)


def _name(model: str, course: str, several: bool, beside: bool) -> str:
    whose = f"{course} ({model})" if several and course else course or model
    return f"{whose} at steady state" if beside else whose


def _experiment(
    name: str, model: str, course: Course, measured: Sequence[MeasurementRecord], phases: PhaseBuilder, series: SeriesBuilder,
    rows: Rows,
) -> Experiment | None:  # fmt: skip
    start, end = course.periods[0].time, max(m.time for m in measured)
    early = [m for m in measured if m.time < start]
    for m in early:
        rows.wrong(m.row, f"a measurement at time {m.time:g}, before its experiment starts at {start:g}",
                   "change the time, or the first period's", kind="early")  # fmt: skip
    if early:
        return None
    found = phases.build(course, end)
    times = np.array([end]) if math.isinf(end) else np.unique([start, *(m.time for m in measured)])
    built = series.build(measured, times, [p.time for p in course.periods], found.outputs)
    return Experiment(name, model, times, built, found.condition, found.before, later=found.later)
