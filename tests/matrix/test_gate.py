"""What cannot be computed rightly is refused by name, before anything is drawn, and what can be is not refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bnfhmc.errors import InputError
from bnfhmc.model import load_model
from bnfhmc.noise import NOISE_FAMILIES, Binomial, NegBin, Normal, Poisson
from bnfhmc.noise.constraint import Constraint
from bnfhmc.noise.constraint_penalty import Bernoulli, Inequality
from bnfhmc.noise.constraint_timing import At, Between, Crossing, Split, Whole
from bnfhmc.noise.transform import parse_chain
from bnfhmc.posterior import Posterior
from bnfhmc.problem import Experiment, Scan, Settings
from bnfhmc.read import load as load_problem
from bnfhmc.routing import route
from tests.conftest import ClosedForm
from tests.matrix.building import close, condition, problem, series, source, with_data
from tests.matrix.combinations import OUTPUTS, QUANTITIES, ROWS, TIMES

T = np.array([0.0, 0.5, 1.3, 4.0])

NET = """
begin parameters
    1 A0 4.3
    2 k 0.6
    3 q 0.35
    4 start {start}
end parameters
begin functions
    1 twice() 2*A
    2 f() {rate}
end functions
begin species
    1 A() start
    2 B() 0.1
end species
begin reactions
    1 1 2 k
    2 2 0 f
end reactions
begin groups
    1 A 1
    2 B 2
end groups
"""
FREE = {"A0": 4.3, "k": 0.6, "q": 0.35}


@pytest.fixture
def net(tmp_path: Path):
    """A decay chain with a rate of one's own, or a start of one's own."""

    def build(rate: str = "q", start: str = "A0", tolerance: float = 1e-11):
        path = tmp_path / "m.net"
        path.write_text(NET.format(rate=rate, start=start), encoding="utf-8")
        return load_model(path, name="m", rtol=tolerance, atol=0.01 * tolerance)

    return build


@pytest.fixture
def antimony(tmp_path: Path):
    """The same chain in Antimony: its first reaction and more is one's own, and its start."""

    def build(body: str, start: str = "A0"):
        given = f"species A, B; A = {start}; B = 0.1; A0 = 4.3; k = 0.6; q = 0.35;"
        text = f"model made()\n {given}\n {body}\n J2: B -> ; q*B;\nend\n"
        path = tmp_path / "m.ant"
        path.write_text(text, encoding="utf-8")
        return load_model(path, name="m", rtol=1e-11, atol=1e-13)

    return build


def posterior_of(model, free=FREE, output="B", **settings) -> Posterior:
    made = problem(model, (Experiment("e", "m", T, (series(output, [1, 2, 3]),)),), free)
    return Posterior(replace(made, settings=Settings(**settings)) if settings else made)


def assert_right(model, quotient, tolerance: float = 2e-5) -> Posterior:
    e = Experiment("e", "m", T, (series("B", [1, 2, 3]),))
    posterior = Posterior(with_data(problem(model, (e,), FREE), FREE))
    u = posterior.u_from_theta(FREE)
    close(posterior.loss_gradient(u), quotient(posterior.loss, u, 2e-3), tolerance)
    return posterior


# ---- rates that jump -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rate, said",
    [
        ("q*floor(A)", "floor(A)"), ("q*ceil(A)", "ceil(A)"), ("q*round(A)", "round(A)"), ("q*rint(2*A+1)", "rint(2*A+1)"),
        ("q*trunc(A)", "trunc(A)"), ("q*floor(twice)", "floor(twice)"), ("q*floor(k*B)", "floor(k*B)"), ("q*mod(A,2)", "mod(A"),
        ("q*(1.5 + sign(A - 2))", "sign("), ("q*(1.5 + sgn(A - 2))", "sgn("),
        ("q*(A % 2)", "%"),
    ],
)  # fmt: skip
def test_a_rate_that_jumps_with_the_state_is_refused(net, rate, said):
    with pytest.raises(InputError) as error:
        posterior_of(net(rate))
    assert "model 'm' cannot be differentiated" in str(error.value) and said in str(error.value)


