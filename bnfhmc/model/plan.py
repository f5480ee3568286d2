"""What the direct runs of a model need to know of it: read once, proved on the spot, shared by its clones."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from bnfhmc.expression import ExpressionError
from bnfhmc.model.crossings import Ambiguous, Crossings, Forms, Window
from bnfhmc.model.internals import (
    clocks_of,
    conditions_on_state,
    crossings_asked,
    forms_of,
    named_in_conditions,
    start_rows,
    starts_of,
    volumes,
)
from bnfhmc.model.starts import Row, Starts

FAR = 1e3  # the end of a long run
AGREE = 1e-9  # relative difference that rounding may make between bngsim's numbers and closed forms

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """Where the numbers of a lane's runs come from.

    ``starts``, ``forms``: closed forms; None where bngsim has to be asked. ``seeded``, ``crossed``: whether there is
    anything of the kind at all. ``reads``: the parameters that a lane sets and conditions name; ``clocks``: the species that
    read the time, by index.
    """

    columns: tuple[str, ...]
    seeded: bool
    starts: Starts | None
    crossed: bool
    forms: Forms | None
    reads: tuple[str, ...]
    clocks: dict[int, str]

    def at(self, model: Any) -> tuple[float, ...]:
        """Everything that the crossings of a run from the model's present state depend on, but for its window."""
        core = model._core
        return (*map(core.get_param, self.reads), *map(core.get_concentration, self.clocks.values()))

    def crossings(self, model: Any, window: Window) -> Crossings:
        """The crossings of a run from the model's present state and values."""
        if self.forms is not None:
            try:
                return self.closed(self.forms, model, window)
            except Ambiguous:
                pass
        return crossings_asked(model, self.columns, window)

    def closed(self, forms: Forms, model: Any, window: Window) -> Crossings:
        """The same by closed forms alone; raises Ambiguous where they do not tell."""
        core = model._core
        m = {n: core.get_param(n) for n in forms.names}
        return forms.at(m, {i: core.get_concentration(name) for i, name in self.clocks.items()}, window)


class Plans:
    """The plans of one model file's lanes."""

    def __init__(self, source: Any):
        self._source, self._lock = source.clone(), threading.Lock()
        self._plans = dict[tuple[tuple[str, ...], tuple[str, ...]], Plan | None]()
        self._starts: Starts | None = None
        self._read = False
        self.proved = set[tuple[bool, ...]]()  # kinds of lanes whose direct run was equal to the public one
        self.refused = False  # whether one was not
        self.refusals = dict[tuple[str, ...], str]()  # why sensitivities by columns would be wrong

    @cached_property
    def said(self) -> list[Row]:
        """∂x(0)/∂p at the file's values as bngsim has it, which takes it seconds where initial amounts are long expressions."""
        core = self._source._core
        return start_rows(core) if core.species_ic_param_refs or core.compartment_ic_sens_seeds else []

    def of(self, names: tuple[str, ...], columns: tuple[str, ...]) -> Plan | None:
        """The plan of runs that set the parameters `names` and differentiate by `columns`; None where there is none."""
        with self._lock:
            if (names, columns) not in self._plans:
                self._plans[names, columns] = self._made(names, columns)
            return self._plans[names, columns]

    def _made(self, names: tuple[str, ...], columns: tuple[str, ...]) -> Plan | None:
        core = self._source._core
        if columns and not self._read:
            self._starts, self._read = _starts(self._source.clone(), self.said), True
        seeded = bool(columns) and bool(core.species_ic_param_refs or core.compartment_ic_sens_seeds)
        starts = self._starts.by(columns) if self._starts is not None else None
        named = named_in_conditions(self._source)
        plan = Plan(columns, seeded, starts, bool(named), None, tuple(n for n in names if n in named), {})
        return _with_forms(plan, self._source, names) if named else plan


def _with_forms(plan: Plan, source: Any, names: Sequence[str]) -> Plan | None:
    """The plan with closed forms of its crossings where they agree with bngsim; None where nothing may be read once."""
    probe = source.clone()
    kinds = [(clocks_of(probe._core), conditions_on_state(probe._core)) for _ in _moved(probe, names)]
    if any(kind != kinds[0] for kind in kinds):
        return None
    plan = replace(plan, clocks=kinds[0][0])
    try:
        forms = forms_of(source.clone(), plan.columns)
    except ExpressionError as error:
        log.info("bngsim works out the crossings of conditions at every point: %s", error)
        return plan
    if not _agree(plan, forms, source.clone(), names):
        log.info("bngsim works out the crossings of conditions at every point: closed forms differ")
        return plan
    return replace(plan, forms=forms)


def same(a: Any, b: Any) -> bool:
    """Whether two nests of numbers are equal but for rounding."""
    if isinstance(a, (list, tuple)):
        return isinstance(b, (list, tuple)) and len(a) == len(b) and all(map(same, a, b))
    return a == b or bool(np.isclose(a, b, rtol=AGREE, atol=1e-14, equal_nan=True))


def _totals(rows: Iterable[Row], columns: Iterable[int]) -> dict[tuple[int, int], float]:
    """∂x(0)/∂p by (species, parameter)."""
    out, kept = dict[tuple[int, int], float](), set(columns)
    for species, parameter, slope in rows:
        if parameter in kept:
            out[species, parameter] = out.get((species, parameter), 0.0) + slope
    return out


def _starts(model: Any, said: Sequence[Row]) -> Starts | None:
    """The closed form of initial amounts, if it says the same as bngsim at the file's values (`said`) and away from them."""
    core = model._core
    if not core.species_ic_param_refs:
        return Starts((), {})
    try:
        starts = starts_of(core)
    except ExpressionError as error:
        log.info("bngsim works out how initial amounts move at every point: %s", error)
        return None
    columns, shut = starts.columns.values(), set(model.unwritable_compartment_size_params)
    for k, _ in enumerate(islice(_moved(model, [n for n in model.primary_param_names if n not in shut]), 2)):
        divisors, sizes = volumes(core)
        ours = _totals([*starts.rows({n: core.get_param(n) for n in starts.names}, divisors), *sizes], columns)
        theirs = _totals(start_rows(core) if k else said, columns)
        both = sorted(ours.keys() | theirs.keys())
        if not same([ours.get(at, 0.0) for at in both], [theirs.get(at, 0.0) for at in both]):
            log.info("bngsim works out how initial amounts move at every point: the closed form differs")
            return None
    return starts


def _agree(plan: Plan, forms: Forms, model: Any, names: Sequence[str]) -> bool:
    """Whether closed forms say what bngsim says, at the file's values and away from them, in short runs and in long ones."""
    told = 0
    for _ in _moved(model, names):
        ends = [FAR, 1.0]
        for end in ends:  # at first before bngsim has been asked, which brings some of the model's values up to date
            try:
                ours = plan.closed(forms, model, (0.0, end))
                theirs = crossings_asked(model, plan.columns, (0.0, end))
            except (Ambiguous, ValueError):
                continue
            if not same(ours, theirs):
                return False
            told += 1
            if end == FAR and ours is not None:
                ends += [f * stop[0] for stop in ours.stops for f in (0.9, 1.5) if stop[0] > 0]
    return told > 0


def _moved(model: Any, names: Sequence[str]) -> Iterator[None]:
    """The model at its file's values, then with the parameters `names` moved by some percent, twice."""
    yield
    for step in (0.0371, -0.0219):
        for i, name in enumerate(names):
            value = model.get_param(name)
            model.set_param(name, value * (1 + step * (1 + i % 7)) if value else abs(step) * (1 + i % 7))
        model.reset()
        yield
