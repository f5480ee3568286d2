"""Differential evolution (Storn & Price 1997), by SciPy, on values."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from bnfhmc.optimizers.backends.protocol import Backend, End
from bnfhmc.optimizers.search import Options, Search


def minimise(search: Search, u0: Float[np.ndarray, " d"], options: Options) -> End:
    """Minimise f in the box; u0 is a member of the first population. It ends when the population agrees on f."""
    from scipy.optimize import differential_evolution

    lower, upper = search.objective.box

    def f(u: np.ndarray) -> float:  # what lies outside does so by a rounding error
        return search.value(np.clip(u, lower, upper))

    with np.errstate(all="ignore"):
        found = differential_evolution(
            f, np.column_stack([lower, upper]), x0=np.clip(u0, lower, upper), rng=options.seed, polish=False,
            maxiter=10**9, tol=0.0, atol=max(options.tolerance, 1e-12), init="sobol", **options.extra,
        )  # fmt: skip
    return End("the population agrees" if found.success else str(found.message), bool(found.success))


BACKEND = Backend(minimise, needs="value", evaluations=lambda d: 2000 * d + 2000, is_global=True,
                  extra={"popsize": 10, "mutation": (0.5, 1.0), "recombination": 0.7, "strategy": "best1bin"})  # fmt: skip
