"""NUTS: what a trajectory costs, when it ends, and that its parts are joined as the papers have it."""

import numpy as np
import pytest

from bnfhmc.posterior import Evaluation
from bnfhmc.samplers.curvature import CurvedEvaluation
from bnfhmc.samplers.kernels import nuts
from bnfhmc.samplers.kernels.leapfrog import enter, leap
from bnfhmc.samplers.kernels.nuts import Nuts
from bnfhmc.samplers.kernels.protocol import Point, Tuning
from bnfhmc.samplers.metric import Metric
from tests.samplers.targets import Altered, CurvedGaussian, Gaussian, correlated, failing, standard_errors_off

ROUND = Tuning(0.4, Metric(np.ones(3)))


def start(target, z):
    return Point.at(np.asarray(z, dtype=float), target.evaluate(np.asarray(z, dtype=float)))


def fold(target, kernel, tuning, draws, seed=1, z=None):
    rng = np.random.default_rng(seed)
    point, seen, infos = start(target, np.ones(target.dim) if z is None else z), [], []
    for _ in range(draws):
        point, info = kernel.step(rng, point, tuning, target.evaluate)
        seen.append(point)
        infos.append(info)
    return seen, infos


def test_one_leapfrog_costs_one_solve_and_the_start_is_not_solved_again():
    target = Gaussian(correlated())
    _, infos = fold(target, Nuts(), ROUND, 30)
    assert len(target.counted) == 1 + sum(info.n_steps for info in infos)
    assert all(info.n_steps <= 2**info.tree_depth - 1 for info in infos)
    assert max(info.tree_depth for info in infos) > 2


def test_the_state_carries_what_was_evaluated_at_its_position():
    target = Gaussian(correlated())
    for point in fold(target, Nuts(), ROUND, 10)[0]:
        there = target.evaluate(point.z)
        assert point.logp == there.logp
        np.testing.assert_array_equal(point.grad, there.grad)


def test_a_transition_is_a_function_of_its_arguments():
    z = [[p.z for p in fold(Gaussian(correlated()), Nuts(), ROUND, 20, seed)[0]] for seed in (1, 1, 2)]
    np.testing.assert_array_equal(z[0], z[1])
    assert not np.array_equal(z[0], z[2])


def test_the_energy_is_that_of_the_draw():
    points, infos = fold(Gaussian(np.eye(3)), Nuts(), ROUND, 4000)
    kinetic = np.array([info.energy + p.logp for info, p in zip(infos, points, strict=True)])
    assert kinetic.min() >= 0.0
    assert abs(standard_errors_off(kinetic[None], 1.5)) < 5.0  # half of three squares


def test_the_depth_of_a_trajectory_is_bounded():
    _, infos = fold(Gaussian(correlated()), Nuts(max_tree_depth=2), ROUND._replace(step_size=0.01), 20)
    assert {(info.tree_depth, info.n_steps) for info in infos} == {(2, 3)}


def test_a_trajectory_ends_where_it_turns():
    """On a circle of period 2π it goes half round, and not much farther."""
    _, infos = fold(Gaussian(np.eye(3)), Nuts(), ROUND._replace(step_size=0.05), 200)
    length = 0.05 * np.array([info.n_steps for info in infos])
    assert 1.5 < np.median(length) < 6.4


def test_a_failed_solve_ends_the_trajectory_as_divergent_and_is_never_accepted():
    target = Altered(Gaussian(np.eye(3)), failing(lambda z: z[0] > 0.5))
    points, infos = fold(target, Nuts(), ROUND._replace(step_size=0.5), 200, z=np.zeros(3))
    assert sum(info.diverging for info in infos) > 20
    assert max(p.z[0] for p in points) <= 0.5
    assert all(np.isfinite(info.energy) and 0.0 <= info.acceptance_rate <= 1.0 for info in infos)


def test_failure_at_the_first_leapfrog_leaves_the_state_as_it_was():
    target = Altered(Gaussian(np.eye(3)), failing(lambda z: z.any()))
    points, infos = fold(target, Nuts(), ROUND, 3, z=np.zeros(3))
    assert all(not p.z.any() for p in points)
    assert [(i.diverging, i.n_steps, i.acceptance_rate) for i in infos] == [(True, 1, 0.0)] * 3


def test_an_energy_that_grows_by_a_thousand_is_a_divergence():
    _, infos = fold(Gaussian(np.eye(3) * 1e-6), Nuts(), ROUND, 5, z=np.zeros(3))
    assert all(info.diverging for info in infos)


