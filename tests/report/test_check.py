"""What a check says of problems that hold everything: facts, verdicts, solves, gradients, the forecast, and the JSON."""

import io
import json
import math
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from rich.console import Console

from bnfhmc.errors import FailedSolve, GradientMismatch, InputError, MissingTool
from bnfhmc.expression import parse
from bnfhmc.model import Failure, FailureKind, Trajectory
from bnfhmc.noise import Constant, Formula, Laplace, LogNormal, NegBin, Normal, StudentT
from bnfhmc.noise.constraint import Constraint
from bnfhmc.noise.constraint_penalty import Bernoulli, Hinge, Inequality
from bnfhmc.noise.constraint_timing import At, Crossing, Whole
from bnfhmc.noise.target import CallableTarget, ExpressionTarget, Gaussian
from bnfhmc.noise.transform import Floor, Increments, Peak, SeriesScale
from bnfhmc.posterior import Posterior
from bnfhmc.prior import make_parameter
from bnfhmc.problem import Condition, Experiment, Perturbation, Problem, Scan, Series, Settings
from bnfhmc.report.check import examine, examined, print_section, to_json, trial, words
from bnfhmc.report.check import forecast as forecasts
from bnfhmc.report.check.capability import ANALYTIC, NONE, QUOTIENTS, REFUSED, Capabilities
from bnfhmc.report.check.examine import Findings
from bnfhmc.report.check.forecast import Forecast, forecast
from bnfhmc.report.check.overview import ConditionFacts, Overview
from bnfhmc.report.check.trial import Point, Solves
from bnfhmc.samplers.gradient_check import Verdict

TIMES = np.array([0.0, 1.0, 2.0, 4.0])
OBSERVED = np.array([2.1, 1.2, 0.5])


@dataclass
class Decay:
    """A(t) = A0 e^(−kt) with X() an amount that nothing reads; its faults can be chosen."""

    note: str = ""
    why_not: str = ""
    wrong: float = 1.0     # factor on ∂A/∂k
    rough: float = 0.0     # the size of a noise that A carries
    k_max: float = math.inf
    name: str = "decay"
    rtol: float = 1e-8
    quantities: dict = field(default_factory=lambda: {"A0": 3.0, "k": 0.5, "X()": 1.0})
    amounts: frozenset = frozenset({"X()"})
    outputs: tuple = ("A", "n")
    derived: dict = field(default_factory=dict)
    triggers: tuple = ()

    def solve(self, values, times, outputs, columns=(), seeds=None):
        m = {**self.quantities, **values}
        if m["k"] > self.k_max:
            return Failure(FailureKind.SOLVER, f"no progress at k = {m['k']:.3g}")
        e = np.exp(-m["k"] * times)
        y = m["A0"] * e + self.rough * np.sin(1e7 * (m["k"] + m["A0"]) + times)
        slopes = {"A0": e, "k": -times * m["A0"] * e * self.wrong, "X()": 0 * e}
        dy = np.stack([slopes[c] for c in columns], axis=1) if columns else np.empty((len(times), 0))
        return Trajectory(np.stack([y] * len(outputs), axis=1), np.stack([dy] * len(outputs), axis=1))

    def equilibrate(self, values, t_max, outputs, columns=(), seeds=None, since=0.0):
        return self.solve(values, np.array([1.0]), outputs, columns)

    def sensitivity_note(self, columns):
        return self.note

    def refusal(self, columns):
        return self.why_not

    def clone(self):
        return replace(self)


def series(observable="A", noise=None, sources=None, transforms=(), name=None):
    return Series(name or observable, parse(observable), np.array([1, 2, 3]), OBSERVED, noise or Normal(),
                  {"sigma": Constant(0.3)} if sources is None else sources, transforms)  # fmt: skip


def experiment(*of, name="d1", **more):
    return Experiment(name, "decay", TIMES, of or (series(),), **more)


def problem(model=None, experiments=None, parameters=None, **more):
    k = make_parameter("k", "normal", {"mean": -0.5, "sd": 0.2}, "log10")
    a = make_parameter("A0", "uniform", {"lower": 1.0, "upper": 5.0}, "lin", initial=2.5)
    return Problem(parameters or (k, a), {"decay": model or Decay()}, experiments or (experiment(),), **more)


