"""The modes of log π, for chains to start around: a few damped Gauss-Newton climbs from draws of the prior.

    z ← z + (|H| + λ S⁻²)⁻¹ ∇log π(z),   H = −∂² log π/∂z² as far as the target tells it,   S = widths of the prior

with the damping λ of Levenberg (1944) and Marquardt (1963). A target that tells no curvature is climbed by L-BFGS-B.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.samplers import metric as metrics
from bnfhmc.samplers.curvature import Curvature, curvature_of
from bnfhmc.samplers.host import Host
from bnfhmc.samplers.starts import Start

# A climb ends where log π, were it normal, would be so near its top, or after so many solves.
NEAR = 1e-3
MOST = 100

# No step is longer than this in any direction, in widths of the prior.
LONGEST = 1.0

# A start that cannot be solved, or is too far down, is moved so much nearer to its mode.
NEARER = 0.7

# Two climbs have found one mode when their ends differ by less than this in log π, and by less than this in squared widths of
# the mode for each parameter.
SAME = 0.5
NEIGHBOURS = 4.0

# A mode that by its curvature has less than this of the mass of the best one is not looked at any more.
DOUBTFUL = 1e-8

# How much wider than the normal density at its mode the starts are spread, so that R-hat still tells something.
OVERDISPERSED = 1.5

# Every so many chains one starts far from its mode, on the way to a draw of the prior.
FAR_OUT = 4

# No chain starts where log π is lower than at its mode by more than this for each parameter: a normal density has it lower by
# 1.1 on average where starts are spread as above, and from the flanks of one that bends a warm-up takes hundreds of steps.
DEPTH = 5.0


class Basin(NamedTuple):
    """A mode: z[d], log π there, and the curvature where the target tells it."""

    z: Float[np.ndarray, " d"]
    logp: float
    curvature: Curvature | None


def climb(host: Host, z: Float[np.ndarray, " d"], scale: Float[np.ndarray, " d"]) -> Basin | None:
    """The mode above z, in coordinates whose widths are `scale`; None where log π has no value at z."""
    at = host.evaluate_curved(z)
    if at.status != "ok":
        return None
    curvature = curvature_of(at)
    if curvature is None:
        return _climb_by_gradient(host, z, scale)
    damping, grows = 1.0, 2.0
    for _ in range(MOST):
        w, V = _eigen(curvature, scale)
        slope, bent = V.T @ (scale * at.grad), np.maximum(np.abs(w), metrics.FLATTEST)
        if 0.5 * float(slope @ (slope / bent)) < NEAR:
            break
        step = slope / (bent + damping)
        promised = float(slope @ step - 0.5 * step @ (bent * step))
        # Each direction by itself: a noise parameter that a poor fit drives upwards would else leave no room for the others.
        step = np.clip(step, -LONGEST, LONGEST)
        there = host.evaluate_curved(z + scale * (V @ step))
        gain = (there.logp - at.logp) / max(promised, 1e-300) if there.status == "ok" else -math.inf
        if gain > 0.0:
            z, at = z + scale * (V @ step), there
            curvature = curvature_of(at) or curvature
            damping, grows = max(damping * max(1.0 / 3.0, 1.0 - (2.0 * gain - 1.0) ** 3), 1e-6), 2.0
        elif damping > 1e12:
            break
        else:
            damping, grows = damping * grows, grows * 2.0
    return Basin(z, float(at.logp), curvature)


def distinct(climbed: Iterable[Basin | None]) -> tuple[Basin, ...]:
    """The modes, the highest first, each once."""
    found: list[Basin] = []
    for basin in sorted((b for b in climbed if b is not None), key=lambda b: -b.logp):
        if not any(same_mode(mode, basin) for mode in found):
            found.append(basin)
    return tuple(found)


def same_mode(mode: Basin, other: Basin) -> bool:
    """Whether two climbs have ended on one top."""
    if abs(mode.logp - other.logp) > SAME or mode.curvature is None:
        return abs(mode.logp - other.logp) <= SAME
    information, diagonal = mode.curvature
    apart = mode.z - other.z
    return bool(apart @ information @ apart + np.abs(diagonal) @ apart**2 < NEIGHBOURS * apart.size)


def found_again(climbed: Iterable[Basin | None]) -> bool:
    """Whether more than one climb has reached the highest mode."""
    ends = [basin for basin in climbed if basin is not None]
    best = max(ends, key=lambda basin: basin.logp, default=None)
    return best is not None and sum(same_mode(best, basin) for basin in ends) > 1


def worth_a_walk(modes: Sequence[Basin], scale: Float[np.ndarray, " d"]) -> tuple[Basin, ...]:
    """Of the modes those whose mass is not out of the question by Laplace's approximation, the heaviest first.

        log mass = log π(z) − ½ log det|H|, up to a constant
    """
    masses = [mode.logp - 0.5 * _log_det(mode, scale) for mode in modes]
    order = sorted(range(len(modes)), key=lambda i: -masses[i])
    return tuple(modes[i] for i in order if masses[i] >= masses[order[0]] + math.log(DOUBTFUL))


def start_in(
    basins: Sequence[Basin],
    host: Host,
    scale: Float[np.ndarray, " d"],
    rng: np.random.Generator,
    *,
    chain: int,
    tries: int = 20,
) -> Start | None:
    """A start spread around a mode, the chains taking turns; None where there is no mode, or none that can be left.

    A draw of the prior itself would leave a chain in whatever mode it falls to, however little the posterior has there; that
    is for the climbs to find.
    """
    if not basins:
        return None
    mode, redrawn, H = basins[chain % len(basins)], list[str](), basins[chain % len(basins)].curvature
    if chain % FAR_OUT == FAR_OUT - 1:
        away = np.asarray(host.sample_start(rng), dtype=float) - mode.z
    else:
        spread = metrics.from_scale(scale, "dense") if H is None else metrics.from_curvature(H, scale, "dense")
        away = OVERDISPERSED * spread.push(rng.standard_normal(mode.z.size))
    least = mode.logp - DEPTH * mode.z.size
    for trial in range(tries):
        z = mode.z + away * NEARER**trial
        at = host.evaluate_curved(z)
        if at.status == "ok" and at.logp >= least:
            return Start(z, at, tuple(redrawn), H)
        if at.status != "ok":
            redrawn.append(at.status)
    return None


def _eigen(curvature: Curvature, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    H = (curvature.information + np.diag(curvature.diagonal)) * np.outer(scale, scale)
    if not np.isfinite(H).all():
        return np.ones(len(scale)), np.eye(len(scale))
    w, V = np.linalg.eigh(0.5 * (H + H.T))
    return w, V


def _log_det(mode: Basin, scale: np.ndarray) -> float:
    if mode.curvature is None:
        return 0.0
    w, _ = _eigen(mode.curvature, scale)
    return float(np.log(np.maximum(np.abs(w), metrics.FLATTEST)).sum())


def _climb_by_gradient(host: Host, z: np.ndarray, scale: np.ndarray) -> Basin:
    from scipy.optimize import minimize

    def falling(x: np.ndarray) -> tuple[float, np.ndarray]:
        at = host.evaluate(x * scale)
        return (-at.logp, -scale * at.grad) if at.status == "ok" else (1e300, np.zeros_like(x))

    found = minimize(falling, z / scale, jac=True, method="L-BFGS-B", options={"maxfun": MOST})
    return Basin(found.x * scale, -float(found.fun), None)
