"""The band that whole curves of uniform samples stay within."""

import numpy as np
import pytest

from bnfhmc.report.uniformity import excess, leaves_band, uniform_band


@pytest.mark.parametrize("n", [10, 100, 400])
def test_so_many_uniform_samples_stay_within(n):
    rng = np.random.default_rng(n + 1)
    left = np.mean([leaves_band(rng.random(n)) for _ in range(600)])
    assert 0.02 < left < 0.09


@pytest.mark.parametrize("x", [
    np.linspace(0.0, 1.0, 60) ** 2, np.linspace(0.35, 0.65, 60), np.r_[np.linspace(0, 0.1, 30), np.linspace(0.9, 1, 30)],
])  # fmt: skip
def test_what_is_not_uniform_leaves(x):
    assert leaves_band(x)


def test_the_most_uniform_sample_stays():
    assert not leaves_band((np.arange(60) + 0.5) / 60)


def test_the_band_ends_at_the_ends():
    grid, low, high = uniform_band(20)
    assert low[0] == low[-1] == high[0] == high[-1] == 0.0
    assert np.all(low <= 0) and np.all(high >= 0) and np.all(low[1:-1] >= -grid[1:-1] - 1e-12)
    np.testing.assert_allclose(excess(np.array([0.25, 0.75]), np.array([0.0, 0.5, 1.0])), [0.0, 0.0, 0.0])
