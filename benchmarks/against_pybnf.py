"""Loss and gradient of one configuration, here and by PyBNF in the same process.

    python -m benchmarks.against_pybnf [--quick] [--json FILE] [case ...]

PyBNF is asked as its own optimizers ask it, without its scheduler: a copy of the model with the parameters, the solve with
its sensitivities, the score, the gradient. Wall microseconds of one call, medians of calls that alternate with ours.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.cases import Case, overhead_cases
from benchmarks.models import antimony
from benchmarks.tables import Row, printed, saved
from benchmarks.timing import points


def measure(case: Case, folder: Path, seconds: float) -> Row:
    """Both on the case, in turn; where PyBNF refuses it, its first words."""
    from tests.oracles.pybnf_oracle import Oracle

    case = replace(case, bounded=True)  # as PyBNF's optimizers want it
    if case.suffix == ".net":  # which PyBNF does not read
        case = replace(case, suffix=".ant", text=antimony(case.text))
    posterior, z = case.opened(folder)
    try:
        oracle = Oracle(case.conf(), folder)
        oracle.at(case.theta)
    except Exception as error:  # whatever PyBNF says of a case that it does not take
        return {"case": case.name, "what": case.what, "PyBNF": f"{type(error).__name__}: {str(error).strip()[:60]}"}
    ours, theirs, apart = [], [], 0.0
    end = time.perf_counter() + seconds
    for at in points(z):
        u = posterior.u_from_z(at)
        theta = dict(zip(posterior.names, posterior.theta_from_u(u).tolist(), strict=True))
        start = time.perf_counter()
        posterior.evaluate(at)
        middle = time.perf_counter()
        answer = oracle.at(theta)
        theirs.append(time.perf_counter() - middle)
        ours.append(middle - start)
        gradient = posterior.loss_gradient(u)
        apart = max(apart, float(np.linalg.norm(answer.gradient - gradient) / np.linalg.norm(gradient)))
        if time.perf_counter() > end and len(ours) >= 5:
            break
    a, b = 1e6 * float(np.median(ours)), 1e6 * float(np.median(theirs))
    return {"case": case.name, "what": case.what, "bnfhmc µs": a, "PyBNF µs": b, "ratio": b / a, "gradients apart": apart}


def main() -> None:
    """Measure, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--quick", action="store_true", help="a second for each case instead of five")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    if find_spec("pybnf") is None:
        print("PyBNF is not installed (pip install 'bnfhmc[test]'): skipped")
        return
    logging.disable(logging.WARNING)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for case in overhead_cases():
            if not chosen.cases or case.name in chosen.cases:
                rows.append(measure(case, Path(folder) / case.name, 1.0 if chosen.quick else 5.0))
    printed("Against PyBNF, in one process", rows)
    saved(chosen.json, "against_pybnf", rows)


if __name__ == "__main__":
    main()
