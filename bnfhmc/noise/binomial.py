"""Binomial and beta-binomial noise: counts out of a known number of trials, by their mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, final

import numpy as np
from scipy.special import digamma, loggamma

from bnfhmc.errors import InputError, Mistake
from bnfhmc.noise.count import half_deviance, log_spread, not_counts
from bnfhmc.noise.family import Loss, Noise, outside_is_inf
from bnfhmc.noise.poisson import refuse_median
from bnfhmc.noise.scale import positive

FRACTION_FLOOR = 1e-10  # an expected fraction of 0 or 1 keeps a finite loss where it is not what was counted
OVERSHOOT = 1e-6  # a fraction this far beyond 0 or 1 is a solver's error and counts as the floor; further out is none
COUNTS = 4096  # an expectation over more counts than this is a sum over a grid of them
LARGE_SHAPE = 1e3  # from here two terms of Stirling's series beat the difference of two log gammas


class _Mean(NamedTuple):
    """Trials n, μ in (0, n), the expected misses n − μ, and ∂μ/∂pred: 1, or 0 at the floor."""

    n: Any
    hits: Any
    misses: Any
    inside: Any


@final
@dataclass(frozen=True, slots=True)
class Binomial:
    """Binomial(n, μ/n): −log pmf = −log C(n,k) − k log(μ/n) − (n−k) log(1 − μ/n), n = ``trials``.

    The prediction is μ, the expected count in [0, n]; the mean is the default and the only ``location``. Information
    n/(μ(n−μ)). Within 1e-10 n of 0 or n, and up to 1e-6 n beyond, the prediction counts as that floor, with slope 0;
    further out the loss is +inf. Raises InputError for another location and where the trials, which are known before a
    run, are estimated.
    """

    location: Literal["mean"] = "mean"
    parameters: ClassVar[tuple[str, ...]] = ("trials",)
    defaults: ClassVar[Mapping[str, float]] = {}
    least_squares: ClassVar[bool] = False

    def __post_init__(self) -> None:
        refuse_median("binomial", self.location)

    @np.errstate(all="ignore")
    def loss(self, pred: Any, obs: Any, noise: Noise, estimated: frozenset[str]) -> Loss:
        _refuse_estimated_trials("binomial", estimated)
        mean = _mean(pred, noise)
        loss, slope = _binomial(obs, mean)
        return outside_is_inf(Loss(loss, slope * mean.inside, {}))

    def residual(self, pred: Any, obs: Any, noise: Noise) -> tuple[np.ndarray, np.ndarray]:
        raise TypeError("Binomial has no least-squares form")

    def d_residual_d_noise(self, pred: Any, obs: Any, noise: Noise) -> Mapping[str, np.ndarray]:
        raise TypeError("Binomial has no least-squares form")

    def log_density(self, pred: Any, obs: Any, noise: Noise) -> np.ndarray:
        return -self.loss(pred, obs, noise, frozenset()).loss

    def fisher(self, pred: Any, noise: Noise) -> tuple[np.ndarray, Mapping[tuple[str, str], np.ndarray]]:
        n, hits, misses, inside = _mean(pred, noise)
        return inside * n / (hits * misses), {}

    def rejects(self, obs: np.ndarray, noise: Noise | None = None) -> str:
        return _not_hits("binomial", obs, noise)

    def draw(self, rng: np.random.Generator, pred: Any, noise: Noise) -> np.ndarray:
        n, hits, _, _ = _mean(pred, noise)
        return np.asarray(rng.binomial(n.astype(np.int64), hits / n), dtype=float)


@final
@dataclass(frozen=True, slots=True)
class BetaBinomial:
    """Binomial(n, p) with p ~ Beta(cμ/n, c(1 − μ/n)), c = ``dispersion``, n = ``trials``.

        −log pmf = −log C(n,k) − log B(k + cμ/n, n − k + c(1 − μ/n)) + log B(cμ/n, c(1 − μ/n))

    The variance is (n + c)/(1 + c) times the binomial one: a large c is little dispersion, as it is for the negative
    binomial. Prediction, ``location``, ``trials`` and errors are those of `Binomial`. The information is a sum over
    the counts.
    """

    location: Literal["mean"] = "mean"
    parameters: ClassVar[tuple[str, ...]] = ("dispersion", "trials")
    defaults: ClassVar[Mapping[str, float]] = {}
    least_squares: ClassVar[bool] = False

    def __post_init__(self) -> None:
        refuse_median("beta_binomial", self.location)

    @np.errstate(all="ignore")
    def loss(self, pred: Any, obs: Any, noise: Noise, estimated: frozenset[str]) -> Loss:
        _refuse_estimated_trials("beta_binomial", estimated)
        mean = _mean(pred, noise)
        loss, d_mu, d_dispersion = _beta_binomial(obs, mean, positive(noise["dispersion"]))
        d_noise = {"dispersion": d_dispersion} if "dispersion" in estimated else {}
        return outside_is_inf(Loss(loss, d_mu * mean.inside, d_noise))

    def residual(self, pred: Any, obs: Any, noise: Noise) -> tuple[np.ndarray, np.ndarray]:
        raise TypeError("BetaBinomial has no least-squares form")

    def d_residual_d_noise(self, pred: Any, obs: Any, noise: Noise) -> Mapping[str, np.ndarray]:
        raise TypeError("BetaBinomial has no least-squares form")

    def log_density(self, pred: Any, obs: Any, noise: Noise) -> np.ndarray:
        return -self.loss(pred, obs, noise, frozenset()).loss

    @np.errstate(all="ignore")
    def fisher(self, pred: Any, noise: Noise) -> tuple[np.ndarray, Mapping[tuple[str, str], np.ndarray]]:
        mean = _Mean(*(np.broadcast_to(part, np.shape(pred))[..., None] for part in _mean(pred, noise)))
        dispersion = np.broadcast_to(positive(noise["dispersion"]), np.shape(pred))[..., None]
        k, weight = _counts(mean.n)
        loss, d_mu, d_dispersion = _beta_binomial(k, mean, dispersion)
        p = weight * np.exp(-loss)
        p, s = p / p.sum(-1, keepdims=True), d_mu * mean.inside
        return (p * s**2).sum(-1), {
            ("dispersion", "dispersion"): (p * d_dispersion**2).sum(-1),
            ("pred", "dispersion"): (p * s * d_dispersion).sum(-1),
        }

    def rejects(self, obs: np.ndarray, noise: Noise | None = None) -> str:
        return _not_hits("beta_binomial", obs, noise)

    def draw(self, rng: np.random.Generator, pred: Any, noise: Noise) -> np.ndarray:
        n, hits, misses, _ = _mean(pred, noise)
        c = noise["dispersion"] / n
        return np.asarray(rng.binomial(n.astype(np.int64), rng.beta(c * hits, c * misses)), dtype=float)


def _refuse_estimated_trials(family: str, estimated: frozenset[str]) -> None:
    if "trials" in estimated:
        hint = "type 'trials = fix_at <number>' or 'trials = read_exp_file <suffix>'"
        raise InputError(Mistake(f"the trials of {family} are known, and nothing to estimate", hint))


def _not_hits(family: str, obs: np.ndarray, noise: Noise | None) -> str:
    said = not_counts(family, obs)
    if said or noise is None or "trials" not in noise:
        return said
    trials = np.broadcast_to(np.asarray(noise["trials"], dtype=float), obs.shape)
    wrong = ~((trials >= 1) & (trials == np.round(trials)) & np.isfinite(trials))
    if wrong.any():
        return f"{family} needs 1, 2, 3, … trials, got {trials[wrong][0]:g}"
    more = obs > trials
    return f"{family} counted {obs[more][0]:g} out of {trials[more][0]:g} trials" if more.any() else ""


def _mean(pred: Any, noise: Noise) -> _Mean:
    """The prediction between its floors; NaN beyond the overshoot."""
    pred, n = np.asarray(pred), positive(noise["trials"])
    low, high, beyond = FRACTION_FLOOR * n, (1 - FRACTION_FLOOR) * n, OVERSHOOT * n
    inside = (pred.real > low) & (pred.real < high)
    floor = np.where(pred.real <= low, low, high)
    hits = np.where(inside, pred, np.where((pred.real >= -beyond) & (pred.real <= n + beyond), floor, np.nan))
    return _Mean(n, hits, n - hits, inside.astype(float))


def _binomial(k: Any, mean: _Mean) -> tuple[Any, Any]:
    """−log pmf and its slope in μ."""
    misses = mean.n - k
    of_hits, d_hits = half_deviance(k, mean.hits)
    of_misses, d_misses = half_deviance(misses, mean.misses)
    constant = log_spread(k) + log_spread(misses) - log_spread(mean.n)
    return np.where((k >= 0) & (misses >= 0), of_hits + of_misses + constant, np.nan), d_hits - d_misses


def _beta_binomial(k: Any, mean: _Mean, c: Any) -> tuple[Any, Any, Any]:
    """−log pmf and its slopes in μ and in c: those of the binomial, and what the spread of p adds."""
    loss, d_mu = _binomial(k, mean)
    p, q = mean.hits / mean.n, mean.misses / mean.n
    of_hits, d_alpha = _log_rising(c * p, k)
    of_misses, d_beta = _log_rising(c * q, mean.n - k)
    of_all, d_all = _log_rising(c, mean.n)
    d_c = d_all - p * d_alpha - q * d_beta
    return loss - of_hits - of_misses + of_all, d_mu - c / mean.n * (d_alpha - d_beta), d_c


def _log_rising(a: Any, k: Any) -> tuple[Any, Any]:
    """log Γ(a+k) − log Γ(a) − k log a, which is 0 in the limit of large a, and its slope in a."""
    small = np.where(np.real(a) > LARGE_SHAPE, LARGE_SHAPE, a)
    exact = loggamma(small + k) - loggamma(small) - k * np.log(small)
    slope = digamma(small + k) - digamma(small) - k / small
    b, log = a + k, np.log1p(k / a)
    series = (b - 0.5) * log - k + (1 / b - 1 / a) / 12
    d_series = log - k / a + 0.5 * k / (a * b) - (1 / b**2 - 1 / a**2) / 12
    large = np.real(a) > LARGE_SHAPE
    return np.where(large, series, exact), np.where(large, d_series, slope)


def _counts(n: Any) -> tuple[np.ndarray, np.ndarray]:
    """Counts 0 … n in the last axis, and how many counts each stands for.

    Up to 4096 trials every count comes; of more, those at even steps of arcsin √(k/n): such a step is the same fraction
    of the binomial's width wherever its bulk lies, and below 1 at the ends.
    """
    top = int(min(np.nanmax(n, initial=1), COUNTS))
    fraction = np.linspace(0, 1, top + 1) if top < COUNTS else np.sin(np.linspace(0, np.pi / 2, 2 * COUNTS)) ** 2
    k = np.round(fraction * n)
    edges = np.concatenate([np.full_like(k[..., :1], -1.0), k, k[..., -1:] + 1], axis=-1)
    return k, 0.5 * (edges[..., 2:] - edges[..., :-2])
