"""The downhill simplex (Nelder & Mead 1965; adaptive: Gao & Han 2012), by SciPy, on values."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from bnfhmc.optimizers.backends.protocol import DECREASE, Backend, End
from bnfhmc.optimizers.search import Options, Search


def minimise(search: Search, u0: Float[np.ndarray, " d"], options: Options) -> End:
    """Minimise f within the bounds, from a simplex whose edges are the parameters' scales. A failed vertex is the worst."""
    from scipy.optimize import minimize

    scale, (lower, upper) = search.objective.scale, search.objective.bounds
    x0 = u0 / scale
    corners = np.repeat(x0[None], len(x0) + 1, axis=0)
    for i in range(len(x0)):
        inward = -1.0 if (upper / scale)[i] - x0[i] < 1.0 else 1.0
        corners[i + 1, i] += inward
    corners = np.clip(corners, lower / scale, upper / scale)
    found = minimize(lambda x: search.value(np.clip(x * scale, lower, upper)), x0, method="Nelder-Mead",
                     bounds=np.column_stack([lower / scale, upper / scale]),
                     options={"initial_simplex": corners, "xatol": 1e-5, "fatol": options.tolerance, "maxiter": 10**9,
                              "maxfev": 10**9, "adaptive": len(x0) > 5})  # fmt: skip
    return End(DECREASE if found.status == 0 else str(found.message), found.status == 0)


BACKEND = Backend(minimise, needs="value", evaluations=lambda d: 400 * d + 200)
