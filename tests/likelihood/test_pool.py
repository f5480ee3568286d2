"""Experiments on several threads: the numbers, the failures and the errors are those of one thread."""

import threading
import time

import numpy as np
import pytest

from bnfhmc.errors import InputError
from bnfhmc.likelihood.pool import WORTHWHILE, Pool
from bnfhmc.model.protocol import Failure, FailureKind
from bnfhmc.posterior import Posterior
from tests.likelihood.test_sharing import THETA, condition, experiment, problem

EXPERIMENTS = (
    experiment("plain", [0, 1, 2, 5], "A"),
    experiment("fast", [0, 0.5, 3], "B", condition=condition("k1 * 2.5")),
    experiment("dosed", [0, 2, 9], "C", condition=condition("A() = 4")),
    experiment("again", [0, 4], "ratio"),
    experiment("rested", [0, 1], "B", before=condition("k1 * 3"), condition=condition("A() = 2")),
)


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_the_numbers_are_those_of_one_thread(network, threads):
    alone = Posterior(problem(network, *EXPERIMENTS))
    pooled = Posterior(problem(network, *EXPERIMENTS), threads)
    rng, z0 = np.random.default_rng(3), alone.z_from_u(alone.u_from_theta(THETA))
    for _ in range(6):
        z = z0 + 0.3 * rng.standard_normal(z0.size)
        one, other = alone.evaluate(z), pooled.evaluate(z)
        assert one.logp == other.logp and one.status == other.status == "ok"
        np.testing.assert_array_equal(one.grad, other.grad)
        u = alone.u_from_z(z)
        assert alone.loss(u) == pooled.loss(u)
        np.testing.assert_array_equal(alone.pointwise(u), pooled.pointwise(u))
        np.testing.assert_array_equal(alone.fisher(u), pooled.fisher(u))


def test_a_clone_has_as_many_threads_and_the_same_numbers(network):
    pooled = Posterior(problem(network, *EXPERIMENTS), 2)
    z = pooled.z_from_u(pooled.u_from_theta(THETA))
    clone = pooled.clone()
    assert clone.threads == 2
    assert clone.evaluate(z).logp == pooled.evaluate(z).logp


class Stub:
    """A likelihood that answers after some seconds, and notes who asked."""

    def __init__(self, answer, seconds=0.0, meet=None):
        self.answer, self.seconds, self.meet, self.asked = answer, seconds, meet, []

    def solve(self, theta, gradient):
        self.asked.append(threading.get_ident())
        if self.meet is not None and theta["meet"]:
            self.meet.wait(timeout=30)
        time.sleep(self.seconds)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def pool(*answers, threads=2, **more):
    stubs = [Stub(a, 2 * WORTHWHILE, **more) for a in answers]
    return Pool([stubs] * threads, [[i] for i in range(len(stubs))]), stubs


def test_two_are_solved_at_once():
    """Each waits for the other, once it is known that they take long enough."""
    made, _ = pool("a", "b", meet=threading.Barrier(2))
    assert made.solve({"meet": False}, True) == ["a", "b"]
    assert made.solve({"meet": True}, True) == ["a", "b"]


def test_what_takes_no_time_is_not_handed_over(monkeypatch):
    monkeypatch.setattr("bnfhmc.likelihood.pool.perf_counter", lambda: 0.0)
    stubs = [Stub("a"), Stub("b")]
    made = Pool([stubs] * 2, [[0], [1]])
    for _ in range(3):
        made.solve({"meet": False}, True)
    assert {who for s in stubs for who in s.asked} == {threading.get_ident()}


FAILED = [Failure(FailureKind.SOLVER, str(i)) for i in range(4)]


@pytest.mark.parametrize("failing", [(0,), (3,), (1, 2), (0, 1, 2, 3)])
def test_the_first_failure_in_order_is_the_answer(failing):
    answers = [FAILED[i] if i in failing else str(i) for i in range(4)]
    made, _ = pool(*answers, threads=3)
    for _ in range(4):
        assert made.solve({"meet": False}, True) == FAILED[min(failing)]


def test_order_is_that_of_the_batches():
    stubs = [Stub(FAILED[i]) for i in range(4)]
    assert Pool([stubs], [[2, 3], [0], [1]]).solve({"meet": False}, True) == FAILED[2]
    assert [len(s.asked) for s in stubs] == [0, 0, 1, 0]


@pytest.mark.parametrize("at", [0, 1, 2])
def test_an_error_reaches_the_caller(at):
    answers = ["0", "1", "2"]
    made, stubs = pool(*answers)
    made.solve({"meet": False}, True)
    stubs[at].answer = InputError([])
    with pytest.raises(InputError):
        made.solve({"meet": False}, True)
    stubs[at].answer = answers[at]
    assert made.solve({"meet": False}, True) == answers
