"""What every noise family gives: loss and its derivatives, a normalised density, Fisher information, new data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from jaxtyping import Float

Noise = Mapping[str, Any]  # noise parameter → a number or one number a measurement


class Loss(NamedTuple):
    """Loss of each measurement and its slopes: ∂loss/∂pred[n] and, by noise parameter, ∂loss/∂parameter[n]."""

    loss: Float[np.ndarray, " n"]
    d_pred: Float[np.ndarray, " n"]
    d_noise: Mapping[str, Float[np.ndarray, " n"]]


def outside_is_inf(loss: Loss) -> Loss:
    """The loss, +inf with slopes of 0 where it or one of its slopes is not a finite number."""
    inside = np.isfinite(loss.loss) & np.isfinite(loss.d_pred)
    for slope in loss.d_noise.values():
        inside = inside & np.isfinite(slope)
    d_noise = {name: np.where(inside, slope, 0.0) for name, slope in loss.d_noise.items()}
    return Loss(np.where(inside, loss.loss, np.inf), np.where(inside, loss.d_pred, 0.0), d_noise)


class NoiseModel(Protocol):
    """p(ỹ | y, noise parameters): one family, over arrays of measurements.

    ``parameters``: its noise parameters, the primary one first; ``defaults``: the values of those that may be left out;
    ``least_squares``: whether −log p with fixed noise parameters is a sum of squares that `residual` gives exactly.
    Where a prediction or a noise parameter lies outside the family's domain the loss is +inf.
    """

    @property
    def parameters(self) -> tuple[str, ...]: ...

    @property
    def defaults(self) -> Mapping[str, float]: ...

    @property
    def least_squares(self) -> bool: ...

    def loss(self, pred: Any, obs: Any, noise: Noise, estimated: frozenset[str]) -> Loss:
        """−log p without the constants: the normaliser of a noise parameter counts only where it is `estimated`."""
        ...

    def residual(self, pred: Any, obs: Any, noise: Noise) -> tuple[np.ndarray, np.ndarray]:
        """ρ[n] with ½ρ² the loss at fixed noise parameters, and ∂ρ/∂pred[n]; TypeError unless ``least_squares``."""
        ...

    def d_residual_d_noise(self, pred: Any, obs: Any, noise: Noise) -> Mapping[str, Float[np.ndarray, " n"]]:
        """∂ρ/∂parameter[n] by noise parameter, for the J of an estimated one; TypeError unless ``least_squares``."""
        ...

    def log_density(self, pred: Any, obs: Any, noise: Noise) -> Float[np.ndarray, " n"]:
        """log p(obs | pred, noise), normalised over obs, nothing left out."""
        ...

    def fisher(self, pred: Any, noise: Noise) -> tuple[np.ndarray, Mapping[tuple[str, str], np.ndarray]]:
        """Expected information of one measurement: of the prediction [n], and of pairs of noise parameters [n].

        A pair ``("pred", name)`` holds the cross term where a family has one.
        """
        ...

    def rejects(self, obs: Float[np.ndarray, " n"], noise: Noise | None = None) -> str:
        """Why some observed value cannot come from this family; empty when all can.

        ``noise``: the noise parameters known before the run, for a family whose observed values they bound.
        """
        ...

    def draw(self, rng: np.random.Generator, pred: Any, noise: Noise) -> Float[np.ndarray, " n"]:
        """New measurements."""
        ...
