"""Noise models over measurements: each noise parameter as a constant from the data, or a formula of free parameters."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bnfhmc.noise import Constant, Formula, Source
from bnfhmc.read.data import Column, Table
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.noise import Origin, Spec


def sources_of(spec: Spec, column: Column, mistakes: Mistakes) -> dict[str, Source] | None:
    """The sources of a noise model over one observable's measurements; None, and mistakes in the data file, else."""
    before = len(mistakes.found)
    observed = column.observed
    if spec.model.rejects(observed):
        said = ((n, spec.model.rejects(observed[n : n + 1])) for n in range(len(observed)))
        _say_rows(column, [(n, f"'{column.header}': {why}") for n, why in said if why], mistakes)
    sources = {name: _source(name, origin, column, mistakes) for name, origin in spec.origins.items()}
    return sources if len(mistakes.found) == before else None


def _source(name: str, origin: Origin, column: Column, mistakes: Mistakes) -> Source:
    if origin.expression is not None:
        return Formula(origin.expression)
    if origin.verb == "fix_at":
        return Constant(origin.value)
    observed = column.observed
    said = f"{name} = {origin.verb}"
    if origin.verb == "column_mean":
        mean = abs(float(observed.mean()))
        if mean == 0:
            table = column.tables[0]
            mistakes.at(table.path).add(table.header, f"the mean of '{column.header}' is 0, and '{said}' takes it")
        return Constant(origin.value * mean)
    if origin.verb == "relative":
        values, where = origin.value * np.abs(observed), f"'{column.header}' is 0, and so is its {said}"
    else:
        beside = column.companion(origin.text)
        if isinstance(beside, Table):
            what = f"no column '{column.header}{origin.text}', which the noise model of '{column.name}' reads"
            hint = f"add it, or type 'noise_model {column.name} = normal, sigma = fit <parameter>'"
            mistakes.at(beside.path).add(beside.header, what, hint)
            return Constant(1.0)
        values, where = beside, f"'{column.header}{origin.text}' is not positive where '{column.header}' is measured"
    wrong = ~(np.isfinite(values) & (values > 0))
    _say_rows(column, [(int(n), where) for n in np.flatnonzero(wrong)], mistakes)
    return Constant(values)


def _say_rows(column: Column, wrong: list[tuple[int, str]], mistakes: Mistakes) -> None:
    """Mistakes at the lines of measurements, file by file."""
    by_file: dict[Path, list[tuple[int, str, str]]] = {}
    for n, what in wrong:
        path, line = column.place(n)
        by_file.setdefault(path, []).append((line, what, ""))
    for path, rows in by_file.items():
        mistakes.at(path).add_each(rows)
