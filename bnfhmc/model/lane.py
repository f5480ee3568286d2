"""One bngsim model and simulator for one set of quantities to set and one set of sensitivity columns."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.model.feed import Feed
from bnfhmc.model.internals import Direct, undifferentiable
from bnfhmc.model.limits import Limits
from bnfhmc.model.plan import Plans
from bnfhmc.model.protocol import Trajectory
from bnfhmc.model.starts import Row

Seeds = Mapping[str, Float[np.ndarray, " column"]]  # species → ∂(initial amount)/∂column

REMEMBERED = 1_000_000  # numbers of a run that may be kept until the next

log = logging.getLogger(__name__)


class Run(NamedTuple):
    """A run that is over: the arrays of the solver, and bngsim's view of them where that is what has to be read."""

    arrays: Any
    result: Any = None


class Lane:
    """Runs that set the same quantities and have the same columns. Lanes are never shared, so no value lingers in another.

    ``simulator`` has the columns in the order parameters, then amounts; ``units``: reported amount per solver concentration
    of each species; ``public``: why bngsim's own `run` has to be taken, empty where it has not; ``steps``: that the solver has
    taken in the runs that did not fail.
    """

    def __init__(
        self, simulator: Any, units: Mapping[str, float], names: tuple[str, ...], columns: tuple[str, ...], limits: Limits,
        plans: Plans, public: str,
    ):  # fmt: skip
        self.simulator, self.model, self.limits = simulator, simulator.model, limits
        self.parameters = tuple(n for n in names if n not in units)
        self.amounts = tuple((n, units[n]) for n in names if n in units)
        self.columns, self.by_parameter = columns, tuple(c for c in columns if c not in units)
        by_amount = tuple(c for c in columns if c in units)
        ordered = self.by_parameter + by_amount
        self.order = None if ordered == columns else np.array([ordered.index(c) for c in columns])
        self.per_unit = np.array([1.0 / units[c] for c in by_amount])
        self._plans, self._why_public = plans, public
        self.steps = 0
        self._core = core = self.model._core
        species, index = list(core.species_names), list(core.param_names)
        self._seeded = tuple((n, species.index(n), 1.0 / unit) for n, unit in self.amounts)
        self._slots = [(k, index.index(c)) for k, c in enumerate(columns) if c not in units]
        self._readers: dict[tuple[str, ...], Reader] = {}
        self._proven = False
        self._last: tuple[Any, Run] | None = None
        self._rest: tuple[Run, bool] | None = None

    @cached_property
    def _feed(self) -> Feed | None:
        """What feeds direct runs; None where bngsim's own are taken."""
        plan = self._plans.of(self.parameters, self.by_parameter) if not self._why_public else None
        if plan is None:
            log.info("model of %d species: bngsim's own run is taken at every point: %s", self.model.n_species,
                     self._why_public or "which conditions are on the time depends on the parameters")  # fmt: skip
            return None
        limits = self.limits
        direct = Direct(self.simulator, limits.rtol, limits.atol, limits.max_steps, limits.timeout_s)
        sized = not {*self.parameters}.isdisjoint(self.model.compartment_size_params)
        return Feed(direct, self.model, plan, self.parameters, [species for _, species, _ in self._seeded], sized)

    def run(self, values: Mapping[str, float], times: Float[np.ndarray, " time"], seeds: Seeds | None) -> Run:
        """Set `values` and integrate over `times`; the run before is returned where it was the same. Raises as bngsim does."""
        given = {n: row.tobytes() for n, row in seeds.items()} if seeds else None
        asked = times.tobytes(), tuple(values.values()), given
        if self._last is not None and self._last[0] == asked:
            return self._last[1]
        self._last = None  # what is held, and what the model is set to, have to be of one run
        run = self._run(values, times, seeds)
        if run.arrays.state_data.size * (1 + len(self.columns)) <= REMEMBERED:
            self._last = asked, run
        return run

    def _run(self, values: Mapping[str, float], times: np.ndarray, seeds: Seeds | None) -> Run:
        feed = self._feed
        if feed is None or self._plans.refused:
            return self._public(values, times, seeds)
        if not self._proven:
            return self._proved(feed, values, times, seeds)
        return self._directly(feed, values, times, seeds)

    def settled(self, run: Run) -> bool:
        """Whether the last state is at rest (its rates vanish, or doubling the time has changed nothing), and so are its
        sensitivities, which settle at the pace of the slowest mode also where the state was at rest from the start.
        """
        if self._rest is None or self._rest[0] is not run:
            self._rest = run, self._at_rest(run)
        return self._rest[1]

    def _at_rest(self, run: Run) -> bool:
        arrays = run.arrays
        before, state = arrays.state_data[-2:]
        size = 1.0 + float(np.abs(state).max())
        rates = self.model.rhs(state, float(arrays.time[-1]))
        at_rest = np.linalg.norm(rates) / len(rates) < max(self.limits.atol, 1e-12 * size)
        if not (at_rest or _near(state, before, 1e-6, 1e-9 * size)):
            return False
        for S in (arrays.sensitivity_data, arrays.sensitivity_ic_data):
            if S.size and not _near(S[-1], S[-2], 1e-4, 1e-6 * np.abs(S[-1]).max() + 1e-12):
                return False
        return True

    def read(self, run: Run, selectors: tuple[str, ...]) -> Trajectory:
        """The outputs of a run, as ``kind:name``; raises ValueError for one that has no sensitivity."""
        if run.result is not None:
            return self._read_public(run.result, list(selectors))
        reader = self._readers.get(selectors)
        if reader is None:
            reader = self._readers[selectors] = Reader(self, run.arrays, selectors)
        y = reader.read(run.arrays, 0)
        parts = []
        if self.by_parameter:
            parts.append(reader.read(run.arrays, 1))
        if self.per_unit.size:
            parts.append(reader.read(run.arrays, 2) * self.per_unit)
        return self._trajectory(y, parts)

    def _directly(self, feed: Feed, values: Mapping[str, float], times: np.ndarray, seeds: Seeds | None) -> Run:
        core = self._core
        for name in self.parameters:
            core.set_param(name, values[name])
        core.reset()
        for name, unit in self.amounts:
            core.set_concentration(name, values[name] / unit)
        feed.start(self._declared(seeds))
        feed.cross((float(times[0]), float(times[-1])))
        return self._counted(Run(feed.direct.run(times)))

    def _declared(self, seeds: Seeds | None) -> list[Row]:
        """∂x(0)/∂p of the species that are set."""
        if not seeds:
            return []
        return [(species, slot, float(seeds[name][k]) * per_unit) for name, species, per_unit in self._seeded if name in seeds
                for k, slot in self._slots]  # fmt: skip

    def _public(self, values: Mapping[str, float], times: np.ndarray, seeds: Seeds | None) -> Run:
        """The same by bngsim's own `run`."""
        model, limits = self.model, self.limits
        model.set_params({n: values[n] for n in self.parameters})
        model.reset()
        for name, unit in self.amounts:
            model.set_concentration(name, values[name] / unit)
        if self.amounts:  # no parameter seeds a species that is set, also where the set value happens to equal its own
            rows = seeds or {}
            model.declare_ic_sensitivity({
                n: {c: float(d) / unit for c, d in zip(self.columns, rows[n], strict=True) if d} if n in rows else {}
                for n, unit in self.amounts
            })  # fmt: skip
        result = self.simulator.run(
            sample_times=times.tolist(), rtol=limits.rtol, atol=limits.atol, max_steps=limits.max_steps,
            timeout=limits.timeout_s,
        )  # fmt: skip
        return self._counted(Run(result._core, result))

    def _counted(self, run: Run) -> Run:
        self.steps += run.arrays.solver_stats.n_steps
        return run

    def _proved(self, feed: Feed, values: Mapping[str, float], times: np.ndarray, seeds: Seeds | None) -> Run:
        """Both ways, the first time of its kind: where they differ, bngsim's own run is taken from there on."""
        kind = bool(self.by_parameter), bool(self.per_unit.size), bool(self.amounts), feed.plan.crossed
        if kind in self._plans.proved:
            return self._trusted(feed, values, times, seeds)
        public = self._public(values, times, seeds)
        try:
            direct = self._directly(feed, values, times, seeds).arrays
            why = _difference(public.arrays, direct, 10 * self.limits.rtol)
        except RuntimeError as error:
            why = str(error)
        if why:
            log.warning("bngsim's own run is taken at every point, since the direct one differs: %s", why)
            self._plans.refused = True
            return public
        self._plans.proved.add(kind)
        return self._trusted(feed, values, times, seeds)

    def _trusted(self, feed: Feed, values: Mapping[str, float], times: np.ndarray, seeds: Seeds | None) -> Run:
        """The first direct run of a kind that is proved."""
        feed.direct.control_errors(self.limits.error_control)
        self._proven = True
        return self._directly(feed, values, times, seeds)

    def _read_public(self, result: Any, selectors: list[str]) -> Trajectory:
        parts = []
        if self.by_parameter:
            parts.append(result.output_sensitivities(selectors))
        if self.per_unit.size:
            parts.append(result.output_sensitivities(selectors, axis="ic") * self.per_unit)
        return self._trajectory(result.outputs(selectors), parts)

    def _trajectory(self, y: np.ndarray, parts: list[np.ndarray]) -> Trajectory:
        if not parts:
            return Trajectory(y, np.empty((*y.shape, 0)))
        dy = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
        return Trajectory(y, dy if self.order is None else dy[:, :, self.order])


