"""Negative binomial counts against scipy.stats and 40-digit arithmetic, from r = 0.01 to the Poisson limit."""

import warnings
from functools import lru_cache

import mpmath
import numpy as np
import pytest
from mpmath import mp
from scipy import special, stats

from bnfhmc.noise import NOISE_FAMILIES, NegBin

MEAN, MEDIAN = NegBin("mean"), NegBin("median")
ESTIMATED = frozenset({"dispersion"})

R = 10.0 ** np.arange(-2, 8.5, 1)
PRED = np.array([0.0, 1e-12, 1e-3, 0.4, 1.0, 3.3, 30.0, 1e3, 1e6])
OBS = np.array([0.0, 1.0, 2.0, 10.0, 1e3, 1e5])
GRID = [g.ravel() for g in np.meshgrid(PRED, OBS, R, indexing="ij")]


@pytest.fixture(autouse=True)
def forty_digits():
    with mpmath.workdps(40):
        yield


@pytest.fixture(params=[MEAN, MEDIAN], ids=["mean", "median"])
def neg_bin(request):
    return request.param


def exact_loss(k, mu, r):
    k, mu, r = mp.mpf(k), mp.mpf(mu), mp.mpf(r)
    log_pmf = mp.loggamma(k + r) - mp.loggamma(r) - mp.loggamma(k + 1) + r * mp.log(r / (r + mu))
    return -(log_pmf + k * mp.log(mu / (r + mu)))


def exact_slopes(k, mu, r):
    """∂loss/∂μ and ∂loss/∂r at fixed μ."""
    k, mu, r = mp.mpf(k), mp.mpf(mu), mp.mpf(r)
    in_r = mp.digamma(k + r) - mp.digamma(r) + mp.log(r / (r + mu)) + 1 - (r + k) / (r + mu)
    return r * (mu - k) / (mu * (r + mu)), -in_r


# the default location


def test_the_default_location_is_the_median():
    assert NOISE_FAMILIES["neg_bin"]() == MEDIAN != MEAN


# location = mean


def test_the_loss_is_minus_the_log_pmf_of_scipy():
    pred, obs, r = (g[(GRID[0] > 1e-2) & (GRID[2] < 1e5)] for g in GRID)
    loss = MEAN.loss(pred, obs, {"dispersion": r}, frozenset()).loss
    expected = -stats.nbinom.logpmf(obs, r, r / (r + pred))
    np.testing.assert_allclose(loss, expected, rtol=1e-8, atol=1e-8)


def test_the_loss_and_its_slopes_keep_their_digits_everywhere():
    pred, obs, r = GRID
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss = MEAN.loss(pred, obs, {"dispersion": r}, ESTIMATED)
    for i, (y, k, d) in enumerate(zip(pred.tolist(), obs.tolist(), r.tolist(), strict=True)):
        above = y > 1e-10 * d
        mu = y if above else mp.mpf(1e-10) * mp.mpf(d)
        of_mu, of_r = exact_slopes(k, mu, d)
        if not above:  # the floor moves with r and not with the prediction
            of_r, of_mu = of_r + of_mu * mp.mpf(1e-10), mp.mpf(0)
        assert loss.loss[i] == pytest.approx(float(exact_loss(k, mu, d)), rel=1e-10, abs=1e-7), (y, k, d)
        assert loss.d_pred[i] == pytest.approx(float(of_mu), rel=1e-12, abs=0), (y, k, d)
        # 1e-13/r: what a sampler that moves ln r can see is r ∂loss/∂r
        assert loss.d_noise["dispersion"][i] == pytest.approx(float(of_r), rel=1e-8, abs=1e-12 / d), (y, k, d)


def test_the_normaliser_of_the_dispersion_is_never_left_out():
    with_r = MEAN.loss(PRED, np.full(9, 2.0), {"dispersion": 3.0}, ESTIMATED)
    without = MEAN.loss(PRED, np.full(9, 2.0), {"dispersion": 3.0}, frozenset())
    np.testing.assert_array_equal(with_r.loss, without.loss)
    assert without.d_noise == {}


