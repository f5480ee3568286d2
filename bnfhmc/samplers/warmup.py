"""Warm-up: step size and metric learnt in windows that grow, until neither changes any more.

Windows are data and the adaptation is a value, NumPy only, so that a warm-up can be stored after any draw and carried on from
there bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.posterior import Evaluation
from bnfhmc.samplers import metric as metrics
from bnfhmc.samplers.curvature import CurvedEvaluation
from bnfhmc.samplers.kernels.protocol import Learns, Point, Tuning
from bnfhmc.samplers.metric import Metric, Moments

# How slowly dual averaging follows the acceptance. Hoffman & Gelman's 0.05 lets log ε swing by ± 0.5 while few draws are made,
# and as acceptance falls faster above the best ε than it rises below, the average then ends too low: at an acceptance of 0.93
# for a target of 0.8 (20-d normal: 0.88), here at 0.81 (0.81).
GAMMA = 0.2

# log ε where any step is accepted too often: a kernel then moves as far as it can.
LARGEST = math.log(1e3)

# Dual averaging tries steps of this many times ε first, so it takes some draws to be better than the ε that it was given.
BOLDER = 2.0
SETTLED = 10

# Two metrics are the same when no width in one differs more than this many times from that in the other.
SAME_SHAPE = 2.0

# Draws a parameter, or in all, that a reference is learnt from before a warm-up may end: mean and covariance of n independent
# ones are off by d (d + 3)/(4 n) in Kullback and Leibler's divergence.
ENOUGH, ENOUGH_IN_ALL = 60, 600

# Two windows are in one place when the means of log π differ by at most this many of the sds, √(d/2), that a normal π has.
SAME_PLACE = 1.0


class Windows(NamedTuple):
    """Lengths in draws: the first window, each next one `growth` times longer, and the last one for the step size alone.

    ``least``: the windows that there are before the warm-up may end.
    """

    first: int = 10
    growth: float = 1.5
    final: int = 40
    least: int = 3


WINDOWS = Windows()


class DualAveraging(NamedTuple):
    """State of Nesterov's dual averaging for log ε (Hoffman & Gelman 2014, section 3.2)."""

    log_step: float
    log_step_avg: float
    error_avg: float
    updates: int
    mu: float


class Adaptation(NamedTuple):
    """Everything a warm-up has learnt up to a draw.

    ``drawn``: its draws; ``window``: how many windows have ended, ``end``: after which draw this one does; ``recent``: the
    moments of this window's draws and of those before that still count, ``newest``: of this one's; ``lp_before``: the mean
    log π of the one before; ``settled``: only the step size is still learnt; ``center``: the mean of the draws that taught the
    metric, for kernels that learn it.
    """

    averaging: DualAveraging
    metric: Metric
    drawn: int
    window: int
    end: int
    recent: Moments
    newest: Moments
    lp_before: float
    settled: bool
    center: Float[np.ndarray, " d"] | None = None

    @property
    def tuning(self) -> Tuning:
        """What the next transition takes."""
        return Tuning(math.exp(self.averaging.log_step), self.metric, self.center)


def begin(tuning: Tuning, num_warmup: int, windows: Windows = WINDOWS) -> Adaptation:
    """The state before the first draw."""
    none = metrics.no_moments(len(tuning.metric.root), tuning.metric.form)
    end, settled = _next_end(0, 0, num_warmup, windows)
    return Adaptation(_restart(tuning.step_size), tuning.metric, 0, 0, end, none, none, -math.inf, settled, tuning.center)


def update(a: Adaptation, point: Point, acceptance_rate: float, target_accept: float) -> Adaptation:
    """The state after a draw that was reached with this mean acceptance rate."""
    draw = point.z, point.grad, float(point.logp), point.curvature
    return a._replace(
        averaging=_average(a.averaging, target_accept - acceptance_rate),
        drawn=a.drawn + 1,
        recent=a.recent if a.settled else metrics.add(a.recent, *draw),
        newest=a.newest if a.settled else metrics.add(a.newest, *draw),
    )


def at_boundary(a: Adaptation) -> bool:
    """Whether the window ends with the last draw."""
    return a.drawn == a.end


def finished(a: Adaptation, num_warmup: int) -> bool:
    """Whether the warm-up is over."""
    return a.drawn >= num_warmup or (a.settled and a.drawn >= a.end)


