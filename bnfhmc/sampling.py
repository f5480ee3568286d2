"""From a posterior and the settings of a run to draws: the methods by name, and where their chains start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnfhmc.errors import InputError, Mistake, nearest

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

    from bnfhmc.cluster import Cluster
    from bnfhmc.optimizers import FitResult
    from bnfhmc.posterior import Posterior
    from bnfhmc.problem import Problem, Settings
    from bnfhmc.samplers.checkpoint import Checkpoint
    from bnfhmc.samplers.draws import Draws
    from bnfhmc.samplers.modes import NearModes

CHECKPOINT = "checkpoint"  # the folder within a result folder that a run goes on from

# Settings that a method takes where they are given, and has defaults for where they are not.
OPTIONS = ("engine", "metric", "max_tree_depth", "path_length", "accept_by", "time_limit")
STARTS = ("prior", "map")
OFF_THE_END = 1e-3  # of a prior's mass

AUTO, PILOTED = "auto", ("nuts", "hmc", "rwm", "pcn")


@dataclass(frozen=True, slots=True)
class Method:
    """A way to sample, by its name: called with a posterior and the settings of a run, it gives the draws."""

    name: str

    def __call__(
        self, posterior: Posterior, *, progress: bool, target_accept: float, engine: str = "own",
        max_tree_depth: int | None = None, path_length: float | None = None, **settings: Any,
    ) -> Draws:  # fmt: skip
        """As `bnfhmc.samplers.chains.run_chains` has the rest of the settings."""
        from rich.console import Console

        from bnfhmc.samplers.chains import run_chains
        from bnfhmc.samplers.methods import make_kernel
        from bnfhmc.samplers.posterior_target import as_target
        from bnfhmc.samplers.progress import progress_on

        target = as_target(posterior)
        if engine == "nutpie":
            settings.pop("near_modes", None)
            from bnfhmc.samplers.through_nutpie import run_nutpie

            return run_nutpie(
                self.name, target, target_accept=target_accept, max_tree_depth=max_tree_depth, rtol=posterior.rtol, **settings
            )
        kernel = make_kernel(
            self.name, engine, target_accept=target_accept, max_tree_depth=max_tree_depth, path_length=path_length
        )
        shown = progress_on(Console()) if progress else None
        return run_chains(kernel, target, progress=shown, rtol=posterior.rtol, **settings)


METHODS: dict[str, Callable[..., Draws]] = {
    name: Method(name) for name in ("nuts", "hmc", "mala", "fisher_mala", "rwm", "pcn", "ensemble")
}


def seeded(random_seed: int | None) -> int:
    """The seed that is given, or one that is drawn: what runs twice with it finds the modes once."""
    import numpy as np

    return int(np.random.SeedSequence().generate_state(1)[0]) if random_seed is None else random_seed


def chosen(
    posterior: Posterior, random_seed: int, tell: Callable[[str], None], near: NearModes | None = None
) -> tuple[str, dict[str, Any]]:
    """The method that a pilot finds fastest, and what the chains begin with."""
    from bnfhmc.samplers.methods import make_kernel
    from bnfhmc.samplers.pilot import choose
    from bnfhmc.samplers.posterior_target import as_target

    choice = choose({name: make_kernel(name) for name in PILOTED}, as_target(posterior), random_seed, near)
    tell(choice.why)
    return choice.method, {"tuned": [choice.tuning]}


def method_of(name: str) -> Callable[..., Draws]:
    """The method of a name; ValueError with the nearest one where there is none."""
    if name not in METHODS:
        known = (*METHODS, AUTO)
        raise ValueError(f"unknown method '{name}'; {nearest(name, known) or 'there is ' + ', '.join(known)}")
    return METHODS[name]


def draw(
    posterior: Posterior,
    *,
    random_seed: int | None,
    cores: int,
    progress: bool = False,
    tell: Callable[[str], None] = lambda note: None,
    checkpoint: Checkpoint | None = None,
    resumed: bool = False,
) -> Draws:
    """Draws as the settings of the problem say. With a `checkpoint` they are kept there while they are made, and `resumed`
    goes on from it; without one nothing is on disk."""
    s = posterior.problem.settings
    options: dict[str, Any] = {name: value for name in OPTIONS if (value := getattr(s, name)) is not None}
    options |= {} if checkpoint is None else {"checkpoint": checkpoint, "resume": resumed}
    options |= checkpoint.told() if checkpoint is not None and resumed else beginnings(posterior)
    keep = _keeper(checkpoint, resumed)
    if s.start == "map" and (found := near_modes(posterior, cores, tell, keep, progress)) is not None:
        options["near_modes"] = found
    used: str = s.method
    if used == AUTO:
        if checkpoint is not None and resumed:
            used = checkpoint.method()
        else:
            random_seed = seeded(random_seed)
            used, learnt = chosen(posterior, random_seed, tell, options.get("near_modes"))
            options |= learnt
    if checkpoint is not None and (cluster := cluster_of(posterior.problem)) is not None:
        options["away"] = cluster.chains(used, checkpoint)
    return method_of(used)(
        posterior, cores=cores, progress=progress, chains=s.chains, num_warmup=s.num_warmup, num_samples=s.num_samples,
        target_accept=s.target_accept, random_seed=random_seed, **options,
    )  # fmt: skip


def cluster_of(problem: Problem) -> Cluster | None:
    """The workers that the settings of the problem name; None where it is worked on here."""
    if problem.settings.executor != "dask":
        return None
    from bnfhmc.cluster import Cluster

    return Cluster(problem)


def checkpoint_of(output_dir: Path, problem: Problem | None = None) -> Checkpoint:
    """Where a run into this folder is kept while it is made; `problem` says what a new one is of."""
    from bnfhmc.samplers.checkpoint import Checkpoint

    about: Mapping[str, Any] = {} if problem is None else {
        "file": None if problem.path is None else str(problem.path.resolve()),
        "settings": problem.settings.model_dump(mode="json"),
    }  # fmt: skip
    every = {} if problem is None else {"every": problem.settings.checkpoint_interval}
    return Checkpoint(output_dir / CHECKPOINT, about=about, **every)


def stored_settings(found: Any, path: Path) -> Settings:
    """The settings that a run or a fit was given, from the file that has them; InputError where these are none."""
    from pydantic import ValidationError

    from bnfhmc.problem import Settings

    try:
        return Settings.model_validate(found)
    except ValidationError as error:
        what = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors())
        raise InputError(Mistake(f"the settings cannot be read: {what}", "the run has to begin anew", path)) from None


def beginnings(posterior: Posterior) -> dict[str, Any]:
    """Where the chains start and what they begin with, as the settings say."""
    from bnfhmc.read.start_file import read_starts

    s, found = posterior.problem.settings, dict[str, Any]()
    if s.start in STARTS:
        found["start"] = s.start
    else:
        path, z = Path(s.start), []
        if path.is_dir() or path.suffix == ".json":
            from bnfhmc.optimizers import points_of, spread

            points = points_of(path, posterior)
            return {"starts": list(spread(posterior, points, s.chains, random_seed=s.random_seed or 0).z)} | _learnt(posterior)
        for theta in read_starts(path, posterior.names, s.chains):
            try:
                z.append(posterior.z_from_u(posterior.u_from_theta(theta)))
            except ValueError as error:
                raise InputError(Mistake(f"a start has no density: {error}", "give points inside the priors", path)) from None
        found["starts"] = z
    return found | _learnt(posterior)


def _learnt(posterior: Posterior) -> dict[str, Any]:
    """What the chains begin with, where an earlier run is to tell."""
    s = posterior.problem.settings
    return {} if s.warmup_from is None else {"tuned": tunings_of(s.warmup_from, posterior.names, s.method)}


def near_modes(
    posterior: Posterior, cores: int, tell: Callable[[str], None], keep: Callable[[FitResult], None] = lambda fit: None,
    progress: bool = False,
) -> NearModes | None:  # fmt: skip
    """A multistart of the optimizers, which finds points z near the modes from a seed, once; `keep` is given the fit.

    progress: show how far it is. None where the objective is no simulation, which leaves it to the climbs of the samplers.
    """
    problem = getattr(posterior, "problem", None)
    if problem is None or problem.target is not None or not hasattr(posterior, "fisher"):
        return None

    @cache
    def found(seed: int) -> tuple[list[Float[np.ndarray, " d"]], int]:
        from rich.console import Console

        from bnfhmc.optimizers import NoStart, optimize
        from bnfhmc.report.fit_progress import FitProgress

        o = problem.settings.optimization
        said = {"tolerance": o.tolerance, "max_evaluations": o.max_evaluations, "draws": o.draws,
                "search_space": o.search_space}  # fmt: skip
        given: dict[str, Any] = {name: value for name, value in said.items() if value}
        if (cluster := cluster_of(problem)) is not None:
            given["away"] = cluster.searches
        shown = FitProgress()
        given |= {"watch": shown.told} if progress else {}
        try:
            with shown.watching(Console()) if progress else nullcontext():
                fit = optimize(posterior, starts=o.starts, random_seed=seed, cores=cores, **given)
        except NoStart:
            return [], 0  # the climbs try other draws, and say what they meet
        for sentence in fit.sentences:
            tell(sentence)
        keep(fit)
        return [_inside(posterior, basin.u) for basin in fit.basins], fit.gradients

    return found


def _keeper(checkpoint: Checkpoint | None, resumed: bool) -> Callable[[FitResult], None]:
    """What keeps the multistart beside the chains; that of a run which was here before goes."""
    if checkpoint is None:
        return lambda fit: None
    path = checkpoint.folder / "map.json"
    if not resumed:
        path.unlink(missing_ok=True)

    def keep(fit: FitResult) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}")
        temporary.write_text(fit.to_json() + "\n", encoding="utf-8")
        temporary.replace(path)

    return keep


def _inside(posterior: Posterior, u: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
    """z of a mode u, moved off the ends of the priors that it may lie at, where log π is flat in z."""
    import numpy as np

    lo, hi = posterior.prior.support
    low, high = (posterior.prior.quantile(np.full(u.size, q)) for q in (OFF_THE_END, 1.0 - OFF_THE_END))
    u = np.where(np.isfinite(lo) & (u < low), low, np.where(np.isfinite(hi) & (u > high), high, u))
    return posterior.z_from_u(u)


def tunings_of(output_dir: Path, names: Sequence[str], method: str) -> list[Any]:
    """What the chains of an earlier run have learnt, for this method; InputError where its parameters are others.

    A step size is of its method: from another one it is 1, the width of the posterior.
    """
    checkpoint = checkpoint_of(output_dir)
    theirs = checkpoint.asked().get("parameters")
    if theirs != list(names):
        hint = "take a run of a configuration with the same parameters"
        raise InputError(Mistake(f"the run learnt a metric of {', '.join(theirs or [])}", hint, output_dir))
    tunings = checkpoint.tunings()
    return tunings if checkpoint.method() == method else [t._replace(step_size=1.0) for t in tunings]
