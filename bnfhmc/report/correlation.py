"""Rank correlations of draws."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

MOST_PAIRED = 5


def rank_correlation(u: Float[np.ndarray, "s d"]) -> Float[np.ndarray, "d d"]:
    """Spearman's correlation of each pair; 0 where a parameter does not move."""
    ranks = np.argsort(np.argsort(u, axis=0), axis=0).astype(float)
    ranks[:, np.ptp(u, axis=0) == 0] = np.nan
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(np.corrcoef(ranks, rowvar=False).reshape(u.shape[1], u.shape[1]))


def most_correlated(u: Float[np.ndarray, "s d"], most: int = MOST_PAIRED) -> list[int]:
    """The parameters of the strongest correlations, at most so many, in their order."""
    R = np.abs(np.triu(rank_correlation(u), 1))
    chosen: list[int] = []
    for place in np.argsort(-R, axis=None):
        if len(chosen) >= min(most, u.shape[1]):
            break
        pair = dict.fromkeys(int(k) for k in np.unravel_index(place, R.shape))
        new = [k for k in pair if k not in chosen]
        chosen += new[: most - len(chosen)]
    return sorted(chosen)
