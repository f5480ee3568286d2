"""Families on the half line u ≥ 0, from gamma to Weibull.

Each is written in x = u/scale; ``f`` is the log density of x. Nearer to 0 than x = 1e-300, a slope that grows
without bound is held at its value there, so that it stays a float.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.special import (
    erf,
    erfc,
    erfinv,
    gammainc,
    gammaincc,
    gammainccinv,
    gammaincinv,
    gammaln,
    ndtri,
    xlogy,
)

from bnfhmc.prior.density import SMALLEST, LocationScale, not_positive
from bnfhmc.prior.real_line import log1p_square, over_1p_square
from bnfhmc.prior.scale import Real

_HALF_LOG_2_OVER_PI = 0.5 * float(np.log(2 / np.pi))
_LOG_2_OVER_PI = float(np.log(2 / np.pi))
_SQRT_2 = float(np.sqrt(2.0))


class HalfLine(LocationScale):
    """A density on (0, ∞)."""

    __slots__ = ()

    @property
    @final
    def support(self) -> tuple[Real, Real]:
        return 0.0, np.inf


class GammaShaped(HalfLine):
    """f = (a − 1) log x − x − log Γ(a)."""

    __slots__ = ()

    @property
    @abstractmethod
    def a(self) -> Real:
        """The shape of the density of x."""

    @final
    def f_and_slope(self, x: Real) -> tuple[Real, Real]:
        return xlogy(self.a - 1, x) - x - gammaln(self.a), (self.a - 1) / np.maximum(x, SMALLEST) - 1.0

    @final
    def lower_tail(self, x: Real) -> Real:
        return gammainc(self.a, x)

    @final
    def upper_tail(self, x: Real) -> Real:
        return gammaincc(self.a, x)

    @final
    def lower_quantile(self, q: Real) -> Real:
        return gammaincinv(self.a, q)

    @final
    def upper_quantile(self, q: Real) -> Real:
        return gammainccinv(self.a, q)


@final
@dataclass(frozen=True, slots=True)
class Gamma(GammaShaped):
    """Gamma: f = (shape − 1) log x − x − log Γ(shape)."""

    shape: Real
    scale: Real

    @property
    def affine(self) -> tuple[Real, Real]:
        return 0.0, self.scale

    @property
    def a(self) -> Real:
        return self.shape

    def check(self) -> list[str]:
        return not_positive(shape=self.shape, scale=self.scale)


@final
@dataclass(frozen=True, slots=True)
class ChiSquare(GammaShaped):
    """χ² with `dof` degrees of freedom: the gamma density with shape dof/2 and scale 2."""

    dof: Real

    @property
    def affine(self) -> tuple[Real, Real]:
        return 0.0, 2.0

    @property
    def a(self) -> Real:
        return 0.5 * self.dof

    def check(self) -> list[str]:
        return not_positive(dof=self.dof)


@final
@dataclass(frozen=True, slots=True)
class Exponential(HalfLine):
    """Exponential with mean `scale`: f = −x."""

    scale: Real

    @property
    def affine(self) -> tuple[Real, Real]:
        return 0.0, self.scale

    def f_and_slope(self, x: Real) -> tuple[Real, Real]:
        return np.negative(x), -np.ones_like(x)

    def lower_tail(self, x: Real) -> Real:
        return -np.expm1(np.negative(x))

    def upper_tail(self, x: Real) -> Real:
        return np.exp(np.negative(x))

    def lower_quantile(self, q: Real) -> Real:
        return -np.log1p(np.negative(q))

    def upper_quantile(self, q: Real) -> Real:
        return -np.log(q)

    def check(self) -> list[str]:
        return not_positive(scale=self.scale)


@final
@dataclass(frozen=True, slots=True)
class Rayleigh(HalfLine):
    """Rayleigh: f = log x − x²/2."""

    scale: Real

    @property
    def affine(self) -> tuple[Real, Real]:
        return 0.0, self.scale

    def f_and_slope(self, x: Real) -> tuple[Real, Real]:
        return np.log(x) - 0.5 * x * x, 1.0 / np.maximum(x, SMALLEST) - x

    def lower_tail(self, x: Real) -> Real:
        return -np.expm1(-0.5 * x * x)

    def upper_tail(self, x: Real) -> Real:
        return np.exp(-0.5 * x * x)

    def lower_quantile(self, q: Real) -> Real:
        return np.sqrt(-2.0 * np.log1p(np.negative(q)))

    def upper_quantile(self, q: Real) -> Real:
        return np.sqrt(-2.0 * np.log(q))

    def check(self) -> list[str]:
        return not_positive(scale=self.scale)


@final
@dataclass(frozen=True, slots=True)
class HalfNormal(HalfLine):
    """Half-normal, |N(0, scale²)|: f = −x²/2 + ½ log(2/π)."""

    scale: Real

    @property
    def affine(self) -> tuple[Real, Real]:
        return 0.0, self.scale

    def f_and_slope(self, x: Real) -> tuple[Real, Real]:
        return -0.5 * x * x + _HALF_LOG_2_OVER_PI, np.negative(x)

    def lower_tail(self, x: Real) -> Real:
        return erf(x / _SQRT_2)

    def upper_tail(self, x: Real) -> Real:
        return erfc(x / _SQRT_2)

    def lower_quantile(self, q: Real) -> Real:
        return _SQRT_2 * erfinv(q)

    def upper_quantile(self, q: Real) -> Real:
        return -ndtri(np.multiply(q, 0.5))

    def check(self) -> list[str]:
        return not_positive(scale=self.scale)


@final
@dataclass(frozen=True, slots=True)
class HalfCauchy(HalfLine):
    """Half-Cauchy: f = −log(1 + x²) + log(2/π)."""

    scale: Real

    @property
    def affine(self) -> tuple[Real, Real]:
        return 0.0, self.scale

    def f_and_slope(self, x: Real) -> tuple[Real, Real]:
        return _LOG_2_OVER_PI - log1p_square(x), -2.0 * over_1p_square(x)

    def lower_tail(self, x: Real) -> Real:
        return 2 / np.pi * np.arctan(x)

    def upper_tail(self, x: Real) -> Real:
        return 2 / np.pi * np.arctan2(1.0, x)

    def lower_quantile(self, q: Real) -> Real:
        q = np.asarray(q, dtype=float)
        return np.where(q < 0.5, np.tan(0.5 * np.pi * q), 1.0 / np.tan(0.5 * np.pi * (1.0 - q)))[()]

    def upper_quantile(self, q: Real) -> Real:
        q = np.asarray(q, dtype=float)
        return np.where(q < 0.5, 1.0 / np.tan(0.5 * np.pi * q), np.tan(0.5 * np.pi * (1.0 - q)))[()]

    def check(self) -> list[str]:
        return not_positive(scale=self.scale)


@final
@dataclass(frozen=True, slots=True)
class InverseGamma(HalfLine):
    """Inverse gamma, 1/x is gamma: f = −(shape + 1) log x − 1/x − log Γ(shape)."""

    shape: Real
    scale: Real

    @property
    def affine(self) -> tuple[Real, Real]:
        return 0.0, self.scale

    def f_and_slope(self, x: Real) -> tuple[Real, Real]:
        y = 1.0 / x
        return (self.shape + 1) * np.log(y) - y - gammaln(self.shape), (y - (self.shape + 1)) * y

    def lower_tail(self, x: Real) -> Real:
        return gammaincc(self.shape, 1.0 / x)

    def upper_tail(self, x: Real) -> Real:
        return gammainc(self.shape, 1.0 / x)

    def lower_quantile(self, q: Real) -> Real:
        return 1.0 / gammainccinv(self.shape, q)

    def upper_quantile(self, q: Real) -> Real:
        return 1.0 / gammaincinv(self.shape, q)

    def check(self) -> list[str]:
        return not_positive(shape=self.shape, scale=self.scale)


@final
@dataclass(frozen=True, slots=True)
class Weibull(HalfLine):
    """Weibull: f = log shape + (shape − 1) log x − x^shape."""

    shape: Real
    scale: Real

    @property
    def affine(self) -> tuple[Real, Real]:
        return 0.0, self.scale

    def f_and_slope(self, x: Real) -> tuple[Real, Real]:
        c = self.shape
        away = np.maximum(x, SMALLEST)
        return np.log(c) + xlogy(c - 1, x) - np.power(x, c), (c - 1 - c * np.power(away, c)) / away

    def lower_tail(self, x: Real) -> Real:
        return -np.expm1(-np.power(x, self.shape))

    def upper_tail(self, x: Real) -> Real:
        return np.exp(-np.power(x, self.shape))

    def lower_quantile(self, q: Real) -> Real:
        return np.power(-np.log1p(np.negative(q)), 1.0 / self.shape)

    def upper_quantile(self, q: Real) -> Real:
        return np.power(-np.log(q), 1.0 / self.shape)

    def check(self) -> list[str]:
        return not_positive(shape=self.shape, scale=self.scale)
