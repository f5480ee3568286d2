"""`optimize` as a whole: what it picks, what it says, that cores and interruptions change nothing, and bad input."""

import json
import threading

import numpy as np
import pytest

from bnfhmc.errors import FailedSolve, InputError
from bnfhmc.optimizers import METHODS, NoStart, Objective, choose, forks, optimize
from bnfhmc.optimizers.backends import BACKENDS
from bnfhmc.prior import make_parameter
from tests.optimizers import problems
from tests.test_cli import modules_after


def same(a, b):
    """Whether two fits are the same bit for bit, but for the time they took."""
    np.testing.assert_array_equal(a.u, b.u)
    assert (a.log_posterior, a.evaluations, a.near_best) == (b.log_posterior, b.evaluations, b.near_best)
    for s, t in zip(a.starts, b.starts, strict=True):
        np.testing.assert_array_equal(s.u, t.u)
        assert (s.value, s.reason, s.history, s.basin, s.evaluations) == (t.value, t.reason, t.history, t.basin, t.evaluations)


def hilly(fails=False):
    """Eight minima along x at different heights, the lowest 0 at x = 0.5; with `fails`, a third of the plane has no value."""

    def fn(theta):
        x, y = theta["x"], theta["y"]
        if fails and int(np.floor(7 * x + 3 * y)) % 3 == 0:
            raise FailedSolve("timeout" if y > 0 else "solver", "no")
        value = 2.0 - 2.0 * np.cos(4.0 * (x - 0.5)) + 0.1 * (x - 0.5) ** 2 + 0.5 * (y - x) ** 2
        return value, [8.0 * np.sin(4.0 * (x - 0.5)) + 0.2 * (x - 0.5) - (y - x), y - x]

    return Objective({"x": (-6.0, 6.0), "y": (-6.0, 6.0)}, fn, returns="gradient")


@pytest.mark.parametrize("build, method, why", [
    (lambda: Objective.of(problems.known_sigma()), "gntr", "exactly a sum of squares"),
    (lambda: Objective.of(problems.estimated_sigma()), "gntr", "no sum of squares"),
    (lambda: problems.rosenbrock("gradient"), "lbfgs", "no Fisher information"),
])  # fmt: skip
def test_map_picks_and_says_why(build, method, why):
    name, said = choose(build())
    assert name == method and why in said
    fit = optimize(build(), starts=2, random_seed=1)
    assert fit.method == method and fit.sentences[0] == f"{method}: {said}"


def test_map_without_a_gradient():
    assert choose(problems.rosenbrock("value"))[0] in ("cma", "differential_evolution")


@pytest.mark.parametrize("method", ["trf", "gntr", "lbfgs", "nelder_mead"])
def test_the_mode_of_a_posterior(method):
    posterior = problems.known_sigma()
    fit = optimize(posterior, method, starts=4, random_seed=2)
    np.testing.assert_allclose(list(fit.theta.values()), [3.0, 0.5], rtol=0.1)
    assert fit.near_best == 4 and len(fit.basins) == 1 and fit.converged
    assert fit.log_posterior == pytest.approx(posterior.log_prior(fit.u) - posterior.loss(fit.u), rel=1e-10)
    assert fit.loss == pytest.approx(posterior.loss(fit.u), rel=1e-10)
    assert fit.theta == dict(zip(posterior.names, posterior.theta_from_u(fit.u).tolist(), strict=True))
    lower = Objective.of(posterior).value(fit.u)
    for step in 1e-3 * np.vstack([np.eye(2), -np.eye(2)]):
        assert Objective.of(posterior).value(fit.u + step) > lower - 1e-9


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("method", ["lbfgs", "nelder_mead", "adam"])
def test_cores_change_nothing(method, fails):
    fits = [optimize(hilly(fails), method, starts=6, random_seed=5, cores=c, max_evaluations=150) for c in (1, 2, 3)]
    same(fits[0], fits[1])
    same(fits[0], fits[2])
    if fails:
        assert set(fits[0].failures) == {"solver", "timeout"}


def test_cores_change_nothing_in_a_posterior():
    fits = [optimize(problems.estimated_sigma(), starts=5, random_seed=5, cores=c) for c in (1, 3)]
    same(*fits)
    other = optimize(problems.estimated_sigma(), starts=5, random_seed=6)
    assert not np.array_equal(other.starts[0].u0, fits[0].starts[0].u0)


def test_every_start_is_in_the_table_and_the_basins_are_apart():
    fit = optimize(hilly(), starts=30, draws=1, random_seed=1)
    assert len(fit.starts) == 30 and [s.index for s in fit.starts] == list(range(30))
    assert fit.near_best == sum(s.value < -fit.log_posterior + 0.1 for s in fit.starts) >= 1
    assert fit.theta["x"] == pytest.approx(0.5, abs=1e-3)
    places = [b.u[0] for b in fit.basins]
    assert len(fit.basins) > 2 and np.min(np.abs(np.diff(np.sort(places)))) > 0.5
    assert np.all(np.diff([b.value for b in fit.basins]) >= 0)
    converged = [s for s in fit.starts if s.converged]
    assert {s.index for s in converged} <= {i for b in fit.basins for i in b.starts}
    rows = fit.table.splitlines()
    assert len(rows) == 31 and rows[0].split() == [
        "start", "log", "posterior", "evaluations", "gradients", "basin", "ended", "at", "a", "bound",
    ]  # fmt: skip
    assert any("basins were found" in s for s in fit.sentences)


