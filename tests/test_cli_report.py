"""The verbs around a run: what each prints, writes and ends with."""

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import bnfhmc
from bnfhmc import cli
from bnfhmc import run as runs
from bnfhmc.posterior import Posterior
from bnfhmc.report import doctor
from tests.report.finished import draws, laplace, problem, write_run
from tests.report.test_calibrate import exact, linear
from tests.report.test_fitted import write_finished_fit

POSTERIOR = Posterior(problem())
RUN = draws(POSTERIOR)
VERBS = ("report", "summary", "plot", "predict", "compare", "merge", "doctor", "init", "calibrate")


def invoke(*args):
    return CliRunner().invoke(cli.app, [str(a) for a in args], prog_name="bnfhmc", env={"COLUMNS": "200"})


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder to work in, where fit.conf is the closed-form problem."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bnfhmc, "load", lambda path, **_: problem(), raising=False)
    Path("fit.conf").touch()
    return tmp_path


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("written") / "out", POSTERIOR, RUN)


@pytest.fixture
def folder(written):
    return Path(shutil.copytree(written, "out"))


@pytest.fixture(scope="module")
def written_poor(tmp_path_factory):
    z = laplace(POSTERIOR) + 0.5 * np.arange(4)[:, None, None]
    return write_run(tmp_path_factory.mktemp("written") / "poor", POSTERIOR, draws(POSTERIOR, z))


@pytest.fixture
def poor(written_poor):
    """A run whose chains lie apart."""
    return Path(shutil.copytree(written_poor, "poor"))


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_an_example_and_says_how_it_ends(verb):
    said = invoke(verb, "--help").stdout
    assert f"Example:\n    bnfhmc {verb}" in said and "Ends with\n    0  " in said and "--debug" in said


def test_shell_completion_is_offered():
    assert "--install-completion" in invoke("--help").stdout
    assert "[default: all of them]" in " ".join(invoke("plot", "--help").stdout.split())


@pytest.mark.parametrize("verb", ["report", "summary", "plot", "predict"])
def test_no_run_ends_with_2(verb):
    result = invoke(verb, "nowhere")
    assert result.exit_code == 2 and result.stderr == (
        "bnfhmc: nowhere: is no folder; type the folder that bnfhmc run has written\n"
    )


def test_summary(folder):
    result = invoke("summary", folder)
    assert result.exit_code == 0 and "A0" in result.stdout and "Converged: R-hat" in result.stdout
    record = json.loads(invoke("summary", folder, "--json").stdout)
    assert record["converged"] is True and record["parameters"]["k"]["mean"] == pytest.approx(0.4, rel=0.1)


def test_summary_of_a_poor_run_ends_with_3(poor):
    result = invoke("summary", poor)
    assert result.exit_code == 3 and "Not converged:" in result.stdout
    as_json = invoke("summary", poor, "--json")
    assert as_json.exit_code == 3 and json.loads(as_json.stdout)["findings"]


def test_report(folder):
    result = invoke("report", folder, "--cores", 1, "--unit", "time=min")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("These draws can be trusted.") and "The report is out/report.html" in result.stdout
    assert Path("out/report.html").read_text().startswith("<!doctype html>")


def test_report_of_a_poor_run_ends_with_3_and_says_why(poor):
    result = invoke("report", poor, "--cores", 1, "--json")
    record = json.loads(result.stdout)
    assert result.exit_code == 3 and record["trusted"] is False and record["report"] == "poor/report.html"
    assert any("R-hat" in f["what"] for f in record["findings"]["chains"])


def test_report_refuses_a_problem_that_has_changed(folder, monkeypatch):
    other = problem()
    first, *rest = other.experiments
    series = (replace(first.series[0], observed=first.series[0].observed + 1),)
    monkeypatch.setattr(bnfhmc, "load", lambda path, **_: replace(other, experiments=(replace(first, series=series), *rest)))
    result = invoke("report", folder)
    assert result.exit_code == 2 and "its measurements are not those of the run" in result.stderr


