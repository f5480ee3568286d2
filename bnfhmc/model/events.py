"""What the text of an SBML file says that bngsim takes without acting on it, or differentiates wrongly."""

from __future__ import annotations

import re
from pathlib import Path

from bnfhmc.errors import InputError, Mistake
from bnfhmc.expression import Expression, ExpressionError, parse

_WORDS = {"and": "&&", "or": "||", "not": "!"}
_WORD = re.compile(r"(?<![\w.])(and|or|not)(?![\w.])")
_FACTOR = re.compile(r"""\bconversionFactor\s*=\s*["']([A-Za-z_]\w*)["']""")


def condition(text: str) -> Expression:
    """The trigger of an event as bngsim holds it; InputError where it is no expression."""
    try:
        return parse(_WORD.sub(lambda m: _WORDS[m[1]], text))
    except ExpressionError as error:
        raise InputError(Mistake(f"the trigger of an event, {text}, cannot be read: {error}")) from error


def conversion_factors(path: Path | None) -> frozenset[str]:
    """Parameters that a file names as conversion factors: bngsim 0.16 builds their values in, and setting one does nothing."""
    return frozenset(_FACTOR.findall(_sbml(path)))


def ordered_events(path: Path | None) -> str:
    """Why derivatives by way of the file's events may be wrong; empty where they are right.

    bngsim 0.16 carries sensitivities through two events at one time as if each saw the state that the other leaves.
    """
    said = "its events have priorities, and sensitivities through events at one time are wrong"
    return said if "<priority" in _sbml(path) else ""


def _sbml(path: Path | None) -> str:
    if path is None or path.suffix.lower() not in (".xml", ".sbml") or not path.is_file():
        return ""
    return path.read_text(encoding="utf-8", errors="replace")
