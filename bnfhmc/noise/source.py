"""Where a noise parameter's value comes from: a number, the data file, or a formula of free parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from bnfhmc.expression import Expression, Name


@dataclass(frozen=True, slots=True)
class Constant:
    """A value known before the run: one number, or one per measurement."""

    values: float | Float[np.ndarray, " n"]


@dataclass(frozen=True, slots=True)
class Formula:
    """A value computed from free parameters, and from outputs of the model at the measurement's row.

    ``fit sigma`` is the formula that is one name. ``derivatives``: name → ∂value/∂name, as expressions.
    """

    expression: Expression
    derivatives: Mapping[str, Expression] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        names = sorted(self.expression.names)
        object.__setattr__(self, "derivatives", {n: self.expression.derivative(n) for n in names})

    @property
    def is_one_parameter(self) -> bool:
        """Whether the value is a free parameter itself."""
        return isinstance(self.expression.node, Name)

    def value(self, theta: Mapping[str, Any]) -> float:
        """The value at native parameter values `theta`, where the formula reads no output."""
        return float(self.expression(theta))

    def gradient(self, theta: Mapping[str, Any]) -> dict[str, float]:
        """∂value/∂θ at `theta`, by parameter name, where the formula reads no output."""
        return {n: float(d(theta)) for n, d in self.derivatives.items()}


Source = Constant | Formula
