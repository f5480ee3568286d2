"""The posterior: z or u in; value, gradient, residuals, information and pointwise densities out.

    log π(z) = Σ_i log p_i(u_i) + Σ_i log|du_i/dz_i| − loss(θ(u)),   ∂/∂u = diag(dθ/du) ∂/∂θ,   ∂/∂z = diag(du/dz) ∂/∂u + …

The loss is −log p(data | θ) up to constants, so logp is the log posterior up to a constant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import FailedSolve, InputError, Mistake, nearest
from bnfhmc.likelihood import ExperimentLikelihood, Pool, batches, failure_of, finite, shared_times
from bnfhmc.model.protocol import Failure, FailureKind, Model
from bnfhmc.objective import TargetLikelihood
from bnfhmc.prior import PriorVector
from bnfhmc.problem import Problem

OUTSIDE = Failure(FailureKind.OUTSIDE, "the prior has no density here")


class Evaluation(NamedTuple):
    """log π(z) and its gradient; where ``status`` is not "ok" it names the failure, logp is −inf and the gradient zero."""

    logp: float
    grad: Float[np.ndarray, " d"]
    status: str


class Measurement(NamedTuple):
    """What one entry of `Posterior.pointwise` stands for."""

    experiment: str
    series: str
    time: float
    observed: float


class Posterior:
    """The posterior of a Problem, in its parameters' declaration order.

    Vectors are u[d] unless they are called theta or z. One instance serves one caller at a time; `clone` makes another.
    ``threads``: how many of its experiments it solves at once, each on models of its own; the numbers do not depend on it.
    Raises InputError where the problem names an output or a parameter that nothing has.
    """

    def __init__(self, problem: Problem, threads: int = 1):
        self.problem, self.threads = problem, threads
        self.names = problem.names
        self._solvers: list[Model] = [*problem.models.values()]
        self.prior = PriorVector(problem.parameters)
        self._likelihoods: list[Any] = [*self._replica(problem.models)]
        self._batches = batches(problem.experiments)
        self._pool: Pool | None = None
        self._order = [i for batch in self._batches for i in batch]
        if problem.target is not None:
            self._order.append(len(self._likelihoods))
            self._likelihoods.append(TargetLikelihood(problem.target, self.names))
        if getattr(problem.settings, "sensitivity_fallback", "warn") == "error" and self.notes:
            raise InputError(Mistake(note, "type 'sensitivity_fallback = warn' to accept it") for note in self.notes)
        _refuse_unused(problem, {n for e in self._likelihoods for n in e.used})

    @property
    def dim(self) -> int:
        """The number of parameters d."""
        return len(self.names)

    @property
    def rtol(self) -> float:
        """The loosest relative tolerance of a model's solver: what a difference quotient of the loss has to stay above."""
        return max((m.rtol for m in self.problem.models.values()), default=1e-12)

    @property
    def solver_steps(self) -> float:
        """Steps that the integrators of its models have taken so far, in solves that did not fail; NaN where none counts."""
        counted = [steps for m in self._solvers if (steps := getattr(m, "solver_steps", None)) is not None]
        return float(sum(counted)) if counted else np.nan

    @property
    def least_squares(self) -> bool:
        """Whether loss = ½‖ρ‖² exactly, so that a least-squares solver minimises it."""
        return all(e.least_squares for e in self._likelihoods)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is worth saying before a run: models whose sensitivities are difference quotients."""
        slow = {e.model: why for e, like in zip(self.problem.experiments, self._likelihoods, strict=False)
                if (why := like.simulation.slow)}  # fmt: skip
        return tuple(
            f"model '{model}': its sensitivities are difference quotients, about one more solve for each parameter and less "
            f"exact: {why}"
            for model, why in slow.items()
        )

    @property
    def measurements(self) -> list[Measurement]:
        """The rows of `pointwise`, in order."""
        return [
            Measurement(e.name, s.name, float(e.rows[t]), float(obs))
            for e in self.problem.experiments
            for s in e.series
            for t, obs in zip(s.time_index, s.observed, strict=True)
        ]

    @property
    def experiments(self) -> list[ExperimentLikelihood]:
        """The likelihood of each experiment, in the order of the problem."""
        return self._likelihoods[: len(self.problem.experiments)]

    def clone(self) -> Posterior:
        """An independent copy for another thread."""
        return Posterior(replace(self.problem, models=self._cloned_models()), self.threads)

    # coordinates

    def u_from_theta(self, theta: Mapping[str, float] | Sequence[float]) -> Float[np.ndarray, " d"]:
        """u of native values, by name or in order; KeyError names what is missing or unknown."""
        if isinstance(theta, Mapping):
            wrong = sorted(theta.keys() ^ set(self.names))
            if wrong:
                raise KeyError(f"parameters are {', '.join(self.names)}; missing or unknown: {', '.join(wrong)}")
            theta = [theta[n] for n in self.names]
        return self.prior.u_from_theta(np.asarray(theta, dtype=float))

    def theta_from_u(self, u: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        """Native values of u."""
        return self.prior.theta_from_u(np.asarray(u, dtype=float))

    def z_from_u(self, u: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        """Unconstrained coordinates of u; ValueError names a component outside its prior's support."""
        return self.prior.z_from_u(np.asarray(u, dtype=float))

    def u_from_z(self, z: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        """u of unconstrained coordinates."""
        return self.prior.u_from_z(np.asarray(z, dtype=float))

    def sample_start(self, rng: np.random.Generator) -> Float[np.ndarray, " d"]:
        """A place z to start a chain: a draw from the central 80 % of each prior."""
        return self.z_from_u(self.prior.sample_bulk(rng))

    # values and derivatives in u

    def loss(self, u: Float[np.ndarray, " d"]) -> float:
        """−log likelihood without constants, as PyBNF counts it; +inf where the model cannot be solved."""
        solved = self._solve(u, gradient=False)
        if isinstance(solved, Failure):
            return np.inf
        loss = sum(e.loss(p) for e, p in zip(self._likelihoods, solved, strict=True))
        return loss if np.isfinite(loss) else np.inf

    def loss_gradient(self, u: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        """∂loss/∂u; raises FailedSolve where the model cannot be solved."""
        loss = self._loss_and_gradient(np.asarray(u, dtype=float))
        if isinstance(loss, Failure):
            raise FailedSolve(loss.kind, loss.message)
        return loss[1]

    def log_prior(self, u: Float[np.ndarray, " d"]) -> float:
        """Σ log p_i(u_i), a density in u: no Jacobian of the scale."""
        return self.prior.logpdf(np.asarray(u, dtype=float))

    def log_prior_gradient(self, u: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        """∂ log prior/∂u."""
        return self.prior.score(np.asarray(u, dtype=float))

    def residuals(self, u: Float[np.ndarray, " d"]) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n d"]]:
        """ρ[n] and J = ∂ρ/∂u[n, d], the likelihood's alone; rows as in `measurements`.

        ½‖ρ‖² is the loss only where ``least_squares`` is true. Raises TypeError for a noise family that has no residual and
        FailedSolve where the model cannot be solved.
        """
        parts = [e.residuals(p) for e, p in zip(self._likelihoods, self.solved(u), strict=True)]
        rho, J = np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
        return rho, J * self.prior.dtheta_du(u)

    def fisher(self, u: Float[np.ndarray, " d"]) -> Float[np.ndarray, "d d"]:
        """Expected information of the data about u: Σ κ ∂pred ∂predᵀ plus the noise block; the prior is not in it."""
        scale = self.prior.dtheta_du(u)
        F = sum(e.fisher(p) for e, p in zip(self._likelihoods, self.solved(u), strict=True))
        return np.asarray(F) * np.outer(scale, scale)

    def pointwise(self, u: Float[np.ndarray, " d"]) -> Float[np.ndarray, " n"]:
        """Normalised log density of each measurement; raises FailedSolve where the model cannot be solved."""
        predictions = self.solved(u, gradient=False)
        return np.concatenate([e.pointwise(p) for e, p in zip(self._likelihoods, predictions, strict=True)])

    def predicted(self, u: Float[np.ndarray, " d"]) -> Float[np.ndarray, " n"]:
        """The model's value for each measurement; raises FailedSolve where the model cannot be solved."""
        predictions = self.solved(u, gradient=False)
        return np.concatenate([e.predicted(p) for e, p in zip(self._likelihoods, predictions, strict=True)])

    def trajectories(self, u: Float[np.ndarray, " d"]) -> list[tuple[Float[np.ndarray, " row"], dict[str, np.ndarray]]]:
        """Rows and outputs by name of each experiment; raises FailedSolve where the model cannot be solved."""
        predictions = self.solved(u, gradient=False)[: len(self.problem.experiments)]
        return [(e.rows, p.observed.outputs) for e, p in zip(self.problem.experiments, predictions, strict=True)]

    # the seam of samplers

    def evaluate(self, z: Float[np.ndarray, " d"]) -> Evaluation:
        """log π(z) and ∂log π/∂z from one solve an experiment."""
        place = self.prior.transform(z)
        u = np.asarray(place.u)
        log_prior, score = self.prior.logpdf_and_score(u)
        loss = self._loss_and_gradient(u) if isfinite(log_prior) else OUTSIDE
        if isinstance(loss, Failure):
            return Evaluation(-np.inf, np.zeros(self.dim), str(loss.kind))
        logp = float(log_prior - loss[0] + np.add.reduce(place.log_du_dz))
        grad = (score - loss[1]) * place.du_dz + place.dlog_du_dz
        if not (isfinite(logp) and finite(grad)):
            return Evaluation(-np.inf, np.zeros(self.dim), str(FailureKind.NONFINITE))
        return Evaluation(logp, grad, "ok")

    def explain(self, z: Float[np.ndarray, " d"]) -> str:
        """What fails at z, in the words of the solver; empty where nothing does."""
        u = self.u_from_z(z)
        loss = self._loss_and_gradient(u) if np.isfinite(self.log_prior(u)) else OUTSIDE
        return f"{loss.kind}: {loss.message}" if isinstance(loss, Failure) else ""

    def _loss_and_gradient(self, u: Float[np.ndarray, " d"]) -> tuple[float, Float[np.ndarray, " d"]] | Failure:
        solved = self._solve(u, gradient=True)
        if isinstance(solved, Failure):
            return solved
        loss, grad = 0.0, np.zeros(self.dim)
        for e, p in zip(self._likelihoods, solved, strict=True):
            loss_e, grad_e = e.loss_gradient(p)
            loss += loss_e
            grad += grad_e
        return failure_of(loss, grad) or (loss, grad * self.prior.dtheta_du(u))

    def _solve(self, u: Float[np.ndarray, " d"], gradient: bool) -> list[Any] | Failure:
        native = self.prior.theta_from_u(np.asarray(u, dtype=float))
        if not finite(native):
            return OUTSIDE
        theta = dict(zip(self.names, native.tolist(), strict=True))
        if self.threads > 1 and len(self._batches) > 1:
            return self._solve_at_once(theta, gradient)
        solved: list[Any] = [None] * len(self._likelihoods)
        for i in self._order:
            solved[i] = p = self._likelihoods[i].solve(theta, gradient)
            if isinstance(p, Failure):
                return p
        return solved

    def _solve_at_once(self, theta: Mapping[str, float], gradient: bool) -> list[Any] | Failure:
        if self._pool is None:
            clones = [self._cloned_models() for _ in range(min(self.threads, len(self._batches)) - 1)]
            self._solvers += [model for models in clones for model in models.values()]
            self._pool = Pool([self.experiments, *map(self._replica, clones)], self._batches)
        solved = self._pool.solve(theta, gradient)
        if isinstance(solved, Failure) or self.problem.target is None:
            return solved
        target = self._likelihoods[-1].solve(theta, gradient)
        return target if isinstance(target, Failure) else [*solved, target]

    def _replica(self, models: Mapping[str, Model]) -> list[ExperimentLikelihood]:
        """The likelihoods of the experiments on these models."""
        times = shared_times(self.problem.experiments)
        return [ExperimentLikelihood(e, models[e.model], self.names, t)
                for e, t in zip(self.problem.experiments, times, strict=True)]  # fmt: skip

    def _cloned_models(self) -> dict[str, Model]:
        return {name: model.clone() for name, model in self.problem.models.items()}

    def solved(self, u: Float[np.ndarray, " d"], gradient: bool = True) -> list[Any]:
        """Each likelihood's prediction at u, with its sensitivities where `gradient`; FailedSolve where there is none."""
        solved = self._solve(u, gradient)
        if isinstance(solved, Failure):
            raise FailedSolve(solved.kind, solved.message)
        return solved


def _refuse_unused(problem: Problem, used: set[str]) -> None:
    """A parameter that nothing depends on is a slip of the pen, not a posterior equal to its prior."""
    held = sorted({q for m in problem.models.values() for q in m.quantities})
    unused = [n for n in problem.names if n not in used]
    if unused:
        raise InputError(
            Mistake(f"parameter '{n}' is set by every condition, so that nothing depends on it", "delete one of the two")
            if n in held
            else Mistake(f"parameter '{n}' is in no model and no formula", nearest(n, held))
            for n in unused
        )
