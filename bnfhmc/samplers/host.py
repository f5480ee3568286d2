"""One chain's own copy of the target: every solve counted, every failure named."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

import numpy as np
from jaxtyping import Float

from bnfhmc.posterior import Evaluation
from bnfhmc.samplers.curvature import Curved, CurvedEvaluation, Valued
from bnfhmc.samplers.target import Target

NO_GRADIENT = np.empty(0)


class Stopped(Exception):  # noqa: N818
    """The run ends at once; this chain has nothing to say about it."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What a phase of a chain cost: solves with their gradients, the failed solves by kind, and solves for the value alone."""

    gradients: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    values: int = 0


@final
class Host:
    """The host's end of a kernel: evaluates the target and counts.

    `stop`: when it is set, nothing is solved any more and the chain ends with `Stopped`. `counted`: what the phase has cost
    already.
    """

    __slots__ = ("_curved", "_failures", "_gradients", "_stop", "_target", "_valued", "_values")

    def __init__(self, target: Target, stop: threading.Event, counted: Tally = Tally()):
        self._target = target
        self._curved = target if isinstance(target, Curved) else None
        self._valued = target if isinstance(target, Valued) else None
        self._stop = stop
        self._gradients, self._failures, self._values = counted.gradients, dict(counted.failures), counted.values

    @property
    def gradients(self) -> int:
        """Solves with gradients since the last `end_phase`."""
        return self._gradients

    @property
    def solves(self) -> int:
        """Solves of any kind since the last `end_phase`."""
        return self._gradients + self._values

    @property
    def failed(self) -> int:
        """Failed solves since the last `end_phase`."""
        return sum(self._failures.values())

    @property
    def solver_steps(self) -> float:
        """Steps that the target's integrators have taken so far; NaN where it does not count them."""
        return float(getattr(self._target, "solver_steps", math.nan))

    @property
    def tally(self) -> Tally:
        """The counts since the last `end_phase`."""
        return Tally(self._gradients, dict(self._failures), self._values)

    def sample_start(self, rng: np.random.Generator) -> Float[np.ndarray, " d"]:
        """A draw of the target's starts, which costs no solve."""
        return self._target.sample_start(rng)

    def end_phase(self) -> Tally:
        """The counts since the last call, which start again at zero."""
        tally = self.tally
        self._gradients, self._failures, self._values = 0, {}, 0
        return tally

    def evaluate(self, z: Float[np.ndarray, " d"]) -> Evaluation | CurvedEvaluation:
        """The target at z, counted; a value or gradient that is not finite is a failure of kind "nonfinite"."""
        if self._stop.is_set():
            raise Stopped
        self._gradients += 1
        return self._sound(self._target.evaluate(z.copy()), z)

    def evaluate_curved(self, z: Float[np.ndarray, " d"]) -> Evaluation | CurvedEvaluation:
        """As `evaluate`, with the curvature where the target has it."""
        if self._curved is None:
            return self.evaluate(z)
        if self._stop.is_set():
            raise Stopped
        self._gradients += 1
        return self._sound(self._curved.evaluate_curved(z.copy()), z)

    def value(self, z: Float[np.ndarray, " d"]) -> Evaluation | CurvedEvaluation:
        """log π(z) alone, counted as a value where the target can do that, and as a gradient where not."""
        if self._valued is None:
            return self.evaluate(z)
        if self._stop.is_set():
            raise Stopped
        self._values += 1
        at = self._valued.value(z.copy())
        return at if at.status == "ok" and math.isfinite(at.logp) else self._failed(at.status, NO_GRADIENT)

    def _sound(self, at: Evaluation | CurvedEvaluation, z: np.ndarray) -> Evaluation | CurvedEvaluation:
        """What was evaluated where it is a value with a gradient, else the failure it is; ValueError for a wrong shape."""
        if at.status != "ok":
            return self._failed(at.status, np.zeros(z.shape))
        grad = at.grad
        if type(grad) is not np.ndarray or grad.dtype != np.float64:
            grad = np.asarray(grad, dtype=np.float64)
            at = at._replace(grad=grad)
        if grad.shape != z.shape:
            raise ValueError(f"the gradient has shape {grad.shape}, but there are {z.size} parameters")
        if math.isfinite(at.logp) and np.logical_and.reduce(np.isfinite(grad)):
            return at
        return self._failed("ok", np.zeros(z.shape))

    def _failed(self, status: str, grad: np.ndarray) -> Evaluation:
        kind = "nonfinite" if status == "ok" else str(status)
        self._failures[kind] = self._failures.get(kind, 0) + 1
        return Evaluation(-math.inf, grad, kind)
