"""Negative binomial noise for counts, by its mean (or median) and dispersion r: variance μ + μ²/r."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from scipy.special import betaincinv, betaln, digamma, gammaln, polygamma

from bnfhmc.noise.family import Loss, Noise, outside_is_inf

MEAN_FLOOR = 1e-10  # of r: a predicted mean of zero keeps a finite loss (PyBNF clips the probability r/(r+μ) alike)
TERMS = 1500  # counts, and as many cells of counts, that an expectation sums over
LARGE_DISPERSION = 1e3  # from here the asymptotic series of ψ beats the difference of two nearly equal digammas


@dataclass(frozen=True, slots=True)
class NegBin:
    """NegBin(μ, r) with log pmf = log Γ(k+r) − log Γ(r) − log k! + r log(r/(r+μ)) + k log(μ/(r+μ)).

    ``location = "mean"``: the prediction is μ. ``"median"``: μ solves I_p(r, pred + 1) = ½ with p = r/(r+μ), the continuous
    median (I the regularised incomplete beta function). A mean below 1e-10·r counts as that floor, with slope 0.
    """

    location: Literal["median", "mean"] = "median"
    parameters: ClassVar[tuple[str, ...]] = ("dispersion",)
    defaults: ClassVar[Mapping[str, float]] = {}
    least_squares: ClassVar[bool] = False

    def loss(self, pred: Any, obs: Any, noise: Noise, estimated: frozenset[str]) -> Loss:
        r = _positive(noise["dispersion"])
        mu, dmu_dpred, dmu_dr = self._mean(pred, r)
        d_mu = r * (mu - obs) / (mu * (r + mu))
        d_noise = {}
        if "dispersion" in estimated:
            d_noise["dispersion"] = _score_of_dispersion(obs, mu, r) + d_mu * dmu_dr
        return outside_is_inf(Loss(-_log_pmf(obs, mu, r), d_mu * dmu_dpred, d_noise))

    def residual(self, pred: Any, obs: Any, noise: Noise) -> tuple[np.ndarray, np.ndarray]:
        raise TypeError("the negative binomial has no least-squares form")

    def d_residual_d_noise(self, pred: Any, obs: Any, noise: Noise) -> Mapping[str, np.ndarray]:
        raise TypeError("the negative binomial has no least-squares form")

    def log_density(self, pred: Any, obs: Any, noise: Noise) -> np.ndarray:
        r = _positive(noise["dispersion"])
        return np.asarray(_log_pmf(obs, self._mean(pred, r)[0], r))

    def fisher(self, pred: Any, noise: Noise) -> tuple[np.ndarray, Mapping[tuple[str, str], np.ndarray]]:
        r = np.broadcast_to(_positive(noise["dispersion"]), np.shape(pred))
        mu, dmu_dpred, dmu_dr = self._mean(pred, r)
        of_mu = r / (mu * (r + mu))
        cross = of_mu * dmu_dpred * dmu_dr
        of_r = _information_of_dispersion(mu, r) + of_mu * dmu_dr**2
        return of_mu * dmu_dpred**2, {("dispersion", "dispersion"): of_r, ("pred", "dispersion"): cross}

    def rejects(self, obs: np.ndarray, noise: Noise | None = None) -> str:
        bad = obs[~((obs >= 0) & (obs == np.round(obs)) & (obs < np.inf))]
        return f"neg_bin needs counts (0, 1, 2, …), got {bad[0]:g}" if bad.size else ""

    def draw(self, rng: np.random.Generator, pred: Any, noise: Noise) -> np.ndarray:
        r = _positive(noise["dispersion"])
        mu = self._mean(pred, r)[0]
        return np.asarray(rng.negative_binomial(r, r / (r + mu)), dtype=float)

    def _mean(self, pred: Any, r: Any) -> tuple[Any, Any, Any]:
        """μ, ∂μ/∂pred and ∂μ/∂r."""
        floor = r * MEAN_FLOOR
        if self.location == "mean":
            above = pred > floor
            return np.where(above, pred, floor), above.astype(float), np.where(above, 0.0, MEAN_FLOOR)
        median = np.maximum(pred, 0.0)
        mu, d_median, d_r = _mean_of_median(median, r)
        return mu, np.where(pred > 0, d_median, 0.0), d_r


def _positive(r: Any) -> Any:
    r = np.asarray(r, dtype=float)
    return np.where(r > 0, r, np.nan)


def _log_pmf(k: Any, mu: Any, r: Any) -> Any:
    """log pmf; the beta function keeps its digits where r is large (towards the Poisson limit).

    Elsewhere log Γ does, which unlike it makes no denormal number on the way: some threads flush those to zero.
    """
    small = np.minimum(r, LARGE_DISPERSION)
    few = gammaln(small + k) - gammaln(small) - gammaln(k + 1.0)
    binomial = np.where(r > LARGE_DISPERSION, -betaln(r, k + 1.0) - np.log(r + k), few)
    return binomial - r * np.log1p(mu / r) - k * np.log1p(r / mu)


def _score_of_dispersion(k: Any, mu: Any, r: Any) -> Any:
    """∂(−log pmf)/∂r at fixed μ: ψ(r) − ψ(r+k) + log(1+μ/r) − 1 + (r+k)/(r+μ)."""
    small = np.minimum(r, LARGE_DISPERSION)
    exact = digamma(small) - digamma(small + k) + np.log1p(mu / small) + (k - mu) / (small + mu)
    x = (mu - k) / (r + k)
    s = r + k
    # ψ(x) = log x − 1/2x − 1/12x² + 1/120x⁴ (Abramowitz & Stegun 6.3.18), the logarithms taken together
    series = np.log1p(x) - x / (1 + x) - k / (2 * r * s) - ((1 / r) ** 2 - (1 / s) ** 2) / 12
    return np.where(r > LARGE_DISPERSION, series, exact)


def _mean_of_median(median: Any, r: Any) -> tuple[Any, Any, Any]:
    """The mean whose continuous median is given, and its slopes in the median and in r.

    The slopes have no elementary form; they are five-point differences of the exact inverse, good to about 1e-10 relative.
    """

    def mean(m: Any, dispersion: Any) -> Any:
        p, q = betaincinv(dispersion, m + 1.0, 0.5), betaincinv(m + 1.0, dispersion, 0.5)  # q = 1 − p with all its digits
        return dispersion * q / p

    h_median, h_r = 1e-3 * (median + 1.0), 1e-3 * r
    d_median = _five_point(lambda h: mean(median + h, r), h_median)
    return mean(median, r), d_median, _five_point(lambda h: mean(median, r + h), h_r)


def _five_point(f: Any, h: Any) -> Any:
    return (8.0 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12.0 * h)


def _information_of_dispersion(mu: np.ndarray, r: np.ndarray) -> np.ndarray:
    """E[∂²(−log pmf)/∂r²] at fixed μ = ψ′(r) − E ψ′(r+k) − μ/(r(r+μ)), the mean over the bulk of the counts.

    Count by count at its low end, where small r puts a cusp, then by the midpoint rule over cells that grow.
    """
    spread = np.sqrt(mu + mu**2 / r)
    low = np.floor(np.maximum(mu - 12 * spread, 0.0))[..., None]
    first = low + TERMS - 0.5
    last = np.maximum((mu + 40 * spread + 40)[..., None], first)
    edges = first * (last / first) ** np.linspace(0.0, 1.0, TERMS + 1)
    k = np.concatenate([low + np.arange(TERMS), (edges[..., 1:] + edges[..., :-1]) / 2], axis=-1)
    weight = np.concatenate([np.ones((*low.shape[:-1], TERMS)), np.diff(edges, axis=-1)], axis=-1)
    pmf = weight * np.exp(_log_pmf(k, mu[..., None], r[..., None]))
    mean = np.sum(pmf * _trigamma(r[..., None] + k), axis=-1) / np.sum(pmf, axis=-1)
    return np.maximum(polygamma(1, r) - mean - mu / (r * (r + mu)), 0.0)


def _trigamma(x: np.ndarray) -> np.ndarray:
    """ψ′(x) = Σ_{i<8} (x+i)⁻² + ψ′(x+8), the last by its series (Abramowitz & Stegun 6.4.12); good to 1e-11, and fast."""
    y = x + 8.0
    w = 1.0 / y**2
    series = (1.0 + 0.5 / y + w * (1 / 6 - w * (1 / 30 - w * (1 / 42 - w * (1 / 30 - w * 5 / 66))))) / y
    return np.asarray(sum((x + i) ** -2.0 for i in range(8)) + series)
