"""Medians of calls at points that differ from one call to the next."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np


def points(z: np.ndarray, seed: int = 1, width: float = 0.02) -> Any:
    """Points near z, without end."""
    rng = np.random.default_rng(seed)
    while True:
        yield z + width * rng.standard_normal(z.size)


def microseconds(
    call: Callable[[np.ndarray], Any], z: np.ndarray, seconds: float, clock: Callable[[], float] = time.thread_time
) -> float:
    """The median of what a call near z takes, after a fifth of a second of calls that do not count."""
    near, taken = points(z), []
    for budget in (0.2, seconds):
        end, taken = time.perf_counter() + budget, []
        while time.perf_counter() < end or len(taken) < 5:
            at = next(near)
            start = clock()
            call(at)
            taken.append(clock() - start)
    return 1e6 * float(np.median(taken))
