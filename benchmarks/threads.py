"""What a second thread is worth: over the conditions of one evaluation, over chains, and over the starts of a fit.

    python -m benchmarks.threads [--quick] [--threads N] [--starts 100] [--json FILE]

Evaluations a second of wall time with one thread and with N, and their ratio; so it needs N idle cores. Of a fit, whose starts
are in N processes, these are all its solves, screening, polish and what is done after it included; the fits of one and of N are
the same to the last bit. CPU: the seconds of N over those of one, 1 where nothing is lost but by waiting for a core.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import threading
import time
from itertools import islice
from pathlib import Path

import numpy as np

import bnfhmc
from benchmarks.cases import Case, overhead_cases
from benchmarks.tables import Row, printed, saved
from benchmarks.timing import points


def rate(posteriors: list[bnfhmc.Posterior], z: np.ndarray, count: int) -> float:
    """Evaluations a second by as many chains as there are posteriors, `count` evaluations each."""
    places = [list(islice(points(z, seed), count)) for seed in range(len(posteriors))]
    ready = threading.Barrier(len(posteriors) + 1)

    def chain(posterior: bnfhmc.Posterior, mine: list[np.ndarray]) -> None:
        ready.wait()
        for at in mine:
            posterior.evaluate(at)

    chains = [threading.Thread(target=chain, args=pair) for pair in zip(posteriors, places, strict=True)]
    for thread in chains:
        thread.start()
    ready.wait()
    start = time.perf_counter()
    for thread in chains:
        thread.join()
    return count * len(posteriors) / (time.perf_counter() - start)


def measure(case: Case, folder: Path, threads: int, seconds: float) -> list[Row]:
    """Both ways of taking more threads, rounds of one thread and of several in turn."""
    alone, z = case.opened(folder)
    pooled = bnfhmc.Posterior(alone.problem, threads)
    clones = [alone.clone() for _ in range(threads)]
    for posterior in (alone, pooled, *clones):
        for at in islice(points(z), 3):
            posterior.evaluate(at)
    count = max(3, int(seconds / 8 * rate([alone], z, 3)))
    rates: dict[str, list[float]] = {"one": [], "conditions": [], "chains": []}
    for _ in range(4):
        rates["one"].append(rate([alone], z, count))
        rates["conditions"].append(rate([pooled], z, count))
        rates["chains"].append(rate(clones, z, count))
    found = {kind: float(np.median(values)) for kind, values in rates.items()}
    return [
        {"case": case.name, "over": kind, "threads": threads, "one /s": found["one"], f"{threads} /s": found[kind],
         "ratio": found[kind] / found["one"]}
        for kind in ("conditions", "chains")
    ]  # fmt: skip


def fits(case: Case, folder: Path, threads: int, starts: int) -> Row:
    """Whole fits from so many starts, in turn with one thread and with several."""
    posterior, _ = case.opened(folder)
    rates: dict[int, list[float]] = {1: [], threads: []}
    cpu: dict[int, list[float]] = {1: [], threads: []}
    found = set()
    for _ in range(2):
        for cores, kept in rates.items():
            began, used = time.perf_counter(), cpu_seconds()
            fit = bnfhmc.optimize(posterior, starts=starts, random_seed=1, cores=cores)
            kept.append(fit.evaluations / (time.perf_counter() - began))
            cpu[cores].append(cpu_seconds() - used)
            found.add((fit.log_posterior, fit.evaluations))
    if len(found) > 1:
        raise RuntimeError(f"the number of threads has changed the fit: {found}")
    one, several = (float(np.max(kept)) for kept in rates.values())
    return {"case": case.name, "over": f"{starts} starts", "threads": threads, "one /s": one, f"{threads} /s": several,
            "ratio": several / one, "CPU": min(cpu[threads]) / min(cpu[1])}  # fmt: skip


def cpu_seconds() -> float:
    """Those of this process and of the ones it has waited for."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def main() -> None:
    """Measure, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="a shorter measurement")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--starts", type=int, default=100)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for case in (c for c in overhead_cases() if c.name in ("receptor", "knockdowns")):
            if case.name == "receptor":  # before there are other threads, beside which nothing is forked
                rows.append(fits(case, Path(folder) / "fits", chosen.threads, 20 if chosen.quick else chosen.starts))
            rows += measure(case, Path(folder) / case.name, chosen.threads, 4.0 if chosen.quick else 20.0)
    printed("Threads", rows)
    saved(chosen.json, "threads", rows)


if __name__ == "__main__":
    main()