def sections(*args, **options):
    """All sections of a check, and what ended it."""
    found = []
    try:
        for section in examine(*args, **options):
            found.append(section)
    except (InputError, FailedSolve, GradientMismatch) as error:
        return found, error
    return found, None


def one(kind, found):
    """The only section of a kind."""
    (section,) = (s for s in found if isinstance(s, kind))
    return section


def points(found):
    return [s for s in found if isinstance(s, Point)]


def printed(found):
    out = io.StringIO()
    console = Console(file=out, width=60)
    for section in found:
        print_section(console, section)
    return out.getvalue()


# what was understood


def test_a_prior_is_told_in_u_and_in_theta():
    b = make_parameter("b", "normal", {"mean": 0.0, "sd": 1.0}, "log10", lower=1e-3, initial=2.0)
    a = make_parameter("a", "uniform", {"lower": 1.0, "upper": 5.0}, "lin")
    target = Gaussian(("b", "a"), (1.0, 1.0), (1.0, 1.0))
    about = one(Overview, sections(Problem((b, a), {}, (), target=target))[0])
    of_b, of_a = about.parameters
    assert str(of_b.prior) == "normal(mean 0, sd 1) on [-3, inf]" and of_b.scale == "log10" and of_b.initial == 2.0
    assert of_b.support_u == (-3.0, math.inf) and of_b.support_theta == pytest.approx((1e-3, math.inf))
    assert of_b.interval_u == pytest.approx((-1.95, 1.96), abs=0.02)
    assert of_b.interval_theta == pytest.approx([10**u for u in of_b.interval_u])
    assert str(of_a.prior) == "uniform(lower 1, upper 5)" and of_a.interval_theta == pytest.approx((1.1, 4.9))
    assert of_a.acts_on == of_b.acts_on == ("objective",)
    text = printed([about])
    assert "log10(θ)" in text and "0.001 to inf" in text and "-3 to inf" in text and "closed-form objective Gaussian" in text


def test_what_each_parameter_acts_on():
    names = ["A0", "k", "X()", "dose", "sigma", "slope", "width", "pinned"]
    parameters = tuple(make_parameter(n, "uniform", {"lower": 1.0, "upper": 2.0}, "lin") for n in names)
    model = Decay(quantities={"A0": 3.0, "k": 0.5, "X()": 1.0, "pinned": 1.0, "rate": 0.0})
    fitted = Constraint(Inequality("A", 2.0), Whole(), Bernoulli("probit", 1.0), scale=Formula(parse("width")))
    condition = Condition("c", (Perturbation("rate", "=", parse("2*dose")), Perturbation("pinned", "=", parse("1"))))
    e = experiment(series("slope*A + k", sources={"sigma": Formula(parse("sigma"))}), condition=condition,
                   constraints=(fitted,))  # fmt: skip
    found = one(Overview, sections(problem(model, (e,), parameters))[0])
    assert {p.name: p.acts_on for p in found.parameters} == {
        "A0": ("model parameter",), "k": ("model parameter", "observable formula"), "X()": ("initial amount",),
        "dose": ("model parameter",), "sigma": ("noise",), "slope": ("observable formula",),
        "width": ("constraint scale",), "pinned": (),
    }  # fmt: skip


def test_a_condition_may_set_an_amount_and_a_pinned_parameter_may_act_before():
    p = make_parameter("p", "uniform", {"lower": 1.0, "upper": 2.0}, "lin")
    k = make_parameter("k", "uniform", {"lower": 1.0, "upper": 2.0}, "lin")
    dosed = Condition("dosed", (Perturbation("X()", "=", parse("p")), Perturbation("k", "=", parse("1"))))
    rest = Condition("rest", ())
    found = one(Overview, sections(problem(None, (experiment(condition=dosed, before=rest),), (p, k)))[0])
    assert [f.acts_on for f in found.parameters] == [("initial amount",), ("model parameter",)]


