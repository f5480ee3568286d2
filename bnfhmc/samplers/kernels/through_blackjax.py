"""NUTS, HMC and MALA through blackjax, in float64 and in the coordinates of the metric, around a density on the host.

The one module of the package that imports jax. Importing it switches jax to float64 for the whole process: the switch has to
come before the first array is made, and a scoped one does not reach the thread that runs the host callback.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp
import numpy as np
from blackjax.mcmc import hmc as blackjax_hmc
from blackjax.mcmc import nuts as blackjax_nuts
from blackjax.mcmc.hmc import HMCState
from jaxtyping import Float

from bnfhmc.posterior import Evaluation
from bnfhmc.samplers.curvature import CurvedEvaluation
from bnfhmc.samplers.denormals import keep_denormals
from bnfhmc.samplers.kernels.protocol import Asks, Evaluate, Info, Learns, Point, SampleStart, Tuning

jax.config.update("jax_enable_x64", True)

LogpAndGrad = Callable[[Float[np.ndarray, " d"]], tuple[np.float64, Float[np.ndarray, " d"]]]

# Host functions by slot. The compiled step takes the slot as an argument, so one compilation serves every chain of
# every run with as many parameters; the callback finds its chain's function here.
_bound: dict[int, LogpAndGrad] = {}
_slots = itertools.count()

_nuts, _hmc = blackjax_nuts.build_kernel(), blackjax_hmc.build_kernel()


@final
@dataclass(frozen=True, slots=True)
class BlackjaxNuts:
    """blackjax's multinomial NUTS; a trajectory has at most 2^max_tree_depth − 1 leapfrog steps, each of one gradient."""

    target_accept: float = 0.8
    max_tree_depth: int = 10
    asks: ClassVar[Asks] = Asks.GRADIENT
    learns: ClassVar[Learns] = Learns.METRIC

    def init(self, rng: np.random.Generator, point: Point, sample_start: SampleStart, evaluate: Evaluate) -> Point:
        return point

    def step(self, rng: np.random.Generator, point: Point, tuning: Tuning, evaluate: Evaluate) -> tuple[Point, Info]:
        """One trajectory."""
        return _transition(partial(_nuts_step, max_tree_depth=self.max_tree_depth), rng, point, tuning, evaluate)


@final
@dataclass(frozen=True, slots=True)
class BlackjaxHmc:
    """blackjax's HMC with trajectories of ⌈path_length/ε⌉ steps, whose length varies by a factor uniform in 1 ± jitter."""

    target_accept: float = 0.8
    path_length: float = 2.0
    jitter: float = 0.2
    max_steps: int = 1000
    asks: ClassVar[Asks] = Asks.GRADIENT
    learns: ClassVar[Learns] = Learns.METRIC

    def init(self, rng: np.random.Generator, point: Point, sample_start: SampleStart, evaluate: Evaluate) -> Point:
        return point

    def step(self, rng: np.random.Generator, point: Point, tuning: Tuning, evaluate: Evaluate) -> tuple[Point, Info]:
        """One trajectory, its end accepted with min(1, exp(H₀ − H))."""
        n = min(self.max_steps, max(1, math.ceil(self.path_length / tuning.step_size)))
        length = self.path_length if n < self.max_steps else n * tuning.step_size
        factor = 1.0 + self.jitter * (2.0 * rng.random() - 1.0)
        return _transition(
            partial(_hmc_step, n=np.int64(n)), rng, point, tuning._replace(step_size=factor * length / n), evaluate
        )


@final
@dataclass(frozen=True, slots=True)
class BlackjaxMala:
    """blackjax's HMC of a single leapfrog step, which is the Metropolis-adjusted Langevin algorithm."""

    target_accept: float = 0.574
    asks: ClassVar[Asks] = Asks.GRADIENT
    learns: ClassVar[Learns] = Learns.METRIC

    def init(self, rng: np.random.Generator, point: Point, sample_start: SampleStart, evaluate: Evaluate) -> Point:
        return point

    def step(self, rng: np.random.Generator, point: Point, tuning: Tuning, evaluate: Evaluate) -> tuple[Point, Info]:
        """One proposal, accepted with min(1, exp(H₀ − H))."""
        return _transition(partial(_hmc_step, n=np.int64(1)), rng, point, tuning, evaluate)


class Report(NamedTuple):
    """What blackjax says of a transition."""

    acceptance_rate: Any
    diverging: Any
    energy: Any
    tree_depth: Any
    n_steps: Any


@contextmanager
def bound(logp_and_grad: LogpAndGrad) -> Iterator[int]:
    """The slot by which a compiled step reaches this host function, for as long as the context lasts.

    `logp_and_grad`: q[d] → (log π, ∂log π/∂q[d]), from one solve. It must not raise; −inf with a zero gradient makes the
    trajectory end there as divergent, and no point of its last doubling is accepted.
    """
    slot = next(_slots)
    _bound[slot] = logp_and_grad
    try:
        yield slot
    finally:
        del _bound[slot]


