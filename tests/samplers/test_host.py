"""The host's end of a kernel: counts, and named failures."""

import threading

import numpy as np
import pytest

from bnfhmc.posterior import Evaluation
from bnfhmc.samplers.host import Host, Stopped, Tally
from tests.samplers.targets import Altered, CurvedGaussian, Gaussian, failing

Z = np.array([1.0, 2.0])


def host(change=lambda z, evaluation: evaluation, stop=None):
    return Host(Altered(Gaussian(np.eye(2)), change), stop or threading.Event())


def test_counts_by_phase_and_kind():
    h = host(failing(lambda z: z[0] > 5, "timeout"))
    for z in (Z, Z + 10, Z + 10):
        h.evaluate(z)
    assert (h.gradients, h.failed) == (3, 2)
    assert h.end_phase() == Tally(3, {"timeout": 2})
    h.evaluate(Z)
    assert h.end_phase() == Tally(1, {})


@pytest.mark.parametrize(
    "bad",
    [
        Evaluation(np.nan, np.zeros(2), "ok"),
        Evaluation(np.inf, np.zeros(2), "ok"),
        Evaluation(0.0, np.array([1.0, np.nan]), "ok"),
        Evaluation(0.0, np.array([np.inf, 0.0]), "ok"),
    ],
)
def test_a_value_that_is_no_number_is_a_failure_by_name(bad):
    h = host(lambda z, _: bad)
    logp, grad, status = h.evaluate(Z)
    assert (logp, status) == (-np.inf, "nonfinite")
    np.testing.assert_array_equal(grad, [0.0, 0.0])
    assert h.end_phase().failures == {"nonfinite": 1}


def test_a_failure_reaches_the_kernel_as_minus_infinity_whatever_it_carries():
    h = host(lambda z, _: Evaluation(123.0, np.full(2, np.nan), "solver"))
    logp, grad, status = h.evaluate(Z)
    assert (logp, status) == (-np.inf, "solver")
    np.testing.assert_array_equal(grad, [0.0, 0.0])


def test_a_gradient_of_the_wrong_length_is_a_programming_error():
    h = host(lambda z, _: Evaluation(0.0, np.zeros(3), "ok"))
    with pytest.raises(ValueError, match=r"\(3,\), but there are 2 parameters"):
        h.evaluate(Z)


def test_a_gradient_that_is_a_list_is_an_array_to_the_kernel():
    grad = host(lambda z, _: Evaluation(0.0, [1, 2], "ok")).evaluate(Z).grad
    assert grad.dtype == np.float64
    np.testing.assert_array_equal(grad, [1.0, 2.0])


def test_gradients_too_large_to_be_squared_are_numbers():
    at = host(lambda z, _: Evaluation(0.0, np.array([1e200, -1e200]), "ok")).evaluate(Z)
    assert at.status == "ok"


def test_the_target_may_write_into_what_it_is_given():
    def overwrites(z, evaluation):
        z += 1000.0
        return evaluation

    z = Z.copy()
    host(overwrites).evaluate(z)
    np.testing.assert_array_equal(z, Z)


def test_an_exception_passes_through():
    def raises(z, _):
        raise KeyError("k9")

    with pytest.raises(KeyError):
        host(raises).evaluate(Z)


def test_values_and_curvatures_are_counted_apart():
    h = Host(CurvedGaussian(np.eye(2)), threading.Event())
    assert h.value(Z).logp == h.evaluate(Z).logp == -2.5
    np.testing.assert_array_equal(h.evaluate_curved(Z).curvature().information, np.eye(2))
    assert (h.tally, h.solves) == (Tally(2, {}, 1), 3)
    assert h.value(Z).grad.size == 0


def test_a_target_that_has_neither_is_asked_for_the_gradient():
    h = host()
    assert h.value(Z).logp == h.evaluate_curved(Z).logp == -2.5
    assert h.end_phase() == Tally(2, {}, 0)


def test_it_goes_on_from_what_was_counted():
    h = Host(Gaussian(np.eye(2)), threading.Event(), Tally(5, {"timeout": 2}, 7))
    h.evaluate(Z)
    assert h.tally == Tally(6, {"timeout": 2}, 7) and h.failed == 2


def test_when_stopped_nothing_is_solved_any_more():
    stop, target = threading.Event(), CurvedGaussian(np.eye(2))
    h = Host(target, stop)
    stop.set()
    for solve in (h.evaluate, h.evaluate_curved, h.value):
        with pytest.raises(Stopped):
            solve(Z)
    assert h.solves == len(target.counted) == 0
