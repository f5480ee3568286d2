"""Conditions: edition 2's ``condition:`` records and the perturbations of edition 1's ``mutant`` lines."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from bnfhmc.errors import InputError
from bnfhmc.expression import Expression, Name, expression
from bnfhmc.model.protocol import Model
from bnfhmc.problem import Condition, Perturbation
from bnfhmc.read.formulas import read_formula
from bnfhmc.read.keys import RECORDS
from bnfhmc.read.lines import NAME, fields, unquoted
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.record import Conf
from bnfhmc.routing import Routing, route

Op = Literal["=", "*", "/", "+", "-"]

# a quoted name or species pattern, or a bare one; an operator; a value
_PERTURBATION = re.compile(r"""("[^"]+"|[A-Za-z_@$][\w.:]*(?:\([^()]*\))?)\s*([=*/+-])\s*(.+)""", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Written:
    """A condition and where it is written; ``model``: the file it names, if any."""

    condition: Condition
    path: Path
    line: int
    model: str | None = None


def read_conditions(conf: Conf, declared: Collection[str], mistakes: Mistakes) -> dict[str, Written | None]:
    """The ``condition:`` records by name; None where one cannot be read."""
    out: dict[str, Written | None] = {}
    for s in conf.records("condition"):
        said = fields(s, RECORDS["condition"], mistakes)
        name = said.head[0] if len(said.head) == 1 else ""
        if not NAME.fullmatch(name):
            mistakes.add(s.line, f"'{', '.join(said.head)}' is no name of a condition",
                         "type 'condition: <name>, perturbations: <id> = <value>'")  # fmt: skip
        elif name in out:
            mistakes.add(s.line, f"condition '{name}' is given twice", "give each its own name")
        else:
            before = len(mistakes.found)
            made = read_perturbations(name, said.named.get("perturbations", ()), s.line, declared, mistakes)
            whole = Written(Condition(name, made), conf.path, s.line, said.text("model"))
            out[name] = whole if len(mistakes.found) == before else None
    return out


def read_perturbations(
    name: str, items: tuple[str, ...], line: int, declared: Collection[str], mistakes: Mistakes
) -> tuple[Perturbation, ...]:
    """``id op value`` items as perturbations, in order."""
    if not items:
        mistakes.add(line, f"condition '{name}' changes nothing", "type 'perturbations: <id> = <value>'")
    out: list[Perturbation] = []
    for item in items:
        found = _perturbation(name, item, line, declared, mistakes)
        if found is None:
            continue
        earlier = next((p for p in out if p.target == found.target and p.op == found.op == "="), None)
        if earlier is not None and not _same(earlier.value, found.value):
            both = f"{earlier.value.text} and to {found.value.text}"
            mistakes.add(line, f"condition '{name}' sets '{found.target}' to {both}", "keep one of them")
        out.append(found)
    return tuple(out)


def _same(a: Expression, b: Expression) -> bool:
    return a == b or (a.constant is not None and a.constant == b.constant)


def _perturbation(
    name: str, item: str, line: int, declared: Collection[str], mistakes: Mistakes
) -> Perturbation | None:
    match = _PERTURBATION.fullmatch(item)
    if match is None:
        mistakes.add(line, f"condition '{name}': '{item}' is no perturbation",
                     "type '<id> <op> <value>' with one of = * / + -, or '\"<species>\" = <value>'")  # fmt: skip
        return None
    target, op, text = unquoted(match.group(1)), cast(Op, match.group(2)), unquoted(match.group(3))
    if text in declared:
        return Perturbation(target, op, expression(Name(text)))
    value = read_formula(f"condition '{name}'", text, line, declared, mistakes)
    if value is None:
        return None
    constant = value.constant
    if constant is not None and (not math.isfinite(constant) or (op == "/" and constant == 0)):
        mistakes.add(line, f"condition '{name}': '{item}' gives no finite value", "type another value")
        return None
    return Perturbation(target, op, value)


def after(
    before: Written | None, condition: Written | None, model: Model, scan: str | None, mistakes: Mistakes
) -> Condition | None:
    """The condition of the measured phase: what the pre-equilibration set in parameters stays set, then its own changes.

    Amounts of species are carried by the state, and `scan` is set in each row. A change relative to what the
    pre-equilibration changed is a mistake.
    """
    own = condition.condition.perturbations if condition else ()
    earlier = before.condition.perturbations if before else ()
    kept = tuple(p for p in earlier if p.target not in model.amounts and p.target != scan)
    for p in own:
        if condition is not None and before is not None and p.op != "=" and any(k.target == p.target for k in kept):
            mistakes.at(condition.path).add(
                condition.line,
                f"condition '{condition.condition.name}': '{p.target} {p.op} {p.value.text}' changes what the "
                f"pre-equilibration '{before.condition.name}' has changed",
                f"type '{p.target} = <value>'",
            )
    named = condition or before
    return Condition(named.condition.name, (*kept, *own)) if named is not None and (kept or own) else None


def check_condition(
    written: Written, model: Model, declared: Collection[str], mistakes: Mistakes, scan: str | None = None
) -> Routing | None:
    """What a condition makes of the model's quantities; None, and mistakes, where the model cannot take it.

    `scan`: a quantity that takes a dose in each row, and that the condition may not change.
    """
    here, name = mistakes.at(written.path), written.condition.name
    try:
        routing = route(model, written.condition, tuple(declared), scan)
    except InputError as error:
        mistakes.at(written.path).include(error, written.line)
        return None
    for p in {p.target: p for p in written.condition.perturbations}.values():
        constant = routing.values[p.target].constant
        if p.target == scan:
            here.add(written.line, f"condition '{name}' changes '{scan}', which an experiment under it scans",
                     "scan another quantity, or delete the change")  # fmt: skip
        elif constant is not None and not math.isfinite(constant):
            here.add(written.line, f"condition '{name}': '{p.target} {p.op} {p.value.text}' gives no finite value in model "
                                   f"'{model.name}'", "type another value")  # fmt: skip
    return routing
