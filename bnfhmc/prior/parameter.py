"""Parameter: a name, a prior in u, the scale that u is on, and a place to start."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bnfhmc.errors import InputError, Mistake, nearest
from bnfhmc.prior.bijector import Bijector, bijector_for
from bnfhmc.prior.density import Prior
from bnfhmc.prior.families import FAMILIES
from bnfhmc.prior.interval import Uniform
from bnfhmc.prior.scale import LIN, SCALES, Scale
from bnfhmc.prior.truncated import Truncated

Say = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One free parameter: θ = scale⁻¹(u) with u distributed as `prior`.

    name: the parameter's id in the model.
    prior: a density in u, its fields floats.
    scale: the map between θ and u.
    initial: θ to start from, in the parameter's own unit; None leaves the start to the prior.
    start: the density in u that random starts are drawn from, on a support within the prior's; None is the prior itself.
    unit, description: of θ, in the words of the file; empty where it has none.
    """

    name: str
    prior: Prior
    scale: Scale = LIN
    initial: float | None = None
    start: Prior | None = None
    unit: str = ""
    description: str = ""

    @property
    def support(self) -> tuple[float, float]:
        """The ends of the prior's support, in u."""
        lo, hi = self.prior.support
        return float(lo), float(hi)

    @property
    def bijector(self) -> Bijector:
        """The map from z onto the open support."""
        return bijector_for(self.support)

    @property
    def theta_bounds(self) -> tuple[float, float]:
        """The ends of the prior's support, in θ."""
        lo, hi = self.support
        return float(self.scale.theta_from_u(lo)), float(self.scale.theta_from_u(hi))

    def quantile(self, q: float) -> float:
        """The θ below which the prior has the mass q in [0, 1]."""
        return float(self.scale.theta_from_u(self.prior.ppf(q)))


def make_parameter(
    name: str,
    family: str | None,
    fields: Mapping[str, float],
    scale: str,
    lower: float | None = None,
    upper: float | None = None,
    initial: float | None = None,
    start: Prior | None = None,
) -> Parameter:
    """The Parameter that a configuration's words and numbers describe.

    family: a key of FAMILIES; None with both bounds is uniform on the scale.
    fields: the family's own, in u. A uniform prior's are in θ and default to the bounds.
    scale: a key of SCALES.
    lower, upper: bounds in θ. They truncate the prior, in u; None, ∓inf or the end of the scale's domain leave
        that side open.
    initial: in θ, within the bounds and the support.
    start: the density in u that random starts are drawn from.

    Raises InputError with every mistake found, each without file and line.
    """
    wrong: list[Mistake] = []

    def say(what: str, hint: str) -> None:
        wrong.append(Mistake(f"parameter '{name}': {what}", hint))

    found_scale = _find_scale(scale, say)
    found_family = _find_family(family, lower, upper, say)
    if found_family is not None:
        _check_fields(found_family, fields, say)
    if found_scale is not None:
        _check_bounds(found_scale, lower, upper, say)
    prior: Prior | None = None
    if found_scale is not None and found_family is not None and not wrong:
        if found_family == "uniform":
            prior = _uniform(found_scale, fields, lower, upper, say)
        else:
            prior = _truncated(FAMILIES[found_family](**fields), found_scale, lower, upper, say)
    if initial is not None and found_scale is not None:
        _check_initial(initial, found_scale, prior if not wrong else None, say)
    for sentence in start.check() if start is not None else ():
        say(f"the density of its starts: {sentence}", "")
    if wrong or prior is None or found_scale is None:
        raise InputError(wrong)
    return Parameter(name, prior, found_scale, None if initial is None else float(initial), start)


def _find_scale(scale: str, say: Say) -> Scale | None:
    found = SCALES.get(scale.lower())
    if found is None and scale.lower() == "log":
        say("the scale 'log' names no base", "type 'ln' (natural) or 'log10'")
    elif found is None:
        say(f"unknown scale '{scale}'", nearest(scale, SCALES) or f"the scales are {', '.join(SCALES)}")
    return found


def _find_family(family: str | None, lower: float | None, upper: float | None, say: Say) -> str | None:
    if family is None:
        if lower is not None and upper is not None:
            return "uniform"
        say("has neither a prior nor both bounds", "give it a prior, or lower and upper for a uniform one")
        return None
    if family.lower() not in FAMILIES:
        hint = nearest(family, FAMILIES) or f"the families are {', '.join(FAMILIES)}"
        say(f"unknown prior family '{family}'", hint)
        return None
    return family.lower()


