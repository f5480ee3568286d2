"""Is the gradient the gradient? Each component against central differences, within what the solver's noise allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import GradientMismatch
from bnfhmc.posterior import Evaluation
from bnfhmc.samplers.curvature import CurvedEvaluation

# Steps as fractions of a parameter's width. From each to the next, truncation falls 9-fold and noise grows 3-fold.
STEPS = 0.1 * 3.0 ** -np.arange(10)

# log π is taken to carry relative noise of this many times the solver's relative tolerance.
NOISE_PER_TOLERANCE = 100.0

# Relative error that a gradient from sensitivities may have beside a difference quotient without error.
GRADIENT_TOLERANCE = 3e-3

# A difference quotient settles the matter when its own error is below this share of the slope, and says nothing above
# the second.
DECISIVE, INFORMATIVE = 2e-3, 0.05

# Slopes below this, per width of the parameter, change log π by less than a sampler can notice.
NEGLIGIBLE = 1e-3


class Verdict(StrEnum):
    """What the difference quotient says about one component of the gradient."""

    OK = "ok"
    MISMATCH = "mismatch"
    UNDECIDED = "undecided"  # the quotient itself is not trustworthy here


@dataclass(frozen=True, slots=True)
class Slope:
    """One parameter's slope of log π, by the gradient and by the best central difference with its error estimate."""

    name: str
    gradient: float
    difference: float
    error: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class GradientReport:
    """The slopes at one point z[d]."""

    z: Float[np.ndarray, " d"]
    logp: float
    slopes: tuple[Slope, ...]

    def named(self, verdict: Verdict) -> tuple[Slope, ...]:
        """The slopes with this verdict."""
        return tuple(slope for slope in self.slopes if slope.verdict is verdict)


class _Quotient(NamedTuple):
    value: float
    error: float


Evaluate = Callable[[Float[np.ndarray, " d"]], Evaluation | CurvedEvaluation]


def compare_gradient(
    evaluate: Evaluate,
    names: Sequence[str],
    z: Float[np.ndarray, " d"],
    at_z: Evaluation | CurvedEvaluation,
    *,
    scale: Float[np.ndarray, " d"],
    rtol: float,
) -> GradientReport:
    """The gradient at z beside central differences, parameter by parameter.

        D(h) = (f(z + h e) − f(z − h e)) / 2h,   R(h) = D(h) + (D(h) − D(3h)) / 8,
        error(h) = max(|R(h) − R(3h)|, |R(h) − R(h/3)|) + noise/h

    over falling h, where R is D extrapolated once (Richardson) and noise = 100 · rtol · (1 + |f(z)|), or what the
    finest steps show when that is more. A quotient that finer ones contradict beyond their noise gets their distance as
    error. The ladder ends early where a quotient good to 0.2 % agrees: four steps, eight solves, for most parameters.
    Steps that reach a failed solve are left out.

    `scale`: each parameter's width in z, the unit of h. `rtol`: the solver's relative tolerance.
    """
    floor = NOISE_PER_TOLERANCE * rtol * (1.0 + abs(at_z.logp))
    slopes = []
    for i, name in enumerate(names):
        direction = np.zeros(z.size)
        direction[i] = scale[i]
        verdict, best = _judge(evaluate, z, direction, float(at_z.grad[i] * scale[i]), floor)
        slopes.append(Slope(name, float(at_z.grad[i]), best.value / float(scale[i]), best.error / float(scale[i]), verdict))
    return GradientReport(z, at_z.logp, tuple(slopes))


def check_gradient(
    evaluate: Evaluate,
    names: Sequence[str],
    z: Float[np.ndarray, " d"],
    at_z: Evaluation | CurvedEvaluation,
    *,
    scale: Float[np.ndarray, " d"],
    rtol: float,
    chain: int,
) -> GradientReport:
    """`compare_gradient`, or `GradientMismatch` naming the parameters, both numbers and the start of this chain."""
    report = compare_gradient(evaluate, names, z, at_z, scale=scale, rtol=rtol)
    wrong = report.named(Verdict.MISMATCH)
    if not wrong:
        return report
    said = "; ".join(
        f"{slope.name}: gradient {slope.gradient:.8g}, central difference {slope.difference:.8g} ± {slope.error:.2g}"
        for slope in wrong
    )
    where = ", ".join(f"{name} = {value:.6g}" for name, value in zip(names, z, strict=True))
    raise GradientMismatch(
        f"chain {chain + 1}: the gradient of log π and its central difference disagree beyond what a solver tolerance "
        f"of {rtol:g} explains for {said}; all in z, at the chain's start {where}, log π = {report.logp:.8g}. "
        "The sensitivities of these parameters are wrong in the model or its solver, or log π jumps here; tighten the "
        "solver's tolerances to tell the two apart"
    )


def _judge(
    evaluate: Evaluate, z: np.ndarray, direction: np.ndarray, gradient: float, floor: float
) -> tuple[Verdict, _Quotient]:
    """Verdict on a directional slope, and the quotient it rests on; h in units of the direction."""
    quotients = np.full(STEPS.size, np.nan)
    for k, h in enumerate(STEPS):
        above, below = evaluate(z + h * direction), evaluate(z - h * direction)
        if above.status == below.status == "ok":
            quotients[k] = (above.logp - below.logp) / (2.0 * h)
        best = _best(quotients[: k + 1], floor)
        if _settles(best, gradient):
            return Verdict.OK, best
    best = _best(quotients, max(floor, _seen_noise(quotients)))
    size = max(abs(gradient), abs(best.value))
    if size + best.error < NEGLIGIBLE:
        return Verdict.OK, best
    if not best.error <= INFORMATIVE * size:
        return Verdict.UNDECIDED, best
    within = abs(best.value - gradient) <= 5.0 * best.error + GRADIENT_TOLERANCE * size
    return (Verdict.OK if within else Verdict.MISMATCH), best


def _settles(best: _Quotient, gradient: float) -> bool:
    size = max(abs(gradient), abs(best.value))
    return best.error <= DECISIVE * size and abs(best.value - gradient) <= GRADIENT_TOLERANCE * size


def _best(quotients: np.ndarray, noise: float) -> _Quotient:
    """The extrapolated quotient on the plateau: R(h) that differs least from those at other steps, noise counted."""
    extrapolated = quotients[1:] + (quotients[1:] - quotients[:-1]) / 8.0
    blur = noise / STEPS[1 : quotients.size]
    best = _Quotient(np.nan, np.inf)
    for k in range(1, extrapolated.size - 1):
        away = np.abs(extrapolated - extrapolated[k])
        finer = away[k + 2 :] - 3.0 * blur[k + 2 :]
        error = max(away[k - 1], away[k + 1]) + blur[k]
        if finer.size and not np.isnan(finer).all():
            error = max(error, float(np.nanmax(finer)))
        if error < best.error:
            best = _Quotient(float(extrapolated[k]), float(error))
    return best


def _seen_noise(quotients: np.ndarray) -> float:
    """Noise of log π as the finest steps show it, where it is all that changes from one quotient to the next."""
    changes = np.abs(np.diff(quotients))[-4:] * STEPS[-4:]
    return float(np.median(changes)) if np.isfinite(changes).all() else 0.0
