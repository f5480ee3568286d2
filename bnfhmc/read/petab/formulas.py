"""PEtab's mathematics → expressions: petab reads the text, and its sympy tree is walked into ours."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import lru_cache, reduce
from typing import Any

import numpy as np
import sympy as sp
from petab.v1.math import sympify_petab

from bnfhmc.expression import FUNCTIONS, Call, Expression, ExpressionError, Name, Node, Num, expression, parse
from bnfhmc.expression.tree import operations
from bnfhmc.read.petab.tables import ID, number

MAX_LENGTH = 10_000
_RESERVED = frozenset({"inf", "nan", "true", "false"})  # names that PEtab's grammar keeps for itself

# the name of sympy's function → ours, where they differ
_SPELLED = {"Abs": "abs", "log": "ln"}
_RELATIONS: dict[type, str] = {
    sp.StrictLessThan: "<", sp.LessThan: "<=", sp.StrictGreaterThan: ">", sp.GreaterThan: ">=",
    sp.Equality: "==", sp.Unequality: "!=",
}  # fmt: skip


@lru_cache(maxsize=8192)
def read_formula(text: str) -> Expression:
    """The expression that a PEtab formula is; raises ExpressionError that says why it is none."""
    value = number(text)
    if value is not None and math.isfinite(value):
        return expression(Num(value))
    if ID.fullmatch(text) and text.lower() not in _RESERVED:
        return expression(Name(text))
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"it is longer than {MAX_LENGTH} characters")
    with np.errstate(all="ignore"):
        _refuse_towers(text)
    try:
        return expression(_Walk().node(sympify_petab(text)))
    except ExpressionError:
        raise
    except RecursionError as error:
        raise ExpressionError("it is nested too deep") from error
    except (ValueError, AssertionError, TypeError, AttributeError, ArithmeticError) as error:
        raise ExpressionError(_said(error)) from error


def _refuse_towers(text: str) -> None:
    """Raise ExpressionError for powers of numbers that no float holds: sympy would write out all their digits."""
    try:
        tree = parse(text).node
    except ExpressionError:
        return  # petab says what is wrong with it, and evaluates nothing
    value: dict[int, float] = {}
    for at, (node, args) in enumerate(operations(tree)):
        known = [value[a] for a in args if a in value]
        if isinstance(node, Num):
            value[at] = node.value
        elif isinstance(node, Call) and len(known) == len(args):
            value[at] = float(FUNCTIONS[node.fn].value(*(np.float64(x) for x in known)))
            if node.fn == "^" and not abs(value[at]) < 1e300:
                raise ExpressionError("a power of numbers in it is too large for a float")


def _said(error: Exception) -> str:
    """What petab says of a text that is no formula, without the text."""
    said = re.sub(r"^Error parsing .*?: (?=Syntax error)", "", " ".join(str(error).split()))
    place = re.fullmatch(r"Syntax error at \d+:(\d+): (.*)", said)
    return f"{place[2][:200]} at column {int(place[1]) + 1}" if place else said[:200] or type(error).__name__


class _Walk:
    """sympy's tree → ours, each distinct branch once."""

    def __init__(self) -> None:
        self._done: dict[Any, Node] = {}

    def node(self, e: Any) -> Node:
        if e not in self._done:
            self._done[e] = self._new(e)
        return self._done[e]

    def _new(self, e: Any) -> Node:
        if isinstance(e, sp.Symbol):
            return Name(e.name)
        if e in (sp.true, sp.false):
            return Num(1.0 if e is sp.true else 0.0)
        if not e.free_symbols and not isinstance(e, sp.Piecewise | sp.logic.boolalg.Boolean):
            return _constant(e)
        if isinstance(e, sp.exp):
            return Call("exp", (self.node(e.exp),))
        for kind, convert in self._kinds.items():
            if isinstance(e, kind):
                return convert(self, e)
        return self._function(e)

    def _add(self, e: Any) -> Node:
        first, *rest = e.args
        out = self.node(first)
        for term in rest:
            c, factor = term.as_coeff_Mul()
            minus = c.is_negative
            out = Call("-" if minus else "+", (out, self.node(-term if minus else term)))
        return out

    def _mul(self, e: Any) -> Node:
        c, factors = e.as_coeff_mul()
        above = [f for f in factors if not _is_inverse(f)]
        below = [1 / f for f in factors if _is_inverse(f)]
        out = self._product(above) if above else Num(1.0)
        if c not in (1, -1):
            out = Call("*", (_constant(c), out)) if above else _constant(c)
        if below:
            out = Call("/", (out, self._product(below)))
        return Call("neg", (out,)) if c == -1 else out

    def _product(self, factors: list[Any]) -> Node:
        return reduce(lambda a, b: Call("*", (a, b)), (self.node(f) for f in factors))

    def _pow(self, e: Any) -> Node:
        base, exponent = e.args
        if _is_inverse(e):
            return Call("/", (Num(1.0), self.node(1 / e)))
        if exponent == sp.Rational(1, 2) or exponent == 0.5:
            return Call("sqrt", (self.node(base),))
        return Call("^", (self.node(base), self.node(exponent)))

    def _fold(self, e: Any) -> Node:
        name = {sp.Min: "min", sp.Max: "max", sp.And: "&&", sp.Or: "||"}[type(e)]
        return reduce(lambda a, b: Call(name, (a, b)), (self.node(a) for a in e.args))

    def _relation(self, e: Any) -> Node:
        return Call(_RELATIONS[type(e)], (self.node(e.lhs), self.node(e.rhs)))

    def _not(self, e: Any) -> Node:
        return Call("!", (self.node(e.args[0]),))

    def _piecewise(self, e: Any) -> Node:
        *pairs, (last, condition) = e.args
        if condition is not sp.true:
            raise ExpressionError("a piecewise has no value for the case that no condition holds")
        args = [self.node(part) for value, holds in pairs for part in (value, holds)]
        return Call("piecewise", (*args, self.node(last))) if args else self.node(last)

    def _function(self, e: Any) -> Node:
        name = type(e).__name__
        ours = _SPELLED.get(name, name)
        if ours not in FUNCTIONS or FUNCTIONS[ours].arity != len(e.args):
            raise ExpressionError(f"the function '{name}' is not supported")
        return Call(ours, tuple(self.node(a) for a in e.args))

    _kinds: dict[Any, Callable[[_Walk, Any], Node]] = {
        sp.Add: _add,
        sp.Mul: _mul,
        sp.Pow: _pow,
        (sp.Min, sp.Max, sp.And, sp.Or): _fold,
        tuple(_RELATIONS): _relation,
        sp.Not: _not,
        sp.Piecewise: _piecewise,
    }


def _is_inverse(e: Any) -> bool:
    """Whether a factor is a power with a negative number as exponent."""
    return isinstance(e, sp.Pow) and not isinstance(e, sp.exp) and bool(e.args[1].is_number and e.args[1].is_negative)


def _constant(e: Any) -> Num:
    value = complex(e)
    if value.imag or not math.isfinite(value.real):
        raise ExpressionError(f"'{e}' is no finite number")
    return Num(value.real)