def test_many_trials_are_poisson():
    mu, k = np.array([0.5, 3.0, 40.0]), np.array([0.0, 5.0, 33.0])
    loss = MEAN.loss(mu, k, {"dispersion": 1e8}, ESTIMATED)
    np.testing.assert_allclose(loss.loss, -stats.poisson.logpmf(k, mu), rtol=1e-5)
    np.testing.assert_allclose(loss.d_pred, 1 - k / mu, rtol=1e-5)


# location = median: μ solves I_q(m + 1, r) = ½ with q = μ/(r + μ)


@lru_cache
def beta_cdf(q, a, b):
    """I_q(a, b) to 30 digits by quadrature of its density; mpmath's own series is slow at large b."""
    log_norm = mp.loggamma(a + b) - mp.loggamma(a) - mp.loggamma(b)

    def density(t):
        return mp.exp(log_norm + (a - 1) * mp.log(t) + (b - 1) * mp.log1p(-t)) if 0 < t < 1 else mp.mpf(0)

    width = mp.sqrt(a * b / (a + b + 1)) / (a + b)
    cuts = sorted({c for j in (40, 20, 10, 5, 2) if (c := q - j * width) > 0})
    return mp.quad(density, [0, *cuts, q])


@lru_cache
def exact_mean(m, r):
    """The mean of median m, with its slopes in m and r by the implicit function theorem."""
    a, r = mp.mpf(m) + 1, mp.mpf(r)
    q, h = mp.mpf(float(special.betaincinv(m + 1, float(r), 0.5))), mp.mpf(10) ** -12
    for _ in range(3):  # Newton, from fifteen digits
        density = mp.exp(
            (a - 1) * mp.log(q) + (r - 1) * mp.log1p(-q) + mp.loggamma(a + r) - mp.loggamma(a) - mp.loggamma(r)
        )
        q -= (beta_cdf(q, a, r) - mp.mpf(1) / 2) / density
    in_m = (beta_cdf(q, a + h, r) - beta_cdf(q, a - h, r)) / (2 * h)
    in_r = (beta_cdf(q, a, r * (1 + h)) - beta_cdf(q, a, r * (1 - h))) / (2 * h * r)
    dmu_dq = r / (1 - q) ** 2
    return r * q / (1 - q), -in_m / density * dmu_dq, q / (1 - q) - in_r / density * dmu_dq


@pytest.mark.parametrize("r", [0.5, 3.3, 100.0, 1e4, 1e6, 1e8])
@pytest.mark.parametrize("m", [1e-12, 0.4, 1.0, 30.0, 1e3])
def test_the_loss_at_a_median_and_its_slopes_keep_their_digits(m, r):
    mu, in_m, in_r = exact_mean(m, r)
    obs = np.array([0.0, 1.0, 25.0, 2e3])
    loss = MEDIAN.loss(np.full(4, m), obs, {"dispersion": np.full(4, r)}, ESTIMATED)
    for i, k in enumerate(obs.tolist()):
        of_mu, of_r = exact_slopes(k, mu, r)
        # relative to k + 1: a count far from the mean multiplies any error of the mean
        assert loss.loss[i] == pytest.approx(float(exact_loss(k, mu, r)), rel=1e-9, abs=1e-9 * (k + 1)), k
        assert loss.d_pred[i] == pytest.approx(float(of_mu * in_m), rel=1e-8, abs=1e-9), k
        # what a sampler that moves ln r can see is r ∂loss/∂r
        assert loss.d_noise["dispersion"][i] == pytest.approx(float(of_r + of_mu * in_r), rel=1e-6, abs=1e-9 / r), k


def mean_of(neg_bin, pred, r):
    """The mean, by way of the probability of no count at all: −log pmf(0) = r log(1 + μ/r)."""
    pred, r = np.broadcast_arrays(np.asarray(pred, dtype=float), np.asarray(r, dtype=float))
    return r * np.expm1(neg_bin.loss(pred, np.zeros(pred.shape), {"dispersion": r}, frozenset()).loss / r)


