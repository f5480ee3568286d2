"""What the draws say of each parameter, and how precisely they say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from bnfhmc.report.quiet_arviz import load_arviz
from bnfhmc.report.text import print_table, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

MIN_DRAWS = 4  # fewer in a chain, and no diagnostic exists


@dataclass(frozen=True, slots=True)
class Summary:
    """One entry per parameter, in declaration order; NaN where a number does not exist.

    mean, sd, q05, q95, mcse_mean: in θ, in the parameter's unit; [q05, q95] is the central 90 % interval.
    ess_bulk, ess_tail: effective numbers of draws over all chains.
    r_hat: rank-normalised split R-hat; it needs two chains.
    """

    names: tuple[str, ...]
    mean: Float[np.ndarray, " d"]
    sd: Float[np.ndarray, " d"]
    q05: Float[np.ndarray, " d"]
    q95: Float[np.ndarray, " d"]
    mcse_mean: Float[np.ndarray, " d"]
    ess_bulk: Float[np.ndarray, " d"]
    ess_tail: Float[np.ndarray, " d"]
    r_hat: Float[np.ndarray, " d"]


def summarize(names: tuple[str, ...], theta: Float[np.ndarray, "chain draw d"]) -> Summary:
    """Moments, quantiles and diagnostics of the draws.

    ESS and R-hat as in Vehtari, Gelman, Simpson, Carpenter, Bürkner (2021), Bayesian Analysis 16, 667-718, by arviz.
    """
    with np.errstate(all="ignore"):  # a prior on a log scale can reach θ = inf
        largest = np.abs(theta).max(axis=(0, 1))
        unit = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)  # θ² need not be a float
        x = theta / unit
        mean, sd = x.mean(axis=(0, 1)), x.std(axis=(0, 1), ddof=1)
        standard = (x - mean) / sd
        q05, q95 = np.quantile(theta, (0.05, 0.95), axis=(0, 1))
    mcse, bulk, tail, r_hat = np.array([_diagnostics(standard[:, :, i]) for i in range(len(names))]).T
    return Summary(names, mean * unit, sd * unit, q05, q95, mcse * sd * unit, bulk, tail, r_hat)


def _diagnostics(x: Float[np.ndarray, "chain draw"]) -> tuple[float, float, float, float]:
    """MCSE of the mean, bulk ESS, tail ESS and R-hat of one standardised quantity.

    Standardised, because arviz takes any spread below 1e-15 for none and then counts every draw as effective.
    """
    chains, draws = x.shape
    if draws < MIN_DRAWS or not np.all(np.isfinite(x)):
        return np.nan, np.nan, np.nan, np.nan
    az = load_arviz()
    r_hat = float(az.rhat(x)) if chains > 1 else np.nan
    return float(az.mcse(x)), float(az.ess(x, method="bulk")), float(az.ess(x, method="tail")), r_hat


def print_summary(console: Console, summary: Summary) -> None:
    """Print the summary as a table; names are text, never markup."""
    print_table(console, _table(summary))


def _table(summary: Summary) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    out = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    out.add_column("parameter", no_wrap=True)
    for heading in ("mean", "sd", "5 %", "95 %", "MCSE", "ESS bulk", "ESS tail", "R-hat"):
        out.add_column(heading, justify="right", no_wrap=True)
    s = summary
    rows = zip(s.names, s.mean, s.sd, s.q05, s.q95, s.mcse_mean, s.ess_bulk, s.ess_tail, s.r_hat, strict=True)
    for name, *numbers in rows:
        formats = (".4g", ".3g", ".4g", ".4g", ".2g", ".0f", ".0f", ".3f")
        cells = [format(x, f) if np.isfinite(x) else "–" for x, f in zip(numbers, formats, strict=True)]
        out.add_row(Text(printable(name)), *cells)
    return out
