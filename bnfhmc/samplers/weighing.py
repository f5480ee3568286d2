"""How much of π lies around each mode, by a short random walk from it.

    log mass = E[log π] + ½ log det(2πe Σ)

with Σ the covariance of the walk: exact for a normal density. Where π ends at a bound or bends, the mass that the curvature at
the top tells can be off by orders of magnitude, and a chain in a mode that holds nothing counts as much as the others.
A walk this short makes Σ too small, by as much in one mode as in another: masses compare to within a factor of three.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.samplers import metric as metrics
from bnfhmc.samplers.basins import SAME, Basin, climb
from bnfhmc.samplers.host import Host
from bnfhmc.samplers.metric import Metric

# A walk has three parts of so many steps for each parameter, and no less than so many: the first one learns the metric for the
# second, both of them that of the third, which weighs.
STEPS, LEAST = 30, 200

# The acceptance that the length of the steps is tuned to (Roberts, Gelman & Gilks 1997).
ACCEPTED = 0.234

# A mode with less than this of the mass of the heaviest gets no chain: of four chains, one there would count for a quarter.
NEGLIGIBLE = 1e-3

# A walk that comes to a place higher than its mode has left it, and the one above is weighed instead, so many times.
RISES = 2


class Weighed(NamedTuple):
    """A mode, and the logarithm of the mass around it, up to the constant of π."""

    mode: Basin
    log_mass: float


class _Walk(NamedTuple):
    """Its places, log π there, and the logarithm of the length of its steps, in units of the best for a normal density."""

    z: Float[np.ndarray, "step d"]
    logp: Float[np.ndarray, " step"]
    log_length: float


def weigh(host: Host, mode: Basin, scale: Float[np.ndarray, " d"], rng: np.random.Generator) -> Weighed:
    """Walk from a mode in a space whose prior's widths are `scale`; some 90 values for each parameter."""
    for _ in range(RISES):
        walk = _walked(host, mode, scale, rng)
        highest = int(np.argmax(walk.logp))
        if walk.logp[highest] <= mode.logp + SAME:
            break
        mode = climb(host, walk.z[highest], scale) or mode
    return Weighed(mode, _log_mass(walk))


def heaviest(weighed: Sequence[Weighed]) -> tuple[Basin, ...]:
    """Of these modes those with more than a negligible share of the largest mass, the heaviest first."""
    order = sorted(weighed, key=lambda one: -one.log_mass)
    return tuple(one.mode for one in order if one.log_mass >= order[0].log_mass + math.log(NEGLIGIBLE))


def _walked(host: Host, mode: Basin, scale: np.ndarray, rng: np.random.Generator) -> _Walk:
    d = mode.z.size
    steps = max(STEPS * d, LEAST)
    H = mode.curvature
    metric = metrics.from_scale(scale, "dense") if H is None else metrics.from_curvature(H, scale, "dense")
    first = _part(host, _Walk(mode.z[None], np.array([mode.logp]), 0.0), metric, steps, rng)
    later = first.z[steps // 2 :]
    second = _part(host, first, _learnt(metric, later), steps, rng)
    return _part(host, second, _learnt(metric, np.concatenate([later, second.z])), steps, rng)


def _part(host: Host, before: _Walk, metric: Metric, steps: int, rng: np.random.Generator) -> _Walk:
    """Random-walk Metropolis on from the end of another walk, the length of the steps tuned as it goes."""
    z, logp, log_length = before.z[-1], float(before.logp[-1]), before.log_length
    d = z.size
    where, heights = np.empty((steps, d)), np.empty(steps)
    for n in range(steps):
        proposed = z + metric.push(math.exp(log_length) * 2.38 / math.sqrt(d) * rng.standard_normal(d))
        there = host.value(proposed).logp
        accepted = 1.0 if there >= logp else math.exp(there - logp)
        if rng.random() < accepted:
            z, logp = proposed, there
        log_length += (accepted - ACCEPTED) / math.sqrt(n + 1.0)
        where[n], heights[n] = z, logp
    return _Walk(where, heights, log_length)


def _learnt(before: Metric, z: Float[np.ndarray, "step d"]) -> Metric:
    """The covariance of the draws, with that of the metric before as d draws more."""
    n, d = z.shape
    A = (n * np.cov(z.T).reshape(d, d) + d * before.inverse_mass_matrix) / (n + d)
    try:
        return Metric.from_inverse_mass(A)
    except np.linalg.LinAlgError:
        return before


def _log_mass(walk: _Walk) -> float:
    n, d = walk.z.shape
    sign, log_det = np.linalg.slogdet(np.cov(walk.z.T).reshape(d, d) + 1e-300 * np.eye(d))
    entropy = 0.5 * (log_det + d * math.log(2.0 * math.pi * math.e)) if sign > 0 else -math.inf
    return float(np.mean(walk.logp) + entropy)
