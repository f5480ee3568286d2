"""``condition:`` lines, and which of them an experiment is under."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bnfhmc.errors import InputError
from bnfhmc.expression import Expression, Name, expression, number
from bnfhmc.model.protocol import Model
from bnfhmc.problem import Condition, Experiment, Perturbation, Problem
from bnfhmc.routing import route
from bnfhmc.write.findings import Findings
from bnfhmc.write.formulas import conf_text
from bnfhmc.write.names import IDENTIFIER, Names

Changes = tuple[Perturbation, ...]
Values = Mapping[str, Expression]


@dataclass(slots=True)
class Conditions:
    """Hands out names of conditions; those that change the same are one. ``lines``: what to write, in order."""

    problem: Problem
    names: Names
    findings: Findings
    known: dict[str, str] = field(default_factory=dict)

    @property
    def lines(self) -> list[str]:
        """The ``condition:`` lines."""
        return [f"condition: {name}, perturbations: {changes}" for changes, name in self.known.items()]

    def of(self, e: Experiment) -> tuple[str | None, str | None]:
        """The names of an experiment's pre-equilibration and condition; None where it has none.

        What the pre-equilibration sets in parameters stays set in a configuration, so that a condition has to set what is
        to be otherwise.
        """
        model = self.problem.models[e.model]
        if e.before is None:
            changes = self._first(e, e.condition, model)
            return None, self._named(e.condition, changes) if e.condition is not None and changes else None
        before = self._first(e, e.before, model) or _nothing(model, self.problem.names)
        if before is None:
            self.findings.refuse(f"experiment '{e.name}': its pre-equilibration changes nothing, which a configuration cannot "
                                 "say of this model")  # fmt: skip
            return None, None
        own = self._after(e, before, model)
        return self._named(e.before, before), self._named(e.condition or e.before, own) if own else None

    def _first(self, e: Experiment, condition: Condition | None, model: Model) -> Changes:
        """The changes of a condition that finds the model as it is."""
        if condition is None:
            return ()
        wanted = self._values(e, condition, model, frozenset())
        made = self._fitting(wanted, (), _candidates(condition, wanted), model, frozenset())
        return self._or_refuse(e, condition, made)

    def _after(self, e: Experiment, before: Changes, model: Model) -> Changes:
        """The changes of the condition that follows a pre-equilibration."""
        kept = tuple(p for p in before if p.target not in model.amounts)
        condition = e.condition or Condition(e.name, ())
        wanted = self._values(e, condition, model, model.amounts)
        targets = {p.target for p in condition.perturbations}
        back = tuple(
            Perturbation(p.target, "=", wanted.get(p.target, number(model.quantities[p.target])))
            for p in kept if p.target not in targets
        )  # fmt: skip
        candidates = [
            tuple(p for p in (*back, *changes) if p not in kept or p.op != "=") for changes in _candidates(condition, wanted)
        ]
        made = self._fitting(wanted, kept, candidates, model, model.amounts)
        return self._or_refuse(e, condition, made)

    def _values(self, e: Experiment, condition: Condition, model: Model, carried: frozenset[str]) -> Values:
        routing = route(model, condition, self.problem.names, carried=carried)
        if routing.reads:
            read = ", ".join(sorted({r.output for r in routing.reads}))
            self.findings.refuse(f"experiment '{e.name}': the condition '{condition.name}' reads {read} as it finds it, which "
                                 "a configuration cannot say", "give the value by parameters")  # fmt: skip
        return routing.values

    def _fitting(
        self, wanted: Values, kept: Changes, candidates: Sequence[Changes], model: Model, carried: frozenset[str]
    ) -> Changes | None:
        """The first of the candidates that, read as a configuration, gives the quantities the values they are to have."""
        for changes in candidates:
            try:
                got = route(model, Condition("", (*kept, *changes)), self.problem.names, carried=carried).values
            except InputError:
                continue
            if all(_same(wanted.get(q), got.get(q), model.quantities[q]) for q in {*wanted, *got}):
                return changes
        return None

    def _or_refuse(self, e: Experiment, condition: Condition, made: Changes | None) -> Changes:
        if made is None:
            self.findings.refuse(f"experiment '{e.name}': what the condition '{condition.name}' sets cannot be said in a "
                                 "configuration, where each change reads those before it and what a pre-equilibration sets "
                                 "stays set", "name the parameters apart")  # fmt: skip
        return made or ()

    def _named(self, condition: Condition | None, changes: Changes) -> str:
        text = ", ".join(_text(p) for p in changes)
        if text not in self.known:
            self.known[text] = self.names.new(condition.name if condition else "base", "c_")
        return self.known[text]


def _candidates(condition: Condition, wanted: Values) -> list[Changes]:
    """A condition's changes as they are, and as what they come to."""
    targets = dict.fromkeys(p.target for p in condition.perturbations)
    return [condition.perturbations, tuple(Perturbation(q, "=", wanted[q]) for q in targets)]


def _same(a: Expression | None, b: Expression | None, value: float) -> bool:
    """Whether two values of a quantity are one; None is what the model file has."""
    one, other = (number(value) if x is None else x for x in (a, b))
    return one == other or (one.constant is not None and one.constant == other.constant)


def _nothing(model: Model, names: Sequence[str]) -> Changes | None:
    """A change that changes nothing, for a pre-equilibration under the model as it is: a parameter set to itself."""
    own = next((n for n in names if n in model.quantities and n not in model.amounts), None)
    return None if own is None else (Perturbation(own, "=", expression(Name(own))),)


def _text(p: Perturbation) -> str:
    target = p.target if IDENTIFIER.fullmatch(p.target) else f'"{p.target}"'
    value = p.value.node.id if isinstance(p.value.node, Name) else conf_text(p.value)
    return f"{target} {p.op} {value}"


