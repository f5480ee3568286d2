"""What a prior adds to a least-squares problem and to a Hessian."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.prior import Normal, Parameter, Prior, PriorVector, Truncated, Uniform

# A curvature is a difference of scores this share of the central half of the prior away to both sides.
STEP = 1e-4


class Rows(NamedTuple):
    """The residuals of a Gaussian prior: ρ_k = (u_i − mean_k)/sd_k for the parameters i = ``which[k]``.

    −log p(u) = ½‖ρ‖² + ``constant`` inside the support, where uniform priors are part of the constant.
    """

    which: np.ndarray
    mean: Float[np.ndarray, " k"]
    sd: Float[np.ndarray, " k"]
    constant: float

    def residuals(self, u: Float[np.ndarray, " d"]) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "k d"]]:
        """ρ and ∂ρ/∂u."""
        J = np.zeros((len(self.which), len(u)))
        J[np.arange(len(self.which)), self.which] = 1.0 / self.sd
        return (u[self.which] - self.mean) / self.sd, J


def rows_of(prior: PriorVector) -> Rows | None:
    """The priors as residuals; None where one of them is neither normal nor uniform, truncated or not."""
    found = [_inner(p.prior) for p in prior.parameters]
    if not all(isinstance(f, Normal | Uniform) for f in found):
        return None
    which = np.array([i for i, f in enumerate(found) if isinstance(f, Normal)], dtype=int)
    mean = np.array([float(f.mean) for f in found if isinstance(f, Normal)])
    sd = np.array([float(f.sd) for f in found if isinstance(f, Normal)])
    middle = prior.quantile(np.full(len(prior), 0.5))
    at_middle = (middle[which] - mean) / sd
    return Rows(which, mean, sd, -prior.logpdf(middle) - 0.5 * float(at_middle @ at_middle))


def others_than_rows(prior: PriorVector) -> list[Parameter]:
    """The parameters whose prior is no residual."""
    return [p for p in prior.parameters if not isinstance(_inner(p.prior), Normal | Uniform)]


def curvature(prior: PriorVector, u: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
    """−∂² log p_i/∂u_i² by central differences of the scores, one-sided at an end of the support.

    Negative where a density is convex in u; at a kink as steep as the step lets it be.
    """
    lo, hi = prior.support
    step = STEP * width(prior)
    above, below = np.minimum(u + step, hi), np.maximum(u - step, lo)
    apart = above - below
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (prior.score(below) - prior.score(above)) / apart
    return np.where(np.isfinite(slope), slope, 0.0)


def width(prior: PriorVector) -> Float[np.ndarray, " d"]:
    """The width of the central half of each prior, in u; 1 where it is not finite."""
    d = len(prior)
    w = prior.quantile(np.full(d, 0.75)) - prior.quantile(np.full(d, 0.25))
    return np.where(np.isfinite(w) & (w > 0), w, 1.0)


def _inner(prior: Prior) -> Prior:
    while isinstance(prior, Truncated):
        prior = prior.prior
    return prior
