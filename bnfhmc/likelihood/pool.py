"""Experiments solved on several threads at once; the numbers are those of one thread, bit for bit."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from bnfhmc.likelihood.experiment import ExperimentLikelihood, Prediction
from bnfhmc.model.protocol import Failure
from bnfhmc.phase import Theta

WORTHWHILE = 1e-3  # seconds of solving below which handing work over costs as much as it saves


class Pool:
    """Replicas of the experiments, each on models of its own, and a thread for each replica.

    ``batches``: experiments that one thread solves one after another, since they share runs. The calling thread takes part.
    """

    def __init__(self, replicas: Sequence[Sequence[ExperimentLikelihood]], batches: Sequence[Sequence[int]]):
        self._replicas, self._batches = replicas, [tuple(batch) for batch in batches]
        self._rank = {i: rank for rank, i in enumerate(i for batch in self._batches for i in batch)}
        self._seconds = dict.fromkeys(self._batches, 0.0)
        self._threads = ThreadPoolExecutor(len(replicas) - 1, "bnfhmc") if len(replicas) > 1 else None

    def solve(self, theta: Theta, gradient: bool) -> list[Prediction] | Failure:
        """Every experiment at θ, or the first failure in the order of the batches."""
        round_ = _Round(sorted(self._batches, key=lambda batch: -self._seconds[batch]), self._rank, theta, gradient)
        helpers = []
        if self._threads is not None and sum(self._seconds.values()) > WORTHWHILE:
            helpers = [self._threads.submit(round_.work, replica) for replica in self._replicas[1:]]
        try:
            round_.work(self._replicas[0])
        finally:
            errors = [helper.exception() for helper in helpers]  # waits for each
        for error in errors:
            if error is not None:
                raise error
        if round_.failed:
            return round_.failed[min(round_.failed)]
        self._seconds |= round_.seconds
        return [round_.solved[i] for i in range(len(round_.solved))]


class _Round:
    """The batches of one θ, taken by whoever is free, the longest first."""

    def __init__(self, batches: Sequence[tuple[int, ...]], rank: Mapping[int, int], theta: Theta, gradient: bool):
        self.rank, self.theta, self.gradient = rank, theta, gradient
        self.solved, self.failed = dict[int, Prediction](), dict[int, Failure]()
        self.seconds = dict[tuple[int, ...], float]()
        self._left, self._lock = deque(batches), threading.Lock()

    def work(self, replica: Sequence[ExperimentLikelihood]) -> None:
        """Solve batches until none is left; those behind a failure are left out."""
        try:
            while (batch := self._next()) is not None:
                start = perf_counter()
                for i in batch:
                    if not self._behind(i):
                        self._keep(i, replica[i].solve(self.theta, self.gradient))
                self.seconds[batch] = perf_counter() - start
        except BaseException:
            self._left.clear()
            raise

    def _next(self) -> tuple[int, ...] | None:
        with self._lock:
            return self._left.popleft() if self._left else None

    def _behind(self, i: int) -> bool:
        with self._lock:
            return bool(self.failed) and self.rank[i] > min(self.failed)

    def _keep(self, i: int, solved: Prediction | Failure) -> None:
        with self._lock:
            if isinstance(solved, Failure):
                self.failed[self.rank[i]] = solved
            else:
                self.solved[i] = solved
