"""Gaussian, Laplace and Student-t noise on lin, log10 and ln: the loss and its convention, residuals, extremes."""

import math
import warnings
from decimal import Decimal, getcontext

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import integrate

from bnfhmc.errors import InputError
from bnfhmc.noise import LnStudentT, LogStudentT, Normal, StudentT
from bnfhmc.noise.scale import LIN, LN, LOG10
from bnfhmc.noise.student_t import _information_of_df, _slope_of_normaliser
from tests.noise.cases import CONTINUOUS

ALL = pytest.mark.parametrize("case", CONTINUOUS.values(), ids=CONTINUOUS)
SMOOTH = [name for name, case in CONTINUOUS.items() if case.kernel != "laplace"]
SQUARES = pytest.mark.parametrize("case", [CONTINUOUS[name] for name in SMOOTH], ids=SMOOTH)
HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
H = 1e-30
exponent = st.floats(-6, 6)
sign = st.sampled_from([-1.0, 1.0])


@st.composite
def points(draw, case):
    """A prediction, a measurement and noise parameters over many decades, z away from the kink of Laplace."""
    width = 10 ** draw(st.floats(-4, 3 if case.scale == "lin" else 0.5))
    if case.kernel == "laplace" and case.model.location == "mean" and case.ln_base:
        width = min(width, 0.95 / case.ln_base)
    noise = {next(iter(case.noise)): width}
    if case.kernel == "student_t":
        noise["df"] = 10 ** draw(st.floats(-0.5, 2.5))
    z = draw(sign) * 10 ** draw(st.floats(-4, 2))
    pred = 10 ** draw(exponent) * (draw(sign) if case.scale == "lin" else 1.0)
    if case.scale == "lin":
        return np.array([pred]), np.array([pred - z * width]), noise
    shift = z * width * case.ln_base
    assume(abs(shift) < 300)
    return np.array([pred]), np.array([pred * np.exp(-shift)]), noise


def complex_step(f, x):
    return np.imag(f(x + 1j * H * x)) / (H * x)


def five_point(f, x, h):
    return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h)


def loss_of(case, pred, obs, noise, estimated=()):
    return case.model.loss(pred, obs, noise, frozenset(estimated)).loss


def constants(case, noise):
    """By noise parameter, what it adds to the loss where it is estimated; and what no loss counts."""
    if case.kernel == "gaussian":
        return {"sigma": math.log(noise["sigma"])}, HALF_LOG_2PI
    if case.kernel == "laplace":
        return {"scale": math.log(2 * noise["scale"])}, 0.0
    df = noise["df"]
    block = math.lgamma(df / 2) - math.lgamma((df + 1) / 2) + 0.5 * math.log(df * math.pi)
    return {"sigma": math.log(noise["sigma"]), "df": block}, 0.0


@ALL
def test_the_loss_leaves_out_what_the_convention_leaves_out(case):
    law, (by_parameter, always) = case.law(case.pred, case.noise), constants(case, case.noise)
    obs = law.ppf(np.array([1e-6, 0.02, 0.3, 0.5, 0.9, 1 - 1e-6]))
    jacobian = 0.0 if case.scale == "lin" else -np.log(obs * case.ln_base)
    full = -law.logpdf(obs) + jacobian - always
    names = list(by_parameter)
    for estimated in ((), *((n,) for n in names), tuple(names)):
        left = sum(by_parameter[n] for n in names if n not in estimated)
        ours = loss_of(case, np.full(6, case.pred), obs, case.noise, estimated)
        np.testing.assert_allclose(ours, full - left, rtol=1e-11, atol=1e-12)


@ALL
def test_the_location_is_the_prediction(case):
    law = case.law(case.pred, case.noise)
    mean = case.model.location == "mean" and case.kernel != "student_t"
    assert (law.mean() if mean else law.median()) == pytest.approx(case.pred, rel=1e-12)
    if mean and case.scale != "lin":
        assert law.median() < 0.99 * case.pred
        # and by the family's own density
        f = np.linspace(-40, 40, 400_001) / case.ln_base
        obs = np.exp(case.ln_base * f)
        density = np.exp(case.model.log_density(np.full(f.size, case.pred), obs, case.noise))
        assert integrate.trapezoid(density * obs * obs, case.ln_base * f) == pytest.approx(case.pred, rel=1e-6)


