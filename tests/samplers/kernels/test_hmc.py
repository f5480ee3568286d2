"""HMC and MALA: lengths, costs, and the acceptance that the warm-up is told."""

import numpy as np
import pytest

from bnfhmc.samplers.kernels.hmc import Hmc, Mala, trajectory
from bnfhmc.samplers.kernels.protocol import Point, Tuning
from bnfhmc.samplers.metric import Metric
from tests.samplers.targets import Altered, Gaussian, correlated, failing


def tuning(step_size, d=3):
    return Tuning(step_size, Metric(np.ones(d)))


def start(target, z):
    return Point.at(np.asarray(z, dtype=float), target.evaluate(np.asarray(z, dtype=float)))


@pytest.mark.parametrize(("step_size", "steps"), [(3.0, 1), (2.0, 1), (1.9, 2), (0.5, 4), (0.3, 7)])
def test_a_path_has_as_many_steps_as_its_length_asks_for(step_size, steps):
    target = Gaussian(np.eye(3))
    _, info = Hmc().step(np.random.default_rng(0), start(target, np.ones(3)), tuning(step_size), target.evaluate)
    assert info.n_steps == steps == len(target.counted) - 1


def test_a_path_has_no_more_steps_than_it_may():
    target = Gaussian(np.eye(3))
    kernel = Hmc(max_steps=5)
    _, info = kernel.step(np.random.default_rng(0), start(target, np.ones(3)), tuning(1e-3), target.evaluate)
    assert info.n_steps == 5


def test_the_length_of_a_path_is_jittered_and_can_be_fixed():
    target, z = Gaussian(np.eye(3)), np.array([1.0, 2.0, 3.0])

    def lengths(kernel):
        out = []
        for seed in range(200):
            flat = Altered(target, lambda z, e: e._replace(logp=0.0, grad=np.zeros(3)))
            moved, _ = kernel.step(np.random.default_rng(seed), start(flat, z), tuning(0.5), flat.evaluate)
            rng = np.random.default_rng(seed)
            rng.random()
            out.append(np.linalg.norm(moved.z - z) / np.linalg.norm(rng.standard_normal(3)))
        return np.array(out)

    np.testing.assert_allclose(lengths(Hmc(jitter=0.0)), 2.0)
    jittered = lengths(Hmc(jitter=0.2))
    assert 1.6 < jittered.min() < 1.65 and 2.35 < jittered.max() < 2.4


def test_mala_is_the_langevin_proposal():
    target, z, epsilon = Gaussian(correlated()), np.array([0.3, -0.2, 0.5]), 0.3
    metric = Metric(np.linalg.cholesky(correlated() / 4))
    moved, info = Mala().step(np.random.default_rng(5), start(target, z), Tuning(epsilon, metric), target.evaluate)
    noise = np.random.default_rng(5).standard_normal(3)
    M_inv = metric.inverse_mass_matrix
    proposed = z + 0.5 * epsilon**2 * M_inv @ target.evaluate(z).grad + epsilon * metric.root @ noise
    np.testing.assert_allclose(moved.z, proposed, rtol=1e-12)

    def log_q(to, of):
        r = to - of - 0.5 * epsilon**2 * M_inv @ target.evaluate(of).grad
        return -0.5 * r @ np.linalg.solve(M_inv, r) / epsilon**2

    ratio = target.evaluate(proposed).logp - target.evaluate(z).logp + log_q(z, proposed) - log_q(proposed, z)
    assert info.acceptance_rate == pytest.approx(min(1.0, np.exp(ratio)))


def test_a_failed_solve_rejects_and_its_acceptance_is_that_of_the_way_there():
    target = Altered(Gaussian(np.eye(3)), failing(lambda z: z[0] > 0.2))
    z, r = np.array([0.0, 0.0, 0.0]), None
    for seed in range(50):
        r = np.random.default_rng(seed).standard_normal(3)
        if r[0] > 0.5:
            break
    moved, info = trajectory(np.random.default_rng(seed), start(target, z), tuning(0.05), 100, target.evaluate)
    assert moved.z is z and info.diverging
    assert 1 < info.n_steps < 10
    assert info.acceptance_rate == pytest.approx((info.n_steps - 1) / info.n_steps, abs=1e-3)
