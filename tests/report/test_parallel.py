"""Jobs over draws: in order on threads and in processes, and what is raised is raised."""

import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bnfhmc import cores
from bnfhmc.errors import FailedSolve
from bnfhmc.report import parallel
from bnfhmc.report.parallel import over_draws

ROOT = Path(__file__).parents[2]
# jax, which other tests of the session load, warns of every fork; these children do not touch it.
pytestmark = pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")


class Own:
    """Counts its clones."""

    def __init__(self):
        self.clones = 0

    def clone(self):
        self.clones += 1
        return Own()


@pytest.fixture(params=["processes", "threads"])
def how(request, monkeypatch):
    """Both ways; processes only where this system forks."""
    if request.param == "processes" and sys.platform != "linux":
        pytest.skip("processes are forked on Linux only")
    monkeypatch.setattr(parallel, "may_fork", lambda: request.param == "processes")
    return request.param


@pytest.mark.parametrize("cores", [1, 3])
def test_in_order(how, cores):
    assert over_draws(Own(), 103, lambda _, i: i, cores) == list(range(103))
    assert over_draws(Own(), 0, lambda _, i: i, cores) == []


def test_each_core_has_its_own(how):
    own = Own()
    at = set(over_draws(own, 100, lambda mine, i: (os.getpid(), mine is own), cores=2))
    if how == "processes":
        assert own.clones == 0 and all(pid != os.getpid() for pid, _ in at)
    else:
        assert own.clones == 2 and at == {(os.getpid(), False)}


@pytest.mark.parametrize("cores", [1, 2])
def test_what_is_raised_is_raised(how, cores):
    def job(_, i):
        if i == 57:
            raise FailedSolve("solver", "no progress")
        return i

    with pytest.raises(FailedSolve, match="solver: no progress") as raised:
        over_draws(Own(), 100, job, cores)
    assert raised.value.kind == "solver"


def test_a_process_that_dies_is_no_end(how):
    parent = os.getpid()

    def job(_, i):
        if how == "processes" and i == 57 and os.getpid() != parent:
            os._exit(9)
        return i

    assert over_draws(Own(), 100, job, cores=2) == list(range(100))


def test_a_daemon_forks_nothing(monkeypatch):
    monkeypatch.delitem(sys.modules, "jax", raising=False)
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    assert cores.may_fork() is (sys.platform == "linux")
    monkeypatch.setattr(multiprocessing, "current_process", lambda: multiprocessing.Process(daemon=True))
    assert not cores.may_fork()


# A program of its own: a process that runs tests may have threads of its own, and jax.
ALONE = """
import os, sys, threading
from bnfhmc.cores import may_fork
from bnfhmc.report import parallel

class Own:
    def clone(self):
        raise AssertionError("processes need no clones")

assert "jax" not in sys.modules and may_fork()
pids = parallel.over_draws(Own(), 100, lambda own, i: (i, os.getpid()), cores=2)
assert [i for i, _ in pids] == list(range(100)) and os.getpid() not in {pid for _, pid in pids}

sys.modules["jax"] = None
assert not may_fork()
del sys.modules["jax"]
ready, done = threading.Event(), threading.Event()
other = threading.Thread(target=lambda: (ready.set(), done.wait()))
other.start()
ready.wait()
assert not may_fork()
done.set()
other.join()
assert may_fork()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_a_program_is_forked_where_neither_other_threads_nor_jax_are_at_work():
    done = subprocess.run([sys.executable, "-c", ALONE], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
