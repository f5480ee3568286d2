"""A fit from the command line to its folder: files, exit codes, interruption and resuming, chains of methods."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import bnfhmc
from bnfhmc import cli, fit_run
from bnfhmc.errors import InputError
from bnfhmc.optimizers.search import Search
from bnfhmc.problem import Optimization, Settings
from tests.optimizers import problems

FILES = ["convergence.png", "history.tsv", "map.json", "run.json", "starts.tsv", "waterfall.png"]


def problem(make=problems.known_sigma, **settings):
    settings = {"method": "map", "random_seed": 1, "optimization": Optimization(starts=4, draws=4), **settings}
    return replace(make().problem, settings=Settings(**settings), path=Path("fit.conf"))


@pytest.fixture
def confs(monkeypatch, tmp_path):
    """What `bnfhmc.load` finds under each name, in an empty folder."""
    found = {"fit.conf": problem()}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bnfhmc, "load", lambda path, **_: found[str(path)])
    return found


def invoke(*args):
    return CliRunner().invoke(cli.app, list(args))


def names(folder):
    return sorted(p.name for p in Path(folder).iterdir())


def read(path):
    return json.loads(Path(path).read_text())


# one method


def test_a_fit(confs):
    result = invoke("run", "fit.conf", "-o", "out", "--cores", "1")
    assert result.exit_code == 0 and result.stderr == "", result.output
    assert names("out") == FILES
    fit = bnfhmc.optimize(problems.known_sigma(), starts=4, draws=4, random_seed=1)
    record, best = read("out/run.json"), read("out/map.json")
    assert best["theta"] == fit.theta and best["log_posterior"] == fit.log_posterior
    assert record["status"] == "finished" and record["verdict"]["converged"] and record["random_seed"] == 1
    assert record["result"]["theta"] == fit.theta and record["configuration"]["method"] == "map"
    assert "4 of 4 starts came within 0.1" in result.stdout and "Converged." in result.stdout
    table = [line.split("\t") for line in Path("out/starts.tsv").read_text().splitlines()]
    assert table[0][-2:] == ["A0", "k"] and len(table) == 5
    assert float(table[1][1]) == fit.log_posterior and float(table[1][-1]) == fit.theta["k"]
    history = Path("out/history.tsv").read_text().splitlines()
    assert history[0] == "start\tevaluations\tlog_posterior" and len(history) > 5


@pytest.mark.parametrize("method", ["trf", "lbfgs", "nelder_mead", "differential_evolution"])
def test_a_method_of_the_command_line(confs, method):
    confs["fit.conf"] = problem(method="nuts", then=("map",))
    result = invoke("run", "fit.conf", "-o", "out", "--method", method, "--starts", "2", "-q")
    assert result.exit_code == 0, result.output
    record = read("out/run.json")
    assert record["result"]["method"] == method and len(read("out/map.json")["starts"]) == 2
    assert result.stdout.startswith("Converged")


def test_options_and_search_space_reach_the_method(confs):
    optimization = Optimization(
        starts=1, max_evaluations=40, tolerance=1e-3, search_space={"k": (0.2, 0.4)}, options={"cma": {"popsize": 5}}
    )
    confs["fit.conf"] = problem(method="cma", optimization=optimization)
    result = invoke("run", "fit.conf", "-o", "out", "-q")
    found = read("out/map.json")
    assert result.exit_code == 3 and "Type a larger max_evaluations" in result.stdout
    assert 0.2 <= found["theta"]["k"] <= 0.4 and found["evaluations"] == 40


def test_a_method_that_does_not_fit_the_loss_leaves_nothing(confs):
    confs["fit.conf"] = problem(problems.estimated_sigma, method="trf")
    result = invoke("run", "fit.conf", "-o", "out")
    assert result.exit_code == 2 and "trf is least squares" in result.stderr.replace("\n", " ")
    assert not Path("out").exists()


def test_an_unknown_method(confs):
    result = invoke("run", "fit.conf", "--method", "lbgfs")
    assert result.exit_code == 2 and "did you mean 'lbfgs'" in result.stderr


def test_a_finished_folder_is_left_alone(confs):
    assert invoke("run", "fit.conf", "-o", "out", "-q").exit_code == 0
    before = Path("out/map.json").read_text()
    result = invoke("run", "fit.conf", "-o", "out", "--seed", "5")
    assert result.exit_code == 2 and "the folder holds a finished run" in result.stderr.replace("\n", " ")
    assert Path("out/map.json").read_text() == before
    assert invoke("run", "fit.conf", "-o", "out", "--seed", "5", "--overwrite").exit_code == 0
    assert read("out/run.json")["random_seed"] == 5 and names("out") == FILES


def test_a_strangers_file_is_left_alone(confs):
    Path("out").mkdir()
    Path("out/map.json").write_text("mine")
    result = invoke("run", "fit.conf", "-o", "out", "--overwrite")
    assert result.exit_code == 2 and "is not from a run of bnfhmc" in result.stderr.replace("\n", " ")
    assert Path("out/map.json").read_text() == "mine"


def test_every_start_fails(confs, monkeypatch):
    monkeypatch.setattr("bnfhmc.optimizers.losses._finite", lambda *values: float("nan") + failed())
    result = invoke("run", "fit.conf", "-o", "out")
    assert result.exit_code == 1 and "no start found: all of" in result.stderr.replace("\n", " ")


def failed():
    from bnfhmc.errors import FailedSolve

    raise FailedSolve("nonfinite", "the objective is not finite")


# interrupted and resumed


def interrupt_after(solves, monkeypatch):
    """Control-C after so many solves; the original is given back to go on with."""
    original, count = Search._counted, [0]

    def counted(self, ask, u):
        count[0] += 1
        if count[0] > solves:
            raise KeyboardInterrupt
        return original(self, ask, u)

    monkeypatch.setattr(Search, "_counted", counted)
    return lambda: monkeypatch.setattr(Search, "_counted", original)


@pytest.mark.parametrize("solves", [3, 40])
def test_an_interrupted_fit_keeps_its_best_point_and_goes_on(confs, monkeypatch, solves):
    go_on = interrupt_after(solves, monkeypatch)
    result = invoke("run", "fit.conf", "-o", "out", "--cores", "1")
    assert result.exit_code == 130 and "interrupted" in result.stderr
    kept = read("out/map.json")
    assert kept["status"] == "unfinished" and set(kept["theta"]) == {"A0", "k"} and kept["log_posterior"] < 0
    assert read("out/run.json")["status"] == "unfinished"
    go_on()
    assert invoke("run", "fit.conf", "-o", "out", "--cores", "1").exit_code == 0
    whole = invoke("run", "fit.conf", "-o", "whole", "--cores", "1")
    assert whole.exit_code == 0 and names("out") == FILES
    assert Path("out/starts.tsv").read_text() == Path("whole/starts.tsv").read_text()


def test_the_verb_resume_goes_on_with_a_fit(confs, monkeypatch, tmp_path):
    confs[str(tmp_path / "fit.conf")] = confs["fit.conf"]  # where the folder says that it is of
    go_on = interrupt_after(40, monkeypatch)
    assert invoke("run", "fit.conf", "-o", "out", "--cores", "1").exit_code == 130
    go_on()
    refused = invoke("resume", "out", "--num-samples", "9")
    assert refused.exit_code == 2 and "the folder holds a fit, which has no chains" in refused.stderr
    assert invoke("resume", "out", "--cores", "1").exit_code == 0
    assert invoke("run", "fit.conf", "-o", "whole", "--cores", "1").exit_code == 0
    assert Path("out/starts.tsv").read_text() == Path("whole/starts.tsv").read_text()
    again = invoke("resume", "out")
    assert again.exit_code == 2 and "the fit in this folder is finished" in again.stderr


def test_resume_knows_what_the_folder_is_of(confs, monkeypatch, tmp_path):
    confs["fit.conf"] = problem(random_seed=None)
    go_on = interrupt_after(30, monkeypatch)  # whatever seed is drawn
    assert invoke("run", "fit.conf", "-o", "out", "--cores", "1").exit_code == 130
    go_on()
    asked = []
    outcome = fit_run.resume(Path("out"), load=lambda path: asked.append(path) or problem(method="lbfgs"))
    assert asked == [tmp_path / "fit.conf"] and outcome.fit.method == "gntr"
    seed = read("out/run.json")["random_seed"]
    again = bnfhmc.optimize(problems.known_sigma(), starts=4, draws=4, random_seed=seed)
    assert again.log_posterior == outcome.fit.log_posterior
    with pytest.raises(InputError, match="the fit in this folder is finished"):
        fit_run.resume(Path("out"))
    with pytest.raises(InputError, match="the folder holds no fit"):
        fit_run.resume(Path("nowhere"))


def test_another_fit_does_not_go_on_with_it(confs, monkeypatch):
    interrupt_after(40, monkeypatch)()
    go_on = interrupt_after(40, monkeypatch)
    assert invoke("run", "fit.conf", "-o", "out", "--cores", "1").exit_code == 130
    go_on()
    result = invoke("run", "fit.conf", "-o", "out", "--seed", "2")
    assert result.exit_code == 2 and "the starts of another run" in result.stderr.replace("\n", " ")
    assert read("out/run.json")["status"] == "unfinished"


SLOW_LOSS = """import time

