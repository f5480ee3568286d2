"""Laplace noise, added to the prediction, to its log10 or to its ln: least absolute deviations, robust to outliers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from bnfhmc.noise.family import Noise
from bnfhmc.noise.location_scale import LocationScale
from bnfhmc.noise.scale import LIN, LN, LOG10, NoiseScale


class LaplaceKernel(LocationScale):
    """g = |z|, of slope 0 at its kink; log 2b counts where the scale b is estimated; information 1/b² of μ and of b.

    K(s) = −log(1 − s²), so a mean on a logarithmic scale is finite for b·ln(base) < 1 only, and the loss is +inf from
    there. √(2|z|) has a cusp at 0: there is no least-squares form.
    """

    __slots__ = ()
    parameters: ClassVar[tuple[str, ...]] = ("scale",)
    defaults: ClassVar[Mapping[str, float]] = {}
    least_squares: ClassVar[bool] = False
    constant: ClassVar[float] = 0.0

    @final
    def kernel(self, z: Any, noise: Noise) -> tuple[Any, Any, dict[str, Any]]:
        sign = np.sign(np.real(z))
        return sign * z, sign, {}

    @final
    def kernel_residual(self, z: Any, noise: Noise) -> tuple[Any, Any, dict[str, Any]]:
        raise TypeError(f"{type(self).__name__} has no least-squares form: the loss |z| is no smooth square")

    @final
    def normaliser(self, name: str, noise: Noise) -> tuple[Any, Any]:
        return np.log(2.0 * noise["scale"]), 1.0 / noise["scale"]

    @final
    def log_mean(self, s: Any) -> tuple[Any, Any]:
        s = np.where(np.real(s) < 1, s, np.nan)
        return -np.log1p(-(s**2)), 2.0 * s / (1.0 - s**2)

    @final
    def information(self, noise: Noise) -> tuple[Any, dict[tuple[str, str], Any]]:
        precision = 1.0 / noise["scale"] ** 2
        return precision, {("scale", "scale"): precision}

    @final
    def epsilon(self, rng: np.random.Generator, noise: Noise, shape: tuple[int, ...]) -> np.ndarray:
        return rng.laplace(size=shape)


@final
@dataclass(frozen=True, slots=True)
class Laplace(LaplaceKernel):
    """ỹ = y + bε: loss |pred − obs|/b, plus log 2b where b is estimated. Mean and median coincide."""

    @property
    def scale(self) -> NoiseScale:
        return LIN


@final
@dataclass(frozen=True, slots=True)
class LogLaplace(LaplaceKernel):
    """log10 ỹ = log10 y + bε, plus log10(1 − (b ln 10)²) where the prediction is the mean; b in decades."""

    @property
    def scale(self) -> NoiseScale:
        return LOG10


@final
@dataclass(frozen=True, slots=True)
class LnLaplace(LaplaceKernel):
    """ln ỹ = ln y + bε, plus ln(1 − b²) where the prediction is the mean; b in e-folds (PEtab's log-laplace)."""

    @property
    def scale(self) -> NoiseScale:
        return LN
