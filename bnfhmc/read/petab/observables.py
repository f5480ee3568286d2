"""Observable tables → formulas, noise and placeholders."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

from bnfhmc.errors import nearest
from bnfhmc.expression import Expression, ExpressionError
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.petab.config import Part
from bnfhmc.read.petab.formulas import read_formula
from bnfhmc.read.petab.records import Kernel, NoiseScale, ObservableRecord
from bnfhmc.read.petab.tables import ID, Row, Rows, read_table

T = TypeVar("T")

_REQUIRED = ("observableId", "observableFormula", "noiseFormula")
_KNOWN: Mapping[int, tuple[str, ...]] = {
    1: ("observableName", "observableTransformation", "noiseDistribution"),
    2: ("observableName", "noiseDistribution", "observablePlaceholders", "noisePlaceholders"),
}
_NOISE_2: Mapping[str, tuple[Kernel, NoiseScale]] = {
    "normal": ("normal", "lin"),
    "laplace": ("laplace", "lin"),
    "log-normal": ("normal", "log"),
    "log-laplace": ("laplace", "log"),
}
_TRANSFORMATIONS: Mapping[str, NoiseScale] = {"lin": "lin", "log": "log", "log10": "log10"}
_KERNELS: Mapping[str, Kernel] = {"normal": "normal", "laplace": "laplace"}
_PLACEHOLDER = re.compile(r"(observable|noise)Parameter(\d+)_(\w+)", re.ASCII)  # version 1 knows them by their names


def read_observables(part: Part, version: int, mistakes: Mistakes) -> dict[str, ObservableRecord]:
    """The observables of all the tables of a part, in their order."""
    rows = Rows(mistakes)
    tables = [read_table(f.path, mistakes, f.line, _REQUIRED, _KNOWN[version]) for f in part.tables["observable_files"]]
    named = ((name, row) for t in tables if t is not None for row in t.rows if (name := rows.id(row, "observableId")))
    found = {name: _read(name, row, version, rows) for name, row in rows.unique(named, "observableId")}
    return {name: record for name, record in found.items() if record is not None}


def formula(row: Row, column: str, text: str, rows: Rows) -> Expression | None:
    """The formula in a cell; None, and a mistake, where it is none."""
    if not text:
        rows.wrong(row, f"{column} is empty", "type a number or a formula", kind=f"{column} empty")
        return None
    try:
        return read_formula(text)
    except ExpressionError as error:
        short = text if len(text) <= 60 else text[:57] + "..."
        rows.wrong(row, f"{column} '{short}' is no formula: {error}", kind=f"{column} no formula")
        return None


def _read(name: str, row: Row, version: int, rows: Rows) -> ObservableRecord | None:
    said, noise = (formula(row, column, row.get(column), rows) for column in ("observableFormula", "noiseFormula"))
    family = _noise_1(row, rows) if version == 1 else _noise_2(row, rows)
    if said is None or noise is None or family is None:
        return None
    if noise.constant is not None and noise.constant <= 0:
        rows.wrong(row, f"noiseFormula is {noise.constant:g}, which is not positive", "type a standard deviation or scale")
        return None
    if version == 1:
        both = said.names | noise.names
        placeholders = _numbered(name, row, "observable", both, rows), _numbered(name, row, "noise", both, rows)
    else:
        placeholders = _declared(row, "observablePlaceholders", rows), _declared(row, "noisePlaceholders", rows)
        for twice in sorted(set(placeholders[0]) & set(placeholders[1])):
            rows.wrong(row, f"placeholder '{twice}' is declared twice", "give each a name of its own")
    return ObservableRecord(name, row, said, noise, *family, *placeholders)


def _noise_1(row: Row, rows: Rows) -> tuple[Kernel, NoiseScale] | None:
    scale = _one_of(row, "observableTransformation", row.get("observableTransformation") or "lin", _TRANSFORMATIONS, rows)
    kernel = _one_of(row, "noiseDistribution", row.get("noiseDistribution") or "normal", _KERNELS, rows)
    return None if scale is None or kernel is None else (kernel, scale)


def _noise_2(row: Row, rows: Rows) -> tuple[Kernel, NoiseScale] | None:
    return _one_of(row, "noiseDistribution", row.get("noiseDistribution") or "normal", _NOISE_2, rows)


def _one_of(row: Row, column: str, word: str, known: Mapping[str, T], rows: Rows) -> T | None:
    if word not in known:
        close = nearest(word, known) or f"type one of {', '.join(known)}"
        rows.wrong(row, f"{column} '{word}' is not known", close, kind=column)
    return known.get(word)


def _numbered(name: str, row: Row, kind: str, names: frozenset[str], rows: Rows) -> tuple[str, ...]:
    """Version 1's placeholders of an observable, which have to be numbered from 1 without a gap."""
    found = [m for n in names if (m := _PLACEHOLDER.fullmatch(n)) and m[1] == kind and m[3] == name]
    count = len(found)
    wanted = tuple(f"{kind}Parameter{i}_{name}" for i in range(1, count + 1))
    if {m[0] for m in found} != set(wanted):
        given = ", ".join(sorted(m[0] for m in found))
        rows.wrong(row, f"the placeholders {given} are not numbered from 1 on", f"name them {', '.join(wanted)}")
    return wanted


def _declared(row: Row, column: str, rows: Rows) -> tuple[str, ...]:
    names = tuple(n.strip() for n in row.get(column).split(";") if n.strip())
    for n in names:
        if not ID.fullmatch(n):
            rows.wrong(row, f"{column}: '{n}' is no identifier", "type letters, digits and underscores", kind=column)
    return names
