"""How often each constraint holds under the posterior, and by how much the worst draw misses it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bnfhmc.noise.constraint import Constraint, Outputs

Solved = tuple[Float[np.ndarray, " row"], Outputs]  # output times, and each output's values at them


@dataclass(frozen=True, slots=True)
class Held:
    """One constraint over many draws.

    ``text``, ``where``: the constraint and the file and line it stands in; ``draws``: how many were solved;
    ``failed``: how many were not; ``enforced``, ``holds``: fractions of the solved draws in which it was asked for, and
    in which it was not broken (not asked for is not broken); ``worst_margin``, ``median_margin``: in the outputs' unit,
    over the draws in which it was asked for, negative where broken; ``worst_draw``: the place of the worst among all
    draws. What does not exist is None.
    """

    text: str
    where: str
    draws: int
    failed: int
    enforced: float | None
    holds: float | None
    worst_margin: float | None
    median_margin: float | None
    worst_draw: int | None


def constraint_satisfaction(constraints: Sequence[Constraint], draws: Iterable[Solved | None]) -> tuple[Held, ...]:
    """How often each constraint holds, P̂ = #{draws that do not break it}/#{draws}, in the order of `constraints`.

    `draws`: the experiment solved at each draw, as (times[row], output → y[row]), or None for a failed solve; it is
    read once, so a generator that solves as it goes keeps one trajectory at a time. Smoothing changes nothing here.
    """
    margins: list[list[float]] = [[] for _ in constraints]
    holds: list[list[bool]] = [[] for _ in constraints]
    solved, total = [], 0
    for total, draw in enumerate(draws, 1):
        if draw is None:
            continue
        solved.append(total - 1)
        for i, constraint in enumerate(constraints):
            said = constraint.evaluate(*draw)
            margins[i].append(said.margin)
            holds[i].append(said.holds)
    return tuple(
        _held(c, np.array(m), np.array(h, dtype=bool), np.array(solved, dtype=int), total - len(solved))
        for c, m, h in zip(constraints, margins, holds, strict=True)
    )


def _held(c: Constraint, margin: np.ndarray, holds: np.ndarray, solved: np.ndarray, failed: int) -> Held:
    where = "" if c.path is None else f"{c.path}:{c.line}"
    if not solved.size:
        return Held(c.text, where, 0, failed, None, None, None, None, None)
    asked = margin < np.inf
    fractions = float(asked.mean()), float(holds.mean())
    if not asked.any():
        return Held(c.text, where, len(solved), failed, *fractions, None, None, None)
    worst = int(np.where(asked, margin, np.inf).argmin())
    return Held(c.text, where, len(solved), failed, *fractions, float(margin[worst]), float(np.median(margin[asked])),
                int(solved[worst]))  # fmt: skip
