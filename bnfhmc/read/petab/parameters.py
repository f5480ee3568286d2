"""Parameter tables → priors in u, starts and fixed values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from bnfhmc.errors import nearest
from bnfhmc.prior import (
    LIN,
    LN,
    LOG10,
    Cauchy,
    ChiSquare,
    Exponential,
    Gamma,
    Laplace,
    Normal,
    Parameter,
    Prior,
    Rayleigh,
    Scale,
    Uniform,
    prior_in,
)
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.petab.config import Config
from bnfhmc.read.petab.records import ParameterRecord
from bnfhmc.read.petab.tables import Row, Rows, numbers, read_table


class _Family(NamedTuple):
    """A family of a prior column: what its numbers are called, and the scale they are on (None: the parameter's own)."""

    kind: Callable[..., Prior]
    fields: tuple[str, ...]
    scale: Scale | None
    of_logarithms: bool = False  # whether the numbers are values whose logarithms the family takes


_SCALES: Mapping[str, Scale] = {"lin": LIN, "log": LN, "log10": LOG10}
_UNIFORM, _NORMAL, _LAPLACE = ("lower", "upper"), ("mean", "standard deviation"), ("location", "scale")

_FAMILIES: Mapping[int, Mapping[str, _Family]] = {
    1: {
        "parameterScaleUniform": _Family(Uniform, _UNIFORM, None),
        "parameterScaleNormal": _Family(Normal, _NORMAL, None),
        "parameterScaleLaplace": _Family(Laplace, _LAPLACE, None),
        "uniform": _Family(Uniform, _UNIFORM, LIN),
        "normal": _Family(Normal, _NORMAL, LIN),
        "laplace": _Family(Laplace, _LAPLACE, LIN),
        "logNormal": _Family(Normal, _NORMAL, LN),
        "logLaplace": _Family(Laplace, _LAPLACE, LN),
    },
    2: {
        "cauchy": _Family(Cauchy, ("location", "scale"), LIN),
        "chisquare": _Family(ChiSquare, ("degrees of freedom",), LIN),
        "exponential": _Family(Exponential, ("scale",), LIN),
        "gamma": _Family(Gamma, ("shape", "scale"), LIN),
        "laplace": _Family(Laplace, _LAPLACE, LIN),
        "log-laplace": _Family(Laplace, _LAPLACE, LN),
        "log-normal": _Family(Normal, _NORMAL, LN),
        "log-uniform": _Family(Uniform, _UNIFORM, LN, of_logarithms=True),
        "normal": _Family(Normal, _NORMAL, LIN),
        "rayleigh": _Family(Rayleigh, ("scale",), LIN),
        "uniform": _Family(Uniform, _UNIFORM, LIN),
    },
}

_BOUNDS = ("lowerBound", "upperBound")
_REQUIRED: Mapping[int, tuple[str, ...]] = {
    1: ("parameterId", "parameterScale", *_BOUNDS, "estimate"),
    2: ("parameterId", *_BOUNDS, "estimate"),
}
_KNOWN: Mapping[int, tuple[str, ...]] = {
    1: ("parameterName", "nominalValue", "initializationPriorType", "initializationPriorParameters", "objectivePriorType",
        "objectivePriorParameters"),
    2: ("parameterName", "nominalValue", "priorDistribution", "priorParameters"),
}  # fmt: skip


def read_parameters(config: Config, mistakes: Mistakes) -> dict[str, ParameterRecord]:
    """The parameters of all the tables, in their order."""
    version, rows = config.version, Rows(mistakes)
    tables = [read_table(f.path, mistakes, f.line, _REQUIRED[version], _KNOWN[version]) for f in config.parameters]
    named = ((name, row) for t in tables if t is not None for row in t.rows if (name := rows.id(row, "parameterId")))
    out = {name: _read(name, row, version, rows) for name, row in rows.unique(named, "parameterId")}
    if not out and not mistakes.found:
        mistakes.add(None, "the parameter tables have no row", "add one for each parameter")
    return {name: record for name, record in out.items() if record is not None}


def free_parameters(records: Mapping[str, ParameterRecord], units: Mapping[str, str]) -> tuple[Parameter, ...]:
    """The estimated parameters, each with its nominal value as the place to start where its prior has it inside.

    ``units``: those that the models' files give, by the name of the parameter.
    """
    return tuple(
        Parameter(r.name, r.prior, r.scale, _initial(r, r.prior), r.start, units.get(r.name, ""), r.row.get("parameterName"))
        for r in records.values()
        if r.prior is not None
    )


def _initial(r: ParameterRecord, prior: Prior) -> float | None:
    if r.nominal is None or not r.scale.domain[0] < r.nominal < r.scale.domain[1]:
        return None
    lo, hi = prior.support
    return r.nominal if lo <= r.scale.u_from_theta(r.nominal) <= hi else None


def _read(name: str, row: Row, version: int, rows: Rows) -> ParameterRecord | None:
    estimate = _estimate(row, version, rows)
    scale = _scale(row, version, rows)
    if estimate is None or scale is None:
        return None
    nominal = rows.number(row, "nominalValue", needed=not estimate)
    if not estimate:
        return None if nominal is None else ParameterRecord(name, row, scale, nominal, False)
    bounds = [_bound(row, column, rows) for column in _BOUNDS]
    if bounds[0] is None or bounds[1] is None:
        return None
    reader = _Priors(row, version, scale, (bounds[0], bounds[1]), rows)
    if version == 1:
        prior = reader.read("objectivePriorType", "objectivePriorParameters", needed=True)
        start = reader.read("initializationPriorType", "initializationPriorParameters", needed=False)
        start = None if start is None or prior is None else reader.within(start, prior)
    else:
        prior, start = reader.read("priorDistribution", "priorParameters", needed=True), None
    return ParameterRecord(name, row, scale, nominal, True, prior, start)


def _estimate(row: Row, version: int, rows: Rows) -> bool | None:
    """Version 1 writes 0 or 1, version 2 false or true."""
    text = row.get("estimate").lower()
    said = {"1": True, "1.0": True, "0": False, "0.0": False} if version == 1 else {"true": True, "false": False}
    if text not in said:
        wanted = "0 or 1" if version == 1 else "true or false"
        rows.wrong(row, f"estimate '{row.get('estimate')}' is not {wanted}", kind="estimate")
    return said.get(text)


def _scale(row: Row, version: int, rows: Rows) -> Scale | None:
    """The scale of u: version 2 has none, and a prior of the logarithm is a density in ln θ."""
    if version == 2:
        family = _FAMILIES[2].get(row.get("priorDistribution"))
        return LIN if family is None or family.scale is None else family.scale
    text = row.get("parameterScale")
    if text not in _SCALES:
        rows.wrong(row, f"parameterScale '{text}' is not known", nearest(text, _SCALES) or "type lin, log or log10",
                   kind="parameterScale")  # fmt: skip
    return _SCALES.get(text)


def _bound(row: Row, column: str, rows: Rows) -> float | None:
    if not row.get(column):
        rows.wrong(row, f"parameter '{row.get('parameterId')}' is estimated and has no {column}", "type a number",
                   kind=column)  # fmt: skip
        return None
    return rows.number(row, column, finite=False)


class _Priors:
    """The priors of one row."""

    def __init__(self, row: Row, version: int, scale: Scale, bounds: tuple[float, float], rows: Rows):
        self.row, self.scale, self.rows = row, scale, rows
        self.families = _FAMILIES[version]
        self.lower, self.upper = bounds

    def read(self, type_column: str, fields_column: str, needed: bool) -> Prior | None:
        """The density in u that two columns describe, cut by the bounds; uniform between these where they are empty.

        None where it is not `needed` and not there, or wrong.
        """
        word, text = self.row.get(type_column), self.row.get(fields_column)
        if not word and not needed and not text:
            return None
        if self.lower >= self.upper:
            self._wrong(f"lowerBound {self.lower:g} is not below upperBound {self.upper:g}", "", "bounds")
            return None
        if not text and word in ("", "parameterScaleUniform"):
            return self._uniform()
        if not word and "parameterScaleUniform" not in self.families:
            self._wrong(f"{fields_column} '{text}' is given without {type_column}", "type a family there", type_column)
            return None
        word = word or "parameterScaleUniform"
        if word not in self.families:
            known = f"the families are {', '.join(self.families)}"
            self._wrong(f"{type_column} '{word}' is not known", nearest(word, self.families) or known, type_column)
            return None
        return self._of_family(word, text, fields_column)

    def within(self, start: Prior, prior: Prior) -> Prior | None:
        """The start cut to where the prior has its mass."""
        lo, hi = (float(self.scale.theta_from_u(float(end))) for end in prior.support)
        cut = prior_in(self.scale, start, self.scale, lo, hi)
        return self._checked(cut, "the initialization prior")

    def _uniform(self) -> Prior | None:
        lo, hi = (float(self.scale.u_from_theta(b)) for b in (self.lower, self.upper))
        if math.isfinite(lo) and math.isfinite(hi):
            return Uniform(lo, hi)
        end, bound = ("lowerBound", self.lower) if not math.isfinite(lo) else ("upperBound", self.upper)
        where = "" if self.scale is LIN else f" on the {self.row.get('parameterScale')} scale"
        self._wrong(f"{end} {bound:g} leaves no uniform prior{where}, and no other is given", "type another bound, or a prior",
                    "no prior")  # fmt: skip
        return None

    def _of_family(self, word: str, text: str, column: str) -> Prior | None:
        family, values = self.families[word], numbers(text)
        takes = f"{word} takes {' ; '.join(family.fields)}"
        if values is None or len(values) != len(family.fields):
            self._wrong(f"{column} '{text}' is not what the family needs", takes, column)
            return None
        if family.of_logarithms:
            if min(values) <= 0:
                self._wrong(f"{column} '{text}' has to be positive for {word}", takes, column)
                return None
            values = tuple(math.log(v) for v in values)
        inner = family.kind(*values)
        if self._checked(inner, f"{word} '{text}'") is None:
            return None
        of = self.scale if family.scale is None else family.scale
        return self._checked(prior_in(self.scale, inner, of, self.lower, self.upper), f"{word} '{text}' within the bounds")

    def _checked(self, prior: Prior, what: str) -> Prior | None:
        wrong = prior.check()
        for sentence in wrong:
            self._wrong(f"{what}: {sentence}", "", sentence)
        return None if wrong else prior

    def _wrong(self, what: str, hint: str, kind: str) -> None:
        self.rows.wrong(self.row, f"parameter '{self.row.get('parameterId')}': {what}", hint, kind=kind)
