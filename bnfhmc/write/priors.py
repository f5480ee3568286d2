"""A parameter's prior as a family on a scale with bounds in θ, which is how both formats word it."""

from __future__ import annotations

from dataclasses import fields
from typing import NamedTuple

import numpy as np

from bnfhmc.prior import Parameter, Prior, PushedForward, Scale, Truncated


class Density(NamedTuple):
    """The density of θ with scale(θ) distributed as `prior`, cut to [lower, upper] in θ; `cut`: whether that cuts it."""

    prior: Prior
    scale: Scale
    lower: float
    upper: float
    cut: bool

    @property
    def numbers(self) -> tuple[float, ...]:
        """The fields of the family, in u."""
        return tuple(float(getattr(self.prior, f.name)) for f in fields(self.prior) if f.init)  # type: ignore[arg-type]


def density_of(parameter: Parameter) -> Density:
    """What a parameter's prior is, whatever it is wrapped in; the density of θ is the same on the scale it is given on."""
    prior, scale = parameter.prior, parameter.scale
    lower, upper = parameter.theta_bounds
    while isinstance(prior, Truncated | PushedForward):
        if isinstance(prior, PushedForward):
            scale = prior.inner
        prior = prior.prior
    ends = [float(scale.theta_from_u(end)) for end in prior.support]
    cut = not np.allclose([lower, upper], ends, rtol=1e-12, atol=0.0)
    return Density(prior, scale, tidy(lower), tidy(upper), cut)


def tidy(x: float) -> float:
    """The number of fewer digits that `x` is but for its rounding: 0.1 for 0.10000000000000002."""
    short = float(f"{x:.15g}")
    return short if abs(short - x) <= 1e-15 * abs(x) else x


def start_of(parameter: Parameter) -> float:
    """θ to start from: the parameter's own, else the median of its prior to 12 digits."""
    return parameter.initial if parameter.initial is not None else float(f"{parameter.quantile(0.5):.12g}")
