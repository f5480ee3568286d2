"""Predictions that the data do not ask for: other times, another condition, outputs that nobody measured."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import InputError, Mistake, nearest
from bnfhmc.expression import ExpressionError, parse
from bnfhmc.likelihood import ExperimentLikelihood
from bnfhmc.model.protocol import Failure, FailureKind, Model
from bnfhmc.noise import Constant, Normal
from bnfhmc.noise.transform import Initial
from bnfhmc.posterior import Posterior
from bnfhmc.problem import Condition, Experiment, Perturbation, Problem, Series
from bnfhmc.report.bands import QUANTILES, quantiles
from bnfhmc.report.parallel import over_draws
from bnfhmc.report.predictive import new_measurements
from bnfhmc.report.text import print_table, printable

if TYPE_CHECKING:
    from rich.console import Console

MOST_TIMES = 100_000  # of a prediction
_CHANGE = re.compile(r"\s*(?P<target>[^=*/+-]+?)\s*(?P<op>[=*/+-])=?\s*(?P<value>.+?)\s*")


@dataclass(frozen=True, slots=True)
class Asked:
    """What to predict.

    ``experiment``: whose model, scan and pre-equilibration are taken, None for the first; ``condition``: a condition of the
    problem by name, or changes such as ``L=0, kon*2``, in the place of the experiment's; ``times``: in the place of the
    experiment's; ``outputs``: formulas over outputs of the model, in the place of what was measured.
    """

    experiment: str | None = None
    condition: str | None = None
    times: tuple[float, ...] | None = None
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Predicted:
    """One series: its name, the rows (times or doses), QUANTILES of the model's value and, where its noise is known at any
    time, of a new measurement."""

    name: str
    axis: str
    rows: Float[np.ndarray, " row"]
    value: Float[np.ndarray, "q row"]
    new: Float[np.ndarray, "q row"] | None


class Answer(NamedTuple):
    """The predictions, and how many draws they rest on or failed, by kind."""

    series: tuple[Predicted, ...]
    draws: int
    failures: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Alone:
    """One experiment by itself, whatever the other parameters of the problem act on."""

    experiment: Experiment
    model: Model
    likelihood: ExperimentLikelihood

    def clone(self) -> _Alone:
        return alone(self.experiment, self.model.clone(), self.likelihood.names)


def alone(experiment: Experiment, model: Model, names: tuple[str, ...]) -> _Alone:
    return _Alone(experiment, model, ExperimentLikelihood(experiment, model, names))


def answer(
    posterior: Posterior, u: Float[np.ndarray, "s d"], asked: Asked, *, cores: int | None = None, seed: int = 0
) -> Answer:
    """Predictions at each draw u, as quantiles over the draws. Raises InputError for what cannot be asked."""
    experiment, scattering, shown = build(posterior.problem, asked)
    own = alone(experiment, posterior.problem.models[experiment.model], posterior.names)
    theta = [dict(zip(posterior.names, posterior.theta_from_u(row).tolist(), strict=True)) for row in u]

    def one(mine: _Alone, i: int) -> tuple[np.ndarray, np.ndarray] | str:
        solved = mine.likelihood.solve(theta[i], gradient=False)
        if isinstance(solved, Failure):
            return str(solved.kind)
        try:
            with np.errstate(all="ignore"):
                new = new_measurements(mine.likelihood, solved, np.random.default_rng((seed, i)))
        except ValueError:  # numpy's word for a mean or a scale that no distribution has
            return str(FailureKind.NONFINITE)
        values = np.array(solved.observed.P[:, : len(experiment.series)])
        if not (np.isfinite(values).all() and np.isfinite(new).all()):
            return str(FailureKind.NONFINITE)
        return values, new

    found = over_draws(own, len(u), one, cores)
    kinds = [f for f in found if isinstance(f, str)]
    values = np.array([f[0] for f in found if not isinstance(f, str)])
    new = np.array([f[1] for f in found if not isinstance(f, str)])
    if not len(values):
        raise InputError(Mistake(f"no draw can be solved like this ({', '.join(sorted(set(kinds)))})"))
    out, start = [], 0
    axis = "time" if experiment.scan is None else experiment.scan.quantity
    rows = np.asarray(experiment.rows, dtype=float)[shown]
    for k, (s, scatters) in enumerate(zip(experiment.series, scattering, strict=True)):
        end = start + len(s.observed)
        scattered = quantiles(new[:, start:end]) if scatters else None
        out.append(Predicted(s.name, axis, rows, quantiles(values[:, shown, k]), scattered))
        start = end
    return Answer(tuple(out), len(values), {k: kinds.count(k) for k in sorted(set(kinds))})


def build(problem: Problem, asked: Asked) -> tuple[Experiment, list[bool], np.ndarray]:
    """The experiment that is asked for, which of its series have a new measurement at every row, and the rows asked for."""
    e = _experiment(problem, asked.experiment)
    if asked.condition is not None:
        e = replace(e, condition=_condition(problem, asked.condition), later=())
    shown = np.ones(len(e.rows), dtype=bool)
    if asked.times is not None:
        e, shown = _at_times(e, asked.times)
    at = np.flatnonzero(shown)
    series = [_measured(s, at) for s in e.series]
    if asked.outputs:
        series = [(_output(text), False) for text in asked.outputs]
    if not series:
        raise InputError(Mistake(f"experiment '{e.name}' measures nothing", "type --output NAME"))
    return replace(e, series=tuple(s for s, _ in series), constraints=()), [known for _, known in series], shown


def parse_times(text: str) -> tuple[float, ...]:
    """``0,10,30`` or ``0:60:61`` (from, to, how many). Raises InputError."""
    hint = "type --times 0,10,30 or --times 0:60:61"
    try:
        if text.count(":") == 2:
            first, last, count = text.split(":")
            many = int(count) > MOST_TIMES
            times = np.linspace(float(first), float(last), min(int(count), MOST_TIMES))
        else:
            times, many = np.array([float(part) for part in text.split(",")]), False
    except ValueError:
        raise InputError(Mistake(f"'{text}' are no times", hint)) from None
    if many:
        raise InputError(Mistake(f"'{text}' are more than {MOST_TIMES:,} times", hint))
    if not times.size or not np.isfinite(times).all():
        raise InputError(Mistake(f"'{text}' are no times", hint))
    return tuple(np.unique(times).tolist())


def to_csv(found: Answer) -> str:
    """One line a row of each series, with QUANTILES of the model's value and of a new measurement."""
    ends = [f"q{100 * q:02.0f}" for q in QUANTILES]
    header = ["series", "axis", "x", *(f"value_{e}" for e in ends), *(f"new_{e}" for e in ends)]
    lines = [",".join(header)]
    for s in found.series:
        for i, x in enumerate(s.rows.tolist()):
            new = [""] * len(ends) if s.new is None else [repr(v) for v in s.new[:, i].tolist()]
            cells = [_quoted(s.name), _quoted(s.axis), repr(x), *(repr(v) for v in s.value[:, i].tolist()), *new]
            lines.append(",".join(cells))
    return "\n".join(lines) + "\n"