@pytest.mark.parametrize(
    "body, said",
    [
        ("J1: A -> B; k*floor(A);", "floor(A)"), ("x := 2*A; y := x + 1; J1: A -> B; k*ceil(y);", "ceil(y)"),
        ("x := floor(2*A); J1: A -> B; k*x;", "floor("), ("P = 2; P' = -k*P; J1: A -> B; k*A*floor(P);", "floor(P)"),
        ("J1: A -> B; k*(A - rem(A, 1));", "floor("),
    ],
)  # fmt: skip
def test_an_sbml_model_that_jumps_is_refused(antimony, body, said):
    model = antimony(body)
    with pytest.raises(InputError) as error:
        posterior_of(model)
    assert "'m'" in str(error.value) and said in str(error.value)


@pytest.mark.parametrize("rate", ["q*(1 + (A > 2))", "if(sin(4*k*time()) > 0, q, 0)"])
def test_a_rate_whose_jump_cannot_be_found_is_refused(net, rate):
    with pytest.raises(InputError, match="'m' cannot be differentiated.*crossing time"):
        posterior = posterior_of(net(rate))
        posterior.loss_gradient(posterior.u_from_theta(FREE))


def test_an_event_with_a_delay_is_refused(antimony):
    model = antimony("J1: A -> B; k*A; E1: at 0.5 after (time > 1): B = B + q;")
    with pytest.raises(InputError, match="'m' cannot be differentiated.*event 'E1'"):
        posterior = posterior_of(model)
        posterior.loss_gradient(posterior.u_from_theta(FREE))


def test_it_is_refused_in_the_phase_before_as_well(net):
    e = Experiment("e", "m", T, (series("B", [1]),), condition("A0 = 1", "k = 1", "q = 1"), condition("A0 * 2"))
    with pytest.raises(InputError, match="floor"):
        Posterior(problem(net("q*floor(A)"), (e,), FREE))


@pytest.mark.parametrize("rate", ["if(A > 2, q, 2*q)", "if(time() > k, q, 0.1)", "if((A > 2) || (time() > 3), q, 0.1)"])
def test_a_rate_that_branches_is_not_refused(net, quotient, rate):
    assert assert_right(net(rate), quotient).notes == ()


@pytest.mark.parametrize(
    "rate", ["q*(1 + floor(time()))", "q*(1 + floor(k))", "q*min(A, 2)", "q*abs(A - 2)", "q*max(A, B)"]
)
def test_a_rate_whose_derivative_is_a_difference_quotient_is_noted(net, quotient, rate):
    """A quotient within the solver, which at tighter tolerances takes long."""
    assert assert_right(net(rate, tolerance=1e-8), quotient, 1e-4).notes


def test_a_rate_that_repeats_with_time_is_not_refused(net, quotient):
    assert_right(net("if(time() - 3*floor(time()/3) < 1, q, 0.1)", tolerance=1e-9), quotient, 1e-4)


def test_an_event_may_round_the_state(antimony, quotient):
    assert_right(antimony("J1: A -> B; k*A; E1: at (floor(A) < 2): B = B + 1;"), quotient)


def test_a_delay_is_refused_when_the_model_is_loaded(antimony):
    with pytest.raises(InputError, match="delay"):
        antimony("J1: A -> B; k*delay(A, 1);")


def test_an_output_that_rounds_has_no_gradient(antimony):
    model = antimony("x := floor(3*B); J1: A -> B; k*A;")
    with pytest.raises(InputError, match="'x'"):
        posterior = posterior_of(model, output="x")
        posterior.loss_gradient(posterior.u_from_theta(FREE))


@pytest.mark.parametrize("rate", ["q*frac(A)", "q*inrange(1, A, 3)"])
def test_a_function_that_cannot_be_compiled_is_no_failed_point(net, rate):
    """bngsim's interpreter knows it and its compiled code does not: every solve would fail."""
    with pytest.raises(InputError):
        posterior = posterior_of(net(rate))
        posterior.loss_gradient(posterior.u_from_theta(FREE))


