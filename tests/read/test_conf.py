"""Whole configurations: everything wrong at once, odd files, and no other error than InputError."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bnfhmc.read
from bnfhmc.errors import InputError
from bnfhmc.model.protocol import Model
from bnfhmc.problem import Problem


def test_the_problem(folder, fit):
    problem = folder.load(fit)
    assert isinstance(problem, Problem)
    assert problem.names == ("k1", "k2")
    assert problem.path == folder.path / "fit.conf"
    assert list(problem.models) == ["decay"] and [e.name for e in problem.experiments] == ["d1"]


def test_everything_at_once_in_order(folder, fit):
    folder.write("d1.exp", "time A BB\n1 2 3\n")
    conf = (
        fit.replace("nuts", "dream")
        + "target_acept = 1\nparameter: k9, lower: 0, upper: 1\ncondition: c, perturbations: z = 1\n"
    )
    assert folder.wrong(conf) == [
        "fit.conf:2: 'fit_type = dream' (DREAM(ZS)) is not run here; type 'fit_type = nuts'",
        "fit.conf:8: unknown key 'target_acept'; did you mean 'target_accept'?",
        "fit.conf:9: parameter 'k9' appears in no model and no formula",
        "fit.conf:10: condition 'c': model 'decay' has no parameter or species 'z'",
        "d1.exp:1: column 'BB' is no output of the model 'decay'; did you mean 'B'?",
    ]


def test_data_are_read_whatever_else_is_wrong(folder, fit):
    folder.write("d1.exp", "time A\n1 x\n")
    bad = "d1.exp:2: 'x' is no number; a missing value is written nan"
    for conf in (
        fit.replace("decay.bngl", "dcay.bngl"),
        fit.replace("data: d1.exp", "data: d1.exp, model: other"),
        fit.replace("data: d1.exp", "data: d1.exp, condition: c") + "condition: c, perturbations: k1 = (\n",
        "fit_type = nuts\nmodel = decay.bngl : d1.exp\nuniform_var = k1 0 1\n",
    ):
        found = folder.wrong(conf)
        assert found[-1] == bad and len(found) == 2


def test_any_line_ends_tabs_and_a_byte_order_mark(folder, fit):
    assert folder.wrong(b"\xef\xbb\xbf" + fit.replace("\n", "\r\n").replace(" = ", "\t=\t").encode()) == []
    assert folder.wrong(fit.replace("\n", "\r").encode()) == []


@pytest.mark.parametrize("text", ["", "\n\n", "# only words\n"])
def test_an_empty_file(folder, text):
    assert folder.wrong(text) == ["fit.conf: the file says nothing; it holds lines such as 'fit_type = nuts'"]


def test_files_that_are_not_there(tmp_path):
    (tmp_path / "fit.conf").write_text("")
    for path, what in (
        (tmp_path / "ft.conf", "not found; did you mean 'fit.conf'?"),
        (tmp_path, "is a folder; name a file in it"),
    ):
        for read in (bnfhmc.read.load, bnfhmc.read.read_conf):
            with pytest.raises(InputError) as error:
                read(path)
            assert str(error.value).endswith(what) and len(error.value.mistakes) == 1


def test_no_utf8(folder):
    assert folder.wrong(b"fit_type = nuts\noutput_dir = \xe4\n") == [
        "fit.conf:2: no UTF-8 text (byte 0xe4); save the file as UTF-8"
    ]


def test_the_path_of_a_mistake_is_the_one_given(folder, fit, monkeypatch):
    folder.write("fit.conf", fit + "x = 1\n")
    monkeypatch.chdir(folder.path)
    with pytest.raises(InputError, match=r"^fit\.conf:8: unknown key 'x'"):
        bnfhmc.read.load("fit.conf", load_model=folder.loader)


def test_read_conf_opens_no_other_file(folder, fit):
    (folder.path / "decay.bngl").unlink()
    conf = bnfhmc.read.read_conf(folder.write("fit.conf", fit))
    assert (conf.edition, [s.line for s in conf.statements]) == (2, [1, 2, 3, 4, 5, 6, 7])
    assert [s.value for s in conf.records("parameter")][0].startswith("k1, prior: uniform")
    assert conf.one("objfunc", "objective").value == "sos"
    with pytest.raises(InputError, match="fit.conf:8: unknown key"):
        bnfhmc.read.read_conf(folder.write("fit.conf", fit + "seeed = 1\n"))


def test_the_model_of_the_program_is_the_default(folder, fit):
    pytest.importorskip("bngsim", reason="the simulator bngsim is not installed")
    net = """begin parameters
  1 k1 0.5
  2 k2 0.2
end parameters
begin species
  1 A() 10
  2 B() 0
end species
begin reactions
  1 1 2 k1
  2 2 0 k2
end reactions
begin groups
  1 A 1
  2 B 2
