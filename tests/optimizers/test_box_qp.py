"""The quadratic over a box: the conditions that only its minimum meets."""

import numpy as np
import pytest

from bnfhmc.optimizers.box_qp import box_minimum
from bnfhmc.optimizers.linear import raised, solve_positive


def is_minimum(g, B, lower, upper, s):
    """Karush, Kuhn and Tucker: no slope inside, a slope outwards at a bound."""
    slope, size = g + B @ s, 1e-7 * (1.0 + np.max(np.abs(g)))
    inside = (s > lower) & (s < upper)
    assert np.all(s >= lower) and np.all(s <= upper)
    assert np.all(np.abs(slope[inside]) < size)
    assert np.all(slope[(s == lower) & ~inside & (lower < upper)] > -size)
    assert np.all(slope[(s == upper) & ~inside & (lower < upper)] < size)


@pytest.mark.parametrize("d", [1, 2, 5, 20, 46])
@pytest.mark.parametrize("condition", [1.0, 1e4, 1e8])
def test_random_boxes(d, condition):
    rng = np.random.default_rng(d)
    for _ in range(20):
        Q = np.linalg.qr(rng.standard_normal((d, d)))[0]
        B = (Q * np.geomspace(1.0, condition, d)) @ Q.T
        B = 0.5 * (B + B.T)
        g = 3.0 * rng.standard_normal(d)
        lower, upper = -rng.exponential(size=d), rng.exponential(size=d)
        lower[rng.random(d) < 0.2], upper[rng.random(d) < 0.2] = 0.0, np.inf
        is_minimum(g, B, lower, upper, box_minimum(g, B, lower, upper))


def test_without_bounds_it_is_the_step_of_newton():
    B, g, wide = np.array([[4.0, 1.0], [1.0, 3.0]]), np.array([1.0, 2.0]), np.full(2, np.inf)
    np.testing.assert_allclose(box_minimum(g, B, -wide, wide), -np.linalg.solve(B, g), rtol=1e-12)


def test_a_component_may_be_held():
    B, g = np.array([[4.0, 1.0], [1.0, 3.0]]), np.array([1.0, 2.0])
    s = box_minimum(g, B, np.array([0.0, -9.0]), np.array([0.0, 9.0]))
    np.testing.assert_allclose(s, [0.0, -2.0 / 3.0], rtol=1e-12)


def test_a_matrix_without_a_factor_is_raised_as_little_as_is_needed():
    B = np.outer([1.0, 2.0], [1.0, 2.0])
    L, tau = raised(B)
    assert tau < 1e-9
    np.testing.assert_allclose(L @ L.T, B, rtol=1e-8)
    indefinite = np.diag([1.0, -0.3])
    assert 0.1 < raised(indefinite)[1] <= 10.0
    assert np.isfinite(solve_positive(np.zeros((2, 2)), np.ones(2))).all()
    with pytest.raises(ValueError, match="not finite"):
        raised(np.full((2, 2), np.nan))
