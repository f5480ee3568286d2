"""One stretch of integration under one condition: from a start to outputs and to the state it ends in.

A start x(θ) that an earlier stretch has left comes with ∂x/∂θ. Where each θ that moves x also has a column of its own here,
∂x/∂θ enters as that column's initial value; otherwise (a parameter that the condition pins) the initial amounts become
columns themselves and ∂x/∂θ multiplies them from the right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from bnfhmc.model.protocol import Failure, Model, Solver, Trajectory
from bnfhmc.routing import Routing

Theta = Mapping[str, float]


class Solved(NamedTuple):
    """Outputs of an experiment and how they move with θ: ∂y/∂θ = dy @ G.

    ``m``: the model's quantities that formulas read, as the conditions set them ([row] where they differ from row to row);
    ``dm``: their ∂/∂θ.
    """

    y: Float[np.ndarray, "row output"]
    dy: Float[np.ndarray, "row output column"]
    G: Float[np.ndarray, "column d"]
    m: Mapping[str, float | Float[np.ndarray, " row"]]
    dm: Mapping[str, Float[np.ndarray, " d"] | Float[np.ndarray, "row d"]]


class State(NamedTuple):
    """Outputs x at one time, amounts among them, by name, and ∂x/∂θ[output, d]."""

    names: tuple[str, ...]
    x: Float[np.ndarray, " output"]
    dx: Float[np.ndarray, "output d"]

    def of(self, name: str) -> tuple[float, Float[np.ndarray, " d"]]:
        """One output and its ∂/∂θ, which is empty where no gradient is asked for."""
        i = self.names.index(name)
        return float(self.x[i]), self.dx[i]

    def by_name(self) -> dict[str, float]:
        """The outputs."""
        return dict(zip(self.names, self.x.tolist(), strict=True))


class Passed(NamedTuple):
    """A phase that is over: the experiment's rows in it, the state at its end and at its first time where these are asked
    for, and the model's quantities that were set."""

    rows: Solved
    end: State | None
    began: State | None
    values: Mapping[str, float]


@dataclass(slots=True)
class Phase:
    """A routing and what is asked of the model under it.

    ``times``: the start of integration, the rows and the end, strictly increasing, or [inf] for the steady state reached
    within ``t_max`` from ``since`` on; ``rows``: which of them the experiment has, None for all; ``outputs``: what is
    observed; ``state``: what the next phase starts from and reads; ``watched``: what is wanted of the first time;
    ``reads``: quantities that formulas read.
    """

    routing: Routing
    model: Model
    times: Float[np.ndarray, " time"]
    rows: Int[np.ndarray, " row"] | None
    outputs: tuple[str, ...]
    reads: frozenset[str]
    t_max: float
    state: tuple[str, ...] = ()
    since: float = 0.0
    watched: tuple[str, ...] = ()
    asked: tuple[str, ...] = field(init=False)
    species: tuple[str, ...] = field(init=False)
    _ends: list[int] = field(init=False)
    _watched: list[int] = field(init=False)
    _hosts: dict[int, int] = field(init=False)

    def __post_init__(self) -> None:
        wanted = tuple(dict.fromkeys((*self.outputs, *self.state, *self.watched)))
        self.asked = wanted or self.model.outputs[:1]  # formulas may read none, and rows are still to be counted
        self._ends = [self.asked.index(n) for n in self.state]
        self._watched = [self.asked.index(n) for n in self.watched]
        self.species = tuple(q for q in self.model.quantities if q in self.model.amounts)
        self._hosts = self._host_columns()

    def solve(
        self, theta: Theta, d_reads: Float[np.ndarray, "read d"] | None, start: State | None, gradient: bool,
        solver: Solver | None = None,
    ) -> Passed | Failure:  # fmt: skip
        """Integrate at θ from `start`, or from the model's own initial values where there is none.

        ``solver``: what integrates instead of the model.

        ``theta`` holds the values of the routing's reads and the dose of a scan too.
        """
        values = self.routing.quantities(theta)
        G = self.routing.jacobian(theta, d_reads)
        dm = {c: G[i] for i, c in enumerate(self.routing.columns) if c in self.reads}
        m = {q: values.get(q, self.model.quantities[q]) for q in self.reads}
        columns: tuple[str, ...] = self.routing.columns if gradient else ()
        seeds = None
        if start is not None:
            kept = [i for i, s in enumerate(self.species) if s not in values]
            values |= {self.species[i]: float(start.x[i]) for i in kept}
            if gradient and (hosts := self._usable_hosts(G, start.dx[: len(self.species)])) is not None:
                seeds = {self.species[i]: self._seed(start.dx[i], G, hosts) for i in kept}
            elif gradient:
                columns += tuple(self.species[i] for i in kept)
                G = np.vstack([G, start.dx[kept]])
        solved = self._integrate(values, columns, seeds, solver or self.model)
        if isinstance(solved, Failure):
            return solved
        G = G if gradient else G[:0]
        end = State(self.state, solved.y[-1, self._ends], solved.dy[-1, self._ends] @ G) if self.state else None
        began = State(self.watched, solved.y[0, self._watched], np.empty((0, 0))) if self.watched else None
        y, dy = solved.y, solved.dy
        if len(self.asked) > len(self.outputs):
            y, dy = y[:, : len(self.outputs)], dy[:, : len(self.outputs)]
        if self.rows is not None:
            y, dy = y[self.rows], dy[self.rows]
        return Passed(Solved(y, dy, G, m, dm), end, began, values)

    def _integrate(
        self, values: Mapping[str, float], columns: tuple[str, ...], seeds: Mapping[str, np.ndarray] | None, solver: Solver
    ) -> Trajectory | Failure:
        if np.isfinite(self.times[-1]):
            return solver.solve(values, self.times, self.asked, columns, seeds)
        return self.model.equilibrate(values, self.t_max, self.asked, columns, seeds, self.since)

    def _host_columns(self) -> dict[int, int]:
        """θ index → a parameter column that moves with it and with nothing else."""
        moves: dict[int, list[int]] = {}
        for c, j, _ in self.routing.slopes:
            moves.setdefault(c, []).append(j)
        return {js[0]: c for c, js in moves.items()
                if len(js) == 1 and js[0] < self.routing.dim and self.routing.columns[c] not in self.model.amounts}  # fmt: skip

    def _usable_hosts(self, G: np.ndarray, dx: np.ndarray) -> dict[int, int] | None:
        """The host of each θ that moves the start, or None where some θ has none."""
        moving = np.flatnonzero(dx.any(axis=0)).tolist()
        if all(j in self._hosts and G[self._hosts[j], j] != 0.0 for j in moving):
            return {j: self._hosts[j] for j in moving}
        return None

    def _seed(self, dx: np.ndarray, G: np.ndarray, hosts: Mapping[int, int]) -> np.ndarray:
        seed = np.zeros(len(self.routing.columns))
        for j, c in hosts.items():
            seed[c] = dx[j] / G[c, j]
        return seed
