"""Which combinations of parameters the data determine: the spectrum of the Fisher information, and posterior correlations.

With F the expected information of the data about u, averaged over the posterior, and S = diag(s) the widths of the priors,

    S F S v = λ v

orders directions δu = S v by what the data know of them beside the prior: along v the posterior variance is about 1/(1 + λ)
of the prior's (Cui, Martin, Marzouk, Solonen, Spantini 2014, Inverse Problems 30, 114015).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bnfhmc.prior import Parameter
from bnfhmc.report.correlation import rank_correlation
from bnfhmc.report.study import Study
from bnfhmc.report.text import printable
from bnfhmc.report.verdict import NAMED, Finding

UNDETERMINED = 1.0  # λ below which the data know less of a direction than the prior
STRONG = 0.9  # a rank correlation that is worth a word
LEADING = 0.25  # of the largest component: what a direction is named by
MOST_NAMED = 4


@dataclass(frozen=True, slots=True)
class Direction:
    """One direction in the space of the parameters, each in widths of its prior.

    ``eigenvalue``: λ; ``narrowed``: 1 − 1/√(1 + λ), the share of the prior's width that the data take away;
    ``components[d]``: v, its largest entry positive; ``text``: its leading parameters in words.
    """

    eigenvalue: float
    narrowed: float
    components: Float[np.ndarray, " d"]
    text: str


def spectrum(parameters: tuple[Parameter, ...], F: Float[np.ndarray, "d d"]) -> tuple[Direction, ...]:
    """The directions, the least determined first.

    Those that the data do not determine span a space in which any basis is as good; it is turned so that each direction has
    few parameters in it (varimax, Kaiser 1958), and λ is then vᵀSFSv.
    """
    S = np.array([prior_width(p) for p in parameters])
    H = S[:, None] * F * S
    values, vectors = np.linalg.eigh(H)
    open_ones = values < UNDETERMINED
    if open_ones.sum() > 1:
        vectors = np.concatenate([varimax(vectors[:, open_ones]), vectors[:, ~open_ones]], axis=1)
        values = np.einsum("ij,ik,kj->j", vectors, H, vectors)
    found = [_direction(float(max(lam, 0.0)), v, parameters) for lam, v in zip(values, vectors.T, strict=True)]
    return tuple(sorted(found, key=lambda d: d.eigenvalue))


def varimax(V: Float[np.ndarray, "d m"], steps: int = 100) -> Float[np.ndarray, "d m"]:
    """The orthonormal basis of the same space whose squared entries vary most: each vector has few large ones."""
    R, before = np.eye(V.shape[1]), 0.0
    for _ in range(steps):
        L = V @ R
        left, size, right = np.linalg.svd(V.T @ (L**3 - L * np.mean(L**2, axis=0)))
        R = left @ right
        if size.sum() <= before * (1 + 1e-10):
            break
        before = float(size.sum())
    return V @ R


def prior_width(p: Parameter) -> float:
    """Half of the central 68 % of a prior in u: its standard deviation if it is normal."""
    return 0.5 * (float(p.prior.ppf(0.84134)) - float(p.prior.ppf(0.15866)))


def directions(study: Study) -> tuple[Direction, ...]:
    """The spectrum at a run's posterior; empty where the likelihood has no Fisher information."""
    F = study.fisher
    return () if F is None else spectrum(study.parameters, F)


def undetermined(study: Study) -> Iterator[Finding]:
    """Directions of which the data know less than the prior."""
    open_ones = [d for d in directions(study) if d.eigenvalue < UNDETERMINED]
    if open_ones:
        said = "; ".join(f"{d.text} (narrowed by {100 * d.narrowed:.0f} %)" for d in open_ones[: 2 * NAMED])
        more = f"; and {len(open_ones) - 2 * NAMED} more" if len(open_ones) > 2 * NAMED else ""
        yield Finding(
            f"{len(open_ones)} of {len(study.names)} directions are not determined by the data: {said}{more}",
            "along them the posterior is about as wide as the prior, and so is every prediction that changes along them",
            "Measure something that changes along them, fix one of the parameters, or write the model in a combination that "
            "is determined.",
            blocking=False,
        )


def correlated(study: Study) -> Iterator[Finding]:
    """Pairs of parameters of which the posterior knows a combination much better than either."""
    R = rank_correlation(study.flat)
    pairs = [(i, j) for i in range(len(R)) for j in range(i) if abs(R[i, j]) > STRONG]
    if not pairs:
        return
    pairs.sort(key=lambda ij: -abs(R[ij]))
    said = "; ".join(_pair(study.parameters[j], study.parameters[i], R[i, j]) for i, j in pairs[:NAMED])
    more = f"; and {len(pairs) - NAMED} more pairs" if len(pairs) > NAMED else ""
    yield Finding(
        f"strong correlation of {said}{more}",
        "the combination is known better than each alone, so intervals of single parameters look wider than what is known",
        "Report the combination too, and compute predictions from whole draws, never from single intervals.",
        blocking=False,
    )


def _pair(a: Parameter, b: Parameter, r: float) -> str:
    names = printable(a.name), printable(b.name)
    logarithmic = all(p.scale.name in ("log10", "ln") for p in (a, b))
    sign = ("/" if r > 0 else "·") if logarithmic else ("−" if r > 0 else "+")
    return f"{names[0]} and {names[1]} ({r:.2f}: {names[0]} {sign} {names[1]} is what is known)"


def _direction(eigenvalue: float, v: np.ndarray, parameters: tuple[Parameter, ...]) -> Direction:
    v = v if v[np.abs(v).argmax()] > 0 else -v
    order = [int(i) for i in np.argsort(-np.abs(v)) if abs(v[i]) >= LEADING * np.abs(v).max()]
    shown = [f"{printable(parameters[i].name)} {'↑' if v[i] > 0 else '↓'}" for i in order[:MOST_NAMED]]
    text = printable(parameters[order[0]].name) if len(order) == 1 else " ".join(shown)
    text += f" and {len(order) - MOST_NAMED} more" if len(order) > MOST_NAMED else ""
    return Direction(eigenvalue, 1.0 - 1.0 / np.sqrt(1.0 + eigenvalue), v, text)
