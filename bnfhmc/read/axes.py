"""What an experiment is run over: the times or doses at which it is solved, from its data, its record or its simulation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from bnfhmc.errors import nearest
from bnfhmc.model.protocol import Model
from bnfhmc.noise.constraint import Constraint
from bnfhmc.read.data import Table
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.plans import Plan
from bnfhmc.read.simulations import Kind, evenly

Rows = Float[np.ndarray, " row"]

NEAR = 1e-5  # relative: a row this near to a time or dose stands for it, as in PyBNF
T_MAX = 1e6  # by when a steady state has to be reached where nothing is said of it


@dataclass(frozen=True, slots=True)
class Axis:
    """``quantity``: what a scan varies; ``start``, ``end``: between them lie the rows; ``read_at``: when a scan is read,
    None at its steady state; ``t_max``: by when that is reached; ``grid``: the rows of the simulation besides those of
    the data, None where it leaves them open; ``data_rows``: whether the rows are those of the data.
    """

    kind: Kind
    quantity: str | None = None
    start: float = 0.0
    end: float = np.inf
    read_at: float | None = None
    t_max: float = T_MAX
    grid: Rows | None = None
    data_rows: bool = True


def axis_of(plan: Plan, tables: Sequence[Table], mistakes: Mistakes) -> Axis | None:
    """What an experiment is run over; None, and mistakes, where it cannot be told."""
    before = len(mistakes.found)
    kind, quantity = _data_kind(plan, tables, mistakes) if tables else (None, None)
    if len(mistakes.found) > before:
        return None
    if plan.simulation is not None:
        return _of_simulation(plan, kind, quantity, tables, mistakes)
    if kind is None:
        return _of_constraints(plan, mistakes)
    return _of_record(plan, kind, quantity, mistakes)


def _data_kind(plan: Plan, tables: Sequence[Table], mistakes: Mistakes) -> tuple[Kind, str | None]:
    """What the first columns say: time, time inf, or the name of a quantity that is scanned."""
    first = tables[0].names[0]
    for t in tables[1:]:
        if t.names[0] != first:
            mistakes.at(t.path).add(t.header, f"the first column is '{t.names[0]}', and '{first}' in {tables[0].path.name}",
                                    f"the replicates of {plan.whose} have one first column")  # fmt: skip
    if first != "time":
        return "parameter_scan", first
    infinite = [np.isinf(t.values[:, 0]) for t in tables]
    if all(i.all() for i in infinite):
        return "steady_state", None
    for t, i in zip(tables, infinite, strict=True):
        if i.any():
            mistakes.at(t.path).add(t.lines[int(np.argmax(i))], "a measurement at steady state (time inf) among finite times",
                                    "put it into another file, with an experiment of its own")  # fmt: skip
    return "time_course", None


def _of_record(plan: Plan, kind: Kind, quantity: str | None, mistakes: Mistakes) -> Axis | None:
    """The axis of an ``experiment:`` record with data."""
    span, said = plan.span, {"time_course": "finite times", "steady_state": "the time inf", "parameter_scan": "doses"}
    before = len(mistakes.found)
    if span.kind is not None and span.kind != kind:
        mistakes.add(plan.line, f"{plan.whose} has the type '{span.kind}', and its data {said[kind]} in their first column",
                     "delete 'type:', which follows from the data")  # fmt: skip
    for name, value in (("t_start", span.t_start), ("n_steps", span.n_steps)):
        if value is not None:
            mistakes.add(plan.line, f"{plan.whose}: '{name}' has no effect, since it is solved at the rows of its data",
                         f"delete '{name}:'")  # fmt: skip
    if kind == "time_course" and span.t_end is not None:
        mistakes.add(plan.line, f"{plan.whose}: 't_end' has no effect on a time course with data, which ends at its last row",
                     "delete 't_end:'")  # fmt: skip
    if len(mistakes.found) > before:
        return None
    if kind == "parameter_scan":
        return Axis(kind, quantity, -np.inf, read_at=span.t_end)
    return Axis(kind, t_max=span.t_end or T_MAX)


def _of_constraints(plan: Plan, mistakes: Mistakes) -> Axis | None:
    """The axis of an ``experiment:`` record that has constraints and no data."""
    span = plan.span
    start = span.t_start or 0.0
    if span.kind not in (None, "time_course"):
        mistakes.add(plan.line, f"{plan.whose} has the type '{span.kind}' and no data that give its rows",
                     "add an .exp file, or delete 'type:'")  # fmt: skip
    elif span.t_end is None:
        mistakes.add(plan.line, f"{plan.whose} has constraints and no data, and does not say when it ends",
                     "type 't_end: <time>', and 'n_steps: <rows>' for rows that are not one unit of time apart")  # fmt: skip
    elif span.t_end <= start:
        mistakes.add(plan.line, f"{plan.whose}: t_end {span.t_end:g} does not lie after t_start {start:g}")
    else:
        rows = evenly(start, span.t_end, span.n_steps or max(1.0, span.t_end - start))
        if rows is not None:
            return Axis("time_course", None, start, span.t_end, grid=rows, data_rows=False)
        mistakes.add(plan.line, f"{plan.whose} has too many rows, one unit of time apart", "type 'n_steps: <rows>'")
    return None


def _of_simulation(
    plan: Plan, kind: Kind | None, quantity: str | None, tables: Sequence[Table], mistakes: Mistakes
) -> Axis | None:
    """The axis of a simulation of edition 1."""
    s = plan.simulation
    if s is None or s.wrong:
        return None
    header = mistakes.at(tables[0].path) if tables else mistakes
    line = tables[0].header if tables else plan.line
    if kind is not None and kind != s.kind:
        first = tables[0].names[0] if kind == "parameter_scan" else "time inf" if kind == "steady_state" else "time"
        is_a = {"time_course": "a time course", "steady_state": "a steady state", "parameter_scan": "a parameter scan"}
        hint = {"time_course": "finite times", "steady_state": "the time inf", "parameter_scan": f"doses of '{s.quantity}'"}
        header.add(line, f"the data are by {first}, and the simulation '{s.suffix}' is {is_a[s.kind]}",
                   f"give {hint[s.kind]} in the first column")  # fmt: skip
        return None
    if quantity != s.quantity and kind is not None:
        header.add(line, f"the data are by '{quantity}', and the simulation '{s.suffix}' scans '{s.quantity}'",
                   f"name the first column {s.quantity}")  # fmt: skip
        return None
    if s.kind == "steady_state":
        return Axis(s.kind, t_max=s.t_end or T_MAX, data_rows=False)
    if s.kind == "time_course":
        return Axis(s.kind, None, s.t_start, np.inf if s.t_end is None else s.t_end, grid=s.rows, data_rows=False)
    low, high = (s.rows.min(), s.rows.max()) if s.rows is not None else (-np.inf, np.inf)
    read_at, t_max = (None, s.t_end or T_MAX) if s.steady else (s.t_end, T_MAX)
    return Axis(s.kind, s.quantity, low, high, read_at, t_max, s.rows, False)


def check_scanned(
    plan: Plan, axis: Axis, tables: Sequence[Table], model: Model, declared: Iterable[str], mistakes: Mistakes
) -> bool:
    """Whether the model has the quantity that is scanned, and it is not fitted; a mistake in the data where not."""
    if axis.quantity is None:
        return True
    name, known = axis.quantity, [*model.quantities, "time"]
    here, line = (mistakes.at(tables[0].path), tables[0].header) if tables else (mistakes, plan.line)
    if name in set(declared):
        here.add(line, f"'{name}' is scanned, and fitted as a parameter", "scan another quantity, or do not declare this one")
    elif name not in model.quantities:
        what = "the first column is" if tables else f"{plan.whose} scans"
        here.add(line, f"{what} '{name}', neither time nor a quantity of the model '{model.name}'",
                 nearest(name, known) or "the first column is named time, or after the parameter that is scanned")  # fmt: skip
    else:
        return True
    return False


def rows_of(
    plan: Plan, axis: Axis, tables: Sequence[Table], constraints: Sequence[Constraint], transformed: bool, mistakes: Mistakes
) -> Rows | None:
    """The rows at which an experiment is solved; None, and mistakes, where they cannot be.

    They are those of the data. `transformed`: whether a transform looks at all rows of the simulation, which are then
    its own; with constraints it has those too, and the times that they name.
    """
    before = len(mistakes.found)
    points = np.unique(np.concatenate([t.values[:, 0] for t in tables])) if tables else np.empty(0)
    if axis.kind == "steady_state":
        _check_asked(np.array([np.inf]), constraints, mistakes)
        return np.array([np.inf]) if len(mistakes.found) == before else None
    _check_range(plan, axis, tables, mistakes)
    grid = np.empty(0)
    if (transformed or constraints) and not axis.data_rows:
        if axis.grid is None:
            what = "the normalization" if transformed else "the constraints"
            mistakes.add(plan.line, f"{plan.whose}: {what} looks at all rows of its simulation, which does not say them",
                         "give it n_steps (or par_min, par_max and n_scan_pts)")  # fmt: skip
            return None
        grid = axis.grid
        if transformed:
            _check_on_grid(plan, grid, tables, mistakes)
    start = [axis.start] if axis.kind == "time_course" else []
    rows = _merged(_merged(points, np.asarray(start)), grid)
    rows = _with_levels(plan, axis, rows, constraints, transformed, mistakes)
    return rows if len(mistakes.found) == before else None


def _with_levels(
    plan: Plan, axis: Axis, rows: Rows, constraints: Sequence[Constraint], transformed: bool, mistakes: Mistakes
) -> Rows:
    """The rows with the times that constraints name."""
    for c in constraints:
        levels = np.array([t for t in c.times if axis.start <= t <= axis.end])
        more = levels[~_near(levels, rows)]
        if more.size and transformed:
            _at(mistakes, c).add(c.line, f"'{c.text}' looks at {more[0]:g}, which is no row of {plan.whose}, and the "
                                 "normalization there would change with one more row",
                                 "put the constraints into an experiment of their own")  # fmt: skip
        rows = np.sort(np.concatenate([rows, more]))
    _check_asked(rows, constraints, mistakes)
    return rows


def _check_asked(rows: Rows, constraints: Sequence[Constraint], mistakes: Mistakes) -> None:
    for c in constraints:
        if rows.size and (why := c.unmet(rows)):
            _at(mistakes, c).add(c.line, f"'{c.text}' is never asked for: {why}", "let the simulation cover it")


def _at(mistakes: Mistakes, c: Constraint) -> Mistakes:
    return mistakes if c.path is None else mistakes.at(c.path)


def _check_range(plan: Plan, axis: Axis, tables: Sequence[Table], mistakes: Mistakes) -> None:
    """Data lie within what edition 1's simulation covers."""
    if axis.data_rows or plan.simulation is None:
        return
    what = "dose" if axis.kind == "parameter_scan" else "time"
    suffix, slack = plan.simulation.suffix, 1e-9
    for t in tables:
        x = t.values[:, 0]
        for wrong, said, end, hint in (
            (x > axis.end + slack * abs(axis.end), "after the end", axis.end, "let the simulation end later"),
            (x < axis.start - slack * abs(axis.start), "before the start", axis.start, "let the simulation start earlier"),
        ):
            if wrong.any():
                row = t.lines[int(np.argmax(wrong))]
                mistakes.at(t.path).add(row, f"the {what} lies {said} of the simulation '{suffix}', {end:g}", hint)


def _check_on_grid(plan: Plan, grid: Rows, tables: Sequence[Table], mistakes: Mistakes) -> None:
    for t in tables:
        off = ~_near(t.values[:, 0], grid)
        said = "is no row of the simulation, all of whose rows the normalization looks at"
        mistakes.at(t.path).add_each(
            (t.lines[row], f"{t.names[0]} {t.values[row, 0]:g} {said}", "give the simulation a row there")
            for row in np.flatnonzero(off)
        )


def _merged(rows: Rows, more: Rows) -> Rows:
    """The rows and those of `more` that none of them stands for, in order."""
    return np.sort(np.concatenate([rows, more[~_near(more, rows)]]))


def _near(x: Rows, rows: Rows) -> Bool[np.ndarray, " n"]:
    """Whether a row stands for each value."""
    if not rows.size or not x.size:
        return np.zeros(len(x), dtype=bool)
    at = np.searchsorted(rows, x)
    below, above = rows[np.maximum(at - 1, 0)], rows[np.minimum(at, len(rows) - 1)]
    nearest_row = np.where(np.abs(x - below) < np.abs(above - x), below, above)
    return np.abs(nearest_row - x) <= NEAR * np.abs(x)
