"""Value and gradient of PEtab problems, here and by pyPESTO with AMICI, in one process at equal tolerances.

    python -m benchmarks.against_pypesto [problem.yaml ...] [--quick] [--models DIR] [--json FILE]

Without problems, on those of `benchmarks.petab_one`. Both are held to the same relative and absolute tolerance; AMICI is
asked for its forward and for its adjoint sensitivities; the ratio is ours to the better of the two, and the last line the
geometric mean of the ratios. CPU microseconds of one call, medians of calls that alternate.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import bnfhmc
from benchmarks.petab_one import petab_problems
from benchmarks.tables import Row, printed, saved
from benchmarks.timing import points


def amici_objective(
    path: Path, adjoint: bool, rtol: float, atol: float, folder: Path
) -> tuple[Callable[[np.ndarray], Any], Any]:
    """(x → value and gradient by pyPESTO and AMICI, the importer of the problem)."""
    import petab.v1
    import pypesto.petab
    from amici.sim.sundials import SensitivityMethod

    problem = petab.v1.Problem.from_yaml(str(path))
    petab.v1.flatten_timepoint_specific_output_overrides(problem)  # AMICI takes no others
    name = "m" + "".join(c for c in path.parent.name if c.isalnum())
    importer = pypesto.petab.PetabImporter(problem, output_folder=str(folder / name), model_name=name)
    objective = importer.create_objective_creator().create_objective(verbose=False)
    solver = objective.amici_solver
    solver.set_relative_tolerance(rtol)
    solver.set_absolute_tolerance(atol)
    solver.set_sensitivity_method(SensitivityMethod.adjoint if adjoint else SensitivityMethod.forward)
    return lambda x: objective(x, sensi_orders=(0, 1)), importer


def measure(path: Path, seconds: float, folder: Path, clock: Callable[[], float] = time.thread_time) -> Row:
    """Ours, forward and adjoint on one problem."""
    problem = bnfhmc.load(path)
    posterior = bnfhmc.Posterior(problem)
    tolerances = next(iter(problem.models.values())).tolerances
    row: Row = {"problem": path.parent.name if path.stem == "problem" else path.stem, "parameters": posterior.dim,
                "experiments": len(posterior.experiments)}  # fmt: skip
    calls: dict[str, Callable[[np.ndarray], Any]] = {}
    try:
        calls["forward"], importer = amici_objective(path, False, tolerances.rtol, tolerances.atol, folder)
        calls["adjoint"], _ = amici_objective(path, True, tolerances.rtol, tolerances.atol, folder)
    except Exception as error:  # whatever pyPESTO or AMICI say of a problem that they do not take
        return row | {"said": f"{type(error).__name__}: {str(error).strip()[:70]}"}
    petab = importer.petab_problem
    scale = dict(zip(petab.parameter_df.index, petab.parameter_df.get("parameterScale", ["lin"] * 1000), strict=False))
    nominal = dict(zip(petab.parameter_df.index, petab.parameter_df["nominalValue"], strict=True))
    z0 = posterior.z_from_u(posterior.u_from_theta({n: nominal[n] for n in posterior.names}))
    scaled = {"lin": float, "log10": np.log10, "log": np.log}
    taken: dict[str, list[float]] = {"bnfhmc": [], "forward": [], "adjoint": []}
    end, apart, failed = time.perf_counter() + seconds, 0.0, 0
    for at in points(z0, width=1e-3):
        u = posterior.u_from_z(at)
        theta = dict(zip(posterior.names, posterior.theta_from_u(u).tolist(), strict=True))
        x = np.array([scaled[scale[n]](theta.get(n, nominal[n])) for n in petab.x_ids])
        seconds_of: dict[str, float] = {}
        start = clock()
        sound = posterior.evaluate(at).status == "ok"
        seconds_of["bnfhmc"] = clock() - start
        for name, call in calls.items():
            start = clock()
            value, gradient = call(x)
            seconds_of[name] = clock() - start
            sound = sound and bool(np.isfinite(gradient).all())
        if not sound:
            failed += 1  # of somebody
        else:
            apart = max(apart, abs(value + float(np.sum(posterior.pointwise(u)))))
            for name, took in seconds_of.items():
                taken[name].append(took)
        if time.perf_counter() > end and (len(taken["bnfhmc"]) >= 5 or failed > 100):
            break
    found = {name: 1e6 * float(np.median(t or [np.nan])) for name, t in taken.items()}
    best = min(found["forward"], found["adjoint"])
    row |= {f"{name} µs": t for name, t in found.items()}
    return row | {"ratio": found["bnfhmc"] / best, "log p apart": apart, "failed": failed}


def main() -> None:
    """Measure, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("problems", nargs="*", type=Path)
    parser.add_argument("--quick", action="store_true", help="a second for each problem instead of five")
    parser.add_argument("--models", type=Path, help="a folder that keeps what AMICI compiles, for the next time")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    if missing := [name for name in ("pypesto", "amici") if find_spec(name) is None]:
        print(f"{' and '.join(missing)} not installed (pip install pypesto 'amici[petab]', which need swig and BLAS): skipped")
        return
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        problems = chosen.problems or petab_problems(Path(folder))
        kept = chosen.models or Path(folder) / "amici"
        rows = [measure(path, 1.0 if chosen.quick else 5.0, kept) for path in problems]
    ratios = [row["ratio"] for row in rows if np.isfinite(row.get("ratio", np.nan))]
    if ratios:
        rows.append({"problem": "geometric mean", "ratio": float(np.exp(np.mean(np.log(ratios))))})
    printed("Against pyPESTO with AMICI", rows)
    saved(chosen.json, "against_pypesto", rows)


if __name__ == "__main__":
    main()
