"""What an objective without a model gives, and what is known beforehand of those that can be drawn from."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from jaxtyping import Float


class Target(Protocol):
    """An objective over native parameter values, a negative log-likelihood up to a constant.

    ``names``: the parameters it depends on, which is the order of theta[d]. A loss or gradient that is not finite says
    that the objective has no value there; nothing warns.
    """

    @property
    def names(self) -> tuple[str, ...]: ...

    def loss(self, theta: Float[np.ndarray, " d"]) -> float:
        """−log p(θ) without its constant."""
        ...

    def loss_gradient(self, theta: Float[np.ndarray, " d"]) -> tuple[float, Float[np.ndarray, " d"]]:
        """The loss and ∂loss/∂θ."""
        ...


class Moments(NamedTuple):
    """Mean and covariance."""

    mean: Float[np.ndarray, " d"]
    covariance: Float[np.ndarray, "d d"]


class KnownTarget(Target, Protocol):
    """A target that is a probability density with known moments and an exact sampler: what a kernel is tested on.

    It is the density under a flat prior in θ over all of ℝᵈ.
    """

    def draw(self, rng: np.random.Generator, n: int) -> Float[np.ndarray, "n d"]:
        """Independent draws."""
        ...

    def moments(self) -> Moments:
        """Mean and covariance of the density."""
        ...
