"""Powell's conjugate directions (Powell 1964), by SciPy, on values."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from bnfhmc.optimizers.backends.protocol import DECREASE, Backend, End
from bnfhmc.optimizers.search import Options, Search


def minimise(search: Search, u0: Float[np.ndarray, " d"], options: Options) -> End:
    """Minimise f in the box by line searches, each parameter in units of its scale."""
    from scipy.optimize import minimize

    scale, (lower, upper) = search.objective.scale, search.objective.box
    with np.errstate(all="ignore"):
        found = minimize(lambda x: search.value(np.clip(x * scale, lower, upper)), np.clip(u0, lower, upper) / scale,
                         method="Powell", bounds=np.column_stack([lower / scale, upper / scale]),
                         options={"xtol": 1e-5, "ftol": options.tolerance / max(abs(search.best_value), 1.0),
                                  "maxiter": 10**9, "maxfev": 10**9})  # fmt: skip
    return End(DECREASE if found.status == 0 else str(found.message), found.status == 0)


BACKEND = Backend(minimise, needs="value", evaluations=lambda d: 400 * d + 200)
