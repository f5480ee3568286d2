"""Hamiltonian Monte Carlo with trajectories of one length, and its shortest form, MALA.

Duane et al. (1987), Physics Letters B 195, 216; Neal (2011), Handbook of Markov Chain Monte Carlo, chapter 5; MALA: Roberts &
Tweedie (1996), Bernoulli 2, 341.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from bnfhmc.samplers.kernels.leapfrog import diverges, enter, leap, point_of
from bnfhmc.samplers.kernels.protocol import Asks, Evaluate, Info, Learns, Point, SampleStart, Tuning


@final
@dataclass(frozen=True, slots=True)
class Hmc:
    """HMC: n leapfrog steps with n = ⌈path_length/ε⌉, of path_length/n each, times a factor uniform in 1 ± jitter.

    In the coordinates of the metric a normal posterior is round, with sd 1 and period 2π: a path of π/2 leads to an
    independent point, a little more to the other side of the mean. The jitter keeps a path from closing on itself.
    """

    target_accept: float = 0.8
    path_length: float = 2.0
    jitter: float = 0.2
    max_steps: int = 1000
    asks: ClassVar[Asks] = Asks.GRADIENT
    learns: ClassVar[Learns] = Learns.METRIC

    def init(self, rng: np.random.Generator, point: Point, sample_start: SampleStart, evaluate: Evaluate) -> Point:
        return point

    def step(self, rng: np.random.Generator, point: Point, tuning: Tuning, evaluate: Evaluate) -> tuple[Point, Info]:
        """One trajectory, its end accepted with min(1, exp(H₀ − H))."""
        n = min(self.max_steps, max(1, math.ceil(self.path_length / tuning.step_size)))
        length = self.path_length if n < self.max_steps else n * tuning.step_size
        factor = 1.0 + self.jitter * (2.0 * rng.random() - 1.0)
        return trajectory(rng, point, tuning._replace(step_size=factor * length / n), n, evaluate)


@final
@dataclass(frozen=True, slots=True)
class Mala:
    """The Metropolis-adjusted Langevin algorithm: z′ ~ Normal(z + (ε²/2) M⁻¹∇log π(z), ε² M⁻¹), one leapfrog step.

    Its best acceptance is 0.574 (Roberts & Rosenthal 1998, J. R. Stat. Soc. B 60, 255).
    """

    target_accept: float = 0.574
    asks: ClassVar[Asks] = Asks.GRADIENT
    learns: ClassVar[Learns] = Learns.METRIC

    def init(self, rng: np.random.Generator, point: Point, sample_start: SampleStart, evaluate: Evaluate) -> Point:
        return point

    def step(self, rng: np.random.Generator, point: Point, tuning: Tuning, evaluate: Evaluate) -> tuple[Point, Info]:
        """One proposal, accepted with min(1, exp(H₀ − H))."""
        return trajectory(rng, point, tuning, 1, evaluate)


def trajectory(rng: np.random.Generator, point: Point, tuning: Tuning, n: int, evaluate: Evaluate) -> tuple[Point, Info]:
    """n leapfrog steps of one size from a fresh momentum, then Metropolis.

    A trajectory that ends early, diverging or at a failed solve, is rejected. Its acceptance, for the warm-up, is the mean over
    the steps it took, 0 for the last: where solves fail within the typical set no step size would let all pass, and the
    probability itself would drive the steps to zero.
    """
    phase = start = enter(point, rng.standard_normal(point.z.size), tuning)
    accepted = 0.0
    for taken in range(1, n + 1):
        phase = leap(phase, tuning, evaluate)
        if diverges(phase.energy, start.energy):
            return point, Info(accepted / taken, True, start.energy, 0, taken)
        gained = start.energy - phase.energy
        probability = 1.0 if gained >= 0.0 else math.exp(gained)
        accepted += probability
    if rng.random() < probability:
        return point_of(phase), Info(probability, False, phase.energy, 0, n)
    return point, Info(probability, False, start.energy, 0, n)
