"""`optimize`: from an objective to a FitResult."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bnfhmc.errors import InputError, Mistake
from bnfhmc.optimizers import multistart
from bnfhmc.optimizers.arguments import Starts, check, how_many
from bnfhmc.optimizers.backends import BACKENDS
from bnfhmc.optimizers.basins import Basin, cluster
from bnfhmc.optimizers.forks import crew_of
from bnfhmc.optimizers.identifiability import directions
from bnfhmc.optimizers.laplace import at_bounds, laplace, standard_errors
from bnfhmc.optimizers.loosening import LOOSE, loosened
from bnfhmc.optimizers.multistart import Outcome, Plan
from bnfhmc.optimizers.objective import Objective
from bnfhmc.optimizers.result import NEAR, FitResult, Start
from bnfhmc.optimizers.search import Callback, Options
from bnfhmc.optimizers.starts import NoStart
from bnfhmc.optimizers.store import Store, finished_of, record_of
from bnfhmc.optimizers.threads import Crew
from bnfhmc.posterior import Posterior

MAP = "map"
METHODS = (MAP, *BACKENDS)
STARTS = 20
DRAWS = 8

# The objective, the relative tolerance of its searches, and the seconds after which a solve is given up → who does them.
Away = Callable[[Objective, float, float], Crew]


def optimize(
    posterior: Posterior | Objective,
    method: str = MAP,
    *,
    starts: Starts = None,
    random_seed: int | None = None,
    cores: int | None = None,
    tolerance: float = 1e-6,
    max_evaluations: int | None = None,
    draws: int = DRAWS,
    search_space: Mapping[str, tuple[float, float]] | None = None,
    options: Mapping[str, Any] | None = None,
    callback: Callback | None = None,
    watch: Callback | None = None,
    store: Path | str | None = None,
    away: Away | None = None,
) -> FitResult:
    """The mode of the posterior as a density of u: the minimum of f(u) = loss(θ(u)) − Σ log p_i(u_i).

    method: "map", which picks by what f is made of, or a key of BACKENDS.
    starts: how many searches, from draws of the prior, or the points θ to start from; by default 20, and 1 for a method that
    searches the whole box.
    random_seed: the same seed gives the same result on any number of cores; None draws one and records it.
    cores: searches at once; None takes all that the process may use. They are in forked processes on Linux, where neither jax
    nor another thread is in the program and there is no callback and no Python function to be called; else on threads.
    tolerance: a decrease of f below this counts as none.
    max_evaluations: solves a start; None takes the method's own.
    draws: from how many draws of the prior that can be solved each start is chosen, as the best of them.
    search_space: bounds in θ by name, within the supports.
    options: the method's own, by name.
    callback: is told of every solve as a `Step`, one at a time whatever the threads, and ends the run by returning something
    true.
    watch: is told how far the starts have come, as a `Step` of some of the solves.
    store: a file that keeps what has ended; with the same arguments a run that was interrupted, or ended by its callback, goes
    on from there.
    away: those who do the searches elsewhere, for the same result; None has them here.

    Raises InputError for arguments that are wrong, NoStart where no start can be solved, MissingTool where a method's package
    is not installed, and whatever a user's function raises.
    """
    objective = posterior if isinstance(posterior, Objective) else Objective.of(posterior, search_space)
    if isinstance(posterior, Objective) and search_space:
        raise InputError(Mistake("an Objective has its own search_space", "give it to Objective(…, search_space=…)"))
    name, why = choose(objective) if method == MAP else (method, "as asked for")
    check(objective, name, METHODS, options, starts, tolerance, callback, max_evaluations=max_evaluations, draws=draws,
          random_seed=random_seed, cores=cores)  # fmt: skip
    backend, count = BACKENDS[name], how_many(starts)
    given = [objective.u_of(theta) for theta in starts] if count is None and not isinstance(starts, int | None) else []
    count = count or len(given) or (1 if backend.is_global else STARTS)
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if random_seed is None else int(random_seed)
    limit = max_evaluations or backend.evaluations(objective.dim)
    settings = Options(tolerance, limit, seed, {**backend.extra, **(options or {})})
    plan = Plan(name, settings, count, draws, seed)
    began = time.perf_counter()
    # a search without gradients looks at differences of values alone, which lose their digits first
    rtol = 0.0 if backend.needs == "value" else LOOSE
    searched, seconds = loosened(objective, rtol)
    backend.imported()
    crew = crew_of(searched, cores, callback) if away is None else away(objective, rtol, seconds)
    kept = Store(Path(store), _run_of(objective, plan, given)) if store is not None else None
    done = finished_of(kept, plan.starts, objective.dim) if kept else []

    def keep(outcome: Outcome) -> None:
        if kept is not None and not crew.stop.is_set():  # what ends since the run does is not finished
            kept.keep(record_of(outcome))

    outcomes = multistart.run(searched, plan, crew, given=given, done=done, callback=callback, watch=watch, keep=keep)
    return _result(objective, plan, crew, outcomes, why, began)


def choose(objective: Objective) -> tuple[str, str]:
    """The method that fits an objective, and why."""
    if objective.gives("residuals"):
        return "gntr", "the posterior is exactly a sum of squares: Gauss–Newton"
    if objective.gives("information"):
        return "gntr", "the posterior is no sum of squares: a trust region on the Fisher information"
    if objective.gives("gradient"):
        return "lbfgs", "there is a gradient and no Fisher information"
    return "cma" if _has("cma") else "differential_evolution", "there is no gradient"


def _result(
    objective: Objective, plan: Plan, crew: multistart.Crew, outcomes: list[Outcome], why: str, began: float
) -> FitResult:
    best = min(outcomes, key=lambda o: (o.local.value, o.index))
    if not np.isfinite(best.local.value):
        raise NoStart(f"no start led to a value: {best.local.reason}")
    outcomes[best.index] = best = multistart.polished(objective, plan, crew, best)
    ends = [(o.index, o.local.u, o.local.value) for o in outcomes if o.local.converged or o is best]
    basins = cluster(objective, ends)
    starts = tuple(_start(objective, o, basins) for o in outcomes)
    u, f = best.local.u, best.local.value
    approximation = laplace(objective, u)
    errors = None if approximation is None else standard_errors(objective, approximation)
    held = at_bounds(objective, u)
    log_prior = objective.log_prior(u)
    failures = sum((Counter(o.local.failures) for o in outcomes), Counter[str]())
    return FitResult(
        names=objective.names,
        theta=dict(zip(objective.names, objective.prior.theta_from_u(u).tolist(), strict=True)),
        u=u,
        loss=f + log_prior,
        log_posterior=-f,
        method=plan.method,
        why=why,
        termination=best.local.reason,
        converged=best.local.converged,
        starts=starts,
        basins=basins,
        near_best=sum(o.local.value < f + NEAR for o in outcomes),
        history=best.local.history,
        at_bound=starts[best.index].at_bound,
        laplace=approximation,
        standard_errors=None if errors is None else dict(zip(objective.names, errors.tolist(), strict=True)),
        undetermined=() if approximation is None else directions(objective, approximation.information, held.tolist()),
        evaluations=sum(o.local.evaluations for o in outcomes),
        gradients=sum(o.local.gradients for o in outcomes),
        failures=dict(failures),
        wall_seconds=time.perf_counter() - began,
        solve_seconds=sum(o.local.solve_seconds for o in outcomes),
        random_seed=plan.random_seed,
        theta_of_starts=np.array([objective.prior.theta_from_u(o.local.u) for o in outcomes]),
        poles=objective.poles,
    )


def _start(objective: Objective, o: Outcome, basins: tuple[Basin, ...]) -> Start:
    found = np.isfinite(o.local.value)
    held = at_bounds(objective, o.local.u) if found else np.zeros(objective.dim, dtype=bool)
    local = o.local
    return Start(
        o.index, o.u0, o.value0, local.u, local.value, local.evaluations, local.gradients, local.reason, local.converged,
        tuple(n for n, at in zip(objective.names, held, strict=True) if at),
        next((k for k, b in enumerate(basins) if o.index in b.starts), None),
        local.history, local.failures, local.solve_seconds,
    )  # fmt: skip


def _run_of(objective: Objective, plan: Plan, given: list[np.ndarray]) -> dict[str, Any]:
    """What tells one run from another: its arguments, and f at one point."""
    middle = np.clip(objective.prior.quantile(np.full(objective.dim, 0.5)), *objective.bounds)
    try:
        probe: float | None = objective.value(middle)
    except ArithmeticError:
        probe = None
    extra = {k: v if isinstance(v, str | int | float | bool | None) else repr(v) for k, v in plan.options.extra.items()}
    return {
        "names": objective.names, "lower": objective.bounds.lower, "upper": objective.bounds.upper, "method": plan.method,
        "starts": plan.starts, "given": given, "draws": plan.draws, "random_seed": plan.random_seed,
        "tolerance": plan.options.tolerance, "max_evaluations": plan.options.max_evaluations, "options": extra, "probe": probe,
    }  # fmt: skip


def _has(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None
