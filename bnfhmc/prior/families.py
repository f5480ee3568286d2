"""The families a prior can be chosen from, by the word a configuration uses."""

from __future__ import annotations

from bnfhmc.prior.density import LocationScale
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
from bnfhmc.prior.real_line import Cauchy, Gumbel, Laplace, Logistic, Normal, StudentT

FAMILIES: dict[str, type[LocationScale]] = {
    "uniform": Uniform,
    "normal": Normal,
    "laplace": Laplace,
    "cauchy": Cauchy,
    "gamma": Gamma,
    "exponential": Exponential,
    "chisquare": ChiSquare,
    "rayleigh": Rayleigh,
    "half_normal": HalfNormal,
    "half_cauchy": HalfCauchy,
    "beta": Beta,
    "inv_gamma": InverseGamma,
    "weibull": Weibull,
    "gumbel": Gumbel,
    "logistic": Logistic,
    "student_t": StudentT,
}
