"""Where pieces of a run are worked on."""

import pickle
import sys

import pytest

from bnfhmc.errors import FailedSolve, GradientMismatch, InputError, MissingTool, Mistake
from bnfhmc.samplers.executors import Dask, Local, waited


def doubled(task):
    if task["x"] < 0:
        raise ValueError("negative")
    return 2 * task["x"]


def test_results_come_in_the_order_of_the_tasks():
    assert Local(2).map(doubled, [{"x": x} for x in range(5)], lambda: None) == [0, 2, 4, 6, 8]


def test_results_are_told_as_they_come():
    told = []
    assert Local(2).map(doubled, [{"x": x} for x in range(5)], lambda: None, told.append) == [0, 2, 4, 6, 8]
    assert sorted(told) == [0, 2, 4, 6, 8]


def test_an_exception_is_raised_as_it_is():
    with pytest.raises(ValueError, match="negative"):
        Local(2).map(doubled, [{"x": 1}, {"x": -1}], lambda: None)


def test_an_interrupt_asks_the_pieces_to_end_and_waits_for_them():
    asked, calls = [], []

    def results():
        calls.append(None)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return ["ended"]

    assert waited(results, lambda: asked.append(True)) == ["ended"] and asked == [True]


def test_a_cluster_without_dask_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingTool, match=r"pip install 'bnfhmc\[dask\]'"):
        Dask("tcp://127.0.0.1:1").map(doubled, [], lambda: None)


@pytest.mark.parametrize("error", [
    InputError([Mistake("wrong", "type this", "fit.conf", 3), Mistake("wrong too")]), FailedSolve("solver", "too many steps"),
    GradientMismatch("k: 1 and 2"), MissingTool("install it"),
])  # fmt: skip
def test_what_is_raised_elsewhere_arrives_as_it_is(error):
    there = pickle.loads(pickle.dumps(error))
    assert type(there) is type(error) and str(there) == str(error) and vars(there) == vars(error)
