"""PriorVector: the same numbers as one parameter after the other, in one array expression a family."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnfhmc.prior import (
    LIN,
    LN,
    LOG10,
    LOGIT,
    SCALES,
    Normal,
    Parameter,
    PriorVector,
    PushedForward,
    Truncated,
    Uniform,
    prior_in,
)
from tests.prior.cases import PRIORS

INF = np.inf


def everything():
    """Every family whole, cut below, above and on both sides, on alternating scales; some pushed to other scales."""
    parameters = []
    for name, prior in PRIORS.items():
        a, b = prior.ppf(0.2), prior.ppf(0.7)
        cut = [prior, Truncated(prior, a, INF), Truncated(prior, -INF, b), Truncated(prior, a, b)]
        scales = list({s.name: s for s in SCALES.values()}.values())
        parameters += [Parameter(f"{name} {i}", p, scales[i]) for i, p in enumerate(cut)]
    for inner, outer in ((LIN, LN), (LN, LIN), (LIN, LOG10), (LOG10, LIN)):
        for name in ("normal", "laplace", "gamma"):
            p = prior_in(outer, PRIORS[name], inner)
            parameters += [Parameter(f"{name}, {inner.name} in {outer.name}", p, outer),
                           Parameter(f"{name}, {inner.name} in {outer.name}, cut", Truncated(p, p.ppf(0.1), INF), outer)]
    return parameters


PARAMETERS = everything()


def assert_equals_the_loop(parameters, z):
    """The array expressions against the same methods of each parameter."""
    vector = PriorVector(parameters)
    at = [p.bijector.transform(float(x)) for p, x in zip(parameters, z, strict=True)]
    u = np.array([a.u for a in at], dtype=float)
    assert np.array_equal(vector.u_from_z(z), u)
    assert np.array_equal(vector.du_dz(z), [a.du_dz for a in at])
    assert np.array_equal(vector.dlog_du_dz(z), [a.dlog_du_dz for a in at])
    assert np.array_equal(np.array(vector.transform(z)), np.array(at).T.reshape(4, len(parameters)))
    terms = np.array([p.prior.logpdf(x) for p, x in zip(parameters, u, strict=True)], dtype=float)
    score = [p.prior.score(x) for p, x in zip(parameters, u, strict=True)]
    np.testing.assert_allclose(vector.logpdf_terms(u), terms, rtol=1e-14)
    np.testing.assert_allclose(vector.score(u), score, rtol=1e-14)
    assert vector.logpdf(u) == pytest.approx(terms.sum(), rel=1e-12)
    assert vector.log_du_dz(z) == pytest.approx(sum(a.log_du_dz for a in at), rel=1e-12, abs=1e-12)
    value, gradient = vector.logpdf_and_score(u)
    assert value == vector.logpdf(u) and np.array_equal(gradient, vector.score(u))
    assert isinstance(value, float)
    np.testing.assert_allclose(
        vector.z_from_u(u), [p.bijector.z_from_u(x) for p, x in zip(parameters, u, strict=True)], rtol=1e-14)
    for method in ("theta_from_u", "dtheta_du"):
        one = [getattr(p.scale, method)(x) for p, x in zip(parameters, u, strict=True)]
        np.testing.assert_allclose(getattr(vector, method)(u), one, rtol=1e-14)
    assert np.array_equal(np.array(vector.support).T, [p.support for p in parameters])


def test_equals_the_loop_over_parameters():
    rng = np.random.default_rng(3)
    for _ in range(5):
        order = rng.permutation(len(PARAMETERS))
        assert_equals_the_loop([PARAMETERS[i] for i in order], rng.normal(0, 3, len(order)))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from(PARAMETERS), st.floats(-30, 30)), min_size=1, max_size=12))
def test_equals_the_loop_for_any_selection(chosen):
    assert_equals_the_loop([p for p, _ in chosen], np.array([z for _, z in chosen]))


def test_gradient_in_z_against_central_differences():
    vector, h = PriorVector(PARAMETERS), 1e-5
    z = vector.z_from_u(vector.sample(np.random.default_rng(4)))

    def composite(z):
        return vector.logpdf(vector.u_from_z(z)) + vector.log_du_dz(z)

    at = vector.transform(z)
    gradient = vector.score(at.u) * at.du_dz + at.dlog_du_dz
    for i, step in enumerate(np.eye(len(z)) * h):
        central = (composite(z + step) - composite(z - step)) / (2 * h)
        assert gradient[i] == pytest.approx(central, rel=1e-5, abs=1e-6), PARAMETERS[i].name


@pytest.mark.filterwarnings("error")
def test_far_out_nothing_is_nan():
    vector = PriorVector(PARAMETERS)
    with np.errstate(all="raise"):
        for far in (-1e4, -700.0, 700.0, 1e4, np.nan):
            at = vector.transform(np.full(len(PARAMETERS), far))
            value, score = vector.logpdf_and_score(at.u)
            log_du_dz = vector.log_du_dz(np.full(len(PARAMETERS), far))
            assert not np.isnan(value + log_du_dz) and value + log_du_dz < INF
            with np.errstate(under="ignore"):
                assert np.isfinite(score * at.du_dz + at.dlog_du_dz).all()


def test_outside_one_prior_is_outside_even_at_the_pole_of_another():
    vector = PriorVector([Parameter("a", PRIORS["gamma, pole"]), Parameter("b", Uniform(0.0, 1.0))])
    assert vector.logpdf(np.array([0.0, 0.5])) == INF
    assert vector.logpdf(np.array([0.0, 2.0])) == -INF
    assert vector.logpdf(np.array([1.0, np.nan])) == -INF


def test_theta_and_u():
    vector = PriorVector([Parameter("k", Normal(0.0, 1.0), LOG10), Parameter("s", Normal(0.0, 1.0)),
                          Parameter("n", Normal(0.0, 1.0), LN), Parameter("f", Normal(0.0, 1.0), LOGIT)])
    u = np.array([-2.0, 4.0, 1.0, 0.0])
    assert np.array_equal(vector.theta_from_u(u), [0.01, 4.0, np.e, 0.5])
    np.testing.assert_allclose(vector.u_from_theta(vector.theta_from_u(u)), u, rtol=1e-15)
    np.testing.assert_allclose(vector.dtheta_du(u), [0.01 * np.log(10), 1, np.e, 0.25], rtol=1e-15)
    assert vector.names == ("k", "s", "n", "f") and len(vector) == 4


def test_a_value_outside_is_refused_with_the_parameters_name():
    vector = PriorVector([Parameter("a", Normal(0.0, 1.0)), Parameter("k", Uniform(-2.0, 2.0), LOG10)])
    with pytest.raises(ValueError, match=r"parameter 'k': u = 3 lies outside of \(-2, 2\)"):
        vector.z_from_u(np.array([0.0, 3.0]))
    with pytest.raises(ValueError, match=r"parameter 'k': theta = -1 lies outside of \(0, inf\)"):
        vector.u_from_theta(np.array([0.0, -1.0]))
    with pytest.raises(ValueError, match="parameter 'a': theta = nan"):
        vector.u_from_theta(np.array([np.nan, 1.0]))


def test_draws_do_not_depend_on_how_parameters_are_grouped():
    vector = PriorVector(PARAMETERS)
    u = vector.sample(np.random.default_rng(5))
    q = np.random.default_rng(5).random(len(PARAMETERS))
    assert np.array_equal(u, [p.prior.ppf(x) for p, x in zip(PARAMETERS, q, strict=True)])
    # a prefix of the parameters has a prefix of the draws
    assert np.array_equal(PriorVector(PARAMETERS[:7]).sample(np.random.default_rng(5)), u[:7])


def test_the_smallest_uniform_number_gives_no_infinite_draw():
    class Zero:
        def random(self, size):
            return np.zeros(size)

    assert np.isfinite(PriorVector(PARAMETERS).sample(Zero())).all()


def test_bulk_draws_stay_in_the_central_mass_and_fill_it():
    vector, rng = PriorVector(PARAMETERS), np.random.default_rng(6)
    for mass in (0.8, 0.1):
        draws = np.array([vector.sample_bulk(rng, mass) for _ in range(200)])
        p = np.array([[k.prior.cdf(x) for x in column] for k, column in zip(PARAMETERS, draws.T, strict=True)])
        assert np.all(np.abs(p - 0.5) <= mass / 2 + 1e-9)
        assert np.all(np.ptp(p, axis=1) > 0.9 * mass)


def with_starts(parameters, starts):
    return [replace(p, start=starts.get(i)) for i, p in enumerate(parameters)]


def test_a_start_is_drawn_from_its_own_density_and_leaves_the_others_as_they_are():
    starts = {1: Normal(0.0, 0.1), 5: Uniform(-3.0, -2.0), 8: Normal(5.0, 0.1), 9: PushedForward(Normal(0.0, 1.0), LN, LIN)}
    plain = [Parameter(f"{i}", Normal(0.1 * i, 2.0)) for i in range(8)] + [Parameter("u", Uniform(0.0, 9.0))] * 3
    vector = PriorVector(with_starts(plain, starts))
    for seed in range(20):
        q = np.random.default_rng(seed).random(11)
        u, without = (v.sample_bulk(np.random.default_rng(seed)) for v in (vector, PriorVector(plain)))
        others = [i for i in range(11) if i not in starts]
        assert np.array_equal(u[others], without[others])
        assert np.array_equal(without, PriorVector(plain).quantile(0.5 + 0.8 * (q - 0.5)))
        for i, start in starts.items():    # from all of the density, not its central mass
            assert u[i] == pytest.approx(np.clip(start.ppf(q[i]), *plain[i].support), rel=1e-13)
    # the prior, its density and its other draws know nothing of starts
    x = vector.sample(np.random.default_rng(0))
    assert np.array_equal(x, PriorVector(plain).sample(np.random.default_rng(0)))
    assert vector.logpdf(x) == PriorVector(plain).logpdf(x)


def test_a_start_is_held_strictly_inside_of_the_support():
    wide = Normal(0.0, 1e3)
    vector = PriorVector([Parameter("a", Uniform(0.0, 1.0), start=wide), Parameter("b", PRIORS["gamma"], start=wide),
                          Parameter("c", Normal(0.0, 1.0), start=wide)])
    lo, hi = vector.support
    for seed in range(20):
        u = vector.sample_bulk(np.random.default_rng(seed))
        assert np.all((u > lo) & (u < hi)) and np.isfinite(vector.logpdf(u)) and np.isfinite(vector.z_from_u(u)).all()


def test_no_parameters_and_any_sequence():
    empty = PriorVector([])
    assert empty.logpdf(np.empty(0)) == 0.0 and empty.sample(np.random.default_rng(0)).shape == (0,)
    assert empty.transform(np.empty(0)).u.shape == (0,)
    assert PriorVector(PARAMETERS[:2]).parameters == tuple(PARAMETERS[:2])


def test_support_cannot_be_written_to():
    lo, _ = PriorVector(PARAMETERS).support
    with pytest.raises(ValueError, match="read-only"):
        lo[0] = 3.0


def test_one_array_expression_a_family(monkeypatch):
    calls = []
    evaluate = Normal.f_and_slope

    def counted(self, x):
        calls.append(np.shape(x))
        return evaluate(self, x)

    monkeypatch.setattr(Normal, "f_and_slope", counted)
    mixed = [Parameter(f"{kind.__name__}{i}", kind(0.0, 1.0 + i)) for i in range(50) for kind in (Normal, Uniform)]
    PriorVector(mixed).logpdf_and_score(np.full(100, 0.5))
    assert calls == [(50,)]
