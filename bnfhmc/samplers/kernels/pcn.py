"""Preconditioned Crank–Nicolson steps against a heavy-tailed approximation of the posterior, from values alone.

Neal (1998), Bayesian Statistics 6, 475; Cotter, Roberts, Stuart & White (2013), Statistical Science 28, 424. A random
scale that makes the reference heavy-tailed: Kamatani (2018), Bernoulli 24, 3711.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from bnfhmc.samplers.kernels.protocol import Asks, Evaluate, Info, Learns, Point, SampleStart, Tuning

NO_GRADIENT = np.empty(0)

# Proposals a draw: as many as a draw of the reference needs to forget all but e⁻⁴ of itself, within these.
FEWEST, MOST_EACH = 4, 2


@final
@dataclass(frozen=True, slots=True)
class Pcn:
    """Steps that leave a Student t around the mean of the draws as it is, accepted by how much more π has than that.

        z = m + c L x,   x′ = (x + ε λ^(−1/2) w)/√(1 + ε²),   λ ~ Gamma((ν + d)/2, rate (ν + x·x)/2),   w standard normal

    accepted with min(1, π(z′) t(x) / (π(z) t(x′))), t(x) ∝ (1 + x·x/ν)^(−(ν + d)/2). With λ given, the step is reversible for a
    normal density of precision λ, and λ is drawn as x tells it under t: the step is so for t. A large ε draws from t itself, a
    small one is random-walk Metropolis; the nearer π is to a normal density, the larger the ε that the warm-up finds.

    ``target_accept``: lower than the best one of a random walk, which loses a tenth by it, since one long step is worth many
    short ones. ``wider``: c; a chain stays long in a tail that t hardly proposes, and with c = 1.2 the posterior of Boehm et
    al. (2014) gives 1.8 times the effective draws that c = 1 does. ``freedom``: ν; on the shell where most of a normal density
    lies, x·x ≈ d, t has its slope whatever ν is. ``steps``: proposals a draw, a plain solve each; None takes 4 to 2d of them,
    the fewer the longer the steps are.
    """

    target_accept: float = 0.15
    steps: int | None = None
    wider: float = 1.2
    freedom: float = 5.0
    asks: ClassVar[Asks] = Asks.VALUE
    learns: ClassVar[Learns] = Learns.REFERENCE

    def init(self, rng: np.random.Generator, point: Point, sample_start: SampleStart, evaluate: Evaluate) -> Point:
        return point._replace(grad=NO_GRADIENT, curvature=None)

    def step(self, rng: np.random.Generator, point: Point, tuning: Tuning, evaluate: Evaluate) -> tuple[Point, Info]:
        """So many proposals."""
        assert tuning.center is not None
        d, nu, metric, center, epsilon = point.z.size, self.freedom, tuning.metric, tuning.center, tuning.step_size
        kept = 1.0 / math.hypot(1.0, epsilon)
        steps = self.steps or _steps(epsilon, d)
        z, logp, accepted, x = point.z, float(point.logp), 0.0, metric.whiten(point.z - center) / self.wider
        spread = nu + x.dot(x)
        for _ in range(steps):
            precision = rng.gamma(0.5 * (nu + d), 2.0 / spread)
            x_there = kept * (x + (epsilon / math.sqrt(precision)) * rng.standard_normal(d))
            z_there, spread_there = center + metric.push(self.wider * x_there), nu + x_there.dot(x_there)
            logp_there = evaluate(z_there).logp
            gained = logp_there - logp + 0.5 * (nu + d) * math.log(spread_there / spread)
            probability = 1.0 if gained >= 0.0 else math.exp(gained)
            accepted += probability
            if rng.random() < probability:
                x, z, logp, spread = x_there, z_there, logp_there, spread_there
        return Point(z, logp, NO_GRADIENT), Info(accepted / steps, False, -logp, 0, steps)


def _steps(epsilon: float, d: int) -> int:
    most, forgets = max(FEWEST, MOST_EACH * d), math.log(math.hypot(1.0, epsilon))
    return most if most * forgets <= 4.0 else max(FEWEST, math.ceil(4.0 / forgets))
