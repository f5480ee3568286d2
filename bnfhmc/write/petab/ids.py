"""What PEtab calls the parameters of a problem and the entities of its models."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from bnfhmc.expression import Expression
from bnfhmc.problem import Problem
from bnfhmc.write.findings import Findings
from bnfhmc.write.formulas import number_text, petab_text
from bnfhmc.write.names import IDENTIFIER, Names
from bnfhmc.write.petab.courses import Courses
from bnfhmc.write.petab.entities import Entities


@dataclass(frozen=True, slots=True)
class Ids:
    """``parameters``: id by name; ``renamed``: those with another id; ``mapping``: id of entities whose name is none."""

    problem: Problem
    entities: Mapping[str, Entities]
    findings: Findings
    names: Names
    parameters: Mapping[str, str]
    mapping: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, problem: Problem, entities: Mapping[str, Entities], courses: Courses, findings: Findings) -> Ids:
        """A parameter keeps its name unless PEtab has it for something else: an entity of a model that the parameter table
        may not hold, or one that a condition sets, which it may not hold either."""
        names, targets = Names(), courses.targets
        for e in entities.values():
            names.take(e.ids)
        names.take(problem.names)
        ids = {}
        for p in problem.names:
            held = any(p in e.ids and p not in e.parameters for e in entities.values())
            if held or any(p in t for t in targets.values()) or not IDENTIFIER.fullmatch(p) or _reserved(p):
                ids[p] = names.new(f"{p}_est")
                why = "an entity of the model" if held else "set by conditions" if IDENTIFIER.fullmatch(p) else "no PEtab name"
                findings.note(f"parameter '{p}' is '{ids[p]}' in PEtab, since '{p}' is {why} there")
            else:
                ids[p] = p
        return cls(problem, entities, findings, names, ids)

    @property
    def renamed(self) -> frozenset[str]:
        """The parameters that are called something else than in the problem."""
        return frozenset(p for p, i in self.parameters.items() if p != i)

    def value(self, value: Expression) -> str:
        """An expression of parameters, as PEtab writes it."""
        constant = value.constant
        return petab_text(value, self.parameters.__getitem__) if constant is None else number_text(constant)

    def entity(self, model: str, name: str) -> str:
        """What an output or quantity of a model is called; one that PEtab cannot name is refused."""
        e = self.entities[model]
        if name in self.mapping:
            return self.mapping[name]
        if name in e.ids and not _reserved(name):
            return name
        if e.language == "bngl" and not IDENTIFIER.fullmatch(name):
            self.mapping[name] = self.names.new(name, "s_")
            return self.mapping[name]
        self.findings.refuse(f"'{name}' of model '{model}' has no id in {e.copy.file} that PEtab could call it by",
                             "give it an id of its own in the model file")  # fmt: skip
        return name

    def target(self, model: str, name: str) -> str:
        """What a quantity that a condition sets is called."""
        if name not in self.entities[model].settable:
            self.findings.refuse(f"'{name}' of model '{model}' is set, and is nothing that a condition of PEtab may set",
                                 "set a parameter, species or compartment")  # fmt: skip
            return name
        return self.entity(model, name)

    def formula(self, model: str, formula: Expression, placeholders: Collection[str], of_noise: bool = False) -> str:
        """A formula over outputs, quantities and parameters, each name meaning what it means in the problem."""
        made, free = self.problem.models[model], set(self.problem.names)
        first = free if of_noise and formula.names - set(placeholders) <= free else set[str]()
        known = {*made.outputs, *(set(made.quantities) - free if of_noise else made.quantities)} - first

        def name(n: str) -> str:
            if n in placeholders:
                return n
            return self.parameters[n] if n not in known and n in self.parameters else self.entity(model, n)

        return petab_text(formula, name)


def _reserved(name: str) -> bool:
    return name.lower() in ("inf", "nan", "true", "false", "time")
