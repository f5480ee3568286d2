"""Work on several threads, each with a copy of the objective of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Protocol, TypeVar, final

from bnfhmc.cores import usable_cores
from bnfhmc.optimizers.objective import Objective
from bnfhmc.optimizers.search import Callback, Step, Stop

T = TypeVar("T")


def in_turn(callback: Callback, stop: Stop) -> Callback:
    """The callback, called by one thread at a time, and no more once the run is to end."""
    lock = threading.Lock()

    def told(step: Step) -> bool:
        with lock:
            return stop.is_set() or bool(callback(step))

    return told


def nobody(result: object) -> None:
    """Nobody wants to know of a result before the others are there."""


class Crew(Protocol):
    """Those who work on one objective, each with a copy of their own.

    A piece of work is a function of the objective alone, so that who does it changes nothing. ``stop``: ends every search.
    """

    @property
    def stop(self) -> Stop: ...

    def heard(self, callback: Callback) -> Callback:
        """The callback as a piece of work calls it: one at a time here, and no more once the run is to end."""
        ...

    def do(self, work: Sequence[Callable[[Objective], T]], told: Callable[[T], None] = nobody) -> list[T]:
        """The results in the order of the work, each told of, from any thread, as soon as it is there.

        The first exception, a piece's or the caller's, stops all and is raised.
        """
        ...


def told_by(crew: Crew, callback: Callback | None, watch: Callback | None) -> Callback | None:
    """A callback, whose wish to end ends all, and one that only watches, as what a crew calls; None where there is neither."""
    if callback is None and watch is None:
        return None

    def told(step: Step) -> bool:
        if watch is not None:
            watch(step)
        if callback is not None and callback(step):
            crew.stop.set()
            return True
        return False

    return crew.heard(told)


@final
class Threads:
    """Threads with a clone of the objective each, made when first needed and kept for later work."""

    def __init__(self, objective: Objective, cores: int | None, stop: threading.Event | None = None):
        self.cores = cores or usable_cores()
        self.stop = stop or threading.Event()
        self._objective = objective
        self._free: queue.SimpleQueue[Objective] = queue.SimpleQueue()
        self._made = 0

    def heard(self, callback: Callback) -> Callback:
        return in_turn(callback, self.stop)

    def do(self, work: Sequence[Callable[[Objective], T]], told: Callable[[T], None] = nobody) -> list[T]:
        threads = min(self.cores, len(work))
        if threads <= 1:
            return [_told(one(self._objective), told) for one in work]
        while self._made < threads:
            self._free.put(self._objective.clone())
            self._made += 1
        with ThreadPoolExecutor(threads, thread_name_prefix="start") as pool:
            try:
                futures = [pool.submit(self._one, one, told) for one in work]
                wait(futures)
            except BaseException:
                self.stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        return [future.result() for future in futures]

    def _one(self, work: Callable[[Objective], T], told: Callable[[T], None]) -> T:
        objective = self._free.get()
        try:
            return _told(work(objective), told)
        except BaseException:
            self.stop.set()
            raise
        finally:
            self._free.put(objective)


def _told(result: T, told: Callable[[T], None]) -> T:
    told(result)
    return result
