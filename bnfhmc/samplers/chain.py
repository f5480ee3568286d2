"""One chain: a fold of transitions, first while step size and metric are learnt, then with both held."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, final

import numpy as np
from jaxtyping import Float

from bnfhmc.samplers import metric as metrics
from bnfhmc.samplers import warmup
from bnfhmc.samplers.basins import Basin, start_in
from bnfhmc.samplers.curvature import Curvature
from bnfhmc.samplers.draws import ChainRecord, Trace
from bnfhmc.samplers.gradient_check import GradientReport, check_gradient
from bnfhmc.samplers.host import Host, Tally
from bnfhmc.samplers.kernels.correction import corrected
from bnfhmc.samplers.kernels.protocol import Asks, Evaluate, Info, Kernel, Learns, Point, SampleStart, Tuning
from bnfhmc.samplers.methods import brief
from bnfhmc.samplers.progress import Row
from bnfhmc.samplers.starts import NoStart, Start, draw_start, given_start, stream
from bnfhmc.samplers.target import Target

# Each chain has a stream of random numbers for its start and one for its transitions, and each climb to a mode has one.
START, TRANSITIONS = 0, 1

# Of so many draws of a warm-up one tells its curvature: neighbours tell the same, and some noise families have to sum for it.
CURVED_EVERY = 3


@dataclass(frozen=True, slots=True)
class Settings:
    """What all the chains of a run share.

    ``scale``: each parameter's width in z as far as the prior tells it. ``rtol``: the relative tolerance of the
    target's solver. ``tuned``: what an earlier run has learnt, by chain. ``accept_by``: "value" has draws accepted by log π of
    its own solve, None by that which came with the gradient. The rest as in `run_chains`.
    """

    kernel: Kernel
    num_warmup: int
    num_samples: int
    metric: metrics.Form
    scale: Float[np.ndarray, " d"]
    check_gradient: bool
    rtol: float
    random_seed: int
    start: Literal["prior", "map"] = "prior"
    starts: tuple[Float[np.ndarray, " d"], ...] = ()
    tuned: tuple[Tuning, ...] = ()
    accept_by: Literal["value"] | None = None


class Progressed(NamedTuple):
    """All that a chain goes on from: the draws made, where it is, what it has learnt, and what its transitions take.

    ``adaptation``: None once the warm-up is over.
    """

    warmed: int
    sampled: int
    point: Point
    adaptation: warmup.Adaptation | None
    tuning: Tuning


class Cost(NamedTuple):
    """What the phases of a chain have cost so far; sampling is counted by the host until it ends."""

    starting: Tally
    warmup: Tally
    warmup_seconds: float
    sampling_seconds: float


@final
@dataclass(slots=True, eq=False)
class Chain:
    """One chain on its way. One thread at a time moves it on."""

    index: int
    target: Target
    host: Host
    row: Row
    rng: np.random.Generator
    start: Start | None = None
    gradient_check: GradientReport | None = None
    at: Progressed | None = None
    warm: Trace = field(default_factory=lambda: Trace.empty(0, 0))
    sampled: Trace = field(default_factory=lambda: Trace.empty(0, 0))
    cost: Cost = Cost(Tally(), Tally(), 0.0, 0.0)

    def is_done(self, settings: Settings) -> bool:
        """Whether all its draws are made."""
        return self.at is not None and self.at.adaptation is None and self.at.sampled >= settings.num_samples


def start_chain(chain: Chain, settings: Settings, basins: Sequence[Basin] = ()) -> None:
    """Find a start the target can be solved at, and check the gradient there if the settings ask for it.

    `basins`: the modes that the chains of a run with ``start`` "map" start around.
    """
    chain.row.phase = "start"
    host = chain.host
    if settings.starts:
        chain.start = given_start(settings.starts[chain.index % len(settings.starts)], host.evaluate_curved, chain=chain.index)
    else:
        rng = stream(settings.random_seed, chain.index, START)
        chain.start = start_in(basins, host, settings.scale, rng, chain=chain.index) or draw_start(
            chain.target.sample_start, host.evaluate_curved, rng, chain=chain.index
        )
    if settings.check_gradient:
        chain.row.phase = "gradient check"
        chain.gradient_check = check_gradient(
            host.evaluate,
            chain.target.names,
            chain.start.z,
            chain.start.evaluation,
            scale=settings.scale,
            rtol=settings.rtol,
            chain=chain.index,
        )
    chain.row.phase = "ready"
    chain.cost = chain.cost._replace(starting=host.end_phase())


def advance(chain: Chain, settings: Settings, pause: Callable[[], bool]) -> None:
    """Draw until all is drawn or `pause` says so, which is asked after every draw.

    The draws are a function of the settings and the chain's index alone, wherever the pauses fall.
    """
    while not chain.is_done(settings):
        began = time.perf_counter()
        if chain.at is None:
            _begin(chain, settings)
        elif chain.at.adaptation is not None:
            _warm(chain, chain.at, chain.at.adaptation, settings)
            chain.cost = chain.cost._replace(warmup_seconds=chain.cost.warmup_seconds + time.perf_counter() - began)
        else:
            _sample(chain, chain.at, settings)
            chain.cost = chain.cost._replace(sampling_seconds=chain.cost.sampling_seconds + time.perf_counter() - began)
        if pause():
            break
    if chain.is_done(settings):
        chain.row.phase = "done"


def record(chain: Chain) -> ChainRecord:
    """What the chain went through so far."""
    assert chain.start is not None and chain.at is not None
    step_size, metric, center = chain.at.tuning
    warming = chain.at.adaptation is not None
    return ChainRecord(
        start=chain.start.z,
        redrawn=chain.start.redrawn,
        gradient_check=chain.gradient_check,
        starting=chain.cost.starting,
        warmup=chain.host.tally if warming else chain.cost.warmup,
        sampling=Tally() if warming else chain.host.tally,
        warmup_seconds=chain.cost.warmup_seconds,
        sampling_seconds=chain.cost.sampling_seconds,
        step_size=step_size,
        inverse_mass_matrix=metric.inverse_mass_matrix,
        num_warmup=chain.at.warmed,
        center=center,
    )


def _begin(chain: Chain, settings: Settings) -> None:
    """The first state: the start, the metric of its curvature, and a step size."""
    assert chain.start is not None
    kernel, start = settings.kernel, chain.start
    chain.row.begin("warm-up")
    point = Point.at(start.z, start.evaluation)
    curvature = start.curvature or point.curvature
    tuning = settings.tuned[chain.index % len(settings.tuned)] if settings.tuned else _first_tuning(kernel, curvature, settings)
    point = kernel.init(chain.rng, point, _spread(chain, start, tuning), chain.host.value)
    if settings.accept_by == "value":
        point = point._replace(value=_value_at(chain, start))
    if kernel.learns is Learns.METRIC and kernel.asks is Asks.GRADIENT and not settings.tuned:
        step_size = warmup.reasonable_step_size(chain.host.evaluate, point, tuning, chain.rng)
        tuning = tuning._replace(step_size=step_size)
    if kernel.learns is Learns.REFERENCE and tuning.center is None:
        tuning = tuning._replace(center=start.z)
    walkers = len(point.z) if point.z.ndim == 2 else 1
    chain.warm = Trace.empty(settings.num_warmup, start.z.size, walkers)
    chain.sampled = Trace.empty(settings.num_samples, start.z.size, walkers)
    chain.at = Progressed(0, 0, point, warmup.begin(tuning, settings.num_warmup), tuning)
    if settings.num_warmup == 0:
        _end_warmup(chain, chain.at, tuning, settings)


def _spread(chain: Chain, start: Start, tuning: Tuning) -> SampleStart:
    """Where the walkers of an ensemble start: around a start near a mode as wide as that, else over the prior."""
    if start.curvature is None:
        return chain.target.sample_start
    around = metrics.from_curvature(start.curvature, np.sqrt(_variances(tuning)), "dense")
    return lambda rng: start.z + around.push(rng.standard_normal(start.z.size))


def _variances(tuning: Tuning) -> Float[np.ndarray, " d"]:
    M = tuning.metric.inverse_mass_matrix
    return np.asarray(np.diag(M) if M.ndim == 2 else M)


def _first_tuning(kernel: Kernel, curvature: Curvature | None, settings: Settings) -> Tuning:
    if curvature is None or kernel.learns not in (Learns.METRIC, Learns.REFERENCE):
        return Tuning(1.0, metrics.from_scale(settings.scale, settings.metric))
    return Tuning(1.0, metrics.from_curvature(curvature, settings.scale, settings.metric))


def _warm(chain: Chain, at: Progressed, a: warmup.Adaptation, settings: Settings) -> None:
    kernel = settings.kernel
    learns = kernel.asks is Asks.GRADIENT and kernel.learns is Learns.METRIC and at.warmed % CURVED_EVERY == 0
    curved = kernel.asks is Asks.CURVATURE or learns
    evaluate = _evaluator(chain.host, kernel.asks, curved)
    moves = kernel if a.settled else brief(kernel)
    point, info = _take(chain, settings, moves, at.point, at.tuning, evaluate, chain.warm, at.warmed)
    if kernel.target_accept is not None:
        a = warmup.update(a, point, float(np.mean(info.acceptance_rate)), kernel.target_accept)
        if warmup.at_boundary(a) and not warmup.finished(a, settings.num_warmup):
            a = warmup.end_window(a, kernel.learns, settings.num_warmup)
            step_size = a.tuning.step_size
            if kernel.learns is Learns.METRIC and kernel.asks is Asks.GRADIENT:
                step_size = warmup.reasonable_step_size(chain.host.evaluate, point, a.tuning, chain.rng)
            a = warmup.with_step_size(a, step_size)
    else:
        a = a._replace(drawn=a.drawn + 1)
    chain.at = Progressed(at.warmed + 1, 0, point, a, a.tuning if kernel.target_accept is not None else at.tuning)
    if warmup.finished(a, settings.num_warmup):
        _end_warmup(chain, chain.at, warmup.tuned(a) if kernel.target_accept is not None else at.tuning, settings)


def _end_warmup(chain: Chain, at: Progressed, tuning: Tuning, settings: Settings) -> None:
    point = at.point if settings.kernel.asks is Asks.CURVATURE else at.point._replace(curvature=None)
    chain.at = at._replace(point=point, adaptation=None, tuning=tuning)
    chain.warm = chain.warm.part(slice(at.warmed))
    chain.cost = chain.cost._replace(warmup=chain.host.end_phase())
    chain.row.total = at.warmed + settings.num_samples
    chain.row.begin("sampling")


def _sample(chain: Chain, at: Progressed, settings: Settings) -> None:
    kernel = settings.kernel
    evaluate = _evaluator(chain.host, kernel.asks, kernel.asks is Asks.CURVATURE)
    point, _ = _take(chain, settings, kernel, at.point, at.tuning, evaluate, chain.sampled, at.sampled)
    chain.at = at._replace(sampled=at.sampled + 1, point=point)


def _evaluator(host: Host, asks: Asks, curved: bool) -> Evaluate:
    if asks is Asks.VALUE:
        return host.value
    return host.evaluate_curved if curved else host.evaluate


def _value_at(chain: Chain, start: Start) -> float:
    """log π at the start, by a solve for that alone."""
    at = chain.host.value(start.z)
    if at.status != "ok":
        raise NoStart(f"chain {chain.index + 1}: its start can be solved with sensitivities, and fails without ({at.status})")
    return at.logp


def _take(
    chain: Chain, settings: Settings, kernel: Kernel, point: Point, tuning: Tuning, evaluate: Evaluate, trace: Trace, n: int
) -> tuple[Point, Info]:
    """The next state, written down as draw n of the trace; a step size is tuned by the acceptance of the kernel alone."""
    host, walkers, kept = chain.host, len(trace.z), 1.0
    failed, steps, began = host.failed, host.solver_steps, time.perf_counter()
    proposed, info = kernel.step(chain.rng, point, tuning, evaluate)
    if settings.accept_by == "value":
        proposed, kept = corrected(chain.rng, point, proposed, host.value)
    point, logp = proposed, proposed.logp if proposed.value is None else proposed.value
    trace.z[:, n] = point.z
    stats = info._asdict() | {
        "lp": logp, "step_size": tuning.step_size, "failed": host.failed - failed,
        "seconds": (time.perf_counter() - began) / walkers, "solver_steps": (host.solver_steps - steps) / walkers,
    }  # fmt: skip
    stats["acceptance_rate"] = info.acceptance_rate * kept
    for name, value in stats.items():
        trace.stats[name][:, n] = value
    chain.row.drawn(
        step_size=tuning.step_size,
        tree_depth=int(np.max(info.tree_depth)),
        diverging=bool(np.any(info.diverging)),
        failed=chain.host.failed,
        gradients=chain.host.solves,
    )
    return point, info
