"""The choice of a method by short chains."""

import numpy as np
import pytest

from bnfhmc.samplers.kernels.nuts import Nuts
from bnfhmc.samplers.kernels.rwm import Rwm
from bnfhmc.samplers.pilot import choose, effective_draws
from tests.samplers.targets import CurvedGaussian, correlated


def autoregressive(phi, n, seed=1):
    rng, x = np.random.default_rng(seed), np.empty(n)
    x[0] = rng.standard_normal() / np.sqrt(1 - phi**2)
    for i in range(1, n):
        x[i] = phi * x[i - 1] + rng.standard_normal()
    return x


@pytest.mark.parametrize("phi", [-0.4, 0.0, 0.5, 0.9])
def test_effective_draws_are_those_of_an_autoregressive_series(phi):
    n = 20_000
    found = np.mean([effective_draws(autoregressive(phi, n, seed)) for seed in range(4)])
    assert found == pytest.approx(n * (1 - phi) / (1 + phi), rel=0.15)


def test_what_does_not_move_is_worth_one_draw():
    assert effective_draws(np.ones(100)) == 1.0


class Priced(CurvedGaussian):
    """Gradients cost so many times what a value does."""

    def __init__(self, cov, price, spent):
        super().__init__(cov)
        self.price, self.spent = price, spent

    def evaluate(self, z):
        self.spent.append(self.price)
        return super().evaluate(z)

    def value(self, z):
        at = super().value(z)
        self.spent[-1] = 1.0  # in place of the price of the gradient behind it
        return at

    def clone(self):
        return Priced(self.cov, self.price, self.spent)


@pytest.mark.parametrize(("price", "best"), [(1.0, "nuts"), (300.0, "rwm")])
def test_the_price_of_a_gradient_decides(price, best, monkeypatch):
    spent = []
    monkeypatch.setattr("bnfhmc.samplers.chain.time.perf_counter", lambda: _total(spent))
    choice = choose({"nuts": Nuts(), "rwm": Rwm()}, Priced(correlated(3), price, spent), 1)
    assert choice.method == best and choice.why.startswith(f"{best} has the most effective draws a second")
    np.testing.assert_allclose(choice.tuning.metric.inverse_mass_matrix, correlated(3), rtol=1.0)


def _total(spent):
    spent[:] = [0.0, sum(spent)]
    return spent[1]
