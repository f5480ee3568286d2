"""What an objective, a callback, a prior or a file gets wrong: said as it is, by every backend, and never taken for a fit."""

import json
import threading
import time

import numpy as np
import pytest

from bnfhmc.errors import FailedSolve, InputError
from bnfhmc.optimizers import NoStart, Objective, optimize, profile_likelihood
from bnfhmc.optimizers.backends import BACKENDS, Backend
from bnfhmc.optimizers.backends.protocol import End
from bnfhmc.prior import make_parameter
from tests.optimizers import problems
from tests.optimizers.test_backends import EVERY, asking, fitted
from tests.optimizers.test_fit import hilly, same

BOUNDS = {"x": (-2.0, 2.0), "y": (-1.0, 3.0)}
START = {"x": -1.2, "y": 1.0}

# exceptions: packages catch some, and end as if nothing had happened or raise another in their place


@pytest.mark.parametrize("kind", [ValueError, TypeError, RuntimeError, StopIteration, ZeroDivisionError])
@EVERY
def test_an_exception_of_the_objective_comes_out_as_it_is(method, kind):
    mine, calls = kind("mine"), []

    def build(returns):
        inner = problems.rosenbrock(returns)

        def fn(theta):
            calls.append(theta)
            if len(calls) > 5:
                raise mine
            return inner.loss.fn(theta)

        return Objective(BOUNDS, fn, returns=returns)

    with pytest.raises(kind) as raised:
        fitted(build, method, START)
    assert raised.value is mine and len(calls) == 6


@pytest.mark.parametrize("kind", [ValueError, RuntimeError, StopIteration])
@EVERY
def test_an_exception_of_the_callback_comes_out_as_it_is(method, kind):
    mine = kind("mine")

    def callback(step):
        if step.evaluations > 4:
            raise mine

    with pytest.raises(kind) as raised:
        fitted(problems.rosenbrock, method, START, callback=callback)
    assert raised.value is mine


@pytest.mark.parametrize("cores", [1, 2])
def test_an_exception_in_one_start_ends_the_others(cores):
    def fn(theta):
        if theta["x"] > 0.3:
            raise KeyError("mine")
        return theta["x"] ** 2 + theta["y"] ** 2

    with pytest.raises(KeyError, match="mine"):
        optimize(Objective(BOUNDS, fn), "powell", starts=8, random_seed=1, cores=cores)


# values that are no numbers


@pytest.mark.parametrize("value, said", [
    (None, "returned NoneType as the loss"),
    ("3.0", "returned str as the loss"),
    (1.0 + 2.0j, "returned complex as the loss"),
    (np.complex128(1.0), "returned complex128 as the loss"),
    (np.ones(3), r"returned ndarray of shape \(3,\) as the loss"),
    ((1.0, 2.0), "returned tuple as the loss"),
])  # fmt: skip
def test_a_loss_that_is_no_number(value, said):
    with pytest.raises(TypeError, match=f"the objective {said}; it is one real number"):
        optimize(Objective(BOUNDS, lambda theta: value), "nelder_mead", starts=2, random_seed=1)


@pytest.mark.parametrize("value", [np.float32(1.5), np.array(1.5), 3, True, np.int64(2)])
def test_a_loss_that_is_a_number_of_another_type(value):
    assert Objective(BOUNDS, lambda theta: value).loss.value(np.zeros(2)) == float(value)


@pytest.mark.parametrize("rho, J, kind, said", [
    (np.ones((2, 1)), np.eye(2), ValueError, r"the residuals have shape \(2, 1\)"),
    (np.ones(2) + 1j, np.eye(2), TypeError, "the residuals returned by the objective is ndarray, which is no array of real"),
    (np.ones(2), 1j * np.eye(2), TypeError, "the Jacobian returned by the objective is ndarray, which is no array of real"),
    (np.ones(2), None, TypeError, "the Jacobian returned by the objective is NoneType"),
    (None, np.eye(2), TypeError, "the residuals returned by the objective is NoneType"),
    ({"x": 1.0}, np.eye(2), TypeError, "the residuals returned by the objective is dict"),
    (np.ones(3), np.eye(2), ValueError, r"the Jacobian has shape \(2, 2\); with 2 parameters it has \(3, 2\)"),
])  # fmt: skip
@pytest.mark.parametrize("method", ["trf", "gntr", "lbfgs"])
def test_residuals_that_are_none(method, rho, J, kind, said):
    with pytest.raises(kind, match=said):
        optimize(Objective(BOUNDS, lambda theta: (rho, J), returns="residuals"), method, starts=2, random_seed=1)


