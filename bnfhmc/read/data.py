"""Data files (.exp, .tsv, .csv): a header line that names the columns, then one row of numbers a line."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from bnfhmc.read.lines import number, read_text
from bnfhmc.read.mistakes import Mistakes

SEPARATORS = {".exp": None, ".tsv": "\t", ".csv": ","}  # None: white space
_BRACKETS = re.compile(r"\(\)|^\[|\]$")  # of A() and [A]; those of a species A(b) belong to its name


@dataclass(frozen=True, slots=True)
class Table:
    """One data file.

    ``names``: column names, the independent variable first, without the ``()`` and ``[]`` that simulators add;
    ``values[row, column]``: NaN where a measurement is missing; ``lines[row]``: where each row stands in the file.
    """

    path: Path
    header: int
    names: tuple[str, ...]
    values: Float[np.ndarray, "row column"]
    lines: tuple[int, ...]

    def column(self, name: str) -> Float[np.ndarray, " row"]:
        """The values of a column."""
        return self.values[:, self.names.index(name)]


@dataclass(frozen=True, slots=True)
class Column:
    """The measurements of one observable in one experiment, the rows of its replicates stacked.

    ``name``: the model's, or that of a formula; ``header``: the data's; ``places``: (table, row) of the rows that hold a
    value.
    """

    name: str
    header: str
    tables: tuple[Table, ...]
    places: Int[np.ndarray, "n 2"]

    @property
    def at(self) -> Float[np.ndarray, " n"]:
        """The time or dose of each measurement."""
        return self._take([t.names[0] for t in self.tables])

    @property
    def observed(self) -> Float[np.ndarray, " n"]:
        """The measured values."""
        return self._take([self.header] * len(self.tables))

    def companion(self, suffix: str) -> Float[np.ndarray, " n"] | Table:
        """The values beside the measurements in the column of this name and suffix, or the first table without it."""
        names = []
        for table in self.tables:
            found = next((n for n in (self.header + suffix, self.name + suffix) if n in table.names), None)
            if found is None:
                return table
            names.append(found)
        return self._take(names)

    def place(self, n: int) -> tuple[Path, int]:
        """The file and line of a measurement."""
        table, row = self.places[n]
        return self.tables[table].path, self.tables[table].lines[row]

    def _take(self, names: list[str]) -> Float[np.ndarray, " n"]:
        out = np.empty(len(self.places))
        for i, (table, name) in enumerate(zip(self.tables, names, strict=True)):
            mine = self.places[:, 0] == i
            out[mine] = table.column(name)[self.places[mine, 1]]
        return out


def stacked(name: str, header: str, tables: Sequence[Table]) -> Column:
    """The column `header` of those tables that have it, as measurements of `name`."""
    having = tuple(t for t in tables if header in t.names)
    rows = [np.flatnonzero(~np.isnan(t.column(header))) for t in having]
    places = [np.column_stack([np.full(len(r), i), r]) for i, r in enumerate(rows)]
    return Column(name, header, having, np.concatenate(places))


def read_table(path: Path, here: Mistakes, line: int, plain: bool = False) -> Table | None:
    """Read a data file that `line` of the configuration names; None, and mistakes, where it is not one.

    `plain`: the first column is one like the others, and stands for no time or dose.
    """
    suffix = path.suffix.lower()
    if suffix not in SEPARATORS:
        here.add(line, f"'{path.name}' is no data file", "the name of a data file ends in .exp, .tsv or .csv")
        return None
    text = read_text(path, here, line)
    return None if text is None else _table(text.lstrip("\ufeff"), SEPARATORS[suffix], plain, here.at(path))


def _cells(raw: str, separator: str | None) -> list[str]:
    """The cells of a line; a line whose cells are all empty has none."""
    if separator is None:
        return raw.split()
    rows = csv.reader([raw.strip("\r\n")], delimiter=separator, skipinitialspace=True)
    cells = [cell.strip() for row in rows for cell in row]
    return cells if any(cells) else []


def _table(text: str, separator: str | None, plain: bool, mistakes: Mistakes) -> Table | None:
    numbered = ((n, _cells(raw, separator)) for n, raw in enumerate(text.split("\n"), 1))
    header, first = next(((n, cells) for n, cells in numbered if cells), (1, []))
    names = tuple(_BRACKETS.sub("", word.strip("# ")) for word in first if word.strip("# ") or not word)
    if names and names[0].lower() == "time":
        names = ("time", *names[1:])
    if not _names_are_fine(header, names, plain, mistakes):
        return None
    rows, lines, wrong = [], [], []
    for n, cells in numbered:
        if not cells or cells[0].startswith("#"):
            continue
        row = [number(word or "nan") for word in cells]
        if None in row:
            word = cells[row.index(None)]
            wrong.append((n, f"'{word}' is no number", "a missing value is written nan"))
        elif len(row) != len(names):
            what = f"{len(row)} values where the header names {len(names)} columns"
            wrong.append((n, what, "a missing value is written nan"))
        else:
            rows.append(row)
            lines.append(n)
    values = np.array(rows, dtype=float).reshape(len(rows), len(names))
    wrong += _wrong_values(values, lines, "" if plain else names[0])
    mistakes.add_each(sorted(wrong))
    if not rows and not wrong:
        mistakes.add(header, "no rows follow the header", "give one row a measurement time")
    if wrong or not rows:
        return None
    return Table(mistakes.path, header, names, values, tuple(lines))


def _names_are_fine(header: int, names: tuple[str, ...], plain: bool, mistakes: Mistakes) -> bool:
    before = len(mistakes.found)
    if not names:
        mistakes.add(None, "the file is empty", "its first line names the columns: time <observable> …")
    elif "," in names[0]:
        mistakes.add(header, f"the first column is named '{names[0]}'", "columns are separated by white space")
    elif len(names) == 1 and not plain:
        mistakes.add(header, f"no column but {names[0]}", "name each measured observable in the header")
    for name in dict.fromkeys(n for n in names if names.count(n) > 1):
        mistakes.add(header, f"two columns are named '{name}'", "name each column once")
    if "" in names:
        mistakes.add(header, "a column has no name", "write the observable's name before its ()")
    return len(mistakes.found) == before


def _wrong_values(
    values: Float[np.ndarray, "row column"], lines: list[int], first: str
) -> list[tuple[int, str, str]]:
    """Values that cannot be; `first` names the independent variable, where there is one."""
    x, rest = (values[:, 0], values[:, 1:]) if values.size and first else (np.empty(0), values)
    kinds = [(np.isinf(rest).any(axis=1) if values.size else x > 0, "an infinite value", "a missing value is written nan")]
    if first == "time":
        kinds += [(np.isnan(x), "the time is nan", "a row needs its time"),
                  (x < 0, "the time is negative, and integration starts at 0", "shift the times")]  # fmt: skip
    elif first:
        kinds += [(~np.isfinite(x), f"'{first}' is not finite", f"a row needs its value of '{first}'")]
    return [(lines[row], what, hint) for rows, what, hint in kinds for row in np.flatnonzero(rows)]
