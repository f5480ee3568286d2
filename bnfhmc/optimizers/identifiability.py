"""Which parameters and which of their combinations the data determine, from the Fisher information, in plain words.

    F̃ = S F S,   S = diag of the prior's standard deviations in u

A direction with an eigenvalue of F̃ below one is known from the data with less precision than from the prior (Cui et al. 2014).
The space of such directions is written in the basis that involves the fewest parameters; along one of them, θ_i → θ_i c^(e_i),
the fit does not change, so a product of powers of the θ_i is determined only where c cancels from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bnfhmc.optimizers.objective import Objective
from bnfhmc.optimizers.prior_terms import width
from bnfhmc.prior import LIN, LOGIT

NEGLIGIBLE = 0.05  # of the largest exponent of a direction
SIMPLE = 0.04  # how near to a small whole number or its half an exponent is taken for one
FEW = 4  # parameters a sentence still names with their exponents


@dataclass(frozen=True, slots=True)
class Direction:
    """A direction that the data leave open.

    ``exponents``: e_i by parameter, with the largest ±1, for parameters on a logarithmic scale; on others what is added in
    units of the largest. ``information``: its eigenvalue of F̃, below one. ``sentence``: the same in words.
    """

    exponents: dict[str, float]
    information: float
    sentence: str


def directions(
    objective: Objective, F: Float[np.ndarray, "d d"], held: Sequence[bool]
) -> tuple[Direction, ...]:
    """What the data leave open at a point with Fisher information F in u; parameters at a bound are left out."""
    free = [i for i in range(objective.dim) if not held[i]]
    if not free:
        return ()
    sd = width(objective.prior)[free] / 1.349
    scaled = F[np.ix_(free, free)] * np.outer(sd, sd)
    information, vectors = np.linalg.eigh(scaled)
    open_ = information < 1.0
    if not open_.any():
        return ()
    names = [objective.names[i] for i in free]
    kinds = [objective.prior.parameters[i].scale for i in free]
    log = np.array([k not in (LIN, LOGIT) for k in kinds])
    per_u = np.array([1.0 if k in (LIN, LOGIT) else float(k.dtheta_du(0.0)) for k in kinds])  # d ln θ/du of log10 is ln 10
    basis = _sparse((vectors[:, open_] * sd[:, None] * per_u[:, None]).T)
    return tuple(_direction(v, names, log, scaled, sd * per_u) for v in basis)


def _sparse(rows: Float[np.ndarray, "k d"]) -> Float[np.ndarray, "k d"]:
    """The same space by rows that are zero in each other's pivots, the reduced echelon form; largest entry ±1."""
    rows = rows / np.max(np.abs(rows), axis=1, keepdims=True)
    pivots: list[int] = []
    for k in range(len(rows)):
        left = np.abs(rows[k:]).copy()
        left[:, pivots] = 0.0
        r, c = divmod(int(np.argmax(left)), left.shape[1])
        rows[[k, k + r]] = rows[[k + r, k]]
        rows[k] /= rows[k, c]
        others = [j for j in range(len(rows)) if j != k]
        rows[others] -= np.outer(rows[others, c], rows[k])
        pivots.append(c)
    rows /= np.max(np.abs(rows), axis=1, keepdims=True)
    return np.where(np.abs(rows) < NEGLIGIBLE, 0.0, rows)


def _direction(
    v: np.ndarray, names: Sequence[str], log: np.ndarray, scaled: np.ndarray, unit: np.ndarray
) -> Direction:
    involved = [i for i in range(len(v)) if v[i] != 0.0]
    sign = 1.0 if v[involved[0]] > 0 else -1.0
    exponents = {names[i]: _simple(sign * float(v[i])) for i in involved}
    w = v / unit
    information = float(w @ scaled @ w / (w @ w))
    return Direction(exponents, information, _sentence(exponents, [bool(log[i]) for i in involved]))


def _sentence(exponents: dict[str, float], log: Sequence[bool]) -> str:
    names = list(exponents)
    if len(names) == 1:
        return f"{names[0]} is not determined: its posterior is as wide as its prior"
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    if len(names) > FEW or not all(_is_simple(e) for e in exponents.values()):
        shown = listed if len(names) <= 2 * FEW else f"{', '.join(names[:FEW])} and {len(names) - FEW} others"
        return f"a combination of {shown} is not determined"
    if not all(log):
        moves = ", ".join(f"{n} {'+' if e > 0 else '-'} {_power('c', abs(e), '')}" for n, e in exponents.items())
        return f"{listed} are determined only together: {moves} fits as well for any c"
    if len(names) == 2:
        (a, p), (b, q) = exponents.items()
        kept = _product({a: abs(q), b: abs(p) if p * q < 0 else -abs(p)})
        lost = _product({a: abs(q), b: -abs(p) if p * q < 0 else abs(p)})
        return f"{kept} is determined, {lost} is not"
    moves = ", ".join(f"{n}{'·' if e > 0 else '/'}{_power('c', abs(e), '^')}" for n, e in exponents.items())
    return f"{listed} are determined only together: {moves} fits as well for any c"


def _product(powers: dict[str, float]) -> str:
    above = [_power(n, e, "^") for n, e in powers.items() if e > 0]
    below = [_power(n, -e, "^") for n, e in powers.items() if e < 0]
    return "/".join(["·".join(above) or "1", *below])


def _power(name: str, e: float, mark: str) -> str:
    if e == 1.0:
        return name
    return f"{name}^{e:g}" if mark else f"{e:g} {name}"


def _simple(e: float) -> float:
    near = round(2.0 * e) / 2.0
    return near if near and abs(e - near) < SIMPLE else float(f"{e:.2g}")


def _is_simple(e: float) -> bool:
    return 2.0 * e == round(2.0 * e)
