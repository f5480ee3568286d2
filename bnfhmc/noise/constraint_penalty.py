"""What a broken constraint costs: a hinge, or −log of the probability that the inequality holds (probit, logit)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import erfcx, expit, log_expit, log_ndtr

from bnfhmc.errors import InputError, Mistake

Windowed = Float[np.ndarray, " window"]
Side = str | float  # one side of an inequality: an output's name, or a number


@dataclass(frozen=True, slots=True)
class Inequality:
    """lesser < greater, or ≤ with ``or_equal``; it is broken by g = lesser − greater > 0."""

    lesser: Side
    greater: Side
    or_equal: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The sides that are names."""
        return tuple(side for side in (self.lesser, self.greater) if isinstance(side, str))

    def holds(self, g: Windowed) -> np.ndarray:
        """Whether g is on the right side of zero; NaN is not."""
        return g <= 0 if self.or_equal else g < 0


class Charge(NamedTuple):
    """A penalty and its slopes, one value a window.

    ``d_g``: in what the inequality is missed by; ``d_h``: in what is charged, which is g itself where there is no
    alternative inequality; ``d_scale``: in the scale.
    """

    loss: Windowed
    d_g: Windowed
    d_h: Windowed
    d_scale: Windowed


@dataclass(frozen=True, slots=True)
class Hinge:
    """w·max(h, minimum) where the inequality is broken, else 0; h is g, or the alternative inequality's.

    At a kink the slope is 0, the satisfied side's. With a width δ the two kinks and the jump become smooth:
    w·σ(g/δ)·(m + δ log(1 + e^{(h−m)/δ})), and w·δ log(1 + e^{g/δ}) where there is no minimum and no alternative.
    Source: Mitra, Dias, Posner, Hlavacek (2018), Nature Communications 9, 3901.
    """

    weight: float = 1.0
    minimum: float = 0.0
    alternative: Inequality | None = None
    own_scale: ClassVar[float | None] = None

    @property
    def jumps(self) -> bool:
        """Whether the loss steps up where the constraint breaks."""
        return self.weight > 0 and (self.minimum > 0 or self.alternative is not None)

    def charge(
        self, g: Windowed, h: Windowed, or_equal: bool, width: float | None = None, scale: float | None = None
    ) -> Charge:
        """The penalty and its slopes; `width` None is the hinge itself."""
        zero = np.zeros_like(g)
        if width is None:
            broken = ~(g <= 0 if or_equal else g < 0)
            loss = self.weight * np.where(broken, np.maximum(h, self.minimum), 0.0)
            return Charge(loss, zero, self.weight * (broken & (h > self.minimum)), zero)
        top = self.minimum + _softplus(h - self.minimum, width)
        d_top = expit((h - self.minimum) / width)
        if not self.jumps:
            return Charge(self.weight * top, zero, self.weight * d_top, zero)
        gate = self.weight * expit(g / width)
        return Charge(gate * top, gate * expit(-g / width) / width * top, gate * d_top, zero)

    def information(self, g: Windowed, width: float | None = None, scale: float | None = None) -> Windowed:
        """None: a hinge is the −log of no probability."""
        return np.zeros_like(g)

    def check(self) -> list[str]:
        said = []
        if not (math.isfinite(self.weight) and self.weight >= 0):
            said.append(f"weight {self.weight:g} would reward a broken constraint; a weight is 0 or more")
        if not (math.isfinite(self.minimum) and self.minimum >= 0):
            said.append(f"min {self.minimum:g} says nothing; a least penalty is 0 or more")
        return said


class Link(NamedTuple):
    """A distribution F by log F(x) and its hazard −d log F(−x)/dx."""

    log_cdf: Callable[[np.ndarray], np.ndarray]
    hazard: Callable[[np.ndarray], np.ndarray]


LINKS = {
    "probit": Link(log_ndtr, lambda x: math.sqrt(2 / math.pi) / erfcx(x / math.sqrt(2))),
    "logit": Link(log_expit, expit),
}
WIDTH = {"probit": 1.6, "logit": 1.0}  # the scale that a hinge of weight 1 stands for; Φ(x) ≈ 1/(1 + e^{−1.6 x})


