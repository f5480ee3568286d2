"""Gaussian noise against scipy.stats, with the constants convention of the loss."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from bnfhmc.noise import Normal

PRED = np.array([0.0, 1e-12, 0.3, -4.0, 1e6, 2.0, 2.0])
OBS = np.array([0.0, 0.1, -2.0, 1e5, 999_990.0, 2.0, 2.5])
SIGMA = np.array([1e-8, 0.2, 1.0, 1e4, 7.0, 3.0, 1e-3])
ESTIMATED = frozenset({"sigma"})


@pytest.fixture(params=["median", "mean"])
def normal(request):
    return Normal(request.param)


def test_a_fixed_sigma_leaves_its_normaliser_out(normal):
    loss = normal.loss(PRED, OBS, {"sigma": SIGMA}, frozenset())
    full = -stats.norm.logpdf(OBS, PRED, SIGMA)
    np.testing.assert_allclose(loss.loss, full - np.log(SIGMA) - 0.5 * np.log(2 * np.pi), rtol=1e-13, atol=1e-12)
    assert loss.d_noise == {}


def test_an_estimated_sigma_brings_log_sigma(normal):
    loss = normal.loss(PRED, OBS, {"sigma": SIGMA}, ESTIMATED)
    full = -stats.norm.logpdf(OBS, PRED, SIGMA)
    np.testing.assert_allclose(loss.loss, full - 0.5 * np.log(2 * np.pi), rtol=1e-13, atol=1e-12)


def test_log_density_is_complete(normal):
    np.testing.assert_allclose(
        normal.log_density(PRED, OBS, {"sigma": SIGMA}), stats.norm.logpdf(OBS, PRED, SIGMA), rtol=1e-13
    )
    for pred, sigma in [(0.0, 1.0), (-3.0, 0.02), (1e4, 250.0)]:
        at = lambda y, pred=pred, sigma=sigma: np.exp(normal.log_density(pred, y, {"sigma": sigma}))  # noqa: E731
        mass = quad(at, pred - 12 * sigma, pred + 12 * sigma, points=[pred])[0]
        assert mass == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("estimated", [frozenset(), ESTIMATED])
def test_the_slope_in_the_prediction_is_the_complex_step(normal, estimated):
    loss = normal.loss(PRED, OBS, {"sigma": SIGMA}, estimated)
    step = np.imag(0.5 * ((PRED + 1e-30j - OBS) / SIGMA) ** 2) / 1e-30
    np.testing.assert_allclose(loss.d_pred, step, rtol=1e-14)


def test_the_slope_in_sigma_is_minus_r_squared_over_sigma_cubed_plus_one_over_sigma(normal):
    loss = normal.loss(PRED, OBS, {"sigma": SIGMA}, ESTIMATED)
    r = PRED - OBS
    np.testing.assert_allclose(loss.d_noise["sigma"], -(r**2) / SIGMA**3 + 1 / SIGMA, rtol=1e-12)
    sigma = SIGMA + 1e-40j
    step = np.imag(0.5 * (r / sigma) ** 2 + np.log(sigma)) / 1e-40
    np.testing.assert_allclose(loss.d_noise["sigma"], step, rtol=1e-12)


def test_the_loss_is_half_rho_squared(normal):
    rho, slope = normal.residual(PRED, OBS, {"sigma": SIGMA})
    np.testing.assert_array_equal(rho, (PRED - OBS) / SIGMA)  # prediction minus observation
    np.testing.assert_array_equal(slope, 1 / SIGMA)
    loss = normal.loss(PRED, OBS, {"sigma": SIGMA}, frozenset())
    np.testing.assert_array_equal(loss.loss, 0.5 * rho**2)
    np.testing.assert_array_equal(loss.d_pred, rho * slope)
    assert normal.least_squares


def test_units_do_not_matter(normal):
    one = normal.loss(PRED, OBS, {"sigma": SIGMA}, ESTIMATED)
    for c in (1e-9, 3.0, 1e7):
        scaled = normal.loss(c * PRED, c * OBS, {"sigma": c * SIGMA}, ESTIMATED)
        np.testing.assert_allclose(scaled.loss, one.loss + np.log(c), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(scaled.d_pred, one.d_pred / c, rtol=1e-10)
        np.testing.assert_allclose(scaled.d_noise["sigma"], one.d_noise["sigma"] / c, rtol=1e-10)


def test_one_sigma_for_all(normal):
    one = normal.loss(PRED, OBS, {"sigma": 2.0}, ESTIMATED)
    each = normal.loss(PRED, OBS, {"sigma": np.full(7, 2.0)}, ESTIMATED)
    for a, b in zip((one.loss, one.d_pred, one.d_noise["sigma"]), (each.loss, each.d_pred, each.d_noise["sigma"]),
                    strict=True):  # fmt: skip
        np.testing.assert_array_equal(a, b)
        assert a.shape == (7,)


@pytest.mark.parametrize("sigma", [0.0, -1.0, np.nan])
@pytest.mark.parametrize("estimated", [frozenset(), ESTIMATED])
def test_a_sigma_outside_its_domain_is_no_number(normal, sigma, estimated):
    with np.errstate(all="ignore"):
        loss = normal.loss(PRED, OBS, {"sigma": sigma}, estimated)
        density = normal.log_density(PRED, OBS, {"sigma": sigma})
    assert not np.isfinite(loss.loss).any()
    assert not np.isfinite(density).any()


def test_the_information_is_the_mean_of_the_squared_score(normal):
    x, weight = np.polynomial.hermite_e.hermegauss(40)
    weight = weight / weight.sum()
    for pred, sigma in [(0.0, 1.0), (5.0, 0.01), (-2.0, 30.0)]:
        loss = normal.loss(np.full(40, pred), pred + sigma * x, {"sigma": sigma}, ESTIMATED)
        of_pred, of_noise = normal.fisher(np.array([pred]), {"sigma": sigma})
        assert of_pred[0] == pytest.approx(weight @ loss.d_pred**2, rel=1e-10)
        assert of_noise["sigma", "sigma"][0] == pytest.approx(weight @ loss.d_noise["sigma"] ** 2, rel=1e-10)
        assert weight @ (loss.d_pred * loss.d_noise["sigma"]) == pytest.approx(0.0, abs=1e-9 * of_pred[0])
        assert ("pred", "sigma") not in of_noise


def test_new_data_have_the_mean_and_spread(normal):
    n = 200_000
    pred, sigma = np.full(n, 3.0), 0.7
    draws = normal.draw(np.random.default_rng(1), pred, {"sigma": sigma})
    assert draws.shape == (n,)
    # two sample moments, each 5 standard errors wide: false alarms at 1e-6 were the seed not fixed
    assert abs(draws.mean() - 3.0) < 5 * sigma / np.sqrt(n)
    assert abs(draws.var() - sigma**2) < 5 * sigma**2 * np.sqrt(2 / n)


def test_any_real_number_can_be_observed(normal):
    assert normal.rejects(np.array([-1.5, 0.0, 1e9])) == ""
