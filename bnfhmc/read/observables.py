"""``observable:`` lines: columns whose header is not the model's own name, and observables computed by a formula."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from bnfhmc.expression import Expression
from bnfhmc.read.formulas import read_formula
from bnfhmc.read.keys import RECORDS
from bnfhmc.read.lines import NAME, fields
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.record import Conf


@dataclass(frozen=True, slots=True)
class Formulated:
    """An observable that is computed from outputs, parameters and quantities of the model, and its line."""

    name: str
    formula: Expression
    line: int

    @property
    def said(self) -> str:
        """How mistakes quote it."""
        return f"observable '{self.name}' = {self.formula.text}"


@dataclass(frozen=True, slots=True)
class Observables:
    """What ``observable:`` lines say: header → entity of renamed columns with their lines, and formulas by name.

    ``declared``: the names of all formulas, of those too that cannot be read.
    """

    entity: Mapping[str, str] = field(default_factory=dict)
    line: Mapping[str, int] = field(default_factory=dict)
    formulas: Mapping[str, Formulated] = field(default_factory=dict)
    declared: frozenset[str] = frozenset()


def read_observables(conf: Conf, parameters: Collection[str], mistakes: Mistakes) -> Observables:
    """The ``observable: <entity>, column: <header>`` and ``observable: <id>, formula: <expression>`` lines."""
    entity: dict[str, str] = {}
    line: dict[str, int] = {}
    formulas: dict[str, Formulated] = {}
    lines: dict[str, int] = {}
    for s in conf.records("observable"):
        said = fields(s, RECORDS["observable"], mistakes)
        name = said.head[0] if len(said.head) == 1 else ""
        header, text = said.text("column"), said.text("formula")
        if not NAME.fullmatch(name) or (header is None and text is None):
            mistakes.add(s.line, f"'observable: {s.value}' does not name an output and a column",
                         "type 'observable: <model output>, column: <header>' or 'observable: <id>, formula: <expression>'"
                         )  # fmt: skip
            continue
        if text is not None and name in lines:
            mistakes.add(s.line, f"observable '{name}' has a formula on line {lines[name]}", "keep one line")
        elif text is not None:
            lines[name] = s.line
            formula = read_formula(f"observable '{name}' = {text}", text, s.line, parameters, mistakes)
            if formula is not None:
                formulas[name] = Formulated(name, formula, s.line)
        if header is not None and (header in entity or name in entity.values()):
            twice = f"column '{header}'" if header in entity else f"observable '{name}'"
            mistakes.add(s.line, f"{twice} is renamed twice", "keep one line")
        elif header is not None:
            entity[header], line[header] = name, s.line
    return Observables(entity, line, formulas, frozenset(lines))
