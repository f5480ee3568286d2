"""Windows, dual averaging, metric estimates and the first step size, each against what it is to do."""

import numpy as np
import pytest
from blackjax.adaptation.step_size import dual_averaging_adaptation
from blackjax.adaptation.window_adaptation import build_schedule

from bnfhmc.posterior import Evaluation
from bnfhmc.samplers import warmup
from tests.samplers.targets import Gaussian, correlated

LENGTHS = [1, 5, 19, 20, 21, 50, 99, 100, 149, 150, 151, 174, 175, 200, 225, 300, 375, 500, 999, 1000, 2000, 5000]


@pytest.mark.parametrize("num_warmup", LENGTHS)
def test_the_schedule_is_the_one_blackjax_has_from_stan(num_warmup):
    schedule = warmup.windows(num_warmup)
    learning = range(schedule.initial, num_warmup - schedule.final)
    ends = warmup.boundaries(schedule)
    ours = [(int(n in learning), n + 1 in ends) for n in range(num_warmup)]
    assert ours == [(int(stage), bool(end)) for stage, end in np.asarray(build_schedule(num_warmup))]


def test_the_schedule_of_a_thousand():
    assert warmup.windows(1000) == warmup.Windows(75, (25, 50, 100, 200, 500), 50)
    assert warmup.windows(0) == warmup.Windows(0, (), 0)


def learn(z, *, dense=True, inverse_mass_matrix=None):
    """The metric that a window of draws z[draw, param] ends with."""
    d = z.shape[1]
    before = inverse_mass_matrix if inverse_mass_matrix is not None else (np.eye(d) if dense else np.ones(d))
    adaptation = warmup.begin(before, 1.0)
    for row in z:
        adaptation = warmup.update(adaptation, row, 0.8, 0.8, learns_metric=True)
    return warmup.end_window(adaptation)


def draws(n, d=3, seed=0):
    return 5.0 + np.random.default_rng(seed).standard_normal((n, d)) @ np.linalg.cholesky(correlated(d)).T


def test_a_window_teaches_the_covariance():
    z = draws(500)
    C = np.cov(z.T)
    n = len(z)
    expected = n / (n + 5) * C + 1e-3 * 5 / (n + 5) * np.diag(np.diag(C))
    np.testing.assert_allclose(learn(z).inverse_mass_matrix, expected, rtol=1e-10)


def test_a_window_teaches_the_variances_alone_where_that_is_the_metric():
    z = draws(50)
    np.testing.assert_allclose(learn(z, dense=False).inverse_mass_matrix, z.var(axis=0, ddof=1), rtol=1e-10)


def test_a_window_too_short_for_a_matrix_teaches_the_variances():
    z = draws(5)
    np.testing.assert_allclose(learn(z).inverse_mass_matrix, np.diag(z.var(axis=0, ddof=1)), rtol=1e-10)
    assert learn(draws(6)).inverse_mass_matrix[0, 1] != 0


