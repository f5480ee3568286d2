"""CMA-ES (Hansen 2016), by the package cma, on values."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from bnfhmc.optimizers.backends.protocol import Backend, End, need_package
from bnfhmc.optimizers.search import Options, Search


def minimise(search: Search, u0: Float[np.ndarray, " d"], options: Options) -> End:
    """Minimise f in the box, which is the unit cube to the strategy, from u0 with a step of `sigma0`.

    A failed solve ranks last; a generation in which all fail is drawn again.
    """
    package = need_package("cma", "cma")
    lower, width = search.objective.box.lower, search.objective.box.width
    d = len(u0)
    x0 = np.clip((u0 - lower) / width, 0.0, 1.0)
    # The strategy needs two coordinates; a second one that f does not look at serves a single parameter.
    x0 = x0 if d > 1 else np.array([x0[0], 0.5])
    rng = np.random.default_rng(options.seed)  # its own: what all threads draw from would depend on their number
    strategy = package.CMAEvolutionStrategy(x0, float(options.extra["sigma0"]), {
        "bounds": [0.0, 1.0], "seed": np.nan, "randn": lambda *shape: rng.standard_normal(shape), "verbose": -9,
        "tolfun": options.tolerance,
        "tolfunhist": options.tolerance, "popsize": options.extra["popsize"], "maxiter": 10**9, "maxfevals": 10**9,
    })  # fmt: skip
    while not strategy.stop():
        points = strategy.ask()
        values = np.array([search.value(lower + width * np.asarray(x)[:d]) for x in points])
        finite = np.isfinite(values)
        if finite.any():
            values[~finite] = values[finite].max() + 1.0  # by rank, and the strategy looks at nothing else
            strategy.tell(points, values.tolist())
    return End("CMA-ES: " + ", ".join(strategy.stop()), True)


BACKEND = Backend(minimise, needs="value", evaluations=lambda d: 1000 * d + 1000, extra={"sigma0": 0.2, "popsize": None})
