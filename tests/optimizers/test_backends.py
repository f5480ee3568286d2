"""Every backend on the same objectives: known minima, bounds, failed solves, and an end when it is told to."""

import importlib.util

import numpy as np
import pytest

from bnfhmc.errors import InputError, MissingTool
from bnfhmc.optimizers.backends import BACKENDS, protocol
from bnfhmc.optimizers.fit import optimize
from bnfhmc.optimizers.objective import Objective
from bnfhmc.optimizers.starts import NoStart
from tests.optimizers import problems

PACKAGES = {"fides": "fides", "cma": "cma", "nevergrad": "nevergrad", "adam": "optax"}


def installed(name):
    package = PACKAGES.get(name)
    missing = package is not None and importlib.util.find_spec(package) is None
    return pytest.param(name, marks=pytest.mark.skipif(missing, reason=f"the package {package} is not installed"))


EVERY = pytest.mark.parametrize("method", [installed(m) for m in BACKENDS])
LOCAL = pytest.mark.parametrize("method", [installed(m) for m, b in BACKENDS.items() if not b.is_global])
BY_GRADIENT = pytest.mark.parametrize("method", [installed(m) for m, b in BACKENDS.items() if b.needs != "value"])


def asking(method):
    """What a function has to return to serve a method."""
    return {"information": "residuals"}.get(BACKENDS[method].needs, BACKENDS[method].needs)


def fitted(build, method, start=None, **more):
    if method == "nevergrad":
        more = {"max_evaluations": 800} | more
    return optimize(build(asking(method)), method, starts=[start] if start else 1, random_seed=1, cores=1, **more)


@EVERY
def test_hopf(method):
    """From a = 0.1, a tenth of the way; least squares needs fewer than 15 evaluations."""
    fit = fitted(problems.hopf, method, {"a": 0.1})
    assert fit.theta["a"] == pytest.approx(1.5, rel=0.01)
    if method == "trf":
        assert fit.evaluations < 15


@EVERY
def test_rosenbrock(method):
    fit = fitted(problems.rosenbrock, method, {"x": -1.2, "y": 1.0})
    assert fit.theta["x"] == pytest.approx(1.0, abs=0.05)
    assert fit.loss < 2e-3
    assert fit.log_posterior == pytest.approx(-fit.loss - 2 * np.log(4.0))


@EVERY
def test_a_minimum_at_a_bound(method):
    fit = fitted(problems.bounded, method, {"x": -0.5, "y": -2.0})
    rough = 0.02 if BACKENDS[method].is_global or method == "nevergrad" else 1e-3
    assert fit.theta["x"] == pytest.approx(1.0, abs=rough)
    assert fit.theta["y"] == pytest.approx(0.75, abs=rough)
    assert fit.theta["x"] <= 1.0


@EVERY
def test_failed_solves_are_survived_and_counted(method):
    fit = fitted(problems.holed, method, {"x": 0.0, "y": 0.0})
    assert fit.loss < 1e-3
    assert method in ("adam", "trf", "fides") or fit.failures["solver"] > 0  # whose first steps are too short to meet one


@EVERY
def test_a_callback_ends_it_at_once(method):
    told = []
    fit = fitted(problems.rosenbrock, method, {"x": -1.2, "y": 1.0}, callback=lambda step: told.append(step) or len(told) > 4)
    assert fit.termination == "stopped by the callback"
    assert len(told) == 5
    assert fit.log_posterior == -min(step.value for step in told)


@EVERY
def test_no_more_evaluations_than_asked_for(method):
    fit = fitted(problems.rosenbrock, method, {"x": -1.2, "y": 1.0}, max_evaluations=7)
    assert fit.evaluations <= 7
    assert not fit.converged or fit.evaluations < 7


@EVERY
def test_the_same_seed_the_same_result(method):
    fits = [fitted(problems.rosenbrock, method, max_evaluations=60) for _ in range(2)]
    a, b = fits
    np.testing.assert_array_equal(a.u, b.u)
    assert (a.log_posterior, a.evaluations, a.history) == (b.log_posterior, b.evaluations, b.history)


@BY_GRADIENT
def test_a_start_without_derivatives_is_said(method):
    def fn(theta):
        grad = [np.nan]
        return (np.array([theta["x"]]), [grad]) if asking(method) == "residuals" else (theta["x"] ** 2, grad)

    with pytest.raises(NoStart):
        optimize(Objective({"x": (-1.0, 1.0)}, fn, returns=asking(method)), method, starts=2, random_seed=1)


@pytest.mark.parametrize("method", [m for m, b in BACKENDS.items() if b.needs != "value"])
def test_a_method_says_what_it_needs(method):
    with pytest.raises(InputError, match=f"method = {method} (needs the|is least squares).*; there are .*nelder_mead"):
        optimize(problems.rosenbrock("value"), method)


def test_options_are_checked_by_name():
    with pytest.raises(InputError, match="method = cma has no option 'sigma'; did you mean 'sigma0'?"):
        optimize(problems.rosenbrock("value"), "cma", options={"sigma": 0.3})
    with pytest.raises(InputError, match="method = trf has no option 'x'; it has none"):
        optimize(problems.rosenbrock(), "trf", options={"x": 0.3})


def test_shgo_says_how_many_parameters_it_takes():
    many = Objective({f"x{i}": (0.0, 1.0) for i in range(11)}, lambda theta: sum(theta.values()))
    with pytest.raises(InputError, match="shgo takes at most 10 parameters, and there are 11"):
        optimize(many, "shgo", random_seed=1)


@pytest.mark.parametrize("name", [installed("nevergrad")])
def test_nevergrads_own_choice_is_refused(name):
    with pytest.raises(InputError, match="NGOpt.*name the method itself"):
        optimize(problems.rosenbrock("value"), name, options={"optimizer": "NGOpt"})
    with pytest.raises(InputError, match="did you mean 'TwoPointsDE'"):
        optimize(problems.rosenbrock("value"), name, options={"optimizer": "TwoPointDE"})


@pytest.mark.parametrize("schedule", ["cosine", "exponential", "constant"])
@pytest.mark.parametrize("name", [installed("adam")])
def test_adams_schedules(name, schedule):
    fit = fitted(problems.bounded, name, {"x": -0.5, "y": -2.0}, options={"schedule": schedule}, max_evaluations=400)
    assert fit.theta["y"] == pytest.approx(0.75, abs=0.02)
    with pytest.raises(InputError, match="unknown schedule 'cosin'; take cosine"):
        fitted(problems.bounded, name, options={"schedule": "cosin"})


@pytest.mark.parametrize("name", [installed("adam")])
def test_adam_minimises_what_is_noisy(name):
    rng = np.random.default_rng(2)

    def fn(theta):
        x = np.array([theta["x"], theta["y"]])
        return float(0.5 * x @ x + 0.02 * rng.standard_normal()), x + 0.1 * rng.standard_normal(2)

    fit = optimize(Objective({"x": (-1.0, 3.0), "y": (-1.0, 3.0)}, fn, returns="gradient"), name, starts=[[2.0, 2.5]],
                   max_evaluations=600, random_seed=1, cores=1)  # fmt: skip
    assert np.hypot(*fit.theta.values()) < 0.3


def test_a_missing_package_is_named_with_the_command(monkeypatch):
    monkeypatch.setattr("importlib.import_module", lambda name: (_ for _ in ()).throw(ImportError(name)))
    with pytest.raises(MissingTool, match=r"method = cma needs the package cma: pip install 'bnfhmc\[cma\]'"):
        protocol.need_package("cma", "cma")
