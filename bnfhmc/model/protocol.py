"""What the posterior asks of anything that can solve: values and times in, a trajectory or a named failure out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

import numpy as np
from jaxtyping import Float

from bnfhmc.expression import Expression


class FailureKind(StrEnum):
    """Why a point has no value."""

    SOLVER = "solver"  # the integrator gave up
    TIMEOUT = "timeout"  # the solve ran over its budget of steps or seconds
    NONFINITE = "nonfinite"  # the solve, the likelihood or its gradient is NaN or infinite
    OUTSIDE = "outside"  # the point lies where the prior or the noise model has no density


@dataclass(frozen=True, slots=True)
class Failure:
    """A solve that gave no trajectory; a value, never an exception, so that a sampler can count and reject it."""

    kind: FailureKind
    message: str


class Trajectory(NamedTuple):
    """Outputs y[time, output] and their sensitivities dy[time, output, column] to the quantities asked for."""

    y: Float[np.ndarray, "time output"]
    dy: Float[np.ndarray, "time output column"]


class Solver(Protocol):
    """Anything that solves like a `Model`."""

    def solve(
        self,
        values: Mapping[str, float],
        times: Float[np.ndarray, " time"],
        outputs: tuple[str, ...],
        columns: tuple[str, ...] = (),
        seeds: Mapping[str, Float[np.ndarray, " column"]] | None = None,
    ) -> Trajectory | Failure: ...


class Model(Protocol):
    """Solves y(t; m) and ∂y/∂m, where m are the model's own settable quantities (parameters, initial amounts).

    ``rtol``: the relative accuracy of its solutions; ``quantities``: name → value in the model file, everything a
    configuration may set; ``amounts``: those among them that are initial amounts of species; ``derived``: the expression of
    other quantities that one has unless it is set; ``outputs``: what can be observed; ``triggers``: the conditions that its
    events fire at, over outputs, quantities and ``time``.
    A model is not thread-safe: one `clone` a thread.
    """

    @property
    def name(self) -> str: ...

    @property
    def rtol(self) -> float: ...

    @property
    def quantities(self) -> Mapping[str, float]: ...

    @property
    def amounts(self) -> frozenset[str]: ...

    @property
    def derived(self) -> Mapping[str, Expression]: ...

    @property
    def outputs(self) -> tuple[str, ...]: ...

    @property
    def triggers(self) -> tuple[Expression, ...]: ...

    def solve(
        self,
        values: Mapping[str, float],
        times: Float[np.ndarray, " time"],
        outputs: tuple[str, ...],
        columns: tuple[str, ...] = (),
        seeds: Mapping[str, Float[np.ndarray, " column"]] | None = None,
    ) -> Trajectory | Failure:
        """Integrate from ``times[0]`` with the quantities in `values` set and the others as in the file.

        `columns` names the quantities to differentiate by; each sensitivity is the total derivative, by way of rates and
        initial values alike. `seeds`: what ∂(initial amount)/∂column is for species set in `values`, where it is not zero.
        Mistakes in the model (not at a point) raise.
        """
        ...

    def equilibrate(
        self,
        values: Mapping[str, float],
        t_max: float,
        outputs: tuple[str, ...],
        columns: tuple[str, ...] = (),
        seeds: Mapping[str, Float[np.ndarray, " column"]] | None = None,
        since: float = 0.0,
    ) -> Trajectory | Failure:
        """The steady state reached from the initial values within `t_max` as a trajectory of one row; a Failure if none is.

        ``since``: the time that integration starts at, for a model that reads the time.
        """
        ...

    def sensitivity_note(self, columns: tuple[str, ...]) -> str:
        """Why sensitivities by `columns` are difference quotients, dearer and less exact; empty where they are analytic."""
        ...

    def refusal(self, columns: tuple[str, ...]) -> str:
        """Why sensitivities by `columns` would be wrong, so that no gradient method may run; empty where they are right."""
        ...

    def firing(self, events: tuple[int, ...]) -> Solver:
        """The same model, where the events (places in ``triggers``) fire at the first time; InputError if it cannot."""
        ...

    def clone(self) -> Model:
        """An independent copy for another thread."""
        ...
