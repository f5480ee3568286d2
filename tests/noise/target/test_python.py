"""Callable targets: what a function may return, where it may come from, and that nothing runs without permission."""

import re
import sys

import numpy as np
import pytest

from bnfhmc.errors import FailedSolve, InputError
from bnfhmc.noise.target import CallableTarget, load_callable

NAMES = ("b", "a")
THETA = np.array([2.0, 3.0])  # b, a

CODE = '''
from __future__ import annotations
from dataclasses import dataclass
from pathlib import Path

Path(__file__).with_name("it_ran").write_text("")

@dataclass
class Point:
    a: float

def nll(params, data=None):
    return 0.5 * params["a"] ** 2 + params["b"]

def with_gradient(params, data=None):
    p = Point(params["a"])
    return nll(params), {"a": p.a, "b": 1.0}

number = 3
'''


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "fit").mkdir()
    (tmp_path / "fit" / "mine.py").write_text(CODE)
    (tmp_path / "fit" / "deeper").mkdir()
    (tmp_path / "fit" / "deeper" / "too.py").write_text(CODE)
    (tmp_path / "outside.py").write_text(CODE)
    return tmp_path / "fit"


def refused(reference, folder, allow=True):
    with pytest.raises(InputError) as caught:
        load_callable(reference, folder, allow)
    assert len(caught.value.mistakes) == 1
    return str(caught.value)


def ran(folder):
    return [p for p in folder.parent.rglob("it_ran")]


@pytest.mark.parametrize("gradient", [{"a": 3.0, "b": 1.0}, [1.0, 3.0], np.array([1.0, 3.0])], ids=repr)
def test_a_loss_with_its_gradient(gradient):
    target = CallableTarget(NAMES, lambda params, data=None: (params["a"] ** 2 / 2 + params["b"], gradient))
    loss, grad = target.loss_gradient(THETA)
    assert loss == target.loss(THETA) == 6.5
    np.testing.assert_array_equal(grad, [1, 3])
    h = 1e-6
    central = [(target.loss(THETA + s) - target.loss(THETA - s)) / (2 * h) for s in h * np.eye(2)]
    np.testing.assert_allclose(grad, central, rtol=1e-8)


def test_the_function_gets_plain_floats_by_name_and_the_data():
    data = {"d1": {"x": np.arange(3.0)}}

    def nll(params, data=None):
        assert {type(v) for v in params.values()} == {float} and list(params) == ["b", "a"]
        return params["a"] * data["d1"]["x"].sum()

    assert CallableTarget(NAMES, nll, data).loss(THETA) == 9.0


def test_without_a_gradient_there_is_a_loss_but_no_gradient():
    target = CallableTarget(NAMES, lambda params, data=None: np.float32(1.5), label="mine.py:nll")
    assert target.loss(THETA) == 1.5
    with pytest.raises(InputError, match=r"mine.py:nll: gives no gradient.*return \(loss, gradient\)"):
        target.loss_gradient(THETA)


@pytest.mark.parametrize("result, said", [
    (None, "loss of type NoneType"), ("3.0", "loss of type str"), (1j, "loss of type complex"),
    ([1.0, [1.0, 2.0]], "loss of type list"), ((1, 2, 3), "loss of type tuple"), (np.ones(1), "loss of type ndarray"),
    ((None, [1, 2]), "loss of type NoneType"),
    ((1.0, [1.0]), r"shape \(1,\), not \(2,\)"), ((1.0, 2.0), r"shape \(\)"),
    ((1.0, [1.0, None, 3.0]), r"shape \(3,\)"), ((1.0, [1.0, [2.0]]), "no number"),
    ((1.0, ["x", "y"]), "no number"), ((1.0, {"a": 1.0}), "misses or does not know: b"),
    ((1.0, {"a": 1.0, "b": 2.0, "c": 3.0}), "does not know: c"), ((1.0, {"a": 1.0, "b": "q"}), "no number"),
], ids=repr)  # fmt: skip
def test_other_results_are_refused(result, said):
    with pytest.raises(InputError, match=said):
        CallableTarget(NAMES, lambda params, data=None: result).loss_gradient(THETA)


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), ValueError("math domain error"), OverflowError()], ids=repr)
def test_a_point_without_a_value_is_a_failed_solve(error):
    def nll(params, data=None):
        raise error

    with pytest.raises(FailedSolve, match=f"nonfinite: mine: {type(error).__name__}"):
        CallableTarget(NAMES, nll, label="mine").loss_gradient(THETA)


def test_a_defect_of_the_function_passes_through_with_where_it_was():
    with pytest.raises(KeyError) as caught:
        CallableTarget(NAMES, lambda params, data=None: params["c"], label="mine.py:nll").loss(THETA)
    assert caught.value.__notes__ == ["in the objective mine.py:nll, called with {'b': 2.0, 'a': 3.0}"]


