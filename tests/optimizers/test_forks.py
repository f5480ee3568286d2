"""Work in forked processes: the same results, told of as they come; interruptions, exceptions and deaths; who gets them."""

import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import bnfhmc
from bnfhmc.noise.target import Banana
from bnfhmc.optimizers import Objective, forks, optimize, profile_likelihood
from bnfhmc.optimizers.forks import Forks, crew_of
from bnfhmc.optimizers.threads import Threads
from bnfhmc.posterior import Posterior
from bnfhmc.prior import make_parameter
from bnfhmc.problem import Problem
from tests.optimizers import problems
from tests.optimizers.test_fit import same

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only"),
    # jax, which other tests of the session load, warns of every fork; these children do not touch it
    pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning", "ignore:.*multi-threaded:DeprecationWarning"),
]


@pytest.fixture
def crew():
    return Forks(Objective.of(problems.estimated_sigma()), 2)


@pytest.fixture
def forked(monkeypatch):
    """Fits of this test are made in processes, whatever else the session has loaded; the crews they had."""
    crews = []

    def made(*args):
        crews.append(Forks(*args))
        return crews[-1]

    monkeypatch.setattr(forks, "may_fork", lambda: True)
    monkeypatch.setattr(forks, "Forks", made)
    return crews


def gone(pid, seconds=20.0):
    """Whether a process has ended, or does so soon."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]:
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def until(true, seconds=20.0):
    """Wait for what is to come."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.005)
    return true()


def pid_and(k, objective):
    return k, os.getpid(), objective.dim


# results


@pytest.mark.parametrize("count", [0, 1, 2, 7, 2500])
def test_results_in_order_and_each_told_of_here(crew, count):
    told = []
    found = crew.do([partial(pid_and, k) for k in range(count)], lambda result: told.append((result, os.getpid())))
    assert [k for k, _, _ in found] == list(range(count)) and {d for *_, d in found} <= {3}
    assert sorted(result for result, _ in told) == found and {pid for _, pid in told} <= {os.getpid()}
    assert (os.getpid() in {pid for _, pid, _ in found}) is (count == 1)


def test_a_result_is_told_of_before_the_others_are_there(crew, tmp_path):
    file = tmp_path / "told"

    def waits(objective):
        return until(file.exists)

    assert crew.do([waits, lambda objective: False], lambda result: file.touch()) == [True, False]


def test_what_cannot_be_sent_is_done_here(crew):
    found = crew.do([lambda objective: (lambda: os.getpid()), partial(pid_and, 1)])
    assert found[0]() == os.getpid() != found[1][1]


def test_without_room_for_processes_it_is_done_here(crew, monkeypatch):
    def none():
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(os, "fork", none)
    assert [pid for _, pid, _ in crew.do([partial(pid_and, k) for k in range(4)])] == [os.getpid()] * 4


@pytest.mark.parametrize("make", [problems.estimated_sigma, problems.known_sigma, problems.scaled])
def test_a_fit_is_the_same_in_processes(make, forked, tmp_path):
    here = optimize(make(), starts=6, random_seed=5, cores=1)
    assert not forked
    for cores in (2, 3):
        apart = optimize(make(), starts=6, random_seed=5, cores=cores, store=tmp_path / f"{cores}")
        same(here, apart)
        assert apart.history == here.history and [s.history for s in apart.starts] == [s.history for s in here.starts]
        assert apart.table == here.table and apart.solve_seconds > 0.0 and apart.gradients == here.gradients
    assert [crew.cores for crew in forked] == [2, 3]


def test_failures_are_counted_in_processes(forked, monkeypatch):
    original = bnfhmc.Posterior.solved

    def failing(self, u, gradient=True):
        if u[0] > 0.7:
            raise bnfhmc.FailedSolve("solver", "no progress")
        return original(self, u, gradient)

    monkeypatch.setattr(bnfhmc.Posterior, "solved", failing)
    fits = [optimize(problems.estimated_sigma(), starts=6, random_seed=5, cores=cores) for cores in (1, 2)]
    same(*fits)
    assert len(forked) == 1 and fits[0].failures == fits[1].failures != {}


def test_an_interrupted_fit_goes_on_in_processes(forked, tmp_path, monkeypatch):
    whole, file, kept = optimize(problems.estimated_sigma(), starts=6, random_seed=3, cores=1), tmp_path / "starts", []
    original = bnfhmc.optimizers.store.Store.keep

    def keep(self, record):
        original(self, record)
        kept.append(record)
        if len(kept) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(bnfhmc.optimizers.store.Store, "keep", keep)
        optimize(problems.estimated_sigma(), starts=6, random_seed=3, cores=2, store=file)
    assert forked[0].stop.is_set() and file.read_text().count("\n") == 3
    same(whole, optimize(problems.estimated_sigma(), starts=6, random_seed=3, cores=2, store=file))


def test_profiles_are_the_same_in_processes(forked, tmp_path):
    posterior = problems.known_sigma()
    fit, file = optimize(posterior, starts=2, random_seed=1, cores=1), tmp_path / "profiles"
    here = profile_likelihood(posterior, fit, cores=1)
    apart = profile_likelihood(posterior, fit, cores=2, store=file)
    assert len(forked) == 1 and file.read_text().count("\n") == 5
    for name, profile in here.by_name.items():
        np.testing.assert_array_equal(apart.by_name[name].points, profile.points)
        assert apart.by_name[name].sentence == profile.sentence


# what ends the work


class Mine(Exception):
    """Cannot be built again from its arguments."""

    def __init__(self, first, second):
        super().__init__(first)
        self.second = second


