"""A problem tried out: each experiment solved with and without sensitivities, the gradient compared at a few points."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import ClassVar, Literal, NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float

from bnfhmc.likelihood import ExperimentLikelihood, failure_of
from bnfhmc.model.protocol import Failure, FailureKind
from bnfhmc.objective import TargetLikelihood
from bnfhmc.posterior import Evaluation, Posterior
from bnfhmc.report.check.capability import Opened
from bnfhmc.samplers.gradient_check import Slope, Verdict, compare_gradient
from bnfhmc.samplers.starts import prior_spread, stream

T = TypeVar("T")
Vector = Float[np.ndarray, " d"]
Which = Literal["initial", "prior"]

BULK_POINTS = 2  # draws from the prior's bulk at which the gradient is compared too
TRIES = 5  # draws that may fail for one of them
REPEATS, BUDGET_S = 5, 0.5  # timed repeats of a solve: this many, or as many as fit into the budget
SOLVES_A_SLOPE = 6  # most slopes are settled by three steps, up and down


@dataclass(frozen=True, slots=True)
class Solve:
    """One experiment at one point.

    ``status``: "ok" or the kind of its failure; ``message``: the solver's words; ``columns``: how many quantities it is
    differentiated by; ``seconds``, ``gradient_seconds``: without and with sensitivities; ``price``: their ratio.
    """

    experiment: str
    status: str
    message: str
    columns: int
    seconds: float | None
    gradient_seconds: float | None
    price: float | None


@dataclass(frozen=True, slots=True)
class Solves:
    """Every experiment solved at θ; ``check_seconds``: what comparing the gradient will take."""

    key: ClassVar[str] = "solves"
    where: str
    theta: Mapping[str, float]
    experiments: tuple[Solve, ...]
    check_seconds: float | None


@dataclass(frozen=True, slots=True)
class Point:
    """log π and its slopes in z at θ.

    ``redrawn``: the kinds of failure of the draws before it; ``seconds``: of one value with its gradient.
    """

    key: ClassVar[str] = "gradient"
    where: str
    theta: Mapping[str, float]
    status: str
    message: str
    redrawn: tuple[str, ...]
    logp: float | None
    seconds: float | None
    slopes: tuple[Slope, ...]

    def named(self, verdict: Verdict) -> tuple[str, ...]:
        """The parameters whose slope has this verdict."""
        return tuple(s.name for s in self.slopes if s.verdict is verdict)


class Place(NamedTuple):
    """A point z[d] and what it is called."""

    where: str
    z: Vector


def first_place(posterior: Posterior, which: Which) -> Place:
    """The initial values, with the prior's median where there is none; or the medians alone."""
    initial = posterior.problem.initial_theta if which == "initial" else {}
    theta = {p.name: initial.get(p.name, p.quantile(0.5)) for p in posterior.problem.parameters}
    where = "the initial values" if len(initial) == len(theta) else "the medians of the prior"
    if initial and len(initial) < len(theta):
        where = "the initial values and prior medians"
    return Place(where, posterior.z_from_u(posterior.u_from_theta(theta)))


def solve_each(posterior: Posterior, opened: Opened, place: Place) -> Solves:
    """Each experiment solved at the place, and timed after a first solve that may compile."""
    theta = _theta(posterior, place.z)
    solved = [_solve(name, e, theta) for name, e in opened.likelihoods.items() if e is not None]
    if posterior.problem.target is not None:
        solved.append(_solve("objective", TargetLikelihood(posterior.problem.target, posterior.names), theta))
    seconds = [s.seconds for s in solved if s.seconds is not None]
    comparisons = (1 + BULK_POINTS) * posterior.dim * SOLVES_A_SLOPE
    known = len(seconds) == len(solved)
    return Solves(place.where, theta, tuple(solved), comparisons * sum(seconds) if known else None)


