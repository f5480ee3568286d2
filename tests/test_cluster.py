"""Chains, searches and predictions on the workers of a dask scheduler: the same draws as here, though a worker is killed."""

import os
import signal
import threading
import time

import numpy as np
import pytest

import bnfhmc
from bnfhmc import fit_run as fits
from bnfhmc import run as runs
from bnfhmc.cluster import Cluster, rows_on_worker
from bnfhmc.errors import InputError
from bnfhmc.optimizers import store as fits_store
from bnfhmc.report.quiet_arviz import load_arviz
from bnfhmc.samplers import executors
from tests.test_resume import conf, start, z  # noqa: F401

distributed = pytest.importorskip("distributed", reason="dask.distributed of the extra dask is not installed")


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        yield cluster


def kill_a_worker(cluster, checkpoint, killed):
    """Kill one of the workers as soon as a chain has been written down."""
    while not list(checkpoint.glob("chain-*.npz")):
        time.sleep(0.01)
    time.sleep(0.2)
    kill(cluster, killed)


def kill(cluster, killed):
    worker = next(iter(cluster.workers.values()))
    killed.append(worker.pid)
    os.kill(worker.pid, signal.SIGKILL)


def killed_after_the_first_piece(monkeypatch, cluster, name):
    """Kill a worker when the first piece of this kind has come back; what was killed."""
    killed, whole = [], executors.Dask.map

    def map_(self, work, tasks, interrupted, told=executors.nobody):
        def back(result):
            if not killed:
                kill(cluster, killed)
            told(result)

        return whole(self, work, tasks, interrupted, back if work.__name__ == name else told)

    monkeypatch.setattr(executors.Dask, "map", map_)
    return killed


@pytest.mark.slow
def test_the_draws_are_the_same_though_a_worker_is_killed(conf, tmp_path, cluster):  # noqa: F811
    longer = conf.read_text().replace("num_samples = 60", "num_samples = 800")
    conf.write_text(longer + "checkpoint_interval = 0.1\nnum_starts = 4\n")
    start(conf, tmp_path / "here", chains=3)
    killed = []
    killer = threading.Thread(target=kill_a_worker, args=(cluster, tmp_path / "away" / "checkpoint", killed), daemon=True)
    killer.start()
    start(conf, tmp_path / "away", chains=3, executor="dask", scheduler=cluster.scheduler_address)
    killer.join(1.0)
    assert killed
    np.testing.assert_array_equal(z(tmp_path / "away"), z(tmp_path / "here"))


@pytest.mark.slow
def test_predictions_are_the_same_though_a_worker_is_killed(conf, tmp_path, cluster, monkeypatch):  # noqa: F811
    start(conf, tmp_path / "here", num_samples=300)
    killed = killed_after_the_first_piece(monkeypatch, cluster, "rows_on_worker")
    start(conf, tmp_path / "away", num_samples=300, executor="dask", scheduler=cluster.scheduler_address)
    assert killed
    here, away = (load_arviz().from_netcdf(str(tmp_path / name / "posterior.nc")) for name in ("here", "away"))
    for group in ("log_likelihood", "posterior_predictive", "prior_predictive"):
        np.testing.assert_array_equal(away[group]["y"].values, here[group]["y"].values)


def fitted(conf, folder, **settings):  # noqa: F811
    problem = runs.with_settings(bnfhmc.load(conf), method="map", **settings)
    return fits.run_fit(fits.asked(problem, "map", 6), folder).fit


def same_fit(a, b):
    assert (a.theta, a.log_posterior, a.evaluations, a.failures) == (b.theta, b.log_posterior, b.evaluations, b.failures)
    for one, other in zip(a.starts, b.starts, strict=True):
        np.testing.assert_array_equal(one.u, other.u)
        assert (one.value, one.evaluations, one.reason) == (other.value, other.evaluations, other.reason)


@pytest.mark.slow
def test_a_multistart_is_the_same_though_a_worker_is_killed(conf, tmp_path, cluster, monkeypatch):  # noqa: F811
    here = fitted(conf, tmp_path / "here")
    killed = killed_after_the_first_piece(monkeypatch, cluster, "search_on_worker")
    away = fitted(conf, tmp_path / "away", executor="dask", scheduler=cluster.scheduler_address)
    assert killed
    same_fit(away, here)


@pytest.mark.slow
def test_a_fit_that_was_interrupted_goes_on_there(conf, tmp_path, cluster, monkeypatch):  # noqa: F811
    whole = fitted(conf, tmp_path / "whole")
    kept, count = fits_store.Store.keep, []

    def keep(self, record):
        kept(self, record)
        count.append(None)
        if len(count) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(fits_store.Store, "keep", keep)
        with pytest.raises(KeyboardInterrupt):
            fitted(conf, tmp_path / "parts", executor="dask", scheduler=cluster.scheduler_address)
    stored = len((tmp_path / "parts" / fits.STORE).read_text().splitlines()) - 1
    assert 2 <= stored < 6
    same_fit(fits.resume(tmp_path / "parts", scheduler=cluster.scheduler_address).fit, whole)


@pytest.mark.slow
def test_a_piece_that_raises_is_raised_here(cluster):
    with pytest.raises(ZeroDivisionError):
        executors.Dask(cluster.scheduler_address).map(inverse, [{"x": 1.0}, {"x": 0.0}], lambda: None)


def inverse(task):
    return 1 / task["x"]


@pytest.mark.slow
def test_a_run_begun_here_goes_on_there(conf, tmp_path, cluster):  # noqa: F811
    start(conf, tmp_path / "out")
    runs.resume(tmp_path / "out", num_samples=90, scheduler=cluster.scheduler_address, quiet=True)
    start(conf, tmp_path / "here", num_samples=90)
    np.testing.assert_array_equal(z(tmp_path / "out"), z(tmp_path / "here"))


@pytest.mark.slow
def test_a_time_limit_ends_a_run_there(conf, tmp_path, cluster):  # noqa: F811
    told = []
    settings = {"num_samples": 100_000, "time_limit": 4.0, "executor": "dask", "scheduler": cluster.scheduler_address}
    runs.run(runs.with_settings(bnfhmc.load(conf), **settings), tmp_path / "out", quiet=True, tell=told.append)
    assert 0 < z(tmp_path / "out").shape[1] < 100_000
    assert any(note.startswith("out of time") for note in told)


def test_a_cluster_without_an_address_is_refused(conf, tmp_path):  # noqa: F811
    with pytest.raises(InputError, match="executor = dask"):
        start(conf, tmp_path / "out", executor="dask")


def test_a_worker_that_sees_other_files_says_so(conf, tmp_path):  # noqa: F811
    problem = runs.with_settings(bnfhmc.load(conf), executor="dask", scheduler="tcp://127.0.0.1:1")
    told, posterior = Cluster(problem)._told, bnfhmc.Posterior(problem)
    u = np.array([posterior.prior.sample(np.random.default_rng(1))])
    asked = told | {"work": lambda own, rows, first: [own.loss(rows[0])], "u": u, "first": 0}
    assert rows_on_worker(asked | {"run": "1"}) == [posterior.loss(u[0])]
    data = tmp_path / "d1.exp"
    data.write_text(data.read_text().replace("0.5 8", "0.5 9"))
    with pytest.raises(InputError, match=r"fit.conf: log π at the medians .* where the run was begun; the workers have to see"):
        rows_on_worker(asked | {"run": "2"})
