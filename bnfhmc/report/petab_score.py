"""A PEtab problem at one θ, as other tools count it: log-likelihood, χ², simulations and gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import FailedSolve, InputError, MissingTool, Mistake
from bnfhmc.likelihood import ExperimentLikelihood, Prediction, failure_of
from bnfhmc.model.protocol import Failure
from bnfhmc.noise.location_scale import LocationScale
from bnfhmc.posterior import Posterior
from bnfhmc.report.folder import PROGRAM
from bnfhmc.report.run_json import plain

# What ended a score → the word that stands for it; anything else is an "error".
STATUS: Mapping[type[Exception], str] = {InputError: "bad input", MissingTool: "missing tool", FailedSolve: "failed solve"}


@dataclass(frozen=True, slots=True)
class Simulated:
    """One measurement and what the model gives for it; None where the experiment cannot be solved."""

    observableId: str  # noqa: N815 (a column of PEtab's)
    experiment: str
    time: float
    measurement: float
    simulation: float | None


@dataclass(frozen=True, slots=True)
class Gradient:
    """∂llh/∂θ and ∂(log posterior)/∂u by parameter; None where there is none."""

    llh: Mapping[str, float] | None
    log_posterior: Mapping[str, float] | None


@dataclass(frozen=True, slots=True)
class Coordinate:
    """Where a parameter stands: θ, and u on its scale (None where θ lies outside of the scale's domain)."""

    theta: float
    scale: str
    u: float | None


@dataclass(frozen=True, slots=True)
class Failed:
    """A solve that failed, by the name of its experiment."""

    experiment: str
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Score:
    """The numbers of one θ; those that do not exist there are None, and `notes` or `failures` say why.

    llh: Σ log p(ỹ | θ), densities normalised over ỹ. chi2: Σ ((f(y) − f(ỹ))/σ)², f the scale that the noise is added on.
    log_prior: Σ log p(u), a density in u. log_posterior: llh + log_prior. simulations: in the order of the measurement table.
    """

    parameters: Mapping[str, Coordinate]
    llh: float | None
    chi2: float | None
    log_prior: float | None
    log_posterior: float | None
    gradient: Gradient
    simulations: tuple[Simulated, ...]
    failures: tuple[Failed, ...]
    notes: tuple[str, ...]


class _Part(NamedTuple):
    """One experiment at θ: by measurement the simulation, log density and residual, then ∂llh/∂θ[d].

    ``failure``: why there is no llh, and where `predicted` is None no simulation; ``no_gradient``: why there is no gradient.
    """

    predicted: Float[np.ndarray, " n"] | None = None
    log_density: Float[np.ndarray, " n"] | None = None
    residual: Float[np.ndarray, " n"] | None = None
    gradient: Float[np.ndarray, " d"] | None = None
    failure: Failure | None = None
    no_gradient: Failure | None = None


class _Priors(NamedTuple):
    """The priors at θ: log p(u), ∂/∂u and dθ/du, or, in `missing`, why there is no density."""

    log_p: float
    score: Float[np.ndarray, " d"]
    dtheta_du: Float[np.ndarray, " d"]
    missing: tuple[str, ...] = ()


def score(posterior: Posterior, theta: Mapping[str, float]) -> Score:
    """The score at native values `theta` of every parameter, inside of the priors' supports or not.

    A failed solve takes llh, chi2 and the gradients with it, and leaves the other experiments' simulations.
    """
    theta = {name: float(theta[name]) for name in posterior.names}
    parts = [_part(like, theta) for like in posterior.experiments]
    failures = tuple(
        Failed(like.experiment.name, str(part.failure.kind), part.failure.message)
        for like, part in zip(posterior.experiments, parts, strict=True) if part.failure is not None
    )  # fmt: skip
    without = dict.fromkeys(f"no gradient: {p.no_gradient.kind}: {p.no_gradient.message}" for p in parts if p.no_gradient)
    priors = _priors(posterior, theta)
    llh = None if failures else _total(p.log_density for p in parts)
    chi2 = None if failures else _total(None if p.residual is None else p.residual**2 for p in parts)
    slope = None if failures or without else np.sum([p.gradient for p in parts if p.gradient is not None], axis=0)
    log_prior = None if priors.missing else priors.log_p
    slope_u = None if slope is None or priors.missing else priors.score + priors.dtheta_du * slope
    return Score(
        parameters=_coordinates(posterior, theta),
        llh=llh,
        chi2=chi2,
        log_prior=log_prior,
        log_posterior=None if llh is None or log_prior is None else llh + log_prior,
        gradient=Gradient(_named(posterior, slope), _named(posterior, slope_u)),
        simulations=_simulations(posterior, parts),
        failures=failures,
        notes=(*without, *(f"no log prior and no log posterior: {why}" for why in priors.missing)),
    )


def record(own: str, path: str, compute: Callable[[], Score]) -> tuple[dict[str, Any], Exception | None]:
    """The score as one object for JSON, and what ended it.

    own: this program's version. path: of the problem. compute: reads the problem and scores it.
    """
    out: dict[str, Any] = {"program": PROGRAM, "version": own, "problem": path, "status": "ok", "errors": []}
    error: Exception | None = None
    try:
        scored = compute()
        out |= plain(asdict(scored))
        if scored.failures:
            said = "; ".join(f"experiment '{f.experiment}': {f.kind}: {f.message}" for f in scored.failures)
            raise FailedSolve(scored.failures[0].kind, said)
    except Exception as raised:
        error = raised
        out["status"] = next((word for kind, word in STATUS.items() if isinstance(raised, kind)), "error")
        mistakes = raised.mistakes if isinstance(raised, InputError) else (Mistake(str(raised) or type(raised).__name__),)
        out["errors"] = [plain({**asdict(m), "path": m.path and str(m.path)}) for m in mistakes]
    return out, error


def _part(like: ExperimentLikelihood, theta: Mapping[str, float]) -> _Part:
    prediction, no_gradient = like.solve(theta, True), None
    if isinstance(prediction, Failure):  # the values may exist where the sensitivities do not
        no_gradient, prediction = prediction, like.solve(theta, False)
    if isinstance(prediction, Failure):
        return _Part(failure=prediction)
    predicted, log_density = like.predicted(prediction), like.pointwise(prediction)
    if failure := failure_of(float(log_density.sum())):
        return _Part(predicted, failure=failure)
    slope = None
    if no_gradient is None:
        loss, d_loss = like.loss_gradient(prediction)
        no_gradient, slope = failure_of(loss, d_loss), -d_loss
    return _Part(predicted, log_density, _residual(like, prediction), slope, no_gradient=no_gradient)


def _total(parts: Iterable[np.ndarray | None]) -> float:
    return float(sum(part.sum() for part in parts if part is not None))


def _residual(like: ExperimentLikelihood, prediction: Prediction) -> Float[np.ndarray, " n"]:
    """(f(y) − f(ỹ))/σ of each measurement; σ is the family's first parameter, Laplace's own scale among them."""
    out, P = np.empty(like.size), prediction.observed.P.ravel()
    for g in like.groups:
        if not isinstance(g.noise, LocationScale):
            raise TypeError(f"{type(g.noise).__name__} noise has no χ²: it is not added on a scale")
        f, sigma = g.noise.scale.forward, g.noise_at(prediction.theta, P)[g.noise.parameters[0]]
        out[g.at] = (f(P[g.cell]) - f(g.observed)) / sigma
    return out


@np.errstate(all="ignore")
def _priors(posterior: Posterior, theta: Mapping[str, float]) -> _Priors:
    u = np.array([float(p.scale.u_from_theta(theta[p.name])) for p in posterior.problem.parameters])
    lo, hi = posterior.prior.support
    inside = (u >= lo) & (u <= hi) & np.isfinite(u)
    missing = []
    for p, here in zip(posterior.problem.parameters, inside, strict=True):
        a, b = p.theta_bounds
        if not here:
            missing.append(f"{p.name} = {theta[p.name]:g} lies outside of [{a:g}, {b:g}], where its prior has its mass")
    if missing:
        return _Priors(np.nan, u, u, tuple(missing))
    terms, slopes = posterior.prior.logpdf_terms(u), posterior.prior.score(u)
    missing = [f"{name} = {theta[name]:g} lies where its prior has no finite density"
               for name, term in zip(posterior.names, terms, strict=True) if not np.isfinite(term)]  # fmt: skip
    return _Priors(float(terms.sum()), slopes, posterior.prior.dtheta_du(u), tuple(missing))


def _coordinates(posterior: Posterior, theta: Mapping[str, float]) -> dict[str, Coordinate]:
    out = {}
    for p in posterior.problem.parameters:
        u = float(p.scale.u_from_theta(theta[p.name]))
        out[p.name] = Coordinate(theta[p.name], p.scale.name, u if np.isfinite(u) else None)
    return out


def _named(posterior: Posterior, values: np.ndarray | None) -> dict[str, float] | None:
    return None if values is None else dict(zip(posterior.names, values.tolist(), strict=True))


def _simulations(posterior: Posterior, parts: list[_Part]) -> tuple[Simulated, ...]:
    """Every measurement, in the order of the table it was read from."""
    found: list[tuple[int, Simulated]] = []
    for like, part in zip(posterior.experiments, parts, strict=True):
        e, n = like.experiment, 0
        for s in e.series:
            rows = np.arange(len(found), len(found) + len(s.observed)) if s.origin is None else s.origin
            for row, t, measured in zip(rows.tolist(), s.time_index.tolist(), s.observed.tolist(), strict=True):
                value = None if part.predicted is None else float(part.predicted[n])
                observable = s.name.partition("#")[0]  # of several series of one observable: obs, obs#2, …
                found.append((row, Simulated(observable, e.name, float(e.rows[t]), measured, value)))
                n += 1
    return tuple(s for _, s in sorted(found, key=lambda entry: entry[0]))
