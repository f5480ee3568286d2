"""Chains side by side: spread starts, gradients checked, every chain on a thread with its own copy of the target."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import nullcontext
from functools import partial
from typing import TypeVar, get_args

import numpy as np
from jaxtyping import Float

from bnfhmc.samplers import nuts, warmup
from bnfhmc.samplers.chain import Chain, Settings, run_chain, start_chain
from bnfhmc.samplers.cores import usable_cores
from bnfhmc.samplers.draws import Draws, Trace
from bnfhmc.samplers.host import Host, Stopped
from bnfhmc.samplers.progress import Progress, Row
from bnfhmc.samplers.starts import prior_spread
from bnfhmc.samplers.target import Target

T = TypeVar("T")


def run_nuts(
    target: Target,
    *,
    chains: int = 4,
    num_warmup: int = 1000,
    num_samples: int = 1000,
    target_accept: float = 0.8,
    max_tree_depth: int = 10,
    metric: warmup.Metric | None = None,
    random_seed: int | None = None,
    cores: int | None = None,
    progress: Progress | None = None,
    check_gradient: bool = True,
    rtol: float = 1e-8,
    starts: Sequence[Float[np.ndarray, " d"]] | None = None,
) -> Draws:
    """Draws z ~ π by NUTS, with the windowed warm-up of Stan (Hoffman & Gelman 2014; Carpenter et al. 2017).

    The same seed gives the same draws bit for bit, whatever the number of cores. A failed solve ends its trajectory
    like a divergence and is counted by kind, so the density sampled is π restricted to where the target can be solved.

    `chains`: independent chains, each started from a draw of ``target.sample_start``. `num_warmup`, `num_samples`:
    draws a chain; the warm-up may be 0. `target_accept`: mean acceptance that the step size is tuned to, in (0, 1).
    `max_tree_depth`: a trajectory has at most 2^depth − 1 steps. `metric`: "dense", "diagonal", or None for
    `warmup.default_metric`. `random_seed`: None draws one and records it. `cores`: threads at once; None takes what the
    process may use. `check_gradient`: compare the gradient with central differences at every start, before any draw;
    `rtol` is the relative tolerance of the target's solver, which sets what such a comparison can tell. `starts`: points z
    for the chains to start from, in turn.

    Raises `NoStart`, `GradientMismatch`, and anything the target raises, as it is; the other chains stop at their next
    solve.
    """
    metric = metric or warmup.default_metric(target.dim, num_warmup)
    _check(target, chains, num_warmup, num_samples, target_accept, max_tree_depth, metric, random_seed, cores)
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if random_seed is None else int(random_seed)
    settings = Settings(
        num_warmup=num_warmup,
        num_samples=num_samples,
        target_accept=target_accept,
        max_tree_depth=max_tree_depth,
        metric=metric,
        scale=prior_spread(target),
        check_gradient=check_gradient,
        rtol=rtol,
        random_seed=seed,
    )
    stop = threading.Event()
    seats = [_seat(i, target.clone(), num_warmup + num_samples, stop) for i in range(chains)]
    rows = [seat.row for seat in seats]
    threads = min(chains, cores or usable_cores())
    with progress.watching(rows) if progress is not None else nullcontext():
        given = [starts[seat.index % len(starts)] if starts else None for seat in seats]
        begin = [partial(start_chain, seat, settings, z) for seat, z in zip(seats, given, strict=True)]
        started = _on_threads(begin, threads, stop)
        _say(rows, "compiling")
        nuts.precompile(target.dim, warmup.first_inverse_mass(settings.scale, metric), max_tree_depth)
        _say(rows, "waiting")
        work = [partial(run_chain, *pair, settings) for pair in zip(seats, started, strict=True)]
        finished = _on_threads(work, threads, stop)
    trace = Trace.stack([chain.sampling for chain in finished])
    return Draws(
        names=tuple(target.names),
        z=trace.z,
        stats=trace.stats,
        warmup=Trace.stack([chain.warmup for chain in finished]),
        chains=tuple(chain.record for chain in finished),
        metric=metric,
        random_seed=seed,
    )


def _seat(index: int, target: Target, draws: int, stop: threading.Event) -> Chain:
    return Chain(index, target, Host(target, stop), Row(index, draws))


def _say(rows: Sequence[Row], phase: str) -> None:
    for row in rows:
        row.phase = phase


def _on_threads(work: Sequence[Callable[[], T]], threads: int, stop: threading.Event) -> list[T]:
    """The results of the work in order; the first exception, a thread's or the caller's, stops all and is raised."""

    def stopping(one: Callable[[], T]) -> T:
        try:
            return one()
        except BaseException:
            stop.set()
            raise

    with ThreadPoolExecutor(threads, thread_name_prefix="chain") as pool:
        try:
            futures = [pool.submit(stopping, one) for one in work]
            wait(futures)
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    raised = [error for future in futures if (error := future.exception()) is not None]
    for error in raised:
        if not isinstance(error, Stopped):
            raise error
    return [future.result() for future in futures]


def _check(
    target: Target,
    chains: int,
    num_warmup: int,
    num_samples: int,
    target_accept: float,
    max_tree_depth: int,
    metric: str,
    random_seed: int | None,
    cores: int | None,
) -> None:
    wrong: Sequence[tuple[bool, str]] = [
        (target.dim < 1, "the target has no parameter to sample"),
        (len(target.names) != target.dim, f"the target names {len(target.names)} of its {target.dim} parameters"),
        (chains < 1, f"chains = {chains}: at least 1"),
        (num_warmup < 0, f"num_warmup = {num_warmup}: 0 or more"),
        (num_samples < 1, f"num_samples = {num_samples}: at least 1"),
        (not 0.0 < target_accept < 1.0, f"target_accept = {target_accept}: between 0 and 1"),
        (max_tree_depth < 1, f"max_tree_depth = {max_tree_depth}: at least 1"),
        (metric not in get_args(warmup.Metric), f"metric = {metric!r}: {' or '.join(get_args(warmup.Metric))}"),
        (random_seed is not None and random_seed < 0, f"random_seed = {random_seed}: 0 or more, or None to draw one"),
        (cores is not None and cores < 1, f"cores = {cores}: at least 1, or None for all"),
    ]
    said = [message for is_wrong, message in wrong if is_wrong]
    if said:
        raise ValueError("; ".join(said))
