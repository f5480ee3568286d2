"""Priors pushed from one scale to another: the same distribution of θ, with the density of its coordinate."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from bnfhmc.prior import (
    LIN,
    LN,
    LOG10,
    LOGIT,
    Beta,
    Cauchy,
    ChiSquare,
    Exponential,
    Gamma,
    Gumbel,
    HalfCauchy,
    HalfNormal,
    InverseGamma,
    Laplace,
    Logistic,
    Normal,
    Parameter,
    PriorVector,
    PushedForward,
    Rayleigh,
    StudentT,
    Truncated,
    Uniform,
    Weibull,
    prior_in,
)
from tests.prior.cases import PRIORS

INF = np.inf
LN10 = np.log(10.0)
SCALES = {"lin": LIN, "ln": LN, "log10": LOG10}
PAIRS = [(a, b) for a in SCALES.values() for b in SCALES.values()]
FAMILIES = pytest.mark.parametrize("name", PRIORS)
ACROSS = pytest.mark.parametrize("inner, outer", PAIRS, ids=lambda s: s.name)

# A prior pushed forward is one that scipy has under another name.
SCIPY = {
    "log-normal": (PushedForward(Normal(0.3, 0.8), LN, LIN), stats.lognorm(0.8, scale=np.exp(0.3))),
    "log10-normal": (PushedForward(Normal(0.3, 0.4), LOG10, LIN), stats.lognorm(0.4 * LN10, scale=10**0.3)),
    "log-laplace": (PushedForward(Laplace(0.5, 0.4), LN, LIN), stats.loglaplace(2.5, scale=np.exp(0.5))),
    "log-uniform": (PushedForward(Uniform(-2.0, 3.0), LOG10, LIN), stats.loguniform(0.01, 1000.0)),
    "log-logistic": (PushedForward(Logistic(0.2, 0.5), LN, LIN), stats.fisk(2.0, scale=np.exp(0.2))),
    "frechet": (PushedForward(Gumbel(0.2, 0.5), LN, LIN), stats.invweibull(2.0, scale=np.exp(0.2))),
    "log-gamma": (PushedForward(Gamma(2.5, 3.0), LIN, LN), stats.loggamma(2.5, loc=np.log(3.0))),
    "log-gamma, pole": (PushedForward(Gamma(0.2, 3.0), LIN, LN), stats.loggamma(0.2, loc=np.log(3.0))),
    "log-chisquare": (PushedForward(ChiSquare(5.0), LIN, LN), stats.loggamma(2.5, loc=np.log(2.0))),
    "log-exponential": (PushedForward(Exponential(3.0), LIN, LN), stats.gumbel_l(np.log(3.0))),
    "log-weibull": (PushedForward(Weibull(1.8, 2.0), LIN, LN), stats.gumbel_l(np.log(2.0), 1 / 1.8)),
    "log-rayleigh": (PushedForward(Rayleigh(1.7), LIN, LOG10), stats.gumbel_l(np.log10(1.7 * np.sqrt(2)), 0.5 / LN10)),
    "log-inv_gamma, shape 1": (PushedForward(InverseGamma(1.0, 2.0), LIN, LN), stats.gumbel_r(np.log(2.0))),
    "normal of a logarithm": (PushedForward(Normal(1.0, 2.0), LN, LOG10), stats.norm(1 / LN10, 2 / LN10)),
    "cauchy of a logarithm": (PushedForward(Cauchy(1.0, 2.0), LOG10, LN), stats.cauchy(LN10, 2 * LN10)),
}  # fmt: skip
KNOWN = pytest.mark.parametrize("name", SCIPY)


def positive(prior):
    """A prior as it is given on lin to be seen on a logarithm."""
    return Truncated(prior, 0.0, INF) if prior.support[0] < 0 else prior


def pushed(name, inner, outer):
    prior = PRIORS[name]
    return PushedForward(positive(prior) if inner is LIN and outer is not LIN else prior, inner, outer)


def v_of(u, inner, outer):
    return inner.u_from_theta(outer.theta_from_u(u))


# against scipy


@KNOWN
@pytest.mark.filterwarnings("ignore::RuntimeWarning:scipy")
def test_density_masses_and_quantiles_are_those_of_scipy(name):
    ours, theirs = SCIPY[name]
    q = np.concatenate([10.0 ** np.arange(-9, -2), np.linspace(0.01, 0.99, 33), [0.999]])
    u = theirs.ppf(q)
    np.testing.assert_allclose(ours.logpdf(u), theirs.logpdf(u), rtol=1e-11, atol=1e-11)
    atol = 1e-15 if name == "log-uniform" else 0    # near an end that is not 0, u is too coarse to hold a small mass
    np.testing.assert_allclose(ours.cdf(u), theirs.cdf(u), rtol=1e-10, atol=atol)
    np.testing.assert_allclose(ours.sf(u), theirs.sf(u), rtol=1e-10, atol=atol)
    np.testing.assert_allclose(ours.ppf(q), theirs.ppf(q), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(ours.isf(q), theirs.isf(q), rtol=1e-9, atol=1e-12)
    assert ours.support == pytest.approx(theirs.support(), rel=1e-14) and ours.check() == []
    assert stats.kstest(ours.sample(np.random.default_rng(8), 3000), theirs.cdf).pvalue > 1e-6


# every family on every pair of scales


def inside(p, u, theta):
    """Where u is not rounded onto an end, and θ is far from where floats end."""
    return (u > p.support[0]) & (u < p.support[1]) & (np.abs(theta) > 1e-30) & (np.abs(theta) < 1e30)


@FAMILIES
@ACROSS
def test_it_is_the_same_distribution_of_theta(name, inner, outer):
    p = pushed(name, inner, outer)
    assert p.check() == []
    q = np.array([1e-6, 0.01, 0.2, 0.5, 0.8, 0.99, 1 - 1e-6])
    for u, v in ((p.ppf(q), p.prior.ppf(q)), (p.isf(q), p.prior.isf(q))):
        theta = inner.theta_from_u(v)
        kept = inside(p, u, theta)
        np.testing.assert_allclose(outer.theta_from_u(u)[kept], theta[kept], rtol=1e-12)
        # 1e-8: next to an end that is not 0, neighbouring floats are that far apart in the cdf of a pole
        np.testing.assert_allclose(p.cdf(u)[kept], p.prior.cdf(v)[kept], rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(p.sf(u)[kept], p.prior.sf(v)[kept], rtol=1e-8, atol=1e-8)
        assert kept.sum() > 2
    assert tuple(p.cdf(np.array(p.support))) == (0, 1) and tuple(p.sf(np.array(p.support))) == (1, 0)
    ends = outer.theta_from_u(np.array([p.ppf(np.array([0.0, 1.0])), p.isf(np.array([1.0, 0.0])), p.support]))
    assert ends[:2] == pytest.approx(ends[[2, 2]], rel=1e-14, abs=1e-14)
    assert np.isnan(p.ppf(np.array([-0.1, 1.1, np.nan]))).all() and np.isnan(p.isf(np.array([-0.1, 1.1]))).all()


@FAMILIES
@ACROSS
def test_the_density_has_the_jacobian(name, inner, outer):
    p = pushed(name, inner, outer)
    u = p.ppf(np.linspace(0.02, 0.98, 13))
    u = u[inside(p, u, outer.theta_from_u(u))]
    h = 1e-6 * (np.abs(u) if outer is LIN else 1.0)
    dv_du = (v_of(u + h, inner, outer) - v_of(u - h, inner, outer)) / ((u + h) - (u - h))
    expected = p.prior.logpdf(v_of(u, inner, outer)) + np.log(dv_du)
    np.testing.assert_allclose(p.logpdf(u), expected, rtol=1e-7, atol=1e-7)
    assert len(u) > 7


@FAMILIES
@ACROSS
def test_score_is_the_derivative_of_logpdf(name, inner, outer):
    p = pushed(name, inner, outer)
    u = p.ppf(np.linspace(0.013, 0.987, 17))
    lo, hi = p.support
    h = 1e-5 * np.minimum(np.minimum(u - lo, hi - u), np.maximum(np.abs(u), 0.1))
    inside = (h > 0) & (np.abs(u) < 1e30)
    u, h = u[inside], h[inside]
    central = (p.logpdf(u + h) - p.logpdf(u - h)) / ((u + h) - (u - h))
    rounding = 1e-15 * (1 + np.abs(p.logpdf(u))) / h
    kink = (name == "laplace") & (np.abs(v_of(u, inner, outer) + 1) < 1e-3)
    assert np.all(kink | (np.abs(p.score(u) - central) <= 2e-5 * np.abs(central) + 1e-8 + 2 * rounding))


@FAMILIES
@ACROSS
def test_mass_between_quantiles_by_quadrature(name, inner, outer):
    p = pushed(name, inner, outer)
    q = np.linspace(0.01, 0.99, 15)
    u = p.ppf(q)
    kept = inside(p, u, outer.theta_from_u(u))
    u, q = u[kept], q[kept]

    def over_log(t):
        return np.exp(p.logpdf(np.exp(t)) + t)

    decades = outer is LIN and inner is not LIN    # that u spreads over
    f, x = (over_log, np.log(u)) if decades else (lambda x: np.exp(p.logpdf(x)), u)
    mass = [integrate.quad(f, a, b)[0] for a, b in zip(x[:-1], x[1:], strict=True)]
    np.testing.assert_allclose(mass, np.diff(q), rtol=1e-6)
    assert len(q) > 7


@pytest.mark.parametrize("p", [
    PushedForward(Normal(0.3, 0.8), LN, LIN), PushedForward(Laplace(0.5, 0.4), LN, LIN),
    PushedForward(Gamma(2.5, 3.0), LIN, LN),
    PushedForward(Truncated(Normal(1.0, 2.0), 0.0, INF), LIN, LOG10), PushedForward(Uniform(0.0, 5.0), LIN, LN),
    PushedForward(Uniform(0.5, 5.0), LIN, LOG10), PushedForward(Truncated(Cauchy(1.0, 2.0), 0.0, INF), LIN, LN),
])  # fmt: skip
def test_all_mass_is_one_by_quadrature(p):
    lo, hi = p.support
    middle = p.ppf(0.5)
    both = [integrate.quad(lambda u: np.exp(p.logpdf(u)), *ends, limit=200)[0] for ends in ((lo, middle), (middle, hi))]
    np.testing.assert_allclose(both, 0.5, rtol=1e-7)


@FAMILIES
@ACROSS
def test_outside_of_the_support(name, inner, outer):
    p = pushed(name, inner, outer)
    for end, beyond in zip(p.support, (-INF, INF), strict=True):
        u = np.array([np.nextafter(end, beyond), beyond]) if np.isfinite(end) else np.array([beyond])
        assert np.all(p.logpdf(u) == -INF) and np.all(p.score(u) == 0)
        assert np.all(p.cdf(u) == (beyond > 0)) and np.all(p.sf(u) == (beyond < 0))
    assert p.logpdf(np.nan) == -INF and p.score(np.nan) == 0


@FAMILIES
@ACROSS
@pytest.mark.filterwarnings("error")
def test_far_out_nothing_is_nan_and_no_mass_gathers(name, inner, outer):
    p = pushed(name, inner, outer)
    far = 10.0 ** np.arange(-320, 309, 7.0)
    u = np.concatenate([-far, [0.0], far, p.support, np.nextafter(p.support, INF), np.nextafter(p.support, -INF)])
    with np.errstate(all="raise"):
        logp, score = p.logpdf_and_score(u)
        p.cdf(u), p.sf(u)
    assert not np.isnan(logp).any() and np.isfinite(score).all()
    assert np.all(score[logp == -INF] == 0) and np.all(np.abs(score) <= 1e300)
    at_a_pole = np.isin(u, p.support) | (np.abs(u) < 1e-323)    # an end; and 0 has no neighbour
    assert np.all(logp[~at_a_pole] < 1e3)
    lo, hi = p.support
    if lo == -INF:
        assert p.logpdf(-1e300) < -500
    if hi == INF:
        assert p.logpdf(1e300) < -500


@FAMILIES
@ACROSS
def test_a_scalar_gives_a_float_and_draws_are_finite(name, inner, outer):
    class Zero:
        def random(self, shape):
            return np.zeros(shape)

    p = pushed(name, inner, outer)
    u = p.ppf(0.4)
    values = (u, p.logpdf(u), p.score(u), p.cdf(u), p.sf(u), p.isf(0.4), *p.support)
    assert all(isinstance(x, float) for x in values)
    assert np.isfinite(p.sample(Zero(), 2)).all() and np.isfinite(p.ppf(1 - 2.0**-53))


@FAMILIES
@ACROSS
def test_stacked_it_is_each_by_itself(name, inner, outer):
    one = pushed(name, inner, outer)
    plain = PushedForward(Normal(0.0, 1.0), LN, LIN)
    cut = Truncated(one, *one.ppf(np.array([0.2, 0.9])))
    several = [Parameter("a", one), Parameter("b", plain), Parameter("c", one, LOG10), Parameter("d", cut)]
    vector = PriorVector(several)
    assert len({id(prior) for _, prior in vector._priors}) == (2 if name == "normal" and inner is LN and outer is LIN else 3)
    for z in np.random.default_rng(2).normal(0, 2, (3, 4)):
        u = vector.u_from_z(z)
        assert np.array_equal(u, [p.bijector.u_from_z(x) for p, x in zip(several, z, strict=True)])
        np.testing.assert_allclose(vector.logpdf_terms(u), [p.prior.logpdf(x) for p, x in zip(several, u, strict=True)],
                                   rtol=1e-13)
        np.testing.assert_allclose(vector.score(u), [p.prior.score(x) for p, x in zip(several, u, strict=True)], rtol=1e-13)
    q = np.array([0.1, 0.2, 0.6, 0.9])
    np.testing.assert_allclose(vector.quantile(q), [p.prior.ppf(x) for p, x in zip(several, q, strict=True)], rtol=1e-14)


def test_parameters_of_other_scales_are_not_stacked_together():
    pairs = [(LN, LIN), (LOG10, LIN), (LN, LOG10), (LOG10, LN), (LN, LIN)]
    vector = PriorVector([Parameter(str(i), PushedForward(Normal(0.1 * i, 1.0), a, b)) for i, (a, b) in enumerate(pairs)])
    assert [(p.inner.name, p.outer.name, list(p.prior.mean)) for _, p in vector._priors] == [
        ("ln", "lin", [0.0, 0.4]), ("log10", "lin", [0.1]), ("ln", "log10", [0.2]), ("log10", "ln", [pytest.approx(0.3)])]
    u = vector.quantile(np.full(5, 0.7))
    assert np.array_equal(u, [p.prior.ppf(0.7) for p in vector.parameters])


# the far ends


def test_on_a_logarithm_the_power_law_of_theta_goes_on():
    p = PushedForward(Gamma(0.3, 2.0), LIN, LN)
    for u in (-100.0, -560.0, -600.0, -5e3, -1e6):    # θ = exp(u) is no float beyond -745
        assert p.score(u) == pytest.approx(0.3, rel=1e-12)
        assert p.logpdf(u) - p.logpdf(-50.0) == pytest.approx(0.3 * (u + 50), rel=1e-9)
    p = PushedForward(HalfCauchy(3.0), LIN, LOG10)
    for u in (100.0, 249.0, 260.0, 400.0, 1e5):
        assert p.score(u) == pytest.approx(-LN10, rel=1e-12)
        assert p.logpdf(u) - p.logpdf(50.0) == pytest.approx(-LN10 * (u - 50), rel=1e-9)
    p = PushedForward(Normal(0.0, 1.0), LIN, LN)
    assert p.logpdf(5.0) == pytest.approx(stats.norm.logpdf(np.exp(5)) + 5)
    assert p.logpdf(180.0) == -INF and p.score(180.0) == 0    # -exp(360)/2, below -1e150


@pytest.mark.parametrize("prior, limit", [
    (Normal(0.0, 50.0), -INF), (Laplace(2.0, 0.5), -INF), (Laplace(2.0, 2.0), INF), (Cauchy(0.0, 1.0), INF),
    (StudentT(4.0, 0.0, 1.0), INF), (Gumbel(0.0, 9.0), -INF), (Logistic(0.0, 0.5), -INF), (Logistic(0.0, 1.5), INF),
    (Laplace(2.0, 1.0), -np.log(2) - 2), (Uniform(-3.0, 1.0), -INF),
])
def test_at_zero_it_is_the_limit_from_above(prior, limit):
    p = PushedForward(prior, LN, LIN)
    assert p.logpdf(0.0) == pytest.approx(limit, rel=1e-12)
    assert (p.score(0.0) == 0) == (limit != INF) and np.isfinite(p.score(0.0))
    several = PushedForward(prior, LN, LIN).logpdf(np.array([0.0, 0.1, -0.1]))
    assert several[0] == pytest.approx(limit) and several[1] == p.logpdf(0.1) and several[2] == -INF


def test_the_ends_of_the_support_are_inside():
    for inner, outer in PAIRS:
        for a, b in [(0.1, 10.0), (0.7, 0.9), (1e-7, 3.3e5)]:
            lo, hi = inner.u_from_theta(a), inner.u_from_theta(b)
            p = PushedForward(Uniform(lo, hi), inner, outer)
            assert np.isfinite(p.logpdf(np.array(p.support))).all()
            np.testing.assert_allclose(outer.theta_from_u(np.array(p.support)), [a, b], rtol=1e-14)


def test_the_same_scale_twice_changes_nothing():
    p, u = PushedForward(Normal(1.0, 2.0), LN, LN), np.linspace(-9, 9, 7)
    assert np.array_equal(p.logpdf_and_score(u), Normal(1.0, 2.0).logpdf_and_score(u))


def test_twice_there_and_back_is_the_prior_itself():
    prior, u = Gamma(2.0, 3.0), np.array([1e-3, 0.5, 4.0, 30.0])
    back = PushedForward(PushedForward(prior, LIN, LOG10), LOG10, LIN)
    np.testing.assert_allclose(back.logpdf(u), prior.logpdf(u), rtol=1e-12)
    np.testing.assert_allclose(back.score(u), prior.score(u), rtol=1e-10)


def test_it_can_be_sent_to_another_process():
    p = prior_in(LIN, Normal(0.3, 0.8), LN, 0.1, 7.0)
    there = pickle.loads(pickle.dumps(p))
    assert there == p and there.logpdf(2.0) == p.logpdf(2.0)


# what is refused


@pytest.mark.parametrize("inner, outer", [(LOGIT, LIN), (LIN, LOGIT), (LOGIT, LOGIT)])
def test_other_scales_are_refused(inner, outer):
    with pytest.raises(ValueError, match=f"a prior on the {inner.name} scale is not seen on the {outer.name} scale"):
        PushedForward(Normal(0.0, 1.0), inner, outer)


@pytest.mark.parametrize("prior, said", [
    (PushedForward(Normal(0.0, 1.0), LIN, LN), "the prior has mass at values <= 0, where the ln scale ends"),
    (PushedForward(Uniform(-1.0, 1.0), LIN, LOG10), "the prior has mass at values <= 0, where the log10 scale ends"),
    (PushedForward(Uniform(-2.0, -1.0), LIN, LOG10), "the prior has mass at values <= 0, where the log10 scale ends"),
    (PushedForward(Normal(0.0, -1.0), LN, LIN), "sd must be > 0, got -1"),
    (PushedForward(Exponential(1e-270), LIN, LN), "the prior's median lies outside of 1e-250 … 1e250"),
    (PushedForward(Normal(800.0, 1.0), LN, LIN), "the prior's median lies outside of 1e-250 … 1e250"),
    (prior_in(LN, Normal(0.0, 1.0), LIN, -3.0, -1.0), "the truncation bounds must be lower < upper"),
    (prior_in(LIN, Normal(0.0, 1.0), LN, -3.0, -1.0), "the truncation bounds leave no mass of the prior"),
    (prior_in(LOG10, Normal(0.0, 1.0), LN, -3.0, -1.0), "the truncation bounds must be lower < upper"),
    (prior_in(LN, Normal(0.0, 1.0), LIN, 50.0, 60.0), "the truncation bounds leave no mass of the prior"),
    (prior_in(LIN, Normal(0.0, 1.0), LIN, np.nan, 60.0), "a truncation bound is not a number"),
    (prior_in(LN, Normal(0.0, 1.0), LIN, np.nan, 60.0), "a truncation bound is not a number"),
    (prior_in(LIN, Uniform(0.0, 1.0), LIN, 2.0, 3.0), "lower must be < upper, got 2.0 and 1.0"),
    (prior_in(LN, Normal(0.0, 0.0), LIN), "sd must be > 0, got 0"),
])
def test_check_says_what_is_no_density(prior, said):
    assert prior.check() == [said]


# prior_in


def test_the_simplest_exact_prior():
    normal = Normal(1.0, 2.0)
    assert prior_in(LIN, normal, LIN) is normal and prior_in(LOGIT, normal, LOGIT) is normal
    assert prior_in(LIN, normal, LIN, 0.5, 4.0) == Truncated(normal, 0.5, 4.0)
    assert prior_in(LN, normal, LN, 0.0, INF) is normal
    assert prior_in(LN, normal, LN, 0.1) == Truncated(normal, np.log(0.1), INF)
    assert prior_in(LIN, Uniform(-1.0, 5.0), LIN, 0.5, 9.0) == Uniform(0.5, 5.0)
    assert prior_in(LOG10, normal, LN) == Normal(1 / LN10, 2 / LN10)
    assert prior_in(LN, Laplace(1.0, 2.0), LOG10) == Laplace(pytest.approx(LN10), pytest.approx(2 * LN10))
    assert prior_in(LOG10, StudentT(4.0, 1.0, 2.0), LN, 1e-3, 1e3) == Truncated(StudentT(4.0, 1 / LN10, 2 / LN10), -3.0, 3.0)
    assert prior_in(LOG10, Uniform(-3.0, 5.0), LN, 1.0) == Uniform(0.0, 5 / LN10)
    assert prior_in(LIN, normal, LN) == PushedForward(normal, LN, LIN)
    assert prior_in(LIN, normal, LN, 0.1, 7.0) == Truncated(PushedForward(normal, LN, LIN), 0.1, 7.0)
    assert prior_in(LN, normal, LIN) == PushedForward(Truncated(normal, 0.0, INF), LIN, LN)
    assert prior_in(LOG10, normal, LIN, -2.0, 7.0) == PushedForward(Truncated(normal, 0.0, 7.0), LIN, LOG10)
    assert prior_in(LOG10, Uniform(-3.0, 5.0), LIN, 0.1, 1e3) == PushedForward(Uniform(0.1, 5.0), LIN, LOG10)
    assert prior_in(LN, Gamma(2.0, 1.0), LIN, 0.0, INF) == PushedForward(Gamma(2.0, 1.0), LIN, LN)
    with pytest.raises(ValueError, match="scale"):
        prior_in(LOGIT, normal, LIN)
    with pytest.raises(ValueError, match="scale"):
        prior_in(LN, normal, LOGIT)


@FAMILIES
@pytest.mark.parametrize("inner, outer", [(LN, LOG10), (LOG10, LN)], ids=lambda s: s.name)
def test_between_logarithms_a_family_stays_itself(name, inner, outer):
    prior = PRIORS[name]
    same, pushed_forward = prior_in(outer, prior, inner), PushedForward(prior, inner, outer)
    assert type(same) is (PushedForward if isinstance(prior, Beta | ChiSquare) else type(prior))
    q = np.linspace(0.05, 0.94, 11)    # without a median, where a Laplace prior has its kink
    u = pushed_forward.ppf(q)
    np.testing.assert_allclose(same.ppf(q), u, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(same.logpdf(u), pushed_forward.logpdf(u), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(same.score(u), pushed_forward.score(u), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("prior, inner", [
    (Normal(0.5, 2.0), LIN), (Laplace(1.0, 0.7), LIN), (Uniform(0.2, 9.0), LIN), (Cauchy(1.0, 2.0), LIN),
    (HalfNormal(2.0), LIN), (ChiSquare(3.0), LIN), (Exponential(2.0), LIN), (Gamma(2.0, 1.5), LIN), (Rayleigh(1.5), LIN),
    (Normal(0.3, 0.6), LN), (Laplace(0.3, 0.6), LN), (Uniform(-1.0, 2.0), LN), (Laplace(0.1, 0.4), LOG10),
])  # fmt: skip
@pytest.mark.parametrize("outer", SCALES.values(), ids=lambda s: s.name)
@pytest.mark.parametrize("bounds", [(0.3, 5.0), (0.3, INF), (-INF, 5.0), (0.0, 1e-2), (-1.0, 5.0), (1.1, 1.11)])
def test_cut_to_bounds_it_is_the_priors_part_between_them(prior, inner, outer, bounds):
    lower, upper = bounds
    p = prior_in(outer, prior, inner, lower, upper)
    seen_from = max(lower, 0.0) if LIN not in (inner, outer) or inner != outer else lower
    lo, hi = (float(inner.u_from_theta(x)) if inner is LIN or x > 0 else -INF for x in (seen_from, upper))
    below, mass = prior.cdf(lo), prior.cdf(hi) - prior.cdf(lo)
    if not mass > 0:
        assert p.check()
        return
    assert p.check() == []
    ends = outer.theta_from_u(np.array(p.support))
    for bound, end in zip(bounds, ends, strict=True):
        if bound > 0 and inner.u_from_theta(bound) == np.clip(inner.u_from_theta(bound), *prior.support) and bound < INF:
            assert end == pytest.approx(bound, rel=1e-15)
    u = p.ppf(np.array([0.1, 0.45, 0.8]))
    v = v_of(u, inner, outer)
    np.testing.assert_allclose(p.cdf(u), (prior.cdf(v) - below) / mass, rtol=1e-9)
    np.testing.assert_allclose(p.cdf(u), [0.1, 0.45, 0.8], rtol=1e-9)
    span = np.abs(p.ppf(0.9) - p.ppf(0.1)) * 1e-4
    np.testing.assert_allclose(np.exp(p.logpdf(u)), (p.cdf(u + span) - p.cdf(u - span)) / (2 * span), rtol=1e-4)


@pytest.mark.parametrize("bound", [0.1, 0.3, 1e-5, 7.7, 1e3])
@pytest.mark.parametrize("inner", [LN, LOG10], ids=lambda s: s.name)
def test_a_bound_is_an_end_of_the_support_to_the_last_digit(bound, inner):
    wide = Normal(0.0, 5.0)
    assert prior_in(LIN, wide, inner, bound, 1e4).support == (bound, 1e4)
    for outer in (LN, LOG10):
        ends = tuple(float(outer.u_from_theta(x)) for x in (bound, 1e4))
        assert prior_in(outer, wide, inner, bound, 1e4).support == ends
        assert prior_in(outer, Normal(0.0, 1e4), LIN, bound, 1e4).support == ends


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(PRIORS)), st.sampled_from(PAIRS), st.floats(-40, 40), st.floats(0.05, 0.95))
def test_any_prior_on_any_scale_has_a_gradient_in_z(name, pair, z, q):
    inner, outer = pair
    k = Parameter("k", prior_in(outer, PRIORS[name], inner), outer)
    at = k.bijector.transform(z)
    logp, score = k.prior.logpdf_and_score(at.u)
    assert not np.isnan(logp + at.log_du_dz) and np.isfinite(score * at.du_dz + at.dlog_du_dz)
    u = k.prior.ppf(q)
    if k.support[0] < u < k.support[1] and np.abs(u) < 1e100:
        z = k.bijector.z_from_u(u)
        assert k.bijector.u_from_z(z) == pytest.approx(u, rel=1e-9, abs=1e-12)
