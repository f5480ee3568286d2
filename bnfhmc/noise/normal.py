"""Gaussian noise, added to the prediction, to its log10 or to its ln."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from bnfhmc.noise.family import Noise
from bnfhmc.noise.location_scale import LocationScale
from bnfhmc.noise.scale import LIN, LN, LOG10, NoiseScale

HALF_LOG_2PI = 0.5 * float(np.log(2 * np.pi))


class GaussianKernel(LocationScale):
    """g = ½z², so ρ = z; log σ counts where σ is estimated; K(s) = ½s²; information 1/σ² of μ and 2/σ² of σ."""

    __slots__ = ()
    parameters: ClassVar[tuple[str, ...]] = ("sigma",)
    defaults: ClassVar[Mapping[str, float]] = {}
    least_squares: ClassVar[bool] = True
    constant: ClassVar[float] = HALF_LOG_2PI

    @final
    def kernel(self, z: Any, noise: Noise) -> tuple[Any, Any, dict[str, Any]]:
        return 0.5 * z**2, z, {}

    @final
    def kernel_residual(self, z: Any, noise: Noise) -> tuple[Any, Any, dict[str, Any]]:
        return z, np.ones(np.shape(z)), {}

    @final
    def normaliser(self, name: str, noise: Noise) -> tuple[Any, Any]:
        return np.log(noise["sigma"]), 1.0 / noise["sigma"]

    @final
    def log_mean(self, s: Any) -> tuple[Any, Any]:
        return 0.5 * s**2, s

    @final
    def information(self, noise: Noise) -> tuple[Any, dict[tuple[str, str], Any]]:
        precision = 1.0 / noise["sigma"] ** 2
        return precision, {("sigma", "sigma"): 2.0 * precision}

    @final
    def epsilon(self, rng: np.random.Generator, noise: Noise, shape: tuple[int, ...]) -> np.ndarray:
        return rng.standard_normal(shape)


@final
@dataclass(frozen=True, slots=True)
class Normal(GaussianKernel):
    """ỹ = y + σε: loss ½ρ² with ρ = (pred − obs)/σ, plus log σ where σ is estimated.

    With σ estimated ∂loss/∂σ = −r²/σ³ + 1/σ, r = pred − obs. Mean and median coincide, so ``location`` changes nothing.
    """

    @property
    def scale(self) -> NoiseScale:
        return LIN


@final
@dataclass(frozen=True, slots=True)
class LogNormal(GaussianKernel):
    """log10 ỹ = log10 y + σε, less ½ ln(10) σ² where the prediction is the mean; σ in decades."""

    @property
    def scale(self) -> NoiseScale:
        return LOG10


@final
@dataclass(frozen=True, slots=True)
class LnNormal(GaussianKernel):
    """ln ỹ = ln y + σε, less ½σ² where the prediction is the mean; σ in e-folds."""

    @property
    def scale(self) -> NoiseScale:
        return LN