def test_hopeless_starts_are_given_up_and_others_go_on():
    """A valley that creeps beside one that is quick: after a round the creeping starts could not catch up any more."""

    def fn(theta):
        x, y = theta["x"], theta["y"]
        quick = y > 0
        value = (0.5 * (y - 1.0) ** 2 if quick else 50.0 - y) + 1e-4 * np.sin(1e4 * x)
        return value, [np.cos(1e4 * x), (y - 1.0) if quick else -1e-3 * y]

    objective = Objective({"x": (-1.0, 1.0), "y": (-2.0, 2.0)}, fn, returns="gradient")
    starts = [[0.1, 0.5], [0.2, -1.0], [0.3, 1.5]]
    fit = optimize(objective, "lbfgs", starts=starts, random_seed=1, max_evaluations=1000, tolerance=1e-12)
    assert fit.starts[1].evaluations <= 300 or fit.starts[1].converged
    assert fit.theta["y"] == pytest.approx(1.0, abs=1e-2)


def test_an_interrupted_run_goes_on_where_it_was(tmp_path):
    whole = optimize(problems.estimated_sigma(), starts=6, random_seed=3, cores=1)
    file = tmp_path / "starts.jsonl"
    posterior, solves = problems.estimated_sigma(), []
    clone = posterior.clone
    original = type(posterior).solved

    def interrupted(self, u, gradient=True):
        solves.append(u)
        if len(solves) == 260:
            raise KeyboardInterrupt
        return original(self, u, gradient)

    posterior.clone = clone
    type(posterior).solved = interrupted
    try:
        with pytest.raises(KeyboardInterrupt):
            optimize(posterior, starts=6, random_seed=3, cores=1, store=file)
    finally:
        type(posterior).solved = original
    kept = [json.loads(line)["index"] for line in file.read_text().splitlines()[1:]]
    assert 0 < len(kept) < 6
    with file.open("a") as cut:
        cut.write('{"index": 5, "u0": [0.1,')  # killed while writing
    resumed = optimize(problems.estimated_sigma(), starts=6, random_seed=3, cores=2, store=file)
    same(whole, resumed)
    same(whole, optimize(problems.estimated_sigma(), starts=6, random_seed=3, store=file))


def test_a_file_of_another_run_is_refused(tmp_path):
    file = tmp_path / "starts.jsonl"
    optimize(problems.known_sigma(), starts=2, random_seed=3, store=file)
    with pytest.raises(InputError, match="starts of another run: random_seed = 3 there and 4 here; give another file"):
        optimize(problems.known_sigma(), starts=2, random_seed=4, store=file)
    other = problems.decay(problems.known_sigma().problem.parameters, sigma=0.2)
    with pytest.raises(InputError, match="probe = "):
        optimize(other, starts=2, random_seed=3, store=file)


def test_a_callback_sees_every_start_and_ends_the_run():
    told = []

    def callback(step):
        told.append((step.start, step.evaluations))
        return len(told) == 40

    fit = optimize(problems.estimated_sigma(), starts=20, random_seed=1, cores=1, callback=callback)
    assert len(told) == 40
    assert {s.reason for s in fit.starts} >= {"stopped by the callback"}
    assert np.isfinite(fit.log_posterior)


def test_an_exception_of_the_function_ends_the_run_as_it_is():
    def fn(theta):
        if theta["x"] > 0.3:
            raise ZeroDivisionError("mine")
        return (theta["x"] - 1.0) ** 2

    with pytest.raises(ZeroDivisionError, match="mine"):
        optimize(Objective({"x": (-1.0, 1.0)}, fn), "nelder_mead", starts=8, random_seed=1, cores=3)


def test_every_thread_has_its_own_copy(monkeypatch):
    seen, lock = {}, threading.Lock()
    posterior = problems.estimated_sigma()
    original = type(posterior).solved

    def noted(self, u, gradient=True):
        with lock:
            seen.setdefault(id(self), set()).add(threading.get_ident())
        return original(self, u, gradient)

    monkeypatch.setattr(type(posterior), "solved", noted)
    monkeypatch.setattr(forks, "may_fork", lambda: False)
    optimize(posterior, starts=6, random_seed=1, cores=2)
    assert len(seen) == 4  # two clones, one that a solve's price was learnt from, and the posterior for what comes after


def test_starts_that_are_given_are_started_from():
    fit = optimize(problems.known_sigma(), starts=[{"A0": 2.0, "k": 0.1}, [4.0, 1.0]], random_seed=1)
    np.testing.assert_allclose([s.u0 for s in fit.starts], [[2.0, -1.0], [4.0, 0.0]])


