"""Runs that are stopped, gone on with, and asked for more, from a configuration on disk."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5netcdf
import numpy as np
import pytest

import bnfhmc
from bnfhmc import run as runs
from bnfhmc import sampling
from bnfhmc.errors import InputError
from bnfhmc.report.quiet_arviz import load_arviz
from bnfhmc.samplers.posterior_target import CurvedPosterior, evaluate_curved
from tests.samplers.test_posterior_target import DATA, DECAY, NET

FILES = {"posterior.nc", "run.json", "samples.txt", "checkpoint"}


def written(folder):
    """The configuration with its model and data, in this folder."""
    (folder / "decay.net").write_text(NET)
    (folder / "d1.exp").write_text(DATA)
    path = folder / "fit.conf"
    path.write_text(DECAY + "population_size = 2\nnum_warmup = 120\nnum_samples = 60\nrandom_seed = 7\n")
    return path


@pytest.fixture
def conf(tmp_path):
    return written(tmp_path)


def start(conf, folder, **settings):
    return runs.run(runs.with_settings(bnfhmc.load(conf), **settings), folder, quiet=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of the configuration's run, from its start to its end; to be read, or copied."""
    folder = tmp_path_factory.mktemp("whole")
    start(written(folder), folder / "out")
    return folder / "out"


def z(folder):
    with h5netcdf.File(folder / "posterior.nc", "r") as file:
        return file["unconstrained_posterior"].variables["z"][...]


def interrupt_after(monkeypatch, solves):
    """SIGINT to this process at a solve of the posterior."""
    count, evaluate = [], bnfhmc.Posterior.evaluate

    def counting(self, at):
        count.append(None)
        if len(count) == solves:
            os.kill(os.getpid(), signal.SIGINT)
        elif len(count) > solves:  # until it is heard
            time.sleep(1e-3)
        return evaluate(self, at)

    monkeypatch.setattr(bnfhmc.Posterior, "evaluate", counting)


@pytest.mark.parametrize("solves", [10, 100, 300])
def test_an_interrupted_run_goes_on_to_the_very_draws(conf, tmp_path, monkeypatch, whole, solves):
    with monkeypatch.context() as patched:
        interrupt_after(patched, solves)
        with pytest.raises(KeyboardInterrupt):
            start(conf, tmp_path / "parts")
    outcome = runs.resume(tmp_path / "parts", quiet=True)
    np.testing.assert_array_equal(z(tmp_path / "parts"), z(whole))
    assert outcome.folder == tmp_path / "parts"
    assert {p.name for p in (tmp_path / "parts").iterdir()} == FILES
    assert json.loads((tmp_path / "parts" / "run.json").read_text())["status"] == "finished"


def test_an_interrupted_run_keeps_its_draws(conf, tmp_path, monkeypatch):
    interrupt_after(monkeypatch, 1200)
    told = []
    with pytest.raises(KeyboardInterrupt):
        runs.run(runs.with_settings(bnfhmc.load(conf), num_samples=5000), tmp_path / "out", quiet=True, tell=told.append)
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (record["status"], record["ended_by"]) == ("unfinished", "interrupted")
    assert 0 < z(tmp_path / "out").shape[1] < 1000
    assert told[-1] == f"type 'bnfhmc resume {tmp_path / 'out'}' to go on with the run"
    assert any("of 5000 draws a chain are made" in note for note in told)


