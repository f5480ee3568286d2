"""Edition 1: actions of the .bngl file, time courses, mutants."""

from __future__ import annotations

import numpy as np
import pytest

from bnfhmc.noise.transform import Increments
from bnfhmc.read.bngl_actions import scan_bngl

ONE = """\
fit_type = nuts
model = decay.bngl : d1.exp
objfunc = sos
loguniform_var = k1__FREE 0.01 10
uniform_var = k2 0 1
"""
D1 = 'simulate({method=>"ode",t_start=>0,t_end=>2,n_steps=>2,suffix=>"d1"})\n'
TWO = ONE.replace("d1.exp", "d1.exp, d2.exp")


@pytest.fixture
def old(folder):
    """The folder with a model whose k1 is to be fitted, and a second data file."""
    text = (folder.path / "decay.bngl").read_text().replace("k1 0.5", "k1 k1__FREE")
    folder.write("d2.exp", (folder.path / "d1.exp").read_text())

    def actions(lines: str) -> None:
        folder.write(
            "decay.bngl", f"{text}begin actions\ngenerate_network({{overwrite=>1}})\n{D1}{lines}\nend actions\n"
        )

    actions("")
    folder.actions = actions
    return folder


def changes(experiment):
    return told(experiment.condition)


def told(c):
    return None if c is None else [(p.target, p.op, p.value.constant or p.value.text) for p in c.perturbations]


def test_a_data_file_is_the_simulation_of_its_name(old):
    (e,) = old.load(ONE).experiments
    assert (e.name, e.model, e.condition, e.times.tolist()) == ("d1", "decay", None, [0, 1, 2])
    assert old.calls["decay"]["free"] == {"k1__FREE": pytest.approx(0.01), "k2": 1.0}


def test_values_set_before_a_simulation_are_its_condition(old):
    old.actions("""resetConcentrations(); setParameter("k2", 3)   # twice
setParameter('k2',2*3.5); setConcentration("A()",7)
simulate_ode({t_end=>2,n_steps=>2, \\
  suffix=>"d2",atol=>1e-8})
""")
    a, b = old.load(TWO).experiments
    assert changes(a) is None
    assert (b.name, b.condition.name, changes(b)) == ("d2", "d2", [("k2", "=", 7.0), ("A()", "=", 7.0)])


def test_resets(old):
    old.actions("""resetConcentrations()
setConcentration("A()",7)
setParameter("k2",3)
resetConcentrations()
simulate({method=>"ode",t_end=>2,suffix=>"d2"})
resetConcentrations()
resetParameters()
simulate({method=>"cvode",t_end=>2,suffix=>"d3"})
""")
    old.write("d3.exp", "time A\n1 2\n")
    _, b, c = old.load(TWO.replace("d2.exp", "d2.exp, d3.exp")).experiments
    assert (changes(b), changes(c)) == ([("k2", "=", 3.0)], None)


def test_actions_outside_a_block_and_without_effect(old):
    text = (old.path / "decay.bngl").read_text().replace("begin actions\n", "").replace("end actions\n", "")
    old.write(
        "decay.bngl",
        'version("2.9")\nsetOption("NumberPerQuantityUnit",1)\n'
        + text
        + '\nwriteXML()\nvisualize({type=>"regulatory"});\n',
    )
    assert old.wrong(ONE) == []


RESET = "resetConcentrations()\n"
SECOND = 'simulate({method=>"ode",t_end=>2,suffix=>"d2"})'


