"""One experiment solved: equilibrate, perturb, integrate or scan, with every derivative carried through to θ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import InputError, Mistake, nearest
from bnfhmc.model.protocol import Failure, Model, Trajectory
from bnfhmc.problem import Experiment, Scan
from bnfhmc.routing import DOSE, route

Theta = Mapping[str, float]


class Solved(NamedTuple):
    """Outputs of an experiment and how they move with θ: ∂y/∂θ = dy @ G.

    ``m``: the model's quantities that formulas read, as the condition sets them ([row] in a scan); ``dm``: their ∂/∂θ.
    """

    y: Float[np.ndarray, "row output"]
    dy: Float[np.ndarray, "row output column"]
    G: Float[np.ndarray, "column d"]
    m: Mapping[str, float | Float[np.ndarray, " row"]]
    dm: Mapping[str, Float[np.ndarray, " d"] | Float[np.ndarray, "row d"]]


class _Start(NamedTuple):
    """A pre-equilibrated state: amounts x by species, and ∂x/∂θ[species, d]."""

    x: Mapping[str, float]
    dx: Float[np.ndarray, "species d"]


class Simulation:
    """θ → the outputs of one experiment.

    Pre-equilibration hands the steady state x(θ) and ∂x/∂θ to the measured phase. Where each θ that moves x also has a
    column of its own there, ∂x/∂θ enters as that column's initial value; otherwise (a parameter the measured phase pins) the
    initial amounts become columns themselves and ∂x/∂θ multiplies them from the right.
    """

    def __init__(
        self, experiment: Experiment, model: Model, names: tuple[str, ...], outputs: tuple[str, ...], reads: frozenset[str]
    ):
        self.experiment, self.model, self.names, self.outputs, self.reads = experiment, model, names, outputs, reads
        scan = experiment.scan
        if scan is not None:
            _check_scan(experiment.name, scan, model, names)
        carried = model.amounts if experiment.before else frozenset[str]()
        self.routing = route(model, experiment.condition, names, scan.quantity if scan else None, carried)
        self.before = route(model, experiment.before, names) if experiment.before else None
        self.species = tuple(q for q in model.quantities if q in model.amounts)
        self._hosts = self._host_columns()
        self._refuse_wrong_gradients()

    @property
    def used(self) -> frozenset[str]:
        """The free parameters that some quantity of the model depends on."""
        routings = [self.routing] if self.before is None else [self.routing, self.before]
        return frozenset(n for r in routings for value in r.values.values() for n in value.names) & set(self.names)

    def solve(self, theta: Theta, gradient: bool) -> Solved | Failure:
        """The outputs at θ, with their sensitivities where `gradient`."""
        start = self._equilibrated(theta, gradient)
        if isinstance(start, Failure):
            return start
        scan = self.experiment.scan
        if scan is None:
            return self._phase(theta, start, gradient)
        rows = []
        for dose in scan.doses.tolist():
            row = self._phase({**theta, DOSE: dose}, start, gradient)
            if isinstance(row, Failure):
                return row
            rows.append(row)
        return _stacked(rows)

    @property
    def slow(self) -> str:
        """Why the sensitivities are difference quotients, dearer and less exact; empty where they are analytic."""
        routings = [self.routing] if self.before is None else [self.routing, self.before]
        return next((note for r in routings if (note := self.model.sensitivity_note(r.columns))), "")

    def _refuse_wrong_gradients(self) -> None:
        for routing in (self.routing, self.before):
            if routing is not None and (why := self.model.refusal(routing.columns)):
                raise InputError(Mistake(f"model '{self.model.name}' cannot be differentiated: {why}",
                                         "write it with a smooth function, or with an event"))  # fmt: skip

    def _equilibrated(self, theta: Theta, gradient: bool) -> _Start | Failure | None:
        if self.before is None:
            return None
        columns = self.before.columns if gradient else ()
        steady = self.model.equilibrate(self.before.quantities(theta), self.experiment.t_max, self.species, columns)
        if isinstance(steady, Failure):
            return steady
        x = dict(zip(self.species, steady.y[0].tolist(), strict=True))
        return _Start(x, steady.dy[0] @ self.before.jacobian(theta) if gradient else np.empty((len(x), 0)))

    def _phase(self, theta: Theta, start: _Start | None, gradient: bool) -> Solved | Failure:
        """The measured phase at one dose."""
        values = self.routing.quantities(theta)
        G = self.routing.jacobian(theta)
        dm = {c: G[i] for i, c in enumerate(self.routing.columns) if c in self.reads}
        m = {q: values.get(q, self.model.quantities[q]) for q in self.reads}
        columns: tuple[str, ...] = self.routing.columns if gradient else ()
        seeds = None
        if start is not None:
            kept = [i for i, s in enumerate(self.species) if s not in values]
            values |= {self.species[i]: start.x[self.species[i]] for i in kept}
            if gradient and (hosts := self._usable_hosts(G, start.dx)) is not None:
                seeds = {self.species[i]: self._seed(start.dx[i], G, hosts) for i in kept}
            elif gradient:
                columns += tuple(self.species[i] for i in kept)
                G = np.vstack([G, start.dx[kept]])
        solved = self._integrate(values, columns, seeds)
        if isinstance(solved, Failure):
            return solved
        return Solved(solved.y, solved.dy, G if gradient else G[:0], m, dm)

    def _integrate(
        self, values: Mapping[str, float], columns: tuple[str, ...], seeds: Mapping[str, np.ndarray] | None
    ) -> Trajectory | Failure:
        experiment, scan = self.experiment, self.experiment.scan
        if scan is None and np.isfinite(experiment.times[-1]):
            return self.model.solve(values, experiment.times, self.outputs, columns, seeds)
        if scan is None or scan.t_end is None:
            return self.model.equilibrate(values, experiment.t_max, self.outputs, columns, seeds)
        solved = self.model.solve(values, np.array([0.0, scan.t_end]), self.outputs, columns, seeds)
        return solved if isinstance(solved, Failure) else Trajectory(solved.y[-1:], solved.dy[-1:])

    def _host_columns(self) -> dict[int, int]:
        """θ index → a parameter column of the measured phase that moves with it and with nothing else."""
        moves: dict[int, list[int]] = {}
        for c, j, _ in self.routing.slopes:
            moves.setdefault(c, []).append(j)
        return {js[0]: c for c, js in moves.items()
                if len(js) == 1 and self.routing.columns[c] not in self.model.amounts}  # fmt: skip

    def _usable_hosts(self, G: np.ndarray, dx: np.ndarray) -> dict[int, int] | None:
        """The host of each θ that moves the start, or None where some θ has none."""
        moving = np.flatnonzero(np.any(dx != 0.0, axis=0)).tolist()
        if all(j in self._hosts and G[self._hosts[j], j] != 0.0 for j in moving):
            return {j: self._hosts[j] for j in moving}
        return None

    def _seed(self, dx: np.ndarray, G: np.ndarray, hosts: Mapping[int, int]) -> np.ndarray:
        seed = np.zeros(len(self.routing.columns))
        for j, c in hosts.items():
            seed[c] = dx[j] / G[c, j]
        return seed


def _check_scan(whose: str, scan: Scan, model: Model, names: tuple[str, ...]) -> None:
    wrong = []
    if scan.quantity in names:
        wrong.append(Mistake(f"experiment '{whose}' scans '{scan.quantity}', which is a free parameter",
                             "scan another quantity, or fix this one"))  # fmt: skip
    if scan.quantity not in model.quantities:
        wrong.append(Mistake(f"experiment '{whose}' scans '{scan.quantity}', which model '{model.name}' cannot set",
                             nearest(scan.quantity, model.quantities)))  # fmt: skip
    if scan.t_end is not None and not 0 < scan.t_end < np.inf:
        wrong.append(Mistake(f"experiment '{whose}' reads its scan at t = {scan.t_end:g}", "give a time after 0"))
    if wrong:
        raise InputError(wrong)


def _stacked(rows: list[Solved]) -> Solved:
    """One Solved from a row for each dose, its sensitivities already in θ (each dose has a G of its own)."""
    G = np.eye(rows[0].G.shape[1]) if rows[0].G.size else rows[0].G
    dy = np.concatenate([r.dy @ r.G for r in rows]) if rows[0].G.size else np.concatenate([r.dy for r in rows])
    m = {q: np.array([r.m[q] for r in rows]) for q in rows[0].m}
    dm = {q: np.array([r.dm[q] for r in rows]) for q in rows[0].dm}
    return Solved(np.concatenate([r.y for r in rows]), dy, G, m, dm)
