"""Runs compared by what they predict of each measurement from all others (PSIS-LOO)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bnfhmc.errors import InputError, Mistake
from bnfhmc.report.opened import Run
from bnfhmc.report.quiet_arviz import load_arviz
from bnfhmc.report.run_json import plain
from bnfhmc.report.text import print_table, printable

if TYPE_CHECKING:
    from rich.console import Console

CLEAR = 4.0  # differences of elpd below this are noise, whatever their standard error (Sivula, Magnusson, Vehtari 2020)


@dataclass(frozen=True, slots=True)
class Compared:
    """One run among several, the best first.

    ``elpd``, ``se``: expected log density of new measurements and its standard error; ``p_loo``: effective number of
    parameters; ``difference``, ``difference_se``: to the best run; ``weight``: in a mixture of all (stacking); ``high_k``:
    measurements whose k̂ is too high for these numbers.
    """

    name: str
    elpd: float
    se: float
    p_loo: float
    difference: float
    difference_se: float
    weight: float
    high_k: int


def compare(runs: Sequence[Run]) -> tuple[Compared, ...]:
    """The runs in the order of their elpd (Vehtari, Gelman, Gabry 2017; weights by Yao et al. 2018).

    Raises InputError for fewer than two, and where they are not of the same measurements.
    """
    if len(runs) < 2:
        raise InputError(Mistake("one run cannot be compared", "type two folders or more"))
    _refuse_other_data(runs)
    names = _names(runs)
    az = load_arviz()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        table = az.compare({n: r.idata for n, r in zip(names, runs, strict=True)}, ic="loo")
        k = {n: az.loo(r.idata, pointwise=True) for n, r in zip(names, runs, strict=True)}
    return tuple(
        Compared(
            str(name), float(row["elpd_loo"]), float(row["se"]), float(row["p_loo"]), float(row["elpd_diff"]),
            float(row["dse"]), float(row["weight"]), int(np.sum(k[str(name)].pareto_k.values > k[str(name)].good_k)),
        )
        for name, row in table.iterrows()
    )  # fmt: skip


def in_words(found: Sequence[Compared]) -> str:
    """What the difference of the best two means."""
    first, second = found[0], found[1]
    if any(c.high_k for c in found):
        caveat = f" Some k̂ are too high ({', '.join(f'{c.name} {c.high_k}' for c in found if c.high_k)}), so take it as a hint."
    else:
        caveat = ""
    if second.difference < CLEAR:
        return f"'{first.name}' and '{second.name}' predict alike: a difference below {CLEAR:g} is noise.{caveat}"
    if second.difference < 2 * second.difference_se:
        said = f"{second.difference:.1f} ± {second.difference_se:.1f}"
        return f"'{first.name}' may predict better than '{second.name}' ({said}), but these data cannot tell.{caveat}"
    said = f"by {second.difference:.1f} ± {second.difference_se:.1f}"
    return f"'{first.name}' predicts new measurements better than '{second.name}', {said} in log density.{caveat}"


def to_record(found: Sequence[Compared]) -> dict[str, Any]:
    """The same for programs."""
    return {"runs": [plain(asdict(c)) for c in found], "meaning": in_words(found)}


def print_comparison(console: Console, found: Sequence[Compared]) -> None:
    """A table, the best run first."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Column, Table

    numbers = ("elpd", "se", "p", "difference", "se of it", "weight", "high k̂")
    table = Table("run", *(Column(h, justify="right") for h in numbers), box=SIMPLE_HEAD, pad_edge=False)
    for c in found:
        cells = (f"{c.elpd:.1f}", f"{c.se:.1f}", f"{c.p_loo:.1f}", f"{c.difference:.1f}", f"{c.difference_se:.1f}",
                 f"{c.weight:.2f}", str(c.high_k))  # fmt: skip
        table.add_row(escape(printable(c.name)), *cells)
    print_table(console, table)


def measurements_of(run: Run) -> Mapping[str, np.ndarray]:
    """The measurements that a run is of: values, experiments, observables and times. Raises InputError where it has none."""
    groups = run.idata.groups()
    if "observed_data" not in groups or "log_likelihood" not in groups or not run.idata["log_likelihood"]["y"].size:
        raise InputError(Mistake("the run has no log likelihood of measurements", "", run.folder))
    observed = run.idata["observed_data"]
    return {k: np.asarray(observed[k].values) for k in ("y", "experiment", "observable", "time")}


def _refuse_other_data(runs: Sequence[Run]) -> None:
    first, wrong = measurements_of(runs[0]), []
    for run in runs[1:]:
        mine = measurements_of(run)
        if len(mine["y"]) != len(first["y"]) or not all(np.array_equal(mine[k], first[k]) for k in ("y", "time")):
            hint = "only models of the same data, in the same order, can be compared"
            wrong.append(Mistake(f"its measurements are not those of {runs[0].folder}", hint, run.folder))
    if wrong:
        raise InputError(wrong)


def _names(runs: Sequence[Run]) -> list[str]:
    """The folders' own names, or their paths where two are the same."""
    short = [r.folder.resolve().name for r in runs]
    names = short if len(set(short)) == len(short) else [str(r.folder) for r in runs]
    if len(set(names)) < len(names):
        raise InputError(Mistake("the same folder is given twice", "", names[0]))
    return names