@pytest.mark.parametrize(
    ("lines", "line", "what"),
    [
        (
            SECOND,
            24,
            "'simulate' continues from the state that line 23 ended in, and only a simulate with steady_state=>1 can come "
            "before another; put resetConcentrations() before it",
        ),
        (
            RESET + 'simulate({method=>"ssa",t_end=>2,suffix=>"d2"})',
            25,
            "simulate with the method 'ssa' has no gradient; type method=>\"ode\"",
        ),
        (
            RESET + 'simulate_nf({t_end=>2,suffix=>"d2"})',
            25,
            "simulate with the method 'nf' has no gradient; type method=>\"ode\"",
        ),
        (
            RESET + 'simulate({t_end=>2,suffix=>"d2"})',
            25,
            "simulate with the method '' has no gradient; type method=>\"ode\"",
        ),
        (RESET + SECOND.replace("t_end", "t_start=>-1,t_end"), 25, "t_start=>-1 is no start; type t_start=>0"),
        (RESET + SECOND.replace("t_end", "t_start=>3,t_end"), 25, "t_end=>2 lies before t_start=>3; let it end later"),
        (
            RESET + SECOND.replace("t_end", "continue=>1,t_end"),
            25,
            "simulate with continue=>1 is not run here; use method, t_end and suffix",
        ),
        (RESET + SECOND.replace("t_end", "atol=>0,t_end"), 25, "atol=>0 is no tolerance; type atol=>1e-8"),
        (
            RESET + SECOND.replace("simulate", "bifurcate"),
            25,
            "bifurcate follows branches of steady states, and no data are compared with them; use parameter_scan",
        ),
        (
            RESET + "saveConcentrations()\n" + SECOND,
            25,
            "action 'saveConcentrations' is not followed, and may change what comes after it; use "
            "setParameter, setConcentration and resetConcentrations",
        ),
        (
            RESET + 'resetConcentrations("a")\n' + SECOND,
            25,
            "action 'resetConcentrations' is not followed, and may change what comes after it; use "
            "setParameter, setConcentration and resetConcentrations",
        ),
        (
            RESET + 'readFile({file=>"x"})\n' + SECOND,
            25,
            "action 'readFile' is not followed, and may change what comes after it; use "
            "setParameter, setConcentration and resetConcentrations",
        ),
        (
            RESET + "$x = 3\n" + SECOND,
            25,
            "action '$x = 3' is not followed, and may change what comes after it; use "
            "setParameter, setConcentration and resetConcentrations",
        ),
        (
            RESET + 'setParameter("k2","k1*")\n' + SECOND,
            25,
            '\'setParameter("k2","k1*")\' does not set a name to a value; '
            'type setParameter("k", 2) or setConcentration("A()", 2)',
        ),
        (
            RESET + 'setParameter("A0","k2*2")\nsetParameter("k2",3)\n' + SECOND,
            26,
            "'k2' is set after 'A0', whose value names it; set 'k2' first",
        ),
        (RESET + SECOND + "\n" + RESET + SECOND, 27, "another action has the suffix 'd2'; give each its own"),
        (
            RESET + 'setParameter("k7",1)\n' + SECOND,
            26,
            "condition 'd2': model 'decay' has no parameter or species 'k7'",
        ),
        (
            RESET + SECOND.replace("t_end", "atol=>1e-5,t_end"),
            25,
            "the simulations that are fitted have different values of atol; give all of them the same atol",
        ),
    ],
)
def test_actions_that_are_not_run(old, lines, line, what):
    old.actions(lines)
    assert old.wrong(TWO) == [f"decay.bngl:{line}: {what}"]


def test_actions_without_data_are_left_alone(old):
    old.actions('parameter_scan({method=>"ssa",suffix=>"scan"})\nsaveConcentrations()\n' + SECOND)
    assert old.wrong(ONE) == []


def test_tolerances_of_the_actions(old):
    old.actions("")
    text = (old.path / "decay.bngl").read_text().replace("t_end=>2", "t_end=>2,atol=>1e-5,rtol=>1e-4")
    old.write("decay.bngl", text)
    old.load(ONE + "sbml_rtol = 1e-9\n")
    assert (old.calls["decay"]["rtol"], old.calls["decay"]["atol"]) == (1e-4, 1e-5)


