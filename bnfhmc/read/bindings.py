"""``measurement_params: file.tsv``: what a placeholder of a formula stands for in each measurement.

The table is separated by tabs and names its columns: ``column`` (the observable), ``time`` (or dose), ``placeholder``
(``observableParameter1_…`` or ``noiseParameter1_…``), ``token`` (a number, a parameter of the fit, or a quantity of the
model) and, where replicates differ, ``replicate`` (the place of the file among the experiment's data, from 1; empty for
all). A row of a replicate wins over one of all.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Int

from bnfhmc.errors import nearest
from bnfhmc.expression import Expression, Name, Node, Num, expression, substitute
from bnfhmc.read.data import Column
from bnfhmc.read.formulas import PLACEHOLDER
from bnfhmc.read.lines import NAME, number, read_text, whole
from bnfhmc.read.mistakes import Mistakes

COLUMNS = ("column", "time", "placeholder", "token")
SAME_TIME = 1e-9  # two files may round a time differently


@dataclass(frozen=True, slots=True)
class Token:
    """One row of the table; ``replicate``: from 1, None for all of them."""

    line: int
    column: str
    time: float
    placeholder: str
    text: str
    replicate: int | None = None

    @property
    def node(self) -> Node:
        """What the token is."""
        value = number(self.text)
        return Name(self.text) if value is None else Num(value)


@dataclass(slots=True)
class Bindings:
    """The rows of a table; ``used``: the lines of those that a measurement has, or may have where it is missing."""

    path: Path
    tokens: tuple[Token, ...] = ()
    used: set[int] = field(default_factory=set)
    _rows: dict[tuple[str, str, int | None], dict[float, Token]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for t in self.tokens:
            self._rows.setdefault((t.column, t.placeholder, t.replicate), {})[t.time] = t

    @property
    def names(self) -> frozenset[str]:
        """The names among the tokens."""
        return frozenset(t.text for t in self.tokens if isinstance(t.node, Name))

    def pieces(
        self, column: Column, files: Sequence[Path], wanted: Collection[str], mistakes: Mistakes
    ) -> list[tuple[Int[np.ndarray, " m"], dict[str, Node]]]:
        """The measurements of a column in groups (their indices, and what each placeholder stands for there)."""
        groups: dict[tuple[str, ...], list[int]] = {}
        wrong = []
        for n, time in enumerate(column.at.tolist()):
            path, line = column.place(n)
            found = {p: self._token(column, files.index(path) + 1, time, p) for p in wanted}
            missing = sorted(p for p, token in found.items() if token is None)
            if missing:
                wrong.append((path, line, f"'{column.header}' has no value of {' and '.join(missing)} here"))
            else:
                groups.setdefault(tuple(found[p].text for p in wanted), []).append(n)  # type: ignore[union-attr]
        for path in dict.fromkeys(path for path, _, _ in wrong):
            rows = [(line, what, f"add it to {self.path.name}") for p, line, what in wrong if p == path]
            mistakes.at(path).add_each(rows)
        node = {t.text: t.node for t in self.tokens}
        return [(np.array(rows), dict(zip(wanted, (node[t] for t in texts), strict=True))) for texts, rows in groups.items()]

    def _token(self, column: Column, replicate: int, time: float, placeholder: str) -> Token | None:
        for which in (replicate, None):
            for name in dict.fromkeys((column.name, column.header)):
                rows = self._rows.get((name, placeholder, which), {})
                token = rows.get(time) or next((t for at, t in rows.items() if _same_time(at, time)), None)
                if token is not None:
                    self.used.add(token.line)
                    return token
        return None

    def say_unknown(self, known: Collection[str], mistakes: Mistakes) -> None:
        """Tokens that are neither numbers nor `known`."""
        mistakes.at(self.path).add_each(
            (t.line, f"'{t.text}' is no declared parameter and no quantity of the model", nearest(t.text, known))
            for t in self.tokens if isinstance(t.node, Name) and t.text not in known
        )  # fmt: skip

    def say_unused(
        self, columns: Sequence[Column], files: Sequence[Path], wanted: Mapping[str, Collection[str]], mistakes: Mistakes
    ) -> None:
        """Rows that no measurement reads; `wanted`: the placeholders of each column's formulas."""
        wrong = []
        known = {name: c for c in columns for name in (c.header, c.name)}
        for t in (t for t in self.tokens if t.line not in self.used):
            column = known.get(t.column)
            if column is None:
                wrong.append((t.line, f"no data are named '{t.column}'", nearest(t.column, known)))
                continue
            if t.placeholder not in wanted.get(column.name, ()):
                wrong.append((t.line, f"no formula of '{t.column}' names '{t.placeholder}'",
                              nearest(t.placeholder, wanted.get(column.name, ()))))  # fmt: skip
                continue
            tables = [d for d in column.tables if t.replicate is None or d.path in files[t.replicate - 1 : t.replicate]]
            if not any(_same_time(t.time, x) for d in tables for x in d.values[:, 0].tolist()):
                where = "" if t.replicate is None else f" in replicate {t.replicate}"
                wrong.append((t.line, f"'{t.column}' is not measured at {t.time:g}{where}", "delete the row"))
        mistakes.at(self.path).add_each(wrong)


