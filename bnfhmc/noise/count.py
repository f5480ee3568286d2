"""What the count families share: their log pmf as a deviance and a constant of the data, and what counts are."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import gammaln, xlogy

LARGE_COUNT = 100.0  # from here Stirling's series has all the digits of a float


def half_deviance(k: Any, mu: Any) -> tuple[Any, Any]:
    """D = k log(k/μ) + μ − k of counts k at mean μ > 0, and ∂D/∂μ = 1 − k/μ; precise also where μ is close to k."""
    counted = np.where(k > 0, k, 1.0)
    x = (mu - k) / counted
    log_ratio = np.where(np.abs(x) < 0.5, np.log1p(x), np.log(mu / counted))
    return np.where(k > 0, k * (x - log_ratio), mu), (mu - k) / mu


def log_spread(k: Any) -> Any:
    """log k! − k log k + k, which is −log of the Poisson pmf at its own mean k: about ½ log 2πk."""
    small, large = np.minimum(k, LARGE_COUNT), np.maximum(k, LARGE_COUNT)
    exact = gammaln(small + 1) - xlogy(small, small) + small
    series = 0.5 * np.log(2 * np.pi * large) + (1 / 12 - (1 / 360 - 1 / (1260 * large**2)) / large**2) / large
    return np.where(k > LARGE_COUNT, series, exact)


def not_counts(family: str, obs: np.ndarray) -> str:
    """Why some observed value is no count; empty when all are counts."""
    bad = obs[~((obs >= 0) & (obs == np.round(obs)) & np.isfinite(obs))]
    return f"{family} needs counts (0, 1, 2, …), got {bad[0]:g}" if bad.size else ""
