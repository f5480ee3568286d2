"""Constraint files of experiments."""

from __future__ import annotations

import pytest

from bnfhmc.noise.constraint_penalty import Bernoulli, Hinge

DATA = "time A B\n1 10 0\n2 6 3\n"
TEXT = "A < 3 at 1.5 weight 2\n# no more\nB < A always confidence 0.9 tolerance 0.1\n"


@pytest.fixture
def bound(folder, fit):
    """A configuration whose experiment has data and constraints."""
    folder.write("d1.exp", DATA)
    folder.write("c.prop", TEXT)
    return fit.replace("data: d1.exp", "data: d1.exp, c.prop")


@pytest.fixture
def alone(folder, fit):
    """A configuration whose second experiment has constraints only."""
    folder.write("d1.exp", DATA)
    folder.write("c.con", TEXT)
    return fit + "experiment: d2, data: c.con, t_end: 3\n"


def test_they_stand_beside_the_data_and_add_the_times_that_they_name(folder, bound):
    (e,) = folder.load(bound).experiments
    assert [(c.text, c.path, c.line) for c in e.constraints] == [
        ("A < 3 at 1.5 weight 2", folder.path / "c.prop", 1),
        ("B < A always confidence 0.9 tolerance 0.1", folder.path / "c.prop", 3),
    ]
    assert e.times.tolist() == [0, 1, 1.5, 2]
    assert e.series[0].time_index.tolist() == [1, 3]


def test_a_time_that_is_near_a_row_is_that_row(folder, bound):
    folder.write("c.prop", "A < 3 at 1.000001\nA < 3 at 7\n")
    assert folder.load(bound).experiments[0].times.tolist() == [0, 1, 2, 7]


@pytest.mark.parametrize(
    ("fields", "times"),
    [
        ("t_end: 3", [0, 1, 1.5, 2, 3]),
        ("t_end: 3, n_steps: 2", [0, 1.5, 3]),
        ("t_end: 3, t_start: 1, n_steps: 4, type: time_course", [1, 1.5, 2, 2.5, 3]),
        ("t_end: 0.5", [0, 0.5]),
    ],
)
def test_without_data_the_experiment_says_its_rows(folder, alone, fields, times):
    if times[-1] < 1:
        folder.write("c.con", "A < 3 always\n")
    e = folder.load(alone.replace("t_end: 3", fields)).experiments[1]
    assert (e.times.tolist(), e.series, e.name, len(e.constraints)) == (times, (), "d2", 1 + (times[-1] > 1))


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ("", " has constraints and no data, and does not say when it ends; type 't_end: <time>', and 'n_steps: <rows>' for "
         "rows that are not one unit of time apart"),
        (", t_end: 3, t_start: 3", ": t_end 3 does not lie after t_start 3"),
        (", t_end: 3, type: parameter_scan", " has the type 'parameter_scan' and no data that give its rows; add an .exp "
         "file, or delete 'type:'"),
        (", t_end: 1e9", " has too many rows, one unit of time apart; type 'n_steps: <rows>'"),
    ],
)  # fmt: skip
def test_spans_that_are_wrong(folder, alone, fields, what):
    assert folder.wrong(alone.replace(", t_end: 3", fields)) == [f"fit.conf:8: experiment 'd2'{what}"]


def test_under_a_condition_and_a_pre_equilibration(folder, alone):
    more = ", condition: c, preequilibrate: c0\ncondition: c, perturbations: k1 * 2\ncondition: c0, perturbations: A0 = k2\n"
    e = folder.load(alone.rstrip() + more).experiments[1]
    assert (e.condition.name, e.before.name) == ("c", "c0")


def test_names_are_outputs(folder, bound):
    folder.write("c.prop", "AA < 3 always\nd1.A < B at d1.B=3\nd2.A < B always\nA < kd always\n")
    assert folder.wrong(bound) == [
        "c.prop:1: no output of the model is named 'AA'; did you mean 'A'?",
        "c.prop:3: 'd2.A' is an output of another experiment than that of the file, 'd1'; compare outputs of one experiment: "
        "type 'A' in a file of 'd2'",
        "c.prop:4: no output of the model is named 'kd'",
    ]


def test_the_experiments_own_name_may_stand_before_an_output(folder, bound):
    folder.write("c.prop", "d1.A at d1.B=3 < c.B at 2\nd1.A < 2 between d1.A=1, 2 weight 1 altpenalty d1.B < 3\n")
    split, between = folder.load(bound).experiments[0].constraints
    assert split.outputs == ("A", "B")
    assert between.outputs == ("A", "B") and between.penalty.alternative.lesser == "B"


def test_what_is_wrong_in_the_file_comes_with_everything_else(folder, bound):
    folder.write("c.prop", "A < 3 allways\nB > 1 at 99\nB <\n")
    folder.write("d1.exp", "time A\n1 x\n")
    assert folder.wrong(bound + "sead = 3\n") == [
        "fit.conf:8: unknown key 'sead'",
        "c.prop:1: 'allways' stands where a timing should; did you mean 'always'?",
        "c.prop:3: an output or a number is missing",
        "d1.exp:2: 'x' is no number; a missing value is written nan",
    ] or folder.wrong(bound + "sead = 3\n")[1].startswith("c.prop:1:")


