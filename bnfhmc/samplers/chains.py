"""Chains side by side: spread starts, gradients checked, every chain with its own copy of the target, on as many threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from typing import Any, Literal, TypeVar, get_args

import numpy as np
from jaxtyping import Float

from bnfhmc.cores import usable_cores
from bnfhmc.errors import InputError, Mistake
from bnfhmc.samplers import metric as metrics
from bnfhmc.samplers.basins import Basin
from bnfhmc.samplers.chain import TRANSITIONS, Chain, Settings, record, start_chain
from bnfhmc.samplers.checkpoint import Checkpoint
from bnfhmc.samplers.curvature import Curved, Valued
from bnfhmc.samplers.draws import Draws, Search, Trace
from bnfhmc.samplers.host import Host, Stopped
from bnfhmc.samplers.kernels.protocol import Asks, Kernel, Tuning
from bnfhmc.samplers.methods import method_of
from bnfhmc.samplers.modes import NearModes, find_modes
from bnfhmc.samplers.progress import Progress, Row
from bnfhmc.samplers.relay import Relay
from bnfhmc.samplers.starts import prior_spread, stream
from bnfhmc.samplers.target import Target

T = TypeVar("T")

# Works on the chains with these indices elsewhere, from these modes; why each of them died, or an empty text.
Away = Callable[[Sequence[int], Sequence[Basin], Settings], Sequence[str]]


class Died(RuntimeError):
    """A chain has died elsewhere; the message is the reason."""

# How far log π may be from what it was, relatively, for a run to be taken for the same one on another machine.
SAME = 1e-6

# The settings that a run is told by, besides its kernel.
ASKED = ("num_warmup", "num_samples", "metric", "random_seed", "start", "starts", "tuned", "accept_by")


def run_chains(
    kernel: Kernel,
    target: Target,
    *,
    chains: int = 4,
    num_warmup: int = 1000,
    num_samples: int = 1000,
    metric: metrics.Form | None = None,
    random_seed: int | None = None,
    cores: int | None = None,
    progress: Progress | None = None,
    check_gradient: bool = True,
    rtol: float = 1e-8,
    start: Literal["prior", "map"] = "prior",
    starts: Sequence[Float[np.ndarray, " d"]] = (),
    near_modes: NearModes | None = None,
    tuned: Sequence[Tuning] = (),
    accept_by: Literal["gradient", "value"] = "gradient",
    time_limit: float | None = None,
    checkpoint: Checkpoint | None = None,
    resume: bool = False,
    away: Away | None = None,
) -> Draws:
    """Draws z ~ π by a kernel.

    The same seed gives the same draws bit for bit, whatever the number of cores and however often the run was stopped and
    resumed. A failed solve is rejected and counted by kind, so the density sampled is π restricted to where the target can be
    solved.

    `chains`: independent chains. `num_warmup`: at most so many draws a chain to learn step size and metric from; it ends when
    both have settled. `num_samples`: draws a chain after it. `metric`: "dense" or "diagonal"; None is dense up to
    `metrics.DENSE_UP_TO` parameters. `random_seed`: None draws one and records it. `cores`: threads at once; None takes what
    the process may use. `check_gradient`: compare the gradient with central differences at every start, before any draw;
    `rtol` is the relative tolerance of the target's solver, which sets what such a comparison can tell. `start`: "prior"
    starts the chains from draws of ``target.sample_start``; "map" climbs from some of them to the modes and spreads the
    chains around these, every fourth one far out. `starts`: points z for the chains to start from instead, in turn.
    `near_modes`: for "map", what finds points from a seed that the climbs start from instead. `tuned`: what an earlier run has
    learnt, for the chains in turn. `accept_by`: "value" accepts each draw by log π from a solve for that alone, which makes
    draws exact whose trajectories were solved less exactly; see `bnfhmc.samplers.kernels.correction`.
    `time_limit`: seconds after which the run ends with the draws it has. `checkpoint`: where the chains are kept while they
    run; with `resume` they go on from there. `away`: works on the chains elsewhere, with the checkpoint between; None has them
    here.

    An interrupt ends the run after the draws in hand, with what there is, and a second one at once. A chain in which the
    target raises an exception ends there, and the others go on; where none is left it is raised as it is. Raises `NoStart` and
    `GradientMismatch`, both before the first draw, and KeyboardInterrupt where no chain has left its warm-up.
    """
    _check(kernel, target, chains, num_warmup, num_samples, metric, start, random_seed, cores, time_limit, accept_by)
    if random_seed is None and resume and checkpoint is not None:
        random_seed = int(checkpoint.asked()["random_seed"])
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if random_seed is None else int(random_seed)
    settings = _settings(
        kernel, target, num_warmup=num_warmup, num_samples=num_samples, metric=metric, check_gradient=check_gradient,
        rtol=rtol, random_seed=seed, start=start, starts=starts, tuned=tuned, accept_by=accept_by,
    )  # fmt: skip
    stop = threading.Event()
    seats = [_seat(i, target.clone(), settings, stop) for i in range(chains)]
    rows = [seat.row for seat in seats]
    threads = min(chains, cores or usable_cores())
    new = _restored(seats, settings, checkpoint, resume, stop)
    if near_modes is not None and new and start == "map" and not settings.starts:
        near_modes = _found(near_modes(seed))  # ahead of the display, beside whose thread no process could be forked
    with progress.watching(rows) if progress is not None else nullcontext():
        basins, search = _basins(new, target, settings, threads, stop, rows, checkpoint, near_modes)
        relay = Relay(seats, settings, checkpoint, time_limit, stop)
        if away is not None and checkpoint is not None:
            _run_away(away, relay, settings, basins, checkpoint, stop)
        else:
            _on_threads([partial(start_chain, seat, settings, basins) for seat in new], threads, stop)
            for row in rows:
                row.phase = "waiting"
            relay.run(threads)
    return _draws(target, relay, settings, search)


def run_chain(
    index: int,
    kernel: Kernel,
    target: Target,
    checkpoint: Checkpoint,
    *,
    basins: Sequence[Basin] = (),
    time_limit: float | None = None,
    **options: Any,
) -> str:
    """Move one chain of a run on to its end, from where its checkpoint has it; why it died, or an empty text.

    The chain is left in its checkpoint, with the draws that `run_chains` would give it. `basins`: the modes that the run starts
    around. `options`: those of `run_chains` which say what is drawn.
    """
    stop, settings = threading.Event(), _settings(kernel, target, **options)
    seat = _seat(index, target, settings, stop)
    if not checkpoint.restore(seat, settings, stop):
        start_chain(seat, settings, basins)
    relay = Relay([seat], settings, checkpoint, time_limit, stop, checkpoint.is_asked_to_end)
    relay.run(1)
    return "".join(_reason(error) for error in relay.died.values())


def _run_away(
    away: Away, relay: Relay, settings: Settings, basins: Sequence[Basin], checkpoint: Checkpoint, stop: threading.Event
) -> None:
    """Have the chains that are not done worked on elsewhere, and put back what their checkpoints have then."""
    left = [chain for chain in relay.chains if not chain.is_done(settings)]
    reasons = away([chain.index for chain in left], basins, settings)
    relay.interrupted = checkpoint.is_asked_to_end()
    for chain, reason in zip(left, reasons, strict=True):
        if reason:
            relay.died[chain] = Died(reason)
        elif checkpoint.restore(chain, settings, stop):
            relay.out_of_time = relay.out_of_time or not chain.is_done(settings)


def _settings(
    kernel: Kernel,
    target: Target,
    *,
    num_warmup: int,
    num_samples: int,
    metric: metrics.Form | None,
    check_gradient: bool,
    rtol: float,
    random_seed: int,
    start: Literal["prior", "map"],
    starts: Sequence[Float[np.ndarray, " d"]],
    tuned: Sequence[Tuning],
    accept_by: str | None = None,
) -> Settings:
    return Settings(
        kernel=kernel,
        num_warmup=num_warmup,
        num_samples=num_samples,
        metric=metric or ("dense" if target.dim <= metrics.DENSE_UP_TO else "diagonal"),
        scale=prior_spread(target),
        check_gradient=check_gradient and kernel.asks is not Asks.VALUE,
        rtol=rtol,
        random_seed=random_seed,
        start=start,
        starts=tuple(np.asarray(z, dtype=float) for z in starts),
        tuned=tuple(tuned),
        accept_by="value" if accept_by == "value" else None,
    )


def _found(near: tuple[Sequence[Float[np.ndarray, " d"]], int]) -> NearModes:
    """What was found with the run's seed, for whoever asks with it."""
    return lambda random_seed: near