def test_a_loss_that_is_not_finite_is_a_value():
    assert CallableTarget(NAMES, lambda params, data=None: float("inf")).loss(THETA) == np.inf


@pytest.mark.parametrize("reference", ["mine.py:nll", "./mine.py:nll", "deeper/too.py:nll", "deeper/../mine.py:nll",
                                       " mine.py : nll "])  # fmt: skip
def test_a_file_in_the_folder_is_loaded(folder, reference):
    path = list(sys.path)
    assert load_callable(reference, folder, True)({"a": 2.0, "b": 1.0}) == 3.0
    assert sys.path == path
    assert len(ran(folder)) == 1


def test_an_absolute_path_into_the_folder_is_as_good(folder):
    target = CallableTarget(NAMES, load_callable(f"{folder}/mine.py:with_gradient", folder, True))
    assert target.loss_gradient(THETA)[0] == 6.5


def test_two_files_of_one_name_do_not_meet(folder):
    (folder / "deeper" / "mine.py").write_text("def nll(params, data=None):\n    return 42.0\n")
    first, second = load_callable("mine.py:nll", folder, True), load_callable("deeper/mine.py:nll", folder, True)
    assert (first({"a": 0.0, "b": 0.0}), second({})) == (0.0, 42.0)
    assert "mine" not in sys.modules


def test_an_installed_module_is_loaded(folder):
    assert load_callable("math:fsum", folder, True)([1.0, 2.0]) == 3.0
    assert load_callable("numpy.linalg:norm", folder, True)([3.0, 4.0]) == 5.0


@pytest.mark.parametrize("reference", ["mine.py:nll", "os:system", "nonsense", "../outside.py:nll"])
def test_nothing_runs_without_permission(folder, reference):
    before = set(sys.modules)
    said = refused(reference, folder, allow=False)
    assert "--allow-callable" in said and reference in said
    assert not ran(folder) and set(sys.modules) == before


@pytest.mark.parametrize("reference, said", [
    ("../outside.py:nll", "outside the configuration's folder"),
    ("deeper/../../outside.py:nll", "outside the configuration's folder"),
    ("/etc/passwd:nll", "outside the configuration's folder"),
    ("/etc/hosts.py:nll", "outside the configuration's folder"),
    ("link.py:nll", "outside the configuration's folder"),
    ("mime.py:nll", "not found.*did you mean 'mine.py'?"),
    ("deeper/:nll", "no .py file"),
    ("deeper.py:nll", "not found"),
    ("fit.conf/x:nll", "no .py file"),
    ("mine.py", "names no function"), ("mine.py:", "names no function"), (":nll", "names no function"),
    ("", "names no function"),
    ("mine.py:nll()", "names no function"), ("mine.py:a.b", "names no function"),
    ("mine.py:with_gradiant", "did you mean 'with_gradient'?"),
    ("mine.py:zzz", r"define 'def zzz\(params, data=None\)'"),
    ("mine.py:number", "no function but int"),
    ("mine.py:__builtins__", "no function but dict"),
    ("mine:nll", "type 'callable = mine.py:nll' for the file beside the configuration"),
    ("no_such_module_here:nll", "module 'no_such_module_here' cannot be loaded: ModuleNotFoundError"),
    (".relative:nll", "neither a module nor"), ("a..b:nll", "neither a module nor"),
    ("a b:nll", "neither a module nor"),
    ("__import__('os'):nll", "neither a module nor"), ("x; import os:nll", "neither a module nor"),
    ("bad\0.py:nll", "no file name|not found"), ("broken.py:nll", "cannot be loaded: SyntaxError"),
    ("leaves.py:nll", "cannot be loaded: SystemExit: 3"), ("raises.py:nll", "cannot be loaded: RuntimeError: no"),
    ("x" * 300 + ".py:nll", "no file name|not found"),
])  # fmt: skip
def test_hostile_and_broken_references(folder, reference, said):
    (folder / "link.py").symlink_to(folder.parent / "outside.py")
    (folder / "broken.py").write_text("def nll(:")
    (folder / "leaves.py").write_text("import sys; sys.exit(3)")
    (folder / "raises.py").write_text("raise RuntimeError('no')")
    (folder / "deeper.py").mkdir()
    before = {n for n in sys.modules if n.startswith("_bnfhmc_callable")}
    message = refused(reference, folder)
    assert re.search(said, message), message
    assert not [p for p in ran(folder) if p.parent == folder.parent]
    if "cannot be loaded" in message:
        assert {n for n in sys.modules if n.startswith("_bnfhmc_callable")} == before