def test_experiments_in_words():
    knock = Condition("knock", tuple(
        Perturbation("k", op, parse(value)) for op, value in [("=", "1"), ("*", "2"), ("/", "4"), ("+", "A0"), ("-", "0.1")]
    ))  # fmt: skip
    one_row = series(name="late")
    one_row = replace(one_row, time_index=np.array([0]), observed=OBSERVED[:1])
    experiments = (
        experiment(series(), series("2*A", name="twice"), condition=knock,
                   constraints=(Constraint(Inequality("A", 9.0), Whole()),)),
        Experiment("d2", "decay", np.array([np.inf]), (one_row,)),
        experiment(name="d3", before=Condition("rest", ())),
        Experiment("d4", "decay", np.array([]), (series(),), scan=Scan("X()", np.array([0.1, 1.0, 3.0, 10.0]), 5.0)),
        Experiment("d5", "decay", np.array([]), (series(),), scan=Scan("X()", np.array([0.1, 1.0, 3.0, 10.0]))),
    )  # fmt: skip
    about = one(Overview, sections(problem(experiments=experiments))[0])
    first, steady, _, scan, _ = about.experiments
    assert [e.kind for e in about.experiments] == [
        "time course", "steady state", "time course, pre-equilibrated", "scan of X() at t = 5",
        "scan of X() at steady state",
    ]  # fmt: skip
    assert (first.rows, first.span, first.constraints) == (4, (0.0, 4.0), 1) and scan.span == (0.1, 10.0)
    assert (steady.rows, steady.series[0].measurements) == (1, 1)
    assert first.condition == ConditionFacts(
        "knock", ("k set to 1", "k times 2", "k divided by 4", "k plus A0", "k minus 0.1")
    )
    text = printed([about])
    assert "condition knock: k set to 1; k times 2; k divided by 4; k plus A0; k minus 0.1" in text
    assert "condition rest: changes nothing" in text and "2*A" in text and "5 experiments, 16 measurements" in text


@pytest.mark.parametrize(("noise", "sources", "said"), [
    (Normal(), {"sigma": Constant(0.3)}, ("normal, location median", [("sigma", "known", "0.3")])),
    (LogNormal("mean"), {"sigma": Constant(np.array([0.1, 0.2, 0.4]))},
     ("lognormal, location mean", [("sigma", "by measurement", "0.1 to 0.4")])),
    (Normal(), {"sigma": Constant(np.full(3, 0.2))}, ("normal, location median", [("sigma", "known", "0.2")])),
    (Normal(), {"sigma": Formula(parse("k"))}, ("normal, location median", [("sigma", "estimated", "k")])),
    (Normal(), {"sigma": Formula(parse("2*k"))}, ("normal, location median", [("sigma", "formula", "2*k")])),
    (Normal(), {"sigma": Formula(parse("0.1*A + k"))},
     ("normal, location median", [("sigma", "formula of the prediction", "0.1*A + k")])),
    (StudentT(), {"sigma": Constant(0.3)}, ("student_t, location median",
     [("sigma", "known", "0.3"), ("df", "default", f"{StudentT.defaults.get('df', 0):g}")])),
])  # fmt: skip
def test_where_noise_comes_from(noise, sources, said):
    found, _ = sections(problem(experiments=(experiment(series(noise=noise, sources=sources)),)))
    (s,) = one(Overview, found).experiments[0].series
    assert (s.noise, [(n.parameter, n.origin, n.value) for n in s.sources]) == said


def test_transforms_have_the_words_of_a_configuration():
    chain = (Floor(0.05), Peak(), Increments(), SeriesScale("log"))
    assert [words.transform(t) for t in chain] == ["floor 0.05", "peak", "cumulative", "scale (log)"]


def test_a_model_says_its_size_its_file_and_its_tolerances(network, tmp_path):
    about = one(Overview, sections(problem())[0]).models[0]
    assert (about.species, about.parameters, about.outputs, about.rtol, about.path) == (1, 2, 2, None, None)
    model = network("chain.net", rtol=1e-6, atol=1e-9)
    found = one(Overview, sections(chain_problem(model))[0]).models[0]
    assert (found.species, found.parameters, found.rtol, found.atol) == (3, 4, 1e-6, 1e-9)
    read = Decay()
    read.path = tmp_path / "decay.xml"
    about = one(Overview, sections(problem(read))[0]).models[0]
    assert (about.path, about.kind) == (str(tmp_path / "decay.xml"), "SBML")


# verdicts


