"""The tables of a report, as cells of text with the numbers that they sort by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from bnfhmc.report.check.overview import Overview, overview
from bnfhmc.report.diagnosis.identifiability import Direction
from bnfhmc.report.diagnosis.priors import learnt
from bnfhmc.report.study import Study
from bnfhmc.report.text import printable
from bnfhmc.report.verdict import MAX_R_HAT, MIN_ESS

DASH = "–"


class Cell(NamedTuple):
    """What is shown, the number it sorts by (None: by its text), and whether it is a number that is not good enough."""

    shown: str
    value: str | None = None
    low: bool = False


class Heading(NamedTuple):
    """The label of a column, and whether the column holds text."""

    label: str
    text: bool = False


class Table(NamedTuple):
    """A table with a caption; ``sortable``: by a click on a heading."""

    caption: str
    headings: tuple[Heading, ...]
    rows: tuple[tuple[Cell, ...], ...]
    sortable: bool = False


def number(x: Any, form: str = ".4g", low: bool = False) -> Cell:
    """A number, or a dash where there is none."""
    if x is None or not np.isfinite(x):
        return Cell(DASH, "", low)
    return Cell(format(float(x), form), repr(float(x)), low)


def text(x: Any) -> Cell:
    """A text on one line."""
    return Cell(printable(str(x)))


def estimates(study: Study) -> Table:
    """One row a parameter: moments and interval of θ, and how well they are known."""
    s = study.summary
    median = np.median(study.theta, axis=(0, 1))
    rows = []
    for i, p in enumerate(study.parameters):
        share = learnt(p, study.flat[:, i]).share
        rows.append((
            text(p.name), text(p.unit or DASH), text(p.scale.name),
            number(s.mean[i]), number(s.sd[i], ".3g"), number(s.q05[i]), number(median[i]), number(s.q95[i]),
            number(s.mcse_mean[i], ".2g"), number(s.ess_bulk[i], ".0f", bool(s.ess_bulk[i] < MIN_ESS)),
            number(s.ess_tail[i], ".0f", bool(s.ess_tail[i] < MIN_ESS)),
            number(s.r_hat[i], ".3f", bool(s.r_hat[i] > MAX_R_HAT)), number(100 * max(share, 0.0), ".0f"),
        ))  # fmt: skip
    headings = [Heading(h, h in ("parameter", "unit", "scale")) for h in (
        "parameter", "unit", "scale", "mean", "sd", "5 %", "median", "95 %", "MCSE", "ESS bulk",
        "ESS tail", "R-hat", "learnt, %",
    )]  # fmt: skip
    found = Table("Posterior of each parameter, in its own unit", tuple(headings), tuple(rows), sortable=True)
    return found if any(p.unit for p in study.parameters) else _without(found, "unit")


def _without(table: Table, label: str) -> Table:
    at = [i for i, h in enumerate(table.headings) if h.label != label]
    rows = tuple(tuple(row[i] for i in at) for row in table.rows)
    return table._replace(headings=tuple(table.headings[i] for i in at), rows=rows)


def directions(found: Sequence[Direction]) -> Table:
    """The spectrum of the information."""
    rows = tuple((text(d.text), number(d.eigenvalue, ".3g"), number(100 * d.narrowed, ".0f")) for d in found)
    headings = (Heading("direction", True), Heading("eigenvalue"), Heading("narrowed by, %"))
    return Table("Directions, the least determined first", headings, rows, sortable=True)


def run_tables(study: Study) -> tuple[Table, ...]:
    """What ran, what each chain cost, and with which versions."""
    record = study.run.record
    facts, said = overview(study.posterior.problem), {p.name: p.description for p in study.parameters}
    return (
        _settings(study), _cost(study), _parameters(facts, said), _models(facts), _experiments(study),
        _pairs("Versions", record.get("versions", {})),
    )  # fmt: skip


def _settings(study: Study) -> Table:
    record = study.run.record
    said = record.get("configuration", {})
    chosen = {k: said[k] for k in ("file", "method", "chains", "num_warmup", "num_samples", "target_accept")
              if k in said}  # fmt: skip
    more = {"random_seed": record.get("random_seed"), "metric": record.get("counts", {}).get("metric"),
            "started": record.get("started"), "ended": record.get("ended")}  # fmt: skip
    early = {"ended early": record["ended_by"]} if record.get("ended_by") else {}
    return _pairs("Settings", {**chosen, **more, **early})


def _pairs(caption: str, values: Any) -> Table:
    rows = tuple((text(k), text(DASH if v is None else v)) for k, v in dict(values).items())
    return Table(caption, (Heading("", True), Heading("", True)), rows)


def _cost(study: Study) -> Table:
    counts = study.run.record.get("counts", {})
    warm, sampling = counts.get("warmup", []), study.sampling
    depth, steps = study.stats.get("tree_depth"), study.stats.get("solver_steps")
    diverging = study.stats["diverging"].astype(bool).sum(axis=1)
    rows = []
    for i in range(len(study.u)):
        w, s = (part[i] if i < len(part) else {} for part in (warm, sampling))
        warmed, sampled = (part.get("gradients", 0) + part.get("values", 0) for part in (w, s))
        solves, seconds = warmed + sampled, w.get("seconds", 0) + s.get("seconds", 0)
        step = counts.get("step_size", [])
        rows.append((
            number(i + 1, ".0f"), number(warmed if w else None, ".0f"), number(sampled if s else None, ".0f"),
            text(_failures(w)), text(_failures(s)), number(diverging[i], ".0f"),
            number(None if depth is None else depth[i].mean(), ".1f"), number(step[i] if i < len(step) else None, ".3g"),
            number(seconds, ".1f"), number(1e3 * seconds / solves if solves else None, ".3g"),
            number(None if steps is None or not sampled else steps[i].sum() / sampled, ".0f"),
        ))  # fmt: skip
    headings = [Heading(h, h.startswith("failed")) for h in (
        "chain", "solves of the warm-up", "of sampling", "failed in the warm-up", "failed in sampling", "divergences",
        "tree depth", "step size", "seconds", "ms/solve", "solver steps/solve",
    )]  # fmt: skip
    found = Table("Chains: what each cost, and solves that failed by kind", tuple(headings), tuple(rows))
    return found if steps is not None else _without(found, "solver steps/solve")


def _experiments(study: Study) -> Table:
    rows = []
    for e in study.posterior.problem.experiments:
        conditions = ", ".join(c.name for c in e.conditions) or DASH
        rows.append((text(e.name), text(e.model), text(conditions), text(", ".join(s.name for s in e.series)),
                     number(sum(len(s.observed) for s in e.series), ".0f"), number(len(e.constraints), ".0f")))  # fmt: skip
    headings = (Heading("experiment", True), Heading("model", True), Heading("conditions", True), Heading("series", True),
                Heading("measurements"), Heading("constraints"))  # fmt: skip
    return Table("Experiments", headings, tuple(rows))


def _parameters(facts: Overview, said: Mapping[str, str]) -> Table:
    rows = tuple(
        (text(p.name), text(p.scale), text(p.prior), number(p.interval_theta[0]), number(p.interval_theta[1]),
         text(", ".join(p.acts_on) or DASH), text(said.get(p.name) or DASH))
        for p in facts.parameters
    )  # fmt: skip
    headings = (Heading("parameter", True), Heading("scale", True), Heading("prior, on the scale", True), Heading("2.5 % of θ"),
                Heading("97.5 % of θ"), Heading("acts on", True), Heading("description", True))  # fmt: skip
    found = Table("Parameters and their priors", headings, rows, sortable=True)
    return found if any(said.values()) else _without(found, "description")


def _models(facts: Overview) -> Table:
    rows = tuple(
        (text(m.name), text(m.kind), text(m.path or DASH), number(m.species, ".0f"), number(m.parameters, ".0f"),
         number(m.rtol, "g"), number(m.atol, "g"))
        for m in facts.models
    )  # fmt: skip
    headings = (Heading("model", True), Heading("kind", True), Heading("file", True), Heading("species"), Heading("parameters"),
                Heading("rtol"), Heading("atol"))  # fmt: skip
    return Table("Models", headings, rows)


def _failures(chain: Any) -> str:
    failed = chain.get("failed_solves", {})
    return ", ".join(f"{kind} {count}" for kind, count in sorted(failed.items()) if count) or "none"
