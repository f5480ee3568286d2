"""How the price of an evaluation grows with data points, parameters, conditions and species.

    python -m benchmarks.growth [--quick] [--json FILE]

CPU microseconds of one evaluation of log π(z) with its gradient; "of the first" is the ratio to the smallest of its kind.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks import models
from benchmarks.cases import Case, rates_of
from benchmarks.tables import Row, printed, saved
from benchmarks.timing import microseconds

TIMES = np.linspace(0.0, 20.0, 101)[1:].round(9).tolist()


def cases(quick: bool) -> Iterator[tuple[str, int, Case]]:
    """(what grows, to what size, the case)."""
    enzyme = {"kf": 1.2, "kr": 0.4, "kcat": 0.9, "E0": 1, "ratio": 12}
    for replicates in (1, 10, 100):
        yield "data points, at the same 100 times", 100 * replicates, Case(
            f"points{replicates}", ".net", models.ENZYME, enzyme, ("P",), TIMES, replicates=replicates)  # fmt: skip
    for replicates in (1, 10, 100):
        noise = "noise_model = student_t, sigma = fix_at 0.3, df = fix_at 4"
        yield "the same, with heavy tails", 100 * replicates, Case(
            f"tails{replicates}", ".net", models.ENZYME, enzyme, ("P",), TIMES, replicates=replicates, noise=noise)  # fmt: skip
    for free in (4, 8, 16, 32):
        text, rates = models.cycle(40, free)
        yield "parameters", free, Case(f"free{free}", ".net", text, rates_of(rates, text), ("Z0", "Z9"), TIMES[::5])
    for count in (1, 2, 4, 8) if quick else (1, 2, 4, 8, 16, 32):
        text, rates = models.cascade(4, 8)
        changes, theta = tuple(f"k0 * {1 + 0.1 * i:.1f}" for i in range(count)), rates_of(rates, text)
        yield "conditions", count, Case(
            f"conditions{count}", ".net", text, theta, ("Xp0", "Xp3"), TIMES[::5], conditions=changes)  # fmt: skip
    for species in (10, 20, 40, 80) if quick else (10, 20, 40, 80, 160):
        text, rates = models.cycle(species, 8)
        yield "species", species, Case(f"species{species}", ".net", text, rates_of(rates, text), ("Z0", "Z9"), TIMES[::5])


def main() -> None:
    """Measure, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="shorter measurements of fewer sizes")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for grows, size, case in cases(chosen.quick):
            posterior, z = case.opened(Path(folder) / case.name)
            took = microseconds(posterior.evaluate, z, 0.5 if chosen.quick else 3.0)
            first = next((row["evaluate µs"] for row in rows if row["grows"] == grows), took)
            rows.append({"grows": grows, "to": size, "evaluate µs": took, "of the first": took / first})
    printed("Growth", rows)
    saved(chosen.json, "growth", rows)


if __name__ == "__main__":
    main()
