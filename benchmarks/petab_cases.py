"""The PEtab test suite and published problems: `bnfhmc petab-score` on each, held to the reference numbers.

    python benchmarks/petab_cases.py [--v2 DIR] [--problems DIR] [-o docs/petab-cases.md]

The cases of PEtab 1 are those of the installed package petabtests; DIR of ``--v2`` holds cases of PEtab 2 in the same form
(NNNN/_NNNN.yaml, _NNNN_solution.yaml), DIR of ``--problems`` one folder a problem, NAME/NAME.yaml. Ends with 1 where a case
fails that has no reason.

Values are compared within the tolerances of the case, simulations measurement by measurement. Gradients are compared with
central differences as `bnfhmc.samplers.gradient_check` has them, of a model solved to 1e-12: ∂llh/∂θ at the nominal values,
and ∂log π/∂z there and at two places nearby. The gradient that petab-score prints, of a model solved to 1e-8, has to
be near that.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import bnfhmc
from bnfhmc.model import load_model
from bnfhmc.model.protocol import Failure, Model
from bnfhmc.posterior import Evaluation, Posterior
from bnfhmc.report.check.trial import first_place
from bnfhmc.samplers.gradient_check import Slope, Verdict, compare_gradient
from bnfhmc.samplers.starts import prior_spread

# What each case is about.
FEATURES_1 = {
    "0001": "one condition",
    "0002": "two conditions that set an initial value",
    "0003": "observable parameters as numbers in the measurement table",
    "0004": "observable parameters of the parameter table",
    "0005": "a parameter of an observable set by conditions",
    "0006": "observable parameters that differ between times",
    "0007": "log10-normal noise",
    "0008": "replicates",
    "0009": "pre-equilibration",
    "0010": "pre-equilibration, one species set again",
    "0011": "a species with an initial assignment, set by a condition",
    "0012": "the size of a compartment set by a condition",
    "0013": "a species with an initial assignment, set to a parameter",
    "0014": "two noise parameters as numbers",
    "0015": "an estimated noise parameter",
    "0016": "ln-normal noise",
    "0017": "pre-equilibration, one species left alone by NaN",
    "0018": "pre-equilibration and rate rules, one species left alone by NaN",
}
FEATURES_2 = FEATURES_1 | {
    "0007": "log-normal noise",
    "0016": "a species and a compartment set at a later time, and an event that resizes the compartment",
    "0017": "pre-equilibration, one species left alone",
    "0018": "pre-equilibration and rate rules, measured from time 10",
    "0020": "initial values set to an estimated and to a fixed parameter",
}
# llh at the nominal values by an independent implementation, within 1e-3; and what each problem has.
PUBLISHED = {
    "Boehm_JProteomeRes2014": (-138.2219969, "9 parameters, 48 measurements; estimated σ"),
    "Crauste_CellSystems2017": (-190.9652190, "12 parameters, 21 measurements; nearly infinite in finite time"),
    "Elowitz_Nature2000": (63.2027999, "21 parameters, 58 measurements; log10-normal noise"),
    "Fiedler_BMCSystBiol2016": (58.5839016, "22 parameters, 72 measurements; piecewise inputs, overrides by measurement"),
    "Zheng_PNAS2012": (278.3335327, "46 parameters, 60 measurements; pre-equilibration"),
}
# Why a case cannot pass, by (suite, case).
REASONS: Mapping[tuple[str, str], str] = {
    ("published", "Crauste_CellSystems2017"): "the reference is 1.2e-3 from -190.963977575745, which Taylor series of 40 "
    "digits give for llh; bnfhmc is 4e-5 from that at a tolerance of 1e-8, and less than 1e-8 at 1e-12",
}
# What the gradient at the default tolerance may differ from an exact one: of the slope that changes llh by 1 over w.
NEAR = 0.01
# How far from the nominal values the posterior gradient is looked at too, in widths of the priors.
NEIGHBOUR = 0.02


@dataclass(frozen=True)
class Expected:
    """The reference of a case: numbers, tolerances, and the simulations in the order of the measurement table."""

    llh: float
    tol_llh: float
    chi2: float | None = None
    tol_chi2: float = 0.0
    simulations: Sequence[float] = ()
    tol_simulations: float = 0.0


@dataclass(frozen=True)
class Case:
    """A problem to score: `path` of its YAML."""

    suite: str
    name: str
    feature: str
    path: Path
    expected: Expected


@dataclass(frozen=True)
class Cell:
    """One thing compared: what is printed, and whether it agrees."""

    text: str
    ok: bool


def main() -> int:
    """Run every case, print and write the table."""
    parser = argparse.ArgumentParser(description="The PEtab test suite and published problems, as a table.")
    parser.add_argument("--v2", type=Path, metavar="DIR", help="cases of PEtab 2")
    parser.add_argument("--problems", type=Path, metavar="DIR", help="published problems, one folder each")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the page here (docs/petab-cases.md)")
    args = parser.parse_args()
    tables: list[tuple[str, list[str]]] = []
    failed = 0
    for title, cases in suites(args.v2, args.problems):
        lines = list(HEADER)
        for case in cases:
            cells, why = examine(case)
            passed = all(c.ok for c in cells)
            failed += not passed and (case.suite, case.name) not in REASONS
            lines.append(row(case, cells, why))
            print(lines[-1], flush=True)
        tables.append((title, lines))
    if args.output is not None:
        args.output.write_text(page(tables, args), encoding="utf-8")
    return 1 if failed else 0


def suites(v2: Path | None, problems: Path | None) -> Iterator[tuple[str, list[Case]]]:
    """The tables' titles and cases."""
    spec = find_spec("petabtests")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("petabtests is not installed: pip install petabtests")
    v1 = Path(spec.submodule_search_locations[0]) / "cases" / "v1.0.0" / "sbml"
    yield f"PEtab 1 (petabtests {version('petabtests')}, SBML)", list(official("1", v1, FEATURES_1))
    if v2 is not None:
        yield "PEtab 2 (SBML)", list(official("2", v2, FEATURES_2))
    if problems is not None:
        found = [(p.name, p / f"{p.name}.yaml") for p in sorted(problems.iterdir()) if p.name in PUBLISHED]
        yield "Published problems", [
            Case("published", name, PUBLISHED[name][1], path, Expected(PUBLISHED[name][0], 1e-3)) for name, path in found
        ]


