"""What `optimize` is asked for: all that is wrong with it, said at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from bnfhmc.errors import InputError, Mistake, nearest
from bnfhmc.optimizers.backends import BACKENDS, Backend
from bnfhmc.optimizers.objective import Objective
from bnfhmc.optimizers.prior_terms import others_than_rows

Theta = Mapping[str, float] | Sequence[float]
Starts = int | Sequence[Theta] | None

# the least that each number may be
LEAST = {"starts": 1, "max_evaluations": 1, "draws": 1, "random_seed": 0, "cores": 1}


def check(
    objective: Objective, method: str, methods: Sequence[str], options: Any, starts: Any, tolerance: Any, callback: object,
    **numbers: Any,
) -> None:  # fmt: skip
    """Raise InputError for whatever is wrong: `numbers` are the arguments that take whole numbers, None where not given."""
    if method not in BACKENDS:
        hint = nearest(str(method), methods) or f"the methods are {', '.join(methods)}"
        raise InputError(Mistake(f"unknown method '{method}'", hint))
    backend = BACKENDS[method]
    wrong = [*_options(method, backend, options), *_starts(starts)]
    if not (isinstance(tolerance, Real) and float(tolerance) > 0):
        wrong.append(Mistake(f"tolerance = {_shown(tolerance)}", "a number above 0"))
    if callback is not None and not callable(callback):
        wrong.append(Mistake(f"callback = {_shown(callback)}", "a function of one Step"))
    for name, value in numbers.items():
        wrong += _number(name, value)
    if not objective.gives(backend.needs):
        wrong.append(_lacks(objective, method, backend))
    if wrong:
        raise InputError(wrong)
    if backend.is_global:
        _ = objective.box


def how_many(starts: Any) -> int | None:
    """The number of starts; None where points are given, or nothing is."""
    return int(starts) if isinstance(starts, Integral) else None


def _options(method: str, backend: Backend, options: Any) -> list[Mistake]:
    if not isinstance(options, Mapping | None):
        return [Mistake(f"options = {_shown(options)}", "give them by name, {'name': value}")]
    listed = f"it has {', '.join(backend.extra)}" if backend.extra else "it has none"
    return [Mistake(f"method = {method} has no option '{n}'", nearest(n, backend.extra) or listed)
            for n in options or {} if n not in backend.extra]  # fmt: skip


def _starts(starts: Any) -> list[Mistake]:
    if starts is None:
        return []
    if isinstance(starts, Real | str | bytes) or not hasattr(starts, "__len__"):
        return _number("starts", starts, "at least 1, or a list of θ")
    if isinstance(starts, Mapping):
        return [Mistake("starts is one θ, and takes a list of them", "type starts=[{…}]")]
    return [Mistake("starts is empty", "give one θ, or how many")] if len(starts) == 0 else []


def _number(name: str, value: Any, more: str = "") -> list[Mistake]:
    if value is None or (isinstance(value, Integral) and value is not True and int(value) >= LEAST[name]):
        return []
    return [Mistake(f"{name} = {_shown(value)}", more or f"a whole number, at least {LEAST[name]}")]


def _lacks(objective: Objective, method: str, backend: Backend) -> Mistake:
    able = [k for k, b in BACKENDS.items() if objective.gives(b.needs)]
    hint = f"there are {', '.join(able)}"
    if backend.needs != "residuals":
        return Mistake(f"method = {method} needs the {backend.needs} of the loss, which it does not have", hint)
    if objective.loss.least_squares:
        others = ", ".join(f"'{p.name}'" for p in others_than_rows(objective.prior))
        return Mistake(f"method = {method} is least squares, and the prior of {others} is neither normal nor uniform", hint)
    return Mistake(f"method = {method} is least squares, and the loss is no sum of squares (a noise parameter is estimated, or "
                   "the noise is not normal)", hint)  # fmt: skip


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, Real) else repr(value)[:40]
