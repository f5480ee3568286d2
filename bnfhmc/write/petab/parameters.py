"""The parameter table: priors exactly as they are, as densities of θ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from bnfhmc.prior import (
    LIN,
    LN,
    LOG10,
    Cauchy,
    ChiSquare,
    Exponential,
    Gamma,
    HalfCauchy,
    HalfNormal,
    Laplace,
    Normal,
    Parameter,
    Prior,
    Rayleigh,
    Uniform,
)
from bnfhmc.write.findings import Findings
from bnfhmc.write.formulas import number_text
from bnfhmc.write.priors import Density, density_of, start_of, tidy
from bnfhmc.write.words import PRIOR_WORDS

COLUMNS = ("parameterId", "lowerBound", "upperBound", "nominalValue", "estimate", "priorDistribution", "priorParameters")

IN_THETA: dict[type[Prior], str] = {
    Cauchy: "cauchy", ChiSquare: "chisquare", Exponential: "exponential", Gamma: "gamma", Laplace: "laplace",
    Normal: "normal", Rayleigh: "rayleigh", Uniform: "uniform",
}  # fmt: skip
IN_LOGARITHM: dict[type[Prior], str] = {Laplace: "log-laplace", Normal: "log-normal", Uniform: "log-uniform"}
BASES = {LN.name: 1.0, LOG10.name: float(np.log(10.0))}  # scale → ln of its base


class Words(NamedTuple):
    """A prior in PEtab's words: a family and its numbers, and the bounds in θ that cut it."""

    family: str
    numbers: tuple[float, ...]
    lower: float = -np.inf
    upper: float = np.inf


def prior_words(parameters: tuple[Parameter, ...], findings: Findings) -> dict[str, Words]:
    """The priors by the name of the parameter; one that PEtab has no family for is refused.

    A normal or Laplace prior of mean m and width s on log10 is one of m·ln 10 and s·ln 10 on ln, the logarithm that PEtab
    means: log-normal, log-laplace, log-uniform. PEtab's bounds truncate, and renormalise, as ours do.
    """
    out = {}
    for p in parameters:
        if p.start is not None:
            findings.note(f"parameter '{p.name}': PEtab 2 has no prior for starts, which are drawn from the prior itself")
        if (words := _words(p.name, density_of(p), findings)) is not None:
            out[p.name] = words
    return out


def parameter_rows(
    parameters: tuple[Parameter, ...], words: Mapping[str, Words], ids: Mapping[str, str], findings: Findings
) -> list[list[str]]:
    """One row of the parameter table for each parameter, under the ids given."""
    if any(p.initial is None for p in parameters):
        findings.note("nominalValue is the median of the prior where a parameter has no initial value")
    rows = []
    for p in parameters:
        said = words[p.name]
        numbers = ";".join(map(number_text, said.numbers))
        cells = (said.lower, said.upper, start_of(p))
        rows.append([ids[p.name], *map(number_text, cells), "true", said.family, numbers])
    return rows


def _words(name: str, density: Density, findings: Findings) -> Words | None:
    family, scale = type(density.prior), density.scale
    numbers, bounds = density.numbers, (density.lower, density.upper)
    if scale == LIN and (same := _the_same(density.prior)) is not None:
        findings.note(f"parameter '{name}': its {PRIOR_WORDS[family]} prior is the {same.family} one of that density")
        return same._replace(lower=density.lower, upper=density.upper)
    if scale == LIN and family in IN_THETA:
        return Words(IN_THETA[family], numbers, *bounds)
    if scale.name in BASES and family in IN_LOGARITHM:
        if family is Uniform:
            return Words("log-uniform", tuple(tidy(float(scale.theta_from_u(x))) for x in numbers), *bounds)
        if scale == LOG10:
            findings.note("priors on log10 are written as those on ln, with the same density")
        return Words(IN_LOGARITHM[family], tuple(tidy(x * BASES[scale.name]) for x in numbers), *bounds)
    where = "" if scale == LIN else f" on the {scale.name} scale"
    known = sorted((IN_THETA if scale == LIN else IN_LOGARITHM).values())
    hint = "choose " + ", ".join(k.removeprefix("log-") for k in known) if scale == LIN or scale.name in BASES else (
        "choose the lin, log10 or ln scale")  # fmt: skip
    findings.refuse(f"parameter '{name}': PEtab has no {PRIOR_WORDS[family]} prior{where}", hint)
    return None


def _the_same(prior: Prior) -> Words | None:
    """A density that PEtab has under another name: a half is a whole cut at 0, and χ² is a gamma density."""
    if isinstance(prior, HalfNormal):
        return Words("normal", (0.0, float(prior.scale)))
    if isinstance(prior, HalfCauchy):
        return Words("cauchy", (0.0, float(prior.scale)))
    if isinstance(prior, ChiSquare) and not float(prior.dof).is_integer():  # PEtab counts degrees of freedom
        return Words("gamma", (0.5 * float(prior.dof), 2.0))
    return None

