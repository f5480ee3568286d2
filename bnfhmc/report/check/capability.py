"""How each experiment is differentiated, where log π is not smooth, and whether the problem is least squares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from bnfhmc.errors import InputError, Mistake
from bnfhmc.expression import Call, Expression
from bnfhmc.expression.tree import operations
from bnfhmc.likelihood import ExperimentLikelihood
from bnfhmc.noise import Formula
from bnfhmc.noise.constraint_penalty import Hinge
from bnfhmc.noise.laplace import LaplaceKernel
from bnfhmc.noise.target import ExpressionTarget
from bnfhmc.noise.transform import Floor, Peak, UnitRange
from bnfhmc.problem import Experiment, Problem
from bnfhmc.report.check.words import many, noise_word, transform

KINKED = {"abs": "abs", "min": "min", "max": "max"}  # continuous, with a slope that jumps
JUMPING = {"piecewise": "if", "sign": "sign", "acot": "acot"} | {c: c for c in ("<", "<=", ">", ">=", "==", "!=")}

ANALYTIC, QUOTIENTS, REFUSED, NONE = "analytic", "difference quotients", "refused", "none needed"


@dataclass(frozen=True, slots=True)
class Sensitivities:
    """How one experiment is differentiated, and the reason where it is not analytic."""

    experiment: str
    model: str
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The verdicts.

    ``least_squares``: whether loss = ½‖ρ‖² exactly; ``no_least_squares``: what speaks against it; ``kinks``: where log π
    is not smooth.
    """

    key: ClassVar[str] = "capabilities"
    sensitivities: tuple[Sensitivities, ...]
    least_squares: bool
    no_least_squares: tuple[str, ...]
    kinks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """The likelihood of each experiment, None where it has none, and all the mistakes that say why."""

    likelihoods: Mapping[str, ExperimentLikelihood | None]
    refusals: Mapping[str, tuple[Mistake, ...]]

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """Each mistake once, in the order of the experiments."""
        return tuple(dict.fromkeys(m for mistakes in self.refusals.values() for m in mistakes))


def open_experiments(problem: Problem) -> Opened:
    """Every experiment's likelihood or what is wrong with it, where a Posterior stops at the first mistake."""
    likelihoods: dict[str, ExperimentLikelihood | None] = {}
    refusals = {}
    for e in problem.experiments:
        try:
            likelihoods[e.name] = ExperimentLikelihood(e, problem.models[e.model], problem.names)
        except InputError as error:
            likelihoods[e.name], refusals[e.name] = None, error.mistakes
    return Opened(likelihoods, refusals)


def capabilities(problem: Problem, opened: Opened) -> Capabilities:
    """The verdicts on a problem."""
    against = tuple(_no_least_squares(problem))
    sensitivities = tuple(_sensitivities(e, opened) for e in problem.experiments)
    return Capabilities(sensitivities, not against, against, tuple(_kinks(problem)))


def _sensitivities(e: Experiment, opened: Opened) -> Sensitivities:
    likelihood = opened.likelihoods[e.name]
    if likelihood is None:
        return Sensitivities(e.name, e.model, REFUSED, "; ".join(map(str, opened.refusals[e.name])))
    simulation = likelihood.simulation
    phases = [r.columns for r in simulation.routings if r.columns]
    reasons = dict.fromkeys(note for columns in phases if (note := simulation.model.sensitivity_note(columns)))
    kind = NONE if not phases else QUOTIENTS if reasons else ANALYTIC
    return Sensitivities(e.name, e.model, kind, "; ".join(reasons))


def _no_least_squares(problem: Problem) -> Iterator[str]:
    """Every reason why the loss is not exactly ½‖ρ‖²."""
    series = [s for e in problem.experiments for s in e.series]
    for family in dict.fromkeys(noise_word(s.noise) for s in series if not s.noise.least_squares):
        yield f"{family} noise is no sum of squares"
    estimated = {n: None for s in series for n, v in s.sources.items() if isinstance(v, Formula)}
    if estimated:
        yield f"{', '.join(estimated)} is not known beforehand, and the normaliser of the noise is no square"
    if any(e.constraints for e in problem.experiments):
        yield "constraints add penalties that are no squares"
    if problem.target is not None:
        yield "the objective has no residuals"


def _kinks(problem: Problem) -> Iterator[str]:
    """Where log π or its slope jumps."""
    for e in problem.experiments:
        found = dict.fromkeys((*_of_formulas(e), *_of_series(e), *_of_constraints(e)))
        yield from (f"experiment {e.name}: {said}" for said in found)
    if isinstance(problem.target, ExpressionTarget):
        yield from _said("the objective", problem.target.expression)


def _of_formulas(e: Experiment) -> Iterator[str]:
    for s in e.series:
        yield from _said(f"the observable {s.name}", s.observable)
        for name, value in s.sources.items():
            if isinstance(value, Formula):
                yield from _said(f"{name} of {s.name}", value.expression)
    for condition in e.conditions:
        for p in condition.perturbations:
            yield from _said(f"condition {condition.name}", p.value)


def _of_series(e: Experiment) -> Iterator[str]:
    for s in e.series:
        turning = [transform(t) for t in s.transforms if isinstance(t, (Peak, UnitRange, Floor))]
        if turning:
            yield f"{s.name}: {', '.join(turning)} has a kink where another row becomes the highest"
        if isinstance(s.noise, LaplaceKernel):
            yield f"{s.name}: Laplace noise has a kink where a prediction meets its measurement"


def _of_constraints(e: Experiment) -> Iterator[str]:
    hinges = [c for c in e.constraints if isinstance(c.penalty, Hinge) and c.smoothing is None]
    if hinges:
        yield (f"{len(hinges)} of {many(len(e.constraints), 'constraint')} a hinge without smoothing, with a kink where "
               "it breaks; 'qualitative_loss = probit' is smooth there")  # fmt: skip
    jumps = Counter(c.jumps for c in e.constraints if c.jumps)
    yield from (f"a jump of {many(count, 'constraint')}: {why}" for why, count in jumps.items())


def _said(where: str, formula: Expression) -> Iterator[str]:
    kinks, jumps = _used(formula, KINKED), _used(formula, JUMPING)
    if kinks:
        yield f"{where} uses {', '.join(kinks)}, whose slope jumps"
    if jumps:
        yield f"{where} uses {', '.join(jumps)}, which may make it jump"


def _used(formula: Expression, which: Mapping[str, str]) -> Iterable[str]:
    called = (node.fn for node, _ in operations(formula.node) if isinstance(node, Call) and node.fn in which)
    return list(dict.fromkeys(which[fn] for fn in called))
