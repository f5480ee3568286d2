"""From a posterior to draws, and from a problem to a result folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnfhmc.cores import usable_cores
from bnfhmc.errors import FailedSolve, InputError, Mistake
from bnfhmc.sampling import (
    AUTO,
    CHECKPOINT,
    METHODS,
    STARTS,
    checkpoint_of,
    chosen,
    cluster_of,
    draw,
    method_of,
    near_modes,
    seeded,
    stored_settings,
    tunings_of,
)

if TYPE_CHECKING:
    import numpy as np
    from arviz import InferenceData
    from jaxtyping import Float

    from bnfhmc.posterior import Posterior
    from bnfhmc.problem import Problem
    from bnfhmc.report.constraints import Held
    from bnfhmc.report.fit_study import FitStudy
    from bnfhmc.report.folder import ResultFolder
    from bnfhmc.report.study import Study
    from bnfhmc.report.summary import Summary
    from bnfhmc.report.verdict import Verdict
    from bnfhmc.samplers.draws import Draws

__all__ = ["AUTO", "METHODS", "Outcome", "draw", "open_study", "resume", "result_path", "run", "sample", "with_settings"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `run` left: the folder with its files, and what they say."""

    folder: Path
    summary: Summary
    verdict: Verdict
    constraints: tuple[Held, ...] = ()


def sample(
    posterior: Posterior,
    method: str = "nuts",
    *,
    chains: int = 4,
    num_warmup: int = 1000,
    num_samples: int = 1000,
    target_accept: float = 0.8,
    random_seed: int | None = None,
    cores: int | None = None,
    progress: bool = False,
    engine: str | None = None,
    metric: str | None = None,
    max_tree_depth: int | None = None,
    path_length: float | None = None,
    accept_by: str | None = None,
    start: str = "map",
    starts: Sequence[Float[np.ndarray, " d"]] | None = None,
    tuned: Path | None = None,
    time_limit: float | None = None,
) -> InferenceData:
    """Draws from the posterior, z ~ π, as arviz.InferenceData in θ.

    method: a key of METHODS.
    chains: how many; each has its own start.
    num_warmup: at most so many draws a chain to learn step size and metric from; it ends when both have settled.
    num_samples: draws a chain after it.
    target_accept: the mean acceptance that the step size of nuts and hmc is tuned to, in (0, 1).
    random_seed: the same seed gives the same draws whatever the number of cores; None draws one and records it.
    cores: threads at once; None takes all that the process may use.
    progress: show how far each chain is.
    engine: "own", or another program that has the method: "blackjax" (nuts, hmc, mala), "nutpie" (nuts).
    metric: "dense" or "diagonal"; None is dense up to a thousand parameters.
    max_tree_depth: of nuts, whose trajectories have at most 2^depth − 1 steps.
    path_length: of hmc, in units of the posterior's width.
    accept_by: "value" accepts each draw by a solve without sensitivities, where those along the trajectory are less exact
    (``gradient_rtol``); "gradient", the default, by the solve that the gradient came with.
    start: "map" starts the chains around the modes, every fourth one far out; "prior" from draws of the priors.
    starts: points u for the chains to start from instead, in turn.
    tuned: the result folder of an earlier run, whose step sizes and metrics the chains begin with.
    time_limit: seconds after which the run ends with the draws it has.

    Groups: posterior, unconstrained_posterior, sample_stats, log_likelihood, posterior_predictive, prior,
    prior_predictive, observed_data, constant_data, and those of the warm-up. Log likelihood and predictions cost one solve
    without sensitivities a draw, those of the prior another thousand. An interrupt ends the run with the draws it has.

    Raises ValueError for an argument out of its domain, GradientMismatch where the gradient is wrong, and FailedSolve
    where the model cannot be solved again at a draw.
    """
    from bnfhmc.report.quiet_arviz import load_arviz

    load_arviz()  # what cannot be imported is to say so before the first draw
    cores = cores or usable_cores()
    _refuse_misplaced(method, {
        "engine": engine, "metric": metric, "max_tree_depth": max_tree_depth, "path_length": path_length,
        "accept_by": accept_by, "time_limit": time_limit, "warmup_from": tuned,
    }, starts, posterior.dim)  # fmt: skip
    options: dict[str, Any] = {
        "engine": engine, "metric": metric, "max_tree_depth": max_tree_depth, "path_length": path_length,
        "accept_by": accept_by, "time_limit": time_limit, "start": start,
        "starts": None if starts is None else [posterior.z_from_u(u) for u in starts],
        "tuned": None if tuned is None else tunings_of(tuned, posterior.names, method),
    }  # fmt: skip
    if start == "map" and starts is None:
        options["near_modes"] = near_modes(posterior, cores, lambda note: None, progress=progress)
    if method == AUTO:
        random_seed = seeded(random_seed)
        method, learnt = chosen(posterior, random_seed, lambda note: None, options.get("near_modes"))
        options |= learnt
    draws = method_of(method)(
        posterior, cores=cores, progress=progress, chains=chains, num_warmup=num_warmup, num_samples=num_samples,
        target_accept=target_accept, random_seed=random_seed, **{k: v for k, v in options.items() if v is not None},
    )  # fmt: skip
    idata, failure = _inference_data(posterior, draws, _attrs(method, draws), cores)
    if failure is not None:
        raise failure
    return idata


