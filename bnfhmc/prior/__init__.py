"""p(u): families, scales, bijectors, and the parameters that carry them."""

from bnfhmc.prior.bijector import Bijector, Identity, Interval, LowerBounded, Transformed, UpperBounded, bijector_for
from bnfhmc.prior.density import LocationScale, Prior
from bnfhmc.prior.families import FAMILIES
from bnfhmc.prior.half_line import (
    ChiSquare,
    Exponential,
    Gamma,
    HalfCauchy,
    HalfNormal,
    InverseGamma,
    Rayleigh,
    Weibull,
)
from bnfhmc.prior.interval import Beta, Uniform
from bnfhmc.prior.parameter import Parameter, make_parameter
from bnfhmc.prior.pushed import PushedForward, prior_in
from bnfhmc.prior.real_line import Cauchy, Gumbel, Laplace, Logistic, Normal, StudentT
from bnfhmc.prior.scale import LIN, LN, LOG10, LOGIT, SCALES, Scale
from bnfhmc.prior.stack import PriorVector
from bnfhmc.prior.truncated import Truncated

__all__ = [
    "FAMILIES", "LIN", "LN", "LOG10", "LOGIT", "SCALES",
    "Beta", "Bijector", "Cauchy", "ChiSquare", "Exponential", "Gamma", "Gumbel", "HalfCauchy", "HalfNormal",
    "Identity", "Interval", "InverseGamma", "Laplace", "LocationScale", "Logistic", "LowerBounded", "Normal",
    "Parameter", "Prior", "PriorVector", "PushedForward", "Rayleigh", "Scale", "StudentT", "Transformed", "Truncated",
    "Uniform", "UpperBounded", "Weibull", "bijector_for", "make_parameter", "prior_in",
]
