"""Objectives with known minima, and posteriors of closed-form models."""

import numpy as np

from bnfhmc.errors import FailedSolve
from bnfhmc.expression import parse
from bnfhmc.noise import Constant, Formula, Normal
from bnfhmc.optimizers.objective import Objective
from bnfhmc.posterior import Posterior
from bnfhmc.prior import make_parameter
from bnfhmc.problem import Experiment, Problem, Series
from tests.conftest import ClosedForm

TIMES = np.array([0.0, 0.5, 1.0, 2.0, 4.0, 8.0])


def as_asked(residuals, returns):
    """A function of θ that returns (ρ, J), as one that returns less."""
    if returns == "residuals":
        return residuals

    def fn(theta):
        rho, J = residuals(theta)
        return (0.5 * float(rho @ rho), J.T @ rho) if returns == "gradient" else 0.5 * float(rho @ rho)

    return fn


def of_residuals(parameters, residuals, returns="residuals", **more):
    return Objective(parameters, as_asked(residuals, returns), returns=returns, **more)


def rosenbrock(returns="residuals", **more):
    """½‖ρ‖² with its minimum 0 at (1, 1), at the end of a curved valley."""

    def residuals(theta):
        x, y = theta["x"], theta["y"]
        return np.array([10.0 * (y - x**2), 1.0 - x]), np.array([[-20.0 * x, 10.0], [-1.0, 0.0]])

    return of_residuals({"x": (-2.0, 2.0), "y": (-1.0, 3.0)}, residuals, returns, **more)


def hopf(returns="residuals"):
    """The amplitude of a Hopf oscillator, x' = (a − r²)x − ωy, y' = (a − r²)y + ωx, is to be that of a = 1.5.

    r' = (a − r²)r and its derivative s by a, s' = r + (a − 3r²)s, by the classical Runge–Kutta method.
    """

    def slope(r, s, a):
        return (a - r * r) * r, r + (a - 3.0 * r * r) * s

    def residuals(theta):
        a, r, s, h = theta["a"], 0.5, 0.0, 0.1
        for _ in range(400):
            r1, s1 = slope(r, s, a)
            r2, s2 = slope(r + 0.5 * h * r1, s + 0.5 * h * s1, a)
            r3, s3 = slope(r + 0.5 * h * r2, s + 0.5 * h * s2, a)
            r4, s4 = slope(r + h * r3, s + h * s3, a)
            r, s = r + h / 6.0 * (r1 + 2 * r2 + 2 * r3 + r4), s + h / 6.0 * (s1 + 2 * s2 + 2 * s3 + s4)
        return np.array([10.0 * (r - 1.5**0.5)]), np.array([[10.0 * s]])

    return of_residuals({"a": (0.01, 4.0)}, residuals, returns)


def bounded(returns="residuals"):
    """A correlated parabola whose minimum within the bounds is at (1, 0.75), where x is at its upper bound."""

    def residuals(theta):
        x, y = theta["x"] - 2.0, theta["y"] - 1.0
        return np.array([2.0 * x, 2.0 * y - 0.5 * x]), np.array([[2.0, 0.0], [-0.5, 2.0]])

    return of_residuals({"x": (-1.0, 1.0), "y": (-3.0, 3.0)}, residuals, returns)


def holed(returns="residuals"):
    """A minimum of 0 at (1, 1); fails where x < −0.5 or y < −0.5, and where x > 1.3, which first steps from (0, 0) run into."""

    def residuals(theta):
        x, y = theta["x"], theta["y"]
        if min(x, y) < -0.5 or x > 1.3:
            raise FailedSolve("solver", "no progress")
        return np.array([np.exp(x) - np.e, y - 1.0]), np.array([[np.exp(x), 0.0], [0.0, 1.0]])

    return of_residuals({"x": (-2.0, 3.0), "y": (-2.0, 3.0)}, residuals, returns)


def camel(returns="value"):
    """The six-hump camel: two minima of −1.0316 at ±(0.0898, −0.7126), four others that are higher."""

    def fn(theta):
        x, y = theta["x"], theta["y"]
        value = (4 - 2.1 * x**2 + x**4 / 3) * x**2 + x * y + (4 * y**2 - 4) * y**2
        grad = [8 * x - 8.4 * x**3 + 2 * x**5 + y, x + 16 * y**3 - 8 * y]
        return (value, grad) if returns == "gradient" else value

    return Objective({"x": (-2.0, 2.0), "y": (-1.5, 1.5)}, fn, returns=returns)


def series(observable, observed, sigma, rows=None):
    """Measurements at TIMES[1:]."""
    source = Formula(parse(sigma)) if isinstance(sigma, str) else Constant(sigma)
    rows = np.arange(1, len(TIMES)) if rows is None else np.array(rows)
    return Series(observable, parse(observable), rows, np.asarray(observed, dtype=float), Normal(), {"sigma": source})


def decay(parameters, observable="A", sigma=0.1, observed=None):
    """The posterior of A(t) = A0 exp(−k t) with A0 = 3, k = 0.5 and deviations of a tenth."""
    model = ClosedForm({"A": lambda m, t: m["A0"] * np.exp(-m["k"] * t)}, {"A0": 3.0, "k": 0.5, "hopeless": 0.0})
    if observed is None:
        observed = 3.0 * np.exp(-0.5 * TIMES[1:]) + 0.1 * np.array([1.0, -1.0, 0.5, -0.5, 1.0])
    experiment = Experiment("e", "closed", TIMES, (series(observable, observed, sigma),))
    return Posterior(Problem(tuple(parameters), {"closed": model}, (experiment,)))


def known_sigma():
    """Least squares: a normal prior, a uniform one, σ known."""
    return decay([
        make_parameter("A0", "normal", {"mean": 2.5, "sd": 1.0}, "lin", lower=0.0),
        make_parameter("k", None, {}, "log10", 0.01, 10.0),
    ])  # fmt: skip


def estimated_sigma():
    """No least squares: σ is estimated, and k has a prior that is no residual."""
    return decay([
        make_parameter("A0", None, {}, "log10", 0.1, 100.0),
        make_parameter("k", "laplace", {"location": -1.0, "scale": 0.5}, "ln"),
        make_parameter("sd", None, {}, "log10", 1e-4, 1e2),
    ], sigma="sd")  # fmt: skip


def scaled():
    """A scale and an offset in the observable beside σ: three parameters that no solution depends on."""
    return decay([
        make_parameter("A0", None, {}, "log10", 0.1, 100.0),
        make_parameter("k", None, {}, "log10", 0.01, 10.0),
        make_parameter("s", None, {}, "log10", 1e-3, 1e3),
        make_parameter("b", None, {}, "lin", -5.0, 5.0),
        make_parameter("sd", None, {}, "log10", 1e-4, 1e2),
    ], observable="s*A + b", sigma="sd")  # fmt: skip
