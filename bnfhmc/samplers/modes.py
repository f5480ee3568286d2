"""Which modes chains start around: climbs from what a multistart or the prior gives, weighed where there are several."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from bnfhmc.samplers.basins import Basin, climb, distinct, found_again, same_mode, worth_a_walk
from bnfhmc.samplers.draws import Search
from bnfhmc.samplers.host import Host
from bnfhmc.samplers.starts import stream
from bnfhmc.samplers.target import Target
from bnfhmc.samplers.weighing import Weighed, heaviest, weigh

# A seed → points z near the modes, and how many gradients it took to find them.
NearModes = Callable[[int], tuple[Sequence[Float[np.ndarray, " d"]], int]]

# What does pieces of work, at once or not, and gives their results in order.
Do = Callable[[Sequence[Callable[[], Any]]], list[Any]]

# What random numbers are for, besides those of a chain.
CLIMBS, WALKS = 2, 3

# Climbs from draws of the prior: so many at once, until two have reached the highest mode, and no more than this.
CLIMBED, MOST_CLIMBS = 8, 32

# So many modes are weighed by walks at the most.
WEIGHED = 8


def find_modes(
    target: Target,
    scale: Float[np.ndarray, " d"],
    random_seed: int,
    do: Do,
    stop: threading.Event,
    near_modes: NearModes | None = None,
) -> tuple[tuple[Basin, ...], Search]:
    """The modes with more than a negligible mass, the heaviest first, and what the search for them found and cost.

    scale: widths of the prior in z. near_modes: where to climb from, instead of draws of the prior.
    """
    hosts: list[Host] = []
    near, gradients = near_modes(random_seed) if near_modes is not None else ((), 0)

    def own() -> Host:
        hosts.append(Host(target.clone(), stop))
        return hosts[-1]

    def climbed(host: Host, index: int) -> Basin | None:
        rng = stream(random_seed, index, CLIMBS)
        z = near[index] if len(near) else np.asarray(target.sample_start(rng), dtype=float)
        return climb(host, z, scale)

    ends = do([partial(climbed, own(), i) for i in range(len(near))])
    near = near if any(end is not None for end in ends) else ()
    while not len(near) and len(ends) < MOST_CLIMBS and not found_again(ends):
        ends += do([partial(climbed, own(), i) for i in range(len(ends), len(ends) + CLIMBED)])
    modes = distinct(ends)
    chosen = modes
    if len(modes) > 1:
        likely = worth_a_walk(modes, scale)[:WEIGHED]

        def weighed(host: Host, index: int) -> Weighed:
            return weigh(host, likely[index], scale, stream(random_seed, index, WALKS))

        kept = heaviest(do([partial(weighed, own(), i) for i in range(len(likely))]))
        chosen = tuple(mode for i, mode in enumerate(kept) if not any(same_mode(other, mode) for other in kept[:i]))
    tallies = [host.tally for host in hosts]
    heights = tuple(mode.logp for mode in modes)
    return chosen, Search(gradients + sum(t.gradients for t in tallies), heights, sum(t.values for t in tallies))
