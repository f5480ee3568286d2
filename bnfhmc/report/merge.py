"""Chains that were run apart, put together into one result folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import InputError, Mistake
from bnfhmc.report import run_json
from bnfhmc.report.folder import POSTERIOR, RECORD, SAMPLES, claim
from bnfhmc.report.inference_data import to_netcdf_bytes
from bnfhmc.report.opened import Run
from bnfhmc.report.quiet_arviz import load_arviz
from bnfhmc.report.samples_txt import write_samples
from bnfhmc.report.summary import Summary, summarize
from bnfhmc.report.verdict import Verdict, judge

if TYPE_CHECKING:
    from arviz import InferenceData


def merge(runs: Sequence[Run], output_dir: Path, *, overwrite: bool = False) -> tuple[Summary, Verdict]:
    """Write posterior.nc, samples.txt and run.json of all chains into `output_dir`.

    Chains are numbered in the order of the runs. Raises InputError where there are fewer than two runs, where they are not of
    the same problem and length, where two hold the same draws, and where the folder must not be written to.
    """
    _refuse(runs)
    idata = merged(runs)
    with claim(output_dir, overwrite) as folder:
        together = Run(folder.path, _record(runs, folder.path), idata)
        summary = summarize(together.names, together.theta)
        verdict = judge(together.evidence(summary))
        lps = np.concatenate([ln_probability(r) for r in runs])
        record = {**together.record, **_outcome(summary, verdict)}
        folder.write_text(RECORD, run_json.to_json({**record, "status": "unfinished"}))
        folder.write(POSTERIOR, lambda path: path.write_bytes(to_netcdf_bytes(idata)))
        folder.write(SAMPLES, lambda path: write_samples(path, together.names, together.theta, lps))
        folder.write_text(RECORD, run_json.to_json(record))
    return summary, verdict


def merged(runs: Sequence[Run]) -> InferenceData:
    """The groups that every run has, those over chains one after the other and the others as the first run has them."""
    from xarray import concat

    shared = [g for g in runs[0].idata.groups() if all(g in r.idata.groups() for r in runs[1:])]
    groups = {}
    for name in shared:
        parts = [r.idata[name] for r in runs]
        if "chain" not in parts[0].dims or name.startswith("prior"):
            groups[name] = parts[0]
            continue
        if len({p.sizes["draw"] for p in parts}) > 1:  # warm-ups of other lengths are no part of the posterior
            continue
        joined = concat(parts, dim="chain", combine_attrs="override", coords="minimal", compat="override")
        groups[name] = joined.assign_coords(chain=np.arange(joined.sizes["chain"]))
    attrs = dict(runs[0].idata.attrs)
    return load_arviz().InferenceData(attrs=attrs, warn_on_custom_groups=False, **groups)


def ln_probability(run: Run) -> Float[np.ndarray, "chain draw"]:
    """The second column of a run's samples.txt; raises InputError where it does not have a line for each draw."""
    path = run.folder / SAMPLES
    try:
        lines = path.read_text(encoding="utf-8").splitlines()[1:]
        values = np.array([float(line.split("\t")[1]) for line in lines])
        return values.reshape(run.z.shape[:2])
    except (OSError, ValueError, IndexError):
        raise InputError(Mistake("is missing or damaged", "run again with --overwrite", path)) from None


def _refuse(runs: Sequence[Run]) -> None:
    if len(runs) < 2:
        raise InputError(Mistake("one run is nothing to merge", "type two folders or more"))
    first, wrong = runs[0], []
    for run in runs[1:]:
        for what in _differences(first, run):
            wrong.append(Mistake(what, "only chains of one problem and one length can be merged", run.folder))
    for i, a in enumerate(runs):
        for b in runs[:i]:
            if a.z.shape == b.z.shape and np.array_equal(a.z, b.z):
                hint = "run again with another random_seed"
                wrong.append(Mistake(f"holds the same draws as {b.folder}", hint, a.folder))
    if wrong:
        raise InputError(wrong)


def _differences(first: Run, run: Run) -> list[str]:
    out = []
    if run.names != first.names:
        out.append(f"its parameters are not those of {first.folder}")
    elif run.z.shape[1] != first.z.shape[1]:
        out.append(f"it has {run.z.shape[1]} draws a chain, and {first.folder} has {first.z.shape[1]}")
    mine, theirs = (r.record.get("configuration", {}) for r in (run, first))
    for part in ("parameters", "experiments"):
        if mine.get(part) != theirs.get(part):
            out.append(f"its {part} are not those of {first.folder}")
    if not np.array_equal(_observed(run), _observed(first)):
        out.append(f"its measurements are not those of {first.folder}")
    return out


def _observed(run: Run) -> Float[np.ndarray, " n"]:
    return np.asarray(run.idata["observed_data"]["y"].values) if "observed_data" in run.idata.groups() else np.empty(0)


def _record(runs: Sequence[Run], folder: Path) -> dict[str, Any]:
    """run.json of all: what differs from run to run is a list, what is counted by chain is one list of all chains."""
    first = runs[0].record
    seeds = [r.record.get("random_seed") for r in runs]
    chains = sum(len(r.z) for r in runs)
    configuration = {**first.get("configuration", {}), "chains": chains, "output_dir": str(folder), "random_seed": None}
    return {
        **first,
        "started": min(str(r.record.get("started")) for r in runs),
        "ended": max(str(r.record.get("ended")) for r in runs),
        "random_seed": seeds,
        "merged_from": [str(r.folder) for r in runs],
        "configuration": configuration,
        "counts": _counts(runs),
    }


def _counts(runs: Sequence[Run]) -> dict[str, Any]:
    parts: list[Mapping[str, Any]] = [r.record.get("counts", {}) for r in runs]
    out = {}
    for key, value in parts[0].items():
        values = [p.get(key) for p in parts]
        by_chain = all(isinstance(v, list) and len(v) == len(r.z) for v, r in zip(values, runs, strict=True))
        out[key] = [x for v in values for x in v or ()] if by_chain else value if all(v == value for v in values) else values
    return out


def _outcome(summary: Summary, verdict: Verdict) -> dict[str, Any]:
    columns = {k: v for k, v in asdict(summary).items() if k != "names"}
    return {
        "status": "finished",
        "verdict": {"converged": verdict.converged, "findings": [asdict(f) for f in verdict.findings]},
        "summary": {n: {k: run_json.plain(v[i]) for k, v in columns.items()} for i, n in enumerate(summary.names)},
    }
