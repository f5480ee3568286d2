"""A Posterior as a target: its value alone, and its curvature beside value and gradient, from the same solve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import FailedSolve
from bnfhmc.model.protocol import FailureKind
from bnfhmc.posterior import Evaluation, Posterior
from bnfhmc.samplers.curvature import Curvature, CurvedEvaluation
from bnfhmc.samplers.target import Target

# Step of the central difference of the prior's score, whose truncation and rounding errors are then both near 1e-9.
STEP = 1e-4

NO_GRADIENT: Float[np.ndarray, " 0"] = np.empty(0)


def as_target(posterior: Posterior | Target) -> Target:
    """The target that tells most of a posterior; anything but a `Posterior` is taken as it is."""
    if not isinstance(posterior, Posterior):
        return posterior
    return ValuedPosterior(posterior) if posterior.problem.target is not None else CurvedPosterior(posterior)


class _Seen:
    """What a sampler reads of a posterior, whatever else it can tell."""

    __slots__ = ("posterior",)

    def __init__(self, posterior: Posterior):
        self.posterior = posterior

    @property
    def dim(self) -> int:
        return self.posterior.dim

    @property
    def names(self) -> Sequence[str]:
        return self.posterior.names

    @property
    def solver_steps(self) -> float:
        return self.posterior.solver_steps

    def evaluate(self, z: Float[np.ndarray, " d"]) -> Evaluation:
        return self.posterior.evaluate(z)

    def sample_start(self, rng: np.random.Generator) -> Float[np.ndarray, " d"]:
        return self.posterior.sample_start(rng)

    def value(self, z: Float[np.ndarray, " d"]) -> Evaluation:
        """log π(z) by solves without sensitivities, with an empty gradient."""
        return value_of(self.posterior, z)


@final
class ValuedPosterior(_Seen):
    """A posterior with a closed-form objective, of which nothing is known but value and gradient."""

    __slots__ = ()

    def clone(self) -> ValuedPosterior:
        return ValuedPosterior(self.posterior.clone())


@final
class CurvedPosterior(_Seen):
    """A posterior of experiments, whose Fisher information is its curvature."""

    __slots__ = ()

    def clone(self) -> CurvedPosterior:
        return CurvedPosterior(self.posterior.clone())

    def evaluate_curved(self, z: Float[np.ndarray, " d"]) -> Evaluation | CurvedEvaluation:
        """log π(z), ∂log π/∂z and the curvature from one solve an experiment."""
        return evaluate_curved(self.posterior, z)


def value_of(posterior: Posterior, z: Float[np.ndarray, " d"]) -> Evaluation:
    """log π(z) by solves without sensitivities, with an empty gradient."""
    place = posterior.prior.transform(z)
    u = np.asarray(place.u)
    log_prior = posterior.prior.logpdf(u)
    if not np.isfinite(log_prior):
        return Evaluation(-np.inf, NO_GRADIENT, str(FailureKind.OUTSIDE))
    try:
        loss = _loss(posterior, u)
    except FailedSolve as failed:
        return Evaluation(-np.inf, NO_GRADIENT, str(failed.kind))
    logp = float(log_prior - loss + np.sum(place.log_du_dz))
    if not np.isfinite(logp):
        return Evaluation(-np.inf, NO_GRADIENT, str(FailureKind.NONFINITE))
    return Evaluation(logp, NO_GRADIENT, "ok")


def evaluate_curved(posterior: Posterior, z: Float[np.ndarray, " d"]) -> Evaluation | CurvedEvaluation:
    """log π(z), ∂log π/∂z and the curvature from one solve an experiment.

        −∂² log π/∂z² ≈ D F D + diag(c),   D = diag(du/dz),
        c_i = −d/dz_i [∂log p/∂u_i · u_i′ + (log|u_i′|)′] + ∂loss/∂u_i · u_i″

    with F the Fisher information of the data about u. What is left out are second derivatives of the predictions.
    """
    prior, likelihoods = posterior.prior, posterior.experiments
    place = prior.transform(z)
    u = np.asarray(place.u)
    log_prior, score = prior.logpdf_and_score(u)
    if not np.isfinite(log_prior):
        return _failed(z, FailureKind.OUTSIDE)
    try:
        solved = posterior.solved(u)
    except FailedSolve as failed:
        return _failed(z, failed.kind)
    loss, slope = 0.0, np.zeros(posterior.dim)
    for likelihood, prediction in zip(likelihoods, solved, strict=True):
        one, its_slope = likelihood.loss_gradient(prediction)
        loss, slope = loss + one, slope + its_slope
    dtheta_du = prior.dtheta_du(u)
    slope = slope * dtheta_du
    logp = float(log_prior - loss + np.sum(place.log_du_dz))
    grad = np.asarray((score - slope) * place.du_dz + place.dlog_du_dz)
    if not (np.isfinite(logp) and np.isfinite(grad).all()):
        return _failed(z, FailureKind.NONFINITE)

    def curvature() -> Curvature:
        F = sum(likelihood.fisher(prediction) for likelihood, prediction in zip(likelihoods, solved, strict=True))
        to_z = dtheta_du * place.du_dz
        bent = prior_curvature(posterior, z) + slope * place.du_dz * place.dlog_du_dz
        return Curvature(np.asarray(F) * np.outer(to_z, to_z), bent)

    return CurvedEvaluation(logp, grad, "ok", curvature)


def prior_curvature(posterior: Posterior, z: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
    """−∂²/∂z_i² of log p(u(z)) + log|du/dz|, each a function of its own z_i."""

    def slope(z: np.ndarray) -> Any:
        place = posterior.prior.transform(z)
        return posterior.prior.score(np.asarray(place.u)) * place.du_dz + place.dlog_du_dz

    return np.asarray((slope(z - STEP) - slope(z + STEP)) / (2 * STEP))


def _loss(posterior: Posterior, u: Float[np.ndarray, " d"]) -> float:
    if posterior.problem.target is not None:
        return posterior.loss(u)
    solved = posterior.solved(u, gradient=False)
    return float(sum(e.loss(prediction) for e, prediction in zip(posterior.experiments, solved, strict=True)))


def _failed(z: np.ndarray, kind: FailureKind | str) -> Evaluation:
    return Evaluation(-np.inf, np.zeros(z.shape), str(kind))