def test_half_of_the_counts_lie_at_or_below_a_median_that_is_a_count():
    m, r = (g.ravel() for g in np.meshgrid([0.0, 1.0, 7.0, 300.0, 1e4], [0.05, 0.5, 2.0, 50.0, 1e3]))
    np.testing.assert_allclose(stats.nbinom.cdf(m, r, r / (r + mean_of(MEDIAN, m, r))), 0.5, rtol=1e-10)


def test_the_loss_at_a_median_is_minus_the_log_pmf():
    m, k, r = (g.ravel() for g in np.meshgrid([0.0, 0.5, 4.0, 100.0], [0.0, 1.0, 17.0, 200.0], [0.3, 2.0, 40.0]))
    loss = MEDIAN.loss(m, k, {"dispersion": r}, frozenset()).loss
    np.testing.assert_allclose(loss, -stats.nbinom.logpmf(k, r, r / (r + mean_of(MEDIAN, m, r))), rtol=1e-10)


# both


def at(neg_bin, k, x):
    return neg_bin.loss(x[:1], np.array([k]), {"dispersion": x[1:]}, ESTIMATED)


def test_slopes_are_those_of_the_loss(neg_bin, quotient):
    for m in (1e-3, 0.4, 5.0, 300.0):
        for k in (0.0, 1.0, 12.0, 400.0):
            for r in (0.02, 0.3, 2.0, 50.0, 3e3):
                loss = at(neg_bin, k, np.array([m, r]))
                by_log = quotient(lambda v, k=k: at(neg_bin, k, np.exp(v)).loss, np.log([m, r]), 2e-4)[0]
                got = np.array([loss.d_pred[0] * m, loss.d_noise["dispersion"][0] * r])
                np.testing.assert_allclose(got, by_log, rtol=1e-7, atol=1e-7, err_msg=str((m, k, r)))


def test_nothing_warns_and_nothing_is_nan(neg_bin):
    pred, obs, r = GRID
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss = neg_bin.loss(pred, obs, {"dispersion": r}, ESTIMATED)
        density = neg_bin.log_density(pred, obs, {"dispersion": r})
    for values in (loss.loss, loss.d_pred, loss.d_noise["dispersion"], density):
        assert np.isfinite(values).all()
    np.testing.assert_array_equal(density, -loss.loss)


@pytest.mark.parametrize("r", R)
def test_the_information_is_a_number_everywhere(neg_bin, r):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        of_pred, blocks = neg_bin.fisher(PRED, {"dispersion": np.full(PRED.size, r)})
    assert np.isfinite(of_pred).all() and (of_pred >= 0).all()
    of_r, cross = blocks["dispersion", "dispersion"], blocks["pred", "dispersion"]
    assert np.isfinite(of_r).all() and (of_r >= 0).all()
    assert (cross**2 <= of_pred * of_r * (1 + 1e-9)).all()  # a covariance matrix


def test_a_prediction_a_hair_below_zero_counts_as_zero(neg_bin):
    below = neg_bin.loss(np.array([-1e-14, -0.0]), np.array([3.0, 0.0]), {"dispersion": 2.0}, ESTIMATED)
    zero = neg_bin.loss(np.array([0.0, 0.0]), np.array([3.0, 0.0]), {"dispersion": 2.0}, ESTIMATED)
    np.testing.assert_array_equal(below.loss, zero.loss)
    np.testing.assert_array_equal(below.d_pred, 0.0)
    assert np.isfinite(zero.loss).all()


@pytest.mark.parametrize("r", [0.0, -1.0, np.nan])
def test_a_dispersion_outside_its_domain_is_no_number(neg_bin, r):
    with np.errstate(all="ignore"):
        loss = neg_bin.loss(np.array([1.0, 5.0]), np.array([0.0, 3.0]), {"dispersion": r}, ESTIMATED)
    assert not np.isfinite(loss.loss).any()