@pytest.mark.parametrize("method", ["trf", "gntr"])
def test_residuals_whose_number_changes(method):
    def fn(theta):
        n = 2 if theta["x"] > 0 else 3
        return np.ones(n), np.ones((n, 2))

    with pytest.raises(ValueError, match="residuals at one point and"):
        optimize(Objective(BOUNDS, fn, returns="residuals"), method, starts=4, random_seed=1)


def test_a_complex_gradient_is_not_taken_for_its_real_part():
    with pytest.raises(TypeError, match="the gradient returned by the objective is ndarray"):
        optimize(Objective(BOUNDS, lambda theta: (1.0, np.ones(2) + 1j), returns="gradient"), "lbfgs", starts=1, random_seed=1)


def test_what_overflows_is_a_failure():
    objective = Objective(BOUNDS, lambda theta: (np.array([1e200]), np.array([[1e200, 0.0]])), returns="residuals")
    for ask in (objective.value, objective.gradient, objective.quadratic):
        with pytest.raises(FailedSolve, match="nonfinite"):
            ask(np.zeros(2))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("given, said", [(2, "all of 216 draws from the prior failed"), ([START], "all of the 1 points given")])
def test_no_value_at_any_start(value, given, said):
    with pytest.raises(NoStart, match=rf"{said}.* \(\d+ nonfinite\)") as raised:
        optimize(Objective(BOUNDS, lambda theta: value), "nelder_mead", starts=given, random_seed=1)
    assert ("narrow the priors" if given == 2 else "start from where the model can be solved") in str(raised.value)


# flat, small, large


@EVERY
def test_a_flat_loss_is_no_error(method):
    flat = {"value": 1.0, "gradient": (1.0, np.zeros(2)), "residuals": (np.ones(2), np.zeros((2, 2)))}
    fit = fitted(lambda returns: Objective(BOUNDS, lambda theta: flat[returns], returns=returns), method, max_evaluations=300)
    assert fit.loss == 1.0 and np.isfinite(fit.u).all()
    if fit.laplace is not None:
        assert [d.sentence for d in fit.undetermined] == [
            f"{name} is not determined: its posterior is as wide as its prior" for name in BOUNDS
        ]


@pytest.mark.parametrize("d", [1, 50])
@pytest.mark.parametrize("method", ["trf", "gntr", "lbfgs", "fides"])
def test_one_parameter_and_fifty(method, d):
    names = [f"x{i}" for i in range(d)]
    scales = np.geomspace(1.0, 30.0, d)

    def residuals(theta):
        x = np.array([theta[n] for n in names])
        return scales * (np.exp(x) - np.e), np.diag(scales * np.exp(x))

    fit = optimize(problems.of_residuals({n: (-2.0, 2.0) for n in names}, residuals, asking(method)), method, starts=2,
                   random_seed=1)  # fmt: skip
    np.testing.assert_allclose(list(fit.theta.values()), 1.0, atol=1e-3)
    assert fit.near_best == 2 and len(fit.basins) == 1


def test_many_starts_cost_no_more_than_their_solves():
    fit = optimize(hilly(), "lbfgs", starts=500, draws=1, random_seed=1)
    assert len(fit.starts) == 500 and len(fit.table.splitlines()) == 501
    assert 4 <= len(fit.basins) <= 16
    assert sum(len(b.starts) for b in fit.basins) == sum(s.converged for s in fit.starts)


# priors whose density has a pole


