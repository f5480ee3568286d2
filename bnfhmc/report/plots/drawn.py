"""Pictures on their way from axes to files, each with the words that stand for it where it cannot be seen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bnfhmc.report.plots.style import figure_of, rendered

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Drawn(NamedTuple):
    """Axes, the name of the picture, and what it shows in words."""

    axes: Axes | Sequence[Any]
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A finished picture: its kind and name, the words that stand for it, and its content as SVG and, where asked for, PNG."""

    kind: str
    name: str
    text: str
    svg: bytes
    png: bytes | None = None


def finish(kind: str, drawn: Iterable[Drawn], png: bool) -> Iterator[Picture]:
    """Each picture as its bytes."""
    for axes, name, text in drawn:
        figure = figure_of(_first(axes))
        yield Picture(kind, name, text, rendered(figure), rendered(figure, "png") if png else None)


def save(pictures: Iterable[Picture], folder: Path) -> list[Path]:
    """Write pictures into a folder as SVG and PNG, and return the paths; two of one name are told apart by a number."""
    out: list[Path] = []
    folder.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        stem = "_".join(part for part in (picture.kind, _file_name(picture.name)) if part)
        taken = {path.stem for path in out}
        stem = next(s for s in (stem, *(f"{stem}_{n}" for n in range(2, len(taken) + 3))) if s not in taken)
        for suffix, content in (("svg", picture.svg), ("png", picture.png)):
            path = folder / f"{stem}.{suffix}"
            path.write_bytes(content or b"")
            out.append(path)
    return out


def parts(at: Sequence[int], size: int) -> list[list[int]]:
    """So many indices at a time."""
    return [list(at[i : i + size]) for i in range(0, len(at), size)]


def numbered(number: int, at: Sequence[int], size: int) -> str:
    """Nothing where there is one part, else its number."""
    return "" if len(at) <= size else str(number + 1)


def _first(axes: Any) -> Any:
    while isinstance(axes, list | tuple):
        axes = axes[0]
    return axes


def _file_name(name: str) -> str:
    """The name with everything but letters, digits, dots and dashes replaced, so that it stays in its folder."""
    return re.sub(r"[^\w.-]+", "_", name)[:80].strip("._")