def test_the_curvature_comes_with_the_draw():
    target = CurvedGaussian(correlated())
    point = Point.at(np.ones(3), target.evaluate_curved(np.ones(3)))
    rng = np.random.default_rng(1)
    for _ in range(5):
        point, _ = Nuts().step(rng, point, ROUND, target.evaluate_curved)
        np.testing.assert_array_equal(point.curvature.information, target.precision)


def test_the_curvature_is_computed_for_draws_alone():
    target, computed = CurvedGaussian(correlated()), []

    def evaluate(z):
        at = target.evaluate(z)
        return CurvedEvaluation(at.logp, at.grad, "ok", lambda: computed.append(z))

    rng, point, steps = np.random.default_rng(1), start(target, np.ones(3)), 0
    for _ in range(20):
        point, info = Nuts().step(rng, point, ROUND, evaluate)
        steps += info.n_steps
    assert len(computed) <= 20 < steps


def trajectory(target, z, steps, step_size=0.4):
    tuning = Tuning(step_size, Metric(np.ones(target.dim)))
    phase = enter(start(target, z), np.array([1.0, -0.5, 0.2]), tuning)
    phases = []
    for _ in range(steps):
        phase = leap(phase, tuning, target.evaluate)
        phases.append(phase)
    return phases


def leaf(phase, zero=0.0):
    return nuts.Stretch(phase.r, phase.r, phase.r, zero - phase.energy, phase)


def joined(phases, rng=None):
    """The stretch of 2^k phases, joined in pairs by recursion, and whether any join turns."""
    if len(phases) == 1:
        return leaf(phases[0]), False
    half = len(phases) // 2
    (a, turned_a), (b, turned_b) = joined(phases[:half]), joined(phases[half:])
    whole, turns = nuts._join(np.random.default_rng(0), a, b)
    return whole, turns or turned_a or turned_b


def test_a_stretch_sums_momenta_and_weights():
    phases = trajectory(Gaussian(correlated()), np.ones(3), 8, 0.1)
    whole, _ = joined(phases)
    np.testing.assert_allclose(whole.rho, sum(p.r for p in phases))
    assert whole.log_weight == pytest.approx(np.logaddexp.reduce([-p.energy for p in phases]))
    assert whole.first is phases[0].r and whole.last is phases[-1].r


@pytest.mark.parametrize("step_size", [0.05, 0.15, 0.3, 0.6, 1.0])
def test_growing_a_trajectory_is_the_recursion_of_the_paper(step_size):
    """It stops with no stretch exactly where one of the pairs of its binary tree turns, after so many steps as are needed."""
    target, tuning = Gaussian(correlated()), Tuning(step_size, Metric(np.ones(3)))
    begin = enter(start(target, np.ones(3)), np.array([1.0, -0.5, 0.2]), tuning)
    grown = nuts._grow(np.random.default_rng(0), begin, 8, begin.energy, tuning, target.evaluate)
    phases = trajectory(target, np.ones(3), 8, step_size)
    pairs = {(s, n) for n in (2, 4, 8) for s in range(0, 8, n)}
    turning = [s + n for s, n in sorted(pairs) if joined(phases[s : s + n])[1]]
    assert (grown.stretch is None) == bool(turning)
    assert grown.n_steps == (min(turning) if turning else 8)


def test_a_point_is_drawn_with_the_probability_of_its_weight():
    target = Altered(Gaussian(np.eye(3)), lambda z, _: Evaluation(-abs(z[0]), np.zeros(3), "ok"))
    phases = trajectory(target, np.ones(3), 4)
    weights = np.exp([-p.energy for p in phases])
    rng, n = np.random.default_rng(3), 20_000
    drawn = np.zeros(4)
    for _ in range(n):
        a, _ = nuts._join(rng, leaf(phases[0]), leaf(phases[1]))
        b, _ = nuts._join(rng, leaf(phases[2]), leaf(phases[3]))
        whole, _ = nuts._join(rng, a, b)
        drawn[[p.z[0] for p in phases].index(whole.drawn.z[0])] += 1
    np.testing.assert_allclose(drawn / n, weights / weights.sum(), atol=5 * 0.5 / np.sqrt(n))


def test_turned_round_a_stretch_has_the_same_turns():
    a, _ = joined(trajectory(Gaussian(correlated()), np.ones(3), 4))
    back = nuts._turned_round(a)
    assert nuts._turns(a.rho, a.first, a.last) == nuts._turns(back.rho, back.first, back.last)
    np.testing.assert_array_equal(back.first, -a.last)
