"""Objectives and noise models as written → a family and the origin of each of its parameters.

PyBNF's conventions (1.8.1): ``location`` defaults to the median. Its edition 1 leaves out the ½ of sos, norm_sos and
ave_norm_sos, which is a σ smaller by √½, takes the mean for neg_bin and neg_bin_dynamic, and under neg_bin_dynamic
takes an output with ``_Cum`` in its name for a cumulative count.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from bnfhmc.errors import InputError, nearest
from bnfhmc.noise import NOISE_FAMILIES, NoiseModel
from bnfhmc.read.lines import Statement
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.origins import Origin, read_origin
from bnfhmc.read.record import Conf

# objective → family, noise parameter, verb, argument; those WITHOUT_HALF leave out the ½ in edition 1
OBJECTIVES = {
    "sos": ("normal", "sigma", "fix_at", "1"),
    "chi_sq": ("normal", "sigma", "read_exp_file", "_SD"),
    "chi_sq_dynamic": ("normal", "sigma", "fit", "sigma__FREE"),
    "norm_sos": ("normal", "sigma", "relative", ""),
    "ave_norm_sos": ("normal", "sigma", "column_mean", ""),
    "lognormal": ("lognormal", "sigma", "read_exp_file", "_SD"),
    "lnnormal": ("lnnormal", "sigma", "read_exp_file", "_SD"),
    "laplace": ("laplace", "scale", "fit", "b__FREE"),
    "sod": ("laplace", "scale", "fix_at", "1"),
    "neg_bin": ("neg_bin", "dispersion", "fix_at", "24"),
    "neg_bin_dynamic": ("neg_bin", "dispersion", "fit", "r__FREE"),
}
WITHOUT_HALF = ("sos", "norm_sos", "ave_norm_sos")
NO_LIKELIHOOD = {
    "kl": "compares the shapes of columns", "wasserstein": "compares the shapes of columns",
    "score": "takes a simulated column for a loss", "direct_pass": "takes a simulated column for a loss",
}  # fmt: skip
_UNCERTAIN_TIMES = ("time_error", "sigma_t")


def _family(word: str, location: str | None) -> NoiseModel:
    """The family; with its own default location where none is said."""
    return NOISE_FAMILIES[word]() if location is None else NOISE_FAMILIES[word](location=location)


@dataclass(frozen=True, slots=True)
class Spec:
    """A noise model as a configuration words it; ``origins`` by noise parameter; ``cumulative``: of cumulative counts."""

    line: int | None
    family: str
    model: NoiseModel
    origins: Mapping[str, Origin]
    cumulative: bool = False

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Suffixes of the data columns it reads."""
        return tuple(o.text for o in self.origins.values() if o.verb == "read_exp_file")

    @property
    def names(self) -> frozenset[str]:
        """The names in its formulas: free parameters, and what a prediction_formula reads of the model."""
        return frozenset().union(*(o.expression.names for o in self.origins.values() if o.expression is not None))


@dataclass(frozen=True, slots=True)
class Specs:
    """The noise model of each observable: its own, or the default; None where none is given."""

    default: Spec | None
    own: Mapping[str, Spec]
    own_lines: Mapping[str, int]
    cum_is_cumulative: bool = False

    @property
    def all(self) -> tuple[Spec, ...]:
        """The default and every observable's own."""
        return (*(() if self.default is None else (self.default,)), *self.own.values())

    def of(self, observable: str) -> Spec | None:
        """The noise model of an observable."""
        spec = self.own.get(observable, self.default)
        if spec is not None and self.cum_is_cumulative and "_Cum" in observable:
            return replace(spec, cumulative=True)
        return spec


def read_noise(conf: Conf, declared: Collection[str], mistakes: Mistakes) -> Specs:
    """The noise models of a configuration; `declared` are the free parameters."""
    lines = conf.assigned("noise_model")
    own: dict[str, Spec] = {}
    seen: dict[str, int] = {}
    for s in lines:
        if s.subject in seen:
            whose = f"of '{s.subject}'" if s.subject else "of the whole fit"
            mistakes.add(s.line, f"another noise_model {whose}, first on line {seen[s.subject]}", "keep one")
            continue
        seen[s.subject] = s.line
        spec = _spec(s, declared, mistakes)
        if spec is not None:
            own[s.subject] = spec
    objective = conf.one("objective", "objfunc")
    whole = next((s for s in lines if not s.subject), None)
    if objective is not None and whole is not None:
        other = f"'{objective.key} = {objective.value}' (line {objective.line})"
        mistakes.add(whole.line, f"noise_model and {other} both say how all measurements scatter", "keep one of them")
    default = own.pop("", None) if whole is not None else _objective(conf, objective, declared, mistakes)
    default = _relocated(conf, default, mistakes)
    lines_of = {name: line for name, line in seen.items() if name}
    cumulative = conf.edition == 1 and objective is not None and objective.value.lower() == "neg_bin_dynamic"
    return Specs(default, own, lines_of, cumulative)