@pytest.mark.parametrize("family, fields", [
    ("gamma", {"shape": 0.5, "scale": 1.0}), ("beta", {"alpha": 0.5, "beta": 0.5}), ("weibull", {"shape": 0.5, "scale": 1.0}),
    ("chisquare", {"dof": 1.0}),
])  # fmt: skip
@pytest.mark.parametrize("method", ["gntr", "lbfgs", "nelder_mead"])
def test_a_pole_of_the_prior_is_stayed_off_and_said(method, family, fields):
    parameter = make_parameter("k", family, fields, "lin")
    fit = fitted(lambda returns: problems.of_residuals([parameter], lambda theta: (np.array([theta["k"] - 0.7]), np.eye(1)),
                                                       returns), method)  # fmt: skip
    inner = parameter.prior.ppf(5e-4), parameter.prior.isf(5e-4)
    assert fit.u[0] >= inner[0] * (1 - 1e-9) and np.isfinite(fit.log_posterior)
    if family == "beta":
        assert fit.u[0] <= inner[1] * (1 + 1e-9)
    assert fit.poles == ("k",) and any("the prior density of k is infinite at an end" in s for s in fit.sentences)
    assert not optimize(problems.rosenbrock(), starts=1, random_seed=1).poles


# the best point, and never the last


def test_the_best_point_is_restored_where_a_backend_ends_worse(monkeypatch):
    def minimise(search, u0, options):
        search.value(np.array([1.0, 1.0]))
        for x in np.linspace(0.5, -2.0, 9):
            search.value(np.array([x, 3.0]))
        return End("walked off", True)

    monkeypatch.setitem(BACKENDS, "rambler", Backend(minimise, needs="value", evaluations=lambda d: 100))
    fit = optimize(problems.rosenbrock("value"), "rambler", starts=[START], random_seed=1)
    assert fit.theta == {"x": 1.0, "y": 1.0} and fit.loss == 0.0 and fit.termination == "walked off"
    assert fit.starts[0].value == -fit.log_posterior and fit.evaluations == 11


@EVERY
def test_the_best_value_is_the_least_of_all_that_were_seen(method):
    seen = []

    def build(returns):
        inner = problems.rosenbrock(returns)

        def fn(theta):
            seen.append(problems.rosenbrock("value").loss.fn(theta))
            return inner.loss.fn(theta)

        return Objective(BOUNDS, fn, returns=returns)

    fit = fitted(build, method, START, max_evaluations=200)
    assert fit.loss == pytest.approx(min(seen), rel=1e-9, abs=1e-15)


# callbacks and threads


def test_a_callback_is_told_one_step_at_a_time_and_none_after_the_end():
    inside, told, most = [], [], []

    def callback(step):
        inside.append(step)
        most.append(len(inside))
        threading.Event().wait(1e-4)
        told.append(step)
        inside.pop()
        return len(told) == 60

    fit = optimize(hilly(), "lbfgs", starts=8, random_seed=1, cores=4, callback=callback)
    assert max(most) == 1 and len(told) == 60
    assert {s.reason for s in fit.starts} >= {"stopped by the callback"}


@pytest.mark.parametrize("cores", [1, 2, 4])
@pytest.mark.parametrize("how", ["callback", "exception"])
def test_what_was_not_finished_is_not_kept_for_finished(tmp_path, cores, how):
    whole = optimize(hilly(), "lbfgs", starts=6, random_seed=3, cores=1)
    file, told = tmp_path / "starts.jsonl", []

    def callback(step):
        told.append(step)
        if len(told) < 70:
            return False
        if how == "exception":
            raise KeyboardInterrupt
        return True

    try:
        optimize(hilly(), "lbfgs", starts=6, random_seed=3, cores=cores, callback=callback, store=file)
    except KeyboardInterrupt:
        assert how == "exception"
    reasons = [json.loads(line)["local"]["reason"] for line in file.read_text().splitlines()[1:]]
    assert len(reasons) < 6 and not {"interrupted", "stopped by the callback"} & set(reasons)
    same(whole, optimize(hilly(), "lbfgs", starts=6, random_seed=3, cores=2, store=file))


