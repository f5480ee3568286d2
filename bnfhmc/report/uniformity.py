"""Whether numbers that should be uniform on [0, 1] are: the difference of their ECDF and the diagonal, within a band.

Säilynoja, Bürkner, Vehtari (2022), Statistics and Computing 32:32.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float

PLACES = 101
SIMULATED = 1000  # uniform samples that a band rests on


@lru_cache(maxsize=32)
def uniform_band(
    n: int, level: float = 0.95
) -> tuple[Float[np.ndarray, " grid"], Float[np.ndarray, " grid"], Float[np.ndarray, " grid"]]:
    """A grid on [0, 1], and the band of ECDF − grid that a whole curve of n uniform numbers stays within with probability
    `level`.

    At each place it is the central 1 − γ of a binomial, with the one γ at which as many simulated curves leave it as may.
    """
    from scipy.special import bdtr

    grid = np.linspace(0.0, 1.0, PLACES)
    inner, rng = grid[1:-1], np.random.default_rng(n)
    counts = np.array([np.searchsorted(np.sort(rng.random(n)), inner, side="right") for _ in range(SIMULATED)])
    k = np.arange(n + 1)[:, None]
    below = bdtr(k, n, inner)  # P(count ≤ k)
    above = 1.0 - np.vstack([np.zeros(len(inner)), below[:-1]])  # P(count ≥ k)
    tail = 2 * np.minimum(below, above)
    gamma = np.quantile(tail[counts, np.arange(len(inner))].min(axis=1), 1 - level)
    inside = tail >= gamma
    low, high = inside.argmax(axis=0) / n - inner, (n - inside[::-1].argmax(axis=0)) / n - inner
    return grid, np.concatenate([[0.0], low, [0.0]]), np.concatenate([[0.0], high, [0.0]])


def excess(x: Float[np.ndarray, " n"], grid: Float[np.ndarray, " grid"]) -> Float[np.ndarray, " grid"]:
    """ECDF(x) − grid."""
    return np.searchsorted(np.sort(x), grid, side="right") / len(x) - grid


def leaves_band(x: Float[np.ndarray, " n"], level: float = 0.95) -> bool:
    """Whether the numbers are further from uniform than all but 1 − `level` of uniform samples."""
    grid, low, high = uniform_band(len(x), level)
    curve, slack = excess(x, grid)[1:-1], 1e-9
    return bool(np.any((curve < low[1:-1] - slack) | (curve > high[1:-1] + slack)))
