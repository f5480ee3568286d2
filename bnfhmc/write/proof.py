"""Whether a problem that was written and read again is the same: its densities, compared at one θ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import FailedSolve
from bnfhmc.posterior import Posterior
from bnfhmc.problem import Problem
from bnfhmc.write.priors import start_of

QUANTILE = 0.4  # of each prior: off the values that model files hold


class Densities(NamedTuple):
    """At one θ, by measurement in the order of their values: what is observed, what is predicted, and log p(ỹ|θ)."""

    observed: Float[np.ndarray, " n"]
    predicted: Float[np.ndarray, " n"]
    pointwise: Float[np.ndarray, " n"]


def difference(problem: Problem, again: Problem, ids: Mapping[str, str]) -> str | None:
    """What differs between a problem and what it was written as, in words; None where nothing does.

    `ids`: what the parameters are called in the latter. An empty text says that no point could be solved, in either.
    """
    if set(ids.values()) != set(again.names):
        return f"its parameters are {', '.join(again.names)}"
    one, other = Posterior(problem), Posterior(again)
    inside = {p.name: p.quantile(QUANTILE) for p in problem.parameters}
    if (said := _prior_difference(_priors(one, inside), _priors(other, _called(inside, ids)), ids)) is not None:
        return said
    for theta in (inside, {p.name: start_of(p) for p in problem.parameters}):
        first, second = _densities(one, theta), _densities(other, _called(theta, ids))
        if (first is None) != (second is None):
            return "one of the two cannot be solved at " + ", ".join(f"{n} = {x:g}" for n, x in theta.items())
        if first is not None and second is not None:
            return _difference(first, second)
    return ""


def _called(theta: Mapping[str, float], ids: Mapping[str, str]) -> dict[str, float]:
    return {ids[n]: x for n, x in theta.items()}


def _priors(posterior: Posterior, theta: Mapping[str, float]) -> dict[str, float]:
    """log p(θ) by parameter, as a density in θ."""
    u = posterior.u_from_theta(theta)
    terms = posterior.prior.logpdf_terms(u) - np.log(posterior.prior.dtheta_du(u))
    return dict(zip(posterior.names, terms.tolist(), strict=True))


def _prior_difference(one: Mapping[str, float], other: Mapping[str, float], ids: Mapping[str, str]) -> str | None:
    for n, expected in one.items():
        if not np.isclose(other[ids[n]], expected, rtol=1e-8, atol=1e-8):
            return f"the log prior of '{n}' is {other[ids[n]]:.9g} in the place of {expected:.9g}"
    return None


def _densities(posterior: Posterior, theta: Mapping[str, float]) -> Densities | None:
    u = posterior.u_from_theta(theta)
    observed = np.array([m.observed for m in posterior.measurements])
    try:
        predicted, pointwise = posterior.predicted(u), posterior.pointwise(u)
    except FailedSolve:
        return None
    order = np.lexsort((predicted, observed))
    return Densities(observed[order], predicted[order], pointwise[order])


def _difference(one: Densities, other: Densities) -> str | None:
    if not (one.observed.shape == other.observed.shape and np.allclose(other.observed, one.observed, rtol=1e-12, atol=0.0)):
        return f"its {other.observed.size} measurements are not the {one.observed.size} there are"
    size = np.abs(one.observed) + np.abs(one.predicted)
    slack = 1e-5 * size + 1e-9 * size.max(initial=0.0)  # what two solves may differ by
    far = ~(np.abs(other.predicted - one.predicted) <= slack)
    if far.any():
        at, expected, got = (x[far][0] for x in (one.observed, one.predicted, other.predicted))
        return f"it predicts {got:.9g} where {at:g} was measured, in the place of {expected:.9g}"
    # next to 0 the solver's error is all there is of a prediction, and a logarithm makes much of it
    solid = np.abs(one.predicted) > 1e-3 * np.abs(one.observed)
    first, second = np.sort(one.pointwise[solid]), np.sort(other.pointwise[solid])
    if not np.allclose(second, first, rtol=1e-3, atol=1e-3):
        return f"its log likelihood is {second.sum():.9g} in the place of {first.sum():.9g}"
    return None
