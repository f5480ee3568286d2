"""Converged or not, and every reason in words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from bnfhmc.problem import Settings
from bnfhmc.report.summary import MIN_DRAWS, Summary
from bnfhmc.report.text import printable
from bnfhmc.samplers.methods import TUNED_BY_USER

if TYPE_CHECKING:
    from bnfhmc.samplers.draws import Draws

MAX_R_HAT = 1.01  # Vehtari et al. (2021), as is the least ESS
MIN_ESS = 400.0
NAMED = 3  # how many parameters a finding names


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing the draws show: what it is, what it means, and what to type.

    blocking: whether the run counts as not converged because of it.
    """

    what: str
    meaning: str
    advice: str
    blocking: bool = True

    def __str__(self) -> str:
        return f"{self.what}: {self.meaning}. {self.advice}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the draws can be taken for the posterior, with the findings in the order of their weight."""

    findings: tuple[Finding, ...]

    @property
    def converged(self) -> bool:
        """No finding is blocking."""
        return not any(f.blocking for f in self.findings)

    def __str__(self) -> str:
        if not self.findings:
            return f"Converged: R-hat ≤ {MAX_R_HAT}, ESS ≥ {MIN_ESS:.0f}, no divergences."
        head = "Converged, with a remark:" if self.converged else "Not converged:"
        return "\n".join([head, *(f"  - {f}" for f in self.findings)])


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a verdict is drawn from.

    divergences[chain], solves, failed_solves by kind: of the sampling, without the warm-up. unsolved: divergences on
    whose trajectory a solve failed.
    """

    summary: Summary
    settings: Settings
    divergences: Sequence[int]
    solves: int
    failed_solves: Mapping[str, int]
    unsolved: int = 0

    @classmethod
    def of(cls, summary: Summary, settings: Settings, draws: Draws) -> Evidence:
        """The evidence in a finished run."""
        failed: Counter[str] = Counter()
        for chain in draws.chains:
            failed.update(chain.sampling.failures)
        solves = sum(chain.sampling.gradients + chain.sampling.values for chain in draws.chains)
        diverging = draws.stats["diverging"]
        unsolved = int((diverging & (draws.stats["failed"] > 0)).sum())
        return cls(summary, settings, diverging.sum(axis=1).tolist(), solves, failed, unsolved)


def judge(evidence: Evidence) -> Verdict:
    """Every rule's findings."""
    return Verdict(tuple(finding for rule in RULES if (finding := rule(evidence)) is not None))


def _divergences(e: Evidence) -> Finding | None:
    total, draws = sum(e.divergences), e.settings.num_samples * len(e.divergences)
    if total == 0:
        return None
    target = e.settings.target_accept
    higher = next((t for t in (0.95, 0.99) if t > target + 0.005), None)
    advice = "Put the parameters that differ by orders of magnitude on a log10 scale, or narrow their priors."
    if e.settings.method not in TUNED_BY_USER:
        advice = "Type fit_type = nuts, whose steps are tuned to the posterior's shape."
    elif higher is not None:
        advice = f"Type target_accept = {higher}; if they stay, put wide parameters on a log10 scale."
    where = f", {e.unsolved} of them where the model could not be solved" if e.unsolved else ""
    return Finding(
        f"{total} of {draws} draws diverged ({', '.join(map(str, e.divergences))} by chain){where}",
        "the steps were too long for the shape of the posterior there, so a part of it may be missing from the draws",
        advice,
    )


def _one_chain(e: Evidence) -> Finding | None:
    if len(e.divergences) > 1:
        return None
    return Finding(
        "R-hat does not exist for a single chain",
        "nothing shows that another start would have led to the same draws",
        "Type population_size = 4.",
    )


def _undefined(e: Evidence) -> Finding | None:
    if e.settings.num_samples < MIN_DRAWS:
        return Finding(
            f"fewer than {MIN_DRAWS} draws a chain",
            "there is no R-hat and no ESS of so few",
            "Type num_samples = 1000.",
        )
    undefined = np.isnan(e.summary.ess_bulk) | np.isnan(e.summary.ess_tail)
    if len(e.divergences) > 1:
        undefined |= np.isnan(e.summary.r_hat)
    if not undefined.any():
        return None
    return Finding(
        f"R-hat and ESS do not exist for {_names(e.summary.names, undefined)}",
        "its draws are all the same, or not all of them are finite: the chains did not move, or ran off",
        "Look at its prior and its bounds, and whether the model depends on it: bnfhmc check shows the gradient.",
    )


def _r_hat(e: Evidence) -> Finding | None:
    worst = _largest(e.summary.r_hat)
    if not worst > MAX_R_HAT:
        return None
    high = e.summary.r_hat > MAX_R_HAT
    return Finding(
        f"R-hat is {_above(worst)} for {_names(e.summary.names, high, e.summary.r_hat)} (at most {MAX_R_HAT} is asked)",
        "the chains do not agree yet on where the posterior lies",
        f"Type num_warmup = {2 * max(e.settings.num_warmup, 500)} and num_samples = {2 * e.settings.num_samples}; "
        "if it stays, the posterior may have several modes.",
    )


def _ess(e: Evidence) -> Finding | None:
    bulk, tail = e.summary.ess_bulk, e.summary.ess_tail
    smaller = np.fmin(bulk, tail)
    low = smaller < MIN_ESS
    if not low.any():
        return None
    least = float(np.nanmin(smaller))
    kind, meaning = ("bulk", "means and sds") if np.nanmin(bulk) <= np.nanmin(tail) else ("tail", "interval ends")
    needed = math.ceil(1.2 * e.settings.num_samples * MIN_ESS / max(least, 1.0) / 100) * 100
    return Finding(
        f"the smallest {kind} ESS is {least:.0f}, for {_names(e.summary.names, low, -smaller)} "
        f"(at least {MIN_ESS:.0f} is asked)",
        f"the draws are too alike to give {meaning} with the digits the table shows",
        f"Type num_samples = {needed}.",
    )


def _failed_solves(e: Evidence) -> Finding | None:
    total = sum(e.failed_solves.values())
    if total == 0:
        return None
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(e.failed_solves.items()) if count)
    return Finding(
        f"{total} of {e.solves} solves failed while sampling ({kinds})",
        "each ended its trajectory; where many lie close to the draws, the posterior is cut off there",
        "If they are many, narrow the bounds to where the model can be solved.",
        blocking=False,
    )


RULES: tuple[Callable[[Evidence], Finding | None], ...] = (
    _divergences,
    _one_chain,
    _undefined,
    _r_hat,
    _ess,
    _failed_solves,
)


def _largest(x: Float[np.ndarray, " d"]) -> float:
    return float(np.max(x, where=~np.isnan(x), initial=-np.inf))


def _above(r_hat: float) -> str:
    """With as many digits as it takes to tell it from the limit."""
    return f"{r_hat:.3f}" if round(r_hat, 3) > MAX_R_HAT else f"{r_hat:.6g}"


def _names(names: Sequence[str], which: Bool[np.ndarray, " d"], weight: Float[np.ndarray, " d"] | None = None) -> str:
    """The names picked, the one of most weight first, and how many are not said."""
    picked = np.flatnonzero(which)
    if weight is not None:
        picked = picked[np.argsort(-weight[picked], kind="stable")]
    said = ", ".join(printable(names[i]) for i in picked[:NAMED])
    return said if len(picked) <= NAMED else f"{said} and {len(picked) - NAMED} more"
