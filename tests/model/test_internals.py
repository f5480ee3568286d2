"""The direct route to bngsim's solver against the public one, along walks through models that have what makes them differ."""

from __future__ import annotations

import logging
from pathlib import Path

import bngsim
import numpy as np
import pytest
from bngsim import _codegen

from bnfhmc.errors import InputError
from bnfhmc.expression import ExpressionError
from bnfhmc.model import Failure, load_model
from bnfhmc.model import network as network_module
from bnfhmc.model import plan as plan_module
from bnfhmc.model.internals import PROVED_WITH, Direct, compiled_without_errno, function_texts, not_direct
from bnfhmc.model.plan import Plans
from tests.model.routes import CASES, COUNTER, INFUSION, SEED_WALK, SEEDS

TIMES = np.array([0.0, 0.4, 1.5, 2.0, 4.2, 7.0, 10.0])


def opened(folder, file, text, **options):
    path = folder / file
    path.write_text(text)
    return load_model(path, name="m", **{"rtol": 1e-9, "atol": 1e-10, **options})


def public(model):
    """The model, solved by bngsim's own run alone."""
    model._plans = Plans(model.source)
    model._plans.refused = True
    return model


def pair(folder, file, text):
    return opened(folder, file, text), public(opened(folder, file, text))


def refused(*_):
    raise ExpressionError("not to be read")


def assert_equal(ours, theirs, said, exact=True):
    if exact:
        np.testing.assert_array_equal(ours.y, theirs.y, err_msg=said)
        np.testing.assert_array_equal(ours.dy, theirs.dy, err_msg=said)
    else:
        np.testing.assert_allclose(ours.y, theirs.y, rtol=1e-7, atol=1e-8, err_msg=said)
        np.testing.assert_allclose(ours.dy, theirs.dy, rtol=1e-6, atol=1e-7, err_msg=said)


def test_this_version_of_bngsim_is_one_that_is_proved():
    assert bngsim.__version__.startswith(PROVED_WITH)


def test_models_are_compiled_without_errno_where_the_compiler_has_such_a_word():
    def build(compiler, *files):
        return [compiler, *files]

    assert compiled_without_errno(build)("cc", "m.c") == ["cc", "m.c", "-fno-math-errno"]
    assert compiled_without_errno(build)("cl", "m.c") == ["cl", "m.c"]
    assert "-fno-math-errno" in _codegen._build_compile_cmd(Path("m.c"), Path("m.so"), "-O3")


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("gradient", [True, False], ids=["gradient", "value"])
@pytest.mark.parametrize("closed", [True, False], ids=["closed", "asked"])
def test_equal_to_the_public_route_along_a_walk(tmp_path, monkeypatch, name, gradient, closed):
    case = CASES[name]
    if not closed:
        monkeypatch.setattr(plan_module, "forms_of", refused)
        monkeypatch.setattr(plan_module, "starts_of", refused)
    ours, theirs = pair(tmp_path, case.file, case.text)
    columns, times = case.columns if gradient else (), case.start + TIMES
    for point in case.points:
        got, expected = (model.solve(point, times, case.outputs, columns) for model in (ours, theirs))
        assert_equal(got, expected, str(point), case.exact or not closed)
    assert bool(ours._plans.proved) is case.direct and not ours._plans.refused


@pytest.mark.parametrize("name", [n for n, case in CASES.items() if case.direct])
def test_no_point_but_the_first_takes_the_public_route(tmp_path, monkeypatch, name):
    case = CASES[name]
    model = opened(tmp_path, case.file, case.text)
    model.solve(case.points[0], case.start + TIMES, case.outputs, case.columns)
    monkeypatch.setattr(bngsim.Simulator, "run", lambda *a, **k: pytest.fail("the public route was taken"))
    for point in case.points:
        model.solve(point, case.start + TIMES, case.outputs, case.columns)


@pytest.mark.parametrize("name", [n for n, case in CASES.items() if case.direct])
def test_bngsim_is_asked_only_where_closed_forms_do_not_tell(tmp_path, monkeypatch, name):
    case = CASES[name]
    model = opened(tmp_path, case.file, case.text)
    model.solve(case.points[0], case.start + TIMES, case.outputs, case.columns)
    asked = []
    monkeypatch.setattr(plan_module, "crossings_asked", lambda *a: asked.append(a) or plan_module.Crossings([], [], []))
    for point in case.points[1:]:
        model.solve(point, case.start + TIMES, case.outputs, case.columns)
    apart = [p for p in case.points if p.get("t_on") == p.get("t_off", 0.0)]
    assert bool(asked) is (name == "a schedule that repeats" or bool(apart))


