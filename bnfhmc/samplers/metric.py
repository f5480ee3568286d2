"""The metric of a kernel as a linear map, and what a warm-up learns of it.

z = L q,   M⁻¹ = L Lᵀ,   momentum standard normal in q
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.samplers.curvature import Curvature

Form = Literal["dense", "diagonal"]

# A dense metric costs d² operations a leapfrog step: a millisecond at this many parameters.
DENSE_UP_TO = 1000

# A direction that data and prior leave free is taken to be at most 1/√FLATTEST times wider than the prior's own spread.
FLATTEST = 0.1

# What is added to covariances of a few draws, in units of the parameters' own widths.
RIDGE = 1e-6


class Metric(NamedTuple):
    """L: its diagonal [d], or the whole of it [d, d]."""

    root: Float[np.ndarray, " d"] | Float[np.ndarray, "d d"]

    @classmethod
    def from_inverse_mass(cls, inverse_mass_matrix: np.ndarray) -> Metric:
        """L of M⁻¹, a vector [d] for a diagonal one; LinAlgError where it is not positive definite."""
        if inverse_mass_matrix.ndim == 1:
            if not (inverse_mass_matrix > 0).all():
                raise np.linalg.LinAlgError("a variance is not positive")
            return cls(np.sqrt(inverse_mass_matrix))
        return cls(np.ascontiguousarray(np.linalg.cholesky(inverse_mass_matrix)))

    @property
    def form(self) -> Form:
        """Whether L is dense or diagonal."""
        return "dense" if self.root.ndim == 2 else "diagonal"

    @property
    def inverse_mass_matrix(self) -> np.ndarray:
        """M⁻¹ = L Lᵀ, in the form of L."""
        return self.root**2 if self.root.ndim == 1 else self.root @ self.root.T

    def push(self, r: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        """L r: a velocity in q as one in z."""
        return self.root * r if self.root.ndim == 1 else self.root.dot(r)

    def whiten(self, z: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        """q of z = L q."""
        return z / self.root if self.root.ndim == 1 else np.linalg.solve(self.root, z)

    def pull(self, grad: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        """Lᵀ g: a gradient in z as one in q."""
        return self.root * grad if self.root.ndim == 1 else grad.dot(self.root)


class Moments(NamedTuple):
    """What a window of n draws tells: running means and sums of squared deviations (Welford 1962), and mean curvature.

    ``z``, ``grad``, ``lp``: means; ``zz``, ``gg``: sums of squared deviations of z and of the gradient, [d] or [d, d];
    ``curved``: how many of the draws told a curvature, ``information`` and ``diagonal`` its means over these.
    """

    n: int
    z: np.ndarray
    zz: np.ndarray
    grad: np.ndarray
    gg: np.ndarray
    lp: float
    lplp: float
    curved: int
    information: np.ndarray
    diagonal: np.ndarray


def no_moments(dim: int, form: Form) -> Moments:
    """Those of no draws."""
    vector, square = np.zeros(dim), np.zeros((dim, dim) if form == "dense" else dim)
    return Moments(0, vector, square, vector, square, 0.0, 0.0, 0, square, vector)


def add(m: Moments, z: Float[np.ndarray, " d"], grad: np.ndarray, lp: float, curvature: Curvature | None) -> Moments:
    """The moments with one more draw; an empty gradient counts as zero."""
    n = m.n + 1
    mean_z, zz = _deviate(n, m.z, m.zz, z)
    mean_g, gg = _deviate(n, m.grad, m.gg, grad) if grad.size else (m.grad, m.gg)
    lp_mean = m.lp + (lp - m.lp) / n
    m = m._replace(n=n, z=mean_z, zz=zz, grad=mean_g, gg=gg, lp=lp_mean, lplp=m.lplp + (lp - m.lp) * (lp - lp_mean))
    if curvature is None:
        return m
    information = curvature.information if m.information.ndim == 2 else np.diag(curvature.information)
    if not (np.isfinite(information).all() and np.isfinite(curvature.diagonal).all()):
        return m
    k = m.curved + 1
    return m._replace(
        curved=k,
        information=m.information + (information - m.information) / k,
        diagonal=m.diagonal + (curvature.diagonal - m.diagonal) / k,
    )


def from_scale(scale: Float[np.ndarray, " d"], form: Form) -> Metric:
    """The metric of widths alone."""
    return Metric(np.diag(scale) if form == "dense" else scale.copy())


def from_curvature(curvature: Curvature, scale: Float[np.ndarray, " d"], form: Form) -> Metric:
    """M = |information + diag(diagonal)|, in units of `scale`, and never below `FLATTEST`."""
    if not (np.isfinite(curvature.information).all() and np.isfinite(curvature.diagonal).all()):
        return from_scale(scale, form)
    if form == "diagonal":
        bent = np.maximum(np.abs(np.diag(curvature.information) + curvature.diagonal) * scale**2, FLATTEST)
        return Metric(scale / np.sqrt(bent))
    H = curvature.information + np.diag(curvature.diagonal)
    w, V = np.linalg.eigh(_symmetric(H * np.outer(scale, scale)))
    return Metric.from_inverse_mass(_symmetric((V / np.maximum(np.abs(w), FLATTEST)) @ V.T) * np.outer(scale, scale))


def learnt(m: Moments, before: Metric) -> Metric:
    """The metric that a window teaches, or the one before it where it teaches nothing.

        M⁻¹ = A # B⁻¹,   that is M⁻¹ B M⁻¹ = A

    the geometric mean of A, the covariance of the draws, and of the inverse of B, that of the gradients. It minimises the
    Fisher divergence between π and a normal density (Seyboldt, Carlson & Carpenter, Preconditioning Hamiltonian Monte Carlo
    by minimizing Fisher divergence); for a normal π the errors of A and B cancel, and d + 1 draws tell its covariance. The
    mean curvature H, where the target tells it, is sharp after a few draws already: it counts as d + 2 draws in B, and its
    inverse in A. Without gradients M⁻¹ is A, drawn to the metric before by as many draws.
    """
    if m.n < 2 or not (np.isfinite(m.zz).all() and np.isfinite(m.gg).all()):
        return before
    if m.zz.ndim == 1:
        return _learnt_diagonal(m, before)
    few = len(m.z) + 2
    var_z, var_g = np.diag(m.zz) / (m.n - 1), np.diag(m.gg) / (m.n - 1)
    if not (var_z > 0).all():
        return before
    if m.curved:
        unit = np.sqrt(np.diag(before.inverse_mass_matrix))
    elif not var_g.any():
        M = before.inverse_mass_matrix
        return _factored((m.n * m.zz / (m.n - 1) + few * M) / (m.n + few), before)
    elif not (var_g > 0).all():
        return before
    else:
        unit = (var_z / var_g) ** 0.25
        if m.n < few:
            return Metric(np.diag(unit))
    units = np.outer(unit, unit)
    A, B = m.zz / (m.n - 1) / units, m.gg / (m.n - 1) * units
    if m.curved:
        H = _bent((m.information + np.diag(m.diagonal)) * units)
        A, B = (m.n * A + few * np.linalg.inv(H)) / (m.n + few), (m.n * B + few * H) / (m.n + few)
    else:
        A, B = A + RIDGE * np.eye(len(unit)), B + RIDGE * np.eye(len(unit))
    return _factored(_geometric_mean(A, B) * units, before)


def change(before: Metric, after: Metric) -> float:
    """log of the largest ratio of widths by which the two differ, their common scale apart."""
    if before.root.ndim == 1:
        ratio = np.log(after.root / before.root)
        return float(ratio.max() - ratio.min())
    X = np.linalg.solve(before.root, after.root)
    s = np.linalg.svd(X, compute_uv=False)
    return float(np.log(s[0] / s[-1]))


def _learnt_diagonal(m: Moments, before: Metric) -> Metric:
    var_z, var_g = m.zz / (m.n - 1), m.gg / (m.n - 1)
    if not (var_z > 0).all():
        return before
    if m.curved:
        var_g = (m.n * var_g + 2 * np.maximum(m.information + m.diagonal, 0.0)) / (m.n + 2)
    return Metric((var_z / var_g) ** 0.25 if (var_g > 0).all() else np.sqrt(var_z))


def _deviate(n: int, mean: np.ndarray, squares: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    before = x - mean
    mean = mean + before / n
    after = x - mean
    return mean, squares + (np.outer(after, before) if squares.ndim == 2 else after * before)


def _bent(H: np.ndarray) -> np.ndarray:
    """|H|, no eigenvalue below a millionth of what units of the right size would give."""
    w, V = np.linalg.eigh(_symmetric(H))
    return _symmetric((V * np.maximum(np.abs(w), RIDGE)) @ V.T)


def _geometric_mean(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """A # B⁻¹ = B^(−1/2) (B^(1/2) A B^(1/2))^(1/2) B^(−1/2)."""
    w, V = np.linalg.eigh(_symmetric(B))
    root = np.sqrt(np.maximum(w, RIDGE * w[-1] * 1e-6))
    half, back = (V * root) @ V.T, (V / root) @ V.T
    s, U = np.linalg.eigh(_symmetric(half @ A @ half))
    return _symmetric(back @ ((U * np.sqrt(np.maximum(s, 0.0))) @ U.T) @ back)


def _factored(inverse_mass_matrix: np.ndarray, before: Metric) -> Metric:
    try:
        return Metric.from_inverse_mass(inverse_mass_matrix)
    except np.linalg.LinAlgError:
        return before


def _symmetric(X: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 * (X + X.T))
