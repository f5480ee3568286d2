"""Preconditioned Crank–Nicolson steps against the density that they leave as it is."""

import math

import numpy as np
import pytest
from scipy import stats

from bnfhmc.posterior import Evaluation
from bnfhmc.samplers.chains import run_chains
from bnfhmc.samplers.kernels.pcn import Pcn
from bnfhmc.samplers.kernels.protocol import Point, Tuning
from bnfhmc.samplers.metric import Metric
from tests.samplers.targets import CurvedGaussian, correlated

CENTER, ROOT, FREEDOM = np.array([1.0, -2.0]), np.array([[0.5, 0.0], [0.3, 2.0]]), 5.0
STUDENT = stats.multivariate_t(CENTER, ROOT @ ROOT.T, FREEDOM)


def of_student(z):
    return Evaluation(float(STUDENT.logpdf(z)), np.empty(0), "ok")


def at(z, evaluate):
    return Point(z, evaluate(z).logp, np.empty(0))


@pytest.mark.parametrize("root", [ROOT, np.array([0.5, 2.0])])
@pytest.mark.parametrize("step_size", [0.1, 1.0, 1e3])
def test_every_step_on_the_reference_itself_is_taken(step_size, root):
    """Any error in the step's reversibility or in the ratio would show as a rejection."""
    M = root @ root.T if root.ndim == 2 else np.diag(root**2)
    student = stats.multivariate_t(CENTER, M, FREEDOM)

    def evaluate(z):
        return Evaluation(float(student.logpdf(z)), np.empty(0), "ok")

    rng, point = np.random.default_rng(1), at(CENTER + 3.0, evaluate)
    for _ in range(50):
        point, info = Pcn(wider=1.0).step(rng, point, Tuning(step_size, Metric(root), CENTER), evaluate)
        assert info.acceptance_rate == pytest.approx(1.0, abs=1e-9)


def test_a_wider_reference_is_another_t():
    """All steps on the t of c L are taken where c is told, and not where it is not."""
    taken = {}
    for wider in (1.0, 1.5):
        rng, point, kernel = np.random.default_rng(1), at(CENTER, of_student), Pcn(steps=1, wider=wider)
        tuning, rates = Tuning(1e3, Metric(ROOT / 1.5), CENTER), []
        for _ in range(200):
            point, info = kernel.step(rng, point, tuning, of_student)
            rates.append(info.acceptance_rate)
        taken[wider] = min(rates)
    assert taken[1.5] == pytest.approx(1.0, abs=1e-9) and taken[1.0] < 0.9


def test_it_draws_from_the_reference():
    """Steps of medium length from a draw of t: the distance from the centre stays F distributed."""
    rng, kernel, tuning = np.random.default_rng(2), Pcn(steps=1, wider=1.0), Tuning(0.7, Metric(ROOT), CENTER)
    before = STUDENT.rvs(4000, random_state=rng)
    after = np.array([kernel.step(rng, at(z, of_student), tuning, of_student)[0].z for z in before])
    far = ((np.linalg.solve(ROOT, (after - CENTER).T)) ** 2).sum(axis=0) / 2
    assert stats.kstest(far, stats.f(2, FREEDOM).cdf).pvalue > 1e-5
    assert 0.5 < np.corrcoef(before[:, 0], after[:, 0])[0, 1] < 0.95  # it has moved, and not forgotten


@pytest.mark.parametrize("epsilon", [0.05, 0.2])
def test_short_steps_are_those_of_a_random_walk(epsilon):
    """Far within the reference the displacement is ε L w/√λ, λ of mean one on the shell x·x = d."""
    d, rng = 30, np.random.default_rng(3)
    x = rng.standard_normal(d)
    z = x * math.sqrt(d / (x @ x))
    flat = [Pcn(steps=1, wider=1.0).step(rng, Point(z, 0.0, np.empty(0)), Tuning(epsilon, Metric(np.ones(d)), np.zeros(d)),
            lambda z: Evaluation(1e9, np.empty(0), "ok"))[0].z - z for _ in range(400)]  # fmt: skip
    assert np.std(flat) == pytest.approx(epsilon, rel=0.1)


def test_the_nearer_to_normal_the_fewer_the_solves():
    """On a normal density the warm-up finds steps that forget where they came from, 4 a draw where a random walk has 2d."""
    normal = CurvedGaussian(correlated(6))
    draws = run_chains(Pcn(), normal, random_seed=1, num_warmup=500, num_samples=500, check_gradient=False)
    assert draws.stats["n_steps"].max() == 4
    lag = [np.corrcoef(z[:-1, 0], z[1:, 0])[0, 1] for z in draws.z]
    assert np.mean(lag) < 0.2
    for chain in draws.chains:
        np.testing.assert_allclose(chain.center / np.sqrt(np.diag(correlated(6))), np.zeros(6), atol=0.6)


@pytest.mark.parametrize(("epsilon", "d", "steps"), [(1e-12, 3, 6), (1e-9, 3, 6), (0.5, 20, 36), (1e3, 20, 4), (1e3, 1, 4)])
def test_longer_steps_need_fewer(epsilon, d, steps):
    rng, z = np.random.default_rng(5), np.zeros(d)
    tuning = Tuning(epsilon, Metric(np.ones(d)), z)
    info = Pcn().step(rng, Point(z, 0.0, np.empty(0)), tuning, lambda z: Evaluation(0.0, np.empty(0), "ok"))[1]
    assert info.n_steps == steps


def test_a_chain_whose_solves_all_fail_stays_and_ends():
    class Stuck(CurvedGaussian):
        def value(self, z):
            return Evaluation(-np.inf, np.empty(0), "solver")

    draws = run_chains(Pcn(), Stuck(correlated(2)), chains=1, num_warmup=1000, num_samples=10, random_seed=1,
                       check_gradient=False)  # fmt: skip
    assert (draws.z == draws.z[0, 0]).all() and draws.stats["acceptance_rate"].max() == 0.0


def test_a_failed_solve_is_never_accepted():
    def evaluate(z):
        return of_student(z) if z[0] < 1.0 else Evaluation(-np.inf, np.empty(0), "solver")

    rng, point = np.random.default_rng(4), at(CENTER - 0.5, of_student)
    for _ in range(100):
        point, info = Pcn(steps=2).step(rng, point, Tuning(1.0, Metric(ROOT), CENTER), evaluate)
        assert point.z[0] < 1.0 and 0.0 <= info.acceptance_rate <= 1.0
