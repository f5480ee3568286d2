"""Many searches of one objective: screened, run side by side, given up when hopeless, and the best one polished.

The starts know nothing of each other but at the end of a round, which is a number of evaluations: there, all wait for all. So
neither the number of cores nor their speed changes a result.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from bnfhmc.optimizers.backends import BACKENDS, Backend, minimised
from bnfhmc.optimizers.backends.protocol import FAILED_START, End
from bnfhmc.optimizers.objective import Objective
from bnfhmc.optimizers.search import SPENT, Callback, Halt, Local, Options, Search, Step
from bnfhmc.optimizers.starts import SEARCH, Candidate, Screened, draws, no_start, screen, stream
from bnfhmc.optimizers.threads import Crew

GIVEN_UP = "given up: too slow to reach the best of the others"
NO_DRAW = "no draw could be solved"

# Between one look at the others and the next, in evaluations a start.
ROUND = 150
# Of the draws of a start, how many are searched from at each stage, and for how many evaluations, before the best goes on.
WEANING = ((4, 60), (2, 40))
# The tolerance of the polish, relative to that of the search.
POLISH = 1e-2


@dataclass(frozen=True, slots=True)
class Plan:
    """How a multistart goes: the backend and its options, how many starts, and from how many draws each is chosen."""

    method: str
    options: Options
    starts: int
    draws: int
    random_seed: int

    @property
    def backend(self) -> Backend:
        """The backend of the method."""
        return BACKENDS[self.method]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One start at its end: where it began, f there, and where it came to."""

    index: int
    u0: Float[np.ndarray, " d"]
    value0: float
    local: Local


Keep = Callable[[Outcome], None]


@dataclass(slots=True)
class _Attempt:
    """A start on its way: the points it may still begin from, the best first, and the account of its search."""

    index: int
    search: Search
    candidates: list[Candidate]
    began: Candidate = field(init=False)
    end: End | None = None

    def __post_init__(self) -> None:
        d = self.search.objective.dim
        self.began = self.candidates[0] if self.candidates else Candidate(np.full(d, np.nan), np.inf)

    @property
    def outcome(self) -> Outcome:
        end = self.end or End(SPENT, False)
        return Outcome(self.index, self.began.u, self.began.value, self.search.result(*end))


def run(
    objective: Objective,
    plan: Plan,
    crew: Crew,
    *,
    given: Sequence[Float[np.ndarray, " d"]] = (),
    done: Sequence[Outcome] = (),
    keep: Keep = lambda outcome: None,
    callback: Callback | None = None,
) -> list[Outcome]:
    """Every start to its end, in order.

    given: points to start from, instead of draws from the prior. done: what an earlier run of the same plan has finished.
    keep: is told of every start as soon as it has ended. Raises NoStart where no start can be solved.
    """
    finished = {o.index: o for o in done}
    waiting = [k for k in range(plan.starts) if k not in finished]
    screened = _screen(objective, plan, crew, waiting, given)
    if not finished and screened and not any(s.candidates for s in screened):
        raise no_start(screened, bool(given))
    told = _told(callback, crew.stop)
    attempts = {k: _attempt(objective, k, s, crew.stop, told) for k, s in zip(waiting, screened, strict=True)}

    def moved(attempt: _Attempt) -> None:
        attempt.search.arrived(told, crew.stop)
        if attempt.end is not None:
            keep(attempt.outcome)

    def move(work: Callable[..., _Attempt], running: Iterable[_Attempt], **options: Any) -> None:
        attempts.update((a.index, a) for a in crew.do([partial(work, attempt=a, plan=plan, **options) for a in running], moved))

    move(_wean, [a for a in attempts.values() if a.end is None])
    before = 0 if given else plan.draws + sum(litter * spent for litter, spent in WEANING)
    for round_ in itertools.count(1):
        running = [k for k, a in attempts.items() if a.end is None]
        if not running:
            break
        limit = plan.options.max_evaluations
        if plan.backend.continues and plan.starts > 1:
            limit = min(limit, before + round_ * ROUND)
        move(_advance, [attempts[k] for k in running], limit=limit)
        known = [*(a.outcome for a in attempts.values()), *finished.values()]
        for a in (attempts[k] for k in running):
            if a.end is None and _hopeless(a.search, limit, 2 * round_ * ROUND, known):
                a.end = End(GIVEN_UP, False)
                keep(a.outcome)
    finished |= {k: a.outcome for k, a in attempts.items()}
    return [finished[k] for k in range(plan.starts)]


def polished(objective: Objective, plan: Plan, crew: Crew, best: Outcome) -> Outcome:
    """The best start once more, by solves as exact as they can be, at a hundredth of the tolerance.

    Backends that cannot go on leave the point as it is, and a start that had no value by its own idea has converged where
    this has.
    """
    left = plan.options.max_evaluations - best.local.evaluations
    if not plan.backend.continues or crew.stop.is_set() or left <= 0:
        return best
    search = Search(objective, limit=min(left, 2 * ROUND), start=best.index, stop=crew.stop)
    options = Options(POLISH * plan.options.tolerance, search.limit, plan.options.seed, plan.options.extra)
    end = End(best.local.reason, best.local.converged)
    with suppress(Halt):
        polish = minimised(plan.backend, search, best.local.u, options)
        end = polish if polish.converged and not end.converged else end
    if not np.isfinite(search.best_value):
        return best
    before, after = best.local, search.result(*end)
    history = (*before.history, (before.evaluations + after.evaluations, after.value))
    failures = {k: before.failures.get(k, 0) + after.failures.get(k, 0) for k in (*before.failures, *after.failures)}
    return replace(best, local=Local(
        after.u, after.value, after.reason, after.converged, before.evaluations + after.evaluations,
        before.gradients + after.gradients, failures, history, before.solve_seconds + after.solve_seconds,
    ))  # fmt: skip


