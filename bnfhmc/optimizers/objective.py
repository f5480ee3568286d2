"""One objective for every optimizer: the negative log posterior density in u.

    f(u) = loss(θ(u)) − Σ_i log p_i(u_i)

Its minimum is the mode of the posterior *as a density of u*. There is no Jacobian in it: neither of θ ↔ u, since priors are
densities in u, nor of u ↔ z, which belongs to samplers. On another scale of a parameter the mode is another point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, final

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import FailedSolve, InputError, Mistake, nearest
from bnfhmc.optimizers.box import Box, pole_ends, search_box
from bnfhmc.optimizers.losses import CallableLoss, Loss, PosteriorLoss, Quadratic, Residuals, Returns
from bnfhmc.optimizers.prior_terms import Rows, curvature, rows_of, width
from bnfhmc.posterior import Posterior
from bnfhmc.prior import Parameter, PriorVector, make_parameter

Need = Literal["value", "gradient", "residuals", "information"]
Parameters = Mapping[str, tuple[float, float]] | Sequence[Parameter]


@final
class Objective:
    """f(u), with as many derivatives as its loss has, for all the backends alike.

        objective = Objective({"a": (0.0, 3.0)}, lambda theta: (amplitude(theta["a"]) - 1.0) ** 2)

    parameters: Parameters, or bounds in θ by name, which stand for a uniform prior between them.
    fn: θ as a dict by name → what `returns` says: "value": the loss, −log p(data | θ) up to a constant; "gradient": (loss,
    ∂loss/∂θ[d]); "residuals": (ρ[n], ∂ρ/∂θ[n, d]), of which the loss is ½‖ρ‖². It may raise FailedSolve. Starts run on
    several threads at once unless ``cores = 1``.
    search_space: where to search, as bounds in θ by name; what it does not name has its prior's support.

    ``bounds``: where f may be evaluated, in u: the support, cut to the search space; ends may be infinite. Where a prior's
    density is infinite at an end, as of gamma with a shape below one, f has no minimum there, and the bound is where a
    two-thousandth of the prior's mass lies beyond; ``poles`` names such parameters.
    Raises InputError for no parameters, bounds that hold no interval, and a search space outside of the support.
    """

    bounds: Box

    def __init__(
        self,
        parameters: Parameters,
        fn: Callable[[Mapping[str, float]], Any],
        *,
        returns: Returns = "value",
        search_space: Mapping[str, tuple[float, float]] | None = None,
    ):
        prior = PriorVector(_parameters(parameters))
        if not callable(fn):
            raise InputError(Mistake(f"the objective is {type(fn).__name__}", "give a function of θ as a dict by name"))
        self._set(prior, CallableLoss(prior, fn, returns), search_space)

    @classmethod
    def of(cls, posterior: Posterior, search_space: Mapping[str, tuple[float, float]] | None = None) -> Objective:
        """The objective of a posterior."""
        self = cls.__new__(cls)
        self._set(posterior.prior, PosteriorLoss(posterior), search_space)
        return self

    def _set(
        self,
        prior: PriorVector,
        loss: Loss,
        search_space: Mapping[str, tuple[float, float]] | None,
        pinned: Mapping[int, float] | None = None,
    ) -> None:
        if len(prior) == 0:
            raise InputError(Mistake("there is no parameter to optimize", "give at least one free parameter"))
        self.prior, self.loss = prior, loss
        self.search_space, self._pinned = dict(search_space or {}), dict(pinned or {})
        self.bounds = self._bounds()

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names, in the order of every vector."""
        return self.prior.names

    @property
    def dim(self) -> int:
        """The number of parameters d."""
        return len(self.prior)

    @property
    def posterior(self) -> Posterior | None:
        """The posterior that this is the objective of."""
        return self.loss.posterior if isinstance(self.loss, PosteriorLoss) else None

    @cached_property
    def rows(self) -> Rows | None:
        """The priors as residuals; None where one is neither normal nor uniform."""
        return rows_of(self.prior)

    def gives(self, need: Need) -> bool:
        """Whether f has this: residuals only where f is exactly ½‖ρ‖² up to a constant."""
        if need == "residuals":
            return self.loss.least_squares and self.rows is not None
        return need in self.loss.gives

    @property
    def poles(self) -> tuple[str, ...]:
        """The parameters whose prior has an infinite density at an end of its support."""
        return tuple(p.name for p in self.prior.parameters if np.isfinite(pole_ends(p)).any())

    @cached_property
    def box(self) -> Box:
        """A finite box for methods that need one; InputError names a parameter whose box cannot be derived."""
        return search_box(self.prior, self.search_space)

    @cached_property
    def scale(self) -> Float[np.ndarray, " d"]:
        """A length for each parameter in u: a tenth of its box, or half of its prior's central half where there is none."""
        try:
            return 0.1 * self.box.width
        except InputError:
            return 0.5 * width(self.prior)

    # values; each raises FailedSolve where there is none

    def value(self, u: Float[np.ndarray, " d"]) -> float:
        """f(u)."""
        log_prior = self._log_prior(u)
        return self.loss.value(u) - log_prior

    def gradient(self, u: Float[np.ndarray, " d"]) -> tuple[float, Float[np.ndarray, " d"]]:
        """f(u) and ∂f/∂u."""
        log_prior = self._log_prior(u)
        loss, grad = self.loss.gradient(u)
        return loss - log_prior, grad - self.prior.score(u)

    def residuals(self, u: Float[np.ndarray, " d"]) -> Residuals:
        """ρ and ∂ρ/∂u with ½‖ρ‖² + ``rows.constant`` = f(u): those of the data, then one row for each normal prior."""
        if self.rows is None:
            raise TypeError("a prior that is neither normal nor uniform is no residual")
        self._log_prior(u)
        rho, J = self.loss.residuals(u)
        more, slopes = self.rows.residuals(u)
        return np.concatenate([rho, more]), np.concatenate([J, slopes])

    def quadratic(self, u: Float[np.ndarray, " d"]) -> Quadratic:
        """f(u), ∂f/∂u and a curvature: the expected information of the data, plus −∂² log p/∂u² where that is positive."""
        log_prior = self._log_prior(u)
        loss, grad, F = self.loss.information(u)
        return Quadratic(loss - log_prior, grad - self.prior.score(u),
                         F + np.diag(np.maximum(curvature(self.prior, u), 0.0)))  # fmt: skip

    def log_prior(self, u: Float[np.ndarray, " d"]) -> float:
        """Σ log p_i(u_i)."""
        return self.prior.logpdf(u)

    def clone(self) -> Objective:
        """An independent copy for another thread."""
        other = Objective.__new__(Objective)
        other._set(self.prior, self.loss.clone(), self.search_space, self._pinned)
        return other

    def loosened(self, rtol: float, timeout_s: float = np.inf) -> Objective:
        """An independent copy whose models are solved to a relative `rtol` and no longer than `timeout_s` at a point."""
        other = Objective.__new__(Objective)
        other._set(self.prior, self.loss.loosened(rtol, timeout_s), self.search_space, self._pinned)
        return other

    def pinned(self, index: int, u: float) -> Objective:
        """The same objective, for the same thread, with one parameter held: its bounds are both u."""
        other = Objective.__new__(Objective)
        other._set(self.prior, self.loss, self.search_space, {**self._pinned, index: u})
        return other

    # coordinates

    def u_of(self, theta: Mapping[str, float] | Sequence[float]) -> Float[np.ndarray, " d"]:
        """u of a start given in θ, by name or in order; InputError where it lies outside of a support."""
        if isinstance(theta, Mapping):
            _refuse_names(theta, self.names)
            theta = [theta[n] for n in self.names]
        try:
            values = np.asarray(theta, dtype=float)
        except (TypeError, ValueError):
            raise InputError(Mistake(f"a start is {theta!r:.60}, which is no θ",
                                     f"give {', '.join(self.names)} as numbers")) from None  # fmt: skip
        if values.shape != (self.dim,):
            raise InputError(Mistake(f"a start has {values.size} values, and there are {self.dim} parameters",
                                     f"in this order: {', '.join(self.names)}"))  # fmt: skip
        lower, upper = self.bounds
        wrong = []
        for p, theta_i, lo, hi in zip(self.prior.parameters, values.tolist(), lower, upper, strict=True):
            start, end = p.scale.domain
            u = float(p.scale.u_from_theta(theta_i)) if start < theta_i < end else np.nan
            if not lo <= u <= hi:
                a, b = float(p.scale.theta_from_u(lo)), float(p.scale.theta_from_u(hi))
                wrong.append(Mistake(f"parameter '{p.name}': the start {theta_i:g} lies outside of [{a:g}, {b:g}]",
                                     "start inside of its prior's support and of the search space"))  # fmt: skip
        if wrong:
            raise InputError(wrong)
        return self.prior.u_from_theta(values)

    def _bounds(self) -> Box:
        lower, upper = search_box(self.prior, self.search_space, finite=False)
        for i, u in self._pinned.items():
            lower[i] = upper[i] = u
        return Box(lower, upper)

    def _log_prior(self, u: np.ndarray) -> float:
        log_prior = self.prior.logpdf(u)
        if not np.isfinite(log_prior):
            raise FailedSolve("outside", "the prior has no density here")
        return log_prior


def _parameters(parameters: Parameters) -> tuple[Parameter, ...]:
    if not isinstance(parameters, Mapping):
        return tuple(parameters)
    wrong: list[Mistake] = []
    found = []
    for name, bounds in parameters.items():
        try:
            lower, upper = (float(end) for end in bounds)
        except (TypeError, ValueError):
            wrong.append(Mistake(f"parameter '{name}': its bounds are {bounds!r:.60}", "give (<lower>, <upper>)"))
            continue
        try:
            found.append(make_parameter(name, None, {}, "lin", lower, upper))
        except InputError as error:
            wrong += error.mistakes
    if wrong:
        raise InputError(wrong)
    return tuple(found)


def _refuse_names(theta: Mapping[str, float], names: tuple[str, ...]) -> None:
    wrong = [Mistake(f"a start names '{n}', which is no parameter", nearest(n, names)) for n in theta if n not in names]
    wrong += [Mistake(f"a start has no value for '{n}'") for n in names if n not in theta]
    if wrong:
        raise InputError(wrong)
