"""Experiments: times, replicates, columns, renames."""

from __future__ import annotations

import numpy as np
import pytest

from bnfhmc.expression import Name


def test_times_start_at_zero_and_index_the_measurements(folder, fit):
    folder.write("d1.exp", "time A B\n3 30 1\n1 10 nan\n3 31 2\n")
    (e,) = folder.load(fit).experiments
    assert (e.name, e.model, e.condition) == ("d1", "decay", None)
    assert e.times.tolist() == [0, 1, 3]
    a, b = e.series
    assert (a.name, a.observable.node, a.time_index.tolist(), a.observed.tolist()) == (
        "A",
        Name("A"),
        [2, 1, 2],
        [30, 10, 31],
    )
    assert (b.time_index.tolist(), b.observed.tolist()) == ([2, 2], [1, 2])
    assert np.issubdtype(a.time_index.dtype, np.integer)


def test_replicates_are_stacked_over_the_union_of_columns_and_times(folder, fit):
    folder.write("d2.exp", "time B A\n5 7 8\n1 nan 6\n")
    folder.write("d3.exp", "time B\n0.5 9\n")
    (e,) = folder.load(fit.replace("data: d1.exp", "data: d1.exp, d2.exp, d3.exp")).experiments
    assert e.times.tolist() == [0, 0.5, 1, 2, 5]
    a, b = e.series
    assert (a.observed.tolist(), a.time_index.tolist()) == ([10, 6, 4, 8, 6], [0, 2, 3, 4, 2])
    assert (b.observed.tolist(), b.time_index.tolist()) == ([0, 3, 7, 9], [0, 2, 4, 1])


def test_one_measurement_at_time_zero(folder, fit):
    folder.write("d1.exp", "time A\n0 10\n")
    assert folder.load(fit).experiments[0].times.tolist() == [0]


def test_an_output_with_a_name_of_mathematics(folder, fit):
    folder.outputs = ("e", "A")
    folder.write("d1.exp", "time e\n1 2\n")
    assert folder.load(fit).experiments[0].series[0].observable.names == {"e"}


def test_files_are_beside_the_configuration(folder, fit, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    (folder.path / "data").mkdir()
    (folder.path / "d1.exp").rename(folder.path / "data" / "d 1.exp")
    assert folder.load(fit.replace("data: d1.exp", 'data: "data/d 1.exp"')).experiments[0].name == "d1"
    assert folder.load(fit.replace("data: d1.exp", f"data: {folder.path}/data/d 1.exp")).experiments[0].name == "d1"


def test_unmatched_columns(folder, fit):
    folder.write("d1.exp", "time A A_SD BB\n1 2 3 4\n")
    assert folder.wrong(fit) == [
        "d1.exp:1: column 'A_SD' is read by no noise model; delete it, or type 'noise_model A = normal, sigma = "
        "read_exp_file _SD'",
        "d1.exp:1: column 'BB' is no output of the model 'decay'; did you mean 'B'?",
    ]


def test_a_noise_column_that_is_an_output(folder, fit):
    folder.outputs = ("A", "A_SD")
    folder.write("d1.exp", "time A A_SD A_SD_SD\n1 2 3 4\n")
    assert folder.wrong(fit.replace("sos", "chi_sq")) == [
        "d1.exp:1: column 'A_SD' is an output of the model and the noise of another column; rename one of them"
    ]


def test_nothing_measured(folder, fit):
    folder.write("d1.exp", "time A\n1 nan\n")
    assert folder.wrong(fit) == [
        "fit.conf:5: experiment 'd1' has no measurements of the model's outputs; name each column after an "
        "observable or "
        "function of the model"
    ]


def test_renamed_columns_and_their_noise(folder, fit):
    folder.write("d1.exp", "time a a_SD\n1 2 0.5\n")
    (e,) = folder.load(fit.replace("sos", "chi_sq") + "observable: A, column: a\n").experiments
    assert (e.series[0].name, e.series[0].sources["sigma"].values.tolist()) == ("A", [0.5])
    folder.write("d1.exp", "time a A_SD\n1 2 0.25\n")
    (e,) = folder.load(fit.replace("sos", "chi_sq") + "observable: A, column: a\n").experiments
    assert e.series[0].sources["sigma"].values.tolist() == [0.25]


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ("observable: A, column: a", "fit.conf:8: no data file has a column 'a'; did you mean 'A'?"),
        (
            "observable: A",
            "fit.conf:8: 'observable: A' does not name an output and a column; "
            "type 'observable: <model output>, column: <header>' or 'observable: <id>, formula: <expression>'",
        ),
        ("observable: AA, column: A", "fit.conf:8: 'AA' is no output of the model 'decay'; did you mean 'A'?"),
        (
            "observable: f, column: A\nobservable: B, column: A",
            "fit.conf:9: column 'A' is renamed twice; keep one line",
        ),
        (
            "observable: f, column: A\nobservable: f, column: B",
            "fit.conf:9: observable 'f' is renamed twice; keep one line",
        ),
        ("observable: B, column: A", "d1.exp:1: two columns measure 'B', one of them renamed; rename one of them"),
    ],
)
def test_renames_that_are_wrong(folder, fit, lines, what):
    assert folder.wrong(fit + lines) == [what]


