"""What every noise family promises: a normalised density, an information that is its score's covariance, true draws."""

import dataclasses
import warnings

import numpy as np
import pytest
from scipy import integrate, stats

from bnfhmc.errors import InputError
from bnfhmc.noise import NOISE_FAMILIES
from bnfhmc.noise.family import Loss, outside_is_inf
from tests.noise.cases import CASES, CONTINUOUS, COUNTS

ALL = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
# NegBin takes its location unchecked, and its dispersion outside the domain is its own tests' matter
CHECKED = {name: case for name, case in CASES.items() if not name.startswith("neg_bin")}
BUT_NEG_BIN = pytest.mark.parametrize("case", CHECKED.values(), ids=CHECKED)
DRAWS = 200_000
# A test on draws fails by chance once in a million seeds; the seeds are fixed.
FALSE_ALARM = 1e-6


def spread(case, size):
    """The case's prediction and noise parameters, `size` times."""
    return np.full(size, case.pred), {name: np.full(size, value) for name, value in case.noise.items()}


def test_the_words_and_their_parameters():
    assert {word: family().parameters for word, family in NOISE_FAMILIES.items()} == {
        "normal": ("sigma",), "gaussian": ("sigma",), "lognormal": ("sigma",), "lnnormal": ("sigma",),
        "laplace": ("scale",), "log_laplace": ("scale",), "ln_laplace": ("scale",),
        "student_t": ("sigma", "df"), "log_student_t": ("sigma", "df"), "ln_student_t": ("sigma", "df"),
        "neg_bin": ("dispersion",), "poisson": (), "binomial": ("trials",), "beta_binomial": ("dispersion", "trials"),
    }  # fmt: skip
    assert NOISE_FAMILIES["gaussian"] is NOISE_FAMILIES["normal"]
    assert {word: dict(family().defaults) for word, family in NOISE_FAMILIES.items() if family().defaults} == {
        word: {"df": 4.0} for word in ("student_t", "log_student_t", "ln_student_t")
    }


def test_which_families_are_sums_of_squares():
    exact = {word for word, family in NOISE_FAMILIES.items() if family().least_squares}
    assert exact == {"normal", "gaussian", "lognormal", "lnnormal", "student_t", "log_student_t", "ln_student_t"}


@ALL
def test_families_are_values(case):
    twin = type(case.model)(location=case.model.location)
    assert twin == case.model and hash(twin) == hash(case.model)
    others = [other.model for other in CASES.values() if type(other.model) is not type(case.model)]
    assert case.model not in others
    with pytest.raises(dataclasses.FrozenInstanceError):
        case.model.location = "mode"


@BUT_NEG_BIN
def test_a_location_that_does_not_exist_is_refused(case):
    with pytest.raises(InputError, match="mode"):
        type(case.model)(location="mode")


