"""Rate laws that round the state: their sensitivities jump where CVODES cannot see it, so they are refused."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

ROUNDING = ("floor", "ceil", "ceiling", "round", "rint", "nint", "trunc", "int", "frac", "mod", "rem", "sign", "sgn", "signum")

_CALL = re.compile(rf"\b({'|'.join(ROUNDING)})\s*\(", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_]\w*")


def rounded_states(expressions: Iterable[str], moving: Collection[str]) -> list[str]:
    """``floor(A)``-like calls in the expressions whose argument names something of `moving`, as they are written."""
    found = []
    for text in expressions:
        for match in _CALL.finditer(text):
            argument = _balanced(text, match.end())
            if not set(_NAME.findall(argument)).isdisjoint(moving):
                found.append(f"{match.group(1)}({argument})")
        if "%" in text and not set(_NAME.findall(text)).isdisjoint(moving):
            found.append(text)
    return list(dict.fromkeys(found))


def _balanced(text: str, start: int) -> str:
    """The text from `start` to the parenthesis that closes the one before it."""
    depth = 1
    for end in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        if depth == 0:
            return text[start:end]
    return text[start:]
