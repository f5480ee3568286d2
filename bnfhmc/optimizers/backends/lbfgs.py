"""Quasi-Newton by SciPy's L-BFGS-B (Byrd, Lu, Nocedal & Zhu 1995), on values and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from bnfhmc.optimizers.backends.protocol import DECREASE, FAILED_START, Backend, End, Stagnation
from bnfhmc.optimizers.search import Options, Search

RESTARTS = 20


class _Failed(Exception):  # noqa: N818
    """A trial point has no value."""

    def __init__(self, x: np.ndarray):
        self.x = x
        super().__init__()


def minimise(search: Search, u0: Float[np.ndarray, " d"], options: Options) -> End:
    """Minimise f within the bounds, each parameter in units of its scale.

    A line search cannot step over a point without a value. There the method starts again from the best point, in a box
    around it that ends half way to the failure, twenty times at most; whenever it comes to rest the bounds are those of the
    objective again.
    """
    scale, (lower, upper) = search.objective.scale, search.objective.bounds
    if not np.isfinite(search.gradient(u0)[0]):
        return End(FAILED_START, False)
    ends = lower / scale, upper / scale
    box = ends
    for _ in range(RESTARTS):
        x0 = search.best_u / scale
        try:
            end = _run(search, x0, box, scale, options)
        except _Failed as failed:
            reach = 0.5 * float(np.max(np.abs(failed.x - search.best_u / scale)))
            x = search.best_u / scale
            box = np.maximum(ends[0], x - reach), np.minimum(ends[1], x + reach)
            continue
        at_edge = np.any((search.best_u / scale <= box[0]) & (box[0] > ends[0])) or np.any(
            (search.best_u / scale >= box[1]) & (box[1] < ends[1])
        )
        if not at_edge:
            return end
        box = ends
    return End("failed solves in the way", False)


def _run(search: Search, x0: np.ndarray, box: tuple[np.ndarray, np.ndarray], scale: np.ndarray, options: Options) -> End:
    from scipy.optimize import minimize

    rest = Stagnation(options.tolerance)
    lower, upper = search.objective.bounds

    def f(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, grad = search.gradient(np.clip(x * scale, lower, upper))
        if not np.isfinite(value):
            raise _Failed(np.array(x))
        return value, grad * scale

    def stop_at_rest(intermediate_result: Any) -> None:
        if rest.reached(float(intermediate_result.fun)):
            raise StopIteration

    found = minimize(f, x0, jac=True, method="L-BFGS-B", bounds=np.column_stack(box), callback=stop_at_rest,
                     options={"maxiter": 10**6, "maxfun": 10**6, "ftol": 1e-15, "gtol": 1e-8, **options.extra})  # fmt: skip
    return End(DECREASE, True) if found.status in (0, 99) else End(f"L-BFGS-B: {found.message}", False)


BACKEND = Backend(minimise, needs="gradient", evaluations=lambda d: 1000, continues=True, extra={"maxcor": 10},
                  imports=("scipy.optimize",))  # fmt: skip
