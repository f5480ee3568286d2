"""One voice for errors: where, what, why, what to type."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong in an input: ``path:line: what; hint``."""

    what: str
    hint: str = ""
    path: Path | str | None = None
    line: int | None = None

    def __str__(self) -> str:
        where = "" if self.path is None else f"{self.path}:" if self.line is None else f"{self.path}:{self.line}:"
        said = self.what if not self.hint else f"{self.what}; {self.hint}"
        return f"{where} {said}".strip()


class InputError(ValueError):
    """Everything wrong in an input, all at once; each line of the message is one `Mistake`."""

    def __init__(self, mistakes: Mistake | Iterable[Mistake]):
        self.mistakes: tuple[Mistake, ...] = (mistakes,) if isinstance(mistakes, Mistake) else tuple(mistakes)
        super().__init__("\n".join(str(m) for m in self.mistakes))

    def __reduce__(self) -> tuple[type[InputError], tuple[tuple[Mistake, ...]]]:
        return type(self), (self.mistakes,)


class MissingTool(RuntimeError):
    """A program or package the input needs is not installed; the message names the command that installs it."""


class FailedSolve(ArithmeticError):
    """A quantity was asked for at a point where the model could not be solved; ``kind`` names the failure."""

    def __init__(self, kind: str, message: str):
        self.kind, self._message = kind, message
        super().__init__(f"{kind}: {message}")

    def __reduce__(self) -> tuple[type[FailedSolve], tuple[str, str]]:
        return type(self), (self.kind, self._message)


class GradientMismatch(RuntimeError):
    """The gradient and central differences disagree beyond what the solver's tolerance explains."""


def nearest(name: str, known: Iterable[str]) -> str:
    """``did you mean 'x'?`` for the known word closest to `name`, or an empty string."""
    folded = {k.lower(): k for k in known}
    close = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
    return f"did you mean '{folded[close[0]]}'?" if close else ""