def test_files_that_hold_nothing_or_are_not_there(folder, bound):
    folder.write("c.prop", "# nothing\n")
    assert folder.wrong(bound) == [
        "c.prop:1: the file holds no constraint; a constraint is a line such as 'A < B always'"
    ]
    (folder.path / "c.prop").unlink()
    assert folder.wrong(bound) == ["fit.conf:5: file 'c.prop' not found"]


def test_what_would_never_be_asked_for(folder, alone):
    folder.write("c.con", "A < 3 at 5\n")
    assert folder.wrong(alone) == [
        "c.con:1: 'A < 3 at 5' is never asked for: time 5 lies outside the output times, 0 to 3; let the simulation cover it"
    ]


def test_a_steady_state_has_no_times(folder, bound):
    folder.write("d1.exp", "time A\ninf 3\n")
    found = folder.wrong(bound)
    assert len(found) == 1 and found[0].startswith("c.prop:1: 'A < 3 at 1.5 weight 2' is never asked for: time 1.5 lies")
    folder.write("c.prop", "A < B always\n")
    assert len(folder.load(bound).experiments[0].constraints) == 1


def test_a_scan_has_doses_for_times(folder, bound):
    folder.write("d1.exp", "A0 A\n1 3\n2 4\n")
    assert folder.load(bound).experiments[0].scan.doses.tolist() == [1, 1.5, 2]


def test_what_the_normalization_changes_is_not_compared(folder, bound):
    folder.write("c.prop", "A < 3 always\n")
    assert folder.wrong(bound + "normalization A = peak\n") == [
        "c.prop:1: 'A' is normalised in this experiment, and constraints compare what the model gives; put them into an "
        "experiment of their own"
    ]
    assert folder.wrong(bound + "normalization A = scale\n") == []
    assert folder.wrong(bound + "normalization B = peak\n") == []
    folder.write("c.prop", "A < 3 at 1.5\n")
    assert folder.wrong(bound + "normalization B = peak\n") == [
        "c.prop:1: 'A < 3 at 1.5' looks at 1.5, which is no row of experiment 'd1', and the normalization there would change "
        "with one more row; put the constraints into an experiment of their own"
    ]


def test_a_formula_is_no_output(folder, bound):
    folder.write("d1.exp", "time y\n1 3\n")
    folder.write("c.prop", "y < 3 always\n")
    assert folder.wrong(bound + "observable: y, formula: 2*A\n") == [
        "c.prop:1: 'y' is computed by a formula; a constraint compares outputs of the model"
    ]


# the settings of all constraints

SCALE = "parameter: s, prior: exponential, scale: 1\n"


def penalties(folder, conf: str):
    return [c.penalty for c in folder.load(conf).experiments[0].constraints]


def test_settings(folder, bound):
    assert penalties(folder, bound) == [Hinge(2.0), Bernoulli("probit", 0.1, pytest.approx(0.05), 0.95)]
    assert penalties(folder, bound + "constraint_scale = 3\n")[0] == Hinge(6.0)
    assert penalties(folder, bound + "qualitative_loss = Logit\n")[0] == Bernoulli("logit", 0.5)
    made = folder.load(bound + "qualitative_loss = probit\nqualitative_scale = fit s\n" + SCALE).experiments[0].constraints
    assert all(c.scale.expression.names == {"s"} for c in made)
    assert {c.smoothing for c in folder.load(bound + "constraint_smoothing = 0.25\n").experiments[0].constraints} == {0.25}


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("constraint_scale = -1", "'constraint_scale' takes a number from 0 on, got '-1'"),
        ("constraint_smoothing = 0", "'constraint_smoothing' takes a positive width, got '0'"),
        ("qualitative_loss = square", "'qualitative_loss' takes auto | hinge | probit | logit, got 'square'"),
        ("qualitative_scale = 3", "'qualitative_scale' takes 'fit <parameter>', got '3'"),
        ("qualitative_scale = fit k11", "'k11', to be fitted as the scale of all constraints, is no declared parameter; "
         "did you mean 'k1'?"),
    ],
)  # fmt: skip
def test_settings_that_are_wrong(folder, bound, line, what):
    assert folder.wrong(bound + line) == [f"fit.conf:8: {what}"]


def test_settings_that_a_constraint_cannot_take(folder, bound):
    assert folder.wrong(bound + "qualitative_scale = fit s\n" + SCALE) == [
        "c.prop:1: qualitative_scale: a hinge has no scale to fit; type qualitative_loss = probit"
    ]


@pytest.mark.parametrize("line", ["constraint_scale = 2", "qualitative_loss = auto", "qualitative_scale = fit k1",
                                  "constraint_smoothing = 1"])  # fmt: skip
def test_settings_without_constraints(folder, fit, line):
    key = line.split(" ")[0]
    assert folder.wrong(fit + line) == [
        f"fit.conf:8: '{key}' has no effect: no constraint file is given; name a .con or .prop file among the data, or delete "
        "the line"
    ]
