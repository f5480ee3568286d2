"""A target written as an expression: a negative log-likelihood over the parameters, and over the columns of data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from bnfhmc.expression import Expression


@dataclass(frozen=True, slots=True)
class ExpressionTarget:
    """loss = f(θ), or Σ_rows f(θ, row) where ``columns`` holds data; ∂loss/∂θ by symbolic derivatives.

    ``names``: the parameters f names, in the order of theta[d]; ``columns``: what else it names, one value a row. A row
    in which one of those is missing (NaN) adds nothing; columns that f does not name are dropped.
    """

    names: tuple[str, ...]
    expression: Expression
    columns: Mapping[str, Float[np.ndarray, " row"]] = field(default_factory=dict)
    derivatives: tuple[Expression, ...] = field(init=False, compare=False)
    rows: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        used = {n: np.asarray(c, dtype=float) for n, c in self.columns.items() if n in self.expression.names}
        present = np.all([~np.isnan(c) for c in used.values()], axis=0) if used else np.ones(1, dtype=bool)
        object.__setattr__(self, "columns", {n: c[present] for n, c in used.items()})
        object.__setattr__(self, "rows", int(present.sum()))
        object.__setattr__(self, "derivatives", tuple(self.expression.derivative(n) for n in self.names))

    def loss(self, theta: Float[np.ndarray, " d"]) -> float:
        return self._sum(self.expression, self._environment(theta))

    def loss_gradient(self, theta: Float[np.ndarray, " d"]) -> tuple[float, Float[np.ndarray, " d"]]:
        env = self._environment(theta)
        return self._sum(self.expression, env), np.array([self._sum(d, env) for d in self.derivatives])

    def _environment(self, theta: Float[np.ndarray, " d"]) -> dict[str, object]:
        return dict(zip(self.names, theta, strict=True)) | dict(self.columns)

    def _sum(self, f: Expression, env: Mapping[str, object]) -> float:
        """Σ over the rows; a derivative may be the same number in each."""
        with np.errstate(all="ignore"):
            return float(np.sum(np.broadcast_to(f(env), self.rows)))
