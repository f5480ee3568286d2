"""What the chains show of themselves: energy, trees that were cut off, costs, basins."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from bnfhmc.report.quiet_arviz import load_arviz
from bnfhmc.report.study import Study
from bnfhmc.report.text import printable
from bnfhmc.report.verdict import Finding

MIN_BFMI = 0.3  # Betancourt (2016), and Stan
MAX_TREE_DEPTH = 10
SATURATED = 0.01  # the share of trees at the limit that is worth a word
DEARER = 2.0  # how many times the median chain's gradients
APART_R_HAT = 1.1
APART_SD = 4.0  # within-chain sds between the means of chains in different basins


def energy(study: Study) -> Iterator[Finding]:
    """E-BFMI = E[(E_n − E_{n−1})²]/Var E of each chain below 0.3, where the energy is more than −log π."""
    values, lp = study.stats.get("energy"), study.stats.get("lp")
    if values is None or values.shape[1] < 4 or not np.isfinite(values).all():
        return
    if lp is not None and np.array_equal(values, -lp):  # a kernel without momentum: it is how slowly log π moves
        return
    bfmi = np.atleast_1d(load_arviz().bfmi(values))
    low = np.flatnonzero(bfmi < MIN_BFMI)
    if low.size:
        yield Finding(
            f"E-BFMI is {bfmi.min():.2f} ({_chains(low)} below {MIN_BFMI})",
            "the energy changes so little from draw to draw that the tails are reached too seldom, and intervals may be "
            "too narrow",
            "Put parameters that range over decades on a log10 scale, and keep scale parameters off 0 by their prior; then "
            "run again with more draws.",
            blocking=False,
        )


def tree_depth(study: Study) -> Iterator[Finding]:
    """Trajectories that ended because their tree was as deep as it may be."""
    depth = study.stats.get("tree_depth")
    if depth is None:
        return
    limit = int(getattr(study.run.settings, "max_tree_depth", None) or MAX_TREE_DEPTH)
    share = float(np.mean(depth >= limit))
    if share > SATURATED:
        yield Finding(
            f"{100 * share:.2g} % of the trajectories ended at the depth limit of {limit}",
            "they stopped before they turned round: each draw is correct, but it is dear and not far from the one before",
            "Narrow the priors or fix a parameter of an undetermined combination (see what is not determined): posteriors "
            "that are long and thin are what takes deep trees.",
            blocking=False,
        )


def cost(study: Study) -> Iterator[Finding]:
    """Chains that took far more gradients than the others."""
    steps = study.stats.get("n_steps")
    if steps is None or len(steps) < 2:
        return
    total = steps.sum(axis=1)
    ratio = total / max(float(np.median(total)), 1.0)
    dear = np.flatnonzero(ratio > DEARER)
    if dear.size:
        worst = int(ratio.argmax())
        size = study.stats["step_size"].mean(axis=1) if "step_size" in study.stats else None
        beside = "" if size is None else f", with steps of {size[worst]:.2g} beside a median of {np.median(size):.2g}"
        yield Finding(
            f"{_chains(dear)} took {ratio.max():.1f} times the gradients of the median chain{beside}",
            "it learnt another step size or metric than the others, or it is in a narrower part of the posterior",
            f"Type num_warmup = {2 * max(study.run.settings.num_warmup, 500)}; if it stays, see its trace for another mode.",
            blocking=False,
        )


def basins(study: Study) -> Iterator[Finding]:
    """Chains that stayed in different parts of the posterior, with what tells the parts from each other."""
    u = study.u
    if len(u) < 2 or u.shape[1] < 4:
        return
    r_hat = np.where(np.isnan(study.summary.r_hat), 0.0, study.summary.r_hat)
    if not r_hat.max(initial=0.0) > APART_R_HAT:
        return
    at = int(r_hat.argmax())
    groups = split(u[:, :, at])
    if len(groups) < 2:
        return
    lp, theta = study.stats["lp"].mean(axis=1), study.theta[:, :, at].mean(axis=1)
    height = [float(lp[g].mean()) for g in groups]
    groups = [groups[i] for i in np.argsort([-h for h in height])]
    said = "; ".join(f"{_chains(g)} at {theta[g].mean():.4g}" for g in groups)
    gap = max(height) - min(height)
    lower = _chains(groups[-1])
    meaning = (
        f"log π is on average {gap:.1f} lower in the last: nobody knows how much of the posterior lies where, and draws of "
        "all chains together stand for none of it"
    )
    advice = (
        f"If {lower} should count for nothing, start the chains nearer to the best fit or narrow the priors; "
        "if all should count, none of these numbers may be used until the chains cross."
    )
    yield Finding(f"the chains lie in {len(groups)} basins of {printable(study.names[at])} ({said})", meaning, advice)


def split(x: Float[np.ndarray, "chain draw"]) -> list[np.ndarray]:
    """Groups of chains, by gaps between their means of more than APART_SD standard deviations within a chain."""
    mean, sd = x.mean(axis=1), float(np.median(x.std(axis=1)))
    order = np.argsort(mean)
    cuts = [i + 1 for i, (a, b) in enumerate(pairwise(mean[order])) if b - a > APART_SD * sd and b > a]
    return [np.sort(part) for part in np.split(order, cuts)]


def _chains(which: np.ndarray) -> str:
    """``chain 2``, ``chains 1 and 3``: counted from 1."""
    said = [str(int(i) + 1) for i in which]
    return f"chain {said[0]}" if len(said) == 1 else f"chains {', '.join(said[:-1])} and {said[-1]}"