def to_record(found: Answer) -> dict[str, Any]:
    """The same for programs."""
    return {
        "draws": found.draws,
        "failed_solves": found.failures,
        "quantiles": list(QUANTILES),
        "series": [
            {"name": s.name, "axis": s.axis, "x": s.rows.tolist(), "value": s.value.tolist(),
             "new_measurement": None if s.new is None else s.new.tolist()}
            for s in found.series
        ],
    }  # fmt: skip


def print_answer(console: Console, found: Answer) -> None:
    """A table a series: the median with the central 90 % of the model's value and of a new measurement."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Column, Table

    for s in found.series:
        numbers = ("median", "5 %", "95 %", "new 5 %", "new 95 %")
        columns = [Column(h, justify="right") for h in (printable(s.axis), *numbers)]
        table = Table(*columns, title=escape(printable(s.name)), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        for i, x in enumerate(s.rows):
            new = ("", "") if s.new is None else (f"{s.new[0, i]:.4g}", f"{s.new[4, i]:.4g}")
            table.add_row(f"{x:g}", f"{s.value[2, i]:.4g}", f"{s.value[0, i]:.4g}", f"{s.value[4, i]:.4g}", *new)
        print_table(console, table)


def _experiment(problem: Problem, name: str | None) -> Experiment:
    known = {e.name: e for e in problem.experiments}
    if not known:
        raise InputError(Mistake("there is no experiment to predict"))
    if name is None:
        return problem.experiments[0]
    if name not in known:
        raise InputError(Mistake(f"no experiment '{name}'", nearest(name, known) or f"there are {', '.join(known)}"))
    return known[name]


def _condition(problem: Problem, text: str) -> Condition:
    """A condition of the problem, or one made of changes."""
    known = {c.name: c for e in problem.experiments for c in e.conditions}
    if text in known:
        return known[text]
    changes, wrong = [], []
    for part in text.split(","):
        match = _CHANGE.fullmatch(part)
        try:
            if match is None:
                raise ExpressionError("no change")
            op: Any = match["op"]
            changes.append(Perturbation(match["target"], op, parse(match["value"])))
        except ExpressionError:
            hint = nearest(text, known) or "type a change, such as --condition 'L=0, kon*2'"
            wrong.append(Mistake(f"'{part.strip()}' is neither a condition nor a change", hint))
    if wrong:
        raise InputError(wrong)
    return Condition(text, tuple(changes))


def _at_times(e: Experiment, times: Sequence[float]) -> tuple[Experiment, np.ndarray]:
    if e.scan is not None or not np.isfinite(e.times[-1]):
        raise InputError(Mistake(f"experiment '{e.name}' has no times", "leave out --times"))
    first = float(e.times[0])
    if min(times) < first:
        raise InputError(Mistake(f"experiment '{e.name}' starts at {first:g}, after {min(times):g}", f"start at {first:g}"))
    for s in e.series:
        if any(not isinstance(t, Initial) for t in s.transforms):
            what = f"the values of '{s.name}' depend on the times they were measured at"
            raise InputError(Mistake(what, "leave out --times, or name a model output with --output"))
    rows = np.unique([first, *times])
    return replace(e, times=rows), np.isin(rows, np.asarray(times))


def _measured(s: Series, at: np.ndarray) -> tuple[Series, bool]:
    """The series with a place for a new measurement at the given rows, where its noise is known at any time."""
    fixed = all(np.ndim(v.values) == 0 for v in s.sources.values() if isinstance(v, Constant))
    if fixed:  # 1 is a value that every family can have
        return replace(s, time_index=at, observed=np.ones(len(at)), origin=None), True
    sources = {n: Constant(1.0) if isinstance(v, Constant) else v for n, v in s.sources.items()}
    return replace(s, time_index=at[:0], observed=np.empty(0), origin=None, sources=sources), False


def _output(text: str) -> Series:
    try:
        formula = parse(text)
    except ExpressionError as error:
        raise InputError(Mistake(f"'{text}' is no formula: {error}")) from None
    return Series(text, formula, np.empty(0, dtype=int), np.empty(0), Normal(), {"sigma": Constant(1.0)})


def _quoted(text: str) -> str:
    plain = printable(text)
    return '"' + plain.replace('"', '""') + '"' if any(c in plain for c in ',"') else plain
