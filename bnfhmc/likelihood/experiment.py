"""The likelihood of one experiment as array expressions over [row, series, θ], with its derivatives."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from math import isfinite
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.likelihood.group import Group, groups_of
from bnfhmc.likelihood.refusals import refuse_wrong
from bnfhmc.likelihood.sharing import SomeRows
from bnfhmc.model.protocol import Failure, FailureKind, Model
from bnfhmc.noise import Formula
from bnfhmc.observation import Observation, Observed
from bnfhmc.phase import Theta
from bnfhmc.problem import Experiment
from bnfhmc.simulation import Simulation


class Prediction(NamedTuple):
    """A solved experiment, seen through its observables, at one θ."""

    theta: Theta
    observed: Observed


class ExperimentLikelihood:
    """log p(data of one experiment | θ): one simulation, then array expressions.

    ``times``: what is integrated to, the experiment's own times among others, so that experiments under one condition ask
    the model for one and the same run; None for its own. Raises InputError for a name that the model does not have.
    """

    def __init__(
        self, experiment: Experiment, model: Model, names: tuple[str, ...], times: Float[np.ndarray, " time"] | None = None
    ):
        self.experiment, self.model, self.names = experiment, model, names
        refuse_wrong(experiment, model, names)
        series, free = experiment.series, set(names)
        reading = {  # (series, noise parameter) → the formula, where it reads outputs
            (i, name): source.expression
            for i, s in enumerate(series)
            for name, source in s.sources.items()
            if isinstance(source, Formula) and not source.expression.names <= free
        }
        constrained = tuple(dict.fromkeys(name for c in experiment.constraints for name in c.outputs))
        self.observation = Observation(experiment.name, series, model, names, tuple(reading.values()), constrained)
        self.simulation = self._simulation(times)
        self.size = sum(len(s.observed) for s in series)
        self.groups = groups_of(series, {key: len(series) + a for a, key in enumerate(reading)}, len(experiment.rows))
        self._column = {name: j for j, name in enumerate(names)}
        only = self.groups[0].squares if len(self.groups) == 1 else None
        self._squares = only if only is not None and only.cells is None else None  # of every cell, and nothing else is

    @property
    def least_squares(self) -> bool:
        """Whether the loss is exactly ½‖ρ‖²: every family a sum of squares and every scale known."""
        return not self.experiment.constraints and all(g.noise.least_squares and not g.estimated for g in self.groups)

    @property
    def uses(self) -> list[str]:
        """The free parameters that this likelihood depends on, each as often as something reads it."""
        expressions = [f.expression for g in self.groups for _, _, f in g.formulas]
        expressions += self.observation.formulas
        expressions += [c.scale.expression for c in self.experiment.constraints if c.scale is not None]
        return [*self.simulation.used, *(n for e in expressions for n in e.names if n in self._column)]

    @property
    def used(self) -> frozenset[str]:
        """The free parameters that this likelihood depends on."""
        return frozenset(self.uses)

    def solve(self, theta: Theta, gradient: bool) -> Prediction | Failure:
        """The predictions at θ, with their sensitivities where `gradient`."""
        solved = self.simulation.solve(theta, gradient)
        return solved if isinstance(solved, Failure) else Prediction(theta, self.observation.observe(theta, solved))

    def loss(self, prediction: Prediction) -> float:
        """−log likelihood without its constants (a scale's normaliser counts only where the scale is estimated)."""
        theta, P = prediction.theta, prediction.observed.P.ravel()
        with np.errstate(all="ignore"):
            parts = [g.loss(theta, P).loss.sum() if g.squares is None else g.squares.loss(P)[0] for g in self.groups]
        return float(sum(parts)) + (self._penalty(prediction)[0] if self.experiment.constraints else 0.0)

    def loss_gradient(
        self, prediction: Prediction, without: Collection[str] = ()
    ) -> tuple[float, Float[np.ndarray, " d"]]:
        """The loss and ∂loss/∂θ, but for the measurements whose scale is one of the parameters `without`."""
        theta, observed = prediction
        P, total, grad, on_outputs = observed.P.ravel(), 0.0, np.zeros(len(self.names)), None
        if self.experiment.constraints:
            total, on_outputs, grad = self._penalty(prediction)
        with np.errstate(all="ignore"):  # what overflows shows as a loss that is not finite
            if self._squares is not None:
                loss, weight = self._squares.loss(P)
                return total + loss, grad + observed.pull(weight.reshape(observed.P.shape), on_outputs)
            weight = np.zeros(P.size)
            for g in self.groups:
                if g.squares is not None:
                    loss, slope = g.squares.loss(P)
                    weight[g.squares.cells if g.squares.cells is not None else slice(None)] += slope
                    total += loss
                else:
                    total += self._add(g, theta, P, without, weight, grad)
            return total, grad + observed.pull(weight.reshape(observed.P.shape), on_outputs)

    def _add(
        self, g: Group, theta: Theta, P: np.ndarray, without: Collection[str], weight: np.ndarray, grad: np.ndarray
    ) -> float:
        """The loss of a group; its ∂/∂P is added to `weight` and its ∂/∂θ by way of noise parameters to `grad`."""
        loss, d_pred, d_noise = g.loss(theta, P)
        left_out = [bool(without) and formula.expression.text in without for _, _, formula in g.formulas]
        for (_, rows, _), out in zip(g.formulas, left_out, strict=True):
            if out:
                loss[rows] = d_pred[rows] = 0.0
        weight += np.bincount(g.cell, d_pred, minlength=weight.size)
        for (name, rows, _), slopes, out in zip(g.formulas, g.slopes, left_out, strict=True):
            slope = 0.0 if out else d_noise[name][rows].sum()
            for parameter, d in slopes:
                grad[self._column[parameter]] += slope * d(theta)
        for name, rows, cells in g.read:
            weight += np.bincount(cells, d_noise[name][rows], minlength=weight.size)
        return float(loss.sum())

    @np.errstate(all="ignore")  # what overflows shows as an entry that is not finite
    def residuals(self, prediction: Prediction) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n d"]]:
        """ρ[n] and ∂ρ/∂θ[n, d], the columns of estimated noise parameters included; their normaliser is not in ½‖ρ‖²."""
        theta, observed = prediction
        rho, J = np.empty(self.size), np.zeros((self.size, len(self.names)))
        P, slopes = observed.P.ravel(), self._slopes(observed)
        for g in self.groups:
            noise = g.noise_at(theta, P)
            rho[g.at], slope = g.noise.residual(P[g.cell], g.observed, noise)
            J_g = slope[:, None] * slopes[g.cell]
            if g.estimated:
                by_noise = g.noise.d_residual_d_noise(P[g.cell], g.observed, noise)
                for name, d_noise in self._noise_slopes(g, theta, slopes).items():
                    J_g += np.asarray(by_noise[name])[:, None] * d_noise
            J[g.at] = J_g
        return rho, J

    @np.errstate(all="ignore")
    def fisher(self, prediction: Prediction) -> Float[np.ndarray, "d d"]:
        """Expected information Σ κ s sᵀ with s = ∂pred/∂θ, plus the block of the estimated noise parameters."""
        theta, observed = prediction
        F = self._constraint_information(prediction)
        P, slopes = observed.P.ravel(), self._slopes(observed)
        for g in self.groups:
            s = {"pred": slopes[g.cell], **self._noise_slopes(g, theta, slopes)}
            kappa, blocks = g.noise.fisher(P[g.cell], g.noise_at(theta, P))
            for (a, b), info in {("pred", "pred"): kappa, **blocks}.items():
                if a in s and b in s:
                    block = (s[a] * np.asarray(info)[:, None]).T @ s[b]
                    F += block if a == b else block + block.T
        return F

    def pointwise(self, prediction: Prediction) -> Float[np.ndarray, " n"]:
        """Normalised log density of each measurement, series by series in the order of the experiment."""
        theta, observed = prediction
        out, P = np.empty(self.size), observed.P.ravel()
        for g in self.groups:
            with np.errstate(all="ignore"):
                out[g.at] = g.noise.log_density(P[g.cell], g.observed, g.noise_at(theta, P))
        return out

    def predicted(self, prediction: Prediction) -> Float[np.ndarray, " n"]:
        """The model's value for each measurement, in the order of `pointwise`."""
        out = np.empty(self.size)
        for g in self.groups:
            out[g.at] = prediction.observed.P.ravel()[g.cell]
        return out

    def _simulation(self, times: Float[np.ndarray, " time"] | None) -> Simulation | SomeRows:
        e, of = self.experiment, self.observation
        if times is None or len(times) == len(e.times):
            return Simulation(e, self.model, self.names, of.outputs, of.reads)
        longer = replace(e, times=times, series=(), constraints=())
        return SomeRows(Simulation(longer, self.model, self.names, of.outputs, of.reads), np.searchsorted(times, e.times))

    def _penalty(
        self, prediction: Prediction
    ) -> tuple[float, dict[str, Float[np.ndarray, " row"]], Float[np.ndarray, " d"]]:
        """What the constraints add to the loss, its ∂/∂output[row], and its ∂/∂θ by way of fitted scales."""
        total, slopes, by_scale = 0.0, dict[str, np.ndarray](), np.zeros(len(self.names))
        if not self.experiment.constraints:
            return total, slopes, by_scale
        theta, y = prediction.theta, prediction.observed.outputs
        for constraint in self.experiment.constraints:
            scale = constraint.scale.value(theta) if constraint.scale is not None else None
            kept = constraint.evaluate(self.experiment.rows, y, scale)
            total += kept.loss
            for name, d in kept.d_y.items():
                slopes[name] = slopes[name] + d if name in slopes else d
            if constraint.scale is not None:
                for parameter, d_scale in constraint.scale.gradient(theta).items():
                    by_scale[self._column[parameter]] += kept.d_scale * d_scale
        return total, slopes, by_scale

    def _constraint_information(self, prediction: Prediction) -> Float[np.ndarray, "d d"]:
        """Expected information of the constraints that are probabilities of an order; hinges have none."""
        F, observed, theta = np.zeros((len(self.names),) * 2), prediction.observed, prediction.theta
        for constraint in self.experiment.constraints:
            scale = constraint.scale.value(theta) if constraint.scale is not None else None
            info = constraint.information(self.experiment.rows, observed.outputs, scale)
            for k, kappa in enumerate(info.kappa):
                v = observed.pull(np.zeros(observed.P.shape), {name: d[k] for name, d in info.d_y.items()})
                if constraint.scale is not None:
                    for parameter, d_scale in constraint.scale.gradient(theta).items():
                        v[self._column[parameter]] += info.d_scale[k] * d_scale
                F += kappa * np.outer(v, v)
        return F

    def _slopes(self, observed: Observed) -> Float[np.ndarray, "cell d"]:
        return observed.slopes().reshape(observed.P.size, len(self.names))

    def _noise_slopes(self, g: Group, theta: Theta, slopes: np.ndarray) -> dict[str, Float[np.ndarray, "n d"]]:
        """∂(noise parameter)/∂θ of each measurement."""
        out = {name: np.zeros((len(g.cell), len(self.names))) for name in g.estimated}
        for name, rows, formula in g.formulas:
            for parameter, d in formula.gradient(theta).items():
                out[name][rows, self._column[parameter]] = d
        for name, rows, cells in g.read:
            out[name][rows] = slopes[cells]
        return out


def failure_of(loss: float, gradient: np.ndarray | None = None) -> Failure | None:
    """The failure a loss that is no number stands for, or None."""
    if isfinite(loss) and (gradient is None or finite(gradient)):
        return None
    return Failure(FailureKind.NONFINITE, "the likelihood is not finite (a scale ≤ 0, an overflow, a value out of domain)")


def finite(x: Float[np.ndarray, " d"]) -> bool:
    """Whether every number of a vector is finite."""
    with np.errstate(over="ignore"):  # of a square, which says nothing
        return isfinite(np.dot(x, x)) or bool(np.isfinite(x).all())
