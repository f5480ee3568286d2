"""Quantiles of predictions, series by series: what is drawn over the data, and what the tables say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bnfhmc.noise import Constant
from bnfhmc.noise.location_scale import LocationScale
from bnfhmc.problem import Experiment, Problem, Series
from bnfhmc.report.predictive import Predictive

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)  # the 90 % band, the 50 % band and the median


@dataclass(frozen=True, slots=True)
class SeriesFit:
    """One series of an experiment beside its predictions.

    ``axis``: what ``x`` and ``rows`` are ("time", or the quantity of a scan); ``curve[q, row]``: QUANTILES of the model's
    value at `rows`; ``x[n]``, ``observed[n]``: the measurements; ``bars[2, n]``: y ± σ on the scale of the noise, where σ is
    known before the run; ``predicted[n]``: the median of the model's value; ``new[q, n]``: QUANTILES of a new measurement;
    ``below[n]``: the share of new measurements below the one that was made, halves counting for ties; ``logarithmic``:
    whether the noise is additive on a logarithm.
    """

    experiment: str
    name: str
    axis: str
    rows: Float[np.ndarray, " row"]
    curve: Float[np.ndarray, "q row"]
    x: Float[np.ndarray, " n"]
    observed: Float[np.ndarray, " n"]
    bars: Float[np.ndarray, "2 n"] | None
    predicted: Float[np.ndarray, " n"]
    new: Float[np.ndarray, "q n"]
    below: Float[np.ndarray, " n"]
    logarithmic: bool

    @property
    def outside(self) -> int:
        """How many measurements lie outside of the central 90 % of what a new one would be."""
        return int(np.sum((self.observed < self.new[0]) | (self.observed > self.new[-1])))


def series_fits(problem: Problem, found: Predictive) -> tuple[SeriesFit, ...]:
    """Every series that has measurements; `found`: predictions of this problem, with at least one solved draw."""
    out, start = [], 0
    for i, e in enumerate(problem.experiments):
        for k, s in enumerate(e.series):
            end = start + len(s.observed)
            if end > start:
                out.append(_fit(e, s, found.rows[i], found.curves[i][:, :, k], found, slice(start, end)))
            start = end
    return tuple(out)


def quantiles(values: Float[np.ndarray, "s n"]) -> Float[np.ndarray, "q n"]:
    """QUANTILES over the draws."""
    return np.quantile(values, QUANTILES, axis=0)


def _fit(e: Experiment, s: Series, rows: np.ndarray, curve: np.ndarray, found: Predictive, at: slice) -> SeriesFit:
    new = found.replicated[:, at]
    below = (new < s.observed).mean(axis=0) + 0.5 * (new == s.observed).mean(axis=0)
    return SeriesFit(
        e.name, s.name, "time" if e.scan is None else e.scan.quantity, rows, quantiles(curve), rows[s.time_index], s.observed,
        _bars(s), np.median(found.predicted[:, at], axis=0), quantiles(new), below, is_logarithmic(s),
    )  # fmt: skip


def is_logarithmic(s: Series) -> bool:
    """Whether the noise of a series is additive on a logarithmic scale."""
    return isinstance(s.noise, LocationScale) and s.noise.scale.ln_base != 0


def _bars(s: Series) -> Float[np.ndarray, "2 n"] | None:
    if not isinstance(s.noise, LocationScale):
        return None
    sigma = s.sources.get(s.noise.parameters[0])
    if not isinstance(sigma, Constant):
        return None
    middle = s.noise.scale.forward(s.observed)
    return np.array([s.noise.scale.inverse(middle + sign * np.asarray(sigma.values)) for sign in (-1, 1)])
