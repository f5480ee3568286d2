"""The compiled solves inside of an evaluation: each run of bngsim's C++ solver, timed where it happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import bngsim._bngsim_core as core

_Real = core.CvodeSimulator


class Timed:
    """bngsim's C++ solver of one model; what its runs take by `clock` is noted in `seconds`."""

    clock: Callable[[], float]
    seconds: list[float] = []  # of every solver

    def __init__(self, model: Any):
        self._run = _Real(model).run

    def run(self, times: Any, options: Any) -> Any:
        """The solver's own run."""
        start = Timed.clock()
        try:
            return self._run(times, options)
        finally:
            Timed.seconds.append(Timed.clock() - start)


@contextmanager
def timed_solvers(clock: Callable[[], float]) -> Iterator[list[float]]:
    """The simulators made inside time their runs; the list gets the seconds of each."""
    core.CvodeSimulator, Timed.clock = Timed, clock
    Timed.seconds.clear()
    try:
        yield Timed.seconds
    finally:
        core.CvodeSimulator = _Real