def loss(theta, data):
    time.sleep(0.001)
    x, y = theta["x"], theta["y"]
    return 50.0 * (y - x**2) ** 2 + 0.5 * (1.0 - x) ** 2, {"x": -200.0 * x * (y - x**2) - (1.0 - x), "y": 100.0 * (y - x**2)}
"""
SLOW_CONF = """edition = 2
fit_type = lbfgs
num_starts = 8
start_draws = 2
random_seed = 3
objective = callable
callable = slow.py:loss
parameter: x, lower: -2, upper: 2
parameter: y, lower: -1, upper: 3
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_signal_on_two_cores(tmp_path, monkeypatch, number):
    """A run that is really killed, or told to stop, ends as an uninterrupted one when the command is typed again."""
    monkeypatch.chdir(tmp_path)
    Path("slow.py").write_text(SLOW_LOSS)
    Path("fit.conf").write_text(SLOW_CONF)
    typed = ("run", "fit.conf", "--allow-callable", "-q", "-o")
    store = Path("out/starts.jsonl")
    environment = {**os.environ, "PYTHONPATH": str(Path(bnfhmc.__file__).parents[1])}
    with subprocess.Popen([sys.executable, "-m", "bnfhmc", *typed, "out", "--cores=2"], env=environment,
                          stderr=subprocess.PIPE, text=True) as run:  # fmt: skip
        while run.poll() is None and not (store.exists() and store.read_text().count("\n") > 2):
            time.sleep(0.005)
        run.send_signal(number)
        said = run.communicate()[1]
    assert run.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL), said
    kept = [json.loads(line)["local"]["reason"] for line in store.read_text().splitlines()[1:]]
    assert 2 <= len(kept) < 8 and "interrupted" not in kept
    if number == signal.SIGINT:
        assert "interrupted" in said and read("out/map.json")["status"] == "unfinished"
    assert invoke(*typed, "out", "--cores=2").exit_code == 0 == invoke(*typed, "whole", "--cores=4").exit_code
    assert Path("out/starts.tsv").read_text() == Path("whole/starts.tsv").read_text()
    assert not store.exists()


