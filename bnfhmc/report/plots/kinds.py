"""The pictures of a run by kind, each with the words that stand for it where it cannot be seen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bnfhmc.errors import InputError, Mistake, nearest
from bnfhmc.report.bands import SeriesFit
from bnfhmc.report.correlation import most_correlated, rank_correlation
from bnfhmc.report.plots import checks, draws
from bnfhmc.report.plots.fit import Units, plot_experiment
from bnfhmc.report.plots.style import figure_of, rendered, styled
from bnfhmc.report.predictive import Predictive, thinned
from bnfhmc.report.study import Study
from bnfhmc.report.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

IN_A_TRACE, IN_MARGINALS, IN_A_FOREST = 6, 24, 40  # parameters of one picture
MOST_CHAINS = 12  # that are told apart: an ensemble has a chain for each walker
SETTLING = 6  # parameters whose estimates are followed


class Drawn(NamedTuple):
    """Axes, the name of the picture, and what it shows in words."""

    axes: Axes | Sequence[Any]
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A finished picture: its kind and name, the words that stand for it, and its content as SVG and, where asked for, PNG."""

    kind: str
    name: str
    text: str
    svg: bytes
    png: bytes | None = None


def pictures(study: Study, kind: str, *, units: Units | None = None, png: bool = False) -> Iterator[Picture]:
    """Every picture of a kind; none where the run has nothing for it to show. Raises InputError for an unknown kind."""
    check_kind(kind)
    with styled():
        for axes, name, text in KINDS[kind](study, units or {}):
            figure = figure_of(_first(axes))
            yield Picture(kind, name, text, rendered(figure), rendered(figure, "png") if png else None)


def save_pictures(study: Study, kind: str, folder: Path, *, units: Units | None = None) -> list[Path]:
    """Write every picture of a kind into a folder as SVG and PNG, and return the paths."""
    out = []
    folder.mkdir(parents=True, exist_ok=True)
    for picture in pictures(study, kind, units=units, png=True):
        stem = "_".join(part for part in (kind, _file_name(picture.name)) if part)
        for suffix, content in (("svg", picture.svg), ("png", picture.png)):
            path = folder / f"{stem}.{suffix}"
            path.write_bytes(content or b"")
            out.append(path)
    return out


def check_kind(kind: str) -> None:
    """Raise InputError for a kind that there is none of."""
    if kind not in KINDS:
        raise InputError(Mistake(f"unknown picture '{kind}'", nearest(kind, KINDS) or f"there are {', '.join(KINDS)}"))


def worst_first(study: Study) -> list[int]:
    """The parameters in the order of their smaller ESS, where chains mix worst first."""
    ess = np.fmin(study.summary.ess_bulk, study.summary.ess_tail)
    return [int(i) for i in np.argsort(np.where(np.isnan(ess), -1.0, ess), kind="stable")]


def _fit(study: Study, units: Units) -> Iterator[Drawn]:
    yield from _experiments(study.fits, units, "prediction", study.predictive)


def _prior(study: Study, units: Units) -> Iterator[Drawn]:
    yield from _experiments(study.prior_fits, units, "prior", study.prior_predictive)


def _experiments(fits: Sequence[SeriesFit], units: Units, of: str, rests_on: Predictive) -> Iterator[Drawn]:
    failed = sum(rests_on.failures.values())
    drawn = f" {rests_on.at.size} draws{f'; {failed} more could not be solved' if failed else ''}."
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
    for number, at in enumerate(_parts(order, IN_A_TRACE)):
        shown = [study.parameters[i] for i in at]
        r_hat = ", ".join(f"{printable(p.name)} {study.summary.r_hat[i]:.3f}" for i, p in zip(at, shown, strict=True))
        text = f"Draws in order and ranks by chain; R-hat: {r_hat}."
        yield Drawn(draws.plot_trace(shown, _some(study.u)[:, :, at]), _numbered(number, order, IN_A_TRACE), text)


def _marginals(study: Study, units: Units) -> Iterator[Drawn]:
    every = list(range(len(study.parameters)))
    for number, at in enumerate(_parts(every, IN_MARGINALS)):
        shown = [study.parameters[i] for i in at]
        text = f"Histograms of the draws with the density of the prior: {', '.join(printable(p.name) for p in shown)}."
        yield Drawn(draws.plot_marginals(shown, study.flat[:, at]), _numbered(number, every, IN_MARGINALS), text)


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
    for number, at in enumerate(_parts(every, IN_A_FOREST)):
        names = [study.names[i] for i in at]
        text = "Medians, 50 % and 90 % intervals by chain; the numbers are those of the table of estimates."
        yield Drawn(draws.plot_forest(names, _some(study.theta)[:, :, at]), _numbered(number, every, IN_A_FOREST), text)


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


Kind = Callable[[Study, Units], Iterator[Drawn]]

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
}


def _some(x: np.ndarray) -> np.ndarray:
    """The chains that are shown."""
    return x[thinned(len(x), MOST_CHAINS)]


def _parts(at: list[int], size: int) -> list[list[int]]:
    return [at[i : i + size] for i in range(0, len(at), size)]


def _numbered(number: int, at: Sequence[int], size: int) -> str:
    """Nothing where there is one part, else its number."""
    return "" if len(at) <= size else str(number + 1)


def _first(axes: Any) -> Any:
    while isinstance(axes, list | tuple):
        axes = axes[0]
    return axes


def _file_name(name: str) -> str:
    """The name with everything but letters, digits, dots and dashes replaced, so that it stays in its folder."""
    return re.sub(r"[^\w.-]+", "_", name)[:80].strip("._")
