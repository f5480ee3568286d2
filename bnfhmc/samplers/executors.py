"""Where pieces of a run are worked on: on threads here, or on the workers of a dask scheduler.

A piece is a function of a module and a task made of numbers, texts, lists and dictionaries. What it needs beyond that, such as
a model, it builds where it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, final

from bnfhmc.errors import MissingTool

Task = Mapping[str, Any]


class Executor(Protocol):
    """Somewhere to work."""

    def map(self, work: Callable[[Task], Any], tasks: Sequence[Task], interrupted: Callable[[], None]) -> list[Any]:
        """What the work makes of each task, in order; its exception where one raises.

        `interrupted` is called at the first KeyboardInterrupt, to ask the pieces to end soon; the second one is raised.
        """
        ...


@final
@dataclass(frozen=True, slots=True)
class Local:
    """Threads of this process."""

    threads: int

    def map(self, work: Callable[[Task], Any], tasks: Sequence[Task], interrupted: Callable[[], None]) -> list[Any]:
        with ThreadPoolExecutor(self.threads) as pool:
            futures = [pool.submit(work, task) for task in tasks]
            return waited(lambda: [future.result() for future in futures], interrupted)


@final
@dataclass(frozen=True, slots=True)
class Dask:
    """The workers of the scheduler at an address; a piece whose worker dies is done again by another one."""

    address: str

    def map(self, work: Callable[[Task], Any], tasks: Sequence[Task], interrupted: Callable[[], None]) -> list[Any]:
        try:
            from distributed import Client
        except ImportError:
            raise MissingTool("dask.distributed is not installed: pip install 'bnfhmc[dask]'") from None
        with Client(self.address, set_as_default=False) as client:
            futures = [client.submit(work, task, pure=False, retries=RETRIES) for task in tasks]
            try:
                return waited(lambda: client.gather(futures), interrupted)
            except BaseException:
                client.cancel(futures)
                raise


# How often a piece that raises is tried again on a cluster, where what raises may be the machine.
RETRIES = 1


def waited(results: Callable[[], list[Any]], interrupted: Callable[[], None]) -> list[Any]:
    """The results; at an interrupt they are waited for once more, when the pieces have been asked to end."""
    try:
        return results()
    except KeyboardInterrupt:
        interrupted()
        return results()
