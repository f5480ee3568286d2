"""The check itself, section by section, each as soon as it is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import ClassVar

from bnfhmc.errors import FailedSolve, GradientMismatch, InputError
from bnfhmc.posterior import Posterior
from bnfhmc.problem import Problem
from bnfhmc.report.check import words
from bnfhmc.report.check.capability import Capabilities, capabilities, open_experiments
from bnfhmc.report.check.forecast import Forecast, forecast
from bnfhmc.report.check.overview import Overview, overview
from bnfhmc.report.check.trial import Point, Solves, Which, compare_at, first_place, solve_each
from bnfhmc.samplers.gradient_check import Verdict


@dataclass(frozen=True, slots=True)
class Findings:
    """What a person should look at before a run, each in a sentence; none where nothing is wrong."""

    key: ClassVar[str] = "findings"
    sentences: tuple[str, ...]


# What a verdict that is no "ok" says of the gradient, and what it rests on.
DOUBTS = {
    Verdict.MISMATCH: ("is wrong", "it differs from central differences by more than the solver's tolerance explains"),
    Verdict.UNDECIDED: ("is undecided", "the differences are too rough to tell; tighten the solver's tolerances"),
}

Section = Overview | Capabilities | Solves | Point | Forecast | Findings


def examine(problem: Problem, which: Which = "initial", cores: int | None = None) -> Iterator[Section]:
    """Everything that can be known of a problem before it is sampled.

    which: solve at the initial values (medians of the prior where there is none), or at the medians of the "prior".
    cores: those the forecast counts with; None takes what the process may use.

    After its last section raises InputError with every refusal, FailedSolve where no point has a density, and
    GradientMismatch where the gradient is wrong.
    """
    yield overview(problem)
    opened = open_experiments(problem)
    yield capabilities(problem, opened)
    if opened.mistakes:
        raise InputError(opened.mistakes)
    posterior = Posterior(problem)
    place = first_place(posterior, which)
    yield solve_each(posterior, opened, place)
    points = []
    for point in compare_at(posterior, place):
        points.append(point)
        yield point
    prices = [p.seconds for p in points if p.seconds is not None]
    if prices and (expected := forecast(problem.settings, median(prices), cores)) is not None:
        yield expected
    yield Findings(tuple(_findings(points)))
    _raise_for(points)


def _findings(points: Sequence[Point]) -> Iterator[str]:
    for p in points:
        if p.redrawn and p.status == "ok":
            yield f"{p.where}: {words.many(len(p.redrawn), 'draw')} before it failed ({', '.join(p.redrawn)})"
        elif p.redrawn:
            yield (f"{p.where}: none of {len(p.redrawn)} could be solved, the last one for {p.message}; "
                   "a run may find no start: narrow the priors")  # fmt: skip
        elif p.status != "ok":
            yield f"the model cannot be solved at {p.where}: {p.message}"
    for verdict, said in DOUBTS.items():
        at: dict[str, list[str]] = {}
        for name in dict.fromkeys(name for p in points for name in p.named(verdict)):
            at.setdefault("; ".join(p.where for p in points if name in p.named(verdict)), []).append(name)
        yield from (f"the gradient {said[0]} for {', '.join(names)}, at {where}: {said[1]}" for where, names in at.items())


def _raise_for(points: Sequence[Point]) -> None:
    first = points[0]
    if all(p.status != "ok" for p in points):
        at = ", ".join(f"{name} = {x:.4g}" for name, x in first.theta.items())
        raise FailedSolve(first.status, f"the model can be solved neither at {first.where} ({at}) nor at draws from the "
                                        f"prior; {first.message}")  # fmt: skip
    wrong = dict.fromkeys(name for p in points for name in p.named(Verdict.MISMATCH))
    if wrong:
        said, why = DOUBTS[Verdict.MISMATCH]
        raise GradientMismatch(f"the gradient {said} for {', '.join(wrong)}: {why}")
