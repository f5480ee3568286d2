"""A run read back: what is there, and every way in which it is not the run it was."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bnfhmc.errors import InputError
from bnfhmc.posterior import Posterior
from bnfhmc.report.opened import open_run, read_run
from tests.report.finished import draws, problem, write_run

POSTERIOR = Posterior(problem())
DRAWS = draws(POSTERIOR)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("run") / "out", POSTERIOR, DRAWS)


@pytest.fixture
def conf(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("fit.conf").touch()


def test_everything_is_read(folder, conf):
    opened = open_run(folder, lambda path: problem())
    assert opened.run.names == ("A0", "k", "sd")
    np.testing.assert_array_equal(opened.run.z, DRAWS.z)
    np.testing.assert_allclose(opened.u[2, 7], POSTERIOR.u_from_z(DRAWS.z[2, 7]), rtol=1e-14)
    np.testing.assert_allclose(opened.run.theta[2, 7], POSTERIOR.theta_from_u(opened.u[2, 7]), rtol=1e-12)
    assert opened.run.settings.num_samples == 250 and opened.run.settings.random_seed == 5
    assert opened.run.stats["lp"].shape == (4, 250) and opened.run.record["status"] == "finished"


def test_the_problem_file_may_have_moved(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"the problem file 'fit.conf' is not there .*--conf FILE"):
        open_run(folder, lambda path: problem())
    asked = []
    open_run(folder, lambda path: asked.append(path) or problem(), Path("elsewhere.conf"))
    assert asked == [Path("elsewhere.conf")]


def changed_parameters():
    p = problem()
    return replace(p, parameters=p.parameters[:2] + (replace(p.parameters[2], name="s"),), experiments=())


def changed_data():
    p = problem()
    e = p.experiments[1]
    other = replace(e, series=(replace(e.series[0], observed=e.series[0].observed + 1),))
    return replace(p, experiments=(p.experiments[0], other, p.experiments[2]))


def changed_prior():
    p, q = problem(), problem(names=("A0", "k", "sd"))
    wider = replace(p.parameters[0].prior, sd=2.0)
    return replace(q, parameters=(replace(p.parameters[0], prior=wider), *p.parameters[1:]))


def changed_model():
    p = problem()
    closed = p.models["closed"]
    closed.formulas = {**closed.formulas, "A": lambda m, t: 1.1 * m["A0"] * np.exp(-m["k"] * t)}
    return p


@pytest.mark.parametrize(("other", "said"), [
    (changed_data, "its measurements are not those of the run"),
    (changed_prior, "the log posterior at draw 0 is"),
    (changed_model, "the log posterior at draw 0 is"),
])  # fmt: skip
def test_another_problem_is_refused(folder, conf, other, said):
    with pytest.raises(InputError, match=said):
        open_run(folder, lambda path: other())


def test_other_parameters_are_refused(folder, conf):
    renamed = problem(names=("A0", "k", "s"))
    with pytest.raises(InputError, match="has the parameters A0, k, s, and the run has A0, k, sd"):
        open_run(folder, lambda path: renamed)


def test_what_is_no_finished_run(folder, tmp_path):
    with pytest.raises(InputError, match="is no folder; type the folder that bnfhmc run has written"):
        read_run(tmp_path / "nothing")
    with pytest.raises(InputError, match="holds no run.json"):
        read_run(tmp_path)
    copy = tmp_path / "copy"
    copy.mkdir()
    for wrong, said in (("{", "cannot be read"), ("[]", "is not from a run of bnfhmc"),
                        ('{"program": "bnfhmc", "status": "unfinished"}', "the run has not finished")):  # fmt: skip
        (copy / "run.json").write_text(wrong)
        with pytest.raises(InputError, match=said):
            read_run(copy)
    (copy / "run.json").write_text(json.dumps({"program": "bnfhmc", "status": "finished"}))
    with pytest.raises(InputError, match=r"posterior.nc: is missing"):
        read_run(copy)
    (copy / "posterior.nc").write_bytes((folder / "posterior.nc").read_bytes()[:4000])
    with pytest.raises(InputError, match=r"posterior.nc: cannot be read"):
        read_run(copy)


@pytest.mark.parametrize(("change", "where"), [
    ({"configuration": ["x"]}, "configuration"),
    ({"counts": {"sampling": ["a", 3]}}, r"counts.sampling.0, counts.sampling.1"),
    ({"counts": {"sampling": [{"failed_solves": {"solver": "many"}}]}}, r"counts.sampling.0.failed_solves.solver"),
    ({"versions": 3, "verdict": "good"}, "versions, verdict"),
])  # fmt: skip
def test_a_record_of_another_shape_is_refused(folder, tmp_path, change, where):
    copy = copied(folder, tmp_path)
    record = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({**record, **change}))
    with pytest.raises(InputError, match=rf"run.json: cannot be understood: {where}; "):
        read_run(copy)


def test_files_of_two_runs_are_told_apart(folder, tmp_path):
    copy = copied(folder, tmp_path)
    record = json.loads((copy / "run.json").read_text())
    assert read_run(copy).names == ("A0", "k", "sd")
    summary = record["summary"]
    for other in ({**summary, "k": {**summary["k"], "mean": 1.001 * summary["k"]["mean"]}}, {"k": summary["k"]}):
        (copy / "run.json").write_text(json.dumps({**record, "summary": other}))
        with pytest.raises(InputError, match="run.json: is of another run than posterior.nc beside it"):
            read_run(copy)


def copied(folder, tmp_path):
    """A copy of the run that may be damaged."""
    return Path(shutil.copytree(folder, tmp_path / "copied"))


def test_settings_of_another_version(folder):
    run = read_run(folder)
    other = replace(run, record={"configuration": {"chains": "many", "method": "magic"}})
    with pytest.raises(InputError, match="run.json: its settings cannot be understood: method, chains"):
        _ = other.settings
