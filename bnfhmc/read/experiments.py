"""Plans, data and models → experiments: columns matched with model outputs, each with its noise model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from bnfhmc.errors import nearest
from bnfhmc.expression import Name, expression
from bnfhmc.model.protocol import Model
from bnfhmc.problem import Experiment, Series
from bnfhmc.read.data import Column, Table, read_table, stacked
from bnfhmc.read.keys import LATER, RECORDS
from bnfhmc.read.lines import NAME, fields
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.noise import Specs
from bnfhmc.read.plans import Plan
from bnfhmc.read.record import Conf
from bnfhmc.read.sources import sources_of


@dataclass(frozen=True, slots=True)
class Renames:
    """``observable: <model entity>, column: <header>`` lines: header → entity, and the line of each."""

    entity: Mapping[str, str] = field(default_factory=dict)
    line: Mapping[str, int] = field(default_factory=dict)


def read_renames(conf: Conf, mistakes: Mistakes) -> Renames:
    """The columns whose header is not the model's own name."""
    entity: dict[str, str] = {}
    line: dict[str, int] = {}
    for s in conf.records("observable"):
        said = fields(s, RECORDS["observable"], mistakes)
        name, header = said.head[0] if len(said.head) == 1 else "", said.text("column")
        if "formula" in said.named:
            continue
        if not NAME.fullmatch(name) or header is None:
            mistakes.add(s.line, f"'observable: {s.value}' does not name an output and a column",
                         "type 'observable: <model output>, column: <header>'")  # fmt: skip
        elif header in entity or name in entity.values():
            twice = f"column '{header}'" if header in entity else f"observable '{name}'"
            mistakes.add(s.line, f"{twice} is renamed twice", "keep one line")
        else:
            entity[header], line[header] = name, s.line
    return Renames(entity, line)


@dataclass(slots=True)
class Builder:
    """Builds experiments, and keeps what the checks of the whole configuration need.

    ``seen``: observables that were found in data; ``headers``: columns that were.
    """

    conf: Conf
    specs: Specs
    renames: Renames
    mistakes: Mistakes
    seen: set[str] = field(default_factory=set)
    headers: set[str] = field(default_factory=set)

    def experiment(self, plan: Plan, models: Mapping[str, Model]) -> Experiment | None:
        """One experiment; None, with its mistakes said, where it cannot be built."""
        tables = [read_table(path, self.mistakes, plan.line) for path in plan.data]
        self.headers.update(name for t in tables if t is not None for name in t.names)
        whole = [t for t in tables if t is not None]
        if not whole:
            return None
        _check_end(plan, whole, self.mistakes)
        if plan.model is None or plan.model not in models:
            return None
        model = models[plan.model]
        times = np.unique(np.concatenate([[0.0], *(t.column("time") for t in whole)]))
        before = len(self.mistakes.found)
        columns = self._columns(whole, model)
        self.seen.update(c.name for c in columns)
        series = [s for c in columns if len(c.places) and (s := self._series(c, times)) is not None]
        if not any(len(c.places) for c in columns) and len(self.mistakes.found) == before:
            self.mistakes.add(plan.line, f"experiment '{plan.name}' has no measurements of the model's outputs",
                              "name each column after an observable or function of the model")  # fmt: skip
        condition = plan.condition.condition if plan.condition else None
        return Experiment(plan.name, plan.model, times, tuple(series), condition)

    def _columns(self, tables: list[Table], model: Model) -> list[Column]:
        """The columns that are outputs of the model; every other one has to be read by a noise model."""
        headers = list(dict.fromkeys(name for t in tables for name in t.names[1:]))
        entity = {h: self.renames.entity.get(h, h) for h in headers}
        columns = [stacked(entity[h], h, tables) for h in headers if entity[h] in model.outputs]
        for name in dict.fromkeys(c.name for c in columns if sum(c.name == d.name for d in columns) > 1):
            self._at_header(tables, name, f"two columns measure '{name}', one of them renamed", "rename one of them")
        read = {c.name: self.specs.of(c.name) for c in columns}
        beside = {base + suffix for c in columns if (spec := read[c.name]) is not None
                  for base in (c.header, c.name) for suffix in spec.suffixes}  # fmt: skip
        for c in columns:
            if c.header in beside:
                what = f"column '{c.header}' is an output of the model and the noise of another column"
                self._at_header(tables, c.header, what, "rename one of them")
            if self.specs.cum_is_cumulative and "_Cum" in c.name:
                what = f"column '{c.header}': cumulative counts (_Cum under neg_bin_dynamic) {LATER}"
                self._at_header(tables, c.header, what, "give the counts of each interval")
        known = {c.header for c in columns} | beside
        for h in headers:
            if h in self.renames.entity and entity[h] not in model.outputs:
                self.mistakes.add(self.renames.line[h], f"'{entity[h]}' is no output of the model '{model.name}'",
                                  nearest(entity[h], model.outputs))  # fmt: skip
            elif h not in known:
                what, hint = _unmatched(h, columns, model)
                self._at_header(tables, h, what, hint)
        return columns

    def _at_header(self, tables: list[Table], header: str, what: str, hint: str) -> None:
        table = next((t for t in tables if header in t.names), tables[0])
        self.mistakes.at(table.path).add(table.header, what, hint)

    def _series(self, column: Column, times: np.ndarray) -> Series | None:
        spec = self.specs.of(column.name)
        if spec is None:
            if self.conf.one("objective", "objfunc", "noise_model") is None:
                self.mistakes.add(None, "no objective says how the measurements scatter",
                                  "type 'objective = chi_sq' or 'noise_model = <family>, …'")  # fmt: skip
            elif self.conf.one("objective", "objfunc") is None and column.name not in self.specs.own_lines:
                self._say_without_noise(column)
            return None
        sources = sources_of(spec, column, self.mistakes)
        if sources is None:
            return None
        index = np.searchsorted(times, column.time)
        observable = expression(Name(column.name))
        return Series(column.name, observable, index, column.observed, spec.model, sources)

    def _say_without_noise(self, column: Column) -> None:
        if all(s.subject for s in self.conf.assigned("noise_model")):
            self.mistakes.add(
                None,
                f"no noise model for '{column.name}'",
                f"type 'noise_model {column.name} = <family>, …', or 'noise_model = <family>, …' for all",
            )


def _unmatched(header: str, columns: list[Column], model: Model) -> tuple[str, str]:
    base = next((c for c in columns if header in (f"{c.header}_SD", f"{c.name}_SD")), None)
    if base is not None:
        return (f"column '{header}' is read by no noise model",
                f"delete it, or type 'noise_model {base.name} = normal, sigma = read_exp_file _SD'")  # fmt: skip
    return (f"column '{header}' is no output of the model '{model.name}'",
            nearest(header, model.outputs) or "name an observable, a function or a species of the model")  # fmt: skip


def _check_end(plan: Plan, tables: list[Table], mistakes: Mistakes) -> None:
    if plan.simulation is None or plan.simulation.t_end is None:
        return
    end = plan.simulation.t_end
    for t in tables:
        late = np.flatnonzero(t.column("time") > end + 1e-9 * abs(end))
        if len(late):
            what = f"the time lies after the end of the simulation '{plan.simulation.suffix}', {end:g}"
            mistakes.at(t.path).add(t.lines[late[0]], what, "let the simulation end later")
