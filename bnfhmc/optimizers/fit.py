"""`optimize`: from an objective to a FitResult."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bnfhmc.errors import InputError, Mistake, nearest
from bnfhmc.optimizers import multistart
from bnfhmc.optimizers.backends import BACKENDS, Backend
from bnfhmc.optimizers.basins import Basin, cluster
from bnfhmc.optimizers.identifiability import directions
from bnfhmc.optimizers.laplace import at_bounds, laplace, standard_errors
from bnfhmc.optimizers.loosening import LOOSE, loosened
from bnfhmc.optimizers.multistart import Outcome, Plan
from bnfhmc.optimizers.objective import Objective
from bnfhmc.optimizers.prior_terms import others_than_rows
from bnfhmc.optimizers.result import NEAR, FitResult, Start
from bnfhmc.optimizers.search import Callback, Options
from bnfhmc.optimizers.starts import NoStart
from bnfhmc.optimizers.store import Store, outcome_of, record_of
from bnfhmc.optimizers.threads import Crew, Threads
from bnfhmc.posterior import Posterior

MAP = "map"
METHODS = (MAP, *BACKENDS)
STARTS = 20
DRAWS = 8

# The objective, the relative tolerance of its searches, and the seconds after which a solve is given up → who does them.
Away = Callable[[Objective, float, float], Crew]

Theta = Mapping[str, float] | Sequence[float]


def optimize(
    posterior: Posterior | Objective,
    method: str = MAP,
    *,
    starts: int | Sequence[Theta] | None = None,
    random_seed: int | None = None,
    cores: int | None = None,
    tolerance: float = 1e-6,
    max_evaluations: int | None = None,
    draws: int = DRAWS,
    search_space: Mapping[str, tuple[float, float]] | None = None,
    options: Mapping[str, Any] | None = None,
    callback: Callback | None = None,
    store: Path | None = None,
    away: Away | None = None,
) -> FitResult:
    """The mode of the posterior as a density of u: the minimum of f(u) = loss(θ(u)) − Σ log p_i(u_i).

    method: "map", which picks by what f is made of, or a key of BACKENDS.
    starts: how many searches, from draws of the prior, or the points θ to start from; by default 20, and 1 for a method that
    searches the whole box.
    random_seed: the same seed gives the same result on any number of cores; None draws one and records it.
    cores: threads at once; None takes all that the process may use.
    tolerance: a decrease of f below this counts as none.
    max_evaluations: solves a start; None takes the method's own.
    draws: from how many draws of the prior that can be solved each start is chosen, as the best of them.
    search_space: bounds in θ by name, within the supports.
    options: the method's own, by name.
    callback: is told of every solve as a `Step`, and ends the run by returning something true.
    store: a file that keeps what has ended; with the same arguments an interrupted run goes on from there.
    away: those who do the searches elsewhere, for the same result; None has them on threads here.

    Raises InputError for arguments that are wrong, NoStart where no start can be solved, MissingTool where a method's package
    is not installed, and whatever a user's function raises.
    """
    objective = posterior if isinstance(posterior, Objective) else Objective.of(posterior, search_space)
    if isinstance(posterior, Objective) and search_space:
        raise InputError(Mistake("an Objective has its own search_space", "give it to Objective(…, search_space=…)"))
    name, why = choose(objective) if method == MAP else (method, "as asked for")
    _check(objective, name, options, starts, tolerance, max_evaluations, draws, random_seed, cores)
    backend = BACKENDS[name]
    given = [] if starts is None or isinstance(starts, int) else [objective.u_of(theta) for theta in starts]
    count = len(given) or (starts if isinstance(starts, int) else 1 if backend.is_global else STARTS)
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if random_seed is None else int(random_seed)
    limit = max_evaluations or backend.evaluations(objective.dim)
    settings = Options(tolerance, limit, seed, {**backend.extra, **(options or {})})
    plan = Plan(name, settings, count, draws, seed)
    began = time.perf_counter()
    # a search without gradients looks at differences of values alone, which lose their digits first
    rtol = 0.0 if backend.needs == "value" else LOOSE
    searched, seconds = loosened(objective, rtol)
    crew = Threads(searched, cores) if away is None else away(objective, rtol, seconds)
    kept = Store(store, _run_of(objective, plan, given)) if store is not None else None
    done = [outcome_of(r) for r in kept.finished] if kept else []
    outcomes = multistart.run(
        searched, plan, crew, given=given, done=done, callback=callback,
        keep=(lambda outcome: kept.keep(record_of(outcome))) if kept else (lambda outcome: None),
    )  # fmt: skip
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


def _check(
    objective: Objective, name: str, options: Mapping[str, Any] | None, starts: Any, tolerance: float,
    max_evaluations: int | None, draws: int, random_seed: int | None, cores: int | None,
) -> None:  # fmt: skip
    if name not in BACKENDS:
        hint = nearest(name, METHODS) or f"the methods are {', '.join(METHODS)}"
        raise InputError(Mistake(f"unknown method '{name}'", hint))
    backend = BACKENDS[name]
    wrong = [Mistake(f"method = {name} has no option '{n}'", nearest(n, backend.extra) or _listed(backend))
             for n in options or {} if n not in backend.extra]  # fmt: skip
    checks = [
        (isinstance(starts, int) and starts < 1, f"starts = {starts}", "at least 1"),
        (not isinstance(starts, int | None) and len(starts) == 0, "starts is empty", "give one θ, or how many"),
        (not tolerance > 0, f"tolerance = {tolerance:g}", "above 0"),
        (max_evaluations is not None and max_evaluations < 1, f"max_evaluations = {max_evaluations}", "at least 1"),
        (draws < 1, f"draws = {draws}", "at least 1"),
        (random_seed is not None and random_seed < 0, f"random_seed = {random_seed}", "0 or more"),
        (cores is not None and cores < 1, f"cores = {cores}", "at least 1"),
    ]
    wrong += [Mistake(what, hint) for is_wrong, what, hint in checks if is_wrong]
    if not objective.gives(backend.needs):
        wrong.append(_lacks(objective, name, backend))
    if wrong:
        raise InputError(wrong)
    if backend.is_global:
        _ = objective.box


def _lacks(objective: Objective, name: str, backend: Backend) -> Mistake:
    able = [k for k, b in BACKENDS.items() if objective.gives(b.needs)]
    hint = f"there are {', '.join(able)}"
    if backend.needs != "residuals":
        return Mistake(f"method = {name} needs the {backend.needs} of the loss, which it does not have", hint)
    if objective.loss.least_squares:
        others = ", ".join(f"'{p.name}'" for p in others_than_rows(objective.prior))
        return Mistake(f"method = {name} is least squares, and the prior of {others} is neither normal nor uniform", hint)
    return Mistake(f"method = {name} is least squares, and the loss is no sum of squares (a noise parameter is estimated, or "
                   "the noise is not normal)", hint)  # fmt: skip


def _listed(backend: Backend) -> str:
    return f"it has {', '.join(backend.extra)}" if backend.extra else "it has none"


def _has(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None
