"""The trust region of the package fides (Fröhlich & Sorger 2022), on values, gradients and Fisher information."""

from __future__ import annotations

import logging

import numpy as np
from jaxtyping import Float

from bnfhmc.optimizers.backends.protocol import FAILED_START, Backend, End, need_package
from bnfhmc.optimizers.search import Options, Search


def minimise(search: Search, u0: Float[np.ndarray, " d"], options: Options) -> End:
    """Minimise f within the bounds by an interior trust region (Coleman & Li 1996)."""
    package = need_package("fides", "fides")
    d, (lower, upper) = len(u0), search.objective.bounds
    failed = np.inf, np.full(d, np.nan), np.full((d, d), np.nan)

    def f(u: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        found = search.quadratic(np.clip(u, lower, upper))
        return failed if found is None else (found.value, found.grad, found.hess)

    if not np.isfinite(search.value(u0)):
        return End(FAILED_START, False)
    optimizer = package.Optimizer(f, upper, lower, verbose=logging.CRITICAL,
                                  options={"maxiter": 10**9, "fatol": options.tolerance, "frtol": 0.0})  # fmt: skip
    try:
        with np.errstate(all="ignore"):
            optimizer.minimize(u0)
    except RuntimeError as error:  # a start without derivatives
        return End(f"fides: {error}", False)
    return End(f"fides: {optimizer.exitflag.name}", bool(optimizer.converged))


BACKEND = Backend(minimise, needs="information", evaluations=lambda d: 2000, continues=True, imports=("fides",))
