"""The numbers of one θ: against petab's own functions, central differences and SciPy's densities, and where there are none."""

import shutil
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from petab.v1.calculate import calculate_single_llh
from petab.v1.parameters import scale as on_scale
from scipy import stats

import bnfhmc
from bnfhmc.errors import FailedSolve, InputError, Mistake
from bnfhmc.expression import parse
from bnfhmc.noise import (
    Constant,
    Formula,
    Laplace,
    LnLaplace,
    LnNormal,
    LogLaplace,
    LogNormal,
    NegBin,
    Normal,
)
from bnfhmc.posterior import Posterior
from bnfhmc.prior import make_parameter
from bnfhmc.problem import Condition, Experiment, Perturbation, Problem, Series
from bnfhmc.read.petab.nominal import theta_at
from bnfhmc.report.check import to_json
from bnfhmc.report.petab_score import record, score

# PEtab's words of each family: the distribution and the scale of the observable.
WORDS = {
    Normal: ("normal", "lin"), LnNormal: ("normal", "log"), LogNormal: ("normal", "log10"),
    Laplace: ("laplace", "lin"), LnLaplace: ("laplace", "log"), LogLaplace: ("laplace", "log10"),
}  # fmt: skip
TIMES = np.array([0.0, 0.5, 1.0, 3.0])
THETA = {"k": 0.4, "s": 1.5, "sd": 0.3, "hopeless": 0.0}


def series(name, family, rows, observed, source, origin):
    source = Formula(parse(source)) if isinstance(source, str) else Constant(source)
    sources = {family.parameters[0]: source}
    return Series(name, parse("A + s" if name == "obs_sum" else "A"), np.array(rows), np.array(observed), family(), sources,
                  origin=np.array(origin))  # fmt: skip


@pytest.fixture
def problem(closed_form):
    """Every noise family that PEtab has, σ known, by measurement, estimated and a formula of the prediction."""
    parameters = (
        make_parameter("k", None, {}, "log10", lower=0.01, upper=10.0),
        make_parameter("s", "normal", {"mean": 1.0, "sd": 1.0}, "lin"),
        make_parameter("sd", "uniform", {}, "ln", lower=0.01, upper=3.0),
        make_parameter("hopeless", None, {}, "lin", lower=0.0, upper=1.0),
    )
    one = Experiment("one", "m", TIMES, (
        series("obs_a", Normal, [1, 3], [2.6, 1.1], 0.5, [7, 2]),
        series("obs_sum", LnNormal, [1, 1, 2], [3.9, 4.4, 3.1], "sd", [0, 1, 3]),
        series("obs_b", LogNormal, [2], [2.2], "sd*s", [6]),
    ))  # fmt: skip
    two = Experiment("two", "m", TIMES, (
        series("obs_c", Laplace, [1, 2], [2.0, 1.0], np.array([0.5, 0.25]), [9, 10]),
        series("obs_d", LnLaplace, [1, 2], [2.0, 1.0], "0.1 + 0.2*A", [4, 11]),
        series("obs_d#2", LogLaplace, [3], [0.3], "sd", [5]),
        series("obs_a", Normal, [0], [3.0], 0.5, [8]),
    ), Condition("fast", (Perturbation("k", "*", parse("2")),)))  # fmt: skip
    return Problem(parameters, {"m": closed_form}, (one, two))