def test_sensitivities_are_analytic_or_the_reason_is_said():
    def of(model, **more):
        return one(Capabilities, sections(problem(model, **more))[0]).sensitivities[0]

    assert (of(Decay()).kind, of(Decay()).reason) == (ANALYTIC, "")
    dear = of(Decay(note="rate law 3 uses abs"))
    assert (dear.kind, dear.reason) == (QUOTIENTS, "rate law 3 uses abs")
    found, error = sections(problem(Decay(note="rate law 3 uses abs")))
    assert error is None and "d1: difference quotients: rate law 3 uses abs" in printed(found)
    s = make_parameter("s", "uniform", {"lower": 1.0, "upper": 2.0}, "lin")
    assert of(Decay(), parameters=(s,), experiments=(experiment(series("s*A")),)).kind == NONE


def test_every_refusal_is_said_at_once_after_the_overview():
    experiments = (
        experiment(), experiment(name="d2"), experiment(series("B"), name="d3"), experiment(series("Q"), name="d4"),
    )  # fmt: skip
    found, error = sections(problem(Decay(why_not="floor(A) rounds"), experiments))
    assert isinstance(error, InputError) and len(error.mistakes) == 3
    for said in ("model 'decay' cannot be differentiated: floor(A) rounds", "no output 'B'", "no output 'Q'"):
        assert str(error).count(said) == 1
    assert [type(s) for s in found] == [Overview, Capabilities]
    assert {s.kind for s in one(Capabilities, found).sensitivities} == {REFUSED}
    assert "d2: refused: model 'decay' cannot be differentiated: floor(A) rounds" in printed(found)


LESS = Inequality("A", 9.0)


@pytest.mark.parametrize(("e", "said"), [
    (experiment(), []),
    (experiment(series(), series("k*A")), []),
    (experiment(series(noise=LogNormal())), []),
    (experiment(series(noise=Laplace(), sources={"scale": Constant(1.0)})), ["laplace noise is no sum of squares"]),
    (experiment(series(noise=NegBin(), sources={"dispersion": Formula(parse("k"))})),
     ["neg_bin noise is no sum of squares", "dispersion is not known beforehand"]),
    (experiment(series(), series(sources={"sigma": Formula(parse("k"))}, name="B")), ["sigma is not known beforehand"]),
    (experiment(series(sources={"sigma": Formula(parse("0.1*A + 0.2"))})), ["sigma is not known beforehand"]),
    (experiment(constraints=(Constraint(LESS, Whole()),)), ["constraints add penalties"]),
])  # fmt: skip
def test_least_squares_is_what_the_posterior_says_with_every_reason(e, said):
    e = replace(e, series=tuple(replace(s, observed=np.array([2.0, 1.0, 1.0])) for s in e.series))
    found, _ = sections(problem(experiments=(e,)))
    verdict = one(Capabilities, found)
    assert verdict.least_squares is (not said) is Posterior(problem(experiments=(e,))).least_squares
    assert len(verdict.no_least_squares) == len(said)
    assert all(reason.startswith(start) for reason, start in zip(verdict.no_least_squares, said, strict=True))
    assert ("least squares: exact" in printed(found)) is (not said)


@pytest.mark.parametrize(("e", "said"), [
    (experiment(), []),
    (experiment(series("k*exp(A)")), []),
    (experiment(series("max(A, k)", name="A")), ["experiment d1: the observable A uses max, whose slope jumps"]),
    (experiment(series("min(A, abs(k))", name="A")), ["experiment d1: the observable A uses abs, min"]),
    (experiment(series("if(A > k, A, k)", name="A")), ["experiment d1: the observable A uses >, if, which may"]),
    (experiment(series(sources={"sigma": Formula(parse("max(k, 0.1)"))})), ["experiment d1: sigma of A uses max"]),
    (experiment(condition=Condition("c", (Perturbation("k", "=", parse("abs(k)")),))), ["experiment d1: condition c uses abs"]),
    (experiment(series(transforms=(Peak(),))), ["experiment d1: A: peak has a kink"]),
    (experiment(series(noise=Laplace(), sources={"scale": Constant(1.0)})), ["experiment d1: A: Laplace noise has a kink"]),
    (experiment(constraints=(Constraint(LESS, Whole()), Constraint(LESS, Whole(), smoothing=0.1))),
     ["experiment d1: 1 of 2 constraints a hinge without smoothing"]),
    (experiment(constraints=(Constraint(LESS, Whole(), Bernoulli("logit", 1.0)),)), []),
    (experiment(constraints=(Constraint(LESS, At(Crossing(1.0, "A")), Hinge(), smoothing=0.1),)),
     ["experiment d1: a jump of 1 constraint: the row where A passes 1"]),
])  # fmt: skip
def test_what_is_not_smooth_is_noted(e, said):
    found, _ = sections(problem(experiments=(e,)))
    kinks = one(Capabilities, found).kinks
    assert len(kinks) == len(said) and all(k.startswith(start) for k, start in zip(kinks, said, strict=True)), kinks
    assert printed(found).count("not smooth: ") == len(said)