def _same_time(a: float, b: float) -> bool:
    return a == b or abs(a - b) <= SAME_TIME


def bind(formula: Expression, nodes: Mapping[str, Node]) -> Expression:
    """The formula with its placeholders replaced."""
    return expression(substitute(formula.node, nodes)) if formula.names & nodes.keys() else formula


def read_bindings(path: Path, here: Mistakes, line: int) -> Bindings | None:
    """Read the table that `line` of the configuration names; None, and mistakes, where it is none."""
    text = read_text(path, here, line)
    if text is None:
        return None
    mistakes = here.at(path)
    rows = [(n, raw.split("\t")) for n, raw in enumerate(text.split("\n"), 1) if raw.strip()]
    header = [name.strip().lower() for name in rows[0][1]] if rows else []
    missing = [name for name in COLUMNS if name not in header]
    unknown = [name for name in header if name not in (*COLUMNS, "replicate")]
    if missing or unknown or len(set(header)) < len(header):
        what = f"no column '{missing[0]}'" if missing else f"unknown or repeated column '{(unknown or header)[0]}'"
        mistakes.add(1, what, f"the header is {' '.join(COLUMNS)}, separated by tabs, and replicate if need be")
        return None
    tokens: dict[tuple[object, ...], Token] = {}
    for n, parts in rows[1:]:
        said = dict(zip(header, (p.strip() for p in parts), strict=False))
        token = _token(n, said, mistakes) if len(parts) == len(header) else None
        if len(parts) != len(header):
            mistakes.add(n, f"{len(parts)} entries where the header names {len(header)} columns")
        if token is None:
            continue
        first = tokens.setdefault((token.column, token.time, token.placeholder, token.replicate), token)
        if first.text != token.text:
            what = f"'{token.placeholder}' of '{token.column}' at {token.time:g} is {first.text} on line {first.line}"
            mistakes.add(n, what, "keep one row")
    return Bindings(path, tuple(tokens.values()))


def _token(line: int, said: Mapping[str, str], mistakes: Mistakes) -> Token | None:
    time, replicate, text = number(said["time"]), said.get("replicate", ""), said["token"]
    value, place = number(text), whole(replicate)
    wrong = [
        (time is None or math.isnan(time), f"'{said['time']}' is no time"),
        (not PLACEHOLDER.fullmatch(said["placeholder"]), f"'{said['placeholder']}' is no placeholder such as "
                                                         f"noiseParameter1_{said['column'] or 'A'}"),
        (not NAME.fullmatch(text) if value is None else not math.isfinite(value), f"'{text}' is no finite number and no name"),
        (bool(replicate) and (place is None or place < 1), f"'{replicate}' is no replicate, which count from 1"),
        (not said["column"], "the column is empty"),
    ]  # fmt: skip
    for is_wrong, what in wrong:
        if is_wrong:
            mistakes.add(line, what)
    if any(is_wrong for is_wrong, _ in wrong) or time is None:
        return None
    return Token(line, said["column"], time, said["placeholder"], text, place)