@pytest.mark.parametrize(
    ("field", "what"),
    [
        ("method: ssa", ": the method 'ssa' has no gradient; type 'method: ode', or delete the field"),
        ("method: nf", ": the method 'nf' has no gradient; type 'method: ode', or delete the field"),
        ("type: bifurcate", " has the unknown type 'bifurcate'; type time_course, steady_state or parameter_scan"),
        ("t_end: -1", ": 't_end' takes a time after 0, got '-1'"),
        ("t_end: inf", ": 't_end' takes a time after 0, got 'inf'"),
        ("n_steps: 1.5", ": 'n_steps' takes a whole number below 1,000,000, got '1.5'"),
        ("n_steps: 10000000", ": 'n_steps' takes a whole number below 1,000,000, got '10000000'"),
    ],
)
def test_kinds_of_experiment(folder, fit, field, what):
    assert folder.wrong(fit.replace("data: d1.exp", f"data: d1.exp, {field}")) == [
        f"fit.conf:5: experiment 'd1'{what}"
    ]
    assert folder.wrong(fit.replace("data: d1.exp", "data: d1.exp, type: time_course, method: ODE")) == []


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (
            "experiment: d1, data: d1.exp",
            "experiment 'd1' is given twice; list replicates as 'data: a.exp, b.exp' of one experiment",
        ),
        (
            "experiment: d 1, data: d1.exp",
            "'d 1' is no name of an experiment; type 'experiment: <name>, data: <file>.exp'",
        ),
        ("experiment: d2", "experiment 'd2' has no data; type 'experiment: d2, data: <file>.exp'"),
        ("experiment: d2, data: d1.exp, d1.exp", "experiment 'd2' lists 'd1.exp' twice; list each replicate once"),
        (
            "experiment: d2, data: d1.exp, model: dcay.bngl",
            "experiment 'd2' names the model 'dcay.bngl', which is not declared; did you mean 'decay'?",
        ),
        (
            "experiment: d2, data: d1.exp, condition: c",
            "experiment 'd2' is under the condition 'c', which is "
            "not given; "
            "add 'condition: c, perturbations: <id> = <value>'",
        ),
    ],
)
def test_experiments_that_are_wrong(folder, fit, line, what):
    assert folder.wrong(fit + line) == [f"fit.conf:8: {what}"]


def test_several_models(folder, fit):
    folder.write("other.bngl", (folder.path / "decay.bngl").read_text())
    conf = fit.replace("model: decay.bngl", "model: decay.bngl, other.bngl")
    assert folder.wrong(conf) == [
        "fit.conf:5: experiment 'd1' does not say which of 2 models it is for; add 'model: <file>'"
    ]
    named = conf.replace("data: d1.exp", "data: d1.exp, model: other.bngl")
    problem = folder.load(named + "experiment: d2, data: d1.exp, model: decay\n")
    assert [e.model for e in problem.experiments] == ["other", "decay"]
    assert set(problem.models) == {"decay", "other"}


def test_no_experiment(folder, fit):
    assert folder.wrong(fit.replace("experiment: d1, data: d1.exp", "")) == [
        "fit.conf: no data are given; type 'experiment: <name>, data: <file>.exp' and edition = 2"
    ]
