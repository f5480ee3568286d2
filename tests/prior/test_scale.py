"""Scales: inverses of each other, their derivative, and what they give at the edges, without a warning."""

import pickle

import numpy as np
import pytest

from bnfhmc.prior import LIN, LN, LOG10, LOGIT, SCALES

ALL = [LIN, LOG10, LN, LOGIT]


def by_name(scale):
    return scale.name


def test_the_words_of_a_configuration():
    assert {word: scale.name for word, scale in SCALES.items()} == {
        "lin": "lin", "linear": "lin", "log10": "log10", "ln": "ln", "logit": "logit",
    }


@pytest.mark.parametrize("scale", ALL, ids=by_name)
def test_theta_and_u_are_inverse_to_each_other(scale):
    u = np.linspace(-20, 20, 41)
    rtol = 1e-7 if scale is LOGIT else 1e-12    # 1 - theta has lost its digits at u = 20
    np.testing.assert_allclose(scale.u_from_theta(scale.theta_from_u(u)), u, rtol=rtol, atol=1e-12)


def test_values():
    assert LIN.theta_from_u(-3.5) == -3.5
    assert LOG10.u_from_theta(1000.0) == 3.0
    assert LOG10.theta_from_u(-2.0) == 0.01
    assert LN.theta_from_u(1.0) == np.e
    assert LOGIT.theta_from_u(0.0) == 0.5


@pytest.mark.parametrize("scale", ALL, ids=by_name)
def test_dtheta_du_is_the_derivative(scale):
    u, h = np.linspace(-8, 8, 33), 1e-6
    central = (scale.theta_from_u(u + h) - scale.theta_from_u(u - h)) / (2 * h)
    np.testing.assert_allclose(scale.dtheta_du(u), central, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("scale", ALL, ids=by_name)
@pytest.mark.filterwarnings("error")
def test_edges_and_overflow_are_silent(scale):
    with np.errstate(all="raise"):
        assert tuple(scale.u_from_theta(np.array(scale.domain))) == (-np.inf, np.inf)
        assert tuple(scale.theta_from_u(np.array([-np.inf, np.inf]))) == scale.domain
        far = scale.theta_from_u(np.array([-1e5, 1e5]))
        assert not np.isnan(scale.dtheta_du(np.array([-1e5, 1e5]))).any()
        assert np.all(np.diff(far) > 0)
        if scale is not LIN:
            assert np.isnan(scale.u_from_theta(-1.0))


@pytest.mark.parametrize("scale", ALL, ids=by_name)
def test_a_scalar_stays_a_scalar_and_a_scale_can_be_sent_to_another_process(scale):
    for f in (scale.theta_from_u, scale.dtheta_du):
        assert np.ndim(f(0.25)) == 0 and isinstance(f(0.25), float)
    assert pickle.loads(pickle.dumps(scale)) == scale