class _Whitened:
    """log π around z₀ in q, z = z₀ + L q, for a callback that no exception must cross: −inf ends its trajectory instead."""

    def __init__(self, point: Point, tuning: Tuning, evaluate: Evaluate):
        self.origin, self.metric, self.evaluate = point.z, tuning.metric, evaluate
        self.seen: dict[bytes, tuple[np.ndarray, Evaluation | CurvedEvaluation]] = {}
        self.raised: BaseException | None = None

    def __call__(self, q: Float[np.ndarray, " d"]) -> tuple[np.float64, Float[np.ndarray, " d"]]:
        if self.raised is None:
            try:
                z = self.origin + self.metric.push(q)
                at = self.evaluate(z)
                self.seen[q.tobytes()] = (z, at)
                return np.float64(at.logp), np.asarray(self.metric.pull(at.grad))
            except BaseException as raised:
                self.raised = raised
        return np.float64(-np.inf), np.zeros(q.shape)


def _transition(
    step: Callable[..., tuple[Any, Report]], rng: np.random.Generator, point: Point, tuning: Tuning, evaluate: Evaluate
) -> tuple[Point, Info]:
    host = _Whitened(point, tuning, evaluate)
    origin = np.zeros(point.z.size)
    key = rng.integers(0, 2**32, size=2, dtype=np.uint32)
    state = HMCState(origin, np.float64(point.logp), np.asarray(tuning.metric.pull(point.grad)))
    with bound(host) as slot:
        state, report = step(key, jax.device_put(state, jax.devices("cpu")[0]), np.float64(tuning.step_size), np.float64(slot))
        info = Info(*(value.item() for value in report))  # waits for the step, which needs the slot
    if host.raised is not None:
        raise host.raised
    q = np.asarray(state.position)
    moved = host.seen.get(q.tobytes())
    return (point if moved is None else Point.at(*moved)), info


def _from_host(slot_and_q: Any) -> tuple[np.float64, np.ndarray]:
    keep_denormals()
    # A copy, since what jax hands over is a read-only view of its own buffer.
    message = np.array(slot_and_q)
    return _bound[int(message[0])](message[1:])


def _logdensity(slot: jax.Array) -> Callable[[jax.Array], jax.Array]:
    """log π as blackjax wants it: differentiable, its gradient the one that came along with the value."""

    def forward(q: jax.Array) -> tuple[jax.Array, jax.Array]:
        shapes = jax.ShapeDtypeStruct((), jnp.float64), jax.ShapeDtypeStruct(q.shape, jnp.float64)
        # One array, since each that crosses to the host costs 40 µs.
        return jax.pure_callback(_from_host, shapes, jnp.concatenate([slot[None], q]))

    def backward(grad: jax.Array, cotangent: jax.Array) -> tuple[jax.Array]:
        return (cotangent * grad,)

    @jax.custom_vjp
    def logdensity(q: jax.Array) -> jax.Array:
        return forward(q)[0]

    logdensity.defvjp(forward, backward)
    return logdensity


def _rng(key: jax.Array) -> jax.Array:
    # The generator is named, so that a user's jax_default_prng_impl does not change the draws.
    return jax.random.wrap_key_data(key, impl="threefry2x32")


def _whole_nuts(key: Any, state: Any, step_size: Any, slot: Any, *, max_tree_depth: int) -> tuple[Any, Report]:
    metric = jnp.ones(state.position.size)
    state, info = _nuts(_rng(key), state, _logdensity(slot), step_size, metric, max_tree_depth)
    rate: Any = jnp.minimum(info.acceptance_rate, 1.0)  # its sum may end a rounding error above
    return state, Report(rate, info.is_divergent, info.energy, info.num_trajectory_expansions, info.num_integration_steps)


def _whole_hmc(key: Any, state: Any, step_size: Any, slot: Any, n: Any) -> tuple[Any, Report]:
    metric = jnp.ones(state.position.size)
    state, info = _hmc(_rng(key), state, _logdensity(slot), step_size, metric, n)
    rate: Any = jnp.minimum(info.acceptance_rate, 1.0)
    return state, Report(rate, info.is_divergent, info.energy, jnp.asarray(0), n)


_nuts_step = jax.jit(_whole_nuts, static_argnames="max_tree_depth")
_hmc_step = jax.jit(_whole_hmc)


def precompile(dim: int, max_tree_depth: int = 10) -> None:
    """Compile NUTS for `dim` parameters, so that no two chains do it at once."""

    def standard_normal(q: np.ndarray) -> tuple[np.float64, np.ndarray]:
        return np.float64(-0.5 * (q @ q)), -q

    origin = np.zeros(dim)
    state = jax.device_put(HMCState(origin, np.float64(0.0), origin), jax.devices("cpu")[0])
    with bound(standard_normal) as slot:
        _, report = _nuts_step(np.zeros(2, np.uint32), state, np.float64(1.0), np.float64(slot), max_tree_depth=max_tree_depth)
        report.energy.block_until_ready()
