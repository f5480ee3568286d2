"""What a configuration says, as it was understood: models, experiments with their data, parameters with priors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import ClassVar

import numpy as np

from bnfhmc.model.protocol import Model
from bnfhmc.noise import Formula
from bnfhmc.prior import Parameter, Prior, PushedForward, Truncated
from bnfhmc.problem import Condition, Experiment, Problem, Series
from bnfhmc.report.check import words

CENTRAL = (0.025, 0.975)  # of a prior's mass
KINDS = {".bngl": "BioNetGen", ".net": "BioNetGen network", ".xml": "SBML", ".sbml": "SBML", ".ant": "Antimony"}

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model: where it was read from, its size, and the solver's tolerances (None where nothing is integrated)."""

    name: str
    path: str | None
    kind: str
    species: int
    parameters: int
    outputs: int
    rtol: float | None
    atol: float | None


@dataclass(frozen=True, slots=True)
class NoiseFacts:
    """A noise parameter: where its value comes from, and the value, its range, or its formula."""

    parameter: str
    origin: str
    value: str


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """The measurements of one observable in one experiment."""

    name: str
    observable: str
    measurements: int
    noise: str
    sources: tuple[NoiseFacts, ...]
    transforms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConditionFacts:
    """A condition and what it changes, in words."""

    name: str
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PeriodFacts:
    """A condition and the time it takes effect at."""

    time: float
    condition: ConditionFacts