def test_an_objective_may_have_kinks_and_no_residuals():
    a = make_parameter("a", "normal", {"mean": 0.0, "sd": 1.0}, "lin")
    verdict = one(Capabilities, sections(Problem((a,), {}, (), target=ExpressionTarget(("a",), parse("abs(a)"))))[0])
    assert verdict.kinks == ("the objective uses abs, whose slope jumps",)
    assert verdict.no_least_squares == ("the objective has no residuals",)


# solves


def test_each_experiment_is_solved_and_timed(monkeypatch):
    clock = iter(np.arange(1000.0))
    monkeypatch.setattr(trial.time, "perf_counter", lambda: next(clock))
    found, error = sections(problem(experiments=(experiment(), experiment(name="d2", condition=Condition(
        "c", (Perturbation("k", "=", parse("1")),))))))  # fmt: skip
    first, second = one(Solves, found).experiments
    assert error is None and (first.experiment, first.status, first.columns) == ("d1", "ok", 2)
    assert (second.experiment, second.columns) == ("d2", 1)
    assert (first.seconds, first.gradient_seconds, first.price) == (1.0, 1.0, 1.0)
    assert one(Solves, found).check_seconds == 2.0 * 3 * 2 * trial.SOLVES_A_SLOPE
    assert "comparing the gradient takes about 72 seconds" in printed(found)


def test_columns_of_both_phases_count():
    e = experiment(before=Condition("rest", ()), condition=Condition("c", (Perturbation("k", "=", parse("1")),)))
    assert one(Solves, sections(problem(experiments=(e,)))[0]).experiments[0].columns == 3


def test_a_failure_is_said_in_the_solvers_words_and_the_others_are_solved():
    free = Condition("slow", (Perturbation("k", "/", parse("100")),))
    p = problem(Decay(k_max=1e-2), (experiment(), experiment(name="d2", condition=free)))
    found, error = sections(p)
    failed, fine = one(Solves, found).experiments
    assert (failed.status, failed.message, failed.seconds, failed.price) == (
        "solver", "no progress at k = 0.316", None, None
    )  # fmt: skip
    assert fine.status == "ok" and fine.price > 0
    assert "d1: solver: no progress at k = 0.316" in printed(found)
    assert isinstance(error, FailedSolve) and error.kind == "solver" and "no progress" in str(error)
    assert not any(isinstance(s, Forecast) for s in found)


def test_a_likelihood_without_a_value_is_a_failure():
    found, error = sections(problem(experiments=(experiment(series(noise=LogNormal()), series("-A", noise=LogNormal())),)))
    assert one(Solves, found).experiments[0].status == "nonfinite" and isinstance(error, FailedSolve)
    assert "the likelihood is not finite" in str(error)


# the point


@pytest.mark.parametrize(("initial", "which", "where", "theta"), [
    ({}, "initial", "the medians of the prior", {"k": 10**-0.5, "A0": 3.0}),
    ({"A0": 2.0}, "initial", "the initial values and prior medians", {"k": 10**-0.5, "A0": 2.0}),
    ({"k": 0.5, "A0": 2.0}, "initial", "the initial values", {"k": 0.5, "A0": 2.0}),
    ({"k": 0.5, "A0": 2.0}, "prior", "the medians of the prior", {"k": 10**-0.5, "A0": 3.0}),
])  # fmt: skip
def test_where_it_is_solved(initial, which, where, theta):
    parameters = tuple(replace(p, initial=initial.get(p.name)) for p in problem().parameters)
    found, _ = sections(problem(parameters=parameters), which)
    for section in (one(Solves, found), points(found)[0]):
        assert section.where == where and section.theta == pytest.approx(theta)


