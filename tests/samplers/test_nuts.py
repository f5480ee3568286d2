"""One compiled step around the host: solves counted, failures rejected, bits repeated."""

import threading

import numpy as np
import pytest

from bnfhmc.posterior import Evaluation
from bnfhmc.samplers import nuts
from bnfhmc.samplers.host import Host
from tests.samplers.targets import Altered, Gaussian, correlated, failing


def keys(seed, draws):
    return np.random.default_rng(seed).integers(0, 2**32, size=(draws, 2), dtype=np.uint32)


def run(target, *, draws=20, step_size=0.3, seed=1, inverse_mass_matrix=None, start=None):
    """Positions and infos of so many steps, and the host that solved for them."""
    host = Host(target, threading.Event())
    z = np.ones(target.dim) if start is None else np.asarray(start)
    metric = np.eye(target.dim) if inverse_mass_matrix is None else inverse_mass_matrix
    state, seen, infos = nuts.init(z, host.evaluate(z)), [], []
    with nuts.bound(host.logp_and_grad) as slot:
        for key in keys(seed, draws):
            state, info = nuts.step(key, state, step_size, metric, slot)
            seen.append(np.asarray(state.position))
            infos.append(info)
    host.raise_kept()
    return np.array(seen), infos, host


def test_one_leapfrog_costs_one_solve_and_the_start_is_not_solved_again():
    target = Gaussian(correlated())
    _, infos, host = run(target, draws=30)
    leapfrogs = sum(info.n_steps for info in infos)
    assert leapfrogs > 30
    assert host.gradients == len(target.counted) == 1 + leapfrogs


def test_one_leapfrog_costs_one_solve_step_by_step():
    target = Gaussian(correlated())
    z = np.ones(3)
    state = nuts.init(z, target.evaluate(z))
    with nuts.bound(lambda z: target.evaluate(z)[:2]) as slot:
        for key in keys(2, 20):
            before = len(target.counted)
            state, info = nuts.step(key, state, 0.4, np.eye(3), slot)
            assert len(target.counted) - before == info.n_steps == pytest.approx(2**info.tree_depth - 1, abs=info.n_steps)
            assert info.n_steps <= 2**info.tree_depth - 1


def test_state_carries_the_value_and_gradient_of_its_position():
    target = Gaussian(correlated())
    z = np.ones(3)
    state = nuts.init(z, target.evaluate(z))
    with nuts.bound(lambda z: target.evaluate(z)[:2]) as slot:
        for key in keys(3, 5):
            state, _ = nuts.step(key, state, 0.4, np.eye(3), slot)
            there = target.evaluate(np.asarray(state.position))
            assert float(state.logdensity) == there.logp
            np.testing.assert_array_equal(state.logdensity_grad, there.grad)


def test_same_keys_same_bits_in_another_slot():
    first, _, _ = run(Gaussian(correlated()))
    second, _, _ = run(Gaussian(correlated()))
    other, _, _ = run(Gaussian(correlated()), seed=2)
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_another_chain_another_step_size_and_another_start_need_no_compilation():
    run(Gaussian(correlated()), draws=1)
    compiled = nuts._step._cache_size()
    run(Gaussian(np.eye(3)), draws=2, step_size=0.7, start=[0.1, 0.2, 0.3])
    nuts.precompile(3, np.eye(3))
    assert nuts._step._cache_size() == compiled


def test_positions_are_float64():
    # 1e8 ± 1e-3 does not exist in single precision, where neighbours are 8 apart.
    z, infos, _ = run(Gaussian(np.eye(1) * 1e-6, mean=[1e8]), step_size=5e-4, start=[1e8])
    assert z.dtype == np.float64
    assert 1e-4 < np.abs(z - 1e8).max() < 1e-2
    assert not any(info.diverging for info in infos)


def test_a_failed_solve_ends_the_trajectory_as_divergent_and_is_never_accepted():
    target = Altered(Gaussian(np.eye(2)), failing(lambda z: z[0] > 0.5))
    z, infos, host = run(target, draws=200, step_size=0.5, start=[0.0, 0.0])
    assert host.failed == sum(info.diverging for info in infos) > 20
    assert z[:, 0].max() <= 0.5
    assert all(np.isfinite(info.energy) and 0.0 <= info.acceptance_rate <= 1.0 for info in infos)


def test_failure_at_the_first_leapfrog_leaves_the_state_as_it_was():
    target = Altered(Gaussian(np.eye(2)), failing(lambda z: not np.array_equal(z, [0.0, 0.0])))
    z, infos, _ = run(target, draws=3, start=[0.0, 0.0])
    np.testing.assert_array_equal(z, np.zeros((3, 2)))
    assert [(i.diverging, i.n_steps, i.acceptance_rate) for i in infos] == [(True, 1, 0.0)] * 3


def test_diagonal_and_dense_forms_of_a_metric_give_the_same_draws():
    variances = np.array([1.0, 4.0, 9.0])
    dense, _, _ = run(Gaussian(np.diag(variances)), inverse_mass_matrix=np.diag(variances), step_size=0.8)
    diagonal, _, _ = run(Gaussian(np.diag(variances)), inverse_mass_matrix=variances, step_size=0.8)
    np.testing.assert_allclose(dense, diagonal, rtol=1e-9)


def test_the_host_may_write_into_what_it_is_given():
    def overwrites(z):
        value, grad = -0.5 * z @ z, -z
        z += 1000.0
        return np.float64(value), grad

    start = np.full(2, 0.5)
    state = nuts.init(start, Evaluation(-0.25, -start, "ok"))
    with nuts.bound(overwrites) as slot:
        state, info = nuts.step(keys(4, 1)[0], state, 0.5, np.eye(2), slot)
    assert np.abs(state.position).max() < 10
    assert not info.diverging


def test_several_threads_share_one_step_without_mixing_their_chains():
    alone = {shift: run(Gaussian(np.eye(3), mean=np.full(3, shift)), seed=5)[0] for shift in (0.0, 50.0, -50.0)}
    together = {}

    def chain(shift):
        together[shift] = run(Gaussian(np.eye(3), mean=np.full(3, shift)), seed=5)[0]

    threads = [threading.Thread(target=chain, args=(shift,)) for shift in alone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for shift, z in alone.items():
        np.testing.assert_array_equal(together[shift], z)


def test_the_host_keeps_numbers_that_xla_flushes_to_zero():
    tiny = np.exp(-720.0)
    seen = []

    def logp_and_grad(z):
        seen.append(float(np.exp(np.float64(-720.0))))
        return np.float64(-0.5 * z @ z), -z

    with nuts.bound(logp_and_grad) as slot:
        state = nuts.init(np.zeros(2), Evaluation(0.0, np.zeros(2), "ok"))
        nuts.step(np.zeros(2, np.uint32), state, 0.5, np.ones(2), slot)
    assert 0 < tiny < 2.3e-308
    assert seen and set(seen) == {float(tiny)}
