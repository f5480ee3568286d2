"""How to optimize, from a configuration's keys; and keys of one kind of method beside a method of the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

from pydantic import ValidationError

from bnfhmc.errors import nearest
from bnfhmc.problem import Optimization, Optimizer
from bnfhmc.read.keys import METHODS, OPTIMIZATION, OPTION_WORDS, OPTIONS
from bnfhmc.read.lines import Statement, finite, whole
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.record import Conf

PROFILES = "profile_likelihood"
OPTIMIZERS = frozenset(get_args(Optimizer))
SAMPLERS = frozenset(METHODS.values()) - OPTIMIZERS

# Settings that say something to samplers alone. The number of chains is the number of starts of an optimizer.
OF_SAMPLERS = ("num_warmup", "num_samples", "target_accept", "engine", "metric", "max_tree_depth", "path_length", "accept_by",
               "warmup_from", "time_limit", "checkpoint_interval")  # fmt: skip
OF_PROFILES = ("profile_likelihood_params", "profile_likelihood_confidence")


def refuse_misplaced(conf: Conf, methods: Sequence[str], said: Mapping[str, Statement], mistakes: Mistakes) -> None:
    """Say which keys have no effect on the methods that run."""
    named = ", ".join(methods)
    if not SAMPLERS & set(methods):
        for name in OF_SAMPLERS:
            if name in said:
                s = said[name]
                mistakes.add(s.line, f"'{s.key}' has no effect on fit_type = {named}, which draws no samples",
                             f"delete the line, or type 'fit_type = {named}, nuts'")  # fmt: skip
    start = said.get("start")
    optimizes = bool(OPTIMIZERS & set(methods)) or start is None or start.value.lower() == "map"
    for key in OPTIMIZATION:
        for s in conf.assigned(key):
            if not optimizes:
                mistakes.add(s.line, f"'{key}' has no effect on fit_type = {named} without 'start = map'",
                             "add that line, or delete this one")  # fmt: skip
            elif key in OF_PROFILES and PROFILES not in methods:
                mistakes.add(s.line, f"'{key}' has no effect without 'fit_type = {PROFILES}'", "delete the line")
    for method, keys in OPTIONS.items():
        for key in keys.values():
            for s in conf.assigned(key):
                if method not in methods:
                    mistakes.add(s.line, f"'{key}' has no effect without 'fit_type = {method}'", "delete the line")


def read_optimization(conf: Conf, methods: Sequence[str], mistakes: Mistakes) -> Optimization:
    """The optimization that a configuration asks for; the defaults where something is wrong with it."""
    values: dict[str, object] = {}
    said: dict[str, Statement] = {}
    for key, (name, kind) in OPTIMIZATION.items():
        statements = conf.assigned(key)
        if not statements:
            continue
        value = _value(kind, statements, mistakes)
        if value is not None:
            values[name], said[name] = value, statements[0]
    if "starts" not in said and (s := conf.one("population_size")) is not None and OPTIMIZERS & set(methods[:1]):
        values["starts"] = whole(s.value)
        said["starts"] = s
    values["options"] = _options(conf, methods, mistakes)
    try:
        return Optimization.model_validate(values)
    except ValidationError as error:
        for e in error.errors():
            s = said[str(e["loc"][0])]
            mistakes.add(s.line, f"'{s.key} = {s.value}': {e['msg'].replace('Input should', 'it should')}")
        return Optimization()


def _value(kind: str, statements: Sequence[Statement], mistakes: Mistakes) -> object:
    if kind == "bounds":
        return _bounds(statements, mistakes)
    s = statements[0]
    if kind == "names":
        return tuple(item for item in s.items if item)
    value = whole(s.value) if kind == "whole number" else finite(s.value)
    if value is None:
        mistakes.add(s.line, f"'{s.key}' takes a {kind}, got '{s.value}'")
    return value


def _bounds(statements: Sequence[Statement], mistakes: Mistakes) -> dict[str, tuple[float, float]]:
    """``search_space = <parameter> <lower> <upper>``, in the parameter's own unit."""
    found: dict[str, tuple[float, float]] = {}
    for s in statements:
        name, *ends = s.value.split()
        numbers = [finite(end) for end in ends]
        if len(numbers) != 2 or None in numbers:
            mistakes.add(s.line, f"'search_space' takes a parameter and its two bounds, got '{s.value}'",
                         "type 'search_space = <parameter> <lower> <upper>'")  # fmt: skip
        elif name in found:
            mistakes.add(s.line, f"'{name}' has another search_space", "keep one")
        else:
            found[name] = (float(numbers[0] or 0.0), float(numbers[1] or 0.0))
    return found


def check_names(conf: Conf, optimization: Optimization, names: Sequence[str], mistakes: Mistakes) -> None:
    """Say which names of search_space and of the profiles are no parameters."""
    for s in conf.assigned("search_space"):
        name = s.value.split()[0]
        if name in optimization.search_space and name not in names:
            mistakes.add(s.line, f"search_space of '{name}', which is no declared parameter", nearest(name, names))
    for s in conf.assigned("profile_likelihood_params"):
        for name in optimization.profiled or ():
            if name not in names:
                mistakes.add(s.line, f"'{name}' is no declared parameter", nearest(name, names))


def _options(conf: Conf, methods: Sequence[str], mistakes: Mistakes) -> dict[str, dict[str, int | float | str]]:
    """The methods' own options."""
    found: dict[str, dict[str, int | float | str]] = {}
    for method in methods:
        for option, key in OPTIONS.get(method, {}).items():
            if (s := conf.one(key)) is None:
                continue
            value = s.value if key in OPTION_WORDS else whole(s.value) if whole(s.value) is not None else finite(s.value)
            if value is None:
                mistakes.add(s.line, f"'{key}' takes a number, got '{s.value}'")
            else:
                found.setdefault(method, {})[option] = value
    return found
