"""p(ỹ | y, noise parameters): noise families with their derivatives, and where their parameters come from."""

from collections.abc import Callable, Mapping

from bnfhmc.noise.binomial import BetaBinomial, Binomial
from bnfhmc.noise.family import Loss, NoiseModel
from bnfhmc.noise.laplace import Laplace, LnLaplace, LogLaplace
from bnfhmc.noise.neg_bin import NegBin
from bnfhmc.noise.normal import LnNormal, LogNormal, Normal
from bnfhmc.noise.poisson import Poisson
from bnfhmc.noise.source import Constant, Formula, Source
from bnfhmc.noise.student_t import LnStudentT, LogStudentT, StudentT

# The word of a configuration → the family; each takes location = "median" | "mean" where it has both. A bare "log" is
# log10, as it is for a parameter's scale.
NOISE_FAMILIES: Mapping[str, Callable[..., NoiseModel]] = {
    "normal": Normal,
    "gaussian": Normal,
    "lognormal": LogNormal,
    "lnnormal": LnNormal,
    "laplace": Laplace,
    "log_laplace": LogLaplace,
    "ln_laplace": LnLaplace,
    "student_t": StudentT,
    "log_student_t": LogStudentT,
    "ln_student_t": LnStudentT,
    "neg_bin": NegBin,
    "poisson": Poisson,
    "binomial": Binomial,
    "beta_binomial": BetaBinomial,
}

__all__ = [
    "NOISE_FAMILIES",
    "BetaBinomial",
    "Binomial",
    "Constant",
    "Formula",
    "Laplace",
    "LnLaplace",
    "LnNormal",
    "LnStudentT",
    "LogLaplace",
    "LogNormal",
    "LogStudentT",
    "Loss",
    "NegBin",
    "NoiseModel",
    "Normal",
    "Poisson",
    "Source",
    "StudentT",
]
