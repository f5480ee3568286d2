"""How much memory 100,000 evaluations leave behind.

    python -m benchmarks.memory [--quick] [--json FILE]

Resident megabytes of the process, after a warm-up of a tenth of the evaluations and at the end.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from itertools import islice
from pathlib import Path

from benchmarks.cases import overhead_cases
from benchmarks.tables import Row, printed, saved
from benchmarks.timing import points

NAMES = ("decay", "infusion", "enzyme")  # the smallest, one whose crossings move, one whose initial amounts are computed


def megabytes() -> float:
    """What the process holds now; where the system does not say, the most it has held."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def main() -> None:
    """Evaluate, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the evaluations")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    count, rows = 10_000 if chosen.quick else 100_000, list[Row]()
    with tempfile.TemporaryDirectory() as folder:
        for case in (c for c in overhead_cases() if c.name in NAMES):
            posterior, z = case.opened(Path(folder) / case.name)
            near = points(z)
            for at in islice(near, count // 10):
                posterior.evaluate(at)
            start = megabytes()
            for at in islice(near, count):
                posterior.evaluate(at)
            end = megabytes()
            rows.append({"case": case.name, "evaluations": count, "before MB": start, "after MB": end,
                         "growth MB": end - start})  # fmt: skip
    printed("Memory", rows)
    saved(chosen.json, "memory", rows)


if __name__ == "__main__":
    main()
