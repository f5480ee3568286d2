"""The page's content put into its template."""

from __future__ import annotations

import json
import shlex
from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bnfhmc.errors import InputError, Mistake
from bnfhmc.report.check.words import many
from bnfhmc.report.diagnosis import Diagnosis, diagnose
from bnfhmc.report.diagnosis.audit import Audit, audit_findings
from bnfhmc.report.diagnosis.identifiability import directions
from bnfhmc.report.folder import PROGRAM, ResultFolder
from bnfhmc.report.page import tables
from bnfhmc.report.page.gallery import gallery
from bnfhmc.report.plots.fit import Units
from bnfhmc.report.study import Study
from bnfhmc.report.text import printable

REPORT = "report.html"
_HERE = Path(__file__).parent
_MARK = f'<meta name="generator" content="{PROGRAM}">'


class Fact(NamedTuple):
    """A number that is seen at once."""

    label: str
    shown: str


def write_report(
    study: Study, folder: Path, *, audited: Audit | None = None, with_audit: bool = False, units: Units | None = None
) -> tuple[Path, Diagnosis]:
    """Write report.html into a folder, and return its path with the findings.

    ``audited``, ``with_audit``: what the tolerance audit found, and whether there was one. ``units``: of times, doses and
    series, by name. Raises InputError where a report.html is there that this program did not write, WriteError where it
    cannot be written.
    """
    path = folder / REPORT
    if path.exists() and _MARK not in path.read_text(encoding="utf-8", errors="replace")[:4000]:
        raise InputError(Mistake(f"is not from {PROGRAM}, and is left alone", "move it away", path))
    found = diagnose(study, {"solver": audit_findings(audited)})
    ResultFolder(folder).write_text(REPORT, render(study, found, audited=audited, with_audit=with_audit, units=units))
    return path, found


def render(
    study: Study, found: Diagnosis, *, audited: Audit | None = None, with_audit: bool = False, units: Units | None = None
) -> str:
    """The page as text."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    script, style = ((_HERE / name).read_text(encoding="utf-8") for name in ("sort.js", "style.css"))
    digest = b64encode(sha256(script.encode()).digest()).decode("ascii")
    return environment.get_template("report.html.j2").render(
        **_content(study, found, audited, with_audit), gallery=gallery(study, units),
        script=Markup(script), style=Markup(style), script_hash=f"sha256-{digest}",  # noqa: S704 (our own files)
    )  # fmt: skip


def _content(study: Study, found: Diagnosis, audited: Audit | None, with_audit: bool) -> dict[str, Any]:
    record = study.run.record
    file = record.get("configuration", {}).get("file")
    folder = printable(str(study.run.folder))
    return {
        "title": printable(Path(file).name if file else study.run.folder.name),
        "version": record.get("versions", {}).get(PROGRAM) or "",
        "ended": _day(record.get("ended")),
        "folder": folder,
        "folder_arg": printable(shlex.quote(str(study.run.folder))),
        "trusted": found.trusted,
        "because": _because(study, found),
        "blocking": [f for f in found.findings if f.blocking],
        "remarks": _remarks(found),
        "topics": found.topics,
        "facts": _facts(study),
        "estimates": tables.estimates(study),
        "directions": tables.directions(directions(study)),
        "solver_words": _solver_words(audited, with_audit),
        "data_words": _data_words(study),
        "command": _command(study),
        "ended_by": printable(str(record.get("ended_by") or "")),
        "run_tables": tables.run_tables(study),
        "configuration": json.dumps(record.get("configuration", {}), indent=2, ensure_ascii=False),
    }


def _because(study: Study, found: Diagnosis) -> str:
    if not found.trusted:
        return ", because:"
    s, diverged = study.summary, int(study.stats["diverging"].sum())
    return (
        f": {many(len(study.u), 'chain')} agree (R-hat ≤ {np.nanmax(s.r_hat):.3f}), there are at least "
        f"{np.nanmin(np.fmin(s.ess_bulk, s.ess_tail)):.0f} effective draws of every parameter, and "
        f"{'no trajectory' if not diverged else many(diverged, 'trajectory')} diverged."
    )


def _remarks(found: Diagnosis) -> str:
    count = sum(not f.blocking for f in found.findings)
    return many(count, "remark") if count else ""


def _facts(study: Study) -> list[Fact]:
    chains, draws = study.u.shape[:2]
    ess = np.fmin(study.summary.ess_bulk, study.summary.ess_tail)
    measured = sum(len(f.observed) for f in study.fits)
    facts = [
        Fact("parameters", str(len(study.names))),
        Fact("draws", f"{chains} × {draws}"),
        Fact("least ESS", tables.number(np.nanmin(ess) if np.isfinite(ess).any() else None, ".0f").shown),
        Fact("largest R-hat", tables.number(_largest(study.summary.r_hat), ".3f").shown),
        Fact("divergences", str(int(study.stats["diverging"].sum()))),
    ]
    if measured:
        outside = sum(f.outside for f in study.fits)
        facts.append(Fact("measurements", str(measured)))
        facts.append(Fact("outside of 90 % band", f"{outside} ({100 * outside / measured:.0f} %)"))
    if study.loo is not None:
        facts.append(Fact("elpd (LOO)", f"{study.loo.elpd:.1f} ± {study.loo.se:.1f}"))
    return facts


def _largest(x: np.ndarray) -> float | None:
    return float(np.nanmax(x)) if np.isfinite(x).any() else None


def _solver_words(audited: Audit | None, with_audit: bool) -> str:
    if audited is None:
        return ("No model here has a tolerance to audit." if with_audit
                else "Not audited. bnfhmc report --audit evaluates 200 draws at a hundredth of the tolerance.")  # fmt: skip
    moved = max((abs(s) for s in audited.shift.values()), default=0.0)
    return (
        f"The posterior is the model's, not the solver's: {audited.draws} draws evaluated at rtol = {audited.rtol[1]:g} in the "
        f"place of {audited.rtol[0]:g} change their log likelihood by at most {audited.spread:.1e} (Pareto k̂ "
        f"{audited.pareto_k:.2f}), and no mean by more than {moved:.1e} standard deviations."
    )


def _data_words(study: Study) -> str:
    if not study.posterior.measurements:
        return "There are no measurements."
    return "As many measurements lie outside of their bands as should, the residuals show no pattern, and none is influential."


def _day(time: Any) -> str:
    """``2026-01-31 12:30 UTC`` for the time as run.json has it."""
    try:
        return f"{datetime.fromisoformat(time).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    except (TypeError, ValueError):
        return ""


def _command(study: Study) -> str:
    """What repeats the run."""
    record = study.run.record
    said = record.get("configuration", {})
    if "merged_from" in record:
        return printable(shlex.join([PROGRAM, "merge", *map(str, record["merged_from"]), "-o", "again"]))
    parts = [PROGRAM, "run", str(said.get("file") or "FILE"), "--method", str(said.get("method", "nuts"))]
    for key in ("chains", "num_warmup", "num_samples", "engine", "start"):
        if said.get(key) is not None:
            parts += [f"--{key.replace('_', '-')}", str(said[key])]
    if record.get("random_seed") is not None:
        parts += ["--seed", str(record["random_seed"])]
    return printable(shlex.join([*parts, "-o", "again"]))
