"""What the model says, and what a new measurement would be, at each draw of the posterior or of the prior."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from bnfhmc.errors import FailedSolve
from bnfhmc.likelihood import ExperimentLikelihood, Prediction
from bnfhmc.model.protocol import FailureKind
from bnfhmc.noise.transform import Initial, SeriesScale
from bnfhmc.posterior import Posterior
from bnfhmc.problem import Experiment, Problem, Series
from bnfhmc.report.parallel import over_draws

GRID = 81  # further times that a curve is drawn through
POINTWISE = (Initial, SeriesScale)  # transforms whose value at a row does not depend on which other rows there are


class Drawn(NamedTuple):
    """One draw: the model's value of each series at each row, by experiment; at each measurement the model's value, a new
    measurement, and the normalised log density of the one that was made."""

    curves: tuple[Float[np.ndarray, "row series"], ...]
    predicted: Float[np.ndarray, " n"]
    replicated: Float[np.ndarray, " n"]
    loglik: Float[np.ndarray, " n"]


# The numbers of a draw in one row, the kind of its failure, or None where there was no time for it.
Found = np.ndarray | str | None

# What predicts some rows of u, given the number of the first, and all the rows → what it finds, with posteriors elsewhere.
Away = Callable[[Callable[..., list[Found]], Float[np.ndarray, "s d"]], list[Found]]


@dataclass(frozen=True, slots=True)
class Predictive:
    """Predictions at many draws.

    ``at[s]``: which of the draws could be solved; ``failures``: how many could not, by kind; ``rows`` and ``curves``: by
    experiment, its times or doses and the model's value of each series at them; ``predicted``, ``replicated``, ``loglik``:
    at each measurement in the order of `Posterior.measurements` the model's value, a new measurement ỹ ~ p(ỹ | θ), and
    log p(y | θ) of the one that was made.
    """

    at: Int[np.ndarray, " s"]
    failures: Mapping[str, int]
    rows: tuple[Float[np.ndarray, " row"], ...]
    curves: tuple[Float[np.ndarray, "s row series"], ...]
    predicted: Float[np.ndarray, "s n"]
    replicated: Float[np.ndarray, "s n"]
    loglik: Float[np.ndarray, "s n"]


def predict(
    posterior: Posterior,
    u: Float[np.ndarray, "s d"],
    *,
    cores: int | None = None,
    seed: int = 0,
    seconds: float | None = None,
    away: Away | None = None,
) -> Predictive:
    """The predictions at each row of u, from one solve without sensitivities a row and experiment.

    ``cores``: used at once, None for all that the process may use. ``seed``: of the new measurements; the same seed
    gives the same ones whatever the number of cores. ``seconds``: after which no further row is begun, None for never; far
    out in a prior a solve can take as long as the solver lets it. ``away``: has the rows solved elsewhere; None solves here.
    """
    until = np.inf if seconds is None else time.time() + seconds
    if away is None:
        found = over_draws(posterior, len(u), lambda own, i: _drawn(own, u[i], (seed, i), until), cores)
    else:
        found = away(partial(_rows, seed=seed, until=until), u)
    experiments, n = posterior.problem.experiments, len(posterior.measurements)
    shapes = [*((len(e.rows), len(e.series)) for e in experiments), (n,), (n,), (n,)]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    solved = np.array([d for d in found if isinstance(d, np.ndarray)]).reshape(-1, max(int(ends[-1]), 1))
    parts = [part.reshape(len(solved), *shape)
             for part, shape in zip(np.split(solved[:, : ends[-1]], ends[:-1], axis=1), shapes, strict=True)]  # fmt: skip
    return Predictive(
        np.array([i for i, d in enumerate(found) if isinstance(d, np.ndarray)], dtype=int),
        Counter(d for d in found if isinstance(d, str)),
        tuple(np.asarray(e.rows, dtype=float) for e in experiments),
        tuple(parts[: len(experiments)]),
        *parts[len(experiments) :],
    )


def _rows(posterior: Posterior, u: Float[np.ndarray, "s d"], first: int, seed: int, until: float) -> list[Found]:
    """The predictions at some rows, of which the first has the number `first` among all."""
    return [_drawn(posterior, row, (seed, first + i), until) for i, row in enumerate(u)]


def _drawn(posterior: Posterior, u: Float[np.ndarray, " d"], seed: tuple[int, int], until: float) -> Found:
    if time.time() > until:
        return None
    one = predict_one(posterior, u, np.random.default_rng(seed))
    return one if isinstance(one, str) else _flat(one)  # one array, since each that a process sends costs time


def predict_one(posterior: Posterior, u: Float[np.ndarray, " d"], rng: np.random.Generator) -> Drawn | str:
    """The predictions at one u, or the kind of failure."""
    count = len(posterior.problem.experiments)
    try:
        predictions = posterior.solved(u, gradient=False)[:count]
    except FailedSolve as failure:
        return failure.kind
    pairs = list(zip(posterior.experiments, predictions, strict=True))
    with np.errstate(all="ignore"):
        curves = tuple(np.array(p.observed.P[:, : len(e.experiment.series)]) for e, p in pairs)
        predicted = np.concatenate([e.predicted(p) for e, p in pairs] or [np.empty(0)])
        loglik = np.concatenate([e.pointwise(p) for e, p in pairs] or [np.empty(0)])
        try:
            replicated = np.concatenate([new_measurements(e, p, rng) for e, p in pairs] or [np.empty(0)])
        except ValueError:  # numpy's word for a mean or a scale that no distribution has
            return str(FailureKind.NONFINITE)
    if not (np.isfinite(predicted).all() and np.isfinite(replicated).all()):
        return str(FailureKind.NONFINITE)
    return Drawn(curves, predicted, replicated, loglik)


def new_measurements(
    likelihood: ExperimentLikelihood, prediction: Prediction, rng: np.random.Generator
) -> Float[np.ndarray, " n"]:
    """One new measurement ỹ ~ p(ỹ | θ) in the place of each that was made, in the order of `pointwise`.

    Raises ValueError where the prediction is not one that its noise family can have.
    """
    out, P = np.empty(likelihood.size), prediction.observed.P.ravel()
    for g in likelihood.groups:
        out[g.at] = g.noise.draw(rng, P[g.cell], g.noise_at(prediction.theta, P))
    return out


def densely(problem: Problem, points: int = GRID) -> Problem:
    """The problem with further output times, at which curves are drawn; its measurements and their noise are the same.

    Left as they are: scans and steady states, and experiments with a transform whose values depend on the other rows.
    """
    return replace(problem, experiments=tuple(_dense(e, points) for e in problem.experiments))


def prior_draws(posterior: Posterior, draws: int, seed: int) -> Float[np.ndarray, "draw d"]:
    """Independent draws of u from the prior."""
    rng = np.random.default_rng((seed, 1))
    return np.array([posterior.prior.sample(rng) for _ in range(draws)]).reshape(draws, posterior.dim)


def thinned(draws: int, limit: int) -> Int[np.ndarray, " s"]:
    """The indices of at most `limit` of so many draws, evenly spaced."""
    return np.unique(np.linspace(0, draws - 1, min(limit, draws)).round().astype(int))


def _flat(drawn: Drawn) -> Float[np.ndarray, " all"]:
    """The numbers of a draw in one row, which is never empty."""
    row = np.concatenate([*(c.ravel() for c in drawn.curves), drawn.predicted, drawn.replicated, drawn.loglik])
    return row if row.size else np.zeros(1)


def _dense(e: Experiment, points: int) -> Experiment:
    if e.scan is not None or len(e.times) < 2 or not np.isfinite(e.times[-1]):
        return e
    if any(not isinstance(t, POINTWISE) for s in e.series for t in s.transforms):
        return e
    first, last = float(e.times[0]), float(e.times[-1])
    grid = [e.times, np.linspace(first, last, points)]
    early = e.times[e.times > max(first, 0.0)]
    if early.size and last > 100 * early[0]:
        grid.append(np.geomspace(early[0], last, points))
    times = np.unique(np.concatenate(grid))
    return replace(e, times=times, series=tuple(_moved(s, e.times, times) for s in e.series))


def _moved(s: Series, old: np.ndarray, new: np.ndarray) -> Series:
    """The series with its measurements at the rows they have among the new times."""
    return replace(s, time_index=np.searchsorted(new, old[s.time_index]))
