"""Model outputs → what is compared with data: formulas and transforms of each series, forwards and backwards.

Noise formulas that read outputs ride along as further columns, so that one pass back carries every derivative to θ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import InputError, Mistake, nearest
from bnfhmc.expression import Expression, Name
from bnfhmc.model.protocol import Model
from bnfhmc.noise.transform import Applied, SeriesData, apply_chain
from bnfhmc.phase import Solved, Theta
from bnfhmc.problem import Series


@dataclass(frozen=True, slots=True)
class _Formula:
    """One series' observable: ``outputs``, ``parameters`` and ``quantities`` map each name it reads to its ∂/∂name."""

    expression: Expression
    outputs: Mapping[str, Expression]
    parameters: Mapping[str, Expression]
    quantities: Mapping[str, Expression]


class Observed:
    """The predictions of an experiment at one θ, and their derivatives in both directions.

    ``P[row, column]``: at every row of the experiment the model's value of each series, then of each noise formula.
    """

    def __init__(self, observation: Observation, theta: Theta, solved: Solved):
        self._of, self._solved, self._theta = observation, solved, theta
        self._applied: list[Applied | None] = []
        if observation.plain is not None:
            self.P = solved.y if observation.whole else solved.y[:, observation.plain]
            return
        outputs = self.outputs
        of_series, of_noise = {**theta, **solved.m, **outputs}, {**solved.m, **theta, **outputs}
        self._env: list[dict[str, Any]] = [
            of_series if s < len(observation.series) else of_noise for s in range(len(observation.formulas))
        ]
        self.P = np.empty((len(solved.y), len(observation.formulas)))
        for s, formula in enumerate(observation.formulas):
            raw = np.broadcast_to(formula.expression(self._env[s]), len(solved.y)).astype(float)
            transforms = observation.series[s].transforms if s < len(observation.series) else ()
            applied = apply_chain(transforms, raw, observation.data[s]) if transforms else None
            self.P[:, s] = raw if applied is None else applied.value
            self._applied.append(applied)

    @property
    def outputs(self) -> dict[str, Float[np.ndarray, " row"]]:
        """The model's outputs by name."""
        return dict(zip(self._of.outputs, self._solved.y.T, strict=True))

    def pull(
        self, weight: Float[np.ndarray, "row column"], on_outputs: Mapping[str, Float[np.ndarray, " row"]] | None = None
    ) -> Float[np.ndarray, " d"]:
        """Σ weight · ∂P/∂θ, plus Σ w · ∂y/∂θ for weights w that lie on outputs directly."""
        of, (y, dy, G, _, dm) = self._of, self._solved
        if of.whole and not on_outputs:
            return (weight.ravel() @ dy.reshape(y.size, dy.shape[2])) @ G
        on_y, grad = np.zeros(y.shape), np.zeros(len(of.names))
        for name, w in (on_outputs or {}).items():
            on_y[:, of.column[name]] += w
        if of.plain is not None:
            for s, o in enumerate(of.plain):
                on_y[:, o] += weight[:, s]
        for s, formula in enumerate(of.formulas if of.plain is None else ()):
            applied = self._applied[s]
            w = weight[:, s] if applied is None else applied.pull(weight[:, s])
            for name, d in formula.outputs.items():
                on_y[:, of.column[name]] += w * d(self._env[s])
            for name, d in formula.parameters.items():
                grad[of.parameter[name]] += np.sum(w * d(self._env[s]))
            for name, d in formula.quantities.items():
                if name in dm:
                    grad += (w * d(self._env[s])) @ np.broadcast_to(dm[name], (len(y), len(of.names)))
        return grad + (on_y.ravel() @ dy.reshape(y.size, dy.shape[2])) @ G

    def slopes(self) -> Float[np.ndarray, "row column d"]:
        """∂P/∂θ."""
        of, (y, dy, G, _, dm) = self._of, self._solved
        dtheta = dy @ G
        if of.plain is not None:
            return dtheta[:, of.plain]
        out = np.zeros((len(y), len(of.formulas), len(of.names)))
        for s, formula in enumerate(of.formulas):
            raw = np.zeros((len(y), len(of.names)))
            for name, d in formula.outputs.items():
                raw += np.asarray(d(self._env[s]) * np.ones(len(y)))[:, None] * dtheta[:, of.column[name]]
            for name, d in formula.parameters.items():
                raw[:, of.parameter[name]] += d(self._env[s])
            for name, d in formula.quantities.items():
                if name in dm:
                    raw += np.asarray(d(self._env[s]) * np.ones(len(y)))[:, None] * dm[name]
            applied = self._applied[s]
            out[:, s] = raw if applied is None else applied.push(raw)
        return out


