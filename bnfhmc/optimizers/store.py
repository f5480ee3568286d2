"""What an interrupted run keeps: one line of JSON for each piece of work that has ended, behind one that says of what run.

A line is written whole or not at all as far as the next reader is concerned: a last one that is cut off is dropped. The first
line is there as soon as the file is, so a file without one is somebody else's and is left alone.
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
        """Open or begin `path`; `run` says what run it is of. Raises InputError where the file is of another one, or none."""
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
            if path.stat().st_size:
                raise InputError(_no_store(path))
        self._rewrite([wanted])

    def keep(self, record: Mapping[str, Any]) -> None:
        """Add a record."""
        line = json.dumps(plain(record)) + "\n"
        with self._lock, self.path.open("a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def _rewrite(self, records: list[dict[str, Any]]) -> None:
        whole = self.path.with_name(self.path.name + ".new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            whole.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
            os.replace(whole, self.path)
        except OSError as error:
            wrong = Mistake(f"the starts cannot be kept here: {error.strerror}", "give another file", self.path)
            raise InputError(wrong) from None


def record_of(outcome: Outcome) -> dict[str, Any]:
    """One search as a record."""
    return {"index": outcome.index, "draw": outcome.draw, "u0": outcome.u0, "value0": outcome.value0, "local": outcome.local}


def finished_of(store: Store, starts: int, dim: int) -> list[Outcome]:
    """The starts that a store holds, of a run with so many and so many parameters. Raises InputError for a record of none."""
    found = []
    for k, record in enumerate(store.finished):
        try:
            outcome = outcome_of(record)
        except (KeyError, TypeError, ValueError):
            raise InputError(_no_store(store.path, k + 2)) from None
        if not 0 <= outcome.index < starts or outcome.u0.shape != (dim,) or outcome.local.u.shape != (dim,):
            raise InputError(_no_store(store.path, k + 2))
        found.append(outcome)
    return found


def outcome_of(record: Mapping[str, Any]) -> Outcome:
    """One start from its record."""
    local = dict(record["local"])
    local |= {"u": _array(local["u"]), "value": _number(local["value"]),
              "history": tuple((int(n), float(v)) for n, v in local["history"])}  # fmt: skip
    return Outcome(int(record["index"]), _array(record["u0"]), _number(record["value0"]), Local(**local), int(record["draw"]))


def _array(values: list[float | None]) -> np.ndarray:
    return np.array([np.nan if v is None else v for v in values], dtype=float)


def _number(value: float | None) -> float:
    return np.inf if value is None else float(value)


def _records(path: Path) -> list[dict[str, Any]]:
    out = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(Mistake(f"cannot be read: {error.strerror}", "give another file", path)) from None
    for line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            break
        if not isinstance(record, dict):
            break
        out.append(record)
    return out


def _no_store(path: Path, line: int | None = None) -> Mistake:
    what = "this is no record of a start" if line else "this is no file of an interrupted run, and is not written over"
    return Mistake(what, "give another file, or delete this one", path, line)


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
