"""The fit over the data: measurements, the bands of the prediction and of a new measurement, and what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bnfhmc.report.bands import SeriesFit
from bnfhmc.report.plots.style import AMBER, BLUE, GREY, INK, label, named, new_figure, ticks_of_logarithm

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Units = Mapping[str, str]  # "time", a scanned quantity or a series → its unit

COLUMNS, PANEL = 3, (3.4, 3.3)  # panels in a row, and inches of one
BEYOND = 10.0  # how far a logarithmic axis follows a curve beyond measurements and new ones
DWARFS = 50.0  # times the largest measurement: bands that reach further make the axis logarithmic
DECADES = 300.0  # an axis that spans more than this is logarithmic, if its values crowd at its start


def plot_fit(
    fit: SeriesFit, axes: Sequence[Axes] | None = None, *, units: Units | None = None, of: str = "prediction"
) -> tuple[Axes, Axes]:
    """One series: above the data with the bands, below the residuals y − median, with the same bands.

    Dark bands hold 50 % and 90 % of the model's value, light ones 50 % and 90 % of a new measurement. On a logarithmic noise
    scale the residual is log₁₀(y/median). ``units``: of the axis' quantity and of the series, by name. ``of``: whose
    predictions they are, for the legend.
    """
    top, bottom = axes if axes is not None else new_figure(*PANEL).subplots(2, 1, height_ratios=(3, 1), sharex=True)
    units = units or {}
    steady = not np.isfinite(fit.rows).all()
    x, rows = (np.zeros(len(v)) if steady else v for v in (fit.x, fit.rows))
    _bands(top, x, rows, fit, of)
    _measurements(top, x, fit)
    _residuals(bottom, x, fit)
    top.set_title(label(fit.name), loc="left")
    top.set_ylabel(named(fit.name, units.get(fit.name)))
    bottom.set_ylabel("log₁₀ ratio" if fit.logarithmic else named("residual", units.get(fit.name)))
    bottom.set_xlabel("" if steady else named(fit.axis, units.get(fit.axis)))
    if fit.logarithmic or _dwarfed(fit):
        _make_logarithmic(top, fit)
    if steady:
        bottom.set_xlim(-1, 1)
        bottom.set_xticks([0.0], ["steady state"])
    elif _spans_decades(rows):
        for ax in (top, bottom):
            ax.set_xscale("log")
    top.tick_params(labelbottom=False)
    top.figure.align_ylabels([top, bottom])
    return top, bottom


def plot_experiment(
    fits: Sequence[SeriesFit], *, units: Units | None = None, of: str = "prediction", title: str = ""
) -> list[tuple[Axes, Axes]]:
    """All series of one experiment in one figure, with one legend."""
    columns = min(COLUMNS, len(fits))
    rows = -(-len(fits) // columns)
    figure = new_figure(max(columns * PANEL[0], 4.6), rows * PANEL[1] + 0.4)
    cells = figure.subfigures(rows, columns, squeeze=False).flat
    axes = []
    for cell, fit in zip(cells, fits, strict=False):
        top, bottom = cell.subplots(2, 1, height_ratios=(3, 1), sharex=True)
        axes.append(plot_fit(fit, (top, bottom), units=units, of=of))
    if title:
        figure.suptitle(label(title, 70), fontweight="bold", fontsize=10)
    shown = {text: handle for top, _ in axes for handle, text in zip(*top.get_legend_handles_labels(), strict=True)}
    figure.legend([*shown.values()], [*shown], loc="outside lower center", ncols=min(3, columns + 1), handlelength=1.6)
    return axes


def _bands(ax: Axes, x: np.ndarray, rows: np.ndarray, fit: SeriesFit, of: str) -> None:
    places, new = _pooled(x, fit.new)
    single = len(np.unique(rows)) == 1
    _band(ax, places, new[0], new[4], AMBER, 0.16, "new measurement, 90 %", single, 0.5)
    _band(ax, places, new[1], new[3], AMBER, 0.24, "new measurement, 50 %", single, 0.5)
    _band(ax, rows, fit.curve[0], fit.curve[4], BLUE, 0.30, f"{of}, 90 %", single, 0.3)
    _band(ax, rows, fit.curve[1], fit.curve[3], BLUE, 0.45, f"{of}, 50 %", single, 0.3)
    if single:
        ax.plot([-0.3, 0.3] + rows[0], np.repeat(fit.curve[2, 0], 2), color=BLUE, linewidth=1.4, label=f"{of}, median")
    else:
        ax.plot(rows, fit.curve[2], color=BLUE, linewidth=1.4, label=f"{of}, median")


def _band(
    ax: Axes, x: np.ndarray, low: np.ndarray, high: np.ndarray, color: str, alpha: float, text: str, single: bool, half: float
) -> None:
    """A band along x, or a box where there is one x only."""
    if single:
        x, low, high = x[0] + np.array([-half, half]), np.repeat(low[:1], 2), np.repeat(high[:1], 2)
    ax.fill_between(x, low, high, color=color, alpha=alpha, linewidth=0, label=text)


def _measurements(ax: Axes, x: np.ndarray, fit: SeriesFit) -> None:
    if fit.bars is not None:
        ax.vlines(x, fit.bars[0], fit.bars[1], color=INK, linewidth=0.8, label="measured ± σ")
    ax.plot(x, fit.observed, "o", color=INK, markersize=3.2, label="measured" if fit.bars is None else None)


def _residuals(ax: Axes, x: np.ndarray, fit: SeriesFit) -> None:
    with np.errstate(all="ignore"):
        if fit.logarithmic:
            left, new = np.log10(fit.observed / fit.predicted), np.log10(fit.new / fit.predicted)
        else:
            left, new = fit.observed - fit.predicted, fit.new - fit.predicted
    places, new = _pooled(x, new)
    single = len(places) == 1
    _band(ax, places, new[0], new[4], AMBER, 0.16, "", single, 0.5)
    _band(ax, places, new[1], new[3], AMBER, 0.24, "", single, 0.5)
    ax.axhline(0.0, color=GREY, linewidth=0.7)
    ax.plot(x, left, "o", color=INK, markersize=2.6)


def _pooled(x: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles at each distinct x, in order; those of replicates are averaged."""
    places, at = np.unique(x, return_inverse=True)
    counts = np.bincount(at)
    return places, np.array([np.bincount(at, row) / counts for row in values])


