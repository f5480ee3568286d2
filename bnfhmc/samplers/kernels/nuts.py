"""The No-U-Turn sampler: multinomial over the trajectory, generalised U-turns.

Hoffman & Gelman (2014), Journal of Machine Learning Research 15, 1593–1623; Betancourt (2017), arXiv:1701.02434, appendix A.
The trajectory doubles until it turns. A stretch of it with momenta r₁ … rₙ and ρ = Σ rᵢ turns where ρ·r₁ ≤ 0 or ρ·rₙ ≤ 0;
each stretch that two halves make up is checked, and so are its first half with the first step of the second, and its last
step of the first with the second, which a turn near the middle cannot pass unseen (Stan 2.21).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, final

import numpy as np
from jaxtyping import Float

from bnfhmc.samplers.kernels.leapfrog import Phase, diverges, enter, leap, point_of, reversed_
from bnfhmc.samplers.kernels.protocol import Asks, Evaluate, Info, Learns, Point, SampleStart, Tuning


class Stretch(NamedTuple):
    """A stretch of a trajectory in the order of integration, and the one of its points that was drawn.

    ``first``, ``last``: momenta of its ends; ``rho``: their sum over all its points; ``log_weight``: log Σ exp(H₀ − H);
    ``drawn``: one of its points, each with the probability of its weight.
    """

    first: Float[np.ndarray, " d"]
    last: Float[np.ndarray, " d"]
    rho: Float[np.ndarray, " d"]
    log_weight: float
    drawn: Phase


class Grown(NamedTuple):
    """A new half of the trajectory; no stretch where it turned or diverged, and then no point of it may be taken."""

    stretch: Stretch | None
    end: Phase
    accepted: float
    n_steps: int
    diverging: bool


@final
@dataclass(frozen=True, slots=True)
class Nuts:
    """NUTS; a trajectory has at most 2^max_tree_depth − 1 leapfrog steps, each of one gradient."""

    target_accept: float = 0.8
    max_tree_depth: int = 10
    asks: ClassVar[Asks] = Asks.GRADIENT
    learns: ClassVar[Learns] = Learns.METRIC

    def init(self, rng: np.random.Generator, point: Point, sample_start: SampleStart, evaluate: Evaluate) -> Point:
        return point

    def step(self, rng: np.random.Generator, point: Point, tuning: Tuning, evaluate: Evaluate) -> tuple[Point, Info]:
        """One trajectory, doubled ahead or backwards until it turns, diverges or is as long as it may be."""
        start = enter(point, rng.standard_normal(point.z.size), tuning)
        backward, forward = reversed_(start), start
        whole = Stretch(start.r, start.r, start.r, 0.0, start)
        accepted, n_steps, depth, diverging = 0.0, 0, 0, False
        while depth < self.max_tree_depth:
            ahead = rng.random() < 0.5
            grown = _grow(rng, forward if ahead else backward, 2**depth, start.energy, tuning, evaluate)
            accepted, n_steps, depth = accepted + grown.accepted, n_steps + grown.n_steps, depth + 1
            if grown.stretch is None:
                diverging = grown.diverging
                break
            if ahead:
                forward = grown.end
            else:
                backward, whole = grown.end, _turned_round(whole)
            whole, turns = _join(rng, whole, grown.stretch, onward=True)
            if turns:
                break
            if not ahead:
                whole = _turned_round(whole)
        return point_of(whole.drawn), Info(accepted / n_steps, diverging, whole.drawn.energy, depth, n_steps)


def _grow(rng: np.random.Generator, phase: Phase, size: int, start: float, tuning: Tuning, evaluate: Evaluate) -> Grown:
    """So many steps onward from a phase, as stretches of 2^k steps joined as soon as two of a size stand side by side."""
    stretches: list[Stretch] = []
    accepted = 0.0
    for n in range(1, size + 1):
        phase = leap(phase, tuning, evaluate)
        if diverges(phase.energy, start):
            return Grown(None, phase, accepted, n, True)
        gained = start - phase.energy
        accepted += 1.0 if gained > 0.0 else math.exp(gained)
        r = phase.r
        stretch = Stretch(r, r, r, gained, phase)
        pairs = n
        while pairs % 2 == 0:
            stretch, turns = _join(rng, stretches.pop(), stretch)
            if turns:
                return Grown(None, phase, accepted, n, False)
            pairs //= 2
        stretches.append(stretch)
    return Grown(stretches[0], phase, accepted, size, False)


def _join(rng: np.random.Generator, a: Stretch, b: Stretch, onward: bool = False) -> tuple[Stretch, bool]:
    """a followed by b, and whether that turns.

    The point of b is taken with the probability of its weight in both; `onward`, where b is the new half of a trajectory,
    with min(1, w_b/w_a), which leaves π alone as well and moves farther.
    """
    rho = a.rho + b.rho
    turns = _turns(rho, a.first, b.last) or _turns(a.rho + b.first, a.first, b.first) or _turns(b.rho + a.last, a.last, b.last)
    high, low = (a.log_weight, b.log_weight) if a.log_weight > b.log_weight else (b.log_weight, a.log_weight)
    log_weight = high + math.log1p(math.exp(low - high))
    odds = b.log_weight - (a.log_weight if onward else log_weight)
    drawn = b.drawn if odds >= 0.0 or rng.random() < math.exp(odds) else a.drawn
    return Stretch(a.first, b.last, rho, log_weight, drawn), turns


def _turns(rho: np.ndarray, first: np.ndarray, last: np.ndarray) -> bool:
    return bool(rho.dot(first) <= 0.0 or rho.dot(last) <= 0.0)


def _turned_round(s: Stretch) -> Stretch:
    """The same stretch passed through in the other direction."""
    return s._replace(first=-s.last, last=-s.first, rho=-s.rho)
