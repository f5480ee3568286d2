"""Bijectors: the map from the unconstrained coordinate z onto the open support of a prior in u.

    identity          u = z
    lower-bounded     u = lo + exp z
    upper-bounded     u = hi − exp z
    interval          u = lo + (hi − lo)/(1 + exp(−z))

Floats end before the maps do. Up to |z| = 700 every exponential is a float; beyond, and where rounding would
put u on an end of the support, u is held at the nearest value strictly inside, and

- towards a finite end, log|du/dz| keeps falling as −|z|, so that no mass gathers there;
- towards an infinite end (lower- and upper-bounded, z > 700) log|du/dz| is −inf with du/dz and its derivative
  0: the point is outside of what floats can hold.

A NaN z is outside as well. Nothing here warns or gives NaN.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np

from bnfhmc.prior.scale import Real

# exp(±700) and its products with moderate numbers are normal floats; exp(710) overflows.
Z_MAX = 700.0


class Transformed(NamedTuple):
    """A bijector and its derivatives at one z, elementwise: u, du/dz, log|du/dz| and d log|du/dz|/dz."""

    u: Real
    du_dz: Real
    log_du_dz: Real
    dlog_du_dz: Real


class Bijector(ABC):
    """A smooth monotone map from the real line onto an open interval; fields and arguments broadcast."""

    __slots__ = ()

    @abstractmethod
    def transform(self, z: Real) -> Transformed:
        """u and its derivatives at z, in one pass."""

    @abstractmethod
    def z_from_u(self, u: Real) -> Real:
        """The z of a u in the closed support; an end gives the z of the nearest u inside, at most 700 from 0.

        Raises ValueError for a u outside the support.
        """

    @final
    def u_from_z(self, z: Real) -> Real:
        """u at z, strictly inside the support."""
        return self.transform(z).u

    @final
    def du_dz(self, z: Real) -> Real:
        """du/dz at z."""
        return self.transform(z).du_dz

    @final
    def log_du_dz(self, z: Real) -> Real:
        """log|du/dz| at z."""
        return self.transform(z).log_du_dz

    @final
    def dlog_du_dz(self, z: Real) -> Real:
        """d log|du/dz|/dz at z."""
        return self.transform(z).dlog_du_dz


@final
@dataclass(frozen=True, slots=True)
class Identity(Bijector):
    """u = z, for a support without ends."""

    def transform(self, z: Real) -> Transformed:
        u = np.asarray(z, dtype=float)[()]
        zero = np.zeros_like(u)[()]
        return Transformed(u, np.ones_like(u)[()], zero, zero)

    def z_from_u(self, u: Real) -> Real:
        _refuse_outside(u, -np.inf, np.inf)
        return np.asarray(u, dtype=float)[()]


@final
@dataclass(frozen=True, slots=True)
class LowerBounded(Bijector):
    """u = lo + exp z, for a support (lo, ∞)."""

    lo: Real

    @np.errstate(all="ignore")
    def transform(self, z: Real) -> Transformed:
        distance, du_dz, log_du_dz, dlog = _exp_within_floats(z)
        u = np.maximum(self.lo + distance, np.nextafter(self.lo, np.inf))
        return Transformed(u, du_dz, log_du_dz, dlog)

    @np.errstate(all="ignore")
    def z_from_u(self, u: Real) -> Real:
        _refuse_outside(u, self.lo, np.inf)
        return np.clip(np.log(np.maximum(u, np.nextafter(self.lo, np.inf)) - self.lo), -Z_MAX, Z_MAX)


@final
@dataclass(frozen=True, slots=True)
class UpperBounded(Bijector):
    """u = hi − exp z, for a support (−∞, hi); du/dz is negative."""

    hi: Real

    @np.errstate(all="ignore")
    def transform(self, z: Real) -> Transformed:
        distance, du_dz, log_du_dz, dlog = _exp_within_floats(z)
        u = np.minimum(self.hi - distance, np.nextafter(self.hi, -np.inf))
        return Transformed(u, np.negative(du_dz), log_du_dz, dlog)

    @np.errstate(all="ignore")
    def z_from_u(self, u: Real) -> Real:
        _refuse_outside(u, -np.inf, self.hi)
        return np.clip(np.log(self.hi - np.minimum(u, np.nextafter(self.hi, -np.inf))), -Z_MAX, Z_MAX)


@final
@dataclass(frozen=True, slots=True)
class Interval(Bijector):
    """u = lo + (hi − lo)/(1 + exp(−z)), for a support (lo, hi); computed from the nearer end."""

    lo: Real
    hi: Real

    @np.errstate(all="ignore")
    def transform(self, z: Real) -> Transformed:
        width = self.hi - self.lo
        # fmin, unlike minimum, turns NaN into infinity.
        distance = np.fmin(np.abs(z), np.inf)
        e = np.exp(-np.minimum(distance, Z_MAX))
        step = width * (e / (1.0 + e))
        u = np.where(np.less(z, 0), self.lo + step, self.hi - step)
        u = np.minimum(np.maximum(u, np.nextafter(self.lo, np.inf)), np.nextafter(self.hi, -np.inf))
        log_du_dz = np.log(width) - distance - 2.0 * np.log1p(e)
        dlog = np.copysign(np.tanh(0.5 * distance), np.negative(z))
        return Transformed(u, step / (1.0 + e), log_du_dz, dlog)

    @np.errstate(all="ignore")
    def z_from_u(self, u: Real) -> Real:
        _refuse_outside(u, self.lo, self.hi)
        u = np.clip(u, np.nextafter(self.lo, np.inf), np.nextafter(self.hi, -np.inf))
        return np.clip(np.log(u - self.lo) - np.log(self.hi - u), -Z_MAX, Z_MAX)


def bijector_for(support: tuple[float, float]) -> Bijector:
    """The bijector onto the open interval `support` = (lo, hi), whose ends may be infinite."""
    lo, hi = support
    if np.isfinite(lo):
        return Interval(lo, hi) if np.isfinite(hi) else LowerBounded(lo)
    return UpperBounded(hi) if np.isfinite(hi) else Identity()


def _exp_within_floats(z: Real) -> tuple[Real, Real, Real, Real]:
    """exp z held in [e⁻⁷⁰⁰, e⁷⁰⁰]; du/dz, log|du/dz| and its derivative, which end where z > 700 or is NaN."""
    e = np.exp(np.fmax(np.fmin(z, Z_MAX), -Z_MAX))
    held = np.less_equal(z, Z_MAX)
    return e, np.where(held, e, 0.0)[()], np.where(held, z, -np.inf)[()], np.where(held, 1.0, 0.0)[()]


def _refuse_outside(u: Real, lo: Real, hi: Real) -> None:
    inside = np.greater_equal(u, lo) & np.less_equal(u, hi) & np.isfinite(u)
    if not np.all(inside):
        wrong = np.broadcast_to(u, inside.shape)[~inside].flat[0]
        raise ValueError(f"u = {wrong:g} lies outside the support of its prior")
