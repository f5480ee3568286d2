"""The benchmarks' problems as PEtab 1 with an SBML model, which pyPESTO and AMICI read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.cases import Case, overhead_cases
from benchmarks.models import antimony
from bnfhmc.write.convert import convert

YAML = """format_version: 1
parameter_file: parameters.tsv
problems:
- sbml_files: [model.xml]
  condition_files: [conditions.tsv]
  observable_files: [observables.tsv]
  measurement_files: [measurements.tsv]
"""
NOT_HERE = ("knockdowns",)  # whose conditions multiply fitted parameters, which PEtab 1 cannot say


def petab_problems(folder: Path) -> list[Path]:
    """The problem files, written into folders of their own."""
    return [written(case, folder / case.name) for case in overhead_cases() if case.name not in NOT_HERE]


def written(case: Case, folder: Path) -> Path:
    """One case; parameters on a ln scale within a factor of a thousand, measurements with the standard deviations they had."""
    if case.suffix == ".net":
        case = replace(case, suffix=".ant", text=antimony(case.text))
    conf = case.write(folder / "conf")
    convert(conf, folder / "two")
    (folder / "model.xml").write_bytes((folder / "two" / "model.xml").read_bytes())
    conditions = dict(_assignment(c) for c in (*case.conditions, case.before) if c)
    target = next((c.split("=")[0].strip() for c in case.conditions if c), "")
    rest = _assignment(case.before)[0] if case.before else ""
    tables = {
        "conditions.tsv": [["conditionId", *([target] if target else [])],
                           *([[name, value] for name, value in conditions.items()] or [["none"]])],
        "observables.tsv": [["observableId", "observableFormula", "noiseFormula"],
                            *([f"obs_{o}", o, f"noiseParameter1_obs_{o}"] for o in case.observed)],
        "parameters.tsv": [["parameterId", "parameterScale", "lowerBound", "upperBound", "nominalValue", "estimate"],
                           *([n, "log", v / 1e3, v * 1e3, v, 1] for n, v in case.theta.items())],
        "measurements.tsv": [["observableId", "preequilibrationConditionId", "simulationConditionId", "time", "measurement",
                              "noiseParameters"], *_measurements(case, folder / "conf", rest)],
    }  # fmt: skip
    for name, rows in tables.items():
        (folder / name).write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    (folder / "problem.yaml").write_text(YAML)
    return folder / "problem.yaml"


def _assignment(perturbation: str) -> tuple[str, str]:
    """(condition's name, value) of ``name = value``."""
    value = perturbation.split("=")[1].strip()
    return "at_" + value.replace(".", "_"), value


def _measurements(case: Case, folder: Path, rest: str) -> list[list[str]]:
    out = []
    for i, changes in enumerate(case.conditions):
        condition = _assignment(changes)[0] if changes else "none"
        for line in (folder / f"e{i}.exp").read_text().splitlines()[1:]:
            time, *cells = line.split()
            for o, value, sd in zip(case.observed, cells[::2], cells[1::2], strict=True):
                out.append([f"obs_{o}", rest, condition, time, value, sd])
    return out
