"""Constraint files (.prop, .con): an inequality between outputs a line, when it is asked for, and its penalty."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from bnfhmc.errors import InputError, Mistake, nearest
from bnfhmc.noise.constraint import Constraint
from bnfhmc.noise.constraint_penalty import Bernoulli, Hinge, Inequality, Penalty, Side
from bnfhmc.noise.constraint_timing import At, Between, Crossing, Split, Timing, Whole
from bnfhmc.read.lines import read_text, without_comment
from bnfhmc.read.mistakes import Mistakes

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_][\w.]*", re.ASCII)
_INEQUALITY = re.compile(r"<=|>=|<|>")
_NOT_INEQUALITY = re.compile(r"[=!<>]=?[<>]?|[≤≥≠]")
_NOT_NUMBERS = ("inf", "infinity", "nan")

_TIMINGS = ("always", "once", "at", "between")
_PENALTIES = ("weight", "confidence", "pmin", "logit")
_MISPLACED = {
    "min": "it follows a weight: type 'weight 1 min …'",
    "altpenalty": "it follows a weight: type 'weight 1 altpenalty …'",
    "pmax": "it follows 'pmin …'",
    "tolerance": "it follows 'confidence …' or 'pmin … pmax …'",
    "scale": "it follows 'logit'",
    "everytime": "it follows 'at …'",
    "first": "it follows 'at …'",
    "before": "it follows 'at …'",
    **dict.fromkeys(_PENALTIES, "a constraint has one penalty; keep one"),
    **dict.fromkeys(_TIMINGS, "a constraint has one timing; write a line for each"),
}


def read_constraints(path: Path | str) -> tuple[Constraint, ...]:
    """The constraints of a BPSL file, in order; blank lines and what follows a ``#`` say nothing.

    A line is ``A < B`` (``<``, ``<=``, ``>``, ``>=``; one side may be a number) and one of ``always``, ``once``,
    ``at <moment> [everytime|first] [before]``, ``[once] between <moment>, <moment>``, or ``A at … < B at …``; a moment
    is a time or ``output = value``. Then the penalty: ``weight w [altpenalty A < B] [min m]``,
    ``confidence c [tolerance t]``, ``pmin a pmax b [tolerance t]`` or ``logit scale s [pmin a pmax b]``; none is
    ``weight 1``. Keywords in any case. Whether the outputs exist is the caller's to check, by `unknown_outputs`.
    Raises InputError with every mistake in the file.
    Source: the Biological Property Specification Language as PyBNF 1.8 reads it.
    """
    path = Path(path)
    mistakes, out = Mistakes(path), []
    text = read_text(path, mistakes)
    for line, raw in enumerate((text or "").split("\n"), 1):
        said = without_comment(raw)
        if not said:
            continue
        try:
            out.append(_constraint(said, path, line))
        except InputError as error:
            mistakes.include(error, line)
    mistakes.raise_any()
    return tuple(out)


def _constraint(said: str, path: Path, line: int) -> Constraint:
    words = _Words(said)
    inequality, timing = _inequality_and_timing(words)
    made = Constraint(inequality, timing, _penalty(words), said, path, line)
    if words.rest:
        words.refuse("the end of the line", ())
    if wrong := made.check():
        raise InputError(Mistake(what) for what in wrong)
    return made


def _inequality_and_timing(words: _Words) -> tuple[Inequality, Timing]:
    left = words.side()
    if not (isinstance(left, str) and words.take("at")):
        inequality = _inequality(left, words.sign(), words.side())
        return inequality, _timing(words)
    first = _split_moment(words)
    sign, right = words.sign(), words.side()
    if not isinstance(right, str):
        raise InputError(Mistake(f"'{right:g}' is no output, and has no 'at'", f"write '{left} {sign} {right:g} at …'"))
    words.need("'at' and the moment of the right side", "at")
    second = _split_moment(words)
    lesser, greater = (first, second) if sign[0] == "<" else (second, first)
    return _inequality(left, sign, right), Split(lesser, greater)


def _inequality(left: Side, sign: str, right: Side) -> Inequality:
    lesser, greater = (left, right) if sign[0] == "<" else (right, left)
    return Inequality(lesser, greater, "=" in sign)


def _timing(words: _Words) -> Timing:
    when = words.need("a timing", *_TIMINGS)
    if when == "always":
        return Whole()
    if when == "once" and not words.take("between"):
        return Whole(once=True)
    if when == "at":
        crossing, everytime = _at(words)
        return At(crossing, everytime)
    start = _moment(words)
    if not words.sign_of(","):
        words.refuse("',' and the end of the interval", ())
    return Between(start, _moment(words), once=when == "once")


def _split_moment(words: _Words) -> Crossing:
    crossing, everytime = _at(words)
    if everytime:
        raise InputError(Mistake("'everytime' cannot pair the moments of two sides", "delete it; the first are taken"))
    return crossing


def _at(words: _Words) -> tuple[Crossing, bool]:
    """A moment and what may follow it, and whether it is meant every time."""
    crossing = _moment(words)
    said = []
    while word := words.take("everytime", "first", "before"):
        said.append(word)
    if len(set(said)) < len(said) or {"everytime", "first"} <= set(said):
        raise InputError(Mistake(f"'{' '.join(said)}' contradicts or repeats itself", "keep one of each"))
    return Crossing(crossing.level, crossing.quantity, "before" in said), "everytime" in said


def _moment(words: _Words) -> Crossing:
    if (level := words.number()) is not None:
        return Crossing(level)
    name = words.name("a time or 'output = value'")
    if not words.sign_of("="):
        words.refuse("'=' and a value", (), f"a moment is a time or '{name} = value'")
    return Crossing(words.value(f"'{name} ='"), name)


def _penalty(words: _Words) -> Penalty:
    if not words.rest:
        return Hinge()
    kind = words.need("a penalty", *_PENALTIES)
    if kind == "weight":
        return _hinge(words)
    if kind == "logit":
        words.need("'scale' and a number", "scale")
        scale = words.value("'scale'")
        pmin, pmax = _probabilities(words) if words.take("pmin") else (0.0, 1.0)
        return Bernoulli("logit", scale, pmin, pmax)
    if kind == "pmin":
        pmin, pmax = _probabilities(words)
    else:
        confidence = words.value("'confidence'")
        if not 0 <= confidence <= 1:
            hint = f"type 'confidence {confidence / 100:g}'" if 1 < confidence <= 100 else "type one from 0 to 1"
            raise InputError(Mistake(f"confidence {confidence:g} is no probability", hint))
        pmin = (1 - confidence) / 2
        pmax = 1 - pmin
    tolerance = words.value("'tolerance'") if words.take("tolerance") else 0.0
    return Bernoulli("probit", tolerance, pmin, pmax)


def _hinge(words: _Words) -> Hinge:
    weight = words.value("'weight'")
    minimum: float | None = None
    alternative: Inequality | None = None
    while word := words.take("min", "altpenalty"):
        if (minimum if word == "min" else alternative) is not None:
            raise InputError(Mistake(f"'{word}' is given twice", "keep one"))
        if word == "min":
            minimum = words.value("'min'")
        else:
            alternative = _inequality(words.side(), words.sign(), words.side())
    return Hinge(weight, minimum or 0.0, alternative)


def _probabilities(words: _Words) -> tuple[float, float]:
    pmin = words.value("'pmin'")
    words.need("'pmax' and a number", "pmax")
    return pmin, words.value("'pmax'")


class _Words:
    """A line, read from the left. A keyword ends where its letters end, so ``at6`` is ``at 6``."""

    def __init__(self, text: str):
        self.rest = text.strip()

    def take(self, *keywords: str) -> str:
        """The keyword that comes next and is one of these, read over; or an empty string."""
        match = re.match(r"[A-Za-z]+(?![A-Za-z_])", self.rest)
        word = match.group().lower() if match else ""
        if word not in keywords:
            return ""
        self._over(len(word))
        return word

    def need(self, what: str, *keywords: str) -> str:
        """The keyword that has to come next."""
        return self.take(*keywords) or self.refuse(what, keywords)

    def sign_of(self, character: str) -> bool:
        """Whether this character comes next; it is then read over."""
        found = self.rest.startswith(character)
        self._over(len(character) if found else 0)
        return found

    def sign(self) -> str:
        """The inequality sign that has to come next."""
        wrong, match = _NOT_INEQUALITY.match(self.rest), _INEQUALITY.match(self.rest)
        if match is None or (wrong is not None and wrong.group() != match.group()):
            self.refuse("an inequality", (), "an inequality is <, <=, > or >=")
        self._over(len(match.group()))
        return match.group()

    def number(self) -> float | None:
        """The number that comes next, or None."""
        match = _NUMBER.match(self.rest)
        if match is None:
            return None
        if not math.isfinite(float(match.group())):
            raise InputError(Mistake(f"'{match.group()}' is too large for a number"))
        self._over(len(match.group()))
        return float(match.group())

    def value(self, of: str) -> float:
        """The number that has to come next."""
        found = self.number()
        return self.refuse(f"the number of {of}", ()) if found is None else found

    def name(self, what: str) -> str:
        """The name that has to come next: ``output`` or ``experiment.output``."""
        match = _NAME.match(self.rest)
        if match is None:
            self.refuse(what, ())
        name = match.group()
        if name.lower() in _NOT_NUMBERS:
            raise InputError(Mistake(f"'{name}' is no number to compare with", "type a finite number"))
        parts = name.split(".")
        if len(parts) > 2 or not all(parts):
            raise InputError(Mistake(f"'{name}' names no output", "a name is 'output' or 'experiment.output'"))
        self._over(len(name))
        if self.rest.startswith("("):
            raise InputError(Mistake(f"'{name}(' is no name", f"type '{name}' without brackets"))
        return name

    def side(self) -> Side:
        """One side of an inequality."""
        found = self.number()
        return self.name("an output or a number") if found is None else found

    def refuse(self, what: str, keywords: Sequence[str], hint: str = "") -> NoReturn:
        """Say what was expected in place of the rest."""
        found = self.rest.split()[0] if self.rest else ""
        word = re.match(r"[A-Za-z_]*", found).group()  # type: ignore[union-attr]
        hint = hint or _MISPLACED.get(word.lower(), "") or nearest(word, keywords)
        if not hint and keywords:
            hint = f"type {' or '.join(keywords)}" if len(keywords) < 2 else f"type one of {', '.join(keywords)}"
        raise InputError(Mistake(f"'{found}' stands where {what} should" if found else f"{what} is missing", hint))

    def _over(self, length: int) -> None:
        self.rest = self.rest[length:].lstrip()
