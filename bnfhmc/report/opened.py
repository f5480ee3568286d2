"""A finished run, read back from its folder together with the posterior it was drawn from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from pydantic import ValidationError

from bnfhmc.errors import InputError, Mistake
from bnfhmc.posterior import Posterior
from bnfhmc.problem import Problem, Settings
from bnfhmc.report.fitted import CHECKPOINT
from bnfhmc.report.folder import POSTERIOR, PROGRAM, RECORD
from bnfhmc.report.quiet_arviz import load_arviz
from bnfhmc.report.record import misshapen
from bnfhmc.report.summary import Summary
from bnfhmc.report.verdict import Evidence

if TYPE_CHECKING:
    from arviz import InferenceData

Load = Callable[[Path], Problem]

COMPARED = 3  # draws whose log posterior is computed again
MOST_APART = 0.05  # of log π, what two machines and the solver's tolerance may differ by


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run as its files have it: the folder, run.json, and posterior.nc."""

    folder: Path
    record: Mapping[str, Any]
    idata: InferenceData

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters, in declaration order."""
        return tuple(str(n) for n in self.idata["unconstrained_posterior"]["parameter"].values)

    @property
    def z(self) -> Float[np.ndarray, "chain draw d"]:
        """The draws in unconstrained coordinates."""
        return np.asarray(self.idata["unconstrained_posterior"]["z"].transpose("chain", "draw", "parameter").values)

    @property
    def theta(self) -> Float[np.ndarray, "chain draw d"]:
        """The draws in native units."""
        by_name = {v.attrs.get("parameter", k): v for k, v in self.idata["posterior"].data_vars.items()}
        return np.stack([by_name[n].transpose("chain", "draw").values for n in self.names], axis=-1)

    @property
    def settings(self) -> Settings:
        """How it was run; raises InputError where run.json holds no settings of this version."""
        said = self.record.get("configuration", {})
        try:
            return Settings.model_validate({k: said[k] for k in Settings.model_fields if k in said})
        except ValidationError as error:
            wrong = ", ".join(dict.fromkeys(str(e["loc"][0]) for e in error.errors()))
            hint = "read it with the version that it says it is from"
            raise InputError(Mistake(f"its settings cannot be understood: {wrong}", hint, self.folder / RECORD)) from None

    @property
    def sampling(self) -> list[dict[str, Any]]:
        """What run.json says of the sampling of each chain: gradients, values, failed solves by kind, seconds."""
        return list(self.record.get("counts", {}).get("sampling", []))

    def evidence(self, summary: Summary) -> Evidence:
        """What the verdict on the run is drawn from."""
        failed: Counter[str] = Counter()
        for chain in self.sampling:
            failed.update(chain.get("failed_solves", {}))
        stats = self.stats
        diverging = stats["diverging"].astype(bool)
        unsolved = int((diverging & (stats["failed"] > 0)).sum()) if "failed" in stats else 0
        settings = self.settings.model_copy(update={"chains": diverging.shape[0], "num_samples": diverging.shape[1]})
        solves = sum(chain.get(kind, 0) for chain in self.sampling for kind in ("gradients", "values"))
        return Evidence(summary, settings, diverging.sum(axis=1).tolist(), solves, failed, unsolved)

    @property
    def stats(self) -> dict[str, np.ndarray]:
        """What the sampler says of each draw [chain, draw], by name."""
        return {str(k): np.asarray(v.values) for k, v in self.idata["sample_stats"].data_vars.items()}


@dataclass(frozen=True, slots=True)
class Opened:
    """A run and the posterior it was drawn from; ``u``: its draws on the scales of their priors."""

    run: Run
    posterior: Posterior
    u: Float[np.ndarray, "chain draw d"]


def read_run(folder: Path) -> Run:
    """The files of a finished run; raises InputError where they are missing, damaged or of an unfinished run."""
    record = read_record(folder)
    path = folder / POSTERIOR
    if "fit" in record:
        hint = (f"type 'bnfhmc plot {folder}' or 'bnfhmc summary {folder}' for what it found, and for draws "
                f"'bnfhmc run CONF --method nuts --start {folder}'")  # fmt: skip
        raise InputError(Mistake("holds a fit, which has no draws", hint, folder))
    if not path.is_file():
        raise InputError(Mistake("is missing", "run again with --overwrite", path))
    try:
        idata = load_arviz().from_netcdf(str(path))
    except Exception as error:  # the netCDF libraries raise what they like of a damaged file
        raise InputError(Mistake(f"cannot be read: {_first_line(error)}", "run again with --overwrite", path)) from error
    lacking = [g for g in ("posterior", "unconstrained_posterior", "sample_stats") if g not in idata.groups()]
    if lacking:
        raise InputError(Mistake(f"has no group {', '.join(lacking)}", "is it from a run of bnfhmc?", path))
    run = Run(folder, record, idata)
    _refuse_two_runs(run)
    return run


def open_run(folder: Path, load: Load, conf: Path | None = None) -> Opened:
    """A finished run with its posterior.

    ``load``: reads a problem file, as `bnfhmc.load` does. ``conf``: the problem file, where it is not where run.json says.

    Raises InputError where files are missing or damaged, and where the problem is no longer the one that was run: other
    parameters, other data, or another log posterior at the draws.
    """
    run = read_run(folder)
    posterior = Posterior(load(problem_file(run.record, run.folder / RECORD, conf)))
    _refuse_other(run, posterior)
    z = run.z
    u = np.array([posterior.u_from_z(row) for row in z.reshape(-1, z.shape[-1])]).reshape(z.shape)
    return Opened(run, posterior, u)


def _refuse_two_runs(run: Run) -> None:
    """Refuse a posterior.nc that is not of the run that run.json tells of: other parameters, or other means."""
    said = {n: s.get("mean") for n, s in run.record.get("summary", {}).items()}
    if not said:
        return
    means = dict(zip(run.names, run.theta.mean(axis=(0, 1)).tolist(), strict=True))
    alike = said.keys() == means.keys() and all(
        m is None or not np.isfinite(means[n]) or np.isclose(m, means[n], rtol=1e-6, atol=0.0) for n, m in said.items()
    )
    if not alike:
        what = f"is of another run than {POSTERIOR} beside it"
        raise InputError(Mistake(what, "restore the two files of one run, or run again", run.folder / RECORD))


def read_record(folder: Path) -> dict[str, Any]:
    """The run.json of a run or a fit whose results are all written; raises InputError where there is none.

    A run that was ended early, by an interrupt or out of time, counts: its draws are there.
    """
    path = folder / RECORD
    hint = "type the folder that bnfhmc run has written"
    if not folder.is_dir():
        raise InputError(Mistake("is no folder", hint, folder))
    if not path.is_file():
        within = sorted(p.parent.name for p in folder.glob(f"*/{RECORD}") if p.parent.name != CHECKPOINT)
        hint = f"type one of the folders in it: {', '.join(within)}" if within else _without_record(folder, hint)
        raise InputError(Mistake(f"holds no {RECORD}", hint, folder))
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(Mistake(f"cannot be read: {_first_line(error)}", "run again with --overwrite", path)) from None
    if not isinstance(record, dict) or record.get("program") != PROGRAM:
        raise InputError(Mistake(f"is not from a run of {PROGRAM}", hint, path))
    if record.get("status") != "finished" and not record.get("ended_by"):
        hint = f"let it finish; if it was stopped, type 'bnfhmc resume {folder}'"
        raise InputError(Mistake("the run has not finished", hint, path))
    if where := misshapen(record):
        raise InputError(Mistake(f"cannot be understood: {where}", "has it been edited? restore it, or run again", path))
    return record


def _without_record(folder: Path, otherwise: str) -> str:
    """What to type for a folder without results."""
    stopped = (folder / CHECKPOINT).is_dir()
    return f"let the run finish; if it was stopped, type 'bnfhmc resume {folder}'" if stopped else otherwise


def problem_file(record: Mapping[str, Any], path: Path, conf: Path | None) -> Path:
    """The problem file that a run.json names, or `conf` in its place. Raises InputError where it is not there."""
    if conf is not None:
        return conf
    fit = record.get("fit")
    named = fit.get("file") if isinstance(fit, Mapping) else None  # from the root, where the configuration may not be
    said = named or record.get("configuration", {}).get("file")
    if not isinstance(said, str):
        raise InputError(Mistake("names no problem file", "type --conf FILE", path))
    file = Path(said)
    if not file.is_file():
        what = f"the problem file '{said}' is not there (seen from {Path.cwd()})"
        raise InputError(Mistake(what, "type --conf FILE, or go to the folder it was run in", path))
    return file


def _refuse_other(run: Run, posterior: Posterior) -> None:
    """Refuse a problem that is not the one the draws are from."""
    path = posterior.problem.path
    hint = "restore the files as they were, or run again"
    if run.names != posterior.names:
        what = f"has the parameters {', '.join(posterior.names)}, and the run has {', '.join(run.names)}"
        raise InputError(Mistake(what, hint, path))
    observed = np.array([m.observed for m in posterior.measurements])
    if "observed_data" in run.idata.groups():
        seen = np.asarray(run.idata["observed_data"]["y"].values)
        if seen.shape != observed.shape or not np.array_equal(seen, observed):
            raise InputError(Mistake("its measurements are not those of the run", hint, path))
    z, lp = run.z.reshape(-1, posterior.dim), run.stats["lp"].ravel()
    for i in np.linspace(0, len(z) - 1, COMPARED).astype(int):
        most = MOST_APART + 1e-6 * abs(lp[i])
        u = posterior.u_from_z(z[i])
        here = posterior.log_prior(u) + posterior.prior.log_du_dz(z[i]) - posterior.loss(u)
        if not abs(here - lp[i]) <= most:  # at a loose tolerance a solve with sensitivities, as the run's was, is another one
            here = posterior.evaluate(z[i]).logp
        if not abs(here - lp[i]) <= most:
            what = (f"the log posterior at draw {i} is {here:.6g} and was {lp[i]:.6g} in the run: the configuration, the data "
                    "or the model has changed since")  # fmt: skip
            raise InputError(Mistake(what, hint, path))


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
