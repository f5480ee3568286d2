"""What a kernel is: a transition that leaves π alone, a pure function of random numbers, a point, a tuning and a target.

A run is a fold of `Kernel.step`. All that a kernel carries from one draw to the next is a `Point`, a value made of arrays and
numbers, so that a chain can be written to disk after any draw and go on from there bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple, Protocol

import numpy as np
from jaxtyping import Float

from bnfhmc.posterior import Evaluation
from bnfhmc.samplers.curvature import Curvature, CurvedEvaluation, curvature_of
from bnfhmc.samplers.metric import Metric

Evaluate = Callable[[Float[np.ndarray, " d"]], Evaluation | CurvedEvaluation]
SampleStart = Callable[[np.random.Generator], Float[np.ndarray, " d"]]


class Asks(Enum):
    """What a kernel evaluates at a point: log π, also its gradient, also the curvature."""

    VALUE = "value"
    GRADIENT = "gradient"
    CURVATURE = "curvature"


class Learns(Enum):
    """What a warm-up tunes for a kernel.

    ``REFERENCE``: besides, the mean of the draws, around which a kernel proposes with the metric as covariance.
    """

    NOTHING = "nothing"
    STEP_SIZE = "step size"
    METRIC = "step size and metric"
    REFERENCE = "step size, metric and mean"


class Point(NamedTuple):
    """Where a chain is: z[d] with log π and what else was evaluated there; an ensemble has z[walker, d] and logp[walker].

    ``grad``: empty where the kernel asks for none; ``curvature``: None where the target was not asked for it; ``value``: log π
    by a solve for that alone, where draws are accepted by that, else None.
    """

    z: np.ndarray
    logp: float | Float[np.ndarray, " walker"]
    grad: np.ndarray
    curvature: Curvature | None = None
    value: float | None = None

    @classmethod
    def at(cls, z: Float[np.ndarray, " d"], evaluation: Evaluation | CurvedEvaluation) -> Point:
        """The point z with what was evaluated there."""
        return cls(z, evaluation.logp, evaluation.grad, curvature_of(evaluation))


class Tuning(NamedTuple):
    """What a warm-up learns: the step size ε in the coordinates of the metric, the metric, and the mean of the draws.

    ``center``: z[d], of kernels that learn it: the start where there were no draws; else None.
    """

    step_size: float
    metric: Metric
    center: Float[np.ndarray, " d"] | None = None


class Info(NamedTuple):
    """What one transition reports: mean acceptance, divergence, energy, doublings, and solves or leapfrog steps.

    For an ensemble, one entry a walker.
    """

    acceptance_rate: float | np.ndarray
    diverging: bool | np.ndarray
    energy: float | np.ndarray
    tree_depth: int | np.ndarray
    n_steps: int | np.ndarray


class Kernel(Protocol):
    """A family of transitions, its options as fields of a frozen dataclass.

    ``asks``: what it evaluates; ``learns``: what a warm-up tunes; ``target_accept``: the mean acceptance the step size is
    tuned to; None where there is none.
    """

    @property
    def asks(self) -> Asks: ...

    @property
    def learns(self) -> Learns: ...

    @property
    def target_accept(self) -> float | None: ...

    def init(self, rng: np.random.Generator, point: Point, sample_start: SampleStart, evaluate: Evaluate) -> Point:
        """The first state of a chain, from a start that has been evaluated with all that the target can tell."""
        ...

    def step(self, rng: np.random.Generator, point: Point, tuning: Tuning, evaluate: Evaluate) -> tuple[Point, Info]:
        """One transition."""
        ...
