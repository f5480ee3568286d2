"""Chains that take turns on threads, so that all of them get on alike whatever the number of cores."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import final

from bnfhmc.samplers.chain import Chain, Settings, advance
from bnfhmc.samplers.checkpoint import Checkpoint
from bnfhmc.samplers.host import Stopped

# Seconds that a chain keeps its thread before another one gets it.
TURN = 0.5


@final
class Relay:
    """A run of chains.

    ``died``: the exception that ended a chain; ``interrupted``, ``out_of_time``: what ended the run early; ``unsaved``: why
    the last checkpoint could not be written. `stop`: what ends every chain at its next solve. `is_asked_to_end`: is looked at
    now and then, and ends the run after the draws in hand.
    """

    def __init__(
        self,
        chains: Sequence[Chain],
        settings: Settings,
        checkpoint: Checkpoint | None,
        time_limit: float | None,
        stop: threading.Event,
        is_asked_to_end: Callable[[], bool] | None = None,
    ):
        self.chains, self.died = tuple(chains), dict[Chain, BaseException]()
        self.interrupted = self.out_of_time = False
        self.unsaved: OSError | None = None
        self._settings, self._checkpoint, self._stop = settings, checkpoint, stop
        self._waiting = deque(chain for chain in chains if not chain.is_done(settings))
        self._deadline = None if time_limit is None else time.monotonic() + time_limit
        # Threads begin when all of them are there: one that an interrupt leaves unknown to its pool has then nothing to do.
        self._begin, self._pausing = threading.Event(), threading.Event()
        self._is_asked_to_end, self._looks = is_asked_to_end, 0.0
        self._saved = dict.fromkeys(chains, time.monotonic())

    def run(self, threads: int) -> None:
        """Move all chains on until they are done, dead, out of time or interrupted."""
        futures: list[Future[None]] = []
        with ThreadPoolExecutor(threads, thread_name_prefix="chain") as pool:
            try:
                for _ in range(threads):
                    futures.append(pool.submit(self._work))
                self._begin.set()
                wait(futures)
            except KeyboardInterrupt:
                self.interrupted = True
                self._pausing.set()
                self._begin.set()
                try:
                    wait(futures)
                except KeyboardInterrupt:
                    self._stop.set()
                    wait(futures)
        for future in futures:
            future.result()

    def _work(self) -> None:
        self._begin.wait()
        while not (self._pausing.is_set() or self._late()):
            try:
                chain = self._waiting.popleft()
            except IndexError:
                return
            if self._turn(chain):
                self._waiting.append(chain)

    def _turn(self, chain: Chain) -> bool:
        """Move a chain on for a while, and write it down where it is time; whether it has more to do."""
        ends = time.monotonic() + TURN

        def pause() -> bool:
            turn_over = bool(self._waiting) and time.monotonic() > ends
            return turn_over or self._pausing.is_set() or self._late() or self._due(chain)

        try:
            advance(chain, self._settings, pause)
        except Stopped:
            return False
        except Exception as error:
            self.died[chain] = error
            chain.row.phase = "died"
            return False
        more = not chain.is_done(self._settings)
        if self._checkpoint is not None and (not more or self._pausing.is_set() or self._late() or self._due(chain)):
            self._save(chain, self._checkpoint)
        return more

    def _save(self, chain: Chain, checkpoint: Checkpoint) -> None:
        try:
            checkpoint.save(chain)
            self.unsaved = None
        except OSError as error:  # a full disk may have room again, and the draws are in memory still
            self.unsaved = error
        self._saved[chain] = time.monotonic()

    def _due(self, chain: Chain) -> bool:
        return self._checkpoint is not None and time.monotonic() - self._saved[chain] >= self._checkpoint.every

    def _late(self) -> bool:
        now = time.monotonic()
        if self._deadline is not None and now >= self._deadline:
            self.out_of_time = True
        if self._is_asked_to_end is not None and now >= self._looks:
            self._looks = now + TURN
            self.out_of_time = self.out_of_time or self._is_asked_to_end()
        return self.out_of_time
