"""Groups that an InferenceData of draws gains once the model has been solved again: predictions, prior, what is known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from bnfhmc.cores import usable_cores
from bnfhmc.noise import Constant
from bnfhmc.posterior import Posterior
from bnfhmc.problem import Experiment, Series
from bnfhmc.report.check import words
from bnfhmc.report.inference_data import log_likelihood, theta_group, u_of_draws
from bnfhmc.report.predictive import Away, Predictive, predict, prior_draws

if TYPE_CHECKING:
    from arviz import InferenceData
    from xarray import Dataset

PRIOR_DRAWS = 1000
PRIOR_SECONDS = 60.0  # far out in a prior a solve can take as long as the solver lets it


def complete(
    idata: InferenceData,
    posterior: Posterior,
    z: Float[np.ndarray, "chain draw d"],
    *,
    cores: int | None = None,
    seed: int = 0,
    away: Away | None = None,
) -> InferenceData:
    """Add constant_data, prior, prior_predictive, posterior_predictive and log_likelihood to `idata`, and return it.

    z: the draws of the posterior group, in unconstrained coordinates. One solve without sensitivities a draw and experiment
    gives both log_likelihood and posterior_predictive; `away` has them done elsewhere. Raises FailedSolve where a
    draw cannot be solved again; the groups of the posterior are then missing.
    """
    add_constant_data(idata, posterior)
    add_prior(idata, posterior, cores=cores, seed=seed, away=away)
    add_posterior_predictive(idata, posterior, z, cores=cores, seed=seed, away=away)
    return idata


def add_posterior_predictive(
    idata: InferenceData,
    posterior: Posterior,
    z: Float[np.ndarray, "chain draw d"],
    *,
    cores: int | None = None,
    seed: int = 0,
    away: Away | None = None,
) -> None:
    """Add posterior_predictive (``y``, a new measurement; ``mean_y``, the model's value) and log_likelihood over
    (chain, draw, measurement).

    Where the noise has no new measurement at a draw, because its mean or scale is beyond what can be drawn, both are NaN.
    Raises FailedSolve where the model cannot be solved at a draw.
    """
    found = predict(posterior, u_of_draws(posterior, z).reshape(-1, posterior.dim), cores=cores, seed=seed, away=away)
    shape, dims = z.shape[:2], ("chain", "draw", "measurement")
    if found.failures:  # a solve, which raises what the solver says of it, or a measurement that cannot be drawn
        loglik = log_likelihood(posterior, z, cores or usable_cores())
    else:
        loglik = found.loglik.reshape(*shape, len(posterior.measurements))
    values = {"y": _everywhere(found.replicated, found, shape), "mean_y": _everywhere(found.predicted, found, shape)}
    groups = {"posterior_predictive": values, "log_likelihood": {"y": loglik}}
    _add(idata, {name: _over(posterior, group, dims) for name, group in groups.items()})


def add_prior(
    idata: InferenceData, posterior: Posterior, *, draws: int = PRIOR_DRAWS, cores: int | None = None, seed: int = 0,
    away: Away | None = None,
) -> Predictive:  # fmt: skip
    """Add prior (θ) and prior_predictive over one chain of independent draws, and return the predictions.

    prior_predictive holds those draws that could be solved within a minute, under their places in the prior as ``draw``; its
    attribute ``failed_solves`` counts those that could not be solved by kind.
    """
    u = prior_draws(posterior, draws, seed)
    found = predict(posterior, u, cores=cores, seed=seed, seconds=PRIOR_SECONDS, away=away)
    theta = np.array([posterior.theta_from_u(row) for row in u])[None]
    coords = {"chain": [0], "draw": found.at}
    values = {"y": found.replicated[None], "mean_y": found.predicted[None]}
    predictive = _over(posterior, values, ("chain", "draw", "measurement"), coords)
    predictive.attrs["failed_solves"] = json.dumps(dict(found.failures))
    _add(idata, {"prior": theta_group(posterior, theta), "prior_predictive": predictive})
    return found


def add_constant_data(idata: InferenceData, posterior: Posterior) -> None:
    """Add constant_data over the measurements: the condition each was made under, its noise family, and those of the noise
    parameters that are known beforehand (NaN where one is estimated or has no part in the family)."""
    rows = [(e, s, t) for e in posterior.problem.experiments for s in e.series for t in range(len(s.observed))]
    parameters = sorted({n for _, s, _ in rows for n in s.noise.parameters})
    known = {f"noise_{n}": np.array([_known(s, n, t) for _, s, t in rows], dtype=float) for n in parameters}
    words_of = {
        "condition": np.array([_condition(e, float(e.rows[s.time_index[t]])) for e, s, t in rows], dtype=str),
        "noise": np.array([words.noise(s.noise) for _, s, _ in rows], dtype=str),
    }
    _add(idata, {"constant_data": _over(posterior, {**words_of, **known}, ("measurement",))})


def _everywhere(
    values: Float[np.ndarray, "s n"], found: Predictive, shape: tuple[int, int]
) -> Float[np.ndarray, "chain draw n"]:
    """The values at the draws that have them, and NaN at the others."""
    out = np.full((shape[0] * shape[1], values.shape[1]), np.nan)
    out[found.at] = values
    return out.reshape(*shape, values.shape[1])


def measurement_coords(posterior: Posterior) -> dict[str, Any]:
    """The coordinates of the dimension ``measurement``: its number, experiment, observable and time (in a scan the dose)."""
    rows = posterior.measurements
    return {
        "measurement": np.arange(len(rows)),
        "experiment": ("measurement", [m.experiment for m in rows]),
        "observable": ("measurement", [m.series for m in rows]),
        "time": ("measurement", [m.time for m in rows]),
    }


def _condition(e: Experiment, time: float) -> str:
    """The name of the condition in force at a row; empty where there is none."""
    in_force = e.condition
    for period in e.later if e.scan is None else ():
        in_force = period.condition if period.time <= time else in_force
    return "" if in_force is None else in_force.name


def _known(s: Series, name: str, at: int) -> float:
    if name not in s.noise.parameters:
        return np.nan
    source = s.sources.get(name, Constant(s.noise.defaults.get(name, np.nan)))
    return float(np.broadcast_to(source.values, len(s.observed))[at]) if isinstance(source, Constant) else np.nan


def _over(
    posterior: Posterior, values: Mapping[str, np.ndarray], dims: tuple[str, ...], coords: Mapping[str, Any] | None = None
) -> Dataset:
    from xarray import Dataset

    y = next(iter(values.values()))
    counted = {d: np.arange(n) for d, n in zip(dims, y.shape, strict=True) if d != "measurement"}
    return Dataset({k: (dims, v) for k, v in values.items()}, {**measurement_coords(posterior), **counted, **(coords or {})})


def _add(idata: InferenceData, groups: Mapping[str, Dataset]) -> None:
    """Add the groups, with the attributes that say where the draws are from; one that is there is replaced."""
    for name, group in groups.items():
        group.attrs = {**idata["posterior"].attrs, **group.attrs}
        if name in idata.groups():
            del idata[name]
    idata.add_groups(dict(groups), warn_on_custom_groups=False)
