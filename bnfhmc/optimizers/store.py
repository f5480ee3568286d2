"""What an interrupted run keeps: one line of JSON for each piece of work that has ended, behind one that says of what run.

A line is written whole or not at all as far as the next reader is concerned: a last one that is cut off is dropped.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import numpy as np

from bnfhmc.errors import InputError, Mistake
from bnfhmc.optimizers.multistart import Outcome
from bnfhmc.optimizers.result import plain
from bnfhmc.optimizers.search import Local

# A value of f that is the same problem's; solvers differ by less between machines.
SAME = 1e-5


@final
class Store:
    """A file of finished work. ``finished``: the records that it held when it was opened."""

    def __init__(self, path: Path, run: Mapping[str, Any]):
        """Open or begin `path`; `run` says what run it is of. Raises InputError where the file is of another one."""
        self.path, self._lock = path, threading.Lock()
        self.finished: list[dict[str, Any]] = []
        wanted = json.loads(json.dumps(plain(run)))
        if path.exists():
            lines = _records(path)
            if lines:
                _refuse_other(path, lines[0], wanted)
                self.finished = lines[1:]
                self._rewrite([lines[0], *self.finished])
                return
        self._rewrite([wanted])

    def keep(self, record: Mapping[str, Any]) -> None:
        """Add a record."""
        line = json.dumps(plain(record)) + "\n"
        with self._lock, self.path.open("a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def _rewrite(self, records: list[dict[str, Any]]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        whole = self.path.with_name(self.path.name + ".new")
        whole.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
        os.replace(whole, self.path)


def record_of(outcome: Outcome) -> dict[str, Any]:
    """One start as a record."""
    return {"index": outcome.index, "u0": outcome.u0, "value0": outcome.value0, "local": outcome.local}


def outcome_of(record: Mapping[str, Any]) -> Outcome:
    """One start from its record."""
    local = dict(record["local"])
    local |= {"u": _array(local["u"]), "value": _number(local["value"]),
              "history": tuple((int(n), float(v)) for n, v in local["history"])}  # fmt: skip
    return Outcome(int(record["index"]), _array(record["u0"]), _number(record["value0"]), Local(**local))


def _array(values: list[float | None]) -> np.ndarray:
    return np.array([np.nan if v is None else v for v in values], dtype=float)


def _number(value: float | None) -> float:
    return np.inf if value is None else float(value)


def _records(path: Path) -> list[dict[str, Any]]:
    out = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            out.append(json.loads(line))
        except ValueError:
            break
    return [r for r in out if isinstance(r, dict)]


def _refuse_other(path: Path, there: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    wrong = [k for k in wanted if not _same(there.get(k), wanted[k])]
    if wrong:
        shown = ", ".join(f"{k} = {there.get(k)} there and {wanted[k]} here" for k in wrong[:3])
        raise InputError(Mistake(f"it holds the starts of another run: {shown}", "give another file, or delete this one", path))


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) <= SAME * (1.0 + abs(b))
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)
