"""Where the searches start: spread over the prior, each the best of a few draws that can be solved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import FailedSolve
from bnfhmc.optimizers.objective import Objective
from bnfhmc.optimizers.readout import Readout, readout_of

DRAWS, SEARCH = 0, 1  # what random numbers are for

# A start of which as many draws fail is given up.
TRIES = 100


class NoStart(RuntimeError):  # noqa: N818
    """No draw from the prior could be solved; the message counts the failures by kind."""


class Candidate(NamedTuple):
    """A point to start from, and f there."""

    u: Float[np.ndarray, " d"]
    value: float


@dataclass(frozen=True, slots=True)
class Screened:
    """The draws of one start that could be solved, the best first; how many solves it took, and failed ones by kind."""

    candidates: tuple[Candidate, ...]
    evaluations: int
    failures: Counter[str] = field(default_factory=Counter)


def stream(random_seed: int, start: int, purpose: int) -> np.random.Generator:
    """The random numbers of one purpose in one start, whatever other starts run beside it and on how many cores."""
    return np.random.default_rng(np.random.SeedSequence(random_seed, spawn_key=(start, purpose)))


def draws(
    objective: Objective, starts: int, random_seed: int, rows: slice = slice(None)
) -> Iterator[Float[np.ndarray, "start d"]]:
    """Latin hypercubes of the priors without end: row k of each belongs to start k (McKay, Beckman & Conover 1979).

    `rows`: those that are wanted, the same whatever the others are.
    A parameter with a start density of its own is drawn from that; a search space is drawn from uniformly, in u.
    """
    lower, upper = objective.bounds
    round_ = 0
    while True:
        rng = stream(random_seed, round_, DRAWS)
        cells = np.stack([rng.permutation(starts) for _ in range(objective.dim)], axis=1)
        q = ((cells + rng.random((starts, objective.dim))) / starts)[rows]
        u = np.array([objective.prior.quantile(row) for row in np.clip(q, 1e-12, 1 - 1e-12)])
        for i, p in enumerate(objective.prior.parameters):
            if p.name in objective.search_space:
                u[:, i] = lower[i] + (upper[i] - lower[i]) * q[:, i]
            elif p.start is not None:
                u[:, i] = np.asarray(p.start.ppf(q[:, i]))
        yield np.clip(u, lower, upper)
        round_ += 1


def screen(
    objective: Objective, rows: Iterable[Float[np.ndarray, " d"]], wanted: int, improve: bool = True
) -> Screened:
    """The first `wanted` of the rows that can be solved, the best first; if `improve`, with their best read-out."""
    readout = readout_of(objective) if improve else None
    found: list[Candidate] = []
    failures: Counter[str] = Counter()
    tried = 0
    for u in rows:
        if len(found) == wanted or tried == TRIES + wanted:
            break
        tried += 1
        try:
            found.append(_improved(objective, readout, u))
        except FailedSolve as failed:
            failures[str(failed.kind)] += 1
    found.sort(key=lambda c: c.value)
    return Screened(tuple(found), tried, failures)


def _improved(objective: Objective, readout: Readout | None, u: np.ndarray) -> Candidate:
    if readout is None:
        return Candidate(u, objective.value(u))
    return Candidate(*readout.improved(u))


def no_start(screened: list[Screened], given: bool = False) -> NoStart:
    """What to say when no start could be solved at all, neither a draw nor, if `given`, one of the points to start from."""
    failures = sum((s.failures for s in screened), Counter())
    kinds = ", ".join(f"{count} {kind}" for kind, count in failures.most_common())
    tried = sum(s.evaluations for s in screened)
    if given:
        return NoStart(f"no start found: all of the {tried} points given failed ({kinds}); start from where the model can be "
                       "solved, or let the starts be drawn from the prior")  # fmt: skip
    return NoStart(f"no start found: all of {tried} draws from the prior failed ({kinds}); narrow the priors or the bounds to "
                   "where the model can be solved, or loosen the solver's limits")  # fmt: skip
