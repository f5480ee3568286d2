"""Many searches of one objective: screened, run side by side, given up when hopeless, and the best one polished.

The starts know nothing of each other but at the end of a round, which is a number of evaluations: there, all wait for all. So
neither the number of cores nor their speed changes a result.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from jaxtyping import Float

from bnfhmc.optimizers.backends import BACKENDS, Backend, minimised
from bnfhmc.optimizers.backends.protocol import FAILED_START, End
from bnfhmc.optimizers.objective import Objective
from bnfhmc.optimizers.result import NEAR
from bnfhmc.optimizers.search import SPENT, Callback, Halt, Local, Options, Search, Step
from bnfhmc.optimizers.starts import SEARCH, Candidate, Screened, draws, no_start, screen, stream
from bnfhmc.optimizers.threads import Crew, in_turn, told_by

GIVEN_UP = "given up: too slow to reach the best of the others"
NO_DRAW = "no draw could be solved"

# Between one look at the others and the next, in evaluations a start.
ROUND = 100
# A start searches from up to so many of its draws, one at a time: from the next one only while fewer than `ENOUGH` starts have
# come to the best value, which then may not be the best there is.
SEARCHED, ENOUGH = 4, 3
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
    """One search of a start at its end: from which of its draws, where that was, f there, and where it came to."""

    index: int
    u0: Float[np.ndarray, " d"]
    value0: float
    local: Local
    draw: int = 0


Keep = Callable[[Outcome], None]


@dataclass(slots=True)
class _Attempt:
    """A search on its way: the points it may still begin from, the best first, its account, and the most it may spend."""

    index: int
    draw: int
    search: Search
    candidates: list[Candidate]
    most: int
    began: Candidate = field(init=False)
    end: End | None = None

    def __post_init__(self) -> None:
        d = self.search.objective.dim
        self.began = self.candidates[0] if self.candidates else Candidate(np.full(d, np.nan), np.inf)

    @property
    def outcome(self) -> Outcome:
        end = self.end or End(SPENT, False)
        return Outcome(self.index, self.began.u, self.began.value, self.search.result(*end), self.draw)


Finished = dict[tuple[int, int], Outcome]


def run(
    objective: Objective,
    plan: Plan,
    crew: Crew,
    *,
    given: Sequence[Float[np.ndarray, " d"]] = (),
    done: Sequence[Outcome] = (),
    keep: Keep = lambda outcome: None,
    callback: Callback | None = None,
    watch: Callback | None = None,
) -> list[Outcome]:
    """Every start to its end, in order.

    given: points to start from, instead of draws from the prior. done: the searches that an earlier run of the same plan has
    finished. keep: is told of every search as soon as it has ended. callback: of every solve of a search. watch: of some of
    them, and of the screening of each start. Raises NoStart where no start can be solved.
    """
    finished: Finished = {(o.index, o.draw): o for o in done}
    screened: dict[int, Screened] = {}
    watch = None if watch is None else in_turn(watch, crew.stop)
    told = told_by(crew, callback, watch)
    searched = SEARCHED if plan.backend.continues and plan.starts > 1 and not given else 1
    for draw in range(searched):
        starts = [k for k in _again(finished, plan, draw) if (k, draw) not in finished]
        new = [k for k in starts if k not in screened]
        screened |= _screen(objective, plan, crew, new, given, watch)
        if not finished and screened and not any(s.candidates for s in screened.values()):
            raise no_start(list(screened.values()), bool(given))
        attempts = [_attempt(objective, plan, k, draw, screened[k], finished) for k in starts]
        for attempt in attempts:
            attempt.search.arrived(told, crew.stop)
        before = 0 if given or draw else plan.draws
        _to_the_end({a.index: a for a in attempts}, plan, crew, finished, before, keep, told)
        if crew.stop.is_set():
            break
    return [_together([o for (k, _), o in sorted(finished.items()) if k == start]) for start in range(plan.starts)]


def _again(finished: Finished, plan: Plan, draw: int) -> list[int]:
    """The starts that search from this one of their draws: all from the first, none once the best value was reached often."""
    if draw == 0:
        return list(range(plan.starts))
    values = [min(o.local.value for (k, n), o in finished.items() if k == start and n < draw) for start in range(plan.starts)]
    if sum(v < min(values) + NEAR for v in values) >= ENOUGH:
        return []
    return [k for k, value in enumerate(values) if not value < min(values) + NEAR]


def _to_the_end(
    attempts: dict[int, _Attempt], plan: Plan, crew: Crew, finished: Finished, before: int, keep: Keep, told: Callback | None
) -> None:
    """The searches, round by round, until each has ended; all are then `finished`."""

    def moved(attempt: _Attempt) -> None:
        attempt.search.arrived(told, crew.stop)
        if attempt.end is not None:
            keep(attempt.outcome)

    for round_ in itertools.count(1):
        running = [a for a in attempts.values() if a.end is None]
        if not running:
            break
        spent = before + round_ * ROUND if plan.backend.continues and plan.starts > 1 else plan.options.max_evaluations
        work = [partial(_advance, attempt=a, plan=plan, limit=min(a.most, spent)) for a in running]
        attempts.update((a.index, a) for a in crew.do(work, moved))
        known = [*(a.outcome for a in attempts.values()), *finished.values()]
        for a in (attempts[a.index] for a in running):
            if a.end is None and _hopeless(a.search, spent, 2 * round_ * ROUND, known):
                a.end = End(GIVEN_UP, False)
                keep(a.outcome)
    finished |= {(a.index, a.draw): a.outcome for a in attempts.values()}


def _together(searches: Sequence[Outcome]) -> Outcome:
    """A start as one: the best of its searches, with the account of all."""
    best = min(searches, key=lambda o: o.local.value)
    history: list[tuple[int, float]] = []
    evaluations, failures = 0, Counter[str]()
    for local in (o.local for o in searches):
        lowest = history[-1][1] if history else np.inf
        history += [(evaluations + n, value) for n, value in local.history if value < lowest]
        evaluations += local.evaluations
        failures.update(local.failures)
    return replace(best, local=replace(
        best.local, evaluations=evaluations, gradients=sum(o.local.gradients for o in searches), failures=dict(failures),
        history=tuple(history), solve_seconds=sum(o.local.solve_seconds for o in searches),
    ))  # fmt: skip


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
    objective: Objective, plan: Plan, crew: Crew, waiting: Sequence[int], given: Sequence[np.ndarray], watch: Callback | None
) -> dict[int, Screened]:
    """What each waiting start may begin from: the point that is given, or the best of its rows of the hypercubes."""

    def told(found: tuple[int, Screened]) -> None:
        if watch is not None:
            watch(Step(found[0], found[1].evaluations, np.inf, np.full(objective.dim, np.nan)))

    return dict(crew.do([partial(_screened, index=k, plan=plan, u=given[k] if given else None) for k in waiting], told))


def _screened(objective: Objective, index: int, plan: Plan, u: np.ndarray | None) -> tuple[int, Screened]:
    if u is not None:
        return index, screen(objective, [u], wanted=1, improve=False)
    own = draws(objective, plan.starts, plan.random_seed, slice(index, index + 1))
    return index, screen(objective, (u for (u,) in own), plan.draws)


def _attempt(objective: Objective, plan: Plan, k: int, draw: int, screened: Screened, finished: Finished) -> _Attempt:
    """The search of start k from this one of its draws; the draws after the searched ones stand in for those that fail."""
    search = Search(objective, limit=0, start=k)
    if draw == 0:
        search.evaluations, search.failures = screened.evaluations, dict(screened.failures)
    spent = sum(o.local.evaluations for (of, _), o in finished.items() if of == k)
    attempt = _Attempt(k, draw, search, list(screened.candidates[draw::SEARCHED]), plan.options.max_evaluations - spent)
    if not attempt.candidates:
        attempt.end = End(NO_DRAW, False)
    elif attempt.most <= 0:
        attempt.end = End(SPENT, False)
    return attempt


def _advance(objective: Objective, attempt: _Attempt, plan: Plan, limit: int) -> _Attempt:
    """One round of a search, on from its best point that has derivatives; one that has none yet begins at the first draw
    that can be started from.
    """
    search, options = attempt.search, _options(plan, attempt)
    search.objective, search.limit = objective, limit
    if search.base is not None:
        attempt.end = _searched(search, search.base[0], plan, attempt.most, options)
        return attempt
    for candidate in attempt.candidates:
        attempt.began = candidate
        attempt.end = _searched(search, candidate.u, plan, attempt.most, options)
        if attempt.end is None or attempt.end.reason != FAILED_START:
            break
    return attempt


def _options(plan: Plan, attempt: _Attempt) -> Options:
    seed = int(stream(plan.random_seed, attempt.index, SEARCH).integers(2**31))
    return Options(plan.options.tolerance, plan.options.max_evaluations, seed, plan.options.extra)


def _searched(search: Search, u: np.ndarray, plan: Plan, most: int, options: Options) -> End | None:
    """Why a search from u ended; None where it may go on, given more evaluations."""
    try:
        return minimised(plan.backend, search, u, options)
    except Halt as halt:
        more = str(halt) == SPENT and search.evaluations < most
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
