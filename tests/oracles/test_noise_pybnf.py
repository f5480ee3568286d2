"""Loss, slopes, residual, information and density of every noise kernel PyBNF has, on each scale and location."""

import math

import numpy as np
import pytest

pytest.importorskip("pybnf", reason="pybnf (test extra) is not installed")

from pybnf.noise import LINEAR, LN, LOG10, MEAN, MEDIAN, Gaussian, Laplace, NegBinomial, StudentT  # noqa: E402

from bnfhmc.noise import NOISE_FAMILIES  # noqa: E402

LOCATIONS = {"median": MEDIAN, "mean": MEAN}
# word: PyBNF's kernel, its scale, the first noise parameter
KERNELS = {
    "normal": (Gaussian, LINEAR, "sigma"),
    "lognormal": (Gaussian, LOG10, "sigma"),
    "lnnormal": (Gaussian, LN, "sigma"),
    "laplace": (Laplace, LINEAR, "scale"),
    "log_laplace": (Laplace, LOG10, "scale"),
    "ln_laplace": (Laplace, LN, "scale"),
    "student_t": (StudentT, LINEAR, "sigma"),
    "log_student_t": (StudentT, LOG10, "sigma"),
    "ln_student_t": (StudentT, LN, "sigma"),
}
NO_MEAN = ("log_student_t", "ln_student_t")
PAIRS = [(word, location) for word in KERNELS for location in LOCATIONS if location == "median" or word not in NO_MEAN]
BOTH = pytest.mark.parametrize("word, location", PAIRS)
N = 60


def points(word, seed=2):
    """N predictions, measurements and noise parameters over some decades; the mean of a log-Laplace exists in all."""
    rng = np.random.default_rng(seed)
    name = KERNELS[word][2]
    pred = 10 ** rng.uniform(-5, 5, N)
    width = 10 ** rng.uniform(-2, -0.4, N)
    if word in ("normal", "laplace", "student_t"):
        width = width * pred * 10 ** rng.uniform(-1, 3, N)
        obs = pred + width * rng.standard_t(3, N)
    else:
        obs = pred * np.exp(width * rng.standard_t(3, N))
    noise = {name: width}
    if KERNELS[word][0] is StudentT:
        noise["df"] = 10 ** rng.uniform(-0.3, 2, N)
    return pred, obs, noise


def pair(word, location):
    kernel, scale, _ = KERNELS[word]
    return NOISE_FAMILIES[word](location=location), kernel(additive_on=scale, location=LOCATIONS[location])


def by_point(f, word, pred, obs, noise):
    """f(prediction, observation, primary, extra) of PyBNF, point by point."""
    first, *rest = noise
    rows = range(len(pred))
    return [f(pred[i], obs[i], noise[first][i], {name: noise[name][i] for name in rest}) for i in rows]


@BOTH
def test_loss_and_slopes(word, location):
    ours, theirs = pair(word, location)
    pred, obs, noise = points(word)
    for estimated in (frozenset(), *(frozenset({n}) for n in noise), frozenset(noise)):
        loss = ours.loss(pred, obs, noise, estimated)
        fit = np.array(by_point(theirs.data_fit, word, pred, obs, noise))
        normalisers = by_point(lambda p, o, n, e: theirs.param_normalizers(n, e), word, pred, obs, noise)
        expected = fit + np.array([sum(float(np.real(row[n])) for n in estimated) for row in normalisers])
        np.testing.assert_allclose(loss.loss, expected, rtol=1e-10, atol=1e-12)
        slope = by_point(theirs.d_data_fit_d_prediction, word, pred, obs, noise)
        np.testing.assert_allclose(loss.d_pred, slope, rtol=1e-9)
        columns = by_point(theirs.d_nll_d_noise_params, word, pred, obs, noise)
        assert set(loss.d_noise) == estimated
        for name in estimated:
            size = (1 + np.abs(loss.loss)) / noise[name]
            expected = np.array([row[name] for row in columns])
            assert np.all(np.abs(loss.d_noise[name] - expected) < 1e-11 * size), name


