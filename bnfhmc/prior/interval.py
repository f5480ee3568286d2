"""Families on a finite interval: uniform, beta."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.special import betainc, betaincc, betainccinv, betaincinv, betaln, xlog1py, xlogy

from bnfhmc.prior.density import SMALLEST, LocationScale, not_finite, not_positive
from bnfhmc.prior.scale import Real


@final
@dataclass(frozen=True, slots=True)
class Uniform(LocationScale):
    """Uniform on [lower, upper], both in u: f = 0 with x = (u − lower)/(upper − lower)."""

    lower: Real
    upper: Real

    @property
    def support(self) -> tuple[Real, Real]:
        return self.lower, self.upper

    @property
    def affine(self) -> tuple[Real, Real]:
        return self.lower, self.upper - self.lower

    def f_and_slope(self, x: Real) -> tuple[Real, Real]:
        zero = np.zeros_like(x)
        return zero, zero

    def lower_tail(self, x: Real) -> Real:
        return x

    def upper_tail(self, x: Real) -> Real:
        return 1.0 - x

    def lower_quantile(self, q: Real) -> Real:
        return q

    def upper_quantile(self, q: Real) -> Real:
        return np.subtract(1.0, q)

    @np.errstate(all="ignore")
    def check(self) -> list[str]:
        wrong = not_finite(lower=self.lower, upper=self.upper)
        if not wrong and not np.all(np.less(self.lower, self.upper)):
            wrong.append(f"lower must be < upper, got {self.lower} and {self.upper}")
        if not wrong and not np.all(np.isfinite(np.subtract(self.upper, self.lower))):
            wrong.append("upper - lower is too wide for a float")
        return wrong


@final
@dataclass(frozen=True, slots=True)
class Beta(LocationScale):
    """Beta on [0, 1]: f = (alpha − 1) log u + (beta − 1) log(1 − u) − log B(alpha, beta).

    Nearer to an end than 1e-300, a slope that grows without bound is held at its value there.
    """

    alpha: Real
    beta: Real

    @property
    def support(self) -> tuple[Real, Real]:
        return 0.0, 1.0

    @property
    def affine(self) -> tuple[Real, Real]:
        return 0.0, 1.0

    def f_and_slope(self, x: Real) -> tuple[Real, Real]:
        a, b = self.alpha - 1, self.beta - 1
        f = xlogy(a, x) + xlog1py(b, np.negative(x)) - betaln(self.alpha, self.beta)
        return f, a / np.maximum(x, SMALLEST) - b / np.maximum(1.0 - x, SMALLEST)

    def lower_tail(self, x: Real) -> Real:
        return betainc(self.alpha, self.beta, x)

    def upper_tail(self, x: Real) -> Real:
        return betaincc(self.alpha, self.beta, x)

    def lower_quantile(self, q: Real) -> Real:
        return betaincinv(self.alpha, self.beta, q)

    def upper_quantile(self, q: Real) -> Real:
        return betainccinv(self.alpha, self.beta, q)

    def check(self) -> list[str]:
        return not_positive(alpha=self.alpha, beta=self.beta)
