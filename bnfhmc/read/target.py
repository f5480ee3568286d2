"""Objectives without a model: ``objective = banana, a = 1`` and its kin, ``expression``, and ``callable``."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from bnfhmc.errors import InputError, Mistake
from bnfhmc.noise.target import TARGETS, CallableTarget, Target, load_callable, parse_target
from bnfhmc.read.data import Table, read_table
from bnfhmc.read.lines import Statement
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.parameters import Declared
from bnfhmc.read.record import Conf

OBJECTIVES = (*TARGETS, "expression", "callable")

# key of a line that a target has → the objectives that read it
_OWN = {"expression": ("expression",), "callable": ("callable",), "mode": ("multimodal",),
        "data": ("expression", "callable")}  # fmt: skip
# keys of lines that belong to models and data
_OF_MODELS = ("model", "condition", "experiment", "observable", "mutant", "time_course", "param_scan", "noise_model",
              "noise_location", "neg_bin_r", "normalization", "generate_network", "sbml_rtol", "sbml_atol",
              "wall_time_sim", "sensitivity_fallback", "constraint_scale", "constraint_smoothing", "qualitative_loss",
              "qualitative_scale")  # fmt: skip


def objective_of(conf: Conf) -> Statement | None:
    """The objective, where it is one without a model."""
    s = conf.one("objective", "objfunc")
    return s if s is not None and s.items[0].lower() in OBJECTIVES else None


def refuse_alone(conf: Conf, mistakes: Mistakes) -> None:
    """Lines of a target where the objective is none."""
    for s in conf.statements:
        if s.key in _OWN and (s.form == ":") == (s.key == "mode"):
            which = " or ".join(f"'objective = {o}'" for o in _OWN[s.key])
            mistakes.add(s.line, f"'{s.key}' has no effect without {which}", "delete the line")


def read_target(
    conf: Conf, s: Statement, declared: Mapping[str, Declared], allow_callable: bool, mistakes: Mistakes
) -> Target | None:
    """The target that an objective names; None, and mistakes, where it cannot be made or has a model beside it."""
    name, *fields = s.items
    name = name.lower()
    before = len(mistakes.found)
    for other in conf.statements:
        if other.key in _OF_MODELS:
            mistakes.add(other.line, f"'{other.key}' has no effect beside 'objective = {name}', which needs no model",
                         "delete one of the two")  # fmt: skip
        elif other.key in _OWN and name not in _OWN[other.key]:
            mistakes.add(other.line, f"'{other.key}' has no effect beside 'objective = {name}'", "delete the line")
    tables = _tables(conf, mistakes)
    names = tuple(declared)
    if len(mistakes.found) > before:
        return None
    try:
        if name == "callable":
            return _callable(conf, s, fields, names, tables, allow_callable)
        target = _closed_form(conf, name, fields, names, tables, mistakes)
    except InputError as error:
        _include(conf, s, error, mistakes)
        return None
    for d in declared.values() if target is not None else ():
        if target is not None and d.name not in target.names:
            mistakes.add(d.line, f"parameter '{d.name}' is not in 'expression = …'", "name it there, or delete the line")
    return target


def _closed_form(
    conf: Conf, name: str, fields: list[str], names: tuple[str, ...], tables: Mapping[str, Table], mistakes: Mistakes
) -> Target | None:
    text = conf.one("expression") if name == "expression" else None
    modes = [m.items for m in conf.records("mode")]
    columns = dict.fromkeys(n for t in tables.values() for n in t.names)
    stacked = {
        n: np.concatenate([t.column(n) if n in t.names else np.full(len(t.lines), np.nan) for t in tables.values()])
        for n in columns
    }
    target = parse_target(name, fields, modes, None if text is None else text.value, names, stacked or None)
    read = set(getattr(target, "columns", ()))
    lacking = [(t, n) for t in tables.values() for n in sorted(read - set(t.names))]
    for t, n in lacking:
        mistakes.at(t.path).add(t.header, f"no column '{n}', which 'expression = …' names", "add it, or leave out the file")
    return None if lacking else target


def _callable(
    conf: Conf, s: Statement, fields: list[str], names: tuple[str, ...], tables: Mapping[str, Table], allow: bool
) -> Target:
    said = conf.one("callable")
    if fields:
        raise InputError(Mistake(f"objective 'callable' takes nothing after it, got '{fields[0]}'"))
    if said is None:
        raise InputError(Mistake("objective 'callable' needs the function itself",
                                 "type 'callable = file.py:function' or 'callable = module:function'"))  # fmt: skip
    function = load_callable(said.value, conf.path.parent, allow)
    data = {stem: {n: t.column(n) for n in t.names} for stem, t in tables.items()}
    return CallableTarget(names, function, data or None, said.value)


def _tables(conf: Conf, mistakes: Mistakes) -> dict[str, Table]:
    """The files of ``data = …`` by their stems."""
    out: dict[str, Table] = {}
    s = conf.one("data")
    for text in s.items if s is not None else ():
        if s is None or not text:
            continue
        path = conf.file(text)
        if path.stem in out:
            mistakes.add(s.line, f"two data files are named '{path.stem}'", "a file is known by its name; rename one")
        elif (table := read_table(path, mistakes, s.line, plain=True)) is not None:
            out[path.stem] = table
    return out


def _include(conf: Conf, s: Statement, error: InputError, mistakes: Mistakes) -> None:
    """The mistakes of a target, at the lines they speak of."""
    modes = conf.records("mode")
    for m in error.mistakes:
        line: int | None = s.line
        if mode := re.match(r"multimodal, mode (\d+)", m.what):
            line = modes[int(mode.group(1)) - 1].line
        else:
            own = [key for key in ("expression", "callable", "data") if m.what.startswith((key, f"'{key} = "))]
            said = conf.one(*own) if own else None
            line = said.line if said is not None else line
        mistakes.found.append(m if m.path is not None else Mistake(m.what, m.hint, mistakes.path, line))
