"""Noise that is added on a scale: f(ỹ) = μ + σε, for every kernel ε, every scale f and either location."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, final

import numpy as np

from bnfhmc.errors import InputError, Mistake
from bnfhmc.noise.family import Loss, Noise, outside_is_inf
from bnfhmc.noise.scale import NoiseScale, positive


class _Standard(NamedTuple):
    """z, ∂z/∂pred and ∂z/∂σ."""

    z: Any
    d_pred: Any
    d_sigma: Any


@dataclass(frozen=True, slots=True)
class LocationScale(ABC):
    """f(ỹ) = μ + σε with a symmetric kernel ε of density exp(−g(z) − constants), z = (μ − f(ỹ))/σ.

    ``location = "median"``: μ = f(y). ``"mean"``: μ = f(y) − o(σ), so that E ỹ = y; on a scale of base b

        o(σ) = K(σ ln b)/ln b,   K(s) = log E exp(sε),

    and o = 0 on lin, where the two locations coincide. With the scale parameter σ estimated

        ∂loss/∂σ = −g′(z)(z + o′(σ))/σ + 1/σ

    (−r²/σ³ + 1/σ for Gaussian ε about a median), and since o moves μ, the Fisher information of a mean on a logarithmic
    scale has a cross term of prediction and σ. A family is a kernel (a subclass, whose first of ``parameters`` is σ)
    and a scale (a subclass of that). Raises InputError for an unknown location, and for a mean that does not exist.
    """

    location: Literal["median", "mean"] = "median"
    parameters: ClassVar[tuple[str, ...]]
    defaults: ClassVar[Mapping[str, float]]
    least_squares: ClassVar[bool]
    constant: ClassVar[float]  # of −log p, in no loss: what the normalisers of the noise parameters leave

    @property
    @abstractmethod
    def scale(self) -> NoiseScale:
        """The scale f that the noise is additive on."""

    @abstractmethod
    def kernel(self, z: Any, noise: Noise) -> tuple[Any, Any, dict[str, Any]]:
        """g(z), g′(z), and by shape parameter (all but σ) ∂g/∂parameter."""

    @abstractmethod
    def kernel_residual(self, z: Any, noise: Noise) -> tuple[Any, Any, dict[str, Any]]:
        """ρ(z) with ½ρ² = g, ρ′(z), and by shape parameter ∂ρ/∂parameter; TypeError where there is none."""

    @abstractmethod
    def normaliser(self, name: str, noise: Noise) -> tuple[Any, Any]:
        """What noise parameter `name` adds to −log p by itself, and its slope."""

    @abstractmethod
    def log_mean(self, s: Any) -> tuple[Any, Any]:
        """K(s) = log E exp(sε) and K′(s); not finite where the mean is not."""

    @abstractmethod
    def information(self, noise: Noise) -> tuple[Any, dict[tuple[str, str], Any]]:
        """Expected information of μ, and of pairs of noise parameters, about a median."""

    @abstractmethod
    def epsilon(self, rng: np.random.Generator, noise: Noise, shape: tuple[int, ...]) -> np.ndarray:
        """Draws of ε."""

    def __post_init__(self) -> None:
        if self.location not in ("median", "mean"):
            hint = "type 'location = mean' or 'location = median'"
            raise InputError(Mistake(f"unknown location '{self.location}'", hint))
        # a kernel whose K is infinite however small the noise has no mean at all
        if self._moves and not np.isfinite(self.log_mean(1e-3)[0]):
            what = f"{type(self).__name__} has no mean: its tails are too heavy for one on {self.scale.name}"
            raise InputError(Mistake(what, "type 'location = median'"))

    @final
    @np.errstate(all="ignore")
    def loss(self, pred: Any, obs: Any, noise: Noise, estimated: frozenset[str]) -> Loss:
        values = self._values(noise)
        z, dz_dpred, dz_dsigma = self._standard(pred, obs, values)
        g, dg_dz, d_shape = self.kernel(z, values)
        slopes = {self.parameters[0]: dg_dz * dz_dsigma, **d_shape}
        total, d_noise = g, {}
        for name in self.parameters:
            if name in estimated:
                normaliser, slope = self.normaliser(name, values)
                total, d_noise[name] = total + normaliser, slopes[name] + slope
        return outside_is_inf(Loss(total, dg_dz * dz_dpred, d_noise))

    @final
    @np.errstate(all="ignore")
    def residual(self, pred: Any, obs: Any, noise: Noise) -> tuple[np.ndarray, np.ndarray]:
        values = self._values(noise)
        z, dz_dpred, _ = self._standard(pred, obs, values)
        rho, drho_dz, _ = self.kernel_residual(z, values)
        slope = drho_dz * dz_dpred
        inside = np.isfinite(slope) & ~np.isnan(rho)
        return np.where(inside, rho, np.inf), np.where(inside, slope, 0.0)

    @final
    @np.errstate(all="ignore")
    def d_residual_d_noise(self, pred: Any, obs: Any, noise: Noise) -> Mapping[str, np.ndarray]:
        values = self._values(noise)
        z, _, dz_dsigma = self._standard(pred, obs, values)
        rho, drho_dz, d_shape = self.kernel_residual(z, values)
        slopes = {self.parameters[0]: drho_dz * dz_dsigma, **d_shape}
        return {name: np.where(np.isfinite(slope) & ~np.isnan(rho), slope, 0.0) for name, slope in slopes.items()}

    @final
    @np.errstate(all="ignore")
    def log_density(self, pred: Any, obs: Any, noise: Noise) -> np.ndarray:
        values = self._values(noise)
        z, _, _ = self._standard(pred, obs, values)
        left = sum(self.normaliser(name, values)[0] for name in self.parameters) + self.constant
        log_p = self.scale.log_slope(obs) - self.kernel(z, values)[0] - left
        return np.where(np.isnan(log_p), -np.inf, log_p)

    @final
    @np.errstate(all="ignore")
    def fisher(self, pred: Any, noise: Noise) -> tuple[np.ndarray, Mapping[tuple[str, str], np.ndarray]]:
        values = self._values(noise)
        sigma, slope = self.parameters[0], self.scale.slope(pred)
        of_mu, pairs = self.information(values)
        if self._moves:
            _, d_offset = self._offset(values[sigma])
            pairs[sigma, sigma] = pairs[sigma, sigma] + d_offset**2 * of_mu
            pairs["pred", sigma] = -d_offset * of_mu * slope
        return of_mu * slope**2, {pair: np.broadcast_to(info, np.shape(pred)) for pair, info in pairs.items()}

    @final
    def rejects(self, obs: np.ndarray, noise: Noise | None = None) -> str:
        bad = obs[~(obs > 0)] if self.scale.ln_base else obs[:0]
        return f"noise on {self.scale.name} needs positive values, got {bad[0]:g}" if bad.size else ""

    @final
    def draw(self, rng: np.random.Generator, pred: Any, noise: Noise) -> np.ndarray:
        values = self._values(noise)
        sigma = values[self.parameters[0]]
        mu = self.scale.forward(pred) - self._offset(sigma)[0]
        shape = np.broadcast_shapes(np.shape(pred), *(np.shape(v) for v in values.values()))
        return np.asarray(self.scale.inverse(mu + sigma * self.epsilon(rng, values, shape)))

    @property
    def _moves(self) -> bool:
        """Whether μ depends on σ."""
        return self.location == "mean" and self.scale.ln_base != 0

    def _values(self, noise: Noise) -> dict[str, Any]:
        """Every noise parameter, NaN where it is not positive."""
        return {name: positive(noise[name] if name in noise else self.defaults[name]) for name in self.parameters}

    def _standard(self, pred: Any, obs: Any, values: Noise) -> _Standard:
        sigma = values[self.parameters[0]]
        offset, d_offset = self._offset(sigma)
        z = (self.scale.forward(pred) - offset - self.scale.forward(obs)) / sigma
        return _Standard(z, self.scale.slope(pred) / sigma, -(z + d_offset) / sigma)

    def _offset(self, sigma: Any) -> tuple[Any, Any]:
        """o(σ) and o′(σ)."""
        if not self._moves:
            return 0.0, 0.0
        K, slope = self.log_mean(sigma * self.scale.ln_base)
        return K / self.scale.ln_base, slope
