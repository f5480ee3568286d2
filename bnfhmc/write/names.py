"""Names that both formats take: letters, digits and ``_``, each given once whatever its case."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)
RESERVED = ("inf", "nan", "true", "false", "time")  # of PEtab's formulas


@dataclass(frozen=True, slots=True)
class Names:
    """Hands out names; ``taken``: those given so far, in lower case, since some become names of files."""

    taken: set[str] = field(default_factory=lambda: set(RESERVED))

    def take(self, names: Iterable[str]) -> None:
        """Names that are no longer free."""
        self.taken.update(n.lower() for n in names)

    def new(self, wanted: str, prefix: str = "") -> str:
        """`wanted` as a name that is free; with `prefix` before it, and a number after it, where it is not."""
        name = next(c for c in _candidates(identifier(wanted), prefix) if c.lower() not in self.taken)
        self.taken.add(name.lower())
        return name


def _candidates(base: str, prefix: str) -> Iterator[str]:
    yield base
    yield prefix + base
    yield from (f"{prefix}{base}_{i}" for i in count(2))


def identifier(text: str) -> str:
    """The text with everything that no name may hold replaced by ``_``."""
    name = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_") or "_"
    return name if IDENTIFIER.fullmatch(name) else f"_{name}"