def official(suite: str, folder: Path, features: Mapping[str, str]) -> Iterator[Case]:
    """The cases of a folder of the test suite."""
    for of in sorted(p for p in folder.iterdir() if p.name.isdigit()):
        said = yaml.safe_load((of / f"_{of.name}_solution.yaml").read_text())
        simulations = [float(r["simulation"]) for f in said["simulation_files"] for r in table(of / f)]
        expected = Expected(said["llh"], said["tol_llh"], said["chi2"], said["tol_chi2"], simulations, said["tol_simulations"])
        yield Case(suite, of.name, features.get(of.name, ""), of / f"_{of.name}.yaml", expected)


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a table by column."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def examine(case: Case) -> tuple[list[Cell], str]:
    """What is compared, and why the case fails where it does."""
    done = subprocess.run(
        [sys.executable, "-m", "bnfhmc", "petab-score", str(case.path)], capture_output=True, text=True, check=False
    )
    score = json.loads(done.stdout)
    if score["status"] != "ok":
        said = "; ".join(e["what"] for e in score["errors"])
        return [Cell("", False)] * 5, f"{score['status']}: {said}"
    e = case.expected
    cells = [within(score["llh"], e.llh, e.tol_llh)]
    cells.append(Cell("", True) if e.chi2 is None else within(score["chi2"], e.chi2, e.tol_chi2))
    simulated = [s["simulation"] for s in score["simulations"]]
    if not e.simulations:
        cells.append(Cell("", True))
    elif len(simulated) != len(e.simulations):
        cells.append(Cell(f"{len(simulated)} of {len(e.simulations)}", False))
    else:
        away = [within(a, b, e.tol_simulations) for a, b in zip(simulated, e.simulations, strict=True)]
        cells.append(max(away, key=lambda c: (not c.ok, float(c.text))))
    posterior = Posterior(bnfhmc.load(case.path, load_model=tightly))
    theta = {name: at["theta"] for name, at in score["parameters"].items()}
    cells.append(theta_gradient(posterior, theta, score["gradient"]["llh"]))
    cells.append(posterior_gradient(posterior))
    return cells, REASONS.get((case.suite, case.name), "")


def tightly(path: Path, **options: Any) -> Model:
    """A model whose solves are exact enough for difference quotients of flat directions."""
    return load_model(path, **options | {"rtol": 1e-12, "atol": 1e-14, "timeout_s": 10.0})


def theta_gradient(posterior: Posterior, theta: Mapping[str, float], found: Mapping[str, float]) -> Cell:
    """∂llh/∂θ of an exactly solved model beside central differences, and what `petab-score` found beside that.

    Steps are in units of w = 1/√F_ii, F the Fisher information, over which llh falls by about ½: where it is flat, of θ.
    """
    at = np.array([theta[n] for n in posterior.names])

    def evaluate(x: np.ndarray) -> Evaluation:
        values = dict(zip(posterior.names, x.tolist(), strict=True))
        total = 0.0
        for like in posterior.experiments:
            solved = like.solve(values, False)
            total += -math.inf if isinstance(solved, Failure) else float(like.pointwise(solved).sum())
        return Evaluation(total, np.zeros(at.size), "ok" if math.isfinite(total) else "nonfinite")

    solved: list[Any] = [like.solve(theta, True) for like in posterior.experiments]
    slope = -np.sum([like.loss_gradient(s)[1] for like, s in zip(posterior.experiments, solved, strict=True)], axis=0)
    F = np.sum([like.fisher(s) for like, s in zip(posterior.experiments, solved, strict=True)], axis=0)
    widest = np.where(at == 0.0, 0.1, np.abs(at))
    width = np.minimum(widest, 1.0 / np.sqrt(np.maximum(np.diag(F), widest**-2)))
    here = Evaluation(evaluate(at).logp, slope, "ok")
    cell = verdicts(compare_gradient(evaluate, posterior.names, at, here, scale=width, rtol=posterior.rtol).slopes)
    away = np.abs(slope - [found[n] for n in posterior.names]) * width
    allowed = NEAR * np.maximum(1.0, np.abs(slope) * width)
    beside = [n for n, far in zip(posterior.names, away > allowed, strict=True) if far]
    return Cell(", ".join([cell.text, *(f"{n} differs at 1e-8" for n in beside)]), cell.ok and not beside)