def test_data_after_the_end(old):
    old.write("d1.exp", "time A\n1 2\n2 3\n2.5 4\n3 4\n")
    assert old.wrong(ONE) == [
        "d1.exp:4: the time lies after the end of the simulation 'd1', 2; let the simulation end later"
    ]


def test_no_simulation_of_that_name(old):
    old.write("d9.exp", "time A\n1 2\n")
    old.write("xyz.exp", "time A\n1 2\n")
    assert old.wrong(ONE.replace("d1.exp", "d1.exp, d9.exp, xyz.exp")) == [
        "fit.conf:2: model 'decay' has no simulation with the suffix 'd9', the name of the data file; "
        'add simulate({method=>"ode",t_end=>…,suffix=>"d9"}) to its actions',
        "fit.conf:2: model 'decay' has no simulation with the suffix 'xyz', the name of the data file; "
        'add simulate({method=>"ode",t_end=>…,suffix=>"xyz"}) to its actions',
    ]


def test_every_free_name_is_declared(old):
    assert old.wrong(ONE.replace("k1__FREE", "k1")) == [
        "decay.bngl:3: 'k1__FREE' is to be fitted, and the configuration does not declare it; add a parameter "
        "'k1__FREE' to it"
    ]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (
            "model = decay.bngl",
            "'model = decay.bngl' names no data; type 'model = decay.bngl : <data>.exp', or ': none'",
        ),
        ("model = decay.bngl : d1.exp,", "a data file has no name; delete the comma or complete it"),
        ("model = dcay.bngl : d1.exp", "file 'dcay.bngl' not found; did you mean 'decay.bngl'?"),
    ],
)
def test_model_lines_that_are_wrong(old, line, what):
    assert old.wrong(ONE.replace("model = decay.bngl : d1.exp", line)) == [f"fit.conf:2: {what}"]


def test_a_constraint_file(old):
    old.write("d1.prop", "A < 3 always\n")
    (e,) = old.load(ONE.replace("d1.exp", "d1.exp, d1.prop")).experiments
    assert (e.name, [c.text for c in e.constraints], len(e.series)) == ("d1", ["A < 3 always"], 2)


def test_a_model_without_data_and_no_other(old):
    assert old.wrong(ONE.replace("d1.exp", "none")) == [
        "fit.conf: no data are given; type 'experiment: <name>, data: <file>.exp' and edition = 2"
    ]


def test_time_courses_for_models_without_actions(folder):
    folder.write("m.xml", "")
    conf = ONE.replace("decay.bngl", "m.xml").replace("k1__FREE", "k1")
    (e,) = folder.load(
        conf + "time_course = time:60, model:m.xml, suffix:d1, step:2, method:ode, t_start:0\n"
    ).experiments
    assert (e.name, e.model) == ("d1", "m")
    assert folder.wrong(conf + "time_course = time:1.5, suffix:d1\n") == [
        "d1.exp:4: the time lies after the end of the simulation 'd1', 1.5; let the simulation end later"
    ]
    assert folder.wrong(conf) == [
        "fit.conf:2: model 'm' has no simulation with the suffix 'd1', the name of the data file; "
        "type 'time_course = time:<end>, model:m, suffix:d1'"
    ]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("time_course = suffix:d1", "'time_course' takes 'time' as a number, got ''; type 'time:<number>'"),
        ("time_course = time:60, sufix:d1", "'time_course' has no attribute 'sufix'; did you mean 'suffix'?"),
        (
            "time_course = time:60, model:dcay",
            "time_course names the model 'dcay', which is not declared; did you mean 'decay'?",
        ),
        (
            "time_course = time:60, method:ssa",
            "'time_course' with method:ssa has no gradient; type method:ode, or delete it",
        ),
        (
            "time_course = time:1, t_start:2",
            "'time_course' from 2 to 1 by 1 is no course; type 'time:<end>, step:<step>'",
        ),
        (
            "time_course = time:60, steady_state:2",
            "'time_course' with steady_state:2; type steady_state:1 or steady_state:0",
        ),
        ("time_course = time:6\ntime_course = time:7", None),
    ],
)
def test_time_courses_that_are_wrong(old, line, what):
    expected = (
        f"fit.conf:6: {what}"
        if what
        else "fit.conf:7: another time_course has the suffix 'time_course'; give each its own"
    )
    assert old.wrong(ONE + line) == [expected]


