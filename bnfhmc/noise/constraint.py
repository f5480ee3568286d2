"""Qualitative data: inequalities between outputs that a trajectory should satisfy, and what breaking them costs."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import InputError, Mistake, nearest
from bnfhmc.noise.constraint_penalty import Hinge, Inequality, Penalty, Side, converted
from bnfhmc.noise.constraint_timing import TIME, Columns, Split, Timing, Windows
from bnfhmc.noise.source import Constant, Formula, Source

Outputs = Mapping[str, Float[np.ndarray, " row"]]


class Satisfaction(NamedTuple):
    """How well one trajectory satisfies a constraint.

    ``loss``: the penalty, summed over the windows; ``d_y``: ∂loss/∂y by output and row; ``margin``: −g at the worst
    window, in the outputs' unit, negative where the constraint is broken and +inf where it is not asked for;
    ``holds``: whether the inequality holds in every window; ``enforced``: whether there is a window;
    ``d_scale``: ∂loss/∂scale.
    """

    loss: float
    d_y: dict[str, Float[np.ndarray, " row"]]
    margin: float
    holds: bool
    enforced: bool
    d_scale: float


class Information(NamedTuple):
    """Expected information of a constraint: F = Σ κ v vᵀ over its windows, v = Σ ∂g/∂y·∂y/∂θ + d_scale·∂scale/∂θ."""

    kappa: Float[np.ndarray, " window"]
    d_y: dict[str, Float[np.ndarray, "window row"]]
    d_scale: Float[np.ndarray, " window"]


class _Misses(NamedTuple):
    """g of each window, and ∂g/∂(lesser − greater) at each of its rows."""

    g: Float[np.ndarray, " window"]
    share: Float[np.ndarray, "window row"]


@dataclass(frozen=True, slots=True)
class Constraint:
    """loss = Σ penalty(g) over windows of rows, with g = max (``once``: min) of lesser − greater over a window's rows.

    ``timing``: the windows; ``penalty``: the cost of g; ``text``, ``path``, ``line``: where it was written;
    ``scale``: a fitted scale in place of the penalty's own, whose value is then given to `evaluate`;
    ``smoothing``: a width δ, in the outputs' unit, or None. Numbers are in the unit of the outputs they are compared
    with, times in the data's.

    Where `jumps` is empty the loss is continuous in y, with kinks: at g = 0 for a hinge, and where another row becomes
    the worst. NUTS stays correct across a kink; where it crosses one every few steps its energy error grows, the step
    size shrinks and divergences appear at the boundary. Then a width is wanted, about a tenth of the differences that
    matter: the worst point becomes δ log Σ e^{d/δ} (at most δ log n above the maximum of n rows), the hinge becomes a
    softplus, a step becomes a probit, and all of them tend to the exact loss as δ → 0. What a width does not remove are
    the jumps of a crossing from row to row.
    """

    inequality: Inequality
    timing: Timing
    penalty: Penalty = Hinge()
    text: str = ""
    path: Path | None = None
    line: int | None = None
    scale: Formula | None = None
    smoothing: float | None = None

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names it reads; ``experiment.output`` is an output of another experiment with the same output times."""
        alternative = self.penalty.alternative.names if self.penalty.alternative else ()
        when = (c.quantity for c in self.timing.crossings)
        return tuple(n for n in dict.fromkeys((*self.inequality.names, *alternative, *when)) if n != TIME)

    @property
    def times(self) -> tuple[float, ...]:
        """The output times it needs: a time that is none of them counts at the output time before it."""
        return tuple(sorted({c.level for c in self.timing.crossings if c.quantity == TIME}))

    @property
    def jumps(self) -> str:
        """Why the loss is not continuous in y; empty when it is."""
        why = [f"the row where {c.quantity} passes {c.level:g} changes from one output time to the next"
               for c in self.timing.crossings if c.quantity != TIME]  # fmt: skip
        if self.smoothing is None and self.scale is None and self.penalty.jumps:
            why.append("the penalty steps up where the inequality breaks")
        return "; ".join(why)

    def check(self) -> list[str]:
        """What is wrong with its numbers."""
        said = [*self.timing.check(), *self.penalty.check()]
        for what in filter(None, (self.inequality, self.penalty.alternative)):
            if not what.names:
                said.append("it compares two numbers; one side has to be an output")
            elif what.lesser == what.greater and not isinstance(self.timing, Split):
                said.append(f"it compares '{what.lesser}' with itself")
        if self.smoothing is not None and not (math.isfinite(self.smoothing) and self.smoothing > 0):
            said.append(f"smoothing {self.smoothing:g} is no width; a width is above 0")
        return said

    def unmet(self, times: Float[np.ndarray, " row"]) -> str:
        """Why it would never be asked for on these output times, whatever the trajectory; empty otherwise."""
        return "; ".join(filter(None, (c.unmet(times) for c in self.timing.needed)))

    def evaluate(self, times: Float[np.ndarray, " row"], y: Outputs, scale: float | None = None) -> Satisfaction:
        """The loss of one trajectory and its derivatives.

        `times`: output times (or doses), increasing; `y`: each of `outputs`, a value a row; `scale`: the value of the
        fitted scale. The rows a crossing picks are held fixed in the derivatives: the loss is piecewise smooth in y.
        Raises ValueError for an output that is missing or has another number of rows.
        """
        columns = self._columns(times, y)
        rows = self.timing.windows(columns)
        exact = _misses(self.inequality, columns, rows, self.timing.once, None)
        miss = _misses(self.inequality, columns, rows, self.timing.once, self.smoothing) if self.smoothing else exact
        charged, read_at, other = miss, rows, self.penalty.alternative
        if other is not None:
            read_at = Windows(rows.lesser, rows.lesser)
            charged = _misses(other, columns, read_at, self.timing.once, self.smoothing)
        charge = self.penalty.charge(miss.g, charged.g, self.inequality.or_equal, self.smoothing, scale)
        d_y = {name: np.zeros(len(times)) for name in self.outputs}
        _pull(d_y, self.inequality, rows, charge.d_g[:, None] * miss.share)
        _pull(d_y, other or self.inequality, read_at, charge.d_h[:, None] * charged.share)
        return Satisfaction(
            loss=float(charge.loss.sum()),
            d_y=d_y,
            margin=-float(exact.g.max(initial=-np.inf)),
            holds=bool(self.inequality.holds(exact.g).all()),
            enforced=exact.g.size > 0,
            d_scale=float(charge.d_scale.sum()),
        )

    def information(self, times: Float[np.ndarray, " row"], y: Outputs, scale: float | None = None) -> Information:
        """The expected information of seeing whether the inequality holds; zero for a hinge and for a step."""
        columns = self._columns(times, y)
        rows = self.timing.windows(columns)
        miss = _misses(self.inequality, columns, rows, self.timing.once, self.smoothing)
        windows = len(miss.g)
        flat = {name: np.zeros(windows * len(times)) for name in self.outputs}
        offset = len(times) * np.arange(windows)[:, None]
        _pull(flat, self.inequality, Windows(rows.lesser + offset, rows.greater + offset), miss.share)
        d_y = {name: d.reshape(windows, len(times)) for name, d in flat.items()}
        own = self.penalty.own_scale if scale is None else scale
        d_scale = -miss.g / own if own else np.zeros(windows)
        return Information(self.penalty.information(miss.g, self.smoothing, scale), d_y, d_scale)

    def _columns(self, times: Float[np.ndarray, " row"], y: Outputs) -> Columns:
        wrong = [n for n in self.outputs if n not in y or len(y[n]) != len(times)]
        if wrong:
            raise ValueError(f"'{self.text}': no values of {', '.join(wrong)} at the {len(times)} output times")
        return {**y, TIME: times}


