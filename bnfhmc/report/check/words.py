"""Parts of a problem in the words of a configuration, and durations in those of a person."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields

import numpy as np

from bnfhmc.noise import NOISE_FAMILIES, Constant, NoiseModel, Source
from bnfhmc.noise.transform import TRANSFORMS, Floor, Increments, SeriesScale, Transform
from bnfhmc.prior import FAMILIES, Prior
from bnfhmc.problem import Perturbation

CHANGES = {"=": "set to", "*": "times", "/": "divided by", "+": "plus", "-": "minus"}
_PRIORS: dict[type, str] = {family: word for word, family in FAMILIES.items()}
_TRANSFORMS: dict[type, str] = {kind: word for word, kind in TRANSFORMS.items()}
# The unit of a duration, in seconds, with the first number of seconds that a larger one says better.
_UNITS = ((1.0, 90.0, "second"), (60.0, 5400.0, "minute"), (3600.0, 129600.0, "hour"), (86400.0, np.inf, "day"))


def family_of(prior: Prior) -> str:
    """The prior family's word, or its class's name where a configuration has none."""
    return _PRIORS.get(type(prior), type(prior).__name__)


def perturbation(p: Perturbation) -> str:
    """``k1 set to 0``."""
    return f"{p.target} {CHANGES[p.op]} {p.value.text}"


def noise_word(model: NoiseModel) -> str:
    """``neg_bin``: the first word of a configuration for the family, or its class's name where there is none."""
    return next((word for word, kind in NOISE_FAMILIES.items() if kind is type(model)), type(model).__name__)


def noise(model: NoiseModel) -> str:
    """``neg_bin, location mean``."""
    own = [f"{f.name} {getattr(model, f.name)}" for f in fields(model)]  # type: ignore[arg-type]
    return ", ".join([noise_word(model), *own])


def source(value: Source, free: Collection[str]) -> tuple[str, str]:
    """Where a noise parameter comes from, and its value or formula."""
    if isinstance(value, Constant):
        known = np.atleast_1d(np.asarray(value.values, dtype=float))
        lo, hi = float(known.min(initial=np.inf)), float(known.max(initial=-np.inf))
        return ("known", f"{lo:g}") if lo == hi or not known.size else ("by measurement", f"{lo:g} to {hi:g}")
    if not value.expression.names <= set(free):
        return "formula of the prediction", value.expression.text
    return "estimated" if value.is_one_parameter else "formula", value.expression.text


def transform(t: Transform) -> str:
    """The word of a ``normalization``, with its number."""
    if isinstance(t, Increments):
        return "cumulative"
    word = _TRANSFORMS.get(type(t), type(t).__name__)
    more = f" {t.rho:g}" if isinstance(t, Floor) else f" ({t.space})" if isinstance(t, SeriesScale) else ""
    return f"{word}{more}"


def many(count: int, what: str) -> str:
    """``1 draw``, ``2 draws``."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def duration(seconds: float) -> str:
    """``40 seconds``, ``3 minutes``, ``2 hours``."""
    size, _, unit = next(u for u in _UNITS if seconds < u[1])
    return many(max(1, round(seconds / size)), unit)


def price(seconds: float | None) -> str:
    """Seconds of a solve, in the unit that suits them."""
    if seconds is None:
        return ""
    return f"{seconds:.3g} s" if seconds >= 1.0 else f"{1e3 * seconds:.3g} ms"
