"""Closed-form targets: gradients by complex step and central differences, draws and moments against each other."""

import warnings

import numpy as np
import pytest

from bnfhmc.errors import InputError
from bnfhmc.noise.target import Banana, Funnel, Gaussian, Multimodal, RotatedGaussian, RotatedQuartic

XY = ("x1", "x2")
TARGETS = {
    "gaussian": Gaussian(("x1", "x2", "x3"), (0.0, 1.0, -2.0), (1.0, 4.0, 0.25)),
    "rotated_gaussian": RotatedGaussian(XY, (1.0, -1.0), (2.0, 0.5), 0.6),
    "rotated_quartic": RotatedQuartic(XY, (0.5, 1.0), (0.2, 3.0), 0.6),
    "banana": Banana(XY, 0.7, 5.0),
    "banana in 4": Banana(("x1", "x2", "x3", "x4")),
    "multimodal": Multimodal(
        XY, (0.3, 2.0, 1.0), ((-2.0, 0.0), (2.0, 1.0), (0.0, 3.0)), ((1.0, 0.5), (0.3, 2.0), (1.0, 1.0))
    ),
    "funnel": Funnel(("x1", "x2", "x3"), 0.8),
}
EVERY = pytest.mark.parametrize("name", TARGETS)
# where the density is in the plane, and a grid that follows its narrowest part
WINDOWS = {
    "rotated_gaussian": ((-8, 10, 121), (-9, 7, 121)),
    "rotated_quartic": ((-5, 6, 121), (-4, 6, 121)),
    "banana": ((-5.3, 6.7, 121), (-4, 50, 401)),
    "multimodal": ((-8, 6, 141), (-10, 12, 141)),
}


@EVERY
def test_gradient_against_central_differences(name):
    target, rng, h = TARGETS[name], np.random.default_rng(5), 1e-5
    for theta in rng.normal(scale=1.5, size=(20, len(target.names))):
        loss, grad = target.loss_gradient(theta)
        assert loss == target.loss(theta)
        steps = h * np.eye(len(theta))
        central = [(target.loss(theta + s) - target.loss(theta - s)) / (2 * h) for s in steps]
        np.testing.assert_allclose(grad, central, rtol=1e-6, atol=1e-6 * (1 + np.max(np.abs(grad))))


@EVERY
def test_theta_is_left_alone(name):
    theta = np.full(len(TARGETS[name].names), 0.3)
    TARGETS[name].loss_gradient(theta)
    np.testing.assert_array_equal(theta, 0.3)


@pytest.mark.parametrize("name", [n for n in TARGETS if n != "banana in 4"])
def test_draws_have_the_stated_moments(name):
    target, n = TARGETS[name], 200_000
    draws, (mean, covariance) = target.draw(np.random.default_rng(6), n), target.moments()
    assert draws.shape == (n, len(target.names))
    error = np.sqrt(np.diag(covariance) / n)
    assert np.all(np.abs(draws.mean(axis=0) - mean) < 5 * error)
    off = draws - mean
    for i in range(len(mean)):
        for j in range(len(mean)):
            product = off[:, i] * off[:, j]
            assert abs(product.mean() - covariance[i, j]) < 5 * product.std() / np.sqrt(n)


@EVERY
def test_draws_are_stationary_under_the_loss(name):
    """E ∂loss/∂θ_i = 0 and E (θ_i − c) ∂loss/∂θ_i = 1 for draws from exp(−loss)."""
    target = TARGETS[name]
    if name == "banana in 4":
        with pytest.raises(ValueError, match="2 parameters, not 4"):
            target.draw(np.random.default_rng(7), 1)
        with pytest.raises(ValueError, match="2 parameters, not 4"):
            target.moments()
        return
    n = 20_000
    draws = target.draw(np.random.default_rng(7), n)
    scores = np.array([target.loss_gradient(theta)[1] for theta in draws])
    for terms, expected in ((scores, 0.0), (scores * (draws - draws.mean(axis=0)), 1.0)):
        assert np.all(np.abs(terms.mean(axis=0) - expected) < 5 * terms.std(axis=0) / np.sqrt(n))


@pytest.mark.parametrize("name", WINDOWS)
def test_moments_by_quadrature(name):
    target = TARGETS[name]
    mean, covariance = target.moments()
    x, y = (np.linspace(*window) for window in WINDOWS[name])
    grid = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)
    p = np.exp([-target.loss(theta) for theta in grid])
    p /= p.sum()
    np.testing.assert_allclose(p @ grid, mean, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose((grid - mean).T * p @ (grid - mean), covariance, rtol=1e-4, atol=1e-5)


def test_the_share_of_a_mode_is_its_height_times_its_width():
    assert Multimodal(("x1",), (0.5, 0.5), ((-4.0,), (4.0,)), ((1.0,), (9.0,))).shares == pytest.approx([0.25, 0.75])


def test_the_mode_of_each_shape():
    for target, mode in [(TARGETS["gaussian"], (0, 1, -2)), (TARGETS["rotated_gaussian"], (1, -1)),
                         (TARGETS["rotated_quartic"], (0.5, 1)), (TARGETS["banana"], (0.7, 0.49))]:  # fmt: skip
        loss, grad = target.loss_gradient(np.array(mode, dtype=float))
        assert loss == pytest.approx(0, abs=1e-30)
        np.testing.assert_allclose(grad, 0, atol=1e-12)


@EVERY
@pytest.mark.parametrize("theta", [1e200, -1e200, -800.0, np.inf, np.nan])
def test_far_out_nothing_warns_and_nothing_raises(name, theta):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss, grad = TARGETS[name].loss_gradient(np.full(len(TARGETS[name].names), theta))
    assert np.isnan(loss) or loss > 100
    assert grad.shape == (len(TARGETS[name].names),)


@pytest.mark.parametrize("make, said", [
    (lambda: Gaussian(XY, (0.0,), (1.0, 0.0)), ["'mean' has 1 numbers for 2 parameters", "'variance' holds positive"]),
    (lambda: RotatedGaussian(("x1",), (0.0,), (1.0,)), ["rotated_gaussian has 2 parameters, got 1"]),
    (lambda: RotatedQuartic(XY, (0.0, 0.0), (1.0, -1.0)), ["'coeff' holds positive"]),
    (lambda: Banana(("x1",), 1.0, 0.0), ["'b' is a positive", "at least 2 parameters"]),
    (lambda: Funnel(("x1",), 0.0), ["'sd' is a positive", "at least 2 parameters"]),
    (lambda: Multimodal(XY, (), (), ()), ["at least one mode"]),
    (lambda: Multimodal(XY, (0.0, 1.0), ((0.0, 0.0), (1.0,)), ((1.0, 1.0), (1.0, -1.0))),
     ["mode 1: 'weight' is a positive", "mode 2: 'mean' has 1", "mode 2: 'variance' holds positive"]),
])  # fmt: skip
def test_constants_that_make_no_density_are_refused_together(make, said):
    with pytest.raises(InputError) as caught:
        make()
    assert len(caught.value.mistakes) == len(said)
    assert all(words in str(m) for words, m in zip(said, caught.value.mistakes, strict=True))