# ---- initial amounts -------------------------------------------------------------------------------------------------

STARTS = ["A0^2", "if(A0 > 1, 2*A0, A0)", "max(A0, 1)", "ln(A0)", "A0/(1 + A0^k)", "exp(A0/3)"]
UNSEEDED = ["log10(A0) + A0", "log2(A0)", "abs(A0)", "sign(A0)*A0", "(A0 > 1)*A0", "floor(A0) + A0", "rint(A0) + A0"]


@pytest.mark.parametrize("start", STARTS)
def test_a_start_that_is_computed_from_parameters(net, quotient, start):
    assert_right(net(start=start), quotient)


@pytest.mark.parametrize("start", UNSEEDED)
def test_a_start_that_bngsim_cannot_differentiate_is_right_or_refused(net, quotient, start):
    """Its seed would be left out: ∂x(0)/∂A0 = 0, without a word."""
    try:
        assert_right(net(start=start), quotient)
    except InputError as error:
        assert "'m' cannot be differentiated" in str(error) and start.split("(")[0] in str(error)


def with_more(rate: str, start: str, *, parameters: str = "", species: str = "") -> str:
    text = NET.format(rate=rate, start=start).replace("    1 A0 4.3\n", f"    1 A0 4.3\n{parameters}")
    return text.replace("    2 B() 0.1\n", f"    2 B() 0.1\n{species}")


@pytest.mark.parametrize("start", ["A0 + N", "log2(A0) + A0"])
def test_a_start_beside_a_large_one_is_right_or_refused(tmp_path, quotient, start):
    """What is told of one species' start by a difference quotient is not to be drowned by another's 10¹¹ molecules."""
    text = with_more("q", start, parameters="    7 N 1e6\n", species="    3 C() 1e11\n")
    (tmp_path / "m.net").write_text(text, encoding="utf-8")
    try:
        assert_right(load_model(tmp_path / "m.net", name="m", rtol=1e-11, atol=1e-13), quotient)
    except InputError as error:
        assert "log" in start and "cannot be differentiated" in str(error)


@pytest.mark.parametrize("start, nominal", [("max(A0, twin)", "4.3"), ("A0 + N", "1e-4"), ("N - A0", "1e-4")])
def test_a_start_at_a_kink_or_next_to_a_large_number_is_no_reason_to_refuse_a_model(tmp_path, quotient, start, nominal):
    """At the values of the file a difference quotient says little of these; what bngsim says of them is right."""
    text = with_more("q", start, parameters="    7 N 1e6\n    8 twin 4.3\n").replace("1 A0 4.3", f"1 A0 {nominal}")
    (tmp_path / "m.net").write_text(text, encoding="utf-8")
    posterior = posterior_of(load_model(tmp_path / "m.net", name="m", rtol=1e-11, atol=1e-13))
    u = posterior.u_from_theta(FREE | {"A0": 5.0})
    close(posterior.loss_gradient(u), quotient(posterior.loss, u, 2e-3), 2e-5)


@pytest.mark.parametrize("start", ["abs(A0)", "floor(A0) + A0", "factorial(3)*A0"])
def test_an_initial_assignment_that_bngsim_cannot_differentiate_is_right_or_refused(antimony, quotient, start):
    try:
        assert_right(antimony("J1: A -> B; k*A;", start), quotient)
    except InputError as error:
        assert "'m' cannot be differentiated" in str(error)


# ---- difference quotients in place of derivatives --------------------------------------------------------------------


def test_a_declined_right_hand_side_is_noted_and_refused_where_that_is_asked_for(net):
    slow = net("q*min(A, 2)")
    (note,) = posterior_of(slow).notes
    assert "model 'm'" in note and "difference quotients" in note and "min" in note
    assert posterior_of(slow, sensitivity_fallback="ignore").dim == 3
    with pytest.raises(InputError) as error:
        posterior_of(slow, sensitivity_fallback="error")
    assert "model 'm'" in str(error.value) and "min" in str(error.value) and "sensitivity_fallback = warn" in str(error.value)