def test_starts_out_of_a_table(confs):
    table = "# k\tname\tA0\n0.1\ta\t2.0\n1.0\tb\t4.0\n"
    Path("points.tsv").write_text(table)
    confs["fit.conf"] = problem(start="points.tsv")
    assert invoke("run", "fit.conf", "-o", "out", "-q").exit_code == 0
    np.testing.assert_allclose([s["u0"] for s in read("out/map.json")["starts"]], [[2.0, -1.0], [4.0, 0.0]])
    Path("points.tsv").write_text(table.replace("0.1", "99"))
    result = invoke("run", "fit.conf", "-o", "other", "-q")
    said = result.stderr.replace("\n", " ")
    assert result.exit_code == 2 and "parameter 'k': the start 99 lies outside of [0.01, 10]" in said
    assert not Path("other").exists()


def test_a_method_that_spends_all_says_what_else_to_do(confs):
    confs["fit.conf"] = problem(method="dual_annealing", optimization=Optimization(max_evaluations=60))
    result = invoke("run", "fit.conf", "-o", "out", "-q")
    said = result.stdout.replace("\n", " ")
    assert result.exit_code == 3 and "dual_annealing knows no other end" in said and "max_evaluations" not in said


# chains of methods


def test_methods_in_a_row(confs):
    confs["fit.conf"] = problem(method="nelder_mead", then=("map",))
    result = invoke("run", "fit.conf", "-o", "out")
    assert result.exit_code == 0, result.output
    assert names("out") == ["1_nelder_mead", "2_map"]
    first, second = read("out/1_nelder_mead/map.json"), read("out/2_map/map.json")
    np.testing.assert_allclose(second["starts"][0]["u0"], first["u"])
    assert second["log_posterior"] >= first["log_posterior"]
    again = invoke("run", "fit.conf", "-o", "out")
    assert again.exit_code == 0 and "out/2_map is finished, and is not run again" in again.stderr.replace("\n", " ")


