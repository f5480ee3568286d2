"""Parameters of the read-out (scales, offsets, noise) at their best for a given solution of the model.

No model's solution depends on them, so at fixed others they cost no solve: one solution is looked at again and again. A
start drawn from the prior has them at random, which hides whether its dynamics are any good, and a first step spends itself
on them. This is variable projection (Golub & Pereyra 1973) of a start, not of the search.
"""

from __future__ import annotations

from typing import final

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import FailedSolve
from bnfhmc.likelihood import Prediction
from bnfhmc.model.protocol import Failure
from bnfhmc.optimizers.box_qp import box_minimum
from bnfhmc.optimizers.linear import raised
from bnfhmc.optimizers.losses import PosteriorLoss, Quadratic
from bnfhmc.optimizers.objective import Objective
from bnfhmc.optimizers.prior_terms import curvature
from bnfhmc.posterior import Posterior
from bnfhmc.simulation import Solved

STEPS = 8
HALVINGS = 4
LONGEST = 3.0  # a component of a step, in scales of its parameter
GAIN = 1e-2  # of f, below which nothing more is done


@final
class Readout:
    """The parameters that no model's solution depends on, and the best of them at a point."""

    def __init__(self, objective: Objective):
        self.objective = objective
        posterior = objective.posterior
        self.index = np.array([], dtype=int)
        if posterior is not None and posterior.problem.target is None:
            moved = frozenset().union(*(e.simulation.used for e in posterior.experiments))
            self.index = np.array([i for i, n in enumerate(posterior.names) if n not in moved], dtype=int)

    def improved(self, u: Float[np.ndarray, " d"]) -> tuple[Float[np.ndarray, " d"], float]:
        """u with these parameters at a minimum of f within their bounds, and f there; one solve without sensitivities.

        Raises FailedSolve where the model cannot be solved.
        """
        posterior = self.objective.posterior
        if posterior is None or not self.index.size:
            return u, self.objective.value(u)
        view = _View(self.objective, posterior, u)
        here = view.at(u)
        for _ in range(STEPS):
            ahead = self._step(view, u, here)
            if ahead is None:
                break
            gained = here.value - ahead[1].value
            u, here = ahead
            if gained < GAIN:
                break
        return u, here.value

    def _step(self, view: _View, u: np.ndarray, here: Quadratic) -> tuple[np.ndarray, Quadratic] | None:
        """A step of Fisher scoring, in which a noise scale takes all of its way at once; None where none gains.

        With σ alone, −log p = S/2σ² + n log σ has slope n − S/σ² and information 2n in log σ, so that its minimum is at
        log σ + ½ log(1 − 2 slope/information): for small slopes the step of Newton.
        """
        k = self.index
        lower, upper = self.objective.bounds
        reach = LONGEST * self.objective.scale[k]
        H = here.hess[np.ix_(k, k)]
        L, _ = raised(H + 1e-9 * np.eye(len(k)))
        s = box_minimum(here.grad[k], L @ L.T, np.maximum(lower[k] - u[k], -reach), np.minimum(upper[k] - u[k], reach))
        if -float(here.grad[k] @ s + 0.5 * s @ H @ s) < GAIN:
            return None
        for move in (np.where(view.noise[k], view.to_best_scale(u, here)[k], s), s):
            for halving in range(HALVINGS):
                there = u.copy()
                there[k] = np.clip(u[k] + 0.5**halving * move, lower[k], upper[k])
                try:
                    ahead = view.at(there)
                except FailedSolve:
                    continue
                if ahead.value < here.value:
                    return there, ahead
        return None


class _View:
    """f at one solution of the model, as a function of the read-out alone: derivatives by other parameters are left out."""

    def __init__(self, objective: Objective, posterior: Posterior, u: np.ndarray):
        self.objective, self.posterior = objective, posterior
        theta = self._theta(u)
        self.solved: list[Solved] = []
        for e in posterior.experiments:
            solved = e.simulation.solve(theta, False)
            if isinstance(solved, Failure):
                raise FailedSolve(solved.kind, solved.message)
            self.solved.append(solved)
        scales = {f.expression.text for e in posterior.experiments for g in e.groups for _, _, f in g.formulas
                  if f.is_one_parameter}  # fmt: skip
        self.noise = np.array([n in scales for n in posterior.names])

    def at(self, u: np.ndarray) -> Quadratic:
        theta, prior = self._theta(u), self.posterior.prior
        loss, grad, F = 0.0, np.zeros(len(u)), np.zeros((len(u),) * 2)
        for e, solved in zip(self.posterior.experiments, self.solved, strict=True):
            prediction = Prediction(theta, e.observation.observe(theta, solved))
            part, slope = e.loss_gradient(prediction)
            loss, grad, F = loss + part, grad + slope, F + e.fisher(prediction)
        scale = prior.dtheta_du(u)
        log_prior, score = prior.logpdf_and_score(u)
        if not (np.isfinite(loss) and np.isfinite(log_prior) and np.isfinite(grad).all() and np.isfinite(F).all()):
            raise FailedSolve("nonfinite", "the objective or its derivative is not finite")
        hess = F * np.outer(scale, scale) + np.diag(np.maximum(curvature(prior, u), 0.0))
        return Quadratic(loss - log_prior, grad * scale - score, hess)

    def to_best_scale(self, u: np.ndarray, here: Quadratic) -> Float[np.ndarray, " d"]:
        """The step to θ exp(½ log(1 − 2 slope/information)), both taken in log θ, of each parameter."""
        prior = self.posterior.prior
        theta = prior.theta_from_u(u)
        with np.errstate(all="ignore"):
            share = here.grad * prior.dtheta_du(u) / (np.diag(here.hess) * theta)
            best = theta * np.sqrt(np.maximum(1.0 - 2.0 * share, 1e-30))
        ahead = np.array([float(p.scale.u_from_theta(b)) for p, b in zip(prior.parameters, best, strict=True)])
        return np.where(np.isfinite(ahead), ahead - u, 0.0)

    def _theta(self, u: np.ndarray) -> dict[str, float]:
        return dict(zip(self.posterior.names, self.posterior.theta_from_u(u).tolist(), strict=True))


def readout_of(objective: Objective) -> Readout | None:
    """The read-out of an objective, or None where it has no parameters."""
    found = Readout(objective) if isinstance(objective.loss, PosteriorLoss) else None
    return found if found is not None and found.index.size else None
