"""Truncation: normalised, inside its bounds, and precise far out in a tail."""

import numpy as np
import pytest
from scipy import integrate, stats

from bnfhmc.prior import Beta, Cauchy, Exponential, Gamma, Normal, Truncated, Uniform
from tests.prior.cases import PRIORS

# Where to cut, as quantiles of the prior: the middle, each side open, each tail.
CUTS = {"middle": (0.2, 0.7), "lower half": (0.05, 0.3), "upper half": (0.6, 0.95), "from": (0.3, None),
        "to": (None, 0.6), "lower tail": (1e-6, 2e-5), "upper tail": (1 - 2e-5, 1 - 1e-6)}
ALL = pytest.mark.parametrize("name, cut", [(n, c) for n in PRIORS for c in CUTS])


def truncated(name, cut):
    low, high = CUTS[cut]
    prior = PRIORS[name]
    return Truncated(prior, -np.inf if low is None else prior.ppf(low), np.inf if high is None else prior.ppf(high))


@ALL
def test_density_is_the_priors_over_its_mass(name, cut):
    low, high = (end if end is not None else i for i, end in enumerate(CUTS[cut]))
    prior, cut_prior = PRIORS[name], truncated(name, cut)
    assert cut_prior.check() == []
    u = cut_prior.ppf(np.linspace(0.01, 0.99, 9))
    np.testing.assert_allclose(cut_prior.logpdf(u), prior.logpdf(u) - np.log(high - low), rtol=1e-8, atol=1e-8)
    assert np.array_equal(cut_prior.score(u), prior.score(u))


@ALL
def test_mass_is_one_by_quadrature(name, cut):
    prior = truncated(name, cut)
    lo, hi = prior.support
    # Pieces between quantiles, the ends substituted by u = end ± t⁴, so that poles and tails are smooth in t.
    knots = prior.ppf(np.linspace(0, 1, 9))
    knots[0], knots[-1] = lo, hi
    total = 0.0
    for a, b in zip(knots[:-1], knots[1:], strict=True):
        if not np.isfinite(a) or not np.isfinite(b):
            total += integrate.quad(lambda u: np.exp(prior.logpdf(u)), a, b, limit=200)[0]
            continue
        end, side = (a, 1) if b < hi else (b, -1)
        total += integrate.quad(
            lambda t, end=end, side=side: np.exp(min(prior.logpdf(end + side * t**4), 600.0)) * 4 * t**3,
            0, (b - a) ** 0.25, limit=200)[0]
    assert total == pytest.approx(1, abs=1e-6)


@ALL
def test_outside_of_the_bounds(name, cut):
    prior = truncated(name, cut)
    for end, beyond in zip(prior.support, (-np.inf, np.inf), strict=True):
        u = np.nextafter(end, beyond)
        assert prior.logpdf(u) == -np.inf and prior.score(u) == 0
        assert prior.cdf(beyond) == (beyond > 0) and prior.sf(beyond) == (beyond < 0)
    assert prior.logpdf(np.nan) == -np.inf


