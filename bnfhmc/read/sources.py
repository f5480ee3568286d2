"""Noise models over measurements: each noise parameter as a constant from the data, or a formula."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from bnfhmc.expression import Expression
from bnfhmc.noise import Constant, Formula, Source
from bnfhmc.read.data import Column, Table
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.noise import Spec


def sources_of(
    spec: Spec, column: Column, observed: Float[np.ndarray, " n"], formulas: Mapping[str, Expression], mistakes: Mistakes
) -> dict[str, Source] | None:
    """The sources of a noise model over one observable's measurements; None, and mistakes in the data file, else.

    `observed`: the measurements as a floor leaves them; `formulas`: the resolved formula of each noise parameter that
    has one.
    """
    before = len(mistakes.found)
    sources: dict[str, Source] = {}
    for name in spec.origins:
        formula = formulas.get(name)
        sources[name] = _constant(spec, name, column, observed, mistakes) if formula is None else Formula(formula)
    _check_values(spec, column, observed, sources, mistakes)
    return sources if len(mistakes.found) == before else None


def taken(sources: Mapping[str, Source], rows: np.ndarray) -> dict[str, Source]:
    """The sources of some of the measurements."""
    return {name: Constant(s.values[rows]) if isinstance(s, Constant) and isinstance(s.values, np.ndarray) else s
            for name, s in sources.items()}  # fmt: skip


def _check_values(
    spec: Spec, column: Column, observed: np.ndarray, sources: Mapping[str, Source], mistakes: Mistakes
) -> None:
    """Say which measurements the family cannot give."""
    known = {name: np.broadcast_to(s.values, observed.shape) for name, s in sources.items() if isinstance(s, Constant)}
    if spec.model.rejects(observed, known):
        said = ((n, spec.model.rejects(observed[n : n + 1], {name: v[n : n + 1] for name, v in known.items()}))
                for n in range(len(observed)))  # fmt: skip
        _say_rows(column, [(n, f"'{column.header}': {why}") for n, why in said if why], mistakes)


def _constant(spec: Spec, name: str, column: Column, observed: np.ndarray, mistakes: Mistakes) -> Constant:
    origin = spec.origins[name]
    if origin.verb == "fix_at":
        return Constant(origin.value)
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
            verb = "fix_at <number>" if name == "trials" else "fit <parameter>"
            hint = f"add it, or type 'noise_model {column.name} = {spec.family}, {name} = {verb}'"
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
