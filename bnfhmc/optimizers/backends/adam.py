"""Adam (Kingma & Ba 2015) with the learning rate schedules of optax, for objectives that are noisy or not smooth.

optax brings jax with it, which is imported when the method runs and not before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import InputError, Mistake
from bnfhmc.optimizers.backends.protocol import DECREASE, FAILED_START, Backend, End, Stagnation, need_package
from bnfhmc.optimizers.search import Options, Search

# f of a noisy objective is at rest when this many steps in a row have found nothing better.
PATIENCE = 100


def minimise(search: Search, u0: Float[np.ndarray, " d"], options: Options) -> End:
    """Follow the gradient within the bounds, each parameter in units of its scale.

    `learning_rate`: the first step in these units. `schedule`: "cosine" (to zero at the last evaluation), "exponential" (to
    a hundredth of it), "constant", or any optax schedule. A step that fails is taken back and the rate halved from there.
    """
    optax = need_package("optax", "adam")
    scale, (lower, upper) = search.objective.scale, search.objective.bounds
    schedule = _schedule(optax, options.extra["schedule"], float(options.extra["learning_rate"]), options.max_evaluations)
    rule = optax.scale_by_adam(b1=options.extra["b1"], b2=options.extra["b2"])
    # float32 whether or not jax has been switched to float64, so that nothing else in the process changes the result
    state = rule.init(np.zeros(len(u0), dtype=np.float32))
    rest, share = Stagnation(options.tolerance, PATIENCE), 1.0
    u, (f, grad) = u0, search.gradient(u0)
    if not np.isfinite(f):
        return End(FAILED_START, False)
    for step in range(options.max_evaluations):
        direction, state = rule.update((grad * scale).astype(np.float32), state)
        move = share * float(schedule(step)) * np.asarray(direction, dtype=float) * scale
        there = np.clip(u - move, lower, upper)
        value, slope = search.gradient(there)
        if not np.isfinite(value):
            share *= 0.5
            continue
        u, grad = there, slope
        if rest.reached(value):
            return End(DECREASE, True)
    return End("its schedule is at its end", True)


def _schedule(optax: Any, name: Any, rate: float, steps: int) -> Callable[[int], Any]:
    if callable(name):
        return name
    known: dict[str, Callable[[], Callable[[int], Any]]] = {
        "cosine": lambda: optax.cosine_decay_schedule(rate, steps),
        "exponential": lambda: optax.exponential_decay(rate, steps, 0.01),
        "constant": lambda: optax.constant_schedule(rate),
    }
    if name not in known:
        raise InputError(Mistake(f"unknown schedule '{name}'", f"take {', '.join(known)}, or an optax schedule"))
    return known[name]()


BACKEND = Backend(minimise, needs="gradient", evaluations=lambda d: 2000,
                  extra={"learning_rate": 0.2, "schedule": "cosine", "b1": 0.9, "b2": 0.999})  # fmt: skip
