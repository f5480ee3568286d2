"""The tolerance audit: is the posterior the model's, or the solver's?

Draws are evaluated again at tighter tolerances. With log weights

    log w = log p(y | θ, tight) − log p(y | θ, as run)

the draws, weighted, are the posterior of the tighter solver; what weighting changes is the solver's doing. k̂ is the shape of
the tail of w (Vehtari, Simpson, Gelman, Yao, Gabry 2024, JMLR 25:72): above 0.7 the two posteriors have too little in common.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from bnfhmc.posterior import Posterior
from bnfhmc.problem import Problem
from bnfhmc.report.opened import Opened
from bnfhmc.report.parallel import over_draws
from bnfhmc.report.predictive import thinned
from bnfhmc.report.quiet_arviz import load_arviz
from bnfhmc.report.text import printable
from bnfhmc.report.verdict import NAMED, Finding

DRAWS = 200
TIGHTER = 0.01
TIGHTEST = 1e-13  # what double precision and CVODES can still do
MAX_K = 0.7
MAX_SHIFT = 0.1  # posterior standard deviations
SMALL = 0.1  # log weights all within this make no difference, whatever the shape of their tail


@dataclass(frozen=True, slots=True)
class Audit:
    """What tighter tolerances change.

    ``rtol``: the loosest relative tolerances, as run and tight; ``draws``: how many were solved both times; ``failed``: how
    many were not; ``pareto_k``: k̂ of the weights; ``spread``: the largest |log w − median|; ``shift``: by parameter how far
    its mean in u moves, in posterior standard deviations.
    """

    rtol: tuple[float, float]
    draws: int
    failed: int
    pareto_k: float
    spread: float
    shift: Mapping[str, float]


def audit(opened: Opened, *, draws: int = DRAWS, tighter: float = TIGHTER, cores: int | None = None) -> Audit | None:
    """Evaluate evenly spaced draws at their tolerances and at `tighter` times those; None where no model has tolerances."""
    posterior = opened.posterior
    tight = tightened(posterior.problem, tighter)
    if tight is None:
        return None
    flat = opened.u.reshape(-1, posterior.dim)
    u = flat[thinned(len(flat), draws)]
    before, after = (_losses(p, u, cores) for p in (posterior, Posterior(tight)))
    solved = np.isfinite(before) & np.isfinite(after)
    log_w = (before - after)[solved]
    if solved.sum() < 5:
        return Audit((posterior.rtol, posterior.rtol * tighter), int(solved.sum()), int((~solved).sum()), np.nan, np.nan, {})
    with np.errstate(all="ignore"):
        smoothed, k = load_arviz().psislw(log_w.copy())
    weight = np.exp(smoothed - smoothed.max())
    weight /= weight.sum()
    kept, sd = u[solved], flat.std(axis=0)
    shift = (weight @ kept - kept.mean(axis=0)) / np.where(sd > 0, sd, 1.0)
    return Audit(
        (posterior.rtol, Posterior(tight).rtol), int(solved.sum()), int((~solved).sum()), float(k),
        float(np.abs(log_w - np.median(log_w)).max()), dict(zip(posterior.names, shift.tolist(), strict=True)),
    )  # fmt: skip


def audit_findings(found: Audit | None) -> tuple[Finding, ...]:
    """What the audit means: nothing where the solver makes no difference."""
    if found is None:
        return ()
    out = []
    moved = {n: s for n, s in found.shift.items() if abs(s) > MAX_SHIFT}
    if found.spread > SMALL and (found.pareto_k > MAX_K or moved):
        worst = sorted(moved, key=lambda n: -abs(moved[n]))[:NAMED]
        said = "".join(f"; the mean of {printable(n)} moves by {moved[n]:+.2f} sd" for n in worst)
        out.append(Finding(
            f"at a tolerance of {found.rtol[1]:g} in the place of {found.rtol[0]:g} the log likelihood of single draws changes "
            f"by up to {found.spread:.2g} (Pareto k̂ {found.pareto_k:.2f}){said}",
            "the posterior is the solver's as much as the model's",
            f"Type rtol = {found.rtol[1]:g} and an atol as much smaller, and run again.",
        ))  # fmt: skip
    if found.failed:
        out.append(Finding(
            f"{found.failed} of {found.failed + found.draws} draws cannot be solved at both tolerances",
            "the solver is at its limit there, and what it returns may not be the model's",
            "Look at where these draws lie, and whether the model is meant to be used there.",
            blocking=False,
        ))  # fmt: skip
    return tuple(out)


def tightened(problem: Problem, factor: float) -> Problem | None:
    """The problem with every model's tolerances times `factor`, none below 1e-13; None where no model has any."""
    models: dict[str, Any] = {}
    for name, model in problem.models.items():
        old = getattr(model, "tolerances", None)
        if old is not None:
            new = replace(old, rtol=max(old.rtol * factor, TIGHTEST), atol=max(old.atol * factor, TIGHTEST))
            models[name] = replace(model.clone(), tolerances=new)  # type: ignore[type-var]
    return replace(problem, models={**problem.models, **models}) if models else None


def _losses(posterior: Posterior, u: Float[np.ndarray, "s d"], cores: int | None) -> Float[np.ndarray, " s"]:
    return np.array(over_draws(posterior, len(u), lambda own, i: own.loss(u[i]), cores))
