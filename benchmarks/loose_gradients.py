"""What gradients at a looser tolerance are worth, when draws are accepted by the accurate value.

    python benchmarks/loose_gradients.py [--case NAME ...] [--method NAME ...] [--draws N] [--seed N] [--json FILE]

Cases: lotka-volterra, michaelis-menten (`sampler_cases`). Four chains on one core, from the modes; search, starts, warm-up and
sampling are counted. "tolerance" is that of the solves with sensitivities, relative and absolute; values have the default.
"accepted" is the mean acceptance of both steps, and "gain" the effective draws a CPU second over those of the first row.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import sampler_cases
from tables import Row, printed, saved

import bnfhmc
from bnfhmc.report.quiet_arviz import load_arviz
from bnfhmc.samplers.chains import run_chains
from bnfhmc.samplers.methods import make_kernel
from bnfhmc.samplers.posterior_target import as_target

TOLERANCES = (None, 1e-6, 1e-5, 1e-4, 1e-3)
METHODS = ("hmc", "nuts", "mala")


def at_tolerance(path: Path, tolerance: float | None) -> Path:
    """The configuration with this tolerance of solves with sensitivities, beside the other one."""
    if tolerance is None:
        return path
    text = path.read_text().replace(".net\n", f".net, gradient_rtol: {tolerance}, gradient_atol: {tolerance}\n", 1)
    out = path.with_name(f"{path.stem}_{tolerance:g}.conf")
    out.write_text(text)
    return out


def measured(path: Path, method: str, tolerance: float | None, options: argparse.Namespace) -> Row:
    """A row of the table."""
    target = as_target(bnfhmc.Posterior(bnfhmc.load(at_tolerance(path, tolerance))))
    draws = options.draws * (3 if method == "mala" else 1)
    began = time.process_time()
    made = run_chains(
        make_kernel(method), target, num_samples=draws, random_seed=options.seed, cores=1, check_gradient=False, start="map",
        accept_by="gradient" if tolerance is None else "value",
    )  # fmt: skip
    spent = time.process_time() - began
    az = load_arviz()
    data = az.convert_to_dataset(made.z)
    ess = float(az.ess(data, method="bulk").x.values.min())
    tallies = [t for chain in made.chains for t in (chain.starting, chain.warmup, chain.sampling)]
    return {
        "method": method,
        "tolerance": "default" if tolerance is None else f"{tolerance:g}",
        "ESS": ess,
        "R-hat": f"{float(az.rhat(data).x.values.max()):.3f}",
        "gradients": made.search.gradients + sum(t.gradients for t in tallies),
        "values": sum(t.values for t in tallies),
        "accepted": float(np.mean(made.stats["acceptance_rate"])),
        "CPU s": spent,
        "ESS/CPU s": ess / spent,
    }


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", action="append", choices=list(sampler_cases.CASES))
    parser.add_argument("--method", action="append", choices=METHODS)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    everything: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for case in options.case or ["lotka-volterra"]:
            path = sampler_cases.CASES[case](Path(folder) / case)
            rows: list[Row] = []
            for method in options.method or METHODS:
                first = 0.0
                for tolerance in TOLERANCES:
                    row = measured(path, method, tolerance, options)
                    first = first or row["ESS/CPU s"]
                    rows.append(row | {"gain": row["ESS/CPU s"] / first})
                    print(*(f"{k} {v}" for k, v in rows[-1].items()), sep=", ", file=sys.stderr, flush=True)
            printed(case, rows)
            everything += [{"case": case, **row} for row in rows]
            saved(options.json, "loose_gradients", everything)


if __name__ == "__main__":
    main()
