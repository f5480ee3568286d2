"""Poisson noise for counts, by their mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import numpy as np

from bnfhmc.errors import InputError, Mistake
from bnfhmc.noise.count import half_deviance, log_spread, not_counts
from bnfhmc.noise.family import Loss, Noise, outside_is_inf

MEAN_FLOOR = 1e-10  # a predicted mean of zero, or a solver's undershoot of it, keeps a finite loss


@final
@dataclass(frozen=True, slots=True)
class Poisson:
    """Poisson(μ): −log pmf = μ − k log μ + log k!, μ the prediction, with no noise parameter; information 1/μ.

    The prediction is the mean, which is the default and the only ``location``; InputError for another. A prediction
    below 1e-10 counts as that floor, with slope 0.
    """

    location: Literal["mean"] = "mean"
    parameters: ClassVar[tuple[str, ...]] = ()
    defaults: ClassVar[Mapping[str, float]] = {}
    least_squares: ClassVar[bool] = False

    def __post_init__(self) -> None:
        refuse_median("poisson", self.location)

    @np.errstate(all="ignore")
    def loss(self, pred: Any, obs: Any, noise: Noise, estimated: frozenset[str]) -> Loss:
        mu, inside = _mean(pred)
        deviance, slope = half_deviance(obs, mu)
        loss = np.where(obs >= 0, deviance + log_spread(obs), np.nan)
        return outside_is_inf(Loss(loss, slope * inside, {}))

    def residual(self, pred: Any, obs: Any, noise: Noise) -> tuple[np.ndarray, np.ndarray]:
        raise TypeError("Poisson has no least-squares form")

    def d_residual_d_noise(self, pred: Any, obs: Any, noise: Noise) -> Mapping[str, np.ndarray]:
        raise TypeError("Poisson has no least-squares form")

    def log_density(self, pred: Any, obs: Any, noise: Noise) -> np.ndarray:
        return -self.loss(pred, obs, noise, frozenset()).loss

    def fisher(self, pred: Any, noise: Noise) -> tuple[np.ndarray, Mapping[tuple[str, str], np.ndarray]]:
        mu, inside = _mean(pred)
        return inside / mu, {}

    def rejects(self, obs: np.ndarray, noise: Noise | None = None) -> str:
        return not_counts("poisson", obs)

    def draw(self, rng: np.random.Generator, pred: Any, noise: Noise) -> np.ndarray:
        return np.asarray(rng.poisson(_mean(pred)[0]), dtype=float)


def refuse_median(family: str, location: str) -> None:
    """Raise InputError unless the location is the mean."""
    if location != "mean":
        raise InputError(Mistake(f"a prediction of {family} is the mean, not the {location}", "type 'location = mean'"))


def _mean(pred: Any) -> tuple[Any, Any]:
    """μ, and ∂μ/∂pred: 1, or 0 at the floor."""
    pred = np.asarray(pred)
    above = ~(pred.real <= MEAN_FLOOR)  # NaN passes, and makes the loss +inf
    return np.where(above, pred, MEAN_FLOOR), above.astype(float)
