"""Poisson, binomial and beta-binomial counts: the loss, its slopes, the floors at the ends, limits, large numbers."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bnfhmc.errors import InputError
from bnfhmc.noise import NOISE_FAMILIES, BetaBinomial, Binomial, NegBin, Poisson
from bnfhmc.noise.count import half_deviance, log_spread, not_counts

NONE = frozenset()
DISPERSION = frozenset({"dispersion"})
H = 1e-30
HYPOTHESIS = settings(max_examples=150)


@st.composite
def counts(draw):
    """Trials, a count, a prediction between the floors, a dispersion."""
    n = draw(st.one_of(st.integers(1, 40), st.integers(41, 100_000)))
    k = draw(st.sampled_from([0, n])) if draw(st.booleans()) else draw(st.integers(0, n))
    fraction = 10 ** draw(st.floats(-6, math.log10(0.5)))
    return n, k, n * (1 - fraction if draw(st.booleans()) else fraction), 10 ** draw(st.floats(-2, 7))


def complex_step(f, x):
    x = np.array([x])
    return float(np.imag(f(x + 1j * H * x))[0] / (H * x[0]))


def one(x):
    return np.array([float(x)])


@HYPOTHESIS
@given(counts())
def test_the_poisson_loss_and_its_slope(point):
    _, k, mu, _ = point
    loss = Poisson().loss(one(mu), one(k), {}, NONE)
    assert loss.loss == pytest.approx(-stats.poisson(mu).logpmf(k), rel=1e-11, abs=1e-14 * (k + mu) + 1e-12)
    step = complex_step(lambda m: Poisson().loss(m, one(k), {}, NONE).loss, mu)
    assert loss.d_pred == pytest.approx(step, rel=1e-9, abs=1e-12 * (1 + k / mu))


@HYPOTHESIS
@given(counts())
def test_the_binomial_loss_and_its_slope(point):
    n, k, mu, _ = point
    loss = Binomial().loss(one(mu), one(k), {"trials": n}, NONE)
    assert loss.loss == pytest.approx(-stats.binom(n, mu / n).logpmf(k), rel=1e-10, abs=1e-14 * n + 1e-11)
    step = complex_step(lambda m: Binomial().loss(m, one(k), {"trials": n}, NONE).loss, mu)
    assert loss.d_pred == pytest.approx(step, rel=1e-9, abs=1e-12 * n / min(mu, n - mu))


@HYPOTHESIS
@given(counts())
@pytest.mark.filterwarnings("ignore::RuntimeWarning:scipy")
def test_the_beta_binomial_loss_and_its_slopes(point):
    n, k, mu, c = point
    noise = {"trials": n, "dispersion": c}
    loss = BetaBinomial().loss(one(mu), one(k), noise, DISPERSION)
    theirs = -stats.betabinom(n, c * mu / n, c * (1 - mu / n)).logpmf(k)
    lost = 1e-13 * (c + n) * math.log(c + n + 2)  # by scipy, between beta functions of large arguments
    assert loss.loss == pytest.approx(theirs, rel=1e-9, abs=1e-9 + lost)
    by_mu = complex_step(lambda m: BetaBinomial().loss(m, one(k), noise, NONE).loss, mu)
    assert loss.d_pred == pytest.approx(by_mu, rel=1e-8, abs=1e-10 * n / min(mu, n - mu))
    by_c = complex_step(lambda v: BetaBinomial().loss(one(mu), one(k), {"trials": n, "dispersion": v}, NONE).loss, c)
    assert loss.d_noise["dispersion"] == pytest.approx(by_c, rel=1e-7, abs=1e-12 * (1 + n / c))


@pytest.mark.parametrize("c", [1e3, 0.9999e3, 1.0001e3])
def test_the_beta_binomial_is_one_function_on_both_sides_of_its_series(c):
    n, k, mu = 500.0, np.arange(0, 501, 25.0), np.full(21, 250.0)
    # α = β = c/2 stays in the exact form, c itself passes to the series
    loss = BetaBinomial().loss(mu, k, {"trials": n, "dispersion": c}, DISPERSION)
    theirs = -stats.betabinom(500, c / 2, c / 2).logpmf(k)
    np.testing.assert_allclose(loss.loss, theirs, rtol=1e-11, atol=1e-10)


def test_a_large_dispersion_parameter_is_the_binomial():
    k, mu = np.arange(21.0), np.full(21, 8.0)
    binomial = Binomial().loss(mu, k, {"trials": 20.0}, NONE)
    for c, rtol in ((1e6, 1e-4), (1e12, 1e-10), (1e200, 1e-13)):
        near = BetaBinomial().loss(mu, k, {"trials": 20.0, "dispersion": c}, DISPERSION)
        np.testing.assert_allclose(near.loss, binomial.loss, rtol=rtol)
        np.testing.assert_allclose(near.d_pred, binomial.d_pred, rtol=rtol, atol=rtol)
        assert np.all(np.abs(near.d_noise["dispersion"]) < (1e3 / c + 1e-14) / c)


def test_many_trials_are_poisson_and_so_is_a_large_dispersion_of_neg_bin():
    k, mu = np.arange(20.0), np.full(20, 6.5)
    poisson = Poisson().loss(mu, k, {}, NONE)
    for family, noise in ((Binomial(), {"trials": 1e9}), (NegBin("mean"), {"dispersion": 1e9})):
        other = family.loss(mu, k, noise, NONE)
        np.testing.assert_allclose(other.loss, poisson.loss, rtol=1e-6)
        np.testing.assert_allclose(other.d_pred, poisson.d_pred, rtol=1e-6, atol=1e-7)


def test_no_digits_are_lost_between_millions():
    k = np.array([1e6, 1e9, 1e12])
    mu = k + 3 * np.sqrt(k)
    loss = Poisson().loss(mu, k, {}, NONE)
    # −log pmf = ½ log 2πk + 1/12k + half the deviance, the latter by its series in x = (μ − k)/k
    x = 3 / np.sqrt(k)
    deviance = k * (x**2 / 2 - x**3 / 3 + x**4 / 4)
    np.testing.assert_allclose(loss.loss, 0.5 * np.log(2 * np.pi * k) + 1 / (12 * k) + deviance, rtol=1e-8)
    np.testing.assert_allclose(Binomial().loss(one(5e11), one(5e11 + 1e6), {"trials": 1e12}, NONE).loss,
                               0.5 * math.log(2 * math.pi * 2.5e11) + 2.0, rtol=1e-6)  # fmt: skip


def test_the_constant_of_a_count_is_exact_on_both_sides_of_its_series():
    for k in (0, 1, 2, 10, 99, 100, 101, 170, 1000):
        exact = math.log(math.factorial(k)) - (k * math.log(k) if k else 0.0) + k
        assert log_spread(float(k)) == pytest.approx(exact, abs=3e-13 + 1e-15 * k * math.log(k + 1))


def test_the_deviance_where_prediction_and_count_meet():
    deviance, slope = half_deviance(np.array([7.0, 0.0]), np.array([7.0, 0.3]))
    np.testing.assert_array_equal(deviance, [0.0, 0.3])
    np.testing.assert_array_equal(slope, [0.0, 1.0])


def test_a_poisson_prediction_of_zero_counts_as_its_floor():
    pred, k = np.array([0.0, -1e-9, -3.0, 1e-10, 0.0]), np.array([0.0, 0.0, 0.0, 2.0, 2.0])
    loss = Poisson().loss(pred, k, {}, NONE)
    np.testing.assert_allclose(loss.loss, [1e-10] * 3 + [1e-10 + 20 * math.log(10) + math.log(2)] * 2, rtol=1e-14)
    many = Poisson().loss(one(0), one(100), {}, NONE).loss
    np.testing.assert_allclose(many, 1e-10 + 1000 * math.log(10) + math.lgamma(101), rtol=1e-14)
    assert np.all(loss.d_pred == 0)
    assert np.all(Poisson().fisher(pred, {})[0] == 0)
    assert np.all(Poisson().draw(np.random.default_rng(0), pred, {}) == 0)
    assert Poisson().loss(one(2e-10), one(2), {}, NONE).d_pred < -9e9


@pytest.mark.parametrize("family, noise", [(Binomial(), {}), (BetaBinomial(), {"dispersion": 4.0})], ids=["binomial", "beta"])
def test_a_fraction_at_its_ends_counts_as_the_floor_and_beyond_them_as_none(family, noise):
    noise = {"trials": 10.0, **noise}
    ends = np.array([0.0, -9e-6, 1e-10, 10.0, 10 + 9e-6])
    for k in (0.0, 4.0, 10.0):
        loss = family.loss(ends, np.full(5, k), noise, frozenset(noise) - {"trials"})
        assert np.isfinite(loss.loss).all() and np.all(loss.d_pred == 0)
        np.testing.assert_allclose(loss.loss[:3], loss.loss[0])
        np.testing.assert_allclose(loss.loss[3:], loss.loss[3])
    assert np.all(family.fisher(ends, noise)[0] == 0)
    np.testing.assert_array_equal(family.draw(np.random.default_rng(0), ends, noise), [0, 0, 0, 10, 10])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = family.loss(np.array([-2e-5, 10 + 2e-5, 1e300, -1e300]), np.full(4, 5.0), noise, NONE)
    assert np.all(out.loss == np.inf) and np.all(out.d_pred == 0)


def test_counts_outside_the_trials_have_no_probability():
    for family, noise in ((Binomial(), {"trials": 5.0}), (BetaBinomial(), {"trials": 5.0, "dispersion": 2.0})):
        assert np.all(family.log_density(np.full(2, 2.0), np.array([6.0, -1.0]), noise) == -np.inf)
    assert Poisson().log_density(one(2.0), one(-1.0), {}) == -np.inf


@pytest.mark.parametrize(
    "mu, n, c",
    [
        (1, 4, 0.3),
        (20, 50, 1),
        (2999, 3000, 7),
        (1e3, 20_000, 0.5),
        (9e3, 20_000, 40),
        (300, 20_000, 5e4),
        (1e3, 200_000, 1e9),
    ],
)
def test_the_beta_binomial_information_is_the_sum_over_all_counts(mu, n, c):
    noise = {"trials": float(n), "dispersion": c}
    k, pred = np.arange(n + 1.0), np.full(n + 1, mu)
    loss = BetaBinomial().loss(pred, k, noise, DISPERSION)
    p, s, r = np.exp(-loss.loss), loss.d_pred, loss.d_noise["dispersion"]
    assert p.sum() == pytest.approx(1, abs=1e-8)
    kappa, pairs = BetaBinomial().fisher(one(mu), noise)
    np.testing.assert_allclose(kappa, [p @ s**2], rtol=1e-3 if n > 4096 else 1e-9)
    if c < 1e9:  # beyond, the dispersion leaves no trace
        np.testing.assert_allclose(pairs["dispersion", "dispersion"], [p @ r**2], rtol=1e-3 if n > 4096 else 1e-8)
        root = np.sqrt(kappa * pairs["dispersion", "dispersion"])
        np.testing.assert_allclose(pairs["pred", "dispersion"], [p @ (s * r)], rtol=1e-6, atol=float(1e-3 * root[0]))


def test_information_of_measurements_with_different_trials():
    n, mu = np.array([3.0, 40.0, 40.0]), np.array([1.0, 5.0, 39.0])
    together, pairs = BetaBinomial().fisher(mu, {"trials": n, "dispersion": 2.0})
    for i in range(3):
        alone, own = BetaBinomial().fisher(mu[i : i + 1], {"trials": n[i], "dispersion": 2.0})
        np.testing.assert_allclose(together[i], alone, rtol=1e-12)
        for pair, info in own.items():
            np.testing.assert_allclose(pairs[pair][i], info, rtol=1e-10)


@pytest.mark.parametrize("word", ["poisson", "binomial", "beta_binomial"])
def test_the_prediction_is_the_mean_and_no_other(word):
    assert NOISE_FAMILIES[word]().location == "mean"
    with pytest.raises(InputError, match=f"a prediction of {word} is the mean, not the median; type 'location = mean'"):
        NOISE_FAMILIES[word](location="median")


@pytest.mark.parametrize("word", ["binomial", "beta_binomial"])
def test_trials_are_known(word):
    noise = {"trials": 5.0, "dispersion": 2.0}
    with pytest.raises(InputError, match=f"the trials of {word} are known.*fix_at"):
        NOISE_FAMILIES[word]().loss(one(2), one(2), noise, frozenset({"trials"}))


@pytest.mark.parametrize("word", ["poisson", "binomial", "beta_binomial", "neg_bin"])
def test_fractions_and_negative_numbers_are_rejected(word):
    family = NOISE_FAMILIES[word]()
    assert family.rejects(np.array([0.0, 3.0, 1e15])) == ""
    assert family.rejects(np.array([3.0, 2.5])) == f"{word} needs counts (0, 1, 2, …), got 2.5"
    assert family.rejects(np.array([-1.0, 2.0])) == f"{word} needs counts (0, 1, 2, …), got -1"


@pytest.mark.parametrize("word", ["binomial", "beta_binomial"])
def test_more_counts_than_trials_are_rejected(word):
    family, obs = NOISE_FAMILIES[word](), np.array([3.0, 7.0, 9.0])
    assert family.rejects(obs, {"trials": np.array([3.0, 8.0, 9.0])}) == ""
    assert family.rejects(obs, {"trials": 8.0}) == f"{word} counted 9 out of 8 trials"
    for bad in (9.5, 0.0, -1.0, np.inf, np.nan):
        assert family.rejects(obs, {"trials": bad}) == f"{word} needs 1, 2, 3, … trials, got {bad:g}"
    assert family.rejects(obs, {"dispersion": 1.0}) == family.rejects(obs) == ""


def test_what_is_no_count():
    assert not_counts("x", np.array([])) == ""
    for bad in (np.inf, np.nan, -0.5):
        assert not_counts("x", np.array([1.0, bad])).endswith(f"got {bad:g}")
