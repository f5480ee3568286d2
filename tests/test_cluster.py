"""Chains on the workers of a dask scheduler: the same draws as here, though a worker is killed."""

import os
import signal
import threading
import time

import numpy as np
import pytest

import bnfhmc
from bnfhmc import run as runs
from bnfhmc.errors import InputError
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
    worker = next(iter(cluster.workers.values()))
    killed.append(worker.pid)
    os.kill(worker.pid, signal.SIGKILL)


@pytest.mark.slow
def test_the_draws_are_the_same_though_a_worker_is_killed(conf, tmp_path, cluster):  # noqa: F811
    conf.write_text(conf.read_text().replace("num_samples = 60", "num_samples = 1500") + "checkpoint_interval = 0.1\n")
    start(conf, tmp_path / "here", chains=3)
    killed = []
    killer = threading.Thread(target=kill_a_worker, args=(cluster, tmp_path / "away" / "checkpoint", killed), daemon=True)
    killer.start()
    start(conf, tmp_path / "away", chains=3, executor="dask", scheduler=cluster.scheduler_address)
    killer.join(1.0)
    assert killed
    np.testing.assert_array_equal(z(tmp_path / "away"), z(tmp_path / "here"))


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
