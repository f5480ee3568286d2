"""Model files: declarations, tolerances, what is asked of the loader, and its errors."""

from __future__ import annotations

import pytest

from bnfhmc.errors import InputError, MissingTool, Mistake
from bnfhmc.read import load


def test_what_the_loader_is_asked_for(folder, fit):
    folder.load(fit)
    assert folder.calls["decay"] == {
        "path": folder.path / "decay.bngl",
        "free": {"k1": pytest.approx(0.1), "k2": 1.0},
        "settable": {"k1", "k2"},
        "generate_network": None,
        "rtol": 1e-8,
        "atol": 1e-8,
    }


def test_tolerances_of_the_model_win_over_those_of_all(folder, fit):
    folder.write("other.bngl", (folder.path / "decay.bngl").read_text())
    conf = fit.replace("data: d1.exp", "data: d1.exp, model: decay")
    folder.load(
        conf.replace("model: decay.bngl", "model: decay.bngl, atol: 1e-4, rtol: 1e-3\nmodel: other.bngl")
        + "sbml_rtol = 1e-6\n"
    )
    assert (folder.calls["decay"]["rtol"], folder.calls["decay"]["atol"]) == (1e-3, 1e-4)
    assert (folder.calls["other"]["rtol"], folder.calls["other"]["atol"]) == (1e-6, 1e-8)


def test_what_is_said_of_sensitivities(folder, fit):
    said = "gradient_rtol: 1e-6, gradient_atol: 1e-7, sensitivity_error_control: off, sensitivity_method: simultaneous"
    folder.load(fit.replace("model: decay.bngl", f"model: decay.bngl, {said}"))
    asked = folder.calls["decay"]
    assert (asked["gradient_rtol"], asked["gradient_atol"]) == (1e-6, 1e-7)
    assert (asked["sensitivity_error_control"], asked["sensitivity_method"]) == (False, "simultaneous")


@pytest.mark.parametrize("suffix", [".net", ".xml", ".sbml", ".ant", ".BNGL"])
def test_kinds_of_model_files(folder, fit, suffix):
    folder.write(f"m{suffix}", "begin model")
    assert set(folder.load(fit.replace("decay.bngl", f"m{suffix}")).models) == {"m"}


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (
            "model: decay.bngl, atol: auto",
            "'atol: auto' would change with the state; here a tolerance is one number a model; type atol: 1e-8",
        ),
        (
            "model: decay.bngl, atol: tracking 3",
            "'atol: tracking 3' would change with the state; here a tolerance is one number a model; type atol: 1e-8",
        ),
        (
            "model: decay.bngl, sensitivity_error_control: maybe",
            "'sensitivity_error_control: maybe' is not known; type sensitivity_error_control: on or "
            "sensitivity_error_control: off",
        ),
        ("model: decay.bngl, gradient_rtol: 2",
         "'gradient_rtol: 2' is no tolerance; type a small positive number, such as gradient_rtol: 1e-8"),
        ("model: decay.bngl, rtol: 2", "'rtol: 2' is no tolerance; type a small positive number, such as rtol: 1e-8"),
        (
            "model: decay.bngl, species_atol: A 1e-3",
            "'species_atol:' has no counterpart here; give one 'atol: <number>' for all species of a model",
        ),
        ("model: decay.bngl, rtl: 1e-3", "'model:' has no field 'rtl:'; did you mean 'rtol'?"),
        ("model: dcay.bngl", "file 'dcay.bngl' not found; did you mean 'decay.bngl'?"),
        ("model: dcay.net", "file 'dcay.net' not found"),
        ("model: decay.txt", "'decay.txt' is no model file; model files end in .bngl, .net, .xml, .sbml, .ant"),
        (
            "model: decay.target",
            "'decay.target' is no model file; type 'objective = <target>, …' and no model",
        ),
        (
            "model: decay.bngl, decay.bngl",
            "two models are named 'decay', the first on line 4; name each model once, each with its own file name",
        ),
        (
            "model: decay.bngl, o.net, rtol: 1e-3",
            "tolerances for 2 models at once; give each model its own 'model:' line",
        ),
        ("model: rtol: 1e-3", "'model:' names no file; type 'model: <file>.bngl'"),
    ],
)
def test_declarations_that_are_wrong(folder, fit, line, what):
    assert f"fit.conf:4: {what}" in folder.wrong(fit.replace("model: decay.bngl", line))