def test_a_right_hand_side_that_is_differentiated_is_not_noted(net):
    assert posterior_of(net(), sensitivity_fallback="error").notes == ()


def test_a_declined_right_hand_side_counts_in_the_phase_before_alone(net):
    e = Experiment("e", "m", np.array([0.0, 1.0]), (series("B", [1]),), condition("A0 = 1", "k = 1"), condition("k = A0"))
    made = problem(net("q*min(A, 2)"), (e,), {"A0": 4.3, "q": 0.35})
    with pytest.raises(InputError, match="min"):
        Posterior(replace(made, settings=Settings(sensitivity_fallback="error")))


# ---- experiments -----------------------------------------------------------------------------------------------------


def scanning(quantity: str, t_end: float | None = 1.0) -> Experiment:
    return Experiment("doses", "m", np.array([]), (series("B", [0, 1]),), scan=Scan(quantity, np.array([1.0, 2.0]), t_end))


def test_a_scan_over_a_free_parameter_is_refused(net):
    with pytest.raises(InputError) as error:
        Posterior(problem(net(), (scanning("k"),), FREE))
    assert "'doses' scans 'k', which is a free parameter" in str(error.value)


@pytest.mark.parametrize("quantity", ["kk", "B", "start"])
def test_a_scan_over_what_cannot_be_set_is_refused(net, quantity):
    """Unknown, an output, and a parameter that the file computes from another."""
    with pytest.raises(InputError) as error:
        Posterior(problem(net(), (scanning(quantity),), FREE))
    assert "doses" in str(error.value) and f"'{quantity}'" in str(error.value)


def test_a_scan_over_a_computed_parameter_has_the_right_gradient_or_is_refused(load, quotient):
    free = {"A0": 9.0, "k1": 0.8, "k2": 0.33}
    try:
        posterior = Posterior(with_data(problem(load("chain.net"), (scanning("kd"),), free), free))
    except InputError as error:
        assert "'kd'" in str(error)
        return
    u = posterior.u_from_theta(free)
    close(posterior.loss_gradient(u), quotient(posterior.loss, u, 2e-3))


@pytest.mark.parametrize("t_end", [0.0, -1.0, np.nan])
def test_a_scan_ends_after_it_starts(net, t_end):
    with pytest.raises(InputError, match="doses"):
        Posterior(problem(net(), (scanning("q", t_end),), {"A0": 4.3, "k": 0.6}))


TIMINGS = {
    "at 7": At(Crossing(7.0)), "between 7,9": Between(Crossing(7.0), Crossing(9.0)),
    "A at 1 < B at 9": Split(Crossing(1.0), Crossing(9.0)),
}  # fmt: skip


@pytest.mark.parametrize("text", TIMINGS)
def test_a_constraint_on_a_time_that_never_comes_is_refused(net, text):
    x = Constraint(Inequality("A", "B"), TIMINGS[text], text=text, path=Path("data.prop"), line=3)
    e = Experiment("course", "m", T, (series("B", [1]),), constraints=(x,))
    with pytest.raises(InputError) as error:
        Posterior(problem(net(), (e,), FREE))
    late = "9" if "at 9" in text else "7"
    for words in ("data.prop:3", "'course'", f"'{text}'", f"time {late} lies outside the output times, 0 to 4"):
        assert words in str(error.value)


def test_a_constraint_on_an_output_that_nothing_has_is_refused(net):
    x = Constraint(Inequality("AA", "B"), Whole(), text="AA < B")
    with pytest.raises(InputError, match="'AA'"):
        Posterior(problem(net(), (Experiment("e", "m", T, (series("B", [1]),), constraints=(x,)),), FREE))


