"""Text → lines that say something: ``key = value`` and ``keyword: name, field: value, …``."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bnfhmc.errors import nearest
from bnfhmc.read.mistakes import Mistakes

NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
WITH_SUBJECT = ("noise_model", "normalization")  # keys that may name an observable before the '='

_NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|nan)", re.ASCII | re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)
# a drive letter (C:\data) starts a path, no field
_FIELD = re.compile(r"(?![A-Za-z]:[\\/])([A-Za-z_]\w*)\s*:\s*(.*)", re.ASCII | re.DOTALL)
_OPENING, _CLOSING = "([{", ")]}"


@dataclass(frozen=True, slots=True)
class Statement:
    """One line that says something.

    ``key``: in lower case; ``form``: "=" or ":", which stands after the key; ``subject``: the word between key and "=";
    ``value``: the rest, without its comment.
    """

    line: int
    key: str
    form: Literal["=", ":"]
    value: str
    subject: str = ""

    @property
    def items(self) -> tuple[str, ...]:
        """The value's parts between commas."""
        return split(self.value, ",")


@dataclass(frozen=True, slots=True)
class Fields:
    """The value of a ``keyword:`` line: what stands before the first field, and each field's items by its name."""

    head: tuple[str, ...]
    named: Mapping[str, tuple[str, ...]]

    def text(self, name: str) -> str | None:
        """The field's items as one text, or None."""
        return ", ".join(self.named[name]) if name in self.named else None


def number(text: str) -> float | None:
    """The number a text is (``inf`` and ``nan`` included), or None."""
    return float(text) if _NUMBER.fullmatch(text) else None


def finite(text: str) -> float | None:
    """The finite number a text is, or None."""
    value = number(text)
    return value if value is not None and math.isfinite(value) else None


def whole(text: str) -> int | None:
    """The whole number a text is, or None."""
    return int(text) if _WHOLE.fullmatch(text) else None


def unquoted(text: str) -> str:
    """The text without the quotes around it."""
    text = text.strip()
    return text[1:-1].strip() if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def bare(text: str, quotes: str = '"') -> Iterator[tuple[int, str, int]]:
    """(position, character, depth of brackets) of the characters outside quotes."""
    quote, depth = "", 0
    for i, c in enumerate(text):
        if quote:
            quote = "" if c == quote else quote
        elif c in quotes and text.find(c, i + 1) >= 0:
            quote = c
        else:
            depth = max(0, depth - (c in _CLOSING))
            yield i, c, depth
            depth += c in _OPENING


def split(text: str, separator: str, quotes: str = '"') -> tuple[str, ...]:
    """The parts of a text between separators that stand outside quotes and brackets, stripped."""
    cuts = [i for i, c, depth in bare(text, quotes) if c == separator and depth == 0]
    return tuple(text[a + 1 : b].strip() for a, b in zip([-1, *cuts], [*cuts, len(text)], strict=True))


def without_comment(text: str, quotes: str = '"') -> str:
    """The text up to the first ``#`` outside quotes, stripped."""
    return text[: next((i for i, c, _ in bare(text, quotes) if c == "#"), len(text))].strip()


def is_file(path: Path, here: Mistakes, line: int | None = None) -> bool:
    """Whether there is such a file; that there is none is a mistake of `line`, which names it."""
    if os.path.isfile(path):  # False, not an error, for names that no system takes
        return True
    if os.path.isdir(path):
        here.add(line, f"'{path}' is a folder", "name a file in it")
    else:
        here.add(line, f"file '{path}' not found", _similar(path))
    return False


def read_text(path: Path, here: Mistakes, line: int | None = None) -> str | None:
    """A file as text, with a byte order mark dropped and line ends made ``\\n``; None where that cannot be.

    A file that is not there is a mistake of `line`, which names it; one that is no UTF-8 is a mistake of its own line.
    """
    if not is_file(path, here, line):
        return None
    try:
        raw = path.read_bytes()
    except OSError as error:
        here.add(line, f"'{path}' cannot be read: {error.strerror}")
        return None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = raw.count(b"\n", 0, error.start) + 1
        here.at(path).add(at, f"no UTF-8 text (byte {raw[error.start]:#04x})", "save the file as UTF-8")
        return None
    if "\0" in text:
        here.at(path).add(text.count("\n", 0, text.index("\0")) + 1, "no text: it holds a NUL character",
                          "save the file as UTF-8")  # fmt: skip
        return None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _similar(path: Path) -> str:
    try:
        beside = [p.name for p in path.parent.iterdir() if p.suffix == path.suffix]
    except (OSError, ValueError):
        return ""
    return nearest(path.name, beside)


def statements(text: str, mistakes: Mistakes) -> tuple[Statement, ...]:
    """The statements of a configuration's text, in order; a line that is none is a mistake."""
    out = []
    for line, raw in enumerate(text.split("\n"), 1):
        said = without_comment(raw)
        if said and (found := _statement(line, said, mistakes)) is not None:
            out.append(found)
    return tuple(out)


def _statement(line: int, said: str, mistakes: Mistakes) -> Statement | None:
    at = next((i for i, c, _ in bare(said) if c in "=:"), None)
    if at is None:
        first, _, rest = said.partition(" ")
        mistakes.add(line, f"'{_short(said)}' is no 'key = value'", f"type '{first} = {rest.strip() or '…'}'")
        return None
    words, value = said[:at].split(), said[at + 1 :].strip()
    key = " ".join(words).lower()
    if not key or not value:
        mistakes.add(line, f"'{_short(said)}' has no {'value' if key else 'key'}", "type 'key = value'")
        return None
    if said[at] == ":":
        return Statement(line, key, ":", value)
    if len(words) == 2 and words[0].lower() in WITH_SUBJECT:
        return Statement(line, words[0].lower(), "=", value, words[1])
    return Statement(line, key, "=", value)


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def fields(s: Statement, known: Mapping[str, str] | None, mistakes: Mistakes) -> Fields:
    """Read a ``keyword:`` line into its fields.

    ``known``: field → empty, or why it is refused; None takes any. Unknown, refused, repeated and empty fields are
    mistakes.
    """
    head: list[str] = []
    named: dict[str, list[str]] = {}
    into = head
    for item in s.items:
        match = _FIELD.fullmatch(item)
        if match is None:
            into.append(item)
            continue
        name = match.group(1).lower()
        if name in named:
            mistakes.add(s.line, f"'{name}:' is given twice in one '{s.key}:' line", "keep one")
        elif known is not None and name not in known:
            mistakes.add(s.line, f"'{s.key}:' has no field '{name}:'", nearest(name, known) or _fields_of(known))
        elif known is not None and known[name]:
            mistakes.add(s.line, f"'{name}:' {known[name]}")
        into = named[name] = [match.group(2)]
    for name, items in (("", head), *named.items()):
        if "" in items:
            what = f"a part of '{name or s.key}:' is empty"
            mistakes.add(s.line, what, "delete the comma or complete it")
    return Fields(tuple(h for h in head if h), {n: tuple(i for i in items if i) for n, items in named.items()})


def _fields_of(known: Mapping[str, str]) -> str:
    return "its fields are " + ", ".join(n for n, why in known.items() if not why)
