"""Chains, searches and predictions on the workers of a dask scheduler, each of which builds the model from its files."""

from __future__ import annotations

import math
import socket
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn, TypeVar, final

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import InputError, Mistake
from bnfhmc.optimizers.objective import Objective
from bnfhmc.optimizers.search import Callback
from bnfhmc.optimizers.threads import Crew, in_turn, nobody
from bnfhmc.posterior import Posterior
from bnfhmc.problem import Problem, Settings
from bnfhmc.read import load
from bnfhmc.samplers.chains import run_chain
from bnfhmc.samplers.checkpoint import Checkpoint, decode, encode
from bnfhmc.samplers.executors import Dask
from bnfhmc.samplers.methods import OWN, make_kernel
from bnfhmc.samplers.posterior_target import as_target, value_of

T = TypeVar("T")

# Rows that a worker predicts at a time: a few seconds of work at the most, and nothing of it is lost time on the network.
ROWS = 100


# How far log π may be from what it is elsewhere, relatively, for the problem to be taken for the same.
SAME = 1e-6

# What a chain is told of the settings of its run; arrays travel beside it.
ASKED = ("num_warmup", "num_samples", "metric", "check_gradient", "rtol", "random_seed", "start", "accept_by")


@final
class Cluster:
    """The workers of the scheduler that a problem's settings name, which see the files of its configuration."""

    def __init__(self, problem: Problem):
        s = problem.settings
        if problem.path is None or s.scheduler is None:
            hint = "a run on a cluster is of a configuration, and by 'executor = dask' and 'scheduler = <address>'"
            raise InputError(Mistake("the workers would not know what to run", hint, problem.path))
        self._workers = Dask(s.scheduler)
        self._told = {
            "file": str(problem.path.resolve()), "settings": s.model_dump(mode="json"), "run": uuid.uuid4().hex,
            "probe": _probe(Posterior(problem)),
        }  # fmt: skip

    def chains(self, method: str, kept: Checkpoint) -> Callable[..., Sequence[str]]:
        """What has the chains of a run worked on; they are left in their checkpoints."""
        told = self._told | {"method": method, "folder": str(kept.folder.resolve())}

        def away(indices: Sequence[int], basins: Sequence[Any], settings: Any) -> Sequence[str]:
            asked = {name: getattr(settings, name) for name in ASKED}
            drawn = encode({"starts": settings.starts, "tuned": settings.tuned, "basins": basins}, None)
            tasks = [told | {"index": i, "asked": asked, **drawn} for i in indices]
            return self._workers.map(chain_on_worker, tasks, kept.ask_to_end)

        return away

    def searches(self, objective: Objective, rtol: float, seconds: float) -> Crew:
        """Those who do the searches of a multistart."""
        return _Searchers(self._workers, self._told | {"space": objective.search_space, "rtol": rtol, "seconds": seconds})

    def predictions(self, work: Callable[..., list[Any]], u: Float[np.ndarray, "s d"]) -> list[Any]:
        """What `work` makes of the posterior, some rows of u, and the number of the first of these."""
        tasks = [self._told | {"work": work, "u": u[i : i + ROWS], "first": i} for i in range(0, len(u), ROWS)]
        return [one for part in self._workers.map(rows_on_worker, tasks, _interrupted) for one in part]


@final
@dataclass(frozen=True, slots=True)
class _Searchers:
    """A crew of workers: what a piece has found so far travels, the objective does not."""

    workers: Dask
    told: Mapping[str, Any]
    stop: threading.Event = field(default_factory=threading.Event)

    def heard(self, callback: Callback) -> Callback:
        return in_turn(callback, self.stop)

    def do(self, work: Sequence[Callable[[Objective], T]], told: Callable[[T], None] = nobody) -> list[T]:
        return self.workers.map(search_on_worker, [{**self.told, "work": one} for one in work], _interrupted, told)


def chain_on_worker(task: Mapping[str, Any]) -> str:
    """Move one chain of a run on to its end, on a worker that shares the file system.

    The chain is left in its checkpoint; why it died is returned, or an empty text.
    """
    posterior = _read(task)
    s = posterior.problem.settings
    options = {name: decode(task[name], {}) for name in ("starts", "tuned", "basins")}
    kernel = make_kernel(
        task["method"], s.engine or OWN, target_accept=s.target_accept, max_tree_depth=s.max_tree_depth,
        path_length=s.path_length,
    )  # fmt: skip
    return run_chain(
        task["index"], kernel, as_target(posterior),
        Checkpoint(Path(task["folder"]), every=s.checkpoint_interval), time_limit=s.time_limit, **task["asked"], **options,
    )  # fmt: skip


def search_on_worker(task: Mapping[str, Any]) -> Any:
    """A piece of a multistart."""

    def build() -> Objective:
        return Objective.of(_read(task), task["space"] or None).loosened(task["rtol"], task["seconds"])

    return task["work"](_kept("objective", task["run"], build))


def rows_on_worker(task: Mapping[str, Any]) -> list[Any]:
    """Predictions at some rows."""
    return list(task["work"](_kept("posterior", task["run"], lambda: _read(task)), task["u"], task["first"]))


def _read(task: Mapping[str, Any]) -> Posterior:
    """The posterior of the run, from its files; InputError where they are not those of the one who asks."""
    path = Path(task["file"])
    posterior = Posterior(replace(load(path), settings=Settings.model_validate(task["settings"])))
    found, expected = _probe(posterior), task["probe"]
    same = found == expected or (not isinstance(found, str) and not isinstance(expected, str)
                                 and math.isclose(found, expected, rel_tol=SAME, abs_tol=SAME))  # fmt: skip
    if not same:
        here = socket.gethostname()
        what = f"log π at the medians of the priors is {found} on {here}, and {expected} where the run was begun"
        raise InputError(Mistake(what, "the workers have to see the very files of the run", path))
    return posterior


def _probe(posterior: Posterior) -> float | str:
    """What tells one problem from another: log π at the medians of the priors, or why there is none."""
    u = posterior.prior.quantile(np.full(posterior.dim, 0.5))
    at = value_of(posterior, posterior.z_from_u(u))
    return at.logp if at.status == "ok" else at.status


_here = threading.local()  # what this thread of a worker has built, for the run that it was last asked to work for


def _kept(name: str, run: str, build: Callable[[], T]) -> T:
    if getattr(_here, "run", None) != run:
        _here.run, _here.built = run, {}
    if name not in _here.built:
        _here.built[name] = build()
    return _here.built[name]


def _interrupted() -> NoReturn:
    """A piece ends by itself in seconds, so that there is nothing to ask of it."""
    raise KeyboardInterrupt
