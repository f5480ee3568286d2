"""What a run shows while it runs: a live table with one row a chain, or plain lines where there is no terminal."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol, final

from rich.console import Console
from rich.live import Live
from rich.table import Table

COLUMNS = (
    "chain", "phase", "draw", "step size", "depth", "divergences", "failed solves", "ms/solve", "time left"
)  # fmt: skip


@dataclass(slots=True)
class Row:
    """How far a chain is. Its own thread alone writes here, the display reads: plain assignments, no lock.

    Counts are those of the present phase. ``gradients`` in ``seconds`` gives the price of one.
    """

    chain: int
    total: int
    phase: str = "waiting"
    draw: int = 0
    step_size: float = float("nan")
    tree_depth: int = 0
    divergences: int = 0
    failed: int = 0
    gradients: int = 0
    seconds: float = 0.0
    seconds_per_draw: float = 0.0
    _last: float = 0.0

    def begin(self, phase: str) -> None:
        """Enter a phase, its counts at zero."""
        self.phase, self._last = phase, time.perf_counter()
        self.divergences = self.failed = self.gradients = 0
        self.seconds = 0.0

    def drawn(self, *, step_size: float, tree_depth: int, diverging: bool, failed: int, gradients: int) -> None:
        """One more transition; `failed` and `gradients` as counted since the phase began."""
        now = time.perf_counter()
        took, self._last = now - self._last, now
        # A moving average over some 50 draws, since the cost of a draw changes as the warm-up learns.
        weight = max(0.02, 1.0 / (self.draw + 1))
        self.seconds_per_draw += weight * (took - self.seconds_per_draw)
        self.seconds += took
        self.draw += 1
        self.step_size, self.tree_depth = step_size, tree_depth
        self.divergences += diverging
        self.failed, self.gradients = failed, gradients

    def cells(self) -> tuple[str, ...]:
        """The row in words, in the order of ``COLUMNS``."""
        started = self.draw > 0
        return (
            str(self.chain + 1),
            self.phase,
            f"{self.draw}/{self.total}",
            f"{self.step_size:.3g}" if started else "",
            str(self.tree_depth) if started else "",
            str(self.divergences),
            str(self.failed),
            f"{1e3 * self.seconds / self.gradients:.3g}" if self.gradients else "",
            _clock(self.seconds_per_draw * (self.total - self.draw)) if started else "",
        )


class Progress(Protocol):
    """Anything that can show rows for as long as a run lasts."""

    def watching(self, rows: Sequence[Row]) -> AbstractContextManager[None]: ...


def progress_on(console: Console) -> Progress:
    """The live table where the console is a terminal, plain lines elsewhere."""
    return LiveTable(console) if console.is_terminal else PlainLines(console)


@final
@dataclass(frozen=True, slots=True)
class LiveTable:
    """One row a chain, redrawn in place four times a second."""

    console: Console

    @contextmanager
    def watching(self, rows: Sequence[Row]) -> Iterator[None]:
        with Live(console=self.console, get_renderable=lambda: _table(rows), refresh_per_second=4):
            yield


@final
@dataclass(frozen=True, slots=True)
class PlainLines:
    """One line a chain every `every` seconds, and a last one at the end; chains that have nothing new stay silent."""

    console: Console
    every: float = 5.0

    @contextmanager
    def watching(self, rows: Sequence[Row]) -> Iterator[None]:
        over = threading.Event()
        thread = threading.Thread(target=self._report, args=(rows, over), name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _report(self, rows: Sequence[Row], over: threading.Event) -> None:
        said: dict[int, str] = {}
        last = False
        while not last:
            last = over.wait(self.every)
            for row in rows:
                line = _line(row)
                if said.get(row.chain) != line:
                    said[row.chain] = line
                    self.console.print(line, soft_wrap=True, markup=False, highlight=False)


def _table(rows: Sequence[Row]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "phase" else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row.cells())
    return table


def _line(row: Row) -> str:
    chain, phase, draw, step_size, depth, divergences, failed, price, left = row.cells()
    if not row.draw:
        return f"chain {chain}: {phase}"
    parts = [
        f"chain {chain}: {phase} {draw}",
        f"step size {step_size}",
        f"depth {depth}",
        f"{divergences} divergences",
        f"{failed} failed solves",
    ]
    if price:
        parts.append(f"{price} ms/solve")
    if row.draw < row.total:
        parts.append(f"{left} left")
    return ", ".join(parts)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
