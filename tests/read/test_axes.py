"""What experiments are run over: steady states, scans, pre-equilibration, and what an experiment's fields say of it."""

from __future__ import annotations

import numpy as np
import pytest

STEADY = "time A B\ninf 10 2\ninf 9 nan\n"
DOSES = "A0 A B\n3 10 0\n1 6 3\n3 4 nan\n"


def experiment(folder, fit, data: str, fields: str = "", more: str = ""):
    folder.write("d1.exp", data)
    return folder.load(fit.replace("data: d1.exp", f"data: d1.exp{fields}") + more).experiments[0]


def wrong(folder, fit, data: str, fields: str = "", more: str = ""):
    folder.write("d1.exp", data)
    return folder.wrong(fit.replace("data: d1.exp", f"data: d1.exp{fields}") + more)


def test_a_steady_state(folder, fit):
    e = experiment(folder, fit, STEADY)
    assert (e.times.tolist(), e.t_max, e.scan) == ([np.inf], 1e6, None)
    assert [(s.time_index.tolist(), s.observed.tolist()) for s in e.series] == [([0, 0], [10, 9]), ([0], [2])]
    assert experiment(folder, fit, STEADY, ", type: steady_state, t_end: 500").t_max == 500


def test_a_scan_of_steady_states(folder, fit):
    e = experiment(folder, fit, DOSES)
    assert (e.scan.quantity, e.scan.doses.tolist(), e.scan.t_end, e.times.size) == ("A0", [1, 3], None, 0)
    assert e.rows.tolist() == [1, 3]
    assert [s.time_index.tolist() for s in e.series] == [[1, 0, 1], [1, 0]]
    assert "A0" in folder.calls["decay"]["settable"]


def test_a_scan_read_at_a_time(folder, fit):
    assert experiment(folder, fit, DOSES, ", type: parameter_scan, t_end: 4").scan.t_end == 4


def test_a_scan_of_what_the_model_computes(folder, fit):
    assert experiment(folder, fit, DOSES.replace("A0", "kd")).scan.quantity == "kd"


def test_negative_doses(folder, fit):
    assert experiment(folder, fit, "A0 A\n-1 2\n0 3\n").scan.doses.tolist() == [-1, 0]


def test_replicates_of_a_scan(folder, fit):
    folder.write("d2.exp", "A0 A\n2 7\n")
    e = experiment(folder, fit, DOSES, ", d2.exp")
    assert (e.scan.doses.tolist(), e.series[0].time_index.tolist()) == ([1, 2, 3], [2, 0, 2, 1])
    folder.write("d2.exp", "k2 A\n2 7\n")
    assert wrong(folder, fit, DOSES, ", d2.exp") == [
        "d2.exp:1: the first column is 'k2', and 'A0' in d1.exp; the replicates of experiment 'd1' have one first column"
    ]


@pytest.mark.parametrize(
    ("data", "fields", "what"),
    [
        (STEADY, "type: time_course", " has the type 'time_course', and its data the time inf in their first column; delete "
         "'type:', which follows from the data"),
        ("time A\n1 2\n", "type: steady_state", " has the type 'steady_state', and its data finite times in their first "
         "column; delete 'type:', which follows from the data"),
        (DOSES, "type: steady_state", " has the type 'steady_state', and its data doses in their first column; delete "
         "'type:', which follows from the data"),
        ("time A\n1 2\n", "t_end: 5", ": 't_end' has no effect on a time course with data, which ends at its last row; delete "
         "'t_end:'"),
        ("time A\n1 2\n", "t_start: 5", ": 't_start' has no effect, since it is solved at the rows of its data; delete "
         "'t_start:'"),
        (STEADY, "n_steps: 5", ": 'n_steps' has no effect, since it is solved at the rows of its data; delete 'n_steps:'"),
    ],
)  # fmt: skip
def test_fields_that_contradict_the_data(folder, fit, data, fields, what):
    assert wrong(folder, fit, data, f", {fields}") == [f"fit.conf:5: experiment 'd1'{what}"]


def test_a_fixed_pre_equilibration_is_refused(folder, fit):
    (found,) = wrong(folder, fit, "time A\n1 2\n", ", equil_t_end: 5")
    assert found.startswith("fit.conf:5: 'equil_t_end:' (a pre-equilibration of fixed length) is not run")


# pre-equilibration

BEFORE = 'condition: c0, perturbations: A0 * 2, k2 = 3, "A()" = 7\n'


def told(condition):
    return None if condition is None else [(p.target, p.op, p.value.text) for p in condition.perturbations]


def test_what_a_pre_equilibration_set_in_parameters_stays_set(folder, fit):
    e = experiment(folder, fit, "time A\n1 2\n", ", preequilibrate: c0", BEFORE + "experiment: d0, data: d1.exp\n")
    assert told(e.before) == [("A0", "*", "2"), ("k2", "=", "3"), ("A()", "=", "7")]
    assert (e.condition.name, told(e.condition)) == ("c0", [("A0", "*", "2"), ("k2", "=", "3")])


def test_the_condition_comes_after_what_stays(folder, fit):
    more = BEFORE + 'condition: c, perturbations: k2 = 4, "B()" = k1\nexperiment: d0, data: d1.exp\n'
    e = experiment(folder, fit, "time A\n1 2\n", ", preequilibrate: c0, condition: c", more)
    assert told(e.condition) == [("A0", "*", "2"), ("k2", "=", "3"), ("k2", "=", "4"), ("B()", "=", "k1")]
    assert wrong(folder, fit, "time A\n1 2\n", ", preequilibrate: c0, condition: c", more.replace("k2 = 4", "k2 * 4")) == [
        "fit.conf:9: condition 'c': 'k2 * 4' changes what the pre-equilibration 'c0' has changed; type 'k2 = <value>'"
    ]


def test_a_scan_after_a_pre_equilibration(folder, fit):
    more = "condition: c0, perturbations: A0 = 2, k1 * 3\n"
    e = experiment(folder, fit, DOSES, ", preequilibrate: c0", more)
    assert (told(e.before), told(e.condition)) == ([("A0", "=", "2"), ("k1", "*", "3")], [("k1", "*", "3")])


def test_only_species_are_set_before(folder, fit):
    e = experiment(folder, fit, "time A\n1 2\n", ", preequilibrate: c0", 'condition: c0, perturbations: "A()" = 2\n')
    assert e.condition is None and e.before.name == "c0"


def test_an_unknown_pre_equilibration(folder, fit):
    assert wrong(folder, fit, "time A\n1 2\n", ", preequilibrate: c0") == [
        "fit.conf:5: experiment 'd1' is pre-equilibrated under the condition 'c0', which is not given; add 'condition: c0, "
        "perturbations: <id> = <value>'"
    ]


@pytest.mark.parametrize("change", ["A0 = 3", "A0 * 2"])
def test_a_condition_and_a_scan_of_one_quantity(folder, fit, change):
    assert wrong(folder, fit, DOSES, ", condition: c", f"condition: c, perturbations: {change}\n") == [
        "fit.conf:8: condition 'c' changes 'A0', which an experiment under it scans; scan another quantity, or delete "
        "the change"
    ]
    e = experiment(folder, fit, DOSES, ", condition: c", "condition: c, perturbations: k2 * A0\n")
    assert told(e.condition) == [("k2", "*", "A0")]


def test_transforms_look_at_the_rows_of_the_data_and_the_start(folder, fit):
    e = experiment(folder, fit, "time A\n2 2\n1 3\n", "", "normalization = init\n")
    assert (e.times.tolist(), e.series[0].time_index.tolist()) == ([0, 1, 2], [2, 1])