def _basins(
    new: Sequence[Chain],
    target: Target,
    settings: Settings,
    threads: int,
    stop: threading.Event,
    rows: Sequence[Row],
    checkpoint: Checkpoint | None,
    near_modes: NearModes | None,
) -> tuple[tuple[Basin, ...], Search]:
    """The modes that chains are to start around, and what the search for them found."""
    if settings.start != "map" or settings.starts:
        return (), Search()
    if not new:
        return (), Search() if checkpoint is None else checkpoint.searched()
    for row in rows:
        row.phase = "search"
    modes, search = find_modes(
        target, settings.scale, settings.random_seed, lambda work: _on_threads(work, threads, stop), stop, near_modes
    )
    if checkpoint is not None:
        checkpoint.save_search(search)
    return modes, search


def _restored(
    seats: Sequence[Chain], settings: Settings, checkpoint: Checkpoint | None, resume: bool, stop: threading.Event
) -> list[Chain]:
    """Put back the chains that are on disk, and give those that are not."""
    if checkpoint is None:
        return list(seats)
    asked = {
        "kernel": {"kind": type(settings.kernel).__name__} | asdict(settings.kernel),  # type: ignore[call-overload]
        "method": method_of(settings.kernel),
        "parameters": list(seats[0].target.names),
        "chains": len(seats),
        **{name: getattr(settings, name) for name in ASKED},
    }
    if not resume:
        checkpoint.begin(asked)
        return list(seats)
    checkpoint.go_on(asked)
    new = []
    for seat in seats:
        if checkpoint.restore(seat, settings, stop):
            _refuse_another(seat, settings, checkpoint)
        else:
            new.append(seat)
    return new