@pytest.mark.parametrize("name", ["k", "A0"])
def test_a_constraint_on_a_parameter_is_refused(net, name):
    """Nothing of it has rows."""
    x = Constraint(Inequality(name, "B"), Whole(), text=f"{name} < B")
    with pytest.raises(InputError, match=f"'{name}'"):
        Posterior(problem(net(), (Experiment("e", "m", T, (series("B", [1]),), constraints=(x,)),), FREE))


@pytest.mark.parametrize("scale", ["tol", "A", "start"])
def test_a_fitted_scale_that_is_no_free_parameter_is_refused(net, scale):
    x = Constraint(Inequality("A", "B"), Whole(), Bernoulli("logit", 1.0), "A < B", scale=source(scale))
    with pytest.raises(InputError, match=f"'{scale}'"):
        Posterior(problem(net(), (Experiment("e", "m", T, (series("B", [1]),), constraints=(x,)),), FREE))


def test_a_condition_that_contradicts_itself_is_refused(tmp_path):
    (tmp_path / "m.net").write_text(NET.format(rate="q", start="A0"), encoding="utf-8")
    (tmp_path / "d.exp").write_text("# time B\n0 0.1\n1 1\n", encoding="utf-8")
    (tmp_path / "fit.conf").write_text(
        "edition = 2\njob_type = nuts\nobjective = sos\nmodel: m.net\nexperiment: d, data: d.exp, condition: low\n"
        "condition: low, perturbations: q = 1, A0 * 2, q = 2\nparameter: k, lower: 0.1, upper: 2\n", encoding="utf-8",
    )  # fmt: skip
    with pytest.raises(InputError) as error:
        load_problem(tmp_path / "fit.conf")
    for words in ("fit.conf:6", "'low'", "'q'", "1 and to 2"):
        assert words in str(error.value)


def test_quantities_that_are_set_by_each_other_are_refused(load):
    with pytest.raises(InputError, match="half and kd are set by each other"):
        route(load("chain.net", settable={"kd", "half"}), condition("kd = half", "half = 2*kd"), ("k1",))


# ---- noise -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "word, location",
    [("log_student_t", "mean"), ("ln_student_t", "mean"), ("poisson", "median"), ("binomial", "median"),
     ("beta_binomial", "median"), ("normal", "mode"), ("laplace", "Mean")],
)  # fmt: skip
def test_a_location_that_a_family_does_not_have_is_refused(word, location):
    with pytest.raises(InputError) as error:
        NOISE_FAMILIES[word](location=location)
    assert location in str(error.value) or "no mean" in str(error.value)


def of(noise, observed=(1, 2, 2, 1, 2, 0), free=("A0", "k"), **sources) -> Posterior:
    values = {"A0": 5.0, "k": 0.7, "eta": 0.4}
    s = series("P", ROWS, noise, observed, **sources)
    e = Experiment("e", "m", TIMES, (s,))
    return Posterior(problem(ClosedForm(OUTPUTS, QUANTITIES), (e,), {n: values[n] for n in free}))


@pytest.mark.parametrize("ask", ["loss", "loss_gradient", "fisher", "pointwise"])
@pytest.mark.parametrize("noise", [Binomial(), NOISE_FAMILIES["beta_binomial"]()], ids=["binomial", "beta_binomial"])
def test_trials_are_nothing_to_estimate(noise, ask):
    more = {"dispersion": 3.0} if "dispersion" in noise.parameters else {}
    with pytest.raises(InputError, match="trials"):
        posterior = of(noise, free=("A0", "k", "eta"), trials="30*eta", **more)
        getattr(posterior, ask)(posterior.u_from_theta({"A0": 5.0, "k": 0.7, "eta": 0.4}))