def test_the_further_points_come_from_the_prior_and_the_seed():
    def drawn(seed):
        found, _ = sections(problem(settings=Settings(random_seed=seed)))
        return [tuple(p.theta.values()) for p in points(found)[1:]]

    assert drawn(1) == drawn(1) and drawn(1) != drawn(2) and len(set(drawn(1))) == 2
    assert all(1.4 < a < 4.6 for _, a in drawn(1))


# the gradient


def test_a_right_gradient_passes_at_three_points():
    found, error = sections(problem())
    assert error is None and len(points(found)) == 3
    for p in points(found):
        assert p.status == "ok" and p.named(Verdict.OK) == ("k", "A0") and p.seconds > 0
        assert [s.difference for s in p.slopes] == pytest.approx([s.gradient for s in p.slopes], rel=1e-2, abs=1e-3)
    assert one(Findings, found).sentences == () and "Nothing is wrong." in printed(found)


def test_a_wrong_sensitivity_names_its_parameter():
    found, error = sections(problem(Decay(wrong=1.2)))
    assert isinstance(error, GradientMismatch) and "wrong for k:" in str(error) and "A0" not in str(error)
    assert any("k" in p.named(Verdict.MISMATCH) for p in points(found))
    assert not any("A0" in p.named(Verdict.MISMATCH) for p in points(found))
    said = one(Findings, found).sentences
    assert said[-1].startswith("the gradient is wrong for k, at ") and "central differences" in said[-1]
    assert isinstance(found[-2], Forecast) and "mismatch" in printed(found)


def test_what_the_differences_cannot_settle_is_said():
    found, error = sections(problem(Decay(rough=0.03)))
    assert error is None
    assert all(p.named(Verdict.UNDECIDED) == ("k", "A0") for p in points(found))
    (said,) = one(Findings, found).sentences
    assert said.startswith("the gradient is undecided for k, A0, at the initial values and prior medians; draw 1 from")
    assert "tighten the solver's tolerances" in said


def test_values_are_solved_without_sensitivities():
    model, calls = Decay(), []
    solve = model.solve
    model.solve = lambda values, times, outputs, columns=(), seeds=None: (
        calls.append(columns) or solve(values, times, outputs, columns, seeds)
    )
    sections(problem(model))
    with_columns = sum(bool(c) for c in calls)
    assert with_columns <= 1 + trial.REPEATS + (1 + trial.BULK_POINTS) * (1 + 1 + trial.REPEATS)
    assert len(calls) - with_columns > 3 * 2 * 6


def test_a_first_point_that_fails_does_not_end_the_check():
    k, a = problem().parameters
    found, error = sections(problem(Decay(k_max=0.8), parameters=(replace(k, initial=1.0), a)))
    assert error is None and points(found)[0].status == "solver" and points(found)[0].slopes == ()
    assert [p.status for p in points(found)[1:]] == ["ok", "ok"]
    (said,) = one(Findings, found).sentences
    assert said.startswith("the model cannot be solved at the initial values") and "no progress at k = 1" in said
    assert "no gradient at the initial values" in printed(found) and any(isinstance(s, Forecast) for s in found)


def test_draws_that_fail_are_counted():
    found, error = sections(problem(Decay(k_max=0.3), settings=Settings(random_seed=3)))
    assert error is None and [p.redrawn for p in points(found)] == [(), (), ("solver", "solver")]
    assert one(Findings, found).sentences[1] == "draw 2 from the prior's bulk: 2 draws before it failed (solver, solver)"


def test_a_prior_that_cannot_be_solved_is_said_though_the_first_point_can():
    k, a = problem().parameters
    found, error = sections(problem(Decay(k_max=0.02), parameters=(replace(k, initial=0.01), a)))
    assert error is None and [p.status for p in points(found)] == ["ok", "solver", "solver"]
    said = one(Findings, found).sentences
    assert len(said) == 2
    assert said[0].startswith("draw 1 from the prior's bulk: none of 5 could be solved, the last one for solver: no pr")
    assert all("a run may find no start: narrow the priors" in s for s in said)