def _refuse_another(seat: Chain, settings: Settings, checkpoint: Checkpoint) -> None:
    """A chain goes on only in the density that it came from: log π where it stands has to be what it was."""
    assert seat.at is not None
    z, was = np.atleast_2d(seat.at.point.z)[0], float(np.ravel(seat.at.point.logp)[0])
    valued = isinstance(seat.target, Valued) and settings.kernel.asks is Asks.VALUE
    logp = (seat.target.value if valued else seat.target.evaluate)(z).logp  # type: ignore[attr-defined]
    if not abs(logp - was) <= SAME * (1.0 + abs(was)):
        what = f"log π at the last point of chain {seat.index + 1} was {was:.10g}, and is {logp:.10g}"
        hint = "the model, the data or the priors have changed since: begin another run"
        raise InputError(Mistake(what, hint, checkpoint.path(seat.index)))


def _draws(target: Target, relay: Relay, settings: Settings, search: Search) -> Draws:
    """What the chains have, cut to the shortest; raises what ended the run where there is nothing."""
    died = {chain.index: _reason(error) for chain, error in relay.died.items()}
    living = [chain for chain in relay.chains if chain not in relay.died]
    if not living:
        raise next(iter(relay.died.values()))
    ready = [chain for chain in living if chain.at is not None and chain.at.sampled]
    if not ready:
        if relay.interrupted:
            raise KeyboardInterrupt
        raise TimeoutError("the time limit was over before any chain had left its warm-up")
    died |= {chain.index: "it was still in its warm-up" for chain in living if chain not in ready}
    drawn = [chain.at for chain in ready if chain.at is not None]
    samples, warmed = min(at.sampled for at in drawn), min(at.warmed for at in drawn)
    samples = min(samples, settings.num_samples)
    trace = Trace.stack([chain.sampled.part(slice(samples)) for chain in ready])
    lengths = zip(ready, drawn, strict=True)
    warm = Trace.stack([chain.warm.part(slice(at.warmed - warmed, at.warmed)) for chain, at in lengths])
    return Draws(
        names=tuple(target.names),
        z=trace.z,
        stats=trace.stats,
        warmup=warm,
        chains=tuple(record(chain) for chain in ready),
        metric=settings.metric,
        random_seed=settings.random_seed,
        search=search,
        died=died,
        ended="interrupted" if relay.interrupted else "out of time" if relay.out_of_time else "",
        unsaved="" if relay.unsaved is None else relay.unsaved.strerror or str(relay.unsaved),
    )


