"""PEtab on the command line: petab-score and convert on the example, the method by name, and what a stranger mistypes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import bnfhmc
from bnfhmc import cli
from bnfhmc import run as runs
from tests.report.gaussian import problem

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "petab"


def invoke(*args):
    return CliRunner().invoke(cli.app, [str(a) for a in args], prog_name="bnfhmc")


def said(result, code=2):
    """The lines on stderr of a command that failed, without a traceback."""
    assert result.exit_code == code and "Traceback" not in result.output, result.output
    lines = result.stderr.splitlines()
    assert lines and all(line.startswith("bnfhmc: ") for line in lines)
    return [line.removeprefix("bnfhmc: ") for line in lines]


@pytest.fixture
def example(tmp_path, monkeypatch):
    """The example in a folder of the test's own, which is the current one."""
    for file in EXAMPLE.iterdir():
        if file.is_file():
            shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


# petab-score


def test_petab_score_of_the_example(example):
    result = invoke("petab-score", "problem.yaml")
    assert result.exit_code == 0 and result.stderr == ""
    out = json.loads(result.stdout)
    rows = (example / "measurements.tsv").read_text().splitlines()[1:]
    assert out["status"] == "ok" and out["problem"] == "problem.yaml"
    assert [(s["observableId"], s["time"], s["measurement"]) for s in out["simulations"]] == [
        (obs, float(t), float(m)) for obs, _, t, m in (row.split("\t") for row in rows)
    ]
    assert {n: p["theta"] for n, p in out["parameters"].items()}["k_on"] == 0.05
    assert out["log_posterior"] == pytest.approx(out["llh"] + out["log_prior"])
    assert set(out["gradient"]["llh"]) == set(out["gradient"]["log_posterior"]) == set(out["parameters"])


def test_petab_score_elsewhere(example):
    at_nominal = json.loads(invoke("petab-score", "problem.yaml").stdout)
    (example / "fitted.tsv").write_text("parameterId\tnominalValue\nk_on\t0.06\nsigma\t0.2\n")
    result = invoke("petab-score", "problem.yaml", "-p", "fitted.tsv", "--parameters", "sigma=0.12")
    out = json.loads(result.stdout)
    assert result.exit_code == 0 and out["llh"] != at_nominal["llh"]
    theta = {n: p["theta"] for n, p in out["parameters"].items()}
    assert theta == {**{n: p["theta"] for n, p in at_nominal["parameters"].items()}, "k_on": 0.06, "sigma": 0.12}


def test_petab_score_outside_of_the_prior_says_why_there_is_no_posterior(example):
    result = invoke("petab-score", "problem.yaml", "-p", "k_on=2")
    out = json.loads(result.stdout)
    assert result.exit_code == 0 and out["llh"] is not None and out["log_posterior"] is None
    assert "k_on = 2 lies outside of [0.001, 1]" in out["notes"][0]


@pytest.mark.parametrize(("given", "line"), [
    ("k_onn=1", "--parameters: the problem has no parameter 'k_onn'; did you mean 'k_on'?"),
    ("k_on=nan", "--parameters: 'nan' is no value of 'k_on'; give a finite number, in the parameter's own unit"),
    ("k_on=-inf", "--parameters: '-inf' is no value of 'k_on'; give a finite number, in the parameter's own unit"),
    ("k_on", "--parameters: file 'k_on' not found"),
    ("=1", "--parameters: the problem has no parameter ''"),
    ("k_syn=1", "--parameters: parameter 'k_syn' is fixed at 0.02, so it cannot be 1; set its estimate in the parameter "
                "table, or leave it out"),
    (".", "--parameters: '.' is a folder; name a file in it"),
])  # fmt: skip
def test_petab_score_of_parameters_that_are_none(example, given, line):
    result = invoke("petab-score", "problem.yaml", "-p", given)
    assert said(result) == [line]
    out = json.loads(result.stdout)
    assert out["status"] == "bad input" and out["errors"][0]["what"] in line and "llh" not in out


