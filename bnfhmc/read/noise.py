"""Objectives and noise models as written → a family and the origin of each of its parameters.

PyBNF's conventions (1.8.1): ``relative [cv]`` is σ = cv·|ỹ|; ``column_mean`` is σ = the mean of the observable's
column in the experiment; ``location`` defaults to the median. Its edition 1 leaves out the ½ of sos, norm_sos and
ave_norm_sos, which is a σ smaller by √½, and takes the mean for neg_bin and neg_bin_dynamic.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal, cast

import numpy as np

from bnfhmc.errors import nearest
from bnfhmc.expression import CONSTANTS, Expression, ExpressionError, Name, expression, parse
from bnfhmc.noise import NOISE_FAMILIES, NoiseModel
from bnfhmc.read.keys import LATER
from bnfhmc.read.lines import Statement, finite
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.record import Conf

Location = Literal["median", "mean"]

# family → the verbs its parameters may have
VERBS = {
    "normal": ("fix_at", "read_exp_file", "fit", "formula", "relative", "column_mean"),
    "gaussian": ("fix_at", "read_exp_file", "fit", "formula", "relative", "column_mean"),
    "neg_bin": ("fix_at", "read_exp_file", "fit", "formula"),
}
OTHER_VERBS = ("prediction_formula",)
OTHER_FAMILIES = ("lognormal", "lnnormal", "laplace", "student_t")

# objective → family, noise parameter, verb, argument; `least` marks those without the ½ in edition 1
OBJECTIVES = {
    "sos": ("normal", "sigma", "fix_at", "1"),
    "chi_sq": ("normal", "sigma", "read_exp_file", "_SD"),
    "chi_sq_dynamic": ("normal", "sigma", "fit", "sigma__FREE"),
    "norm_sos": ("normal", "sigma", "relative", ""),
    "ave_norm_sos": ("normal", "sigma", "column_mean", ""),
    "neg_bin": ("neg_bin", "dispersion", "fix_at", "24"),
    "neg_bin_dynamic": ("neg_bin", "dispersion", "fit", "r__FREE"),
}
WITHOUT_HALF = ("sos", "norm_sos", "ave_norm_sos")
OTHER_OBJECTIVES = ("lognormal", "lnnormal", "laplace", "sod", "kl", "wasserstein", "score", "direct_pass",
                    "expression", "callable", "banana", "gaussian", "rotated_gaussian", "rotated_quartic",
                    "multimodal")  # fmt: skip


def _family(word: str, location: str) -> NoiseModel:
    return NOISE_FAMILIES[word](location=cast(Location, location))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a noise parameter comes from: a verb, the text after it, and the number or expression that the text is."""

    verb: str
    text: str
    value: float = 1.0
    expression: Expression | None = None


@dataclass(frozen=True, slots=True)
class Spec:
    """A noise model as a configuration words it; ``origins`` by noise parameter."""

    line: int | None
    family: str
    model: NoiseModel
    origins: Mapping[str, Origin]

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Suffixes of the data columns it reads."""
        return tuple(o.text for o in self.origins.values() if o.verb == "read_exp_file")

    @property
    def names(self) -> frozenset[str]:
        """The free parameters it names."""
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
        return self.own.get(observable, self.default)


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
        later = f"objective '{word}' {LATER}" if word in OTHER_OBJECTIVES else f"unknown objective '{word}'"
        close = "" if word in OTHER_OBJECTIVES else nearest(word, OBJECTIVES)
        mistakes.add(line, later, f"{close} {known}".strip())
        return None
    if s is not None and len(s.items) > 1:
        mistakes.add(line, f"objective '{word}' takes nothing after it, got '{s.items[1]}'", f"type '{s.key} = {word}'")
    family, parameter, verb, text = OBJECTIVES[word]
    if word == "neg_bin" and r is not None:
        text, line = r.value, r.line
    origin = _origin(line, family, parameter, f"{verb} {text}", declared, mistakes)
    if origin is None:
        return None
    if conf.edition == 1 and word in WITHOUT_HALF:
        origin = Origin(origin.verb, origin.text, float(np.sqrt(0.5)) * origin.value)
    location = "mean" if conf.edition == 1 and family == "neg_bin" else "median"
    return Spec(line, family, _family(family, location), {parameter: origin})


def _relocated(conf: Conf, default: Spec | None, mistakes: Mistakes) -> Spec | None:
    """The default noise model with ``noise_location``, which leaves an observable's own noise_model alone."""
    s = conf.one("noise_location")
    if s is None:
        return default
    if s.value.lower() not in ("mean", "median"):
        mistakes.add(s.line, f"unknown noise_location '{s.value}'", "type 'noise_location = mean' or '= median'")
        return default
    return default and replace(default, model=_family(default.family, s.value.lower()))


