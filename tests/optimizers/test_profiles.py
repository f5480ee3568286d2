"""Profiles: exact intervals of a linear problem, flat ones named, better fits reported, sides kept."""

import json

import numpy as np
import pytest

from bnfhmc.errors import FailedSolve, InputError
from bnfhmc.optimizers import Objective, optimize, profile_likelihood
from bnfhmc.prior import make_parameter
from tests.optimizers import problems
from tests.optimizers.test_laplace import NORMAL, SIGMA, line

HALF_CHI2 = 1.9207294103470617


@pytest.fixture(scope="module")
def linear():
    posterior = line(make_parameter("a", None, {}, "lin", -50.0, 50.0), make_parameter("b", None, {}, "lin", -50.0, 50.0))
    return posterior, optimize(posterior, starts=2, random_seed=1)


def test_a_linear_problem_has_exact_intervals(linear):
    posterior, fit = linear
    found = profile_likelihood(posterior, fit)
    X = np.stack([np.ones(5), problems.TIMES[1:]], axis=1)
    covariance = SIGMA**2 * np.linalg.inv(X.T @ X)
    assert found.threshold == pytest.approx(HALF_CHI2)
    for i, name in enumerate("ab"):
        p, sd = found.by_name[name], np.sqrt(covariance[i, i])
        half = np.sqrt(2 * HALF_CHI2) * sd
        assert (p.lower, p.upper) == pytest.approx((fit.u[i] - half, fit.u[i] + half), rel=1e-4)
        np.testing.assert_allclose(p.rise, 0.5 * ((p.u - fit.u[i]) / sd) ** 2, atol=1e-4)
        np.testing.assert_allclose(p.points[:, 1 - i], fit.u[1 - i] + covariance[0, 1] / covariance[i, i] * (p.u - fit.u[i]),
                                   atol=1e-3)  # fmt: skip
        assert np.all(np.diff(p.u) > 0) and not p.flat
        assert 8 < len(p.u) < 60
        assert p.u[p.mode] == fit.u[i] and p.rise[p.mode] == 0.0


def test_priors_count_and_confidence_is_chosen():
    posterior = line(*NORMAL)
    fit = optimize(posterior, starts=2, random_seed=1)
    found = profile_likelihood(posterior, fit, ["b"], confidence=0.68268949)
    assert list(found.by_name) == ["b"]
    p = found.by_name["b"]
    assert p.upper - p.lower == pytest.approx(2 * fit.standard_errors["b"], rel=1e-3)


def product():
    """Only k1·k2 is seen."""
    parameters = [make_parameter(n, None, {}, "log10", 1e-2, 1e2) for n in ("k1", "k2")]

    def residuals(theta):
        a, b = theta["k1"], theta["k2"]
        return np.array([10.0 * (a * b - 1.0)]), 10.0 * np.array([[b, a]])

    return Objective(parameters, residuals, returns="residuals")


def test_a_flat_profile_is_named():
    objective = product()
    fit = optimize(objective, starts=3, random_seed=1)
    assert [d.sentence for d in fit.undetermined] == ["k1·k2 is determined, k1/k2 is not"]
    p = profile_likelihood(objective, fit, ["k1"], cores=1).by_name["k1"]
    assert p.flat and p.lower is None and p.upper is None
    assert p.sentence == "k1 is not identifiable: its profile is flat"
    np.testing.assert_allclose([p.theta[0], p.theta[-1]], [1e-2, 1e2])
    np.testing.assert_allclose(np.sum(p.points, axis=1), 0.0, atol=1e-3)


def test_a_one_sided_interval_is_said():
    objective = Objective({"x": (0.0, 5.0)}, lambda theta: (np.array([theta["x"] - 0.2]), np.eye(1)), returns="residuals")
    p = profile_likelihood(objective, optimize(objective, starts=1, random_seed=1), cores=1).by_name["x"]
    assert p.lower is None and p.upper == pytest.approx(0.2 + np.sqrt(2 * HALF_CHI2), rel=1e-3)
    assert p.sentence == "x is at most 2.16; it has no bound below but its prior's"


def test_failures_end_a_side_and_do_not_stop_the_others():
    objective = problems.holed()
    fit = optimize(objective, starts=[[0.9, 0.9]], random_seed=1)
    p = profile_likelihood(objective, fit, cores=1).by_name["x"]
    assert p.u.max() <= 1.3 and p.upper is None and p.lower is not None
    assert p.sentence == f"x is at least {p.lower:.4g}; above, its profile ends at {p.theta[-1]:.4g}, where no fit succeeds"


def island(theta):
    if not 0.4 < theta["x"] < 0.6:
        raise FailedSolve("solver", "no progress")
    return np.array([1e-3 * theta["x"]]), np.array([[1e-3]])


def test_a_profile_that_failures_end_is_not_called_flat():
    objective = Objective({"x": (0.0, 1.0)}, island, returns="residuals")
    p = profile_likelihood(objective, optimize(objective, starts=[[0.5]], random_seed=1), cores=1).by_name["x"]
    assert not p.flat and p.lower is None and p.upper is None and np.max(p.rise) < 0.1
    assert p.sentence.startswith("x has no interval; below, its profile ends at 0.4") and "not identifiable" not in p.sentence
    assert p.ended == ("no fit further out", "no fit further out")


def test_a_profile_that_is_long_says_where_it_was_left(monkeypatch):
    monkeypatch.setattr("bnfhmc.optimizers.profiles.POINTS", 3)
    posterior = line(*NORMAL)
    p = profile_likelihood(posterior, optimize(posterior, starts=2, random_seed=1), ["a"]).by_name["a"]
    assert p.lower is None and p.upper is None and p.ended == ("followed no further", "followed no further")


def test_a_better_fit_on_the_way_is_reported():
    objective = problems.camel("gradient")
    local = optimize(objective, "lbfgs", starts=[[1.7, -0.8]], random_seed=1)
    assert local.loss > -0.5
    found = profile_likelihood(objective, local, ["x"], confidence=0.9999, cores=1)
    assert objective.value(found.better) < -local.log_posterior - 0.5
    assert "a better fit than the one profiled" in found.by_name["x"].sentence


def test_cores_and_interruptions_change_nothing(linear, tmp_path):
    posterior, fit = linear
    whole = profile_likelihood(posterior, fit, cores=1)
    file = tmp_path / "profiles.jsonl"
    profile_likelihood(posterior, fit, cores=2, store=file)
    lines = file.read_text().splitlines()
    assert len(lines) == 5
    file.write_text("\n".join(lines[:3]) + "\n" + lines[3][:40])
    resumed = profile_likelihood(posterior, fit, cores=3, store=file)
    assert len(file.read_text().splitlines()) == 5 and json.loads(lines[1])["name"] in "ab"
    for name in "ab":
        np.testing.assert_array_equal(whole.by_name[name].rise, resumed.by_name[name].rise)
        assert whole.by_name[name].upper == resumed.by_name[name].upper


def test_wrong_arguments(linear):
    posterior, fit = linear
    with pytest.raises(InputError, match="there is no parameter 'c' to profile\nconfidence = 2; between 0 and 1"):
        profile_likelihood(posterior, fit, ["c"], confidence=2.0)
    with pytest.raises(InputError, match="the fit is of a, b, the problem of x, y"):
        profile_likelihood(problems.rosenbrock(), fit)
    value = problems.rosenbrock("value")
    with pytest.raises(InputError, match="there is no gradient"):
        profile_likelihood(value, optimize(value, "powell", starts=1, random_seed=1))