@BOTH
def test_log_density(word, location):
    ours, theirs = pair(word, location)
    pred, obs, noise = points(word)
    expected = np.real(by_point(theirs.log_density, word, pred, obs, noise))
    np.testing.assert_allclose(ours.log_density(pred, obs, noise), expected, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("word, location", [p for p in PAIRS if "laplace" not in p[0]])
def test_residual_and_its_slope(word, location):
    ours, theirs = pair(word, location)
    pred, obs, noise = points(word)
    rho, slope = ours.residual(pred, obs, noise)
    np.testing.assert_allclose(rho, by_point(theirs.residual, word, pred, obs, noise), rtol=1e-9, atol=1e-12)
    expected = by_point(theirs.d_residual_d_prediction, word, pred, obs, noise)
    np.testing.assert_allclose(slope, expected, rtol=1e-9)
    meet = np.array([theirs.d_residual_d_prediction(2.0, 2.0, 0.3, {"df": 5.0})])
    if location == "median":
        np.testing.assert_allclose(ours.residual(meet * 0 + 2, meet * 0 + 2, {"sigma": 0.3, "df": 5.0})[1], meet, rtol=1e-12)


@pytest.mark.parametrize("word", ["normal", "lognormal", "lnnormal", "laplace", "log_laplace", "ln_laplace"])
def test_information(word):
    ours, theirs = pair(word, "median")
    pred, obs, noise = points(word)
    name = KERNELS[word][2]
    kappa, pairs = ours.fisher(pred, noise)
    expected = [row[name] for row in by_point(theirs.noise_param_fisher, word, pred, obs, noise)]
    np.testing.assert_allclose(pairs[name, name], expected, rtol=1e-12)
    if name == "scale":
        np.testing.assert_allclose(kappa, by_point(theirs.location_fisher, word, pred, obs, noise), rtol=1e-12)
    else:
        slope = np.array(by_point(theirs.d_residual_d_prediction, word, pred, obs, noise))
        np.testing.assert_allclose(kappa, slope**2, rtol=1e-12)


@pytest.mark.parametrize("word, kernel", [("log_laplace", Laplace), ("log_student_t", StudentT)])
def test_both_refuse_a_mean_that_does_not_exist(word, kernel):
    theirs = kernel(additive_on=LOG10, location=MEAN)
    with pytest.raises(Exception, match="mean"):
        theirs.data_fit(1.0, 1.0, 0.5, {"df": 4.0})
    if kernel is StudentT:
        with pytest.raises(ValueError, match="mean"):
            NOISE_FAMILIES[word](location="mean")
    else:
        loss = NOISE_FAMILIES[word](location="mean").loss(np.ones(1), np.ones(1), {"scale": 0.5}, frozenset())
        assert loss.loss == math.inf


def test_a_prediction_that_is_not_positive_has_an_infinite_loss_on_a_log_scale():
    for word in ("lognormal", "ln_laplace", "ln_student_t"):
        ours, theirs = pair(word, "median")
        noise = {KERNELS[word][2]: 0.3, "df": 4.0}
        for pred in (0.0, -1e-10):
            assert theirs.data_fit(pred, 1.0, 0.3, {"df": 4.0}) == math.inf
            assert ours.loss(np.array([pred]), np.ones(1), noise, frozenset()).loss == math.inf


@pytest.mark.parametrize("location", LOCATIONS)
def test_negative_binomial(location):
    ours, theirs = NOISE_FAMILIES["neg_bin"](location=location), NegBinomial(location=LOCATIONS[location])
    rng = np.random.default_rng(4)
    pred, r = 10 ** rng.uniform(-1, 3, N), 10 ** rng.uniform(-0.5, 2, N)
    obs = rng.negative_binomial(r, r / (r + pred)).astype(float)
    loss = ours.loss(pred, obs, {"dispersion": r}, frozenset({"dispersion"}))
    rows = range(N)
    np.testing.assert_allclose(loss.loss, [theirs.data_fit(pred[i], obs[i], r[i]) for i in rows], rtol=1e-8)
    slope = [theirs.d_data_fit_d_prediction(pred[i], obs[i], r[i]) for i in rows]
    np.testing.assert_allclose(loss.d_pred, slope, rtol=1e-5, atol=1e-8)
    column = [theirs.d_nll_d_noise_params(pred[i], obs[i], r[i])["dispersion"] for i in rows]
    np.testing.assert_allclose(loss.d_noise["dispersion"], column, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(ours.log_density(pred, obs, {"dispersion": r}), -loss.loss, rtol=1e-12)
