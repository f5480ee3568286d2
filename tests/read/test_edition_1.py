"""Edition 1: actions of the .bngl file, time courses, mutants."""

from __future__ import annotations

import pytest

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
    c = experiment.condition
    return None if c is None else [(p.target, p.op, p.value.constant) for p in c.perturbations]


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
            "'simulate' continues from the state that line 23 ended in, which is not supported yet; "
            "put resetConcentrations() before it",
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
        (
            RESET + SECOND.replace("t_end", "t_start=>1,t_end"),
            25,
            "simulate with t_start=>1 is not supported yet; type t_start=>0",
        ),
        (
            RESET + SECOND.replace("t_end", "continue=>1,t_end"),
            25,
            "simulate with continue=>1 is not supported yet; use simulate with method, t_end and suffix",
        ),
        (
            RESET + SECOND.replace("t_end", "steady_state=>1,t_end"),
            25,
            "simulate with steady_state=>1 is not supported yet; use simulate with method, t_end and suffix",
        ),
        (RESET + SECOND.replace("t_end", "atol=>0,t_end"), 25, "atol=>0 is no tolerance; type atol=>1e-8"),
        (
            RESET + SECOND.replace("simulate", "parameter_scan"),
            25,
            "action 'parameter_scan' is not supported yet; use simulate with time-course data",
        ),
        (
            RESET + SECOND.replace("simulate", "bifurcate"),
            25,
            "action 'bifurcate' is not supported yet; use simulate with time-course data",
        ),
        (
            RESET + "saveConcentrations()\n" + SECOND,
            25,
            "action 'saveConcentrations' is not supported yet; use setParameter and setConcentration",
        ),
        (
            RESET + 'resetConcentrations("a")\n' + SECOND,
            25,
            "action 'resetConcentrations' is not supported yet; use setParameter and setConcentration",
        ),
        (
            RESET + 'readFile({file=>"x"})\n' + SECOND,
            25,
            "action 'readFile' is not supported yet; use setParameter and setConcentration",
        ),
        (
            RESET + "$x = 3\n" + SECOND,
            25,
            "action '$x = 3' is not supported yet; use setParameter and setConcentration",
        ),
        (
            RESET + 'setParameter("k2","k1*2")\n' + SECOND,
            25,
            '\'setParameter("k2","k1*2")\' does not set a '
            "name to a number; "
            'type setParameter("k", 2) or setConcentration("A()", 2)',
        ),
        (RESET + SECOND + "\n" + RESET + SECOND, 27, "another action has the suffix 'd2'; give each its own"),
        (
            RESET + 'setParameter("k7",1)\n' + SECOND,
            26,
            "condition 'd2': model 'decay' has no settable parameter or species 'k7'",
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
    assert old.wrong(ONE.replace("d1.exp", "d1.exp, d1.prop")) == [
        "fit.conf:2: 'd1.prop': constraint files are not supported yet; leave it out"
    ]


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
        ("time_course = suffix:d1", "'time_course' takes its end as a number, got ''; type 'time:<number>'"),
        ("time_course = time:60, sufix:d1", "'time_course' has no attribute 'sufix'; did you mean 'suffix'?"),
        (
            "time_course = time:60, model:dcay",
            "time_course names the model 'dcay', which is not declared; did you mean 'decay'?",
        ),
        (
            "time_course = time:60, method:ssa",
            "'time_course' with method:ssa is not supported yet; type method:ode, or delete it",
        ),
        (
            "time_course = time:60, t_start:1",
            "'time_course' with t_start:1 is not supported yet; type t_start:0, or delete it",
        ),
        (
            "time_course = time:60, steady_state:1",
            "'time_course' with steady_state:1 is not supported yet; type steady_state:0, or delete it",
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
            "type 'mutant = <model> <name> <id>*<number> : <suffix><name>.exp'",
        ),
        (
            "mutant = decay low k2 : d1low.exp",
            "'mutant = decay low k2 : d1low.exp' is no mutant; "
            "type 'mutant = <model> <name> <id>*<number> : <suffix><name>.exp'",
        ),
        (
            "mutant = decay low k2*2",
            "'mutant = decay low k2*2' is no mutant; type 'mutant = <model> <name> <id>*<number> : <suffix><name>.exp'",
        ),
        (
            "mutant = decay low k2*k3 : none",
            "condition 'low': 'k2 * k3' sets a value by k3, which is not supported yet; type a number",
        ),
        ("mutant = decay low k2=1 k2=2 : none", "condition 'low' sets 'k2' to 1 and to 2; keep one of them"),
        (
            "mutant = decay low k9*2 : d1low.exp",
            "condition 'low': model 'decay' has no settable parameter or species 'k9'",
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