@ALL
@settings(max_examples=60)
@given(data=st.data())
def test_slopes_are_those_of_the_loss(case, data):
    pred, obs, noise = data.draw(points(case))
    estimated = frozenset(case.model.parameters)
    ours = case.model.loss(pred, obs, noise, estimated)
    width = next(iter(noise))
    by_pred = complex_step(lambda p: loss_of(case, p, obs, noise), pred)
    dz_dpred = 1 / noise[width] / (1.0 if case.scale == "lin" else pred[0] * case.ln_base)
    cancelled = 0.0 if case.scale == "lin" else 1e-14 / noise[width]  # of z, between two logarithms
    np.testing.assert_allclose(ours.d_pred, by_pred, rtol=1e-10, atol=dz_dpred * cancelled)
    by_width = complex_step(lambda w: loss_of(case, pred, obs, {**noise, width: w}, [width]), np.array([noise[width]]))
    assert np.abs(ours.d_noise[width] - by_width) < 1e-10 * (np.abs(by_width) + 1 / noise[width])
    if "df" in noise:
        df = noise["df"]
        by_df = five_point(lambda v: loss_of(case, pred, obs, {**noise, "df": v}, ["df"]), df, 1e-3 * df)
        assert np.abs(ours.d_noise["df"] - by_df) < 1e-9 * (np.abs(by_df) + (1 + np.abs(ours.loss)) / df)


@SQUARES
@settings(max_examples=60)
@given(data=st.data())
def test_half_the_squared_residual_is_the_loss_and_its_slopes_follow(case, data):
    pred, obs, noise = data.draw(points(case))
    fixed = case.model.loss(pred, obs, noise, frozenset())
    rho, slope = case.model.residual(pred, obs, noise)
    np.testing.assert_allclose(0.5 * rho**2, fixed.loss, rtol=1e-12)
    np.testing.assert_allclose(rho * slope, fixed.d_pred, rtol=1e-12)
    np.testing.assert_allclose(slope, complex_step(lambda p: case.model.residual(p, obs, noise)[0], pred), rtol=1e-10)
    by_noise = case.model.d_residual_d_noise(pred, obs, noise)
    assert set(by_noise) == set(case.model.parameters)
    for name, slopes in by_noise.items():
        step = complex_step(lambda v, name=name: case.model.residual(pred, obs, {**noise, name: v})[0], np.array([noise[name]]))
        assert np.abs(slopes - step) < 1e-9 * (np.abs(step) + np.abs(rho) / noise[name] * 1e-3)


@SQUARES
def test_the_residual_is_smooth_where_prediction_and_measurement_meet(case):
    median = type(case.model)()
    pred = np.array([1.7])
    rho, slope = median.residual(pred, pred, case.noise)
    assert rho == 0
    peak = 1.0 if case.kernel == "gaussian" else math.sqrt((case.noise["df"] + 1) / case.noise["df"])
    f_slope = 1.0 if case.scale == "lin" else 1 / (1.7 * case.ln_base)
    np.testing.assert_allclose(slope, peak * f_slope / case.noise["sigma"], rtol=1e-14)
    near = [median.residual(pred * (1 + d), pred, case.noise) for d in (-1e-7, 1e-7)]
    np.testing.assert_allclose(near[0][0], -near[1][0], rtol=1e-6)
    assert all(s == pytest.approx(slope, rel=1e-6) for _, s in near)
    assert all(np.all(np.abs(s) == 0) for s in median.d_residual_d_noise(pred, pred, case.noise).values())


@ALL
def test_at_the_kink_of_laplace_and_the_top_of_the_others_the_slope_is_zero(case):
    pred = np.array([1.7])
    loss = type(case.model)().loss(pred, pred, case.noise, frozenset())
    assert loss.loss == 0 and loss.d_pred == 0


