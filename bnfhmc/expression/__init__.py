"""Arithmetic of configuration files: text → syntax tree → arrays, and its symbolic derivative."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from bnfhmc.expression.syntax import BINDING, CONSTANTS, MAX_DEPTH, ExpressionError, read
from bnfhmc.expression.tree import FUNCTIONS, ONE, ZERO, Call, Name, Node, Num, operations

__all__ = ["CONSTANTS", "FUNCTIONS", "MAX_DEPTH", "Call", "Expression", "ExpressionError", "Name", "Node", "Num",
           "expression", "number", "parse", "substitute"]  # fmt: skip


MAX_TEXT = 1_000_000  # shared branches are written out each time, so a derivative can be far longer than its tree


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """An arithmetic expression over named quantities, evaluated on floats or arrays; equal where its operations are.

    Attributes: ``node`` its tree; ``written`` its text where it was read from one; ``names`` its free symbols. Long sums
    make deep trees and derivatives share their branches, so everything walks the tree's operations in order, one by one.
    """

    node: Node = field(repr=False)
    written: str = ""
    names: frozenset[str] = field(init=False)
    _tape: tuple[tuple[Node, tuple[int, ...]], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        tape = tuple(operations(self.node))
        object.__setattr__(self, "_tape", tape)
        object.__setattr__(self, "names", frozenset(node.id for node, _ in tape if isinstance(node, Name)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and self._operations() == other._operations()

    def __hash__(self) -> int:
        return hash(self._operations())

    def _operations(self) -> tuple[tuple[object, tuple[int, ...]], ...]:
        words = ((n.fn if isinstance(n, Call) else n.id if isinstance(n, Name) else n.value, args) for n, args in self._tape)
        return tuple(words)

    @property
    def text(self) -> str:
        """The text `parse` reads as this expression; for one of more than a million characters, how long it is."""
        return self.written or _text(self.node)

    def __call__(self, env: Mapping[str, Any]) -> Any:
        """The value where each name has the value `env` gives it (floats or arrays that broadcast); KeyError if absent.

        A domain error (log of a negative number) gives NaN or ±inf silently: the caller holds the name for a failure.
        """
        if isinstance(self.node, Name):
            return env[self.node.id]
        out: list[Any] = []
        with np.errstate(all="ignore"):
            for node, args in self._tape:
                if isinstance(node, Call):
                    out.append(FUNCTIONS[node.fn].value(*[out[a] for a in args]))
                else:
                    out.append(env[node.id] if isinstance(node, Name) else node.value)
        return out[-1]

    def derivative(self, name: str) -> Expression:
        """∂/∂name as an expression; kinks (abs, min, max, piecewise) take the derivative of the branch in force."""
        d: list[Node] = []
        for node, args in self._tape:
            if isinstance(node, Call):
                d.append(FUNCTIONS[node.fn].derivative(node.args, tuple(d[a] for a in args)))
            else:
                d.append(ONE if isinstance(node, Name) and node.id == name else ZERO)
        return Expression(d[-1])

    def renamed(self, names: Mapping[str, str]) -> Expression:
        """The same expression with free symbols replaced by other symbols."""
        return expression(substitute(self.node, {old: Name(new) for old, new in names.items()}))

    @property
    def constant(self) -> float | None:
        """The number this expression is, if it names nothing."""
        return None if self.names else float(self({}))


@lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """Read an expression: numbers, names, ``+ - * / ^``, comparisons, ``&& || !`` and the functions in `FUNCTIONS`.

    ``f()`` is the name f, ``log`` is the natural logarithm, ``if(c, a, b)`` is ``piecewise(a, c, b)``, ``**`` is ``^``.
    Raises `ExpressionError` that names the column.
    """
    return Expression(read(text), text.strip())


def expression(node: Node) -> Expression:
    """The expression that is this tree."""
    return Expression(node)


def number(value: float) -> Expression:
    """The expression that is this number."""
    return expression(Num(float(value)))


def substitute(node: Node, by: Mapping[str, Node]) -> Node:
    """The tree with each free symbol that `by` names replaced by the tree given for it."""
    out: list[Node] = []
    for old, args in operations(node):
        if isinstance(old, Call):
            out.append(Call(old.fn, tuple(out[a] for a in args)))
        else:
            out.append(by.get(old.id, old) if isinstance(old, Name) else old)
    return out[-1]


def _text(root: Node) -> str:
    """The tree as `parse` reads it."""
    out: list[str] = []
    for node, at in operations(root):
        args = [out[a] for a in at]
        if sum(map(len, args)) > MAX_TEXT:
            return f"an expression of more than {MAX_TEXT} characters"
        if isinstance(node, Num):
            out.append(f"{node.value:.0f}" if node.value.is_integer() and abs(node.value) < 1e15 else repr(node.value))
        elif isinstance(node, Name):
            out.append(node.id)
        elif node.fn in BINDING:
            sides = [f"({text})" if _signed(arg) else text for arg, text in zip(node.args, args, strict=True)]
            out.append(f"({f' {node.fn} '.join(sides)})")
        else:
            sign = {"neg": "-", "!": "!"}.get(node.fn)
            out.append(f"{sign}({args[0]})" if sign else f"{node.fn}({', '.join(args)})")
    return out[-1]


def _signed(node: Node) -> bool:
    """Whether its text begins with a sign, which binds less than a power."""
    return isinstance(node, Num) and node.value < 0 or isinstance(node, Call) and node.fn in ("neg", "!")
