"""The command line: exit codes, PyBNF's spelling, words for every ending, and what --help must not import."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import bnfhmc
from bnfhmc import cli
from bnfhmc import run as runs
from bnfhmc.errors import FailedSolve, GradientMismatch, InputError, MissingTool, Mistake
from bnfhmc.prior import make_parameter
from bnfhmc.problem import Problem
from bnfhmc.report.quiet_arviz import load_arviz
from tests.report.gaussian import Gaussian, draws, problem

ROOT = Path(__file__).resolve().parents[1]


class Objective:
    """loss = ½ Σ (u_i − 1)² of u = (log10 b, a), or a value of the test's choice; its gradient times factors."""

    factors, value = [1.0, 1.0], None

    def __init__(self, names):
        self.names = names

    def loss(self, theta):
        return self.loss_gradient(theta)[0]

    def loss_gradient(self, theta):
        b, a = theta
        r = np.array([np.log10(b) - 1.0, a - 1.0])
        slope = r * [1 / (b * np.log(10)), 1.0] * self.factors
        return 0.5 * float(r @ r) if self.value is None else self.value, slope


class Sampler:
    """Stands in for NUTS: gives what it is told to, and keeps what it was asked."""

    def __init__(self):
        self.given, self.asked, self.raises = {}, {}, None

    def __call__(self, posterior, **asked):
        self.asked = asked
        if self.raises is not None:
            raise self.raises
        seed = 11 if asked["random_seed"] is None else asked["random_seed"]
        return draws(posterior, asked["chains"], asked["num_samples"], 5, seed=seed, **self.given)


# Imported before Posterior is replaced: a module that is imported while it is would keep the replacement.
for _name in ("report.check.trial", "report.check.examine", "report.study", "report.groups", "report.calibrate", "optimizers"):
    import_module(f"bnfhmc.{_name}")


