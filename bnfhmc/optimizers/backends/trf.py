"""Least squares by SciPy's trust region reflective method (Branch, Coleman & Li 1999), on ρ and its Jacobian."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from bnfhmc.optimizers.backends.protocol import DECREASE, FAILED_START, Backend, End, Stagnation
from bnfhmc.optimizers.losses import Residuals
from bnfhmc.optimizers.search import Options, Search

REASONS = {1: "no slope any more", 2: DECREASE, 3: "no step any more", 4: DECREASE}


class _Rest(Exception):  # noqa: N818
    """f has come to rest."""


def minimise(search: Search, u0: Float[np.ndarray, " d"], options: Options) -> End:
    """Minimise ½‖ρ‖², normal priors among the rows of ρ. A trial point that fails shrinks the trust region."""
    from scipy.optimize import least_squares

    first = search.residuals(u0)
    if first is None:
        return End(FAILED_START, False)
    scale, (lower, upper) = search.objective.scale, search.objective.bounds
    rows, rest = len(first[0]), Stagnation(options.tolerance)
    last: dict[bytes, Residuals] = {u0.tobytes(): first}

    def solved(x: np.ndarray) -> Residuals | None:
        u = np.clip(x * scale, lower, upper)
        if u.tobytes() not in last:
            found = search.residuals(u)
            if found is None:
                return None
            last.clear()
            last[u.tobytes()] = found
        return last[u.tobytes()]

    def rho(x: np.ndarray) -> np.ndarray:
        found = solved(x)
        return np.full(rows, np.inf) if found is None else found[0]

    def jacobian(x: np.ndarray) -> np.ndarray:  # is asked for at the points the method has moved to
        found = solved(x)
        if found is None:
            raise _Rest
        if rest.reached(search.best_value):
            raise _Rest
        return found[1] * scale

    try:
        with np.errstate(all="ignore"):
            found = least_squares(rho, u0 / scale, jacobian, bounds=(lower / scale, upper / scale), method="trf",
                                  x_scale="jac", ftol=1e-15, xtol=1e-12, gtol=1e-12)  # fmt: skip
    except _Rest:
        return End(DECREASE, True)
    return End(REASONS.get(found.status, "its own limit of iterations"), found.status > 0)


BACKEND = Backend(minimise, needs="residuals", evaluations=lambda d: 2000, continues=True,
                  imports=("scipy.optimize",))  # fmt: skip
