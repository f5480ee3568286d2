"""Bijectors: inverses, derivatives, and what becomes of a density where floats end."""

import numpy as np
import pytest

from bnfhmc.prior import Identity, Interval, LowerBounded, Parameter, Truncated, UpperBounded, bijector_for
from tests.prior.cases import PRIORS

INF = np.inf
BIJECTORS = {
    "identity": (Identity(), (-INF, INF)),
    "lower 0": (LowerBounded(0.0), (0.0, INF)),
    "lower 2.5": (LowerBounded(2.5), (2.5, INF)),
    "upper 0": (UpperBounded(0.0), (-INF, 0.0)),
    "upper -3": (UpperBounded(-3.0), (-INF, -3.0)),
    "unit": (Interval(0.0, 1.0), (0.0, 1.0)),
    "box": (Interval(-4.0, 3.0), (-4.0, 3.0)),
    "box to 0": (Interval(-1e-3, 0.0), (-1e-3, 0.0)),
    "thin box": (Interval(1.0, 1.0 + 1e-12), (1.0, 1.0 + 1e-12)),
}
ALL = pytest.mark.parametrize("bijector, support", BIJECTORS.values(), ids=list(BIJECTORS))
FAR = np.array([-INF, -1e4, -745.0, -700.0, -50.0, 0.0, 50.0, 700.0, 709.0, 745.0, 1e4, INF])


@ALL
def test_chosen_by_the_support(bijector, support):
    assert bijector_for(support) == bijector


@ALL
def test_u_and_z_are_inverse_to_each_other(bijector, support):
    z = np.linspace(-5, 5, 21)
    width = support[1] - support[0]
    rtol = 1e-2 if width < 1e-9 else 1e-11
    np.testing.assert_allclose(bijector.z_from_u(bijector.u_from_z(z)), z, rtol=rtol, atol=rtol)
    assert np.isscalar(bijector.u_from_z(0.3)) and np.isscalar(bijector.z_from_u(bijector.u_from_z(0.3)))


