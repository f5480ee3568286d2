"""The normal approximation: exact for a normal posterior, finite for any."""

import numpy as np
import pytest
from scipy import stats

from bnfhmc.optimizers.fit import optimize
from bnfhmc.optimizers.laplace import at_bounds, laplace, metric, standard_errors
from bnfhmc.optimizers.objective import Objective
from bnfhmc.posterior import Posterior
from bnfhmc.prior import make_parameter
from bnfhmc.problem import Experiment, Problem
from tests.conftest import ClosedForm
from tests.optimizers import problems

SIGMA, OBSERVED = 0.3, np.array([1.2, 0.8, 1.9, 1.4, 2.2])


def line(*parameters):
    """The posterior of a + b t, linear, with normal noise."""
    model = ClosedForm({"y": lambda m, t: m["a"] + m["b"] * t}, {"a": 0.0, "b": 0.0, "hopeless": 0.0})
    experiment = Experiment("e", "closed", problems.TIMES, (problems.series("y", OBSERVED, SIGMA),))
    return Posterior(Problem(parameters, {"closed": model}, (experiment,)))


NORMAL = (
    make_parameter("a", "normal", {"mean": 0.5, "sd": 2.0}, "lin"),
    make_parameter("b", "normal", {"mean": 0.0, "sd": 1.0}, "lin"),
)


def test_a_normal_posterior_is_itself():
    fit = optimize(line(*NORMAL), starts=2, random_seed=1)
    X = np.stack([np.ones(5), problems.TIMES[1:]], axis=1)
    precision = X.T @ X / SIGMA**2 + np.diag([0.25, 1.0])
    mean = np.linalg.solve(precision, X.T @ OBSERVED / SIGMA**2 + [0.125, 0.0])
    np.testing.assert_allclose(fit.u, mean, rtol=1e-6)
    np.testing.assert_allclose(fit.laplace.covariance, np.linalg.inv(precision), rtol=1e-5)
    np.testing.assert_allclose(list(fit.standard_errors.values()), np.sqrt(np.diag(np.linalg.inv(precision))), rtol=1e-5)
    marginal = stats.multivariate_normal(X @ [0.5, 0.0], X @ np.diag([4.0, 1.0]) @ X.T + SIGMA**2 * np.eye(5))
    assert fit.laplace.log_evidence == pytest.approx(marginal.logpdf(OBSERVED), rel=1e-5)


def test_flat_priors_count_as_wide_as_they_are_and_bounds_as_exponentials():
    posterior = line(make_parameter("a", None, {}, "lin", 5.0, 9.0), make_parameter("b", None, {}, "lin", -4.0, 4.0))
    objective = Objective.of(posterior)
    fit = optimize(posterior, starts=2, random_seed=1)
    np.testing.assert_array_equal(at_bounds(objective, fit.u), [True, False])
    assert fit.at_bound == ("a",)
    slope = objective.gradient(fit.u)[1][0]
    X = np.stack([np.ones(5), problems.TIMES[1:]], axis=1)
    H = X.T @ X / SIGMA**2 + np.diag([12 / 16 + slope**2, 12 / 64])
    np.testing.assert_allclose(fit.laplace.covariance, np.linalg.inv(H), rtol=1e-5)
    assert fit.laplace.log_evidence is None
    assert np.isnan(fit.standard_errors["a"]) and fit.standard_errors["b"] > 0


def test_standard_errors_are_of_theta():
    fit = optimize(problems.known_sigma(), starts=3, random_seed=1)
    k = fit.names.index("k")
    assert fit.standard_errors["k"] == pytest.approx(np.log(10.0) * fit.theta["k"] * fit.laplace.sd[k], rel=1e-6)


def test_draws_stay_inside_and_have_the_covariance():
    posterior = line(*NORMAL)
    objective = Objective.of(posterior)
    approximation = laplace(objective, optimize(posterior, starts=1, random_seed=1).u)
    draws = approximation.draw(np.random.default_rng(1), objective.bounds, 4000)
    np.testing.assert_allclose(np.cov(draws.T), approximation.covariance, rtol=0.15)
    tight = Objective.of(line(make_parameter("a", None, {}, "lin", 5.0, 5.1), NORMAL[1]))
    inside = laplace(tight, np.array([5.0, 0.1])).draw(np.random.default_rng(1), tight.bounds, 200)
    assert np.all((inside[:, 0] >= 5.0) & (inside[:, 0] <= 5.1)) and np.ptp(inside[:, 0]) > 1e-3


def test_the_metric_of_a_normal_posterior_is_its_covariance_and_finite_at_a_bound():
    objective = Objective.of(line(*NORMAL))
    approximation = laplace(objective, np.array([1.0, 0.1]))
    np.testing.assert_allclose(metric(objective, approximation), approximation.covariance, rtol=1e-12)
    bounded = Objective.of(line(make_parameter("a", None, {}, "lin", 5.0, 9.0), NORMAL[1]))
    M = metric(bounded, laplace(bounded, np.array([5.0, 0.1])))
    assert np.isfinite(M).all() and np.all(np.linalg.eigvalsh(M) > 0)


def test_none_without_information():
    assert laplace(problems.rosenbrock("gradient"), np.zeros(2)) is None
    assert laplace(problems.holed(), np.array([-1.0, 0.0])) is None
    fit = optimize(problems.rosenbrock("gradient"), starts=1, random_seed=1)
    assert fit.laplace is None and fit.standard_errors is None and fit.undetermined == ()
    objective = Objective.of(line(*NORMAL))
    assert np.isfinite(standard_errors(objective, laplace(objective, np.zeros(2)))).all()
