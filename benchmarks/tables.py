"""Tables on the terminal, and the same numbers as JSON with where and when they were measured."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

Row = dict[str, Any]  # column → what stands in it


def printed(title: str, rows: Sequence[Row]) -> None:
    """Print the rows under their columns."""
    columns = list(dict.fromkeys(c for row in rows for c in row))
    cells = [[_text(row.get(c, "")) for c in columns] for row in rows]
    width = [max(len(c), *(len(row[k]) for row in cells)) if cells else len(c) for k, c in enumerate(columns)]
    words = [any(isinstance(row.get(c), str) for row in rows) for c in columns]

    def line(texts: Sequence[str]) -> str:
        return "  ".join(t.ljust(w) if word else t.rjust(w) for t, w, word in zip(texts, width, words, strict=True)).rstrip()

    print(f"\n{title}  ({describe()['machine']})\n")
    print(line(columns))
    for row in cells:
        print(line(row))
    sys.stdout.flush()


def saved(path: Path | None, name: str, rows: Sequence[Row]) -> None:
    """Write the rows and what describes the run to a JSON file, where one is asked for."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"benchmark": name, **describe(), "rows": list(rows)}, indent=1) + "\n", encoding="utf-8")


def describe() -> dict[str, Any]:
    """The machine, its load, the time and the versions of what is measured."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    packages = {}
    for package in ("bnfhmc", "bngsim", "numpy", "pybnf", "amici", "pypesto"):
        try:
            packages[package] = version(package)
        except PackageNotFoundError:
            continue
    machine = f"{platform.machine()}, {cores} cores, load {load:.1f}, {datetime.now(UTC):%Y-%m-%d}"
    return {"machine": machine, "python": platform.python_version(), "versions": packages}


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)
