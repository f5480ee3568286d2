"""Problems in few words: parameters by their values, conditions as a configuration writes them, data made to disagree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from bnfhmc.expression import parse
from bnfhmc.noise import Constant, Formula, NoiseModel, Normal
from bnfhmc.posterior import Posterior
from bnfhmc.prior import Parameter, make_parameter
from bnfhmc.problem import Condition, Experiment, Perturbation, Problem, Series

SCALES = ("lin", "log10", "ln")


def source(value: object) -> Constant | Formula:
    """A formula from a text, a constant from a number or from numbers."""
    if isinstance(value, str):
        return Formula(parse(value))
    return Constant(np.asarray(value, dtype=float) if np.ndim(value) else value)


def series(observable: str, rows, noise: NoiseModel | None = None, observed=None, **sources: object) -> Series:
    """Measurements of an observable; Gaussian with a σ of 0.5 where nothing else is said, all 1 until `with_data`."""
    rows = np.asarray(rows, dtype=int)
    observed = np.ones(len(rows)) if observed is None else np.asarray(observed, dtype=float)
    made = {name: source(value) for name, value in sources.items()}
    if noise is None:
        noise, made = Normal(), made or {"sigma": Constant(0.5)}
    return Series(observable, parse(observable), rows, observed, noise, made)


def condition(*perturbations: str) -> Condition:
    """``condition("k * 2", "X() = dose")``: target, operator and value."""
    split = (text.split(maxsplit=2) for text in perturbations)
    return Condition("c", tuple(Perturbation(target, op, parse(value)) for target, op, value in split))


def parameters(theta: Mapping[str, float]) -> tuple[Parameter, ...]:
    """One parameter a name: scales and supports in turn, each with room around its value."""
    out = []
    for i, (name, value) in enumerate(theta.items()):
        scale = SCALES[i % 3]
        if scale == "lin":
            fields, family, bounds = {"mean": value, "sd": abs(value) + 0.5}, "normal", {"lower": min(0.0, 2 * value)}
        elif scale == "log10":
            fields, family, bounds = {}, "uniform", {"lower": value / 50, "upper": value * 80}
        else:
            fields, family, bounds = {"mean": np.log(value) - 0.3, "sd": 1.5}, "normal", {}
        out.append(make_parameter(name, family, fields, scale, **bounds))
    return tuple(out)


def problem(model, experiments: tuple[Experiment, ...], theta: Mapping[str, float]) -> Problem:
    """A problem over one model or several by name; `theta` names the free parameters in order."""
    models = model if isinstance(model, dict) else {"m": model}
    return Problem(parameters(theta), models, tuple(experiments))


def with_data(made: Problem, theta: Mapping[str, float], seed: int = 1) -> Problem:
    """The same problem with measurements that lie off the predictions at `theta`, by 10 to 40 %, either way."""
    posterior, rng = Posterior(made), np.random.default_rng(seed)
    y = posterior.predicted(posterior.u_from_theta(theta))
    y = y * (1 + rng.uniform(0.1, 0.4, y.size) * rng.choice([-1, 1], y.size)) + 0.05
    experiments, start = [], 0
    for e in made.experiments:
        new = []
        for s in e.series:
            new.append(replace(s, observed=y[start : start + len(s.observed)]))
            start += len(s.observed)
        experiments.append(replace(e, series=tuple(new)))
    return replace(made, experiments=tuple(experiments))


def close(got, expected, tolerance: float = 2e-6) -> None:
    """Agreement relative to each entry, and to the largest one, as far as a difference quotient can tell."""
    floor = 0.02 * tolerance * np.abs(expected).max(initial=0.0)
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=floor)


def assert_gradients(
    posterior: Posterior, u: np.ndarray, quotient: Callable[..., np.ndarray], step: float = 2e-3, tolerance: float = 2e-6
) -> None:
    """∂loss/∂u and ∂log π/∂z are the difference quotients of the loss and of log π."""
    expected = quotient(posterior.loss, u, step)
    close(posterior.loss_gradient(u), expected, tolerance)
    z = posterior.z_from_u(u)
    evaluation = posterior.evaluate(z)
    assert evaluation.status == "ok"
    close(evaluation.grad, quotient(lambda x: posterior.evaluate(x).logp, z, step), tolerance)
