"""What a target may tell besides value and gradient: the curvature of log π, or the value alone at a lower price."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from bnfhmc.posterior import Evaluation
from bnfhmc.samplers.target import Target


class Curvature(NamedTuple):
    """−∂² log π/∂z² in two parts: ``information`` [d, d], never negative, and the ``diagonal`` [d], of any sign."""

    information: Float[np.ndarray, "d d"]
    diagonal: Float[np.ndarray, " d"]


class CurvedEvaluation(NamedTuple):
    """An `Evaluation` that can tell the curvature at its point; ``curvature`` costs no solve, and is computed when called."""

    logp: float
    grad: Float[np.ndarray, " d"]
    status: str
    curvature: Callable[[], Curvature]


@runtime_checkable
class Curved(Target, Protocol):
    """A target that has the curvature for the price of the gradient."""

    def evaluate_curved(self, z: Float[np.ndarray, " d"]) -> Evaluation | CurvedEvaluation:
        """As `evaluate`; a point without a value has no curvature either."""
        ...


@runtime_checkable
class Valued(Target, Protocol):
    """A target whose value alone is cheaper than with its gradient."""

    def value(self, z: Float[np.ndarray, " d"]) -> Evaluation:
        """log π(z), with an empty gradient."""
        ...


def curvature_of(at: Evaluation | CurvedEvaluation) -> Curvature | None:
    """The curvature where it was evaluated, None where the target has none."""
    return at.curvature() if isinstance(at, CurvedEvaluation) else None
