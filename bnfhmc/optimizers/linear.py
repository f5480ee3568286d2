"""Positive definite systems, and what makes a symmetric matrix one of them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def solve_positive(B: Float[np.ndarray, "d d"], b: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
    """B⁻¹b for a symmetric positive definite B; where rounding has left it none, of B with its diagonal raised."""
    from scipy.linalg import cho_solve
    from scipy.linalg.lapack import dposv

    _, x, info = dposv(B, b, lower=1)
    if info == 0 and np.isfinite(x).all():
        return np.asarray(x)
    L, _ = raised(B)
    return np.asarray(cho_solve((L, True), b, check_finite=False))


def raised(B: Float[np.ndarray, "d d"]) -> tuple[Float[np.ndarray, "d d"], float]:
    """The Cholesky factor L of B + τ diag(scale), and the smallest τ of 0, 1e-12, 1e-11, … that has one.

    scale: the diagonal of |B|, or its mean where an entry is smaller than 1e-12 of it. Raises ValueError for a B that is
    not finite.
    """
    if not np.isfinite(B).all():
        raise ValueError("the matrix is not finite")
    size = np.abs(np.diag(B))
    mean = float(np.mean(size)) or 1.0
    scale = np.diag(np.maximum(size, 1e-12 * mean))
    tau = 0.0
    while True:
        try:
            return np.linalg.cholesky(B + tau * scale if tau else B), tau
        except np.linalg.LinAlgError:
            tau = 10.0 * tau if tau else 1e-12
