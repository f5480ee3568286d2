"""Predictions: at the rows of the data and between them, new measurements, threads, failures."""

from dataclasses import replace

import numpy as np
import pytest

from bnfhmc.noise.transform import Initial, Peak
from bnfhmc.posterior import Posterior
from bnfhmc.problem import Experiment, Problem
from bnfhmc.report.predictive import densely, predict, prior_draws, thinned
from tests.report.finished import DOSES, TIMES, TRUE, problem

POSTERIOR = Posterior(problem())
U = POSTERIOR.u_from_theta([*TRUE.values()])


def test_the_model_at_the_measurements():
    found = predict(POSTERIOR, U[None], cores=1)
    np.testing.assert_array_equal(found.predicted[0], POSTERIOR.predicted(U))
    np.testing.assert_array_equal(found.loglik[0], POSTERIOR.pointwise(U))
    assert found.at.tolist() == [0] and not found.failures


def test_curves_and_rows():
    found = predict(POSTERIOR, np.stack([U, U + 0.1]), cores=1)
    a, n, r = found.curves
    assert a.shape == n.shape == (2, 9, 1) and r.shape == (2, 4, 1)
    np.testing.assert_allclose(a[0, :, 0], 10 * np.exp(-0.4 * TIMES))
    np.testing.assert_allclose(n[0, :, 0], 500 * (1 - np.exp(-0.8 * TIMES)))  # k is twice as large under its condition
    np.testing.assert_allclose(r[0, :, 0], 10 * DOSES / (DOSES + 4))
    for rows, expected in zip(found.rows, (TIMES, TIMES, DOSES), strict=True):
        np.testing.assert_array_equal(rows, expected)


def test_new_measurements_scatter_as_the_noise_says():
    found = predict(POSTERIOR, np.repeat(U[None], 4000, axis=0), cores=1)
    mean, new = found.predicted[0], found.replicated
    deviation = new - mean
    assert np.abs(deviation[:, :9].mean(axis=0)).max() < 5 * 0.5 / np.sqrt(4000)
    np.testing.assert_allclose(deviation[:, :9].std(axis=0), 0.5, rtol=0.06)
    np.testing.assert_allclose(new[:, 9:17].var(axis=0), mean[9:17], rtol=0.12)  # Poisson: as large as the mean
    np.testing.assert_allclose(np.log10(new[:, 17:]).std(axis=0), 0.05, rtol=0.06)
    assert np.all(new[:, 9:17] == np.round(new[:, 9:17]))


def test_the_number_of_cores_changes_nothing():
    u = U + 0.05 * np.random.default_rng(0).normal(size=(60, 3))
    one, many = (predict(POSTERIOR, u, cores=c, seed=4) for c in (1, 3))
    np.testing.assert_array_equal(one.replicated, many.replicated)
    np.testing.assert_array_equal(one.curves[1], many.curves[1])
    assert not np.array_equal(one.replicated, predict(POSTERIOR, u, cores=1, seed=5).replicated)


def test_failed_solves_are_left_out_and_counted():
    p = problem()
    hopeless = replace(p.experiments[0], condition=None, name="x")
    closed = p.models["closed"]
    failing = replace_solve(closed, lambda values: values["k"] > 1.0)
    posterior = Posterior(Problem(p.parameters, {"closed": failing}, (hopeless,), p.settings))
    u = np.array([U, U + [0, 1, 0], U])
    found = predict(posterior, u, cores=1)
    assert found.at.tolist() == [0, 2] and dict(found.failures) == {"solver": 1}
    assert found.predicted.shape == (2, 9) and found.curves[0].shape == (2, 9, 1)
    none = predict(posterior, u[1:2], cores=1)
    assert none.predicted.shape == (0, 9) and none.curves[0].shape == (0, 9, 1) and none.at.size == 0


def test_what_takes_too_long_is_not_begun():
    found = predict(POSTERIOR, np.repeat(U[None], 200, axis=0), cores=1, seconds=0.0)
    assert found.at.size < 200 and not found.failures
    whole = predict(POSTERIOR, np.repeat(U[None], 20, axis=0), cores=1, seconds=600.0)
    assert whole.at.tolist() == list(range(20))


def test_an_impossible_scale_is_a_failure():
    found = predict(POSTERIOR, np.array([U, [U[0], U[1], -1.0]]), cores=1)
    assert found.at.tolist() == [0] and dict(found.failures) == {"nonfinite": 1}


def test_densely_keeps_measurements_and_adds_times():
    dense = densely(POSTERIOR.problem, 34)
    posterior = Posterior(dense)
    np.testing.assert_allclose(posterior.predicted(U), POSTERIOR.predicted(U), rtol=1e-12)
    assert posterior.measurements == POSTERIOR.measurements
    assert len(dense.experiments[0].times) > 34 and set(TIMES) <= set(dense.experiments[0].times)
    assert dense.experiments[2] is POSTERIOR.problem.experiments[2]  # a scan


@pytest.mark.parametrize(("transforms", "denser"), [((Initial(),), True), ((Peak(),), False), ((Initial(), Peak()), False)])
def test_densely_leaves_what_would_change(transforms, denser):
    e = POSTERIOR.problem.experiments[0]
    e = replace(e, series=(replace(e.series[0], transforms=transforms),))
    made = densely(replace(POSTERIOR.problem, experiments=(e,))).experiments[0]
    assert (len(made.times) > len(e.times)) == denser


def test_densely_adds_early_times_where_the_data_span_decades():
    e = POSTERIOR.problem.experiments[0]
    times = np.array([0.0, 0.001, 0.1, 100.0])
    e = replace(e, times=times, series=(replace(e.series[0], time_index=np.array([1, 2, 3]), observed=np.ones(3)),))
    made = densely(replace(POSTERIOR.problem, experiments=(e,)), 21).experiments[0]
    assert np.sum(made.times < 0.1) > 8
    steady = Experiment("s", "closed", np.array([np.inf]), ())
    assert densely(replace(POSTERIOR.problem, experiments=(steady,))).experiments[0] is steady


def test_prior_draws():
    u = prior_draws(POSTERIOR, 2000, 1)
    assert u.shape == (2000, 3) and np.array_equal(u, prior_draws(POSTERIOR, 2000, 1))
    assert abs(u[:, 0].mean() - 0.5) < 5 / np.sqrt(2000) and u[:, 1].min() >= -3 and u[:, 2].min() >= 0


def test_thinned():
    assert thinned(5, 10).tolist() == [0, 1, 2, 3, 4]
    assert thinned(4000, 3).tolist() == [0, 2000, 3999]


def replace_solve(closed, fails):
    """The model, failing wherever `fails(values)`."""
    from bnfhmc.model import Failure, FailureKind

    class Failing(type(closed)):
        def solve(self, values, times, outputs, columns=(), seeds=None):
            if fails(values):
                return Failure(FailureKind.SOLVER, "no progress")
            return super().solve(values, times, outputs, columns, seeds)

        def clone(self):
            return Failing(self.formulas, self.quantities, self.amounts)

    return Failing(closed.formulas, closed.quantities, closed.amounts)
