"""Simulation-based calibration: does a fit of data that the prior itself simulated get the prior back?

For replicates r = 1 … n: θ* ~ prior, ỹ ~ p(ỹ | θ*), θ₁ … θ_L ~ p(θ | ỹ). Then the rank of θ*ⱼ among the draws is uniform
on 0 … L for every parameter j, if model, gradient and sampler are right together (Talts, Betancourt, Simpson, Vehtari, Gelman
2018, arXiv:1804.06788).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from bnfhmc.cores import usable_cores
from bnfhmc.errors import FailedSolve, InputError, Mistake
from bnfhmc.noise.transform import Floor, SeriesScale
from bnfhmc.posterior import Posterior
from bnfhmc.problem import Experiment, Problem
from bnfhmc.report.folder import PROGRAM
from bnfhmc.report.predictive import new_measurements, thinned
from bnfhmc.report.run_json import configuration

# Draws z[chain, draw, d] of a posterior from a seed, on one core.
Sampler = Callable[[Posterior, int], Float[np.ndarray, "chain draw d"]]

RANKED = 99  # draws that each true value is ranked among: ranks 0 … 99
TRIES = 100  # draws from the prior until one can be solved
RESULTS, SETTINGS = "replicates.jsonl", "calibration.json"


@dataclass(frozen=True, slots=True)
class Replicate:
    """One simulated fit: the rank of each parameter's true value among the draws, or why there is none.

    ``true``: θ* in u; ``redrawn``: draws of the prior that could not be solved before it.
    """

    index: int
    true: tuple[float, ...]
    ranks: tuple[int, ...] | None
    failure: str = ""
    redrawn: int = 0


@dataclass(frozen=True, slots=True)
class Calibration:
    """All replicates of a calibration; ``names``: the parameters; ``ranked``: L."""

    names: tuple[str, ...]
    ranked: int
    replicates: tuple[Replicate, ...]

    @property
    def ranks(self) -> Int[np.ndarray, "replicate d"]:
        """The ranks of the replicates that were fitted."""
        found = [r.ranks for r in self.replicates if r.ranks is not None]
        return np.array(found, dtype=int).reshape(len(found), len(self.names))


def calibrate(
    problem: Problem,
    folder: Path,
    n: int,
    sample: Sampler,
    *,
    seed: int = 0,
    cores: int | None = None,
    tell: Callable[[Replicate], None] = lambda replicate: None,
) -> Calibration:
    """Simulate and fit until the folder holds n replicates, and return them all.

    Each replicate follows from `seed` and its number alone, so a calibration that was interrupted goes on where it stopped,
    and one with more cores gives the same ranks. ``tell``: takes each replicate when it is done.

    Raises InputError where the problem cannot be simulated, and where the folder holds another calibration.
    """
    posterior = Posterior(problem)
    refuse_unsimulated(problem)
    _claim(folder, problem, seed)
    done = {r.index: r for r in read_replicates(folder)}
    waiting = [i for i in range(n) if i not in done]
    with _appending(folder / RESULTS) as append, _pool(posterior, cores or usable_cores(), len(waiting)) as (pool, idle):

        def one(index: int) -> Replicate:
            own = idle.pop()
            try:
                return replicate(own, index, seed, sample)
            finally:
                idle.append(own)

        for future in as_completed([pool.submit(one, i) for i in waiting]):
            found = future.result()
            append(found)
            done[found.index] = found
            tell(found)
    chosen = sorted((r for r in done.values() if r.index < n), key=lambda r: r.index)
    return Calibration(problem.names, RANKED, tuple(chosen))


def replicate(posterior: Posterior, index: int, seed: int, sample: Sampler) -> Replicate:
    """One θ* from the prior, data simulated at it, and its ranks among draws of the posterior of these data."""
    rng = np.random.default_rng((seed, index))
    for redrawn in range(TRIES):
        u = posterior.prior.sample(rng)
        try:
            simulated = with_data(posterior.problem, simulate(posterior, u, rng))
        except (FailedSolve, ValueError):  # the prior reaches where the model has no solution; there π has no mass either
            continue
        true = tuple(u.tolist())
        try:
            z = sample(Posterior(simulated), int(rng.integers(2**31)))
        except (FailedSolve, ArithmeticError, RuntimeError) as error:  # a fit that fails is a result
            return Replicate(index, true, None, type(error).__name__, redrawn)
        draws = np.array([posterior.u_from_z(row) for row in z.reshape(-1, posterior.dim)])
        chosen = draws[thinned(len(draws), RANKED)]
        return Replicate(index, true, tuple(np.sum(chosen < u, axis=0).tolist()), "", redrawn)
    return Replicate(index, (), None, "no draw from the prior can be solved", TRIES)


def simulate(posterior: Posterior, u: Float[np.ndarray, " d"], rng: np.random.Generator) -> list[Float[np.ndarray, " n"]]:
    """New data of each experiment at u; raises FailedSolve or ValueError where there are none."""
    solved = posterior.solved(u, gradient=False)
    with np.errstate(all="ignore"):
        out = [new_measurements(e, p, rng) for e, p in zip(posterior.experiments, solved, strict=False)]
    if not all(np.isfinite(y).all() for y in out):
        raise ValueError("simulated data are not finite")
    return out


def with_data(problem: Problem, data: Sequence[Float[np.ndarray, " n"]]) -> Problem:
    """The problem with other measured values, and models of its own."""
    experiments = []
    for e, y in zip(problem.experiments, data, strict=True):
        ends = np.cumsum([len(s.observed) for s in e.series])[:-1]
        series = tuple(replace(s, observed=part) for s, part in zip(e.series, np.split(y, ends), strict=True))
        experiments.append(replace(e, series=series))
    models = {k: m.clone() for k, m in problem.models.items()}
    return replace(problem, experiments=tuple(experiments), models=models)


def refuse_unsimulated(problem: Problem) -> None:
    """Raise InputError for what gives a density but no data."""
    wrong = []
    if problem.target is not None or not any(len(s.observed) for e in problem.experiments for s in e.series):
        wrong.append(Mistake("there are no measurements to simulate", "calibrate a problem with data"))
    for e in problem.experiments:
        if e.constraints:
            wrong.append(Mistake(f"experiment '{e.name}' has constraints, which no data can be simulated of",
                                 "calibrate it without them"))  # fmt: skip
        wrong += [
            Mistake(f"'{s.name}' is scaled by the data themselves, so that there is nothing to simulate from",
                    "give its factor as a parameter")
            for s in e.series if any(isinstance(t, SeriesScale | Floor) for t in s.transforms)
        ]  # fmt: skip
    if wrong:
        raise InputError(wrong)


def read_replicates(folder: Path) -> Iterator[Replicate]:
    """The replicates in a folder; a last line that was cut off is not one."""
    path = folder / RESULTS
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            r = json.loads(line)
            ranks = None if r["ranks"] is None else tuple(int(k) for k in r["ranks"])
            yield Replicate(int(r["index"]), tuple(map(float, r["true"])), ranks, str(r["failure"]), int(r["redrawn"]))
        except (ValueError, KeyError, TypeError):
            continue


def _claim(folder: Path, problem: Problem, seed: int) -> None:
    """Make the folder, or refuse one that holds a calibration of something else."""
    mine = {"program": PROGRAM, "calibration": 1, "seed": seed, "ranked": RANKED, "problem": _fingerprint(problem)}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / SETTINGS
    if not path.exists():
        if (folder / RESULTS).exists():
            raise InputError(Mistake("is not from a calibration of bnfhmc, and is left alone", "", folder / RESULTS))
        path.write_text(json.dumps(mine, indent=2) + "\n", encoding="utf-8")
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if found != mine:
        hint = "choose another folder with -o DIR, or delete this one"
        raise InputError(Mistake("the folder holds a calibration of another problem or seed", hint, folder))


def _fingerprint(problem: Problem) -> str:
    """Of everything that defines a replicate: priors, experiments, where there are measurements, and how it is sampled."""
    whole = configuration(problem, problem.settings.model_copy(update={"random_seed": None, "output_dir": None}))
    rows = [_layout(e) for e in problem.experiments]
    return sha256(json.dumps([whole, rows], sort_keys=True, default=str).encode()).hexdigest()


def _layout(e: Experiment) -> Mapping[str, Any]:
    return {"rows": np.asarray(e.rows, dtype=float).tolist(), "at": [s.time_index.tolist() for s in e.series]}


@contextmanager
def _appending(path: Path) -> Iterator[Callable[[Replicate], None]]:
    """Write one replicate a line, each on the disk before the next; a line that was cut off is ended first."""
    with open(path, "ab+") as out:
        if out.tell() and not path.read_bytes().endswith(b"\n"):
            out.write(b"\n")

        def append(found: Replicate) -> None:
            out.write((json.dumps(asdict(found)) + "\n").encode())
            out.flush()
            os.fsync(out.fileno())

        yield append


@contextmanager
def _pool(posterior: Posterior, cores: int, jobs: int) -> Iterator[tuple[ThreadPoolExecutor, list[Posterior]]]:
    """Threads, with a posterior for each; what waits is given up when the block is left by an exception."""
    workers = max(1, min(cores, jobs))
    pool = ThreadPoolExecutor(workers, thread_name_prefix="calibrate")
    try:
        yield pool, [posterior.clone() for _ in range(workers)]
    except BaseException:
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    pool.shutdown()
