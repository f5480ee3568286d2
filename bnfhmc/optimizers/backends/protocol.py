"""What a backend is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import MissingTool
from bnfhmc.optimizers.objective import Need
from bnfhmc.optimizers.search import Options, Search

FAILED_START = "the start cannot be solved"


class End(NamedTuple):
    """Why a backend ended, and whether it takes the point it has found for a minimum."""

    reason: str
    converged: bool


@dataclass(frozen=True, slots=True)
class Backend:
    """A way to minimise f.

    ``minimise(search, u0, options)``: from u0, which has been solved once; the search keeps the best point.
    ``needs``: what it asks of f. ``evaluations``: solves a start of d parameters may take by default.
    ``is_global``: it searches the whole box by itself, so one start is enough; it needs a finite box.
    ``continues``: it can be stopped and go on from where it was at little loss.
    ``spends_all``: it ends with its evaluations and not before.
    ``extra``: its own options with their defaults.
    ``imports``: modules that `minimise` imports, so that the processes of each round need not.
    """

    minimise: Callable[[Search, Float[np.ndarray, " d"], Options], End]
    needs: Need
    evaluations: Callable[[int], int]
    is_global: bool = False
    continues: bool = False
    spends_all: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)
    imports: tuple[str, ...] = ()

    def imported(self) -> None:
        """Import them, as far as they are there."""
        from importlib import import_module

        for name in self.imports:
            with suppress(ImportError):
                import_module(name)


def minimised(backend: Backend, search: Search, u0: Float[np.ndarray, " d"], options: Options) -> End:
    """What the backend makes of the search from u0.

    Raises what ended the search, `Halt` or whatever the objective or the callback raised, as it was raised: packages catch
    some exceptions, end as if nothing had happened, or raise another in their place.
    """
    search.raised = None
    try:
        end = backend.minimise(search, u0, options)
    except Exception:
        if search.raised is None:
            raise
    if search.raised is not None:
        raise search.raised
    return end


def need_package(name: str, extra: str) -> Any:
    """The package, imported; MissingTool with the command that installs it."""
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise MissingTool(f"method = {extra} needs the package {name}: pip install 'bnfhmc[{extra}]'") from error


DECREASE = "no decrease any more"


class Stagnation:
    """Whether f has come to rest: `times` iterations in a row that each gained less than `tolerance`."""

    def __init__(self, tolerance: float, times: int = 3):
        self.tolerance, self.times = tolerance, times
        self._last, self._idle = np.inf, 0

    def reached(self, value: float) -> bool:
        """Whether this iteration's value is the last one needed."""
        self._idle = 0 if self._last - value >= self.tolerance else self._idle + 1
        self._last = min(self._last, value)
        return self._idle >= self.times
