"""A fit read back: its starts and profiles, the pictures of it, and every way in which its files are not those of a fit."""

import json
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import bnfhmc
from bnfhmc.errors import InputError
from bnfhmc.posterior import Posterior
from bnfhmc.report import plots, run_json
from bnfhmc.report.fit import write_fit, write_profiles
from bnfhmc.report.fit_study import open_fit
from bnfhmc.report.fitted import fit_of, read_fitted
from bnfhmc.report.folder import ResultFolder
from bnfhmc.report.opened import Run
from tests.report.finished import draws, opened, problem

POSTERIOR = Posterior(problem())
FIT = bnfhmc.optimize(POSTERIOR, starts=4, random_seed=1, cores=1)
PROFILES = bnfhmc.profile_likelihood(POSTERIOR, FIT, ["k", "sd"], confidence=0.9, cores=1)


def write_finished_fit(folder: Path, fit=FIT, profiles=PROFILES) -> Path:
    """The files that a fit leaves."""
    folder.mkdir(parents=True)
    write_fit(ResultFolder(folder), fit)
    if profiles is not None:
        write_profiles(ResultFolder(folder), profiles)
    record = run_json.opening("0.1.0", "2026-01-01T00:00:00+00:00") | {
        "status": "finished", "fit": {"file": "fit.conf"}, "verdict": {"converged": True, "sentence": "Converged."},
        "result": {"sentences": list(fit.sentences)},
    }  # fmt: skip
    (folder / "run.json").write_text(run_json.to_json(record), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return write_finished_fit(tmp_path_factory.mktemp("finished") / "fit")


@pytest.fixture
def folder(finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("fit.conf").touch()
    return shutil.copytree(finished, tmp_path / "fit")


def test_what_is_read_is_what_was_found(folder):
    found = read_fitted(folder)
    assert found.names == ("A0", "k", "sd") and found.theta == FIT.theta and found.log_posterior == FIT.log_posterior
    np.testing.assert_array_equal(found.u, FIT.u)
    np.testing.assert_array_equal(found.reached, [-s.value for s in FIT.starts])
    np.testing.assert_array_equal(found.converged, [s.converged for s in FIT.starts])
    assert found.standard_errors == pytest.approx(dict(FIT.standard_errors), nan_ok=True)
    assert [c.name for c in found.profiles] == ["k", "sd"] and found.confidence == 0.9
    for curve in found.profiles:
        np.testing.assert_array_equal(curve.rise, PROFILES.by_name[curve.name].rise)
        assert curve.best == found.u[found.names.index(curve.name)]


def test_a_start_that_found_nothing_reached_nothing(folder):
    said = json.loads((folder / "map.json").read_text())
    said["starts"][2]["value"] = None
    (folder / "map.json").write_text(json.dumps(said))
    assert list(np.isfinite(read_fitted(folder).reached)) == [True, True, False, True]


@pytest.mark.parametrize(("file", "change", "why"), [
    ("map.json", lambda text: text[: len(text) // 2], "map.json: cannot be read"),
    ("map.json", lambda text: "[1, 2]", "map.json: cannot be read"),
    ("map.json", lambda text: "{}", "map.json: cannot be read"),
    ("map.json", lambda text: "[" * 100_000, "map.json: cannot be read"),
    ("map.json", lambda text: '{"status": "unfinished"}', "the fit has not ended"),
    ("map.json", lambda text: text.replace('"names": [', '"names": ["more",', 1), "map.json: cannot be read"),
    ("profiles.json", lambda text: text[: len(text) // 2], "profiles.json: cannot be read"),
    ("profiles.json", lambda text: text.replace('"k"', '"unknown"', 1), "profiles.json: cannot be read"),
])  # fmt: skip
def test_a_damaged_file_is_named(folder, file, change, why):
    (folder / file).write_text(change((folder / file).read_text()))
    with pytest.raises(InputError, match=why):
        read_fitted(folder)


def test_a_file_that_is_missing_is_named(folder):
    (folder / "map.json").unlink()
    with pytest.raises(InputError, match="map.json: is missing"):
        read_fitted(folder)


@cache
def some_run() -> Run:
    return opened(POSTERIOR, draws(POSTERIOR)).run


def run_that_started(start, folder: Path) -> Run:
    configuration = {**some_run().record["configuration"], "start": start}
    return replace(some_run(), folder=folder, record={**some_run().record, "configuration": configuration})


def test_a_run_knows_the_fit_that_it_started_from(folder, tmp_path):
    out = tmp_path / "out"
    assert fit_of(run_that_started("prior", out)) is None and fit_of(run_that_started("map", out)) is None
    assert fit_of(run_that_started(str(folder / "map.json"), out)).u.tolist() == FIT.u.tolist()
    assert fit_of(run_that_started(str(folder), out)).folder == folder
    moved = fit_of(run_that_started("gone/fit/map.json", out))  # run in another folder, and moved with the stage before it
    assert moved.folder == folder
    assert fit_of(run_that_started("gone/other/map.json", out)) is None
    write_finished_fit(out / "checkpoint", profiles=None)
    assert fit_of(run_that_started("map", out)).folder == out / "checkpoint"


def test_a_fit_of_other_parameters_is_not_that_of_the_run(folder, tmp_path):
    said = (folder / "map.json").read_text().replace('"sd"', '"s"')
    (folder / "map.json").write_text(said)
    (folder / "profiles.json").unlink()
    assert fit_of(run_that_started(str(folder), tmp_path / "out")) is None


def test_pictures_of_a_fit(folder):
    study = open_fit(folder, lambda path: problem(), cores=1)
    assert plots.kinds_of(study) == ("fit", "waterfall", "profile")
    made = {kind: list(plots.pictures(study, kind, png=True)) for kind in plots.kinds_of(study)}
    assert {kind: len(pictures) for kind, pictures in made.items()} == {"fit": 3, "waterfall": 1, "profile": 1}
    assert "Where 4 starts of the search" in made["waterfall"][0].text
    assert all(p.png.startswith(b"\x89PNG") and b"<svg" in p.svg for pictures in made.values() for p in pictures)
    with pytest.raises(InputError, match="a picture 'trace' is of draws, and a fit has none; of a fit there are fit"):
        list(plots.pictures(study, "trace"))


def test_predictions_around_the_best_point_are_as_wide_as_its_standard_errors(folder):
    study = open_fit(folder, lambda path: problem(), cores=1)
    k = POSTERIOR.problem.parameters[1].scale.theta_from_u(study.around[:, 1])
    # the spread of 400 draws is known to 1/sqrt(800) = 3.5 %; five of these, and 3 % for the bend of the scale
    assert np.std(k) == pytest.approx(FIT.standard_errors["k"], rel=0.2)
    (fit, *_) = study.fits
    inside = (fit.curve[0] < fit.curve[2]) & (fit.curve[2] < fit.curve[4])
    assert inside[1:].all() and study.predictive.at.size == 400


def test_a_fit_whose_problem_has_changed_is_refused(folder):
    other = problem()
    first, *rest = other.experiments
    series = (replace(first.series[0], observed=first.series[0].observed + 1),)
    with pytest.raises(InputError, match="log posterior at the best point is .* has changed since"):
        open_fit(folder, lambda path: replace(other, experiments=(replace(first, series=series), *rest)))
    with pytest.raises(InputError, match="has the parameters A0, k, s, and the fit has A0, k, sd"):
        open_fit(folder, lambda path: problem(("A0", "k", "s")))


def test_the_pictures_of_a_run_have_those_of_the_fit_before_it(folder, tmp_path):
    from bnfhmc.report.opened import Opened
    from bnfhmc.report.study import Study

    run = run_that_started(str(folder), tmp_path / "out")
    u = np.array([POSTERIOR.u_from_z(row) for row in run.z.reshape(-1, 3)]).reshape(run.z.shape)
    study = Study(Opened(run, POSTERIOR, u), cores=1)
    assert [len(list(plots.pictures(study, kind))) for kind in ("waterfall", "profile")] == [1, 1]
