"""How often each constraint holds under the posterior, and by how much the worst draw misses it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import FailedSolve
from bnfhmc.noise.constraint import Constraint, Outputs
from bnfhmc.report.text import print_table, printable

if TYPE_CHECKING:
    from rich.console import Console

    from bnfhmc.posterior import Posterior

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


def satisfaction(posterior: Posterior, z: Float[np.ndarray, "chain draw d"], limit: int = 400) -> tuple[Held, ...]:
    """`constraint_satisfaction` of every experiment over at most `limit` draws, evenly spaced; one plain solve a draw."""
    if not any(e.constraints for e in posterior.problem.experiments):
        return ()
    flat = z.reshape(-1, z.shape[-1])
    chosen = flat[np.unique(np.linspace(0, len(flat) - 1, min(limit, len(flat))).astype(int))]
    solved = [_trajectories(posterior, draw) for draw in chosen]
    return tuple(
        held
        for i, e in enumerate(posterior.problem.experiments)
        if e.constraints
        for held in constraint_satisfaction(e.constraints, (None if s is None else s[i] for s in solved))
    )


def _trajectories(posterior: Posterior, z: np.ndarray) -> list[Solved] | None:
    try:
        return list(posterior.trajectories(posterior.u_from_z(z)))
    except FailedSolve:  # counted as failed
        return None


def print_satisfaction(console: Console, found: Sequence[Held]) -> None:
    """One row a constraint: in how many of the draws it holds, and the worst and median margin."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Column, Table

    numbers = (Column(h, justify="right") for h in ("holds", "worst margin", "median margin"))
    table = Table("constraint", "where", *numbers, box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for h in found:
        cells = (h.text, h.where, _percent(h.holds), _number(h.worst_margin), _number(h.median_margin))
        table.add_row(*(escape(printable(c)) for c in cells))
    print_table(console, table)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.3g} %"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


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
