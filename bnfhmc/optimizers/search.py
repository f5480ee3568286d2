"""One start's use of an objective: every solve counted, every failure named, the best point kept, and an end to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn, Protocol, final

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import FailedSolve
from bnfhmc.optimizers.losses import Quadratic, Residuals
from bnfhmc.optimizers.objective import Objective

# History keeps the improvements, and of those only ones that a plot could show.
SHOWN = 1e-4


class Step(NamedTuple):
    """What a callback is told after every solve: which start, how many solves so far, and the best value and point."""

    start: int
    evaluations: int
    value: float
    u: Float[np.ndarray, " d"]


Callback = Callable[[Step], Any]


class Stop(Protocol):
    """What a run is ended by: a `threading.Event`, or what is one to several processes."""

    def is_set(self) -> bool:
        """Whether the run is to end."""
        ...

    def set(self) -> None:
        """End it."""
        ...


@dataclass(frozen=True, slots=True)
class Options:
    """What every backend understands.

    ``tolerance``: a decrease of f below this counts as none. ``max_evaluations``: solves a start. ``seed``: for backends
    that draw random numbers. ``extra``: the backend's own, by name.
    """

    tolerance: float = 1e-6
    max_evaluations: int = 1000
    seed: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Local:
    """Where one start has come to.

    ``u``, ``value``: the best point it has seen, whatever its last one was. ``reason``: why it ended. ``converged``: whether
    that was the backend's own idea. ``evaluations``: all its solves, of which ``gradients`` came with derivatives.
    ``failures``: failed ones by kind. ``history``: (evaluations, value) at each improvement. ``solve_seconds``: in the loss.
    """

    u: Float[np.ndarray, " d"]
    value: float
    reason: str
    converged: bool
    evaluations: int
    gradients: int
    failures: Mapping[str, int]
    history: tuple[tuple[int, float], ...]
    solve_seconds: float


SPENT = "its evaluations are spent"


class Halt(Exception):  # noqa: N818
    """The search ends now, whatever the backend thinks of it; the text says why."""


@final
class Search:
    """An objective for one start: what a backend minimises.

    A failed solve is worth +inf, with a gradient of zeros. The search ends with `Halt` when `limit` solves are spent, when
    the callback returns something true, or when `stop` is set.
    """

    def __init__(
        self,
        objective: Objective,
        *,
        limit: int,
        start: int = 0,
        callback: Callback | None = None,
        stop: Stop | None = None,
    ):
        self.objective, self.limit, self.start = objective, limit, start
        self.best_u = np.full(objective.dim, np.nan)
        self.best_value = np.inf
        self.base: tuple[np.ndarray, float] | None = None  # the best point that has been solved with derivatives
        self.evaluations = self.gradients = 0
        self.failures: dict[str, int] = {}
        self.history: list[tuple[int, float]] = []
        self.solve_seconds = 0.0
        self._callback, self.stop = callback, stop
        self.raised: Exception | None = None  # what ends the search; a backend's package may catch it

    def __getstate__(self) -> dict[str, Any]:
        """It travels with what it has found; objective, callback and stop stay where they are."""
        return self.__dict__ | {"objective": None, "_callback": None, "stop": None}

    def arrived(self, callback: Callback | None, stop: Stop) -> None:
        """Back from elsewhere it is told what it left behind, and tells how far it has come; else nothing happens."""
        if self.stop is None:
            self._callback, self.stop = callback, stop
            if callback is not None and np.isfinite(self.best_value):
                callback(Step(self.start, self.evaluations, self.best_value, self.best_u.copy()))

    @property
    def ended(self) -> bool:
        """Whether the whole run is to end."""
        return self.stop is not None and self.stop.is_set()

    def next(self, limit: int) -> Search:
        """Another search for the same start, with nothing found yet: the account goes on from here."""
        search = Search(self.objective, limit=limit, start=self.start, callback=self._callback, stop=self.stop)
        search.charge(self)
        return search

    def charge(self, account: Search) -> None:
        """Take over the account of a later search."""
        self.evaluations, self.gradients = account.evaluations, account.gradients
        self.failures, self.solve_seconds = dict(account.failures), account.solve_seconds

    def value(self, u: Float[np.ndarray, " d"]) -> float:
        """f(u); +inf where it fails."""
        f = self._counted(self.objective.value, u)
        return np.inf if f is None else self._seen(u, f)

    def gradient(self, u: Float[np.ndarray, " d"]) -> tuple[float, Float[np.ndarray, " d"]]:
        """f(u) and ∂f/∂u; (+inf, 0) where it fails."""
        found = self._counted(self.objective.gradient, u)
        self.gradients += 1
        return (np.inf, np.zeros(len(u))) if found is None else (self._seen(u, found[0], True), found[1])

    def residuals(self, u: Float[np.ndarray, " d"]) -> Residuals | None:
        """ρ and ∂ρ/∂u; None where it fails."""
        found = self._counted(self.objective.residuals, u)
        self.gradients += 1
        if found is not None:
            rows = self.objective.rows
            self._seen(u, float(0.5 * found[0] @ found[0]) + (rows.constant if rows else 0.0), True)
        return found

    def quadratic(self, u: Float[np.ndarray, " d"]) -> Quadratic | None:
        """f(u), ∂f/∂u and a positive semidefinite curvature; None where it fails."""
        found = self._counted(self.objective.quadratic, u)
        self.gradients += 1
        if found is not None:
            self._seen(u, found.value, True)
        return found

    def result(self, reason: str, converged: bool) -> Local:
        """The best point so far, and what it took."""
        history = tuple(self.history)
        if np.isfinite(self.best_value) and history[-1][1] != self.best_value:
            history = (*history, (self.evaluations, self.best_value))
        return Local(self.best_u.copy(), self.best_value, reason, converged, self.evaluations, self.gradients,
                     dict(self.failures), history, self.solve_seconds)  # fmt: skip

    def _counted(self, ask: Callable[[np.ndarray], Any], u: np.ndarray) -> Any:
        if self.ended:
            self._end(Halt("interrupted"))
        if self.evaluations >= self.limit:
            self._end(Halt(SPENT))
        self.evaluations += 1
        began = time.perf_counter()
        try:
            return ask(np.asarray(u, dtype=float))
        except FailedSolve as failed:
            kind = str(failed.kind)
            self.failures[kind] = self.failures.get(kind, 0) + 1
            return None
        except Exception as error:
            self.raised = error
            raise
        finally:
            self.solve_seconds += time.perf_counter() - began

    def _seen(self, u: np.ndarray, f: float, differentiated: bool = False) -> float:
        if differentiated and (self.base is None or f < self.base[1]):
            self.base = np.array(u, dtype=float), f
        if f < self.best_value:
            if not self.history or self.history[-1][1] - f > SHOWN:
                self.history.append((self.evaluations, f))
            self.best_value, self.best_u = f, np.array(u, dtype=float)
        if self._callback is not None:
            try:
                over = self._callback(Step(self.start, self.evaluations, self.best_value, self.best_u.copy()))
            except Exception as error:
                self._end(error)
            if over:
                self._end(Halt("stopped by the callback"))
        return f

    def _end(self, reason: Exception) -> NoReturn:
        self.raised = reason
        raise reason
