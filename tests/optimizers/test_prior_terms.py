"""Priors as residuals and as curvature."""

import numpy as np
import pytest

from bnfhmc.optimizers.prior_terms import curvature, others_than_rows, rows_of, width
from bnfhmc.prior import PriorVector, make_parameter

GAUSSIAN = (
    make_parameter("a", "normal", {"mean": 1.0, "sd": 2.0}, "lin"),
    make_parameter("b", None, {}, "log10", 1e-2, 1e3),
    make_parameter("c", "normal", {"mean": -1.0, "sd": 0.3}, "log10", lower=0.01),
)
OTHERS = (
    make_parameter("d", "student_t", {"df": 4.0, "location": 1.0, "scale": 0.5}, "ln"),
    make_parameter("e", "gamma", {"shape": 3.0, "scale": 2.0}, "lin"),
    make_parameter("f", "beta", {"alpha": 2.0, "beta": 3.0}, "lin"),
    make_parameter("g", "gumbel", {"location": 0.0, "scale": 2.0}, "lin"),
    make_parameter("h", "logistic", {"location": 0.0, "scale": 1.5}, "lin"),
)


def test_the_rows_are_the_log_density():
    prior = PriorVector(GAUSSIAN)
    rows = rows_of(prior)
    for u in ([0.0, 0.0, -1.5], [4.0, 2.0, 0.5], [1.0, -1.9, -1.0]):
        rho, J = rows.residuals(np.array(u))
        assert 0.5 * rho @ rho + rows.constant == pytest.approx(-prior.logpdf(np.array(u)), rel=1e-12)
        np.testing.assert_allclose(J.T @ rho, -prior.score(np.array(u)), atol=1e-14)


def test_any_other_prior_is_no_row():
    prior = PriorVector((*GAUSSIAN, *OTHERS))
    assert rows_of(prior) is None
    assert [p.name for p in others_than_rows(prior)] == ["d", "e", "f", "g", "h"]


def test_curvature_is_the_slope_of_the_score(quotient):
    prior = PriorVector((*GAUSSIAN, *OTHERS))
    u = np.array([0.5, 1.0, -1.2, 1.3, 4.0, 0.4, 1.0, 0.5])
    slopes = -np.diag(quotient(prior.score, u, 1e-4))
    np.testing.assert_allclose(curvature(prior, u), slopes, rtol=1e-6, atol=1e-8)
    assert curvature(prior, u)[0] == pytest.approx(0.25)


def test_at_the_ends_of_a_support_it_is_one_sided():
    prior = PriorVector((make_parameter("a", "normal", {"mean": 1.0, "sd": 2.0}, "lin", 0.0, 3.0),
                         make_parameter("b", None, {}, "lin", 0.0, 1.0)))  # fmt: skip
    for u in prior.support:
        np.testing.assert_allclose(curvature(prior, u), [0.25, 0.0], rtol=1e-9)


def test_a_kink_does_not_hold_a_parameter_for_good():
    prior = PriorVector((make_parameter("a", "laplace", {"location": 0.0, "scale": 1.0}, "lin"),))
    assert 0 < curvature(prior, np.zeros(1))[0] < 1e5
    assert curvature(prior, np.ones(1))[0] == 0.0


def test_the_width_is_that_of_the_central_half():
    np.testing.assert_allclose(width(PriorVector(GAUSSIAN))[:2], [2 * 2 * 0.6744898, 2.5])
