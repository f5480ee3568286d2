"""One NUTS chain: a fold of transitions, first while step size and metric are learnt, then with both held."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float

from bnfhmc.samplers import nuts, warmup
from bnfhmc.samplers.draws import ChainRecord, Trace
from bnfhmc.samplers.gradient_check import GradientReport, check_gradient
from bnfhmc.samplers.host import Host, Tally
from bnfhmc.samplers.progress import Row
from bnfhmc.samplers.starts import Start, draw_start, stream
from bnfhmc.samplers.target import Target

# Each chain has one stream of random numbers for its start and one for its transitions.
START, TRANSITIONS = 0, 1


@dataclass(frozen=True, slots=True)
class Settings:
    """What all the chains of a run share.

    ``scale``: each parameter's width in z as far as the prior tells it. ``rtol``: the relative tolerance of the
    target's solver. The rest as in `run_nuts`.
    """

    num_warmup: int
    num_samples: int
    target_accept: float
    max_tree_depth: int
    metric: warmup.Metric
    scale: Float[np.ndarray, " d"]
    check_gradient: bool
    rtol: float
    random_seed: int


@dataclass(frozen=True, slots=True)
class Chain:
    """What one chain has to itself: its index, its copy of the target, the count of its solves, its row on display."""

    index: int
    target: Target
    host: Host
    row: Row


class Started(NamedTuple):
    """A chain that may go: its start, the check of its gradient there, and what the two cost."""

    start: Start
    gradient_check: GradientReport | None
    tally: Tally


class Finished(NamedTuple):
    """A chain that has run: the draws of its warm-up, its draws, and its record."""

    warmup: Trace
    sampling: Trace
    record: ChainRecord


class Tuned(NamedTuple):
    """What a warm-up ends with."""

    state: nuts.State
    step_size: float
    inverse_mass_matrix: warmup.InverseMass


@final
@dataclass(frozen=True, slots=True)
class Transitions:
    """One chain's source of transitions: its solves, its random numbers, and the row that shows it."""

    host: Host
    slot: int
    rng: np.random.Generator
    max_tree_depth: int
    row: Row

    def take(
        self, state: nuts.State, step_size: float, inverse_mass_matrix: warmup.InverseMass, trace: Trace, n: int
    ) -> tuple[nuts.State, nuts.Info]:
        """The next state, written down as draw n of the trace; raises what the target raised."""
        failed = self.host.failed
        key = self.rng.integers(0, 2**32, size=2, dtype=np.uint32)
        state, info = nuts.step(key, state, step_size, inverse_mass_matrix, self.slot, self.max_tree_depth)
        self.host.raise_kept()
        trace.z[n] = state.position
        stats = info._asdict() | {
            "lp": float(state.logdensity),
            "step_size": step_size,
            "failed": self.host.failed - failed,
        }
        for name, value in stats.items():
            trace.stats[name][n] = value
        self.row.drawn(
            step_size=step_size,
            tree_depth=info.tree_depth,
            diverging=info.diverging,
            failed=self.host.failed,
            gradients=self.host.gradients,
        )
        return state, info


def start_chain(chain: Chain, settings: Settings, given: Float[np.ndarray, " d"] | None = None) -> Started:
    """Draw a start the target can be solved at, or take the given z, and check the gradient there if settings ask for it."""
    evaluate = chain.host.evaluate
    chain.row.phase = "start"
    rng = stream(settings.random_seed, chain.index, START)
    sample = chain.target.sample_start if given is None else lambda rng: given
    start = draw_start(sample, evaluate, rng, chain=chain.index)
    report = None
    if settings.check_gradient:
        chain.row.phase = "gradient check"
        report = check_gradient(
            evaluate,
            chain.target.names,
            start.z,
            start.evaluation,
            scale=settings.scale,
            rtol=settings.rtol,
            chain=chain.index,
        )
    chain.row.phase = "ready"
    return Started(start, report, chain.host.end_phase())


def run_chain(chain: Chain, started: Started, settings: Settings) -> Finished:
    """Warm up and sample from a start.

    A function of its arguments alone, so that neither the other chains nor the number of cores changes a draw.
    """
    start, dim = started.start, started.start.z.size
    warm, sampled = Trace.empty(settings.num_warmup, dim), Trace.empty(settings.num_samples, dim)
    rng = stream(settings.random_seed, chain.index, TRANSITIONS)
    began = time.perf_counter()
    with nuts.bound(chain.host.logp_and_grad) as slot:
        transitions = Transitions(chain.host, slot, rng, settings.max_tree_depth, chain.row)
        chain.row.begin("warm-up")
        tuned = warm_up(transitions, nuts.init(start.z, start.evaluation), settings, warm)
        warmed, warmup_tally = time.perf_counter(), chain.host.end_phase()
        chain.row.begin("sampling")
        sample(transitions, tuned, sampled)
    chain.row.phase = "done"
    record = ChainRecord(
        start=start.z,
        redrawn=start.redrawn,
        gradient_check=started.gradient_check,
        starting=started.tally,
        warmup=warmup_tally,
        sampling=chain.host.end_phase(),
        warmup_seconds=warmed - began,
        sampling_seconds=time.perf_counter() - warmed,
        step_size=tuned.step_size,
        inverse_mass_matrix=tuned.inverse_mass_matrix,
    )
    return Finished(warm, sampled, record)


def warm_up(transitions: Transitions, state: nuts.State, settings: Settings, trace: Trace) -> Tuned:
    """Learn the step size and the metric over the windows of the schedule, writing the draws into `trace`."""
    schedule = warmup.windows(settings.num_warmup)
    ends = warmup.boundaries(schedule)
    learning = range(schedule.initial, settings.num_warmup - schedule.final)
    inverse_mass_matrix = warmup.first_inverse_mass(settings.scale, settings.metric)
    step_size = _search(transitions, state, inverse_mass_matrix, 1.0)
    adaptation = warmup.begin(inverse_mass_matrix, step_size)
    for n in range(settings.num_warmup):
        state, info = transitions.take(state, adaptation.step_size, adaptation.inverse_mass_matrix, trace, n)
        adaptation = warmup.update(
            adaptation, trace.z[n], info.acceptance_rate, settings.target_accept, learns_metric=n in learning
        )
        if n + 1 in ends:
            adaptation = warmup.end_window(adaptation)
            step_size = _search(transitions, state, adaptation.inverse_mass_matrix, adaptation.step_size)
            adaptation = warmup.with_step_size(adaptation, step_size)
    return Tuned(state, warmup.final_step_size(adaptation), adaptation.inverse_mass_matrix)


def sample(transitions: Transitions, tuned: Tuned, trace: Trace) -> None:
    """Fill the trace with draws at a fixed step size and metric."""
    state = tuned.state
    for n in range(len(trace.z)):
        state, _ = transitions.take(state, tuned.step_size, tuned.inverse_mass_matrix, trace, n)


def _search(transitions: Transitions, state: nuts.State, inverse_mass_matrix: warmup.InverseMass, step_size: float) -> float:
    return warmup.reasonable_step_size(
        transitions.host.evaluate,
        np.asarray(state.position),
        float(state.logdensity),
        np.asarray(state.logdensity_grad),
        inverse_mass_matrix,
        step_size,
        transitions.rng,
    )
