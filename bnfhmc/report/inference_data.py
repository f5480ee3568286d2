"""The draws of a run as one arviz.InferenceData."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from bnfhmc.posterior import Posterior
from bnfhmc.report.quiet_arviz import load_arviz

if TYPE_CHECKING:
    from arviz import InferenceData
    from xarray import Dataset

    from bnfhmc.samplers.draws import Draws

BLOCK = 50  # draws a thread takes at a time


def theta_of_draws(posterior: Posterior, z: Float[np.ndarray, "chain draw d"]) -> Float[np.ndarray, "chain draw d"]:
    """θ at every z."""
    flat = [posterior.theta_from_u(posterior.u_from_z(row)) for row in z.reshape(-1, z.shape[-1])]
    return np.array(flat, dtype=float).reshape(z.shape)


def u_of_draws(posterior: Posterior, z: Float[np.ndarray, "chain draw d"]) -> Float[np.ndarray, "chain draw d"]:
    """u at every z."""
    flat = [posterior.u_from_z(row) for row in z.reshape(-1, z.shape[-1])]
    return np.array(flat, dtype=float).reshape(z.shape)


def ln_probability(posterior: Posterior, draws: Draws) -> Float[np.ndarray, "chain draw"]:
    """log p(u) − loss(u) at every draw: log π(z) without the Jacobian of u → z."""
    flat = [posterior.prior.log_du_dz(row) for row in draws.z.reshape(-1, draws.z.shape[-1])]
    return draws.stats["lp"] - np.reshape(flat, draws.z.shape[:2])


def log_likelihood(
    posterior: Posterior, z: Float[np.ndarray, "chain draw d"], cores: int
) -> Float[np.ndarray, "chain draw n"]:
    """The normalised log density of every measurement at every draw.

    It costs one solve without sensitivities a draw and experiment, on `cores` threads. The draws were accepted after a
    solve that succeeded; where this one fails nonetheless FailedSolve is raised.
    """
    rows = z.reshape(-1, z.shape[-1])
    blocks = np.array_split(rows, max(1, len(rows) // BLOCK))
    workers = min(cores, len(blocks))
    idle: SimpleQueue[Posterior] = SimpleQueue()
    for _ in range(workers):
        idle.put(posterior.clone())

    def pointwise(block: Float[np.ndarray, "draw d"]) -> Float[np.ndarray, "draw n"]:
        own = idle.get()
        try:
            return np.array([own.pointwise(own.u_from_z(row)) for row in block])
        finally:
            idle.put(own)

    with ThreadPoolExecutor(workers) as pool:
        return np.concatenate(list(pool.map(pointwise, blocks))).reshape(*z.shape[:2], -1)


def to_inference_data(
    posterior: Posterior,
    draws: Draws,
    *,
    loglik: Float[np.ndarray, "chain draw n"] | None,
    attrs: Mapping[str, str],
) -> InferenceData:
    """The draws with all that is known of them, as groups of arviz's schema.

    posterior: θ, one variable a parameter, with its unit and description as attributes where they are known.
    unconstrained_posterior: z.
    sample_stats: lp = log π(z), and what the sampler says of each draw.
    warmup_posterior, warmup_sample_stats: the same of the warm-up.
    log_likelihood, observed_data: y over ``measurement``, whose coordinates are experiment, observable and time.

    loglik: of `log_likelihood`; None leaves its group out. attrs: written to every group.
    """
    names = posterior.names
    groups: dict[str, Dataset] = {
        "posterior": theta_group(posterior, theta_of_draws(posterior, draws.z)),
        "unconstrained_posterior": _unconstrained(names, draws.z),
        "sample_stats": _stats(draws.stats),
        "observed_data": _over_measurements(posterior, _observed(posterior), ()),
    }
    if loglik is not None:
        groups["log_likelihood"] = _over_measurements(posterior, loglik, ("chain", "draw"))
    if draws.warmup.z.shape[1]:
        groups["warmup_posterior"] = theta_group(posterior, theta_of_draws(posterior, draws.warmup.z))
        groups["warmup_sample_stats"] = _stats(draws.warmup.stats)
    for group in groups.values():
        group.attrs.update(attrs)
    return load_arviz().InferenceData(attrs=dict(attrs), warn_on_custom_groups=False, **groups)


def to_netcdf_bytes(idata: InferenceData) -> bytes:
    """The file that ``arviz.from_netcdf`` reads, made in memory: HDF5 crashes the process when a disk fills up."""
    tree = idata.to_datatree()
    encoding = {
        group.path: {name: {"zlib": True} for name, v in group.data_vars.items() if v.dtype.kind in "biuf"}
        for group in tree.children.values()
    }
    out = BytesIO()
    tree.to_netcdf(out, engine="h5netcdf", encoding=encoding)
    return out.getvalue()


def theta_group(posterior: Posterior, theta: Float[np.ndarray, "chain draw d"]) -> Dataset:
    """One variable a parameter; its attributes are its name, its scale, and its unit and description where it has them."""
    from xarray import Dataset

    variables = {}
    for i, p in enumerate(posterior.problem.parameters):
        about = {"parameter": p.name, "scale": p.scale.name, "units": p.unit, "long_name": p.description}
        variables[variable_name(p.name)] = ("chain", "draw"), theta[:, :, i], {k: v for k, v in about.items() if v}
    return Dataset(variables, _counted(theta))


def variable_name(name: str) -> str:
    """The netCDF variable of a parameter: its name, unless that is a dimension's or would be a path."""
    safe = name.replace("/", "_")
    return f"{safe}_" if safe in {"", ".", "chain", "draw"} else safe


def _unconstrained(names: Sequence[str], z: Float[np.ndarray, "chain draw d"]) -> Dataset:
    from xarray import Dataset

    return Dataset({"z": (("chain", "draw", "parameter"), z)}, {**_counted(z), "parameter": list(names)})


def _stats(stats: Mapping[str, np.ndarray]) -> Dataset:
    from xarray import Dataset

    known = {k: v for k, v in stats.items() if v.dtype.kind != "f" or not np.isnan(v).all()}
    return Dataset({k: (("chain", "draw"), v) for k, v in known.items()}, _counted(next(iter(stats.values()))))


def _observed(posterior: Posterior) -> Float[np.ndarray, " n"]:
    return np.array([m.observed for m in posterior.measurements])


def _over_measurements(posterior: Posterior, y: np.ndarray, before: tuple[str, ...]) -> Dataset:
    """y with the dimensions (*before, measurement)."""
    from xarray import Dataset

    rows = posterior.measurements
    coords: dict[str, Any] = {
        "measurement": np.arange(len(rows)),
        "experiment": ("measurement", [m.experiment for m in rows]),
        "observable": ("measurement", [m.series for m in rows]),
        "time": ("measurement", [m.time for m in rows]),
    }
    return Dataset({"y": ((*before, "measurement"), y)}, {**coords, **(_counted(y) if before else {})})


def _counted(x: np.ndarray) -> dict[str, np.ndarray]:
    return {"chain": np.arange(x.shape[0]), "draw": np.arange(x.shape[1])}
