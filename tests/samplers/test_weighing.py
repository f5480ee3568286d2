"""The mass around a mode as a walk tells it, and which modes get chains."""

import threading

import numpy as np
import pytest

from bnfhmc.samplers.basins import Basin
from bnfhmc.samplers.curvature import Curvature
from bnfhmc.samplers.host import Host
from bnfhmc.samplers.modes import find_modes
from bnfhmc.samplers.weighing import NEGLIGIBLE, Weighed, heaviest, weigh
from tests.samplers.targets import ClosedForm


def mixture(weights, centres, sds):
    """Normal densities far from each other, whose masses are the weights."""
    centres, sds = np.asarray(centres, dtype=float), np.asarray(sds, dtype=float)
    d = centres.shape[1]

    def value(z):
        away = (z - centres) / sds
        parts = np.log(weights) - 0.5 * (away**2).sum(axis=1) - np.log(sds).sum(axis=1) - 0.5 * d * np.log(2 * np.pi)
        top = parts.max()
        share = np.exp(parts - top)
        total = share.sum()
        return float(top + np.log(total)), -((share / total)[:, None] * away / sds).sum(axis=0)

    return ClosedForm(d, value, (), None)


def host(target):
    return Host(target, threading.Event())


@pytest.mark.parametrize("d", [1, 4, 12])
def test_the_mass_of_a_normal_density_is_its_weight(d):
    """A covariance of few effective draws is too small, by up to d/3 in ½ log det; so it is in every mode: masses compare."""
    sds = np.geomspace(0.02, 5.0, d)[None]
    target = mixture([0.3], np.zeros((1, d)), sds)
    at = Basin(np.zeros(d), target.evaluate(np.zeros(d)).logp, Curvature(np.diag(sds[0] ** -2), np.zeros(d)))
    found = np.array([weigh(host(target), at, np.ones(d), np.random.default_rng(k)).log_mass for k in range(8)]) - np.log(0.3)
    assert 0.0 < found.std() < 1.0 and -d / 3 - 0.5 < found.mean() < 0.5


def test_where_a_density_is_cut_off_the_walk_knows_and_the_curvature_does_not():
    """exp(−z) for z > 0 and steep below: its curvature at the top tells a width of 0.03, and its mass is 1."""
    k = 1e3

    def value(z):
        rise = np.log1p(np.exp(-k * z[0])) if z[0] > -0.5 else -k * z[0]
        return -z[0] - rise, np.array([-1.0 + k / (1.0 + np.exp(min(k * z[0], 500.0)))])

    target = ClosedForm(1, value, (), None)
    top = np.array([np.log(k - 1.0) / k])
    bend = k * k * np.exp(-k * top[0]) / (1.0 + np.exp(-k * top[0])) ** 2
    at = Basin(top, target.evaluate(top).logp, Curvature(np.array([[bend]]), np.zeros(1)))
    laplace = at.logp - 0.5 * np.log(bend / (2 * np.pi))
    found = np.array([weigh(host(target), at, np.ones(1), np.random.default_rng(i)).log_mass for i in range(8)])
    assert laplace < -2.0 and np.abs(found.mean()) < 1.0


def test_a_walk_that_finds_a_higher_place_weighs_the_mode_there():
    target = mixture([1.0], np.zeros((1, 2)), np.ones((1, 2)))
    shoulder = Basin(np.array([4.0, 0.0]), target.evaluate(np.array([4.0, 0.0])).logp, Curvature(np.eye(2), np.zeros(2)))
    found = weigh(host(target), shoulder, np.ones(2), np.random.default_rng(0))
    assert np.linalg.norm(found.mode.z) < 0.1 and found.mode.logp > shoulder.logp + 7.0


def test_a_mode_of_negligible_mass_gets_no_chain():
    modes = [Basin(np.full(1, float(i)), 0.0, None) for i in range(3)]
    masses = (-1.0, 0.0, np.log(NEGLIGIBLE) - 0.1)
    assert heaviest([Weighed(m, w) for m, w in zip(modes, masses, strict=True)]) == (modes[1], modes[0])


@pytest.mark.parametrize(("light", "chains_there"), [(1e-5, False), (0.2, True)])
def test_modes_get_chains_by_their_mass_and_not_by_their_height(light, chains_there):
    # the narrow one stands higher by far: 1e4 times narrower in two directions
    centres, sds = [[0.0, 0.0], [9.0, 9.0]], [[1.0, 1.0], [0.01, 0.01]]
    target = mixture([1.0 - light, light], centres, sds)
    near = [np.array(c) + 0.005 for c in centres]
    modes, search = find_modes(
        target, np.ones(2), 1, lambda work: [one() for one in work], threading.Event(), lambda seed: (near, 7)
    )
    assert len(search.modes) == 2 and search.gradients > 7
    assert [bool(m.z[0] > 5) for m in modes] == ([False, True] if chains_there else [False])
