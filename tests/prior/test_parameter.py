"""Parameters from a configuration's words and numbers, and everything that is refused, all at once."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnfhmc.errors import InputError
from bnfhmc.prior import (
    LIN,
    LN,
    LOG10,
    LOGIT,
    SCALES,
    Beta,
    Gamma,
    Interval,
    LowerBounded,
    Normal,
    Parameter,
    Truncated,
    Uniform,
    make_parameter,
)
from tests.prior.cases import CASES

NORMAL = {"mean": 0.0, "sd": 1.0}


def mistakes(*args):
    with pytest.raises(InputError) as caught:
        make_parameter(*args)
    assert all(m.path is None and m.line is None for m in caught.value.mistakes)
    return [str(m) for m in caught.value.mistakes]


def test_uniform_bounds_are_in_theta_and_the_density_is_in_u():
    k = make_parameter("k", "uniform", {}, "log10", 0.01, 100.0, 1.0)
    assert k == Parameter("k", Uniform(-2.0, 2.0), LOG10, 1.0)
    assert k.support == (-2.0, 2.0) and k.theta_bounds == (0.01, 100.0)
    assert k.bijector == Interval(-2.0, 2.0)
    assert k.prior.logpdf(0.3) == pytest.approx(-math.log(4))
    assert k.quantile(0.5) == 1.0 and k.quantile(0.75) == 10.0
    assert make_parameter("k", None, {}, "log10", 0.01, 100.0, 1.0) == k


def test_a_uniform_priors_own_fields_are_cut_by_the_bounds():
    k = make_parameter("k", "uniform", {"lower": 0.1, "upper": 10.0}, "ln", 0.5, 20.0)
    assert k.prior == Uniform(math.log(0.5), math.log(10.0)) and k.initial is None


def test_fields_of_other_families_are_in_u_and_the_bounds_truncate():
    k = make_parameter("k", "normal", NORMAL, "ln", 0.1, 10.0)
    assert k.prior == Truncated(Normal(0.0, 1.0), math.log(0.1), math.log(10.0)) and k.scale is LN
    assert k.theta_bounds == pytest.approx((0.1, 10.0), rel=1e-15)
    assert make_parameter("k", "normal", NORMAL, "log10", -math.inf, math.inf).prior == Normal(0.0, 1.0)
    half = make_parameter("k", "normal", NORMAL, "lin", 0.0, math.inf)
    assert half.support == (0.0, math.inf) and half.bijector == LowerBounded(0.0)
    # one bound alone leaves the other side open
    assert make_parameter("k", "normal", NORMAL, "lin", 0.0).prior == half.prior


def test_a_bound_on_the_edge_of_the_scale_or_beyond_the_support_cuts_nothing():
    assert make_parameter("k", "normal", NORMAL, "log10", 0.0, math.inf).prior == Normal(0.0, 1.0)
    assert make_parameter("k", "normal", NORMAL, "logit", 0.0, 1.0).prior == Normal(0.0, 1.0)
    assert make_parameter("k", "gamma", {"shape": 2.0, "scale": 1.0}, "lin", 0.0).prior == Gamma(2.0, 1.0)
    f = make_parameter("f", "beta", {"alpha": 2.0, "beta": 2.0}, "lin", 0.5, 9.0)
    assert f.prior == Truncated(Beta(2.0, 2.0), 0.5, 9.0) and f.support == (0.5, 1.0)


def test_words_are_read_in_any_case():
    assert make_parameter("k", "Normal", NORMAL, "LOG10") == Parameter("k", Normal(0.0, 1.0), LOG10)
    assert make_parameter("f", "normal", NORMAL, "logit").scale is LOGIT
    assert make_parameter("f", "normal", NORMAL, "linear").scale is LIN


def test_parameter_is_frozen_and_defaults_to_a_linear_scale():
    k = Parameter("k", Normal(0.0, 1.0))
    assert k.scale is LIN and k.initial is None
    with pytest.raises(dataclasses.FrozenInstanceError):
        k.initial = 2.0


def test_an_initial_value_on_a_bound_is_inside():
    for bound in (0.01, 7.0):
        assert make_parameter("k", "uniform", {}, "log10", 0.01, 7.0, bound).initial == bound


def test_a_start_is_kept_and_a_start_that_is_no_density_is_a_mistake():
    start = Uniform(-1.0, 1.0)
    k = make_parameter("k", "uniform", {}, "log10", 0.01, 100.0, None, start)
    assert k == Parameter("k", Uniform(-2.0, 2.0), LOG10, None, start) and k.start is start
    assert make_parameter("k", "normal", NORMAL, "lin").start is None
    said = mistakes("k", "normal", {"mean": 0.0, "sd": -1.0}, "lin", None, None, None, Normal(0.0, 0.0))
    assert said == ["parameter 'k': sd must be > 0, got -1",
                    "parameter 'k': the density of its starts: sd must be > 0, got 0"]


@pytest.mark.parametrize("args, said", [
    (("k", "norml", {}, "lin"), "parameter 'k': unknown prior family 'norml'; did you mean 'normal'?"),
    (("k", "normal", NORMAL, "log1"), "parameter 'k': unknown scale 'log1'; did you mean 'log10'?"),
    (("k", "normal", NORMAL, "log"),
     "parameter 'k': the scale 'log' names no base; type 'ln' (natural) or 'log10'"),
    (("k", "normal", {"mean": 0.0}, "lin"),
     "parameter 'k': normal needs the field 'sd'; normal takes mean, sd"),
    (("k", "normal", {**NORMAL, "scale": 1.0}, "lin"),
     "parameter 'k': normal has no field 'scale'; normal takes mean, sd"),
    (("k", "laplace", {"location": 0.0, "scale": 1.0, "scal": 2.0}, "lin"),
     "parameter 'k': laplace has no field 'scal'; did you mean 'scale'? laplace takes location, scale"),
    (("k", "normal", {"mean": 0.0, "sd": -1.0}, "lin"), "parameter 'k': sd must be > 0, got -1"),
    (("k", "normal", {"mean": math.nan, "sd": 1.0}, "lin"), "parameter 'k': mean must be finite, got nan"),
    (("k", "normal", {"mean": 0.0, "sd": math.inf}, "lin"), "parameter 'k': sd must be finite and > 0, got inf"),
    (("k", "normal", NORMAL, "lin", 2.0, 1.0), "parameter 'k': lower must be < upper, got 2 and 1"),
    (("k", "normal", NORMAL, "lin", 1.0, 1.0), "parameter 'k': lower must be < upper, got 1 and 1"),
    (("k", "uniform", {}, "log10", 1.0, 1.0), "parameter 'k': lower must be < upper, got 1 and 1"),
    (("k", "normal", NORMAL, "log10", -1.0, 1.0), "parameter 'k': lower must be > 0 on the log10 scale, got -1; "
     "bounds are values of the parameter, not of its logarithm"),
    (("k", "normal", NORMAL, "ln", -math.inf, 0.0), "parameter 'k': upper must be > 0 on the ln scale, got 0; "
     "bounds are values of the parameter, not of its logarithm"),
    (("k", "normal", NORMAL, "logit", 0.5, 1.5),
     "parameter 'k': upper must be between 0 and 1 on the logit scale, got 1.5; "
     "bounds are values of the parameter, not of its logarithm"),
    (("k", "normal", NORMAL, "lin", math.nan, 1.0),
     "parameter 'k': lower must be a number, got nan; for an open side type lower: -inf"),
    (("k", "normal", NORMAL, "lin", 0.0, -math.inf),
     "parameter 'k': upper must be a number, got -inf; for an open side type upper: inf"),
    (("k", "uniform", {}, "lin", 0.0, math.inf), "parameter 'k': a uniform prior needs a finite upper, got inf; "
     "give it another upper, or another prior family"),
    (("k", "uniform", {}, "log10", 0.0, 1.0),
     "parameter 'k': a uniform prior needs a finite lower > 0 on the log10 scale, got 0; "
     "give it another lower, or another prior family"),
    (("k", "uniform", {}, "lin", 0.0), "parameter 'k': a uniform prior needs upper; give it upper: <number>"),
    (("k", "uniform", {"lower": 5.0, "upper": 6.0}, "lin", 0.0, 1.0),
     "parameter 'k': no interval is left between lower 5 and upper 1; lower must be < upper"),
    (("k", None, {}, "lin", 0.0), "parameter 'k': has neither a prior nor both bounds; "
     "give it a prior, or lower and upper for a uniform one"),
    (("k", "normal", NORMAL, "lin", 50.0, 51.0),
     "parameter 'k': the truncation bounds leave no mass of the prior: u = lin(θ) in [50, 51]; the family's "
     "location and scale are in u, its central 98 % of mass is in [-2.32635, 2.32635]"),
    (("k", "uniform", {}, "lin", 0.0, 1.0, 2.0), "parameter 'k': the initial value 2 lies outside of [0, 1], "
     "where its prior has its mass; choose one inside, or widen the bounds"),
    (("k", "gamma", {"shape": 2.0, "scale": 1.0}, "log10", None, None, 0.1),
     "parameter 'k': the initial value 0.1 lies outside of [1, inf], where its prior has its mass; "
     "choose one inside, or widen the bounds"),
    (("k", "normal", NORMAL, "log10", None, None, -1.0), "parameter 'k': the initial value must be > 0 on the "
     "log10 scale, got -1; it is a value of the parameter, not of its logarithm"),
    (("k", "normal", NORMAL, "lin", None, None, math.nan),
     "parameter 'k': the initial value must be finite, got nan"),
])
def test_a_mistake_says_what_and_what_to_type(args, said):
    assert mistakes(*args) == [said]


def test_a_word_near_nothing_gets_the_list():
    assert mistakes("k", "zzz", {}, "lin")[0].endswith(
        "the families are uniform, normal, laplace, cauchy, gamma, exponential, chisquare, rayleigh, half_normal, "
        "half_cauchy, beta, inv_gamma, weibull, gumbel, logistic, student_t")
    assert mistakes("k", "normal", NORMAL, "zzz")[0].endswith("the scales are lin, linear, log10, ln, logit")


def test_all_mistakes_at_once():
    said = mistakes("k", "normal", {"mean": 0.0, "sdd": 1.0}, "log10", -2.0, -3.0, -1.0)
    assert [s.removeprefix("parameter 'k': ").split(";")[0] for s in said] == [
        "normal has no field 'sdd'",
        "normal needs the field 'sd'",
        "lower must be > 0 on the log10 scale, got -2",
        "upper must be > 0 on the log10 scale, got -3",
        "lower must be < upper, got -2 and -3",
        "the initial value must be > 0 on the log10 scale, got -1",
    ]
    said = mistakes("k", "normal", {"mean": 0.0, "sd": 0.0}, "loq", 2.0, 1.0, math.inf)
    assert [s.removeprefix("parameter 'k': ").split(";")[0] for s in said] == [
        "unknown scale 'loq'", "sd must be > 0, got 0"]


@pytest.mark.parametrize("name", CASES)
def test_every_nan_or_infinite_field_is_refused(name):
    family, fields, _ = CASES[name]
    for key in fields:
        for bad in (math.nan, math.inf):
            said = mistakes("k", family, {**fields, key: bad}, "lin")
            assert len(said) == 1 and key in said[0]


@st.composite
def configurations(draw):
    name = draw(st.sampled_from(sorted(CASES)))
    family, fields, _ = CASES[name]
    scale = draw(st.sampled_from(sorted(SCALES)))
    if family == "uniform":
        low = draw(st.floats(-6, 2))
        high = low + draw(st.floats(0.1, 4))
        return family, {}, scale, *(float(SCALES[scale].theta_from_u(u)) for u in (low, high))
    low, high = draw(st.floats(0.001, 0.5)), draw(st.floats(0.55, 0.999))
    prior = make_parameter("k", family, fields, "lin").prior
    ends = [float(SCALES[scale].theta_from_u(prior.ppf(q))) for q in (low, high)]
    start, end = SCALES[scale].domain
    inside = [theta if start < theta < end else None for theta in ends]
    lower = draw(st.sampled_from([None, -math.inf, inside[0]]))
    upper = draw(st.sampled_from([None, math.inf, inside[1]]))
    return family, fields, scale, lower, upper


@settings(max_examples=300, deadline=None, derandomize=True)
@given(configurations(), st.floats(0, 1))
def test_quantiles_lie_within_the_bounds_and_round_trip(configuration, q):
    family, fields, scale, lower, upper = configuration
    k = make_parameter("k", family, fields, scale, lower, upper)
    lo, hi = k.theta_bounds
    assert lo <= k.quantile(q) <= hi
    for bound, end in ((lower, lo), (upper, hi)):
        if bound is not None and math.isfinite(bound):
            assert end == pytest.approx(bound, rel=1e-9, abs=1e-300)
    u = float(np.clip(k.prior.ppf(q), -1e12, 1e12))
    assert k.support[0] < k.bijector.u_from_z(k.bijector.z_from_u(u)) < k.support[1]
    median = k.prior.ppf(0.5)
    assert k.bijector.u_from_z(k.bijector.z_from_u(median)) == pytest.approx(median, rel=1e-9, abs=1e-12)