def test_no_model(folder, fit):
    assert folder.wrong(fit.replace("model: decay.bngl\n", "")) == [
        "fit.conf: no model is given; type 'model: <file>.bngl'"
    ]


def test_network_options(folder, fit):
    folder.load(fit + "generate_network = max_stoich=>{A=>4,B=>4}, max_iter=>3  # caps\n")
    assert folder.calls["decay"]["generate_network"] == "max_stoich=>{A=>4,B=>4}, max_iter=>3"
    own = (folder.path / "decay.bngl").read_text() + "generate_network({overwrite=>1,max_iter=>3})\n"
    folder.write("decay.bngl", own)
    folder.load(fit)
    assert folder.calls["decay"]["generate_network"] is None
    assert folder.wrong(fit + "generate_network = max_iter=>4\n") == [
        "fit.conf:8: 'generate_network = max_iter=>4' contradicts line 21 of decay.bngl; delete one of the two"
    ]


def test_free_names_of_the_model(folder, fit):
    folder.write(
        "decay.bngl",
        (folder.path / "decay.bngl").read_text().replace("k2 0.2", "k2 k2__FREE").replace("A0 10", "A0 A0__FREE"),
    )
    conf = "\n".join([*fit.splitlines()[:-1], "parameter: k2__FREE, prior: exponential, scale: 1"])
    assert folder.wrong(conf) == [
        "decay.bngl:5: 'A0__FREE' is to be fitted, and the configuration does not declare it; add a parameter "
        "'A0__FREE' to it"
    ]
    assert folder.calls["decay"]["free"]["A0__FREE"] == 1.0
    assert folder.load(conf + "\nparameter: A0__FREE, prior: exponential, scale: 1\n").names[-1] == "A0__FREE"


def test_a_free_name_with_a_value_need_not_be_fitted_in_edition_2(folder, fit):
    folder.write("decay.bngl", (folder.path / "decay.bngl").read_text().replace("A0 10", "A0 A0__FREE\n A0__FREE 10"))
    assert folder.wrong(fit) == []


def test_actions_that_change_the_model_are_not_run_in_edition_2(folder, fit):
    text = (folder.path / "decay.bngl").read_text()
    folder.write("decay.bngl", text + 'simulate({method=>"ssa"})\nsetParameter("k1",3)\nsaveConcentrations()\n')
    assert folder.wrong(fit) == [
        f"decay.bngl:{line}: action '{action}' is not run for 'experiment:' lines; put the change into a "
        f"'condition:' and delete the action"
        for line, action in ((22, "setParameter"), (23, "saveConcentrations"))
    ]


def test_errors_of_the_loader_come_with_all_the_others(folder, fit):
    def fails(path, **more):
        raise InputError([Mistake("cannot be loaded: line 7", "", path), Mistake("odd")])

    folder.loader = fails
    folder.write("d1.exp", "time A\n1 x\n")
    assert folder.wrong(fit + "population_size = 0\n") == [
        "fit.conf:4: odd",
        "fit.conf:8: 'population_size = 0': it should be greater than or equal to 1",
        "d1.exp:2: 'x' is no number; a missing value is written nan",
        "decay.bngl: cannot be loaded: line 7",
    ]


def test_a_missing_tool(folder, fit):
    def lacks(path, **more):
        raise MissingTool("perl is missing: install it")

    path = folder.write("fit.conf", fit)
    with pytest.raises(MissingTool, match="perl is missing"):
        load(path, load_model=lacks)
    folder.loader = lacks
    assert folder.wrong(fit + "population_size = 0\n") == [
        "fit.conf:4: perl is missing: install it",
        "fit.conf:8: 'population_size = 0': it should be greater than or equal to 1",
    ]