def posterior_gradient(posterior: Posterior) -> Cell:
    """∂log π/∂z beside central differences, at the nominal values and at two places around them, which a seed fixes.

    A nominal value on or near a bound, where z is far out and π flat, is replaced by the prior's median where that can be
    solved.
    """
    spread, middle = prior_spread(posterior), first_place(posterior, "prior").z
    given = first_place(posterior, "initial").z
    nominal = np.where(np.abs(given - middle) > 5.0 * spread, middle, given)
    if posterior.evaluate(nominal).status != "ok":
        nominal = given
    rng = np.random.default_rng(1)
    slopes: list[Slope] = []
    for direction in (np.zeros(posterior.dim), *rng.standard_normal((2, posterior.dim))):
        for far in NEIGHBOUR * np.array([1.0, -1.0, 0.01, -0.01]):  # elsewhere, where a solve fails
            z = nominal + far * spread * direction
            if (here := posterior.evaluate(z)).status == "ok":
                break
        else:
            return Cell(f"{here.status} near the nominal values", False)
        slopes += compare_gradient(
            lambda z: log_pi(posterior, z), posterior.names, z, here, scale=spread, rtol=posterior.rtol
        ).slopes
    return verdicts(slopes)


def log_pi(posterior: Posterior, z: np.ndarray) -> Evaluation:
    """log π(z) by solves without sensitivities."""
    u = posterior.u_from_z(z)
    logp = posterior.log_prior(u) - posterior.loss(u) + posterior.prior.log_du_dz(z)
    return Evaluation(logp, np.zeros(z.size), "ok" if math.isfinite(logp) else "nonfinite")


def within(found: float | None, expected: float, tolerance: float) -> Cell:
    """The distance of a number from its reference."""
    if found is None:
        return Cell("inf", False)
    return Cell(f"{abs(found - expected):.1e}", abs(found - expected) < tolerance)


def verdicts(slopes: Sequence[Slope]) -> Cell:
    """How many slopes agree; those that do not are named."""
    said = [f"{sum(s.verdict is Verdict.OK for s in slopes)}/{len(slopes)}"]
    if undecided := sum(s.verdict is Verdict.UNDECIDED for s in slopes):
        said.append(f"{undecided} undecided")
    wrong = dict.fromkeys(f"{s.name} is wrong" for s in slopes if s.verdict is Verdict.MISMATCH)
    return Cell(", ".join([*said, *wrong]), not wrong)


HEADER = (
    "| case | what | llh | chi2 | simulations | gradient | posterior gradient | result |",
    "|---|---|---|---|---|---|---|---|",
)


def row(case: Case, cells: Sequence[Cell], why: str) -> str:
    """One line of the table."""
    result = "pass" if all(c.ok for c in cells) else f"**fails**: {why or 'differs from the reference'}"
    return "| " + " | ".join([case.name, case.feature, *(c.text for c in cells), result]) + " |"


def page(tables: Sequence[tuple[str, Sequence[str]]], args: argparse.Namespace) -> str:
    """The page of the documentation."""
    options = "".join(f" --{word} DIR" for word in ("v2", "problems") if getattr(args, word) is not None)
    versions = ", ".join(f"{package} {version(package)}" for package in ("petab", "bngsim"))
    out = [
        f"<!-- Written by: python benchmarks/petab_cases.py{options} -o docs/petab-cases.md -->",
        "# PEtab cases",
        "",
        f"`bnfhmc petab-score` on every case of the PEtab test suite and on published problems (with {versions}), as "
        f"`python benchmarks/petab_cases.py{options}` finds it. See [PEtab](petab.md) for what is supported.",
        "",
        "*llh*, *chi2*, *simulations*: the largest distance from the reference, which has to be below the case's own "
        "tolerance ($10^{-3}$ in all of them). *gradient*: components of $\\partial\\,\\text{llh}/\\partial\\theta$ at the "
        "nominal values that agree with central differences, of a model solved to $10^{-12}$; what `petab-score` prints, at "
        "$10^{-8}$, has to lie beside it. *posterior gradient*: the same of $\\partial\\log\\pi/\\partial z$, there and at two "
        "places nearby. A component is *undecided* where the differences have too few digits to tell.",
    ]
    for title, lines in tables:
        out += ["", f"## {title}", "", *lines]
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    sys.exit(main())
