"""Which experiments ask a model for one and the same run."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from jaxtyping import Float, Int

from bnfhmc.model.protocol import Failure, Model
from bnfhmc.phase import Solved, Theta
from bnfhmc.problem import Condition, Experiment
from bnfhmc.routing import Routing
from bnfhmc.simulation import Simulation


def batches(experiments: Sequence[Experiment]) -> list[list[int]]:
    """The experiments in an order in which those that share a run, or what is at rest before it, follow one another.

    Experiments of one batch share runs of their own; batches that start from the same rest are neighbours.
    """
    rests: dict[Hashable, dict[Hashable, list[int]]] = {}
    for i, e in enumerate(experiments):
        rest = (e.model, _changes(e.before), e.t_max) if e.before is not None else None
        rests.setdefault(rest, {}).setdefault(_course(e) if _is_course(e) else i, []).append(i)
    return [which for courses in rests.values() for which in courses.values()]


def shared_times(experiments: Sequence[Experiment]) -> list[Float[np.ndarray, " time"] | None]:
    """For each experiment the times of all that differ from it in nothing else; None where it is alone or no time course.

    Where experiments ask for the same times they ask for the same run, which the model then has at hand.
    """
    alike: dict[Hashable, list[int]] = {}
    for i, e in enumerate(experiments):
        if _is_course(e):
            alike.setdefault(_course(e), []).append(i)
    out: list[Float[np.ndarray, " time"] | None] = [None] * len(experiments)
    for which in alike.values():
        times = np.unique(np.concatenate([experiments[i].times for i in which]))
        for i in which if len(which) > 1 else ():
            out[i] = times
    return out


class SomeRows:
    """Some rows of a simulation that others read as well, as if they were all that is asked for."""

    def __init__(self, simulation: Simulation, rows: Int[np.ndarray, " row"]):
        self.simulation, self.rows = simulation, rows

    @property
    def model(self) -> Model:
        """As of the simulation."""
        return self.simulation.model

    @property
    def routings(self) -> tuple[Routing, ...]:
        """As of the simulation."""
        return self.simulation.routings

    @property
    def used(self) -> frozenset[str]:
        """As of the simulation."""
        return self.simulation.used

    @property
    def slow(self) -> str:
        """As of the simulation."""
        return self.simulation.slow

    def solve(self, theta: Theta, gradient: bool) -> Solved | Failure:
        """The outputs at θ in these rows, with their sensitivities where `gradient`."""
        solved = self.simulation.solve(theta, gradient)
        if isinstance(solved, Failure):
            return solved
        rows = self.rows
        m = {q: x[rows] if isinstance(x, np.ndarray) else x for q, x in solved.m.items()}
        dm = {q: x[rows] if x.ndim == 2 else x for q, x in solved.dm.items()}
        return Solved(solved.y[rows], solved.dy[rows], solved.G, m, dm)


def _is_course(e: Experiment) -> bool:
    return e.scan is None and len(e.times) > 0 and bool(np.isfinite(e.times[-1]))


def _course(e: Experiment) -> Hashable:
    """What a time course depends on, but for the times it is read at."""
    later = tuple((p.time, _changes(p.condition)) for p in e.later)
    return e.model, _changes(e.condition), e.before is None, _changes(e.before), later, e.t_max, float(e.times[0])


def _changes(condition: Condition | None) -> Hashable:
    return (condition.perturbations, condition.at_once) if condition is not None and condition.perturbations else None
