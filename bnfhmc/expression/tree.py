"""The syntax tree of an expression, and the functions it may apply with their derivatives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import xlogy


@dataclass(frozen=True, slots=True)
class Num:
    """A constant."""

    value: float


@dataclass(frozen=True, slots=True)
class Name:
    """A free symbol."""

    id: str


@dataclass(frozen=True, slots=True)
class Call:
    """An operator or function applied to its arguments."""

    fn: str
    args: tuple[Node, ...]


Node = Num | Name | Call

ZERO, ONE = Num(0.0), Num(1.0)


def operations(root: Node) -> Iterator[tuple[Node, tuple[int, ...]]]:
    """Each distinct node of the tree after its arguments, with the places of those; the root comes last."""
    place: dict[int, int] = {}
    stack = [root]
    while stack:
        node = stack[-1]
        args = node.args if isinstance(node, Call) else ()
        waiting = [a for a in args if id(a) not in place]
        if waiting:
            stack.extend(reversed(waiting))
            continue
        stack.pop()
        if id(node) not in place:
            place[id(node)] = len(place)
            yield node, tuple(place[id(a)] for a in args)


def _add(a: Node, b: Node) -> Node:
    return b if a == ZERO else a if b == ZERO else Call("+", (a, b))


def _sub(a: Node, b: Node) -> Node:
    return a if b == ZERO else Call("neg", (b,)) if a == ZERO else Call("-", (a, b))


def _mul(a: Node, b: Node) -> Node:
    if ZERO in (a, b):
        return ZERO
    return b if a == ONE else a if b == ONE else Call("*", (a, b))


def _div(a: Node, b: Node) -> Node:
    return ZERO if a == ZERO else a if b == ONE else Call("/", (a, b))


def _pow(a: Node, b: Node) -> Node:
    return ONE if b == ZERO else a if b == ONE else Call("^", (a, b))


def _fn(name: str, *args: Node) -> Node:
    return Call(name, args)


def _neg(a: Node) -> Node:
    return _sub(ZERO, a)


def _sqrt(a: Node) -> Node:
    return _fn("sqrt", a)


def _square(a: Node) -> Node:
    return _pow(a, Num(2.0))


def _one_minus_square(x: Node) -> Node:
    """1 − x², without its cancellation near ±1."""
    return _mul(_sub(ONE, x), _add(ONE, x))


def _one_plus_square(x: Node) -> Node:
    return _add(ONE, _square(x))


def _secant_root(x: Node) -> Node:
    """|x| √(x² − 1)."""
    return _mul(_fn("abs", x), _sqrt(_mul(_sub(x, ONE), _add(x, ONE))))


def _abs(x: Any) -> Any:
    """|x|; of a number with an imaginary step, ±x by the sign of its real part."""
    return np.where(np.real(x) < 0, np.negative(x), x)[()] if np.iscomplexobj(x) else np.abs(x)


def _inverse(x: Any) -> Any:
    return np.divide(1.0, x)


def _sech(x: Any) -> Any:
    e = np.exp(-_abs(x))  # unlike 1/cosh, nothing overflows
    return 2.0 * e / (1.0 + e * e)


def _csch(x: Any) -> Any:
    distance = _abs(x)
    return np.copysign(2.0, np.real(x)) * np.exp(-distance) / -np.expm1(-2.0 * distance)


def _piecewise(*args: Any) -> Any:
    """``piecewise(v1, c1, v2, c2, …, otherwise)``: the first value whose condition holds."""
    *pairs, otherwise = args
    out = otherwise
    for value, condition in reversed(list(zip(pairs[::2], pairs[1::2], strict=True))):
        out = np.where(condition, value, out)
    return out


def _d_piecewise(args: tuple[Node, ...], d: tuple[Node, ...]) -> Node:
    if all(x == ZERO for x in (*d[:-1:2], d[-1])):
        return ZERO
    return Call("piecewise", tuple(d[i] if i % 2 == 0 else args[i] for i in range(len(args))))


def _d_pow(args: tuple[Node, ...], d: tuple[Node, ...]) -> Node:
    (a, b), (da, db) = args, d
    base = _mul(_mul(b, _pow(a, _sub(b, ONE) if not isinstance(b, Num) else Num(b.value - 1.0))), da)
    return _add(base, ZERO if db == ZERO else _mul(_fn("xlny", _pow(a, b), a), db))


def _chain(slope: Callable[[Node], Node]) -> Callable[[tuple[Node, ...], tuple[Node, ...]], Node]:
    return lambda args, d: ZERO if d[0] == ZERO else _mul(slope(args[0]), d[0])


def _choose(cmp: str) -> Callable[[tuple[Node, ...], tuple[Node, ...]], Node]:
    return lambda a, d: ZERO if d == (ZERO, ZERO) else _fn("piecewise", d[0], _fn(cmp, *a), d[1])


def _flat(args: tuple[Node, ...], d: tuple[Node, ...]) -> Node:
    return ZERO


class Function(NamedTuple):
    """``arity`` (None: any), the value over arrays, and the derivative from the arguments and their derivatives."""

    arity: int | None
    value: Callable[..., Any]
    derivative: Callable[[tuple[Node, ...], tuple[Node, ...]], Node]


def _truth(test: Callable[..., Any], arity: int = 2) -> Function:
    """A test as 1 where it holds and 0 elsewhere, which arithmetic may go on with."""
    return Function(arity, lambda *args: np.asarray(test(*args), dtype=float)[()], _flat)


FUNCTIONS: dict[str, Function] = {
    "+": Function(2, np.add, lambda a, d: _add(*d)),
    "-": Function(2, np.subtract, lambda a, d: _sub(*d)),
    "*": Function(2, np.multiply, lambda a, d: _add(_mul(d[0], a[1]), _mul(a[0], d[1]))),
    "/": Function(2, np.divide, lambda a, d: _sub(_div(d[0], a[1]), _mul(Call("/", a), _div(d[1], a[1])))),
    "^": Function(2, lambda a, b: np.power(np.asarray(a, dtype=np.result_type(a, float)), b), _d_pow),
    "neg": Function(1, np.negative, lambda a, d: _sub(ZERO, d[0])),
    "exp": Function(1, np.exp, _chain(lambda x: _fn("exp", x))),
    "ln": Function(1, np.log, _chain(lambda x: _div(ONE, x))),
    "log": Function(1, np.log, _chain(lambda x: _div(ONE, x))),
    "xlny": Function(2, xlogy, lambda a, d: _add(_mul(_fn("ln", a[1]), d[0]), _mul(_div(a[0], a[1]), d[1]))),
    "log10": Function(1, np.log10, _chain(lambda x: _div(Num(float(1 / np.log(10))), x))),
    "log2": Function(1, np.log2, _chain(lambda x: _div(Num(float(1 / np.log(2))), x))),
    "sqrt": Function(1, np.sqrt, _chain(lambda x: _div(Num(0.5), _sqrt(x)))),
    "sin": Function(1, np.sin, _chain(lambda x: _fn("cos", x))),
    "cos": Function(1, np.cos, _chain(lambda x: _neg(_fn("sin", x)))),
    "tan": Function(1, np.tan, _chain(lambda x: _one_plus_square(_fn("tan", x)))),
    "sec": Function(1, lambda x: _inverse(np.cos(x)), _chain(lambda x: _mul(_fn("sec", x), _fn("tan", x)))),
    "csc": Function(1, lambda x: _inverse(np.sin(x)), _chain(lambda x: _neg(_mul(_fn("csc", x), _fn("cot", x))))),
    "cot": Function(1, lambda x: _inverse(np.tan(x)), _chain(lambda x: _neg(_square(_fn("csc", x))))),
    "asin": Function(1, np.arcsin, _chain(lambda x: _div(ONE, _sqrt(_one_minus_square(x))))),
    "acos": Function(1, np.arccos, _chain(lambda x: _div(Num(-1.0), _sqrt(_one_minus_square(x))))),
    "atan": Function(1, np.arctan, _chain(lambda x: _div(ONE, _one_plus_square(x)))),
    "asec": Function(1, lambda x: np.arccos(_inverse(x)), _chain(lambda x: _div(ONE, _secant_root(x)))),
    "acsc": Function(1, lambda x: np.arcsin(_inverse(x)), _chain(lambda x: _div(Num(-1.0), _secant_root(x)))),
    "acot": Function(1, lambda x: np.arctan(_inverse(x)), _chain(lambda x: _div(Num(-1.0), _one_plus_square(x)))),
    "sinh": Function(1, np.sinh, _chain(lambda x: _fn("cosh", x))),
    "cosh": Function(1, np.cosh, _chain(lambda x: _fn("sinh", x))),
    "tanh": Function(1, np.tanh, _chain(lambda x: _square(_fn("sech", x)))),
    "sech": Function(1, _sech, _chain(lambda x: _neg(_mul(_fn("sech", x), _fn("tanh", x))))),
    "csch": Function(1, _csch, _chain(lambda x: _neg(_mul(_fn("csch", x), _fn("coth", x))))),
    "coth": Function(1, lambda x: _inverse(np.tanh(x)), _chain(lambda x: _neg(_square(_fn("csch", x))))),
    "asinh": Function(1, np.arcsinh, _chain(lambda x: _div(ONE, _sqrt(_one_plus_square(x))))),
    "acosh": Function(1, np.arccosh, _chain(lambda x: _div(ONE, _mul(_sqrt(_sub(x, ONE)), _sqrt(_add(x, ONE)))))),
    "atanh": Function(1, np.arctanh, _chain(lambda x: _div(ONE, _one_minus_square(x)))),
    "asech": Function(1, lambda x: np.arccosh(_inverse(x)),
                      _chain(lambda x: _div(Num(-1.0), _mul(x, _sqrt(_one_minus_square(x)))))),
    "acsch": Function(1, lambda x: np.arcsinh(_inverse(x)),
                      _chain(lambda x: _div(Num(-1.0), _mul(_fn("abs", x), _sqrt(_one_plus_square(x)))))),
    "acoth": Function(1, lambda x: np.arctanh(_inverse(x)), _chain(lambda x: _div(ONE, _one_minus_square(x)))),
    "abs": Function(1, _abs, _chain(lambda x: _fn("sign", x))),
    "sign": Function(1, lambda x: np.sign(np.real(x)), _flat),
    "min": Function(2, np.minimum, _choose("<=")),
    "max": Function(2, np.maximum, _choose(">=")),
    "piecewise": Function(None, _piecewise, _d_piecewise),
    "<": _truth(np.less),
    "<=": _truth(np.less_equal),
    ">": _truth(np.greater),
    ">=": _truth(np.greater_equal),
    "==": _truth(np.equal),
    "!=": _truth(np.not_equal),
    "&&": _truth(np.logical_and),
    "||": _truth(np.logical_or),
    "!": _truth(np.logical_not, 1),
}
