"""run.json: what ran, with which versions and settings, at what cost, and what came of it."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bnfhmc.noise import Formula
from bnfhmc.prior import Scale
from bnfhmc.problem import Condition, Problem, Series, Settings
from bnfhmc.report.constraints import Held
from bnfhmc.report.folder import PROGRAM
from bnfhmc.report.summary import Summary
from bnfhmc.report.verdict import Verdict

if TYPE_CHECKING:
    from bnfhmc.samplers.draws import Draws
    from bnfhmc.samplers.host import Tally

PACKAGES = ("bngsim", "jax", "jaxlib", "blackjax", "numpy", "scipy", "arviz")


def versions(own: str) -> dict[str, str | None]:
    """Of Python, of this program (`own`) and of what it computes with; None for what is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version(), PROGRAM: own}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def opening(own: str, started: str) -> dict[str, Any]:
    """The record of a run whose files are not all written yet."""
    return {"program": PROGRAM, "status": "unfinished", "started": started, "versions": versions(own)}


def finished(
    opened: Mapping[str, Any],
    *,
    ended: str,
    problem: Problem,
    settings: Settings,
    draws: Draws,
    summary: Summary,
    verdict: Verdict,
    constraints: Sequence[Held] = (),
) -> dict[str, Any]:
    """The record of a run, from its `opening`. `settings`: those used, with the seed."""
    return {
        **opened,
        "status": "finished",
        "ended": ended,
        "random_seed": draws.random_seed,
        "verdict": {"converged": verdict.converged, "findings": [asdict(f) for f in verdict.findings]},
        "configuration": configuration(problem, settings),
        "counts": counts(draws),
        "constraints": [plain(asdict(h)) for h in constraints],
        "summary": {n: {k: plain(v[i]) for k, v in _columns(summary)} for i, n in enumerate(summary.names)},
    }


def configuration(problem: Problem, settings: Settings) -> dict[str, Any]:
    """Everything that was run, with the defaults filled in."""
    return {
        "file": plain(problem.path),
        **settings.model_dump(mode="json"),
        "parameters": [
            {"name": p.name, "scale": p.scale.name, "prior": plain(p.prior), "initial": plain(p.initial)}
            | ({} if p.start is None else {"start": plain(p.start)})
            for p in problem.parameters
        ],
        "experiments": [
            {
                "name": e.name,
                "model": e.model,
                "condition": _condition(e.condition),
                "equilibrated_under": _condition(e.before),
                "later": [{"time": p.time, "condition": _condition(p.condition)} for p in e.later],
                "scan": plain(e.scan),
                "measurements": {s.name: len(s.observed) for s in e.series},
                "noise": {s.name: _noise(s) for s in e.series},
                "constraints": [c.text for c in e.constraints],
            }
            for e in problem.experiments
        ],
    }


def _condition(condition: Condition | None) -> dict[str, Any] | None:
    if condition is None:
        return None
    changes = [f"{p.target} {p.op} {p.value.text}" for p in condition.perturbations]
    return {"name": condition.name, "perturbations": changes}


def _noise(series: Series) -> dict[str, Any]:
    """The family, where each of its parameters comes from, and the transforms of what is compared."""
    sources = {
        name: source.expression.text if isinstance(source, Formula) else plain(source.values)
        for name, source in series.sources.items()
    }
    return {
        "observable": series.observable.text,
        **plain(series.noise),
        "sources": sources,
        "transforms": plain(series.transforms),
    }


def counts(draws: Draws) -> dict[str, Any]:
    """What the run cost and met, one entry a chain."""
    chains = draws.chains
    return {
        "draws": draws.z.shape[1],
        "divergences": plain(draws.stats["diverging"].sum(axis=1)),
        "metric": draws.metric,
        "step_size": [plain(c.step_size) for c in chains],
        "redrawn_starts": [list(c.redrawn) for c in chains],
        "search": plain(draws.search._asdict()),
        "starting": [_tally(c.starting) for c in chains],
        "warmup": [{**_tally(c.warmup), "seconds": c.warmup_seconds} for c in chains],
        "sampling": [{**_tally(c.sampling), "seconds": c.sampling_seconds} for c in chains],
    }


def to_json(record: Mapping[str, Any]) -> str:
    """Strict JSON: what is not finite has become null or a word in `plain`, and anything else of the kind raises."""
    return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """The value as JSON has it: NaN is null, ±inf the words "inf" and "-inf", a dataclass its fields under its name."""
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(v) for v in value]
    if isinstance(value, Scale):
        return value.name
    if is_dataclass(value):
        own = {f.name: plain(getattr(value, f.name)) for f in fields(value) if f.init}
        return {"kind": type(value).__name__, **own}
    return value


def _tally(tally: Tally) -> dict[str, Any]:
    values = {"values": tally.values} if tally.values else {}
    return {"gradients": tally.gradients, **values, "failed_solves": dict(tally.failures)}


def _columns(summary: Summary) -> list[tuple[str, np.ndarray]]:
    return [(f.name, getattr(summary, f.name)) for f in fields(summary) if f.name != "names"]
