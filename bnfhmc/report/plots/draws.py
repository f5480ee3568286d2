"""Pictures of the draws themselves: traces and ranks, marginals against priors, pairs, the forest of the chains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from bnfhmc.prior import Parameter
from bnfhmc.report.correlation import rank_correlation
from bnfhmc.report.plots.style import (
    BLUE,
    GREY,
    INK,
    PALE,
    RED,
    axes_for,
    chain_color,
    figure_of,
    grid_of,
    label,
    named,
    new_figure,
    ticks_in_theta,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RANK_BINS = 20
SCATTERED = 1500  # points of a pair plot


def plot_trace(
    parameters: Sequence[Parameter], u: Float[np.ndarray, "chain draw d"], axes: Sequence[Sequence[Axes]] | None = None
) -> list[tuple[Axes, Axes]]:
    """A row a parameter: its draws in order, and the ranks of each chain's draws among all.

    Where the chains agree each has as many draws in one bin of ranks as in another; the grey band holds 98 % of what
    independent draws would have (Vehtari et al. 2021).
    """
    if axes is None:
        figure = new_figure(7.4, 1.45 * len(parameters) + 0.35)
        axes = figure.subplots(len(parameters), 2, squeeze=False, width_ratios=(1.9, 1)).tolist()
    out = []
    for i, (p, (left, right)) in enumerate(zip(parameters, axes, strict=True)):
        for chain, draws in enumerate(u[:, :, i]):
            left.plot(draws, color=chain_color(chain), linewidth=0.35, alpha=0.8, rasterized=True)
        left.set_xlim(0, u.shape[1])
        left.set_ylabel(named(label(p.name, 18), p.unit))
        ticks_in_theta(left, p.scale, "y", 3)
        _ranks(right, u[:, :, i])
        for ax in (left, right):
            ax.tick_params(labelbottom=i == len(parameters) - 1)
        out.append((left, right))
    out[0][0].set_title("draws", loc="left")
    out[0][1].set_title("ranks, by chain", loc="left")
    out[-1][0].set_xlabel("draw")
    out[-1][1].set_xlabel("rank among all draws")
    return out


def plot_marginals(
    parameters: Sequence[Parameter], u: Float[np.ndarray, "s d"], axes: Sequence[Axes] | None = None
) -> list[Axes]:
    """Each parameter's draws as a histogram on the scale of its prior, and the density of the prior over it."""
    alone = axes is None
    axes = grid_of(len(parameters), 4, 1.9, 1.65) if axes is None else axes
    for i, (ax, p) in enumerate(zip(axes, parameters, strict=True)):
        x = u[:, i]
        lo, hi = np.quantile(x, (0.001, 0.999))
        pad = 0.06 * (hi - lo) or max(abs(lo), 1.0) * 1e-6
        lo, hi = lo - pad, hi + pad
        height, edges = np.histogram(x, 40, (lo, hi), density=True)
        ax.stairs(height, edges, fill=True, color=BLUE, alpha=0.5, label="posterior")
        first, last = np.clip((lo, hi), *p.support).tolist()
        grid = np.linspace(first, last, 201)
        with np.errstate(all="ignore"):
            density = np.exp(p.prior.logpdf(grid))
        ax.plot(grid, density, color=INK, linewidth=1.1, label="prior")
        for end in p.support:
            if lo <= end <= hi:
                ax.axvline(end, color=RED, linewidth=0.9, linestyle=(0, (3, 2)), label="bound")
        ax.set_xlim(lo, hi)
        ax.set_ylim(0, 1.12 * height.max())
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
        ax.set_xlabel(named(p.name, _axis(p)))
        ticks_in_theta(ax, p.scale, "x", 3)
    if alone:
        shown = {text: h for ax in axes for h, text in zip(*ax.get_legend_handles_labels(), strict=True)}
        figure_of(axes).legend([*shown.values()], [*shown], loc="outside lower left", ncols=3, handlelength=1.4)
    return list(axes)


def _axis(p: Parameter) -> str:
    """The unit of a parameter and the scale that its axis is on."""
    return ", ".join(part for part in (p.unit, "" if p.scale.name == "lin" else f"{p.scale.name} scale") if part)


