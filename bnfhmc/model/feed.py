"""What a direct run is fed with at each point: how initial amounts move with the parameters, and what the run crosses."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from bnfhmc.model.crossings import Window
from bnfhmc.model.internals import Direct, start_rows, volumes
from bnfhmc.model.plan import Plan
from bnfhmc.model.starts import Row, Starts


class Feed:
    """Keeps the numbers of one Direct true to the present values of its model.

    ``set_species``: the species whose amounts are set, so that no parameter of the file moves them; ``sized``: whether
    runs set the size of a compartment, which stored amounts are divided by.
    """

    def __init__(self, direct: Direct, model: Any, plan: Plan, parameters: Sequence[str], set_species: Collection[int],
                 sized: bool):  # fmt: skip
        self.direct, self.model, self.plan, self.sized = direct, model, plan, sized
        self._parameters, self._set = tuple(parameters), frozenset(set_species)
        self._derived: tuple[Any, list[Row]] | None = None
        self._divisors = [] if sized else volumes(model._core)[0]
        self._seeds = bool(plan.columns) and (plan.seeded or bool(self._set))
        self._constant = plan.starts is not None and not plan.starts.names and not sized and not self._set
        self._crossed: Any = None
        if self._seeds and self._constant:
            self.direct.seed(self._rows(plan.starts))

    def start(self, declared: list[Row]) -> None:
        """∂x(0)/∂p from the model's present values; `declared`: the rows of species that are set."""
        if self._seeds and not self._constant:
            rows = self._rows(self.plan.starts)
            self.direct.seed([*(r for r in rows if r[0] not in self._set), *declared] if self._set else rows)

    def cross(self, window: Window) -> None:
        """The crossings of a run from the model's present state."""
        if self.plan.crossed and (now := (window, self.plan.at(self.model))) != self._crossed:
            self._crossed = None  # in case that what follows raises
            self.direct.cross(self.plan.crossings(self.model, window))
            self._crossed = now

    def _rows(self, starts: Starts | None) -> list[Row]:
        core = self.model._core
        if starts is None:
            return self._asked_rows()
        m = {n: core.get_param(n) for n in starts.names}
        if not self.sized:
            return starts.rows(m, self._divisors)
        divisors, sizes = volumes(core)
        return [*starts.rows(m, divisors), *sizes]

    def _asked_rows(self) -> list[Row]:
        """bngsim's own rows, asked for again where a parameter or a size has changed."""
        core = self.model._core
        now = (*map(core.get_param, self._parameters), core.get_initial_state().tobytes() if self.sized else b"")
        if self._derived is None or self._derived[0] != now:
            self._derived = now, start_rows(core)
        return self._derived[1]