def test_a_looser_model_widens_what_differences_can_tell():
    tight, loose = Decay(rtol=1e-9), Decay(rtol=1e-5)
    assert Posterior(problem(tight)).rtol == 1e-9 and Posterior(problem(loose)).rtol == 1e-5


# closed-form problems


def test_a_closed_form_problem_needs_no_experiment():
    a = make_parameter("a", "normal", {"mean": 0.0, "sd": 1.0}, "lin")
    found, error = sections(Problem((a,), {}, (), target=Gaussian(("a",), (1.0,), (1.0,))))
    assert error is None and [s.experiment for s in one(Solves, found).experiments] == ["objective"]
    assert len(points(found)) == 3 and one(Capabilities, found).sensitivities == ()
    assert "0 measurements" in printed(found)


def test_a_callable_without_a_gradient_is_refused():
    a = make_parameter("a", "normal", {"mean": 0.0, "sd": 1.0}, "lin")
    target = CallableTarget(("a",), lambda params, data=None: params["a"] ** 2)
    _, error = sections(Problem((a,), {}, (), target=target))
    assert isinstance(error, InputError) and "gives no gradient" in str(error)


# the forecast


def test_the_forecast_is_draws_times_gradients_times_price():
    f = forecast(Settings(chains=4, num_warmup=500, num_samples=1500), 0.01, cores=3)
    assert f.gradients_per_draw == (8, 32) and f.seconds == pytest.approx((2 * 2000 * 8 * 0.01, 2 * 2000 * 32 * 0.01))
    assert "between 5 minutes and 21 minutes" in str(f) and "8 to 32 gradients (trees of depth 3 to 5) of 10 ms" in str(f)
    assert "4 chains of 500 warm-up steps and 1500 draws on 3 cores" in str(f) and "only the run shows" in str(f)
    assert forecast(Settings(chains=4), 0.01, cores=8).seconds[0] == pytest.approx(2000 * 8 * 0.01)
    assert "about 1 second" in str(forecast(Settings(chains=1), 1e-6, cores=1))


def test_a_method_of_unknown_price_has_no_forecast(monkeypatch):
    monkeypatch.setattr(forecasts, "GRADIENTS_PER_DRAW", {})
    assert forecast(Settings(), 0.01) is None
    found, error = sections(problem())
    assert error is None and not any(isinstance(s, Forecast) for s in found)


@pytest.mark.parametrize(("seconds", "said"), [
    (0.01, "1 second"), (1.4, "1 second"), (89, "89 seconds"), (100, "2 minutes"), (3000, "50 minutes"),
    (6000, "2 hours"), (100_000, "28 hours"), (130_000, "2 days"), (1e7, "116 days"),
])  # fmt: skip
def test_durations_in_words(seconds, said):
    assert words.duration(seconds) == said


def test_prices_have_a_unit():
    assert [words.price(s) for s in (None, 2.5e-4, 0.0123, 12.34)] == ["", "0.25 ms", "12.3 ms", "12.3 s"]


# JSON, and a model that is solved


def chain_problem(model):
    k1 = make_parameter("k1", "normal", {"mean": 0.0, "sd": 0.3}, "log10", initial=0.8)
    k2 = make_parameter("k2", "uniform", {"lower": 0.1, "upper": 2.0}, "ln")
    x = make_parameter("C()", "exponential", {"scale": 1.0}, "lin")
    sigma = make_parameter("sigma", "half_normal", {"scale": 1.0}, "lin", initial=0.5)
    of_b = Series("B", parse("B"), np.array([1, 2, 3]), np.array([5.0, 4.0, 2.0]), Normal(),
                  {"sigma": Formula(parse("sigma"))})  # fmt: skip
    of_c = replace(of_b, name="C", observable=parse("C"), observed=np.array([3.0, 6.0, 9.0]))
    parameters = (k1, k2, x, sigma)
    return Problem(parameters, {"decay": model}, (Experiment("d1", "decay", TIMES, (of_b, of_c)),))


def strict(text):
    def refuse(word):
        raise AssertionError(word)

    return json.loads(text, parse_constant=refuse)


