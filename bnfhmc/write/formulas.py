"""Expressions as texts that the two formats read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from bnfhmc.expression import Call, Expression, Name, Node
from bnfhmc.expression.syntax import BINDING, SPELLED
from bnfhmc.expression.tree import operations

TESTS = ("<", "<=", ">", ">=", "==", "!=")
LOGIC = ("&&", "||", "!")
ARITHMETIC = ("+", "-", "*", "/", "^")
IN_PETAB = {ours: word for word, ours in SPELLED.items() if word.startswith("arc")}  # acos is arccos there


Written = tuple[str, int]  # a text, and how tightly it holds together: that of a sum, a product, a power, or 9 for all else
ALONE, LOOSE = 9, 0


def conf_text(expression: Expression) -> str:
    """The expression as a configuration writes it, where a truth is 1 or 0."""
    out: list[Written] = []
    for node, at in operations(expression.node):
        out.append(_operation(node, [out[i] for i in at]) if isinstance(node, Call) else _leaf(node, str))
    return out[-1][0]


def petab_text(expression: Expression, name: Callable[[str], str]) -> str:
    """The expression as PEtab reads it; `name`: what each of its names is called there.

    A truth is no number in PEtab: where one is calculated with, it is written as the piecewise of 1 and 0.
    """
    number: list[Written] = []
    truth: list[Written] = []
    for node, at in operations(expression.node):
        numbers, truths = [number[i] for i in at], [truth[i] for i in at]
        if isinstance(node, Call) and node.fn in (*TESTS, *LOGIC):
            truth.append(_operation(node, truths if node.fn in LOGIC else numbers))
            number.append((f"piecewise(1, {truth[-1][0]}, 0)", ALONE))
            continue
        if isinstance(node, Call):
            mixed = [t if node.fn == "piecewise" and k % 2 else n for k, (n, t) in enumerate(zip(numbers, truths, strict=True))]
            mixed[-1:] = numbers[-1:]  # the last value of a piecewise has no condition
            number.append(_operation(node, mixed, IN_PETAB))
        else:
            number.append(_leaf(node, name))
        truth.append((f"{_within(number[-1], ALONE)} != 0", LOOSE))
    return number[-1][0]


def number_text(value: float) -> str:
    """The shortest text that is read as this number."""
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def _leaf(node: Node, name: Callable[[str], str]) -> Written:
    if isinstance(node, Name):
        return name(node.id), ALONE
    if isinstance(node, Call):
        raise TypeError("an operation is no leaf")
    return number_text(node.value), ALONE if node.value >= 0 else LOOSE


def _operation(node: Call, args: list[Written], spelled: Mapping[str, str] = MappingProxyType({})) -> Written:
    if node.fn in ARITHMETIC:
        own = BINDING[node.fn]
        return f"{_within(args[0], own + (node.fn == '^'))} {node.fn} {_within(args[1], own + 1)}", own
    if node.fn in BINDING:
        return f"{_within(args[0], ALONE)} {node.fn} {_within(args[1], ALONE)}", LOOSE
    if node.fn in ("neg", "!"):
        return f"{'-' if node.fn == 'neg' else '!'}{_within(args[0], ALONE)}", LOOSE
    return f"{spelled.get(node.fn, node.fn)}({', '.join(text for text, _ in args)})", ALONE


def _within(written: Written, needed: int) -> str:
    """The text, in parentheses where it does not hold together as tightly as is needed."""
    text, own = written
    return text if own >= needed else f"({text})"