def _refuse_misplaced(
    method: str, options: dict[str, Any], starts: Sequence[Float[np.ndarray, " d"]] | None, dim: int
) -> None:
    """ValueError for options that the method or its engine has no use for, and for starts that are no points."""
    from bnfhmc.samplers.methods import misplaced

    method_of(method) if method != AUTO else None
    said = [f"{name} = {options[name]} {why}" for name, why in misplaced(method, options).items()]
    if starts is not None and not len(starts):
        said.append("starts is empty: give one point u, or None")
    said += [f"a start has {len(u)} values, and there are {dim} parameters" for u in starts or () if len(u) != dim]
    if said:
        raise ValueError("; ".join(said))


def run(
    problem: Problem,
    output_dir: Path,
    *,
    overwrite: bool = False,
    cores: int | None = None,
    quiet: bool = False,
    tell: Callable[[str], None] = lambda note: None,
) -> Outcome:
    """Sample a problem as its settings say, and write posterior.nc, samples.txt and run.json into `output_dir`.

    overwrite: replace a run there; until the last draw is made the old files stay as they are. quiet: show no progress.
    tell: takes what is worth saying before the run and after it. While it runs its chains are kept in ``checkpoint``,
    from where `resume` goes on with them.

    Raises InputError where the folder must not be written to, WriteError where a file cannot be, and what `sample`
    raises; where the log likelihood cannot be computed the draws are kept and run.json says "unfinished". After an
    interrupt the draws there are have been written, and KeyboardInterrupt is raised.
    """
    from bnfhmc.report.folder import claim

    kept = output_dir / CHECKPOINT
    if kept.exists() and not overwrite:
        hint = f"type 'bnfhmc resume {output_dir}' to go on with it, --overwrite to replace it, or -o DIR to write elsewhere"
        raise InputError(Mistake("the folder holds a run", hint, output_dir))
    with claim(output_dir, overwrite) as folder, _to_be_resumed(output_dir, tell):
        return _run(problem, folder, cores, quiet, tell, resumed=False)


def resume(
    output_dir: Path,
    *,
    load: Callable[[Path], Problem] | None = None,
    num_samples: int | None = None,
    time_limit: float | None = None,
    scheduler: str | None = None,
    cores: int | None = None,
    quiet: bool = False,
    tell: Callable[[str], None] = lambda note: None,
) -> Outcome:
    """Go on with the run in a result folder, wherever it was stopped, and write its files.

    It ends with the very draws of a run that was never stopped. load: reads the configuration that the run is of; None
    takes `bnfhmc.load`. num_samples: draws a chain in all; with more than a finished run has, the rest is added to
    them. time_limit: seconds from here on; the one that the run was given counts no more. scheduler: the address of the
    dask scheduler whose workers have the chains; None has them here. The rest, and what is raised, as in `run`;
    InputError also where there is no run, or where its configuration, data or model are not what they were.
    """
    from bnfhmc.report.folder import claim

    if load is None:
        from bnfhmc.read import load as read

        load = read
    about = checkpoint_of(output_dir).asked().get("about", {})
    if not about.get("file"):
        hint = "only a run of a configuration can be gone on with from here"
        raise InputError(Mistake("the run does not say what it is of", hint, output_dir))
    problem = load(Path(about["file"]))
    settings = stored_settings(about.get("settings"), output_dir / CHECKPOINT / "run.json")
    settings = settings.model_copy(
        update={
            "num_samples": num_samples or settings.num_samples, "time_limit": time_limit, "scheduler": scheduler,
            "executor": "local" if scheduler is None else "dask",
        }
    )  # fmt: skip
    with claim(output_dir, overwrite=True) as folder, _to_be_resumed(output_dir, tell):
        return _run(replace(problem, settings=settings), folder, cores, quiet, tell, resumed=True)