def configured(
    constraints: Iterable[Constraint],
    family: str = "auto",
    weight: float = 1.0,
    scale: Source | None = None,
    smoothing: float | None = None,
) -> tuple[Constraint, ...]:
    """The constraints under the settings that hold for all of a fit.

    `family` (PyBNF's ``qualitative_loss``): ``auto`` keeps each penalty, ``hinge``, ``probit`` and ``logit`` convert
    them all; `weight` (``constraint_scale``) multiplies the weights of hinges, before the conversion; `scale`
    (``qualitative_scale``) replaces the scale of every probit and logit; `smoothing`: the width of all of them.
    Raises InputError with all that cannot be done, each at its file and line.
    """
    if not (math.isfinite(weight) and weight >= 0):
        raise InputError(Mistake(f"constraint_scale = {weight:g} is no factor", "type a number that is 0 or more"))
    mistakes, out = [], []
    for c in constraints:
        try:
            out.append(_configured(c, family, weight, scale, smoothing))
        except InputError as error:
            mistakes += [Mistake(m.what, m.hint, c.path, c.line) for m in error.mistakes]
    if mistakes:
        raise InputError(mistakes)
    return tuple(out)


def _configured(c: Constraint, family: str, weight: float, scale: Source | None, smoothing: float | None) -> Constraint:
    penalty = replace(c.penalty, weight=weight * c.penalty.weight) if isinstance(c.penalty, Hinge) else c.penalty
    penalty = penalty if family == "auto" else converted(penalty, family)
    if scale is not None and isinstance(penalty, Hinge):
        raise InputError(Mistake("qualitative_scale: a hinge has no scale to fit", "type qualitative_loss = probit"))
    fitted = scale if isinstance(scale, Formula) else None
    if isinstance(scale, Constant) and not isinstance(penalty, Hinge):
        penalty = replace(penalty, scale=float(np.asarray(scale.values)))
    made = replace(c, penalty=penalty, scale=fitted, smoothing=smoothing)
    if said := made.check():
        raise InputError(Mistake(what) for what in said)
    return made