def test_then(confs):
    confs["next.conf"] = problem(method="lbfgs")
    assert invoke("run", "fit.conf", "--then", "next.conf", "-o", "out").exit_code == 0
    assert names("out") == ["1_map", "2_lbfgs"]
    assert read("out/2_lbfgs/run.json")["result"]["method"] == "lbfgs"


def test_a_sampler_leads_to_no_point(confs):
    confs["next.conf"] = problem(method="nuts")
    result = invoke("run", "next.conf", "--then", "fit.conf", "-o", "out")
    assert result.exit_code == 2 and "put nuts last" in result.stderr.replace("\n", " ")


def test_a_sampler_starts_from_the_fit_before_it(confs, monkeypatch):
    from bnfhmc import run as runs

    asked = {}

    def sampler(posterior, **given):
        asked.update(given)
        raise RuntimeError("enough")

    monkeypatch.setitem(runs.METHODS, "nuts", sampler)
    confs["fit.conf"] = problem(then=("nuts",))
    result = invoke("run", "fit.conf", "-o", "out")
    assert result.exit_code == 1 and "enough" in result.stderr
    best = np.array(read("out/1_map/map.json")["u"])
    posterior = problems.known_sigma()
    starts = np.array([posterior.u_from_z(z) for z in asked["starts"]])
    assert starts.shape == (4, 2) and len(np.unique(starts, axis=0)) == 4
    assert np.all(np.abs(starts - best) < 1.0)


@pytest.mark.parametrize(("settings", "expected"), [({}, True), ({"start": "map"}, True), ({"start": "prior"}, False)])
def test_where_a_sampler_starts(confs, monkeypatch, settings, expected):
    from bnfhmc import run as runs

    asked = {}

    def sampler(posterior, **given):
        asked.update(given)
        raise RuntimeError("enough")

    monkeypatch.setitem(runs.METHODS, "nuts", sampler)
    confs["fit.conf"] = problem(method="nuts", **settings)
    invoke("run", "fit.conf", "-o", "out")
    assert ("near_modes" in asked) is expected


# profiles


def test_profiles(confs):
    optimization = Optimization(starts=3, draws=4, profiled=("k",), confidence=0.9)
    confs["fit.conf"] = problem(method="profile_likelihood", optimization=optimization)
    result = invoke("run", "fit.conf", "-o", "out")
    assert result.exit_code == 0, result.output
    assert names("out") == sorted([*FILES, "profiles.json", "profiles.tsv", "profiles.png"])
    found = read("out/profiles.json")
    assert found["confidence"] == 0.9 and list(found["by_name"]) == ["k"]
    k = found["by_name"]["k"]
    assert k["lower"] < read("out/map.json")["theta"]["k"] < k["upper"]
    assert "k is between" in result.stdout and read("out/run.json")["result"]["profiles"]["k"] == k["sentence"]
    rows = Path("out/profiles.tsv").read_text().splitlines()
    assert rows[0] == "parameter\ttheta\trise" and len(rows) == 1 + len(k["theta"])


def test_an_interrupted_profile_goes_on(confs, monkeypatch):
    confs["fit.conf"] = problem(method="profile_likelihood")
    whole = invoke("run", "fit.conf", "-o", "whole", "--cores", "1")
    assert whole.exit_code == 0
    spent = read("whole/run.json")["result"]["evaluations"]
    go_on = interrupt_after(spent + 40, monkeypatch)
    assert invoke("run", "fit.conf", "-o", "out", "--cores", "1").exit_code == 130
    assert len(Path("out/profiles.jsonl").read_text().splitlines()) >= 2
    go_on()
    assert invoke("run", "fit.conf", "-o", "out", "--cores", "1").exit_code == 0
    assert Path("out/profiles.tsv").read_text() == Path("whole/profiles.tsv").read_text()
