"""The axes of the matrix, and the loss of any of its cells worked out again from the definitions.

The data's laws are scipy's (``tests/noise/cases.py``), the transforms are written out here measurement by measurement,
and what the loss leaves out is PyBNF's convention: ½ log 2π, the normaliser of a noise parameter that is not estimated,
and the slope of a logarithmic scale at the datum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from bnfhmc.expression import parse
from bnfhmc.noise import NoiseModel
from bnfhmc.noise.transform import Transform, floored, parse_chain
from bnfhmc.posterior import Posterior
from bnfhmc.problem import Experiment, Series
from tests.conftest import ClosedForm
from tests.matrix.building import problem, source
from tests.noise.cases import CASES, Case

TIMES = np.array([0.0, 0.3, 0.9, 1.6, 2.4, 3.5, 5.0])
ROWS = np.array([1, 2, 3, 3, 4, 6])  # row 3 twice; 0 and 5 not measured

THETA = {"A0": 5.0, "k": 0.7, "c": 1.3, "eta": 0.35, "q": 0.2}
QUANTITIES = {"A0": 4.0, "k": 0.5, "c": 1.0, "base": 0.6}
OUTPUTS: dict[str, Callable] = {
    "P": lambda m, t: m["A0"] * t * np.exp(-m["k"] * t) + m["base"],  # up, then down
    "C": lambda m, t: m["c"] * (1 + m["A0"] * (1 - np.exp(-m["k"] * t))),  # cumulative
    "Q": lambda m, t: 1 + 0.5 * m["c"] * np.exp(-m["k"] * t),  # what noise formulas read
}

# every family with each location it has
NOISE = {
    **{name: case for name, case in CASES.items() if name != "beta_binomial, U"},
    "neg_bin, median": Case(
        type(CASES["neg_bin, mean"].model)("median"), "", "", {"dispersion": 2.5}, 6.0,
        lambda pred, noise: stats.nbinom(noise["dispersion"], stats.beta.ppf(0.5, noise["dispersion"], pred + 1)),
    ),
}  # fmt: skip

# where a noise parameter comes from; `estimated` where its normaliser is part of the loss
SOURCES: dict[str, object] = {
    "number": 0.7,
    "file": 0.7 * np.array([0.8, 1.1, 0.9, 1.3, 1.0, 1.2]),
    "estimated": "eta",
    "parameters": "0.2 + eta*q*c",
    "outputs": "q + 0.2*Q*eta",
    "outputs and quantities": "0.2 + 0.5*eta*Q*k/base",
}
TRIALS: dict[str, object] = {"number": 12.0, "file": np.array([12.0, 15.0, 11.0, 9.0, 20.0, 12.0])}
# by noise parameter: a number that 0.7 stands for
UNIT = {"sigma": 0.6, "scale": 0.3, "dispersion": 4.0, "df": 6.0}


@dataclass(frozen=True)
class Chain:
    """``observable``: what is measured; ``text`` and ``cumulative``: as a configuration writes the chain."""

    observable: str
    text: str = ""
    cumulative: bool = False


CHAINS = {
    "none": Chain("P"),
    "formula": Chain("P*c/(P + Q) + k"),
    "init": Chain("P", "init"),
    "peak": Chain("P", "peak"),
    "zero": Chain("P", "zero"),
    "unit": Chain("P", "unit"),
    "unit of a falling one": Chain("Q*(7 - P)", "unit"),
    "floor": Chain("P", "floor 0.2"),
    "increments": Chain("C", "", True),
    "scale": Chain("P", "scale"),
    "floor, peak": Chain("P", "floor, peak"),
    "peak, zero": Chain("P", "peak, zero"),
    "zero, floor": Chain("P", "zero, floor 2"),
    "init, floor": Chain("P*Q", "init, floor 0.3"),
    "increments, scale": Chain("C", "scale", True),
    "peak, increments": Chain("C", "peak", True),
    "floor, peak, scale": Chain("P", "floor 0.1, peak, scale"),
    "init, increments, scale": Chain("C", "init, scale", True),
}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One combination: a family with a location, a source for each noise parameter, a chain of transforms."""

    noise: str
    sources: Mapping[str, str]
    chain: str
    theta: Mapping[str, float]
    observed: np.ndarray

    @property
    def case(self) -> Case:
        return NOISE[self.noise]

    @property
    def model(self) -> NoiseModel:
        return self.case.model

    @property
    def ln_base(self) -> float:
        """ln of the base of the family's scale; 0 for lin and for counts."""
        return self.case.ln_base if self.case.scale else 0.0

    @property
    def free(self) -> dict[str, float]:
        """θ, without what the combination does not depend on."""
        used = {"A0", "k", "c"} if "C" in self.observable or "Q" in self.observable else {"A0", "k"}
        for kind in self.sources.values():
            used |= {"estimated": {"eta"}, "parameters": {"eta", "q", "c"}, "outputs": {"q", "eta", "c"},
                     "outputs and quantities": {"eta", "c", "k"}}.get(kind, set())  # fmt: skip
        return {n: v for n, v in self.theta.items() if n in used}

    @property
    def observable(self) -> str:
        return CHAINS[self.chain].observable

    @property
    def written(self) -> dict[str, object]:
        return {p: written(p, kind) for p, kind in self.sources.items()}

    @property
    def transforms(self) -> tuple[Transform, ...]:
        c = CHAINS[self.chain]
        return parse_chain(c.text, cumulative=c.cumulative, noise=self.model)

    def posterior(self, model: object = None) -> Posterior:
        """Of the closed form, or of another model with the same outputs and quantities."""
        return posterior_of([self], self.free, model)

    @property
    def series(self) -> Series:
        made = {p: source(value) for p, value in self.written.items()}
        observed = floored(self.transforms, self.observed)
        return Series("y", parse(self.observable), ROWS, observed, self.model, made, self.transforms)

    # the same again, by definition

    def outputs(self, theta: Mapping[str, float]) -> dict[str, np.ndarray]:
        m = {**QUANTITIES, **theta}
        return {name: f(m, TIMES) for name, f in OUTPUTS.items()}

    def data(self) -> np.ndarray:
        """The measurements, with what a floor adds to them."""
        d = np.array(self.observed, dtype=float)
        for word in CHAINS[self.chain].text.split(", "):
            if word.startswith("floor"):
                d = d + float(word.split()[1] if " " in word else 0.03) * max(d)
        return d

    def predictions(self, theta: Mapping[str, float]) -> np.ndarray:
        env = {**QUANTITIES, **theta, **self.outputs(theta)}
        return by_hand(np.asarray(parse(self.observable)(env)), CHAINS[self.chain], self.data(), self.ln_base)[ROWS]

    def noise_values(self, theta: Mapping[str, float]) -> dict[str, np.ndarray]:
        env = {**QUANTITIES, **theta, **{n: y[ROWS] for n, y in self.outputs(theta).items()}}
        out = {}
        for p in self.model.parameters:
            value = self.written[p] if p in self.sources else self.model.defaults[p]
            value = parse(value)(env) if isinstance(value, str) else value
            out[p] = np.broadcast_to(np.asarray(value, dtype=float), ROWS.shape)
        return out

    def log_densities(self, theta: Mapping[str, float]) -> np.ndarray:
        pred, noise, data = self.predictions(theta), self.noise_values(theta), self.data()
        if self.noise.startswith(("poisson", "neg_bin")):  # a prediction below zero is a mean of almost zero
            pred = np.maximum(pred, 0.0 if "median" in self.noise else 1e-10 * noise.get("dispersion", 1.0))
        if "trials" not in noise:
            law = self.case.law(pred, noise)
            return np.asarray(law.logpdf(data) if self.case.kernel else law.logpmf(data))
        at = [{p: v[i] for p, v in noise.items()} for i in range(len(ROWS))]
        return np.array([self.case.law(pred[i], at[i]).logpmf(data[i]) for i in range(len(ROWS))])

    def possible(self, theta: Mapping[str, float]) -> bool:
        """Whether the family can have these predictions; what it cannot have costs infinitely much."""
        pred = self.predictions(theta)
        if "trials" in self.sources:
            return bool(((pred >= 0) & (pred <= self.noise_values(theta)["trials"])).all())
        if "laplace" in self.noise and self.ln_base and "mean" in self.noise:
            return bool((pred > 0).all() and (self.noise_values(theta)["scale"] * self.ln_base < 1).all())
        return not self.ln_base or bool((pred > 0).all())

    def smooth(self, theta: Mapping[str, float]) -> bool:
        """Whether θ is off every kink: two rows that share the maximum, a Laplace residual or a mean of zero."""
        env = {**QUANTITIES, **theta, **self.outputs(theta)}
        x = np.sort(np.asarray(parse(self.observable)(env)))
        pred, data = self.predictions(theta), self.data()
        if any(word in self.chain for word in ("peak", "unit", "floor")) and x[-1] - x[-2] < 0.02 * (x[-1] - x[0]):
            return False
        if self.case.kernel == "laplace" and self.possible(theta):
            centre = self.case.law(pred, self.noise_values(theta)).median()
            return bool((np.abs(centre - data) > 0.01 * np.abs(data)).all())
        return bool((np.abs(pred) > 0.01).all())

    def dropped(self, theta: Mapping[str, float]) -> float:
        """−Σ log p − loss."""
        if not self.case.kernel:
            return 0.0
        noise, data = self.noise_values(theta), self.data()
        width = noise[self.model.parameters[0]]
        known = {p: self.sources.get(p) in (None, "number", "file") for p in self.model.parameters}
        left = np.zeros(len(ROWS))
        if known[self.model.parameters[0]]:
            left += np.log(2 * width) if self.case.kernel == "laplace" else np.log(width)
        if self.case.kernel == "gaussian":
            left += 0.5 * np.log(2 * np.pi)
        if self.case.kernel == "student_t" and known["df"]:
            nu = noise["df"]
            left += 0.5 * np.log(nu * np.pi) + special.gammaln(nu / 2) - special.gammaln((nu + 1) / 2)
        if self.ln_base:
            left += np.log(data * self.ln_base)
        return float(left.sum())


