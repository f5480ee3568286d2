"""A prior cut to an interval of u and renormalised."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import numpy as np

from bnfhmc.prior.density import Prior
from bnfhmc.prior.scale import Real

_LEAST_MASS = float(np.finfo(float).tiny)


@final
@dataclass(frozen=True, slots=True)
class Truncated(Prior):
    """The density of `prior` restricted to [lower, upper] in u.

        p(u) = prior.p(u)/Z on [lower, upper],   Z = P(lower ≤ U ≤ upper)

    Every mass is a difference of the tail that is the smaller one there, so it keeps its digits far out in
    either tail, until the tail itself is below 2e-308; then no mass is left and `check` says so. An interval
    around the median loses digits as its mass falls: the relative error of Z is 1e-16/Z.

    prior: the prior to cut.
    lower, upper: in u; ∓inf leaves that side as it is. Beyond the support of `prior` they cut nothing.
    lo, hi, below, above, mass: the support; the masses of `prior` under it, over it and in it.
    """

    prior: Prior
    lower: Real
    upper: Real
    lo: Real = field(init=False, repr=False, compare=False)
    hi: Real = field(init=False, repr=False, compare=False)
    below: Real = field(init=False, repr=False, compare=False)
    above: Real = field(init=False, repr=False, compare=False)
    mass: Real = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        inner_lo, inner_hi = self.prior.support
        lo, hi = np.maximum(self.lower, inner_lo), np.minimum(self.upper, inner_hi)
        derived = {"lo": lo, "hi": hi, "below": self.prior.cdf(lo), "above": self.prior.sf(hi),
                   "mass": _mass_between(self.prior, lo, hi)}
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    @property
    def support(self) -> tuple[Real, Real]:
        return self.lo, self.hi

    @np.errstate(all="ignore")
    def logpdf_and_score(self, u: Real) -> tuple[Real, Real]:
        logp, score = self.prior.logpdf_and_score(u)
        inside = (u >= self.lo) & (u <= self.hi)
        return np.where(inside, logp - np.log(self.mass), -np.inf)[()], np.where(inside, score, 0.0)[()]

    @np.errstate(all="ignore")
    def cdf(self, u: Real) -> Real:
        part = _mass_between(self.prior, self.lo, np.clip(u, self.lo, self.hi))
        return np.clip(part / self.mass, 0.0, 1.0)

    @np.errstate(all="ignore")
    def sf(self, u: Real) -> Real:
        part = _mass_between(self.prior, np.clip(u, self.lo, self.hi), self.hi)
        return np.clip(part / self.mass, 0.0, 1.0)

    @np.errstate(all="ignore")
    def ppf(self, q: Real) -> Real:
        return self._invert(q, np.subtract(1.0, q))

    @np.errstate(all="ignore")
    def isf(self, q: Real) -> Real:
        return self._invert(np.subtract(1.0, q), q)

    def _invert(self, q_below: Real, q_above: Real) -> Real:
        """The u with the fractions q_below and q_above of the mass on its two sides, from the smaller tail."""
        lower_tail = self.below + q_below * self.mass
        upper_tail = self.above + q_above * self.mass
        from_below = self.prior.ppf(np.minimum(lower_tail, 1.0))
        from_above = self.prior.isf(np.minimum(upper_tail, 1.0))
        u = np.clip(np.where(lower_tail < upper_tail, from_below, from_above), self.lo, self.hi)
        return np.where(np.greater_equal(q_below, 0) & np.greater_equal(q_above, 0), u, np.nan)[()]

    def check(self) -> list[str]:
        wrong = self.prior.check()
        if np.any(np.isnan(self.lower)) or np.any(np.isnan(self.upper)):
            wrong.append("a truncation bound is not a number")
        elif not np.all(np.less(self.lower, self.upper)):
            wrong.append("the truncation bounds must be lower < upper")
        elif not wrong and not np.all(np.greater_equal(self.mass, _LEAST_MASS)):
            wrong.append("the truncation bounds leave no mass of the prior")
        return wrong


@np.errstate(all="ignore")
def _mass_between(prior: Prior, lo: Real, hi: Real) -> Real:
    """P(lo ≤ U ≤ hi) from the tail that is the smaller one."""
    below, above = prior.cdf(lo), prior.sf(hi)
    in_lower_half = prior.cdf(hi) - below
    in_upper_half = prior.sf(lo) - above
    around = 1.0 - below - above
    return np.where(below > 0.5, in_upper_half, np.where(above > 0.5, in_lower_half, around))[()]
