"""Work on several threads, each with a copy of the objective of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from bnfhmc.cores import usable_cores
from bnfhmc.optimizers.objective import Objective

T = TypeVar("T")


class Crew:
    """Threads with a clone of the objective each, made when first needed and kept for later work.

    A piece of work is a function of the objective alone, so that which thread does it changes nothing.
    """

    def __init__(self, objective: Objective, cores: int | None, stop: threading.Event | None = None):
        self.cores = cores or usable_cores()
        self.stop = stop or threading.Event()
        self._objective = objective
        self._free: queue.SimpleQueue[Objective] = queue.SimpleQueue()
        self._made = 0

    def do(self, work: Sequence[Callable[[Objective], T]]) -> list[T]:
        """The results in the order of the work. The first exception, a thread's or the caller's, stops all and is raised."""
        threads = min(self.cores, len(work))
        if threads <= 1:
            return [one(self._objective) for one in work]
        while self._made < threads:
            self._free.put(self._objective.clone())
            self._made += 1
        with ThreadPoolExecutor(threads, thread_name_prefix="start") as pool:
            try:
                futures = [pool.submit(self._one, one) for one in work]
                wait(futures)
            except BaseException:
                self.stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        return [future.result() for future in futures]

    def _one(self, work: Callable[[Objective], T]) -> T:
        objective = self._free.get()
        try:
            return work(objective)
        except BaseException:
            self.stop.set()
            raise
        finally:
            self._free.put(objective)
