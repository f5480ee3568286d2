"""The No-U-Turn sampler through blackjax, in float64, around a density that only the host can evaluate.

The one module of the package that imports jax. Importing it switches jax to float64 for the whole process: the switch
has to come before the first array is made, and a scoped one does not reach the thread that runs the host callback.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from blackjax.mcmc import nuts as blackjax_nuts
from blackjax.mcmc.hmc import HMCState as State
from jaxtyping import Float, UInt32

from bnfhmc.posterior import Evaluation
from bnfhmc.samplers.denormals import keep_denormals

jax.config.update("jax_enable_x64", True)

LogpAndGrad = Callable[[Float[np.ndarray, " d"]], tuple[np.float64, Float[np.ndarray, " d"]]]

# Host functions by slot. The compiled step takes the slot as an argument, so one compilation serves every chain of
# every run with as many parameters; the callback finds its chain's function here.
_bound: dict[int, LogpAndGrad] = {}
_slots = itertools.count()

_transition = blackjax_nuts.build_kernel()


class Info(NamedTuple):
    """What one transition reports: mean acceptance, divergence, energy, doublings and leapfrog steps."""

    acceptance_rate: float
    diverging: bool
    energy: float
    tree_depth: int
    n_steps: int


@contextmanager
def bound(logp_and_grad: LogpAndGrad) -> Iterator[int]:
    """The slot by which `step` reaches this host function, for as long as the context lasts.

    `logp_and_grad`: z[d] → (log π(z), ∂log π/∂z[d]), from one solve. It must not raise; −inf with a zero gradient
    makes the trajectory end there as divergent, and no point of its last doubling is accepted.
    """
    slot = next(_slots)
    _bound[slot] = logp_and_grad
    try:
        yield slot
    finally:
        del _bound[slot]


def init(z: Float[np.ndarray, " d"], evaluation: Evaluation) -> State:
    """The state at z, whose evaluation is known already; on the CPU, where the host callback is."""
    state = State(np.asarray(z, np.float64), np.float64(evaluation.logp), np.asarray(evaluation.grad, np.float64))
    return jax.device_put(state, jax.devices("cpu")[0])


def step(
    key: UInt32[np.ndarray, "2"],
    state: State,
    step_size: float,
    inverse_mass_matrix: Float[np.ndarray, " d"] | Float[np.ndarray, "d d"],
    slot: int,
    max_tree_depth: int = 10,
) -> tuple[State, Info]:
    """One transition of multinomial NUTS (Hoffman & Gelman 2014; Betancourt 2017); one leapfrog step costs one solve.

    `key`: two random words. `inverse_mass_matrix`: the diagonal or the whole of M⁻¹, in z². `slot`: from `bound`.
    A function of its arguments alone: the same ones give the same bits.
    """
    state, info = _step(key, state, np.float64(step_size), inverse_mass_matrix, np.float64(slot), max_tree_depth=max_tree_depth)
    return state, Info(*(value.item() for value in info))


def precompile(dim: int, inverse_mass_matrix: np.ndarray, max_tree_depth: int = 10) -> None:
    """Compile the step for `dim` parameters and this form of metric, so that no two chains do it at once."""

    def standard_normal(z: np.ndarray) -> tuple[np.float64, np.ndarray]:
        return np.float64(-0.5 * (z @ z)), -z

    origin = np.zeros(dim)
    state = init(origin, Evaluation(0.0, origin, "ok"))
    with bound(standard_normal) as slot:
        step(np.zeros(2, np.uint32), state, 1.0, inverse_mass_matrix, slot, max_tree_depth)


def _from_host(slot_and_z: Any) -> tuple[np.float64, np.ndarray]:
    keep_denormals()
    # A copy, since what jax hands over is a read-only view of its own buffer.
    message = np.array(slot_and_z)
    return _bound[int(message[0])](message[1:])


def _logdensity(slot: jax.Array) -> Callable[[jax.Array], jax.Array]:
    """log π as blackjax wants it: differentiable, its gradient the one that came along with the value."""

    def forward(z: jax.Array) -> tuple[jax.Array, jax.Array]:
        shapes = jax.ShapeDtypeStruct((), jnp.float64), jax.ShapeDtypeStruct(z.shape, jnp.float64)
        # One array, since each that crosses to the host costs 40 µs.
        return jax.pure_callback(_from_host, shapes, jnp.concatenate([slot[None], z]))

    def backward(grad: jax.Array, cotangent: jax.Array) -> tuple[jax.Array]:
        return (cotangent * grad,)

    @jax.custom_vjp
    def logdensity(z: jax.Array) -> jax.Array:
        return forward(z)[0]

    logdensity.defvjp(forward, backward)
    return logdensity


def _whole_step(
    key: jax.Array,
    state: State,
    step_size: jax.Array,
    inverse_mass_matrix: jax.Array,
    slot: jax.Array,
    *,
    max_tree_depth: int,
) -> tuple[State, Info]:
    # The generator is named, so that a user's jax_default_prng_impl does not change the draws.
    rng = jax.random.wrap_key_data(key, impl="threefry2x32")
    state, info = _transition(rng, state, _logdensity(slot), step_size, inverse_mass_matrix, max_tree_depth)
    acceptance_rate: Any = jnp.minimum(info.acceptance_rate, 1.0)  # its sum may end a rounding error above
    return state, Info(
        acceptance_rate,
        info.is_divergent,
        info.energy,
        info.num_trajectory_expansions,
        info.num_integration_steps,
    )


_step = jax.jit(_whole_step, static_argnames="max_tree_depth")
