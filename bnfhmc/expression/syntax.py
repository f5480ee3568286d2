"""Text → syntax tree: a small precedence parser (Pratt 1973, "Top down operator precedence").

Expressions come from strangers; nothing of them is ever handed to Python.
"""

from __future__ import annotations

import re

import numpy as np

from bnfhmc.expression.tree import FUNCTIONS, Call, Name, Node, Num

MAX_LENGTH = 10_000
MAX_DEPTH = 100  # nesting that the recursive parser and evaluator handle far from Python's own limit

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<op>\*\*|<=|>=|==|!=|&&|\|\||[-+*/^()<>,!]))"
)

CONSTANTS = {"_pi": float(np.pi), "_e": float(np.e)}  # BioNetGen's names for them; pi and e may be parameters
# left binding power of each infix operator; ^ groups to the right and binds tighter than a sign before it
BINDING = {"||": 1, "&&": 2, "<": 4, "<=": 4, ">": 4, ">=": 4, "==": 4, "!=": 4,
            "+": 5, "-": 5, "*": 6, "/": 6, "^": 8}  # fmt: skip

# other words for a function; the inverse functions have two spellings each, and acos is arccos
SPELLED = {"log": "ln", "if": "piecewise", "pow": "^"} | {
    f"arc{f}{h}": f"a{f}{h}" for f in ("sin", "cos", "tan", "sec", "csc", "cot") for h in ("", "h")
}
LOGARITHMS = {Num(2.0): "log2", Num(10.0): "log10"}  # exact at powers of their base, as a quotient is not


class ExpressionError(ValueError):
    """The text is no expression; the message says what stands where."""


def read(text: str) -> Node:
    """The tree of a text; raises ExpressionError that names the column."""
    parser = _Parser(text)
    node = parser.expression(0, 0)
    parser.take("")
    return node


class _Parser:
    """Reads one expression from its tokens, left to right."""

    def __init__(self, text: str):
        self.text, self.at = text, 0
        self.tokens = _tokens(text)

    def peek(self) -> str:
        return self.tokens[self.at][0]

    def take(self, wanted: str | None = None) -> str:
        token, column = self.tokens[self.at]
        if wanted is not None and token != wanted:
            said = f"'{wanted}'" if wanted else "the end"
            found = token or "the end"
            raise ExpressionError(f"'{self.text}': expected {said} at column {column + 1}, found '{found}'")
        self.at += 1
        return token

    def expression(self, power: int, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise ExpressionError(f"nested deeper than {MAX_DEPTH} levels")
        left = self.prefix(depth)
        while (binding := BINDING.get(self.peek(), 0)) > power:
            op = self.take()
            right = self.expression(binding - 1 if op == "^" else binding, depth + 1)
            left = Call(op, (left, right))
        return left

    def prefix(self, depth: int) -> Node:
        token, column = self.tokens[self.at]
        if token in ("-", "+", "!"):
            self.take()
            operand = self.expression(7, depth + 1)
            if token == "-":
                return Num(-operand.value) if isinstance(operand, Num) else Call("neg", (operand,))
            return operand if token == "+" else Call("!", (operand,))
        if token == "(":
            self.take()
            inner = self.expression(0, depth + 1)
            self.take(")")
            return inner
        if token and (token[0].isdigit() or token[0] == "."):
            return _finite(self.take(), self.text)
        if token and (token[0].isalpha() or token[0] == "_"):
            return self.name(depth)
        raise ExpressionError(f"'{self.text}': expected a number, a name or '(' at column {column + 1}, "
                              f"found '{token or 'the end'}'")  # fmt: skip

    def name(self, depth: int) -> Node:
        name = self.take()
        if self.peek() != "(":
            return Num(CONSTANTS[name]) if name in CONSTANTS else Name(name)
        self.take("(")
        if self.peek() == ")":  # BioNetGen writes a function without arguments as f()
            self.take()
            return Name(name)
        args = [self.expression(0, depth + 1)]
        while self.peek() == ",":
            self.take()
            args.append(self.expression(0, depth + 1))
        self.take(")")
        return _call(name, tuple(args))


def _finite(token: str, text: str) -> Num:
    value = float(token)
    if value == float("inf"):
        raise ExpressionError(f"'{text}': {token} is too large for a number")
    return Num(value)


def _call(name: str, args: tuple[Node, ...]) -> Node:
    spelled = SPELLED.get(name, name)
    if spelled not in FUNCTIONS or spelled == "neg" or not (spelled[0].isalpha() or name == "pow"):
        known = ", ".join(f for f in FUNCTIONS if f[0].isalpha() and f != "neg")
        raise ExpressionError(f"unknown function '{name}'; known are {known}")
    if name == "if" and len(args) == 3:
        args = (args[1], args[0], args[2])
    if name == "log" and len(args) == 2:
        return _logarithm(*args)
    arity = FUNCTIONS[spelled].arity
    if (arity is not None and len(args) != arity) or (arity is None and (len(args) < 3 or len(args) % 2 == 0)):
        wants = "1 or 2" if name == "log" else arity if arity is not None else "value, condition pairs and a last value as"
        raise ExpressionError(f"'{name}' takes {wants} argument{'s' if wants != 1 else ''}, got {len(args)}")
    return Call(spelled, args)


def _logarithm(x: Node, base: Node) -> Node:
    """log(x, base) = ln x / ln base."""
    exact = LOGARITHMS.get(base) if isinstance(base, Num) else None
    return Call(exact, (x,)) if exact else Call("/", (Call("ln", (x,)), Call("ln", (base,))))


def _tokens(text: str) -> list[tuple[str, int]]:
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"longer than {MAX_LENGTH} characters")
    out, at, end = [], 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            column = at + len(text[at:]) - len(text[at:].lstrip())
            raise ExpressionError(f"'{text}': unexpected '{text[column]}' at column {column + 1}")
        token = match.group(match.lastgroup or 0)
        out.append(("^" if token == "**" else token, match.end() - len(token)))
        at = match.end()
    return [*out, ("", end)]
