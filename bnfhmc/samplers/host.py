"""One chain's own copy of the target: every solve counted, every failure named, no exception lost in a kernel."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float

from bnfhmc.posterior import Evaluation
from bnfhmc.samplers.target import Target


class Stopped(Exception):  # noqa: N818
    """The run ends early, because of another chain or of the caller; this chain has nothing to say about it."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What a phase of a chain cost: solves with their gradients, and the failed ones among them by kind."""

    gradients: int
    failures: Mapping[str, int]


@final
class Host:
    """The host's end of a kernel: evaluates the target, counts, and keeps an exception until the kernel has returned.

    `stop`: when it is set, nothing is solved any more and the chain ends with `Stopped`.
    """

    __slots__ = ("_failures", "_gradients", "_raised", "_stop", "_target")

    def __init__(self, target: Target, stop: threading.Event):
        self._target = target
        self._stop = stop
        self._raised: BaseException | None = None
        self._gradients = 0
        self._failures: dict[str, int] = {}

    @property
    def gradients(self) -> int:
        """Solves since the last `end_phase`."""
        return self._gradients

    @property
    def failed(self) -> int:
        """Failed solves since the last `end_phase`."""
        return sum(self._failures.values())

    def end_phase(self) -> Tally:
        """The counts since the last call, which start again at zero."""
        tally = Tally(self._gradients, self._failures)
        self._gradients, self._failures = 0, {}
        return tally

    def evaluate(self, z: Float[np.ndarray, " d"]) -> Evaluation:
        """The target at z, counted; a value or gradient that is not finite is a failure of kind "nonfinite"."""
        if self._stop.is_set():
            raise Stopped
        self._gradients += 1
        logp, grad, status = self._target.evaluate(z)
        if status == "ok":
            grad = np.asarray(grad, dtype=np.float64)
            if grad.shape != z.shape:
                raise ValueError(f"the gradient has shape {grad.shape}, but there are {z.size} parameters")
            if np.isfinite(logp) and np.isfinite(grad).all():
                return Evaluation(float(logp), grad, "ok")
            status = "nonfinite"
        kind = str(status)
        self._failures[kind] = self._failures.get(kind, 0) + 1
        return Evaluation(-np.inf, np.zeros(z.shape), kind)

    def logp_and_grad(self, z: Float[np.ndarray, " d"]) -> tuple[np.float64, Float[np.ndarray, " d"]]:
        """`evaluate` for a compiled kernel, which no exception must cross: −inf ends its trajectory at once instead."""
        if self._raised is None:
            try:
                logp, grad, _ = self.evaluate(z)
                return np.float64(logp), grad
            except BaseException as raised:
                self._raised = raised
        return np.float64(-np.inf), np.zeros(z.shape)

    def raise_kept(self) -> None:
        """Raise, as it was, what the target raised while a kernel ran."""
        if self._raised is not None:
            raise self._raised