@pytest.fixture
def sampler(monkeypatch, tmp_path):
    """The command line with a sampler, a model and a reader of configurations that need no files."""
    stand_in = Sampler()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(runs.METHODS, "nuts", stand_in)
    monkeypatch.setattr(bnfhmc, "Posterior", Gaussian)    # before its home, which a first look-up would read
    monkeypatch.setattr("bnfhmc.posterior.Posterior", Gaussian)
    monkeypatch.setattr(bnfhmc, "load", lambda path, **_: problem(num_samples=300), raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return stand_in


def invoke(*args):
    return CliRunner().invoke(cli.app, list(args), prog_name="bnfhmc")


def one_line(result):
    """The one line on stderr of a command that failed."""
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("bnfhmc: "), result.stderr
    assert "Traceback" not in result.output
    return lines[0]


# The four exit codes


def test_0_converged(sampler, tmp_path):
    result = invoke("run", "fit.conf", "-o", "out")
    assert result.exit_code == 0 and result.stderr == ""
    assert "Converged" in result.stdout and "R-hat" in result.stdout and "out" in result.stdout
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["posterior.nc", "run.json", "samples.txt"]
    assert json.loads((tmp_path / "out" / "run.json").read_text())["status"] == "finished"
    idata = load_arviz().from_netcdf(str(tmp_path / "out" / "posterior.nc"))
    assert dict(idata.posterior.sizes) == {"chain": 4, "draw": 300} and "log_likelihood" in idata.groups()
    assert len((tmp_path / "out" / "samples.txt").read_text().splitlines()) == 1201


@pytest.mark.parametrize(("given", "said"), [
    ({"apart": 0.5}, "R-hat is"),
    ({"diverging": [(1, 7)]}, "1 of 1200 draws diverged"),
])  # fmt: skip
def test_3_finished_but_not_converged(sampler, given, said):
    sampler.given = given
    result = invoke("run", "fit.conf", "-o", "out", "--quiet")
    assert result.exit_code == 3 and result.stderr == ""
    assert result.stdout.startswith("Not converged:") and said in result.stdout
    assert json.loads(Path("out/run.json").read_text())["verdict"]["converged"] is False


def test_3_low_ess(sampler, monkeypatch):
    monkeypatch.setattr(bnfhmc, "load", lambda path, **_: problem(num_samples=20))
    result = invoke("run", "fit.conf", "-q")
    assert result.exit_code == 3 and "ESS is" in result.stdout


BAD_FILES = pytest.mark.parametrize("error", [
    InputError([Mistake("unknown key 'x'", "did you mean 'y'?", "fit.conf", 3), Mistake("second", path="fit.conf")]),
    MissingTool("perl is not installed: apt-get install perl"),
])  # fmt: skip


@BAD_FILES
def test_2_a_bad_file(sampler, monkeypatch, error):
    says_what_is_bad("run", error, monkeypatch)


def says_what_is_bad(verb, error, monkeypatch):
    def load(path, **_):
        raise error

    monkeypatch.setattr(bnfhmc, "load", load)
    result = invoke(verb, "fit.conf")
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr.splitlines() == [f"bnfhmc: {line}" for line in str(error).splitlines()]


@pytest.mark.parametrize("args", [
    ["run"], ["run", "a", "b"], ["nosuch", "fit.conf"], ["run", "fit.conf", "--nosuch"], ["--nosuch"], ["-c"],
    ["run", "fit.conf", "--cores", "0"], ["run", "fit.conf", "--seed", "-1"], ["run", "fit.conf", "--seed", "x"],
    ["-o", "out", "run", "fit.conf"],
])  # fmt: skip
def test_2_a_bad_command(sampler, args):
    result = invoke(*args)
    assert result.exit_code == 2 and "Error" in result.stderr and "Traceback" not in result.output
    assert sampler.asked == {}


def test_2_a_finished_folder(sampler, tmp_path):
    assert invoke("run", "fit.conf", "-o", "out").exit_code == 0
    before = (tmp_path / "out" / "samples.txt").read_text()
    sampler.asked = {}
    result = invoke("run", "fit.conf", "-o", "out", "--seed", "5")
    assert result.exit_code == 2 and "--overwrite" in one_line(result)
    assert sampler.asked == {} and (tmp_path / "out" / "samples.txt").read_text() == before
    assert invoke("run", "fit.conf", "-o", "out", "--seed", "5", "--overwrite").exit_code == 0
    assert (tmp_path / "out" / "samples.txt").read_text() != before


@pytest.mark.parametrize(("error", "said"), [
    (GradientMismatch("k1: gradient 1, difference 2"), "bnfhmc: k1: gradient 1, difference 2"),
    (FailedSolve("solver", "too many steps"), "bnfhmc: solver: too many steps"),
    (OSError("no such device"), "bnfhmc: no such device"),
    (ZeroDivisionError("float\ndivision"), "bnfhmc: unexpected ZeroDivisionError: float; --debug shows the traceback"),
    (RuntimeError(), "bnfhmc: unexpected RuntimeError: ; --debug shows the traceback"),
    (RuntimeError("\x1b[2J"), r"bnfhmc: unexpected RuntimeError: \x1b[2J; --debug shows the traceback"),
])  # fmt: skip
def test_1_another_error(sampler, tmp_path, error, said):
    sampler.raises = error
    result = invoke("run", "fit.conf", "-o", "out")
    assert result.exit_code == 1 and one_line(result) == said
    assert not (tmp_path / "out").exists()


def test_1_a_disk_that_fills_up(sampler, monkeypatch, tmp_path):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bnfhmc.report.samples_txt.write_samples", full)
    result = invoke("run", "fit.conf", "-o", "out")
    assert result.exit_code == 1 and "samples.txt: cannot be written: no space is left on the disk" in one_line(result)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["status"] == "unfinished"


def test_1_a_draw_that_cannot_be_solved_again_keeps_the_draws(sampler, monkeypatch, tmp_path):
    fails = draws(Gaussian(), 4, 300, 5, seed=11).z[2, 40]
    at = Gaussian().theta_from_u(Gaussian().u_from_z(fails))
    monkeypatch.setattr("bnfhmc.posterior.Posterior", lambda problem: Gaussian(problem, fails_at=at))
    result = invoke("run", "fit.conf", "-o", "out")
    assert result.exit_code == 1 and "out holds the draws, but no log_likelihood" in one_line(result)
    assert "log_likelihood" not in load_arviz().from_netcdf(str(tmp_path / "out" / "posterior.nc")).groups()
    assert len((tmp_path / "out" / "samples.txt").read_text().splitlines()) == 1201
    assert invoke("run", "fit.conf", "-o", "out").exit_code == 1    # no finished run: nothing to protect


def test_debug_shows_the_traceback_and_keeps_the_code(sampler):
    sampler.raises = ZeroDivisionError("float division")
    result = invoke("run", "fit.conf", "--debug")
    assert result.exit_code == 1 and "Traceback" in result.stderr and "in __call__" in result.stderr


def test_130_interrupted(sampler, tmp_path):
    sampler.raises = KeyboardInterrupt()
    result = invoke("run", "fit.conf", "-o", "out")
    assert result.exit_code == 130 and one_line(result) == "bnfhmc: interrupted; the run is not finished"
    assert not (tmp_path / "out").exists()


# What is run


def test_pybnf_spelling(sampler, tmp_path):
    assert invoke("-c", "fit.conf", "-o", "out").exit_code == 0
    assert (tmp_path / "out" / "run.json").exists()
    assert invoke("-o", "out2", "-c", "fit.conf", "--quiet").exit_code == 0
    assert (tmp_path / "out2" / "run.json").exists()


def test_where_the_results_go(sampler, monkeypatch, tmp_path):
    assert invoke("run", "fit.conf").exit_code == 0
    assert (tmp_path / "fit_out" / "run.json").exists()
    monkeypatch.setattr(bnfhmc, "load", lambda path, **_: problem(num_samples=300, output_dir=Path("results/fit")))
    assert invoke("run", "elsewhere/fit.conf").exit_code == 0
    assert (tmp_path / "results" / "fit" / "run.json").exists()    # relative to where the command was typed
    assert invoke("run", "elsewhere/fit.conf", "-o", "mine").exit_code == 0
    assert (tmp_path / "mine" / "run.json").exists()


def test_options_reach_the_sampler(sampler):
    assert invoke("run", "fit.conf", "--seed", "5", "--cores", "1", "-q").exit_code == 0
    assert sampler.asked.pop("checkpoint").folder == Path("fit_out/checkpoint")
    assert sampler.asked == {
        "chains": 4, "num_warmup": 1000, "num_samples": 300, "target_accept": 0.8, "random_seed": 5, "cores": 1,
        "progress": False, "resume": False, "start": "map",
    }  # fmt: skip
    assert json.loads(Path("fit_out/run.json").read_text())["random_seed"] == 5


def test_a_seed_that_was_drawn_is_recorded(sampler):
    assert invoke("run", "fit.conf").exit_code == 0
    record = json.loads(Path("fit_out/run.json").read_text())
    assert record["random_seed"] == record["configuration"]["random_seed"] == 11


def test_quiet_prints_the_verdict_only(sampler):
    result = invoke("run", "fit.conf", "--quiet")
    assert len(result.stdout.splitlines()) == 2 and result.stdout.startswith("Converged")


def test_hostile_names_stay_text(sampler, monkeypatch):
    names = ("[red]k[/red]", "a\nb\x1b[31m")
    monkeypatch.setattr(bnfhmc, "load", lambda path, **_: problem(names, num_samples=300))
    sampler.given = {"apart": 0.5}
    result = invoke("run", "fit.conf")
    assert "[red]k[/red]" in result.stdout and r"a\nb\x1b[31m" in result.stdout
    assert "\x1b" not in result.stdout


# check


@pytest.fixture
def target(monkeypatch, tmp_path):
    """What `check` reads: two parameters under a closed-form objective, whose gradient the test may choose."""
    objective = Objective(("b", "a"))
    parameters = (
        make_parameter("b", "half_normal", {"scale": 1.0}, "log10", initial=10.0),
        make_parameter("a", "normal", {"mean": 0.0, "sd": 1.0}, "lin"),
    )
    monkeypatch.chdir(tmp_path)
    made = lambda path, **_: Problem(parameters, {}, (), target=objective, path=path)  # noqa: E731
    monkeypatch.setattr(bnfhmc, "load", made, raising=False)
    return objective


def test_check(target):
    result = invoke("check", "fit.conf")
    assert result.exit_code == 0 and result.stderr == "", result.output
    assert "fit.conf: 2 parameters" in result.stdout and "half_normal(scale 1)" in result.stdout
    assert "b = 10, a = 0" in result.stdout and "the initial values and prior medians" in result.stdout
    assert "central difference" in result.stdout and "mismatch" not in result.stdout
    assert "between" in result.stdout and "Nothing is wrong." in result.stdout
    assert not list(Path().iterdir())


@BAD_FILES
def test_check_of_a_bad_file(target, monkeypatch, error):
    says_what_is_bad("check", error, monkeypatch)


def test_check_at_the_medians_of_the_prior(target):
    result = invoke("check", "fit.conf", "--point", "prior")
    assert result.exit_code == 0 and "at the medians of the prior: b = 4.726, a = 0" in result.stdout
    result = invoke("check", "fit.conf", "--point", "posterior")
    assert result.exit_code == 2 and "'initial', 'prior'" in result.stderr


def test_check_finds_a_wrong_gradient(target):
    target.factors = [1.0, 1.1]
    result = invoke("check", "fit.conf")
    assert result.exit_code == 1 and "the gradient is wrong for a:" in one_line(result)
    assert "mismatch" in result.stdout


def test_check_says_where_the_model_cannot_be_solved(target):
    target.value = float("nan")
    result = invoke("check", "fit.conf")
    assert result.exit_code == 1 and "nonfinite: the model can be solved neither at the initial values" in one_line(result)
    assert "b = 10" in result.stdout


def test_check_as_json(target, monkeypatch):
    load = bnfhmc.load
    monkeypatch.setattr(bnfhmc, "load", lambda path, **_: print("a library speaks") or load(path))
    result = invoke("check", "fit.conf", "--json")
    record = json.loads(result.stdout)
    assert result.exit_code == 0 and result.stderr == "a library speaks\n"
    assert record["status"] == "ok" and record["version"] == bnfhmc.__version__ and len(record["gradient"]) == 3
    assert record["problem"]["file"] == "fit.conf" and record["solves"]["theta"] == pytest.approx({"b": 10.0, "a": 0.0})


def test_check_as_json_when_it_fails(target, monkeypatch):
    target.factors = [1.0, 1.1]
    result = invoke("check", "fit.conf", "--json")
    record = json.loads(result.stdout)
    assert result.exit_code == 1 and "the gradient is wrong for a:" in one_line(result)
    assert record["status"] == "gradient mismatch" and record["forecast"]["chains"] == 4

    def load(path, **_):
        raise InputError([Mistake("unknown key 'x'", "", path, 3), Mistake("second", path=path)])

    monkeypatch.setattr(bnfhmc, "load", load)
    result = invoke("check", "fit.conf", "--json")
    record = json.loads(result.stdout)
    assert result.exit_code == 2 and result.stderr.splitlines()[0] == "bnfhmc: fit.conf:3: unknown key 'x'"
    assert record["status"] == "bad input" and [(e["line"], e["what"]) for e in record["errors"]] == [
        (3, "unknown key 'x'"), (None, "second"),
    ]  # fmt: skip


# Help


def test_help_has_an_example_for_each_verb():
    for args in ([], ["run"], ["check"]):
        result = invoke(*args, "--help")
        example = f"Example:\n    bnfhmc {args[0] if args else 'check'} fit.conf"
        assert result.exit_code == 0 and example in result.stdout


def test_version():
    assert invoke("--version").stdout == f"bnfhmc {bnfhmc.__version__}\n"


def ran(program):
    """Top-level names in sys.modules once `program` has run in a fresh interpreter, and what it printed before.

    scipy.stats counts as one.
    """
    program += "\nimport sys; print('|', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    printed, _, names = done.stdout.rpartition("|")
    modules = names.split()
    return {m.partition(".")[0] for m in modules} | ({"scipy.stats"} & set(modules)), printed


def modules_after(program):
    """The first of `ran`."""
    return ran(program)[0]


def test_help_imports_nothing_heavy():
    program = """
from bnfhmc import cli
import sys
sys.argv = ["bnfhmc", "--help"]
try:
    cli.main()
except SystemExit as end:
    assert not end.code
"""
    heavy = {"jax", "arviz", "xarray", "matplotlib", "scipy", "scipy.stats", "numpy", "blackjax", "bngsim", "pydantic"}
    assert not modules_after(program) & heavy


def test_check_of_the_example_imports_no_jax():
    program = """
from bnfhmc import cli
import sys
sys.argv = ["bnfhmc", "check", "--json", "examples/influenza/influenza.conf"]
try:
    cli.main()
except SystemExit as end:
    assert not end.code, end.code
"""
    modules, printed = ran(program)
    assert not modules & {"jax", "arviz", "xarray", "matplotlib", "scipy.stats", "blackjax"}
    record = json.loads(printed)
    assert record["status"] == "ok" and record["findings"] == []
    assert record["capabilities"]["sensitivities"][0]["kind"] == "analytic"
    assert record["solves"]["experiments"][0]["columns"] == 2
    assert {p["name"]: p["acts_on"] for p in record["problem"]["parameters"]} == {
        "beta": ["model parameter"], "gamma": ["model parameter"], "phi_inv": ["noise"],
    }  # fmt: skip


def test_as_a_module():
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-m", "bnfhmc", "run"], cwd=ROOT, capture_output=True, text=True, env=env)
    assert done.returncode == 2 and "Missing argument 'CONF'" in done.stderr and done.stdout == ""


@pytest.mark.parametrize("signalled", [False, True])
def test_what_main_ends_with(monkeypatch, capsys, signalled):
    monkeypatch.setattr(sys, "argv", ["bnfhmc", "run", "--debug"])

    def app(args, prog_name):
        assert args == ["run", "--debug"] and sys.argv == ["bnfhmc"]    # nothing that a library could take for its own
        if signalled:
            raise KeyboardInterrupt
        sys.exit(3)

    monkeypatch.setattr(cli, "app", app)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == (130 if signalled else 3)
    assert capsys.readouterr().err == ("bnfhmc: interrupted\n" if signalled else "")


def test_python_code_runs_only_where_the_flag_allows_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "target.py").write_text(
        "open('MARK', 'w').close()\ndef loss(p, data=None):\n    return 0.5 * p['x1'] ** 2, {'x1': p['x1']}\n"
    )
    (tmp_path / "fit.conf").write_text(
        "edition = 2\nfit_type = nuts\nobjective = callable\ncallable = target.py:loss\n"
        "parameter: x1, prior: normal, mean: 0, sd: 1\n"
    )
    refused = invoke("check", "fit.conf")
    assert refused.exit_code == 2 and "--allow-callable" in refused.stderr
    assert not (tmp_path / "MARK").exists()
    assert invoke("check", "fit.conf", "--allow-callable").exit_code == 0
    assert (tmp_path / "MARK").exists()


@pytest.mark.parametrize("chosen", ["", "3"])
def test_the_command_leaves_threads_to_chains_and_starts(chosen):
    code = "import os, sys; sys.argv[1:] = ['--help']\nfrom bnfhmc import cli\ntry:\n    cli.main()\nfinally:\n"
    code += "    print([os.environ[name] for name in cli.BLAS_THREADS], 'numpy' in sys.modules)"
    environment = {k: v for k, v in os.environ.items() if k not in cli.BLAS_THREADS}
    environment |= {"PYTHONPATH": str(Path(cli.__file__).parents[1])} | ({"OMP_NUM_THREADS": chosen} if chosen else {})
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == f"['1', '{chosen or 1}', '1'] False"