KINDS = {  # kind of output → its names, values, ∂/∂parameter and ∂/∂(initial amount) among the arrays of the solver
    "species": ("species_names", "species_data", "sensitivity_data", "sensitivity_ic_data"),
    "observable": ("observable_names", "observable_data", "observable_sensitivity_data", "observable_sensitivity_ic_data"),
    "expression": ("expression_names", "expression_data", "expression_sensitivity_data", "expression_sensitivity_ic_data"),
}
ARRAYS = sorted({name for _, *arrays in KINDS.values() for name in arrays})


class Reader:
    """Where the outputs `selectors` of a lane stand in the arrays of its solver."""

    def __init__(self, lane: Lane, arrays: Any, selectors: tuple[str, ...]):
        self.size, where = len(selectors), dict[str, tuple[list[int], list[int]]]()
        blind = undifferentiable(lane.simulator) if lane.columns else {}
        for i, (kind, _, name) in enumerate(s.partition(":") for s in selectors):
            if kind == "expression" and blind.get(name):
                raise ValueError(f"'{name}' has no sensitivity: {blind[name]}")
            at, rows = where.setdefault(kind, ([], []))
            at.append(i)
            rows.append(list(getattr(arrays, KINDS[kind][0])).index(name))
        self._parts = [(KINDS[kind][1:], np.array(at), _run_of(rows)) for kind, (at, rows) in where.items()]

    def read(self, arrays: Any, which: int) -> np.ndarray:
        """Values (0), ∂/∂parameter (1) or ∂/∂(initial amount) (2): [time, output, …]."""
        if len(self._parts) == 1:
            names, _, rows = self._parts[0]
            return getattr(arrays, names[which])[:, rows]
        out = np.empty(0)
        for names, at, rows in self._parts:
            block = getattr(arrays, names[which])[:, rows]
            if not out.size:
                out = np.empty((len(block), self.size, *block.shape[2:]))
            out[:, at] = block
        return out


@np.errstate(all="ignore")
def _near(a: np.ndarray, b: np.ndarray, relative: float, absolute: float) -> bool:
    """Whether |a − b| ≤ absolute + relative |b| everywhere; never where one is no number."""
    return bool((np.abs(a - b) <= absolute + relative * np.abs(b)).all())


def _run_of(rows: list[int]) -> slice | np.ndarray:
    """The rows as a slice, which needs no copy, where they follow one another."""
    return slice(rows[0], rows[-1] + 1) if rows == list(range(rows[0], rows[-1] + 1)) else np.array(rows)


def _difference(public: Any, direct: Any, tolerance: float) -> str:
    """Where the arrays of two runs differ by more than `tolerance` of their largest number; empty where they do not."""
    for name in ("state_data", *ARRAYS):
        a, b = getattr(public, name), getattr(direct, name)
        scale = np.abs(a, where=np.isfinite(a), out=np.zeros(a.shape)).max(initial=0.0)
        if a.shape != b.shape or not np.allclose(a, b, rtol=tolerance, atol=tolerance * scale, equal_nan=True):
            return name
    return ""
