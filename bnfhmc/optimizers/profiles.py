"""Profiles of the objective: how good a fit is left when one parameter is held away from its best value.

    f_i(v) = min over u with u_i = v of f(u),   interval: f_i(v) − f(û) ≤ ½ χ²₁(confidence)

With flat priors these are the profile likelihood and its confidence intervals (Raue et al. 2009); with others the prior counts
too, as in everything else here. A profile walks away from the mode in both directions, each point optimized from its neighbour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import InputError, Mistake, nearest
from bnfhmc.optimizers.backends import BACKENDS, minimised
from bnfhmc.optimizers.forks import crew_of
from bnfhmc.optimizers.objective import Objective
from bnfhmc.optimizers.result import FitResult
from bnfhmc.optimizers.search import Halt, Options, Search
from bnfhmc.optimizers.store import Store
from bnfhmc.posterior import Posterior

RISE = 0.2  # of the threshold: what a step aims at
LEAST, MOST = 1e-4, 5.0  # of a step, in scales of the parameter
FLAT = 0.1  # of a log posterior unit: a profile that rises less is flat
BETTER = 1e-2  # below the fit it started from, a profile has found a better one
POINTS = 60  # on each side
RISEN, AT_END, FAILED, LONG = "risen", "at the end of its bounds", "no fit further out", "followed no further"
EVALUATIONS = 300  # a point


@dataclass(frozen=True, slots=True)
class Profile:
    """The profile of one parameter, from its lowest to its highest value.

    ``theta``, ``u``: its values; ``rise``: f_i − f(û) at each; ``points``: the best u[n, d] there. ``lower``, ``upper``: the
    interval in θ; None where the profile ends below the threshold. ``flat``: it rises by less than 0.1 up to the ends of the
    bounds. ``mode``: the index of the fit. ``evaluations``: solves it took. ``ended``: why each side ends. ``sentence``: all of
    it in words.
    """

    name: str
    theta: Float[np.ndarray, " n"]
    u: Float[np.ndarray, " n"]
    rise: Float[np.ndarray, " n"]
    points: Float[np.ndarray, "n d"]
    lower: float | None
    upper: float | None
    flat: bool
    mode: int
    evaluations: int
    ended: tuple[str, str]
    sentence: str


@dataclass(frozen=True, slots=True)
class Profiles:
    """The profiles asked for, by name; the rise that ends an interval; and a point better than the fit, if one was met."""

    by_name: Mapping[str, Profile]
    threshold: float
    confidence: float
    better: Float[np.ndarray, " d"] | None


@dataclass(frozen=True, slots=True)
class _Walk:
    """One side of a profile: values of u_i in the order walked, f_i, the points, the solves, why it ended."""

    v: tuple[float, ...]
    f: tuple[float, ...]
    points: tuple[tuple[float, ...], ...]
    evaluations: int
    ended: str


def profile_likelihood(
    posterior: Posterior | Objective,
    fit: FitResult,
    parameters: Sequence[str] | None = None,
    *,
    confidence: float = 0.95,
    cores: int | None = None,
    store: Path | str | None = None,
) -> Profiles:
    """The profiles of some parameters around a fit, on several cores.

    parameters: names; None takes all. confidence: of the intervals. store: a file that keeps finished sides, so that an
    interrupted run goes on from there. Raises InputError for an unknown name, a fit of another problem, or an objective
    without a gradient.
    """
    objective = posterior if isinstance(posterior, Objective) else Objective.of(posterior)
    names = tuple(parameters) if parameters is not None else objective.names
    _check(objective, fit, names, confidence)
    threshold = _half_chi2(confidence)
    sides = [(n, sign) for n in names for sign in (-1, 1)]
    kept = None if store is None else Store(Path(store), {"profiles_of": fit.u, "log_posterior": fit.log_posterior,
                                                    "names": objective.names, "confidence": confidence})  # fmt: skip
    done = _done(kept) if kept else {}

    def side(own: Objective, name: str, sign: int) -> tuple[str, int, _Walk]:
        return name, sign, _walked(own, fit, objective.names.index(name), sign, threshold)

    def told(found: tuple[str, int, _Walk]) -> None:
        if kept is not None:
            kept.keep(dict(zip(("name", "sign", "walk"), found, strict=True)))

    todo = [partial(side, name=n, sign=s) for n, s in sides if (n, s) not in done]
    done |= {(name, sign): walk for name, sign, walk in crew_of(objective, cores).do(todo, told)}
    best = fit.log_posterior
    profiles = {n: _joined(objective, fit, n, done[n, -1], done[n, 1], threshold) for n in names}
    lowest = min(profiles.values(), key=lambda p: float(np.min(p.rise)), default=None)
    better = None
    if lowest is not None and float(np.min(lowest.rise)) < -BETTER:
        better = lowest.points[int(np.argmin(lowest.rise))]
        profiles = {n: replace(p, sentence=f"{p.sentence}; a better fit than the one profiled was met on the way "
                                           f"(log posterior {best - float(np.min(lowest.rise)):.6g})")
                    for n, p in profiles.items()}  # fmt: skip
    return Profiles(profiles, threshold, confidence, better)


def _walked(objective: Objective, fit: FitResult, i: int, sign: int, threshold: float) -> _Walk:
    """From the mode to where f has risen past the threshold, or to the end of the bounds."""
    end = float((objective.bounds.upper if sign > 0 else objective.bounds.lower)[i])
    scale, top = float(objective.scale[i]), -fit.log_posterior
    sd = float(fit.laplace.sd[i]) if fit.laplace is not None else scale
    step = float(np.clip(0.3 * sd, LEAST * scale, MOST * scale))
    v, f, points, evaluations, failed = [float(fit.u[i])], [top], [np.array(fit.u)], 0, False
    while len(v) < POINTS and f[-1] - top <= threshold and v[-1] != end:
        there = v[-1] + sign * step
        if (end - there) * sign <= 1e-9 * scale:
            there = end
        u, value, spent = _minimum(objective.pinned(i, there), _guesses(points, v, there))
        evaluations += spent
        rise = value - f[-1]
        if rise > 2.0 * RISE * threshold and step > 2.0 * LEAST * scale:
            step *= 0.5 if np.isfinite(value) else 0.25
            continue
        if failed := not np.isfinite(value):
            break
        v.append(there)
        f.append(value)
        points.append(u)
        if rise < 0.5 * RISE * threshold:
            step = min(2.0 * step, MOST * scale)
    ended = RISEN if f[-1] - top > threshold else AT_END if v[-1] == end else FAILED if failed else LONG
    return _Walk(tuple(v), tuple(f), tuple(tuple(p.tolist()) for p in points), evaluations, ended)


def _minimum(objective: Objective, guesses: Sequence[np.ndarray]) -> tuple[np.ndarray, float, int]:
    """The best point within the bounds from the first guess that can be solved, f there (+inf where none can), the solves."""
    search = Search(objective, limit=EVALUATIONS)
    backend = BACKENDS["gntr" if objective.gives("information") else "lbfgs"]
    try:
        for u0 in guesses:
            minimised(backend, search, np.clip(u0, *objective.bounds), Options(1e-5, EVALUATIONS, extra=backend.extra))
            if np.isfinite(search.best_value):
                break
    except Halt:
        pass
    return search.best_u, search.best_value, search.evaluations


def _guesses(points: Sequence[np.ndarray], v: Sequence[float], there: float) -> list[np.ndarray]:
    """Where the last two points lead to in a straight line, and the last point."""
    if len(points) < 2 or v[-1] == v[-2]:
        return [points[-1]]
    return [points[-1] + (points[-1] - points[-2]) * (there - v[-1]) / (v[-1] - v[-2]), points[-1]]


def _joined(objective: Objective, fit: FitResult, name: str, below: _Walk, above: _Walk, threshold: float) -> Profile:
    i = objective.names.index(name)
    scale = objective.prior.parameters[i].scale
    v = np.array([*below.v[:0:-1], *above.v])
    rise = np.array([*below.f[:0:-1], *above.f]) + fit.log_posterior
    points = np.array([*below.points[:0:-1], *above.points])
    ends = [_crossing(w, -fit.log_posterior, threshold) for w in (below, above)]
    lower, upper = (None if e is None else float(scale.theta_from_u(e)) for e in ends)
    ended = below.ended, above.ended
    flat = bool(np.max(rise) < FLAT) and FAILED not in ended
    theta = np.asarray(scale.theta_from_u(v))
    return Profile(name, theta, v, rise, points, lower, upper, flat, len(below.v) - 1, below.evaluations + above.evaluations,
                   ended, _sentence(name, (lower, upper), flat, ended, (float(theta[0]), float(theta[-1]))))  # fmt: skip


def _crossing(walk: _Walk, top: float, threshold: float) -> float | None:
    """Where the profile passes the threshold: linear in √rise, which is linear for a normal posterior."""
    rise = np.maximum(np.array(walk.f) - top, 0.0)
    above = np.flatnonzero(rise > threshold)
    if not above.size:
        return None
    k = int(above[0])
    a, b, goal = np.sqrt(rise[k - 1]), np.sqrt(rise[k]), np.sqrt(threshold)
    return float(walk.v[k - 1] + (walk.v[k] - walk.v[k - 1]) * (goal - a) / (b - a))


def _sentence(
    name: str, interval: tuple[float | None, float | None], flat: bool, ended: tuple[str, str], reached: tuple[float, float]
) -> str:
    lower, upper = interval
    if flat:
        return f"{name} is not identifiable: its profile is flat"
    if lower is not None and upper is not None:
        return f"{name} is between {lower:.4g} and {upper:.4g}"
    if ended == (AT_END, AT_END):
        return f"{name} is not identifiable: its profile stays below the threshold on both sides"
    known = "has no interval" if upper is None else f"is at most {upper:.4g}"
    known = known if lower is None else f"is at least {lower:.4g}"
    sides = zip(("below", "above"), interval, ended, reached, strict=True)
    return "; ".join([f"{name} {known}", *(_open_side(*side) for side in sides if side[1] is None)])


def _open_side(side: str, _: float | None, ended: str, reached: float) -> str:
    if ended == AT_END:
        return f"it has no bound {side} but its prior's"
    why = "where no fit succeeds" if ended == FAILED else "and was followed no further"
    return f"{side}, its profile ends at {reached:.4g}, {why}"


def _done(store: Store) -> dict[tuple[str, int], _Walk]:
    """The sides that a store holds. Raises InputError for a record that is none."""
    try:
        return {(r["name"], r["sign"]): _walk_of(r["walk"]) for r in store.finished}
    except (KeyError, TypeError, ValueError):
        wrong = Mistake("it holds what is no side of a profile", "give another file, or delete this one", store.path)
        raise InputError(wrong) from None


def _walk_of(record: Mapping[str, Any]) -> _Walk:
    return _Walk(tuple(record["v"]), tuple(record["f"]), tuple(tuple(p) for p in record["points"]), int(record["evaluations"]),
                 str(record["ended"]))  # fmt: skip


def _half_chi2(confidence: float) -> float:
    from scipy.special import chdtri

    return 0.5 * float(chdtri(1.0, 1.0 - confidence))


def _check(objective: Objective, fit: FitResult, names: Sequence[str], confidence: float) -> None:
    wrong = [Mistake(f"there is no parameter '{n}' to profile", nearest(n, objective.names))
             for n in names if n not in objective.names]  # fmt: skip
    if tuple(fit.names) != objective.names:
        wrong.append(Mistake(f"the fit is of {', '.join(fit.names)}, the problem of {', '.join(objective.names)}"))
    if not 0.0 < confidence < 1.0:
        wrong.append(Mistake(f"confidence = {confidence:g}", "between 0 and 1, such as 0.95"))
    if not objective.gives("gradient"):
        wrong.append(Mistake("a profile optimizes at every point, and there is no gradient", "give the objective's gradient"))
    if wrong:
        raise InputError(wrong)
