"""``observable:`` and ``noise_model`` lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bnfhmc.expression import Name, Num, expression, substitute
from bnfhmc.noise import Constant, Formula, NoiseModel, Source
from bnfhmc.problem import Experiment, Problem
from bnfhmc.routing import route
from bnfhmc.write.findings import Findings
from bnfhmc.write.formulas import conf_text
from bnfhmc.write.names import IDENTIFIER, Names
from bnfhmc.write.observables import Hole, Members, Observable, grouped, observable_of
from bnfhmc.write.words import NOISE_WORDS

SUFFIX = "_SD"


@dataclass(frozen=True, slots=True)
class Column:
    """An observable as the data have it; ``beside``: by suffix, noise parameters that are numbers of the data."""

    observable: Observable
    beside: dict[str, Hole]

    @property
    def name(self) -> str:
        """The column's header."""
        return self.observable.name

    @property
    def tokens(self) -> dict[str, Hole]:
        """The placeholders that a table of ``measurement_params`` fills."""
        beside = {id(h) for h in self.beside.values()}
        return {n: h for n, h in self.observable.placeholders.items() if id(h) not in beside}


def columns(problem: Problem, names: Names, findings: Findings) -> Iterator[tuple[Column, list[str]]]:
    """Each observable as a column of the data, with the lines that say what it is: its formula, if any, and its noise."""
    given = set[str]()
    for wanted, members in grouped(problem):
        output = _output(members)
        own = output in problem.models[problem.experiments[members[0][0]].model].outputs and output not in given
        own = own and (output == wanted or not IDENTIFIER.fullmatch(output))
        given |= {output} if own else set()
        o = observable_of(output if own else names.new(wanted), members, problem)
        column = Column(o, _beside(o, names))
        yield column, [*([] if own else [_formula_line(o, findings)]), _noise_line(column, problem)]


def _output(members: Members) -> str:
    """The output that all the series are, or an empty text."""
    found = {s.observable.node.id if isinstance(s.observable.node, Name) else "" for _, s in members}
    return found.pop() if len(found) == 1 else ""


def _beside(o: Observable, names: Names) -> dict[str, Hole]:
    """The noise parameters that stand in columns of their own; no other column has their names."""
    out: dict[str, Hole] = {}
    for source in o.sources:
        hole = o.numbers(source)
        if hole is not None:
            suffixes = (SUFFIX, *(f"_{source}{i}" for i in range(2, 1000)))
            suffix = next(s for s in suffixes if s not in out and f"{o.name}{s}".lower() not in names.taken)
            names.take([o.name + suffix])
            out[suffix] = hole
    return out


def _formula_line(o: Observable, findings: Findings) -> str:
    for name in sorted(o.formula.names):
        if not IDENTIFIER.fullmatch(name):
            findings.refuse(f"observable '{o.name}': a formula of a configuration cannot name '{name}'",
                            "give the model an observable for it")  # fmt: skip
    return f"observable: {o.name}, formula: {conf_text(o.formula)}"


def _noise_line(column: Column, problem: Problem) -> str:
    o = column.observable
    said = [NOISE_WORDS[type(o.noise)]]
    suffixes = {id(hole): suffix for suffix, hole in column.beside.items()}
    for source, formula in o.sources.items():
        hole = o.numbers(source)
        if hole is not None and id(hole) in suffixes:
            said.append(f"{source} = read_exp_file {suffixes[id(hole)]}")
        elif formula.constant is not None:
            said.append(f"{source} = fix_at {formula.constant!r}")
        elif isinstance(formula.node, Name) and formula.node.id in problem.names:
            said.append(f"{source} = fit {formula.node.id}")
        else:
            of_theta = formula.names <= {*problem.names, *o.placeholders}
            said.append(f"{source} = {'formula' if of_theta else 'prediction_formula'} {conf_text(formula)}")
    if _location(o.noise) == "mean":
        said.append("location = mean")
    return f"noise_model {o.name} = {', '.join(said)}"


def _location(noise: NoiseModel) -> str:
    return getattr(noise, "location", "median")


def resolved(problem: Problem) -> Problem:
    """The same problem, with no quantity of a model in a noise formula that reads none of its outputs.

    There a configuration takes parameters of the fit alone; the quantity is what the conditions make of it.
    """
    experiments = []
    for e in problem.experiments:
        series = tuple(
            replace(s, sources={n: _without_quantities(f, e, problem) for n, f in s.sources.items()}) for s in e.series
        )
        experiments.append(replace(e, series=series))
    return replace(problem, experiments=tuple(experiments))


def _without_quantities(source: Source, e: Experiment, problem: Problem) -> Source:
    if isinstance(source, Constant):
        return source
    model, names = problem.models[e.model], source.expression.names
    if names <= set(problem.names) or names & set(model.outputs):
        return source
    carried = model.amounts if e.before else frozenset[str]()
    values = route(model, e.condition, problem.names, carried=carried).values
    known = {n: values[n].node if n in values else Num(model.quantities[n])
             for n in names - set(problem.names) if n in model.quantities}  # fmt: skip
    formula = expression(substitute(source.expression.node, known))
    return Constant(formula.constant) if formula.constant is not None else Formula(formula)
