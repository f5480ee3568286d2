"""From a problem whose method optimizes to a result folder, and from one method of a chain to the next."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from bnfhmc.errors import InputError, MissingTool, Mistake
from bnfhmc.problem import Optimizer, Problem, Settings

if TYPE_CHECKING:
    from rich.console import Console

    from bnfhmc.optimizers import FitResult, Objective, Profiles
    from bnfhmc.report.fit_progress import FitProgress
    from bnfhmc.report.folder import ResultFolder

OPTIMIZERS = frozenset(get_args(Optimizer))
PROFILES = "profile_likelihood"
ROWS = 20  # of a table of starts, where no number of them is asked for
STORE, PROFILE_STORE = "starts.jsonl", "profiles.jsonl"  # what an interrupted run goes on from


@dataclass(frozen=True, slots=True)
class FitOutcome:
    """What `run_fit` left: the folder with its files, the fit, and the profiles where they were asked for."""

    folder: Path
    fit: FitResult
    profiles: Profiles | None = None


def is_fit(settings: Settings) -> bool:
    """Whether the first method optimizes."""
    return settings.method in OPTIMIZERS


def asked(problem: Problem, method: str | None, starts: int | None) -> Problem:
    """The problem with what the command line says of a fit: a method alone, and how many starts."""
    s = problem.settings
    optimization = s.optimization if starts is None else s.optimization.model_copy(update={"starts": starts})
    then = s.then if method is None else ()
    return replace(problem, settings=s.model_copy(update={"optimization": optimization, "then": then}))


def plan(problem: Problem, folder: Path) -> str:
    """What is about to run, in a line."""
    from bnfhmc.report.text import printable

    measurements = sum(len(series.observed) for e in problem.experiments for series in e.series)
    return (f"parameters: {len(problem.parameters)}, experiments: {len(problem.experiments)}, measurements: {measurements}; "
            f"fit_type = {problem.settings.method}; results in {printable(str(folder))}")  # fmt: skip


def is_done(problem: Problem, output_dir: Path) -> bool:
    """Whether the folder holds the finished run of this very method."""
    record = record_of(output_dir)
    return record.get("status") == "finished" and record.get("configuration", {}).get("method") == problem.settings.method


def run_fit(
    problem: Problem, output_dir: Path, *, overwrite: bool = False, cores: int | None = None, console: Console | None = None
) -> FitOutcome:
    """Optimize a problem as its settings say, and write map.json, starts.tsv, history.tsv, the plots and run.json.

    An interrupted run leaves the best point in map.json and raises KeyboardInterrupt; run again for the same folder, it goes
    on with the starts that had not ended, and ends as if it had never stopped. overwrite: replace what is in the folder.
    console: where the progress is shown. Raises InputError where the folder must not be written to, and what `optimize` and
    `profile_likelihood` raise.
    """
    from bnfhmc.optimizers import Objective, profile_likelihood
    from bnfhmc.posterior import Posterior
    from bnfhmc.report.fit import FIT_FILES, PROFILE_FILES, write_fit, write_profiles
    from bnfhmc.report.fit_progress import FitProgress
    from bnfhmc.report.folder import RECORD, claim

    s = problem.settings
    objective = Objective.of(Posterior(problem), s.optimization.search_space or None)
    with claim(output_dir, overwrite, (*FIT_FILES, *PROFILE_FILES, RECORD)) as folder:
        if overwrite:
            _remove(folder.path, (*FIT_FILES, *PROFILE_FILES, RECORD, STORE, PROFILE_STORE))
        settings, fresh = _seeded(folder.path, s), not (folder.path / RECORD).exists()
        opened = _opened(problem, settings)
        folder.write_text(RECORD, _json({**opened, "status": "unfinished"}))
        progress = FitProgress()
        try:
            with progress.watching(console) if console is not None else nullcontext():
                fit = _optimized(objective, settings, folder, cores, progress)
        except (InputError, MissingTool):
            _remove(folder.path, (RECORD, STORE) if fresh else ())
            raise
        write_fit(folder, fit)
        profiles = None
        if s.method == PROFILES:
            profiles = profile_likelihood(objective, fit, s.optimization.profiled, confidence=s.optimization.confidence,
                                          cores=cores, store=folder.path / PROFILE_STORE)  # fmt: skip
            write_profiles(folder, profiles)
        _finish(folder, opened, problem, settings, fit, profiles)
        _remove(folder.path, (STORE, PROFILE_STORE))
        return FitOutcome(folder.path, fit, profiles)


def resume(
    output_dir: Path, *, load: Callable[[Path], Problem] | None = None, scheduler: str | None = None, cores: int | None = None,
    console: Console | None = None,
) -> FitOutcome:  # fmt: skip
    """Go on with the fit in a result folder, wherever it was stopped; it ends as one that was never stopped would have.

    load: reads the file that the fit is of; None takes `bnfhmc.load`. scheduler: the address of the dask scheduler whose
    workers do the searches; None has them here. Raises InputError where there is no unfinished fit.
    """
    from bnfhmc.report.folder import RECORD
    from bnfhmc.sampling import stored_settings

    if load is None:
        from bnfhmc.read import load as read

        load = read
    record = record_of(output_dir)
    asked = record.get("fit")
    if not isinstance(asked, Mapping) or not asked.get("file"):
        hint = "only the fit of a file can be gone on with from here"
        raise InputError(Mistake("the folder holds no fit that says what it is of", hint, output_dir))
    if record.get("status") == "finished":
        raise InputError(Mistake("the fit in this folder is finished", "there is nothing to go on with", output_dir))
    where = {"scheduler": scheduler, "executor": "local" if scheduler is None else "dask"}
    settings = stored_settings(asked.get("settings"), output_dir / RECORD).model_copy(update=where)
    problem = replace(load(Path(asked["file"])), settings=settings)
    return run_fit(problem, output_dir, cores=cores, console=console)


def record_of(output_dir: Path) -> dict[str, Any]:
    """The run.json of a folder; an empty one where there is none of ours."""
    from bnfhmc.report.folder import PROGRAM, RECORD

    try:
        found = json.loads((output_dir / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and found.get("program") == PROGRAM else {}


def stages(problems: Sequence[Problem], output_dir: Path) -> list[tuple[Problem, Path]]:
    """Each method of each problem with a folder of its own, ``1_map``, ``2_nuts``, each starting from what is before it.

    One method alone has the folder itself. Raises InputError where a method that is not the last finds no point.
    """
    flat = [replace(p, settings=p.settings.model_copy(update={"method": m, "then": ()}))
            for p in problems for m in (p.settings.method, *p.settings.then)]  # fmt: skip
    if len(flat) == 1:
        return [(flat[0], output_dir)]
    out: list[tuple[Problem, Path]] = []
    for k, p in enumerate(flat):
        if k and not is_fit(out[-1][0].settings):
            method = out[-1][0].settings.method
            raise InputError(Mistake(f"{method} leads to no best point that {p.settings.method} could start from",
                                     f"put {method} last", p.path))  # fmt: skip
        before = {"start": str(out[-1][1] / "map.json")} if k else {}
        settings = p.settings.model_copy(update=before)
        out.append((replace(p, settings=settings), output_dir / f"{k + 1}_{settings.method}"))
    return out


def _optimized(
    objective: Objective, s: Settings, folder: ResultFolder, cores: int | None, progress: FitProgress
) -> FitResult:
    from bnfhmc.optimizers import optimize
    from bnfhmc.report.fit import MAP, interrupted_json
    from bnfhmc.sampling import cluster_of

    o = s.optimization
    method = "map" if s.method == PROFILES else s.method
    more: dict[str, Any] = {"tolerance": o.tolerance, "max_evaluations": o.max_evaluations, "draws": o.draws}
    if objective.posterior is not None:
        cluster = cluster_of(replace(objective.posterior.problem, settings=s))
        more |= {} if cluster is None else {"away": cluster.searches}
    try:
        return optimize(
            objective, method, starts=_starts(objective, s), random_seed=s.random_seed, cores=cores, watch=progress.told,
            options=o.options.get(method), store=folder.path / STORE, **{k: v for k, v in more.items() if v is not None},
        )  # fmt: skip
    except KeyboardInterrupt:
        if progress.best is not None:
            value, u = progress.best
            theta = dict(zip(objective.names, objective.prior.theta_from_u(u).tolist(), strict=True))
            folder.write_text(MAP, interrupted_json(objective.names, theta, u, value))
        raise


def _starts(objective: Objective, s: Settings) -> int | list[dict[str, float]] | None:
    """How many starts, or the points of the file to start from. "map" and "prior" are the same to an optimizer."""
    if s.start is None or s.start.lower() in ("prior", "map"):
        return s.optimization.starts
    path = Path(s.start)
    if not path.is_dir() and path.suffix != ".json":
        from bnfhmc.read.start_file import read_starts

        return read_starts(path, objective.names, s.optimization.starts or ROWS)
    from bnfhmc.optimizers.chain_starts import points_of

    points = points_of(path, objective)[: s.optimization.starts]
    return [dict(zip(objective.names, objective.prior.theta_from_u(u).tolist(), strict=True)) for u in points]


def _seeded(path: Path, s: Settings) -> Settings:
    """The settings with a seed: their own, else that of the unfinished run in the folder, else a drawn one."""
    import numpy as np

    if s.random_seed is not None:
        return s
    before = record_of(path).get("fit", {}).get("settings", {}).get("random_seed")
    seed = before if isinstance(before, int) else int(np.random.SeedSequence().generate_state(1)[0])
    return s.model_copy(update={"random_seed": seed})


def _opened(problem: Problem, settings: Settings) -> dict[str, Any]:
    from bnfhmc import __version__
    from bnfhmc.report.run_json import opening

    file = None if problem.path is None else str(problem.path.resolve())
    return {**opening(__version__, _now()), "fit": {"file": file, "settings": settings.model_dump(mode="json")}}


def _finish(
    folder: ResultFolder, opened: Mapping[str, Any], problem: Problem, settings: Settings, fit: FitResult,
    profiles: Profiles | None,
) -> None:  # fmt: skip
    from bnfhmc.report.fit import record, verdict
    from bnfhmc.report.folder import RECORD
    from bnfhmc.report.run_json import configuration

    folder.write_text(RECORD, _json({
        **opened, "status": "finished", "ended": _now(), "random_seed": fit.random_seed,
        "verdict": {"converged": fit.converged, "sentence": verdict(fit)}, "result": record(fit, profiles),
        "configuration": configuration(problem, settings),
    }))  # fmt: skip


def _remove(path: Path, names: Sequence[str]) -> None:
    for name in names:
        (path / name).unlink(missing_ok=True)


def _json(record: Mapping[str, Any]) -> str:
    from bnfhmc.report.run_json import to_json

    return to_json(record)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