def test_units_of_another_form(folder):
    result = invoke("report", folder, "--unit", "minutes")
    assert result.exit_code == 2 and "--unit: 'minutes' is not of the form NAME=UNIT" in result.stderr


def test_plot(folder):
    result = invoke("plot", folder, "energy", "forest", "-o", "pictures")
    assert result.exit_code == 0 and result.stdout.split() == [
        f"pictures/{kind}.{suffix}" for kind in ("energy", "forest") for suffix in ("svg", "png")
    ]
    assert all(Path(p).stat().st_size > 1000 for p in result.stdout.split())
    unknown = invoke("plot", folder, "piar")
    assert unknown.exit_code == 2 and "did you mean 'pair'" in unknown.stderr


def test_plot_of_what_the_run_has_not(folder):
    result = invoke("plot", folder, "constraints")
    assert result.exit_code == 0 and "this run has no constraints" in result.stderr and not result.stdout


def test_plot_and_summary_of_a_fit():
    write_finished_fit(Path("fitted"))
    result = invoke("plot", "fitted", "waterfall", "profile", "-o", "pictures")
    assert result.exit_code == 0 and result.stdout.split() == [
        f"pictures/{kind}.{suffix}" for kind in ("waterfall", "profile") for suffix in ("svg", "png")
    ]
    said = invoke("summary", "fitted")
    assert said.exit_code == 0 and "standard error" in said.stdout and "Converged." in said.stdout
    record = json.loads(invoke("summary", "fitted", "--json").stdout)
    assert record["converged"] and record["parameters"]["k"]["best"] == pytest.approx(0.4, rel=0.1)
    for verb in ("report", "predict"):
        refused = invoke(verb, "fitted")
        assert refused.exit_code == 2 and "holds a fit, which has no draws; type 'bnfhmc plot fitted'" in refused.stderr


def test_a_folder_of_stages_names_them(folder):
    folder.rename("chain")
    write_run(Path("chain") / "2_nuts", POSTERIOR, RUN)
    Path("chain/run.json").unlink()
    assert "chain: holds no run.json; type one of the folders in it: 2_nuts" in invoke("report", "chain").stderr


def test_a_run_that_was_ended_early_has_a_report_and_one_that_was_stopped_is_to_be_resumed(folder):
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**record, "status": "unfinished", "ended_by": "interrupted"}))
    assert invoke("summary", folder).exit_code == 0
    (folder / "run.json").write_text(json.dumps({**record, "status": "unfinished"}))
    assert "if it was stopped, type 'bnfhmc resume out'" in invoke("summary", folder).stderr
    (folder / "run.json").unlink()
    (folder / "checkpoint").mkdir()
    assert "if it was stopped, type 'bnfhmc resume out'" in invoke("report", folder).stderr


def test_predict(folder):
    result = invoke("predict", folder, "--times", "0:4:3", "--draws", 50, "--cores", 1)
    assert result.exit_code == 0 and "median" in result.stdout and "new 95 %" in result.stdout
    record = json.loads(invoke("predict", folder, "--times", "2", "--draws", 50, "--json", "--cores", 1).stdout)
    assert record["draws"] == 50 and record["series"][0]["x"] == [2.0]
    text = invoke("predict", folder, "--output", "A/2", "--condition", "k*2", "--draws", 50, "--csv", "--cores", 1).stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 9 and {r["series"] for r in rows} == {"A/2"}
    assert float(rows[2]["value_q50"]) == pytest.approx(5 * np.exp(-0.8 * 2), rel=0.2)


@pytest.mark.parametrize(("args", "said"), [
    (["--times", "soon"], "'soon' are no times"),
    (["--experiment", "decai"], "did you mean 'decay'"),
    (["--csv", "--json"], "exclude each other"),
])  # fmt: skip
def test_predict_of_what_cannot_be_asked(folder, args, said):
    result = invoke("predict", folder, *args)
    assert result.exit_code == 2 and said in result.stderr and result.stdout == ""