@dataclass(frozen=True, slots=True)
class ExperimentFacts:
    """One experiment; ``before``: the condition it is brought to steady state under; ``span``: first and last row."""

    name: str
    model: str
    kind: str
    condition: ConditionFacts | None
    before: ConditionFacts | None
    rows: int
    span: Interval
    series: tuple[SeriesFacts, ...]
    constraints: int
    later: tuple[PeriodFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class PriorFacts:
    """A prior family with its fields, the interval it is cut to (None where it is not), and the scale that it is a density
    on where that is another than the parameter's."""

    family: str
    fields: Mapping[str, float]
    bounds: Interval | None
    on: str | None = None

    def __str__(self) -> str:
        said = ", ".join(f"{name} {value:g}" for name, value in self.fields.items())
        cut = "" if self.bounds is None else f" on [{self.bounds[0]:g}, {self.bounds[1]:g}]"
        of = "" if self.on is None else " of θ" if self.on == "lin" else f" of {self.on}(θ)"
        return f"{self.family}({said}){of}{cut}"


@dataclass(frozen=True, slots=True)
class ParameterFacts:
    """A free parameter: its prior in u, support and central 95 % in u and in θ, and what it acts on."""

    name: str
    scale: str
    prior: PriorFacts
    support_u: Interval
    interval_u: Interval
    support_theta: Interval
    interval_theta: Interval
    initial: float | None
    acts_on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything that defines the posterior."""

    key: ClassVar[str] = "problem"
    file: str | None
    objective: str | None
    models: tuple[ModelFacts, ...]
    experiments: tuple[ExperimentFacts, ...]
    parameters: tuple[ParameterFacts, ...]


def overview(problem: Problem) -> Overview:
    """The problem as it was understood."""
    return Overview(
        None if problem.path is None else str(problem.path),
        None if problem.target is None else type(problem.target).__name__,
        tuple(_model(name, model) for name, model in problem.models.items()),
        tuple(_experiment(e, problem.names) for e in problem.experiments),
        tuple(_parameter(p, problem) for p in problem.parameters),
    )


def prior_facts(prior: Prior) -> PriorFacts:
    """Family, fields and bounds."""
    if isinstance(prior, PushedForward):
        return replace(prior_facts(prior.prior), on=prior.inner.name)
    if isinstance(prior, Truncated):
        inner = prior_facts(prior.prior)
        return replace(inner, bounds=(float(prior.lo), float(prior.hi)))
    own = {f.name: float(getattr(prior, f.name)) for f in fields(prior) if f.init}  # type: ignore[arg-type]
    return PriorFacts(words.family_of(prior), own, None)


def acts_on(name: str, problem: Problem) -> tuple[str, ...]:
    """What moves with the parameter: model parameters, initial amounts, noise, formulas of observables, constraints."""
    found = dict.fromkeys(part for e in problem.experiments for part in _parts(name, e, problem.models[e.model]))
    objective = ("objective",) if problem.target is not None and name in problem.target.names else ()
    return (*objective, *found)


def _parts(name: str, e: Experiment, model: Model) -> Iterator[str]:
    for condition in (e.condition, *(c for c in e.conditions if c is not e.condition)):
        for quantity in _moved(name, condition, model):
            yield "initial amount" if quantity in model.amounts else "model parameter"
    for s in e.series:
        if name in s.observable.names and name not in model.outputs:
            yield "observable formula"
        if any(isinstance(v, Formula) and name in v.expression.names for v in s.sources.values()):
            yield "noise"
    if any(c.scale is not None and name in c.scale.expression.names for c in e.constraints):
        yield "constraint scale"


def _moved(name: str, condition: Condition | None, model: Model) -> Iterator[str]:
    """The quantities of the model that depend on the parameter under a condition."""
    changes = condition.perturbations if condition is not None else ()
    if name in model.quantities and not any(p.target == name and p.op == "=" for p in changes):
        yield name
    yield from (p.target for p in changes if name in p.value.names)


def _model(name: str, model: Model) -> ModelFacts:
    path, tolerances = getattr(model, "path", None), getattr(model, "tolerances", None)  # a closed form has neither
    return ModelFacts(
        name,
        None if path is None else str(path),
        type(model).__name__ if path is None else KINDS.get(path.suffix.lower(), type(model).__name__),
        len(model.amounts),
        len(model.quantities) - len(model.amounts),
        len(model.outputs),
        None if tolerances is None else tolerances.rtol,
        None if tolerances is None else tolerances.atol,
    )


def _experiment(e: Experiment, free: tuple[str, ...]) -> ExperimentFacts:
    rows = np.asarray(e.rows, dtype=float)
    return ExperimentFacts(
        e.name, e.model, _kind(e), _condition(e.condition), _condition(e.before), len(rows),
        (float(rows.min()), float(rows.max())), tuple(_series(s, free) for s in e.series), len(e.constraints),
        tuple(PeriodFacts(p.time, _stated(p.condition)) for p in e.later),
    )  # fmt: skip


def _kind(e: Experiment) -> str:
    if e.scan is not None:
        at = "steady state" if e.scan.t_end is None else f"t = {e.scan.t_end:g}"
        kind = f"scan of {e.scan.quantity} at {at}"
    else:
        kind = "time course" if np.isfinite(e.times[-1]) else "steady state"
    return kind if e.before is None else f"{kind}, pre-equilibrated"


def _condition(condition: Condition | None) -> ConditionFacts | None:
    return None if condition is None else _stated(condition)


def _stated(condition: Condition) -> ConditionFacts:
    return ConditionFacts(condition.name, tuple(words.perturbation(p) for p in condition.perturbations))


def _series(s: Series, free: tuple[str, ...]) -> SeriesFacts:
    sources = []
    for name in s.noise.parameters:
        if name in s.sources:
            sources.append(NoiseFacts(name, *words.source(s.sources[name], free)))
        elif name in s.noise.defaults:
            sources.append(NoiseFacts(name, "default", f"{s.noise.defaults[name]:g}"))
    transforms = tuple(words.transform(t) for t in s.transforms)
    return SeriesFacts(s.name, s.observable.text, len(s.observed), words.noise(s.noise), tuple(sources), transforms)


def _parameter(p: Parameter, problem: Problem) -> ParameterFacts:
    lo, hi = CENTRAL
    return ParameterFacts(
        p.name, p.scale.name, prior_facts(p.prior), p.support, (float(p.prior.ppf(lo)), float(p.prior.ppf(hi))),
        p.theta_bounds, (p.quantile(lo), p.quantile(hi)), p.initial, acts_on(p.name, problem),
    )  # fmt: skip
