"""What a fit shows while it runs: one line, redrawn in place on a terminal and printed every few seconds elsewhere.

It is shown when there is something to tell, by whoever tells it: beside a thread of its own no process could be forked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, final

import numpy as np
from jaxtyping import Float

from bnfhmc.optimizers import Step

if TYPE_CHECKING:
    from rich.console import Console

REDRAWN = 0.25  # seconds between two lines on a terminal


@final
class FitProgress:
    """The best point so far and the solves of every start; `told` is the watch of `optimize`."""

    def __init__(self, every: float = 5.0) -> None:
        self.best: tuple[float, Float[np.ndarray, " d"]] | None = None
        self._best_start, self._solves = 0, dict[int, int]()
        self._lock, self._began, self._every = threading.Lock(), time.monotonic(), every
        self._show: Callable[[], None] | None = None
        self._due = 0.0

    def told(self, step: Step) -> bool:
        """Take note of a solve, and show it when it is time to; the run goes on."""
        with self._lock:
            self._solves[step.start] = step.evaluations
            if np.isfinite(step.value) and (self.best is None or step.value < self.best[0]):
                self.best, self._best_start = (step.value, step.u), step.start
            now = time.monotonic()
            if self._show is not None and now >= self._due:
                self._due = now + self._every
                self._show()
        return False

    @property
    def line(self) -> str:
        """How far the fit is."""
        seconds = int(time.monotonic() - self._began)
        clock = f"{seconds // 60}:{seconds % 60:02d}"
        solves = sum(self._solves.values())
        if self.best is None:
            return f"looking for places to start from, {solves} solves, {clock}"
        return (f"{len(self._solves)} starts begun, {solves} solves, best log posterior "
                f"{-self.best[0]:.6g} (start {self._best_start + 1}), {clock}")  # fmt: skip

    @contextmanager
    def watching(self, console: Console) -> Iterator[None]:
        """Show the line while what is told of lasts."""
        if not console.is_terminal:
            self._due = time.monotonic() + self._every
            self._show = lambda: console.print(self.line, soft_wrap=True, markup=False, highlight=False)
            try:
                yield
            finally:
                self._show = None
            return
        from rich.live import Live
        from rich.text import Text

        with Live(console=console, get_renderable=lambda: Text(self.line), auto_refresh=False, transient=True) as live:
            self._every, self._show = REDRAWN, live.refresh
            try:
                yield
            finally:
                self._show = None