STEADY = 'simulate({method=>"ode",steady_state=>1,t_end=>1e5,suffix=>"ss"})\n'


def test_a_steady_state(old):
    old.actions(RESET + STEADY)
    old.write("ss.exp", "time A\ninf 2\n")
    e = old.load(ONE.replace("d1.exp", "d1.exp, ss.exp")).experiments[1]
    assert (e.times.tolist(), e.t_max, e.before, e.series[0].time_index.tolist()) == ([np.inf], 1e5, None, [0])
    old.write("ss.exp", "time A\n5 2\n")
    assert old.wrong(ONE.replace("d1.exp", "d1.exp, ss.exp")) == [
        "ss.exp:1: the data are by time, and the simulation 'ss' is a steady state; give the time inf in the first column"
    ]
    old.write("d1.exp", "time A\ninf 2\n")
    assert old.wrong(ONE) == [
        "d1.exp:1: the data are by time inf, and the simulation 'd1' is a time course; give finite times in the first column"
    ]


def test_a_pre_equilibration(old):
    """What is set before the steady simulate stays set in parameters; amounts are carried by the state."""
    old.actions(RESET + 'setParameter("k2",3)\nsetParameter("A0",4)\nsetConcentration("A()",7)\n' + STEADY
                + 'setParameter("k2","k2*2")\nsetConcentration("B()",1)\n' + SECOND)  # fmt: skip
    e = old.load(TWO).experiments[1]
    assert told(e.before) == [("k2", "=", 3.0), ("A0", "=", 4.0), ("A()", "=", 7.0)]
    assert changes(e) == [("A0", "=", 4.0), ("k2", "=", "k2*2"), ("B()", "=", 1.0)]
    old.write("d2low.exp", "time A\n1 2\n")
    e = old.load(TWO + "mutant = decay low k2*2 : d2low.exp\n").experiments[2]
    assert told(e.before)[0] == changes(e)[0] == ("k2", "*", 2.0)


def test_a_pre_equilibration_of_the_unperturbed_model(old):
    old.actions(RESET + STEADY + SECOND)
    e = old.load(TWO).experiments[1]
    assert (e.before.perturbations, e.condition) == ((), None)


@pytest.mark.parametrize("between", ["", RESET.replace("()", '("x")')])
def test_only_one_steady_state_comes_before(old, between):
    old.actions(RESET + STEADY + STEADY.replace("ss", "ss2") + between + SECOND)
    assert any("only a simulate with steady_state=>1 can come before another" in w for w in old.wrong(TWO))


SCAN = 'parameter_scan({method=>"ode",parameter=>"A0",par_min=>0,par_max=>4,n_scan_pts=>5,t_end=>3,suffix=>"s"})\n'
DOSES = "A0 A B\n3 3 4\n1 5 6\n1 5 nan\n"


@pytest.fixture
def scan(old):
    old.actions(RESET + SCAN)
    old.write("s.exp", DOSES)
    return old


def test_a_scan(scan):
    e = scan.load(ONE.replace("d1.exp", "d1.exp, s.exp")).experiments[1]
    assert (e.scan.quantity, e.scan.doses.tolist(), e.scan.t_end, e.times.size) == ("A0", [1, 3], 3.0, 0)
    assert [s.time_index.tolist() for s in e.series] == [[1, 0, 0], [1, 0]]
    scan.actions(RESET + SCAN.replace("t_end=>3", "t_end=>1e4,steady_state=>1"))
    e = scan.load(ONE.replace("d1.exp", "d1.exp, s.exp")).experiments[1]
    assert (e.scan.t_end, e.t_max) == (None, 1e4)