def unknown_outputs(constraints: Iterable[Constraint], known: Collection[str]) -> tuple[Mistake, ...]:
    """A mistake for each name a constraint reads that is not `known`."""
    return tuple(
        Mistake(f"no output is named '{name}'", nearest(name, known), c.path, c.line)
        for c in constraints for name in c.outputs if name not in known
    )  # fmt: skip


def _misses(what: Inequality, columns: Columns, rows: Windows, once: bool, width: float | None) -> _Misses:
    """The worst of lesser − greater in each window (with `once` the best), or its log-sum-exp of a width."""
    lesser, greater = _side(what.lesser, columns, rows.lesser), _side(what.greater, columns, rows.greater)
    d = np.broadcast_to(lesser - greater, rows.lesser.shape)
    sign = -1.0 if once else 1.0
    worst = (sign * d).argmax(axis=1)[:, None]
    top = np.take_along_axis(d, worst, axis=1)
    if width is None:
        share = np.zeros(d.shape)
        np.put_along_axis(share, worst, 1.0, axis=1)
        return _Misses(top[:, 0], share)
    e = np.exp(sign * (d - top) / width)
    total = e.sum(axis=1, keepdims=True)
    return _Misses((top + sign * width * np.log(total))[:, 0], e / total)


def _side(side: Side, columns: Columns, rows: np.ndarray) -> np.ndarray | float:
    return columns[side][rows] if isinstance(side, str) else side


def _pull(d_y: dict[str, np.ndarray], what: Inequality, rows: Windows, weight: Float[np.ndarray, "window row"]) -> None:
    """Add ∂/∂y of Σ weight·(lesser − greater)."""
    for side, at, sign in ((what.lesser, rows.lesser, 1.0), (what.greater, rows.greater, -1.0)):
        if isinstance(side, str) and side != TIME:
            d_y[side] += sign * np.bincount(at.ravel(), weight.ravel(), minlength=len(d_y[side]))


__all__ = ["Constraint", "Information", "Satisfaction", "configured", "unknown_outputs"]