def by_hand(theta):
    """(simulation, measurement, σ, family) of each row of the table."""
    def A(k, t):  # noqa: N802
        return 3.0 * np.exp(-k * t) + 0.1

    k, s, sd = theta["k"], theta["s"], theta["sd"]
    one, two = lambda t: A(k, t), lambda t: A(2 * k, t)  # noqa: E731
    return [
        (one(0.5) + s, 3.9, sd, LnNormal), (one(0.5) + s, 4.4, sd, LnNormal), (one(3.0), 1.1, 0.5, Normal),
        (one(1.0) + s, 3.1, sd, LnNormal), (two(0.5), 2.0, 0.1 + 0.2 * two(0.5), LnLaplace), (two(3.0), 0.3, sd, LogLaplace),
        (one(1.0), 2.2, sd * s, LogNormal), (one(0.5), 2.6, 0.5, Normal), (two(0.0), 3.0, 0.5, Normal),
        (two(0.5), 2.0, 0.5, Laplace), (two(1.0), 1.0, 0.25, Laplace), (two(1.0), 1.0, 0.1 + 0.2 * two(1.0), LnLaplace),
    ]  # fmt: skip


def llh_by_petab(theta):
    return sum(calculate_single_llh(m, y, WORDS[f][1], WORDS[f][0], sigma) for y, m, sigma, f in by_hand(theta))


def test_every_noise_against_petab(problem):
    scored = score(Posterior(problem), THETA)
    assert scored.llh == pytest.approx(llh_by_petab(THETA), rel=1e-12)
    chi2 = sum(((on_scale(m, WORDS[f][1]) - on_scale(y, WORDS[f][1])) / sigma) ** 2 for y, m, sigma, f in by_hand(THETA))
    assert scored.chi2 == pytest.approx(chi2, rel=1e-12)
    assert scored.failures == scored.notes == ()


def test_simulations_are_in_the_order_of_the_table(problem):
    simulations = score(Posterior(problem), THETA).simulations
    expected = by_hand(THETA)
    assert [s.measurement for s in simulations] == [m for _, m, *_ in expected]
    assert [s.simulation for s in simulations] == pytest.approx([y for y, *_ in expected], rel=1e-12)
    assert [s.observableId for s in simulations] == [
        "obs_sum", "obs_sum", "obs_a", "obs_sum", "obs_d", "obs_d", "obs_b", "obs_a", "obs_a", "obs_c", "obs_c", "obs_d",
    ]  # fmt: skip
    assert [(s.experiment, s.time) for s in simulations[3:6]] == [("one", 1.0), ("two", 0.5), ("two", 3.0)]


def test_without_an_origin_they_are_in_the_order_of_the_experiments(problem):
    stripped = [replace(e, series=tuple(replace(s, origin=None) for s in e.series)) for e in problem.experiments]
    simulations = score(Posterior(replace(problem, experiments=tuple(stripped))), THETA).simulations
    assert [s.measurement for s in simulations] == [2.6, 1.1, 3.9, 4.4, 3.1, 2.2, 2.0, 1.0, 2.0, 1.0, 0.3, 3.0]


def test_gradients_against_differences(problem, quotient):
    posterior = Posterior(problem)
    scored, free = score(posterior, THETA), ("k", "s", "sd")

    def llh(x):
        return llh_by_petab({**THETA, **dict(zip(free, x, strict=True))})

    slopes = quotient(llh, np.array([THETA[n] for n in free]), 1e-4)
    assert [scored.gradient.llh[n] for n in free] == pytest.approx(slopes.tolist(), rel=1e-8)

    def log_posterior(u):
        at = posterior.theta_from_u(np.append(u, 0.0))
        return float(posterior.pointwise(np.append(u, 0.0)).sum()) + log_prior(dict(zip(posterior.names, at, strict=True)))

    def log_prior(theta):  # in u: uniform on log10, normal on lin, uniform on ln
        return -np.log(3.0) + stats.norm.logpdf(theta["s"], 1.0, 1.0) - np.log(np.log(300.0))

    assert scored.log_prior == pytest.approx(log_prior(THETA), rel=1e-12)
    assert scored.log_posterior == pytest.approx(scored.llh + log_prior(THETA), rel=1e-12)
    slopes = quotient(log_posterior, posterior.u_from_theta(THETA)[:3], 1e-4)
    assert [scored.gradient.log_posterior[n] for n in free] == pytest.approx(slopes.tolist(), rel=1e-7)


