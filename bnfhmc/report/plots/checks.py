"""Pictures of how far draws and model can be trusted: energy, estimates as draws accumulate, LOO-PIT, constraints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int

from bnfhmc.report.constraints import Held
from bnfhmc.report.plots.style import (
    AMBER,
    BLUE,
    GREY,
    INK,
    PALE,
    RED,
    axes_for,
    chain_color,
    grid_of,
    label,
    named,
    new_figure,
    ticks_in_theta,
)
from bnfhmc.report.quiet_arviz import load_arviz
from bnfhmc.report.uniformity import excess, uniform_band
from bnfhmc.report.verdict import MIN_ESS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bnfhmc.prior import Parameter



def plot_energy(energy: Float[np.ndarray, "chain draw"], ax: Axes | None = None) -> Axes:
    """The energies of the draws, and the changes from one draw to the next, both about their means; E-BFMI by chain.

    Where the changes are much narrower than the energies, a trajectory cannot reach the tails from where it starts
    (Betancourt 2016).
    """
    ax = axes_for(ax, 4.4, 2.6)
    level, change = (energy - energy.mean()).ravel(), np.diff(energy, axis=1).ravel()
    if not change.size:
        return ax
    ends = np.quantile(np.concatenate([level, change]), (0.002, 0.998))
    for x, color, text in ((level, BLUE, "energy"), (change, AMBER, "change of energy")):
        height, edges = np.histogram(x, 50, tuple(ends), density=True)
        ax.stairs(height, edges, fill=True, color=color, alpha=0.45, label=text)
    bfmi = np.atleast_1d(load_arviz().bfmi(energy))
    said = ", ".join(f"{b:.2f}" for b in bfmi) if len(bfmi) <= 6 else f"{bfmi.min():.2f} to {bfmi.max():.2f}"
    ax.set_title(f"E-BFMI by chain: {said}", loc="left", fontweight="normal")
    ax.set_xlabel("energy − mean")
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.legend(loc="upper right")
    return ax


def plot_convergence(
    names: Sequence[str], u: Float[np.ndarray, "chain draw d"], axes: Sequence[Axes] | None = None, points: int = 16
) -> list[Axes]:
    """How estimates settle as draws accumulate: the mean of each parameter in standard deviations from the last one, and the
    smaller of bulk and tail ESS, which grows along a line where a chain mixes."""
    left, right = axes if axes is not None else new_figure(7.4, 2.9).subplots(1, 2)
    az, draws = load_arviz(), u.shape[1]
    ends = np.unique(np.linspace(draws / points, draws, points).astype(int))
    ends = ends[ends >= 4]
    final, sd = u.mean(axis=(0, 1)), u.std(axis=(0, 1))
    for i, name in enumerate(names):
        x, color = u[:, :, i], chain_color(i)
        means = [(x[:, :n].mean() - final[i]) / (sd[i] or 1.0) for n in ends]
        ess = [min(float(az.ess(x[:, :n], method=m)) for m in ("bulk", "tail")) for n in ends]
        left.plot(ends, means, color=color, linewidth=1.2, label=label(name, 18))
        right.plot(ends, ess, color=color, linewidth=1.2)
    left.axhspan(-0.05, 0.05, color=PALE, alpha=0.6, linewidth=0)
    left.set_ylabel("mean − last mean (sd)")
    right.axhline(MIN_ESS, color=GREY, linewidth=0.8, linestyle=(0, (3, 2)))
    right.set_ylim(bottom=0)
    right.set_ylabel("ESS, bulk or tail")
    for ax in (left, right):
        ax.set_xlabel("draws of each chain")
    left.legend(loc="best", ncols=2, handlelength=1.2)
    return [left, right]


def plot_loo_pit(pit: Float[np.ndarray, " n"], ax: Axes | None = None) -> Axes:
    """Of each measurement the share of new ones below it, predicted from all others; their distribution less the uniform one.

    Inside of the band lie 95 % of uniform samples of this size, as whole curves. A slope up and then down says that
    predictions are too wide, the reverse too narrow, and one side of the line that they are biased (Säilynoja, Bürkner,
    Vehtari 2022).
    """
    ax = axes_for(ax, 4.4, 2.6)
    grid, low, high = uniform_band(len(pit))
    ax.fill_between(grid, low, high, color=PALE, alpha=0.8, linewidth=0, label="95 % of uniform samples")
    ax.axhline(0.0, color=GREY, linewidth=0.7)
    ax.step(grid, excess(pit, grid), where="post", color=BLUE, linewidth=1.4, label="measurements")
    reach = max(high.max(), -low.min())
    ax.set_ylim(-1.15 * reach, 1.6 * reach)
    ax.set_xlim(0, 1)
    ax.set_xlabel("LOO-PIT: share of new measurements below")
    ax.set_ylabel("ECDF − uniform")
    ax.legend(loc="upper right")
    return ax


def plot_pareto_k(k: Float[np.ndarray, " n"], limit: float, ax: Axes | None = None, names: Sequence[str] = ()) -> Axes:
    """The Pareto k̂ of each measurement; above the limit the posterior rests on that one measurement so much that leaving it
    out cannot be computed from these draws."""
    ax = axes_for(ax, 4.4, 2.6)
    high = k > limit
    ax.axhline(limit, color=RED, linewidth=0.9, linestyle=(0, (3, 2)))
    ax.plot(np.flatnonzero(~high), k[~high], "o", color=BLUE, markersize=3)
    ax.plot(np.flatnonzero(high), k[high], "D", color=RED, markersize=4)
    for i in np.flatnonzero(high)[:8] if names else ():
        ax.annotate(label(names[i], 24), (i, k[i]), textcoords="offset points", xytext=(4, 3), fontsize=7)
    ax.set_xlabel("measurement")
    ax.set_ylabel("Pareto k̂")
    return ax


def plot_constraints(held: Sequence[Held], ax: Axes | None = None) -> Axes:
    """In how many of the draws each constraint holds."""
    ax = axes_for(ax, 5.2, 0.6 + 0.22 * len(held))
    share = [100 * (h.holds or 0.0) for h in held]
    ax.barh(range(len(held)), share, color=BLUE, alpha=0.6, height=0.7)
    for i, h in enumerate(held):
        if h.holds is None:
            ax.text(1.0, i, "not solved", va="center", fontsize=8, color=RED)
    ax.set_yticks(range(len(held)), [label(h.text, 44) for h in held])
    ax.set_ylim(len(held) - 0.4, -0.6)
    ax.set_xlim(0, 100)
    ax.set_xlabel("draws in which it holds (%)")
    return ax


def plot_waterfall(
    losses: Float[np.ndarray, " start"],
    ax: Axes | None = None,
    same: float = 0.1,
    converged: Bool[np.ndarray, " start"] | None = None,
) -> Axes:
    """The objective, −log posterior, that each start of an optimizer ended at, less the best one; those within `same` of it
    are filled, and those that had not come to rest are crosses.

    A flat step at the left says that many starts found the same optimum.
    """
    from matplotlib.ticker import MaxNLocator

    ax = axes_for(ax, 4.4, 2.8)
    found = np.isfinite(losses)
    by_value = np.argsort(losses[found], kind="stable")
    ordered = losses[found][by_value]
    if not ordered.size:
        return ax
    at_rest = np.ones(len(ordered), dtype=bool) if converged is None else converged[found][by_value]
    excess = ordered - ordered[0]
    best = excess <= same
    order = np.arange(1, len(excess) + 1)
    ax.plot(order, excess, color=GREY, linewidth=0.7, zorder=1)
    best_ones, others = best & at_rest, ~best & at_rest
    ax.plot(order[best_ones], excess[best_ones], "o", color=BLUE, markersize=4,
            label=f"within {same:g} of the best ({best_ones.sum()})")  # fmt: skip
    if others.any():
        ax.plot(order[others], excess[others], "o", color="white", markeredgecolor=GREY, markersize=4,
                label=f"elsewhere ({others.sum()})")  # fmt: skip
    if not at_rest.all():
        ax.plot(order[~at_rest], excess[~at_rest], "x", color=RED, markersize=4, label=f"not at rest ({(~at_rest).sum()})")
    ax.set_yscale("symlog", linthresh=max(same, 1e-9))
    ax.set_ylim(-0.5 * same, max(3 * excess[-1], 10 * same))
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.set_xlabel("start, best first")
    ax.set_ylabel("below the best log posterior")
    ax.legend(loc="upper left")
    return ax


def plot_profile(
    parameter: Parameter,
    u: Float[np.ndarray, " point"],
    objective: Float[np.ndarray, " point"],
    best: tuple[float, float],
    ax: Axes | None = None,
    level: float = 0.95,
) -> Axes:
    """The least objective, −log posterior, at each fixed value of one parameter, less the best one; where it stays below the
    dashed line lies the confidence interval of `level`, ½χ²₁ (Raue et al. 2009). ``best``: u and objective of the optimum."""
    from scipy.special import ndtri

    ax = axes_for(ax, 3.0, 2.4)
    order = np.argsort(u)
    limit = 0.5 * float(ndtri(0.5 + level / 2)) ** 2
    ax.plot(u[order], objective[order] - best[1], color=BLUE, linewidth=1.3, marker="o", markersize=2.5)
    ax.plot(best[0], 0.0, "*", color=INK, markersize=8)
    ax.axhline(limit, color=RED, linewidth=0.9, linestyle=(0, (3, 2)), label=f"{100 * level:g} %")
    ax.set_ylim(-0.05 * limit, 2.5 * limit)
    ax.set_xlabel(named(parameter.name, parameter.unit))
    ax.set_ylabel("Δ log posterior")
    ticks_in_theta(ax, parameter.scale, "x", 4)
    return ax


def plot_ranks(
    names: Sequence[str], ranks: Int[np.ndarray, "replicate d"], ranked: int, axes: Sequence[Axes] | None = None
) -> list[Axes]:
    """The ranks of true values among so many draws of their posteriors, by parameter: ECDF less the uniform one, with the band
    of 95 % of uniform samples; the ranks of a right program stay within."""
    axes = grid_of(len(names), 3, 2.6, 1.9) if axes is None else axes
    jitter = np.random.default_rng(0).random(ranks.shape)
    grid, low, high = uniform_band(len(ranks))
    for j, (ax, name) in enumerate(zip(axes, names, strict=True)):
        ax.fill_between(grid, low, high, color=PALE, alpha=0.8, linewidth=0)
        ax.axhline(0.0, color=GREY, linewidth=0.7)
        ax.step(grid, excess((ranks[:, j] + jitter[:, j]) / (ranked + 1), grid), where="post", color=BLUE, linewidth=1.3)
        ax.set_xlim(0, 1)
        ax.set_title(label(name), loc="left")
        ax.set_xlabel("rank / draws")
    return list(axes)
