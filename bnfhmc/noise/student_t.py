"""Student-t noise, added to the prediction, to its log10 or to its ln: Gaussian noise with tails as heavy as 1/df."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from scipy.special import betaln, digamma, log1p, polygamma

from bnfhmc.noise.family import Noise
from bnfhmc.noise.location_scale import LocationScale
from bnfhmc.noise.scale import LIN, LN, LOG10, NoiseScale

LARGE_DF = 60.0  # from here the asymptotic series of ψ(x + ½) − ψ(x) beats the difference of two nearly equal values


class StudentTKernel(LocationScale):
    """g = ½(ν+1) log(1 + z²/ν), ν = df degrees of freedom (4 where left out).

    log σ counts where σ is estimated, ½ log ν + log B(½, ½ν) where df is. ρ = sign(z)√(2g) is smooth, with slope
    √((ν+1)/ν)/σ at z = 0, so fixed noise parameters make an exact least-squares problem. On a logarithmic scale there
    is no mean, for any df: the tails are heavier than an exponential. Fisher information: Lange, Little & Taylor,
    "Robust statistical modeling using the t distribution", JASA 84 (1989) 881.
    """

    __slots__ = ()
    parameters: ClassVar[tuple[str, ...]] = ("sigma", "df")
    defaults: ClassVar[Mapping[str, float]] = {"df": 4.0}
    least_squares: ClassVar[bool] = True
    constant: ClassVar[float] = 0.0

    @final
    def kernel(self, z: Any, noise: Noise) -> tuple[Any, Any, dict[str, Any]]:
        df = noise["df"]
        x, log_term, share = _tail(z, df)
        slope = (df + 1) / np.sqrt(df) * x / (1 + x * x)
        return 0.5 * (df + 1) * log_term, slope, {"df": 0.5 * log_term - 0.5 * (df + 1) / df * share}

    @final
    def kernel_residual(self, z: Any, noise: Noise) -> tuple[Any, Any, dict[str, Any]]:
        df = noise["df"]
        x, log_term, share = _tail(z, df)
        rho = np.sign(np.real(z)) * np.sqrt((df + 1) * log_term)
        ratio = np.where(share == 0, 1.0, log_term / share)  # (1 + x²) log(1 + x²)/x²
        return rho, np.sqrt((df + 1) / df / ratio / (1 + x * x)), {"df": 0.5 * rho / df * (df / (df + 1) - 1 / ratio)}

    @final
    def normaliser(self, name: str, noise: Noise) -> tuple[Any, Any]:
        df = noise["df"]
        if name == "sigma":
            return np.log(noise["sigma"]), 1.0 / noise["sigma"]
        return 0.5 * np.log(df) + betaln(0.5, 0.5 * df), _slope_of_normaliser(df)

    @final
    def log_mean(self, s: Any) -> tuple[Any, Any]:
        return np.inf, np.inf

    @final
    def information(self, noise: Noise) -> tuple[Any, dict[tuple[str, str], Any]]:
        sigma, df = noise["sigma"], noise["df"]
        return (df + 1) / (df + 3) / sigma**2, {
            ("sigma", "sigma"): 2 * df / (df + 3) / sigma**2,
            ("sigma", "df"): -2 / ((df + 1) * (df + 3) * sigma),
            ("df", "df"): _information_of_df(df),
        }

    @final
    def epsilon(self, rng: np.random.Generator, noise: Noise, shape: tuple[int, ...]) -> np.ndarray:
        return rng.standard_t(noise["df"], shape)


@final
@dataclass(frozen=True, slots=True)
class StudentT(StudentTKernel):
    """ỹ = y + σε, ε Student's t. The location is the centre, which is also the mean where there is one (df > 1)."""

    @property
    def scale(self) -> NoiseScale:
        return LIN


@final
@dataclass(frozen=True, slots=True)
class LogStudentT(StudentTKernel):
    """log10 ỹ = log10 y + σε, ε Student's t; median only; σ in decades."""

    @property
    def scale(self) -> NoiseScale:
        return LOG10


@final
@dataclass(frozen=True, slots=True)
class LnStudentT(StudentTKernel):
    """ln ỹ = ln y + σε, ε Student's t; median only; σ in e-folds."""

    @property
    def scale(self) -> NoiseScale:
        return LN


def _tail(z: Any, df: Any) -> tuple[Any, Any, Any]:
    """x = z/√ν, log(1 + x²) and x²/(1 + x²), also where x² is too large for a float."""
    x = z / np.sqrt(df)
    square = x * x
    fits = np.isfinite(square) | np.isnan(x)
    return x, np.where(fits, log1p(square), 2 * np.log(np.abs(x))), np.where(fits, square / (1 + square), 1.0)


def _slope_of_normaliser(df: Any) -> Any:
    """1/(2ν) − ½(ψ(½ν + ½) − ψ(½ν)), which is −1/(4ν²) + … for large ν."""
    small = np.minimum(df, LARGE_DF)
    exact = 0.5 / small + 0.5 * (digamma(0.5 * small) - digamma(0.5 * small + 0.5))
    # ψ(x + ½) − ψ(x) = 1/2x + 1/8x² − 1/64x⁴ + 1/128x⁶ − …, x = ½ν; its first term is taken off
    series = -0.25 / df**2 + 0.125 / df**4 - 0.25 / df**6
    return np.where(df > LARGE_DF, series, exact)


def _information_of_df(df: Any) -> Any:
    """¼(ψ′(½ν) − ψ′(½ν + ½)) − (ν+5)/(2ν(ν+1)(ν+3)), which is 7/(2ν⁴) + … for large ν."""
    small = np.minimum(df, LARGE_DF)
    exact = 0.25 * (polygamma(1, 0.5 * small) - polygamma(1, 0.5 * small + 0.5))
    exact = exact - 0.5 * (small + 5) / (small * (small + 1) * (small + 3))
    # the terms of order ν⁻² and ν⁻³ cancel between the two, by the series of `_slope_of_normaliser`
    rational = (7 * df + 3) / (2 * df**3 * (df + 1) * (df + 3))
    series = rational - 0.5 / df**5 + 1.5 / df**7
    return np.where(df > LARGE_DF, series, exact)
