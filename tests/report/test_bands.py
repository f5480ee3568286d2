"""Quantiles over the data, series by series."""

from dataclasses import replace

import numpy as np
import pytest

from bnfhmc.expression import parse
from bnfhmc.noise import Constant, LnNormal, Normal
from bnfhmc.posterior import Posterior
from bnfhmc.problem import Series
from bnfhmc.report.bands import series_fits
from bnfhmc.report.predictive import densely, predict
from tests.report.finished import DOSES, TRUE, laplace, problem

POSTERIOR = Posterior(problem())
DENSE = Posterior(densely(problem(), 40))
U = np.array([POSTERIOR.u_from_z(z) for z in laplace(POSTERIOR, 2, 200).reshape(-1, 3)])
FOUND = predict(DENSE, U, cores=1)
FITS = series_fits(DENSE.problem, FOUND)


def test_every_series_with_its_own_measurements():
    assert [(f.experiment, f.name, f.axis) for f in FITS] == [
        ("decay", "A", "time"), ("counts", "N", "time"), ("dose response", "R", "dose")
    ]  # fmt: skip
    for fit, e in zip(FITS, POSTERIOR.problem.experiments, strict=True):
        np.testing.assert_array_equal(fit.observed, e.series[0].observed)
        np.testing.assert_array_equal(fit.x, e.rows[e.series[0].time_index])
    assert [f.logarithmic for f in FITS] == [False, False, True]


def test_quantiles_are_those_of_the_draws():
    counts = FITS[1]
    np.testing.assert_allclose(counts.new[0], np.quantile(FOUND.replicated[:, 9:17], 0.05, axis=0))
    np.testing.assert_allclose(counts.curve[4], np.quantile(FOUND.curves[1][:, :, 0], 0.95, axis=0))
    np.testing.assert_allclose(counts.predicted, np.median(FOUND.predicted[:, 9:17], axis=0))
    assert np.all(np.diff(counts.new, axis=0) >= 0) and np.all(np.diff(counts.curve, axis=0) >= 0)


def test_outside_and_below():
    new, fit = FOUND.replicated[:, 9:17], FITS[1]
    low, high = np.quantile(new, (0.05, 0.95), axis=0)
    assert fit.outside == int(np.sum((fit.observed < low) | (fit.observed > high)))
    k = 3
    assert fit.below[k] == np.mean(new[:, k] < fit.observed[k]) + 0.5 * np.mean(new[:, k] == fit.observed[k])


def test_bars_where_sigma_is_known():
    assert FITS[0].bars is None and FITS[1].bars is None
    low, high = FITS[2].bars
    np.testing.assert_allclose(low, FITS[2].observed / 10**0.05)
    np.testing.assert_allclose(high, FITS[2].observed * 10**0.05)


@pytest.mark.parametrize(("noise", "expected"), [(Normal(), (3.5, 4.5)), (LnNormal(), (4 / np.exp(0.5), 4 * np.exp(0.5)))])
def test_bars_are_on_the_scale_of_the_noise(noise, expected):
    p = problem()
    series = Series("R", parse("R"), np.array([1]), np.array([4.0]), noise, {"sigma": Constant(0.5)})
    changed = replace(p, experiments=(replace(p.experiments[2], series=(series,)), p.experiments[0]))
    fits = series_fits(changed, predict(Posterior(changed), U[:5], cores=1))
    np.testing.assert_allclose(fits[0].bars[:, 0], expected)
    assert fits[0].x.tolist() == [DOSES[1]]


def test_series_without_measurements_are_left_out():
    p = problem()
    empty = replace(p.experiments[0].series[0], time_index=np.array([], dtype=int), observed=np.array([]))
    changed = replace(p, experiments=(replace(p.experiments[0], series=(empty, *p.experiments[0].series)),))
    posterior = Posterior(changed)
    u = posterior.u_from_theta([*TRUE.values()])
    (fit,) = series_fits(changed, predict(posterior, u[None], cores=1))
    np.testing.assert_array_equal(fit.observed, p.experiments[0].series[0].observed)
