"""A scale profiled out: its value and loss against a search, its gradient against central differences."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from bnfhmc.noise import Normal
from bnfhmc.noise.profile import PROFILES, profile_laplace, profile_normal

R = np.array([0.3, -1.2, 0.8, 2.5, -0.1])


def loss(family, r, scale):
    if family == "normal":
        return np.sum(r**2) / (2 * scale**2) + len(r) * np.log(scale)
    return np.sum(np.abs(r)) / scale + len(r) * np.log(2 * scale)


@pytest.mark.parametrize("family", PROFILES)
def test_the_scale_minimises_the_loss(family):
    found = minimize_scalar(lambda s: loss(family, R, np.exp(s)), tol=1e-12)
    profile = PROFILES[family](R)
    assert profile.scale == pytest.approx(np.exp(found.x), rel=1e-6)
    assert profile.loss == pytest.approx(found.fun, rel=1e-12)
    assert profile.loss == pytest.approx(loss(family, R, profile.scale), rel=1e-14)


@pytest.mark.parametrize("family", PROFILES)
def test_gradient_is_that_of_the_profiled_loss(family):
    h = 1e-5
    steps = h * np.eye(len(R))
    central = [(PROFILES[family](R + s).loss - PROFILES[family](R - s).loss) / (2 * h) for s in steps]
    np.testing.assert_allclose(PROFILES[family](R).d_residual, central, rtol=1e-8)


def test_closed_forms():
    assert profile_normal(R).scale == pytest.approx(np.sqrt(np.mean(R**2)))
    assert profile_laplace(R).scale == pytest.approx(np.mean(np.abs(R)))


def test_the_gradient_is_that_of_the_family_at_the_best_scale():
    profile = profile_normal(R)
    given = Normal().loss(R, np.zeros(5), {"sigma": np.full(5, profile.scale)}, frozenset({"sigma"}))
    assert profile.loss == pytest.approx(given.loss.sum())
    np.testing.assert_allclose(profile.d_residual, given.d_pred)
    assert given.d_noise["sigma"].sum() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("family", PROFILES)
@pytest.mark.parametrize("r", [[0, 0], [1, np.inf], [np.nan, 1], []], ids=str)
def test_without_a_best_scale_the_loss_is_infinite_and_flat(family, r):
    profile = PROFILES[family](np.array(r, dtype=float))
    assert profile.loss == np.inf
    np.testing.assert_array_equal(profile.d_residual, np.zeros(len(r)))


@pytest.mark.parametrize("family", PROFILES)
@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_no_unit_is_too_small_or_too_large(family, unit):
    profile, plain = PROFILES[family](unit * R), PROFILES[family](R)
    assert profile.scale == pytest.approx(unit * plain.scale, rel=1e-12)
    assert profile.loss == pytest.approx(plain.loss + len(R) * np.log(unit), rel=1e-12)
    np.testing.assert_allclose(profile.d_residual * unit, plain.d_residual, rtol=1e-12)