def test_a_window_without_movement_keeps_the_metric():
    before = np.diag([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(learn(np.ones((50, 3)), inverse_mass_matrix=before).inverse_mass_matrix, before)


@pytest.mark.parametrize("dense", [True, False])
def test_the_metric_does_not_depend_on_the_units_of_a_parameter(dense):
    z, unit = draws(60), np.array([1e-6, 1.0, 1e5])
    scaled, plain = learn(z * unit, dense=dense).inverse_mass_matrix, learn(z, dense=dense).inverse_mass_matrix
    np.testing.assert_allclose(scaled, plain * (np.outer(unit, unit) if dense else unit**2), rtol=1e-8)


def test_each_window_forgets_the_one_before():
    adaptation = warmup.begin(np.ones(2), 1.0)
    for scale in (100.0, 1.0):
        for row in scale * draws(200, 2):
            adaptation = warmup.update(adaptation, row, 0.8, 0.8, learns_metric=True)
        adaptation = warmup.end_window(adaptation)
    np.testing.assert_allclose(adaptation.inverse_mass_matrix, draws(200, 2).var(axis=0, ddof=1), rtol=1e-10)


def test_a_metric_of_full_rank_comes_from_a_window_that_repeats_three_points():
    z = np.repeat(draws(3), 10, axis=0)
    np.linalg.cholesky(learn(z).inverse_mass_matrix)


@pytest.mark.parametrize("first", [1e-4, 1.0, 1e3])
def test_the_step_size_settles_where_acceptance_meets_the_target(first):
    rng = np.random.default_rng(1)
    adaptation = warmup.begin(np.ones(1), first)
    for _ in range(400):  # acceptance exp(−ε²), with the scatter of single transitions
        accepted = np.clip(np.exp(-(adaptation.step_size**2)) + 0.1 * rng.standard_normal(), 0.0, 1.0)
        adaptation = warmup.update(adaptation, np.zeros(1), accepted, 0.8, learns_metric=False)
    final = warmup.final_step_size(adaptation)
    assert np.exp(-(final**2)) == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("updates", [0, 1, 9])
def test_before_averaging_has_settled_the_step_size_is_the_one_it_was_given(updates):
    adaptation = warmup.with_step_size(warmup.begin(np.ones(1), 5.0), 0.37)
    assert adaptation.step_size == pytest.approx(0.37)
    for _ in range(updates):
        adaptation = warmup.update(adaptation, np.zeros(1), 1.0, 0.8, learns_metric=False)
    assert warmup.final_step_size(adaptation) == pytest.approx(0.37)
    if updates:
        assert adaptation.step_size > 3.7


def test_dual_averaging_is_the_one_blackjax_has_from_hoffman_and_gelman():
    init, update, _ = dual_averaging_adaptation(0.8)
    theirs, ours = init(0.3), warmup.begin(np.ones(1), 0.3)
    for accepted in np.random.default_rng(0).random(50):
        theirs = update(theirs, accepted)
        ours = warmup.update(ours, np.zeros(1), accepted, 0.8, learns_metric=False)
        np.testing.assert_allclose(ours.averaging.log_step, theirs.log_step_size, rtol=1e-5)


def search(target, inverse_mass_matrix, first=1.0, seed=0):
    z = np.zeros(target.dim)
    at = target.evaluate(z)
    rng = np.random.default_rng(seed)
    return warmup.reasonable_step_size(target.evaluate, z, at.logp, at.grad, inverse_mass_matrix, first, rng)


@pytest.mark.parametrize("first", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("sd", [1e-4, 1.0, 1e4])
def test_the_first_step_size_has_the_order_of_the_width(sd, first):
    # A leapfrog step on a Gaussian is unstable above ε = 2 sd, and accepted almost always below sd/2.
    assert 0.2 * sd < search(Gaussian(sd**2 * np.eye(5)), np.ones(5), first) < 2 * sd


@pytest.mark.parametrize("dense", [True, False])
def test_the_right_metric_makes_the_first_step_size_of_order_one(dense):
    cov = correlated(4) if dense else np.diag([1e-6, 1.0, 1e3, 1e6])
    assert 0.2 < search(Gaussian(cov), cov if dense else np.diag(cov)) < 2.0


def test_the_search_ends_where_every_solve_fails():
    calls = []

    def fails(z):
        calls.append(z)
        return Evaluation(-np.inf, np.zeros_like(z), "solver")

    rng = np.random.default_rng(0)
    assert warmup.reasonable_step_size(fails, np.zeros(1), 0.0, np.zeros(1), np.ones(1), 1.0, rng) > 0
    assert len(calls) == 100


def test_the_default_metric_is_dense_while_the_warmup_can_teach_one():
    assert [warmup.default_metric(d, 1000) for d in (1, 8, 100, 101)] == ["dense", "dense", "dense", "diagonal"]
    assert [warmup.default_metric(d, 100) for d in (15, 16)] == ["dense", "diagonal"]
    assert warmup.default_metric(1, 0) == "diagonal"
