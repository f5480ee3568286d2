"""Simplicial homology global optimisation (Endres, Sandrock & Focke 2018), by SciPy, on values."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import InputError, Mistake
from bnfhmc.optimizers.backends.protocol import Backend, End
from bnfhmc.optimizers.search import Options, Search

# A simplicial complex has as many faces as its dimension allows: beyond this one round of it takes minutes.
MOST_PARAMETERS = 10


def minimise(search: Search, u0: Float[np.ndarray, " d"], options: Options) -> End:
    """Find the minima of f in the box from a Sobol complex, each refined by Nelder and Mead; u0 is not looked at.

    Raises InputError for more than ten parameters.
    """
    from scipy.optimize import shgo

    if search.objective.dim > MOST_PARAMETERS:
        raise InputError(Mistake(
            f"method = shgo takes at most {MOST_PARAMETERS} parameters, and there are {search.objective.dim}",
            "take method = differential_evolution or cma",
        ))  # fmt: skip
    lower, upper = search.objective.box

    def f(u: np.ndarray) -> float:  # what lies outside does so by a rounding error
        return search.value(np.clip(u, lower, upper))

    with np.errstate(all="ignore"):
        found = shgo(f, np.column_stack([lower, upper]), sampling_method="sobol",
                     minimizer_kwargs={"method": "Nelder-Mead", "options": {"fatol": options.tolerance, "xatol": 1e-6}},
                     **options.extra)  # fmt: skip
    return End("every minimum of its complex refined" if found.success else str(found.message), bool(found.success))


BACKEND = Backend(minimise, needs="value", evaluations=lambda d: 1000 * d + 1000, is_global=True, extra={"n": 64, "iters": 2})
