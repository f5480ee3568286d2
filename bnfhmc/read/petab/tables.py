"""Tab-separated tables of PEtab → rows that know their file and line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bnfhmc.errors import nearest
from bnfhmc.read.lines import read_text
from bnfhmc.read.mistakes import MOST_OF_A_KIND, Mistakes

# what stands for a cell that says nothing, as for pandas, which other readers of PEtab use
EMPTY = frozenset({"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
                   "NA", "NULL", "NaN", "None", "n/a", "nan", "null"})  # fmt: skip
ID = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: its cells by column, those that say nothing left out."""

    path: Path
    line: int
    cells: Mapping[str, str]

    def get(self, column: str) -> str:
        """The cell's text, empty where it says nothing."""
        return self.cells.get(column, "")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of one file; ``columns`` as its first line names them."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_table(
    path: Path, mistakes: Mistakes, line: int | None, required: Sequence[str], known: Sequence[str] | None = None
) -> Table | None:
    """The table in a file that `line` of the mistakes' file names; None where it cannot be read or a column is missing.

    ``known``: all the columns there are, where that is so: a column that nearly bears the name of one is a mistake.
    """
    text = read_text(path, mistakes, line)
    if text is None:
        return None
    here = mistakes.at(path)
    reader = csv.reader(text.split("\n"), delimiter="\t", strict=True)
    try:
        lines = [(reader.line_num, cells) for cells in reader if any(c.strip() for c in cells)]
    except csv.Error as error:
        here.add(reader.line_num, f"no tab-separated table: {error}", "look for a quotation mark that is not closed")
        return None
    if not lines:
        here.add(None, "the table is empty", f"its first line names its columns: {', '.join(required)}")
        return None
    before = len(here.found)
    first, header = lines[0][0], [c.strip() for c in lines[0][1]]
    _check_header(header, first, required, known, here)
    rows = [_row(path, at, cells, header, here) for at, cells in lines[1:]]
    if any(r is None for r in rows) or len(here.found) > before:
        return None
    return Table(path, tuple(header), tuple(r for r in rows if r is not None))


def _check_header(
    header: list[str], line: int, required: Sequence[str], known: Sequence[str] | None, here: Mistakes
) -> None:
    for name in required:
        if name not in header:
            close = nearest(name, header) if known is None else ""  # where it is known, the other column is a mistake too
            here.add(line, f"the table has no column '{name}'", close or "its columns are separated by tabs")
    for name in dict.fromkeys(n for n in header if n and header.count(n) > 1):
        here.add(line, f"two columns are named '{name}'", "keep one")
    if known is not None:
        for name in header:
            if name not in known and name not in required and (close := nearest(name, [*known, *required])):
                here.add(line, f"unknown column '{name}'", close)


def _row(path: Path, line: int, cells: list[str], header: list[str], here: Mistakes) -> Row | None:
    beyond = [c for c in cells[len(header) :] if c.strip()]
    if beyond:
        here.add(line, f"'{beyond[0].strip()}' is beyond the last column", f"the table has {len(header)} columns")
        return None
    said = {name: c.strip() for name, c in zip(header, cells, strict=False)}
    return Row(path, line, {name: c for name, c in said.items() if name and c not in EMPTY})


def number(text: str) -> float | None:
    """The number (±inf included) that a cell is, or None."""
    return float(text) if _NUMBER.fullmatch(text) else None


def numbers(text: str) -> tuple[float, ...] | None:
    """The numbers that a cell lists between semicolons, or None where one of them is none."""
    found = [number(part.strip()) for part in text.split(";")]
    return None if None in found else tuple(x for x in found if x is not None)


class Rows:
    """Collects what is wrong with rows, each mistake at its own line; of many that are alike the first 20 are said."""

    def __init__(self, mistakes: Mistakes):
        self.mistakes = mistakes
        self._seen: dict[tuple[Path, str], int] = {}

    def wrong(self, row: Row, what: str, hint: str = "", kind: str = "") -> None:
        """A mistake of a row; those of one `kind` and file are counted together."""
        count = self._seen[row.path, kind or what] = self._seen.get((row.path, kind or what), 0) + 1
        if count <= MOST_OF_A_KIND:
            self.mistakes.at(row.path).add(row.line, what, hint)
        elif count == MOST_OF_A_KIND + 1:
            self.mistakes.at(row.path).add(row.line, "more like these from this line on")

    def number(self, row: Row, column: str, *, finite: bool = True, needed: bool = True) -> float | None:
        """The number in a cell; None, and a mistake where it is none or not finite, or is needed and missing."""
        text = row.get(column)
        value = number(text)
        if value is None and (text or needed):
            said = f"{column} '{text}' is no number" if text else f"{column} is empty or NaN"
            self.wrong(row, said, "type a number", kind=f"{column} no number")
        elif value is not None and finite and value in (float("inf"), float("-inf")):
            self.wrong(row, f"{column} {text} is not finite", "type a finite number", kind=f"{column} not finite")
            return None
        return value

    def id(self, row: Row, column: str) -> str | None:
        """The identifier in a cell; None, and a mistake, where it is none."""
        text = row.get(column)
        if ID.fullmatch(text):
            return text
        said = f"{column} '{text}' is no identifier" if text else f"{column} is empty"
        self.wrong(row, said, "type letters, digits and underscores, no digit first", kind=f"{column} no identifier")
        return None

    def unique(self, found: Iterable[tuple[str, Row]], column: str) -> Iterator[tuple[str, Row]]:
        """The first row of each identifier; the others are mistakes."""
        first: dict[str, Row] = {}
        for name, row in found:
            if name in first:
                file = "" if first[name].path == row.path else f" of {first[name].path.name}"
                hint = f"the other is in line {first[name].line}{file}; keep one"
                self.wrong(row, f"{column} '{name}' is given twice", hint, kind=f"{column} twice")
                continue
            first[name] = row
            yield name, row
