"""NUTS through nutpie, which runs its chains itself: another program's sampler and warm-up on the same posterior.

nutpie learns a low-rank metric from draws and gradients. It takes no metric to begin with, so its coordinates are those
whitened by the curvature at the first start, where there is one; it cannot be resumed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from bnfhmc.cores import usable_cores
from bnfhmc.errors import MissingTool
from bnfhmc.samplers import metric as metrics
from bnfhmc.samplers.basins import Basin, start_in
from bnfhmc.samplers.chain import START
from bnfhmc.samplers.curvature import curvature_of
from bnfhmc.samplers.draws import STATS, ChainRecord, Draws, Trace
from bnfhmc.samplers.gradient_check import GradientReport
from bnfhmc.samplers.gradient_check import check_gradient as check_gradient_at
from bnfhmc.samplers.host import Host, Tally
from bnfhmc.samplers.modes import find_modes
from bnfhmc.samplers.starts import Start, draw_start, given_start, prior_spread, stream
from bnfhmc.samplers.target import Target

# What nutpie calls the columns of a trace.
NAMES = {
    "lp": "logp",
    "diverging": "diverging",
    "energy": "energy",
    "tree_depth": "depth",
    "n_steps": "n_steps",
    "step_size": "step_size",
    "acceptance_rate": "mean_tree_accept",
}


def run_nutpie(
    method: str,
    target: Target,
    *,
    chains: int = 4,
    num_warmup: int = 1000,
    num_samples: int = 1000,
    target_accept: float = 0.8,
    max_tree_depth: int | None = None,
    random_seed: int | None = None,
    cores: int | None = None,
    start: str = "prior",
    starts: Sequence[Float[np.ndarray, " d"]] = (),
    check_gradient: bool = True,
    rtol: float = 1e-8,
    checkpoint: object = None,
    resume: bool = False,
) -> Draws:
    """Draws z ~ π by nutpie's NUTS, whose warm-up takes all of `num_warmup`; the arguments are those of `run_chains`.

    The same seed gives the same draws on any number of cores. Raises MissingTool where nutpie is not installed, ValueError
    for what it does not do, and what the target raises.
    """
    try:
        import nutpie
        from nutpie.compiled_pyfunc import from_pyfunc
    except ImportError:
        raise MissingTool("nutpie is not installed: pip install 'bnfhmc[nutpie]', or take engine = own") from None
    if method != "nuts":
        raise ValueError(f"method '{method}' has no engine 'nutpie'; nuts has")
    if num_warmup < 1:
        raise ValueError(f"num_warmup = {num_warmup}: engine = nutpie needs at least 1")
    if resume:
        raise ValueError("a run of nutpie cannot be resumed; begin it anew")
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if random_seed is None else int(random_seed)
    stop, errors = threading.Event(), list[BaseException]()
    scale = prior_spread(target)
    found = _starts(target, chains, seed, start, starts, scale, stop)
    checks = [_checked(start, target, scale, rtol, i) for i, start in enumerate(found)] if check_gradient else []
    curvature = found[0].curvature or curvature_of(found[0].evaluation)
    metric = metrics.from_scale(scale, "dense") if curvature is None else metrics.from_curvature(curvature, scale, "dense")
    whitened = [np.linalg.solve(metric.root, start.z) for start in found]
    hosts: list[Host] = []

    def make_logp() -> Callable[..., tuple[float, np.ndarray]]:
        host = Host(target.clone(), stop)
        hosts.append(host)

        def logp(q: np.ndarray) -> tuple[float, np.ndarray]:
            try:
                at = host.evaluate(metric.push(q))
            except BaseException as error:
                errors.append(error)
                raise
            return at.logp, metric.pull(at.grad)

        return logp

    def make_expand(*_: Any) -> Callable[..., dict[str, np.ndarray]]:
        return lambda q: {"q": q}

    def start_of(chain_seed: int) -> np.ndarray:
        return whitened[int(np.random.default_rng(chain_seed).integers(len(whitened)))]

    model = from_pyfunc(
        target.dim, make_logp, make_expand, [np.dtype("float64")], [(target.dim,)], ["q"], make_initial_point_fn=start_of
    )
    began = time.perf_counter()
    options: dict[str, Any] = {} if max_tree_depth is None else {"maxdepth": max_tree_depth}
    try:
        idata = nutpie.sample(
            model, draws=num_samples, tune=num_warmup, chains=chains, cores=min(chains, cores or usable_cores()), seed=seed,
            target_accept=target_accept, low_rank_modified_mass_matrix=True, progress_bar=False, **options,
        )  # fmt: skip
    except BaseException:
        if errors:
            raise errors[0] from None
        raise
    sampled, warm = _trace(idata, "", metric), _trace(idata, "warmup_", metric)
    return _draws(target, found, checks, sampled, warm, hosts, metric, seed, time.perf_counter() - began)


def _checked(start: Start, target: Target, scale: np.ndarray, rtol: float, chain: int) -> tuple[GradientReport, int]:
    """The gradient at a start beside central differences, and what that cost."""
    host = Host(target.clone(), threading.Event())
    report = check_gradient_at(host.evaluate, target.names, start.z, start.evaluation, scale=scale, rtol=rtol, chain=chain)
    return report, host.gradients


def _starts(
    target: Target,
    chains: int,
    seed: int,
    start: str,
    starts: Sequence[np.ndarray],
    scale: np.ndarray,
    stop: threading.Event,
) -> list[Start]:
    host = Host(target.clone(), stop)
    if starts:
        return [given_start(np.asarray(z, dtype=float), host.evaluate_curved, chain=i) for i, z in enumerate(starts)]
    found, basins = list[Start](), tuple[Basin, ...]()
    if start == "map":
        basins, _ = find_modes(target, scale, seed, lambda work: [one() for one in work], stop)
    for i in range(chains):
        rng = stream(seed, i, START)
        near = start_in(basins, host, scale, rng, chain=i)
        found.append(near or draw_start(target.sample_start, host.evaluate_curved, rng, chain=i))
    return found


def _trace(idata: Any, prefix: str, metric: metrics.Metric) -> Trace:
    q = idata[f"{prefix}posterior"]["q"].values
    found = idata[f"{prefix}sample_stats"]
    z = q @ metric.root.T
    stats = {"failed": np.zeros(q.shape[:2], dtype=np.int64)}
    stats |= {name: np.full(q.shape[:2], np.nan) for name in ("seconds", "solver_steps")}  # nutpie tells them of no draw
    for ours, theirs in NAMES.items():
        stats[ours] = np.asarray(found[theirs].values).astype(STATS[ours])
    return Trace(np.ascontiguousarray(z), stats)


def _draws(
    target: Target,
    starts: Sequence[Start],
    checks: Sequence[tuple[GradientReport, int]],
    sampled: Trace,
    warm: Trace,
    hosts: Sequence[Host],
    metric: metrics.Metric,
    seed: int,
    seconds: float,
) -> Draws:
    """The failed solves are of all chains and of the warm-up too, and stand with the first chain, as do the solves of searches
    for a step size; the metric is that of the coordinates: nutpie does not tell more."""
    failures: dict[str, int] = {}
    for host in hosts:
        for kind, count in host.tally.failures.items():
            failures[kind] = failures.get(kind, 0) + count
    more = sum(host.gradients for host in hosts) - int(warm.stats["n_steps"].sum() + sampled.stats["n_steps"].sum())
    share = warm.stats["n_steps"].sum() / max(1, warm.stats["n_steps"].sum() + sampled.stats["n_steps"].sum())
    records = tuple(
        ChainRecord(
            start=starts[c % len(starts)].z,
            redrawn=starts[c % len(starts)].redrawn,
            gradient_check=checks[c % len(starts)][0] if checks else None,
            starting=Tally(1 + len(starts[c % len(starts)].redrawn) + (checks[c % len(starts)][1] if checks else 0)),
            warmup=Tally(int(warm.stats["n_steps"][c].sum()) + (more if c == 0 else 0)),
            sampling=Tally(int(sampled.stats["n_steps"][c].sum()), failures if c == 0 else {}),
            warmup_seconds=float(seconds * share),
            sampling_seconds=float(seconds * (1 - share)),
            step_size=float(sampled.stats["step_size"][c, -1]),
            inverse_mass_matrix=metric.inverse_mass_matrix,
            num_warmup=warm.z.shape[1],
        )
        for c in range(len(sampled.z))
    )
    return Draws(tuple(target.names), sampled.z, sampled.stats, warm, records, "low-rank", seed)
