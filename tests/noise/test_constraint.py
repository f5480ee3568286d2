"""Constraints: losses, derivatives, smooth forms, information, and what a caller asks of them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.special import expit, ndtr

from bnfhmc.expression import parse
from bnfhmc.noise import Formula
from bnfhmc.noise.constraint import Constraint, unknown_outputs
from bnfhmc.noise.constraint_penalty import Bernoulli, Hinge, Inequality
from bnfhmc.noise.constraint_timing import At, Between, Crossing, Split, Whole

TIMES = np.arange(11.0)
A_BELOW_B = Inequality("A", "B")
PENALTIES = {
    "hinge": Hinge(2.5),
    "minimum": Hinge(2.0, minimum=0.4),
    "alternative": Hinge(3.0, alternative=Inequality(0.5, "C")),
    "both": Hinge(3.0, 0.2, Inequality("C", "A", True)),
    "probit": Bernoulli("probit", 0.6, 0.01, 0.99),
    "hard probit": Bernoulli("probit", 0.6),
    "step": Bernoulli("probit", 0.0, 0.05, 0.95),
    "logit": Bernoulli("logit", 0.3),
    "smoothed logit": Bernoulli("logit", 0.3, 0.02, 0.97),
}
TIMINGS = {
    "always": Whole(),
    "once": Whole(once=True),
    "at a time": At(Crossing(6.0)),
    "at an output": At(Crossing(1.0, "C")),
    "everytime": At(Crossing(1.0, "C"), everytime=True),
    "before": At(Crossing(1.0, "C", before=True), everytime=True),
    "between times": Between(Crossing(2.0), Crossing(7.0)),
    "between outputs": Between(Crossing(1.0, "C"), Crossing(0.8, "B")),
    "once between": Between(Crossing(2.0), Crossing(1.0, "C"), once=True),
    "split": Split(Crossing(3.0), Crossing(1.0, "C")),
}
ALL = pytest.mark.parametrize("timing, penalty", [(t, p) for t in TIMINGS for p in PENALTIES])


def trajectory(seed):
    rng = np.random.default_rng(seed)
    t = TIMES[:, None, None]
    a, w, phase = rng.uniform(0.2, 1, (1, 3, 4)), rng.uniform(0.2, 1.5, (1, 3, 4)), rng.uniform(0, 6, (1, 3, 4))
    return dict(zip("ABC", (1 + (a * np.sin(w * t + phase)).sum(-1)).T, strict=True))


def changed(y, name, row, h):
    return {n: v + h * (np.arange(len(v)) == row) if n == name else v for n, v in y.items()}


def assert_subgradient(constraint, times, y, scale=None, h=1e-6):
    """∂loss/∂y lies between the one-sided differences: equal to both where the loss is smooth."""
    said = constraint.evaluate(times, y, scale)
    assert set(said.d_y) == set(constraint.outputs)
    for name, d in said.d_y.items():
        assert d.shape == times.shape
        for row in range(len(times)):
            up, down = (constraint.evaluate(times, changed(y, name, row, s * h), scale).loss for s in (1, -1))
            ends = sorted(((up - said.loss) / h, (said.loss - down) / h))
            slack = 2e-5 * (1 + abs(d[row]))
            assert ends[0] - slack <= d[row] <= ends[1] + slack, (constraint.text, name, row)


# ---- losses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "penalty, g, loss",
    [
        (Hinge(2.0), -1.0, 0.0),
        (Hinge(2.0), 3.0, 6.0),
        (Hinge(2.0, minimum=4.0), 3.0, 8.0),
        (Hinge(2.0, minimum=4.0), -3.0, 0.0),
        (Bernoulli("probit", 2.0, 0.1, 0.9), 3.0, -np.log(0.1 + 0.8 * ndtr(-1.5))),
        (Bernoulli("probit", 0.0, 0.1, 0.9), 3.0, -np.log(0.1)),
        (Bernoulli("probit", 0.0, 0.1, 0.9), -3.0, -np.log(0.9)),
        (Bernoulli("probit", 0.0), 3.0, np.inf),
        (Bernoulli("logit", 2.0), 3.0, np.log1p(np.exp(1.5))),
        (Bernoulli("logit", 2.0, 0.1, 0.9), 3.0, -np.log(0.1 + 0.8 * expit(-1.5))),
    ],
)
def test_loss_margin_and_whether_it_holds(penalty, g, loss):
    said = Constraint(Inequality("A", 1.0), At(Crossing(6.0)), penalty).evaluate(TIMES, {"A": np.full(11, 1.0 + g)})
    assert said.loss == pytest.approx(loss, rel=1e-13)
    assert (said.margin, said.holds, said.enforced) == (-g, g < 0, True)


def test_equality_holds_only_where_it_is_allowed():
    y = {"A": np.ones(11)}
    for or_equal in (True, False):
        said = Constraint(Inequality("A", 1.0, or_equal), Whole(), Hinge(2.0, minimum=0.5)).evaluate(TIMES, y)
        assert (said.holds, said.loss, said.margin) == (or_equal, 0.0 if or_equal else 1.0, 0.0)


def test_a_moment_that_never_comes_asks_for_nothing():
    never = Crossing(99.0, "B")
    for timing in (At(never), Between(never, Crossing(3.0)), Split(Crossing(1.0), never)):
        for smoothing in (None, 0.1):
            said = Constraint(A_BELOW_B, timing, smoothing=smoothing).evaluate(TIMES, {"A": TIMES, "B": -TIMES})
            assert (said.loss, said.margin, said.holds, said.enforced) == (0.0, np.inf, True, False)
            assert all((d == 0).all() and d.shape == (11,) for d in said.d_y.values())


C = np.array([0, 2, 4, 6, 4, 2, 0, 5, 9, 5, 0.0])


def test_everytime_adds_up_and_takes_the_worst_margin():
    y = {"A": TIMES.copy(), "C": C}
    said = Constraint(Inequality("A", 2.0), At(Crossing(3.0, "C"), everytime=True)).evaluate(TIMES, y)
    assert (said.loss, said.margin, said.holds) == (2.0 + 4.0 + 7.0, -7.0, False)
    assert said.d_y["A"].tolist() == [0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0] and not said.d_y["C"].any()


def test_the_alternative_of_two_moments_is_read_where_the_lesser_side_is():
    constraint = Constraint(A_BELOW_B, Split(Crossing(5.0), Crossing(2.0)), Hinge(1.0, 0.0, Inequality("C", "B")))
    said = constraint.evaluate(TIMES, {"A": TIMES, "B": TIMES, "C": 10 * TIMES})
    assert said.loss == 45.0
    assert all(said.d_y[name].nonzero()[0].tolist() == [5] for name in "CB")


@pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)
@pytest.mark.parametrize("smoothing", [None, 0.3])
def test_nan_never_holds(penalty, smoothing):
    y = {"A": np.full(11, np.nan), "B": np.ones(11), "C": np.ones(11)}
    said = Constraint(A_BELOW_B, Whole(), penalty, smoothing=smoothing).evaluate(TIMES, y)
    assert not said.holds
    charged = penalty.alternative.names if penalty.alternative and smoothing is None else "A"
    assert np.isnan(said.loss) == ("A" in charged)


@pytest.mark.parametrize("link, slope", [("probit", [1e3, 1e6, 1e12]), ("logit", [1.0, 1.0, 1.0])])
def test_far_out_the_loss_is_finite_and_its_slope_exact(link, slope):
    constraint = Constraint(Inequality("A", 0.0), Whole(), Bernoulli(link, 1.0))
    for g, expected in zip((1e3, 1e6, 1e12), slope, strict=True):
        broken = constraint.evaluate(TIMES[:1], {"A": np.array([g])})
        assert np.isfinite(broken.loss) and broken.d_y["A"][0] == pytest.approx(expected, rel=2e-6)
        kept = constraint.evaluate(TIMES[:1], {"A": np.array([-g])})
        assert kept.loss == 0 and kept.d_y["A"][0] == 0


def test_outputs_that_are_missing_or_of_another_length_are_named():
    constraint = Constraint(A_BELOW_B, At(Crossing(1.0, "d2.C")), text="A < B at d2.C = 1")
    with pytest.raises(ValueError, match=r"'A < B at d2.C = 1': no values of B, d2.C at the 11 output times"):
        constraint.evaluate(TIMES, {"A": TIMES, "d2.C": TIMES[1:]})


# ---- derivatives ---------------------------------------------------------------------------------------------------


@ALL
@pytest.mark.parametrize("smoothing", [None, 0.25])
def test_gradient(timing, penalty, smoothing):
    constraint = Constraint(A_BELOW_B, TIMINGS[timing], PENALTIES[penalty], smoothing=smoothing)
    for seed in range(3):
        assert_subgradient(constraint, TIMES, trajectory(seed))


@ALL
def test_gradient_at_a_smooth_point_is_the_central_difference(timing, penalty):
    """Away from kinks nothing is between: a wrong slope cannot hide in a wide subgradient."""
    constraint = Constraint(A_BELOW_B, TIMINGS[timing], PENALTIES[penalty], smoothing=0.25)
    checked = 0
    for seed in range(3):
        y = trajectory(seed)
        said = constraint.evaluate(TIMES, y)
        for name, d in said.d_y.items():
            for row in np.flatnonzero(d):
                up, down = (constraint.evaluate(TIMES, changed(y, name, row, h)).loss for h in (1e-5, -1e-5))
                assert d[row] == pytest.approx((up - down) / 2e-5, rel=1e-6, abs=1e-8)
                checked += 1
    assert checked


inequalities = st.builds(Inequality, st.sampled_from("ABC"), st.floats(-2, 2) | st.sampled_from("ABC"), st.booleans())
levels = st.floats(0, 6) | st.integers(0, 6).map(float)
crossings = st.builds(Crossing, levels, st.sampled_from(["time", "B", "C"]), st.booleans())
alternatives = st.none() | inequalities
penalties = st.one_of(
    st.builds(Hinge, st.floats(0, 5), st.just(0.0) | st.floats(0, 2), alternatives),
    st.builds(Bernoulli, st.sampled_from(["probit", "logit"]), st.floats(0.2, 3), st.floats(0, 0.4), st.floats(0.6, 1)),
)
timings = st.one_of(
    st.builds(Whole, st.booleans()),
    st.builds(At, crossings, st.booleans()),
    st.builds(Between, crossings, crossings, st.booleans()),
    st.builds(Split, crossings, crossings),
)
columns = st.lists(st.floats(-3, 3), min_size=7, max_size=7).map(np.array)


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(inequalities, timings, penalties, st.none() | st.floats(0.1, 2), columns, columns, columns)
def test_any_constraint_on_any_trajectory(inequality, timing, penalty, smoothing, a, b, c):
    times, y = np.arange(7.0), {"A": a, "B": b, "C": c}
    constraint = Constraint(inequality, timing, penalty, smoothing=smoothing)
    said = constraint.evaluate(times, y)
    assert np.isfinite(said.loss) and said.loss >= 0
    assert said.loss == 0 or said.enforced
    assert said.holds == (said.margin > 0 or (said.margin == 0 and inequality.or_equal))
    if isinstance(penalty, Hinge) and smoothing is None and said.holds:
        assert said.loss == 0
    # No crossing within the step, where the loss may jump: rows are picked by B and C.
    if all(abs(y[n][r] - c.level) > 1e-4 for n in "BC" for r in range(7) for c in timing.crossings):
        assert_subgradient(constraint, times, y)


def test_at_a_kink_the_slope_is_that_of_one_side():
    tie = {"A": np.array([1.0, 1.0, 0.0]), "B": np.zeros(3)}
    worst = Constraint(A_BELOW_B, Whole()).evaluate(TIMES[:3], tie)
    assert worst.d_y["A"].sum() == 1 and (worst.d_y["A"] >= 0).all() and worst.d_y["A"][2] == 0
    edge = Constraint(A_BELOW_B, At(Crossing(1.0))).evaluate(TIMES[:3], {"A": np.ones(3), "B": np.ones(3)})
    assert edge.loss == 0 and edge.d_y["A"][1] == 0
    floored = Constraint(A_BELOW_B, At(Crossing(1.0)), Hinge(2.0, 1.0))
    floor = floored.evaluate(TIMES[:3], {"A": np.ones(3), "B": np.zeros(3)})
    assert floor.loss == 2 and floor.d_y["A"][1] == 0
    smooth = Constraint(A_BELOW_B, Whole(), smoothing=0.1).evaluate(TIMES[:3], tie)
    assert smooth.d_y["A"][0] == smooth.d_y["A"][1] == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize("penalty", ["probit", "hard probit", "logit", "smoothed logit", "step"])
@pytest.mark.parametrize("timing", ["always", "everytime", "once between"])
def test_slope_in_a_fitted_scale(penalty, timing):
    constraint = Constraint(A_BELOW_B, TIMINGS[timing], PENALTIES[penalty], scale=Formula(parse("s")))
    for seed in range(3):
        y = trajectory(seed)
        up, down = (constraint.evaluate(TIMES, y, 0.7 + h).loss for h in (1e-6, -1e-6))
        assert constraint.evaluate(TIMES, y, 0.7).d_scale == pytest.approx((up - down) / 2e-6, rel=1e-7, abs=1e-9)
        assert_subgradient(constraint, TIMES, y, scale=0.7)
        for bad in (0.0, -1.0):
            assert constraint.evaluate(TIMES, y, bad).loss == np.inf


# ---- smooth forms ----------------------------------------------------------------------------------------------------


@ALL
def test_smooth_forms_tend_to_the_exact_loss(timing, penalty):
    exact = Constraint(A_BELOW_B, TIMINGS[timing], PENALTIES[penalty])
    for seed in range(3):
        y = trajectory(seed)
        said = exact.evaluate(TIMES, y)
        gaps = []
        for width in (1e-2, 1e-4, 1e-9):
            smooth = dataclasses.replace(exact, smoothing=width).evaluate(TIMES, y)
            assert (smooth.margin, smooth.holds, smooth.enforced) == (said.margin, said.holds, said.enforced)
            gaps.append(abs(smooth.loss - said.loss))
        assert gaps[2] <= 1e-7 and gaps[2] <= gaps[1] + 1e-12


def test_the_smooth_hinge_is_a_softplus():
    smooth = Constraint(Inequality("A", 0.0), At(Crossing(1.0)), Hinge(3.0), smoothing=0.5)
    for g in (-2.0, 0.0, 0.3, 4.0):
        said = smooth.evaluate(TIMES, {"A": np.full(11, g)})
        assert said.loss == pytest.approx(3.0 * 0.5 * np.log1p(np.exp(g / 0.5)), rel=1e-14)


def test_the_smooth_worst_point_is_at_most_width_log_n_above():
    for once in (False, True):
        exact = Constraint(A_BELOW_B, Whole(once), Hinge())
        for seed in range(20):
            y = {"A": 9 + trajectory(seed)["A"], "B": np.zeros(11)}
            smooth = dataclasses.replace(exact, smoothing=0.5)
            gap = smooth.evaluate(TIMES, y).loss - exact.evaluate(TIMES, y).loss
            assert 0 <= (-gap if once else gap) <= 0.5 * np.log(11)


# ---- information -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("link, cdf", [("probit", ndtr), ("logit", expit)])
@pytest.mark.parametrize("pmin, pmax", [(0.0, 1.0), (0.02, 0.95)])
def test_information_is_that_of_a_coin_whose_side_is_whether_it_holds(link, cdf, pmin, pmax):
    penalty, g, h = Bernoulli(link, 0.7, pmin, pmax), np.linspace(-3, 3, 13), 1e-5
    p = lambda x: pmin + (pmax - pmin) * cdf(-x / 0.7)  # noqa: E731
    slope = (p(g + h) - p(g - h)) / (2 * h)
    np.testing.assert_allclose(penalty.information(g), slope**2 / (p(g) * (1 - p(g))), rtol=1e-6)
    far = penalty.information(np.array([-1e3, 1e3, -1e9, 1e9]))
    assert np.isfinite(far).all() and (far >= 0).all()


def test_information_of_a_trajectory_is_the_outer_product_of_its_slopes():
    y = trajectory(1)
    constraint = Constraint(A_BELOW_B, TIMINGS["everytime"], PENALTIES["logit"], scale=Formula(parse("s")))
    said, kappa = constraint.evaluate(TIMES, y, 0.7), constraint.information(TIMES, y, 0.7)
    assert kappa.kappa.size > 1
    # ∂loss/∂y = Σ P'(g)·∂g/∂y, with P' the softplus' slope; the fitted scale's column is the same sum
    g = np.array([y["A"][r] - y["B"][r] for r in TIMINGS["everytime"].windows({**y, "time": TIMES}).lesser[:, 0]])
    slope = expit(g / 0.7) / 0.7
    np.testing.assert_allclose(slope @ kappa.d_y["A"], said.d_y["A"], rtol=1e-12)
    np.testing.assert_allclose(slope @ kappa.d_y["B"], said.d_y["B"], rtol=1e-12)
    assert slope @ kappa.d_scale == pytest.approx(said.d_scale, rel=1e-12)
    np.testing.assert_allclose(kappa.kappa, expit(g / 0.7) * expit(-g / 0.7) / 0.49, rtol=1e-12)


@pytest.mark.parametrize("penalty", ["hinge", "both", "step"])
def test_a_hinge_and_a_step_inform_of_nothing(penalty):
    said = Constraint(A_BELOW_B, Whole(), PENALTIES[penalty]).information(TIMES, trajectory(0))
    assert said.kappa.tolist() == [0.0] and said.d_y["A"].shape == (1, 11)


# ---- what a caller asks ----------------------------------------------------------------------------------------------


def test_names_and_times():
    constraint = Constraint(
        Inequality("A", "time"), Between(Crossing(7.0), Crossing(2.0, "B")), Hinge(alternative=Inequality("d2.C", 1.0))
    )
    assert constraint.outputs == ("A", "d2.C", "B") and constraint.times == (7.0,)
    both = Constraint(A_BELOW_B, Split(Crossing(9.0), Crossing(3.0, "time", True)))
    assert both.outputs == ("A", "B") and both.times == (3.0, 9.0)
    (mistake,) = unknown_outputs([dataclasses.replace(both, path=Path("d.prop"), line=4)], {"Alpha", "A", "Bb"})
    assert str(mistake) == "d.prop:4: no output is named 'B'; did you mean 'Bb'?"


def test_jumps_are_named():
    assert Constraint(A_BELOW_B, Whole()).jumps == ""
    assert "C passes 1" in Constraint(A_BELOW_B, At(Crossing(1.0, "C")), smoothing=0.1).jumps
    stepped = Constraint(A_BELOW_B, Whole(), PENALTIES["step"])
    assert "steps up" in stepped.jumps and dataclasses.replace(stepped, smoothing=0.1).jumps == ""
    assert "steps up" in Constraint(A_BELOW_B, Whole(), Hinge(minimum=1.0)).jumps


@pytest.mark.parametrize(
    "constraint, said",
    [
        (Constraint(Inequality(1.0, 2.0), Whole()), "compares two numbers"),
        (Constraint(Inequality("A", "A"), Whole()), "compares 'A' with itself"),
        (Constraint(A_BELOW_B, Between(Crossing(5.0), Crossing(5.0))), "between 5,5 ends no later"),
        (Constraint(A_BELOW_B, Whole(), Hinge(-1.0)), "weight -1"),
        (Constraint(A_BELOW_B, Whole(), Hinge(1.0, -2.0)), "min -2"),
        (Constraint(A_BELOW_B, Whole(), Bernoulli("probit", -1.0)), "tolerance -1"),
        (Constraint(A_BELOW_B, Whole(), Bernoulli("logit", 0.0)), "scale 0"),
        (Constraint(A_BELOW_B, Whole(), Bernoulli("logit", 1.0, 0.9, 0.1)), "pmin 0.9 and pmax 0.1"),
        (Constraint(A_BELOW_B, Whole(), smoothing=0.0), "smoothing 0"),
    ],
)
def test_numbers_that_make_no_sense(constraint, said):
    assert [what for what in constraint.check() if said in what]
