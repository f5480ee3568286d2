"""Warm-up: step size and metric learnt in windows that double, as in Stan.

The schedule is data and the adaptation state a value; both are NumPy only, so that a warm-up can be stored at any draw
and carried on from there bit for bit.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.posterior import Evaluation

Metric = Literal["diagonal", "dense"]
InverseMass = Float[np.ndarray, " d"] | Float[np.ndarray, "d d"]

# What a covariance of n independent draws costs in d dimensions: its condition number is off by
# ((1 + √(d/n)) / (1 − √(d/n)))² (Marchenko & Pastur 1967), and a trajectory grows with the root of it: 5.8 times at
# n = 2d, 2.6 at 5d, 1.9 at 10d (measured at d = 50: 1.8). That is the price on a target without correlations. With a
# condition number of 10⁴ a dense metric saves a factor 20 to 40, so it is the default while its price is below 2.6, and
# a window shorter than 2d teaches the variances only.
LONGEST_PER_DIM = 5
WINDOW_PER_DIM = 2

# Dual averaging tries steps around 10 ε first, so it takes some draws to be better than the ε that it was given.
BOLDER = float(np.log(10.0))
SETTLED = 10


class Windows(NamedTuple):
    """A schedule in draws: step size alone, windows that each end with a new metric, step size alone."""

    initial: int
    metric: tuple[int, ...]
    final: int


class DualAveraging(NamedTuple):
    """State of Nesterov's dual averaging for log ε (Hoffman & Gelman 2014, section 3.2)."""

    log_step: float
    log_step_avg: float
    error_avg: float
    updates: int
    mu: float


class Moments(NamedTuple):
    """Running number n, mean[d] and sum of squared deviations [d] or [d, d] of draws (Welford 1962)."""

    n: int
    mean: np.ndarray
    squares: np.ndarray


class Adaptation(NamedTuple):
    """Everything a warm-up has learnt up to a draw."""

    averaging: DualAveraging
    moments: Moments
    inverse_mass_matrix: InverseMass

    @property
    def step_size(self) -> float:
        """The step size for the next transition."""
        return float(np.exp(self.averaging.log_step))


def windows(num_warmup: int) -> Windows:
    """Stan's schedule for so many draws (Stan Reference Manual, "HMC algorithm parameters").

    75 draws to arrive, windows of 25, 50, 100, … of which the last takes what the next would not find room for, and
    50 draws to settle the step size; below 150 draws one window of 75 %, below 20 no metric is learnt.
    """
    initial, first, final = 75, 25, 50
    if num_warmup < 20:
        return Windows(num_warmup, (), 0)
    if num_warmup < initial + first + final:
        initial, final = int(0.15 * num_warmup), int(0.1 * num_warmup)
        return Windows(initial, (num_warmup - initial - final,), final)
    lengths: list[int] = []
    left, length = num_warmup - initial - final, first
    while left:
        if left < 3 * length:  # not enough for this window and the next, which is twice as long
            length = left
        lengths.append(length)
        left, length = left - length, 2 * length
    return Windows(initial, tuple(lengths), final)


def boundaries(schedule: Windows) -> frozenset[int]:
    """The draws after which a window ends, counted from 1."""
    return frozenset(schedule.initial + end for end in itertools.accumulate(schedule.metric))


def default_metric(dim: int, num_warmup: int) -> Metric:
    """Dense while the longest window holds 5 draws a parameter: d ≤ 100 at 1000 draws of warm-up, 15 at 100."""
    longest = max(windows(num_warmup).metric, default=0)
    return "dense" if LONGEST_PER_DIM * dim <= longest else "diagonal"


def first_inverse_mass(scale: Float[np.ndarray, " d"], metric: Metric) -> InverseMass:
    """M⁻¹ = diag(scale²) in the form of this metric, with `scale` a guess at each parameter's width in z."""
    return np.diag(scale**2) if metric == "dense" else np.asarray(scale**2)


def begin(inverse_mass_matrix: InverseMass, step_size: float) -> Adaptation:
    """The state before the first draw."""
    return Adaptation(_restart(step_size), _no_moments(inverse_mass_matrix), inverse_mass_matrix)


def update(
    adaptation: Adaptation,
    z: Float[np.ndarray, " d"],
    acceptance_rate: float,
    target_accept: float,
    *,
    learns_metric: bool,
) -> Adaptation:
    """The state after a draw z that was reached with this mean acceptance rate."""
    averaging = _average(adaptation.averaging, target_accept - acceptance_rate)
    moments = _add(adaptation.moments, z) if learns_metric else adaptation.moments
    return Adaptation(averaging, moments, adaptation.inverse_mass_matrix)


