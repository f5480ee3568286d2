"""Work in forked processes: a search of a small model is half Python, for which threads take turns and processes do not.

A process is forked for each batch of work, so that it has the objective and the work without either being sent; what a piece
has led to comes back pickled, through a pipe that nobody else can write to. The pieces that nobody has taken lie in another
pipe, from which a process reads the next.
"""

from __future__ import annotations

import ctypes
import gc
import mmap
import multiprocessing
import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple, NoReturn, TypeVar, final

from bnfhmc.cores import may_fork, usable_cores
from bnfhmc.optimizers.objective import Objective
from bnfhmc.optimizers.search import Callback, Step
from bnfhmc.optimizers.threads import Crew, Threads, nobody

T = TypeVar("T")

TICKETS, BYTES = 1000, 4  # what a pipe of one page holds
EVERY = 0.2  # seconds between two steps that a process tells of
DEATH_OF_PARENT = 1  # PR_SET_PDEATHSIG of linux/prctl.h


def crew_of(objective: Objective, cores: int | None, callback: Callback | None = None) -> Crew:
    """Those who work on an objective here: processes where the program may fork, else threads.

    On threads in any case: one core, a callback, which is told of every solve, and a Python function, which may keep what it
    sees, or have threads of its own that a fork would leave behind.
    """
    compiled = objective.posterior is not None and objective.posterior.problem.target is None
    apart = compiled and callback is None and (cores or usable_cores()) > 1 and may_fork()
    return Forks(objective, cores) if apart else Threads(objective, cores)


@final
class SharedFlag:
    """A flag that is set for forked processes as well."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, 1)

    def is_set(self) -> bool:
        """Whether anyone has set it."""
        return self._page[0] != 0

    def set(self) -> None:
        """Set it for all."""
        self._page[0] = 1


class _Message(NamedTuple):
    """What a process sends: a step, or a piece by its number with its result or exception; neither where it cannot be sent."""

    piece: int
    kind: str
    what: Any = None


STEP, DONE, RAISED, UNSENT = "step", "done", "raised", "unsent"


@final
class Forks:
    """Processes with the objective as it was when they were forked; steps are told of a few times a second."""

    def __init__(self, objective: Objective, cores: int | None):
        self.cores = cores or usable_cores()
        self.stop = SharedFlag()
        self._objective = objective
        self._callback: Callback | None = None
        self._home: Connection | None = None  # in a process of its own: where it sends to
        self._quiet_until = 0.0

    def heard(self, callback: Callback) -> Callback:
        self._callback = callback
        return self._hear

    def do(self, work: Sequence[Callable[[Objective], T]], told: Callable[[T], None] = nobody) -> list[T]:
        found: dict[int, T] = {}
        hands: list[tuple[Any, Connection]] = []

        def here(k: int) -> None:
            found[k] = work[k](self._objective)
            told(found[k])

        try:
            if min(self.cores, len(work)) > 1:
                self._fork(work, hands)
                for message in _messages([receive for _, receive in hands]):
                    self._take(message, found, told, here)
            for k in range(len(work)):
                if k not in found:  # a process that has died had taken it
                    here(k)
        except BaseException:
            self.stop.set()
            raise
        finally:
            for process, receive in hands:
                receive.close()
                process.kill()  # one whose results are here has nothing to lose
                process.join()
        return [found[k] for k in range(len(work))]

    def _take(
        self, message: _Message, found: dict[int, T], told: Callable[[T], None], here: Callable[[int], None]
    ) -> None:
        if message.kind == STEP:
            self._hear(message.what)
        elif message.kind == RAISED:
            error, there = message.what
            error.add_note(f"in a process of its own:\n{there}")
            raise error
        elif message.kind == UNSENT:  # an exception is raised here then, whole
            here(message.piece)
        else:
            found[message.piece] = message.what
            told(message.what)

    def _hear(self, step: Step) -> bool:
        if self._home is None:
            return self.stop.is_set() or (self._callback is not None and bool(self._callback(step)))
        now = time.monotonic()
        if now >= self._quiet_until:
            self._home.send_bytes(pickle.dumps(_Message(-1, STEP, step)))
            self._quiet_until = now + EVERY
        return False

    def _fork(self, work: Sequence[Callable[[Objective], Any]], hands: list[tuple[Any, Connection]]) -> None:
        """Begin a process for each core; fewer where the system has no room for them."""
        context = multiprocessing.get_context("fork")
        size = -(-len(work) // TICKETS)
        tickets = _tickets(range(0, len(work), size))
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # until the processes ignore it
        try:
            for _ in range(min(self.cores, len(work))):
                receive, send = context.Pipe(duplex=False)
                process = context.Process(target=self._work, args=(work, tickets, size, send, os.getpid()), daemon=True)
                try:
                    process.start()
                except OSError:
                    receive.close()
                    return
                finally:
                    send.close()  # the end of a process is then that of its pipe
                hands.append((process, receive))
        finally:
            os.close(tickets)
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    def _work(
        self, work: Sequence[Callable[[Objective], Any]], tickets: int, size: int, home: Connection, parent: int
    ) -> NoReturn:
        """In a process of its own: do pieces until none is left."""
        try:
            _follow(parent)
            gc.freeze()  # a collection would copy every page that the parent has
            self._home = home
            while ticket := os.read(tickets, BYTES):
                first = int.from_bytes(ticket, "little")
                for k in range(first, min(first + size, len(work))):
                    home.send_bytes(_done(k, work[k], self._objective))
        finally:
            with suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(0)


def _tickets(firsts: range) -> int:
    """The end to read from of a pipe that holds these numbers and no more."""
    read, write = os.pipe()
    os.write(write, b"".join(first.to_bytes(BYTES, "little") for first in firsts))
    os.close(write)
    return read


def _follow(parent: int) -> None:
    """Leave Ctrl-C to the parent, and end when it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    ctypes.CDLL(None).prctl(DEATH_OF_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _done(k: int, work: Callable[[Objective], Any], objective: Objective) -> bytes:
    """The message that says what came of a piece."""
    try:
        result = work(objective)
    except BaseException as error:
        return _raised(k, error)
    try:
        return pickle.dumps(_Message(k, DONE, result))
    except Exception:
        return pickle.dumps(_Message(k, UNSENT))


def _raised(k: int, error: BaseException) -> bytes:
    """The message of an exception and its traceback, if it arrives as what it is."""
    try:
        message = pickle.dumps(_Message(k, RAISED, (error, "".join(traceback.format_exception(error)))))
        arrived, _ = pickle.loads(message).what
        if type(arrived) is type(error) and str(arrived) == str(error):
            return message
    except Exception:
        pass
    return pickle.dumps(_Message(k, UNSENT))


def _messages(pipes: Sequence[Connection]) -> Iterator[_Message]:
    """What the processes send, as it comes, until the last of them has ended."""
    waiting = list(pipes)
    while waiting:
        for pipe in wait(waiting):
            try:
                message = pipe.recv_bytes()  # type: ignore[union-attr]
            except (EOFError, OSError):
                waiting.remove(pipe)  # type: ignore[arg-type]
                continue
            yield pickle.loads(message)
