"""The remembered initial-value sensitivities against the public route, which works them out at every run."""

import bngsim
import numpy as np
import pytest

from bnfhmc.model import internals
from bnfhmc.model.internals import PROVED_WITH, function_texts, remembering

# Initial amounts that are linear, quadratic, of two parameters, under a condition, derived of derived, and none at all.
NET = """
begin parameters
    1 A0 3
    2 k 0.5
    3 f 0.25
    4 sq A0^2*k
    5 cond if(k>1,A0,2*A0*f)
    6 deep sq+f
    7 jump if(k>1,A0,7)
end parameters
begin species
    1 A() A0
    2 B() sq
    3 C() cond
    4 D() deep
    5 E() 1
    6 F() jump
end species
begin reactions
    1 1 5 k
    2 2 5 k
    3 3 5 f
    4 4 5 k
    5 6 5 f
end reactions
begin groups
    1 A 1
    2 B 2
    3 C 3
    4 D 4
    5 E 5
    6 F 6
end groups
"""
OUTPUTS = [f"observable:{x}" for x in "ABCDEF"]
POINTS = [
    {"A0": 3.0, "k": 0.5, "f": 0.25},
    {"A0": 3.0, "k": 0.5, "f": 0.25},
    {"A0": 3.0, "k": 0.5, "f": 0.5},
    {"A0": 1.0, "k": 0.5, "f": 0.5},
    {"A0": 1.0, "k": 1.5, "f": 0.5},  # the other branch, with the same C(0) = A0 = 2 A0 f
    {"A0": 0.0, "k": 1.5, "f": 0.5},  # where a row is zero
    {"A0": 0.0, "k": 0.7, "f": 0.1},
    {"A0": 2.0, "k": 0.7, "f": 0.0},
    {"A0": 3.0, "k": 0.5, "f": 0.25},
]
COLUMNS = [("A0",), ("k", "A0"), ("f", "k", "A0")]


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "seeds.net"
    path.write_text(NET)
    return bngsim.Model.from_net(str(path))


def sensitivities(model, simulator, point, amounts=None, declared=None):
    model.set_params(point)
    model.reset()
    for name, value in (amounts or {}).items():
        model.set_concentration(name, value)
    if declared is not None:
        model.declare_ic_sensitivity(declared)
    return simulator.run(sample_times=[0.0, 1.0, 4.0], rtol=1e-9, atol=1e-9).output_sensitivities(OUTPUTS)


def both(model, columns):
    """Pairs of (model, simulator): the remembered route and the public one."""
    kinds = remembering(bngsim.Simulator, bngsim.__version__), bngsim.Simulator
    clones = model.clone(), model.clone()
    return [(m, kind(m, method="ode", codegen=True, sensitivity_params=list(columns)))
            for m, kind in zip(clones, kinds, strict=True)]  # fmt: skip


def test_this_version_of_bngsim_is_one_that_is_proved():
    assert bngsim.__version__.startswith(PROVED_WITH)
    assert remembering(bngsim.Simulator, bngsim.__version__) is not bngsim.Simulator


def test_an_unknown_version_takes_the_public_route():
    assert remembering(bngsim.Simulator, "0.17.0") is bngsim.Simulator


@pytest.mark.parametrize("columns", COLUMNS, ids="-".join)
def test_equal_to_the_public_route_along_a_walk(model, columns):
    (ours, fast), (theirs, plain) = both(model, columns)
    for point in POINTS:
        np.testing.assert_array_equal(
            sensitivities(ours, fast, point), sensitivities(theirs, plain, point), err_msg=str(point)
        )


@pytest.mark.parametrize("columns", COLUMNS, ids="-".join)
def test_equal_to_the_public_route_where_species_are_set(model, columns):
    (ours, fast), (theirs, plain) = both(model, columns)
    for point in POINTS:
        for amounts in ({}, {"A()": 5.0}, {"A()": 6.0, "B()": 1.0}, {"A()": point["A0"]}, {}):
            np.testing.assert_array_equal(
                sensitivities(ours, fast, point, amounts),
                sensitivities(theirs, plain, point, amounts),
                err_msg=str((point, amounts)),
            )


@pytest.mark.parametrize("columns", COLUMNS[1:], ids="-".join)
def test_equal_to_the_public_route_where_rows_are_declared(model, columns):
    (ours, fast), (theirs, plain) = both(model, columns)
    for point in POINTS[:3]:
        for declared in ({"A()": {"k": 2.0}}, {"A()": {"k": 3.0}}, {"A()": {}}, {"A()": {"k": 0.5, "A0": 1.0}}, {"A()": {}}):
            np.testing.assert_array_equal(
                sensitivities(ours, fast, point, {"A()": 5.0}, declared),
                sensitivities(theirs, plain, point, {"A()": 5.0}, declared),
                err_msg=str((point, declared)),
            )


def test_rows_are_worked_out_once(model, monkeypatch):
    fast_model, fast = both(model, ("k",))[0]
    worked_out = internals.compute_ic_param_sens_seed
    calls = []
    monkeypatch.setattr(internals, "compute_ic_param_sens_seed", lambda core: calls.append(1) or worked_out(core))
    for _ in range(5):
        sensitivities(fast_model, fast, POINTS[0])
    assert len(calls) == 1
    sensitivities(fast_model, fast, POINTS[3])
    assert len(calls) == 2


def test_the_texts_of_functions_are_those_of_the_file(tmp_path):
    path = tmp_path / "m.net"
    path.write_text(
        "begin parameters\n 1 k 2\nend parameters\nbegin functions\n 1 f() k*floor(A)\nend functions\n"
        "begin species\n 1 A() 5\nend species\nbegin reactions\n 1 1 0 f\nend reactions\nbegin groups\n 1 A 1\nend groups\n"
    )
    (text,) = function_texts(bngsim.Model.from_net(str(path)))
    assert text.replace(" ", "") == "k*floor(A)"