def compare_at(posterior: Posterior, place: Place) -> Iterator[Point]:
    """The gradient beside central differences, at the place and at draws from the prior's bulk, which a seed fixes."""
    scale = prior_spread(posterior)
    yield _point(posterior, place, posterior.evaluate(place.z), (), scale)
    for k in range(BULK_POINTS):
        rng, redrawn = stream(posterior.problem.settings.random_seed or 0, k, 0), list[str]()
        for _ in range(TRIES):
            drawn = Place(f"draw {k + 1} from the prior's bulk", posterior.sample_start(rng))
            evaluation = posterior.evaluate(drawn.z)
            if evaluation.status == "ok":
                break
            redrawn.append(evaluation.status)
        yield _point(posterior, drawn, evaluation, tuple(redrawn), scale)


def _point(posterior: Posterior, place: Place, at_z: Evaluation, redrawn: tuple[str, ...], scale: Vector) -> Point:
    theta = _theta(posterior, place.z)
    if at_z.status != "ok":
        return Point(place.where, theta, at_z.status, posterior.explain(place.z), redrawn, None, None, ())
    _, seconds = _timed(lambda: posterior.evaluate(place.z))
    report = compare_gradient(
        lambda z: _value(posterior, z), posterior.names, place.z, at_z, scale=scale, rtol=posterior.rtol
    )
    return Point(place.where, theta, "ok", "", redrawn, at_z.logp, seconds, report.slopes)


def _value(posterior: Posterior, z: Vector) -> Evaluation:
    """log π(z) by solves without sensitivities: a fraction of the price, and nothing in common with the gradient."""
    u = posterior.u_from_z(z)
    log_prior, nowhere = posterior.log_prior(u), np.zeros(posterior.dim)
    if not np.isfinite(log_prior):
        return Evaluation(-np.inf, nowhere, str(FailureKind.OUTSIDE))
    logp = log_prior - posterior.loss(u) + posterior.prior.log_du_dz(z)
    if not np.isfinite(logp):
        return Evaluation(-np.inf, nowhere, str(FailureKind.NONFINITE))
    return Evaluation(logp, nowhere, "ok")


def _solve(name: str, likelihood: ExperimentLikelihood | TargetLikelihood, theta: Mapping[str, float]) -> Solve:
    columns = 0

    def plain() -> Failure | None:
        p = likelihood.solve(theta, False)
        return p if isinstance(p, Failure) else failure_of(likelihood.loss(p))  # type: ignore[arg-type]

    def gradient() -> Failure | None:
        p = likelihood.solve(theta, True)
        return p if isinstance(p, Failure) else failure_of(*likelihood.loss_gradient(p))  # type: ignore[arg-type]

    if isinstance(likelihood, ExperimentLikelihood):
        columns = sum(len(r.columns) for r in likelihood.simulation.routings)
    failure, seconds = _timed(plain)
    if failure is not None:
        return Solve(name, str(failure.kind), failure.message, columns, None, None, None)
    failure, dearer = _timed(gradient)
    if failure is not None:
        message = f"with sensitivities: {failure.message}"
        return Solve(name, str(failure.kind), message, columns, seconds, None, None)
    return Solve(name, "ok", "", columns, seconds, dearer, dearer / seconds if seconds > 0 else None)


def _timed(f: Callable[[], T]) -> tuple[T, float]:
    """f() and the median seconds of a few calls after it; a first call that fails is not repeated."""
    started = time.perf_counter()
    result = f()
    spent = [time.perf_counter() - started]
    if isinstance(result, Failure):
        return result, spent[0]
    spent.clear()
    while len(spent) < REPEATS and sum(spent) < BUDGET_S:
        started = time.perf_counter()
        f()
        spent.append(time.perf_counter() - started)
    return result, median(spent)


def _theta(posterior: Posterior, z: Vector) -> dict[str, float]:
    return dict(zip(posterior.names, posterior.theta_from_u(posterior.u_from_z(z)).tolist(), strict=True))
