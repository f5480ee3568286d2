"""What an evaluation costs beyond the compiled solves inside of it.

    python -m benchmarks.overhead [--quick] [--json FILE] [case ...]

evaluate is log π(z) with its gradient, loss the value alone; "bare" is the sum of what the runs of bngsim's C++ solver took
that happened inside. CPU microseconds of one thread (wall with --wall), medians over points that differ from one to the next.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bare import timed_solvers
from benchmarks.cases import Case, overhead_cases
from benchmarks.tables import Row, printed, saved
from benchmarks.timing import points


def measure(case: Case, folder: Path, seconds: float, clock: Callable[[], float] = time.thread_time) -> Row:
    """The case's row: microseconds and ratios."""
    row: Row = {"case": case.name, "what": case.what}
    with timed_solvers(clock) as solves:
        posterior, z = case.opened(folder)
        for name, call, start in ("evaluate", posterior.evaluate, z), ("loss", posterior.loss, posterior.u_from_z(z)):
            whole, bare, count = _repeated(call, start, seconds / 2, clock, solves)
            row |= {"solves": count} if name == "evaluate" else {}
            row |= {f"{name} µs": whole, f"{name} bare": bare, f"{name} ratio": whole / bare, f"{name} more": whole - bare}
    return row


def _repeated(
    call: Callable[[np.ndarray], Any], z: np.ndarray, seconds: float, clock: Callable[[], float], solves: list[float]
) -> tuple[float, float, int]:
    """Medians of the microseconds of a call and of its solves, and how many those are."""
    near, whole, bare = points(z), list[float](), list[float]()
    for budget in (0.2, seconds):
        end, whole, bare = time.perf_counter() + budget, [], []
        while time.perf_counter() < end or len(whole) < 5:
            at = next(near)
            solves.clear()
            start = clock()
            call(at)
            whole.append(clock() - start)
            bare.append(sum(solves))
    return 1e6 * float(np.median(whole)), 1e6 * float(np.median(bare)), len(solves)


def main() -> None:
    """Measure the cases, print their table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--quick", action="store_true", help="a second for each case instead of five")
    parser.add_argument("--wall", action="store_true", help="wall seconds instead of CPU seconds")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for case in overhead_cases():
            if not chosen.cases or case.name in chosen.cases:
                clock = time.perf_counter if chosen.wall else time.thread_time
                rows.append(measure(case, Path(folder) / case.name, 1.0 if chosen.quick else 5.0, clock))
    printed("Evaluations and the compiled solves inside of them", rows)
    saved(chosen.json, "overhead", rows)


if __name__ == "__main__":
    main()
