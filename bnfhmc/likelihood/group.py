"""Measurements that share a noise family, as flat arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from bnfhmc.expression.closures import number_of
from bnfhmc.noise import Constant, Formula, Loss, NoiseModel, Normal
from bnfhmc.phase import Theta
from bnfhmc.problem import Series


@dataclass(frozen=True, slots=True)
class Squares:
    """Gaussian noise of known σ on the prediction itself, replicates taken together:

        ½ Σ_n ((P_c(n) − ỹ_n)/σ_n)² = ½ Σ_c W_c (P_c − mean_c)² + rest,   W_c = Σ 1/σ_n²

    over the measurements n of each cell c, whose mean is weighted by 1/σ²; ``cells``: those measured, None for all of P.
    """

    cells: Int[np.ndarray, " c"] | None
    W: Float[np.ndarray, " c"]
    mean: Float[np.ndarray, " c"]
    rest: float

    def loss(self, P: Float[np.ndarray, " cell"]) -> tuple[float, Float[np.ndarray, " c"]]:
        """The loss and its ∂/∂P of the measured cells."""
        r = P - self.mean if self.cells is None else P[self.cells] - self.mean
        slope = self.W * r
        return 0.5 * float(np.dot(slope, r)) + self.rest, slope


@dataclass(frozen=True, slots=True)
class Group:
    """All measurements of an experiment that share a noise family, as flat arrays.

    ``cell[n]``: index into the flattened P[row, column]; ``at[n]``: place among the experiment's measurements;
    ``formulas``: (noise parameter, rows, formula of θ alone); ``read``: (noise parameter, rows, cells of its formula in P);
    ``squares``: the whole group as squares, where it is; ``numbers``, ``slopes``: of each formula its value and its slopes
    by free parameters, (parameter, slope), as functions of θ.
    """

    noise: NoiseModel
    cell: Int[np.ndarray, " n"]
    at: Int[np.ndarray, " n"]
    observed: Float[np.ndarray, " n"]
    constants: Mapping[str, Float[np.ndarray, " n"]]
    formulas: tuple[tuple[str, slice, Formula], ...]
    read: tuple[tuple[str, slice, Int[np.ndarray, " m"]], ...]
    estimated: frozenset[str]
    squares: Squares | None
    numbers: tuple[Callable[[Theta], float], ...] = ()
    slopes: tuple[tuple[tuple[str, Callable[[Theta], float]], ...], ...] = ()

    def noise_at(self, theta: Theta, P: Float[np.ndarray, " cell"]) -> dict[str, np.ndarray]:
        """Each noise parameter, one value a measurement."""
        out = dict(self.constants)
        for name in self.estimated:
            out[name] = out[name].copy()
        for (name, rows, _), number in zip(self.formulas, self.numbers, strict=True):
            out[name][rows] = number(theta)
        for name, rows, cells in self.read:
            out[name][rows] = P[cells]
        return out

    def loss(self, theta: Theta, P: Float[np.ndarray, " cell"]) -> Loss:
        """The loss of each measurement; a scale ≤ 0 or an overflow shows as a loss that is not finite."""
        return self.noise.loss(P[self.cell], self.observed, self.noise_at(theta, P), self.estimated)


def groups_of(series: Sequence[Series], reading: Mapping[tuple[int, str], int], rows: int) -> tuple[Group, ...]:
    """The groups of an experiment with so many rows; `reading`: (series, noise parameter) → the column of P of its formula.

    A normaliser counts where its parameter is estimated, so series are grouped by family and by what is estimated.
    """
    alike: dict[tuple[NoiseModel, frozenset[str]], list[int]] = {}
    for i, s in enumerate(series):
        estimated = frozenset(name for name, source in s.sources.items() if isinstance(source, Formula))
        alike.setdefault((s.noise, estimated), []).append(i)
    return tuple(_group(noise, series, which, reading, rows) for (noise, _), which in alike.items())


def _group(
    noise: NoiseModel, series: Sequence[Series], which: Sequence[int], reading: Mapping[tuple[int, str], int], size: int
) -> Group:
    first = np.cumsum([0, *(len(s.observed) for s in series)])
    width, end = len(series) + len(reading), 0
    constants: dict[str, Any] = {name: np.empty(sum(len(series[i].observed) for i in which)) for name in noise.parameters}
    formulas, read = [], []
    for i in which:
        s, rows = series[i], slice(end, end + len(series[i].observed))
        end = rows.stop
        for name in noise.parameters:
            source = s.sources.get(name, Constant(noise.defaults.get(name, np.nan)))
            if isinstance(source, Constant):
                constants[name][rows] = source.values
            elif (i, name) in reading:
                read.append((name, rows, s.time_index * width + reading[i, name]))
            else:
                formulas.append((name, rows, source))
    cell = np.concatenate([series[i].time_index * width + i for i in which])
    observed = np.concatenate([series[i].observed for i in which])
    known = isinstance(noise, Normal) and not formulas and not read
    return Group(
        noise,
        cell,
        np.concatenate([np.arange(first[i], first[i + 1]) for i in which]),
        observed,
        constants,
        tuple(formulas),
        tuple(read),
        frozenset(name for name, *_ in (*formulas, *read)),
        _squares(cell, observed, constants["sigma"], size * width) if known else None,
        tuple(number_of(formula.expression) for _, _, formula in formulas),
        tuple(tuple((n, number_of(d)) for n, d in formula.derivatives.items()) for _, _, formula in formulas),
    )


@np.errstate(all="ignore")
def _squares(cell: np.ndarray, observed: np.ndarray, sigma: np.ndarray, size: int) -> Squares | None:
    """The squares of measurements with these σ, or None where a weight is too large or too small for a float."""
    cells, of = np.unique(cell, return_inverse=True)
    weight = 1.0 / sigma**2
    W = np.bincount(of, weight)
    mean = np.bincount(of, weight * observed) / W
    rest = 0.5 * float(np.sum(weight * (observed - mean[of]) ** 2))
    if not (np.isfinite(W).all() and np.isfinite(mean).all() and np.isfinite(rest)):
        return None
    return Squares(None if len(cells) == size else cells, W, mean, rest)