@ALL
def test_log_density_is_that_of_scipy(case):
    law = case.law(case.pred, case.noise)
    obs = np.unique(law.ppf(np.concatenate([np.geomspace(1e-9, 0.4, 30), np.linspace(0.41, 1 - 1e-9, 30)])))
    theirs = law.logpdf(obs) if hasattr(law, "logpdf") and case.scale else law.logpmf(obs)
    pred, noise = spread(case, obs.size)
    np.testing.assert_allclose(case.model.log_density(pred, obs, noise), theirs, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("case", CONTINUOUS.values(), ids=CONTINUOUS)
def test_the_density_integrates_to_one(case):
    def density(f):
        obs = np.array([f if case.scale == "lin" else np.exp(case.ln_base * f)])
        jacobian = 1.0 if case.scale == "lin" else case.ln_base * obs
        return float((np.exp(case.model.log_density(np.array([case.pred]), obs, case.noise)) * jacobian)[0])

    centre = case.pred if case.scale == "lin" else np.log(case.pred) / case.ln_base
    width = next(iter(case.noise.values()))
    ends = [-np.inf, *(centre + width * np.array([-30, -4, -1, 0, 1, 4, 30])), np.inf]
    if case.scale != "lin" and case.kernel != "student_t":  # the rest of the mass is below 1e-12, and exp(∞) no number
        ends = ends[1:-1]
    elif case.scale != "lin":
        ends = [centre - 120, *ends[1:-1], centre + 120]
    total = sum(integrate.quad(density, lo, hi, epsabs=1e-11)[0] for lo, hi in zip(ends, ends[1:], strict=False))
    beyond = 2 * stats.t(3.5).sf(120 / 0.4) if case.kernel == "student_t" and case.scale != "lin" else 0.0
    assert total + beyond == pytest.approx(1.0, abs=1e-8)


@pytest.mark.parametrize("case", COUNTS.values(), ids=COUNTS)
def test_the_probabilities_sum_to_one(case):
    counts = np.arange(case.noise.get("trials", 400) + 1)
    pred, noise = spread(case, counts.size)
    assert np.exp(case.model.log_density(pred, counts, noise)).sum() == pytest.approx(1.0, abs=1e-11)


@ALL
def test_fisher_is_the_covariance_of_the_score(case):
    pred, noise = spread(case, DRAWS)
    obs = case.model.draw(np.random.default_rng(5), pred, noise)
    loss = case.model.loss(pred, obs, noise, frozenset(case.estimable))
    scores = {"pred": -loss.d_pred, **{name: -slope for name, slope in loss.d_noise.items()}}
    assert set(scores) == {"pred", *case.estimable}
    kappa, pairs = case.model.fisher(*spread(case, 3))
    info = {("pred", "pred"): kappa, **pairs}
    assert set(info) <= {(a, b) for a in scores for b in scores}
    names = list(scores)
    entries = [(a, b) for i, a in enumerate(names) for b in names[i:]]
    critical = stats.norm.isf(FALSE_ALARM / 2 / (len(entries) + len(names)))
    for name, s in scores.items():
        assert abs(s.mean()) < critical * s.std() / np.sqrt(DRAWS), f"the score of {name} has a mean"
    for a, b in entries:
        product = scores[a] * scores[b]
        expected = info.get((a, b), info.get((b, a), np.zeros(3)))
        assert expected.shape == (3,) and np.ptp(expected) == 0
        rounding = 1e-9 * abs(expected[0])  # all there is for Laplace, whose score has one size
        assert abs(product.mean() - expected[0]) <= critical * product.std() / np.sqrt(DRAWS) + rounding, (a, b)


@ALL
def test_draws_follow_the_law(case):
    law = case.law(case.pred, case.noise)
    pred, noise = spread(case, 20_000)
    draws = case.model.draw(np.random.default_rng(11), pred, noise)
    assert draws.shape == (20_000,) and draws.dtype == float
    if case.scale:
        assert stats.kstest(draws, law.cdf).pvalue > FALSE_ALARM
        return
    edges = np.unique(law.ppf(np.linspace(0, 0.98, 25)[1:]))
    edges = edges[law.cdf(edges) < 1]
    expected = np.diff(np.concatenate([[0.0], law.cdf(edges), [1.0]])) * draws.size
    seen = np.bincount(np.searchsorted(edges, draws), minlength=len(edges) + 1)
    assert stats.chisquare(seen, expected).pvalue > FALSE_ALARM


@ALL
def test_each_prediction_has_its_own_draws_and_a_seed_the_same_ones(case):
    pred, noise = spread(case, 2000)
    pred = pred * np.repeat([1.0, 0.5], 1000)
    first, again = (case.model.draw(np.random.default_rng(3), pred, noise) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    larger, smaller = first[:1000] > first[1000:], first[:1000] < first[1000:]
    assert larger.sum() > smaller.sum() + 100


@ALL
def test_scalars_and_arrays_of_noise_parameters_agree(case):
    pred, noise = spread(case, 5)
    obs = case.model.draw(np.random.default_rng(7), pred, noise)
    estimated = frozenset(case.estimable)
    many, one = case.model.loss(pred, obs, noise, estimated), case.model.loss(pred, obs, case.noise, estimated)
    np.testing.assert_array_equal(many.loss, one.loss)
    np.testing.assert_array_equal(many.d_pred, one.d_pred)
    for name in estimated:
        np.testing.assert_array_equal(many.d_noise[name], one.d_noise[name])
    assert case.model.fisher(pred, case.noise)[0].shape == (5,)


@ALL
def test_only_estimated_parameters_count(case):
    pred, noise = spread(case, 4)
    obs = case.model.draw(np.random.default_rng(9), pred, noise)
    assert case.model.loss(pred, obs, noise, frozenset()).d_noise == {}
    for name in case.estimable:
        assert set(case.model.loss(pred, obs, noise, frozenset({name})).d_noise) == {name}


@ALL
def test_without_a_least_squares_form_the_residual_is_a_type_error(case):
    pred, noise = spread(case, 3)
    if case.model.least_squares:
        rho, slope = case.model.residual(pred, pred, noise)
        assert rho.shape == slope.shape == (3,)
        return
    family = "negative binomial" if type(case.model).__name__ == "NegBin" else type(case.model).__name__
    with pytest.raises(TypeError, match=family):
        case.model.residual(pred, pred, noise)
    with pytest.raises(TypeError, match=family):
        case.model.d_residual_d_noise(pred, pred, noise)


@BUT_NEG_BIN
def test_outside_its_domain_the_loss_is_inf_and_nothing_warns(case):
    pred, noise = spread(case, 3)
    obs = case.model.draw(np.random.default_rng(1), pred, noise)
    places = [(pred * np.nan, noise)]
    if case.scale not in ("", "lin"):
        places += [(pred * 0, noise), (-pred, noise)]
    for name in case.model.parameters:
        places += [(pred, {**noise, name: noise[name] * bad}) for bad in (0.0, -1.0, np.nan)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for where, values in places:
            loss = case.model.loss(where, obs, values, frozenset(case.estimable))
            assert np.all(loss.loss == np.inf)
            assert all(np.all(slope == 0) for slope in (loss.d_pred, *loss.d_noise.values()))
            assert np.all(case.model.log_density(where, obs, values) == -np.inf)
            if case.model.least_squares:
                rho, slope = case.model.residual(where, obs, values)
                assert np.all(rho == np.inf) and np.all(slope == 0)
                assert all(np.all(s == 0) for s in case.model.d_residual_d_noise(where, obs, values).values())


def test_a_slope_that_is_no_number_puts_its_measurement_outside():
    slopes = {"sigma": np.array([1.0, np.inf, 1.0, 1.0])}
    loss = outside_is_inf(Loss(np.array([1.0, 1.0, 1.0, np.nan]), np.array([2.0, 2.0, -np.inf, 2.0]), slopes))
    np.testing.assert_array_equal(loss.loss, [1.0, np.inf, np.inf, np.inf])
    np.testing.assert_array_equal(loss.d_pred, [2.0, 0.0, 0.0, 0.0])
    np.testing.assert_array_equal(loss.d_noise["sigma"], [1.0, 0.0, 0.0, 0.0])
