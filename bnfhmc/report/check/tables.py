"""A check as tables and sentences, for a terminal or a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from bnfhmc.report.check.capability import ANALYTIC, NONE, QUOTIENTS, Capabilities
from bnfhmc.report.check.examine import Findings, Section
from bnfhmc.report.check.forecast import Forecast
from bnfhmc.report.check.overview import ConditionFacts, ExperimentFacts, Interval, Overview, ParameterFacts
from bnfhmc.report.check.trial import Point, Solves
from bnfhmc.report.check.words import duration, many, price
from bnfhmc.report.text import print_table, printable

if TYPE_CHECKING:
    from rich.console import Console

LONG_CHECK_S = 10.0  # from here on the reader is told how long the comparison will take


def print_section(console: Console, section: Section) -> None:
    """Print one section; names and messages of strangers stay text."""
    PRINTERS[type(section)](console, section)


def _overview(console: Console, o: Overview) -> None:
    measurements = sum(s.measurements for e in o.experiments for s in e.series)
    objective = [] if o.objective is None else [f"the closed-form objective {o.objective}"]
    counts = [many(len(o.parameters), "parameter"), many(len(o.experiments), "experiment"),
              many(measurements, "measurement"), *objective]  # fmt: skip
    _say(console, f"{o.file or 'problem'}: {', '.join(counts)}")
    _rows(console, ("model", "read from", "kind", "species", "parameters", "outputs", "rtol", "atol"), (
        (m.name, m.path or "", m.kind, m.species, m.parameters, m.outputs, _number(m.rtol), _number(m.atol))
        for m in o.models
    ))  # fmt: skip
    _rows(console, ("experiment", "model", "kind", "rows", "from", "to", "condition", "before", "constraints"), (
        (e.name, e.model, e.kind, e.rows, f"{e.span[0]:g}", f"{e.span[1]:g}", _conditions(e), _name(e.before),
         e.constraints or "") for e in o.experiments
    ))  # fmt: skip
    stated = (c for e in o.experiments for c in (e.before, e.condition, *(p.condition for p in e.later)) if c is not None)
    for condition in dict.fromkeys(stated):
        _say(console, f"condition {condition.name}: {'; '.join(condition.changes) or 'changes nothing'}")
    headings = ("experiment", "series", "observable", "measurements", "noise", "its parameters", "transforms")
    _rows(console, headings, (row for e in o.experiments for row in _series(e)))
    _parameters(console, o.parameters)


def _conditions(e: ExperimentFacts) -> str:
    """The condition at the start, then each later one with its time."""
    return ", ".join([_name(e.condition), *(f"{p.condition.name} from {p.time:g}" for p in e.later)]).removeprefix(", ")


def _series(e: ExperimentFacts) -> Iterable[tuple[Any, ...]]:
    for s in e.series:
        noise = "; ".join(f"{n.parameter} {n.origin}: {n.value}" for n in s.sources)
        yield e.name, s.name, s.observable, s.measurements, s.noise, noise, ", ".join(s.transforms)


def _parameters(console: Console, parameters: Iterable[ParameterFacts]) -> None:
    parameters = tuple(parameters)
    _rows(console, ("parameter", "prior of u", "u =", "initial θ", "acts on"), (
        (p.name, str(p.prior), "θ" if p.scale == "lin" else f"{p.scale}(θ)", _number(p.initial), ", ".join(p.acts_on))
        for p in parameters
    ))  # fmt: skip
    _rows(console, ("parameter", "u within", "95 % of u", "θ within", "95 % of θ"), (
        (p.name, *map(_interval, (p.support_u, p.interval_u, p.support_theta, p.interval_theta))) for p in parameters
    ))  # fmt: skip


def _capabilities(console: Console, c: Capabilities) -> None:
    _rows(console, ("experiment", "model", "sensitivities"), ((s.experiment, s.model, s.kind) for s in c.sensitivities))
    for s in c.sensitivities:
        if s.kind not in (ANALYTIC, NONE):
            dearer = "; dearer than analytic ones (the price is below), and less exact" if s.kind == QUOTIENTS else ""
            _say(console, f"{s.experiment}: {s.kind}: {s.reason}{dearer}")
    for kink in c.kinks:
        _say(console, f"not smooth: {kink}")
    exact = "exact" if c.least_squares else f"not exact, since {'; '.join(c.no_least_squares)}"
    _say(console, f"least squares: {exact}")


def _solves(console: Console, solves: Solves) -> None:
    _say(console, "", f"solved at {solves.where}: {_at(solves.theta)}")
    _rows(console, ("experiment", "status", "columns", "a solve", "with gradient", "price of a gradient"), (
        (s.experiment, s.status, s.columns, price(s.seconds), price(s.gradient_seconds),
         "" if s.price is None else f"{s.price:.2g} solves") for s in solves.experiments
    ))  # fmt: skip
    for s in solves.experiments:
        if s.message:
            _say(console, f"{s.experiment}: {s.status}: {s.message}")
    if solves.check_seconds is not None and solves.check_seconds > LONG_CHECK_S:
        _say(console, f"comparing the gradient takes about {duration(solves.check_seconds)}")


def _point(console: Console, p: Point) -> None:
    if p.status != "ok" or p.logp is None:
        _say(console, "", f"no gradient at {p.where}: {p.message}; there {_at(p.theta)}")
        return
    _say(console, "", f"log posterior {p.logp:.6g} at {p.where}: {_at(p.theta)}")
    _rows(console, ("parameter", "∂log π/∂z", "central difference", "error", "verdict"), (
        (s.name, f"{s.gradient:.6g}", f"{s.difference:.6g}", f"{s.error:.1g}", str(s.verdict)) for s in p.slopes
    ))  # fmt: skip


def _forecast(console: Console, f: Forecast) -> None:
    _say(console, str(f))


def _findings(console: Console, f: Findings) -> None:
    findings = ("Before a run:", *(f"  - {s}" for s in f.sentences))
    _say(console, "", *(findings if f.sentences else ("Nothing is wrong.",)))


PRINTERS: Mapping[type, Callable[[Console, Any], None]] = {
    Overview: _overview,
    Capabilities: _capabilities,
    Solves: _solves,
    Point: _point,
    Forecast: _forecast,
    Findings: _findings,
}


def _rows(console: Console, headings: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    """A table; none where there is no row, and no column that is empty in every row."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    cells = [[printable(str(cell)) for cell in row] for row in rows]
    if not cells:
        return
    kept = [i for i in range(len(headings)) if any(row[i] for row in cells)]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for i in kept:
        table.add_column(headings[i], no_wrap=True)
    for row in cells:
        table.add_row(*(Text(row[i]) for i in kept))
    print_table(console, table)


def _say(console: Console, *lines: str) -> None:
    for line in lines:
        console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


def _at(theta: Mapping[str, float]) -> str:
    return ", ".join(f"{name} = {x:.4g}" for name, x in theta.items())


def _name(condition: ConditionFacts | None) -> str:
    return "" if condition is None else condition.name


def _number(x: float | None) -> str:
    return "" if x is None else f"{x:.4g}"


def _interval(ends: Interval) -> str:
    return f"{ends[0]:.4g} to {ends[1]:.4g}"
