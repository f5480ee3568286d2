"""``objective = banana, a = 1, b = 100`` and ``expression = …`` → a Target.

The coordinates of a closed-form target have no names, so the number that a parameter's name ends in says which one it
is: x1, x2, … in whatever order they are declared (PyBNF's rule).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import InputError, Mistake, nearest
from bnfhmc.expression import CONSTANTS, Expression, ExpressionError, parse
from bnfhmc.noise.target.closed_form import Banana, Funnel, Gaussian, Multimodal, RotatedGaussian, RotatedQuartic
from bnfhmc.noise.target.expression import ExpressionTarget
from bnfhmc.noise.target.protocol import Target

Columns = Mapping[str, Float[np.ndarray, " row"]]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


class Wording(NamedTuple):
    """A closed-form target in a configuration.

    ``vectors``: its fields of a number a coordinate, which it needs; ``numbers``: those of one number, with defaults.
    """

    make: Callable[..., Target]
    vectors: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()


# the word of ``objective = …`` → the target; ``expression`` and ``callable`` have keys of their own
TARGETS: Mapping[str, Wording] = {
    "gaussian": Wording(Gaussian, ("mean", "variance")),
    "rotated_gaussian": Wording(RotatedGaussian, ("mean", "variances"), ("angle",)),
    "rotated_quartic": Wording(RotatedQuartic, ("mean", "coeff"), ("angle",)),
    "banana": Wording(Banana, (), ("a", "b")),
    "multimodal": Wording(Multimodal),
    "funnel": Wording(Funnel, (), ("sd",)),
}
MODE_VECTORS, MODE_NUMBERS = ("mean", "variance"), ("weight",)


def parse_target(
    name: str,
    fields: Sequence[str],
    modes: Sequence[Sequence[str]],
    expression: str | None,
    names: Sequence[str],
    columns: Columns | None = None,
) -> Target:
    """Read an objective without a model; its ``names`` are the parameters that it depends on.

    `name`: the objective's word; `fields`: what follows it, each as ``a = 1`` or ``mean = 0 0``; `modes`: the same for
    every ``mode:`` line; `expression`: the value of that key; `names`: the declared parameters; `columns`: the rows of
    all files of ``data = …``, one under the other, by column. ``objective = callable`` executes code, and
    `load_callable` reads it. Raises InputError with everything that is wrong.
    """
    wrong: list[Mistake] = []
    for said, key, owner in ((modes, "mode: …", "multimodal"), (expression is not None, "expression = …", "expression"),
                             (columns, "data = …", "expression")):  # fmt: skip
        if said and name != owner:
            wrong.append(Mistake(f"'{key}' belongs to 'objective = {owner}', not to '{name}'", "delete the line"))
    if name == "expression":
        wrong += [Mistake(f"objective 'expression' takes nothing after it, got '{item}'") for item in fields]
        target = _expression(expression, names, columns or {}, wrong)
    elif name in TARGETS:
        target = _closed_form(name, fields, modes, names, wrong)
    else:
        known = (*TARGETS, "expression")
        hint = f"{nearest(name, known)} known are {', '.join(known)}".strip()
        raise InputError([*wrong, Mistake(f"unknown objective without a model '{name}'", hint)])
    if wrong or target is None:
        raise InputError(wrong)
    return target


def _closed_form(
    name: str, fields: Sequence[str], modes: Sequence[Sequence[str]], names: Sequence[str], wrong: list[Mistake]
) -> Target | None:
    make, vectors, numbers = TARGETS[name]
    before = len(wrong)
    values: dict[str, Any] = _values(name, fields, vectors, numbers, wrong)
    if name == "multimodal":
        each = [_values(f"multimodal, mode {k}", m, MODE_VECTORS, MODE_NUMBERS, wrong) for k, m in enumerate(modes, 1)]
        if not each:
            wrong.append(Mistake("objective 'multimodal' has no mode",
                                 "type 'mode: weight = 0.5, mean = 0 0, variance = 1 1' for each of them"))  # fmt: skip
        values = {"weights": [m.get("weight", 1.0) for m in each], "means": [m.get("mean", ()) for m in each],
                  "variances": [m.get("variance", ()) for m in each]}  # fmt: skip
    complete = len(wrong) == before
    ordered = _coordinates(name, names, wrong)
    if not complete:
        return None
    try:
        return make(names=ordered, **values)
    except InputError as error:
        wrong += error.mistakes
        return None


def _values(
    where: str, items: Sequence[str], vectors: Sequence[str], numbers: Sequence[str], wrong: list[Mistake]
) -> dict[str, Any]:
    """Read ``field = number …`` items: a tuple of floats for a vector, a float for a number."""
    out: dict[str, Any] = {}
    known = (*vectors, *numbers)
    for item in items:
        field, equals, text = (part.strip() for part in item.partition("="))
        field = field.lower()
        read = tuple(float(w) if _NUMBER.fullmatch(w) else math.nan for w in text.split())
        if not equals:
            wrong.append(Mistake(f"{where}: '{item}' is no 'field = number'", _takes(known)))
        elif field not in known:
            wrong.append(Mistake(f"{where} has no field '{field}'", nearest(field, known) or _takes(known)))
        elif field in out:
            wrong.append(Mistake(f"{where}: '{field}' is given twice", "keep one"))
        elif not read or not all(map(math.isfinite, read)):
            wrong.append(Mistake(f"{where}: '{field}' takes finite numbers, got '{text}'",
                                 f"type '{field} = 0 0'" if field in vectors else f"type '{field} = 1'"))  # fmt: skip
        elif field in numbers and len(read) > 1:
            wrong.append(Mistake(f"{where}: '{field}' takes one number, got '{text}'"))
        else:
            out[field] = read if field in vectors else read[0]
    said = {item.partition("=")[0].strip().lower() for item in items}
    wrong += [Mistake(f"{where} needs '{field}'", f"type '{field} = …', one number a coordinate")
              for field in vectors if field not in said]  # fmt: skip
    return out


def _takes(known: Sequence[str]) -> str:
    return f"its fields are {', '.join(known)}" if known else "it takes no field"


def _coordinates(name: str, names: Sequence[str], wrong: list[Mistake]) -> tuple[str, ...]:
    """The parameters in the order of the numbers their names end in, which are 1 … d."""
    index = {n: int(m.group()) for n in names if (m := re.search(r"[0-9]{1,9}\Z", n))}
    loose = [n for n in names if n not in index]
    wrong += [Mistake(f"parameter '{n}' does not say which coordinate of '{name}' it is",
                      "let its name end in the coordinate's number, such as x1") for n in loose]  # fmt: skip
    ordered = tuple(sorted(index, key=index.__getitem__))
    if not loose and [index[n] for n in ordered] != list(range(1, len(ordered) + 1)):
        wrong.append(Mistake(f"the parameters {', '.join(ordered)} do not number the coordinates of '{name}' from 1 to "
                             f"{len(ordered)}", "name them x1, x2, … without a gap"))  # fmt: skip
    return ordered if not loose else tuple(names)


def _expression(text: str | None, names: Sequence[str], columns: Columns, wrong: list[Mistake]) -> Target | None:
    if text is None or not text.strip():
        wrong.append(Mistake("objective 'expression' needs the expression itself",
                             "type 'expression = 0.5*((1 - x1)^2 + 100*(x2 - x1^2)^2)'"))  # fmt: skip
        return None
    try:
        said = parse(text)
    except ExpressionError as error:
        wrong.append(Mistake(f"'expression = {text}': {error}"))
        return None
    before = len(wrong)
    wrong += _misnamed(text, said, names, columns)
    if len(wrong) > before:
        return None
    return ExpressionTarget(tuple(n for n in names if n in said.names), said, columns)


def _misnamed(text: str, said: Expression, names: Sequence[str], columns: Columns) -> list[Mistake]:
    known = (*names, *columns)
    also = " nor a column of the data" if columns else ""
    out = [Mistake(f"'expression = …' names '{n}', which is no declared parameter{also}",
                   nearest(n, known) or f"type 'parameter: {n}, prior: <family>, …'")
           for n in sorted(said.names - set(known))]  # fmt: skip
    out += [Mistake(f"'{n}' is a declared parameter and a column of the data", "rename one of them")
            for n in sorted(set(names) & set(columns) & said.names)]  # fmt: skip
    out += [Mistake(f"'{n}' is a constant of mathematics in 'expression = …'", "rename the parameter or column")
            for n in sorted(set(re.findall(r"[A-Za-z_]\w*", text)) & set(CONSTANTS) & set(known))]  # fmt: skip
    if columns and not said.names & set(columns):
        out.append(Mistake("'data = …' is read by nothing: 'expression = …' names no column of it",
                           f"its columns are {', '.join(columns)}; delete the line if no data is meant"))  # fmt: skip
    if not said.names & set(names):
        out.append(Mistake("'expression = …' names no parameter, so there is nothing to fit"))
    return out
