"""The optimizers of the package nevergrad, on values. One of them has to be named: its own choice is not taken."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import InputError, Mistake, nearest
from bnfhmc.optimizers.backends.protocol import Backend, End, need_package
from bnfhmc.optimizers.search import SPENT, Options, Search


def minimise(search: Search, u0: Float[np.ndarray, " d"], options: Options) -> End:
    """Minimise f in the box, the unit cube to the optimizer, from u0 until the evaluations are spent.

    `optimizer`: a name of nevergrad's registry, such as TwoPointsDE, OnePlusOne or CMA. A failed solve is told as the worst
    value so far. Raises InputError for an unknown optimizer, and for NGOpt, which fails on current NumPy.
    """
    package = need_package("nevergrad", "nevergrad")
    name, registry = str(options.extra["optimizer"]), package.optimizers.registry
    if name.startswith("NGOpt") or name not in registry:
        hint = "name the method itself, such as TwoPointsDE" if name.startswith("NGOpt") else nearest(name, registry)
        what = "chooses an optimizer by itself, which is not run" if name.startswith("NGOpt") else "is none of nevergrad's"
        raise InputError(Mistake(f"optimizer = {name} {what}", hint))
    lower, width = search.objective.box.lower, search.objective.box.width
    x0 = np.clip((u0 - lower) / width, 0.0, 1.0)
    space = package.p.Array(init=x0).set_mutation(sigma=0.2).set_bounds(0.0, 1.0)
    space.random_state.seed(options.seed % 2**32)
    chosen = registry[name](parametrization=space, budget=options.max_evaluations, num_workers=1)
    chosen.suggest(x0)
    worst = 0.0
    for _ in range(options.max_evaluations):
        candidate = chosen.ask()
        value = search.value(lower + width * np.asarray(candidate.value))
        worst = max(worst, value) if np.isfinite(value) else worst
        chosen.tell(candidate, value if np.isfinite(value) else worst + 1.0)
    return End(SPENT, False)


BACKEND = Backend(minimise, needs="value", evaluations=lambda d: 1000 * d + 1000, spends_all=True,
                  extra={"optimizer": "TwoPointsDE"})  # fmt: skip
