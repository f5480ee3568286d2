"""Priors against the draws: bounds that draws pile up at, priors that the data leave alone, and those they contradict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.prior import Parameter
from bnfhmc.report.study import Study
from bnfhmc.report.text import printable
from bnfhmc.report.verdict import NAMED, Finding

LEARNT = 0.25  # of the prior's width; where less is learnt the prior dominates
TAIL = 0.005  # a posterior median further out in its prior than this contradicts it
NEAR = 0.05  # of the width of the central 90 %: what counts as at a bound
PILED = 0.03  # the share of draws so near to a bound that they are cut off by it


class Learnt(NamedTuple):
    """What the data say of one parameter: the width of the central 90 % in u before and after, the share of the width that is
    gone, and the prior mass below the posterior median."""

    before: float
    after: float
    share: float
    median_in_prior: float


def learnt(p: Parameter, u: Float[np.ndarray, " s"]) -> Learnt:
    """How the draws of a parameter compare with its prior, 1 − (q₉₅ − q₅ of the posterior)/(q₉₅ − q₅ of the prior)."""
    before = float(p.prior.ppf(0.95)) - float(p.prior.ppf(0.05))
    low, middle, high = np.quantile(u, (0.05, 0.5, 0.95)).tolist()
    share = 1.0 - (high - low) / before if before > 0 else 0.0
    return Learnt(before, high - low, share, float(p.prior.cdf(middle)))


def dominating(study: Study) -> Iterator[Finding]:
    """Priors that the data hardly narrow."""
    shares = {p.name: learnt(p, study.flat[:, i]).share for i, p in enumerate(study.parameters)}
    weak = {n: s for n, s in sorted(shares.items(), key=lambda item: item[1]) if s < LEARNT}
    if weak:
        said = _listed([f"{printable(n)} ({_percent(s)})" for n, s in weak.items()])
        yield Finding(
            f"the prior decides: of the width of its prior the data take away less than {100 * LEARNT:.0f} % for {said}",
            "what the table says of these is what was put in; change the prior, and it changes as much",
            "Say so where you report them, give them priors you can defend, or measure what depends on them.",
            blocking=False,
        )


def contradicted(study: Study) -> Iterator[Finding]:
    """Priors that have next to no mass where the data are."""
    out = []
    for i, p in enumerate(study.parameters):
        mass = learnt(p, study.flat[:, i]).median_in_prior
        if min(mass, 1 - mass) < TAIL:
            out.append((min(mass, 1 - mass), f"{printable(p.name)} ({'above' if mass > 0.5 else 'below'})"))
    if out:
        said = _listed([name for _, name in sorted(out)])
        yield Finding(
            f"the data pull {said} to where the prior has less than {100 * TAIL:g} % of its mass",
            "prior and data contradict each other, and the posterior is a compromise between them that neither supports",
            "Check the unit and the scale of the prior, then the model; widen the prior if it was too sure.",
            blocking=False,
        )


def bounds(study: Study) -> Iterator[Finding]:
    """Draws that pile up at a bound, where the prior does not dominate anyway."""
    out = []
    for i, p in enumerate(study.parameters):
        u = study.flat[:, i]
        if learnt(p, u).share < LEARNT:
            continue
        width = float(np.diff(np.quantile(u, (0.05, 0.95)))[0])
        for end, side, bound in zip(p.support, ("lower", "upper"), p.theta_bounds, strict=True):
            if np.isfinite(end) and np.mean(np.abs(u - end) < NEAR * width) > PILED:
                out.append(f"{printable(p.name)} at its {side} bound {bound:.4g}")
    if out:
        yield Finding(
            f"draws pile up for {_listed(out)}",
            "the bound ends the distribution there, not the data: the data would allow, or prefer, what lies beyond. At a "
            "bound of 0 they allow that there is no such process",
            "If values beyond make sense, widen the bound; if not, leave the bound and report a limit, not an interval.",
            blocking=False,
        )


def _listed(said: list[str]) -> str:
    more = len(said) - 2 * NAMED
    return ", ".join(said) if more <= 0 else f"{', '.join(said[: 2 * NAMED])} and {more} more"


def _percent(share: float) -> str:
    return f"{max(0.0, 100 * share):.0f} %"