def posterior_of(side_by_side: Sequence[Cell], free: Mapping[str, float], model: object = None) -> Posterior:
    """Several cells as the series of one experiment."""
    e = Experiment("e", "m", TIMES, tuple(c.series for c in side_by_side))
    return Posterior(problem(model or ClosedForm(OUTPUTS, QUANTITIES), (e,), free))


def written(parameter: str, kind: str) -> object:
    """A source in the unit of its noise parameter."""
    if parameter == "trials":
        return TRIALS[kind]
    value, unit = SOURCES[kind], UNIT[parameter] / 0.7
    return f"{unit}*({value})" if isinstance(value, str) else unit * value  # type: ignore[operator]


def by_hand(x: np.ndarray, chain: Chain, data: np.ndarray, ln_base: float) -> np.ndarray:
    """A chain, word by word: normalisations, then increments, then the factor."""
    v = [float(value) for value in x]
    factor = False
    for word in filter(None, chain.text.split(", ")):
        if word == "init":
            v = [value / v[0] for value in v]
        elif word == "peak":
            v = [value / max(v) for value in v]
        elif word == "zero":
            mean = sum(v) / len(v)
            sd = (sum((value - mean) ** 2 for value in v) / (len(v) - 1)) ** 0.5
            v = [(value - mean) / sd for value in v]
        elif word == "unit":
            shifted = [value - v[0] for value in v]
            top = max(shifted) if max(shifted) > 0 else abs(min(shifted))
            v = [value / top for value in shifted]
        elif word.startswith("floor"):
            share = float(word.split()[1]) if " " in word else 0.03
            v = [value + share * max(v) for value in v]
        factor = factor or word == "scale"
    if chain.cumulative:
        v = [v[0], *(b - a for a, b in zip(v[:-1], v[1:], strict=True))]
    if factor:
        s = np.array([v[r] for r in ROWS])
        c = np.exp(np.mean(np.log(data) - np.log(s))) if ln_base else s @ data / (s @ s)
        v = [c * value for value in v]
    return np.array(v)