@pytest.mark.parametrize("verb", ["run", "check", "petab-score"])
@pytest.mark.parametrize(("file", "text", "words"), [
    ("problem.yaml", "a: [1", "problem.yaml:"),
    ("problem.yaml", "", "problem.yaml:"),
    ("problem.yaml", "- 1\n", "problem.yaml:1:"),
    ("problem.yaml", "format_version: 3.0.0\n", "problem.yaml:1:"),
    ("problem.yaml", "\0", "problem.yaml:1:"),
    ("measurements.tsv", "", "measurements.tsv:"),
    ("measurements.tsv", "observableId\texperimentId\ttime\tmeasurement\nbond\tlow\t1\t2\n", "did you mean 'bound'?"),
    ("measurements.tsv", "observableId\texperimentId\ttime\tmeasurement\nbound\tlow\t1\tx\n", "measurements.tsv:2:"),
    ("parameters.tsv", "parameterId\n", "parameters.tsv:1:"),
    ("receptor.xml", "<sbml>", "receptor.xml"),
])  # fmt: skip
def test_a_broken_file_is_named(example, verb, file, text, words):
    (example / file).write_text(text)
    result = invoke(verb, "problem.yaml")
    assert any(words in line for line in said(result)), result.stderr
    assert not list(example.glob("*_out"))


@pytest.mark.parametrize("verb", ["run", "check", "petab-score"])
def test_a_file_that_is_not_there(example, verb):
    assert "did you mean 'problem.yaml'?" in said(invoke(verb, "probelm.yaml"))[0]
    (example / "conditions.tsv").unlink()
    assert "problem.yaml:7: file 'conditions.tsv' not found" in said(invoke(verb, "problem.yaml"))[0]


def test_petab_score_takes_no_configuration(example):
    (example / "fit.conf").write_text("edition = 2\n")
    assert said(invoke("petab-score", "fit.conf")) == [
        "fit.conf: no PEtab problem: the name of one ends in .yaml; type 'bnfhmc convert fit.conf <folder>' first"
    ]


def test_a_solve_that_fails_is_named_and_ends_with_1(example):
    edit(example / "receptor.xml", "<apply><times/><ci>cell</ci><ci>k_int</ci><ci>C</ci></apply>",
         "<apply><times/><ci>cell</ci><ci>k_int</ci><apply><ln/><ci>C</ci></apply></apply>")  # fmt: skip
    result = invoke("petab-score", "problem.yaml")
    out = json.loads(result.stdout)
    assert "experiment 'low'" in said(result, 1)[0]
    assert out["status"] == "failed solve" and out["llh"] is None
    assert [f["experiment"] for f in out["failures"]] == ["low", "pulse"]


# convert


def without_washing(example):
    """The example as far as a configuration can say it."""
    for table in ("experiments.tsv", "measurements.tsv"):
        lines = (example / table).read_text().splitlines()
        (example / table).write_text("\n".join(line for line in lines if "pulse" not in line) + "\n")
    lines = (example / "conditions.tsv").read_text().splitlines()
    (example / "conditions.tsv").write_text("\n".join(lines[:3]) + "\n")


def test_convert_there_and_back(example):
    without_washing(example)
    result = invoke("convert", "problem.yaml", "as_conf")
    assert result.exit_code == 0 and result.stdout.startswith("written: as_conf/fit.conf and "), result.output
    result = invoke("convert", "as_conf/fit.conf", "again")
    assert result.exit_code == 0 and result.stdout.startswith("written: again/problem.yaml and "), result.output
    assert all(line.startswith("bnfhmc: note: ") for line in result.stderr.splitlines())
    first, second = (json.loads(invoke("petab-score", p).stdout) for p in ("problem.yaml", "again/problem.yaml"))
    assert second["llh"] == pytest.approx(first["llh"], rel=1e-9)
    assert second["log_prior"] == pytest.approx(first["log_prior"], rel=1e-9)