def _objective(conf: Conf, s: Statement | None, declared: Collection[str], mistakes: Mistakes) -> Spec | None:
    word = s.items[0].lower() if s is not None else "chi_sq"
    if s is None and conf.edition > 1:
        return None
    line = s.line if s is not None else None
    r = conf.one("neg_bin_r")
    if r is not None and word != "neg_bin":
        mistakes.add(r.line, "'neg_bin_r' has no effect without 'objective = neg_bin'", "delete the line")
    if word not in OBJECTIVES:
        known = f"known are {', '.join(OBJECTIVES)}"
        if word in NO_LIKELIHOOD:
            mistakes.add(line, f"objective '{word}' {NO_LIKELIHOOD[word]}, and is no likelihood of measurements", known)
        else:
            mistakes.add(line, f"unknown objective '{word}'", f"{nearest(word, OBJECTIVES)} {known}".strip())
        return None
    if s is not None and len(s.items) > 1:
        mistakes.add(line, f"objective '{word}' takes nothing after it, got '{s.items[1]}'", f"type '{s.key} = {word}'")
    family, parameter, verb, text = OBJECTIVES[word]
    if word == "neg_bin" and r is not None:
        text, line = r.value, r.line
    origin = read_origin(line, family, parameter, f"{verb} {text}", declared, mistakes)
    if origin is None:
        return None
    if conf.edition == 1 and word in WITHOUT_HALF:
        origin = Origin(origin.verb, origin.text, float(np.sqrt(0.5)) * origin.value)
    location = "mean" if conf.edition == 1 and family == "neg_bin" else None
    return Spec(line, family, _family(family, location), {parameter: origin})


def _relocated(conf: Conf, default: Spec | None, mistakes: Mistakes) -> Spec | None:
    """The default noise model with ``noise_location``, which leaves an observable's own noise_model alone."""
    s = conf.one("noise_location")
    if s is None:
        return default
    if s.value.lower() not in ("mean", "median"):
        mistakes.add(s.line, f"unknown noise_location '{s.value}'", "type 'noise_location = mean' or '= median'")
        return default
    try:
        return default and replace(default, model=_family(default.family, s.value.lower()))
    except InputError as error:
        mistakes.include(error, s.line)
        return default


def _spec(s: Statement, declared: Collection[str], mistakes: Mistakes) -> Spec | None:
    family, *items = s.items
    family = family.lower()
    if family not in NOISE_FAMILIES:
        known = f"known are {', '.join(NOISE_FAMILIES)}"
        mistakes.add(s.line, f"unknown noise family '{family}'", f"{nearest(family, NOISE_FAMILIES)} {known}".strip())
        return None
    before = len(mistakes.found)
    default = _family(family, None)
    location: str | None = None
    cumulative = False
    origins = dict[str, Origin]()
    for item in items:
        name, equals, rest = (part.strip() for part in item.partition("="))
        name = name.lower()
        if name == "cumulative" and not equals:
            cumulative = True
            if not s.subject:
                mistakes.add(s.line, "'cumulative' for all observables at once",
                             f"type 'noise_model <observable> = {s.value}'")  # fmt: skip
        elif name == "location" and rest.lower() in ("mean", "median"):
            location = rest.lower()
        elif name in default.parameters and name not in origins:
            if (origin := read_origin(s.line, family, name, rest, declared, mistakes)) is not None:
                origins[name] = origin
        else:
            mistakes.add(s.line, *_wrong_item(family, name, rest, default.parameters))
    try:
        model = _family(family, location)
    except InputError as error:
        mistakes.include(error, s.line)
        return None
    missing = [n for n in model.parameters if n not in origins and n not in model.defaults]
    if len(mistakes.found) == before and missing:
        fit = "" if missing[0] == "trials" else f"'{missing[0]} = fit <parameter>' or "
        mistakes.add(s.line, f"{family} needs {' and '.join(missing)}", f"type {fit}'{missing[0]} = fix_at <number>'")
    return Spec(s.line, family, model, origins, cumulative) if len(mistakes.found) == before else None


def _wrong_item(family: str, name: str, rest: str, wants: tuple[str, ...]) -> tuple[str, str]:
    """What is wrong with an item of a noise_model, and what to type."""
    if name in _UNCERTAIN_TIMES:
        return (f"'{name}' in a noise_model (times of measurement that are uncertain) is not supported",
                "take the times for exact, and delete it")  # fmt: skip
    if name == "location":
        return f"unknown location '{rest}'", "type 'location = mean' or 'location = median'"
    if name == "cumulative":
        return f"'cumulative' takes nothing after it, got '{rest}'", "type 'cumulative'"
    if name in wants:
        return f"'{name}' is given twice", "keep one"
    takes = f"{family} takes {' and '.join(filter(None, (', '.join(wants), 'location')))}"
    return f"{family} has no noise parameter '{name}'", nearest(name, (*wants, "location", "cumulative")) or takes