def test_coordinates_say_where(problem):
    at = score(Posterior(problem), THETA).parameters
    assert (at["k"].theta, at["k"].scale, at["k"].u) == (0.4, "log10", pytest.approx(np.log10(0.4)))
    assert (at["sd"].scale, at["sd"].u) == ("ln", pytest.approx(np.log(0.3)))


@pytest.mark.parametrize(("name", "value", "said"), [
    ("k", 20.0, "k = 20 lies outside of [0.01, 10]"),
    ("sd", 5.0, "sd = 5 lies outside of [0.01, 3]"),
    ("k", 0.0, "k = 0 lies outside of [0.01, 10]"),      # u = −∞
    ("k", -0.5, "k = -0.5 lies outside of [0.01, 10]"),  # no u
])  # fmt: skip
def test_outside_of_the_prior_there_is_a_likelihood_and_no_posterior(problem, name, value, said):
    scored = score(Posterior(problem), {**THETA, name: value})
    assert scored.llh == pytest.approx(llh_by_petab({**THETA, name: value}), rel=1e-12)
    assert scored.gradient.llh is not None and None not in [s.simulation for s in scored.simulations]
    assert scored.log_prior is scored.log_posterior is scored.gradient.log_posterior is None
    assert len(scored.notes) == 1 and said in scored.notes[0]
    assert (scored.parameters[name].u is None) == (value <= 0)


def test_on_a_bound_the_density_is_that_of_the_closed_interval(problem):
    scored = score(Posterior(problem), {**THETA, "k": 10.0})
    assert scored.log_posterior == pytest.approx(scored.llh + scored.log_prior) and np.isfinite(scored.log_prior)


def test_where_a_prior_has_no_density_its_parameter_is_named(problem):
    exponential = make_parameter("s", "gamma", {"shape": 2.0, "scale": 1.0}, "lin")
    parameters = tuple(exponential if p.name == "s" else p for p in problem.parameters)
    scored = score(Posterior(replace(problem, parameters=parameters)), {**THETA, "s": 0.0, "sd": 0.3})
    assert scored.log_prior is None and "s = 0 lies where its prior has no finite density" in scored.notes[-1]


def test_a_failed_solve_is_named(problem):
    scored = score(Posterior(problem), {**THETA, "hopeless": 1.0})
    assert scored.llh is scored.chi2 is scored.log_posterior is scored.gradient.llh is scored.gradient.log_posterior is None
    assert [(f.experiment, f.kind) for f in scored.failures] == [("one", "solver"), ("two", "solver")]
    assert "no progress" in scored.failures[0].message
    assert np.isfinite(scored.log_prior) and {s.simulation for s in scored.simulations} == {None}


def test_one_failed_experiment_leaves_the_simulations_of_the_others(problem):
    fails = Condition("fails", (Perturbation("hopeless", "=", parse("1")),))
    experiments = (problem.experiments[0], replace(problem.experiments[1], condition=fails))
    scored = score(Posterior(replace(problem, experiments=experiments)), THETA)
    assert [f.experiment for f in scored.failures] == ["two"] and scored.llh is None
    assert [s.simulation is None for s in scored.simulations] == [s.experiment == "two" for s in scored.simulations]


def test_a_scale_that_is_not_positive_is_a_failure_and_leaves_the_simulations(problem):
    scored = score(Posterior(problem), {**THETA, "sd": -0.1})
    assert {f.kind for f in scored.failures} == {"nonfinite"} and scored.llh is None
    assert [s.simulation for s in scored.simulations] == pytest.approx([y for y, *_ in by_hand(THETA)])


