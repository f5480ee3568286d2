"""From a posterior to draws, and from a problem to a result folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnfhmc.errors import FailedSolve, nearest
from bnfhmc.samplers.cores import usable_cores

if TYPE_CHECKING:
    from arviz import InferenceData

    from bnfhmc.posterior import Posterior
    from bnfhmc.problem import Problem
    from bnfhmc.report.constraints import Held
    from bnfhmc.report.folder import ResultFolder
    from bnfhmc.report.study import Study
    from bnfhmc.report.summary import Summary
    from bnfhmc.report.verdict import Verdict
    from bnfhmc.samplers.draws import Draws


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
) -> InferenceData:
    """Draws from the posterior, z ~ π, as arviz.InferenceData in θ.

    method: a key of METHODS.
    chains: how many; each has its own start.
    num_warmup, num_samples: draws a chain.
    target_accept: the mean acceptance that the step size is tuned to, in (0, 1).
    random_seed: the same seed gives the same draws whatever the number of cores; None draws one and records it.
    cores: threads at once; None takes all that the process may use.
    progress: show how far each chain is.

    Groups: posterior, unconstrained_posterior, sample_stats, log_likelihood, posterior_predictive, prior,
    prior_predictive, observed_data, constant_data, and those of the warm-up. Log likelihood and predictions cost one solve
    without sensitivities a draw, those of the prior another thousand.

    Raises ValueError for an argument out of its domain, GradientMismatch where the gradient is wrong, and FailedSolve
    where the model cannot be solved again at a draw.
    """
    from bnfhmc.report.quiet_arviz import load_arviz

    load_arviz()  # what cannot be imported is to say so before the first draw
    cores = cores or usable_cores()
    draws = _method(method)(
        posterior, cores=cores, progress=progress, chains=chains, num_warmup=num_warmup, num_samples=num_samples,
        target_accept=target_accept, random_seed=random_seed,
    )  # fmt: skip
    idata, failure = _inference_data(posterior, draws, _attrs(method, draws), cores)
    if failure is not None:
        raise failure
    return idata


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

    overwrite: replace a finished run there; until the last draw is made the old files stay as they are. quiet: show no
    progress. tell: takes what is worth saying before the run. Raises InputError where the folder must not be written to,
    WriteError where a file cannot be, and what `sample` raises; where the log likelihood cannot be computed the draws are
    kept and run.json says "unfinished".
    """
    from bnfhmc.posterior import Posterior
    from bnfhmc.report.folder import claim
    from bnfhmc.report.quiet_arviz import load_arviz

    s = problem.settings
    posterior = Posterior(problem)
    if s.sensitivity_fallback == "warn":
        for note in posterior.notes:
            tell(note)
    started = _now()
    cores = cores or usable_cores()
    with claim(output_dir, overwrite) as folder:
        load_arviz()
        draws = draw(posterior, random_seed=s.random_seed, cores=cores, progress=not quiet)
        return _write(folder, posterior, draws, started, cores)


def draw(posterior: Posterior, *, random_seed: int | None, cores: int, progress: bool = False) -> Draws:
    """Draws as the settings of the problem say, and nothing on disk."""
    s = posterior.problem.settings
    return _method(s.method)(
        posterior, cores=cores, progress=progress, chains=s.chains, num_warmup=s.num_warmup, num_samples=s.num_samples,
        target_accept=s.target_accept, random_seed=random_seed,
    )


def with_settings(problem: Problem, **settings: Any) -> Problem:
    """The problem with those of the settings replaced that are not None."""
    given = {k: v for k, v in settings.items() if v is not None}
    return replace(problem, settings=problem.settings.model_copy(update=given))


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
    verdict = judge(Evidence.of(summary, settings, draws))
    held = satisfaction(posterior, draws.z)
    used = settings.model_copy(update={"random_seed": draws.random_seed, "output_dir": folder.path})
    problem = posterior.problem if posterior.problem.path is None else replace(
        posterior.problem, path=posterior.problem.path.resolve()  # the report finds it from wherever it is typed
    )
    record = run_json.finished(
        opened, ended=_now(), problem=problem, settings=used, draws=draws, summary=summary, verdict=verdict,
        constraints=held,
    )  # fmt: skip
    folder.write_text(RECORD, run_json.to_json(record))
    return Outcome(folder.path, summary, verdict, held)


def _inference_data(
    posterior: Posterior, draws: Draws, attrs: dict[str, str], cores: int
) -> tuple[InferenceData, FailedSolve | None]:
    """The draws with every group; where a draw cannot be solved again without those that need it, and why."""
    from bnfhmc.report.groups import complete
    from bnfhmc.report.inference_data import to_inference_data

    idata = to_inference_data(posterior, draws, loglik=None, attrs=attrs)
    try:
        complete(idata, posterior, draws.z, cores=cores, seed=draws.random_seed)
    except FailedSolve as failure:
        return idata, failure
    return idata, None


def _nuts(posterior: Posterior, *, progress: bool, **settings: Any) -> Draws:
    from rich.console import Console

    from bnfhmc.samplers.chains import run_nuts
    from bnfhmc.samplers.progress import progress_on

    return run_nuts(posterior, progress=progress_on(Console()) if progress else None, rtol=posterior.rtol, **settings)


METHODS: dict[str, Callable[..., Draws]] = {"nuts": _nuts}


def _method(name: str) -> Callable[..., Draws]:
    if name not in METHODS:
        raise ValueError(f"unknown method '{name}'; {nearest(name, METHODS) or 'there is ' + ', '.join(METHODS)}")
    return METHODS[name]


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
) -> Study:
    """A finished run, read back with its posterior: what reports and pictures are made from.

    folder: what ``bnfhmc run`` has written.
    conf: the problem file, where it is not where run.json says.
    cores: used at once for solves; None takes all.
    allow_callable: as `load` has it.

    Raises InputError where files are missing or damaged, or are no longer those of the run.
    """
    from functools import partial

    from bnfhmc.read.problem import load
    from bnfhmc.report.opened import open_run
    from bnfhmc.report.study import Study

    loading = partial(load, allow_callable=allow_callable)
    return Study(open_run(Path(folder), loading, None if conf is None else Path(conf)), cores=cores)
