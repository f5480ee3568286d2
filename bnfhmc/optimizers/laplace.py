"""The posterior as a normal distribution around its mode, and what follows from it.

    p(u | data) ≈ N(û, H⁻¹),   H = F + C,   log p(data) ≈ −f(û) + ½ d log 2π − ½ log det H

F is the expected information of the data at the mode, C the curvature of the prior (Tierney & Kadane 1986).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from bnfhmc.errors import FailedSolve
from bnfhmc.optimizers.box import Box
from bnfhmc.optimizers.linear import raised, solve_positive
from bnfhmc.optimizers.losses import Quadratic
from bnfhmc.optimizers.objective import Objective
from bnfhmc.optimizers.prior_terms import curvature, width
from bnfhmc.prior import Uniform

# A parameter is at a bound when it is nearer than this share of its scale.
AT_BOUND = 1e-4


@dataclass(frozen=True, slots=True)
class Laplace:
    """A normal approximation in u.

    ``mean``: the mode. ``covariance``: H⁻¹, where a parameter with a flat prior counts with the precision 12/width² of a
    uniform distribution, and one at a bound with the precision g² of the exponential that a slope g makes of it: so it is
    finite whatever the data leave open. ``information``: F alone. ``log_evidence``: log p(data) where the approximation holds
    for every parameter (none at a bound, none with more than a third of its box as standard deviation) and the likelihood is
    complete; None elsewhere.
    """

    mean: Float[np.ndarray, " d"]
    covariance: Float[np.ndarray, "d d"]
    information: Float[np.ndarray, "d d"]
    log_evidence: float | None

    @property
    def sd(self) -> Float[np.ndarray, " d"]:
        """Standard deviations in u."""
        return np.sqrt(np.diag(self.covariance))

    def draw(self, rng: np.random.Generator, bounds: Box, n: int) -> Float[np.ndarray, "n d"]:
        """Draws from the approximation, each pulled towards the mode until it is inside the bounds."""
        L, _ = raised(self.covariance)
        out = np.empty((n, len(self.mean)))
        for i in range(n):
            step = L @ rng.standard_normal(len(self.mean))
            while not np.all((self.mean + step >= bounds.lower) & (self.mean + step <= bounds.upper)):
                step = np.where(np.abs(step) > 1e-12 * (1 + np.abs(self.mean)), 0.7 * step, 0.0)
            out[i] = self.mean + step
        return out


def at_bounds(objective: Objective, u: Float[np.ndarray, " d"]) -> Bool[np.ndarray, " d"]:
    """Which parameters are at an end of the support or of the search space."""
    lower, upper = objective.bounds
    near = AT_BOUND * objective.scale
    return (u - lower <= near) | (upper - u <= near)


def laplace(objective: Objective, u: Float[np.ndarray, " d"]) -> Laplace | None:
    """The approximation around u; None where the objective has no information or u has no derivatives."""
    if not objective.gives("information"):
        return None
    try:
        at = objective.quadratic(u)
    except FailedSolve:
        return None
    C = np.maximum(curvature(objective.prior, u), 0.0)
    held = at_bounds(objective, u)
    H = at.hess + np.diag(_flat(objective)) + np.diag(np.where(held, at.grad**2, 0.0))
    covariance = np.column_stack([solve_positive(H, e) for e in np.eye(len(u))])
    covariance = 0.5 * (covariance + covariance.T)
    return Laplace(u.copy(), covariance, at.hess - np.diag(C), _evidence(objective, u, at, held))


def standard_errors(objective: Objective, approximation: Laplace) -> Float[np.ndarray, " d"]:
    """Of θ, by dθ/du; NaN for a parameter at a bound."""
    held = at_bounds(objective, approximation.mean)
    return np.where(held, np.nan, objective.prior.dtheta_du(approximation.mean) * approximation.sd)


def metric(objective: Objective, approximation: Laplace) -> Float[np.ndarray, "d d"]:
    """An inverse mass matrix for a sampler in z: the covariance of u by dz/du at the mode, which is held off its bounds.

    A parameter nearer to a bound than its standard deviation counts as that far away, where du/dz is not zero.
    """
    lower, upper = objective.prior.support
    sd = approximation.sd
    room = np.where(np.isfinite(upper - lower), 0.25 * (upper - lower), np.inf)
    away = np.minimum(sd, room)
    u = np.clip(approximation.mean, lower + away, upper - away)
    du_dz = objective.prior.du_dz(objective.prior.z_from_u(u))
    return approximation.covariance / np.outer(du_dz, du_dz)


def _flat(objective: Objective) -> Float[np.ndarray, " d"]:
    """12/width² where a prior is flat, or its quartiles would say more than its curvature does."""
    flat = np.array([isinstance(_inner(p.prior), Uniform) for p in objective.prior.parameters])
    return np.where(flat, 12.0 / (2.0 * width(objective.prior)) ** 2, 0.0)


def _inner(prior: object) -> object:
    from bnfhmc.prior import Truncated

    while isinstance(prior, Truncated):
        prior = prior.prior
    return prior


def _evidence(objective: Objective, u: np.ndarray, at: Quadratic, held: np.ndarray) -> float | None:
    posterior = objective.posterior
    if posterior is None or posterior.problem.target is not None or np.any(held):
        return None
    if any(e.experiment.constraints for e in posterior.experiments):
        return None
    L, added = raised(at.hess)
    sd = np.sqrt(np.diag(np.linalg.inv(L.T) @ np.linalg.inv(L))) if not added else np.full(len(u), np.inf)
    if np.any(sd > 10.0 * objective.scale / 3.0):
        return None
    log_likelihood = float(np.sum(posterior.pointwise(u)))
    d = len(u)
    return log_likelihood + objective.log_prior(u) + 0.5 * d * float(np.log(2 * np.pi)) - float(np.sum(np.log(np.diag(L))))