@ALL
def test_extreme_distances_give_a_number_or_inf_and_never_a_warning(case):
    z = np.array([-1.0, 1.0])[:, None] * 10.0 ** np.array([0, 5, 50, 100, 150, 160, 200, 300])
    pred, obs = (np.zeros(z.size), z.ravel()) if case.scale == "lin" else (np.full(z.size, 3.0), np.abs(z.ravel()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for noise in (case.noise, {**case.noise, next(iter(case.noise)): 1e-200}):
            loss = case.model.loss(pred, obs, noise, frozenset(case.model.parameters))
            assert not np.isnan(loss.loss).any() and np.all(loss.loss > -1e4)
            assert all(np.isfinite(slope).all() for slope in (loss.d_pred, *loss.d_noise.values()))
            assert not np.isnan(case.model.log_density(pred, obs, noise)).any()
            if case.model.least_squares:
                rho, slope = case.model.residual(pred, obs, noise)
                assert not np.isnan(rho).any() and not np.isnan(slope).any()
        tiny = case.model.loss(np.array([5e-324, 1e-320, 1e300]), np.array([1.0, 1.0, 1.0]), case.noise, frozenset())
        assert not np.isnan(tiny.loss).any() and np.isfinite(tiny.d_pred).all()
        if case.model.least_squares:
            rho, slope = case.model.residual(np.array([5e-324, 1e-320]), np.ones(2), case.noise)
            assert np.isfinite(slope).all() and np.all((rho == np.inf) | (case.scale == "lin"))


def test_student_t_goes_on_where_the_square_overflows():
    z = np.array([1e150, 1e160, 1e200, -1e300])
    loss = StudentT().loss(z, np.zeros(4), {"sigma": 1.0, "df": 4.0}, frozenset())
    np.testing.assert_allclose(loss.loss, 2.5 * (2 * np.log(np.abs(z)) - np.log(4)), rtol=1e-14)
    rho, _ = StudentT().residual(z, np.zeros(4), {"sigma": 1.0})
    np.testing.assert_allclose(rho, np.sign(z) * np.sqrt(2 * loss.loss))


@pytest.mark.parametrize("name", ["lognormal, mean", "lnnormal, mean", "log_laplace, mean", "ln_laplace, mean"])
def test_the_cross_information_of_a_mean_on_a_log_scale(name):
    case = CONTINUOUS[name]
    width, slope = next(iter(case.noise)), 1 / (case.pred * case.ln_base)
    kappa, pairs = case.model.fisher(np.array([case.pred]), case.noise)
    s = case.noise[width] * case.ln_base
    d_offset = s if case.kernel == "gaussian" else 2 * s / (1 - s**2)
    of_mu = 1 / case.noise[width] ** 2
    assert kappa == pytest.approx(of_mu * slope**2)
    assert pairs["pred", width] == pytest.approx(-of_mu * slope * d_offset)
    assert pairs[width, width] == pytest.approx((2 if case.kernel == "gaussian" else 1) * of_mu + of_mu * d_offset**2)


def test_information_by_quadrature_over_shapes_and_scales():
    for df, sigma in [(0.4, 0.3), (1.0, 1.0), (4.0, 2.5), (29.0, 0.7), (200.0, 1.0)]:
        noise = {"sigma": sigma, "df": df}
        kappa, pairs = StudentT().fisher(np.array([0.0]), noise)

        def outer(x, noise=noise):
            obs = np.array([x])
            loss = StudentT().loss(np.zeros(1), obs, noise, frozenset(noise))
            s = np.concatenate([loss.d_pred, loss.d_noise["sigma"], loss.d_noise["df"]])
            return np.outer(s, s) * np.exp(StudentT().log_density(np.zeros(1), obs, noise))

        mean = 2 * integrate.quad_vec(outer, 0, np.inf, epsabs=1e-14, epsrel=1e-9)[0]  # odd entries come doubled, not 0
        np.testing.assert_allclose(kappa, mean[0, 0], rtol=1e-8)
        np.testing.assert_allclose(pairs["sigma", "sigma"], mean[1, 1], rtol=1e-8)
        np.testing.assert_allclose(pairs["sigma", "df"], mean[1, 2], rtol=1e-6)
        np.testing.assert_allclose(pairs["df", "df"], mean[2, 2], rtol=1e-6)
        assert set(pairs) == {("sigma", "sigma"), ("sigma", "df"), ("df", "df")}


@pytest.mark.parametrize("n", [1, 2, 29, 30, 31, 100, 4000])
def test_the_digammas_of_df_keep_their_digits(n):
    """At df = 2n the (poly)gamma differences are finite sums, taken here with 60 digits."""
    getcontext().prec = 60
    one, df = Decimal(1), 2 * n
    pi_squared = Decimal("9.86960440108935861883449099987615113531369940724079062641335")
    odd = [one / (2 * k - 1) for k in range(1, n + 1)]
    all_ = [one / k for k in range(1, n)]
    digamma_gap = 2 * sum(odd) - 2 * Decimal(2).ln() - sum(all_)
    trigamma_gap = pi_squared / 6 - sum(x * x for x in all_) - pi_squared / 2 + 4 * sum(x * x for x in odd)
    slope = one / (2 * df) - digamma_gap / 2
    information = trigamma_gap / 4 - Decimal(df + 5) / (2 * df * (df + 1) * (df + 3))
    assert float(_slope_of_normaliser(float(df))) == pytest.approx(float(slope), rel=1e-10)
    assert float(_information_of_df(float(df))) == pytest.approx(float(information), rel=1e-8)


@pytest.mark.parametrize("family", [LogStudentT, LnStudentT])
def test_a_student_t_on_a_log_scale_has_no_mean(family):
    with pytest.raises(InputError, match=f"{family.__name__} has no mean.*type 'location = median'"):
        family(location="mean")
    assert StudentT(location="mean").location == "mean"


@pytest.mark.parametrize("word, ln_base", [("log_laplace", math.log(10)), ("ln_laplace", 1.0)])
def test_a_log_laplace_without_a_mean_has_no_finite_loss(word, ln_base):
    mean = CONTINUOUS[f"{word}, mean"].model
    one = np.array([1.0])
    for b, finite in ((0.999 / ln_base, True), (1.001 / ln_base, False), (3.0 / ln_base, False)):
        loss = mean.loss(one, one, {"scale": b}, frozenset({"scale"}))
        assert np.isfinite(loss.loss) == finite
        assert np.isfinite(loss.d_noise["scale"])
        assert np.isfinite(type(mean)().loss(one, one, {"scale": b}, frozenset()).loss)


@ALL
def test_what_is_rejected(case):
    obs = np.array([2.0, 0.0, -3.0])
    if case.scale == "lin":
        assert case.model.rejects(obs) == ""
        return
    assert case.model.rejects(obs) == f"noise on {case.scale} needs positive values, got 0"
    assert case.model.rejects(obs[[0, 2]], case.noise) == f"noise on {case.scale} needs positive values, got -3"
    assert case.model.rejects(np.array([1e-300, 5.0])) == ""
    log_p = case.model.log_density(np.full(3, 2.0), obs, case.noise)
    assert np.isfinite(log_p[0]) and np.all(log_p[1:] == -np.inf)


def test_df_is_four_where_it_is_left_out():
    pred, obs = np.array([1.0, 2.0]), np.array([0.0, 5.0])
    left_out, said = (StudentT().log_density(pred, obs, {"sigma": 0.5, **df}) for df in ({}, {"df": 4.0}))
    np.testing.assert_array_equal(left_out, said)


def test_many_degrees_of_freedom_are_gaussian():
    pred, obs = np.zeros(5), np.array([-3.0, -1.0, 0.0, 0.5, 4.0])
    gaussian = Normal().loss(pred, obs, {"sigma": 0.8}, frozenset({"sigma"}))
    t = StudentT().loss(pred, obs, {"sigma": 0.8, "df": 1e9}, frozenset({"sigma"}))
    np.testing.assert_allclose(t.loss, gaussian.loss, rtol=1e-6)
    np.testing.assert_allclose(t.d_noise["sigma"], gaussian.d_noise["sigma"], rtol=1e-6)
    rho, _ = StudentT().residual(pred, obs, {"sigma": 0.8, "df": 1e9})
    np.testing.assert_allclose(rho, (pred - obs) / 0.8, rtol=1e-6)


@pytest.mark.parametrize("scale, base", [(LOG10, 10.0), (LN, math.e)])
def test_a_log_scale_its_inverse_and_its_slope(scale, base):
    x = np.geomspace(1e-250, 1e250, 61)
    np.testing.assert_allclose(scale.forward(x), np.log(x) / np.log(base), rtol=1e-15)
    np.testing.assert_allclose(scale.inverse(scale.forward(x)), x, rtol=1e-12)
    np.testing.assert_allclose(scale.slope(x), complex_step(scale.forward, x), rtol=1e-14)
    np.testing.assert_allclose(scale.log_slope(x), np.log(scale.slope(x)), rtol=1e-14, atol=1e-14)
    assert np.isnan(scale.forward(np.array([0.0, -1.0, np.inf, np.nan]))).all()


def test_lin_is_the_identity():
    x = np.array([-3.0, 0.0, 5.0])
    assert np.array_equal(LIN.forward(x), x) and np.array_equal(LIN.inverse(x), x)
    assert np.array_equal(LIN.slope(x), np.ones(3)) and LIN.log_slope(x) == 0
