"""What is wrong in the files of one configuration, gathered so that all of it can be said at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bnfhmc.errors import InputError, Mistake

MOST_OF_A_KIND = 20  # a table with a broken column has the same mistake on every row


@dataclass(frozen=True, slots=True)
class Mistakes:
    """The mistakes found so far, and the file that is being read.

    ``path``: the file whose lines `add` speaks of; ``found``: shared by all the files of a configuration.
    """

    path: Path
    found: list[Mistake] = field(default_factory=list)

    def at(self, path: Path) -> Mistakes:
        """The same collection, speaking of the lines of another file."""
        return Mistakes(path, self.found)

    def add(self, line: int | None, what: str, hint: str = "") -> None:
        """Something wrong on a line, and what to type instead."""
        self.found.append(Mistake(what, hint, self.path, line))

    def add_each(self, wrong: Iterable[tuple[int, str, str]]) -> None:
        """Many of a kind as (line, what, hint): the first 20, and how many more there are."""
        wrong = list(wrong)
        for line, what, hint in wrong[:MOST_OF_A_KIND]:
            self.add(line, what, hint)
        if len(wrong) > MOST_OF_A_KIND:
            more = wrong[MOST_OF_A_KIND:]
            self.add(more[0][0], f"{len(more)} more like these from this line on")

    def include(self, error: InputError, line: int | None) -> None:
        """The mistakes of an error raised elsewhere; those that name no file belong to `line` of this one."""
        for m in error.mistakes:
            self.found.append(m if m.path is not None else Mistake(m.what, m.hint, self.path, line))

    def raise_any(self) -> None:
        """Raise InputError with everything found, this file's lines first and in order."""
        if self.found:
            ordered = sorted(dict.fromkeys(self.found), key=lambda m: (m.path != self.path, str(m.path), m.line or 0))
            raise InputError(ordered)
