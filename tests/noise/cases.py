"""Every noise family with each location it has, a point of each, and the law of the data by scipy that it must be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from bnfhmc.noise import NOISE_FAMILIES, NoiseModel

LN_BASE = {"lin": 0.0, "log10": np.log(10.0), "ln": 1.0}


@dataclass(frozen=True)
class Case:
    """``law(pred, noise)``: the data's distribution by scipy; ``kernel`` and ``scale`` are empty for counts."""

    model: NoiseModel
    kernel: str
    scale: str
    noise: dict[str, float]
    pred: float
    law: Callable[[float, dict[str, float]], Any]

    @property
    def ln_base(self) -> float:
        return LN_BASE[self.scale]

    @property
    def estimable(self) -> tuple[str, ...]:
        return tuple(name for name in self.model.parameters if name != "trials")


class LogT:
    """base^X with X ~ StudentT(df, loc, scale), which scipy does not have."""

    def __init__(self, df: float, loc: float, scale: float, ln_base: float):
        self.t, self.ln_base = stats.t(df, loc, scale), ln_base

    def logpdf(self, x: Any) -> Any:
        return self.t.logpdf(np.log(x) / self.ln_base) - np.log(x * self.ln_base)

    def cdf(self, x: Any) -> Any:
        return self.t.cdf(np.log(x) / self.ln_base)

    def ppf(self, q: Any) -> Any:
        return np.exp(self.ln_base * self.t.ppf(q))

    def median(self) -> Any:
        return self.ppf(0.5)


def _law(kernel: str, scale: str, location: str) -> Callable[[float, dict[str, float]], Any]:
    ln_base = LN_BASE[scale]

    def law(pred: float, noise: dict[str, float]) -> Any:
        width = noise["scale" if kernel == "laplace" else "sigma"]
        if scale == "lin":
            linear = {"gaussian": stats.norm, "laplace": stats.laplace, "student_t": stats.t}[kernel]
            return linear(*([noise["df"]] if kernel == "student_t" else []), loc=pred, scale=width)
        if kernel == "student_t":
            return LogT(noise["df"], np.log(pred) / ln_base, width, ln_base)
        log = stats.lognorm(width * ln_base) if kernel == "gaussian" else stats.loglaplace(1 / (width * ln_base))
        factor = pred / (log.mean() if location == "mean" else log.median())
        return type(log.dist)()(*log.args, scale=factor)

    return law


def _case(word: str, kernel: str, scale: str, location: str) -> Case:
    width = 0.25 if kernel == "laplace" else 0.4
    noise = {"scale" if kernel == "laplace" else "sigma": width}
    if kernel == "student_t":
        noise["df"] = 3.5
    return Case(NOISE_FAMILIES[word](location=location), kernel, scale, noise, 2.3, _law(kernel, scale, location))


WORDS = {
    "normal": ("gaussian", "lin"), "lognormal": ("gaussian", "log10"), "lnnormal": ("gaussian", "ln"),
    "laplace": ("laplace", "lin"), "log_laplace": ("laplace", "log10"), "ln_laplace": ("laplace", "ln"),
    "student_t": ("student_t", "lin"), "log_student_t": ("student_t", "log10"), "ln_student_t": ("student_t", "ln"),
}  # fmt: skip
CONTINUOUS = {
    f"{word}, {location}": _case(word, kernel, scale, location)
    for word, (kernel, scale) in WORDS.items()
    for location in ("median", "mean")
    if (kernel, location) != ("student_t", "mean") or scale == "lin"
}


def _nbinom(pred: float, noise: dict[str, float]) -> Any:
    r = noise["dispersion"]
    return stats.nbinom(r, r / (r + pred))


def _binom(pred: float, noise: dict[str, float]) -> Any:
    return stats.binom(int(noise["trials"]), pred / noise["trials"])


def _betabinom(pred: float, noise: dict[str, float]) -> Any:
    n, c = noise["trials"], noise["dispersion"]
    return stats.betabinom(int(n), c * pred / n, c * (1 - pred / n))


NEG_BIN, POISSON = NOISE_FAMILIES["neg_bin"](location="mean"), NOISE_FAMILIES["poisson"]()
BINOMIAL, BETA_BINOMIAL = NOISE_FAMILIES["binomial"](), NOISE_FAMILIES["beta_binomial"]()
COUNTS = {
    "neg_bin, mean": Case(NEG_BIN, "", "", {"dispersion": 2.5}, 6.0, _nbinom),
    "poisson": Case(POISSON, "", "", {}, 3.7, lambda pred, noise: stats.poisson(pred)),
    "binomial": Case(BINOMIAL, "", "", {"trials": 12.0}, 7.5, _binom),
    "beta_binomial": Case(BETA_BINOMIAL, "", "", {"dispersion": 3.0, "trials": 12.0}, 7.5, _betabinom),
    "beta_binomial, U": Case(BETA_BINOMIAL, "", "", {"dispersion": 0.4, "trials": 30.0}, 8.0, _betabinom),
}
CASES = {**CONTINUOUS, **COUNTS}
