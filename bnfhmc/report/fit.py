"""A fit as files and as text: map.json, the table of starts, the history, the plots, and what is printed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bnfhmc.optimizers.backends import BACKENDS
from bnfhmc.optimizers.result import FitResult, plain
from bnfhmc.optimizers.search import SPENT
from bnfhmc.report.text import print_table, printable

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure
    from rich.console import Console

    from bnfhmc.optimizers.profiles import Profiles
    from bnfhmc.report.folder import ResultFolder

MAP, STARTS, HISTORY = "map.json", "starts.tsv", "history.tsv"
WATERFALL, CONVERGENCE = "waterfall.png", "convergence.png"
PROFILES, PROFILE_TABLE, PROFILE_PLOT = "profiles.json", "profiles.tsv", "profiles.png"
FIT_FILES = (MAP, STARTS, HISTORY, WATERFALL, CONVERGENCE)
PROFILE_FILES = (PROFILES, PROFILE_TABLE, PROFILE_PLOT)


def write_fit(folder: ResultFolder, fit: FitResult) -> None:
    """Write the files of a fit. Raises WriteError."""
    from bnfhmc.optimizers.plots import convergence, waterfall

    folder.write_text(MAP, fit.to_json() + "\n")
    folder.write_text(STARTS, starts_table(fit))
    folder.write_text(HISTORY, history_table(fit))
    _draw(folder, WATERFALL, waterfall(fit))
    _draw(folder, CONVERGENCE, convergence({fit.method: fit}))


def write_profiles(folder: ResultFolder, profiles: Profiles) -> None:
    """Write the files of profiles. Raises WriteError."""
    from bnfhmc.optimizers.plots import profile_plot

    folder.write_text(PROFILES, json.dumps(plain(profiles), indent=1) + "\n")
    rows = ["parameter\ttheta\trise"]
    for name, p in profiles.by_name.items():
        rows += [f"{printable(name)}\t{t!r}\t{r!r}" for t, r in zip(p.theta.tolist(), p.rise.tolist(), strict=True)]
    folder.write_text(PROFILE_TABLE, "\n".join(rows) + "\n")
    _draw(folder, PROFILE_PLOT, profile_plot(profiles))


def starts_table(fit: FitResult) -> str:
    """One row a start, the best first, separated by tabs: what became of it, and θ."""
    head = ["start", "log_posterior", "first_log_posterior", "evaluations", "gradients", "failed", "converged", "basin",
            "ended", "at_bound", *map(printable, fit.names)]  # fmt: skip
    rows = ["\t".join(head)]
    theta = fit.theta_of_starts
    for k in sorted(range(len(fit.starts)), key=lambda k: fit.starts[k].value):
        s = fit.starts[k]
        cells = [s.index + 1, repr(-s.value), repr(-s.value0), s.evaluations, s.gradients, sum(s.failures.values()),
                 int(s.converged), "" if s.basin is None else s.basin + 1, s.reason, ",".join(map(printable, s.at_bound)),
                 *map(repr, theta[k].tolist())]  # fmt: skip
        rows.append("\t".join(map(str, cells)))
    return "\n".join(rows) + "\n"


def history_table(fit: FitResult) -> str:
    """The improvements of every start: its number, evaluations so far, and the log posterior then."""
    rows = ["start\tevaluations\tlog_posterior"]
    rows += [f"{s.index + 1}\t{n}\t{-value!r}" for s in fit.starts for n, value in s.history]
    return "\n".join(rows) + "\n"


def interrupted_json(names: tuple[str, ...], theta: Mapping[str, float], u: np.ndarray, value: float) -> str:
    """map.json of a fit that has not ended: the best point so far."""
    record = {"status": "unfinished", "names": names, "theta": theta, "u": u, "log_posterior": -value}
    return json.dumps(plain(record), indent=1) + "\n"


def verdict(fit: FitResult) -> str:
    """Whether the best point can be taken for the mode, in a sentence."""
    n = len(fit.starts)
    if not fit.converged:
        said = f"Not converged: the best start ended with '{fit.termination}'."
        if fit.termination != SPENT:
            return said
        if BACKENDS[fit.method].spends_all:
            return (f"{said} {fit.method} knows no other end: see whether another random_seed leads to the same, or type "
                    f"fit_type = {fit.method}, nelder_mead.")  # fmt: skip
        return f"{said} Type a larger max_evaluations."
    if n > 1 and fit.near_best == 1:
        return ("Converged, with a remark: one start alone reached the best value, so a better one may have been missed. "
                f"Type num_starts = {5 * n}.")  # fmt: skip
    return "Converged."


def record(fit: FitResult, profiles: Profiles | None) -> dict[str, Any]:
    """What run.json says of a fit."""
    said = {
        "method": fit.method, "why": fit.why, "log_posterior": fit.log_posterior, "loss": fit.loss,
        "theta": dict(fit.theta), "near_best": fit.near_best, "evaluations": fit.evaluations, "gradients": fit.gradients,
        "failed_solves": dict(fit.failures), "wall_seconds": fit.wall_seconds, "solve_seconds": fit.solve_seconds,
        "sentences": list(fit.sentences),
    }  # fmt: skip
    if profiles is not None:
        said["profiles"] = {n: p.sentence for n, p in profiles.by_name.items()}
    return dict(plain(said))


def print_fit(console: Console, fit: FitResult) -> None:
    """The best θ, the table of starts, and what is to be said of them."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("parameter", "theta", "standard error", ""):
        table.add_column(column, justify="left" if column in ("parameter", "") else "right", no_wrap=True)
    for name, value in fit.theta.items():
        error = (fit.standard_errors or {}).get(name, float("nan"))
        said = "at a bound" if name in fit.at_bound else ""
        table.add_row(printable(name), f"{value:.6g}", f"{error:.3g}" if np.isfinite(error) else "", said)
    print_table(console, table)
    console.print()
    console.print(fit.table, markup=False, highlight=False, soft_wrap=True)
    console.print()
    for sentence in fit.sentences:
        console.print(printable(sentence), markup=False, highlight=False, soft_wrap=True)


def print_profiles(console: Console, profiles: Profiles) -> None:
    """What each profile says."""
    console.print(f"Intervals of {profiles.confidence:.0%} confidence:", markup=False, highlight=False)
    for p in profiles.by_name.values():
        console.print(f"  {printable(p.sentence)}", markup=False, highlight=False, soft_wrap=True)


def _draw(folder: ResultFolder, name: str, figure: Figure) -> None:
    def save(path: Path) -> None:
        figure.savefig(path, format="png", dpi=200)

    folder.write(name, save)
