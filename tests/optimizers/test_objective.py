"""f = loss − log prior, with every derivative against differences, from a posterior and from a function alike."""

import numpy as np
import pytest

from bnfhmc.errors import FailedSolve, InputError
from bnfhmc.optimizers.objective import Objective
from bnfhmc.posterior import Posterior
from bnfhmc.prior import make_parameter
from tests.optimizers import problems

POINTS = {
    "known": (problems.known_sigma, [[3.0, -0.3], [1.0, 0.4]]),
    "estimated": (problems.estimated_sigma, [[0.5, -0.7, -1.0], [0.2, 0.3, 0.1]]),
    "scaled": (problems.scaled, [[0.5, -0.3, 0.2, 0.4, -1.0], [1.0, 0.1, -1.0, -0.2, 0.0]]),
}
EVERY = pytest.mark.parametrize("name", POINTS)


@EVERY
def test_the_value_is_loss_minus_log_prior_without_any_jacobian(name):
    build, points = POINTS[name]
    posterior = build()
    objective = Objective.of(posterior)
    for u in np.array(points):
        f = posterior.loss(u) - posterior.log_prior(u)
        assert objective.value(u) == pytest.approx(f, rel=1e-12)
        assert objective.gradient(u)[0] == pytest.approx(f, rel=1e-12)
        assert objective.quadratic(u).value == pytest.approx(f, rel=1e-12)