end groups
"""
    folder.write("decay.net", net)
    problem = bnfhmc.read.load(folder.write("fit.conf", fit.replace("decay.bngl", "decay.net")))
    model: Model = problem.models["decay"]
    assert {"k1", "k2", "A()"} <= set(model.quantities) and {"A", "B"} <= set(model.outputs)


PIECES = [
    "prediction_formula ",
    "normalization A = floor, ",
    "preequilibrate: c",
    "measurement_params: p.tsv",
    "noiseParameter1_A",
    "objective = banana, a = 1\n",
    "t_end: 1",
    "A < B at 2",
    "parameter_scan({",
    "inf",
    "=",
    ":",
    ",",
    '"',
    "#",
    "(",
    ")",
    "{",
    "\n",
    "\t",
    " ",
    "-",
    "1e999",
    "nan",
    "inf",
    "__FREE",
    "é",
    "\0",
    "\\",
    "k1",
    "parameter: ",
    "condition: c, perturbations: ",
    "experiment: e, data: ",
    "noise_model A = ",
    "model = ",
    "~",
    "/",
    ";",
    "formula ",
    "fit ",
    "mutant = decay m k1*2 : ",
    "=>",
    "time A\n",
    "simulate({",
    "0",
    "9" * 400,
]
EDITS = st.lists(
    st.tuples(st.integers(0, 2**16), st.integers(0, 12), st.sampled_from(["", *PIECES])), min_size=1, max_size=6
)


def mangled(text: str, edits: list[tuple[int, int, str]]) -> str:
    """The text with some of its pieces cut out and others put in."""
    for at, cut, put in edits:
        at %= len(text) + 1
        text = text[:at] + put + text[at + cut :]
    return text


OLD = """fit_type = nuts
objfunc = chi_sq_dynamic
model = decay.bngl : d1.exp, s.exp
mutant = decay m k2*k1 : d1m.exp, d1m.prop
time_course = time:2, step:0.5, suffix:d3
param_scan = param:A0, min:1, max:3, step:1, time:4, suffix:s
normalization = peak: (d1.exp: B), (s.exp: A)
constraint_scale = 2
uniform_var = k1 0.1 1 u
lognormal_var = sigma__FREE 0 1
start_point = k1 0.5
"""
NEW = """noise_model A = normal, sigma = formula 0.1 + k1*noiseParameter1_A
noise_model B = laplace, scale = prediction_formula 1 + 0.1*f
normalization B = floor 0.1, peak
observable: y, formula: A/(A + B)
condition: c, perturbations: k1 = 2*k2, "A()" = 3
experiment: d2, data: y.exp, condition: c, preequilibrate: c
experiment: d4, data: c.prop, t_end: 3, n_steps: 6
"""
ROWS = "A\t0\tnoiseParameter1_A\tk2\nA\t1\tnoiseParameter1_A\t1.5\nA\t2\tnoiseParameter1_A\tk2\n"


def whole(fit: str, texts: dict[str, str]) -> dict[str, str]:
    """Two configurations that use much of the format, and their files."""
    measured = fit.replace("data: d1.exp", "data: d1.exp, measurement_params: p.tsv").replace("sos", "sod")
    actions = 'begin actions\nsimulate({method=>"ode",t_end=>2,n_steps=>2,suffix=>"d1"})\nend actions\n'
    return {
        "fit.conf": measured + NEW,
        "old.conf": OLD,
        "d1.exp": texts["d1.exp"],
        "d1m.exp": texts["d1.exp"],
        "d1m.prop": "A < 3 always\n",
        "s.exp": "A0 A\n1 2\n3 4\n",
        "y.exp": "A0 y\n1 0.5\n",
        "c.prop": "A < 3 at 1.5 weight 2\nB < f always logit scale 2\n",
        "p.tsv": "column\ttime\tplaceholder\ttoken\n" + ROWS,
        "decay.bngl": texts["decay.bngl"] + actions,
    }


def test_the_files_that_are_mangled_are_right(folder, fit, texts):
    for name, text in whole(fit, texts).items():
        folder.write(name, text)
    assert len(bnfhmc.read.load(folder.path / "fit.conf", load_model=folder.loader).experiments) == 3
    assert len(bnfhmc.read.load(folder.path / "old.conf", load_model=folder.loader).experiments) == 3


@settings(
    max_examples=300, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(
    which=st.sampled_from(["fit.conf", "old.conf", "d1.exp", "decay.bngl", "p.tsv", "c.prop", "s.exp", "y.exp"]), edits=EDITS
)
def test_a_mangled_file_is_read_or_refused(folder, fit, texts, which, edits):
    for name, text in whole(fit, texts).items():
        folder.write(name, mangled(text, edits) if name == which else text)
    for conf in ("fit.conf", "old.conf"):
        try:
            problem = bnfhmc.read.load(folder.path / conf, load_model=folder.loader)
        except InputError as error:
            assert error.mistakes and all(m.what for m in error.mistakes)
        else:
            assert problem.parameters and (problem.experiments or problem.target)
