"""Transforms of a series: what ``normalization`` and ``cumulative`` do to an observable's simulated values.

    value = T_m(… T_1(x)),   ∂value/∂θ = J_m … J_1 ∂x/∂θ,   ∂loss/∂x = J_1ᵀ … J_mᵀ ∂loss/∂value

x[row] are the values at all output rows of one experiment, measured or not. Each J is the identity or a difference
of rows plus an update of rank one or two, so J dx and Jᵀ w cost O(row); no row × row matrix is ever formed. Where a
divisor is zero the values are not finite, without exception or warning. At a kink (two rows that share the maximum, a
standard deviation of zero) the derivative is that of the branch in force, which is the first of the rows.

Conventions of PyBNF 1.8.1: the normalisations come first, as chained; then the cumulative difference; the analytic
factor comes last, wherever the chain names it. `Floor` alone acts on the measurements as well (`floored`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
from jaxtyping import Float, Int

from bnfhmc.errors import InputError, Mistake, nearest
from bnfhmc.noise.family import NoiseModel
from bnfhmc.noise.location_scale import LocationScale
from bnfhmc.noise.scale import LIN, NoiseScale

FLOOR = 0.03  # the fraction of the maximum that a bare ``floor`` adds

_QUIET = np.errstate(all="ignore")  # a division by zero shows in the values
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SeriesData:
    """The measurements an analytic factor is fitted to: ``observed[n]`` (finite) at the rows ``time_index[n]``."""

    time_index: Int[np.ndarray, " n"]
    observed: Float[np.ndarray, " n"]


class Applied(NamedTuple):
    """A transformed series and its Jacobian J = ∂value/∂x as two products: ``push(dx) = J dx``, ``pull(w) = Jᵀ w``."""

    value: Float[np.ndarray, " row"]
    push: Callable[[Float[np.ndarray, "row k"]], Float[np.ndarray, "row k"]]
    pull: Callable[[Float[np.ndarray, " row"]], Float[np.ndarray, " row"]]


class Transform(Protocol):
    """One transform of a series."""

    def apply(self, x: Float[np.ndarray, " row"], data: SeriesData) -> Applied:
        """The transformed values of `x` and the Jacobian there; `data` matters to `SeriesScale` only."""
        ...


@dataclass(frozen=True, slots=True)
class Initial:
    """x_i / x_0: relative to the first row."""

    @_QUIET
    def apply(self, x: Float[np.ndarray, " row"], data: SeriesData) -> Applied:
        return _quotient(x, 0)


@dataclass(frozen=True, slots=True)
class Peak:
    """x_i / max x: relative to the highest row, whatever the sign of its value."""

    @_QUIET
    def apply(self, x: Float[np.ndarray, " row"], data: SeriesData) -> Applied:
        return _quotient(x, _highest(x))


@dataclass(frozen=True, slots=True)
class UnitRange:
    """(x_i − x_0) / max(x − x_0), or (x_i − x_0) / |min(x − x_0)| where no row lies above the first."""

    @_QUIET
    def apply(self, x: Float[np.ndarray, " row"], data: SeriesData) -> Applied:
        top = _highest(x)
        if x[top] == x[0]:
            return _quotient(x, _highest(-x), base=0, sign=-1.0)
        return _quotient(x, top, base=0)


@dataclass(frozen=True, slots=True)
class ZScore:
    """(x_i − x̄) / s with s² = Σ(x_i − x̄)²/(rows − 1), or x_i − x̄ where s = 0.

    J = (C − v vᵀ/(rows − 1))/s with v the value and C = I − 11ᵀ/rows, which is symmetric.
    """

    @_QUIET
    def apply(self, x: Float[np.ndarray, " row"], data: SeriesData) -> Applied:
        centred = x - x.mean()
        spread = centred - centred.mean()
        sd = np.sqrt(np.divide(spread @ spread, len(x) - 1))
        value = centred if sd == 0 else centred / sd

        def push(dx: np.ndarray) -> np.ndarray:
            d = dx - dx.mean(axis=0)
            return d if sd == 0 else (d - np.outer(value, value @ d) / (len(x) - 1)) / sd

        return _applied(value, push, lambda w: push(w[:, None])[:, 0])


@dataclass(frozen=True, slots=True)
class Floor:
    """x_i + ρ max x: a floor at a fraction ``rho`` of the maximum, which the measurements get of their own maximum."""

    rho: float = FLOOR

    @_QUIET
    def apply(self, x: Float[np.ndarray, " row"], data: SeriesData) -> Applied:
        top = _highest(x)

        def pull(w: np.ndarray) -> np.ndarray:
            out = w.copy()
            out[top] += self.rho * w.sum()
            return out

        return _applied(x + self.rho * x[top], lambda dx: dx + self.rho * dx[top], pull)


@dataclass(frozen=True, slots=True)
class Increments:
    """x_i − x_{i−1}: a cumulative count as what each interval adds; the first row keeps its value."""

    @_QUIET
    def apply(self, x: Float[np.ndarray, " row"], data: SeriesData) -> Applied:
        def difference(x: np.ndarray) -> np.ndarray:
            return np.concatenate([x[:1], np.diff(x, axis=0)])

        return _applied(difference(x), difference, lambda w: np.concatenate([w[:-1] - w[1:], w[-1:]]))


@dataclass(frozen=True, slots=True)
class SeriesScale:
    """c x_i, with one factor c fitted to the series at every evaluation.

        linear:  c = Σ s d / Σ s²,          ∂c = Σ (d − 2 c s) ∂s / Σ s²
        log:     c = exp mean(ln d − ln s), ∂c = −(c/n) Σ ∂s/s

    over the measurements d and the values s at their rows. ``space`` is "log" where the noise is added on a logarithm.
    A measurement's σ is no weight, so it may be estimated like any other; but c is not the minimiser of the loss, and
    ∂c does not drop out of the gradient.
    """

    space: Literal["linear", "log"] = "linear"

    @_QUIET
    def apply(self, x: Float[np.ndarray, " row"], data: SeriesData) -> Applied:
        rows = data.time_index
        c, slope = self._factor(x[rows], data.observed)

        def push(dx: np.ndarray) -> np.ndarray:
            return c * dx + np.outer(x, slope @ dx[rows])

        def pull(w: np.ndarray) -> np.ndarray:
            return c * w + _dot(x, w) * np.bincount(rows, slope, minlength=len(x))

        return _applied(c * x, push, pull)

    def _factor(self, s: np.ndarray, d: np.ndarray) -> tuple[np.floating, np.ndarray]:
        """c and ∂c/∂s[n]."""
        if self.space == "log":
            c = np.exp(np.divide(np.sum(np.log(d) - np.log(s)), len(s)))
            return c, -c / (len(s) * s)
        square = s @ s
        c = np.divide(s @ d, square)
        return c, (d - 2.0 * c * s) / square


# the word of a ``normalization`` → its transform
TRANSFORMS: Mapping[str, type[Initial | Peak | ZScore | UnitRange | Floor | SeriesScale]] = {
    "init": Initial, "peak": Peak, "zero": ZScore, "unit": UnitRange, "floor": Floor, "scale": SeriesScale,
}  # fmt: skip


def apply_chain(transforms: Sequence[Transform], x: Float[np.ndarray, " row"], data: SeriesData) -> Applied:
    """The transforms one after another, the first one first, as one; none is the identity."""
    stages, value = [], x
    for t in transforms:
        stages.append(t.apply(value, data))
        value = stages[-1].value

    def push(dx: np.ndarray) -> np.ndarray:
        for stage in stages:
            dx = stage.push(dx)
        return dx

    def pull(w: np.ndarray) -> np.ndarray:
        for stage in reversed(stages):
            w = stage.pull(w)
        return w

    return Applied(value, push, pull)


def floored(transforms: Sequence[Transform], observed: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """The measurements of one observable in one experiment as a chain leaves them: each `Floor` adds ρ max."""
    for t in transforms:
        if isinstance(t, Floor):
            observed = observed + t.rho * np.max(observed)
    return observed


def parse_chain(text: str, *, cumulative: bool = False, noise: NoiseModel | None = None) -> tuple[Transform, ...]:
    """Read the value of a ``normalization``, such as ``floor 0.03, peak``, into transforms in the order they act.

    `cumulative`: whether the observable's noise_model says so; `noise`: its family, which decides what ``scale`` fits
    and is refused for counts, None standing for noise added to the measurement itself. An empty text is no
    normalisation. Raises InputError with every mistake of the text.
    """
    mistakes: list[Mistake] = []
    chain: list[Transform] = []
    factors: list[Transform] = []
    for part in text.split(",") if text.strip() else ():
        word, *rest = part.split() or [""]
        said = _mistake_in(word.lower(), rest, bool(factors), noise)
        if said is not None:
            mistakes.append(said)
        elif word.lower() == "scale":
            factors.append(SeriesScale("log" if _additive_scale(noise).ln_base else "linear"))
        else:
            chain.append(Floor(float(rest[0])) if rest else TRANSFORMS[word.lower()]())
    if mistakes:
        raise InputError(mistakes)
    return (*chain, *((Increments(),) if cumulative else ()), *factors)


def _additive_scale(noise: NoiseModel | None) -> NoiseScale:
    return noise.scale if isinstance(noise, LocationScale) else LIN


def _mistake_in(word: str, rest: list[str], has_factor: bool, noise: NoiseModel | None) -> Mistake | None:
    known = f"known are {', '.join(TRANSFORMS)}"
    if not word:
        return Mistake("a normalization names nothing between two commas or at its end", "delete the comma")
    if word == "cumulative":
        return Mistake("'cumulative' is no normalization", "type 'noise_model <observable> = <family>, …, cumulative'")
    if word not in TRANSFORMS:
        return Mistake(f"unknown normalization '{word}'", f"{nearest(word, TRANSFORMS)} {known}".strip())
    if word == "scale" and has_factor:
        return Mistake("'scale' is given twice in one normalization", "keep one")
    if word in ("scale", "floor") and noise is not None and not isinstance(noise, LocationScale):
        why = "has no factor for" if word == "scale" else "makes fractions of"
        instead = "multiply the observable by a parameter" if word == "scale" else "add a parameter to the observable"
        return Mistake(f"'{word}' {why} counts ({type(noise).__name__})", f"{instead} instead")
    if rest and word != "floor":
        return Mistake(f"normalization '{word}' takes nothing after it, got '{' '.join(rest)}'", f"type '{word}'")
    if rest and (len(rest) > 1 or not _NUMBER.fullmatch(rest[0]) or not 0 <= float(rest[0]) < math.inf):
        return Mistake(f"'floor' takes one number, a fraction of the maximum from 0 up, got '{' '.join(rest)}'",
                       f"type 'floor {FLOOR:g}'")  # fmt: skip
    return None


def _quotient(x: np.ndarray, ref: int, base: int | None = None, sign: float = 1.0) -> Applied:
    """v = (x − x_base)/N with N = ±(x_ref − x_base): J = (I − ± v e_refᵀ)(I − 1 e_baseᵀ)/N."""
    shifted = x if base is None else x - x[base]
    scale = sign * shifted[ref]
    value = shifted / scale

    def push(dx: np.ndarray) -> np.ndarray:
        d = dx if base is None else dx - dx[base]
        return (d - np.outer(value, sign * d[ref])) / scale

    def pull(w: np.ndarray) -> np.ndarray:
        out = w / scale
        out[ref] -= sign * _dot(value, out)
        if base is not None:
            out[base] -= out.sum()
        return out

    return _applied(value, push, pull)


def _applied(
    value: np.ndarray, push: Callable[[np.ndarray], np.ndarray], pull: Callable[[np.ndarray], np.ndarray]
) -> Applied:
    return Applied(value, _QUIET(push), _QUIET(pull))


def _highest(x: np.ndarray) -> int:
    """The first row of the largest value; a row without a value (0/0 before anything happens) is not looked at."""
    return int(np.argmax(np.where(np.isnan(x), -np.inf, x)))


def _dot(a: np.ndarray, w: np.ndarray) -> np.floating:
    """Σ a w over the rows that weigh something: a value that is not finite where nothing is measured adds nothing."""
    return np.sum(a * w, where=w != 0)