def test_a_run_that_holds_work_is_not_replaced_by_chance(conf, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        interrupt_after(patched, 100)
        with pytest.raises(KeyboardInterrupt):
            start(conf, tmp_path / "out")
    with pytest.raises(InputError, match="bnfhmc resume .*out.* to go on with it, --overwrite"):
        start(conf, tmp_path / "out")
    runs.run(bnfhmc.load(conf), tmp_path / "out", overwrite=True, quiet=True)
    assert z(tmp_path / "out").shape == (2, 60, 3)


def test_more_draws_are_added_to_a_finished_run(conf, tmp_path, whole):
    shutil.copytree(whole, tmp_path / "out")
    first = z(tmp_path / "out")
    outcome = runs.resume(tmp_path / "out", num_samples=100, quiet=True)
    assert outcome.summary.names == ("k", "A0", "s")
    np.testing.assert_array_equal(z(tmp_path / "out")[:, :60], first)
    stats = load_arviz().from_netcdf(str(tmp_path / "out" / "posterior.nc")).sample_stats
    assert (stats["seconds"] > 0).all() and (stats["solver_steps"] >= 5 * stats["n_steps"]).all()
    start(conf, tmp_path / "long", num_samples=100)
    np.testing.assert_array_equal(z(tmp_path / "out"), z(tmp_path / "long"))
    assert json.loads((tmp_path / "out" / "run.json").read_text())["configuration"]["num_samples"] == 100


def test_a_run_whose_data_have_changed_is_not_gone_on_with(conf, tmp_path):
    start(conf, tmp_path / "out", start="prior", num_samples=20)
    (tmp_path / "d1.exp").write_text(DATA.replace("0.5 8", "0.5 9"))
    assert (tmp_path / "d1.exp").read_text() != DATA
    with pytest.raises(InputError, match="have changed since"):
        runs.resume(tmp_path / "out", num_samples=100, quiet=True)


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(InputError, match="there is no run to go on with"):
        runs.resume(tmp_path)


def test_a_run_can_begin_with_what_another_has_learnt(conf, whole):
    posterior = bnfhmc.Posterior(bnfhmc.load(conf))
    idata = bnfhmc.sample(posterior, chains=2, num_warmup=0, num_samples=50, random_seed=1, tuned=whole)
    steps = json.loads((whole / "run.json").read_text())["counts"]["step_size"]
    np.testing.assert_array_equal(idata.sample_stats["step_size"].values[:, 0], steps)


def test_a_step_size_is_of_its_method(conf, whole):
    """Another method takes the metric, and not the step size: one of 1000 means independent draws to pcn."""
    posterior = bnfhmc.Posterior(bnfhmc.load(conf))
    names = list(posterior.names)
    theirs, ours = sampling.tunings_of(whole, names, "nuts"), sampling.tunings_of(whole, names, "pcn")
    assert [t.step_size for t in ours] == [1.0] * len(theirs) != [t.step_size for t in theirs]
    for other, one in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(other.metric.root, one.metric.root)


def test_the_options_of_a_method_reach_it(conf, ticking):
    posterior = bnfhmc.Posterior(bnfhmc.load(conf))
    u = posterior.u_from_theta({"k": 0.5, "A0": 10.0, "s": 0.3})
    options = {"chains": 2, "num_warmup": 20, "num_samples": 30, "random_seed": 1}
    idata = bnfhmc.sample(posterior, max_tree_depth=2, metric="diagonal", starts=[u], **options)
    assert idata.sample_stats["tree_depth"].max() == 2 and idata.posterior.attrs["metric"] == "diagonal"
    idata = bnfhmc.sample(posterior, "hmc", path_length=0.1, **options)
    assert set(np.unique(idata.sample_stats["n_steps"])) <= {1, 2}
    limited = bnfhmc.sample(posterior, time_limit=1.0, **(options | {"num_samples": 100_000}))
    assert 0 < limited.posterior.sizes["draw"] < 100_000


@pytest.mark.parametrize("method", [m for m in runs.METHODS if m != "nuts"])
def test_every_method_goes_all_the_way(conf, tmp_path, method):
    posterior = bnfhmc.Posterior(bnfhmc.load(conf))
    idata = bnfhmc.sample(posterior, method, chains=2, num_warmup=30, num_samples=20, random_seed=1)
    assert idata.posterior.attrs["sampling_method"] == method
    assert np.isfinite(idata.log_likelihood["y"]).all()


def test_an_engine_that_a_method_has_not_is_named(conf):
    posterior = bnfhmc.Posterior(bnfhmc.load(conf))
    with pytest.raises(ValueError, match="engine = blackjax is not one that rwm has: own"):
        bnfhmc.sample(posterior, "rwm", engine="blackjax")


def test_the_folder_of_the_checkpoint_is_said_where_the_configuration_has_gone(conf, tmp_path):
    start(conf, tmp_path / "out", start="prior", num_samples=20)
    conf.rename(Path(str(conf) + ".old"))
    with pytest.raises((InputError, OSError), match="fit.conf"):
        runs.resume(tmp_path / "out", num_samples=100, quiet=True)


def test_the_settings_of_a_configuration_reach_the_chains(conf, tmp_path):
    conf.write_text(conf.read_text().replace("fit_type = nuts", "fit_type = hmc") + """path_length = 0.1
metric = diagonal
start = starts.txt
wall_time_fit = 1000
checkpoint_interval = 5
""")
    (conf.parent / "starts.txt").write_text("k A0 s\n0.5 10 0.3\n0.6 11 0.2\n")
    start(conf, tmp_path / "out")
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["counts"]["metric"] == "diagonal" and record["configuration"]["method"] == "hmc"
    idata = load_arviz().from_netcdf(str(tmp_path / "out" / "posterior.nc"))
    assert set(np.unique(idata.sample_stats["n_steps"])) <= {1, 2}
    asked = json.loads((tmp_path / "out" / "checkpoint" / "run.json").read_text())
    posterior = bnfhmc.Posterior(bnfhmc.load(conf))
    expected = posterior.z_from_u(posterior.u_from_theta({"k": 0.6, "A0": 11.0, "s": 0.2}))
    np.testing.assert_allclose(asked["starts"][1]["numbers"], expected)


def counted(self, at):
    self.evaluate(at)
    return evaluate_curved(self.posterior, at)


def test_a_run_from_the_modes_goes_on_to_the_very_draws(conf, tmp_path, monkeypatch, whole):
    for name, solves in (("in the search", 30), ("in the warm-up", 250)):
        with monkeypatch.context() as patched:
            interrupt_after(patched, solves)
            patched.setattr(CurvedPosterior, "evaluate_curved", counted)
            with pytest.raises(KeyboardInterrupt):
                start(conf, tmp_path / name, start="map")
        runs.resume(tmp_path / name, quiet=True)
        np.testing.assert_array_equal(z(tmp_path / name), z(whole))
    assert json.loads((whole / "run.json").read_text())["counts"]["search"]["gradients"] > 8
    records = [json.loads((folder / "run.json").read_text()) for folder in (whole, tmp_path / "in the warm-up")]
    assert records[0]["counts"]["search"] == records[1]["counts"]["search"]


def test_a_metric_that_was_learnt_of_other_parameters_is_refused(conf, tmp_path, whole):
    text = conf.read_text().replace("parameter: A0", "parameter: B0").replace("A0", "B0")
    (conf.parent / "decay.net").write_text(NET.replace("A0", "B0"))
    conf.write_text(text + f"warmup_from = {whole}\n")
    with pytest.raises(InputError, match="the run learnt a metric of k, A0, s"):
        start(conf, tmp_path / "other")


@pytest.mark.parametrize(("settings", "said"), [
    ({"method": "rwm", "engine": "blackjax"}, "engine = blackjax is not one that rwm has: own"),
    ({"engine": "stan"}, "engine = stan: it should be 'own', 'blackjax' or 'nutpie'"),
    ({"method": "ensemble", "metric": "dense"}, "metric = dense belongs to hmc and mala and nuts and pcn and rwm"),
    ({"time_limit": 0.0}, "time_limit = 0.0: it should be greater than 0"),
])  # fmt: skip
def test_settings_that_do_not_go_together_are_named(conf, settings, said):
    with pytest.raises(InputError, match=re.escape(said)):
        runs.with_settings(bnfhmc.load(conf), **settings)


def test_another_method_drops_the_options_of_the_one_before(conf):
    conf.write_text(conf.read_text().replace("fit_type = nuts", "fit_type = hmc") + "path_length = 1.5\n")
    settings = runs.with_settings(bnfhmc.load(conf), method="nuts").settings
    assert (settings.method, settings.path_length) == ("nuts", None)


@pytest.mark.slow
def test_a_command_that_is_killed_is_resumed_to_the_very_draws(conf, tmp_path):
    conf.write_text(conf.read_text().replace("num_samples = 60", "num_samples = 3000") + "checkpoint_interval = 0.05\n")
    start(conf, tmp_path / "whole")
    rng, kills, folder = np.random.default_rng(3), 0, tmp_path / "killed"
    verb = ["run", str(conf), "-o", str(folder)]
    while not (folder / "posterior.nc").exists():
        process = subprocess.Popen([sys.executable, "-m", "bnfhmc", *verb, "-q"])
        while process.poll() is None and not (folder / "checkpoint" / "run.json").exists():
            time.sleep(0.01)
        try:
            process.wait(rng.uniform(0.3, 2.0) if kills < 6 else 120)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills, verb = kills + 1, ["resume", str(folder)]
        else:
            assert process.returncode in (0, 3)
    assert kills
    np.testing.assert_array_equal(z(folder), z(tmp_path / "whole"))


def test_auto_takes_what_a_pilot_finds_fastest_and_says_why(conf, tmp_path, monkeypatch):
    told, settings = [], {"method": "auto", "num_samples": 40}
    runs.run(runs.with_settings(bnfhmc.load(conf), **settings), tmp_path / "out", quiet=True, tell=told.append)
    chosen = json.loads((tmp_path / "out" / "checkpoint" / "run.json").read_text())["method"]
    assert chosen in sampling.PILOTED and any(note.startswith(f"{chosen} has the most effective draws") for note in told)
    first = z(tmp_path / "out")
    monkeypatch.setattr(sampling, "chosen", None)  # no second pilot, which might choose otherwise
    runs.resume(tmp_path / "out", num_samples=60, quiet=True)
    np.testing.assert_array_equal(z(tmp_path / "out")[:, :40], first)


def test_the_search_for_the_mode_is_kept_with_the_chains(conf, tmp_path, whole):
    shutil.copytree(whole, tmp_path / "out")
    found = json.loads((tmp_path / "out" / "checkpoint" / "map.json").read_text())
    assert found["names"] == ["k", "A0", "s"] and len(found["starts"]) == 20
    runs.resume(tmp_path / "out", num_samples=80, quiet=True)
    assert json.loads((tmp_path / "out" / "checkpoint" / "map.json").read_text()) == found
    other = runs.with_settings(bnfhmc.load(conf), start="prior")
    runs.run(other, tmp_path / "out", overwrite=True, quiet=True)
    assert not (tmp_path / "out" / "checkpoint" / "map.json").exists()  # that run started from no mode


@pytest.mark.parametrize(("method", "options", "said"), [
    ("rwm", {"path_length": 1.0}, "path_length = 1.0 belongs to hmc"),
    ("ensemble", {"metric": "dense"}, "metric = dense belongs to hmc and mala and nuts and pcn and rwm"),
    ("nuts", {"engine": "nutpie", "time_limit": 1.0}, "time_limit = 1.0 is not known to engine = nutpie"),
    ("nuts", {"engine": "nutpie", "accept_by": "value"}, "accept_by = value is not known to engine = nutpie"),
    ("nuts", {"engine": "stan"}, "engine = stan is not one that nuts has: own or blackjax or nutpie"),
    ("nuts", {"starts": []}, "starts is empty"),
    ("nuts", {"starts": [np.zeros(2)]}, "a start has 2 values, and there are 3 parameters"),
    ("nutz", {}, "unknown method 'nutz'"),
])  # fmt: skip
def test_arguments_that_do_not_go_together_are_named(conf, method, options, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        bnfhmc.sample(bnfhmc.Posterior(bnfhmc.load(conf)), method, **options)


def test_a_checkpoint_that_cannot_be_written_is_said(conf, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    told, settings = [], {"start": "prior", "num_samples": 20}
    with monkeypatch.context() as patched:
        patched.setattr("bnfhmc.samplers.checkpoint.np.savez", full)
        runs.run(runs.with_settings(bnfhmc.load(conf), **settings), tmp_path / "out", quiet=True, tell=told.append)
    assert any("could not be written (No space left on device)" in note for note in told)
    assert z(tmp_path / "out").shape[1] == 20


def test_stored_settings_that_are_damaged_are_named(conf, tmp_path):
    start(conf, tmp_path / "out", start="prior", num_samples=20)
    path = tmp_path / "out" / "checkpoint" / "run.json"
    said = json.loads(path.read_text())
    said["about"]["settings"]["chains"] = -3
    path.write_text(json.dumps(said))
    with pytest.raises(InputError, match=r"run\.json: the settings cannot be read: chains: .* greater than or equal to 1"):
        runs.resume(tmp_path / "out", quiet=True)
