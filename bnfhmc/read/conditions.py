"""Conditions: edition 2's ``condition:`` records and the perturbations of edition 1's ``mutant`` lines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from bnfhmc.errors import nearest
from bnfhmc.expression import ExpressionError, parse
from bnfhmc.model.protocol import Model
from bnfhmc.problem import Condition, Perturbation
from bnfhmc.read.keys import LATER, RECORDS
from bnfhmc.read.lines import NAME, fields, unquoted
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.record import Conf

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


def read_conditions(conf: Conf, mistakes: Mistakes) -> dict[str, Written | None]:
    """The ``condition:`` records by name; None where one cannot be read."""
    out: dict[str, Written | None] = {}
    for s in conf.records("condition"):
        said = fields(s, RECORDS["condition"], mistakes)
        name = said.head[0] if len(said.head) == 1 else ""
        if not NAME.fullmatch(name):
            mistakes.add(s.line, f"'{', '.join(said.head)}' is no name of a condition",
                         "type 'condition: <name>, perturbations: <id> = <number>'")  # fmt: skip
        elif name in out:
            mistakes.add(s.line, f"condition '{name}' is given twice", "give each its own name")
        else:
            before = len(mistakes.found)
            made = read_perturbations(name, said.named.get("perturbations", ()), s.line, mistakes)
            whole = Written(Condition(name, made), conf.path, s.line, said.text("model"))
            out[name] = whole if len(mistakes.found) == before else None
    return out


def read_perturbations(name: str, items: tuple[str, ...], line: int, mistakes: Mistakes) -> tuple[Perturbation, ...]:
    """``id op value`` items as perturbations, in order."""
    if not items:
        mistakes.add(line, f"condition '{name}' changes nothing", "type 'perturbations: <id> = <number>'")
    out: list[Perturbation] = []
    for item in items:
        found = _perturbation(name, item, line, mistakes)
        if found is None:
            continue
        earlier = next((p for p in out if p.target == found.target and p.op == found.op == "="), None)
        if earlier is not None and earlier.value != found.value:
            both = f"{earlier.value.text} and to {found.value.text}"
            mistakes.add(line, f"condition '{name}' sets '{found.target}' to {both}", "keep one of them")
        out.append(found)
    return tuple(out)


def _perturbation(name: str, item: str, line: int, mistakes: Mistakes) -> Perturbation | None:
    match = _PERTURBATION.fullmatch(item)
    if match is None:
        mistakes.add(line, f"condition '{name}': '{item}' is no perturbation",
                     "type '<id> <op> <number>' with one of = * / + -, or '\"<species>\" = <number>'")  # fmt: skip
        return None
    target, op = unquoted(match.group(1)), cast(Op, match.group(2))
    try:
        value = parse(unquoted(match.group(3)))
    except ExpressionError as error:
        mistakes.add(line, f"condition '{name}': {error}")
        return None
    if value.names:
        mistakes.add(line, f"condition '{name}': '{item}' sets a value by {', '.join(sorted(value.names))}, "
                           f"which {LATER}", "type a number")  # fmt: skip
        return None
    constant = value.constant
    if constant is None or not abs(constant) < float("inf") or (op == "/" and constant == 0):
        mistakes.add(line, f"condition '{name}': '{item}' gives no finite value", "type another number")
        return None
    return Perturbation(target, op, value)


def check_targets(written: Written, model: Model, free: frozenset[str], mistakes: Mistakes) -> None:
    """Say which perturbations a model cannot take: an unknown target, or a species changed by its own initial amount.

    A species' amount may come from parameters, so a change relative to it has no fixed base.
    """
    here = mistakes.at(written.path)
    for p in written.condition.perturbations:
        whose = f"condition '{written.condition.name}'"
        if p.target not in model.quantities:
            here.add(written.line, f"{whose}: model '{model.name}' has no settable parameter or species '{p.target}'",
                         nearest(p.target, model.quantities))  # fmt: skip
        elif p.op != "=" and p.target in model.amounts and p.target not in free:
            here.add(written.line, f"{whose}: '{p.target} {p.op} {p.value.text}' changes an initial amount relative to "
                                       f"itself, which {LATER}", f"type '\"{p.target}\" = <number>'")  # fmt: skip
