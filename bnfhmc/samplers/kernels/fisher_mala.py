"""Simplified manifold MALA: a Langevin step in the metric of the point where it starts.

Girolami & Calderhead (2011), Journal of the Royal Statistical Society B 73, 123, section 5 with the derivatives of the metric
left out:

    z′ ~ Normal(z + (ε²/2) G(z)⁻¹ ∇log π(z), ε² G(z)⁻¹),   G(z) = D F(z) D + prior curvature

accepted with min(1, π(z′) q(z | z′) / (π(z) q(z′ | z))), which is exact for any positive definite G.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, final

import numpy as np
from jaxtyping import Float

from bnfhmc.samplers.kernels.leapfrog import DIVERGENT
from bnfhmc.samplers.kernels.protocol import Asks, Evaluate, Info, Learns, Point, SampleStart, Tuning

# Where neither data nor prior bend log π, a direction is taken to be this many times wider than the prior's own spread.
WIDEST = 3.0


class Drift(NamedTuple):
    """A proposal: its mean[d], and the Cholesky factor C[d, d] of its precision G/ε² = C Cᵀ."""

    mean: Float[np.ndarray, " d"]
    factor: Float[np.ndarray, "d d"]

    def draw(self, rng: np.random.Generator) -> Float[np.ndarray, " d"]:
        """mean + C⁻ᵀ x with x standard normal."""
        return self.mean + np.linalg.solve(self.factor.T, rng.standard_normal(self.mean.size))

    def log_density(self, z: Float[np.ndarray, " d"]) -> float:
        """log q(z) up to the constant that all proposals share."""
        x = self.factor.T @ (z - self.mean)
        return float(np.log(np.diag(self.factor)).sum() - 0.5 * (x @ x))


@final
@dataclass(frozen=True, slots=True)
class FisherMala:
    """Simplified manifold MALA; each step costs one gradient, and needs a target that tells its curvature."""

    target_accept: float = 0.574
    asks: ClassVar[Asks] = Asks.CURVATURE
    learns: ClassVar[Learns] = Learns.STEP_SIZE

    def init(self, rng: np.random.Generator, point: Point, sample_start: SampleStart, evaluate: Evaluate) -> Point:
        return point

    def step(self, rng: np.random.Generator, point: Point, tuning: Tuning, evaluate: Evaluate) -> tuple[Point, Info]:
        """One proposal. `tuning.metric` is what the prior alone tells of the widths."""
        there = self._drift(point, tuning)
        z = there.draw(rng)
        at = evaluate(z)
        here = -float(point.logp)
        if at.status != "ok":
            return point, Info(0.0, True, here, 0, 1)
        proposed = Point.at(z, at)
        back = self._drift(proposed, tuning)
        gained = at.logp - float(point.logp) + back.log_density(point.z) - there.log_density(z)
        probability = 1.0 if gained >= 0.0 else math.exp(gained) if math.isfinite(gained) else 0.0
        info = Info(probability, bool(at.logp - float(point.logp) < -DIVERGENT), here, 0, 1)
        return (proposed, info._replace(energy=-at.logp)) if rng.random() < probability else (point, info)

    def _drift(self, point: Point, tuning: Tuning) -> Drift:
        step_size, metric, _ = tuning
        if point.curvature is None:
            raise ValueError("the target tells no curvature, which fisher_mala takes for its metric")
        information, diagonal = point.curvature
        widest = np.diag(metric.inverse_mass_matrix) if metric.root.ndim == 2 else metric.inverse_mass_matrix
        G = information + np.diag(np.maximum(diagonal, 1.0 / (WIDEST**2 * widest)))
        mean = point.z + 0.5 * step_size**2 * np.linalg.solve(G, point.grad)
        return Drift(mean, np.linalg.cholesky(G) / step_size)