def test_the_json_holds_everything_and_no_number_that_json_has_not():
    fit = optimize(problems.estimated_sigma(), starts=3, random_seed=1)
    found = json.loads(fit.to_json(), parse_constant=lambda word: pytest.fail(word))
    assert found["theta"] == fit.theta and found["u"] == fit.u.tolist()
    assert len(found["starts"]) == 3 and found["starts"][0]["history"][0][0] >= 1
    assert found["laplace"]["covariance"] == fit.laplace.covariance.tolist()
    assert found["random_seed"] == 1 and found["method"] == "gntr"


def test_the_evidence_is_said_where_it_holds():
    fit = optimize(problems.known_sigma(), starts=2, random_seed=1)
    assert f"log evidence {fit.laplace.log_evidence:.6g}, by the Laplace approximation" in fit.sentences
    assert not any("evidence" in s for s in optimize(problems.bounded(), starts=2, random_seed=1).sentences)


def test_the_seed_is_drawn_and_recorded():
    first = optimize(problems.known_sigma(), starts=2)
    same(first, optimize(problems.known_sigma(), starts=2, random_seed=first.random_seed))


# bad input


def test_no_start_can_be_solved():
    nan = Objective({"x": (0.0, 1.0)}, lambda theta: float("nan"))
    with pytest.raises(NoStart, match=r"no start found: all of \d+ draws from the prior failed \(\d+ nonfinite\)"):
        optimize(nan, "nelder_mead", starts=3, random_seed=1)


@pytest.mark.parametrize("arguments, said", [
    ({"method": "lbgfs"}, "unknown method 'lbgfs'; did you mean 'lbfgs'"),
    ({"starts": 0}, "starts = 0; at least 1, or a list of θ"),
    ({"starts": 2.5}, "starts = 2.5; at least 1, or a list of θ"),
    ({"starts": "many"}, "starts = 'many'"),
    ({"starts": {"A0": 1.0, "k": 1.0}}, "starts is one θ, and takes a list of them"),
    ({"starts": [["a", 1.0]]}, "a start is \\['a', 1.0\\], which is no θ; give A0, k as numbers"),
    ({"draws": 2.5, "cores": True}, "draws = 2.5; a whole number, at least 1\ncores = 1; a whole number"),
    ({"callback": 3, "options": [1], "tolerance": "a"}, "options = \\[1\\].*\ntolerance = 'a'.*\ncallback = 3"),
    ({"search_space": {"k": 3.0}}, "parameter 'k': search_space is 3.0; give \\(<lower>, <upper>\\)"),
    ({"starts": []}, "starts is empty; give one θ, or how many"),
    ({"tolerance": 0.0, "draws": 0}, "tolerance = 0; a number above 0\ndraws = 0; a whole number, at least 1"),
    ({"max_evaluations": 0}, "max_evaluations = 0"),
    ({"random_seed": -1, "cores": 0}, "random_seed = -1; a whole number, at least 0\ncores = 0"),
    ({"starts": [{"A0": 1.0, "k": 99.0}]}, "parameter 'k': the start 99 lies outside of \\[0.01, 10\\]"),
    ({"search_space": {"kk": (0.1, 1.0)}}, "search_space names 'kk', which is no parameter"),
    ({"options": {"maxcor": 3}}, "method = gntr has no option 'maxcor'"),
])  # fmt: skip
def test_wrong_arguments(arguments, said):
    with pytest.raises(InputError, match=said):
        optimize(problems.known_sigma(), **arguments)


def test_least_squares_says_why_it_cannot():
    with pytest.raises(InputError, match="trf is least squares, and the loss is no sum of squares .*there are gntr, "):
        optimize(problems.estimated_sigma(), "trf")
    parameters = [make_parameter("x", "cauchy", {"location": 0.0, "scale": 1.0}, "lin")]
    objective = Objective(parameters, lambda theta: (np.array([theta["x"]]), np.eye(1)), returns="residuals")
    with pytest.raises(InputError, match="the prior of 'x' is neither normal nor uniform"):
        optimize(objective, "trf")


def test_an_unbounded_box_names_the_parameter_where_one_is_needed():
    parameters = [make_parameter("k", "cauchy", {"location": 0.0, "scale": 30.0}, "log10")]
    objective = Objective(parameters, lambda theta: (np.array([np.log10(theta["k"]) - 1.0]), [[1 / theta["k"] / np.log(10)]]),
                          returns="residuals")  # fmt: skip
    with pytest.raises(InputError, match="parameter 'k': no box to search in can be derived"):
        optimize(objective, "differential_evolution")
    assert optimize(objective, "gntr", starts=[[5.0]], random_seed=1).theta["k"] == pytest.approx(10.0, rel=0.2)


def test_the_methods_are_map_and_the_backends():
    assert list(METHODS) == ["map", *BACKENDS]


def test_importing_it_is_light():
    heavy = {"scipy.optimize", "scipy.stats", "jax", "optax", "matplotlib", "cma", "fides", "nevergrad"}
    assert not modules_after("import bnfhmc.optimizers") & heavy