def test_a_scan_whose_rows_are_looked_at(scan):
    conf = ONE.replace("d1.exp", "s.exp") + "normalization = peak\n"
    e = scan.load(conf).experiments[0]
    assert e.scan.doses.tolist() == [0, 1, 2, 3, 4] and [s.time_index.tolist() for s in e.series] == [[3, 1, 1], [3, 1]]
    scan.write("s.exp", DOSES + "2.5 1 1\n")
    assert scan.wrong(conf) == [
        "s.exp:5: A0 2.5 is no row of the simulation, all of whose rows the normalization looks at; give the simulation a "
        "row there"
    ]


@pytest.mark.parametrize(
    ("old_text", "new", "where", "what"),
    [
        ('parameter=>"A0",', "", "decay.bngl:25", 'parameter_scan names no parameter; type parameter=>"<name>"'),
        ("par_max=>4,", "", "decay.bngl:25", "par_min, par_max and n_scan_pts are no range of doses; type "
         "par_min=>1,par_max=>10,n_scan_pts=>10"),
        ("par_min=>0,par_max=>4,", "", "decay.bngl:25", "parameter_scan names no doses; type par_scan_vals=>[1,2,3], or "
         "par_min, par_max and n_scan_pts"),
        ("t_end=>3,", "", "decay.bngl:25", "parameter_scan does not say when it is read; type t_end=>… or steady_state=>1"),
        ('method=>"ode"', 'method=>"ssa"', "decay.bngl:25", "parameter_scan with the method 'ssa' has no gradient; type "
         'method=>"ode"'),
        ("t_end=>3", "t_end=>3,reset_conc=>0", "decay.bngl:25", "parameter_scan with reset_conc=>0 starts a dose where the "
         "one before it ended; type reset_conc=>1"),
        ("par_max=>4", "par_max=>2", "s.exp:2", "the dose lies after the end of the simulation 's', 2; let the simulation "
         "end later"),
        ("par_min=>0", "par_min=>2", "s.exp:3", "the dose lies before the start of the simulation 's', 2; let the "
         "simulation start earlier"),
        ('"A0"', '"k2"', "s.exp:1", "the data are by 'A0', and the simulation 's' scans 'k2'; name the first column k2"),
    ],
)  # fmt: skip
def test_scans_that_are_wrong(scan, old_text, new, where, what):
    scan.actions(RESET + SCAN.replace(old_text, new))
    assert f"{where}: {what}" in scan.wrong(ONE.replace("d1.exp", "s.exp"))


def test_doses_may_be_listed(scan):
    scan.actions(RESET + SCAN.replace("par_min=>0,par_max=>4,n_scan_pts=>5", "par_scan_vals=>[1, 2,3]"))
    assert scan.load(ONE.replace("d1.exp", "s.exp") + "normalization = peak\n").experiments[0].scan.doses.tolist() == [1, 2, 3]


def test_param_scan_lines(folder):
    folder.write("m.xml", "")
    folder.write("s.exp", DOSES)
    conf = ONE.replace("decay.bngl : d1.exp", "m.xml : s.exp").replace("k1__FREE", "k1")
    line = "param_scan = param:A0, min:1, max:100, step:49.5, time:3, logspace:1, suffix:s\n"
    e = folder.load(conf + line).experiments[0]
    assert (e.scan.quantity, e.scan.doses.tolist(), e.scan.t_end) == ("A0", [1, 3], 3.0)
    folder.write("s.exp", "A0 A\n10 3\n1 5\n")
    e = folder.load(conf + line + "normalization = peak\n").experiments[0]
    assert e.scan.doses == pytest.approx([1, 10, 100])
    assert folder.wrong(conf + line.replace("min:1", "min:0")) == [
        "fit.conf:2: model 'm' has no simulation with the suffix 's', the name of the data file; type 'time_course = "
        "time:<end>, model:m, suffix:s'",
        "fit.conf:6: 'param_scan' from 0 to 100 by 49.5, read at 3, is no scan; type 'min:<dose>, max:<dose>, step:<step>, "
        "time:<end>'",
    ]


