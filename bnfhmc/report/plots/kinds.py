"""The pictures of a run by kind, each with the words that stand for it where it cannot be seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from bnfhmc.errors import InputError, Mistake, nearest
from bnfhmc.optimizers.result import NEAR
from bnfhmc.report.bands import SeriesFit
from bnfhmc.report.correlation import most_correlated, rank_correlation
from bnfhmc.report.fit_study import FitStudy
from bnfhmc.report.plots import checks, draws
from bnfhmc.report.plots.drawn import Drawn, Picture, finish, numbered, parts, save
from bnfhmc.report.plots.fit import Units, plot_experiment
from bnfhmc.report.plots.style import grid_of, styled
from bnfhmc.report.predictive import Predictive, thinned
from bnfhmc.report.study import Study
from bnfhmc.report.text import printable

IN_A_TRACE, IN_MARGINALS, IN_A_FOREST, IN_PROFILES = 6, 24, 40, 24  # parameters of one picture
MOST_CHAINS = 12  # that are told apart: an ensemble has a chain for each walker
SETTLING = 6  # parameters whose estimates are followed


def pictures(study: Study | FitStudy, kind: str, *, units: Units | None = None, png: bool = False) -> Iterator[Picture]:
    """Every picture of a kind; none where the run has nothing for it to show.

    ``units``: of times, doses and series by name, in the place of those that the configuration gives. Raises InputError for an
    unknown kind, and for one that needs draws where the study is that of a fit.
    """
    with styled():
        yield from finish(kind, _drawn(study, kind, units), png)


def axes(study: Study | FitStudy, kind: str, *, units: Units | None = None) -> list[Any]:
    """The axes of every picture of a kind, to be changed before they are saved: one Axes a picture, or as many as its panels.

    ``units`` and what is raised: as in `pictures`.
    """
    with styled():
        return [made.axes for made in _drawn(study, kind, units)]


def save_pictures(study: Study | FitStudy, kind: str, folder: Path, *, units: Units | None = None) -> list[Path]:
    """Write every picture of a kind into a folder as SVG and PNG, and return the paths."""
    return save(pictures(study, kind, units=units, png=True), folder)


def _drawn(study: Study | FitStudy, kind: str, units: Units | None) -> Iterator[Drawn]:
    check_kind(kind, study)
    return KINDS[kind](study, {**study.posterior.problem.settings.axis_units, **(units or {})})


def kinds_of(study: Study | FitStudy) -> tuple[str, ...]:
    """The kinds that there may be pictures of."""
    return OF_FITS if isinstance(study, FitStudy) else tuple(KINDS)


def check_kind(kind: str, study: Study | FitStudy | None = None) -> None:
    """Raise InputError for a kind that there is none of."""
    if kind not in KINDS:
        raise InputError(Mistake(f"unknown picture '{kind}'", nearest(kind, KINDS) or f"there are {', '.join(KINDS)}"))
    if study is not None and kind not in kinds_of(study):
        what = f"a picture '{kind}' is of draws, and a fit has none"
        raise InputError(Mistake(what, f"of a fit there are {', '.join(kinds_of(study))}"))


def worst_first(study: Study) -> list[int]:
    """The parameters in the order of their smaller ESS, where chains mix worst first."""
    ess = np.fmin(study.summary.ess_bulk, study.summary.ess_tail)
    return [int(i) for i in np.argsort(np.where(np.isnan(ess), -1.0, ess), kind="stable")]


def _fit(study: Study | FitStudy, units: Units) -> Iterator[Drawn]:
    points = "points of the normal approximation around the best one" if isinstance(study, FitStudy) else "draws"
    yield from _experiments(study.fits, units, "prediction", study.predictive, points)


def _prior(study: Study, units: Units) -> Iterator[Drawn]:
    yield from _experiments(study.prior_fits, units, "prior", study.prior_predictive, "draws")


def _experiments(
    fits: Sequence[SeriesFit], units: Units, of: str, rests_on: Predictive, points: str
) -> Iterator[Drawn]:
    failed = sum(rests_on.failures.values())
    drawn = f" {rests_on.at.size} {points}{f'; {failed} more could not be solved' if failed else ''}."
    for experiment, group in groupby(fits, lambda f: f.experiment):
        members = list(group)
        n, out = sum(len(f.observed) for f in members), sum(f.outside for f in members)
        named = ", ".join(printable(f.name) for f in members)
        text = (
            f"Experiment {printable(experiment)}: {named} with the median, the 50 % and the 90 % band of the {of} and of a new "
            f"measurement; {out} of {n} measurements lie outside of the 90 % band of the latter.{drawn}"
        )
        yield Drawn(plot_experiment(members, units=units, of=of, title=experiment), experiment, text)


def _trace(study: Study, units: Units) -> Iterator[Drawn]:
    order = worst_first(study)
    for number, at in enumerate(parts(order, IN_A_TRACE)):
        shown = [study.parameters[i] for i in at]
        r_hat = ", ".join(f"{printable(p.name)} {study.summary.r_hat[i]:.3f}" for i, p in zip(at, shown, strict=True))
        text = f"Draws in order and ranks by chain; R-hat: {r_hat}."
        yield Drawn(draws.plot_trace(shown, _some(study.u)[:, :, at]), numbered(number, order, IN_A_TRACE), text)


def _marginals(study: Study, units: Units) -> Iterator[Drawn]:
    every = list(range(len(study.parameters)))
    for number, at in enumerate(parts(every, IN_MARGINALS)):
        shown = [study.parameters[i] for i in at]
        text = f"Histograms of the draws with the density of the prior: {', '.join(printable(p.name) for p in shown)}."
        yield Drawn(draws.plot_marginals(shown, study.flat[:, at]), numbered(number, every, IN_MARGINALS), text)


def _pair(study: Study, units: Units) -> Iterator[Drawn]:
    if len(study.parameters) < 2:
        return
    at = most_correlated(study.flat)
    shown = [study.parameters[i] for i in at]
    R = rank_correlation(study.flat[:, at])
    said = [f"{printable(a.name)} and {printable(b.name)} {R[i, j]:.2f}" for i, a in enumerate(shown)
            for j, b in enumerate(shown) if i < j]  # fmt: skip
    diverging = study.stats["diverging"].astype(bool).ravel()
    text = f"Pairs of the most correlated parameters; rank correlations: {', '.join(said)}; {diverging.sum()} draws diverged."
    yield Drawn(draws.plot_pair(shown, study.flat[:, at], diverging), "", text)


def _forest(study: Study, units: Units) -> Iterator[Drawn]:
    every = list(range(len(study.parameters)))
    for number, at in enumerate(parts(every, IN_A_FOREST)):
        names = [study.names[i] for i in at]
        text = "Medians, 50 % and 90 % intervals by chain; the numbers are those of the table of estimates."
        yield Drawn(draws.plot_forest(names, _some(study.theta)[:, :, at]), numbered(number, every, IN_A_FOREST), text)


def _energy(study: Study, units: Units) -> Iterator[Drawn]:
    energy = study.stats.get("energy")
    if energy is not None and np.isfinite(energy).all() and energy.shape[1] >= 4 and np.ptp(energy) > 0:
        ax = checks.plot_energy(energy)
        yield Drawn(ax, "", f"Energies of the draws and their changes; {ax.get_title(loc='left')}.")


def _convergence(study: Study, units: Units) -> Iterator[Drawn]:
    if study.u.shape[1] < 40:
        return
    at = worst_first(study)[:SETTLING]
    names = [study.names[i] for i in at]
    ess = np.fmin(study.summary.ess_bulk, study.summary.ess_tail)[at]
    said = ", ".join(f"{printable(n)} {e:.0f}" for n, e in zip(names, ess, strict=True))
    text = f"Means and ESS as draws accumulate, of the parameters that mix worst; ESS at the end: {said}."
    yield Drawn(checks.plot_convergence(names, study.u[:, :, at]), "", text)


def _loo_pit(study: Study, units: Units) -> Iterator[Drawn]:
    pit = study.loo_pit
    if pit is not None:
        text = f"LOO-PIT of {len(pit)} measurements against uniform samples; mean {pit.mean():.2f} (uniform: 0.50)."
        yield Drawn(checks.plot_loo_pit(pit), "", text)


def _pareto_k(study: Study, units: Units) -> Iterator[Drawn]:
    loo = study.loo
    if loo is not None:
        names = [f"{m.series} at {m.time:g}" for m in study.posterior.measurements]
        high = int((loo.pareto_k > loo.good_k).sum())
        text = f"Pareto k̂ of {len(names)} measurements; {high} above {loo.good_k:.2f}."
        yield Drawn(checks.plot_pareto_k(loo.pareto_k, loo.good_k, names=names), "", text)


def _constraints(study: Study, units: Units) -> Iterator[Drawn]:
    held = study.constraints
    if held:
        said = ", ".join(f"{printable(h.text)} {100 * (h.holds or 0.0):.0f} %" for h in held)
        yield Drawn(checks.plot_constraints(held), "", f"Draws in which each constraint holds: {said}.")


def _waterfall(study: Study | FitStudy, units: Units) -> Iterator[Drawn]:
    found = study.fitted
    if found is None or not np.isfinite(found.reached).any():
        return
    restless = int((~found.converged).sum())
    near = int((found.reached >= found.reached.max() - NEAR).sum())
    said = (
        f"Where {len(found.reached)} starts of the search for the mode ended, the best first; {near} came within {NEAR:g} of "
        f"the best log posterior, {found.reached.max():.5g}, and {restless or 'none'} had not come to rest."
    )
    yield Drawn(checks.plot_waterfall(-found.reached, same=NEAR, converged=found.converged), "", said)


def _profile(study: Study | FitStudy, units: Units) -> Iterator[Drawn]:
    found = study.fitted
    curves = () if found is None else found.profiles
    by_name = {p.name: p for p in study.parameters}
    every = list(range(len(curves)))
    for number, at in enumerate(parts(every, IN_PROFILES)):
        shown = [curves[i] for i in at]
        axes = grid_of(len(shown), 3, 2.5, 2.1)
        for ax, curve in zip(axes, shown, strict=True):
            level = 0.95 if found is None else found.confidence
            checks.plot_profile(by_name[curve.name], curve.u, curve.rise, (curve.best, 0.0), ax, level)
        text = f"Profiles of the log posterior: {'; '.join(printable(c.sentence) for c in shown)}."
        yield Drawn(axes, numbered(number, every, IN_PROFILES), text)


Kind = Callable[[Any, Units], Iterator[Drawn]]

KINDS: Mapping[str, Kind] = {
    "fit": _fit,
    "prior": _prior,
    "trace": _trace,
    "marginals": _marginals,
    "pair": _pair,
    "forest": _forest,
    "energy": _energy,
    "convergence": _convergence,
    "loo-pit": _loo_pit,
    "pareto-k": _pareto_k,
    "constraints": _constraints,
    "waterfall": _waterfall,
    "profile": _profile,
}
OF_FITS = ("fit", "waterfall", "profile")  # what there is to show of a fit, which has no draws


def _some(x: np.ndarray) -> np.ndarray:
    """The chains that are shown."""
    return x[thinned(len(x), MOST_CHAINS)]