def plot_pair(
    parameters: Sequence[Parameter],
    u: Float[np.ndarray, "s d"],
    diverging: Bool[np.ndarray, " s"] | None = None,
    axes: Sequence[Sequence[Axes]] | None = None,
) -> list[list[Axes]]:
    """Every pair of parameters against each other on the scales of their priors, their rank correlation, and crosses where a
    trajectory diverged."""
    d = len(parameters)
    if axes is None:
        axes = new_figure(1.5 * d + 0.5, 1.5 * d + 0.2).subplots(d, d, squeeze=False).tolist()
    every = max(1, len(u) // SCATTERED)
    correlation = rank_correlation(u)
    for i in range(d):
        for j in range(d):
            ax = axes[i][j]
            if j > i:
                _say_correlation(ax, correlation[i, j])
                continue
            if i == j:
                ax.hist(u[:, i], bins=30, color=BLUE, alpha=0.5)
                ax.set_yticks([])
            else:
                ax.plot(u[::every, j], u[::every, i], ".", color=BLUE, markersize=1.6, alpha=0.45, rasterized=True)
                if diverging is not None and diverging.any():
                    ax.plot(u[diverging, j], u[diverging, i], "x", color=RED, markersize=4, zorder=3)
                ticks_in_theta(ax, parameters[i].scale, "y", 3)
            ticks_in_theta(ax, parameters[j].scale, "x", 3)
            ax.tick_params(labelbottom=i == d - 1, labelleft=j == 0 and i > 0)
            if i == d - 1:
                ax.set_xlabel(named(label(parameters[j].name, 16), parameters[j].unit))
            if j == 0:
                ax.set_ylabel(named(label(parameters[i].name, 16), parameters[i].unit))
    return [list(row) for row in axes]


def plot_forest(names: Sequence[str], theta: Float[np.ndarray, "chain draw d"], ax: Axes | None = None) -> Axes:
    """The median, 50 % and 90 % interval of each parameter by chain, in standard deviations from the mean of all draws; at
    the right the mean and the 90 % interval of all, in the parameter's own unit."""
    d, chains = len(names), len(theta)
    ax = axes_for(ax, 6.6, 0.5 + d * max(0.24, 0.075 * chains))
    flat = theta.reshape(-1, d)
    mean, sd = flat.mean(axis=0), flat.std(axis=0)
    scaled = (theta - mean) / np.where(sd > 0, sd, 1.0)
    low, quarter, middle, upper, high = np.quantile(scaled, (0.05, 0.25, 0.5, 0.75, 0.95), axis=1)
    for chain in range(chains):
        y = np.arange(d) + 0.7 * ((chain + 0.5) / chains - 0.5)
        color = chain_color(chain)
        ax.hlines(y, low[chain], high[chain], color=color, linewidth=0.9)
        ax.hlines(y, quarter[chain], upper[chain], color=color, linewidth=2.4)
        ax.plot(middle[chain], y, "o", color="white", markeredgecolor=color, markersize=3)
    ends = np.quantile(flat, (0.05, 0.95), axis=0)
    ax.set_yticks(range(d), [label(n, 22) for n in names])
    ax.set_ylim(d - 0.4, -0.6)
    for i in range(d):
        ax.text(1.01, i, f"{mean[i]:.4g}  [{ends[0, i]:.4g}, {ends[1, i]:.4g}]", fontsize=8, va="center",
                transform=ax.get_yaxis_transform())  # fmt: skip
    ax.axvline(0.0, color=PALE, linewidth=0.8, zorder=0)
    ax.set_xlabel("standard deviations from the mean, by chain")
    return ax


def _ranks(ax: Axes, x: Float[np.ndarray, "chain draw"]) -> None:
    chains, draws = x.shape
    ranks = np.argsort(np.argsort(x.ravel())).reshape(x.shape)
    edges = np.linspace(0, x.size, RANK_BINS + 1)
    expected = draws / RANK_BINS
    spread = 2.33 * np.sqrt(expected * (1 - 1 / RANK_BINS))
    ax.axhspan(expected - spread, expected + spread, color=PALE, alpha=0.6, linewidth=0)
    top = expected + spread
    for chain in range(chains):
        counts, _ = np.histogram(ranks[chain], edges)
        top = max(top, counts.max())
        ax.stairs(counts, edges, baseline=None, color=chain_color(chain), linewidth=1.0)
    ax.set_xlim(0, x.size)
    ax.set_ylim(0, 1.1 * top)
    ax.set_xticks([0, x.size])
    ax.set_yticks([])


def _say_correlation(ax: Axes, value: float) -> None:
    ax.set_axis_off()
    strong = abs(value) > 0.7
    ax.text(0.5, 0.5, f"{value:.2f}", ha="center", va="center", transform=ax.transAxes, color=INK if strong else GREY,
            fontsize=9 + 4 * abs(value), fontweight="bold" if strong else "normal")  # fmt: skip