def test_a_course_that_starts_later(old):
    old.actions(RESET + SECOND.replace("t_end", "t_start=>0.5,t_end"))
    old.write("d2.exp", "time A\n1 2\n")
    assert old.load(TWO).experiments[1].times.tolist() == [0.5, 1]
    old.write("d2.exp", "time A\n0.25 2\n")
    assert old.wrong(TWO) == [
        "d2.exp:2: the time lies before the start of the simulation 'd2', 0.5; let the simulation start earlier"
    ]


def test_transforms_and_constraints_look_at_all_rows_of_the_simulation(old):
    old.write("d1.exp", "time A\n1 2\n")
    old.write("d1.prop", "A < 3 at 1.25\nd1.A < 4 always\n")
    assert old.load(ONE).experiments[0].times.tolist() == [0, 1]
    assert old.load(ONE + "normalization = init\n").experiments[0].times.tolist() == [0, 1, 2]
    e = old.load(ONE.replace("d1.exp", "d1.exp, d1.prop")).experiments[0]
    assert e.times.tolist() == [0, 1, 1.25, 2] and e.constraints[1].outputs == ("A",)
    e = old.load(ONE.replace("d1.exp", "d1.prop")).experiments[0]
    assert (e.times.tolist(), e.series) == ([0, 1, 1.25, 2], ())
    old.write("d1.prop", "A < 3 at 5\n")
    assert old.wrong(ONE.replace("d1.exp", "d1.prop")) == [
        "d1.prop:1: 'A < 3 at 5' is never asked for: time 5 lies outside the output times, 0 to 2; let the simulation cover "
        "it"
    ]
    old.actions(RESET + SECOND)
    assert old.wrong(TWO + "normalization = init\n") == [
        "fit.conf:2: experiment 'd2': the normalization looks at all rows of its simulation, which does not say them; give "
        "it n_steps (or par_min, par_max and n_scan_pts)"
    ]


def test_the_rows_of_a_simulation_stand_for_the_times_of_data(old):
    """0.1 + 0.2 is the row 0.3 of the simulation, and data times are solved exactly."""
    text = (old.path / "decay.bngl").read_text()
    old.write("decay.bngl", text.replace("t_end=>2,n_steps=>2", "t_end=>0.3,n_steps=>3"))
    old.write("d1.exp", f"time A\n{0.1 + 0.2!r} 2\n")
    conf = ONE + "normalization = init\n"
    assert old.load(conf).experiments[0].times.tolist() == [0, pytest.approx(0.1), pytest.approx(0.2), 0.1 + 0.2]


def test_cumulative_outputs_under_neg_bin_dynamic(old):
    old.outputs = ("A_Cum", "A")
    old.write("d1.exp", "time A_Cum A\n1 2 2\n")
    r = "uniform_var = r__FREE 0.1 1\n"
    conf = ONE.replace("objfunc = sos", "objfunc = neg_bin_dynamic") + r
    got = {s.name: s.transforms for s in old.load(conf).experiments[0].series}
    assert got == {"A_Cum": (Increments(),), "A": ()}
    got = {s.name: s.transforms for s in old.load("edition = 2\n" + conf).experiments[0].series}
    assert got == {"A_Cum": (), "A": ()}