@pytest.mark.parametrize("r", [0.3, 0.7, 3.0, 200.0])
@pytest.mark.parametrize("m", [0.0, 0.3, 6.0, 80.0])
def test_the_density_sums_to_one(neg_bin, m, r):
    mu = float(mean_of(neg_bin, m, r))
    k = np.arange(stats.nbinom.isf(1e-12, r, r / (r + mu)) + 1)
    assert np.exp(neg_bin.log_density(np.full(k.size, m), k, {"dispersion": r})).sum() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("r", [0.3, 2.0, 40.0])
@pytest.mark.parametrize("m", [0.2, 3.0, 60.0])
def test_the_information_is_the_mean_of_the_squared_score(neg_bin, m, r):
    mu = float(mean_of(neg_bin, m, r))
    k = np.arange(stats.nbinom.isf(1e-14, r, r / (r + mu)) + 1)
    loss = neg_bin.loss(np.full(k.size, m), k, {"dispersion": r}, ESTIMATED)
    pmf = np.exp(-loss.loss)
    scores = np.stack([loss.d_pred, loss.d_noise["dispersion"]])
    assert np.abs(scores @ pmf) == pytest.approx([0, 0], abs=1e-8)  # a score has mean zero
    expected = (scores * pmf) @ scores.T
    of_pred, blocks = neg_bin.fisher(np.array([m]), {"dispersion": r})
    got = [of_pred[0], blocks["pred", "dispersion"][0], blocks["dispersion", "dispersion"][0]]
    np.testing.assert_allclose(got, expected[[0, 0, 1], [0, 1, 1]], rtol=1e-6, atol=1e-9)


def test_the_information_of_one_measurement_does_not_depend_on_its_neighbours(neg_bin):
    pred, r = np.array([0.2, 3.0, 60.0, 1e5]), np.array([0.3, 2.0, 40.0, 5.0])
    together, blocks = neg_bin.fisher(pred, {"dispersion": r})
    for i in range(4):
        alone, block = neg_bin.fisher(pred[i : i + 1], {"dispersion": r[i : i + 1]})
        assert together[i] == pytest.approx(alone[0], rel=1e-12)
        for pair, info in blocks.items():
            assert info[i] == pytest.approx(block[pair][0], rel=1e-4)


def test_new_counts_have_the_mean_the_variance_and_the_median():
    n, mu, r = 200_000, 12.0, 3.0
    draws = MEAN.draw(np.random.default_rng(2), np.full(n, mu), {"dispersion": r})
    variance = mu + mu**2 / r
    kurtosis = float(stats.nbinom.stats(r, r / (r + mu), moments="k"))
    # 5 standard errors: false alarms at 1e-6 were the seed not fixed
    assert abs(draws.mean() - mu) < 5 * np.sqrt(variance / n)
    assert abs(draws.var() - variance) < 5 * variance * np.sqrt((kurtosis + 2) / n)
    draws = MEDIAN.draw(np.random.default_rng(3), np.full(n, 7.0), {"dispersion": r})
    assert abs(np.mean(draws <= 7) - 0.5) < 5 * 0.5 / np.sqrt(n)
    assert np.array_equal(draws, np.round(draws))


def test_new_counts_exist_over_the_whole_domain(neg_bin):
    rng = np.random.default_rng(4)
    for m in (0.0, 1e-12, 1.0, 1e6):
        for r in (0.05, 1.0, 1e8):
            assert (neg_bin.draw(rng, np.full(3, m), {"dispersion": r}) >= 0).all()


def test_only_counts_can_be_observed(neg_bin):
    assert neg_bin.rejects(np.array([0.0, 3.0, 1e6])) == ""
    assert "2.5" in neg_bin.rejects(np.array([0.0, 2.5]))
    assert "-1" in neg_bin.rejects(np.array([-1.0, 2.0]))


def test_it_is_no_least_squares_family(neg_bin):
    assert not neg_bin.least_squares
    with pytest.raises(TypeError):
        neg_bin.residual(PRED, PRED, {"dispersion": 1.0})
