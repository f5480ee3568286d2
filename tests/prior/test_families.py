"""Every family against scipy.stats, its score against central differences, its draws against its own cdf."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from bnfhmc.prior import FAMILIES
from tests.prior.cases import CASES, PRIORS, SCIPY

ALL = pytest.mark.parametrize("name", CASES)
POWERS = 10.0 ** np.arange(-8, 9)
SMALL = 10.0 ** np.arange(-150, 0)
# A test on draws fails by chance once in a million seeds; the seeds are fixed.
FALSE_ALARM = 1e-6


def grid(name):
    """Quantiles, both far tails to 1e8, and the neighbourhood of finite ends down to 1e-8."""
    lo, hi = PRIORS[name].support
    ends = [end + side * POWERS[:8] for end, side in ((lo, 1), (hi, -1)) if np.isfinite(end)]
    bulk = SCIPY[name].ppf(np.linspace(1e-3, 1 - 1e-3, 41))
    return np.unique(np.concatenate([-POWERS, [0.0], POWERS, bulk, *ends]))


def test_the_sixteen_families_and_their_fields():
    fields = {name: [f.name for f in dataclasses.fields(family)] for name, family in FAMILIES.items()}
    assert fields == {
        "uniform": ["lower", "upper"], "normal": ["mean", "sd"], "laplace": ["location", "scale"],
        "cauchy": ["location", "scale"], "gamma": ["shape", "scale"], "exponential": ["scale"],
        "chisquare": ["dof"], "rayleigh": ["scale"], "half_normal": ["scale"], "half_cauchy": ["scale"],
        "beta": ["alpha", "beta"], "inv_gamma": ["shape", "scale"], "weibull": ["shape", "scale"],
        "gumbel": ["location", "scale"], "logistic": ["location", "scale"],
        "student_t": ["df", "location", "scale"],
    }
    assert {family for family, _, _ in CASES.values()} == set(FAMILIES)


@ALL
@pytest.mark.filterwarnings("ignore::RuntimeWarning:scipy")
def test_logpdf_is_that_of_scipy(name):
    u = grid(name)
    ours, theirs = PRIORS[name].logpdf(u), SCIPY[name].logpdf(u)
    if name == "laplace":    # scipy's logpdf is the log of its pdf there, -inf where that underflows
        theirs = np.where(np.isinf(theirs), -np.abs(u + 1) / 0.7 - np.log(1.4), theirs)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


@ALL
def test_support_and_outside_of_it(name):
    prior = PRIORS[name]
    assert prior.support == SCIPY[name].support()
    for end, beyond in zip(prior.support, (-np.inf, np.inf), strict=True):
        outside = np.array([np.nextafter(end, beyond), end + np.sign(beyond), beyond])
        outside = outside if np.isfinite(end) else outside[2:]
        assert np.all(prior.logpdf(outside) == -np.inf)
        assert np.all(prior.score(outside) == 0)
        assert np.all(prior.cdf(outside) == (0 if beyond < 0 else 1))
        assert np.all(prior.sf(outside) == (1 if beyond < 0 else 0))
    assert prior.logpdf(np.nan) == -np.inf and prior.score(np.nan) == 0


@ALL
@pytest.mark.filterwarnings("ignore::RuntimeWarning:scipy")
def test_cdf_and_sf_are_those_of_scipy(name):
    u = grid(name)
    np.testing.assert_allclose(PRIORS[name].cdf(u), SCIPY[name].cdf(u), rtol=1e-12, atol=0)
    np.testing.assert_allclose(PRIORS[name].sf(u), SCIPY[name].sf(u), rtol=1e-12, atol=0)


@ALL
def test_quantiles_are_those_of_scipy(name):
    q = np.concatenate([[0.0], 10.0 ** np.arange(-12, -2), np.linspace(0.01, 0.99, 33), [0.999, 1.0]])
    # scipy's half-normal ppf goes through (1 + q)/2 and has lost small q
    rtol = 1e-4 if name == "half_normal" else 1e-11
    np.testing.assert_allclose(PRIORS[name].ppf(q), SCIPY[name].ppf(q), rtol=rtol, atol=1e-15)
    np.testing.assert_allclose(PRIORS[name].isf(q), SCIPY[name].isf(q), rtol=1e-11, atol=1e-15)
    assert np.all(np.isnan(PRIORS[name].ppf(np.array([-0.1, 1.1]))))
    assert np.all(np.isnan(PRIORS[name].isf(np.array([-0.1, 1.1]))))


@ALL
def test_quantiles_invert_the_tails_far_out(name):
    prior, q = PRIORS[name], SMALL[SMALL > 1e-90]
    u, v = prior.ppf(q), prior.isf(q)
    lo, hi = prior.support
    # Near an end that is not 0, u itself is too coarse to hold so small a tail.
    if lo == 0 or np.isinf(lo):
        np.testing.assert_allclose(prior.cdf(u), q, rtol=1e-9)
    if np.isinf(hi):
        np.testing.assert_allclose(prior.sf(v), q, rtol=1e-9)


@ALL
def test_score_is_the_derivative_of_logpdf(name):
    prior, u = PRIORS[name], grid(name)
    lo, hi = prior.support
    h = 1e-5 * np.maximum(np.abs(u), 1e-3)
    h = np.minimum(h, 1e-3 * np.minimum(np.abs(u - lo), np.abs(hi - u)))
    finite = np.isfinite(prior.logpdf(u - h)) & np.isfinite(prior.logpdf(u + h))
    assert np.all(prior.score(u[prior.logpdf(u) == -np.inf]) == 0)
    inside = (u - 2 * h > lo) & (u + 2 * h < hi) & (h > 0) & finite
    u, h = u[inside], h[inside]
    if name == "laplace":
        u, h = u[np.abs(u + 1) > 1e-3], h[np.abs(u + 1) > 1e-3]
    above, below = prior.logpdf(u + h), prior.logpdf(u - h)
    central = (above - below) / ((u + h) - (u - h))
    rounding = 4e-16 * (np.abs(above) + 1) / h
    assert np.all(np.abs(prior.score(u) - central) <= 1e-5 * np.abs(central) + 1e-8 + 2 * rounding)
    assert np.sum(rounding < 1e-4 * np.abs(central) + 1e-6) > 20    # rounding has not swallowed the comparison


def test_score_at_an_end_is_the_limit_from_within():
    assert FAMILIES["exponential"](2.0).score(0.0) == -0.5
    assert FAMILIES["gamma"](1.0, 2.0).score(0.0) == -0.5
    assert FAMILIES["weibull"](1.0, 2.0).score(0.0) == -0.5
    assert FAMILIES["half_normal"](2.0).score(0.0) == 0.0
    assert FAMILIES["beta"](1.0, 3.0).score(0.0) == -2.0
    assert FAMILIES["beta"](3.0, 1.0).score(1.0) == 2.0
    assert FAMILIES["laplace"](1.0, 2.0).score(1.0) == 0.0


@pytest.mark.parametrize("name, end", [("gamma, pole", 0.0), ("chisquare, pole", 0.0), ("weibull, pole", 0.0),
                                       ("beta, poles", 0.0), ("beta, poles", 1.0)])
def test_a_pole_is_infinite_with_a_finite_score(name, end):
    prior = PRIORS[name]
    assert prior.logpdf(end) == np.inf
    for u in (end, np.nextafter(end, 0.5)):
        score = prior.score(u)
        assert np.isfinite(score) and np.sign(score) == (-1 if end == 0 else 1)


def test_a_score_saturates():
    assert FAMILIES["gamma"](0.3, 1e-10).score(0.0) == -1e300
    assert FAMILIES["gamma"](1e12, 1.0).score(1e-305) == 1e300


@ALL
def test_fields_may_be_arrays(name):
    family, fields, _ = CASES[name]
    widths = np.array([1.0, 1.3, 2.0])
    several = FAMILIES[family](**{key: value * widths for key, value in fields.items()})
    singles = [FAMILIES[family](**{key: value * w for key, value in fields.items()}) for w in widths]
    u = np.array([s.ppf(q) for s, q in zip(singles, (0.1, 0.5, 0.9), strict=True)])
    for method in ("logpdf", "score", "cdf", "sf"):
        together = getattr(several, method)(u)
        assert np.array_equal(together, [getattr(s, method)(x) for s, x in zip(singles, u, strict=True)])
    assert np.array_equal(several.ppf(0.3), [s.ppf(0.3) for s in singles])
    assert several.sample(np.random.default_rng(0)).shape == (3,)


@ALL
def test_a_scalar_gives_a_float(name):
    prior = PRIORS[name]
    u = prior.ppf(0.4)
    values = (u, prior.logpdf(u), prior.score(u), prior.cdf(u), prior.sf(u), prior.isf(0.4))
    assert all(isinstance(v, float) for v in (*values, prior.sample(np.random.default_rng(1))))


@ALL
def test_draws_follow_the_density(name):
    prior = PRIORS[name]
    draws = prior.sample(np.random.default_rng(20), 5000)
    assert draws.shape == (5000,)
    assert stats.kstest(draws, SCIPY[name].cdf).pvalue > FALSE_ALARM
    again = prior.sample(np.random.default_rng(20), (50, 100))
    assert np.array_equal(again.ravel(), draws)


# Without a finite fourth moment the central limit theorem says nothing about a sample variance.
@pytest.mark.parametrize("name", [name for name, frozen in SCIPY.items() if np.isfinite(frozen.moment(4))])
def test_moments_of_draws(name):
    mean, var = SCIPY[name].stats("mv")
    n = 40_000
    draws = PRIORS[name].sample(np.random.default_rng(21), n)
    away = stats.norm.isf(FALSE_ALARM / 2)
    assert abs(draws.mean() - mean) < away * np.sqrt(var / n)
    spread = (draws - mean) ** 2
    assert abs(spread.mean() - var) < away * spread.std() / np.sqrt(n)


def test_the_smallest_uniform_number_gives_no_infinite_draw():
    class Zero:
        def random(self, shape):
            return np.zeros(shape)

    for prior in PRIORS.values():
        assert np.isfinite(prior.sample(Zero(), 2)).all()


@pytest.mark.parametrize("family, fields, said", [
    ("normal", (0.0, -1.0), ["sd must be > 0, got -1"]),
    ("normal", (np.nan, 0.0), ["mean must be finite, got nan", "sd must be > 0, got 0"]),
    ("normal", (0.0, np.inf), ["sd must be finite and > 0, got inf"]),
    ("normal", (0.0, np.array([1.0, -2.0])), ["sd must be > 0, got -2"]),
    ("uniform", (2.0, 1.0), ["lower must be < upper, got 2.0 and 1.0"]),
    ("uniform", (-np.inf, 1.0), ["lower must be finite, got -inf"]),
    ("uniform", (-1.7e308, 1.7e308), ["upper - lower is too wide for a float"]),
    ("student_t", (0.0, 0.0, 0.0), ["df must be > 0, got 0", "scale must be > 0, got 0"]),
    ("beta", (0.0, -1.0), ["alpha must be > 0, got 0", "beta must be > 0, got -1"]),
])
def test_check_names_each_bad_field(family, fields, said):
    assert FAMILIES[family](*fields).check() == said


@ALL
def test_check_finds_nothing_wrong_with_a_density_and_something_with_nan(name):
    family, fields, _ = CASES[name]
    assert PRIORS[name].check() == []
    for key in fields:
        assert len(FAMILIES[family](**{**fields, key: np.nan}).check()) == 1
        if key not in ("mean", "location", "lower", "upper"):
            assert FAMILIES[family](**{**fields, key: -1.0}).check() == [f"{key} must be > 0, got -1"]


def test_large_df_is_nearly_normal():
    u = np.linspace(-5, 5, 11)
    wide, normal = FAMILIES["student_t"](1e9, 0.0, 1.0), FAMILIES["normal"](0.0, 1.0)
    np.testing.assert_allclose(wide.logpdf(u), normal.logpdf(u), atol=1e-6)
    np.testing.assert_allclose(wide.score(u), normal.score(u), atol=1e-6)


@pytest.mark.parametrize("name", ["cauchy", "half_cauchy", "student_t"])
def test_a_heavy_tail_reaches_the_largest_floats(name):
    prior = PRIORS[name]
    power = 5 if name == "student_t" else 2
    u = np.array([1e200, 1e300])
    assert np.diff(prior.logpdf(u)) == pytest.approx(-power * 100 * np.log(10), rel=1e-12)
    np.testing.assert_allclose(prior.score(u) * u, -power, rtol=1e-12)
