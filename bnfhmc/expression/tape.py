"""Several expressions over the same names, with their derivatives by the reverse mode.

The derivative of each by each name, as an expression of its own, would cost their number times their size; a sweep
backwards over the operations that they share costs a few times their values (Griewank & Walther 2008, ch. 3).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from bnfhmc.expression import Expression, expression
from bnfhmc.expression.tree import FUNCTIONS, ONE, ZERO, Call, Name, Node, Num, operations

PLAIN: dict[str, Callable[..., Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "neg": operator.neg,
}  # fmt: skip


class _Operation(NamedTuple):
    """Places of the result and of the arguments among the values, and the function."""

    at: int
    fn: str
    args: tuple[int, ...]


class Tape:
    """The operations of `roots`, each distinct one once.

    ``names``: what the roots read; values are floats, or arrays that broadcast. Nothing warns: a value or a derivative
    that does not exist is not finite.
    """

    def __init__(self, roots: Sequence[Expression]):
        self._place: dict[Any, int] = {}
        self._start: list[Any] = []  # the values of numbers, and room for those of the others
        self._leaves: dict[str, int] = {}
        self._constants: set[int] = set()
        self._operations: list[_Operation] = []
        self._roots = [self._noted(root.node) for root in roots]
        self._steps = [(at, PLAIN[fn] if fn in PLAIN else FUNCTIONS[fn].value, args) for at, fn, args in self._operations]
        self._backwards = [self._behind(root) for root in self._roots]  # the operations of each root, the last one first
        self.names = tuple(self._leaves)

    def values(self, env: Mapping[str, Any]) -> list[Any]:
        """The value of every operation where names have the values `env` gives them; KeyError if one is absent."""
        values = self._start.copy()
        for name, at in self._leaves.items():
            values[at] = env[name]
        if not self._steps:
            return values
        with np.errstate(all="ignore"):
            for at, compute, args in self._steps:
                x = [values[a] for a in args]
                try:
                    values[at] = compute(*x)
                except ZeroDivisionError:
                    values[at] = np.divide(x[0], x[1])
        return values

    def root(self, values: list[Any], k: int) -> Any:
        """The value of root k."""
        return values[self._roots[k]]

    def pull(self, values: list[Any], weights: Mapping[int, Any]) -> dict[str, Any]:
        """Σ_k weights[k] ∂root_k/∂name, elementwise, of each name that it may depend on.

        Where a weight is 0 its root contributes 0, also where its derivative is not finite.
        """
        with np.errstate(all="ignore"):
            found = self._swept(values, weights, guarded=False)
            sound = all(isfinite(x) if isinstance(x, float) else np.isfinite(x).all() for x in found.values())
            return found if sound else self._swept(values, weights, guarded=True)

    def _noted(self, node: Node) -> int:
        places: list[int] = []
        for part, args in operations(node):
            at = tuple(places[a] for a in args)
            key = (part.fn, at) if isinstance(part, Call) else part
            if key not in self._place:
                place = self._place[key] = len(self._start)
                self._start.append(part.value if isinstance(part, Num) else np.nan)
                if isinstance(part, Num):
                    self._constants.add(place)
                elif isinstance(part, Name):
                    self._leaves[part.id] = place
                else:
                    self._operations.append(_Operation(place, part.fn, at))
            places.append(self._place[key])
        return places[-1]

    def _behind(self, root: int) -> list[_Operation]:
        reached, out = {root}, []
        for operation in reversed(self._operations):
            if operation.at in reached:
                reached.update(operation.args)
                out.append(operation)
        return out

    def _swept(self, values: list[Any], weights: Mapping[int, Any], guarded: bool) -> dict[str, Any]:
        bar: list[Any] = [None] * len(values)  # Σ weight ∂root/∂value, None where there is no way from one to the other
        for k, weight in weights.items():
            at = self._roots[k]
            bar[at] = weight if bar[at] is None else bar[at] + weight
        backwards = self._backwards[next(iter(weights))] if len(weights) == 1 else reversed(self._operations)
        for at, fn, args in backwards:
            weight = bar[at]
            if weight is None:
                continue
            for a, share in zip(args, self._shares(values, at, fn, args, weight), strict=True):
                if share is None or a in self._constants:
                    continue
                if guarded:
                    share = np.where(np.equal(weight, 0.0), 0.0, share)
                bar[a] = share if bar[a] is None else bar[a] + share
        return {name: bar[at] for name, at in self._leaves.items() if bar[at] is not None}

    def _shares(self, values: list[Any], at: int, fn: str, args: tuple[int, ...], weight: Any) -> Sequence[Any]:
        """weight ∂value/∂argument for each argument; None where it is zero everywhere."""
        if fn == "*":
            return weight * values[args[1]], weight * values[args[0]]
        if fn == "+":
            return weight, weight
        if fn == "-":
            return weight, -weight
        if fn == "neg":
            return (-weight,)
        if fn == "/":
            share = np.divide(weight, values[args[1]])
            return share, -share * values[at]
        if fn == "^" and args[1] in self._constants:
            x, power = values[args[0]], values[args[1]]
            if power == 2.0:
                return weight * (2.0 * x), None
            return (weight * (power * np.power(np.asarray(x, dtype=float), power - 1.0)) if power else None), None
        env = {str(k): values[a] for k, a in enumerate(args)}
        return [None if slope is None else weight * slope(env) for slope in _slopes(fn, len(args))]


@cache
def _slopes(fn: str, arity: int) -> tuple[Expression | None, ...]:
    """∂fn/∂argument over arguments named by their places; None where it is zero everywhere."""
    names = tuple(Name(str(k)) for k in range(arity))
    found = [FUNCTIONS[fn].derivative(names, tuple(ONE if i == k else ZERO for i in range(arity))) for k in range(arity)]
    return tuple(None if node == ZERO else expression(node) for node in found)
