"""What a search saves at every solve."""

import numpy as np
import pytest

from bnfhmc.model import Failure, FailureKind
from bnfhmc.model.limits import Tolerances
from bnfhmc.optimizers import Objective, loosening
from tests.optimizers import problems


def test_tolerances_are_looser_by_one_factor_and_never_tighter():
    assert Tolerances(1e-8, 1e-10, 1e-9, 1e-12).loosened(1e-7) == Tolerances(1e-7, pytest.approx(1e-9))
    assert Tolerances(1e-5, 1e-6).loosened(1e-7) == Tolerances(1e-5, 1e-6)


def asked(monkeypatch, price):
    """The limits that a model is asked for when a solve of it is said to take `price` seconds; None for one that times out."""
    posterior = problems.known_sigma()
    model = posterior.problem.models["closed"]
    limits, solve = [], type(model).solve

    def loosened(self, rtol, timeout_s):
        limits.append((rtol, timeout_s))
        return self

    def solved(self, *given, **more):
        return Failure(FailureKind.TIMEOUT, "too long") if price is None else solve(self, *given, **more)

    clock = iter(np.arange(1000.0) * (price or 0.0))
    # A class of its own: Python remembers for good which classes a protocol has once fitted.
    monkeypatch.setattr(model, "__class__", type("Loose", (type(model),), {"loosened": loosened, "solve": solved}))
    monkeypatch.setattr(loosening.time, "perf_counter", lambda: next(clock))
    _, seconds = loosening.loosened(Objective.of(posterior), 1e-7)
    assert seconds == limits[-1][1]
    return limits


@pytest.mark.parametrize(("price", "limits"), [
    (1e-3, [(1e-7, 1.0)]), (0.1, [(1e-7, 1.0), (1e-7, pytest.approx(20.0))]), (None, [(1e-7, 1.0), (1e-7, np.inf)]),
])  # fmt: skip
def test_a_solve_may_take_a_second_or_two_hundred_usual_ones(monkeypatch, price, limits):
    assert asked(monkeypatch, price) == limits


def test_a_python_function_is_left_as_it_is():
    objective = problems.rosenbrock()
    assert loosening.loosened(objective, 1e-7) == (objective, np.inf)
