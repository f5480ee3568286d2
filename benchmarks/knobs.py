"""What the settings of a model's line are worth: the price of an evaluation, and how far its gradient is off.

    python -m benchmarks.knobs [--quick] [--json FILE] [case ...]

"price" is CPU time over that with the defaults, in the median of evaluations that alternate; "error" is the median of
‖∇ − ∇*‖/‖∇*‖, where ∇* is the gradient with tolerances of 1e-12.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import islice
from pathlib import Path

import numpy as np

import bnfhmc
from benchmarks.cases import Case, overhead_cases
from benchmarks.tables import Row, printed, saved
from benchmarks.timing import points

CASES = ("robertson", "repressilator", "infusion", "receptor", "knockdowns", "ring60")
EXACT = "rtol: 1e-12, atol: 1e-14"
KNOBS = {
    "defaults": "",
    "rtol, atol 1e-6": "rtol: 1e-6, atol: 1e-6",
    "error control off": "sensitivity_error_control: off",
    "gradient at 1e-6": "gradient_rtol: 1e-6, gradient_atol: 1e-6",
    "both": "gradient_rtol: 1e-6, gradient_atol: 1e-6, sensitivity_error_control: off",
    "staggered": "sensitivity_method: staggered",
}


def opened(case: Case, folder: Path, said: str) -> bnfhmc.Posterior:
    """The case's posterior with this said on the model's line."""
    line = f"model: model{case.suffix}"
    path = folder / "said.conf"
    path.write_text(case.conf().replace(line, f"{line}, {said}" if said else line))
    return bnfhmc.Posterior(bnfhmc.load(path))


def measure(case: Case, folder: Path, count: int) -> Row:
    """Price and error of each setting."""
    _, z = case.opened(folder)
    exact = opened(case, folder, EXACT)
    posteriors = {name: opened(case, folder, said) for name, said in KNOBS.items()}
    taken: dict[str, list[float]] = {name: [] for name in KNOBS}
    errors: dict[str, list[float]] = {name: [] for name in KNOBS}
    order = list(posteriors.items())
    for at in islice(points(z), count + 2):
        truth = exact.evaluate(at).grad
        order.append(order.pop(0))  # the first one finds the caches full of another's numbers
        for name, posterior in order:
            start = time.thread_time()
            grad = posterior.evaluate(at).grad
            taken[name].append(time.thread_time() - start)
            errors[name].append(float(np.linalg.norm(grad - truth) / np.linalg.norm(truth)))
    usual = np.median(taken["defaults"][2:])
    row: Row = {"case": case.name}
    for name in KNOBS:
        row |= {name: f"{np.median(taken[name][2:]) / usual:.2f} / {np.median(errors[name]):.0e}"}
    return row


def main() -> None:
    """Measure, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--quick", action="store_true", help="five evaluations of each instead of thirty")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            measure(case, Path(folder) / case.name, 5 if chosen.quick else 30)
            for case in overhead_cases() if case.name in (chosen.cases or CASES)
        ]  # fmt: skip
    printed("Settings of a model: price / error of the gradient", rows)
    saved(chosen.json, "knobs", rows)


if __name__ == "__main__":
    main()
