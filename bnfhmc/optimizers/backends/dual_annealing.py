"""Generalised simulated annealing with local searches (Xiang et al. 1997), by SciPy, on values."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from bnfhmc.optimizers.backends.protocol import Backend, End
from bnfhmc.optimizers.search import Options, Search


def minimise(search: Search, u0: Float[np.ndarray, " d"], options: Options) -> End:
    """Minimise f in the box from u0. Points that fail are never accepted. It ends when its evaluations are spent."""
    from scipy.optimize import dual_annealing

    lower, upper = search.objective.box

    def f(u: np.ndarray) -> float:  # what lies outside does so by a rounding error
        return search.value(np.clip(u, lower, upper))

    with np.errstate(all="ignore"):
        found = dual_annealing(
            f, np.column_stack([lower, upper]), x0=np.clip(u0, lower, upper), rng=options.seed, maxiter=10**9,
            maxfun=10**9, minimizer_kwargs={"method": "Nelder-Mead"}, **options.extra,
        )  # fmt: skip
    return End(" ".join(np.atleast_1d(found.message)), bool(found.success))


BACKEND = Backend(minimise, needs="value", evaluations=lambda d: 1000 * d + 1000, is_global=True, spends_all=True,
                  extra={"no_local_search": False, "initial_temp": 5230.0, "visit": 2.62})  # fmt: skip
