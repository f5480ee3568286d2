"""The trust region on the Fisher information: bounds, narrow valleys, estimated noise, failures."""

import numpy as np
import pytest

from bnfhmc.errors import FailedSolve
from bnfhmc.optimizers.backends import gntr
from bnfhmc.optimizers.losses import Quadratic
from bnfhmc.optimizers.objective import Objective
from bnfhmc.optimizers.search import Options, Search
from tests.optimizers import problems


def minimised(objective, u0, **options):
    search = Search(objective, limit=1000)
    end = gntr.minimise(search, np.asarray(u0, dtype=float), Options(**options))
    return search, end


def test_many_parameters_reach_their_bounds_in_a_few_steps():
    """The minimum of a random parabola in 30 parameters, where most bounds hold: its slope points out of the box there."""
    rng = np.random.default_rng(4)
    A, b = rng.standard_normal((40, 30)), rng.standard_normal(40)
    names = [f"x{i}" for i in range(30)]
    objective = Objective({n: (-0.05, 0.05) for n in names},
                          lambda theta: (A @ np.array([theta[n] for n in names]) - b, A), returns="residuals")  # fmt: skip
    search, end = minimised(objective, np.zeros(30))
    slope = A.T @ (A @ search.best_u - b)
    at = np.abs(search.best_u) == 0.05
    assert end.converged and at.sum() > 10
    assert np.all(slope[at] * search.best_u[at] < 0) and np.all(np.abs(slope[~at]) < 1e-6)
    assert search.gradients < 10


def test_estimated_noise_is_minimised_exactly():
    """At the minimum σ is the root mean square of the residuals, but for the prior's part in the other parameters."""
    posterior = problems.estimated_sigma()
    search, end = minimised(Objective.of(posterior), [0.0, -2.0, 1.0], tolerance=1e-10)
    theta = posterior.theta_from_u(search.best_u)
    r = posterior.predicted(search.best_u) - posterior.problem.experiments[0].series[0].observed
    assert end.converged
    assert theta[2] == pytest.approx(np.sqrt(np.mean(r**2)), rel=1e-4)


def test_a_curved_valley_takes_few_solves():
    search, _ = minimised(problems.rosenbrock(), [-1.2, 1.0])
    assert search.gradients < 30 and search.best_value - 2 * np.log(4.0) < 1e-9


def test_the_secant_finds_the_curvature_that_the_information_leaves_out():
    """A loss with F = 0.1 I and a true curvature H: after d independent steps (F + S) s = H s along each of them."""
    H = np.array([[2.0, 0.3], [0.3, 1.0]])
    F, S, u = 0.1 * np.eye(2), np.zeros((2, 2)), np.zeros(2)
    for s in (np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([1.0, 1.0])):
        here, there = Quadratic(0.5 * u @ H @ u, H @ u, F), Quadratic(0.5 * (u + s) @ H @ (u + s), H @ (u + s), F)
        S, u = gntr._secant(s, here, there, S), u + s
        np.testing.assert_allclose((F + S) @ s, H @ s, rtol=1e-10)


def test_a_trial_point_that_fails_shrinks_the_step():
    search, end = minimised(problems.holed(), [0.0, 0.0])
    assert end.converged and search.failures["solver"] > 0
    np.testing.assert_allclose(search.best_u, [1.0, 1.0], atol=1e-3)


def test_a_point_whose_derivatives_fail_is_not_moved_to():
    def fn(theta):
        x = theta["x"]
        if x > 0.8:
            raise FailedSolve("solver", "no sensitivities")
        return np.array([x - 1.0]), np.eye(1)

    objective = Objective({"x": (-2.0, 2.0)}, fn, returns="residuals")
    objective.loss.value = lambda u: 0.5 * (u[0] - 1.0) ** 2  # a value there is
    search, _ = minimised(objective, [-1.0])
    assert search.base[0][0] <= 0.8 and search.evaluations < 100
    assert search.base[0][0] == pytest.approx(0.8, abs=0.02)


def test_a_start_without_derivatives_is_none():
    _, end = minimised(problems.holed(), [-1.0, 0.0])
    assert end == (gntr.FAILED_START, False)


def test_no_bounds_at_all():
    from bnfhmc.prior import make_parameter

    parameters = [make_parameter(n, "student_t", {"df": 3.0, "location": 0.0, "scale": 50.0}, "lin") for n in ("x", "y")]
    objective = Objective(parameters, lambda t: (np.array([t["x"] - 300.0, t["y"] + t["x"]]), np.array([[1.0, 0], [1, 1]])),
                          returns="residuals")  # fmt: skip
    search, end = minimised(objective, [0.0, 0.0])
    assert end.converged and search.best_u[0] == pytest.approx(300.0, abs=0.1)
