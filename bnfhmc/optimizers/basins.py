"""Which starts have come to the same place: basins of f."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import FailedSolve
from bnfhmc.optimizers.objective import Objective

# Values further apart than this are different basins; so are points that the curvature at the better one puts further apart.
SAME_VALUE = 0.1
# Points on the way between two ends, and how far above the higher end the way may rise.
ON_THE_WAY = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True)
class Basin:
    """A place that starts have come to: the best point u of them, f there, and their indices."""

    u: Float[np.ndarray, " d"]
    value: float
    starts: tuple[int, ...]


def cluster(
    objective: Objective, ends: Sequence[tuple[int, Float[np.ndarray, " d"], float]]
) -> tuple[Basin, ...]:
    """Basins of converged starts (index, u, f), the best first.

    Two points are of one basin when their values differ by less than 0.1 and either ½ δᵀHδ < 0.1, with δ between them and H
    the curvature at the better one, or f at three points between them is nowhere 0.1 above the higher of the two: some
    solves for each basin, none for each start that the curvature settles.
    """
    basins: list[tuple[np.ndarray, float, list[int], np.ndarray | None]] = []
    for index, u, value in sorted(ends, key=lambda e: e[2]):
        for best, lowest, members, H in basins:
            if value - lowest < SAME_VALUE and _together(objective, best, u, value, H):
                members.append(index)
                break
        else:
            basins.append((u, value, [index], _curvature(objective, u)))
    return tuple(Basin(u, value, tuple(sorted(members))) for u, value, members, _ in basins)


def _together(objective: Objective, best: np.ndarray, u: np.ndarray, value: float, H: np.ndarray | None) -> bool:
    delta = u - best
    if H is not None and 0.5 * float(delta @ H @ delta) < SAME_VALUE:
        return True
    if H is None and float(np.max(np.abs(delta) / objective.scale)) < 1e-2:
        return True
    try:
        return all(objective.value(best + share * delta) < value + SAME_VALUE for share in ON_THE_WAY)
    except FailedSolve:
        return False


def _curvature(objective: Objective, u: np.ndarray) -> np.ndarray | None:
    if not objective.gives("information"):
        return None
    try:
        return objective.quadratic(u).hess
    except FailedSolve:
        return None
