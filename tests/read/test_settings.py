"""How to run."""

from __future__ import annotations

from pathlib import Path

import pytest


def test_all_settings(folder, fit):
    keys = """population_size = 3
num_warmup = 10
num_samples = 20
target_accept = 0.9
random_seed = 7
output_dir = "out here"
sbml_rtol = 1e-6
sbml_atol = 1E-7
"""
    s = folder.load(fit + keys).settings
    assert (s.method, s.chains, s.num_warmup, s.num_samples, s.target_accept, s.random_seed) == (
        "nuts",
        3,
        10,
        20,
        0.9,
        7,
    )
    assert (s.output_dir, s.rtol, s.atol) == (Path("out here"), 1e-6, 1e-7)


def test_sensitivities_that_are_difference_quotients(folder, fit):
    assert folder.load(fit).settings.sensitivity_fallback == "warn"
    for word in ("warn", "error", "Ignore"):
        assert folder.load(fit + f"sensitivity_fallback = {word}\n").settings.sensitivity_fallback == word.lower()


def test_settings_of_methods_and_of_runs(folder, fit):
    keys = """engine = blackjax
metric = Dense
path_length = 1.5
start = "starts here.txt"
warmup_from = ../earlier
wall_time_fit = 3600
checkpoint_interval = 0
"""
    s = folder.load(fit.replace("nuts", "hmc") + keys).settings
    assert (s.method, s.engine, s.metric, s.path_length) == ("hmc", "blackjax", "dense", 1.5)
    assert (Path(s.start), s.warmup_from) == (folder.path / "starts here.txt", folder.path / "../earlier")
    assert (s.time_limit, s.checkpoint_interval) == (3600.0, 0.0)
    s = folder.load(fit + "executor = dask\nscheduler = tcp://10.0.0.5:8786\n").settings
    assert (s.executor, s.scheduler) == ("dask", "tcp://10.0.0.5:8786")
    for word in ("map", "Prior"):
        assert folder.load(fit + f"start = {word}\n").settings.start == word.lower()
    assert folder.load(fit + "max_tree_depth = 7\n").settings.max_tree_depth == 7


@pytest.mark.parametrize("method", ["hmc", "mala", "fisher_mala", "ensemble", "rwm", "pcn", "auto"])
def test_methods(folder, fit, method):
    assert folder.load(fit.replace("nuts", method)).settings.method == method


@pytest.mark.parametrize(("method", "line", "what"), [
    ("nuts", "path_length = 2", "'path_length = 2' belongs to hmc; delete the line"),
    ("mala", "max_tree_depth = 8", "'max_tree_depth = 8' belongs to nuts; delete the line"),
    ("fisher_mala", "metric = dense", "'metric = dense' belongs to hmc and mala and nuts and pcn and rwm; delete the line"),
    ("rwm", "engine = nutpie", "'engine = nutpie' is not one that rwm has: own; delete the line"),
    ("rwm", "accept_by = value", "'accept_by = value' belongs to fisher_mala and hmc and mala and nuts; delete the line"),
    *[(method, "target_accept = 0.9", "'target_accept = 0.9' belongs to hmc and nuts; delete the line")
      for method in ("mala", "fisher_mala", "rwm", "pcn", "ensemble")],
    ("nuts", "accept_by = energy", "'accept_by = energy': it should be 'gradient' or 'value'"),
    ("nuts", "executor = dask", "'executor = dask' says half of it; type both 'executor = dask' and 'scheduler = <address>'"),
    ("nuts", "scheduler = tcp://h:1",
     "'scheduler = tcp://h:1' says half of it; type both 'executor = dask' and 'scheduler = <address>'"),
    ("nuts", "engine = stan", "'engine = stan': it should be 'own', 'blackjax' or 'nutpie'"),
])  # fmt: skip
def test_settings_of_other_methods_are_refused(folder, fit, method, line, what):
    assert f"fit.conf:8: {what}" in folder.wrong(fit.replace("nuts", method) + line + "\n")


def test_defaults(folder, fit):
    s = folder.load(fit).settings
    assert (s.chains, s.num_warmup, s.num_samples, s.target_accept, s.random_seed) == (4, 1000, 1000, 0.8, None)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("population_size = 0", "'population_size = 0': it should be greater than or equal to 1"),
        ("num_samples = 4.5", "'num_samples' takes a whole number, got '4.5'"),
        ("num_warmup = many", "'num_warmup' takes a whole number, got 'many'"),
        ("target_accept = 2", "'target_accept = 2': it should be less than 1"),
        ("target_accept = nan", "'target_accept' takes a number, got 'nan'"),
        ("random_seed = -1", "'random_seed = -1': it should be greater than or equal to 0"),
        (
            "sbml_atol = auto",
            "'sbml_atol = auto' would change with the state; here a tolerance is one number a model; type sbml_atol = 1e-8",
        ),
        ("sbml_atol = tiny", "'sbml_atol' takes a number, got 'tiny'"),
        ("sensitivity_fallback = stop", "'sensitivity_fallback = stop': it should be 'warn', 'error' or 'ignore'"),
        ("sbml_rtol = 0", "'sbml_rtol = 0': it should be greater than 0"),
        (
            "wall_time_sim = 0",
            "'wall_time_sim' takes the seconds that one solve may take, got '0'; "
            "type a positive number, or delete the line",
        ),
    ],
)
def test_values_that_are_wrong(folder, fit, line, what):
    assert folder.wrong(fit + line) == [f"fit.conf:8: {what}"]


def test_all_of_them_at_once(folder, fit):
    assert len(folder.wrong(fit + "population_size = 0\nnum_samples = 0\ntarget_accept = 3\nrandom_seed = x\n")) == 4


def test_no_fit_type(folder, fit):
    assert folder.wrong(fit.replace("fit_type = nuts\n", "")) == [
        "fit.conf: no fit_type says what to run; type 'fit_type = nuts'"
    ]


def test_unknown_fit_type(folder, fit):
    assert folder.wrong(fit.replace("nuts", "nut")) == [
        "fit.conf:2: unknown fit_type 'nut'; did you mean 'nuts'? type 'fit_type = nuts'"
    ]


def test_job_type_in_either_edition(folder, fit):
    assert folder.load(fit.replace("fit_type", "job_type")).settings.method == "nuts"


def test_a_solve_may_be_given_seconds(folder, fit):
    folder.load(fit + "wall_time_sim = 2\n")
    assert folder.calls["decay"]["timeout_s"] == 2.0
    folder.load(fit)
    assert "timeout_s" not in folder.calls["decay"]


def test_units_of_the_axes(folder, fit):
    assert folder.load(fit).settings.axis_units == {}
    said = folder.load(fit + "axis_units = time = min\n").settings.axis_units
    assert said == {"time": "min"}
    for wrong in ("min", "time = ", "time = min, time = h", "= min"):
        assert folder.wrong(fit + f"axis_units = {wrong}\n") == [
            f"fit.conf:8: 'axis_units' takes a list of NAME = UNIT, …, got '{wrong.strip()}'"
        ]
    assert folder.wrong(fit + "axis_units = tmie = min\n") == [
        "fit.conf:8: 'axis_units' names 'tmie', which is on no axis; did you mean 'time'?"
    ]
