"""Closed-form targets: densities whose shape is a known difficulty, with gradients, exact draws and moments.

Definitions and default constants are those of PyBNF 1.8.1, constants of normalisation left out; the funnel is Neal's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import gamma

from bnfhmc.errors import InputError, Mistake
from bnfhmc.noise.target.protocol import Moments

_QUIET = np.errstate(all="ignore")  # an overflow shows in the loss

Vector = Sequence[float]
Loss = tuple[float, Float[np.ndarray, " d"]]


@dataclass(frozen=True, slots=True)
class Gaussian:
    """Independent Gaussians: loss ½ Σ (θ_i − μ_i)²/v_i."""

    names: tuple[str, ...]
    mean: Vector
    variance: Vector

    def __post_init__(self) -> None:
        _check(self, "gaussian", mean=False, variance=True)

    @_QUIET
    def loss_gradient(self, theta: Float[np.ndarray, " d"]) -> Loss:
        r = theta - np.asarray(self.mean)
        return float(0.5 * np.sum(r**2 / self.variance)), r / self.variance

    def loss(self, theta: Float[np.ndarray, " d"]) -> float:
        return self.loss_gradient(theta)[0]

    def draw(self, rng: np.random.Generator, n: int) -> Float[np.ndarray, "n d"]:
        return rng.normal(self.mean, np.sqrt(self.variance), (n, len(self.names)))

    def moments(self) -> Moments:
        return Moments(np.array(self.mean, dtype=float), np.diag(np.asarray(self.variance, dtype=float)))


@dataclass(frozen=True, slots=True)
class RotatedGaussian:
    """A Gaussian in the plane: loss ½ Σ r_i²/v_i with r = Rᵀ(θ − μ), so that its covariance is R diag(v) Rᵀ.

    R is the rotation by ``angle`` (radians), ``variances`` are those along the rotated axes.
    """

    names: tuple[str, ...]
    mean: Vector
    variances: Vector
    angle: float = 0.0

    def __post_init__(self) -> None:
        _check(self, "rotated_gaussian", dim=2, mean=False, variances=True)

    @_QUIET
    def loss_gradient(self, theta: Float[np.ndarray, " d"]) -> Loss:
        R = _rotation(self.angle)
        r = R.T @ (theta - np.asarray(self.mean))
        return float(0.5 * np.sum(r**2 / self.variances)), R @ (r / self.variances)

    def loss(self, theta: Float[np.ndarray, " d"]) -> float:
        return self.loss_gradient(theta)[0]

    def draw(self, rng: np.random.Generator, n: int) -> Float[np.ndarray, "n d"]:
        return self.mean + rng.normal(0.0, np.sqrt(self.variances), (n, 2)) @ _rotation(self.angle).T

    def moments(self) -> Moments:
        R = _rotation(self.angle)
        return Moments(np.array(self.mean, dtype=float), R * self.variances @ R.T)


@dataclass(frozen=True, slots=True)
class RotatedQuartic:
    """A flat, not quadratic valley in the plane: loss k₁ r₁⁴ + k₂ r₂² with r = R(θ − μ), ``coeff`` = (k₁, k₂).

    R is the rotation by ``angle`` (radians). r₁ is ± (g/k₁)^¼ with g ~ Gamma(¼, 1), r₂ is Normal(0, 1/√(2 k₂)).
    """

    names: tuple[str, ...]
    mean: Vector
    coeff: Vector
    angle: float = 0.0

    def __post_init__(self) -> None:
        _check(self, "rotated_quartic", dim=2, mean=False, coeff=True)

    @_QUIET
    def loss_gradient(self, theta: Float[np.ndarray, " d"]) -> Loss:
        R, k = _rotation(self.angle), np.asarray(self.coeff)
        r = R @ (theta - np.asarray(self.mean))
        slope = k * np.array([4.0 * r[0] ** 3, 2.0 * r[1]])
        return float(k @ np.array([r[0] ** 4, r[1] ** 2])), R.T @ slope

    def loss(self, theta: Float[np.ndarray, " d"]) -> float:
        return self.loss_gradient(theta)[0]

    def draw(self, rng: np.random.Generator, n: int) -> Float[np.ndarray, "n d"]:
        k1, k2 = self.coeff
        r1 = rng.choice([-1.0, 1.0], n) * (rng.gamma(0.25, 1.0, n) / k1) ** 0.25
        r2 = rng.normal(0.0, np.sqrt(0.5 / k2), n)
        return self.mean + np.column_stack([r1, r2]) @ _rotation(self.angle)

    def moments(self) -> Moments:
        R, (k1, k2) = _rotation(self.angle), self.coeff
        variances = np.array([gamma(0.75) / (gamma(0.25) * np.sqrt(k1)), 0.5 / k2])
        return Moments(np.array(self.mean, dtype=float), R.T * variances @ R)


@dataclass(frozen=True, slots=True)
class Banana:
    """A curved valley (Rosenbrock): loss ½ Σ_i [(a − θ_i)² + b (θ_{i+1} − θ_i²)²], i = 1 … d − 1.

    In two dimensions θ₁ ~ Normal(a, 1) and θ₂ ~ Normal(θ₁², 1/√b); in more it has no closed moments, and `draw` and
    `moments` raise ValueError.
    """

    names: tuple[str, ...]
    a: float = 1.0
    b: float = 100.0

    def __post_init__(self) -> None:
        wrong = [] if self.b > 0 else [Mistake(f"banana: 'b' is a positive number, got {self.b:g}")]
        if len(self.names) < 2:
            wrong.append(Mistake(f"banana has at least 2 parameters, got {len(self.names)}"))
        if wrong:
            raise InputError(wrong)

    @_QUIET
    def loss_gradient(self, theta: Float[np.ndarray, " d"]) -> Loss:
        x, off = theta[:-1], theta[1:] - theta[:-1] ** 2
        grad = np.zeros(len(theta))
        grad[:-1] = (x - self.a) - 2.0 * self.b * off * x
        grad[1:] += self.b * off
        return float(0.5 * np.sum((self.a - x) ** 2 + self.b * off**2)), grad

    def loss(self, theta: Float[np.ndarray, " d"]) -> float:
        return self.loss_gradient(theta)[0]

    def draw(self, rng: np.random.Generator, n: int) -> Float[np.ndarray, "n d"]:
        self._in_the_plane()
        x = rng.normal(self.a, 1.0, n)
        return np.column_stack([x, rng.normal(x**2, 1.0 / np.sqrt(self.b))])

    def moments(self) -> Moments:
        self._in_the_plane()
        a, slope = self.a, 2.0 * self.a
        return Moments(np.array([a, 1 + a**2]), np.array([[1, slope], [slope, 2 + 4 * a**2 + 1 / self.b]]))

    def _in_the_plane(self) -> None:
        if len(self.names) != 2:
            raise ValueError(f"draws and moments of the banana are known for 2 parameters, not {len(self.names)}")


@dataclass(frozen=True, slots=True)
class Multimodal:
    """Separate modes: loss −log Σ_k w_k exp(−½ Σ_i (θ_i − μ_ki)²/v_ki).

    The components carry no normalisation, so that w_k is the height of a mode and w_k Π_i √v_ki its share of the mass.
    """

    names: tuple[str, ...]
    weights: Vector
    means: Sequence[Vector]
    variances: Sequence[Vector]

    def __post_init__(self) -> None:
        d, wrong = len(self.names), []
        if not len(self.weights) == len(self.means) == len(self.variances) > 0:
            wrong.append(Mistake("multimodal has at least one mode, each with a weight, a mean and a variance"))
        for k, (w, mean, variance) in enumerate(zip(self.weights, self.means, self.variances, strict=False), 1):
            if not w > 0:
                wrong.append(Mistake(f"multimodal, mode {k}: 'weight' is a positive number, got {w:g}"))
            wrong += _wrong(f"multimodal, mode {k}", d, mean=(mean, False), variance=(variance, True))
        if wrong:
            raise InputError(wrong)

    @_QUIET
    def loss_gradient(self, theta: Float[np.ndarray, " d"]) -> Loss:
        r = theta - np.asarray(self.means)
        slope = r / self.variances
        log = np.log(self.weights) - 0.5 * np.sum(r * slope, axis=1)
        total = np.logaddexp.reduce(log)
        return float(-total), np.exp(log - total) @ slope

    def loss(self, theta: Float[np.ndarray, " d"]) -> float:
        return self.loss_gradient(theta)[0]

    @property
    def shares(self) -> Float[np.ndarray, " mode"]:
        """The probability of each mode."""
        log = np.log(self.weights) + 0.5 * np.sum(np.log(self.variances), axis=1)
        return np.exp(log - np.logaddexp.reduce(log))

    def draw(self, rng: np.random.Generator, n: int) -> Float[np.ndarray, "n d"]:
        k = rng.choice(len(self.weights), n, p=self.shares)
        return rng.normal(np.asarray(self.means)[k], np.sqrt(self.variances)[k])

    def moments(self) -> Moments:
        p, means = self.shares, np.asarray(self.means, dtype=float)
        off = means - p @ means
        return Moments(p @ means, np.diag(p @ np.asarray(self.variances)) + (off.T * p) @ off)


@dataclass(frozen=True, slots=True)
class Funnel:
    """Neal's funnel: θ₁ ~ Normal(0, sd), θ_i ~ Normal(0, exp(θ₁/2)) for i > 1.

        loss = θ₁²/(2 sd²) + Σ_{i>1} (½ θ_i² e^{−θ₁} + ½ θ₁)

    Source: Neal 2003, "Slice sampling", Annals of Statistics 31, section 8 (sd = 3, ten dimensions).
    """

    names: tuple[str, ...]
    sd: float = 3.0

    def __post_init__(self) -> None:
        wrong = [] if self.sd > 0 else [Mistake(f"funnel: 'sd' is a positive number, got {self.sd:g}")]
        if len(self.names) < 2:
            wrong.append(Mistake(f"funnel has at least 2 parameters, got {len(self.names)}"))
        if wrong:
            raise InputError(wrong)

    @_QUIET
    def loss_gradient(self, theta: Float[np.ndarray, " d"]) -> Loss:
        v, x = theta[0], theta[1:]
        slope = x * np.exp(-v)
        square = 0.5 * np.sum(x * slope)
        grad = np.concatenate([[v / self.sd**2 - square + 0.5 * len(x)], slope])
        return float(0.5 * (v / self.sd) ** 2 + square + 0.5 * len(x) * v), grad

    def loss(self, theta: Float[np.ndarray, " d"]) -> float:
        return self.loss_gradient(theta)[0]

    def draw(self, rng: np.random.Generator, n: int) -> Float[np.ndarray, "n d"]:
        v = rng.normal(0.0, self.sd, (n, 1))
        return np.hstack([v, np.exp(0.5 * v) * rng.normal(size=(n, len(self.names) - 1))])

    def moments(self) -> Moments:
        d = len(self.names)
        return Moments(np.zeros(d), np.diag([self.sd**2, *[np.exp(0.5 * self.sd**2)] * (d - 1)]))


def _rotation(angle: float) -> Float[np.ndarray, "2 2"]:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]])


def _check(target: Any, word: str, dim: int | None = None, **positive: bool) -> None:
    """Raise InputError for vectors that do not fit the parameters; `positive`: vector → whether it must be positive."""
    wrong = _wrong(word, len(target.names), **{f: (getattr(target, f), p) for f, p in positive.items()})
    if dim is not None and len(target.names) != dim:
        wrong = [Mistake(f"{word} has {dim} parameters, got {len(target.names)}")]
    if wrong:
        raise InputError(wrong)


def _wrong(where: str, dim: int, **vectors: tuple[Vector, bool]) -> list[Mistake]:
    out = []
    for name, (vector, positive) in vectors.items():
        if len(vector) != dim:
            out.append(Mistake(f"{where}: '{name}' has {len(vector)} numbers for {dim} parameters"))
        elif positive and not all(x > 0 for x in vector):
            out.append(Mistake(f"{where}: '{name}' holds positive numbers, got {' '.join(f'{x:g}' for x in vector)}"))
    return out
