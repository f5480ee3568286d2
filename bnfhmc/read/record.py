"""A configuration as its statements: what `read_conf` gives, before any model or data file is opened."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bnfhmc.read.keys import RECORDS, check_keys
from bnfhmc.read.lines import Statement, read_text, statements, unquoted
from bnfhmc.read.mistakes import Mistakes

EDITIONS = (1, 2)


@dataclass(frozen=True, slots=True)
class Conf:
    """A configuration file's statements.

    ``edition``: 1 where the file names none; the editions differ in what sos, norm_sos and ave_norm_sos weigh, in the
    location of neg_bin, and in the objective that is meant where none is given.
    """

    path: Path
    edition: int
    statements: tuple[Statement, ...]

    def assigned(self, *keys: str) -> list[Statement]:
        """The ``key = value`` lines of these keys, in order."""
        return [s for s in self.statements if s.form == "=" and s.key in keys]

    def one(self, *keys: str) -> Statement | None:
        """The first ``key = value`` line of a key (or of its other spellings)."""
        return next(iter(self.assigned(*keys)), None)

    def records(self, keyword: str) -> list[Statement]:
        """The ``keyword: …`` lines of a keyword, in order."""
        return [s for s in self.statements if s.form == ":" and s.key == keyword]

    def file(self, text: str) -> Path:
        """The file a configuration names: relative to its own folder, ``~`` and quotes allowed."""
        return self.path.parent / os.path.expanduser(unquoted(text))


def read_statements(path: Path, mistakes: Mistakes) -> Conf | None:
    """Read a configuration's lines and check their keys; None where there is no text."""
    text = read_text(path, mistakes)
    if text is None:
        return None
    found = statements(text, mistakes)
    if not found and not mistakes.found:
        mistakes.add(None, "the file says nothing", "it holds lines such as 'fit_type = nuts'")
        return None
    check_keys(found, mistakes)
    return Conf(path, _edition(found, mistakes), found)


def _edition(found: tuple[Statement, ...], mistakes: Mistakes) -> int:
    said = next((s for s in found if s.key == "edition" and s.form == "="), None)
    new = next((s for s in found if s.form == ":" and s.key in RECORDS), None)
    if said is not None and said.value not in map(str, EDITIONS):
        mistakes.add(said.line, f"there is no edition '{said.value}'", "type 'edition = 2'")
        return 2
    edition = 1 if said is None else int(said.value)
    if edition == 1 and new is not None:
        mistakes.add(new.line, f"'{new.key}:' lines belong to edition 2, and this file is read as edition 1",
                     "add the line 'edition = 2'")  # fmt: skip
        return 2
    return edition