@pytest.mark.parametrize("noise, name", [(Normal(), "sigma"), (NegBin(), "dispersion"), (Binomial(), "trials")], ids=str)
def test_a_noise_parameter_that_is_left_out_is_refused(noise, name):
    """It is nothing a point can be blamed for."""
    with pytest.raises(InputError, match=name):
        s = series("P", ROWS, noise, [1, 2, 2, 1, 2, 0], **{} if noise.parameters != ("sigma",) else {"sigma": 1.0})
        s = replace(s, sources={})
        e = Experiment("e", "m", TIMES, (s,))
        Posterior(problem(ClosedForm(OUTPUTS, QUANTITIES), (e,), {"A0": 5.0, "k": 0.7}))


def test_a_noise_parameter_that_a_family_does_not_have_is_refused():
    with pytest.raises(InputError, match="'df'"):
        of(Normal(), sigma=0.3, df=4.0)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, [0.3, 0.3, 0.0, 0.3, 0.3, 0.3]], ids=str)
def test_a_sigma_that_is_not_positive_is_refused(bad):
    with pytest.raises(InputError, match="sigma"):
        of(Normal(), sigma=bad)


@pytest.mark.parametrize("word", [w for w in NOISE_FAMILIES if w in ("neg_bin", "poisson", "binomial", "beta_binomial")])
@pytest.mark.parametrize("text", ["scale", "peak, scale", "floor 0.1", "floor, peak"])
def test_counts_have_no_scale_factor_and_no_floor(word, text):
    """A factor fitted to counts would weigh them wrongly, and a floor turns counts into fractions."""
    noise = NOISE_FAMILIES[word](location="mean")
    with pytest.raises(InputError, match="scale|floor"):
        parse_chain(text, noise=noise)


@pytest.mark.parametrize("noise", [NegBin("mean"), Poisson(), Binomial()], ids=str)
def test_fractions_and_negative_numbers_are_no_counts(noise):
    for bad in (0.5, -1.0, np.nan, np.inf):
        assert f"{bad:g}" in noise.rejects(np.array([1.0, bad, 2.0]))


@pytest.mark.parametrize("word", ["lognormal", "lnnormal", "log_laplace", "ln_laplace", "log_student_t", "ln_student_t"])
def test_logarithms_need_positive_data(word):
    for bad in (0.0, -1.0, np.nan):
        assert f"{bad:g}" in NOISE_FAMILIES[word]().rejects(np.array([1.0, bad, 2.0]))


# ---- what a noise formula reads --------------------------------------------------------------------------------------


def scattered(sigma: str, *changes: str, **more) -> float:
    """The loss of P with a σ, under a condition."""
    free = {"A0": 5.0, "k": 0.7, "eta": 0.4}
    s = replace(series("P", ROWS, Normal(), [1.0, 2, 2, 1, 2, 1], sigma=sigma), **more)
    e = Experiment("e", "m", TIMES, (s,), condition(*changes))
    posterior = Posterior(problem(ClosedForm(OUTPUTS, QUANTITIES), (e,), free))
    return posterior.loss(posterior.u_from_theta(free))


def test_a_noise_formula_means_the_same_whether_or_not_it_reads_an_output():
    """σ = eta k: a free parameter is θ's own, under a condition on it as well (PyBNF 1.8.1 reads it like that)."""
    assert scattered("eta*k", "k * 3") == pytest.approx(scattered("eta*k + 0*P", "k * 3"), rel=1e-12)


def test_a_formula_of_the_prediction_reads_the_output_itself():
    """σ = 0.1 + 0.2 η P with P the model's output, also where what is compared is normalised (the reader refuses that one
    name for two things; PyBNF's prediction_formula means the normalised column)."""
    y = OUTPUTS["P"]({**QUANTITIES, "A0": 5.0, "k": 0.7}, TIMES)
    sigma = 0.1 + 0.2 * 0.4 * y[ROWS]
    expected = np.sum(0.5 * (((y / y.max())[ROWS] - [1.0, 2, 2, 1, 2, 1]) / sigma) ** 2 + np.log(sigma))
    assert scattered("0.1 + 0.2*eta*P", "c = 1", transforms=parse_chain("peak")) == pytest.approx(expected, rel=1e-12)
