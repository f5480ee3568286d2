"""Families on the whole real line: normal, Laplace, Cauchy, Gumbel, logistic, Student's t.

Each is written in x = (u − location)/scale; ``f`` is the log density of x.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.special import betaln, expit, logit, ndtr, ndtri, stdtr, stdtrit

from bnfhmc.prior.density import ENDLESS, LocationScale, not_finite, not_positive
from bnfhmc.prior.scale import Real

_HALF_LOG_2PI = 0.5 * float(np.log(2 * np.pi))
_LOG_2 = float(np.log(2.0))
_LOG_PI = float(np.log(np.pi))


def log1p_square(x: Real) -> Real:
    """log(1 + x²), also where x² is too large or too small for a float."""
    return np.logaddexp(0.0, 2.0 * np.log(np.abs(x)))


def over_1p_square(x: Real) -> Real:
    """x/(1 + x²), also where x² is too large for a float."""
    h = np.hypot(1.0, x)
    return x / h / h


class RealLine(LocationScale):
    """A density on (−∞, ∞)."""

    __slots__ = ()

    @property
    @final
    def support(self) -> tuple[Real, Real]:
        return ENDLESS


class SymmetricRealLine(RealLine):
    """A density with f(−x) = f(x): the upper tail is the lower one, mirrored."""

    __slots__ = ()

    @final
    def upper_tail(self, x: Real) -> Real:
        return self.lower_tail(np.negative(x))

    @final
    def upper_quantile(self, q: Real) -> Real:
        return np.negative(self.lower_quantile(q))


@final
@dataclass(frozen=True, slots=True)
class Normal(SymmetricRealLine):
    """Normal: f = −x²/2 − ½ log 2π, x = (u − mean)/sd."""

    mean: Real
    sd: Real

    @property
    def affine(self) -> tuple[Real, Real]:
        return self.mean, self.sd

    def f_and_slope(self, x: Real) -> tuple[Real, Real]:
        return -0.5 * x * x - _HALF_LOG_2PI, np.negative(x)

    def lower_tail(self, x: Real) -> Real:
        return ndtr(x)

    def lower_quantile(self, q: Real) -> Real:
        return ndtri(q)

    def check(self) -> list[str]:
        return not_finite(mean=self.mean) + not_positive(sd=self.sd)


@final
@dataclass(frozen=True, slots=True)
class Laplace(SymmetricRealLine):
    """Laplace: f = −|x| − log 2; the score at the kink x = 0 is 0."""

    location: Real
    scale: Real

    @property
    def affine(self) -> tuple[Real, Real]:
        return self.location, self.scale

    def f_and_slope(self, x: Real) -> tuple[Real, Real]:
        return -np.abs(x) - _LOG_2, -np.sign(x)

    def lower_tail(self, x: Real) -> Real:
        tail = 0.5 * np.exp(-np.abs(x))
        return np.where(np.less(x, 0), tail, 1.0 - tail)[()]

    def lower_quantile(self, q: Real) -> Real:
        q = np.asarray(q, dtype=float)
        return np.where(q < 0.5, np.log(2.0 * q), -np.log(2.0 * (1.0 - q)))[()]

    def check(self) -> list[str]:
        return not_finite(location=self.location) + not_positive(scale=self.scale)


@final
@dataclass(frozen=True, slots=True)
class Cauchy(SymmetricRealLine):
    """Cauchy: f = −log(1 + x²) − log π."""

    location: Real
    scale: Real

    @property
    def affine(self) -> tuple[Real, Real]:
        return self.location, self.scale

    def f_and_slope(self, x: Real) -> tuple[Real, Real]:
        return -log1p_square(x) - _LOG_PI, -2.0 * over_1p_square(x)

    def lower_tail(self, x: Real) -> Real:
        return np.arctan2(1.0, np.negative(x)) / np.pi

    def lower_quantile(self, q: Real) -> Real:
        q = np.asarray(q, dtype=float)
        tail = 1.0 / np.tan(np.pi * np.minimum(q, 1.0 - q))
        middle = np.tan(np.pi * (q - 0.5))
        return np.where(np.abs(q - 0.5) < 0.25, middle, np.copysign(tail, q - 0.5))[()]

    def check(self) -> list[str]:
        return not_finite(location=self.location) + not_positive(scale=self.scale)


@final
@dataclass(frozen=True, slots=True)
class Gumbel(RealLine):
    """Gumbel of maxima, its long tail to the right: f = −x − exp(−x)."""

    location: Real
    scale: Real

    @property
    def affine(self) -> tuple[Real, Real]:
        return self.location, self.scale

    def f_and_slope(self, x: Real) -> tuple[Real, Real]:
        return -x - np.exp(np.negative(x)), np.expm1(np.negative(x))

    def lower_tail(self, x: Real) -> Real:
        return np.exp(-np.exp(np.negative(x)))

    def upper_tail(self, x: Real) -> Real:
        return -np.expm1(-np.exp(np.negative(x)))

    def lower_quantile(self, q: Real) -> Real:
        return -np.log(-np.log(q))

    def upper_quantile(self, q: Real) -> Real:
        return -np.log(-np.log1p(np.negative(q)))

    def check(self) -> list[str]:
        return not_finite(location=self.location) + not_positive(scale=self.scale)


@final
@dataclass(frozen=True, slots=True)
class Logistic(SymmetricRealLine):
    """Logistic: f = −|x| − 2 log(1 + exp(−|x|))."""

    location: Real
    scale: Real

    @property
    def affine(self) -> tuple[Real, Real]:
        return self.location, self.scale

    def f_and_slope(self, x: Real) -> tuple[Real, Real]:
        a = np.abs(x)
        return -a - 2.0 * np.log1p(np.exp(-a)), -np.tanh(np.multiply(x, 0.5))

    def lower_tail(self, x: Real) -> Real:
        return expit(x)

    def lower_quantile(self, q: Real) -> Real:
        return logit(q)

    def check(self) -> list[str]:
        return not_finite(location=self.location) + not_positive(scale=self.scale)


@final
@dataclass(frozen=True, slots=True)
class StudentT(SymmetricRealLine):
    """Student's t: f = −½(df + 1) log(1 + x²/df) − ½ log df − log B(½, df/2)."""

    df: Real
    location: Real
    scale: Real

    @property
    def affine(self) -> tuple[Real, Real]:
        return self.location, self.scale

    def f_and_slope(self, x: Real) -> tuple[Real, Real]:
        root = np.sqrt(self.df)
        r = x / root
        # betaln and not a difference of gammaln: the latter cancels for large df.
        norm = np.log(root) + betaln(0.5, 0.5 * self.df)
        return -0.5 * (self.df + 1) * log1p_square(r) - norm, -(self.df + 1) / root * over_1p_square(r)

    def lower_tail(self, x: Real) -> Real:
        return stdtr(self.df, x)

    def lower_quantile(self, q: Real) -> Real:
        # stdtrit gives +inf at q = 0 and for some q below 1e-270.
        return np.copysign(stdtrit(self.df, q), np.subtract(q, 0.5))

    def check(self) -> list[str]:
        return not_positive(df=self.df, scale=self.scale) + not_finite(location=self.location)
