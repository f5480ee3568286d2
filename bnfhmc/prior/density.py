"""What every prior is: a density of u with its score, both tails and both quantiles."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import numpy as np

from bnfhmc.prior.scale import Real

# A log density below this counts as -inf with score 0: score · du/dz then cannot overflow in any far tail.
LOWEST = -1e150
# A score saturates here, so that at the edge of a density with a pole it times du/dz → 0 is 0 and not NaN.
STEEPEST = 1e300
# The smallest distance to an edge that a pole is evaluated at; 1/SMALLEST is a float.
SMALLEST = 1e-300
# The support of a density without ends.
ENDLESS = (-np.inf, np.inf)
# Uniform draws are multiples of 2⁻⁵³; zero, whose quantile may be -inf, becomes the smallest of them.
SMALLEST_DRAW = 2.0**-53


class Prior(ABC):
    """A probability density in u; fields and arguments are floats or arrays that broadcast."""

    __slots__ = ()

    @property
    @abstractmethod
    def support(self) -> tuple[Real, Real]:
        """The ends (lo, hi) of the interval that holds all the mass; infinite where it is open-ended."""

    @abstractmethod
    def logpdf_and_score(self, u: Real) -> tuple[Real, Real]:
        """log p(u) and d log p/du; (-inf, 0) outside the support, where log p < -1e150, and at NaN.

        A score steeper than 1e300 is held there. At a finite end of the support both are the limits from
        within, so log p is +inf at a pole.
        """

    @abstractmethod
    def cdf(self, u: Real) -> Real:
        """P(U ≤ u), precise where it is small."""

    @abstractmethod
    def sf(self, u: Real) -> Real:
        """P(U > u), precise where it is small."""

    @abstractmethod
    def ppf(self, q: Real) -> Real:
        """The u with P(U ≤ u) = q, for q in [0, 1]; NaN for any other q."""

    @abstractmethod
    def isf(self, q: Real) -> Real:
        """The u with P(U > u) = q, for q in [0, 1]; NaN for any other q."""

    @abstractmethod
    def check(self) -> list[str]:
        """One sentence for each field that gives no density; empty when all are fine."""

    @final
    def logpdf(self, u: Real) -> Real:
        """log p(u), the first of `logpdf_and_score`."""
        return self.logpdf_and_score(u)[0]

    @final
    def score(self, u: Real) -> Real:
        """d log p/du, the second of `logpdf_and_score`."""
        return self.logpdf_and_score(u)[1]

    @final
    def sample(self, rng: np.random.Generator, size: int | tuple[int, ...] | None = None) -> Real:
        """Independent draws of u by the inverse of the cdf: one uniform number a draw."""
        shape = np.shape(self.ppf(0.5)) if size is None else size
        return self.ppf(np.maximum(rng.random(shape), SMALLEST_DRAW))


class LocationScale(Prior):
    """A density of x = (u − location)/scale, given by the functions of x.

        log p(u) = f(x) − log scale,   d log p/du = f′(x)/scale
    """

    __slots__ = ()

    @property
    @abstractmethod
    def affine(self) -> tuple[Real, Real]:
        """(location, scale)."""

    @abstractmethod
    def f_and_slope(self, x: Real) -> tuple[Real, Real]:
        """f(x) = the log density of x, and f′(x)."""

    @abstractmethod
    def lower_tail(self, x: Real) -> Real:
        """P(X ≤ x)."""

    @abstractmethod
    def upper_tail(self, x: Real) -> Real:
        """P(X > x)."""

    @abstractmethod
    def lower_quantile(self, q: Real) -> Real:
        """The x with P(X ≤ x) = q."""

    @abstractmethod
    def upper_quantile(self, q: Real) -> Real:
        """The x with P(X > x) = q."""

    @final
    @np.errstate(all="ignore")
    def logpdf_and_score(self, u: Real) -> tuple[Real, Real]:
        support = self.support
        location, scale = self.affine
        f, slope = self.f_and_slope((u - location) / scale)
        if support is ENDLESS and isinstance(f, np.ndarray) and f.ndim == 1:
            steep = slope / scale
            # the usual case, found with two numbers; NaN makes either comparison false
            if np.dot(steep, steep) < STEEPEST and np.minimum.reduce(f, initial=0.0) > LOWEST:
                return f - np.log(scale), steep
        lo, hi = support
        # f > LOWEST is false for NaN, which is what the functions of x give at infinite x.
        inside = (u >= lo) & (u <= hi) & (f > LOWEST)
        steep = np.minimum(np.maximum(slope / scale, -STEEPEST), STEEPEST)
        return np.where(inside, f - np.log(scale), -np.inf)[()], np.where(inside, steep, 0.0)[()]

    @final
    @np.errstate(all="ignore")
    def cdf(self, u: Real) -> Real:
        return self.lower_tail(self._standard(u))

    @final
    @np.errstate(all="ignore")
    def sf(self, u: Real) -> Real:
        return self.upper_tail(self._standard(u))

    @final
    @np.errstate(all="ignore")
    def ppf(self, q: Real) -> Real:
        return self._native(q, self.lower_quantile(q))

    @final
    @np.errstate(all="ignore")
    def isf(self, q: Real) -> Real:
        return self._native(q, self.upper_quantile(q))

    @final
    def _standard(self, u: Real) -> Real:
        location, scale = self.affine
        return (np.clip(u, *self.support) - location) / scale

    @final
    def _native(self, q: Real, x: Real) -> Real:
        location, scale = self.affine
        u = np.clip(location + scale * x, *self.support)
        return np.where(np.greater_equal(q, 0) & np.less_equal(q, 1), u, np.nan)[()]


def not_finite(**fields: Real) -> list[str]:
    """A sentence for each field that is infinite or NaN."""
    return [_said(k, "finite", v, ~np.isfinite(v)) for k, v in fields.items() if not np.all(np.isfinite(v))]


def not_positive(**fields: Real) -> list[str]:
    """A sentence for each field that is not a finite number above zero."""
    good = {k: np.isfinite(v) & np.greater(v, 0) for k, v in fields.items()}
    return [_said(k, "finite and > 0" if np.any(np.isinf(v)) else "> 0", v, ~good[k])
            for k, v in fields.items() if not np.all(good[k])]


def _said(field: str, need: str, value: Real, bad: np.ndarray | np.bool) -> str:
    first = np.asarray(value, dtype=float)[np.asarray(bad)].flat[0]
    return f"{field} must be {need}, got {first:g}"
