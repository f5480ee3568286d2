"""Random-walk Metropolis in the adapted metric, from values alone.

Roberts, Gelman & Gilks (1997), Annals of Applied Probability 7, 110: steps of 2.38/√d where M⁻¹ is the posterior's covariance,
and an acceptance of 0.234.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from bnfhmc.samplers.kernels.protocol import Asks, Evaluate, Info, Learns, Point, SampleStart, Tuning

NO_GRADIENT = np.empty(0)


@final
@dataclass(frozen=True, slots=True)
class Rwm:
    """Random-walk Metropolis: z′ = z + ε (2.38/√d) L x with x standard normal, `steps` times a draw, a plain solve each.

    ``steps``: None takes twice the number of parameters, after which a draw is worth about one of a gradient sampler.
    """

    target_accept: float = 0.234
    steps: int | None = None
    asks: ClassVar[Asks] = Asks.VALUE
    learns: ClassVar[Learns] = Learns.METRIC

    def init(self, rng: np.random.Generator, point: Point, sample_start: SampleStart, evaluate: Evaluate) -> Point:
        return point._replace(grad=NO_GRADIENT, curvature=None)

    def step(self, rng: np.random.Generator, point: Point, tuning: Tuning, evaluate: Evaluate) -> tuple[Point, Info]:
        """So many proposals, each accepted with min(1, π(z′)/π(z))."""
        metric, scale = tuning.metric, tuning.step_size * 2.38 / math.sqrt(point.z.size)
        steps = self.steps or 2 * point.z.size
        z, logp, accepted = point.z, float(point.logp), 0.0
        for _ in range(steps):
            proposed = z + metric.push(scale * rng.standard_normal(z.size))
            there = evaluate(proposed).logp
            accepted += 1.0 if there >= logp else math.exp(there - logp)
            if there >= logp or rng.random() < math.exp(there - logp):
                z, logp = proposed, there
        return Point(z, logp, NO_GRADIENT), Info(accepted / steps, False, -logp, 0, steps)
