"""Pictures of an optimization; matplotlib is imported when one is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bnfhmc.optimizers.profiles import Profiles
from bnfhmc.optimizers.result import NEAR, FitResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FLOOR = 1e-3  # of what a logarithmic axis shows above the best value


def waterfall(fit: FitResult) -> Figure:
    """The starts in order of the value they reached, above the best; open where a start has not converged."""
    figure, (axes,) = _figure(1)
    ranked = sorted((s for s in fit.starts if np.isfinite(s.value)), key=lambda s: s.value)
    above = np.array([s.value + fit.log_posterior for s in ranked]) + FLOOR
    rank = np.arange(1, len(ranked) + 1)
    done = np.array([s.converged for s in ranked])
    axes.semilogy(rank, above, "-", color="0.8", zorder=1)
    axes.semilogy(rank[done], above[done], "o", label="converged")
    axes.semilogy(rank[~done], above[~done], "o", mfc="white", label="not converged")
    axes.axhline(NEAR + FLOOR, color="0.6", lw=0.8, ls="--")
    axes.set(xlabel="start, the best first", ylabel=f"below the best log posterior, + {FLOOR:g}",
             title=f"{fit.method}: {fit.near_best} of {len(fit.starts)} starts within {NEAR:g} of the best")  # fmt: skip
    axes.legend(frameon=False)
    return figure


def convergence(fits: Mapping[str, FitResult]) -> Figure:
    """Fits side by side: the best value of each of their starts over its evaluations; the best start of each is bold."""
    figure, (axes,) = _figure(1)
    best = min(-f.log_posterior for f in fits.values())
    for k, (name, fit) in enumerate(fits.items()):
        for start in fit.starts:
            if start.history:
                n, value = np.array(start.history).T
                n, value = np.append(n, start.evaluations), np.append(value, value[-1])
                is_best = start.value == -fit.log_posterior
                axes.step(n, value - best + FLOOR, where="post", color=f"C{k % 10}", lw=2.0 if is_best else 0.6,
                          alpha=1.0 if is_best else 0.4, label=name if is_best else None)  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="evaluations", ylabel=f"below the best log posterior, + {FLOOR:g}")
    handles, labels = axes.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    axes.legend(unique.values(), unique.keys(), frameon=False)
    return figure


def profile_plot(profiles: Profiles) -> Figure:
    """Every profile with its threshold and interval; a parameter over more than two decades on a logarithmic axis."""
    figure, panels = _figure(len(profiles.by_name))
    for axes, p in zip(panels, profiles.by_name.values(), strict=False):
        axes.plot(p.theta, p.rise, "-o", ms=3)
        axes.axhline(profiles.threshold, color="0.6", lw=0.8, ls="--")
        for end in (p.lower, p.upper):
            if end is not None:
                axes.axvline(end, color="C1", lw=0.8)
        if np.min(p.theta) > 0 and np.max(p.theta) > 100.0 * np.min(p.theta):
            axes.set_xscale("log")
        axes.set(xlabel=p.name, ylabel="below the best log posterior", title="not identifiable" if p.flat else "",
                 ylim=(min(0.0, float(np.min(p.rise))), 1.5 * profiles.threshold))  # fmt: skip
    return figure


def _figure(panels: int) -> tuple[Figure, list]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(panels, 3)
    rows = -(-panels // columns)
    figure = Figure(figsize=(4.5 * columns + 1.0, 3.5 * rows + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = [figure.add_subplot(rows, columns, k + 1) for k in range(panels)]
    return figure, axes
