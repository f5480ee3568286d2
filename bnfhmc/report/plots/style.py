"""How every picture looks, and how one becomes a file: light background, readable in print, names as plain text."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bnfhmc.prior.scale import LIN, LOG10, Scale
from bnfhmc.report.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, GREY, PALE = "#222222", "#777777", "#d9d9d9"
BLUE, AMBER, RED = "#2b6ca3", "#c98a1b", "#b8432f"
# Okabe & Ito (2008), told apart also without colour vision; black is left to the data.
CHAINS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
LONGEST = 30  # characters of a name that are shown
DPI = {"svg": 100, "png": 150}  # in an SVG, of the parts with so many points that they are an image

STYLE: Any = {
    "font.family": "DejaVu Sans", "font.size": 9, "axes.titlesize": 9, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.labelcolor": INK, "text.color": INK, "axes.edgecolor": GREY, "axes.linewidth": 0.7, "axes.spines.top": False,
    "axes.spines.right": False, "xtick.color": INK, "ytick.color": INK, "xtick.major.width": 0.7, "ytick.major.width": 0.7,
    "xtick.labelsize": 8, "ytick.labelsize": 8, "legend.frameon": False, "legend.fontsize": 8, "figure.facecolor": "white",
    "axes.facecolor": "white", "svg.fonttype": "path", "svg.hashsalt": "bnfhmc", "figure.dpi": 100,
}  # fmt: skip


@contextmanager
def styled() -> Iterator[None]:
    """Draw within in this style, without a display."""
    import matplotlib

    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)  # a name in a script that the font lacks
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches, that no window and no pyplot knows of."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def axes_for(ax: Axes | None, width: float = 4.5, height: float = 3.0) -> Axes:
    """The axes given, or those of a new figure."""
    return new_figure(width, height).subplots() if ax is None else ax


def grid_of(count: int, columns: int, width: float, height: float) -> list[Axes]:
    """So many axes in rows of `columns`, each of so many inches; what the last row has too much is left blank."""
    columns = max(1, min(columns, count))
    rows = -(-count // columns)
    axes = new_figure(columns * width, rows * height).subplots(rows, columns, squeeze=False)
    for ax in axes.flat[count:]:
        ax.set_axis_off()
    return list(axes.flat[:count])


def figure_of(axes: Axes | Sequence[Axes]) -> Figure:
    """The figure that axes are in."""
    from matplotlib.figure import Figure

    first = axes[0] if isinstance(axes, Sequence) else axes
    figure = first.get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure


def rendered(figure: Figure, kind: Literal["svg", "png"] = "svg", dpi: int | None = None) -> bytes:
    """The picture as a file's content; the same picture gives the same bytes."""
    out = BytesIO()
    metadata: dict[str, Any] = {"Date": None, "Creator": "bnfhmc"} if kind == "svg" else {"Software": "bnfhmc"}
    with styled():
        figure.savefig(out, format=kind, dpi=dpi or DPI[kind], metadata=metadata)
    return out.getvalue()


def label(name: str, longest: int = LONGEST) -> str:
    """A name as text of a picture: on one line, not too long, and no mathematics in it."""
    said = printable(name)
    said = said if len(said) <= longest else f"{said[: longest - 1]}…"
    return said.replace("$", r"\$")


def named(name: str, unit: str | None) -> str:
    """``name (unit)``, or the name alone where its unit is not known."""
    return label(name) if not unit else f"{label(name)} ({label(unit)})"


def chain_color(chain: int) -> str:
    """The colour of a chain."""
    return CHAINS[chain % len(CHAINS)]


def ticks_in_theta(ax: Axes, scale: Scale, which: Literal["x", "y"] = "x", most: int = 4) -> None:
    """Label an axis that is in u with round values of θ."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator

    axis = ax.xaxis if which == "x" else ax.yaxis
    if scale == LIN:
        axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]))
        return
    lo, hi = sorted(ax.get_xlim() if which == "x" else ax.get_ylim())
    ticks = _theta_ticks(scale, lo, hi, most)
    axis.set_major_locator(FixedLocator([float(scale.u_from_theta(t)) for t in ticks]))
    axis.set_major_formatter(FixedFormatter([f"{t:.4g}" for t in ticks]))
    axis.set_minor_locator(FixedLocator([]))


def ticks_of_logarithm(ax: Axes) -> None:
    """Label a logarithmic y-axis of few decades with plain numbers."""
    from matplotlib.ticker import FixedFormatter, FixedLocator

    low, high = ax.get_ylim()
    if high / low > 1e4 or low < 1e-4 or high > 1e6:
        return
    ticks = _theta_ticks(LOG10, float(np.log10(low)), float(np.log10(high)), 5)
    ax.yaxis.set_major_locator(FixedLocator(ticks))
    ax.yaxis.set_major_formatter(FixedFormatter([f"{t:.6g}" for t in ticks]))
    ax.yaxis.set_minor_locator(FixedLocator([]))


def _theta_ticks(scale: Scale, lo: float, hi: float, most: int) -> list[float]:
    """At most about `most` round θ with lo ≤ u(θ) ≤ hi: powers of ten over decades, else a linear grid."""
    from matplotlib.ticker import MaxNLocator

    first, last = float(scale.theta_from_u(lo)), float(scale.theta_from_u(hi))
    if not np.isfinite([first, last]).all() or last <= first:
        return []
    candidates = np.asarray(MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(first, last))
    if first > 0 and last / first > 30:
        decades = np.arange(np.ceil(np.log10(first) - 1e-9), np.floor(np.log10(last) + 1e-9) + 1)
        candidates = 10.0 ** decades[:: max(1, -(-len(decades) // (most + 1)))]
    elif first > 0 and last / first > 5:
        powers = 10.0 ** np.arange(np.floor(np.log10(first)), np.ceil(np.log10(last)) + 1)
        candidates = np.sort(np.concatenate([m * powers for m in (1, 2, 5)]))
    return [float(t) for t in candidates if first <= t <= last and t != 0]
