"""What a run leaves: the draws of every chain, what each transition reported, and what each chain went through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bnfhmc.samplers.gradient_check import GradientReport
from bnfhmc.samplers.host import Tally

# Kept for every transition, under ArviZ's names where it has one; `failed` counts the failed solves of a trajectory.
STATS = {
    "lp": np.float64,
    "diverging": np.bool_,
    "energy": np.float64,
    "tree_depth": np.int64,
    "n_steps": np.int64,
    "step_size": np.float64,
    "acceptance_rate": np.float64,
    "failed": np.int64,
}


@dataclass(frozen=True, slots=True)
class Trace:
    """Draws in order: z[draw, param], or z[chain, draw, param] for all chains, and ``stats`` without the last axis."""

    z: Float[np.ndarray, "*chain draw param"]
    stats: Mapping[str, np.ndarray]

    @classmethod
    def empty(cls, draws: int, dim: int) -> Trace:
        """Room for so many draws of one chain."""
        return cls(np.empty((draws, dim)), {name: np.empty(draws, dtype) for name, dtype in STATS.items()})

    @classmethod
    def stack(cls, traces: list[Trace]) -> Trace:
        """One trace a chain, put side by side."""
        stats = {name: np.stack([trace.stats[name] for trace in traces]) for name in STATS}
        return cls(np.stack([trace.z for trace in traces]), stats)


@dataclass(frozen=True, slots=True)
class ChainRecord:
    """What one chain went through.

    ``start``: its first point z[d]. ``redrawn``: why the starts drawn before it were thrown away, in order.
    ``gradient_check``: None when it was not asked for. ``starting``, ``warmup``, ``sampling``: solves, and failed ones
    by kind; starting is the start and the gradient check, warm-up includes the searches for a step size. ``step_size``
    and ``inverse_mass_matrix`` ([d] or [d, d]) are those of the sampling. Seconds are of the wall clock.
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


@dataclass(frozen=True, slots=True)
class Draws:
    """A finished run: z[chain, draw, param], ``stats`` by name [chain, draw], the same of the warm-up, and the chains.

    ``random_seed`` is the one used, drawn or given; with it the run repeats bit for bit, whatever the number of cores.
    """

    names: tuple[str, ...]
    z: Float[np.ndarray, "chain draw param"]
    stats: Mapping[str, np.ndarray]
    warmup: Trace
    chains: tuple[ChainRecord, ...]
    metric: str
    random_seed: int
