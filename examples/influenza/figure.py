"""The influenza example as one figure: the outbreak with its predictive bands, and the posterior beside the published one.

    python examples/influenza/figure.py results/influenza -o influenza.png

Left, for days t = 0 … 14: count(t) ~ NegativeBinomial(mean I(t; θ), dispersion φ), θ and φ from the draws, with the
median and the central 50 % and 90 % of what a new measurement would give. Right: the marginal posteriors.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import arviz as az
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

import bnfhmc

HERE = Path(__file__).parent

# Grinsztajn, Semenova, Margossian, Riou (2021), recomputed: mean and sd.
PUBLISHED = {"beta": (1.736, 0.053), "gamma": (0.541, 0.045), "phi_inv": (0.139, 0.074), "R0": (3.23, 0.28)}
LABELS = {"beta": "β  (per day)", "gamma": "γ  (per day)", "phi_inv": "1/φ", "R0": "R₀ = β/γ"}

INK, GREY, BLUE, RED = "#222222", "#777777", "#2b6ca3", "#b8432f"
STYLE: Any = {
    "font.size": 9, "axes.labelcolor": INK, "axes.edgecolor": GREY, "axes.linewidth": 0.7, "axes.spines.top": False,
    "axes.spines.right": False, "xtick.color": INK, "ytick.color": INK, "xtick.major.width": 0.7, "ytick.major.width": 0.7,
    "legend.frameon": False, "figure.facecolor": "white", "axes.facecolor": "white",
}  # fmt: skip


def on_grid(problem: bnfhmc.Problem, times: np.ndarray) -> bnfhmc.Posterior:
    """The posterior whose `predicted` is the model at these times, the first one 0, instead of at those of the data."""
    (experiment,) = problem.experiments
    (series,) = experiment.series
    series = replace(series, time_index=np.arange(len(times)), observed=np.zeros(len(times)))
    return bnfhmc.Posterior(replace(problem, experiments=(replace(experiment, times=times, series=(series,)),)))


def new_counts(problem: bnfhmc.Problem, draws: np.ndarray, times: np.ndarray, per_draw: int = 40) -> np.ndarray:
    """New measurements [sample, time]: for each draw of θ, counts scattered around the model as the noise model says."""
    rng = np.random.default_rng(1978)
    (series,) = problem.experiments[0].series
    posterior, out = on_grid(problem, times), []
    for theta in draws:
        mean = posterior.predicted(posterior.u_from_theta(theta))
        noise = {"dispersion": 1.0 / theta[problem.names.index("phi_inv")]}
        out += [series.noise.draw(rng, mean, noise) for _ in range(per_draw)]
    return np.array(out)


def draw_outbreak(ax: Axes, problem: bnfhmc.Problem, draws: np.ndarray) -> None:
    """The data, and the median and bands of a new measurement."""
    times = np.linspace(0.0, 14.0, 57)
    low, quarter, middle, three_quarters, high = np.quantile(
        new_counts(problem, draws, times), (0.05, 0.25, 0.5, 0.75, 0.95), axis=0
    )
    ax.fill_between(times, low, high, color=BLUE, alpha=0.18, linewidth=0, label="new count, 90 %")
    ax.fill_between(times, quarter, three_quarters, color=BLUE, alpha=0.35, linewidth=0, label="new count, 50 %")
    ax.plot(times, middle, color=BLUE, linewidth=1.5, label="new count, median")
    experiment = problem.experiments[0]
    (series,) = experiment.series
    ax.plot(experiment.times[series.time_index], series.observed, "o", color=INK, markersize=4, label="counted")
    ax.set(xlim=(-0.3, 14.3), ylim=(0, 430), xlabel="time (days)", ylabel="boys in bed", xticks=range(0, 15, 2))
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles[::-1], labels[::-1], loc="upper right", handlelength=1.2, borderaxespad=0.0, fontsize=8)


def draw_marginal(ax: Axes, name: str, x: np.ndarray) -> None:
    """The draws of one quantity as a histogram, and above it their mean ± sd and the published one."""
    low, high = np.quantile(x, (0.0005, 0.995)).tolist()
    height, edges = np.histogram(x, bins=40, range=(low, high), density=True)
    ax.stairs(height, edges, fill=True, color=BLUE, alpha=0.45)
    top = height.max()
    marks = (("bnfhmc, mean ± sd", BLUE, 1.3 * top, x.mean(), x.std()), ("published", RED, 1.13 * top, *PUBLISHED[name]))
    for label, color, y, mean, sd in marks:
        ax.errorbar(mean, y, xerr=sd, fmt="o", color=color, markersize=3.5, capsize=2.5, linewidth=1.3, label=label)
    ax.set(xlabel=LABELS[name], yticks=[], ylim=(0, 1.4 * top))
    ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    ax.spines["left"].set_visible(False)
    if ax.get_xlim()[0] < 0.1 * x.mean():
        ax.set_xlim(left=0.0)


def figure(results: Path, conf: Path, out: Path, thin: int = 4) -> None:
    """Draw the figure of a result folder into a PNG file; the bands rest on every `thin`-th draw."""
    problem = bnfhmc.load(conf)
    posterior = az.extract(az.from_netcdf(results / "posterior.nc"))
    samples = {name: posterior[name].to_numpy() for name in problem.names}
    draws = np.column_stack([samples[name] for name in problem.names])
    samples["R0"] = samples["beta"] / samples["gamma"]
    with plt.rc_context(STYLE):
        fig = plt.figure(figsize=(8.0, 3.5), layout="constrained")
        grid = fig.add_gridspec(1, 2, width_ratios=(1.15, 1.0))
        left, right = fig.add_subfigure(grid[0, 0]), fig.add_subfigure(grid[0, 1])
        draw_outbreak(left.subplots(), problem, draws[::thin])
        axes = right.subplots(2, 2)
        for ax, (name, x) in zip(axes.flat, ((n, samples[n]) for n in LABELS), strict=True):
            draw_marginal(ax, name, x)
        right.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, handlelength=1.6)
        fig.savefig(out, dpi=160)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draw the influenza example from its result folder.")
    parser.add_argument("results", type=Path, help="folder that bnfhmc run wrote")
    parser.add_argument("-o", "--output", type=Path, default=Path("influenza.png"), help="the PNG file")
    parser.add_argument("--conf", type=Path, default=HERE / "influenza.conf", help="the configuration that was run")
    args = parser.parse_args()
    figure(args.results, args.conf, args.output)
