"""Experiments that ask for one run share it: the numbers are those of each alone, and the solver is asked once."""

from dataclasses import replace

import numpy as np
import pytest

from bnfhmc.expression import parse
from bnfhmc.likelihood import batches, shared_times
from bnfhmc.model.internals import Direct
from bnfhmc.noise import Constant, Normal
from bnfhmc.posterior import Posterior
from bnfhmc.prior import make_parameter
from bnfhmc.problem import Condition, Experiment, Period, Perturbation, Problem, Scan, Series

THETA = {"A0": 8.5, "k1": 0.8, "k2": 0.33, "s": 1.4}


def condition(*changes, name="c"):
    split = (text.split(maxsplit=2) for text in changes)
    return Condition(name, tuple(Perturbation(target, op, parse(value)) for target, op, value in split))


def experiment(name, times, observable="B", **more):
    times = np.array(times, dtype=float)
    n = len(more["scan"].doses) if "scan" in more else len(times)
    observed = 1.0 + 0.3 * np.arange(n)
    s = Series("y", parse(observable), np.arange(n), observed, Normal(), {"sigma": Constant(0.5)})
    return Experiment(name, "m", times, (s,), **more)


def problem(network, *experiments):
    parameters = tuple(make_parameter(n, "normal", {"mean": np.log(v), "sd": 1.0}, "ln") for n, v in THETA.items())
    return Problem(parameters, {"m": network("chain.net", rtol=1e-11, atol=1e-13)}, experiments)


def evaluated(made):
    posterior = Posterior(made)
    u = posterior.u_from_theta(THETA)
    return posterior.loss(u), posterior.loss_gradient(u), posterior.fisher(u), posterior.pointwise(u), posterior.predicted(u)