@EVERY
def test_the_gradient_against_differences(name, quotient):
    build, points = POINTS[name]
    objective = Objective.of(build())
    for u in np.array(points):
        slopes = quotient(objective.value, u, 1e-4)
        np.testing.assert_allclose(objective.gradient(u)[1], slopes, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(objective.quadratic(u).grad, slopes, rtol=1e-6, atol=1e-6)


def test_the_curvature_is_the_mean_of_the_second_derivative_over_data(quotient):
    """With data equal to the predictions, second derivatives of a sum of squares are those of Gauss–Newton."""
    exact = problems.decay(problems.known_sigma().problem.parameters, observed=3.0 * np.exp(-0.5 * problems.TIMES[1:]))
    objective, u = Objective.of(exact), np.array([3.0, np.log10(0.5)])
    second = quotient(lambda v: objective.gradient(v)[1], u, 1e-4)
    np.testing.assert_allclose(objective.quadratic(u).hess, second, rtol=1e-6)


def test_residuals_with_normal_priors_among_them():
    objective, u = Objective.of(problems.known_sigma()), np.array([2.0, -0.2])
    rho, J = objective.residuals(u)
    assert rho.size == len(problems.TIMES) - 1 + 1
    assert 0.5 * rho @ rho + objective.rows.constant == pytest.approx(objective.value(u), rel=1e-12)
    np.testing.assert_allclose(J.T @ rho, objective.gradient(u)[1], rtol=1e-10)


def test_what_there_is_depends_on_the_loss_and_on_the_priors():
    known, estimated = Objective.of(problems.known_sigma()), Objective.of(problems.estimated_sigma())
    assert known.gives("residuals") and known.gives("information")
    assert not estimated.gives("residuals") and estimated.gives("information")
    other = Objective([make_parameter("x", "cauchy", {"location": 0.0, "scale": 1.0}, "lin")],
                      lambda theta: (np.array([theta["x"]]), np.eye(1)), returns="residuals")  # fmt: skip
    assert not other.gives("residuals") and other.gives("information")
    value = problems.rosenbrock("value")
    assert value.gives("value") and not value.gives("gradient")
    assert problems.rosenbrock("gradient").gives("gradient") and not problems.rosenbrock("gradient").gives("information")


@pytest.mark.parametrize("returns", ["gradient", "residuals"])
def test_a_function_of_theta_on_other_scales(returns, quotient):
    parameters = [make_parameter("a", "normal", {"mean": 0.0, "sd": 1.0}, "log10"),
                  make_parameter("b", None, {}, "ln", 0.1, 9.0)]  # fmt: skip

    def residuals(theta):
        a, b = theta["a"], theta["b"]
        return np.array([a * b - 1.0, a - b**2]), np.array([[b, a], [1.0, -2.0 * b]])

    objective, u = problems.of_residuals(parameters, residuals, returns), np.array([0.3, 0.4])
    np.testing.assert_allclose(objective.gradient(u)[1], quotient(objective.value, u, 1e-4), rtol=1e-7)


def test_failures_are_raised_by_kind():
    objective = problems.holed()
    with pytest.raises(FailedSolve, match="solver"):
        objective.value(np.array([-1.0, 0.0]))
    with pytest.raises(FailedSolve, match="outside"):
        objective.value(np.array([5.0, 0.0]))
    nan = Objective({"x": (0.0, 1.0)}, lambda theta: float("nan"))
    with pytest.raises(FailedSolve, match="nonfinite"):
        nan.value(np.array([0.5]))
    rough = Objective({"x": (0.0, 1.0)}, lambda theta: (1.0, [np.inf]), returns="gradient")
    with pytest.raises(FailedSolve, match="nonfinite"):
        rough.gradient(np.array([0.5]))


def test_a_closed_form_target_has_no_information():
    from bnfhmc.noise.target import Banana
    from bnfhmc.problem import Problem

    parameters = tuple(make_parameter(n, None, {}, "lin", -5.0, 5.0) for n in ("x1", "x2"))
    objective = Objective.of(Posterior(Problem(parameters, {}, (), target=Banana(("x1", "x2")))))
    assert objective.gives("gradient") and not objective.gives("information")
    value, grad = objective.gradient(np.array([1.0, 1.0]))
    assert value == pytest.approx(2 * np.log(10.0)) and np.allclose(grad, 0.0)


def test_a_start_is_read_by_name_or_in_order():
    objective = Objective.of(problems.scaled())
    u = objective.u_of({"k": 0.1, "A0": 10.0, "sd": 1.0, "b": 2.0, "s": 100.0})
    np.testing.assert_allclose(u, [1.0, -1.0, 2.0, 2.0, 0.0])
    np.testing.assert_array_equal(objective.u_of([10.0, 0.1, 100.0, 2.0, 1.0]), u)


@pytest.mark.parametrize("start, said", [
    ({"x": 3.0, "y": 0.0}, "parameter 'x': the start 3 lies outside of \\[-2, 2\\]"),
    ({"x": 0.0, "z": 0.0}, "a start names 'z', which is no parameter\na start has no value for 'y'"),
    ([0.0], "a start has 1 values, and there are 2 parameters; in this order: x, y"),
    ({"x": float("nan"), "y": 9.0}, "'x': the start nan lies outside .*\n.*'y': the start 9"),
])  # fmt: skip
def test_a_wrong_start_says_what_is_wrong(start, said):
    with pytest.raises(InputError, match=said):
        problems.rosenbrock().u_of(start)


def test_wrong_objectives_say_what_is_wrong():
    with pytest.raises(InputError, match="there is no parameter to optimize"):
        Objective({}, lambda theta: 0.0)
    with pytest.raises(InputError, match="parameter 'b': .*\n.*|parameter 'a'"):
        Objective({"a": (1.0, 0.0), "b": (0.0, float("inf"))}, lambda theta: 0.0)
    with pytest.raises(ValueError, match="returns = 'slope': one of value, gradient, residuals"):
        Objective({"a": (0.0, 1.0)}, lambda theta: 0.0, returns="slope")
    lone = Objective({"a": (0.0, 1.0)}, lambda theta: 0.0, returns="gradient")
    with pytest.raises(TypeError, match="returned float; with returns='gradient' it returns \\(value, gradient\\)"):
        lone.gradient(np.array([0.5]))
    flat = Objective({"a": (0.0, 1.0)}, lambda theta: (0.0, [1.0, 2.0]), returns="gradient")
    with pytest.raises(ValueError, match="the gradient has shape \\(2,\\); with 1 parameters it has \\(1,\\)"):
        flat.gradient(np.array([0.5]))


def test_bounds_are_the_support_cut_to_the_search_space():
    parameters = [make_parameter("a", "normal", {"mean": 0.0, "sd": 1.0}, "lin"),
                  make_parameter("b", None, {}, "lin", 0.0, 9.0)]  # fmt: skip
    objective = Objective(parameters, lambda theta: 0.0, search_space={"b": (1.0, 99.0)})
    np.testing.assert_array_equal(objective.bounds.lower, [-np.inf, 1.0])
    np.testing.assert_array_equal(objective.bounds.upper, [np.inf, 9.0])
    assert np.isfinite(objective.box.width).all()
    held = objective.pinned(0, 0.7)
    assert held.bounds.lower[0] == held.bounds.upper[0] == 0.7 and objective.bounds.upper[0] == np.inf
    assert held.clone().bounds.lower[0] == 0.7