def all_sources(model: NoiseModel) -> list[dict[str, str]]:
    """Each source of each noise parameter; of two, one moves while the other is known, a formula of outputs or left out."""
    if not model.parameters:
        return [{}]
    first, *rest = model.parameters
    out = [{first: kind, **dict.fromkeys(rest, "number")} for kind in SOURCES if first != "trials"]
    out = out or [{first: kind} for kind in TRIALS]
    for p in rest:
        out += [{first: other, p: kind} for other in ("number", "outputs") for kind in kinds(p) if kind != "number"]
        out += [{first: kind} for kind in SOURCES if p in model.defaults]
    return out


def kinds(parameter: str) -> tuple[str, ...]:
    return tuple(TRIALS if parameter == "trials" else SOURCES)


def make(noise: str, sources: Mapping[str, str], chain: str, theta: Mapping[str, float] = THETA, seed: int = 0) -> Cell:
    """A cell with data that its family can have made, off the predictions."""
    rng = np.random.default_rng(seed)
    any_data = Cell(noise, sources, chain, theta, 2 + rng.random(len(ROWS)))
    y, case = any_data.predictions(theta), any_data.case
    off = rng.uniform(0.15, 0.5, len(ROWS)) * rng.choice([-1, 1], len(ROWS))
    if any_data.ln_base:
        observed = np.abs(y) * np.exp(off)
    elif case.kernel:
        observed = y + off
    else:
        top = np.broadcast_to(np.asarray(any_data.written.get("trials", 40.0)), ROWS.shape)
        observed = np.minimum(np.round(np.abs(y) + rng.uniform(0, 2.5, len(ROWS))), top)
    return Cell(noise, sources, chain, theta, observed)
