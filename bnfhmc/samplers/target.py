"""What a sampler asks of a density: log π(z) with its gradient, a place to start, and a copy for another thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from jaxtyping import Float

from bnfhmc.posterior import Evaluation


class Target(Protocol):
    """A density π(z) on ℝᵈ: the posterior of a problem, or any closed form that a test or a user brings.

    ``dim``: d. ``names``: of the coordinates, for messages. A target need not be thread-safe: every chain works on its
    own `clone`.
    """

    @property
    def dim(self) -> int: ...

    @property
    def names(self) -> Sequence[str]: ...

    def evaluate(self, z: Float[np.ndarray, " d"]) -> Evaluation:
        """log π(z) and ∂log π/∂z from one solve; a point without a value has a status other than "ok".

        An exception means that the target itself is wrong: it ends the run and reaches the caller as it is.
        """
        ...

    def sample_start(self, rng: np.random.Generator) -> Float[np.ndarray, " d"]:
        """A point to start a chain from: a draw from the prior inside its bulk, in z."""
        ...

    def clone(self) -> Target:
        """An independent copy for another thread."""
        ...
