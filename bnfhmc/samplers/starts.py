"""Where the chains start: spread out over the prior, each at a point the model can be solved at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bnfhmc.posterior import Evaluation
from bnfhmc.samplers.curvature import Curvature, CurvedEvaluation
from bnfhmc.samplers.target import Target


class NoStart(RuntimeError):  # noqa: N818
    """A chain has no point to start from; the message says which solves failed, by kind."""


@dataclass(frozen=True, slots=True)
class Start:
    """A chain's first point z[d] with its evaluation, and why the draws before it were thrown away, in order.

    ``curvature``: what the first metric is of, where that is known better than from the point itself.
    """

    z: Float[np.ndarray, " d"]
    evaluation: Evaluation | CurvedEvaluation
    redrawn: tuple[str, ...]
    curvature: Curvature | None = None


def stream(random_seed: int, chain: int, purpose: int) -> np.random.Generator:
    """The random numbers of one purpose in one chain, whatever other chains run beside it and on how many cores."""
    return np.random.default_rng(np.random.SeedSequence(random_seed, spawn_key=(chain, purpose)))


def draw_start(
    sample: Callable[[np.random.Generator], Float[np.ndarray, " d"]],
    evaluate: Callable[[Float[np.ndarray, " d"]], Evaluation | CurvedEvaluation],
    rng: np.random.Generator,
    *,
    chain: int,
    tries: int = 100,
) -> Start:
    """The first of up to `tries` draws whose evaluation does not fail.

    `sample`: a draw z[d] from the prior's bulk. `evaluate`: the target there. `chain`: its index, for the message.
    Raises `NoStart`.
    """
    redrawn: list[str] = []
    for _ in range(tries):
        z = np.asarray(sample(rng), dtype=np.float64)
        evaluation = evaluate(z)
        if evaluation.status == "ok":
            return Start(z, evaluation, tuple(redrawn))
        redrawn.append(evaluation.status)
    kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(redrawn).most_common())
    raise NoStart(
        f"chain {chain + 1}: no start found: all of {tries} draws from the prior failed ({kinds}); "
        "narrow the priors or the bounds to where the model can be solved, or loosen the solver's limits"
    )


def given_start(
    z: Float[np.ndarray, " d"],
    evaluate: Callable[[Float[np.ndarray, " d"]], Evaluation | CurvedEvaluation],
    *,
    chain: int,
) -> Start:
    """A start that was asked for; raises `NoStart` where it cannot be evaluated."""
    evaluation = evaluate(z)
    if evaluation.status != "ok":
        raise NoStart(f"chain {chain + 1}: the start that was given fails ({evaluation.status}); give another one")
    return Start(z, evaluation, ())


def prior_spread(target: Target, draws: int = 200) -> Float[np.ndarray, " d"]:
    """Half the width of the central 68 % of the starts, by parameter, in z: a standard deviation no tail can stretch.

    It costs no solve. Where the starts do not vary it is 1.
    """
    rng = np.random.default_rng(0)
    z = np.stack([target.sample_start(rng) for _ in range(draws)])
    low, high = np.quantile(z, [0.16, 0.84], axis=0)
    spread = 0.5 * (high - low)
    return np.where(np.isfinite(spread) & (spread > 0), spread, 1.0)
