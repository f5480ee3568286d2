"""The host's end of a kernel: counts, named failures, exceptions kept."""

import threading

import numpy as np
import pytest

from bnfhmc.posterior import Evaluation
from bnfhmc.samplers.host import Host, Stopped, Tally
from tests.samplers.targets import Altered, Gaussian, failing

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
    value, grad = h.logp_and_grad(Z)
    assert value == -np.inf
    np.testing.assert_array_equal(grad, [0.0, 0.0])


def test_a_gradient_of_the_wrong_length_is_a_programming_error():
    h = host(lambda z, _: Evaluation(0.0, np.zeros(3), "ok"))
    with pytest.raises(ValueError, match=r"\(3,\), but there are 2 parameters"):
        h.evaluate(Z)


def test_an_exception_is_kept_for_after_the_kernel_and_nothing_is_solved_meanwhile():
    error, calls = KeyError("k9"), []

    def raises(z, _):
        calls.append(z)
        raise error

    h = host(raises)
    assert h.logp_and_grad(Z)[0] == h.logp_and_grad(Z)[0] == -np.inf
    assert len(calls) == 1
    with pytest.raises(KeyError) as caught:
        h.raise_kept()
    assert caught.value is error


def test_no_exception_nothing_raised():
    h = host()
    assert h.logp_and_grad(Z)[0] == -2.5
    h.raise_kept()


def test_when_stopped_nothing_is_solved_any_more():
    stop = threading.Event()
    h = host(stop=stop)
    stop.set()
    with pytest.raises(Stopped):
        h.evaluate(Z)
    assert h.logp_and_grad(Z)[0] == -np.inf
    assert h.gradients == 0
    with pytest.raises(Stopped):
        h.raise_kept()
