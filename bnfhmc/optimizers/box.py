"""The box that a search without gradients looks in, in u."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import InputError, Mistake, nearest
from bnfhmc.prior import Parameter, PriorVector

# Where a prior has no end, the box ends where this mass of it is left outside, half on each side.
OUTSIDE = 1e-3


class Box(NamedTuple):
    """The ends of a box in u."""

    lower: Float[np.ndarray, " d"]
    upper: Float[np.ndarray, " d"]

    @property
    def width(self) -> Float[np.ndarray, " d"]:
        """upper − lower."""
        return self.upper - self.lower


def search_box(
    prior: PriorVector, search_space: Mapping[str, tuple[float, float]] | None = None, finite: bool = True
) -> Box:
    """Each parameter's box: `search_space` where it names it, else the prior's support, else the central 99.9 % of the prior.

    search_space: name → (lower, upper) in θ, cut to the support. finite: if not, an infinite support is left as it is. Raises
    InputError that names every parameter whose box is not finite, is empty, or lies outside of its support.
    """
    given = dict(search_space or {})
    wrong = [Mistake(f"search_space names '{n}', which is no parameter", nearest(n, prior.names))
             for n in given if n not in prior.names]  # fmt: skip
    ends = [_of_theta(p, given[p.name], wrong) if p.name in given else _of_prior(p, wrong) if finite else p.support
            for p in prior.parameters]  # fmt: skip
    if wrong:
        raise InputError(wrong)
    lower, upper = np.array(ends, dtype=float).reshape(-1, 2).T
    below, above = np.array([pole_ends(p) for p in prior.parameters], dtype=float).reshape(-1, 2).T
    return Box(np.maximum(lower, below), np.minimum(upper, above))


def pole_ends(p: Parameter) -> tuple[float, float]:
    """Where a search ends short of the support's ends, in u, since the density is infinite there; ∓inf where it need not."""
    lo, hi = p.support
    with np.errstate(all="ignore"):
        poles = [bool(np.isfinite(end) and np.isposinf(p.prior.logpdf(end))) for end in (lo, hi)]
    return (float(p.prior.ppf(OUTSIDE / 2)) if poles[0] else -np.inf, float(p.prior.isf(OUTSIDE / 2)) if poles[1] else np.inf)


def _of_prior(p: Parameter, wrong: list[Mistake]) -> tuple[float, float]:
    lo, hi = p.support
    lo = lo if np.isfinite(lo) else float(p.prior.ppf(OUTSIDE / 2))
    hi = hi if np.isfinite(hi) else float(p.prior.isf(OUTSIDE / 2))
    ends = [float(p.scale.theta_from_u(end)) for end in (lo, hi)]
    if not (np.isfinite([lo, hi]).all() and np.isfinite(ends).all()):
        wrong.append(Mistake(f"parameter '{p.name}': no box to search in can be derived from its prior, whose central "
                             f"{1 - OUTSIDE:.1%} reaches from {ends[0]:g} to {ends[1]:g}",
                             f"give search_space = {{'{p.name}': (<lower>, <upper>)}}, or a prior with bounds"))  # fmt: skip
    return lo, hi


def _of_theta(p: Parameter, given: tuple[float, float], wrong: list[Mistake]) -> tuple[float, float]:
    start, end = p.scale.domain
    try:
        lower, upper = (float(end) for end in given)
    except (TypeError, ValueError):
        wrong.append(Mistake(f"parameter '{p.name}': search_space is {given!r:.60}", "give (<lower>, <upper>)"))
        return 0.0, 1.0
    if not (np.isfinite([lower, upper]).all() and start <= lower < upper <= end):
        wrong.append(Mistake(f"parameter '{p.name}': search_space is ({lower:g}, {upper:g})",
                             f"it takes two finite values, lower < upper, between {start:g} and {end:g}"))  # fmt: skip
        return 0.0, 1.0
    lo, hi = float(p.scale.u_from_theta(lower)), float(p.scale.u_from_theta(upper))
    inner = max(lo, p.support[0]), min(hi, p.support[1])
    if not (np.isfinite(inner).all() and inner[0] < inner[1]):
        a, b = p.theta_bounds
        wrong.append(Mistake(f"parameter '{p.name}': nothing of search_space ({lower:g}, {upper:g}) lies in the support of "
                             f"its prior, ({a:g}, {b:g})", "search where the prior has its mass"))  # fmt: skip
        return 0.0, 1.0
    return inner
