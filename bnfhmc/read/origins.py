"""Where a noise parameter comes from, as a configuration words it: ``<verb> [argument]``.

PyBNF's conventions (1.8.1): ``relative [cv]`` is σ = cv·|ỹ|; ``column_mean`` is σ = the mean of the observable's column
in the experiment; ``prediction_formula`` may read outputs of the model, which ``formula`` may not.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from bnfhmc.errors import nearest
from bnfhmc.expression import Expression, Name, expression
from bnfhmc.read.formulas import placeholders, read_formula
from bnfhmc.read.lines import finite
from bnfhmc.read.mistakes import Mistakes

_KNOWN = ("fix_at", "read_exp_file")
_FORMULAS = ("formula", "prediction_formula")
_ESTIMATED = (*_KNOWN, "fit", *_FORMULAS)
_SCALES = (*_ESTIMATED, "relative", "column_mean")

# noise parameter → the verbs it may have: a scale is in the unit of the data, trials are known before the run
VERBS = {"sigma": _SCALES, "scale": _SCALES, "dispersion": _ESTIMATED, "df": _ESTIMATED, "trials": _KNOWN}

_WHY_NOT = {
    "trials": "the trials are known before the run",
    "dispersion": "a dispersion has not the unit of the data",
    "df": "degrees of freedom have not the unit of the data",
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a noise parameter comes from: a verb, the text after it, and the number or expression that the text is."""

    verb: str
    text: str
    value: float = 1.0
    expression: Expression | None = None


def read_origin(
    line: int | None, family: str, parameter: str, words: str, declared: Collection[str], mistakes: Mistakes
) -> Origin | None:
    """Read ``<verb> [argument]``; None, and a mistake, where it is none."""
    verb, _, text = words.partition(" ")
    verb, text = verb.lower(), text.strip()
    number = finite(text)
    if verb not in VERBS[parameter]:
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
        after = {"fit": "<parameter>", "read_exp_file": "<suffix>"}.get(verb, "<expression>")
        mistakes.add(line, f"'{parameter} = {verb}' is not complete", f"type '{parameter} = {verb} {after}'")
    elif verb == "read_exp_file":
        return Origin(verb, text)
    elif verb == "fit":
        if text in declared:
            return Origin(verb, text, expression=expression(Name(text)))
        mistakes.add(line, f"'{text}', to be fitted as the {parameter} of {family}, is no declared parameter",
                     nearest(text, declared) or f"type 'parameter: {text}, prior: <family>, …'")  # fmt: skip
    else:
        return _formula(line, parameter, verb, text, declared, mistakes)
    return None


def _formula(
    line: int | None, parameter: str, verb: str, text: str, declared: Collection[str], mistakes: Mistakes
) -> Origin | None:
    whole = f"'{parameter} = {verb} {text}'"
    said = read_formula(whole, text, line, declared, mistakes)
    if said is None:
        return None
    before = len(mistakes.found)
    if verb == "formula":
        for name in sorted(said.names - set(declared) - placeholders(said, declared)):
            mistakes.add(line, f"{whole} names '{name}', which is no declared parameter",
                         nearest(name, declared) or f"type 'parameter: {name}, prior: <family>, …', or "
                         f"'{parameter} = prediction_formula …' if it is an output of the model")  # fmt: skip
    elif said.names <= set(declared):
        mistakes.add(line, f"{whole} reads no output of the model", f"type '{parameter} = formula {text}'")
    if said.constant is not None and not 0 < said.constant < np.inf:
        mistakes.add(line, f"{whole} is {said.constant:g}, which is not positive")
    return Origin(verb, text, expression=said) if len(mistakes.found) == before else None


def _say_unknown_verb(
    line: int | None, family: str, parameter: str, words: str, declared: Collection[str], mistakes: Mistakes
) -> None:
    verb = words.split(" ")[0]
    known = f"type one of {', '.join(VERBS[parameter])}"
    if verb.lower() in _SCALES:
        mistakes.add(line, f"'{parameter} = {verb}' of {family}: {_WHY_NOT[parameter]}", known)
    elif finite(words) is not None:
        mistakes.add(line, f"'{parameter} = {words}' has no verb", f"type '{parameter} = fix_at {words}'")
    elif words in declared and "fit" in VERBS[parameter]:
        mistakes.add(line, f"'{parameter} = {words}' has no verb", f"type '{parameter} = fit {words}'")
    else:
        hint = f"{nearest(verb, VERBS[parameter])} {known}".strip()
        mistakes.add(line, f"'{parameter} = {words}': unknown verb '{verb}'", hint)
