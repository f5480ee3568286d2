"""Which method suits a posterior: a short chain of each, compared by effective draws a second."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.samplers.chains import run_chains
from bnfhmc.samplers.draws import ChainRecord
from bnfhmc.samplers.kernels.protocol import Kernel, Tuning
from bnfhmc.samplers.metric import Metric
from bnfhmc.samplers.modes import NearModes
from bnfhmc.samplers.target import Target

WARMUP, DRAWS = 300, 150


class Tried(NamedTuple):
    """What a short chain showed: effective draws a second, seconds a solve, its acceptance, and what it has learnt."""

    speed: float
    seconds_per_solve: float
    tuning: Tuning


class Choice(NamedTuple):
    """The method that was fastest, why in words, and what its short chain has learnt."""

    method: str
    why: str
    tuning: Tuning


def choose(
    kernels: Mapping[str, Kernel], target: Target, random_seed: int, near_modes: NearModes | None = None
) -> Choice:
    """The kernel with the most effective draws a second, by its slowest parameter, in a chain of `DRAWS` from a mode.

    near_modes: what finds points from a seed that the climbs to the modes start from.

    It depends on what solves cost on this machine while it runs, so the choice itself is no function of the seed. Raises what
    the target raises.
    """
    tried = {name: _tried(kernel, target, random_seed, near_modes) for name, kernel in kernels.items()}
    best = max(tried, key=lambda name: tried[name].speed)
    said = ", ".join(
        f"{name} {t.speed:.3g} ({1e3 * t.seconds_per_solve:.3g} ms a solve)"
        for name, t in sorted(tried.items(), key=lambda item: -item[1].speed)
    )
    return Choice(best, f"{best} has the most effective draws a second in a pilot: {said}", tried[best].tuning)


def effective_draws(x: Float[np.ndarray, " draw"]) -> float:
    """n/(1 + 2 Σ ρ_t), the sum over the initial positive sequence of one chain (Geyer 1992, Statistical Science 7, 473).

    At most n log₁₀ n, as Vehtari et al. (2021) bound it; 1 where nothing moves.
    """
    n = len(x)
    centred = x - x.mean()
    spectrum = np.fft.rfft(centred, 2 * n)
    covariance = np.fft.irfft(spectrum * spectrum.conj())[:n] / n
    if not covariance[0] > 0.0:
        return 1.0
    pairs = (covariance[: n - n % 2] / covariance[0]).reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs <= 0.0)
    kept = pairs[: negative[0]] if negative.size else pairs
    time = max(2.0 * float(np.minimum.accumulate(kept).sum()) - 1.0, 1.0 / math.log10(max(n, 10)))
    return float(n / time)


def _tried(kernel: Kernel, target: Target, random_seed: int, near_modes: NearModes | None) -> Tried:
    draws = run_chains(
        kernel, target, chains=1, num_warmup=WARMUP, num_samples=DRAWS, random_seed=random_seed, cores=1,
        check_gradient=False, start="map", near_modes=near_modes,
    )  # fmt: skip
    (chain,) = draws.chains[:1]
    # The second half, since a chain this short may still be on its way.
    halves = draws.z[0, DRAWS // 2 :]
    fewest = min(effective_draws(halves[:, i]) for i in range(target.dim))
    return Tried(
        fewest / max(chain.sampling_seconds * len(halves) / DRAWS, 1e-9),
        chain.sampling_seconds / max(_solves(chain), 1),
        Tuning(chain.step_size, Metric.from_inverse_mass(chain.inverse_mass_matrix), chain.center),
    )


def _solves(chain: ChainRecord) -> int:
    return chain.sampling.gradients + chain.sampling.values
