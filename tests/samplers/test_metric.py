"""The metric: what curvature and windows of draws teach, exact where they can be, and never indefinite."""

import numpy as np
import pytest

from bnfhmc.samplers import metric as metrics
from bnfhmc.samplers.curvature import Curvature
from bnfhmc.samplers.metric import Metric
from tests.samplers.targets import correlated

ILL = np.linalg.qr(np.random.default_rng(1).standard_normal((6, 6)))[0] @ np.diag(np.geomspace(1e-3, 1.0, 6))
COV = ILL @ ILL.T


def moments(z, cov, form="dense", curvature=None, gradients=True):
    """Those of draws from Normal(5, cov)."""
    m = metrics.no_moments(z.shape[1], form)
    for row in z:
        grad = -np.linalg.solve(cov, row - 5.0) if gradients else np.empty(0)
        m = metrics.add(m, row, grad, float(0.5 * (row - 5.0) @ grad) if gradients else 0.0, curvature)
    return m


def draws(n, cov, seed=0):
    return 5.0 + np.random.default_rng(seed).standard_normal((n, len(cov))) @ np.linalg.cholesky(cov).T


def plain(d, form="dense"):
    return metrics.from_scale(np.ones(d), form)


def test_push_and_pull_are_each_others_transpose_in_both_forms():
    r, g = np.array([1.0, -2.0, 0.5]), np.array([0.3, 0.7, -1.1])
    dense = Metric.from_inverse_mass(correlated())
    np.testing.assert_allclose(dense.push(r) @ g, r @ dense.pull(g))
    np.testing.assert_allclose(dense.inverse_mass_matrix, correlated())
    diagonal, same = Metric(np.array([1.0, 2.0, 3.0])), Metric(np.diag([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(diagonal.push(r), same.push(r))
    np.testing.assert_allclose(diagonal.pull(g), same.pull(g))
    assert (diagonal.form, dense.form) == ("diagonal", "dense")


@pytest.mark.parametrize("bad", [np.array([1.0, -1.0]), np.array([[1.0, 2.0], [2.0, 1.0]])])
def test_a_metric_that_is_not_positive_definite_is_refused(bad):
    with pytest.raises(np.linalg.LinAlgError):
        Metric.from_inverse_mass(bad)


def test_moments_are_those_of_the_draws():
    z = draws(50, correlated())
    m = moments(z, correlated())
    np.testing.assert_allclose(m.z, z.mean(axis=0))
    np.testing.assert_allclose(m.zz / 49, np.cov(z.T))
    grad = -(z - 5.0) @ np.linalg.inv(correlated())
    np.testing.assert_allclose(m.gg / 49, np.cov(grad.T))
    lp = 0.5 * np.einsum("ij,ij->i", z - 5.0, grad)
    assert (m.lp, m.lplp / 49) == (pytest.approx(lp.mean()), pytest.approx(lp.var(ddof=1)))


@pytest.mark.parametrize("n", [8, 12, 100])
def test_gradients_tell_a_normal_density_from_as_few_draws_as_it_has_parameters_and_two(n):
    metric = metrics.learnt(moments(draws(n, COV), COV), plain(6))
    np.testing.assert_allclose(np.linalg.eigvals(metric.inverse_mass_matrix @ np.linalg.inv(COV)).real, 1.0, rtol=0.05)


def test_fewer_draws_tell_the_widths_alone():
    z = draws(5, COV)
    metric = metrics.learnt(moments(z, COV), plain(6))
    grad = -(z - 5.0) @ np.linalg.inv(COV)
    np.testing.assert_allclose(metric.inverse_mass_matrix, np.diag(z.std(axis=0) / grad.std(axis=0)))


def test_the_curvature_tells_it_from_two_draws():
    curvature = Curvature(np.linalg.inv(COV), np.zeros(6))
    metric = metrics.learnt(moments(draws(2, COV), COV, curvature=curvature), plain(6))
    eigenvalues = np.linalg.eigvals(metric.inverse_mass_matrix @ np.linalg.inv(COV)).real
    assert eigenvalues.min() > 0.5 and eigenvalues.max() < 2.0


def test_a_curvature_that_is_wrong_is_outvoted_by_the_draws():
    wrong = Curvature(100.0 * np.linalg.inv(COV), np.zeros(6))

    def off(n):
        metric = metrics.learnt(moments(draws(n, COV), COV, curvature=wrong), plain(6))
        return abs(np.log(np.linalg.eigvals(metric.inverse_mass_matrix @ np.linalg.inv(COV)).real)).max()

    assert off(10) > off(100) > off(1000)
    assert off(1000) < 0.5


def test_without_gradients_it_is_the_covariance_drawn_to_the_metric_before():
    z, before = draws(40, correlated()), plain(3)
    metric = metrics.learnt(moments(z, correlated(), gradients=False), before)
    np.testing.assert_allclose(metric.inverse_mass_matrix, (40 * np.cov(z.T) + 5 * np.eye(3)) / 45)


def test_the_metric_does_not_depend_on_the_units_of_a_parameter():
    unit = np.array([1e-6, 1.0, 1e5])
    z, units = draws(60, correlated()) - 5.0, np.outer(unit, unit)
    for curved in (False, True):
        H = np.linalg.inv(correlated())
        one = metrics.learnt(
            moments(5.0 + z, correlated(), curvature=Curvature(H, np.ones(3)) if curved else None), plain(3)
        ).inverse_mass_matrix
        before = metrics.from_scale(unit, "dense")
        scaled = moments(5.0 + z * unit, correlated() * units, curvature=Curvature(H / units, 1 / unit**2) if curved else None)
        np.testing.assert_allclose(metrics.learnt(scaled, before).inverse_mass_matrix, one * units, rtol=1e-6)


def test_a_diagonal_one_has_the_widths_of_draws_and_gradients():
    z, cov = draws(400, np.diag([1.0, 4.0, 100.0])), np.diag([1.0, 4.0, 100.0])
    metric = metrics.learnt(moments(z, cov, "diagonal"), plain(3, "diagonal"))
    np.testing.assert_allclose(metric.inverse_mass_matrix, [1.0, 4.0, 100.0], rtol=1e-6)


@pytest.mark.parametrize("form", ["dense", "diagonal"])
def test_a_window_without_movement_keeps_the_metric(form):
    before = metrics.from_scale(np.array([1.0, 2.0, 3.0]), form)
    m = moments(np.ones((50, 3)), correlated(), form)
    assert metrics.learnt(m, before) is before


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_curvature_that_is_no_number_is_left_out(bad):
    m = moments(draws(20, correlated()), correlated(), curvature=Curvature(np.full((3, 3), bad), np.zeros(3)))
    assert m.curved == 0 and np.isfinite(m.information).all()
    scale = np.array([1.0, 2.0, 3.0])
    metric = metrics.from_curvature(Curvature(np.full((3, 3), bad), np.zeros(3)), scale, "dense")
    np.testing.assert_array_equal(metric.inverse_mass_matrix, np.diag(scale**2))


def test_draws_that_repeat_teach_a_metric_that_is_positive_definite():
    z = np.repeat(draws(3, COV), 10, axis=0)
    assert np.isfinite(metrics.learnt(moments(z, COV), plain(6)).root).all()


@pytest.mark.parametrize("form", ["dense", "diagonal"])
def test_the_first_metric_is_the_inverse_of_the_curvature(form):
    H = np.diag([4.0, 1.0, 100.0])
    metric = metrics.from_curvature(Curvature(H / 2, np.diag(H) / 2), np.ones(3), form)
    assert metric.form == form
    inverse = metric.inverse_mass_matrix
    np.testing.assert_allclose(inverse if form == "diagonal" else np.diag(inverse), [0.25, 1.0, 0.01])


def test_where_nothing_bends_the_density_the_prior_says_how_wide_it_is():
    H = Curvature(np.diag([100.0, 0.0]), np.array([0.0, -1e-3]))
    inverse = metrics.from_curvature(H, np.array([2.0, 5.0]), "dense").inverse_mass_matrix
    np.testing.assert_allclose(inverse, np.diag([0.01, 25.0 / metrics.FLATTEST]), rtol=1e-9)


def test_the_change_between_two_metrics_is_their_largest_ratio_of_widths():
    before, after = np.diag([1.0, 2.0, 3.0]), np.diag([1.0, 2.0, 12.0])
    assert metrics.change(Metric(before), Metric(after)) == pytest.approx(np.log(4.0))
    assert metrics.change(Metric(before), Metric(7.0 * before)) == pytest.approx(0.0, abs=1e-12)
    assert metrics.change(Metric(np.diag(before)), Metric(np.diag(after))) == pytest.approx(np.log(4.0))
