"""Modes, and starts around them."""

import threading

import numpy as np
import pytest

from bnfhmc.posterior import Evaluation
from bnfhmc.samplers.basins import DEPTH, FAR_OUT, Basin, climb, distinct, found_again, start_in, worth_a_walk
from bnfhmc.samplers.curvature import Curvature
from bnfhmc.samplers.host import Host
from tests.samplers.targets import Altered, ClosedForm, CurvedGaussian, Gaussian, banana, correlated, failing


def host(target):
    return Host(target, threading.Event())


@pytest.mark.parametrize("kind", [CurvedGaussian, Gaussian])
def test_the_top_of_a_gaussian_is_found(kind):
    target = kind(correlated(4) * 9.0, mean=[1.0, -2.0, 3.0, 50.0])
    basin = climb(host(target), np.zeros(4), np.full(4, 3.0))
    assert basin.logp == pytest.approx(0.0, abs=5e-3)
    assert (basin.curvature is None) == (kind is Gaussian)


def test_a_bent_ridge_is_climbed_to_its_top():
    basin = climb(host(banana()), np.array([3.0, -3.0]), np.ones(2))
    assert basin.logp == pytest.approx(0.0, abs=2e-3)


def test_failing_solves_on_the_way_are_stepped_around():
    target = Altered(CurvedGaussian(np.eye(2)), failing(lambda z: z[0] < -0.5))
    basin = climb(host(target), np.array([4.0, 4.0]), np.ones(2))
    assert np.linalg.norm(basin.z) < 0.1


def test_where_nothing_can_be_solved_there_is_no_mode():
    assert climb(host(Altered(Gaussian(np.eye(2)), failing(lambda z: True))), np.zeros(2), np.ones(2)) is None


def test_a_direction_that_nothing_bends_does_not_carry_it_away():
    def flat(z):
        return -0.5 * z[0] ** 2, np.array([-z[0], 0.0])

    target = ClosedForm(2, flat, (), lambda z: (np.diag([1.0, 0.0]), np.zeros(2)))
    basin = climb(host(target), np.array([2.0, 5.0]), np.ones(2))
    np.testing.assert_allclose(basin.z, [0.0, 5.0], atol=0.05)


def at(logp, *z):
    return Basin(np.array(z, dtype=float), logp, None)


def test_a_mode_that_was_found_twice_is_one_and_a_poor_one_is_none():
    found = distinct([at(-3.0, 1), None, at(-1.0, 0), at(-1.02, 0.01), at(-40.0, 9)])
    assert [basin.logp for basin in found] == [-1.0, -3.0, -40.0]
    assert worth_a_walk(found, np.ones(1)) == found[:2]
    assert worth_a_walk(distinct([None]), np.ones(1)) == ()


def test_a_wide_mode_outweighs_a_narrow_one_that_is_higher():
    narrow, wide = (Basin(np.zeros(1), logp, Curvature(np.diag([h]), np.zeros(1))) for logp, h in ((0.0, 1e12), (-5.0, 1.0)))
    assert worth_a_walk([narrow, wide], np.ones(1)) == (wide, narrow)
    assert worth_a_walk([narrow._replace(logp=-10.0), wide], np.ones(1)) == (wide,)


def test_a_direction_with_a_long_way_to_go_does_not_hold_back_the_others():
    path = []

    def bowl(z):
        path.append(z.copy())
        return -0.5 * z @ z, -z

    target = ClosedForm(2, bowl, (), lambda z: (np.eye(2), np.zeros(2)))
    basin = climb(host(target), np.array([40.0, 0.9]), np.ones(2))
    assert abs(path[4][1]) < 0.3 < path[4][0] and np.linalg.norm(basin.z) < 0.1


def test_mirrored_modes_are_two():
    H = Curvature(np.eye(1), np.zeros(1))
    left, right, near = (Basin(np.array([x]), -1.0, H) for x in (-5.0, 5.0, 5.1))
    assert distinct([left, right, near]) == (left, right)
    assert not found_again([left, right]) and not found_again([left, None]) and not found_again([])
    assert found_again([right, near])


def test_chains_are_spread_over_the_modes():
    curvature = Curvature(np.eye(2) * 100.0, np.zeros(2))
    modes = [Basin(np.array([m, 0.0]), 0.0, curvature) for m in (0.0, 50.0, 100.0)]
    target = host(ClosedForm(2, lambda z: (0.0, np.zeros(2)), ()))
    starts = [start_in(modes, target, np.ones(2), np.random.default_rng(i), chain=i) for i in range(12) if (i + 1) % FAR_OUT]
    assert [round(s.z[0] / 50.0) for s in starts] == [0, 1, 2, 1, 2, 0, 2, 0, 1]
    assert 0.03 < np.std([s.z[1] for s in starts]) < 0.5
    assert all(s.curvature is curvature for s in starts)


def test_every_fourth_chain_starts_far_out_where_the_density_is_not_lost():
    target = Gaussian(np.eye(2))
    target.sample_start = lambda rng: np.array([1000.0, 0.0])
    start = start_in([Basin(np.zeros(2), 0.0, None)], host(target), np.ones(2), np.random.default_rng(0), chain=FAR_OUT - 1)
    assert start.z[1] == 0.0 and 2.0 < start.z[0] <= np.sqrt(2 * DEPTH * 2)


def test_no_chain_starts_where_the_curvature_at_the_top_misleads():
    def steep(z):  # as wide as a standard normal density at its top, and falling as the fourth power away from it
        return -0.5 * z[0] ** 2 - 100.0 * z[0] ** 4, np.array([-z[0] - 400.0 * z[0] ** 3])

    mode = Basin(np.zeros(1), 0.0, Curvature(np.eye(1), np.zeros(1)))
    target = host(ClosedForm(1, steep, ()))
    starts = [start_in([mode], target, np.ones(1), np.random.default_rng(i), chain=0) for i in range(40)]
    assert all(s.evaluation.logp >= -DEPTH for s in starts) and np.std([s.z[0] for s in starts]) > 0.2


def test_without_a_mode_the_chain_has_to_start_elsewhere():
    assert start_in([], host(Gaussian(np.eye(2))), np.ones(2), np.random.default_rng(0), chain=0) is None


def test_a_start_that_fails_is_drawn_nearer_to_the_mode():
    def narrow(z, evaluation):
        return evaluation if np.linalg.norm(z) < 0.5 else Evaluation(-np.inf, np.zeros(2), "solver")

    mode = Basin(np.zeros(2), 0.0, Curvature(np.eye(2), np.zeros(2)))
    start = start_in([mode], host(Altered(CurvedGaussian(np.eye(2)), narrow)), np.ones(2), np.random.default_rng(1), chain=0)
    assert np.linalg.norm(start.z) < 0.5 and set(start.redrawn) == {"solver"}
