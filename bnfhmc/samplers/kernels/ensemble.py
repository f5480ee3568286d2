"""An ensemble of walkers that move by each other's differences, through emcee: no gradient, no metric, nothing to tune.

Stretch moves: Goodman & Weare (2010), Comm. App. Math. Comp. Sci. 5, 65; differential evolution: ter Braak (2006), Statistics
and Computing 16, 239; emcee: Foreman-Mackey et al. (2013), PASP 125, 306.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from bnfhmc.samplers.kernels.protocol import Asks, Evaluate, Info, Learns, Point, SampleStart, Tuning

TRIES = 100


@final
@dataclass(frozen=True, slots=True)
class Ensemble:
    """An ensemble: each draw is so many sweeps over all walkers, each by a stretch or a DE move.

    ``number``: of walkers; None takes twice the parameters and two more. ``sweeps``: each is one solve without gradient a
    walker. The walkers of one chain depend on each other; chains do not.
    """

    number: int | None = None
    sweeps: int = 10
    target_accept: ClassVar[None] = None
    asks: ClassVar[Asks] = Asks.VALUE
    learns: ClassVar[Learns] = Learns.NOTHING

    def init(self, rng: np.random.Generator, point: Point, sample_start: SampleStart, evaluate: Evaluate) -> Point:
        """Walkers spread over the prior, the first at the start; a place that cannot be solved is drawn again."""
        number = self.number or 2 * point.z.size + 2
        z, logp = [point.z], [float(point.logp)]
        for _ in range(TRIES * number):
            if len(z) == number:
                break
            drawn = np.asarray(sample_start(rng), dtype=np.float64)
            at = evaluate(drawn)
            if at.status == "ok":
                z.append(drawn)
                logp.append(at.logp)
        while len(z) < number:
            z.append(z[0] * (1.0 + 1e-6 * rng.standard_normal(point.z.size)))
            logp.append(evaluate(z[-1]).logp)
        return Point(np.array(z), np.array(logp), np.empty(0))

    def step(self, rng: np.random.Generator, point: Point, tuning: Tuning, evaluate: Evaluate) -> tuple[Point, Info]:
        """So many sweeps."""
        from emcee.model import Model
        from emcee.moves import DEMove, StretchMove
        from emcee.state import State

        def logps(z: Float[np.ndarray, "walker d"]) -> tuple[Float[np.ndarray, " walker"], None]:
            return np.array([evaluate(row).logp for row in z]), None

        # emcee draws from a RandomState; one that the chain's generator seeds leaves nothing more to be stored.
        random = np.random.RandomState(rng.integers(2**32, size=8, dtype=np.uint32))
        model, moves = Model(None, logps, map, random), (StretchMove(), DEMove())
        state, accepted = State(point.z, log_prob=point.logp, copy=True), np.zeros(len(point.z))
        for _ in range(self.sweeps):
            state, moved = moves[random.randint(2)].propose(model, state)
            accepted += moved
        none = np.zeros(len(point.z), dtype=int)
        info = Info(accepted / self.sweeps, none.astype(bool), -state.log_prob, none, none + self.sweeps)
        return Point(state.coords, state.log_prob, np.empty(0)), info