def test_values_without_a_gradient(problem, closed_form, monkeypatch):
    solve = type(closed_form).solve

    def without_sensitivities(self, values, times, outputs, columns=(), seeds=None):
        return solve(self, {**values, "hopeless": 1.0} if columns else values, times, outputs, columns, seeds)

    monkeypatch.setattr(type(closed_form), "solve", without_sensitivities)
    scored = score(Posterior(problem), THETA)
    assert scored.llh == pytest.approx(llh_by_petab(THETA), rel=1e-12) and scored.failures == ()
    assert scored.gradient.llh is scored.gradient.log_posterior is None
    assert scored.notes == ("no gradient: solver: no progress at t = 0",)


def test_noise_that_is_on_no_scale_has_no_chi2(problem):
    counts = Series("n", parse("A"), np.array([1]), np.array([3.0]), NegBin(), {"dispersion": Formula(parse("sd"))})
    experiments = (replace(problem.experiments[0], series=(*problem.experiments[0].series, counts)), problem.experiments[1])
    with pytest.raises(TypeError, match="NegBin noise has no χ²"):
        score(Posterior(replace(problem, experiments=experiments)), THETA)


# petab's own functions on whole problems

OBSERVABLES_1 = """observableId\tobservableFormula\tobservableTransformation\tnoiseFormula\tnoiseDistribution
lin_n\tA\tlin\t0.5\tnormal
log_n\tA + B\tlog\tsd\tnormal
log10_n\ts * B\tlog10\tnoiseParameter1_log10_n\tnormal
lin_l\tobservableParameter1_lin_l * A\tlin\t0.1 + 0.2 * lin_l\tlaplace
log_l\tA\tlog\tsd * noiseParameter1_log_l\tlaplace
log10_l\tB\tlog10\tnoiseParameter1_log10_l\tlaplace
"""
OBSERVABLES_2 = """observableId\tobservableFormula\tnoiseFormula\tnoiseDistribution\tobservablePlaceholders\tnoisePlaceholders
lin_n\tA\t0.5\tnormal\t\t
log_n\tA + B\tsd\tlog-normal\t\t
log10_n\ts * B\tnp\tlog-normal\t\tnp
lin_l\tgain * A\t0.1 + 0.2 * lin_l\tlaplace\tgain\t
log_l\tA\tsd * np\tlog-laplace\t\tnp
log10_l\tB\tnp\tlog-laplace\t\tnp
"""
MEASUREMENTS = """observableId\tCONDITION\ttime\tmeasurement\tobservableParameters\tnoiseParameters
lin_l\tslow\t1\t2.1\t2\t
lin_n\tfast\t1\t1.7\t\t
log_n\tslow\t0.5\t14\t\t
log10_l\tfast\t2\t3.3\t\tsd
log10_n\tslow\t0.5\t13\t\t0.3
log10_n\tslow\t0.5\t12\t\tsd
lin_n\tslow\t1\t2.5\t\t
log10_l\tslow\t2\t2.9\t\t0.2
lin_l\tfast\t1\t2.4\ts\t
log_l\tfast\t1\t2.2\t\t1.5
lin_n\tslow\t1\t2.8\t\t
"""
PARAMETERS_1 = """parameterId\tparameterScale\tlowerBound\tupperBound\tnominalValue\testimate
k\tlog10\t0.01\t10\t0.4\t1
s\tlin\t0\t5\t1.2\t1
sd\tlog\t0.01\t3\t0.25\t1
"""
PARAMETERS_2 = """parameterId\tlowerBound\tupperBound\tnominalValue\testimate
k\t0.01\t10\t0.4\ttrue
s\t0\t5\t1.2\ttrue
sd\t0.01\t3\t0.25\ttrue
"""
VERSIONS = {
    1: {
        "problem.yaml": "format_version: 1\nparameter_file: parameters.tsv\nproblems: [{sbml_files: [model.xml], "
        "measurement_files: [measurements.tsv], condition_files: [conditions.tsv], observable_files: [observables.tsv]}]\n",
        "observables.tsv": OBSERVABLES_1,
        "parameters.tsv": PARAMETERS_1,
        "measurements.tsv": MEASUREMENTS.replace("CONDITION", "simulationConditionId"),
        "conditions.tsv": "conditionId\tA\nslow\t3\nfast\t2\n",
    },
    2: {
        "problem.yaml": "format_version: 2.0.0\nparameter_files: [parameters.tsv]\nobservable_files: [observables.tsv]\n"
        "measurement_files: [measurements.tsv]\ncondition_files: [conditions.tsv]\nexperiment_files: [experiments.tsv]\n"
        "model_files: {amount: {language: sbml, location: model.xml}}\n",
        "observables.tsv": OBSERVABLES_2,
        "parameters.tsv": PARAMETERS_2,
        "measurements.tsv": MEASUREMENTS.replace("CONDITION", "experimentId"),
        "conditions.tsv": "conditionId\ttargetId\ttargetValue\nto2\tA\t2\n",
        "experiments.tsv": "experimentId\ttime\tconditionId\nslow\t0\t\nfast\t0\tto2\n",
    },
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:The .* is deprecated:DeprecationWarning")  # petab's calls of pandas
@pytest.mark.parametrize("version", VERSIONS)
def test_whole_problems_against_petab(tmp_path, model_path, version):
    for name, text in VERSIONS[version].items():
        (tmp_path / name).write_text(text)
    shutil.copy(model_path("amount.xml"), tmp_path / "model.xml")
    path = tmp_path / "problem.yaml"
    problem = bnfhmc.load(path)
    scored = score(Posterior(problem), theta_at(path, problem.names))

    calculate = import_module(f"petab.v{version}.calculate")
    of_petab = import_module(f"petab.v{version}").Problem.from_yaml(path)
    measured = of_petab.measurement_df.reset_index(drop=True)
    simulated = measured.drop(columns="measurement").assign(simulation=[s.simulation for s in scored.simulations])
    assert measured["observableId"].tolist() == [s.observableId for s in scored.simulations]
    tables = (measured, simulated.astype({"simulation": object}), of_petab.observable_df,
              of_petab.parameter_df.astype({"nominalValue": object}))  # fmt: skip  # sympy takes no float64 of numpy 2
    assert scored.llh == pytest.approx(calculate.calculate_llh(*tables), rel=1e-12)
    assert scored.chi2 == pytest.approx(calculate.calculate_chi2(*tables), rel=1e-12)


# The record


def test_the_record_of_a_score(problem):
    out, error = record("9.9", "p.yaml", lambda: score(Posterior(problem), THETA))
    assert error is None and out["status"] == "ok" and out["problem"] == "p.yaml" and out["version"] == "9.9"
    assert set(out) == {
        "program", "version", "problem", "status", "errors", "parameters", "llh", "chi2", "log_prior", "log_posterior",
        "gradient", "simulations", "failures", "notes",
    }  # fmt: skip
    assert set(out["gradient"]) == {"llh", "log_posterior"} and set(out["gradient"]["llh"]) == set(THETA)
    assert set(out["simulations"][0]) == {"observableId", "experiment", "time", "measurement", "simulation"}
    to_json(out)


def test_the_record_of_a_failed_solve(problem):
    out, error = record("9.9", "p.yaml", lambda: score(Posterior(problem), {**THETA, "hopeless": 1.0}))
    assert isinstance(error, FailedSolve) and error.kind == "solver" and out["status"] == "failed solve"
    assert "experiment 'one': solver: no progress" in out["errors"][0]["what"] and out["llh"] is None
    to_json(out)


def test_the_record_of_a_bad_file():
    def compute():
        raise InputError([Mistake("no such observable", "did you mean 'obs_a'?", "measurements.tsv", 3), Mistake("second")])

    out, error = record("9.9", "p.yaml", compute)
    assert isinstance(error, InputError) and out["status"] == "bad input" and "llh" not in out
    assert out["errors"][0] == {
        "what": "no such observable", "hint": "did you mean 'obs_a'?", "path": "measurements.tsv", "line": 3,
    }  # fmt: skip
