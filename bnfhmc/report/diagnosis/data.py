"""The data against the model: influential measurements, predictions too narrow or too wide, residuals with a pattern."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bnfhmc.report.bands import SeriesFit
from bnfhmc.report.study import Study
from bnfhmc.report.text import printable
from bnfhmc.report.uniformity import leaves_band
from bnfhmc.report.verdict import NAMED, Finding

OUTSIDE = 0.1  # of the measurements are expected outside of the central 90 %
UNLIKELY = 0.01  # of one kind of test over all series
LEAST_RUN = 8  # measurements that a pattern of signs takes


def unsolved(study: Study) -> Iterator[Finding]:
    """Draws whose model cannot be solved for predictions."""
    failures = study.predictive.failures
    if failures:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(failures.items()))
        total = study.predictive.at.size + sum(failures.values())
        yield Finding(
            f"{sum(failures.values())} of {total} draws could not be solved again for predictions ({kinds})",
            "the bands leave them out; they were solved together with sensitivities when they were drawn, so the solver is at "
            "its limit there",
            "Type rtol = 1e-6 or a larger atol in the configuration, and look at where these draws lie.",
            blocking=False,
        )


def influential(study: Study) -> Iterator[Finding]:
    """Measurements whose Pareto k̂ is high."""
    loo = study.loo
    if loo is None or not (loo.pareto_k > loo.good_k).any():
        return
    order = [int(i) for i in np.argsort(-loo.pareto_k) if loo.pareto_k[i] > loo.good_k]
    said = "; ".join(f"{place(study, i)} ({loo.pareto_k[i]:.2f})" for i in order[:NAMED])
    more = f"; and {len(order) - NAMED} more" if len(order) > NAMED else ""
    yield Finding(
        f"Pareto k̂ is above {loo.good_k:.2f} for {said}{more}",
        "the posterior would be another one without this measurement, so that LOO cannot be computed from these draws, and "
        "comparisons that rest on it are not reliable",
        "Check these measurements first; a wider noise model (student_t) makes the fit depend on single points less.",
        blocking=False,
    )


def coverage(study: Study) -> Iterator[Finding]:
    """Series with too many or too few measurements outside of the central 90 % of new ones."""
    from scipy.special import bdtr, bdtrc

    fits = study.fits
    for fit in fits:
        n, out = len(fit.observed), fit.outside
        if out > 1 and bdtrc(out - 1, n, OUTSIDE) < UNLIKELY / len(fits):
            yield Finding(
                f"{out} of {n} measurements of {series(fit)} lie outside of the central 90 % of what a new one would be",
                "the model, or its noise, does not describe these data, and its intervals are too sure of themselves",
                "Look at the residuals for a pattern: if there is one, change the model; if not, let the noise be fitted "
                "(sigma = fit <name>).",
                blocking=False,
            )
        elif bdtr(out, n, OUTSIDE) < UNLIKELY / len(fits) / 10:
            yield Finding(
                f"only {out} of {n} measurements of {series(fit)} lie outside of the central 90 % of what a new one would be",
                "the noise is assumed larger than the scatter of the data, so intervals are wider than they need to be",
                "Check whether the given standard deviations are those of single measurements; or let the noise be fitted.",
                blocking=False,
            )


def patterned(study: Study) -> Iterator[Finding]:
    """Series whose residuals keep their sign for longer than chance would (Wald & Wolfowitz 1940)."""
    for fit in study.fits:
        signs = _signs(fit)
        runs = 1 + int(np.sum(signs[1:] != signs[:-1])) if signs.size else 0
        chance = runs_at_most(runs, int(signs.sum()), int((~signs).sum()))
        if len(signs) >= LEAST_RUN and chance < UNLIKELY / len(study.fits):
            yield Finding(
                f"the residuals of {series(fit)} change their sign only {_times(runs - 1)} in {len(signs)} measurements",
                f"scatter without a pattern does so in {100 * chance:.2g} % of cases; the model bends otherwise than the data",
                "See where the residuals keep their sign, and what the model leaves out there.",
                blocking=False,
            )


def calibrated(study: Study) -> Iterator[Finding]:
    """LOO-PIT values that are not uniform."""
    pit = study.loo_pit
    if pit is None or len(pit) < LEAST_RUN or not leaves_band(pit):
        return
    spread = float(np.var(pit)) * 12
    if abs(pit.mean() - 0.5) > 2 * np.sqrt(1 / 12 / len(pit)):
        how = "lie above" if pit.mean() > 0.5 else "lie below"
        what = f"measurements {how} what the others predict of them more often than not"
    else:
        what = f"measurements scatter {'more' if spread > 1 else 'less'} than the others predict of them"
    yield Finding(
        f"LOO-PIT is not uniform: {what}",
        "new measurements would not fall into the intervals as often as those say",
        "See the fit for where; then change the model or its noise.",
        blocking=False,
    )


def place(study: Study, index: int) -> str:
    """A measurement in words."""
    m = study.posterior.measurements[index]
    return f"{printable(m.series)} at {m.time:g} in {printable(m.experiment)}"


def series(fit: SeriesFit) -> str:
    """A series in words."""
    return f"{printable(fit.name)} in {printable(fit.experiment)}"


def runs_at_most(runs: int, above: int, below: int) -> float:
    """P(number of runs ≤ runs) of so many signs of each kind in random order."""
    from math import comb

    if above == 0 or below == 0:
        return 1.0
    total = 0
    for r in range(2, runs + 1):
        k = r // 2
        if r % 2 == 0:
            total += 2 * comb(above - 1, k - 1) * comb(below - 1, k - 1)
        else:
            total += comb(above - 1, k) * comb(below - 1, k - 1) + comb(above - 1, k - 1) * comb(below - 1, k)
    return total / comb(above + below, above)


def _signs(fit: SeriesFit) -> np.ndarray:
    """Whether each measurement lies above its median prediction, in the order of x; none where they all have one x."""
    if len(np.unique(fit.x)) < LEAST_RUN:
        return np.empty(0, dtype=bool)
    left = (fit.observed - fit.new[2])[np.argsort(fit.x, kind="stable")]
    return left[left != 0] > 0


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