@dataclass(slots=True)
class Observation:
    """The observables of one experiment, compiled: what they read, and their derivatives.

    A name in a formula is, in this order, an output of the model, a quantity of the model as the condition sets it, or a
    free parameter. ``noise``: formulas of noise parameters that read outputs, where a free parameter comes before a quantity
    of its name, as it does in formulas that read none; ``constrained``: outputs that constraints
    read. ``plain``: the output that each series is, where every one is an output as it stands; ``whole``: whether those are
    all the outputs, in their order. Raises InputError for a name that is none of them.
    """

    experiment: str
    series: tuple[Series, ...]
    model: Model
    names: tuple[str, ...]
    noise: tuple[Expression, ...] = ()
    constrained: tuple[str, ...] = ()
    outputs: tuple[str, ...] = field(init=False)
    reads: frozenset[str] = field(init=False)
    formulas: tuple[_Formula, ...] = field(init=False)
    data: tuple[SeriesData, ...] = field(init=False)
    plain: list[int] | None = field(init=False)
    whole: bool = field(init=False)
    column: dict[str, int] = field(init=False)
    parameter: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        model, names = self.model, set(self.names)
        expressions = [*(s.observable for s in self.series), *self.noise]
        wanted = dict.fromkeys([*(n for e in expressions for n in sorted(e.names)), *self.constrained])
        self.outputs = tuple(n for n in wanted if n in model.outputs)
        self.reads = frozenset(n for n in wanted if n not in model.outputs and n in model.quantities)
        known = {*model.outputs, *model.quantities, *names}
        unknown = [n for n in wanted if n not in known]
        if unknown:
            raise InputError(
                Mistake(f"experiment '{self.experiment}': model '{model.name}' has no output '{n}'",
                        nearest(n, known)) for n in unknown
            )  # fmt: skip
        self.column = {n: i for i, n in enumerate(self.outputs)}
        self.parameter = {n: j for j, n in enumerate(self.names)}
        self.formulas = (
            *(self._formula(s.observable, self.reads) for s in self.series),
            *(self._formula(e, self.reads - names) for e in self.noise),
        )
        self.data = tuple(SeriesData(s.time_index, s.observed) for s in self.series)
        direct = all(isinstance(s.observable.node, Name) and not s.transforms for s in self.series) and not self.noise
        named = [next(iter(f.expression.names), "") for f in self.formulas] if direct else []
        self.plain = [self.column[n] for n in named] if direct and set(named) <= self.column.keys() else None
        self.whole = self.plain == list(range(len(self.outputs)))

    def observe(self, theta: Theta, solved: Solved) -> Observed:
        """The predictions at θ."""
        return Observed(self, theta, solved)

    def _formula(self, expression: Expression, reads: frozenset[str]) -> _Formula:
        slopes = {n: expression.derivative(n) for n in sorted(expression.names)}
        return _Formula(
            expression,
            {n: d for n, d in slopes.items() if n in self.column},
            {n: d for n, d in slopes.items() if n not in self.column and n not in reads},
            {n: d for n, d in slopes.items() if n in reads},
        )