def _run(
    problem: Problem,
    folder: ResultFolder,
    cores: int | None,
    quiet: bool,
    tell: Callable[[str], None],
    *,
    resumed: bool,
) -> Outcome:
    from bnfhmc.posterior import Posterior
    from bnfhmc.report.quiet_arviz import load_arviz

    s = problem.settings
    cores = cores or usable_cores()
    posterior = Posterior(problem)
    posterior.threads = max(1, cores // s.chains)  # conditions take the cores that chains leave
    if s.sensitivity_fallback == "warn":
        for note in posterior.notes:
            tell(note)
    started = _now()
    load_arviz()
    draws = draw(
        posterior, random_seed=s.random_seed, cores=cores, progress=not quiet, tell=tell,
        checkpoint=checkpoint_of(folder.path, problem), resumed=resumed,
    )  # fmt: skip
    for index, why in (draws.died or {}).items():
        tell(f"chain {index + 1} is not among the draws: {why}")
    if draws.unsaved:
        tell(f"the checkpoint in {folder.path / CHECKPOINT} could not be written ({draws.unsaved}): "
             "the draws can be used, and not be added to")  # fmt: skip
    if draws.ended:
        tell(f"{draws.ended}: {draws.z.shape[1]} of {s.num_samples} draws a chain are made; "
             f"'bnfhmc resume {folder.path}' goes on")  # fmt: skip
    outcome = _write(folder, posterior, draws, started, cores)
    if draws.ended == "interrupted":
        raise KeyboardInterrupt
    return outcome


@contextmanager
def _to_be_resumed(output_dir: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Say how to go on with a run that is ended from outside."""
    try:
        yield
    except (KeyboardInterrupt, TimeoutError):
        if (output_dir / CHECKPOINT).exists():
            tell(f"type 'bnfhmc resume {output_dir}' to go on with the run")
        raise


def with_settings(problem: Problem, **settings: Any) -> Problem:
    """The problem with those of the settings replaced that are not None; InputError for one out of its domain.

    Options of the method before that another one cannot take are dropped.
    """
    from pydantic import ValidationError

    from bnfhmc.samplers.methods import misplaced

    given = {k: v for k, v in settings.items() if v is not None}
    asked = problem.settings.model_dump() | given
    wrong = misplaced(asked["method"], asked)
    try:
        s = type(problem.settings).model_validate(asked | dict.fromkeys(set(wrong) - set(given)))
    except ValidationError as error:
        raise InputError(
            Mistake(f"{e['loc'][0]} = {e['input']}: {e['msg'].replace('Input should', 'it should')}") for e in error.errors()
        ) from None
    if said := [Mistake(f"{name} = {given[name]} {why}") for name, why in wrong.items() if name in given]:
        raise InputError(said)
    return replace(problem, settings=s)


def result_path(problem: Problem, output_dir: Path | None = None) -> Path:
    """`output_dir`, else the configuration's, else its name with ``_out``; relative to the current folder."""
    if output_dir is not None:
        return output_dir
    return problem.settings.output_dir or Path(f"{problem.path.stem if problem.path else 'bnfhmc'}_out")


def _write(folder: ResultFolder, posterior: Posterior, draws: Draws, started: str, cores: int) -> Outcome:
    """Write the files of a run. run.json comes first, so that the folder is known as ours, and last, so that "finished"
    is said of whole results only."""
    from bnfhmc import __version__
    from bnfhmc.report import run_json
    from bnfhmc.report.constraints import satisfaction
    from bnfhmc.report.folder import POSTERIOR, RECORD, SAMPLES
    from bnfhmc.report.inference_data import ln_probability, theta_of_draws, to_netcdf_bytes
    from bnfhmc.report.samples_txt import write_samples
    from bnfhmc.report.summary import summarize
    from bnfhmc.report.verdict import Evidence, judge

    settings = posterior.problem.settings
    opened = run_json.opening(__version__, started)
    folder.write_text(RECORD, run_json.to_json(opened))
    idata, failure = _inference_data(posterior, draws, _attrs(settings.method, draws), cores)
    theta, lps = theta_of_draws(posterior, draws.z), ln_probability(posterior, draws)
    folder.write(POSTERIOR, lambda path: path.write_bytes(to_netcdf_bytes(idata)))
    folder.write(SAMPLES, lambda path: write_samples(path, posterior.names, theta, lps))
    if failure is not None:
        kept = f"{folder.path} holds the draws, but no log_likelihood: {failure}"
        raise FailedSolve(failure.kind, kept) from failure
    summary = summarize(posterior.names, theta)
    made = settings.model_copy(update={"num_samples": draws.z.shape[1]})
    verdict = judge(Evidence.of(summary, made, draws))
    held = satisfaction(posterior, draws.z)
    start = settings.start if settings.start in STARTS else str(Path(settings.start).resolve())
    used = settings.model_copy(update={"random_seed": draws.random_seed, "output_dir": folder.path, "start": start})
    problem = posterior.problem if posterior.problem.path is None else replace(
        posterior.problem, path=posterior.problem.path.resolve()  # the report finds it from wherever it is typed
    )
    record = run_json.finished(
        opened, ended=_now(), problem=problem, settings=used, draws=draws, summary=summary, verdict=verdict,
        constraints=held,
    )  # fmt: skip
    record |= {"died": {str(i + 1): why for i, why in (draws.died or {}).items()}, "ended_by": draws.ended or None}
    if draws.ended:
        record["status"] = "unfinished"
    folder.write_text(RECORD, run_json.to_json(record))
    return Outcome(folder.path, summary, verdict, held)


def _inference_data(
    posterior: Posterior, draws: Draws, attrs: dict[str, str], cores: int
) -> tuple[InferenceData, FailedSolve | None]:
    """The draws with every group; where a draw cannot be solved again without those that need it, and why."""
    from bnfhmc.report.groups import complete
    from bnfhmc.report.inference_data import to_inference_data

    idata = to_inference_data(posterior, draws, loglik=None, attrs=attrs)
    cluster = cluster_of(posterior.problem)
    away = None if cluster is None else cluster.predictions
    try:
        complete(idata, posterior, draws.z, cores=cores, seed=draws.random_seed, away=away)
    except FailedSolve as failure:
        return idata, failure
    return idata, None


def _attrs(method: str, draws: Draws) -> dict[str, str]:
    """What each group of the InferenceData says of its origin; as texts, since HDF5 holds no integer above 2⁶⁴."""
    from bnfhmc import __version__
    from bnfhmc.report.run_json import versions

    found = versions(__version__)
    return {
        "inference_library": "bnfhmc",
        "inference_library_version": __version__,
        "created_at": _now(),
        "sampling_method": method,
        "metric": draws.metric,
        "random_seed": str(draws.random_seed),
        "versions": ", ".join(f"{package} {number}" for package, number in found.items()),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def open_study(
    folder: str | Path, *, conf: str | Path | None = None, cores: int | None = None, allow_callable: bool = False
) -> Study | FitStudy:
    """A finished run, or a finished fit, read back with its posterior: what reports and pictures are made from.

    folder: what ``bnfhmc run`` has written.
    conf: the problem file, where it is not where run.json says.
    cores: used at once for solves; None takes all.
    allow_callable: as `load` has it.

    Raises InputError where files are missing or damaged, or are no longer those of the run.
    """
    from functools import partial

    from bnfhmc.read.problem import load
    from bnfhmc.report.fit_study import is_fit, open_fit
    from bnfhmc.report.opened import open_run, read_record
    from bnfhmc.report.study import Study

    loading, where = partial(load, allow_callable=allow_callable), None if conf is None else Path(conf)
    if is_fit(read_record(Path(folder))):
        return open_fit(Path(folder), loading, where, cores=cores)
    return Study(open_run(Path(folder), loading, where), cores=cores)
