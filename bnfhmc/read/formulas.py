"""Formulas that a configuration writes: parsed, and refused where a name in them could be read in two ways."""

from __future__ import annotations

import re
from collections.abc import Collection

from bnfhmc.errors import nearest
from bnfhmc.expression import CONSTANTS, Expression, ExpressionError, parse
from bnfhmc.read.mistakes import Mistakes

# a name that each measurement has a value of its own for
PLACEHOLDER = re.compile(r"(?:observable|noise)Parameter[0-9]+_\w+", re.ASCII)


def read_formula(
    said: str, text: str, line: int | None, declared: Collection[str], mistakes: Mistakes
) -> Expression | None:
    """The expression that a text is; None, and a mistake, where it is none or names a parameter called like a constant.

    `said`: how mistakes quote it; `declared`: the free parameters.
    """
    try:
        formula = parse(text)
    except ExpressionError as error:
        mistakes.add(line, f"{said}: {error}")
        return None
    twofold = set(re.findall(r"[A-Za-z_]\w*", text)) & set(CONSTANTS) & set(declared)
    for name in sorted(twofold):
        mistakes.add(line, f"{said}: '{name}' is a constant, and a declared parameter", "give the parameter another name")
    return None if twofold else formula


def placeholders(formula: Expression, declared: Collection[str]) -> frozenset[str]:
    """The names in a formula that ``measurement_params`` gives a value for each measurement."""
    return frozenset(n for n in formula.names if PLACEHOLDER.fullmatch(n) and n not in declared)


def say_unknown(
    said: str, formula: Expression, known: Collection[str], what: str, line: int | None, mistakes: Mistakes
) -> bool:
    """Whether a formula names something that is not `known` (`what` says what is), each of which is a mistake."""
    unknown = sorted(formula.names - set(known))
    for name in unknown:
        mistakes.add(line, f"{said} names '{name}', which is no {what}", nearest(name, known))
    return bool(unknown)
