"""The pictures of a page, within a budget of bytes."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import NamedTuple

from bnfhmc.report.plots.fit import Units
from bnfhmc.report.plots.kinds import KINDS, pictures
from bnfhmc.report.study import Study

BUDGET = 7_000_000  # characters of all pictures, so that the page stays below 10 MB
# What matters most comes first; all that has no place here follows.
ORDER = (
    "fit", "constraints", "forest", "marginals", "energy", "loo-pit", "pareto-k", "convergence", "waterfall", "profile", "pair",
    "trace", "prior",
)  # fmt: skip
# Of one kind at most so many; the first of each are those that matter most.
MOST: Mapping[str, int] = {"fit": 40, "prior": 8, "trace": 4, "marginals": 3, "forest": 2}


class Inlined(NamedTuple):
    """A picture as base64, and the words that stand for it."""

    data: str
    text: str


class Wall(NamedTuple):
    """The pictures of one kind, and how many there was no room for."""

    shown: tuple[Inlined, ...]
    left_out: int


def gallery(study: Study, units: Units | None = None) -> dict[str, Wall]:
    """Every kind's pictures; where the budget is spent the rest are counted."""
    left, out = BUDGET, {}
    for kind in sorted(KINDS, key=lambda k: ORDER.index(k) if k in ORDER else len(ORDER)):
        shown: list[Inlined] = []
        left_out = 0
        for picture in pictures(study, kind, units=units):
            data = b64encode(picture.svg).decode("ascii")
            if len(shown) >= MOST.get(kind, 4) or len(data) > left:
                left_out += 1
                continue
            left -= len(data)
            shown.append(Inlined(data, picture.text))
        out[kind] = Wall(tuple(shown), left_out)
    return out
