"""The step of a trust region with bounds: a strictly convex quadratic over a box, solved exactly.

    min_s gᵀs + ½ sᵀBs   with   lower ≤ s ≤ upper,   lower ≤ 0 ≤ upper

Primal active set (Nocedal & Wright 2006, section 16.5): go to the minimum over the free components, stop at the first bound
in the way and hold that component; when nothing is in the way, free the held component that gains most.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from bnfhmc.optimizers.linear import solve_positive


def box_minimum(
    g: Float[np.ndarray, " d"],
    B: Float[np.ndarray, "d d"],
    lower: Float[np.ndarray, " d"],
    upper: Float[np.ndarray, " d"],
) -> Float[np.ndarray, " d"]:
    """The minimum s of the quadratic; B symmetric and positive definite, bounds possibly infinite.

    A component may be held from the start (lower = upper = 0). The iterations end after 10 d + 20, which rounding alone
    could need; the point reached then is feasible and no higher than s = 0.
    """
    d = len(g)
    s, slope = np.zeros(d), g.astype(float)
    held = ((lower >= 0) & (g > 0)) | ((upper <= 0) & (g < 0)) | (lower >= upper)
    tolerance = 1e-10 * float(np.max(np.abs(g), initial=0.0))
    for _ in range(10 * d + 20):
        free = np.flatnonzero(~held)
        if free.size:
            step = solve_positive(B[np.ix_(free, free)], -slope[free])
            share, first = _room(s[free], step, lower[free], upper[free])
            s[free] = np.clip(s[free] + share * step, lower[free], upper[free])
            if first is not None:
                i = free[first]
                s[i] = lower[i] if step[first] < 0 else upper[i]
                held[i] = True
            slope = g + B @ s
            if first is not None:
                continue
        gains = np.where(held & (s < upper) & (slope < -tolerance), -slope, 0.0)
        gains += np.where(held & (s > lower) & (slope > tolerance), slope, 0.0)
        if not gains.any():
            break
        held[np.argmax(gains)] = False
    return s


def _room(
    s: np.ndarray, step: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> tuple[float, int | None]:
    """The share of the step that stays inside the box, and the component that stops it; None where none does."""
    ends = s + step
    out = (ends < lower) | (ends > upper)
    if not out.any():
        return 1.0, None
    shares = np.ones(len(s))
    shares[out] = np.where(step < 0, lower - s, upper - s)[out] / step[out]
    first = int(np.argmin(shares))
    return max(float(shares[first]), 0.0), first
