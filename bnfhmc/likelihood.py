"""The likelihood of one experiment as array expressions over [row, series, θ], with its derivatives."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from bnfhmc.errors import InputError, Mistake, nearest
from bnfhmc.model.protocol import Failure, FailureKind, Model
from bnfhmc.noise import Constant, Formula, Loss, NoiseModel
from bnfhmc.observation import Observation, Observed
from bnfhmc.phase import Theta
from bnfhmc.problem import Experiment, Series
from bnfhmc.simulation import Simulation


class Prediction(NamedTuple):
    """A solved experiment, seen through its observables, at one θ."""

    theta: Theta
    observed: Observed


@dataclass(frozen=True, slots=True)
class Group:
    """All measurements of an experiment that share a noise family, as flat arrays.

    ``cell[n]``: index into the flattened P[row, column]; ``at[n]``: place among the experiment's measurements;
    ``formulas``: (noise parameter, rows, formula of θ alone); ``read``: (noise parameter, rows, cells of its formula in P).
    """

    noise: NoiseModel
    cell: Int[np.ndarray, " n"]
    at: Int[np.ndarray, " n"]
    observed: Float[np.ndarray, " n"]
    constants: Mapping[str, Float[np.ndarray, " n"]]
    formulas: tuple[tuple[str, slice, Formula], ...]
    read: tuple[tuple[str, slice, Int[np.ndarray, " m"]], ...]
    estimated: frozenset[str]

    def noise_at(self, theta: Theta, P: Float[np.ndarray, " cell"]) -> dict[str, np.ndarray]:
        """Each noise parameter, one value a measurement."""
        out = dict(self.constants)
        for name in self.estimated:
            out[name] = out[name].copy()
        for name, rows, formula in self.formulas:
            out[name][rows] = formula.value(theta)
        for name, rows, cells in self.read:
            out[name][rows] = P[cells]
        return out


class ExperimentLikelihood:
    """log p(data of one experiment | θ): one simulation, then array expressions.

    Raises InputError for a name that the model does not have.
    """

    def __init__(self, experiment: Experiment, model: Model, names: tuple[str, ...]):
        self.experiment, self.model, self.names = experiment, model, names
        _refuse_wrong(experiment, model, names)
        series, free = experiment.series, set(names)
        reading = {  # (series, noise parameter) → the formula, where it reads outputs
            (i, name): source.expression
            for i, s in enumerate(series)
            for name, source in s.sources.items()
            if isinstance(source, Formula) and not source.expression.names <= free
        }
        constrained = tuple(dict.fromkeys(name for c in experiment.constraints for name in c.outputs))
        self.observation = Observation(experiment.name, series, model, names, tuple(reading.values()), constrained)
        self.simulation = Simulation(experiment, model, names, self.observation.outputs, self.observation.reads)
        self.size = sum(len(s.observed) for s in series)
        self.groups = _groups(series, {key: len(series) + a for a, key in enumerate(reading)})
        self._column = {name: j for j, name in enumerate(names)}

    @property
    def least_squares(self) -> bool:
        """Whether the loss is exactly ½‖ρ‖²: every family a sum of squares and every scale known."""
        return not self.experiment.constraints and all(g.noise.least_squares and not g.estimated for g in self.groups)

    @property
    def uses(self) -> list[str]:
        """The free parameters that this likelihood depends on, each as often as something reads it."""
        expressions = [f.expression for g in self.groups for _, _, f in g.formulas]
        expressions += [f.expression for f in self.observation.formulas]
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
        return float(sum(self._loss(g, prediction).loss.sum() for g in self.groups)) + self._penalty(prediction)[0]

    def loss_gradient(
        self, prediction: Prediction, without: Collection[str] = ()
    ) -> tuple[float, Float[np.ndarray, " d"]]:
        """The loss and ∂loss/∂θ, but for the measurements whose scale is one of the parameters `without`."""
        theta, observed = prediction
        grad, weight = np.zeros(len(self.names)), np.zeros(observed.P.size)
        total, on_outputs, by_scale = self._penalty(prediction)
        grad += by_scale
        for g in self.groups:
            loss, d_pred, d_noise = self._loss(g, prediction)
            for _, rows, formula in g.formulas:
                if formula.expression.text in without:
                    loss[rows] = d_pred[rows] = 0.0
            total += float(loss.sum())
            weight += np.bincount(g.cell, d_pred, minlength=weight.size)
            for name, rows, formula in g.formulas:
                slope = 0.0 if formula.expression.text in without else d_noise[name][rows].sum()
                for parameter, d in formula.gradient(theta).items():
                    grad[self._column[parameter]] += slope * d
            for name, rows, cells in g.read:
                weight += np.bincount(cells, d_noise[name][rows], minlength=weight.size)
        return total, grad + observed.pull(weight.reshape(observed.P.shape), on_outputs)

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

    def _loss(self, g: Group, prediction: Prediction) -> Loss:
        theta, observed = prediction
        P = observed.P.ravel()
        with np.errstate(all="ignore"):  # a scale ≤ 0 or an overflow shows as a loss that is not finite
            return g.noise.loss(P[g.cell], g.observed, g.noise_at(theta, P), g.estimated)

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
    if np.isfinite(loss) and (gradient is None or np.isfinite(gradient).all()):
        return None
    return Failure(FailureKind.NONFINITE, "the likelihood is not finite (a scale ≤ 0, an overflow, a value out of domain)")


def _refuse_wrong(experiment: Experiment, model: Model, names: tuple[str, ...]) -> None:
    """What no point of the posterior could be blamed for."""
    wrong = [m for s in experiment.series for m in _wrong_series(s)]
    for c in experiment.constraints:
        whose = f"experiment '{experiment.name}': constraint '{c.text}'"
        wrong += [Mistake(f"{whose} reads '{n}', which is no output of model '{model.name}'",
                          nearest(n, model.outputs), c.path, c.line) for n in c.outputs if n not in model.outputs]  # fmt: skip
        scale = c.scale.expression.names if c.scale is not None else frozenset()
        wrong += [Mistake(f"{whose}: its scale '{n}' is no free parameter", nearest(n, names), c.path, c.line)
                  for n in sorted(scale - set(names))]  # fmt: skip
        if why := c.unmet(experiment.rows):  # it would hold by default
            wrong.append(Mistake(f"{whose}: {why}", "", c.path, c.line))
    if wrong:
        raise InputError(wrong)


def _wrong_series(s: Series) -> list[Mistake]:
    family, noise = type(s.noise).__name__, s.noise
    wrong = [Mistake(f"'{s.name}': {family} has no noise parameter '{n}'", nearest(n, noise.parameters))
             for n in s.sources if n not in noise.parameters]  # fmt: skip
    wrong += [Mistake(f"'{s.name}': the noise parameter '{n}' of {family} is not given")
              for n in noise.parameters if n not in s.sources and n not in noise.defaults]  # fmt: skip
    if isinstance(s.sources.get("trials"), Formula):
        wrong.append(Mistake(f"'{s.name}': trials are counted, not estimated", "give a number, or a column of the data"))
    wrong += [Mistake(f"'{s.name}': the noise parameter '{n}' of {family} has to be positive")
              for n, source in s.sources.items()
              if isinstance(source, Constant) and not np.all(np.isfinite(source.values) & (np.asarray(source.values) > 0))]
    known = {n: source.values for n, source in s.sources.items() if isinstance(source, Constant)}
    if said := noise.rejects(s.observed, known):
        wrong.append(Mistake(f"'{s.name}': {said}"))
    return wrong


def _groups(series: Sequence[Series], reading: Mapping[tuple[int, str], int]) -> tuple[Group, ...]:
    """A normaliser counts where its parameter is estimated, so series are grouped by family and by what is estimated."""
    alike: dict[tuple[NoiseModel, frozenset[str]], list[int]] = {}
    for i, s in enumerate(series):
        estimated = frozenset(name for name, source in s.sources.items() if isinstance(source, Formula))
        alike.setdefault((s.noise, estimated), []).append(i)
    return tuple(_group(noise, series, which, reading) for (noise, _), which in alike.items())


def _group(
    noise: NoiseModel, series: Sequence[Series], which: Sequence[int], reading: Mapping[tuple[int, str], int]
) -> Group:
    """`reading`: (series, noise parameter) → the column of P that holds its formula."""
    first = np.cumsum([0, *(len(s.observed) for s in series)])
    width, end = len(series) + len(reading), 0
    constants: dict[str, Any] = {name: np.empty(sum(len(series[i].observed) for i in which)) for name in noise.parameters}
    formulas, read = [], []
    for i in which:
        s, rows = series[i], slice(end, end + len(series[i].observed))
        end = rows.stop
        for name in noise.parameters:
            source = s.sources.get(name, Constant(noise.defaults.get(name, np.nan)))
            if isinstance(source, Constant):
                constants[name][rows] = source.values
            elif (i, name) in reading:
                read.append((name, rows, s.time_index * width + reading[i, name]))
            else:
                formulas.append((name, rows, source))
    return Group(
        noise,
        np.concatenate([series[i].time_index * width + i for i in which]),
        np.concatenate([np.arange(first[i], first[i + 1]) for i in which]),
        np.concatenate([series[i].observed for i in which]),
        constants,
        tuple(formulas),
        tuple(read),
        frozenset(name for name, *_ in (*formulas, *read)),
    )
