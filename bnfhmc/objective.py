"""A closed-form objective in the place of an experiment: the same seam, with nothing to simulate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import FailedSolve
from bnfhmc.model.protocol import Failure, FailureKind
from bnfhmc.noise.target import Target


class Value(NamedTuple):
    """A target at one θ; without a gradient where none was asked for."""

    loss: float
    grad: Float[np.ndarray, " d"] | None


class TargetLikelihood:
    """loss(θ) and ∂loss/∂θ of a target over some of the parameters; it has no measurements."""

    size = 0
    least_squares = False

    def __init__(self, target: Target, names: tuple[str, ...]):
        self.target, self.dim = target, len(names)
        self.used = frozenset(target.names)
        self._index = np.array([names.index(n) for n in target.names], dtype=int)

    def solve(self, theta: Mapping[str, float], gradient: bool) -> Value | Failure:
        """The target at θ; a Failure where a user's function fails at this point."""
        values = np.array([theta[n] for n in self.target.names])
        try:
            if not gradient:
                return Value(float(self.target.loss(values)), None)
            loss, slope = self.target.loss_gradient(values)
        except FailedSolve as error:
            return Failure(FailureKind(error.kind), str(error))
        grad = np.zeros(self.dim)
        grad[self._index] = slope
        return Value(float(loss), grad)

    def loss(self, prediction: Value) -> float:
        """The target."""
        return prediction.loss

    def loss_gradient(self, prediction: Value) -> tuple[float, Float[np.ndarray, " d"]]:
        """The target and its ∂/∂θ."""
        if prediction.grad is None:
            raise ValueError("the target was solved without its gradient")
        return prediction.loss, prediction.grad

    def residuals(self, prediction: Value) -> tuple[np.ndarray, np.ndarray]:
        """Raises TypeError: a closed-form objective has no residuals."""
        raise TypeError("a closed-form objective has no residuals; minimise its loss by gradient")

    def fisher(self, prediction: Value) -> Float[np.ndarray, "d d"]:
        """Raises TypeError: without data there is no expected information."""
        raise TypeError("a closed-form objective has no Fisher information")

    def pointwise(self, prediction: Value) -> Float[np.ndarray, " 0"]:
        """No measurements, no densities."""
        return np.empty(0)

    def predicted(self, prediction: Value) -> Float[np.ndarray, " 0"]:
        """No measurements, no predictions."""
        return np.empty(0)
