"""How well many starts find the best fit of PEtab problems, and what that costs.

    python benchmarks/optimizers.py Boehm.yaml=138.222 Crauste.yaml=190.965 [--starts 20] [--seeds 1 2 3] [--method map]

A problem may be followed by ``=`` and the best negative log likelihood known of it. Printed for each seed: the best negative
log likelihood found, how many starts came within 0.1 of the best (known or found, whichever is lower), solves, and CPU seconds
of the whole fit on one core, screening and polish included. Where none is known, near the best found is counted.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

HEAD = ("problem", "method", "seed", "parameters", "nllh", "near best", "evaluations", "gradients", "failed", "CPU s")


def main() -> None:
    """Fit each problem with each seed, a row of the table at a time."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("problems", nargs="+", metavar="FILE.yaml[=NLLH]")
    asked.add_argument("--starts", type=int, default=20)
    asked.add_argument("--seeds", type=int, nargs="+", default=[1])
    asked.add_argument("--method", nargs="+", default=["map"])
    asked.add_argument("--max-evaluations", type=int)
    asked.add_argument("--folder", type=Path, help="keep each fit there as JSON")
    asked.add_argument("--table", action="store_true", help="print the table of starts too")
    given = asked.parse_args()
    print("| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD), flush=True)
    for problem in given.problems:
        path, _, known = problem.partition("=")
        for method in given.method:
            for seed in given.seeds:
                row(Path(path), float(known) if known else None, method, seed, given)


def row(path: Path, known: float | None, method: str, seed: int, given: argparse.Namespace) -> None:
    """Fit once and print it."""
    import bnfhmc

    posterior = bnfhmc.Posterior(bnfhmc.load(path))
    began = time.process_time()
    fit = bnfhmc.optimize(posterior, method, starts=given.starts, random_seed=seed, cores=1,
                          max_evaluations=given.max_evaluations)  # fmt: skip
    seconds = time.process_time() - began
    constant = -float(posterior.pointwise(fit.u).sum()) - fit.loss
    nllh = fit.loss + constant
    log_prior = fit.log_posterior + fit.loss
    best = min(nllh, known) if known is not None else nllh
    near = sum(s.value + constant + log_prior < best + 0.1 for s in fit.starts)
    failed = sum(fit.failures.values())
    cells = (path.stem, fit.method, seed, len(fit.names), f"{nllh:.3f}", f"{near} of {len(fit.starts)}", fit.evaluations,
             fit.gradients, failed, f"{seconds:.1f}")  # fmt: skip
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    if given.folder is not None:
        given.folder.mkdir(parents=True, exist_ok=True)
        (given.folder / f"{path.stem}_{method}_{seed}.json").write_text(fit.to_json())
    if given.table:
        print(fit.table, *fit.sentences, sep="\n", flush=True)


if __name__ == "__main__":
    main()
