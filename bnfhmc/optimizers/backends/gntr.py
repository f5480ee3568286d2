"""A trust region on the Fisher information, Gauss–Newton's matrix where the loss is a sum of squares, for problems with bounds.

    min_s gᵀs + ½ sᵀ(F + S)s   with   |s_i| ≤ min(Δ/D_i, cap_i)   and u + s within the bounds

The step is the exact minimum over the box, so that components reach their bounds and leave them in one iteration. D_i is
√F_ii, held up while it falls (Moré 1978): Δ then is a length in residuals, and a parameter that the data say little about
may go far. F leaves out the curvature of the residuals; S is the structured secant update that puts it back (Dennis, Gay &
Welsch 1981), used in the steps after it would have predicted the last one better than F alone.

A trial point is solved for its value first, at a fraction of the price of the derivatives, which only an accepted point gets.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.optimizers.backends.protocol import DECREASE, FAILED_START, Backend, End, Stagnation
from bnfhmc.optimizers.box_qp import box_minimum
from bnfhmc.optimizers.linear import raised
from bnfhmc.optimizers.losses import Quadratic
from bnfhmc.optimizers.search import Options, Search

FIRST_RADIUS = 10.0  # in residuals
LONGEST = 3.0  # a component of a step, in scales of its parameter
FADES = 0.9  # how fast D may fall, an iteration
SMALLEST = 1e-3  # of an entry of D, relative to the largest
NOTHING = 1e-3  # of f: less is not worth a solve, and may be the noise of one
ACCEPT, POOR, GOOD = 1e-4, 0.25, 0.75  # actual by predicted decrease


class _Trial(NamedTuple):
    """A step, the decrease it promises, and whether the trust region cut it."""

    s: Float[np.ndarray, " d"]
    predicted: float
    cut: bool


def minimise(search: Search, u0: Float[np.ndarray, " d"], options: Options) -> End:
    """Minimise f within the bounds; a trial point that fails shrinks the trust region."""
    u, here = u0, search.quadratic(u0)
    if here is None:
        return End(FAILED_START, False)
    lower, upper = search.objective.bounds
    ruler, radius = _ruler(here, np.zeros(len(u))), FIRST_RADIUS
    S, trusted = np.zeros_like(here.hess), False
    rest = Stagnation(options.tolerance)
    while True:
        cap = np.minimum(radius / ruler, LONGEST * search.objective.scale)
        trial = _trial(here, S if trusted else None, np.maximum(lower - u, -cap), np.minimum(upper - u, cap), cap)
        if trial.predicted < 0.01 * options.tolerance:
            if trusted:  # what F alone says decides
                trusted = False
                continue
            return _end(here, trial, lower - u, upper - u, search.objective.scale)
        there = np.clip(u + trial.s, lower, upper)
        value = search.value(there)
        ratio = (here.value - value) / trial.predicted
        length = float(np.max(np.abs(trial.s) * ruler))
        ahead = search.quadratic(there) if ratio > ACCEPT else None
        if ahead is None:
            trusted, radius = False, (radius if trusted else POOR * length)
            continue
        trusted = _secant_was_better(trial.s, here, ahead, S)
        S = _secant(trial.s, here, ahead, S)
        u, here, ruler = there, ahead, _ruler(ahead, FADES * ruler)
        if ratio < POOR:
            radius = POOR * length
        elif ratio > GOOD and length > 0.8 * radius:
            radius *= 2.0
        if rest.reached(here.value):
            return End(DECREASE, True)


def _trial(here: Quadratic, S: np.ndarray | None, lower: np.ndarray, upper: np.ndarray, cap: np.ndarray) -> _Trial:
    H = here.hess if S is None else here.hess + S
    L, _ = raised(H + 1e-12 * np.trace(here.hess) * np.eye(len(H)) + 1e-10 * np.eye(len(H)))
    s = box_minimum(here.grad, L @ L.T, lower, upper)
    return _Trial(s, -float(here.grad @ s + 0.5 * s @ H @ s), bool(np.any(np.abs(s) >= 0.99 * cap)))


def _end(here: Quadratic, trial: _Trial, lower: np.ndarray, upper: np.ndarray, scale: np.ndarray) -> End:
    """Why no step promises anything: there is nothing to gain, or the trust region has become too small for it."""
    if not trial.cut:
        return End("no slope any more", True)
    cap = LONGEST * scale
    free = _trial(here, None, np.maximum(lower, -cap), np.minimum(upper, cap), cap)
    if free.predicted < NOTHING:
        return End("no slope any more", True)
    return End("the trust region has vanished", False)


def _ruler(at: Quadratic, before: np.ndarray) -> Float[np.ndarray, " d"]:
    """D: √F_ii, no less than `before` and than a thousandth of its largest."""
    D = np.maximum(np.sqrt(np.maximum(np.diag(at.hess), 0.0)), before)
    largest = float(np.max(D))
    return np.maximum(D, SMALLEST * largest) if largest > 0 else np.ones(len(D))


def _secant_was_better(s: np.ndarray, here: Quadratic, there: Quadratic, S: np.ndarray) -> bool:
    """Whether F + S would have predicted the decrease better than F."""
    plain = float(here.grad @ s + 0.5 * s @ here.hess @ s)
    actual = there.value - here.value
    return bool(S.any()) and abs(plain + 0.5 * float(s @ S @ s) - actual) < abs(plain - actual)


def _secant(s: np.ndarray, here: Quadratic, there: Quadratic, S: np.ndarray) -> Float[np.ndarray, "d d"]:
    """S after a step s: (F⁺ + S⁺)s = g⁺ − g, changed least in the norm that y = g⁺ − g weighs, and sized first."""
    y = there.grad - here.grad
    wanted, bend = y - there.hess @ s, float(s @ S @ s)
    if bend != 0.0:
        S = S * min(1.0, abs(float(s @ wanted)) / abs(bend))
    ys = float(y @ s)
    if ys <= 1e-10 * float(np.linalg.norm(y) * np.linalg.norm(s)):
        return S
    w = wanted - S @ s
    return S + (np.outer(w, y) + np.outer(y, w)) / ys - float(w @ s) * np.outer(y, y) / ys**2


BACKEND = Backend(minimise, needs="information", evaluations=lambda d: 2000, continues=True,
                  imports=("scipy.linalg",))  # fmt: skip
