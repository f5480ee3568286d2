"""Where pieces of a run are worked on: on threads here, or on the workers of a dask scheduler.

A piece is a function of a module and a task made of values: numbers, texts, arrays, and what holds them. What it needs beyond
that, such as a model, it builds where it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, final

from bnfhmc.errors import MissingTool

Task = Mapping[str, Any]
Told = Callable[[Any], None]


def nobody(result: Any) -> None:
    """Nobody wants to know of a result before the others are there."""


class Executor(Protocol):
    """Somewhere to work."""

    def map(
        self, work: Callable[[Task], Any], tasks: Sequence[Task], interrupted: Callable[[], None], told: Told = nobody
    ) -> list[Any]:
        """What the work makes of each task, in order; its exception where one raises.

        `interrupted` is called at the first KeyboardInterrupt, to ask the pieces to end soon; the second one is raised.
        `told` is given each result as soon as it is there, one at a time.
        """
        ...


@final
@dataclass(frozen=True, slots=True)
class Local:
    """Threads of this process."""

    threads: int

    def map(
        self, work: Callable[[Task], Any], tasks: Sequence[Task], interrupted: Callable[[], None], told: Told = nobody
    ) -> list[Any]:
        with ThreadPoolExecutor(self.threads) as pool:
            futures = [pool.submit(work, task) for task in tasks]
            return waited(partial(_gathered, futures, as_completed, told, set()), interrupted)


@final
@dataclass(frozen=True, slots=True)
class Dask:
    """The workers of the scheduler at an address; a piece whose worker dies is done again by another one."""

    address: str

    def map(
        self, work: Callable[[Task], Any], tasks: Sequence[Task], interrupted: Callable[[], None], told: Told = nobody
    ) -> list[Any]:
        try:
            from distributed import Client
            from distributed import as_completed as in_time
        except ImportError:
            raise MissingTool("dask.distributed is not installed: pip install 'bnfhmc[dask]'") from None
        with Client(self.address, set_as_default=False) as client:
            futures = [client.submit(work, task, pure=False, retries=RETRIES) for task in tasks]
            try:
                return waited(partial(_gathered, futures, partial(in_time, loop=client.loop), told, set()), interrupted)
            except BaseException:
                client.cancel(futures)
                raise


# How often a piece that raises is tried again on a cluster, where what raises may be the machine.
RETRIES = 1


def _gathered(futures: Sequence[Any], in_time: Callable[..., Iterable[Any]], told: Told, seen: set[int]) -> list[Any]:
    """The results in order, each told of as it comes, those that are `seen` no more."""
    order = {id(future): k for k, future in enumerate(futures)}
    results: dict[int, Any] = {}
    for future in in_time(futures):
        k = order[id(future)]
        results[k] = future.result()
        if k not in seen:
            seen.add(k)
            told(results[k])
    return [results[k] for k in range(len(futures))]


def waited(results: Callable[[], list[Any]], interrupted: Callable[[], None]) -> list[Any]:
    """The results; at an interrupt they are waited for once more, when the pieces have been asked to end."""
    try:
        return results()
    except KeyboardInterrupt:
        interrupted()
        return results()
