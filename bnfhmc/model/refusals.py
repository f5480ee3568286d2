"""What of a network cannot be differentiated rightly, or cannot be set: said before a run, or at the first point."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from bnfhmc.errors import InputError, MissingTool, Mistake
from bnfhmc.model.internals import blind_starts, function_texts
from bnfhmc.model.rounding import rounded_states
from bnfhmc.model.starts import Row


def wrong_derivatives(source: Any, parameters: tuple[str, ...], said: Sequence[Row], note: Callable[[], str]) -> str:
    """Why sensitivities by `parameters` would be wrong; empty where they are right.

    A difference quotient of the right-hand side does not see that a jump (of ``floor(A)``, or of an ``if`` on the
    state) comes sooner or later as a parameter moves. ``said``: ∂x(0)/∂p as bngsim has it; ``note``: says why
    sensitivities are difference quotients.
    """
    blind = blind_starts(source, parameters, said)
    if blind:
        return f"bngsim has no derivative of {', '.join(blind)}"
    moving = {*source.species_names, *source.observable_names, *source.function_names}
    rounded = rounded_states(function_texts(source), moving)
    rounds = f"{', '.join(rounded)} rounds a quantity that changes with the state, and has no derivative"
    try:
        reason = note()
    except MissingTool:
        if rounded:  # C has no % of numbers with fractions
            return rounds
        raise
    if reason and rounded:
        return rounds
    return reason if "crossing time" in reason else ""


def refuse_volumes(
    model: str, size: str, names: Collection[str], units: Mapping[str, float], moved: Mapping[str, float]
) -> None:
    """An amount is a concentration times a size; where the size moves, so would what an amount means here.

    ``moved``: the units of amounts with `size` changed. Raises InputError where an amount among `names` has another one.
    """
    amounts = sorted(n for n in names if n in moved and moved[n] != units[n])
    if amounts:
        what = f"model '{model}': the compartment size '{size}' cannot be set together with an amount"
        hint = "give it as a concentration, or fix the size"
        raise InputError(Mistake(f"{what} ({', '.join(amounts[:3])})", hint))


def refuse_underivable(model: str, outputs: Sequence[str], dy: np.ndarray) -> None:
    """Raise InputError for outputs whose sensitivities are no numbers at every time after the first."""
    blind = [o for i, o in enumerate(outputs) if np.isnan(dy[1:, i]).any(axis=-1).all()]
    if blind:
        raise InputError([
            Mistake(f"model '{model}': output '{o}' cannot be differentiated",
                    "measure a species or observable it is computed from, or use a gradient-free method")
            for o in blind
        ])  # fmt: skip