def _seat(index: int, target: Target, settings: Settings, stop: threading.Event) -> Chain:
    rng = stream(settings.random_seed, index, TRANSITIONS)
    return Chain(index, target, Host(target, stop), Row(index, settings.num_warmup + settings.num_samples), rng)


def _reason(error: BaseException) -> str:
    if isinstance(error, Died):
        return str(error)
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}"


def _on_threads(work: Sequence[Callable[[], T]], threads: int, stop: threading.Event) -> list[T]:
    """The results of the work in order; the first exception, a thread's or the caller's, stops all and is raised."""

    begin = threading.Event()

    def stopping(one: Callable[[], T]) -> T:
        begin.wait()
        try:
            if stop.is_set():
                raise Stopped
            return one()
        except BaseException:
            stop.set()
            raise

    with ThreadPoolExecutor(threads, thread_name_prefix="chain") as pool:
        try:
            futures = [pool.submit(stopping, one) for one in work]
            begin.set()
            wait(futures)
        except BaseException:
            stop.set()
            begin.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    raised = [error for future in futures if (error := future.exception()) is not None]
    for error in raised:
        if not isinstance(error, Stopped):
            raise error
    return [future.result() for future in futures]


def _check(
    kernel: Kernel,
    target: Target,
    chains: int,
    num_warmup: int,
    num_samples: int,
    metric: str | None,
    start: str,
    random_seed: int | None,
    cores: int | None,
    time_limit: float | None,
    accept_by: str,
) -> None:
    options: dict[str, Any] = {name: getattr(kernel, name, None) for name in ("target_accept", "max_tree_depth")}
    accept, depth = options["target_accept"], options["max_tree_depth"]
    forms = get_args(metrics.Form)
    name, unknown = type(kernel).__name__, kernel.asks is Asks.CURVATURE and not isinstance(target, Curved)
    wrong: Sequence[tuple[bool, str]] = [
        (target.dim < 1, "the target has no parameter to sample"),
        (len(target.names) != target.dim, f"the target names {len(target.names)} of its {target.dim} parameters"),
        (unknown, f"{name} needs the Fisher information, and this target has none"),
        (accept_by not in ("gradient", "value"), f"accept_by = {accept_by!r}: gradient or value"),
        (accept_by == "value" and kernel.asks is Asks.VALUE, f"accept_by = {accept_by!r}: {name} asks for values alone"),
        (accept_by == "value" and not isinstance(target, Valued), f"accept_by = {accept_by!r}: this target has no value alone"),
        (chains < 1, f"chains = {chains}: at least 1"),
        (num_warmup < 0, f"num_warmup = {num_warmup}: 0 or more"),
        (num_samples < 1, f"num_samples = {num_samples}: at least 1"),
        (accept is not None and not 0.0 < accept < 1.0, f"target_accept = {accept}: between 0 and 1"),
        (depth is not None and depth < 1, f"max_tree_depth = {depth}: at least 1"),
        (metric is not None and metric not in forms, f"metric = {metric!r}: {' or '.join(forms)}"),
        (start not in ("prior", "map"), f"start = {start!r}: prior or map"),
        (random_seed is not None and random_seed < 0, f"random_seed = {random_seed}: 0 or more, or None to draw one"),
        (cores is not None and cores < 1, f"cores = {cores}: at least 1, or None for all"),
        (time_limit is not None and not time_limit > 0, f"time_limit = {time_limit}: a positive number of seconds"),
    ]
    said = [message for is_wrong, message in wrong if is_wrong]
    if said:
        raise ValueError("; ".join(said))
