"""Pictures of an optimization; matplotlib is imported when one is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bnfhmc.optimizers.profiles import AT_END, FAILED, Profile, Profiles
from bnfhmc.optimizers.result import NEAR, FitResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FLOOR = 1e-3  # of what a logarithmic axis shows above the best value
HEIGHT = f"below the best log posterior, + {FLOOR:g}"
COLUMNS = 3  # of panels
MANY = 60  # starts, from which on their marks are small
STYLES = ("-", "--", "-.", ":")  # so that methods can be told apart without colours


def waterfall(fit: FitResult) -> Figure:
    """The starts in order of the value they reached, above the best; open where a start has not converged.

    Colours are basins, the best first. Starts without a value are counted in the axis' label.
    """
    figure, (axes,) = _figure(1)
    ranked = sorted((s for s in fit.starts if np.isfinite(s.value)), key=lambda s: s.value)
    above = np.array([s.value + fit.log_posterior for s in ranked]) + FLOOR
    rank = np.arange(1, len(ranked) + 1)
    size = 6.0 if len(ranked) <= MANY else 3.0
    axes.semilogy(rank, above, "-", color="0.8", zorder=1)
    for basin in sorted({s.basin for s in ranked if s.basin is not None}):
        there = np.array([s.converged and s.basin == basin for s in ranked])
        if there.any():
            label = None if basin > 3 else "converged" if len(fit.basins) == 1 else f"converged, basin {basin + 1}"
            axes.semilogy(rank[there], above[there], "o", ms=size, color=f"C{basin % 10}", label=label)
    left = np.array([not s.converged for s in ranked])
    if left.any():
        axes.semilogy(rank[left], above[left], "o", ms=size, mec="0.3", mfc="white", label="not converged")
    axes.axhline(NEAR + FLOOR, color="0.4", lw=0.8, ls="--", label=f"{NEAR:g} below the best")
    lost = len(fit.starts) - len(ranked)
    axes.set(xlabel="start, the best first" + (f" ({lost} without a value)" if lost else ""), ylabel=HEIGHT,
             ylim=(0.6 * FLOOR, max(2.0, 2.0 * float(above[-1]))),
             title=f"{fit.method}: {fit.near_best} of {len(fit.starts)} starts within {NEAR:g} of the best")  # fmt: skip
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(frameon=False)
    return figure


def convergence(fits: Mapping[str, FitResult]) -> Figure:
    """Fits side by side: the best value of each of their starts over its evaluations; the best start of each is bold."""
    figure, (axes,) = _figure(1)
    best = min(-f.log_posterior for f in fits.values())
    for k, (name, fit) in enumerate(fits.items()):
        bold = min(fit.starts, key=lambda s: s.value).index
        for start in fit.starts:
            if start.history:
                n, value = np.array(start.history).T
                n, value = np.append(n, start.evaluations), np.append(value, value[-1])
                is_best = start.index == bold
                axes.step(n, value - best + FLOOR, where="post", color=f"C{k % 10}", lw=2.0 if is_best else 0.6,
                          ls=STYLES[k % len(STYLES)], alpha=1.0 if is_best else 0.4, zorder=3 if is_best else 2,
                          label=f"{name}, the best of {len(fit.starts)}" if is_best else None)  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="evaluations of a start", ylabel=HEIGHT)
    axes.legend(frameon=False)
    return figure


def profile_plot(profiles: Profiles) -> Figure:
    """Every profile with its threshold and interval; a parameter over more than two decades on a logarithmic axis."""
    figure, panels = _figure(len(profiles.by_name))
    for k, (axes, p) in enumerate(zip(panels, profiles.by_name.values(), strict=False)):
        axes.plot(p.theta, p.rise, "-o", ms=3)
        axes.axhline(profiles.threshold, color="0.4", lw=0.8, ls="--", label=f"threshold of {100 * profiles.confidence:.4g} %")
        for end in (p.lower, p.upper):
            if end is not None:
                axes.axvline(end, color="C1", lw=1.2, ls=":", label="interval")
        axes.scatter(p.theta[p.mode], p.rise[p.mode], s=40, marker="D", color="C3", zorder=3, label="best fit")
        if np.min(p.theta) > 0 and np.max(p.theta) > 100.0 * np.min(p.theta):
            axes.set_xscale("log")
        axes.set(xlabel=p.name, title=_heading(p), ylabel="below the best log posterior" if k % COLUMNS == 0 else "",
                 ylim=(min(-0.05 * profiles.threshold, 1.1 * float(np.min(p.rise))), 1.5 * profiles.threshold))  # fmt: skip
    unique = {label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(unique.values(), unique.keys(), frameon=False, loc="outside lower center", ncols=3)
    return figure


def _heading(p: Profile) -> str:
    if p.flat:
        return "flat: not identifiable"
    if p.lower is not None and p.upper is not None:
        return f"{p.lower:.3g} to {p.upper:.3g}"
    if FAILED in p.ended:
        return "ends where fits fail"
    known = "" if p.upper is None else f"at most {p.upper:.3g}"
    known = known if p.lower is None else f"at least {p.lower:.3g}"
    return known or ("not identifiable" if p.ended == (AT_END, AT_END) else "")


def _figure(panels: int) -> tuple[Figure, list]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(panels, COLUMNS)
    rows = -(-panels // columns)
    figure = Figure(figsize=(4.5 * columns + 1.0, 3.5 * rows + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = [figure.add_subplot(rows, columns, k + 1) for k in range(panels)]
    return figure, axes