def _check_fields(family: str, fields: Mapping[str, float], say: Say) -> None:
    names = list(inspect.signature(FAMILIES[family]).parameters)
    takes = f"{family} takes {', '.join(names)}"
    unknown = [f for f in fields if f not in names]
    # A uniform prior has its fields from the bounds where they are not given.
    missing = [] if family == "uniform" else [f for f in names if f not in fields]
    for field in unknown:
        close = nearest(field, names)
        say(f"{family} has no field '{field}'", f"{close} {takes}" if close else takes)
    for field in missing:
        say(f"{family} needs the field '{field}'", takes)
    if family != "uniform" and not unknown and not missing:
        for sentence in FAMILIES[family](**fields).check():
            say(sentence, "")


def _check_bounds(scale: Scale, lower: float | None, upper: float | None, say: Say) -> None:
    start, end = scale.domain
    for word, bound, open_side in (("lower", lower, -math.inf), ("upper", upper, math.inf)):
        if bound is None or bound == open_side:
            continue
        if math.isnan(bound) or math.isinf(bound):
            say(f"{word} must be a number, got {bound:g}", f"for an open side type {word}: {open_side:g}")
        elif not start <= bound <= end or bound == (end if word == "lower" else start):
            say(f"{word} must be {_within(scale)} on the {scale.name} scale, got {bound:g}",
                "bounds are values of the parameter, not of its logarithm")
    if lower is not None and upper is not None and math.isfinite(lower + upper) and lower >= upper:
        say(f"lower must be < upper, got {lower:g} and {upper:g}", "")


def _within(scale: Scale) -> str:
    start, end = scale.domain
    return f"> {start:g}" if end == math.inf else f"between {start:g} and {end:g}"


def _uniform(
    scale: Scale, fields: Mapping[str, float], lower: float | None, upper: float | None, say: Say
) -> Prior | None:
    lows = [b for b in (fields.get("lower"), lower) if b is not None]
    highs = [b for b in (fields.get("upper"), upper) if b is not None]
    lo = float(scale.u_from_theta(max(lows))) if lows else -math.inf
    hi = float(scale.u_from_theta(min(highs))) if highs else math.inf
    for word, given, end in (("lower", lows, lo), ("upper", highs, hi)):
        if not given:
            say(f"a uniform prior needs {word}", f"give it {word}: <number>")
        elif not math.isfinite(end):
            value = (max if word == "lower" else min)(given)
            say(f"a uniform prior needs a finite {word}{_where_finite(scale)}, got {value:g}",
                f"give it another {word}, or another prior family")
    if not (math.isfinite(lo) and math.isfinite(hi)):
        return None
    prior = Uniform(lo, hi)
    if prior.check():
        say(f"no interval is left between lower {max(lows):g} and upper {min(highs):g}", "lower must be < upper")
    return prior


def _where_finite(scale: Scale) -> str:
    return "" if scale is LIN else f" {_within(scale)} on the {scale.name} scale"


def _truncated(prior: Prior, scale: Scale, lower: float | None, upper: float | None, say: Say) -> Prior:
    lo = -math.inf if lower is None or lower <= scale.domain[0] else float(scale.u_from_theta(lower))
    hi = math.inf if upper is None or upper >= scale.domain[1] else float(scale.u_from_theta(upper))
    inner_lo, inner_hi = prior.support
    if lo <= inner_lo and hi >= inner_hi:
        return prior
    cut = Truncated(prior, lo, hi)
    for sentence in cut.check():
        say(f"{sentence}: u = {scale.name}(θ) in [{lo:g}, {hi:g}]",
            f"the family's location and scale are in u, its central 98 % of mass is in "
            f"[{float(prior.ppf(0.01)):g}, {float(prior.isf(0.01)):g}]")
    return cut


def _check_initial(initial: float, scale: Scale, prior: Prior | None, say: Say) -> None:
    start, end = scale.domain
    if not math.isfinite(initial):
        say(f"the initial value must be finite, got {initial:g}", "")
    elif not start < initial < end:
        say(f"the initial value must be {_within(scale)} on the {scale.name} scale, got {initial:g}",
            "it is a value of the parameter, not of its logarithm")
    elif prior is not None:
        lo, hi = prior.support
        if not lo <= scale.u_from_theta(initial) <= hi:
            a, b = (float(np.asarray(scale.theta_from_u(x))) for x in (lo, hi))
            say(f"the initial value {initial:g} lies outside of [{a:g}, {b:g}], where its prior has its mass",
                "choose one inside, or widen the bounds")
