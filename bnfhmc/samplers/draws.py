"""What a run leaves: the draws of every chain, what each transition reported, and what each chain went through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.samplers.gradient_check import GradientReport
from bnfhmc.samplers.host import Tally

# Kept for every transition, under ArviZ's names where it has one; `failed` counts the failed solves of a transition. A kernel
# without trajectories has no divergences and trees of depth 0; `n_steps` are then its solves. `seconds` of the wall clock and
# `solver_steps` of the integrator are of a transition, by equal shares where it moves several walkers; NaN where not known.
STATS = {
    "lp": np.float64,
    "diverging": np.bool_,
    "energy": np.float64,
    "tree_depth": np.int64,
    "n_steps": np.int64,
    "step_size": np.float64,
    "acceptance_rate": np.float64,
    "failed": np.int64,
    "seconds": np.float64,
    "solver_steps": np.float64,
}


@dataclass(frozen=True, slots=True)
class Trace:
    """Draws in order: z[chain, draw, param] and ``stats`` by name [chain, draw]; of one chain, or of all, or of walkers."""

    z: Float[np.ndarray, "chain draw param"]
    stats: Mapping[str, np.ndarray]

    @classmethod
    def empty(cls, draws: int, dim: int, chains: int = 1) -> Trace:
        """Room for so many draws."""
        shape = chains, draws
        return cls(np.empty((*shape, dim)), {name: np.empty(shape, dtype) for name, dtype in STATS.items()})

    @classmethod
    def stack(cls, traces: Sequence[Trace]) -> Trace:
        """The chains of all these traces, which have as many draws each."""
        stats = {name: np.concatenate([trace.stats[name] for trace in traces]) for name in STATS}
        return cls(np.concatenate([trace.z for trace in traces]), stats)

    def part(self, draws: slice) -> Trace:
        """Some of the draws."""
        return Trace(self.z[:, draws], {name: values[:, draws] for name, values in self.stats.items()})

    def longer(self, draws: int) -> Trace:
        """The same with room for so many draws in all."""
        chains, held, dim = self.z.shape
        out = Trace.empty(draws, dim, chains)
        out.z[:, :held] = self.z
        for name, values in self.stats.items():
            out.stats[name][:, :held] = values
        return out


@dataclass(frozen=True, slots=True)
class ChainRecord:
    """What one chain went through.

    ``start``: its first point z[d]. ``redrawn``: why the starts drawn before it were thrown away, in order.
    ``gradient_check``: None when it was not asked for. ``starting``, ``warmup``, ``sampling``: solves, and failed ones
    by kind; starting is the start and the gradient check, warm-up includes the searches for a step size. ``step_size``
    and ``inverse_mass_matrix`` ([d] or [d, d]) are those of the sampling. Seconds are of the wall clock.
    ``num_warmup``: draws after which the warm-up had settled. ``center``: z[d] around which the kernel
    proposed; None where it has no such place.
    """

    start: Float[np.ndarray, " d"]
    redrawn: tuple[str, ...]
    gradient_check: GradientReport | None
    starting: Tally
    warmup: Tally
    sampling: Tally
    warmup_seconds: float
    sampling_seconds: float
    step_size: float
    inverse_mass_matrix: np.ndarray
    num_warmup: int = 0
    center: Float[np.ndarray, " d"] | None = None


class Search(NamedTuple):
    """A search for modes: its gradients, log π at each mode, the highest first, those too low for a chain included, and its
    solves for values alone."""

    gradients: int = 0
    modes: tuple[float, ...] = ()
    values: int = 0


@dataclass(frozen=True, slots=True)
class Draws:
    """A run: z[chain, draw, param], ``stats`` by name [chain, draw], the same of the warm-up, and the chains.

    ``random_seed`` is the one used, drawn or given; with it the run repeats bit for bit, whatever the number of cores. Chains
    whose warm-ups differ in length have the last of its draws in ``warmup``, as many as the shortest has. An ensemble has a
    chain in z for each of its walkers. ``search``: for the modes that chains start around. ``died``: by the index of a chain
    that is not among the draws, why. ``ended``: what ended the run before all its draws were made; empty where nothing did.
    ``unsaved``: why the last state of a chain is not on disk; empty where it is, or was not to be.
    """

    names: tuple[str, ...]
    z: Float[np.ndarray, "chain draw param"]
    stats: Mapping[str, np.ndarray]
    warmup: Trace
    chains: tuple[ChainRecord, ...]
    metric: str
    random_seed: int
    search: Search = Search()
    died: Mapping[int, str] | None = None
    ended: str = ""
    unsaved: str = ""
