"""Data files of one experiment: a file for each replicate, and what placeholders stand for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bnfhmc.problem import Experiment, Series
from bnfhmc.write.conf.observables import Column
from bnfhmc.write.formulas import number_text

PARAMS = ("column", "time", "placeholder", "token", "replicate")


@dataclass(frozen=True, slots=True)
class DataFiles:
    """``tables``: the texts of its .exp files; ``params``: that of its table of placeholders, empty where it needs none."""

    tables: tuple[str, ...]
    params: str


@dataclass(slots=True)
class _Replicates:
    """``rows[r][time][header]``: the r-th value that each column has at each time; ``tokens``: rows of the other table."""

    rows: list[dict[float, dict[str, float]]] = field(default_factory=list)
    tokens: list[tuple[str, str, str, str, int]] = field(default_factory=list)

    def add(self, time: float, column: Column, series: Series, member: int, n: int) -> None:
        """One measurement, in the first replicate that has none of its column at its time."""
        r = next((r for r, rows in enumerate(self.rows) if column.name not in rows.get(time, {})), len(self.rows))
        if r == len(self.rows):
            self.rows.append({})
        cells = self.rows[r].setdefault(time, {})
        cells[column.name] = float(series.observed[n])
        for suffix, hole in column.beside.items():
            cells[column.name + suffix] = float(hole.token(member, n))
        for placeholder, hole in column.tokens.items():
            token = hole.token(member, n)
            text = token if isinstance(token, str) else number_text(token)
            self.tokens.append((column.name, number_text(time), placeholder, text, r + 1))


def data_files(e: Experiment, columns: Mapping[int, tuple[Column, int]]) -> DataFiles:
    """The files of an experiment; `columns`: by the id of each of its series, its column and its place there."""
    made = _Replicates()
    for s in e.series:
        column, member = columns[id(s)]
        for n, t in enumerate(s.time_index.tolist()):
            made.add(float(e.times[t]), column, s, member, n)
    params = ""
    if made.tokens:
        several = len(made.rows) > 1
        lines = [PARAMS if several else PARAMS[:-1], *((*t[:4], str(t[4])) if several else t[:4] for t in made.tokens)]
        params = "".join("\t".join(line) + "\n" for line in lines)
    return DataFiles(tuple("".join(_lines(rows)) for rows in made.rows), params)


def _lines(rows: Mapping[float, Mapping[str, float]]) -> Iterator[str]:
    headers = list(dict.fromkeys(h for cells in rows.values() for h in cells))
    yield _line("# time", headers)
    for time in sorted(rows):
        cells = rows[time]
        yield _line(number_text(time), [number_text(cells[h]) if h in cells else "nan" for h in headers])


def _line(first: str, rest: Sequence[str]) -> str:
    return " ".join((first, *rest)) + "\n"
