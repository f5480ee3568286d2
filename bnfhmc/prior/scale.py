"""Scales: the map between a parameter's native value θ and the coordinate u its prior is a density of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

Real = float | NDArray[np.float64]

_LN10 = float(np.log(10.0))


@dataclass(frozen=True, slots=True)
class Scale:
    """A smooth increasing map between θ and u, elementwise on arrays.

        u = scale(θ),   θ = scale⁻¹(u),   dθ/du

    A prior is a density in u, so dθ/du belongs to the likelihood's gradient and no Jacobian of it to the prior.

    name: the word a configuration uses.
    domain: the open interval of θ that the map takes onto the real line.
    u_from_theta: an edge of the domain gives ±inf, a θ beyond it gives NaN; neither warns.
    theta_from_u, dtheta_du: a u too large for a float gives inf without a warning.
    """

    name: str
    domain: tuple[float, float]
    u_from_theta: Callable[[Real], Real]
    theta_from_u: Callable[[Real], Real]
    dtheta_du: Callable[[Real], Real]


def _identity(x: Real) -> Real:
    return np.asarray(x, dtype=float)[()]


def _one(u: Real) -> Real:
    return np.ones_like(u, dtype=float)[()]


@np.errstate(all="ignore")
def _log10(theta: Real) -> Real:
    return np.log10(theta)


@np.errstate(all="ignore")
def _pow10(u: Real) -> Real:
    return np.power(10.0, u)


def _dpow10(u: Real) -> Real:
    return _LN10 * _pow10(u)


@np.errstate(all="ignore")
def _log(theta: Real) -> Real:
    return np.log(theta)


@np.errstate(all="ignore")
def _exp(u: Real) -> Real:
    return np.exp(u)


@np.errstate(all="ignore")
def _logit(theta: Real) -> Real:
    return logit(theta)


@np.errstate(all="ignore")
def _expit(u: Real) -> Real:
    return expit(u)


@np.errstate(all="ignore")
def _dexpit(u: Real) -> Real:
    return expit(u) * expit(np.negative(u))


LIN = Scale("lin", (-np.inf, np.inf), _identity, _identity, _one)
LOG10 = Scale("log10", (0.0, np.inf), _log10, _pow10, _dpow10)
LN = Scale("ln", (0.0, np.inf), _log, _exp, _exp)
LOGIT = Scale("logit", (0.0, 1.0), _logit, _expit, _dexpit)

SCALES: dict[str, Scale] = {"lin": LIN, "linear": LIN, "log10": LOG10, "ln": LN, "logit": LOGIT}
