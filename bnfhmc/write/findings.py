"""What a format cannot say, all of it at once, and what takes another form in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bnfhmc.errors import InputError, Mistake


@dataclass(frozen=True, slots=True)
class Findings:
    """Collected while a problem is put into words; ``path``: the file it was read from."""

    path: Path | None
    mistakes: list[Mistake] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def refuse(self, what: str, hint: str = "") -> None:
        """Something that the format has no word for, and what to do."""
        self.mistakes.append(Mistake(what, hint, self.path))

    def note(self, what: str) -> None:
        """Something that takes another form, or is left out without changing the posterior."""
        if what not in self.notes:
            self.notes.append(what)

    def raise_any(self) -> None:
        """Raise InputError with everything that cannot be said."""
        if self.mistakes:
            raise InputError(dict.fromkeys(self.mistakes))