def test_mutants(old):
    old.write("d1low.exp", "time A\n1 2\n")
    old.actions(RESET + 'setParameter("A0",5)\n' + SECOND)
    old.write("d2low.exp", "time A\n1 2\n")
    wild, low, low2 = old.load(
        ONE + "mutant = decay.bngl low k2*2 k1__FREE=0.5 A0 - 1e-3 : d1low.exp, d2low.exp\n"
    ).experiments
    assert (wild.name, wild.condition) == ("d1", None)
    made = [("k2", "*", 2.0), ("k1__FREE", "=", 0.5), ("A0", "-", 1e-3)]
    assert (low.name, low.condition.name, changes(low)) == ("d1low", "low", made)
    assert changes(low2) == [*made, ("A0", "=", 5.0)]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (
            "mutant = decay low k2*2 : d1.exp",
            "data file 'd1.exp' of mutant 'low' is not named after it; "
            "name it <suffix>low.exp, with the suffix of its simulation",
        ),
        (
            "mutant = decay low k2*2 : low.exp",
            "data file 'low.exp' of mutant 'low' is not named after it; "
            "name it <suffix>low.exp, with the suffix of its simulation",
        ),
        (
            "mutant = decay low k2*2 : d7low.exp",
            "model 'decay' has no simulation with the suffix 'd7', the name "
            "of the data file; "
            'add simulate({method=>"ode",t_end=>…,suffix=>"d7"}) to its actions',
        ),
        (
            "mutant = dcay low k2*2 : none",
            "mutant 'low' names the model 'dcay', which is not declared; did you mean 'decay'?",
        ),
        (
            "mutant = decay low : d1low.exp",
            "'mutant = decay low : d1low.exp' is no mutant; "
            "type 'mutant = <model> <name> <id>*<value> : <suffix><name>.exp'",
        ),
        (
            "mutant = decay low k2 : d1low.exp",
            "'mutant = decay low k2 : d1low.exp' is no mutant; "
            "type 'mutant = <model> <name> <id>*<value> : <suffix><name>.exp'",
        ),
        (
            "mutant = decay low k2*2",
            "'mutant = decay low k2*2' is no mutant; type 'mutant = <model> <name> <id>*<value> : <suffix><name>.exp'",
        ),
        (
            "mutant = decay low k2*k3 : d1low.exp",
            "condition 'low': 'k3' in 'k3' is no free parameter and no parameter of model 'decay'",
        ),
        ("mutant = decay low k2=1 k2=2 : none", "condition 'low' sets 'k2' to 1 and to 2; keep one of them"),
        (
            "mutant = decay low k9*2 : d1low.exp",
            "condition 'low': model 'decay' has no parameter or species 'k9'",
        ),
    ],
)
def test_mutants_that_are_wrong(old, line, what):
    for name in ("d1low.exp", "d7low.exp", "low.exp"):
        old.write(name, "time A\n1 2\n")
    assert old.wrong(ONE + line) == [f"fit.conf:6: {what}"]


def test_the_forms_of_edition_1_are_read_in_edition_2(old):
    assert old.load("edition = 2\n" + ONE).experiments[0].name == "d1"


def test_a_quoted_data_file(old):
    assert old.load(ONE.replace("d1.exp", '"d1.exp"')).experiments[0].name == "d1"


def test_the_same_data_name_for_two_models(old):
    old.write("m.xml", "")
    conf = ONE + "model = m.xml : d1.exp\ntime_course = time:60, model:m, suffix:d1\n"
    assert [e.name for e in old.load(conf).experiments] == ["d1", "m.d1"]


def test_scan_of_a_file():
    found = scan_bngl(
        "begin parameters\n 1 a 2 # x__FREE\n b b__FREE\nend "
        'parameters\nsimulate({method=>"ode",suffix=>"a"})\n'
        "generate_network({overwrite=>1, max_stoich=>{A=>4,B=>5}})\n"
    )
    assert (found.free, found.defined) == ({"b__FREE": 3}, {"a", "b"})
    assert [s.suffix for s in found.simulations] == ["a"]
    assert found.network == (6, "max_stoich=>{A=>4,B=>5}")