def test_the_json_says_what_the_tables_say(network):
    found, error = sections(chain_problem(network("chain.net")))
    record, ended = examined("0.1", lambda: found)
    back = strict(to_json(record))
    assert error is None and ended is None and to_json(record).isascii()
    assert (back["program"], back["version"], back["status"], back["errors"]) == ("bnfhmc", "0.1", "ok", [])
    assert set(back) >= {"problem", "capabilities", "solves", "gradient", "forecast", "findings"}
    about = back["problem"]["parameters"]
    assert about[2]["support_u"] == [0.0, "inf"] and about[2]["acts_on"] == ["initial amount"]
    assert about[0]["prior"] == {"family": "normal", "fields": {"mean": 0.0, "sd": 0.3}, "bounds": None, "on": None}
    assert back["capabilities"]["sensitivities"][0]["kind"] == ANALYTIC
    assert back["solves"]["experiments"][0]["columns"] == 3
    assert len(back["gradient"]) == 3 and {s["verdict"] for p in back["gradient"] for s in p["slopes"]} == {"ok"}
    assert back["forecast"]["seconds"][0] < back["forecast"]["seconds"][1]


def test_what_is_refused_in_a_network_ends_the_check_after_its_reason(tmp_path):
    from bnfhmc.model import load_model

    path = tmp_path / "steps.net"
    path.write_text("""
begin parameters
    1 k 0.5
    2 A0 3
end parameters
begin functions
    1 rate() k*floor(A)
end functions
begin species
    1 A() A0
end species
begin reactions
    1 1 0 rate
end reactions
begin groups
    1 A 1
end groups
""")  # fmt: skip
    found, error = sections(problem(load_model(path, name="steps")))
    assert isinstance(error, InputError) and "floor(A) rounds" in str(error)
    assert one(Capabilities, found).sensitivities[0].kind == REFUSED


@pytest.mark.parametrize(("error", "status"), [
    (InputError([]), "bad input"),
    (MissingTool("no perl: apt-get install perl"), "missing tool"),
    (GradientMismatch("wrong for k"), "gradient mismatch"),
    (FailedSolve("solver", "no progress"), "no finite point"),
    (ZeroDivisionError("float division"), "error"),
    (RuntimeError(), "error"),
])  # fmt: skip
def test_whatever_ends_a_check_is_in_its_json(error, status):
    def fails():
        yield Findings(("look",))
        raise error

    record, ended = examined("0.1", fails)
    back = strict(to_json(record))
    assert ended is error and back["status"] == status and back["findings"] == ["look"]
    assert [e["what"] for e in back["errors"]] == ([] if status == "bad input" else [str(error) or "RuntimeError"])


def test_mistakes_keep_their_lines_in_the_json():
    from bnfhmc.errors import Mistake

    def fails():
        raise InputError(Mistake("unknown key 'x'", "did you mean 'y'?", "fit.conf", 3))
        yield

    (mistake,) = strict(to_json(examined("0.1", fails)[0]))["errors"]
    assert mistake == {"what": "unknown key 'x'", "hint": "did you mean 'y'?", "path": "fit.conf", "line": 3}


def test_names_of_strangers_stay_text():
    names = ("[red]k[/red]", "a\nb\x1b[31m")
    parameters = tuple(make_parameter(n, "normal", {"mean": 0.0, "sd": 1.0}, "lin") for n in names)
    target = Gaussian(names, (0.0, 0.0), (1.0, 1.0))
    found, error = sections(Problem(parameters, {}, (), target=target))
    found += [Findings(("the gradient for a\nb\x1b[31m is undecided",))]
    text = printed(found)
    assert error is None and "[red]k[/red]" in text and r"a\nb\x1b[31m" in text and "\x1b" not in text
    assert "\na" not in text.replace("\na\\nb", "")
    record, _ = examined("0.1", lambda: found)
    assert strict(to_json(record))["problem"]["parameters"][1]["name"] == names[1]


def test_tables_are_not_cut_off_and_hold_no_empty_column():
    text = printed(sections(problem())[0])
    assert "transforms" not in text and "condition" not in text and "…" not in text
    assert "uniform(lower 1, upper 5)" in text