SPECIES = [
    ({}, None),
    ({"A()": 5.0}, None),
    ({"A()": 6.0, "B()": 1.0}, None),
    ({"A()": 3.0}, None),  # what A0 makes of it at the first point
    ({"A()": 5.0}, {"A()": [2.0, 0.0, 0.5]}),
    ({"A()": 5.0, "D()": 2.0}, {"A()": [0.0, 1.0, 0.0], "D()": [3.0, 0.0, 0.0]}),
    ({"A()": 5.0}, {"A()": [0.0, 0.0, 0.0]}),
    ({"A()": 5.0}, None),
]


@pytest.mark.parametrize("columns", [("f", "k", "A0"), ("k", "A()", "A0"), ("A()",)], ids="-".join)
def test_equal_to_the_public_route_where_species_are_set(tmp_path, columns):
    ours, theirs = pair(tmp_path, "m.net", SEEDS)
    for point in SEED_WALK:
        for amounts, seeds in SPECIES:
            if not set(columns) <= {**point, **amounts}.keys() or (seeds and "A()" in columns):
                continue
            rows = {n: np.array(row) for n, row in seeds.items()} if seeds else None
            got, expected = (m.solve({**point, **amounts}, TIMES, tuple("ABCDEF"), columns, rows) for m in (ours, theirs))
            assert_equal(got, expected, str((point, amounts, seeds)))
    assert ours._plans.proved


def test_equal_to_the_public_route_at_rest(network):
    ours, theirs = network("hill.net"), public(network("hill.net"))
    values = {"vmax": 3.0, "K": 2.0, "n": 2.0, "d": 0.4, "X0": 5.0}
    for d in (0.4, 0.35, 0.4):
        got, expected = (m.equilibrate({**values, "d": d}, 1e6, ("X", "Y"), ("vmax", "d", "X0")) for m in (ours, theirs))
        assert_equal(got, expected, str(d))


def test_what_bngsim_refuses_at_a_point_is_refused(tmp_path):
    """Two switch times that coincide and cannot be told apart, as the second is the first and a span of nothing."""
    ours, theirs = pair(tmp_path, "m.net", COUNTER)
    values = {"k": 0.7, "sigma": 2.5, "span": 3.0, "A0": 4.0, "w": 0.3}
    for model in (ours, theirs):
        model.solve(values, TIMES, ("A",), ("sigma", "span"))
        with pytest.raises(InputError, match="cannot be told apart"):
            model.solve({**values, "span": 0.0}, TIMES, ("A",), ("sigma", "span"))
        model.solve(values, TIMES, ("A",), ("sigma", "span"))


def test_a_species_that_is_a_clock_at_one_value_only_takes_the_public_route(tmp_path, monkeypatch, caplog):
    """``one`` is the rate of the counter, and what t reads is the time only while it is 1."""
    ours, theirs = pair(tmp_path, "m.net", COUNTER)
    values = {"k": 0.7, "sigma": 2.5, "one": 1.0}
    with caplog.at_level(logging.INFO, logger="bnfhmc"):
        for one in (1.0, 0.5, 1.0):
            got, expected = (m.solve({**values, "one": one}, TIMES, ("A", "B"), ("k",)) for m in (ours, theirs))
            assert_equal(got, expected, str(one))
    assert not ours._plans.proved
    assert "depends on the parameters" in caplog.text


