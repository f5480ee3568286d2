"""A second stage that makes any reversible kernel of an approximate density exact, for one value a draw.

    z′ ~ K̃(z, ·),   accepted with min(1, π(z′) π̃(z) / (π(z) π̃(z′)))

with K̃ reversible for π̃: a trajectory whose values and gradients come from solves at a loose tolerance. Leapfrog steps along any
fixed field are reversible and keep volume, and Metropolis or the weights of NUTS make K̃ reversible for the values π̃ that came
along with the field; both have to be functions of z alone. The surrogate transition of Liu (2001), Monte Carlo Strategies in
Scientific Computing, section 9.4.3; Christen & Fox (2005), Journal of Computational and Graphical Statistics 14, 795.
"""

from __future__ import annotations

import math

import numpy as np

from bnfhmc.samplers.kernels.protocol import Evaluate, Point


def corrected(rng: np.random.Generator, point: Point, proposed: Point, value: Evaluate) -> tuple[Point, float]:
    """The proposed point or the one before it, and the probability of the proposed one.

    `point` knows its value log π, `proposed` is what a transition from there has led to. `value`: z → log π; a point where that
    fails is rejected. One value, none where the transition has not moved.
    """
    if proposed is point:
        return point, 1.0
    assert point.value is not None
    logp = value(proposed.z).logp
    gained = (logp - float(proposed.logp)) - (point.value - float(point.logp))
    probability = 1.0 if gained >= 0.0 else math.exp(gained) if math.isfinite(gained) else 0.0
    return (proposed._replace(value=logp) if rng.random() < probability else point), probability