@EVERY
def test_the_number_of_threads_changes_no_method(method):
    """Solves that wait, each for a time of its own, let the threads take turns in another order each time."""

    def build():
        inner = problems.rosenbrock(asking(method))

        def fn(theta):
            time.sleep(1e-4 * abs(theta["x"]))
            return inner.loss.fn(theta)

        return Objective(BOUNDS, fn, returns=asking(method))

    state = np.random.get_state()[1].copy()
    fits = [optimize(build(), method, starts=3, random_seed=5, draws=2, cores=cores, max_evaluations=60) for cores in (1, 3)]
    same(*fits)
    if method == "cma":  # whose package would seed it
        np.testing.assert_array_equal(np.random.get_state()[1], state)


# files


@pytest.fixture
def store(tmp_path):
    """A finished run's file, and how to go on with it."""
    file = tmp_path / "starts.jsonl"

    def run():
        return optimize(problems.rosenbrock("value"), "powell", starts=3, random_seed=1, cores=1, store=str(file))

    return file, run, run()


@pytest.mark.parametrize("text", ["1 2 3\n4 5 6\n", "[1, 2]\n", '{"names": ["x"', "\ud800".encode("utf-8", "surrogatepass")])
def test_a_strangers_file_is_not_written_over(store, text):
    file, run, _ = store
    text = text if isinstance(text, bytes) else text.encode()
    file.write_bytes(text)
    with pytest.raises(InputError, match="no file of an interrupted run, and is not written over; give another file"):
        run()
    assert file.read_bytes() == text


@pytest.mark.parametrize("change", [
    lambda lines: [*lines, '{"name": "x"}'],
    lambda lines: [*lines, lines[1].replace('"index": 0', '"index": 9')],
    lambda lines: [*lines, lines[1].replace('"u": [', '"u": [0.5, ')],
    lambda lines: [*lines, lines[1].replace('"reason"', '"raisin"')],
])  # fmt: skip
def test_a_record_of_something_else_is_named_by_its_line(store, change):
    file, run, _ = store
    file.write_text("\n".join(change(file.read_text().splitlines())) + "\n")
    with pytest.raises(InputError, match=r"starts.jsonl:5: this is no record of a start"):
        run()


@pytest.mark.parametrize("change", [
    lambda text: "",
    lambda text: text[:-30],
    lambda text: text.replace('"index": 1', '"ind'),
    lambda text: text + text.splitlines()[1] + "\n",
])  # fmt: skip
def test_what_is_cut_off_is_done_again(store, change):
    file, run, first = store
    file.write_text(change(file.read_text()))
    same(first, run())


def test_a_file_that_cannot_be_one(tmp_path):
    with pytest.raises(InputError, match="cannot be read: Is a directory; give another file"):
        optimize(problems.rosenbrock("value"), "powell", starts=1, random_seed=1, store=tmp_path)


def test_profiles_refuse_the_file_of_a_fit(tmp_path):
    objective, file = problems.rosenbrock(), tmp_path / "kept.jsonl"
    fit = optimize(objective, starts=1, random_seed=1, store=file)
    with pytest.raises(InputError, match="of another run"):
        profile_likelihood(objective, fit, store=file)
    profile_likelihood(objective, fit, store=tmp_path / "p.jsonl")
    lines = (tmp_path / "p.jsonl").read_text().splitlines()
    (tmp_path / "p.jsonl").write_text(f'{lines[0]}\n{{"name": "x"}}\n')
    with pytest.raises(InputError, match="it holds what is no side of a profile"):
        profile_likelihood(objective, fit, store=tmp_path / "p.jsonl")


# what may not be changed


def test_a_fit_is_frozen():
    fit = optimize(problems.rosenbrock(), starts=1, random_seed=1)
    for name in ("theta", "u", "loss", "log_posterior", "starts", "history"):
        with pytest.raises(AttributeError):
            setattr(fit, name, None)
    with pytest.raises(AttributeError):
        fit.starts[0].value = 0.0
