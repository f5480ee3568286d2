"""Many starts by bnfhmc and by PyBNF on the same configurations, side by side in one process on one core.

    python -m benchmarks.optimizers_pybnf [FILE.conf|FILE.yaml ...] [--starts 10] [--seconds 60] [--json FILE]

A PEtab problem is converted first. Without files: models of the other benchmarks with data made by them. Every prior is made
uniform within its bounds, since PyBNF's optimizers minimise the likelihood alone; then both look for the same minimum.

PyBNF runs its `trf`, or where that refuses the loss its `gntr`, then its `lbfgs`; it is asked as its own run loop asks it, but
in this process, so without the price of its scheduler. `--seconds`: of CPU, after which PyBNF's starts are left as they are.
Printed for each: the least loss found, starts within 0.1 of the least that either found, solves, starts that ended, and CPU
seconds from the first start on, models read and compiled before. Both losses leave out the constants of known noise.
Type OPENBLAS_NUM_THREADS=1 before the command.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import shutil
import tempfile
import time
from collections import deque
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import bnfhmc
from benchmarks.cases import overhead_cases
from benchmarks.models import antimony
from benchmarks.tables import Row, printed, saved

CASES = ("decay", "enzyme", "robertson", "receptor")
NEAR = 0.1
PYBNF = {"trf": "TRFAlgorithm", "gntr": "GNTRAlgorithm", "lbfgs": "LBFGSAlgorithm"}
OURS = ("fit_type", "job_type", "output_dir", "verbosity", "population_size", "num_warmup", "num_samples", "target_accept")


@dataclass(frozen=True)
class Found:
    """What one program found: the loss of each start at its end (inf where it has none), and what that took."""

    method: str
    losses: tuple[float, ...]
    ended: int
    solves: int
    seconds: float


def ours(path: Path, starts: int, seed: int) -> Found:
    """The multistart of `fit_type = map`."""
    posterior = bnfhmc.Posterior(bnfhmc.load(path))
    began = time.process_time()
    fit = bnfhmc.optimize(posterior, starts=starts, random_seed=seed, cores=1)
    seconds = time.process_time() - began
    log_prior = fit.log_posterior + fit.loss
    losses = tuple(s.value + log_prior for s in fit.starts)
    return Found(fit.method, losses, sum(s.converged for s in fit.starts), fit.evaluations, seconds)


def theirs(path: Path, starts: int, seed: int, limit: float) -> tuple[Found | None, dict[str, str]]:
    """PyBNF's first method that takes the configuration; and what those before it say."""
    refused: dict[str, str] = {}
    for method in PYBNF:
        try:
            return _run(_opened(path, method, starts, seed), method, limit), refused
        except Exception as error:  # whatever PyBNF says of a problem that it does not take
            refused[method] = f"{type(error).__name__}: {' '.join(str(error).split())[:110]}"
    return None, refused


def _opened(path: Path, method: str, starts: int, seed: int) -> Any:
    """PyBNF's optimizer of a configuration, its models read and its gradients prepared."""
    import_module("tests.oracles.pybnf_oracle")  # which tells PyBNF where BioNetGen is
    from pybnf import printing
    from pybnf.config import Configuration
    from pybnf.parse import ploop

    printing.verbosity = 0
    output = path.parent / f"pybnf_{method}"
    (output / "Results").mkdir(parents=True, exist_ok=True)
    text = path.read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if not line.strip().startswith(OURS)]
    if not re.search(r"^(objective|objfunc)\b|^noise_model\s*=", text, re.MULTILINE):
        kept.append("noise_model = normal, sigma = fix_at 1")  # it wants one for all, though each observable has its own
    kept += [f"job_type = {method}", f"output_dir = {output}", f"population_size = {starts}", "max_iterations = 500",
             "sbml_backend = bngsim", "verbosity = 0", f"random_seed = {seed}"]  # fmt: skip
    here = Path.cwd()
    os.chdir(path.parent)  # it looks for files from where it runs
    try:
        config = Configuration(ploop([f"{line}\n" for line in kept]))
        return getattr(import_module(f"pybnf.algorithms.optimizers.{method}"), PYBNF[method])(config)
    finally:
        os.chdir(here)