@pytest.mark.parametrize("error", [ZeroDivisionError("mine"), KeyboardInterrupt(), bnfhmc.FailedSolve("solver", "mine")])
def test_an_exception_of_a_piece_comes_out_as_it_is(crew, error, tmp_path):
    def raises(objective):
        raise error

    def waits(objective):
        (tmp_path / "pid").write_text(str(os.getpid()))
        return until(lambda: False)

    began = time.monotonic()
    with pytest.raises(type(error)) as raised:
        crew.do([waits, partial(pid_and, 1), raises])
    assert str(raised.value) == str(error) and "in raises" in raised.value.__notes__[0]
    assert time.monotonic() - began < 15.0 and crew.stop.is_set() and gone(int((tmp_path / "pid").read_text()))


def test_an_exception_that_cannot_be_sent_is_raised_here(crew):
    lock = threading.Lock()

    def raises(objective):
        raise Mine("mine", lock)

    with pytest.raises(Mine, match="mine") as raised:
        crew.do([partial(pid_and, 0), raises])
    assert raised.value.second is lock and crew.stop.is_set()


def test_a_piece_whose_process_is_killed_is_done_here(crew):
    here = os.getpid()

    def dies(k, objective):
        if k in (3, 8) and os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return pid_and(k, objective)

    found = crew.do([partial(dies, k) for k in range(20)])  # both processes die
    assert [k for k, _, _ in found] == list(range(20)) and found[3][1] == found[8][1] == found[19][1] == here


def test_an_interruption_here_ends_the_processes(crew):
    pids = []

    def told(pid):
        pids.append(pid)
        raise KeyboardInterrupt

    def waits(objective):
        return until(lambda: False, 60.0) or os.getpid()

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        crew.do([lambda objective: os.getpid(), waits, waits], told)
    assert time.monotonic() - began < 20.0 and crew.stop.is_set() and gone(pids[0])


def test_the_processes_leave_control_c_to_their_parent(crew):
    def interrupted(k, objective):
        os.kill(os.getpid(), signal.SIGINT)
        return k

    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())  # what others of the process have blocked
    assert crew.do([partial(interrupted, k) for k in range(3)]) == [0, 1, 2]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == blocked and signal.SIGINT not in blocked


def test_the_wish_to_end_reaches_the_processes(crew):
    def ends(k, objective):
        return until(crew.stop.is_set) if k else False

    assert crew.do([partial(ends, k) for k in range(2)], lambda result: crew.stop.set()) == [False, True]


# in a program of their own

PROGRAM = """
import os, sys, time
import bnfhmc
from bnfhmc.optimizers import Objective
from bnfhmc.optimizers.forks import Forks, crew_of
from tests.optimizers import problems

objective = Objective.of(problems.estimated_sigma())
print("once", end="")  # left in the buffer

def work(objective):
    print(" from", os.getpid(), flush={flush})
    {then}

crew = crew_of(objective, 2)
assert isinstance(crew, Forks)
crew.do([work, work])
print("\\nend")
"""


def program(then, flush):
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(bnfhmc.__file__).parents[1]), root])}
    return subprocess.Popen([sys.executable, "-c", PROGRAM.format(then=then, flush=flush)], env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip


def test_nothing_is_printed_twice():
    with program("return 1", False) as run:
        out, err = run.communicate(timeout=100)
    assert run.returncode == 0 and err == "" and out.count("once") == 1 and out.count(" from") == 2 and out.endswith("\nend\n")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_program_that_ends_leaves_no_process(number):
    with program("time.sleep(300)", True) as run:
        pids = [int(run.stdout.readline().split()[-1]) for _ in range(2)]
        run.send_signal(number)
        out, err = run.communicate(timeout=60)  # an orphan would keep its end of the pipe
    assert run.returncode in (-number, 130) and all(gone(pid) for pid in pids)
    assert err.count("Traceback") == (number == signal.SIGINT)


# who gets them


def test_who_works_in_processes(monkeypatch):
    of_files, of_a_function = Objective.of(problems.estimated_sigma()), problems.rosenbrock()
    parameters = tuple(make_parameter(n, None, {}, "lin", -5.0, 5.0) for n in ("x1", "x2"))
    without_model = Objective.of(Posterior(Problem(parameters, {}, (), target=Banana(("x1", "x2")))))  # it could be a callable
    monkeypatch.setattr(forks, "may_fork", lambda: True)
    assert isinstance(crew_of(of_files, 2), Forks)
    assert all(isinstance(crew_of(o, 2), Threads) for o in (of_a_function, without_model))
    assert isinstance(crew_of(of_files, 1), Threads) and isinstance(crew_of(of_files, 2, lambda step: False), Threads)
    monkeypatch.setattr(forks, "may_fork", lambda: False)
    assert isinstance(crew_of(of_files, 2), Threads)


def test_a_watch_is_told_here_how_far_the_starts_are(forked, monkeypatch):
    monkeypatch.setattr(forks, "EVERY", 0.0)
    told = []
    fit = optimize(problems.estimated_sigma(), starts=4, random_seed=3, cores=2, watch=told.append)
    assert forked and {step.start for step in told} == {0, 1, 2, 3}
    assert [step.evaluations for step in told[:4]] == [8, 8, 8, 8] and not np.isfinite(told[0].value)
    assert len(told) > fit.evaluations / 2  # each solve of a search
    assert min(step.value for step in told) == pytest.approx(-fit.log_posterior, abs=1e-3)
    few = []
    monkeypatch.setattr(forks, "EVERY", 1e9)
    same(fit, optimize(problems.estimated_sigma(), starts=4, random_seed=3, cores=2, watch=few.append))
    assert len(few) < len(told) / 2 and {step.start for step in few} == {0, 1, 2, 3}
