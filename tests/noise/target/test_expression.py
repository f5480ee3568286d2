"""Expression targets: values and symbolic gradients against NumPy and central differences, with and without data."""

import warnings

import numpy as np
import pytest

from bnfhmc.expression import parse
from bnfhmc.noise.target import Banana, ExpressionTarget, parse_target

X = np.array([0.5, 1.0, 2.0, 4.0])
Y = np.array([0.7, 1.1, 1.4, 1.9])
MICHAELIS = "0.5*((y - vmax*x/(km + x))/sigma)^2 + ln(sigma)"
NAMES = ("km", "vmax", "sigma")
THETA = np.array([1.3, 2.4, 0.4])


def central(target, theta, h=1e-6):
    return [(target.loss(theta + s) - target.loss(theta - s)) / (2 * h) for s in h * np.eye(len(theta))]


def test_a_banana_written_out():
    written = parse_target("expression", (), (), "0.5*((1 - x1)^2 + 100*(x2 - x1^2)^2)", ("x1", "x2"))
    for theta in np.random.default_rng(1).normal(size=(10, 2)):
        loss, grad = Banana(("x1", "x2")).loss_gradient(theta)
        assert written.loss(theta) == pytest.approx(loss, rel=1e-13)
        np.testing.assert_allclose(written.loss_gradient(theta)[1], grad, rtol=1e-12)


@pytest.mark.parametrize("text", ["exp(a)*sin(b) + a^b", "log(1 + a^2)/b", "max(a, b)*sqrt(a + b)", "abs(a - 3) + b^-2",
                                  "piecewise(a, a > 1, b) + tanh(a*b)"])  # fmt: skip
def test_gradient_against_central_differences(text):
    target, theta = ExpressionTarget(("b", "a"), parse(text)), np.array([0.7, 1.6])
    np.testing.assert_allclose(target.loss_gradient(theta)[1], central(target, theta), rtol=1e-7)


def test_data_is_summed_over_its_rows():
    target = ExpressionTarget(NAMES, parse(MICHAELIS), {"x": X, "y": Y, "other": X})
    km, vmax, sigma = THETA
    expected = np.sum(0.5 * ((Y - vmax * X / (km + X)) / sigma) ** 2 + np.log(sigma))
    loss, grad = target.loss_gradient(THETA)
    assert loss == pytest.approx(expected, rel=1e-14)
    np.testing.assert_allclose(grad, central(target, THETA), rtol=1e-7)
    assert set(target.columns) == {"x", "y"}


def test_a_term_without_data_counts_once_a_row():
    loss, grad = ExpressionTarget(("a",), parse("a + 0*x"), {"x": X}).loss_gradient(np.array([2.0]))
    assert (loss, grad[0]) == (8.0, 4.0)
    loss, grad = ExpressionTarget(("a",), parse("3*a")).loss_gradient(np.array([2.0]))
    assert (loss, grad[0]) == (6.0, 3.0)


def test_a_missing_value_leaves_its_row_out():
    holes = ExpressionTarget(NAMES, parse(MICHAELIS), {"x": np.append(X, [np.nan, 1]), "y": np.append(Y, [2, np.nan]),
                                                       "other": np.full(6, np.nan)})  # fmt: skip
    whole = ExpressionTarget(NAMES, parse(MICHAELIS), {"x": X, "y": Y})
    assert holes.loss(THETA) == whole.loss(THETA)
    assert holes.rows == 4


def test_outside_the_domain_the_loss_is_no_number_and_nothing_warns():
    target = ExpressionTarget(("a",), parse("ln(a) + a^0.5 + 1/a"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for a in (-1.0, 0.0, np.nan):
            assert not np.isfinite(target.loss_gradient(np.array([a]))[0])
