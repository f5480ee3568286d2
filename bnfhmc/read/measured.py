"""One column of measurements: its observable, noise model, transforms, and the series they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bnfhmc.expression import Expression, Name, expression, substitute
from bnfhmc.model.protocol import Model
from bnfhmc.noise import Source
from bnfhmc.noise.source import Formula
from bnfhmc.noise.transform import SeriesScale, Transform, floored
from bnfhmc.problem import Series
from bnfhmc.read.bindings import Bindings, bind
from bnfhmc.read.data import Column
from bnfhmc.read.formulas import placeholders, say_unknown
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.noise import Spec
from bnfhmc.read.observables import Observables
from bnfhmc.read.origins import Origin
from bnfhmc.read.plans import Plan
from bnfhmc.read.sources import sources_of, taken


@dataclass(frozen=True, slots=True)
class Measured:
    """The measurements of one observable, and what they are compared with.

    ``observed``: as a floor leaves them; ``wanted``: the placeholders of its formulas, in order.
    """

    column: Column
    plan: Plan
    spec: Spec
    observable: Expression
    sources: Mapping[str, Source]
    transforms: tuple[Transform, ...]
    observed: Float[np.ndarray, " n"]
    wanted: tuple[str, ...]

    def series(self, rows: Float[np.ndarray, " row"], bindings: Bindings | None, mistakes: Mistakes) -> list[Series]:
        """One series, or one for each set of values that placeholders have."""
        index = np.searchsorted(rows, self.column.at)
        name, noise = self.column.name, self.spec.model
        if not self.wanted or bindings is None:
            return [Series(name, self.observable, index, self.observed, noise, dict(self.sources), self.transforms)]
        pieces = bindings.pieces(self.column, self.plan.data, self.wanted, mistakes)
        if len(pieces) > 1 and any(isinstance(t, SeriesScale) for t in self.transforms):
            mistakes.add(self.plan.line, f"{self.plan.whose}: 'scale' fits one factor to all of '{name}', whose noise differs "
                         "from measurement to measurement", "multiply the observable by a parameter instead")  # fmt: skip
        out = []
        for at, nodes in pieces:
            sources = {n: Formula(bind(s.expression, nodes)) if isinstance(s, Formula) else s
                       for n, s in taken(self.sources, at).items()}  # fmt: skip
            observable = bind(self.observable, nodes)
            out.append(Series(name, observable, index[at], self.observed[at], noise, sources, self.transforms))
        return out


@dataclass(frozen=True, slots=True)
class Measurer:
    """Reads the columns of one experiment; ``transforms``: what is done to each of its observables."""

    plan: Plan
    model: Model
    declared: tuple[str, ...]
    observables: Observables
    transforms: Mapping[str, tuple[Transform, ...]]
    mistakes: Mistakes

    def measured(self, column: Column, spec: Spec) -> Measured | None:
        """A column with its noise model; None, and mistakes, where they do not go together."""
        before = len(self.mistakes.found)
        transforms = self.transforms[column.name]
        observable = self._observable(column.name)
        noise = {n: f for n, o in spec.origins.items() if (f := self._noise(spec, n, o)) is not None}
        observed = floored(transforms, column.observed)
        sources = sources_of(spec, column, observed, noise, self.mistakes)
        if observable is None or sources is None or len(self.mistakes.found) > before:
            return None
        formulas = [observable, *noise.values()]
        wanted = tuple(sorted(frozenset().union(*(placeholders(f, self.declared) for f in formulas))))
        if wanted and self.plan.bindings is None:
            line = spec.line if wanted[0].startswith("noise") else self.observables.formulas[column.name].line
            self.mistakes.add(line, f"'{wanted[0]}' has a value for each measurement, and {self.plan.whose} does not give them",
                              "add 'measurement_params: <file>.tsv' to it")  # fmt: skip
            return None
        if transforms and placeholders(observable, self.declared):
            self.mistakes.add(self.observables.formulas[column.name].line,
                              f"observable '{column.name}' is normalised, and its formula differs from measurement to "
                              "measurement", "delete the normalization")  # fmt: skip
            return None
        return Measured(column, self.plan, spec, observable, sources, transforms, observed, wanted)

    def _observable(self, name: str) -> Expression | None:
        """The output of this name, or its formula."""
        if name not in self.observables.declared:
            return expression(Name(name))
        found = self.observables.formulas.get(name)
        if found is None:
            return None  # a mistake of its line
        self._refuse_transformed(found.said, found.formula.names - {name}, found.line)
        known = {*self.model.outputs, *self.model.quantities, *self.declared, *placeholders(found.formula, self.declared)}
        what = f"output or quantity of the model '{self.model.name}', and no parameter of the fit"
        return None if say_unknown(found.said, found.formula, known, what, found.line, self.mistakes) else found.formula

    def _noise(self, spec: Spec, parameter: str, origin: Origin) -> Expression | None:
        """The formula of a noise parameter, that of an observable in the place of its name."""
        formula = origin.expression
        if formula is None or origin.verb != "prediction_formula":
            return formula
        said = f"'{parameter} = prediction_formula {origin.text}'"
        outputs = {*self.model.outputs, *self.observables.declared}
        known = {*outputs, *self.model.quantities, *self.declared, *placeholders(formula, self.declared)}
        what = f"output or quantity of the model '{self.model.name}', and no parameter of the fit"
        if not say_unknown(said, formula, known, what, spec.line, self.mistakes) and not formula.names & outputs:
            self.mistakes.add(spec.line, f"{said} reads no output of the model '{self.model.name}'",
                              f"type '{parameter} = formula {origin.text}'")  # fmt: skip
        self._refuse_transformed(said, formula.names, spec.line)
        named = {n: f.formula.node for n, f in self.observables.formulas.items() if n in formula.names}
        return expression(substitute(formula.node, named)) if named else formula

    def _refuse_transformed(self, said: str, names: frozenset[str], line: int | None) -> None:
        for name in sorted(n for n in names if self.transforms.get(n)):
            self.mistakes.add(line, f"{said} names '{name}', which is normalised in {self.plan.whose}: as the model gives it, "
                              "or as it is compared?", f"give '{name}' as the model gives it a name of its own there")
