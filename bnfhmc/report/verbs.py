"""What the commands on finished runs do, each as one function of its arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bnfhmc.report.compare import Compared
from bnfhmc.report.compare import compare as compare_runs
from bnfhmc.report.diagnosis import Diagnosis
from bnfhmc.report.diagnosis.audit import audit as audit_run
from bnfhmc.report.fit_study import FitStudy, is_fit, open_fit
from bnfhmc.report.fitted import Fitted, read_fitted
from bnfhmc.report.merge import merge as merge_runs
from bnfhmc.report.opened import Load, Run, open_run, read_record, read_run
from bnfhmc.report.predictive import thinned
from bnfhmc.report.run_json import plain
from bnfhmc.report.scenario import Answer, Asked, answer
from bnfhmc.report.study import PREDICTED, Study
from bnfhmc.report.summary import Summary, summarize
from bnfhmc.report.verdict import Verdict, judge

PICTURES = "plots"  # the folder within a run's that pictures are written to


@dataclass(frozen=True, slots=True)
class Summarized:
    """What a run's draws say: of each parameter, and of themselves."""

    run: Run
    summary: Summary
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class SummarizedFit:
    """What a fit found, and whether its best start came to rest."""

    fitted: Fitted
    converged: bool
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reported:
    """A report: the page, and its findings."""

    path: Path
    diagnosis: Diagnosis


def summary(folder: Path) -> Summarized | SummarizedFit:
    """``bnfhmc summary DIR``: the table and the verdict of a run, from its draws alone; of a fit, its best point."""
    record = read_record(folder)
    if is_fit(record):
        fitted, verdict, result = read_fitted(folder), record.get("verdict", {}), record.get("result", {})
        said = [verdict.get("sentence", ""), *result.get("sentences", ()), *(c.sentence for c in fitted.profiles)]
        return SummarizedFit(fitted, bool(verdict.get("converged")), tuple(str(s) for s in said if s))
    run = read_run(folder)
    found = summarize(run.names, run.theta)
    return Summarized(run, found, judge(run.evidence(found)))


def summary_record(found: Summarized | SummarizedFit) -> dict[str, Any]:
    """The same for programs."""
    if isinstance(found, SummarizedFit):
        f = found.fitted
        return {
            "folder": str(f.folder), "converged": found.converged, "sentences": list(found.sentences),
            "log_posterior": f.log_posterior,
            "parameters": {n: {"best": f.theta[n], "standard_error": plain(f.standard_errors[n])} for n in f.names},
        }  # fmt: skip
    columns = {k: v for k, v in asdict(found.summary).items() if k != "names"}
    return {
        "folder": str(found.run.folder),
        "converged": found.verdict.converged,
        "findings": [asdict(f) for f in found.verdict.findings],
        "parameters": {n: {k: plain(v[i]) for k, v in columns.items()} for i, n in enumerate(found.summary.names)},
    }


def report(
    folder: Path,
    load: Load,
    *,
    conf: Path | None = None,
    audit: bool = False,
    cores: int | None = None,
    units: Mapping[str, str] | None = None,
) -> Reported:
    """``bnfhmc report DIR``: write report.html into the folder of a run.

    load: reads a problem file. conf: the problem file, where it is not where run.json says. audit: solve 200 draws again at a
    hundredth of the tolerance. units: of times, doses and series, by name.
    """
    from bnfhmc.report.page import write_report

    opened = open_run(folder, load, conf)
    audited = audit_run(opened, cores=cores) if audit else None
    study = Study(opened, cores=cores)
    return Reported(*write_report(study, folder, audited=audited, with_audit=audit, units=units))


def plot(
    folder: Path,
    kinds: Sequence[str],
    load: Load,
    *,
    conf: Path | None = None,
    output_dir: Path | None = None,
    cores: int | None = None,
    units: Mapping[str, str] | None = None,
) -> list[Path]:
    """``bnfhmc plot DIR KIND``: write pictures as SVG and PNG, and return their paths. kinds: of plots.KINDS; none is all."""
    from bnfhmc.report.plots import check_kind, kinds_of, save_pictures

    for kind in kinds:
        check_kind(kind)
    study: Study | FitStudy
    if is_fit(read_record(folder)):
        study = open_fit(folder, load, conf, cores=cores)
    else:
        study = Study(open_run(folder, load, conf), cores=cores)
    for kind in kinds:
        check_kind(kind, study)
    target = output_dir or folder / PICTURES
    return [path for kind in kinds or kinds_of(study) for path in save_pictures(study, kind, target, units=units)]


def predict(
    folder: Path,
    load: Load,
    asked: Asked,
    *,
    conf: Path | None = None,
    draws: int = PREDICTED,
    cores: int | None = None,
    seed: int = 0,
) -> Answer:
    """``bnfhmc predict DIR``: quantiles of the model's value and of a new measurement, over evenly spaced draws."""
    opened = open_run(folder, load, conf)
    flat = opened.u.reshape(-1, opened.posterior.dim)
    return answer(opened.posterior, flat[thinned(len(flat), draws)], asked, cores=cores, seed=seed)


def compare(folders: Sequence[Path]) -> tuple[Compared, ...]:
    """``bnfhmc compare DIR DIR``: runs of the same data by their PSIS-LOO, the best first."""
    return compare_runs([read_run(f) for f in folders])


def merge(folders: Sequence[Path], output_dir: Path, *, overwrite: bool = False) -> tuple[Summary, Verdict]:
    """``bnfhmc merge DIR… -o DIR``: chains that were run apart, as one run."""
    return merge_runs([read_run(f) for f in folders], output_dir, overwrite=overwrite)