def test_convert_says_what_cannot_be_said_and_writes_nothing(example):
    assert "'pulse': conditions that take effect later (at 20)" in said(invoke("convert", "problem.yaml", "as_conf"))[0]
    assert not (example / "as_conf").exists()


def test_convert_leaves_what_is_there(example):
    without_washing(example)
    (example / "as_conf").mkdir()
    (example / "as_conf" / "mine.txt").write_text("mine")
    assert "--overwrite" in said(invoke("convert", "problem.yaml", "as_conf"))[0]
    assert [f.name for f in (example / "as_conf").iterdir()] == ["mine.txt"]
    assert invoke("convert", "problem.yaml", "as_conf", "--overwrite").exit_code == 0
    assert (example / "as_conf" / "mine.txt").read_text() == "mine"
    assert "name a folder" in said(invoke("convert", "problem.yaml", "parameters.tsv"))[0]


@pytest.mark.parametrize("source", ["nosuch.conf", "nosuch.yaml", "nosuch", "."])
def test_convert_of_nothing(example, source):
    assert said(invoke("convert", source, "out")) and not (example / "out").exists()


def test_convert_into_a_place_that_cannot_be_made(example):
    without_washing(example)
    (example / "file").write_text("")
    assert said(invoke("convert", "problem.yaml", "file/inside"), 1)


# run


def test_the_method_and_sizes_of_a_run(monkeypatch, tmp_path):
    asked = []

    def sampler(posterior, **settings):
        asked.append(settings)
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bnfhmc, "load", lambda path, **_: problem(), raising=False)
    for name in ("nuts", "hmc"):
        monkeypatch.setitem(runs.METHODS, name, sampler)
    monkeypatch.setattr("bnfhmc.posterior.Posterior", lambda problem: type("P", (), {"notes": (), "problem": problem}))
    sizes = "--chains", "2", "--num-warmup", "30", "--num-samples", "20"
    assert invoke("run", "fit.conf", "--method", "hmc", *sizes).exit_code == 130 and len(asked) == 1
    assert (asked[0]["chains"], asked[0]["num_warmup"], asked[0]["num_samples"]) == (2, 30, 20)
    assert said(invoke("run", "fit.conf", "--method", "nust")) == ["--method: unknown method 'nust'; did you mean 'nuts'?"]
    assert said(invoke("run", "fit.conf", "--method", ""))[0].startswith("--method: unknown method ''; the methods are nuts, ")
    assert len(asked) == 1


# Help


@pytest.mark.parametrize(("verb", "example"), [
    ("petab-score", "bnfhmc petab-score problem.yaml"), ("convert", "bnfhmc convert fit.conf problem/"),
    ("run", "bnfhmc run problem.yaml --method nuts"),
])  # fmt: skip
def test_help_has_an_example(verb, example):
    result = invoke(verb, "--help")
    assert result.exit_code == 0 and example in result.stdout and "Ends with" in result.stdout


@pytest.mark.parametrize("verb", ["run", "check"])
def test_help_says_that_a_petab_problem_is_taken(verb):
    assert "or a PEtab problem (.yaml)" in " ".join(invoke(verb, "--help").stdout.split())


@pytest.mark.parametrize("args", [
    ["petab-score"], ["petab-score", "a.yaml", "b.yaml"], ["petab-score", "a.yaml", "-p"], ["convert"], ["convert", "a.conf"],
    ["convert", "a.conf", "b", "c"], ["petabscore", "a.yaml"],
])  # fmt: skip
def test_a_bad_command(args):
    result = invoke(*args)
    assert result.exit_code == 2 and "Error" in result.stderr and "Traceback" not in result.output


def test_a_configuration_does_not_wait_for_petab():
    program = (
        "from bnfhmc import cli; import sys; sys.argv = ['bnfhmc', 'check', '--json', 'examples/influenza/influenza.conf']\n"
        "try: cli.main()\n"
        "except SystemExit as end: assert not end.code\n"
        "found = {'petab', 'libsbml', 'yaml'} & set(sys.modules); assert not found, found"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
