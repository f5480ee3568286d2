"""An estimated scale profiled out: its best value at given residuals, in closed form. For optimizers only.

    normal:   σ̂² = Σ r²/n,   min_σ Σ(r²/2σ² + log σ) = n/2 + n log σ̂,   ∂/∂r = r/σ̂²
    laplace:  b̂ = Σ |r|/n,   min_b Σ(|r|/b + log 2b) = n + n log 2b̂,    ∂/∂r = sign(r)/b̂

The scale is at its optimum, so its own derivative drops out (the envelope theorem) and the gradient is the one at fixed
scale. r is the residual on the axis where the noise is additive: the difference of logarithms for a log family. All the
measurements that share one scale parameter are profiled together.

A sampler refuses it: profiling is not marginalising. The maximum over σ is no integral over σ, so draws from a profiled
likelihood would be draws from no posterior, and too narrow. Neither bounds nor a prior of σ are looked at.

PyBNF 1.8.1 profiles the same two families (``noise_profiling = 1``); no other has this closed form, nor has a log
family whose prediction is a mean, where σ moves the location.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Profile(NamedTuple):
    """The best scale, the loss there and ∂loss/∂r[n].

    Residuals that are all zero, not finite or none at all have no best scale: scale NaN, loss +inf, gradient zero.
    """

    scale: float
    loss: float
    d_residual: Float[np.ndarray, " n"]


def profile_normal(r: Float[np.ndarray, " n"]) -> Profile:
    """Profile σ out of Σ(r²/2σ² + log σ); r in the unit of the measurements, or of their logarithm."""
    n, top = r.size, _largest(r)
    if not 0 < top < np.inf:
        return Profile(np.nan, np.inf, np.zeros(n))
    sigma = float(top * np.sqrt(np.mean((r / top) ** 2)))  # so that no square overflows, nor all of them underflow
    return Profile(sigma, float(0.5 * n + n * np.log(sigma)), r / sigma / sigma)


def profile_laplace(r: Float[np.ndarray, " n"]) -> Profile:
    """Profile b out of Σ(|r|/b + log 2b); r in the unit of the measurements, or of their logarithm."""
    n, top = r.size, _largest(r)
    if not 0 < top < np.inf:
        return Profile(np.nan, np.inf, np.zeros(n))
    b = float(top * np.mean(np.abs(r / top)))
    return Profile(b, float(n + n * np.log(2.0 * b)), np.sign(r) / b)


# the noise family, on the measurements or on their logarithm → how its scale is profiled out
PROFILES: Mapping[str, Callable[[Float[np.ndarray, " n"]], Profile]] = {
    "normal": profile_normal, "laplace": profile_laplace,
}  # fmt: skip


def _largest(r: np.ndarray) -> float:
    """max |r|; NaN where a residual is NaN."""
    return float(np.max(np.abs(r), initial=0.0))