@ALL
def test_derivatives(bijector, support):
    z, h = np.linspace(-6, 6, 25), 1e-5
    at = bijector.transform(z)
    # measured from the nearer end, so that a thin interval far from 0 keeps its digits
    if not np.isclose(support[1] - support[0], 1e-12, atol=1e-14):
        central = (bijector.u_from_z(z + h) - bijector.u_from_z(z - h)) / (2 * h)
        np.testing.assert_allclose(at.du_dz, central, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(at.log_du_dz, np.log(np.abs(at.du_dz)), rtol=1e-12, atol=1e-12)
    central = (bijector.log_du_dz(z + h) - bijector.log_du_dz(z - h)) / (2 * h)
    np.testing.assert_allclose(at.dlog_du_dz, central, rtol=1e-7, atol=1e-9)
    for name, value in at._asdict().items():
        assert np.array_equal(value, getattr(bijector, "u_from_z" if name == "u" else name)(z))


@ALL
@pytest.mark.filterwarnings("error")
def test_u_stays_strictly_inside_and_nothing_is_nan(bijector, support):
    z = FAR[1:-1] if isinstance(bijector, Identity) else np.append(FAR, np.nan)
    with np.errstate(all="raise"):
        u, du_dz, log_du_dz, dlog_du_dz = bijector.transform(z)
    assert np.all((u > support[0]) & (u < support[1]))
    assert np.isfinite(du_dz).all() and np.isfinite(dlog_du_dz).all()
    assert not np.isnan(log_du_dz).any() and np.all(log_du_dz < INF)


@ALL
def test_a_u_on_an_end_has_a_finite_z_and_one_outside_is_refused(bijector, support):
    lo, hi = support
    for end, beyond in ((lo, -INF), (hi, INF)):
        if np.isfinite(end):
            z = bijector.z_from_u(end)
            assert 30 < abs(z) <= 700 or hi - lo < 1e-9
            assert lo < bijector.u_from_z(z) < hi
            with pytest.raises(ValueError, match="outside the support"):
                bijector.z_from_u(np.array([end, np.nextafter(end, beyond)]))
    for outside in (-INF, INF, np.nan):
        with pytest.raises(ValueError, match="outside the support"):
            bijector.z_from_u(outside)


def test_fields_may_be_arrays():
    lo, hi, z = np.array([0.0, -2.0]), np.array([1.0, 5.0]), np.array([0.4, -3.0])
    for several, singles in (
        (Interval(lo, hi), [Interval(0.0, 1.0), Interval(-2.0, 5.0)]),
        (LowerBounded(lo), [LowerBounded(0.0), LowerBounded(-2.0)]),
        (UpperBounded(hi), [UpperBounded(1.0), UpperBounded(5.0)]),
    ):
        together = np.array(several.transform(z))
        assert np.array_equal(together.T, [s.transform(x) for s, x in zip(singles, z, strict=True)])


def test_beyond_the_floats_the_half_lines_end_and_the_interval_decays():
    for half in (LowerBounded(0.0), UpperBounded(0.0)):
        _, du_dz, log_du_dz, dlog = half.transform(np.array([700.0, 700.1, np.nan]))
        assert list(log_du_dz) == [700.0, -INF, -INF]
        assert list(np.abs(du_dz) > 0) == [True, False, False] and list(dlog) == [1, 0, 0]
        assert half.log_du_dz(-1e4) == -1e4
    assert Interval(0.0, 1.0).log_du_dz(1e4) == -1e4
    assert Interval(0.0, 1.0).log_du_dz(np.nan) == -INF


def supports(prior):
    """The prior as it is, and cut below, above and on both sides."""
    a, b = prior.ppf(0.2), prior.ppf(0.7)
    return {"whole": prior, "from": Truncated(prior, a, INF), "to": Truncated(prior, -INF, b),
            "box": Truncated(prior, a, b)}


COMPOSITES = pytest.mark.parametrize(
    "prior", [p for prior in PRIORS.values() for p in supports(prior).values()],
    ids=[f"{name}-{cut}" for name, prior in PRIORS.items() for cut in supports(prior)])


def composite(prior, z):
    """log p(u(z)) + log|du/dz| and its derivative by z."""
    at = Parameter("k", prior).bijector.transform(z)
    logp, score = prior.logpdf_and_score(at.u)
    with np.errstate(under="ignore"):    # a product of two tiny numbers is 0, and right
        return logp + at.log_du_dz, score * at.du_dz + at.dlog_du_dz


@COMPOSITES
@pytest.mark.filterwarnings("error")
def test_density_in_z_has_no_nan_anywhere(prior):
    """-inf is allowed: where log p is below -1e150, and at z > 700 towards an infinite end. Gradients are finite."""
    z = np.concatenate([FAR[1:-1], np.linspace(-720, 720, 289), [np.nan]])
    with np.errstate(all="raise"):
        for at in (z, *z[::16], 700.0, -700.0):
            value, gradient = composite(prior, at)
            assert not np.isnan(value).any() and np.all(value < INF)
            assert np.isfinite(gradient).all()


@COMPOSITES
def test_gradient_of_the_density_in_z(prior):
    h = 1e-5
    z = Parameter("k", prior).bijector.z_from_u(prior.ppf(np.linspace(0.013, 0.987, 15)))
    value, gradient = composite(prior, z)
    central = (composite(prior, z + h)[0] - composite(prior, z - h)[0]) / (2 * h)
    assert np.isfinite(value).all()
    np.testing.assert_allclose(gradient, central, rtol=1e-6, atol=1e-7)


@COMPOSITES
def test_density_in_z_integrates_to_one(prior):
    unbounded = np.isinf(prior.support).all()
    # the first grid reaches the heavy tails that are left where z is u itself
    z = np.sinh(np.linspace(-30, 30, 4001)) if unbounded else np.linspace(-120, 120, 12001)
    total = np.trapezoid(np.exp(composite(prior, z)[0]), z)
    assert total == pytest.approx(1, abs=2e-4)
