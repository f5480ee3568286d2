"""Where chains start once the mode is known: spread over the basins by the Laplace approximation, off every bound.

    u_k = û_b + L ε,   L Lᵀ = H_b⁻¹,   ε ~ N(0, I),   z_k = bijector⁻¹(u_k)

The basins b come in turn, so that every one that carries mass has a chain; one whose Laplace mass is below a thousandth of the
largest has none, since a chain there could not leave it and would be counted as much as the others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import FailedSolve, InputError, Mistake
from bnfhmc.optimizers.fit import optimize
from bnfhmc.optimizers.laplace import Laplace, laplace, metric
from bnfhmc.optimizers.linear import raised
from bnfhmc.optimizers.objective import Objective
from bnfhmc.optimizers.result import FitResult
from bnfhmc.optimizers.search import Callback
from bnfhmc.optimizers.starts import stream
from bnfhmc.posterior import Posterior

JITTER = 2  # what random numbers are for, besides those of `starts`
LOG_MASS = float(np.log(1e3))  # by how much a basin may have less mass than the heaviest
HALVINGS = 20
INWARD = 0.1  # of a standard deviation: how far a start stays off a bound, where z would be infinite


@dataclass(frozen=True, slots=True)
class ChainStarts:
    """Where chains start.

    ``u``, ``z``: a row for each chain. ``basin``: which of the points each is from. ``inverse_mass_matrix``: the covariance of
    the best basin in z; ``information``: its inverse, −∂² log π/∂z² there; both None where there is no Fisher information.
    ``fit``: the multistart, None where the points were given.
    """

    u: Float[np.ndarray, "chain d"]
    z: Float[np.ndarray, "chain d"]
    basin: tuple[int, ...]
    inverse_mass_matrix: Float[np.ndarray, "d d"] | None
    information: Float[np.ndarray, "d d"] | None
    fit: FitResult | None


def map_starts(
    posterior: Posterior,
    chains: int,
    *,
    starts: int | None = None,
    random_seed: int = 0,
    cores: int | None = None,
    callback: Callback | None = None,
) -> ChainStarts:
    """Find the basins by a multistart, and spread the chains over them.

    starts: of the multistart, by default twenty. The same seed gives the same starts on any number of cores. Raises what
    `optimize` raises.
    """
    fit = optimize(posterior, starts=starts, random_seed=random_seed, cores=cores, callback=callback)
    return spread(posterior, [b.u for b in fit.basins], chains, random_seed=random_seed, fit=fit)


def spread(
    posterior: Posterior,
    points: Sequence[Float[np.ndarray, " d"]],
    chains: int,
    *,
    random_seed: int = 0,
    fit: FitResult | None = None,
) -> ChainStarts:
    """Spread chains over given modes u, the best first. Raises FailedSolve where the best one cannot be solved."""
    objective = Objective.of(posterior)
    modes = [_Mode.at(objective, u) for u in points[:chains]]
    best = max(m.log_mass for m in modes)
    worth = [k for k, m in enumerate(modes) if m.log_mass >= best - LOG_MASS]
    basin = tuple(worth[i % len(worth)] for i in range(chains))
    u = np.array([_jittered(objective, modes[b], stream(random_seed, i, JITTER)) for i, b in enumerate(basin)])
    approximation = modes[worth[0]].laplace
    inverse = None if approximation is None else metric(objective, approximation)
    information = None if inverse is None else np.linalg.inv(inverse)
    return ChainStarts(u, np.array([posterior.z_from_u(row) for row in u]), basin, inverse, information, fit)


def points_of(path: Path, posterior: Posterior | Objective) -> list[Float[np.ndarray, " d"]]:
    """The modes u that a map.json keeps, the best first.

    path: the file, or the folder of the fit. Raises InputError for a file that is none, or is of other parameters.
    """
    objective = posterior if isinstance(posterior, Objective) else Objective.of(posterior)
    path = path / "map.json" if path.is_dir() else path
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        theta = record["theta"]
        modes = [b["u"] for b in record.get("basins", ())]
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = "there is no such file to start from" if isinstance(error, FileNotFoundError) else "is no map.json of a fit"
        raise InputError(Mistake(what, "name the map.json of a fit, or its folder", path)) from None
    objective.u_of(theta)
    lower, upper = objective.bounds
    return [np.clip(np.asarray(u, dtype=float), lower, upper) for u in modes] or [objective.u_of(theta)]


@dataclass(frozen=True, slots=True)
class _Mode:
    """A mode u, f there, and what its curvature says of the mass around it."""

    u: Float[np.ndarray, " d"]
    value: float
    laplace: Laplace | None
    log_mass: float

    @classmethod
    def at(cls, objective: Objective, u: Float[np.ndarray, " d"]) -> _Mode:
        try:
            value = objective.value(u)
        except FailedSolve:
            value = np.inf
        approximation = laplace(objective, u) if np.isfinite(value) else None
        if approximation is None:
            return cls(u, value, None, -value)
        L, _ = raised(approximation.covariance)
        return cls(u, value, approximation, -value + float(np.sum(np.log(np.diag(L)))))


def _jittered(objective: Objective, mode: _Mode, rng: np.random.Generator) -> Float[np.ndarray, " d"]:
    """A draw around the mode, pulled towards it until f there is no more above it than a normal posterior would let it be."""
    lower, upper = objective.bounds
    room = np.where(np.isfinite(upper - lower), 0.25 * (upper - lower), np.inf)
    sd = objective.scale * 0.1 if mode.laplace is None else mode.laplace.sd
    away = np.minimum(INWARD * sd, room)
    if mode.laplace is None:
        there = np.clip(mode.u + sd * rng.standard_normal(objective.dim), lower, upper)
    else:
        there = mode.laplace.draw(rng, objective.bounds, 1)[0]
    for _ in range(HALVINGS):
        u = np.clip(there, lower + away, upper - away)
        try:
            if objective.value(u) < mode.value + objective.dim + 3.0:
                return u
        except FailedSolve:
            pass
        there, away = 0.5 * (there + mode.u), 0.5 * away
    return np.clip(mode.u, lower + away, upper - away)