def _screen(
    objective: Objective, plan: Plan, crew: Crew, waiting: Sequence[int], given: Sequence[np.ndarray]
) -> list[Screened]:
    """What each waiting start may begin from: the point that is given, or the best of its rows of the hypercubes."""
    if given:
        return crew.do([partial(screen, rows=[given[k]], wanted=1, improve=False) for k in waiting])
    return crew.do([partial(_screened, index=k, plan=plan) for k in waiting])


def _screened(objective: Objective, index: int, plan: Plan) -> Screened:
    own = draws(objective, plan.starts, plan.random_seed, slice(index, index + 1))
    return screen(objective, (u for (u,) in own), plan.draws)


def _told(callback: Callback | None, stop: threading.Event) -> Callback | None:
    """The callback, whose wish to end ends all."""
    if callback is None:
        return None

    def told(step: Step) -> bool:
        if callback(step):
            stop.set()
            return True
        return False

    return told


def _attempt(
    objective: Objective, k: int, screened: Screened, stop: threading.Event, told: Callback | None
) -> _Attempt:
    search = Search(objective, limit=0, start=k, callback=told, stop=stop)
    search.evaluations, search.failures = screened.evaluations, dict(screened.failures)
    attempt = _Attempt(k, search, list(screened.candidates))
    if not attempt.candidates:
        attempt.end = End(NO_DRAW, False)
    return attempt


def _advance(objective: Objective, attempt: _Attempt, plan: Plan, limit: int) -> _Attempt:
    """One round of a start, on from its best point that has derivatives."""
    search = attempt.search
    search.objective, search.limit = objective, limit
    if search.base is None:
        attempt.end = End(FAILED_START, False)
    else:
        attempt.end = _searched(search, search.base[0], plan, _options(plan, attempt))
    return attempt


def _wean(objective: Objective, attempt: _Attempt, plan: Plan) -> _Attempt:
    """Search shortly from the best draws, somewhat longer from the better half of them, and go on with the best.

    A draw that cannot be started from does not count. With a backend that cannot go on from where it was, the first draw that
    can be started from gets all the evaluations.
    """
    attempt.search.objective = objective
    options, most = _options(plan, attempt), plan.options.max_evaluations
    stages = WEANING if plan.backend.continues and len(attempt.candidates) > 1 else ((1, most),)
    account, litter = attempt.search, list[tuple[Search, End | None, Candidate]]()
    wanted, spent = stages[0]
    for candidate in attempt.candidates:
        account = account.next(min(most, account.evaluations + spent))
        end = _searched(account, candidate.u, plan, options)
        if end is None or end.reason != FAILED_START:
            litter.append((account, end, candidate))
        if len(litter) == wanted or account.ended:
            break
    for wanted, spent in stages[1:]:
        litter = sorted(litter, key=lambda one: one[0].best_value)[:wanted]
        for k, (search, end, candidate) in enumerate(litter):
            if end is None and search.base is not None and not account.ended:
                search.charge(account)
                search.limit = min(most, account.evaluations + spent)
                litter[k], account = (search, _searched(search, search.base[0], plan, options), candidate), search
    if litter:
        attempt.search, attempt.end, attempt.began = min(litter, key=lambda one: one[0].best_value)
        attempt.search.charge(account)
        if account.ended:
            attempt.end = litter[-1][1] or attempt.end
    else:
        attempt.search, attempt.end = account, End(FAILED_START, False)
    return attempt


def _options(plan: Plan, attempt: _Attempt) -> Options:
    seed = int(stream(plan.random_seed, attempt.index, SEARCH).integers(2**31))
    return Options(plan.options.tolerance, plan.options.max_evaluations, seed, plan.options.extra)


def _searched(search: Search, u: np.ndarray, plan: Plan, options: Options) -> End | None:
    """Why a search from u ended; None where it may go on, given more evaluations."""
    try:
        return minimised(plan.backend, search, u, options)
    except Halt as halt:
        more = str(halt) == SPENT and search.evaluations < plan.options.max_evaluations
        return None if more else End(str(halt), False)


def _hopeless(search: Search, spent: int, more: int, known: Sequence[Outcome]) -> bool:
    """Whether the start, at its pace of late, would not come to the best value found in so many more evaluations.

    The pace is that of the second half of the last round. Others count with what they had found at this number of
    evaluations, so that one that an earlier run has ended does as well.
    """
    best = min(_found_by(o.local.history, spent) for o in known)
    here, before = search.best_value, _found_by(search.history, spent - ROUND // 2)
    pace = (before - here) / (ROUND // 2) if np.isfinite(before) else np.inf
    return here - pace * more > best


def _found_by(history: Sequence[tuple[int, float]], evaluations: int) -> float:
    """The best value found by then."""
    return min((value for n, value in history if n <= evaluations), default=np.inf)