def end_window(a: Adaptation, learns: Learns, num_warmup: int, windows: Windows = WINDOWS) -> Adaptation:
    """The state with the window's metric in force; its draws count in the next one too, those before it for a reference only.

    Where log π has changed since the window before, on the way to the typical set, the draws of that one do not count at all.
    """
    same_place = abs(a.newest.lp - a.lp_before) <= max(SAME_PLACE * math.sqrt(0.5 * len(a.metric.root)), 1.0)
    taught = a.recent if same_place else a.newest
    metric = metrics.learnt(taught, a.metric) if learns in (Learns.METRIC, Learns.REFERENCE) else a.metric
    window = a.window + 1
    same_shape = metrics.change(a.metric, metric) <= math.log(SAME_SHAPE)
    enough = learns is not Learns.REFERENCE or taught.n >= min(ENOUGH * len(taught.z), ENOUGH_IN_ALL)
    settled = window >= windows.least and same_shape and same_place and enough
    end, last = _next_end(window, a.drawn, num_warmup, windows)
    end = min(a.drawn + windows.final, num_warmup) if settled else end
    none = metrics.no_moments(len(metric.root), metric.form)
    recent, center = (taught, taught.z) if learns is Learns.REFERENCE else (a.newest, a.center)
    return a._replace(
        metric=metric, window=window, end=end, recent=recent, newest=none, lp_before=a.newest.lp, settled=settled or last,
        center=center,
    )  # fmt: skip


def with_step_size(a: Adaptation, step_size: float) -> Adaptation:
    """The state with dual averaging started afresh at this step size."""
    return a._replace(averaging=_restart(step_size))


def tuned(a: Adaptation) -> Tuning:
    """exp of the averaged log ε, and the metric; the step size it started from while too few draws have been averaged."""
    averaging = a.averaging
    settled = averaging.updates >= SETTLED
    return Tuning(math.exp(averaging.log_step_avg if settled else averaging.mu - math.log(BOLDER)), a.metric, a.center)


def reasonable_step_size(
    evaluate: Callable[[Float[np.ndarray, " d"]], Evaluation | CurvedEvaluation],
    point: Point,
    tuning: Tuning,
    rng: np.random.Generator,
) -> float:
    """The step size doubled or halved until the acceptance of one leapfrog step crosses 0.8: the last one above.

    Hoffman & Gelman (2014), algorithm 4, in the coordinates of the metric. A failed solve counts as rejected. `evaluate` is
    called once a trial, at most 100 times.
    """
    metric, z, logp = tuning.metric, point.z, float(point.logp)

    def accepted(epsilon: float) -> bool:
        momentum = rng.standard_normal(z.size)
        half = momentum + 0.5 * epsilon * metric.pull(point.grad)
        there = evaluate(z + epsilon * metric.push(half))
        end = half + 0.5 * epsilon * metric.pull(there.grad)
        return bool(there.logp - 0.5 * (end @ end) - logp + 0.5 * (momentum @ momentum) > math.log(0.8))

    step_size = tuning.step_size
    grows = accepted(step_size)
    for _ in range(99):
        tried = step_size * (2.0 if grows else 0.5)
        if accepted(tried) != grows:
            return step_size if grows else tried
        step_size = tried
    return step_size


def _next_end(window: int, drawn: int, num_warmup: int, windows: Windows) -> tuple[int, bool]:
    """After which draw the window ends that begins now, and whether it is the last one, for the step size alone.

    A window takes what the next would not find room for; with less than two windows' room nothing but the step size is learnt.
    """
    left = num_warmup - drawn
    length = int(windows.first * windows.growth**window)
    final = min(windows.final, num_warmup // 4)
    if left - final < windows.first:
        return num_warmup, True
    if left - final < length + int(length * windows.growth):
        length = left - final
    return drawn + length, False


def _restart(step_size: float) -> DualAveraging:
    log_step = math.log(step_size)
    return DualAveraging(log_step, 0.0, 0.0, 0, log_step + math.log(BOLDER))


def _average(state: DualAveraging, error: float, gamma: float = GAMMA, t0: int = 10, kappa: float = 0.75) -> DualAveraging:
    """H̄ ← (1 − 1/(t + t₀)) H̄ + (δ − α)/(t + t₀); log ε = μ − (√t/γ) H̄; log ε̄ ← t^(−κ) log ε + (1 − t^(−κ)) log ε̄."""
    t = state.updates + 1
    error_avg = state.error_avg + (error - state.error_avg) / (t + t0)
    log_step = min(state.mu - math.sqrt(t) / gamma * error_avg, LARGEST)
    log_step_avg = state.log_step_avg + t**-kappa * (log_step - state.log_step_avg)
    return DualAveraging(log_step, log_step_avg, error_avg, t, state.mu)