@ALL
def test_quantiles_invert_the_tails(name, cut):
    prior = truncated(name, cut)
    q = np.array([1e-9, 1e-4, 0.1, 0.5, 0.9, 1 - 1e-4])
    # 1e-7: next to 1, where a beta prior may have a pole, neighbouring floats are that far apart in the cdf
    np.testing.assert_allclose(prior.cdf(prior.ppf(q)), q, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(prior.sf(prior.isf(q)), q, rtol=1e-6, atol=1e-7)
    assert tuple(prior.ppf(np.array([0.0, 1.0]))) == pytest.approx(prior.support, rel=1e-9, abs=1e-14)
    assert np.all(np.isnan(prior.ppf(np.array([-0.1, 1.1]))))


@ALL
def test_draws_stay_inside_and_follow_the_density(name, cut):
    prior = truncated(name, cut)
    draws = prior.sample(np.random.default_rng(7), 2000)
    assert np.all((draws >= prior.support[0]) & (draws <= prior.support[1]))
    assert stats.kstest(prior.cdf(draws), "uniform").pvalue > 1e-6    # false alarms: one seed in a million


def test_truncated_normal_is_that_of_scipy():
    prior = Truncated(Normal(1.0, 2.0), -0.5, 4.0)
    theirs = stats.truncnorm((-0.5 - 1) / 2, (4 - 1) / 2, 1, 2)
    u, q = np.linspace(-0.5, 4, 31), np.linspace(0, 1, 31)
    np.testing.assert_allclose(prior.logpdf(u), theirs.logpdf(u), rtol=1e-12)
    np.testing.assert_allclose(prior.cdf(u), theirs.cdf(u), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(prior.ppf(q), theirs.ppf(q), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("side", [-1.0, 1.0])
@pytest.mark.parametrize("far", [9.0, 20.0, 37.0])
def test_far_tail_of_a_normal(side, far):
    prior = Truncated(Normal(0.0, 1.0), *sorted((side * far, side * (far + 1))))
    assert prior.check() == []
    # -log Z from log Φ(−far), up to the mass beyond far + 1, a fraction of exp(−far)
    expected = stats.norm.logpdf(far) - stats.norm.logsf(far)
    assert prior.logpdf(side * far) == pytest.approx(expected, rel=1e-3)
    # so far out it is exponential with the rate `far`, up to 1/far²
    median = prior.ppf(0.5)
    assert far * (abs(median) - far) == pytest.approx(np.log(2), rel=2 / far)


def test_far_tails_of_heavy_and_one_sided_priors():
    u = Truncated(Cauchy(0.0, 1.0), 1e12, np.inf)
    assert u.ppf(0.5) == pytest.approx(2e12, rel=1e-9)
    assert u.logpdf(2e12) == pytest.approx(np.log(1e12) - 2 * np.log(2e12), abs=1e-9)
    u = Truncated(Exponential(1.0), 600.0, np.inf)
    assert u.logpdf(601.0) == pytest.approx(-1, abs=1e-9) and u.sf(601.0) == pytest.approx(np.exp(-1), rel=1e-9)
    u = Truncated(Gamma(3.0, 1.0), -np.inf, 1e-30)
    assert u.support == (0.0, 1e-30) and u.ppf(0.5) == pytest.approx(1e-30 * 0.5 ** (1 / 3), rel=1e-9)


def test_support_is_the_intersection():
    assert Truncated(Beta(2.0, 2.0), -5.0, 0.5).support == (0.0, 0.5)
    assert Truncated(Uniform(0.0, 2.0), 1.0, 9.0).support == (1.0, 2.0)
    assert Truncated(Normal(0.0, 1.0), -np.inf, 0.0).support == (-np.inf, 0.0)


@pytest.mark.parametrize("prior, said", [
    (Truncated(Normal(0.0, 1.0), 40.0, 41.0), "the truncation bounds leave no mass of the prior"),
    (Truncated(Gamma(2.0, 1.0), -3.0, -1.0), "the truncation bounds leave no mass of the prior"),
    (Truncated(Gamma(2.0, 1.0), -3.0, 0.0), "the truncation bounds leave no mass of the prior"),
    (Truncated(Normal(0.0, 1.0), 2.0, 1.0), "the truncation bounds must be lower < upper"),
    (Truncated(Normal(0.0, 1.0), 1.0, 1.0), "the truncation bounds must be lower < upper"),
    (Truncated(Normal(0.0, 1.0), np.nan, 1.0), "a truncation bound is not a number"),
    (Truncated(Normal(0.0, -1.0), 0.0, 1.0), "sd must be > 0, got -1"),
])
def test_check(prior, said):
    assert prior.check() == [said]


def test_fields_may_be_arrays():
    lower, upper, mean = np.array([-1.0, 3.0, -np.inf]), np.array([0.5, np.inf, -4.0]), np.array([0.0, 1.0, 2.0])
    several = Truncated(Normal(mean, 1.5), lower, upper)
    singles = [Truncated(Normal(m, 1.5), a, b) for m, a, b in zip(mean, lower, upper, strict=True)]
    u = several.ppf(0.3)
    assert np.array_equal(u, [s.ppf(0.3) for s in singles])
    for method in ("logpdf", "score", "cdf", "sf"):
        assert np.array_equal(getattr(several, method)(u),
                              [getattr(s, method)(x) for s, x in zip(singles, u, strict=True)])
