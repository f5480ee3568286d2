"""What a fit shows while it runs: one line, redrawn in place on a terminal and printed every few seconds elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, final

import numpy as np
from jaxtyping import Float

from bnfhmc.optimizers import Step

if TYPE_CHECKING:
    from rich.console import Console


@final
class FitProgress:
    """The best point so far and the solves of every start; `told` is the callback of `optimize`."""

    def __init__(self, every: float = 5.0) -> None:
        self.best: tuple[float, Float[np.ndarray, " d"]] | None = None
        self._best_start, self._solves = 0, dict[int, int]()
        self._lock, self._began, self._every = threading.Lock(), time.monotonic(), every

    def told(self, step: Step) -> bool:
        """Take note of a solve; the run goes on."""
        with self._lock:
            self._solves[step.start] = step.evaluations
            if np.isfinite(step.value) and (self.best is None or step.value < self.best[0]):
                self.best, self._best_start = (step.value, step.u), step.start
        return False

    @property
    def line(self) -> str:
        """How far the fit is."""
        with self._lock:
            seconds = int(time.monotonic() - self._began)
            clock = f"{seconds // 60}:{seconds % 60:02d}"
            if self.best is None:
                return f"looking for places to start from, {clock}"
            return (f"{len(self._solves)} starts begun, {sum(self._solves.values())} solves, best log posterior "
                    f"{-self.best[0]:.6g} (start {self._best_start + 1}), {clock}")  # fmt: skip

    @contextmanager
    def watching(self, console: Console) -> Iterator[None]:
        """Show the line for as long as the block lasts."""
        if console.is_terminal:
            from rich.live import Live
            from rich.text import Text

            with Live(console=console, get_renderable=lambda: Text(self.line), refresh_per_second=4, transient=True):
                yield
            return
        over = threading.Event()
        thread = threading.Thread(target=self._print, args=(console, over), name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _print(self, console: Console, over: threading.Event) -> None:
        while not over.wait(self._every):
            console.print(self.line, soft_wrap=True, markup=False, highlight=False)
