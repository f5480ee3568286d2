"""Every kernel on densities whose moments are known, with the warm-up of a run before."""

import numpy as np
import pytest
from scipy import stats

from bnfhmc.samplers.chains import run_chains
from bnfhmc.samplers.kernels.ensemble import Ensemble
from bnfhmc.samplers.kernels.fisher_mala import FisherMala
from bnfhmc.samplers.kernels.hmc import Hmc, Mala
from bnfhmc.samplers.kernels.nuts import Nuts
from bnfhmc.samplers.kernels.pcn import Pcn
from bnfhmc.samplers.kernels.protocol import Point, Tuning
from bnfhmc.samplers.kernels.rwm import Rwm
from bnfhmc.samplers.metric import Metric
from tests.samplers import targets
from tests.samplers.targets import standard_errors_off

# Each comparison is allowed five standard errors: one false alarm in 300,000.
ALLOWED = 5.0

KERNELS = {
    "nuts": (Nuts(), 1500),
    "hmc": (Hmc(target_accept=0.95), 2500),
    "mala": (Mala(), 5000),
    "fisher_mala": (FisherMala(), 4000),
    "rwm": (Rwm(steps=4), 5000),
    "pcn": (Pcn(steps=4), 5000),
    "ensemble": (Ensemble(sweeps=2), 800),
}
TARGETS = {
    f.__name__: f
    for f in (
        targets.ill_conditioned, targets.banana, targets.funnel, targets.box, targets.half_open, targets.mode, targets.cut,
    )
}  # fmt: skip


def off(draws, target):
    """How far each statistic is from its expectation, in standard errors."""
    return {name: standard_errors_off(f(draws.z), mean) for name, (f, mean) in target.truth.items()}


# nuts meets every target among the fast tests; the others a curved, a bounded and a failing one, and the rest among the slow.
PAIRS = [
    pytest.param(kernel, target, marks=[] if kernel == "nuts" or target in ("banana", "box", "cut") else pytest.mark.slow)
    for kernel in KERNELS
    for target in TARGETS
]


@pytest.mark.parametrize(("kernel", "target"), PAIRS)
def test_moments(kernel, target):
    of, density = KERNELS[kernel], TARGETS[target]()
    draws = run_chains(of[0], density, random_seed=11, num_warmup=500, num_samples=of[1], check_gradient=False)
    wrong = {name: t for name, t in off(draws, density).items() if abs(t) > ALLOWED}
    assert not wrong


def test_the_comparison_can_fail():
    density = targets.box()
    draws = run_chains(Nuts(), density, random_seed=11, num_warmup=300, num_samples=1500, check_gradient=False)
    shifted = {name: standard_errors_off(f(draws.z), mean + 0.04) for name, (f, mean) in density.truth.items()}
    assert all(abs(t) > ALLOWED for t in shifted.values())


@pytest.mark.parametrize("kernel", KERNELS)
def test_failed_solves_are_counted_with_their_draws(kernel):
    density = targets.cut()
    draws = run_chains(KERNELS[kernel][0], density, random_seed=2, num_warmup=100, num_samples=200, check_gradient=False)
    assert draws.z[..., 0].max() <= 0.5
    counted = sum(sum(chain.sampling.failures.values()) for chain in draws.chains)
    assert counted > 20
    assert all(set(chain.sampling.failures) == {"outside"} for chain in draws.chains)
    if kernel != "ensemble":  # whose walkers share the count of their sweep
        assert draws.stats["failed"].sum() == counted


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_solve_is_in_the_books(kernel):
    density = targets.CurvedGaussian(np.eye(2))
    draws = run_chains(KERNELS[kernel][0], density, random_seed=3, chains=2, num_warmup=60, num_samples=30)
    books = [t for chain in draws.chains for t in (chain.starting, chain.warmup, chain.sampling)]
    assert len(density.counted) == sum(t.gradients + t.values for t in books)
    sampled = sum(chain.sampling.gradients + chain.sampling.values for chain in draws.chains)
    assert sampled == draws.stats["n_steps"].sum()
    by_value = kernel in ("rwm", "pcn", "ensemble")
    assert all((chain.sampling.values > 0) == by_value and (chain.sampling.gradients > 0) != by_value for chain in draws.chains)


def test_fisher_mala_is_in_detailed_balance():
    """π(z) q(z′|z) a(z, z′) = π(z′) q(z|z′) a(z′, z), q by scipy, where the metric changes from point to point."""
    target, tuning, kernel = targets.banana(), Tuning(0.7, Metric(np.ones(2))), FisherMala()
    rng, moved, rejected = np.random.default_rng(4), 0, 0

    def point(z):
        return Point.at(z, target.evaluate_curved(z))

    def log_q(to, of):
        information, diagonal = target.curvature(of)
        cov = np.linalg.inv(information + np.diag(np.maximum(diagonal, 1 / 9)))
        mean = of + 0.5 * 0.7**2 * cov @ target.evaluate(of).grad
        return stats.multivariate_normal(mean, 0.7**2 * cov).logpdf(to)

    for _ in range(50):
        z = np.array([rng.normal(), rng.normal(0.5, 0.9)])
        seen = []
        _, info = kernel.step(rng, point(z), tuning, lambda at, seen=seen: seen.append(at) or target.evaluate_curved(at))
        (there,) = seen
        ratio = target.evaluate(there).logp + log_q(z, there) - target.evaluate(z).logp - log_q(there, z)
        assert info.acceptance_rate == pytest.approx(min(1.0, np.exp(ratio)), rel=1e-9)
        moved, rejected = moved + (info.acceptance_rate > 0.9), rejected + (info.acceptance_rate < 0.5)
    assert moved > 5 and rejected > 5


def test_a_random_walk_is_in_detailed_balance():
    """Its proposal is symmetric, and accepted by the ratio of the densities; a failed solve never."""
    target, tuning = targets.cut(), Tuning(1.0, Metric(np.array([0.8, 1.2])))
    rng, failed = np.random.default_rng(4), 0
    for _ in range(200):
        z, seen = np.array([0.4, 0.1]), []
        start = Point(z, target.evaluate(z).logp, np.empty(0))
        after, info = Rwm(steps=1).step(rng, start, tuning, lambda at, seen=seen: seen.append(at) or target.evaluate(at))
        logp = target.evaluate(seen[0]).logp
        assert info.acceptance_rate == pytest.approx(min(1.0, np.exp(logp - start.logp)))
        assert after.z is z or (after.z is seen[0] and after.z[0] <= 0.5)
        failed += logp == -np.inf
    assert failed > 20


@pytest.mark.slow
@pytest.mark.parametrize(("kernel", "target"), [
    *(("BlackjaxNuts", target) for target in ("banana", "box", "cut")), ("BlackjaxHmc", "banana"), ("BlackjaxHmc", "box"),
    ("BlackjaxMala", "banana"), ("BlackjaxMala", "cut"),
])  # fmt: skip
def test_moments_through_blackjax(kernel, target):
    from bnfhmc.samplers.kernels import through_blackjax

    density = TARGETS[target]()
    draws = run_chains(
        getattr(through_blackjax, kernel)(), density, random_seed=11, num_warmup=150,
        num_samples=2500 if kernel == "BlackjaxMala" else 600, check_gradient=False,
    )  # fmt: skip
    wrong = {name: t for name, t in off(draws, density).items() if abs(t) > ALLOWED}
    assert not wrong
