"""What a search may save at every solve: digits that it does not see, and points that no fit would be at.

A draw from a wide prior now and then makes a model so stiff that one solve takes longer than all the others together.
"""

from __future__ import annotations

import time

import numpy as np

from bnfhmc.errors import FailedSolve
from bnfhmc.model.protocol import FailureKind
from bnfhmc.optimizers.objective import Objective
from bnfhmc.optimizers.starts import draws

LOOSE = 1e-7  # the relative tolerance of a search that has gradients
SECONDS = 1.0  # that a solve may take in any case
TIMES = 200.0  # the price of a usual solve, derivatives included, that a solve may take
DRAWN = 5  # points that say what is usual


def loosened(objective: Objective, rtol: float) -> tuple[Objective, float]:
    """A copy of the objective for searches, to the relative tolerance `rtol`, and the seconds after which it gives a solve up.

    These are a second, or two hundred times the median of five draws from the prior, whichever is longer.
    A Python function is left as it is.
    """
    if objective.posterior is None:
        return objective, np.inf
    quick = objective.loosened(rtol, SECONDS)
    limit = TIMES * float(np.median([_price(quick, u) for u in next(draws(objective, DRAWN, 0))]))
    return (quick, SECONDS) if limit <= SECONDS else (objective.loosened(rtol, limit), limit)


def _price(objective: Objective, u: np.ndarray) -> float:
    began = time.perf_counter()
    try:
        objective.value(u)
    except FailedSolve as failed:
        if failed.kind == FailureKind.TIMEOUT:
            return np.inf
    return time.perf_counter() - began