def _make_logarithmic(ax: Axes, fit: SeriesFit) -> None:
    """A logarithmic axis that reaches a decade beyond the measurements and where new ones would be, not to where a curve
    vanishes; with a linear part around zero where there are measurements of zero."""
    positive = fit.observed[fit.observed > 0]
    if (fit.observed <= 0).any() and positive.size:
        ax.set_yscale("symlog", linthresh=float(positive.min()))
        return
    ax.set_yscale("log")
    anchors = np.concatenate([fit.observed, fit.new.ravel(), [] if fit.bars is None else fit.bars.ravel()])
    anchors = anchors[np.isfinite(anchors) & (anchors > 0)]
    if not anchors.size:
        return
    low, high = float(anchors.min()), float(anchors.max())
    curve = fit.curve[np.isfinite(fit.curve) & (fit.curve > 0)]
    low = max(low / BEYOND, min(low, float(curve.min(initial=low))))
    high = min(high * BEYOND, max(high, float(curve.max(initial=high))))
    pad = (high / low) ** 0.05 * 1.02
    ax.set_ylim(low / pad, high * pad)
    ticks_of_logarithm(ax)


def _dwarfed(fit: SeriesFit) -> bool:
    """Whether the bands reach so far above all measurements that these would lie on the axis."""
    top = float(np.nanmax([np.nanmax(fit.curve[4]), np.nanmax(fit.new[4])]))
    return bool((fit.observed >= 0).all() and fit.observed.max() > 0 and top > DWARFS * fit.observed.max())


def _spans_decades(rows: np.ndarray) -> bool:
    """Whether the rows are told apart on a logarithmic axis only."""
    return bool(len(rows) > 2 and rows.min() > 0 and rows.max() / rows.min() > DECADES)