@dataclass(frozen=True, slots=True)
class Bernoulli:
    """−log P with P = pmin + (pmax − pmin)·F(−g/scale), the probability that the inequality is seen to hold.

    F is the normal distribution (probit; a confidence c is pmin = (1−c)/2, pmax = (1+c)/2, a tolerance the scale) or
    the logistic one (logit). A probit of scale 0 is a step: −log pmax where the inequality holds, else −log pmin; with
    a width δ it is the probit of scale δ. A fitted scale that is not positive costs +inf.
    Source: Mitra & Hlavacek (2020), Bioinformatics 36, 3177-3184.
    """

    link: str
    scale: float
    pmin: float = 0.0
    pmax: float = 1.0
    alternative: ClassVar[None] = None

    @property
    def own_scale(self) -> float | None:
        """The scale as written."""
        return self.scale

    @property
    def jumps(self) -> bool:
        """Whether the loss is a step."""
        return self.scale == 0 and self.pmin < self.pmax

    def charge(
        self, g: Windowed, h: Windowed, or_equal: bool, width: float | None = None, scale: float | None = None
    ) -> Charge:
        """The penalty and its slopes; `scale` replaces the penalty's own."""
        zero = np.zeros_like(g)
        s = self._scale(width, scale)
        if s == 0 and scale is None:
            holds = g <= 0 if or_equal else g < 0
            loss = np.where(holds, -_log(self.pmax), -_log(self.pmin))
            return Charge(np.where(np.isnan(g), np.nan, loss), zero, zero, zero)
        if not s > 0:
            return Charge(np.full_like(g, np.inf), zero, zero, zero)
        x = g / s
        loss, slope, _ = self._of(x)
        return Charge(loss, zero, slope / s, -x * slope / s)

    def information(self, g: Windowed, width: float | None = None, scale: float | None = None) -> Windowed:
        """Expected information on g: (dP/dg)²/(P(1 − P)), that of seeing whether the inequality holds."""
        s = self._scale(width, scale)
        if not s > 0:
            return np.zeros_like(g)
        x = g / s
        loss, slope, log_not = self._of(x)
        with np.errstate(all="ignore"):
            kappa = np.exp(2 * np.log(slope) - loss - log_not) / s**2
        return np.where(slope > 0, kappa, 0.0)

    def check(self) -> list[str]:
        said = []
        if not 0 <= self.pmin <= self.pmax <= 1 or self.pmax == 0:
            said.append(f"pmin {self.pmin:g} and pmax {self.pmax:g} are not 0 ≤ pmin ≤ pmax ≤ 1 with pmax above 0")
        if self.link == "probit" and not (math.isfinite(self.scale) and self.scale >= 0):
            said.append(f"tolerance {self.scale:g} is no width; a tolerance is 0 (a step) or more")
        if self.link == "logit" and not (math.isfinite(self.scale) and self.scale > 0):
            said.append(f"scale {self.scale:g} is no width; a logit scale is above 0")
        return said

    def _scale(self, width: float | None, scale: float | None) -> float:
        if scale is not None:
            return scale
        return width if self.scale == 0 and width is not None else self.scale

    def _of(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """−log P, its slope in x = g/scale, and log(1 − P)."""
        log_cdf, hazard = LINKS[self.link]
        with np.errstate(all="ignore"):  # no number in, no number out
            broken, kept = log_cdf(x), log_cdf(-x)
            loss = -np.logaddexp(_log(self.pmin) + broken, _log(self.pmax) + kept)
            share = expit(math.log(self.pmax / self.pmin) + kept - broken) if self.pmin > 0 else 1.0  # pmax·F(−x)/P
            slope = (1 - self.pmin / self.pmax) * hazard(x) * share
            return loss, slope, np.logaddexp(_log(1 - self.pmin) + broken, _log(1 - self.pmax) + kept)


Penalty = Hinge | Bernoulli
FAMILIES = ("hinge", *LINKS)


def converted(penalty: Penalty, family: str) -> Penalty:
    """The penalty as another family of the same slope: hinge weight 1/s, logit scale s, probit tolerance 1.6 s.

    A hinge has no room for pmin and pmax, which are left out; probit and logit keep them.
    Raises InputError for what has no counterpart: a hinge of weight 0, with a minimum or an alternative, and a step.
    """
    if family not in FAMILIES:
        raise InputError(Mistake(f"there is no penalty '{family}'", f"they are {', '.join(FAMILIES)}"))
    if isinstance(penalty, Hinge):
        if family == "hinge":
            return penalty
        if penalty.minimum > 0 or penalty.alternative is not None:
            clause = "min" if penalty.alternative is None else "altpenalty"
            raise InputError(Mistake(f"a {family} penalty has no '{clause}'", f"delete '{clause} …' or keep the hinge"))
        if penalty.weight == 0:
            raise InputError(Mistake(f"weight 0 is no {family} penalty of any scale", "give it a weight"))
        return Bernoulli(family, WIDTH[family] / penalty.weight)
    if family == penalty.link:
        return penalty
    if penalty.scale == 0:
        raise InputError(Mistake(f"a step (tolerance 0) is no {family} penalty of any scale", "give it a tolerance"))
    unit = penalty.scale / WIDTH[penalty.link]
    if family == "hinge":
        return Hinge(1.0 / unit)
    return Bernoulli(family, WIDTH[family] * unit, penalty.pmin, penalty.pmax)


def _softplus(x: np.ndarray, width: float) -> np.ndarray:
    """δ log(1 + e^{x/δ}), for any δ > 0."""
    return np.maximum(x, 0.0) + width * np.log1p(np.exp(-np.abs(x) / width))


def _log(p: float) -> float:
    return math.log(p) if p > 0 else -math.inf
