"""Windows, dual averaging, when a warm-up ends, and the first step size, each against what it is to do."""

import numpy as np
import pytest
from blackjax.adaptation.step_size import dual_averaging_adaptation

from bnfhmc.posterior import Evaluation
from bnfhmc.samplers import metric as metrics
from bnfhmc.samplers import warmup
from bnfhmc.samplers.kernels.protocol import Learns, Point, Tuning
from bnfhmc.samplers.metric import Metric
from tests.samplers.targets import Gaussian, correlated

LENGTHS = [0, 1, 5, 9, 10, 13, 14, 20, 50, 99, 100, 150, 200, 375, 500, 1000, 5000]


def tuning(d, step_size=1.0):
    return Tuning(step_size, metrics.from_scale(np.ones(d), "dense"))


def fold(num_warmup, cov=None, *, seed=0, learns=Learns.METRIC, acceptance=0.8, shift=0.0):
    """The states of a warm-up on independent draws; `shift` moves them at each draw."""
    cov = np.eye(2) if cov is None else cov
    target, rng = Gaussian(cov), np.random.default_rng(seed)
    a, states = warmup.begin(tuning(len(cov)), num_warmup), []
    while not warmup.finished(a, num_warmup):
        z = np.linalg.cholesky(cov) @ rng.standard_normal(len(cov))
        at = target.evaluate(z)
        a = warmup.update(a, Point(z, at.logp + shift * a.drawn, at.grad), acceptance, 0.8)
        if warmup.at_boundary(a) and not warmup.finished(a, num_warmup):
            a = warmup.end_window(a, learns, num_warmup)
        states.append(a)
    return states


@pytest.mark.parametrize("num_warmup", LENGTHS)
def test_a_warmup_ends_at_its_cap_at_the_latest(num_warmup):
    states = fold(num_warmup, shift=10.0)  # which never settles
    assert len(states) == num_warmup
    ends = sorted({a.end for a in states})
    assert ends[-1:] in ([], [num_warmup])


def test_windows_grow_and_the_last_one_leaves_room_for_the_step_size():
    ends = sorted({a.end for a in fold(1000, shift=10.0)})
    lengths = np.diff([0, *ends])
    np.testing.assert_array_equal(lengths[:5], [10, 15, 22, 33, 50])
    assert lengths[-1] == 40 and np.all(lengths[1:-1] >= lengths[:-2])


def test_it_ends_as_soon_as_nothing_changes_any_more():
    states = fold(1000, correlated())
    assert len(states) == 10 + 15 + 22 + 40
    assert states[-1].settled


def test_it_goes_on_while_the_log_density_still_climbs():
    assert len(fold(1000, correlated(), shift=0.5)) > 300


def test_it_goes_on_while_the_metric_still_changes():
    """Draws that grow wider in one direction."""
    a, rng = warmup.begin(tuning(2), 1000), np.random.default_rng(0)
    n = 0
    while not warmup.finished(a, 1000):
        z = rng.standard_normal(2) * [1.0, 1.05**n]
        a = warmup.update(a, Point(z, -1.0, np.empty(0)), 0.8, 0.8)
        if warmup.at_boundary(a) and not warmup.finished(a, 1000):
            a = warmup.end_window(a, Learns.METRIC, 1000)
        n += 1
    assert n > 150


def test_a_window_counts_in_the_next_and_no_longer():
    states = fold(1000, shift=10.0)
    by_draw = {a.drawn: a.recent.n for a in states}
    assert [by_draw[n] for n in (9, 10, 24, 25, 46, 47)] == [9, 10, 24, 15, 36, 22]


def test_the_last_metric_is_learnt_from_the_last_windows():
    states = fold(1000, correlated())
    np.testing.assert_allclose(states[-1].metric.inverse_mass_matrix, correlated(), rtol=0.2)
    assert states[46].metric is states[-1].metric  # and is held while the step size settles


def test_a_kernel_without_a_metric_learns_the_step_size_alone():
    states = fold(1000, correlated(), learns=Learns.STEP_SIZE)
    np.testing.assert_array_equal(states[-1].metric.root, np.eye(3))
    assert len(states) == 87


@pytest.mark.parametrize("first", [1e-2, 1.0, 10.0])
def test_the_step_size_settles_where_acceptance_meets_the_target(first):
    rng = np.random.default_rng(1)
    a = warmup.begin(tuning(1, first), 4000)
    for _ in range(400):  # acceptance exp(−ε²), with the scatter of single transitions
        accepted = np.clip(np.exp(-(a.tuning.step_size**2)) + 0.1 * rng.standard_normal(), 0.0, 1.0)
        a = warmup.update(a, Point(np.zeros(1), 0.0, np.zeros(1)), accepted, 0.8)
    assert np.exp(-(warmup.tuned(a).step_size ** 2)) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("updates", [0, 1, 9])
def test_before_averaging_has_settled_the_step_size_is_the_one_it_was_given(updates):
    a = warmup.with_step_size(warmup.begin(tuning(1, 5.0), 1000), 0.37)
    assert a.tuning.step_size == pytest.approx(0.37)
    for _ in range(updates):
        a = warmup.update(a, Point(np.zeros(1), 0.0, np.zeros(1)), 1.0, 0.8)
    assert warmup.tuned(a).step_size == pytest.approx(0.37)
    if updates:
        assert a.tuning.step_size > 0.37 * warmup.BOLDER


def test_dual_averaging_is_the_one_blackjax_has_from_hoffman_and_gelman():
    init, update, _ = dual_averaging_adaptation(0.8, gamma=warmup.GAMMA)
    theirs = init(0.3)._replace(mu=np.log(warmup.BOLDER * 0.3))
    ours = warmup.begin(tuning(1, 0.3), 1000)
    for accepted in np.random.default_rng(0).random(50):
        theirs = update(theirs, accepted)
        ours = warmup.update(ours, Point(np.zeros(1), 0.0, np.zeros(1)), accepted, 0.8)
        np.testing.assert_allclose(ours.averaging.log_step, theirs.log_step_size, rtol=1e-4)


def search(target, metric, first=1.0, seed=0):
    z = np.zeros(target.dim)
    point = Point.at(z, target.evaluate(z))
    return warmup.reasonable_step_size(target.evaluate, point, Tuning(first, metric), np.random.default_rng(seed))


@pytest.mark.parametrize("first", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("sd", [1e-4, 1.0, 1e4])
def test_the_first_step_size_has_the_order_of_the_width(sd, first):
    # A leapfrog step on a Gaussian is unstable above ε = 2 sd, and accepted almost always below sd/2.
    assert 0.2 * sd < search(Gaussian(sd**2 * np.eye(5)), Metric(np.ones(5)), first) < 2 * sd


@pytest.mark.parametrize("dense", [True, False])
def test_the_right_metric_makes_the_first_step_size_of_order_one(dense):
    cov = correlated(4) if dense else np.diag([1e-6, 1.0, 1e3, 1e6])
    assert 0.2 < search(Gaussian(cov), Metric.from_inverse_mass(cov if dense else np.diag(cov))) < 2.0


def test_the_search_ends_where_every_solve_fails():
    calls = []

    def fails(z):
        calls.append(z)
        return Evaluation(-np.inf, np.zeros_like(z), "solver")

    point, one = Point(np.zeros(1), 0.0, np.zeros(1)), Tuning(1.0, Metric(np.ones(1)))
    assert warmup.reasonable_step_size(fails, point, one, np.random.default_rng(0)) > 0
    assert len(calls) == 100