def _spec(s: Statement, declared: Collection[str], mistakes: Mistakes) -> Spec | None:
    family, *items = s.items
    family = family.lower()
    if family not in VERBS:
        known = f"known are {', '.join(VERBS)}"
        later = f"noise family '{family}' {LATER}" if family in OTHER_FAMILIES else f"unknown noise family '{family}'"
        close = "" if family in OTHER_FAMILIES else nearest(family, VERBS)
        mistakes.add(s.line, later, f"{close} {known}".strip())
        return None
    before = len(mistakes.found)
    wants = _family(family, "median").parameters
    location, origins = "median", dict[str, Origin]()
    for item in items:
        name, _, rest = (part.strip() for part in item.partition("="))
        name = name.lower()
        if name in ("cumulative", "time_error", "sigma_t"):
            mistakes.add(s.line, f"'{name}' in a noise_model {LATER}")
        elif name == "location" and rest.lower() in ("mean", "median"):
            location = rest.lower()
        elif name == "location":
            mistakes.add(s.line, f"unknown location '{rest}'", "type 'location = mean' or 'location = median'")
        elif name not in wants:
            hint = nearest(name, (*wants, "location")) or f"{family} takes {', '.join(wants)} and location"
            mistakes.add(s.line, f"{family} has no noise parameter '{name}'", hint)
        elif name in origins:
            mistakes.add(s.line, f"'{name}' is given twice", "keep one")
        elif (origin := _origin(s.line, family, name, rest, declared, mistakes)) is not None:
            origins[name] = origin
    model = _family(family, location)
    missing = [n for n in wants if n not in origins and n not in model.defaults]
    if len(mistakes.found) == before and missing:
        hint = f"type '{missing[0]} = fit <parameter>' or '{missing[0]} = fix_at <number>'"
        mistakes.add(s.line, f"{family} needs {' and '.join(missing)}", hint)
    return Spec(s.line, family, model, origins) if len(mistakes.found) == before else None


def _origin(
    line: int | None, family: str, parameter: str, words: str, declared: Collection[str], mistakes: Mistakes
) -> Origin | None:
    """Read ``<verb> [argument]``."""
    verb, _, text = words.partition(" ")
    verb, text = verb.lower(), text.strip()
    number = finite(text)
    if verb not in VERBS[family]:
        _say_unknown_verb(line, family, parameter, words, declared, mistakes)
    elif verb in ("fix_at", "relative") and (text or verb == "fix_at"):
        if number is not None and number > 0:
            return Origin(verb, text, number)
        mistakes.add(line, f"'{parameter} = {verb}' takes a positive number, got '{text}'")
    elif verb in ("relative", "column_mean"):
        if not text:
            return Origin(verb, text)
        mistakes.add(line, f"'{parameter} = column_mean' takes nothing after it, got '{text}'")
    elif not text:
        after = {"fit": "<parameter>", "formula": "<expression>", "read_exp_file": "<suffix>"}[verb]
        mistakes.add(line, f"'{parameter} = {verb}' is not complete", f"type '{parameter} = {verb} {after}'")
    elif verb == "read_exp_file":
        return Origin(verb, text)
    elif verb == "fit":
        if text in declared:
            return Origin(verb, text, expression=expression(Name(text)))
        mistakes.add(line, f"'{text}', to be fitted as the {parameter} of {family}, is no declared parameter",
                     nearest(text, declared) or f"type 'parameter: {text}, prior: <family>, …'")  # fmt: skip
    else:
        return _formula(line, parameter, text, declared, mistakes)
    return None


def _formula(
    line: int | None, parameter: str, text: str, declared: Collection[str], mistakes: Mistakes
) -> Origin | None:
    try:
        said = parse(text)
    except ExpressionError as error:
        mistakes.add(line, f"'{parameter} = formula {text}': {error}")
        return None
    for name in sorted(said.names - set(declared)):
        mistakes.add(line, f"'{parameter} = formula {text}' names '{name}', which is no declared parameter",
                     nearest(name, declared) or f"type 'parameter: {name}, prior: <family>, …'")  # fmt: skip
    for name in sorted(set(re.findall(r"[A-Za-z_]\w*", text)) & set(CONSTANTS) & set(declared)):
        mistakes.add(line, f"'{parameter} = formula {text}': '{name}' is a constant, and a declared parameter",
                     "give the parameter another name")  # fmt: skip
    if said.constant is not None and not 0 < said.constant < np.inf:
        mistakes.add(line, f"'{parameter} = formula {text}' is {said.constant:g}, which is not positive")
    return Origin("formula", text, expression=said)


def _say_unknown_verb(
    line: int | None, family: str, parameter: str, words: str, declared: Collection[str], mistakes: Mistakes
) -> None:
    verb = words.split(" ")[0]
    known = f"type one of {', '.join(VERBS[family])}"
    if verb.lower() in OTHER_VERBS or verb.lower() in VERBS["normal"]:
        mistakes.add(line, f"'{parameter} = {verb}' of {family} {LATER}", known)
    elif finite(words) is not None:
        mistakes.add(line, f"'{parameter} = {words}' has no verb", f"type '{parameter} = fix_at {words}'")
    elif words in declared:
        mistakes.add(line, f"'{parameter} = {words}' has no verb", f"type '{parameter} = fit {words}'")
    else:
        hint = f"{nearest(verb, VERBS[family])} {known}".strip()
        mistakes.add(line, f"'{parameter} = {words}': unknown verb '{verb}'", hint)
