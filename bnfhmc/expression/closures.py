"""Expressions of numbers as plain functions, without the arrays in between: for values asked for at every evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bnfhmc.expression import Expression
from bnfhmc.expression.tree import Call, Name, Node, Num, operations

Numbers = Mapping[str, float]  # name → value
LARGEST = 50  # operations of a tree that is worth it: it is walked anew wherever a branch is shared


def number_of(value: Expression) -> Callable[[Numbers], float]:
    """The expression as a function of its names' values, without the arrays in between where it is plain arithmetic.

    A value that does not exist is the one that `Expression` gives.
    """
    plain = _plain(value.node) if _size(value.node) <= LARGEST else None
    if plain is None:
        return lambda m: float(value(m))

    def number(m: Numbers) -> float:
        try:
            return plain(m)
        except ArithmeticError:
            return float(value(m))

    return number if isinstance(value.node, Call) else plain


def _size(root: Node) -> int:
    """The operations of the tree, shared ones counted as often as they are shared."""
    sizes: list[int] = []
    for _, args in operations(root):
        sizes.append(1 + sum(sizes[a] for a in args))
    return sizes[-1]


def _plain(node: Node) -> Callable[[Numbers], float] | None:
    """A tree of names, numbers and the four operations as nested functions; None for any other."""
    if isinstance(node, Num):
        constant = node.value
        return lambda m: constant
    if isinstance(node, Name):
        name = node.id
        return lambda m: m[name]
    parts = [_plain(arg) for arg in node.args] if node.fn in OPERATIONS else [None]
    if None in parts:
        return None
    return OPERATIONS[node.fn](*parts)


OPERATIONS: dict[str, Any] = {
    "+": lambda a, b: lambda m: a(m) + b(m),
    "-": lambda a, b: lambda m: a(m) - b(m),
    "*": lambda a, b: lambda m: a(m) * b(m),
    "/": lambda a, b: lambda m: a(m) / b(m),
    "neg": lambda a: lambda m: -a(m),
}