def _run(fit: Any, method: str, limit: float) -> Found:
    waiting = deque(fit.start_run())
    first = _solved(fit, waiting[0])
    if first.simdata is not None:  # says what is wrong with the data, which the run loop would only count as failures
        first.normalize(fit.config.config["normalization"])
        fit.objective.evaluate_multiple(first.simdata, fit.exp_data, first.pset, fit.config.constraints)
    losses, ended, solves, began = np.full(len(fit.runners), np.inf), 0, 0, time.process_time()
    while waiting and time.process_time() - began < limit:
        point = waiting.popleft()
        start = fit.pending[point.name]
        result = _solved(fit, point)
        fit.add_to_trajectory(result)
        solves += 1
        losses[start] = min(losses[start], result.score)
        more = fit.got_result(result)
        ended += more == "STOP" or not more
        waiting.extend([] if more == "STOP" else more)
    return Found(method, tuple(losses.tolist()), ended, solves, time.process_time() - began)


def _solved(fit: Any, point: Any) -> Any:
    """One job of PyBNF: its models at a point; a failed one has the score inf, as in its own run loop."""
    from subprocess import CalledProcessError, TimeoutExpired

    from pybnf.algorithms.core import FailedSimulation, Result
    from pybnf.pset import FailedSimulationError

    settings, solved = fit.config.config, {}
    try:
        for model in fit.model_list:
            copy = model.copy_with_param_set(point)
            copy._pybnf_replicate_index = 0
            copy._pybnf_stochastic_seed_policy = settings["stochastic_seed"]
            solved[model.name] = copy.execute(settings["output_dir"], model.name, settings["wall_time_sim"])
    except (FailedSimulationError, CalledProcessError, TimeoutExpired):
        failed = FailedSimulation(point, point.name, 1)
        failed.score = np.inf
        return failed
    return Result(point, solved, point.name)


def prepared(source: Path, folder: Path) -> Path:
    """A configuration in a folder of its own, with uniform priors, no starting values, and no words that PyBNF lacks."""
    if source.suffix in (".yaml", ".yml"):
        from bnfhmc.write.convert import convert

        convert(source, folder)
        path = folder / "fit.conf"
    else:
        shutil.copytree(source.parent, folder)
        path = folder / source.name
    text = re.sub(r", (description|unit|initial_value): [^,\n]*", "", path.read_text(encoding="utf-8"))
    text = re.sub(r"^(parameter: [^,]+), prior: [^\n]*?(, parameter_scale: \w+)[^\n]*?(, lower: [^,\n]+, upper: [^,\n]+)",
                  r"\1\2\3", text, flags=re.MULTILINE)  # fmt: skip
    path.write_text(text, encoding="utf-8")
    return path


def made(folder: Path) -> list[Path]:
    """The self-made problems, as PyBNF reads them."""
    found = []
    for case in overhead_cases():
        if case.name in CASES:
            # of Antimony PyBNF has species and no functions
            case = replace(case, bounded=True, observed=tuple(o for o in case.observed if o != "turnover"))
            if case.suffix == ".net":
                case = replace(case, suffix=".ant", text=antimony(case.text))
            found.append(case.write(folder / case.name))
    return found


def rows(path: Path, starts: int, seed: int, limit: float) -> list[Row]:
    """Both on one configuration."""
    mine = ours(path, starts, seed)
    other, refused = theirs(path, starts, seed, limit)
    best = min(min(found.losses) for found in (mine, other) if found is not None)
    out: list[Row] = []
    for program, found in (("bnfhmc", mine), ("PyBNF", other)):
        said = "" if program == "bnfhmc" else "; ".join(f"no {m}: {why}" for m, why in refused.items())
        row: Row = {"problem": path.parent.name, "program": program, "method": "none", "best loss": "", "near": "", "ended": "",
                    "solves": "", "CPU s": ""}  # fmt: skip
        if found is not None:
            near = sum(loss < best + NEAR for loss in found.losses)
            row |= {"method": found.method, "best loss": f"{min(found.losses):.3f}", "near": f"{near} of {starts}",
                    "ended": f"{found.ended} of {starts}", "solves": str(found.solves),
                    "CPU s": f"{found.seconds:.1f}"}  # fmt: skip
        out.append(row | {"refused": said})
    return out


def main() -> None:
    """Measure, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60.0, help="CPU seconds that PyBNF may take for a problem")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    if find_spec("pybnf") is None:
        print("PyBNF is not installed (pip install 'bnfhmc[test]'): skipped")
        return
    logging.disable(logging.CRITICAL)
    table: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        sources = chosen.problems or made(Path(folder) / "made")
        for k, source in enumerate(sources):
            path = prepared(source.resolve(), Path(folder) / str(k) / source.stem)
            table += rows(path, chosen.starts, chosen.seed, chosen.seconds)
            printed(f"{chosen.starts} starts", table[-2:])
    saved(chosen.json, "optimizers_pybnf", table)


if __name__ == "__main__":
    main()
