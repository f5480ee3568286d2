"""Simulation-based calibration: whole runs, warm-up included, on data drawn from the model itself.

Talts, Betancourt, Simpson, Vehtari & Gelman (2018), arXiv:1804.06788: with θ from the prior and data from p(· | θ), the rank
of θ among independent draws of its posterior is uniform.
"""

import numpy as np
import pytest
from scipy import stats

from bnfhmc.samplers.chains import run_chains
from bnfhmc.samplers.methods import make_kernel
from tests.samplers.targets import ClosedForm

TIMES = np.array([0.5, 1.0, 2.0, 4.0])
DRAWS, BINS, RUNS = 63, 8, 400


def decay(y):
    """y ~ Normal(A exp(−k t), σ): u = (ln A, ln k, ln σ), all standard normal a priori but for their scale; z = u."""
    sd = np.array([0.5, 0.5, 0.3])

    def parts(z):
        A, k, sigma = np.exp(sd * z) * [3.0, 0.6, 0.3]
        m = A * np.exp(-k * TIMES)
        dm = np.stack([sd[0] * m, -sd[1] * k * TIMES * m], axis=1)
        return m, dm, sigma

    def logp_and_grad(z):
        m, dm, sigma = parts(z)
        r = (y - m) / sigma
        logp = -0.5 * z @ z - 0.5 * r @ r - len(y) * np.log(sigma)
        return logp, -z + np.append(r @ dm / sigma, sd[2] * (r @ r - len(y)))

    def curvature(z):
        _, dm, sigma = parts(z)
        F = np.zeros((3, 3))
        F[:2, :2] = dm.T @ dm / sigma**2
        F[2, 2] = 2 * len(y) * sd[2] ** 2
        return F, np.ones(3)

    return parts, ClosedForm(3, logp_and_grad, curvature=curvature)


def rank(method, seed):
    rng = np.random.default_rng(seed)
    truth = rng.standard_normal(3)
    m, _, sigma = decay(np.zeros(4))[0](truth)
    target = decay(m + sigma * rng.standard_normal(4))[1]
    thin = {"nuts": 3, "hmc": 4, "mala": 12, "fisher_mala": 12, "rwm": 10, "pcn": 4}[method]
    draws = run_chains(
        make_kernel(method), target, chains=1, num_warmup=200, num_samples=thin * DRAWS, random_seed=seed, check_gradient=False
    )
    return (draws.z[0, ::thin] < truth).sum(axis=0)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["nuts", "hmc", "mala", "fisher_mala", "rwm", "pcn"])
def test_ranks_are_uniform(method):
    ranks = np.array([rank(method, seed) for seed in range(RUNS)])
    for of in ranks.T:
        counts = np.bincount(of // ((DRAWS + 1) // BINS), minlength=BINS)
        assert stats.chisquare(counts).pvalue > 1e-5, counts


@pytest.mark.slow
def test_ranks_of_an_ensemble_are_uniform():
    """Fewer runs and coarser bins, since each moves ten walkers; one of them is ranked."""
    ranks = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        truth = rng.standard_normal(3)
        m, _, sigma = decay(np.zeros(4))[0](truth)
        target = decay(m + sigma * rng.standard_normal(4))[1]
        draws = run_chains(
            make_kernel("ensemble", sweeps=5), target, chains=1, num_warmup=40, num_samples=4 * 31, random_seed=seed,
            check_gradient=False,
        )  # fmt: skip
        ranks.append((draws.z[0, ::4] < truth).sum(axis=0))
    for of in np.array(ranks).T:
        counts = np.bincount(of // 8, minlength=4)
        assert stats.chisquare(counts).pvalue > 1e-5, counts