def assert_as_alone(network, *experiments):
    """What several experiments give together is what each of them gives alone."""
    loss, gradient, fisher, pointwise, predicted = evaluated(problem(network, *experiments))
    alone = [evaluated(problem(network, e)) for e in experiments]
    np.testing.assert_allclose(loss, sum(a[0] for a in alone), rtol=1e-8)
    np.testing.assert_allclose(gradient, sum(a[1] for a in alone), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(fisher, sum(a[2] for a in alone), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(pointwise, np.concatenate([a[3] for a in alone]), rtol=1e-7)
    np.testing.assert_allclose(predicted, np.concatenate([a[4] for a in alone]), rtol=1e-8)


@pytest.fixture
def solves(monkeypatch):
    """The runs of the solver, each by the number of its times."""
    runs, run = [], Direct.run
    monkeypatch.setattr(Direct, "run", lambda self, times: runs.append(len(times)) or run(self, times))
    return runs


def solves_of_one_evaluation(posterior, solves):
    z = posterior.z_from_u(posterior.u_from_theta(THETA))
    posterior.evaluate(z)
    posterior.evaluate(z + 0.01)
    solves.clear()
    posterior.evaluate(z + 0.02)
    return sorted(solves)


SAME = (
    experiment("first", [0, 1, 2, 5], "A"),
    experiment("second", [0, 0.5, 2, 9], "ratio"),
    experiment("third", [0, 3], "A + s*B"),
)


def test_experiments_without_a_condition_share_one_solve(network, solves):
    assert_as_alone(network, *SAME)
    assert solves_of_one_evaluation(Posterior(problem(network, *SAME)), solves) == [7]


def test_conditions_are_alike_by_what_they_change(network, solves):
    faster, also, slower = (condition("k1 * 2", name=n) for n in ("one", "other")), None, condition("k1 / 2")
    one, other = faster
    made = (
        experiment("a", [0, 1, 2], condition=one),
        experiment("b", [0, 1, 4], condition=slower),
        experiment("c", [0, 3, 4], "C", condition=other),
        experiment("d", [0, 2], "C", condition=also),
        experiment("e", [0, 6], "C", condition=condition()),
    )
    assert_as_alone(network, *made)
    assert solves_of_one_evaluation(Posterior(problem(network, *made)), solves) == [3, 3, 5]


def test_what_is_not_alike_is_solved_apart():
    base = experiment("base", [0, 1, 2])
    others = [
        replace(base, times=np.array([0.5, 1.0, 2.0])),
        replace(base, condition=condition("k1 = 1")),
        replace(base, before=condition("k1 = 1")),
        replace(base, before=condition("k1 = 1"), t_max=1e3),
        replace(base, later=(Period(1.0, condition("k1 = 1")),)),
        replace(base, later=(Period(1.5, condition("k1 = 1")),)),
        replace(base, model="another"),
        replace(base, times=np.array([np.inf])),
        replace(base, times=np.array([np.inf])),
        experiment("scan", [], scan=Scan("k1", np.array([1.0, 2.0]), 3.0)),
        experiment("scan", [], scan=Scan("k1", np.array([1.0, 2.0]), 3.0)),
    ]
    assert shared_times([base, *others]) == [None] * 12
    assert sorted(batches([base, *others])) == [[i] for i in range(12)]
    found = shared_times([base, others[0], replace(base, times=np.array([0.0, 1.0, 7.0]))])
    assert found[1] is None
    for times in (found[0], found[2]):
        np.testing.assert_array_equal(times, [0, 1, 2, 7])


def test_those_that_share_follow_one_another():
    rest, other = condition("k1 = 1"), condition("k1 = 2")
    made = [
        experiment("0", [0, 1], before=rest), experiment("1", [0, 1]), experiment("2", [0, 2], before=other),
        experiment("3", [0, 3], before=rest, condition=other), experiment("4", [0, 4]), experiment("5", [0, 5], before=rest),
    ]  # fmt: skip
    assert batches(made) == [[0, 5], [3], [1, 4], [2]]


def test_a_rest_before_several_experiments_is_reached_once(network, solves):
    rest = condition("k1 * 1")
    made = tuple(experiment(str(i), [0, 1, i], before=rest, condition=condition(f"A() = {i}")) for i in (2, 3, 4))
    together = solves_of_one_evaluation(Posterior(problem(network, *made)), solves)
    apart = sum((solves_of_one_evaluation(Posterior(problem(network, e)), solves) for e in made), [])
    assert together == [3, 3, 3, 9] and sorted(apart) == [3, 3, 3, 9, 9, 9]
    assert_as_alone(network, *made)


def test_rows_of_periods_keep_their_quantities(network):
    """The observable reads s, which the later condition changes: what it is differs from row to row."""
    later = (Period(1.5, condition("s * 3")),)
    made = (experiment("a", [0, 1, 2, 3], "s*A", later=later), experiment("b", [0, 2.5], "s*A + B", later=later))
    assert_as_alone(network, *made)


def test_a_run_is_remembered_only_for_the_same_point(network):
    """A point, another, and the first again give the first's numbers, with and without a failure in between."""
    model = network("blowup.net")
    good, bad, times = {"k": 1.0, "X0": 1.0, "n": 2.0}, {"k": 1e3, "X0": 1e6, "n": 2.0}, np.array([0.0, 0.5])
    first = model.solve(good, times, ("X",), ("k",))
    for between in ({**good, "k": 0.5}, bad, {**good, "n": 1.5}):
        model.solve(between, times, ("X",), ("k",))
        again = model.solve(good, times, ("X",), ("k",))
        np.testing.assert_array_equal(first.dy, again.dy)
    longer = model.solve(good, np.array([0.0, 0.5, 0.6]), ("X",), ("k",))
    assert longer.y.shape == (3, 1)


def test_a_remembered_run_is_not_changed_by_who_has_read_it(network):
    model, times = network("chain.net"), np.array([0.0, 1.0])
    first = model.solve(THETA, times, ("A",), ("k1",))
    kept = first.y.copy(), first.dy.copy()
    first.y[:], first.dy[:] = -1.0, -1.0
    again = model.solve(THETA, times, ("A",), ("k1",))
    np.testing.assert_array_equal(again.y, kept[0])
    np.testing.assert_array_equal(again.dy, kept[1])
