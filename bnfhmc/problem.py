"""A Problem: parameters with priors, models, and experiments with data. Frozen values; no computation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from jaxtyping import Float, Int
from pydantic import BaseModel, ConfigDict, Field

from bnfhmc.expression import Expression
from bnfhmc.model.protocol import Model
from bnfhmc.noise import NoiseModel, Source
from bnfhmc.prior import Parameter

if TYPE_CHECKING:
    from bnfhmc.noise.constraint import Constraint
    from bnfhmc.noise.target import Target
    from bnfhmc.noise.transform import Transform


@dataclass(frozen=True, slots=True)
class Perturbation:
    """One change a condition makes: ``target op value``, on a model parameter or a species.

    ``op`` is one of ``= * / + -``; the relative ones act on the quantity's value without the condition.
    """

    target: str
    op: Literal["=", "*", "/", "+", "-"]
    value: Expression


@dataclass(frozen=True, slots=True)
class Condition:
    """A named set of perturbations.

    They act in order, each on what those before it have left; or ``at_once``, as in PEtab, where every value is computed from
    the state before the condition and may read amounts and other outputs of it.
    """

    name: str
    perturbations: tuple[Perturbation, ...]
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Series:
    """The measurements of one observable in one experiment, with their noise model.

    ``observable``: an expression over model outputs; ``time_index[n]``: each measurement's row in ``Experiment.times``;
    ``observed[n]``: measured values; ``sources``: each parameter of ``noise`` by name; ``origin[n]``: the row of the table
    each was read from, counted from 0, where there is one table.
    """

    name: str
    observable: Expression
    time_index: Int[np.ndarray, " n"]
    observed: Float[np.ndarray, " n"]
    noise: NoiseModel
    sources: Mapping[str, Source]
    transforms: tuple[Transform, ...] = ()
    origin: Int[np.ndarray, " n"] | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """A condition that takes effect at a time within an experiment.

    Its values are computed from the state just before, its changes are made at once, and a measurement at `time` sees them.
    What it leaves alone stays as it was: amounts as they have become, parameters as an earlier condition set them.
    """

    time: float
    condition: Condition


@dataclass(frozen=True, slots=True)
class Scan:
    """A dose response: one solve for each value of a model quantity, read at ``t_end`` (None: at steady state)."""

    quantity: str
    doses: Float[np.ndarray, " row"]
    t_end: float | None = None


@dataclass(frozen=True, slots=True)
class Experiment:
    """One simulation and what was measured of it.

    ``times[t]``: strictly increasing output times, the start of integration first; ``[inf]`` reads the steady state, and a
    scan has none. ``model``: a key of ``Problem.models``. ``before``: the condition the system is brought to steady state
    under before the first time. ``later``: what changes at which time after it. ``t_max``: by when a steady state has to be
    reached.
    """

    name: str
    model: str
    times: Float[np.ndarray, " time"]
    series: tuple[Series, ...]
    condition: Condition | None = None
    before: Condition | None = None
    scan: Scan | None = None
    constraints: tuple[Constraint, ...] = ()
    t_max: float = 1e6
    later: tuple[Period, ...] = ()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions it is under, in the order of time."""
        found = (self.before, self.condition, *(p.condition for p in self.later))
        return tuple(c for c in found if c is not None)

    @property
    def rows(self) -> Float[np.ndarray, " row"]:
        """The independent variable of the measurements: times, or doses of a scan."""
        return self.times if self.scan is None else self.scan.doses


Optimizer = Literal[
    "map", "trf", "gntr", "fides", "lbfgs", "adam", "nelder_mead", "powell", "differential_evolution", "dual_annealing",
    "shgo", "cma", "nevergrad", "profile_likelihood",
]  # fmt: skip


class Optimization(BaseModel):
    """How to optimize, as `bnfhmc.optimize` and `bnfhmc.profile_likelihood` take it; None takes the method's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    starts: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    draws: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    max_evaluations: Annotated[int, Field(ge=1)] | None = None
    tolerance: Annotated[float, Field(gt=0)] | None = None
    search_space: dict[str, tuple[float, float]] = {}
    options: dict[str, dict[str, int | float | str]] = {}
    profiled: tuple[str, ...] | None = None
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95


Sampler = Literal["nuts", "hmc", "mala", "fisher_mala", "ensemble", "rwm", "pcn", "auto"]


class Settings(BaseModel):
    """How to run: what a configuration says besides the problem itself.

    ``then``: methods that run after the first, each from what the one before it has found. ``start``: where a run starts:
    "prior", "map", or a file of an earlier run. ``axis_units``: what pictures say of times, doses and series, by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Sampler | Optimizer = "nuts"
    then: tuple[str, ...] = ()
    optimization: Optimization = Optimization()
    chains: Annotated[int, Field(ge=1, le=10_000)] = 4
    num_warmup: Annotated[int, Field(ge=0)] = 1000
    num_samples: Annotated[int, Field(ge=1)] = 1000
    target_accept: Annotated[float, Field(gt=0, lt=1)] = 0.8
    engine: Literal["own", "blackjax", "nutpie"] | None = None
    metric: Literal["dense", "diagonal"] | None = None
    max_tree_depth: Annotated[int, Field(ge=1, le=20)] | None = None
    path_length: Annotated[float, Field(gt=0)] | None = None
    accept_by: Literal["gradient", "value"] | None = None
    start: Annotated[str, Field(min_length=1)] = "map"
    warmup_from: Path | None = None
    time_limit: Annotated[float, Field(gt=0)] | None = None
    executor: Literal["local", "dask"] = "local"
    scheduler: Annotated[str, Field(min_length=1)] | None = None
    checkpoint_interval: Annotated[float, Field(ge=0)] = 30.0
    random_seed: Annotated[int, Field(ge=0)] | None = None
    output_dir: Path | None = None
    rtol: Annotated[float, Field(gt=0, lt=1)] = 1e-8
    atol: Annotated[float, Field(gt=0)] = 1e-8
    sensitivity_fallback: Literal["warn", "error", "ignore"] = "warn"
    axis_units: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Problem:
    """Everything that defines a posterior, and how its author wants it sampled.

    ``parameters``: in declaration order, which is the order of every vector; ``path``: the file it was read from;
    ``target``: a closed-form objective, which stands alone or adds to the experiments' losses.
    """

    parameters: tuple[Parameter, ...]
    models: Mapping[str, Model]
    experiments: tuple[Experiment, ...]
    settings: Settings = field(default_factory=Settings)
    path: Path | None = None
    target: Target | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Parameter names, in declaration order."""
        return tuple(p.name for p in self.parameters)

    @property
    def initial_theta(self) -> dict[str, float]:
        """Starting values in θ of those parameters the file gives one for."""
        return {p.name: p.initial for p in self.parameters if p.initial is not None}