def end_window(adaptation: Adaptation) -> Adaptation:
    """The state with the window's metric in force and its draws forgotten; the step size is to be found anew."""
    inverse_mass_matrix = _estimate(adaptation.moments, adaptation.inverse_mass_matrix)
    return Adaptation(adaptation.averaging, _no_moments(inverse_mass_matrix), inverse_mass_matrix)


def with_step_size(adaptation: Adaptation, step_size: float) -> Adaptation:
    """The state with dual averaging started afresh at this step size."""
    return adaptation._replace(averaging=_restart(step_size))


def final_step_size(adaptation: Adaptation) -> float:
    """exp of the averaged log ε; the step size it started from while too few draws have been averaged."""
    averaging = adaptation.averaging
    settled = averaging.updates >= SETTLED
    return float(np.exp(averaging.log_step_avg if settled else averaging.mu - BOLDER))


def reasonable_step_size(
    evaluate: Callable[[Float[np.ndarray, " d"]], Evaluation],
    z: Float[np.ndarray, " d"],
    logp: float,
    grad: Float[np.ndarray, " d"],
    inverse_mass_matrix: InverseMass,
    step_size: float,
    rng: np.random.Generator,
) -> float:
    """The step size doubled or halved until the acceptance of one leapfrog step crosses 0.8: the last one above.

    Hoffman & Gelman (2014), algorithm 4, in whitened coordinates z = L q, M⁻¹ = L Lᵀ, where the momentum is standard
    normal. A failed solve counts as rejected. `evaluate` is called once a trial, at most 100 times.
    """
    dense = inverse_mass_matrix.ndim == 2
    root = np.linalg.cholesky(inverse_mass_matrix) if dense else np.sqrt(inverse_mass_matrix)

    def to_z(q: np.ndarray) -> np.ndarray:
        return root @ q if dense else root * q

    def to_q(g: np.ndarray) -> np.ndarray:
        return root.T @ g if dense else root * g

    def accepted(epsilon: float) -> bool:
        momentum = rng.standard_normal(z.size)
        half = momentum + 0.5 * epsilon * to_q(grad)
        there = evaluate(z + epsilon * to_z(half))
        end = half + 0.5 * epsilon * to_q(there.grad)
        return bool(there.logp - 0.5 * (end @ end) - logp + 0.5 * (momentum @ momentum) > np.log(0.8))

    grows = accepted(step_size)
    for _ in range(99):
        tried = step_size * (2.0 if grows else 0.5)
        if accepted(tried) != grows:
            return step_size if grows else tried
        step_size = tried
    return step_size


def _restart(step_size: float) -> DualAveraging:
    log_step = float(np.log(step_size))
    return DualAveraging(log_step, 0.0, 0.0, 0, log_step + BOLDER)


def _average(state: DualAveraging, error: float, gamma: float = 0.05, t0: int = 10, kappa: float = 0.75) -> DualAveraging:
    """H̄ ← (1 − 1/(t + t₀)) H̄ + (δ − α)/(t + t₀); log ε = μ − (√t/γ) H̄; log ε̄ ← t^(−κ) log ε + (1 − t^(−κ)) log ε̄."""
    t = state.updates + 1
    error_avg = state.error_avg + (error - state.error_avg) / (t + t0)
    log_step = state.mu - np.sqrt(t) / gamma * error_avg
    log_step_avg = state.log_step_avg + t**-kappa * (log_step - state.log_step_avg)
    return DualAveraging(float(log_step), float(log_step_avg), float(error_avg), t, state.mu)


def _no_moments(inverse_mass_matrix: InverseMass) -> Moments:
    return Moments(0, np.zeros(len(inverse_mass_matrix)), np.zeros_like(inverse_mass_matrix))


def _add(moments: Moments, z: Float[np.ndarray, " d"]) -> Moments:
    n = moments.n + 1
    before = z - moments.mean
    mean = moments.mean + before / n
    after = z - mean
    product = np.outer(after, before) if moments.squares.ndim == 2 else after * before
    return Moments(n, mean, moments.squares + product)


def _estimate(moments: Moments, previous: InverseMass) -> InverseMass:
    """M⁻¹ = n/(n + 5) C + 10⁻³ · 5/(n + 5) diag C, with C the covariance of the window's n draws.

    Stan's regularisation with its unit of 1 replaced by each parameter's own variance, since widths in z range over
    orders of magnitude. A diagonal metric, or a window too short for a matrix, takes diag C; a window in which a
    parameter did not move keeps the metric.
    """
    n, _, squares = moments
    variances = (np.diag(squares) if squares.ndim == 2 else squares) / max(n - 1, 1)
    if not (np.isfinite(variances).all() and (variances > 0).all()):
        return previous
    if squares.ndim == 1:
        return variances
    if n < WINDOW_PER_DIM * len(variances):
        return np.diag(variances)
    covariance = 0.5 * (squares + squares.T) / (n - 1)
    return n / (n + 5) * covariance + 1e-3 * 5 / (n + 5) * np.diag(variances)
