"""Rank correlations."""

import numpy as np
from scipy.stats import spearmanr

from bnfhmc.report.correlation import most_correlated, rank_correlation

X = np.random.default_rng(0).normal(size=(400, 4))
X[:, 3] = np.exp(X[:, 1]) + 0.01 * X[:, 2]


def test_it_is_spearman_s():
    np.testing.assert_allclose(rank_correlation(X), spearmanr(X).statistic, atol=1e-12)


def test_what_does_not_move_has_none():
    R = rank_correlation(np.c_[X[:, :2], np.ones(400)])
    assert np.all(R[2] == 0) and abs(R[0, 0] - 1.0) < 1e-12
    assert rank_correlation(X[:, :1]).shape == (1, 1)


def test_the_most_correlated_come_in_their_order():
    assert most_correlated(X, 2) == [1, 3]
    assert most_correlated(X, 9) == [0, 1, 2, 3] and most_correlated(X[:, :1]) == [0]
