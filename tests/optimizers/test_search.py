"""One start's account: what it counts, what it keeps, and what ends it."""

import threading

import numpy as np
import pytest

from bnfhmc.optimizers.search import Halt, Search
from tests.optimizers import problems


def test_every_solve_counts_and_failures_have_kinds():
    search = Search(problems.holed(), limit=100)
    assert search.value(np.array([-1.0, 0.0])) == np.inf
    assert search.value(np.array([9.0, 0.0])) == np.inf
    value, grad = search.gradient(np.array([-1.0, 0.0]))
    assert value == np.inf and not grad.any()
    assert search.residuals(np.array([-1.0, 0.0])) is None and search.quadratic(np.array([-1.0, 0.0])) is None
    assert np.isfinite(search.value(np.array([1.0, 0.0])))
    found = search.result("done", True)
    assert (found.evaluations, found.gradients, dict(found.failures)) == (6, 3, {"solver": 4, "outside": 1})


def test_the_best_point_is_kept_and_not_the_last():
    search = Search(problems.holed(), limit=100)
    for u in ([0.0, 2.0], [1.0, 1.1], [0.5, 0.0]):
        search.gradient(np.array(u))
    search.value(np.array([1.0, 1.01]))
    found = search.result("done", True)
    np.testing.assert_array_equal(found.u, [1.0, 1.01])
    assert found.value == pytest.approx(0.5 * 0.01**2 + 2 * np.log(5.0))
    np.testing.assert_array_equal(search.base[0], [1.0, 1.1])  # the best one that has derivatives
    assert [n for n, _ in found.history] == [1, 2, 4]
    assert np.all(np.diff([v for _, v in found.history]) < 0)


def test_residuals_are_worth_the_same_f():
    search, u = Search(problems.rosenbrock(), limit=9), np.array([0.3, 0.2])
    search.residuals(u)
    assert search.best_value == pytest.approx(problems.rosenbrock().value(u), rel=1e-14)


def test_it_ends_with_its_limit_its_callback_or_the_run():
    search = Search(problems.holed(), limit=2)
    u = np.array([1.0, 1.0])
    search.value(u)
    search.value(u)
    with pytest.raises(Halt, match="spent"):
        search.value(u)
    told = []
    search = Search(problems.holed(), limit=9, start=4, callback=lambda step: told.append(step) or len(told) == 2)
    search.value(u - 1.0)
    with pytest.raises(Halt, match="callback"):
        search.value(u)
    assert [(s.start, s.evaluations) for s in told] == [(4, 1), (4, 2)]
    assert search.best_value == told[-1].value and told[0].value > told[1].value
    stop = threading.Event()
    stop.set()
    with pytest.raises(Halt, match="interrupted"):
        Search(problems.holed(), limit=9, stop=stop).value(u)
