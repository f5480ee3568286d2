"""Points for chains to start from, out of a table such as the samples.txt of an earlier run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bnfhmc.errors import InputError, Mistake
from bnfhmc.read.lines import finite, read_text
from bnfhmc.read.mistakes import Mistakes


def read_starts(path: Path, names: Sequence[str], number: int) -> list[dict[str, float]]:
    """θ by name for so many chains: rows spread evenly over the table, all of them where there are fewer.

    The first line names the columns, after a ``#`` or not; columns that are no parameter are left out. Columns are separated by
    tabs where the first line has one, else by white space. Raises InputError for what cannot be read, all at once.
    """
    mistakes = Mistakes(path)
    text = read_text(path, mistakes)
    mistakes.raise_any()
    lines = [line for line in (text or "").splitlines() if line.strip()]
    head = lines[0].lstrip("#").strip() if lines else ""
    separator = "\t" if "\t" in head else None
    columns = [name.strip() for name in head.split(separator)]
    missing = [name for name in names if name not in columns]
    if missing or len(lines) < 2:
        what = f"there is no column for {', '.join(missing)}" if missing else "there is no row with numbers"
        hint = "the first line names the parameters, and each other line has a value for each"
        raise InputError(Mistake(what, hint, path, 1))
    at = [columns.index(name) for name in names]
    rows = np.unique(np.linspace(1, len(lines) - 1, min(number, len(lines) - 1)).round().astype(int))
    found, wrong = [], []
    for row in rows:
        cells = lines[row].split(separator)
        values = [finite(cells[i]) if i < len(cells) else None for i in at]
        bad = [name for name, value in zip(names, values, strict=True) if value is None]
        if bad:
            wrong.append(Mistake(f"there is no number for {', '.join(bad)}", "", path, int(row) + 1))
        found.append({name: value for name, value in zip(names, values, strict=True) if value is not None})
    if wrong:
        raise InputError(wrong)
    return found
