"""A prior that is given on one scale of θ, as a density in the coordinate of another.

    p(u) = p_inner(v)·|dv/du|,   v = inner(outer⁻¹(u))

Between lin, log10 and ln this map has one of three shapes, each with a rate r:

    v = r·u           dv/du = r          between ln and log10
    v = exp(r·u)      dv/du = r·v        from lin, seen on a logarithm
    v = log(u)/r      dv/du = 1/(r·u)    from a logarithm, seen on lin
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple, final

import numpy as np

from bnfhmc.prior.density import LOWEST, SMALLEST, STEEPEST, LocationScale, Prior
from bnfhmc.prior.interval import Uniform
from bnfhmc.prior.scale import LIN, LN, LOG10, Real, Scale
from bnfhmc.prior.truncated import Truncated

# exp(±575) is 1e±250: there a density, its slope and their products are normal floats for any moderate field.
_FAR = 575.0
# The least and the largest float, and logarithms just within theirs.
_LEAST, _MOST = float(np.nextafter(0.0, 1.0)), float(np.finfo(float).max)
_LOG_LEAST, _LOG_MOST = -744.4, 709.7
# So far out that d log p/d log u has come to its limit at u = 0.
_LIMIT = -1e100

_RATES = {LN: 1.0, LOG10: float(np.log(10.0))}
# The fields of a family that are in the unit of its coordinate; all others are pure numbers.
_IN_ITS_UNIT = frozenset({"mean", "sd", "location", "scale", "lower", "upper"})


class _Place(NamedTuple):
    """v, dv/du, log dv/du and d log(dv/du)/du at the place nearest to u where all are floats; `beyond`: u minus it."""

    v: Real
    dv_du: Real
    log_dv_du: Real
    dlog_dv_du: Real
    beyond: Real


class _Change(ABC):
    """An increasing map from u to v."""

    __slots__ = ()

    @abstractmethod
    def place(self, u: Real) -> _Place:
        """v and its derivatives at u."""

    @abstractmethod
    def v_from_u(self, u: Real) -> Real:
        """v at u."""

    @abstractmethod
    def u_from_v(self, v: Real) -> Real:
        """u at v."""

    @property
    @abstractmethod
    def floats(self) -> tuple[float, float]:
        """An interval of v where u is finite."""


@final
@dataclass(frozen=True, slots=True)
class _Linear(_Change):
    """v = r·u."""

    rate: float

    def place(self, u: Real) -> _Place:
        return _Place(self.rate * u, self.rate, np.log(self.rate), 0.0, 0.0)

    def v_from_u(self, u: Real) -> Real:
        return np.multiply(self.rate, u)

    def u_from_v(self, v: Real) -> Real:
        return np.divide(v, self.rate)

    @property
    def floats(self) -> tuple[float, float]:
        most = _MOST * min(self.rate, 1.0)
        return -most, most


@final
@dataclass(frozen=True, slots=True)
class _Exponential(_Change):
    """v = θ = exp(r·u)."""

    outer: Scale

    def place(self, u: Real) -> _Place:
        rate = _RATES[self.outer]
        near = np.clip(u, -_FAR / rate, _FAR / rate)
        v = self.outer.theta_from_u(near)
        return _Place(v, rate * v, rate * near + np.log(rate), rate, u - near)

    def v_from_u(self, u: Real) -> Real:
        return self.outer.theta_from_u(u)

    def u_from_v(self, v: Real) -> Real:
        return self.outer.u_from_theta(np.maximum(v, 0.0))

    @property
    def floats(self) -> tuple[float, float]:
        return _LEAST, _MOST


@final
@dataclass(frozen=True, slots=True)
class _Logarithmic(_Change):
    """v = log(u)/r, of u = θ."""

    inner: Scale

    def place(self, u: Real) -> _Place:
        rate = _RATES[self.inner]
        inverse = 1.0 / np.maximum(u, SMALLEST)
        return _Place(self.inner.u_from_theta(u), inverse / rate, -np.log(u) - np.log(rate), -inverse, 0.0)

    def v_from_u(self, u: Real) -> Real:
        return self.inner.u_from_theta(u)

    def u_from_v(self, v: Real) -> Real:
        return self.inner.theta_from_u(v)

    @property
    def floats(self) -> tuple[float, float]:
        rate = _RATES[self.inner]
        return _LOG_LEAST / rate, _LOG_MOST / rate


@final
@dataclass(frozen=True, slots=True)
class PushedForward(Prior):
    """The density in u = outer(θ) of a θ whose inner(θ) has the density `prior`.

        p(u) = prior.p(v)·|dv/du|,   d log p/du = prior.score(v)·dv/du + d log|dv/du|/du,   v = inner(outer⁻¹(u))

    It is the same distribution of θ: all masses and quantiles are those of `prior`. On a logarithmic outer scale a
    power law in θ is a straight line in u, and log p goes on as one beyond θ = 1e±250, where floats end.

    prior: a density in v. Where only `outer` is logarithmic it has to have its mass in v ≥ 0; `prior_in` cuts it.
    inner, outer: two of LIN, LOG10 and LN; the same one twice changes nothing.
    lo, hi: the support, in u.

    Raises ValueError for any other scale.
    """

    prior: Prior
    inner: Scale
    outer: Scale
    lo: Real = field(init=False, repr=False, compare=False)
    hi: Real = field(init=False, repr=False, compare=False)
    _change: _Change = field(init=False, repr=False, compare=False)

    @np.errstate(all="ignore")
    def __post_init__(self) -> None:
        change = _change_between(self.inner, self.outer)
        lo, hi = (change.u_from_v(end) for end in self.prior.support)
        for name, value in {"lo": lo, "hi": hi, "_change": change}.items():
            object.__setattr__(self, name, value)

    @property
    def support(self) -> tuple[Real, Real]:
        return self.lo, self.hi

    @np.errstate(all="ignore")
    def logpdf_and_score(self, u: Real) -> tuple[Real, Real]:
        to_zero = isinstance(self._change, _Logarithmic)
        near = np.clip(np.maximum(u, _LEAST) if to_zero else u, self.lo, self.hi)
        v, dv_du, log_dv_du, dlog_dv_du, beyond = self._change.place(near)
        logp, score = self.prior.logpdf_and_score(self._within(near, v))
        slope = np.minimum(np.maximum(score * dv_du + dlog_dv_du, -STEEPEST), STEEPEST)
        logp = logp + log_dv_du + slope * beyond
        if to_zero:
            logp = np.where(np.equal(u, 0.0), _limit_at_zero(self.prior, _RATES[self.inner], logp), logp)
        inside = (u >= self.lo) & (u <= self.hi) & np.isfinite(u) & (logp > LOWEST)
        return np.where(inside, logp, -np.inf)[()], np.where(inside, slope, 0.0)[()]

    @np.errstate(all="ignore")
    def cdf(self, u: Real) -> Real:
        return self.prior.cdf(self._v(u))

    @np.errstate(all="ignore")
    def sf(self, u: Real) -> Real:
        return self.prior.sf(self._v(u))

    @np.errstate(all="ignore")
    def ppf(self, q: Real) -> Real:
        return self._u(q, self.prior.ppf(q))

    @np.errstate(all="ignore")
    def isf(self, q: Real) -> Real:
        return self._u(q, self.prior.isf(q))

    def _v(self, u: Real) -> Real:
        return self._within(u, self._change.v_from_u(np.clip(u, self.lo, self.hi)))

    def _within(self, u: Real, v: Real) -> Real:
        """v without what rounding has moved: at an end of its support where u is at one, strictly inside where u is."""
        lo, hi = self.prior.support
        v = np.clip(v, np.nextafter(lo, np.inf), np.nextafter(hi, -np.inf))
        return np.where(np.less_equal(u, self.lo), lo, np.where(np.greater_equal(u, self.hi), hi, v))[()]

    def _u(self, q: Real, v: Real) -> Real:
        """u of the quantile v; finite for any q between 0 and 1."""
        between = np.greater(q, 0) & np.less(q, 1)
        v = np.where(between, np.clip(v, *self._change.floats), v)
        return np.clip(self._change.u_from_v(v), self.lo, self.hi)[()]

    def check(self) -> list[str]:
        wrong = self.prior.check()
        if wrong or isinstance(self._change, _Linear):
            return wrong
        if isinstance(self._change, _Exponential) and not np.all(np.greater_equal(self.prior.support[0], 0.0)):
            return [f"the prior has mass at values <= 0, where the {self.outer.name} scale ends"]
        if not np.all(np.abs(_log_of_median(self)) < _FAR):
            return ["the prior's median lies outside of 1e-250 … 1e250"]
        return []


def prior_in(
    scale: Scale, prior: Prior, prior_scale: Scale, lower: float = -np.inf, upper: float = np.inf
) -> Prior:
    """The density in u = scale(θ) of a θ that has the density `prior` in prior_scale(θ), cut to [lower, upper].

    It is the simplest prior that is exactly that: `prior` itself, one of its own family with other fields (a normal
    in ln θ is one in log10 θ, and a uniform one is cut by its ends), or a `PushedForward`, each `Truncated` where the
    bounds cut it. Of a prior in θ seen on a logarithmic scale, what lies at θ ≤ 0 is cut away.

    prior: its fields floats, in the unit of prior_scale(θ).
    lower, upper: in θ; ends of the scale's domain and what lies beyond cut nothing.

    What is no density (no mass between the bounds, an sd of 0) is said by `check` of what is returned. Raises
    ValueError for two different scales of which one is neither lin nor log10 nor ln.
    """
    if scale == prior_scale:
        return _cut(prior, scale, lower, upper)
    if prior_scale == LIN:
        return PushedForward(_cut(prior, LIN, max(lower, 0.0), upper), LIN, scale)
    change = _change_between(prior_scale, scale)
    if isinstance(change, _Linear) and (same := _rescaled(prior, change.rate)) is not None:
        return _cut(same, scale, lower, upper)
    return _cut(PushedForward(prior, prior_scale, scale), scale, lower, upper)


def _change_between(inner: Scale, outer: Scale) -> _Change:
    for scale in (inner, outer):
        if scale != LIN and scale not in _RATES:
            raise ValueError(f"a prior on the {inner.name} scale is not seen on the {outer.name} scale: both have to be "
                             "lin, log10 or ln; give the prior on the parameter's own scale")  # fmt: skip
    if inner == outer:
        return _Linear(1.0)
    if inner == LIN:
        return _Exponential(outer)
    return _Logarithmic(inner) if outer == LIN else _Linear(_RATES[outer] / _RATES[inner])


def _log_of_median(pushed: PushedForward) -> Real:
    """ln θ, from the side that is a logarithm."""
    logarithm, scale = (pushed, pushed.outer) if pushed.inner == LIN else (pushed.prior, pushed.inner)
    return _RATES[scale] * logarithm.ppf(0.5)


def _limit_at_zero(prior: Prior, rate: float, near: Real) -> Real:
    """log p(u) as u → 0, from the exponent of the power law that p is there; `near`: log p just above 0."""
    logp, score = prior.logpdf_and_score(_LIMIT)
    exponent = score / rate - 1.0
    return np.where(np.isneginf(logp) | np.greater(exponent, 0), -np.inf, np.where(np.less(exponent, 0), np.inf, near))


def _rescaled(prior: Prior, rate: float) -> Prior | None:
    """The density of v/rate, where `prior` is that of v, if its family has one."""
    if not isinstance(prior, LocationScale):
        return None
    own: Any = prior
    rescaled = {f.name: getattr(own, f.name) / rate for f in fields(own) if f.name in _IN_ITS_UNIT}
    return replace(own, **rescaled) if rescaled else None


def _cut(prior: Prior, scale: Scale, lower: float, upper: float) -> Prior:
    """`prior` in u = scale(θ) between two values of θ."""
    start, end = scale.domain
    lo = -np.inf if lower <= start else float(scale.u_from_theta(lower))
    hi = np.inf if upper >= end else float(scale.u_from_theta(max(upper, start)))
    inner_lo, inner_hi = prior.support
    if lo <= inner_lo and hi >= inner_hi:
        return prior
    if isinstance(prior, Uniform):
        return Uniform(float(np.maximum(lo, inner_lo)), float(np.minimum(hi, inner_hi)))
    return Truncated(prior, lo, hi)
