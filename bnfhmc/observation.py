"""Model outputs → what is compared with data: formulas and transforms of each series, forwards and backwards.

Noise formulas that read outputs ride along as further columns, so that one pass back carries every derivative to θ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import InputError, Mistake, nearest
from bnfhmc.expression import Expression, Name
from bnfhmc.expression.tape import Tape
from bnfhmc.model.protocol import Model
from bnfhmc.noise.transform import Applied, SeriesData, apply_chain
from bnfhmc.phase import Solved, Theta
from bnfhmc.problem import Series

SERIES, NOISE = 0, 1


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
        outputs, (of_series, of_noise) = self.outputs, observation.tapes
        noise = of_noise.values({**solved.m, **theta, **outputs}) if of_noise.names else of_noise.values({})
        self._values = [of_series.values({**theta, **solved.m, **outputs}), noise]
        self.P = np.empty((len(solved.y), len(observation.formulas)))
        for column, (kind, root) in enumerate(observation.places):
            raw = observation.tapes[kind].root(self._values[kind], root)
            transforms = observation.series[root].transforms if kind == SERIES else ()
            if transforms:
                raw = np.broadcast_to(raw, len(solved.y)).astype(float)
            applied = apply_chain(transforms, raw, observation.data[root]) if transforms else None
            self.P[:, column] = raw if applied is None else applied.value
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
        weights: list[dict[int, np.ndarray]] = [{}, {}]
        for column, (kind, root) in enumerate(of.places if of.plain is None else ()):
            applied = self._applied[column]
            weights[kind][root] = weight[:, column] if applied is None else applied.pull(weight[:, column])
        for kind, by_root in enumerate(weights):
            for name, w in of.tapes[kind].pull(self._values[kind], by_root).items() if by_root else ():
                if name in of.column:
                    on_y[:, of.column[name]] += w
                elif name not in of.quantities[kind]:
                    grad[of.parameter[name]] += np.sum(np.broadcast_to(w, len(y)))
                elif name in dm:
                    grad += np.broadcast_to(w, len(y)) @ np.broadcast_to(dm[name], (len(y), len(of.names)))
        return grad + (on_y.ravel() @ dy.reshape(y.size, dy.shape[2])) @ G

    def slopes(self) -> Float[np.ndarray, "row column d"]:
        """∂P/∂θ."""
        of, (y, dy, G, _, dm) = self._of, self._solved
        dtheta = dy @ G
        if of.plain is not None:
            return dtheta[:, of.plain]
        out = np.zeros((len(y), len(of.formulas), len(of.names)))
        for column, (kind, root) in enumerate(of.places):
            raw = np.zeros((len(y), len(of.names)))
            for name, w in of.tapes[kind].pull(self._values[kind], {root: np.ones(len(y))}).items():
                each = np.broadcast_to(w, len(y))[:, None]
                if name in of.column:
                    raw += each * dtheta[:, of.column[name]]
                elif name not in of.quantities[kind]:
                    raw[:, of.parameter[name]] += each[:, 0]
                elif name in dm:
                    raw += each * dm[name]
            applied = self._applied[column]
            out[:, column] = raw if applied is None else applied.push(raw)
        return out


@dataclass(slots=True)
class Observation:
    """The observables of one experiment, compiled: what they read, and their derivatives.

    A name in a formula is, in this order, an output of the model, a quantity of the model as the condition sets it, or a
    free parameter. ``noise``: formulas of noise parameters that read outputs, where a free parameter comes before a quantity
    of its name, as it does in formulas that read none; ``constrained``: outputs that constraints read.

    ``tapes``: of the observables and of those formulas; ``quantities``: what each of them reads as a quantity of the model;
    ``places``: of each column of P which tape, and which of its roots; ``plain``: the output that each series is, where
    every one is an output as it stands; ``whole``: whether those are all the outputs, in their order. Raises InputError for
    a name that is none of the three.
    """

    experiment: str
    series: tuple[Series, ...]
    model: Model
    names: tuple[str, ...]
    noise: tuple[Expression, ...] = ()
    constrained: tuple[str, ...] = ()
    outputs: tuple[str, ...] = field(init=False)
    reads: frozenset[str] = field(init=False)
    formulas: tuple[Expression, ...] = field(init=False)
    places: tuple[tuple[int, int], ...] = field(init=False)
    tapes: tuple[Tape, Tape] = field(init=False)
    quantities: tuple[frozenset[str], frozenset[str]] = field(init=False)
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
        observables = [s.observable for s in self.series]
        self.formulas = (*observables, *self.noise)
        self.tapes = Tape(observables), Tape(self.noise)
        self.places = (*((SERIES, k) for k in range(len(observables))), *((NOISE, k) for k in range(len(self.noise))))
        self.quantities = self.reads, self.reads - names
        self.data = tuple(SeriesData(s.time_index, s.observed) for s in self.series)
        direct = all(isinstance(s.observable.node, Name) and not s.transforms for s in self.series) and not self.noise
        named = [next(iter(f.names), "") for f in self.formulas] if direct else []
        self.plain = [self.column[n] for n in named] if direct and set(named) <= self.column.keys() else None
        self.whole = self.plain == list(range(len(self.outputs)))

    def observe(self, theta: Theta, solved: Solved) -> Observed:
        """The predictions at θ."""
        return Observed(self, theta, solved)
