"""One job a draw, on all the cores: in processes where the program may fork, else on threads."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, Protocol, Self, TypeVar

import numpy as np

from bnfhmc.cores import may_fork, usable_cores

T = TypeVar("T")


class Cloned(Protocol):
    """What one thread uses at a time, and can be copied for another."""

    def clone(self) -> Self:
        """An independent copy."""
        ...


Own = TypeVar("Own", bound=Cloned)
BLOCK, FEW = 25, 4  # draws that a thread, and a process, takes at a time, at most
PATIENCE = 60.0  # seconds for which a process waits to take draws, which takes microseconds


def over_draws(own: Own, count: int, job: Callable[[Own, int], T], cores: int | None = None) -> list[T]:
    """``job(own, 0)``, ``job(own, 1)``, … in order, with an `own` for each core.

    Solves of small models are short, and between them Python holds its lock: threads then take turns, and processes do not.
    They are forked, since a model cannot be sent; where jax or other threads are at work a fork may hang, and threads are
    taken. What a job returns has to be pickled then. The first exception ends it and is raised.
    """
    workers = max(1, min(cores or usable_cores(), count))
    if workers == 1:
        return [job(own, i) for i in range(count)]
    if may_fork():
        found = _forked(own, count, job, workers)
        if found is not None:
            return found
    return _threaded(own, np.array_split(np.arange(count), max(4 * workers, -(-count // BLOCK))), job, workers)


def _forked(own: Own, count: int, job: Callable[[Own, int], T], workers: int) -> list[T] | None:
    """The results in order; None where a job has raised or its process has died: what was raised is whole on threads only."""
    context = multiprocessing.get_context("fork")
    taken = context.Value("q", 0)
    out: list[Any] = [None] * count
    begun: list[tuple[Any, Connection]] = []
    try:
        for _ in range(workers):
            receive, send = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(own, count, job, taken, send), daemon=True)
            begun.append((process, receive))
            process.start()
            send.close()  # the end of a process is then that of its pipe
        for _, receive in begun:
            found = receive.recv()
            if found is None:
                return None
            for first, results in found:
                out[first : first + len(results)] = results
        return out
    except EOFError:
        return None
    finally:
        for process, receive in begun:
            receive.close()
            if process.pid is not None:
                process.terminate()  # one that has sent its results has nothing to lose
                process.join()


def _work(own: Own, count: int, job: Callable[[Own, int], T], taken: Any, send: Connection) -> None:
    """Take a few draws at a time until none is left, and send the results as one message; None where a job raises."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and ends this process
    try:
        found: list[tuple[int, list[T]]] = []
        while (first := _next(taken, count)) < count:
            found.append((first, [job(own, i) for i in range(first, min(first + FEW, count))]))
        send.send(found)
    except Exception:
        send.send(None)
    send.close()


def _next(taken: Any, count: int) -> int:
    """The first of the next few draws that nobody has taken; `count` where there is none."""
    lock = taken.get_lock()
    if not lock.acquire(timeout=PATIENCE):
        raise TimeoutError("a process has died that was taking draws")
    try:
        first = int(taken.value)
        taken.value = min(first + FEW, count)
        return first
    finally:
        lock.release()


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
