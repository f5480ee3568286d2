"""Plans, data and models → experiments: columns matched with observables, each with its noise model and transforms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bnfhmc.errors import nearest
from bnfhmc.model.protocol import Model
from bnfhmc.noise.constraint import Constraint
from bnfhmc.noise.source import Formula
from bnfhmc.noise.transform import Increments, SeriesScale
from bnfhmc.problem import Condition, Experiment, Scan, Series
from bnfhmc.read.axes import Axis, Rows, axis_of, check_scanned, rows_of
from bnfhmc.read.bindings import Bindings
from bnfhmc.read.conditions import after, check_condition
from bnfhmc.read.constraints import Penalties, bound
from bnfhmc.read.data import Column, Table, stacked
from bnfhmc.read.measured import Measured, Measurer
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.noise import Specs
from bnfhmc.read.normalization import Normalizations
from bnfhmc.read.observables import Observables
from bnfhmc.read.plans import Plan
from bnfhmc.read.record import Conf
from bnfhmc.routing import route


@dataclass(frozen=True, slots=True)
class Material:
    """What the files of one experiment hold."""

    tables: tuple[Table, ...]
    constraints: tuple[Constraint, ...]
    bindings: Bindings | None


@dataclass(slots=True)
class Builder:
    """Builds experiments, and keeps what the checks of the whole configuration need.

    ``seen``: observables that were found in data; ``headers``: columns that were; ``used``: free parameters that some
    quantity, formula or constraint of an experiment depends on.
    """

    conf: Conf
    declared: tuple[str, ...]
    specs: Specs
    observables: Observables
    normalizations: Normalizations
    penalties: Penalties
    mistakes: Mistakes
    seen: set[str] = field(default_factory=set)
    headers: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)

    def experiment(self, plan: Plan, material: Material, model: Model | None) -> Experiment | None:
        """One experiment; None, with its mistakes said, where it cannot be built."""
        tables = material.tables
        before = len(self.mistakes.found)
        self.headers.update(name for t in tables for name in t.names)
        axis = axis_of(plan, tables, self.mistakes) if tables or material.constraints else None
        if model is None:
            return None
        columns = self._columns(list(tables), model)
        self.seen.update(c.name for c in columns)
        measured = self._measured(plan, [c for c in columns if len(c.places)], model)
        if tables and not any(len(c.places) for c in columns) and len(self.mistakes.found) == before:
            self.mistakes.add(plan.line, f"{plan.whose} has no measurements of the model's outputs",
                              "name each column after an observable or function of the model")  # fmt: skip
        constraints = self._constraints(plan, material.constraints, measured, model)
        if axis is None or not check_scanned(plan, axis, tables, model, self.declared, self.mistakes):
            return None
        condition, equilibration = self._conditions(plan, axis, model)
        transformed = any(not isinstance(t, SeriesScale) for m in measured for t in m.transforms)
        rows = rows_of(plan, axis, tables, constraints, transformed, self.mistakes)
        if len(self.mistakes.found) > before or rows is None:
            return None
        scan = None if axis.quantity is None else Scan(axis.quantity, rows, axis.read_at)
        series = self._series(plan, rows, measured, material.bindings, model)
        self.used.update(*(self.penalties.names for _ in constraints))
        return Experiment(
            plan.name, plan.model or model.name, rows if scan is None else np.empty(0), series, condition, equilibration, scan,
            constraints, axis.t_max,
        )  # fmt: skip

    def _series(
        self, plan: Plan, rows: Rows, measured: Sequence[Measured], bindings: Bindings | None, model: Model
    ) -> tuple[Series, ...]:
        series = tuple(s for m in measured for s in m.series(rows, bindings, self.mistakes))
        if bindings is not None:
            bindings.say_unknown((*self.declared, *model.quantities), self.mistakes)
            wanted = {m.column.name: m.wanted for m in measured}
            bindings.say_unused([m.column for m in measured], plan.data, wanted, self.mistakes)
        for s in series:
            formulas = [source.expression for source in s.sources.values() if isinstance(source, Formula)]
            self.used.update(*(f.names for f in (s.observable, *formulas)))
        return series

    def _conditions(self, plan: Plan, axis: Axis, model: Model) -> tuple[Condition | None, Condition | None]:
        """The conditions of the measured phase and of the pre-equilibration."""
        before, condition, scan = plan.before, plan.condition, axis.quantity
        fine = True
        for written, scanned in ((before, None), (condition, scan)):
            if written is not None:
                fine &= check_condition(written, model, self.declared, self.mistakes, scanned) is not None
        if not fine:
            return None, None
        first = None if before is None else before.condition
        if plan.simulation is not None:  # its actions tell all that is set
            second = condition.condition if condition else None
        else:
            second = after(before, condition, model, scan, self.mistakes)
        routings = [route(model, second, self.declared, scan), *([] if first is None else [route(model, first, self.declared)])]
        self.used.update(name for r in routings for value in r.values.values() for name in value.names)
        return second, first

    def _constraints(
        self, plan: Plan, constraints: tuple[Constraint, ...], measured: Sequence[Measured], model: Model
    ) -> tuple[Constraint, ...]:
        own = [plan.name, *(p.stem for p in plan.data), *(p.stem for p in plan.constraints)]
        if plan.condition is not None:
            own.append(plan.name + plan.condition.condition.name)
        changed = {
            m.column.name: "is normalised in this experiment, and constraints compare what the model gives; put them into an "
            "experiment of their own"
            for m in measured if any(not isinstance(t, SeriesScale | Increments) for t in m.transforms)
        }  # fmt: skip
        formulas = {name: "is computed by a formula; a constraint compares outputs of the model"
                    for name in self.observables.declared if name not in model.outputs}  # fmt: skip
        return bound(constraints, own, model.outputs, changed | formulas, self.mistakes)

    def _columns(self, tables: list[Table], model: Model) -> list[Column]:
        """The columns that are outputs of the model or formulas; every other one has to be read by a noise model."""
        headers = list(dict.fromkeys(name for t in tables for name in t.names[1:]))
        entity = {h: self.observables.entity.get(h, h) for h in headers}
        observable = {*model.outputs, *self.observables.declared}
        columns = [stacked(entity[h], h, tables) for h in headers if entity[h] in observable]
        for name in dict.fromkeys(c.name for c in columns if sum(c.name == d.name for d in columns) > 1):
            self._at_header(tables, name, f"two columns measure '{name}', one of them renamed", "rename one of them")
        read = {c.name: self.specs.of(c.name) for c in columns}
        beside = {base + suffix for c in columns if (spec := read[c.name]) is not None
                  for base in (c.header, c.name) for suffix in spec.suffixes}  # fmt: skip
        for c in columns:
            if c.header in beside:
                what = f"column '{c.header}' is an output of the model and the noise of another column"
                self._at_header(tables, c.header, what, "rename one of them")
        known = {c.header for c in columns} | beside
        for h in headers:
            if h in self.observables.entity and entity[h] not in observable:
                self.mistakes.add(self.observables.line[h], f"'{entity[h]}' is no output of the model '{model.name}'",
                                  nearest(entity[h], observable))  # fmt: skip
            elif h not in known:
                what, hint = _unmatched(h, columns, model, observable)
                self._at_header(tables, h, what, hint)
        return columns

    def _at_header(self, tables: list[Table], header: str, what: str, hint: str) -> None:
        table = next((t for t in tables if header in t.names), tables[0])
        self.mistakes.at(table.path).add(table.header, what, hint)

    def _measured(self, plan: Plan, columns: Sequence[Column], model: Model) -> tuple[Measured, ...]:
        """The columns with what each of them is compared by."""
        specs = {c.name: spec for c in columns if (spec := self.specs.of(c.name)) is not None}
        for c in columns:
            if c.name not in specs:
                self._say_without_noise(c)
        transforms = {
            c.name: self.normalizations.transforms(plan, c, spec.cumulative, spec.model, self.mistakes)
            for c in columns if (spec := specs.get(c.name)) is not None
        }  # fmt: skip
        measurer = Measurer(plan, model, self.declared, self.observables, transforms, self.mistakes)
        found = (measurer.measured(c, specs[c.name]) for c in columns if c.name in specs)
        return tuple(m for m in found if m is not None)

    def _say_without_noise(self, column: Column) -> None:
        if self.conf.one("objective", "objfunc", "noise_model") is None:
            self.mistakes.add(None, "no objective says how the measurements scatter",
                              "type 'objective = chi_sq' or 'noise_model = <family>, …'")  # fmt: skip
        elif self.conf.one("objective", "objfunc") is not None or column.name in self.specs.own_lines:
            return  # a mistake of that line
        elif all(s.subject for s in self.conf.assigned("noise_model")):
            self.mistakes.add(
                None,
                f"no noise model for '{column.name}'",
                f"type 'noise_model {column.name} = <family>, …', or 'noise_model = <family>, …' for all",
            )


def _unmatched(header: str, columns: list[Column], model: Model, observable: set[str]) -> tuple[str, str]:
    base = next((c for c in columns if header in (f"{c.header}_SD", f"{c.name}_SD")), None)
    if base is not None:
        return (f"column '{header}' is read by no noise model",
                f"delete it, or type 'noise_model {base.name} = normal, sigma = read_exp_file _SD'")  # fmt: skip
    return (f"column '{header}' is no output of the model '{model.name}'",
            nearest(header, observable) or "name an observable, a function or a species of the model")  # fmt: skip


