"""Where an objective's loss comes from: a posterior, or any Python function of θ.

    value(u) → loss,   gradient(u) → (loss, ∂loss/∂u),   residuals(u) → (ρ, ∂ρ/∂u),   information(u) → (loss, ∂loss/∂u, F)

Each is one solve. Raises FailedSolve where there is no value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal, NamedTuple, Protocol, final, get_args, runtime_checkable

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import FailedSolve
from bnfhmc.model.protocol import Model
from bnfhmc.objective import TargetLikelihood
from bnfhmc.posterior import Posterior
from bnfhmc.prior import PriorVector

Returns = Literal["value", "gradient", "residuals"]
Residuals = tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n d"]]


class Quadratic(NamedTuple):
    """A value, its gradient [d], and a positive semidefinite curvature [d, d]."""

    value: float
    grad: Float[np.ndarray, " d"]
    hess: Float[np.ndarray, "d d"]


@runtime_checkable
class Loosened(Protocol):
    """A model whose solver can be asked for fewer digits."""

    def loosened(self, rtol: float, timeout_s: float) -> Model: ...


class Loss(Protocol):
    """What an objective asks of its loss.

    ``gives``: which of the four can be asked for. ``least_squares``: whether the loss is ½‖ρ‖² exactly.
    """

    @property
    def gives(self) -> frozenset[str]: ...

    @property
    def least_squares(self) -> bool: ...

    def value(self, u: Float[np.ndarray, " d"]) -> float: ...

    def gradient(self, u: Float[np.ndarray, " d"]) -> tuple[float, Float[np.ndarray, " d"]]: ...

    def residuals(self, u: Float[np.ndarray, " d"]) -> Residuals: ...

    def information(self, u: Float[np.ndarray, " d"]) -> Quadratic: ...

    def clone(self) -> Loss:
        """An independent copy for another thread."""
        ...

    def loosened(self, rtol: float, timeout_s: float) -> Loss:
        """An independent copy that need not be solved more exactly than `rtol`, nor for longer than `timeout_s`."""
        ...


@final
class PosteriorLoss:
    """The loss of a posterior. A closed-form target has no expected information, so beside one there is a gradient only."""

    def __init__(self, posterior: Posterior):
        self.posterior = posterior
        self._likelihoods: list[Any] = list(posterior.experiments)
        self.gives = frozenset({"value", "gradient"})
        target = posterior.problem.target
        if target is not None:
            self._likelihoods.append(TargetLikelihood(target, posterior.names))
        else:
            self.gives |= {"information"}
        self.least_squares = posterior.least_squares
        if self.least_squares:
            self.gives |= {"residuals"}

    def value(self, u: Float[np.ndarray, " d"]) -> float:
        """The loss, from a solve without sensitivities."""
        solved = self.posterior.solved(u, gradient=False)
        return _finite(sum(like.loss(p) for like, p in zip(self._likelihoods, solved, strict=True)))

    def gradient(self, u: Float[np.ndarray, " d"]) -> tuple[float, Float[np.ndarray, " d"]]:
        """The loss and ∂loss/∂u."""
        return self._gradient(u, self.posterior.solved(u))

    def residuals(self, u: Float[np.ndarray, " d"]) -> Residuals:
        """ρ and ∂ρ/∂u."""
        rho, J = self.posterior.residuals(u)
        _finite(rho, J)
        return rho, J

    def information(self, u: Float[np.ndarray, " d"]) -> Quadratic:
        """The loss, ∂loss/∂u and the Fisher information in u."""
        solved = self.posterior.solved(u)
        loss, grad = self._gradient(u, solved)
        scale = self.posterior.prior.dtheta_du(u)
        F = sum(like.fisher(p) for like, p in zip(self._likelihoods, solved, strict=True)) * np.outer(scale, scale)
        _finite(F)
        return Quadratic(loss, grad, F)

    def clone(self) -> PosteriorLoss:
        """The loss of a clone of the posterior."""
        return PosteriorLoss(self.posterior.clone())

    def loosened(self, rtol: float, timeout_s: float) -> PosteriorLoss:
        """The loss of the same problem with models that are solved to a relative `rtol`, and given up after `timeout_s`."""
        problem = self.posterior.problem
        models = {name: _loosened(model, rtol, timeout_s) for name, model in problem.models.items()}
        return PosteriorLoss(Posterior(replace(problem, models=models), self.posterior.threads))

    def _gradient(self, u: np.ndarray, solved: list[Any]) -> tuple[float, Float[np.ndarray, " d"]]:
        parts = [like.loss_gradient(p) for like, p in zip(self._likelihoods, solved, strict=True)]
        loss = _finite(sum(part for part, _ in parts))
        grad = np.sum([slope for _, slope in parts], axis=0) * self.posterior.prior.dtheta_du(u)
        _finite(grad)
        return loss, grad


@final
class CallableLoss:
    """A Python function of θ as a loss.

    ``fn(theta)``, with θ as a dict by name, returns what `returns` says: "value": the loss; "gradient": the loss and ∂/∂θ;
    "residuals": ρ[n] and ∂ρ/∂θ[n, d], of which the loss is ½‖ρ‖². Derivatives are in the order of the parameters. It may
    raise FailedSolve; a value that is not finite is a failure of kind "nonfinite"; any other exception ends the run.
    """

    def __init__(self, prior: PriorVector, fn: Callable[[Mapping[str, float]], Any], returns: Returns):
        if returns not in get_args(Returns):
            raise ValueError(f"returns = {returns!r}: one of {', '.join(get_args(Returns))}")
        self.prior, self.fn, self.returns = prior, fn, returns
        self.least_squares, self._rows = returns == "residuals", 0
        more = {"value": set(), "gradient": {"gradient"}, "residuals": {"gradient", "residuals", "information"}}
        self.gives = frozenset({"value"} | more[returns])

    def value(self, u: Float[np.ndarray, " d"]) -> float:
        """The loss."""
        if self.returns == "value":
            return _finite(_number(self._call(u)))
        return self.gradient(u)[0]

    def gradient(self, u: Float[np.ndarray, " d"]) -> tuple[float, Float[np.ndarray, " d"]]:
        """The loss and ∂loss/∂u."""
        if self.returns == "residuals":
            return self.information(u)[:2]
        loss, slope = self._pair(u)
        with np.errstate(all="ignore"):
            grad = self._checked(slope, "the gradient") * self.prior.dtheta_du(u)
        return _finite(_number(loss), grad), grad

    def residuals(self, u: Float[np.ndarray, " d"]) -> Residuals:
        """ρ and ∂ρ/∂u."""
        rho, J = self._pair(u)
        rho = np.atleast_1d(_real(rho, "the residuals"))
        if rho.ndim != 1:
            raise ValueError(f"the residuals have shape {rho.shape}; they are one row of numbers")
        if self._rows and rho.size != self._rows:
            raise ValueError(f"there are {rho.size} residuals at one point and {self._rows} at another; one that is missing is "
                             "FailedSolve, or 0 everywhere")  # fmt: skip
        self._rows = rho.size
        with np.errstate(all="ignore"):  # far out in a prior without ends dθ/du is inf, which is said as a failure
            J = self._checked(J, "the Jacobian", rho.size) * self.prior.dtheta_du(u)
        _finite(rho, J)
        return rho, J

    def information(self, u: Float[np.ndarray, " d"]) -> Quadratic:
        """The loss ½‖ρ‖², Jᵀρ and JᵀJ."""
        rho, J = self.residuals(u)
        with np.errstate(over="ignore", invalid="ignore"):
            found = Quadratic(float(0.5 * rho @ rho), J.T @ rho, J.T @ J)
        _finite(*found)
        return found

    def clone(self) -> CallableLoss:
        """The same function: whoever brings one that may not run on two threads asks for one core."""
        return self

    def loosened(self, rtol: float, timeout_s: float) -> CallableLoss:
        """The same function: how exact it is, is its own affair."""
        return self

    def _call(self, u: np.ndarray) -> Any:
        return self.fn(dict(zip(self.prior.names, self.prior.theta_from_u(u).tolist(), strict=True)))

    def _pair(self, u: np.ndarray) -> tuple[Any, Any]:
        given = self._call(u)
        if not (isinstance(given, tuple) and len(given) == 2):
            what = "(value, gradient)" if self.returns == "gradient" else "(residuals, Jacobian)"
            raise TypeError(f"the objective returned {type(given).__name__}; with returns='{self.returns}' it returns {what}")
        return given

    def _checked(self, slope: Any, what: str, *rows: int) -> np.ndarray:
        slope, expected = _real(slope, what), (*rows, len(self.prior))
        if slope.shape != expected:
            raise ValueError(f"{what} has shape {slope.shape}; with {len(self.prior)} parameters it has {expected}")
        return slope


def _number(value: Any) -> float:
    """A loss as a float; TypeError for anything that is not one real number."""
    if not (isinstance(value, str | bytes) or np.iscomplexobj(value) or np.ndim(value)):
        try:
            return float(value)
        except TypeError:
            pass
    shape = f" of shape {value.shape}" if isinstance(value, np.ndarray) and value.ndim else ""
    raise TypeError(f"the objective returned {type(value).__name__}{shape} as the loss; it is one real number")


def _real(values: Any, what: str) -> np.ndarray:
    """An array of floats; TypeError for what is complex or no numbers at all."""
    if not (values is None or np.iscomplexobj(values)):
        try:
            return np.asarray(values, dtype=float)
        except (TypeError, ValueError):
            pass
    raise TypeError(f"{what} returned by the objective is {type(values).__name__}, which is no array of real numbers")


def _loosened(model: Model, rtol: float, timeout_s: float) -> Model:
    return model.loosened(rtol, timeout_s) if isinstance(model, Loosened) else model.clone()


def _finite(*values: Any) -> float:
    """The first of the values as a float; FailedSolve where one of them is not finite."""
    if not all(np.all(np.isfinite(v)) for v in values):
        raise FailedSolve("nonfinite", "the objective or its derivative is not finite")
    return float(values[0]) if np.ndim(values[0]) == 0 else np.nan
