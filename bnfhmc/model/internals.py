"""The only touches of bngsim's internals, each with the versions it was proved with.

Initial-value sensitivities ∂x(0)/∂p are worked out once, not at every run. bngsim derives them with sympy at each run
(twice), which costs more than the solve of a small model. What it derives depends on the primary parameters that initial
values are computed from (those its own rows name, zeros included) and, where compartments have sizes, on the initial state;
while those stay the same so does it. What a set species changes about it is cheap and done anew each time.
"""

from __future__ import annotations

import logging
from typing import Any

from bngsim._codegen import compute_ic_param_sens_seed

PROVED_WITH = ("0.16.",)  # versions for which tests/model/test_internals.py shows the route equal to the public one

EPSILON = 2.2e-16  # of a float

log = logging.getLogger(__name__)


def remembering(simulator: Any, version: str) -> Any:
    """The Simulator class with derived ∂x(0)/∂p kept while their inputs stay the same; on an unknown version, itself."""
    if not version.startswith(PROVED_WITH):
        log.info("bngsim %s: initial-value sensitivities are worked out at every run (known: %s)", version, PROVED_WITH)
        return simulator

    class Remembering(simulator):
        __slots__ = ("_derived_rows",)

        def _apply_ic_param_sens_seed(self, opts: Any, model: Any, param_names: Any = None) -> Any:
            """As in the class above, from remembered rows; the report it returns on the run is left empty."""
            rows, declared = self._rows(model), model._declared_ic_sens
            retired = model._superseded_ic_rows(rows, declared) if rows else set()
            seeds = [row for row in rows if row[0] not in retired]
            if declared:
                seeds = model._overlay_declared_ic_sens(seeds, declared)
            if seeds or retired or declared:
                # a zero seeds nothing, but an empty list would bring back the rows that a set species has retired
                opts.set_ic_param_sens([row for row in seeds if row[2] != 0.0] or [(-1, 0, 0.0)])
            return {}

        def _rows(self, model: Any) -> list[tuple[int, int, float]]:
            """(species, parameter, ∂x(0)/∂p) as the model file has them."""
            core = model._core
            sized = bool(list(getattr(core, "compartment_ic_sens_seeds", ())))
            kept = getattr(self, "_derived_rows", None)
            if kept is not None and kept[0] == _inputs(core, kept[2], sized):
                return kept[1]
            rows = compute_ic_param_sens_seed(core)
            names = core.param_names
            reads = sorted({names[p] for _, p, _ in rows})
            self._derived_rows = (_inputs(core, reads, sized), rows, reads)
            return rows

    return Remembering


def _inputs(core: Any, names: list[str], sized: bool) -> tuple[Any, ...]:
    return (tuple(map(core.get_param, names)), core.get_initial_state().tobytes() if sized else b"")


def function_texts(model: Any) -> list[str]:
    """The expressions of the model's functions and functional rate laws, as bngsim holds them."""
    return list(model._core.function_expressions)


def trigger_texts(model: Any) -> list[str]:
    """The conditions that the model's events fire at, as bngsim holds them."""
    return list(model._core.event_trigger_sources())


def reads_time(model: Any) -> bool:
    """Whether a rate law, a function or the trigger of an event names the time."""
    return any("time()" in text.replace(" ", "") for text in (*function_texts(model), *trigger_texts(model)))


def blind_starts(model: Any, columns: tuple[str, ...]) -> list[str]:
    """Initial amounts that move with one of `columns` otherwise than bngsim's ∂x(0)/∂p says, in words.

    bngsim leaves out an initial value it cannot differentiate, without a word. Compared at the model's own values, by the
    state that `reset` gives for a parameter a little above and below.
    """
    probe, found = model.clone(), list[str]()
    core, names = model._core, model.species_names
    texts = {names[i]: core.param_expressions[p] for i, p in core.species_ic_param_refs}
    probe.reset()
    said = probe.effective_ic_sensitivity(list(columns))
    for name in columns:
        value = probe.get_param(name)
        h = 1e-5 * max(abs(value), 1e-3)
        above, below = (_start(probe, name, value + d) for d in (h, -h))
        _start(probe, name, value)
        rounding = 8 * EPSILON * (abs(above) + abs(below)) / h
        for species, slope, error in zip(names, (above - below) / (2 * h), rounding, strict=True):
            own = said.get(species, {}).get(name, 0.0)
            if abs(slope - own) > 1e-4 * (abs(slope) + abs(own)) + error:
                found.append(f"the initial amount of {species} ({texts.get(species, '…')}) by {name}")
    return found


def _start(model: Any, name: str, value: float) -> Any:
    model.set_param(name, value)
    model.reset()
    return model.get_state()