@pytest.fixture
def two(folder):
    """Two runs of one problem with the lines of their samples.txt."""
    other = write_run(Path("other"), POSTERIOR, draws(POSTERIOR, laplace(POSTERIOR, seed=9)))
    for run in (folder, other):
        rows = "".join(f"iter{i}run{c}\t-1.0\n" for c in range(4) for i in range(250))
        (run / "samples.txt").write_text("# Name\tLn_probability\n" + rows)
    return folder, other


def test_compare(two):
    result = invoke("compare", *two)
    assert result.exit_code == 0 and "predict alike" in result.stdout and "elpd" in result.stdout
    record = json.loads(invoke("compare", *two, "--json").stdout)
    assert {r["name"] for r in record["runs"]} == {"out", "other"} and "predict alike" in record["meaning"]
    alone = invoke("compare", two[0])
    assert alone.exit_code == 2 and "type two folders or more" in alone.stderr


def test_merge(two):
    result = invoke("merge", *two, "-o", "all")
    assert result.exit_code == 0 and "Converged" in result.stdout and "are in all" in result.stdout
    assert invoke("summary", "all").exit_code == 0
    again = invoke("merge", *two, "-o", "all")
    assert again.exit_code == 2 and "--overwrite" in again.stderr
    assert invoke("merge", *two, "-o", "all", "--overwrite").exit_code == 0
    twice = invoke("merge", two[0], two[0], "-o", "twice")
    assert twice.exit_code == 2 and "holds the same draws" in twice.stderr


def test_doctor(monkeypatch):
    checks = [doctor.Check("perl", None, "not on the PATH", "apt-get install perl"), doctor.Check("numpy", True, "2.0")]
    monkeypatch.setattr(doctor, "examine", lambda: iter(checks))
    result = invoke("doctor")
    assert result.exit_code == 0 and "apt-get install perl" in result.stdout and "Everything that is needed" in result.stdout
    checks.append(doctor.Check("jax", False, "not installed", "pip install jax"))
    result = invoke("doctor", "--json")
    assert result.exit_code == 1 and json.loads(result.stdout)["healthy"] is False


@pytest.fixture
def calibrated(monkeypatch):
    """calibrate of a model in closed form, whose fits are draws of the posterior itself."""
    how = {}
    monkeypatch.setattr(bnfhmc, "load", lambda path, **_: linear())

    def nuts(posterior, *, random_seed, **_):
        how["seeds"] = [*how.get("seeds", ()), random_seed]
        return replace(RUN, z=exact(posterior, random_seed, stretch=how.get("stretch", 1.0)))

    monkeypatch.setitem(runs.METHODS, "nuts", nuts)
    return how


def test_calibrate_goes_on_where_it_stopped(calibrated):
    first = invoke("calibrate", "fit.conf", "-n", 5, "-o", "sbc")
    assert first.exit_code == 3 and "Too few to tell" in first.stdout and "replicate 5 of 5 done" in first.stderr
    assert len(calibrated["seeds"]) == 5
    more = invoke("calibrate", "fit.conf", "-n", 60, "-o", "sbc")
    assert more.exit_code == 0 and "Calibrated:" in more.stdout and len(calibrated["seeds"]) == 60
    record = json.loads(invoke("calibrate", "fit.conf", "-n", 60, "-o", "sbc", "--json").stdout)
    assert record["calibrated"] is True and record["fitted"] == 60 and len(calibrated["seeds"]) == 60
    other = invoke("calibrate", "fit.conf", "-n", 60, "-o", "sbc", "--seed", 1)
    assert other.exit_code == 2 and "another problem or seed" in other.stderr


def test_calibrate_finds_a_sampler_that_is_wrong(calibrated):
    calibrated["stretch"] = 0.4
    result = invoke("calibrate", "fit.conf", "-n", 100)
    assert result.exit_code == 3 and "its intervals are too narrow" in result.stdout
    assert Path("fit_calibration/replicates.jsonl").is_file()
