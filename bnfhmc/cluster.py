"""The chains of a run on the workers of a dask scheduler, each of which builds the model from its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bnfhmc.errors import InputError, Mistake
from bnfhmc.posterior import Posterior
from bnfhmc.problem import Problem, Settings
from bnfhmc.read import load
from bnfhmc.samplers.chains import run_chain
from bnfhmc.samplers.checkpoint import Checkpoint, decode, encode
from bnfhmc.samplers.executors import Dask
from bnfhmc.samplers.methods import OWN, make_kernel
from bnfhmc.samplers.posterior_target import as_target


def on_cluster(problem: Problem, method: str, kept: Checkpoint) -> Callable[..., Sequence[str]]:
    """What has the chains of a run worked on by the workers of a dask scheduler."""
    s = problem.settings
    if problem.path is None or s.scheduler is None:
        hint = "a run on a cluster is of a configuration, and by 'executor = dask' and 'scheduler = <address>'"
        raise InputError(Mistake("the workers would not know what to run", hint, problem.path))
    told = {
        "file": str(problem.path.resolve()), "settings": s.model_dump(mode="json"), "method": method,
        "folder": str(kept.folder.resolve()),
    }  # fmt: skip

    def away(indices: Sequence[int], basins: Sequence[Any], settings: Any) -> Sequence[str]:
        asked = {
            name: getattr(settings, name)
            for name in ("num_warmup", "num_samples", "metric", "check_gradient", "rtol", "random_seed", "start", "accept_by")
        }
        drawn = encode({"starts": settings.starts, "tuned": settings.tuned, "basins": basins}, None)
        tasks = [told | {"index": i, "asked": asked, **drawn} for i in indices]
        return Dask(str(s.scheduler)).map(chain_on_worker, tasks, kept.ask_to_end)

    return away


def chain_on_worker(task: Mapping[str, Any]) -> str:
    """Move one chain of a run on to its end, on a worker that shares the file system: the model is built from its files.

    The chain is left in its checkpoint; why it died is returned, or an empty text.
    """
    s = Settings.model_validate(task["settings"])
    posterior = Posterior(replace(load(Path(task["file"])), settings=s))
    options = {name: decode(task[name], {}) for name in ("starts", "tuned", "basins")}
    kernel = make_kernel(
        task["method"], s.engine or OWN, target_accept=s.target_accept, max_tree_depth=s.max_tree_depth,
        path_length=s.path_length,
    )  # fmt: skip
    return run_chain(
        task["index"], kernel, as_target(posterior),
        Checkpoint(Path(task["folder"]), every=s.checkpoint_interval), time_limit=s.time_limit, **task["asked"], **options,
    )  # fmt: skip
