"""A configuration to start from, proposed from a model and its data files."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bnfhmc.errors import InputError, Mistake, nearest
from bnfhmc.model.protocol import Model
from bnfhmc.read.data import Table, read_table
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.write.names import Names

SD = "_SD"
COMPANIONS = (SD, "_SE", "_N")  # columns that say something of another one
NOISE_SHARE = 0.1  # of the largest value measured: where a standard deviation that nobody gave is looked for


def scaffold(
    model: Path, data: Sequence[Path], target: Path, *, load_model: Callable[..., Model], seed: int = 1
) -> str:
    """The text of a configuration for `target`: every parameter of the model with a prior around its value, every data file
    as an experiment, and noise from columns ``_SD`` where there are any.

    A positive value v gets a normal prior on a log10 scale, mean log10 v and sd 1: within a factor of 100 with 95 %. Any
    other gets a normal prior with sd max(1, |v|). ``load_model``: opens a model file, as `bnfhmc.model.load_model` does.

    Raises InputError with everything wrong in the files, and where a column is no output of the model.
    """
    opened = load_model(model, name=model.stem, free=_free_names(model))
    tables = _tables(data, opened)
    names = Names()
    names.take(opened.quantities)
    names.take(opened.outputs)
    scales = _sds(tables, names)
    lines = [
        f"# Proposed by bnfhmc init from {model.name} and its data. Edit it, then: bnfhmc check {target.name}",
        "edition = 2",
        "fit_type = nuts",
        "",
        f"model: {_relative(model, target)}",
        *(f"experiment: {_experiment(t, tables, i)}, data: {_relative(t.path, target)}" for i, t in enumerate(tables)),
        "",
        *_noise(tables, scales),
        "",
        "# What was known before the data. Delete the lines of what is known for sure; mean and sd are on the scale.",
        *_parameters(opened, tables),
        *(f"parameter: {sd}, prior: half_normal, scale: {size:g}" for sd, size in scales.values()),
        "",
        "# What the axes of pictures say; delete the # and fill in.",
        f"# axis_units = {', '.join(f'{n} = ?' for n in _on_axes(tables))}",
        "",
        "population_size = 4",
        "num_warmup = 1000",
        "num_samples = 1000",
        f"random_seed = {seed}",
    ]
    return "\n".join(lines) + "\n"


def write_scaffold(target: Path, text: str, *, overwrite: bool = False) -> None:
    """Write it, unless there is a file already. Raises InputError."""
    if target.exists() and not overwrite:
        raise InputError(Mistake("is there already", "name another file, or type --overwrite", target))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


def _free_names(model: Path) -> dict[str, float]:
    """Names that a .bngl leaves for a fit to define, each 1."""
    if model.suffix.lower() != ".bngl" or not model.is_file():
        return {}
    return dict.fromkeys(re.findall(r"\b\w+__FREE\b", model.read_text(encoding="utf-8", errors="replace")), 1.0)


def _tables(data: Sequence[Path], model: Model) -> list[Table]:
    """The data files, their columns checked against the outputs of the model."""
    found, mistakes = [], Mistakes(data[0] if data else Path("."))
    if not data:
        raise InputError(Mistake("no data file is given", "type bnfhmc init MODEL DATA.exp"))
    for path in data:
        table = read_table(path, mistakes.at(path), 1)
        if table is None:
            continue
        found.append(table)
        for name in _measured(table):
            if name not in model.outputs:
                what = f"column '{name}' is no output of model '{model.name}'"
                mistakes.at(path).add(table.header, what, nearest(name, model.outputs) or "name it as in the model")
        if table.names[0] != "time" and table.names[0] not in model.quantities:
            what = f"the first column '{table.names[0]}' is neither 'time' nor a quantity of model '{model.name}'"
            mistakes.at(path).add(table.header, what, nearest(table.names[0], model.quantities))
    mistakes.raise_any()
    return found


def _measured(table: Table) -> list[str]:
    """The columns that hold measurements: neither the first nor what is said of another one."""
    named = set(table.names[1:])
    spare = {n for n in named if any(n.endswith(c) and n.removesuffix(c) in named for c in COMPANIONS)} | {"replicate"}
    return [n for n in table.names[1:] if n not in spare]


def _on_axes(tables: Sequence[Table]) -> list[str]:
    """What data are drawn over, and what is measured."""
    return list(dict.fromkeys([*(t.names[0] for t in tables), *(n for t in tables for n in _measured(t))]))


def _noise(tables: Sequence[Table], scales: Mapping[str, tuple[str, float]]) -> list[str]:
    """One line a series: its standard deviations from the data, or one to be fitted."""
    series = dict.fromkeys(n for t in tables for n in _measured(t))
    lines = ["# How the data scatter around the model; other noise is in the documentation of the .conf file."]
    if not scales:
        return [*lines, f"noise_model = normal, sigma = read_exp_file {SD}"]
    said = [f"fit {scales[n][0]}" if n in scales else f"read_exp_file {SD}" for n in series]
    return [*lines, *(f"noise_model {n} = normal, sigma = {sigma}" for n, sigma in zip(series, said, strict=True))]


def _sds(tables: Sequence[Table], names: Names) -> dict[str, tuple[str, float]]:
    """Series without standard deviations of their own → the parameter that is fitted, and its size."""
    out: dict[str, tuple[str, float]] = {}
    for name in dict.fromkeys(n for t in tables for n in _measured(t)):
        holding = [t for t in tables if name in t.names]
        if not all(name + SD in t.names for t in holding):
            largest = max(float(np.nanmax(np.abs(t.column(name)), initial=0.0)) for t in holding)
            out[name] = names.new(f"sd_{name}"), float(f"{NOISE_SHARE * largest or 1.0:.2g}")
    return out


def _parameters(model: Model, tables: Sequence[Table]) -> list[str]:
    """One line a parameter of the model, but for those that the data scan."""
    scanned = {t.names[0] for t in tables}
    lines = []
    for name, value in model.quantities.items():
        if name in model.amounts or name in scanned:
            continue
        lines.append(f"parameter: {name}, prior: normal, {_around(value)}")
    return lines


def _around(value: float) -> str:
    if value > 0 and math.isfinite(value):
        return f"parameter_scale: log10, mean: {math.log10(value):.3g}, sd: 1"
    return f"parameter_scale: lin, mean: {value:.4g}, sd: {max(1.0, abs(value)):.3g}"


def _experiment(table: Table, tables: Sequence[Table], index: int) -> str:
    """The name of the file, and a number where two have the same."""
    stem = re.sub(r"\W+", "_", table.path.stem)
    return stem if sum(re.sub(r"\W+", "_", t.path.stem) == stem for t in tables) == 1 else f"{stem}_{index + 1}"


def _relative(path: Path, target: Path) -> Any:
    """The path as the configuration, which is read from its own folder, has to name it."""
    return os.path.relpath(path.resolve(), target.resolve().parent)
