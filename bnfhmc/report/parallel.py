"""One job a draw, on all the cores: in processes where the program may fork, else on threads."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from queue import SimpleQueue
from typing import Any, Protocol, Self, TypeVar

import numpy as np

from bnfhmc.cores import usable_cores

T = TypeVar("T")


class Cloned(Protocol):
    """What one thread uses at a time, and can be copied for another."""

    def clone(self) -> Self:
        """An independent copy."""
        ...


Own = TypeVar("Own", bound=Cloned)
BLOCK = 25  # draws that are taken at a time, at most
_inherited: list[tuple[Any, Callable[[Any, int], Any]]] = []  # what forked processes find when they begin


def over_draws(own: Own, count: int, job: Callable[[Own, int], T], cores: int | None = None) -> list[T]:
    """``job(own, 0)``, ``job(own, 1)``, … in order, with an `own` for each core.

    Solves of small models are short, and between them Python holds its lock: threads then take turns, and processes do not.
    They are forked, since a model cannot be sent; where jax or other threads are at work a fork may hang, and threads are
    taken. What a job returns has to be pickled then. The first exception ends it and is raised.
    """
    workers = max(1, min(cores or usable_cores(), count))
    blocks = np.array_split(np.arange(count), max(4 * workers, -(-count // BLOCK)))
    if workers == 1:
        return [job(own, i) for i in range(count)]
    if _may_fork():
        parts = _forked(own, blocks, job, workers)
        if parts is not None:
            return [one for part in parts for one in part]
    return _threaded(own, blocks, job, workers)


def _may_fork() -> bool:
    return sys.platform == "linux" and threading.active_count() == 1 and "jax" not in sys.modules


def _forked(own: Own, blocks: Sequence[np.ndarray], job: Callable[[Own, int], T], workers: int) -> list[list[T]] | None:
    """The results by block; None where a job has raised or its process has died: what was raised is whole on threads only."""
    _inherited.append((own, job))
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), _ignore_interrupts)
    try:
        parts: list[list[T]] = []
        for part in pool.map(_block, [b.tolist() for b in blocks]):
            if part is None:
                return None
            parts.append(part)
        return parts
    except BrokenProcessPool:
        return None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        _inherited.pop()


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and ends them


def _block(indices: list[int]) -> list[Any] | None:
    own, job = _inherited[-1]
    try:
        return [job(own, i) for i in indices]
    except Exception:
        return None


def _threaded(own: Own, blocks: Sequence[np.ndarray], job: Callable[[Own, int], T], workers: int) -> list[T]:
    idle: SimpleQueue[Own] = SimpleQueue()
    for _ in range(workers):
        idle.put(own.clone())

    def work(block: Sequence[int]) -> list[T]:
        mine = idle.get()
        try:
            return [job(mine, int(i)) for i in block]
        finally:
            idle.put(mine)

    with ThreadPoolExecutor(workers, thread_name_prefix="draws") as pool:
        try:
            return [one for part in pool.map(work, blocks) for one in part]
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
