"""The commands on finished runs, from folder to folder."""

import json
from pathlib import Path

import numpy as np
import pytest

from bnfhmc.errors import InputError
from bnfhmc.posterior import Posterior
from bnfhmc.report import verbs
from bnfhmc.report.scenario import Asked
from tests.report.finished import draws, laplace, problem, write_run

POSTERIOR = Posterior(problem())


def load(path):
    return problem()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("fit.conf").touch()
    return write_run(Path("out"), POSTERIOR)


def test_summary(folder):
    found = verbs.summary(folder)
    assert found.verdict.converged and found.summary.names == ("A0", "k", "sd")
    record = json.loads(json.dumps(verbs.summary_record(found)))
    assert record["converged"] and record["parameters"]["k"]["mean"] == pytest.approx(0.4, rel=0.1)


def test_report(folder):
    found = verbs.report(folder, load, audit=True, cores=1, units={"time": "min"})
    assert found.path == folder / "report.html" and found.diagnosis.trusted and found.diagnosis.topics["solver"] == ()
    assert sorted(p.name for p in folder.iterdir()) == ["posterior.nc", "report.html", "run.json"]


def test_plot(folder, tmp_path):
    paths = verbs.plot(folder, ["energy", "forest"], load, cores=1)
    assert {p.relative_to(folder).as_posix() for p in paths} == {
        f"plots/{kind}.{suffix}" for kind in ("energy", "forest") for suffix in ("svg", "png")
    }
    assert verbs.plot(folder, ["pair"], load, output_dir=tmp_path / "p")[0].parent == tmp_path / "p"
    with pytest.raises(InputError, match="unknown picture 'piar'; did you mean 'pair'"):
        verbs.plot(folder, ["piar"], None)


def test_predict(folder):
    found = verbs.predict(folder, load, Asked(times=(1.0, 2.0)), draws=50, cores=1)
    assert found.draws == 50 and found.series[0].rows.tolist() == [1.0, 2.0]
    theta = verbs.summary(folder).run.theta
    middle = np.median(theta[..., 0] * np.exp(-theta[..., 1]))
    assert found.series[0].value[2, 0] == pytest.approx(middle, rel=0.02)


def test_compare_and_merge(folder):
    other = write_run(Path("other"), POSTERIOR, draws(POSTERIOR, laplace(POSTERIOR, seed=9)))
    for run in (folder, other):
        rows = "".join(f"iter{i}run{c}\t-1.0\n" for c in range(4) for i in range(250))
        (run / "samples.txt").write_text("# Name\tLn_probability\n" + rows)
    assert {c.name for c in verbs.compare([folder, other])} == {"out", "other"}
    summary, verdict = verbs.merge([folder, other], Path("all"))
    assert verdict.converged and verbs.summary(Path("all")).run.z.shape == (8, 250, 3)
    np.testing.assert_allclose(summary.mean, verbs.summary(Path("all")).summary.mean)