def test_another_version_takes_the_public_route_and_says_so(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(network_module.bngsim, "__version__", "0.17.0")
    model = opened(tmp_path, "m.net", SEEDS)
    with caplog.at_level(logging.INFO, logger="bnfhmc"):
        solved = model.solve(SEED_WALK[0], TIMES, ("A",), ("A0",))
    assert not isinstance(solved, Failure) and not model._plans.proved
    assert "0.17.0" in caplog.text


def test_a_direct_run_that_differs_is_given_up(tmp_path, monkeypatch, caplog):
    """Were the solver's options to mean something else one day, the first point would tell."""
    ours, theirs = pair(tmp_path, "m.ant", INFUSION)
    monkeypatch.setattr("bnfhmc.model.internals.Direct.cross", lambda *a: None)
    values = CASES["a piecewise input"].points[0]
    with caplog.at_level(logging.WARNING, logger="bnfhmc"):
        for _ in range(3):
            got, expected = (m.solve(values, TIMES, ("D", "C"), ("t_on", "ka")) for m in (ours, theirs))
            assert_equal(got, expected, "")
    assert ours._plans.refused and "differs" in caplog.text


def test_what_is_proved_and_read_is_shared_by_clones(tmp_path, monkeypatch):
    model = opened(tmp_path, "m.net", SEEDS)
    first = model.solve(SEED_WALK[0], TIMES, ("A",), ("A0", "k"))
    monkeypatch.setattr(bngsim.Simulator, "run", lambda *a, **k: pytest.fail("the public route was taken"))
    monkeypatch.setattr(plan_module, "start_rows", lambda *a: pytest.fail("the model was read again"))
    assert_equal(model.clone().solve(SEED_WALK[0], TIMES, ("A",), ("A0", "k")), first, "")


@pytest.mark.parametrize("columns", [(), ("k",)], ids=["value", "gradient"])
def test_a_direct_run_is_given_up_in_time(tmp_path, columns):
    model = opened(tmp_path, "m.net", SEEDS, timeout_s=60.0)
    model.solve(SEED_WALK[0], TIMES, ("A",), columns)
    assert model._plans.proved
    slow = opened(tmp_path, "m.net", SEEDS, timeout_s=1e-9)
    slow._plans = model._plans
    failure = slow.solve(SEED_WALK[0], np.linspace(0, 1e4, 20001), ("A",), columns)
    assert isinstance(failure, Failure) and failure.kind == "timeout"


def counted(solver_run):
    """The steps and the failed error tests of the sensitivities of each run."""
    seen = []

    def run(self, times):
        arrays = solver_run(self, times)
        seen.append((arrays.solver_stats.n_steps, arrays.solver_stats.n_sens_err_test_fails))
        return arrays

    return seen, run


def test_without_error_control_the_sensitivities_choose_no_steps(tmp_path, monkeypatch):
    seen, run = counted(Direct.run)
    monkeypatch.setattr(Direct, "run", run)
    case, steps, slopes = CASES["nothing special"], {}, {}
    for control in (True, False):
        model = opened(tmp_path, case.file, case.text, sensitivity_error_control=control)
        for _ in range(2):
            slopes[control] = model.solve(case.points[0], TIMES, ("B",), case.columns).dy
            model._lane(tuple(case.points[0]), case.columns)._last = None
        assert model._plans.proved
        steps[control] = seen[-1][0]
    assert steps[False] < steps[True]
    np.testing.assert_allclose(slopes[False], slopes[True], rtol=1e-4, atol=1e-6 * np.abs(slopes[True]).max())


def test_a_looser_gradient_leaves_the_value_as_it_is(tmp_path):
    case = CASES["nothing special"]
    tight = opened(tmp_path, case.file, case.text)
    loose = opened(tmp_path, case.file, case.text, gradient_rtol=1e-5, gradient_atol=1e-6)
    assert (tight.rtol, loose.rtol) == (1e-9, 1e-5)
    values = [m.solve(case.points[0], TIMES, ("B",)).y for m in (tight, loose)]
    slopes = [m.solve(case.points[0], TIMES, ("B",), ("kf", "d")).dy for m in (tight, loose)]
    np.testing.assert_array_equal(*values)
    assert 0 < np.abs(slopes[0] - slopes[1]).max() < 1e-3 * np.abs(slopes[0]).max()


@pytest.mark.parametrize("name", ["nothing special", "events"])
def test_staggered_sensitivities_are_those_of_the_public_route(tmp_path, name):
    case, options = CASES[name], {"sensitivity_method": "staggered"}
    ours, theirs = opened(tmp_path, case.file, case.text, **options), public(opened(tmp_path, case.file, case.text, **options))
    usual = opened(tmp_path, case.file, case.text)
    for point in case.points[:3]:
        got, expected, other = (m.solve(point, TIMES, case.outputs, case.columns) for m in (ours, theirs, usual))
        assert_equal(got, expected, str(point))
        assert_equal(got, other, str(point), exact=False)
        assert not np.array_equal(got.dy, other.dy)


def test_difference_quotients_take_the_public_route(tmp_path):
    model = opened(tmp_path, "m.net", SEEDS)
    (lane,) = [model._lane(("k",), ("k",))]
    assert not not_direct(lane.simulator, bngsim.__version__)
    lane.simulator._codegen_sens_rhs_available = False
    assert "difference quotients" in not_direct(lane.simulator, bngsim.__version__)


def test_the_texts_of_functions_are_those_of_the_file(tmp_path):
    model = opened(
        tmp_path, "f.net",
        "begin parameters\n 1 k 2\nend parameters\nbegin functions\n 1 f() k*floor(A)\nend functions\n"
        "begin species\n 1 A() 5\nend species\nbegin reactions\n 1 1 0 f\nend reactions\nbegin groups\n 1 A 1\nend groups\n",
    )  # fmt: skip
    (text,) = function_texts(model.source)
    assert text.replace(" ", "") == "k*floor(A)"
