"""The leapfrog step in whitened coordinates, shared by every kernel that follows the gradient.

    r ← r + (ε/2) Lᵀ∇log π(z),   z ← z + ε L r,   r ← r + (ε/2) Lᵀ∇log π(z)

with energy H = −log π(z) + ½ r·r. It is reversible and keeps volume for any field in the gradient's place.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.posterior import Evaluation
from bnfhmc.samplers.curvature import CurvedEvaluation
from bnfhmc.samplers.kernels.protocol import Evaluate, Point, Tuning

# A trajectory whose energy has grown by more than this has left the typical set (Stan's limit).
DIVERGENT = 1000.0


class Phase(NamedTuple):
    """A point of phase space: z[d], momentum r[d], half a kick (ε/2) Lᵀ∇log π [d], what was evaluated at z, and H."""

    z: Float[np.ndarray, " d"]
    r: Float[np.ndarray, " d"]
    kick: Float[np.ndarray, " d"]
    at: Evaluation | CurvedEvaluation | Point
    energy: float


def enter(point: Point, r: Float[np.ndarray, " d"], tuning: Tuning) -> Phase:
    """The point with the momentum r."""
    step_size, metric, _ = tuning
    return Phase(point.z, r, (0.5 * step_size) * metric.pull(point.grad), point, 0.5 * float(r.dot(r)) - float(point.logp))


def leap(phase: Phase, tuning: Tuning, evaluate: Evaluate) -> Phase:
    """One leapfrog step forward, one evaluation; where that fails or is too large for a float, the energy is infinite."""
    step_size, metric, _ = tuning
    half = phase.r + phase.kick
    z = phase.z + metric.push(step_size * half)
    at = evaluate(z)
    with np.errstate(over="ignore", invalid="ignore"):
        kick = (0.5 * step_size) * metric.pull(at.grad)
        r = half + kick
        energy = 0.5 * float(r.dot(r)) - at.logp
    return Phase(z, r, kick, at, energy)


def reversed_(phase: Phase) -> Phase:
    """The same place with the momentum turned round, so that a step forward from here is one backward from there."""
    return phase._replace(r=-phase.r)


def point_of(phase: Phase) -> Point:
    """The place without its momentum."""
    return phase.at if isinstance(phase.at, Point) else Point.at(phase.z, phase.at)


def diverges(energy: float, start: float) -> bool:
    """Whether a trajectory that began at the energy `start` has diverged."""
    return not (math.isfinite(energy) and energy - start <= DIVERGENT)
