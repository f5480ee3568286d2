"""Experiments in periods: conditions that take effect later and read the state they find, against scipy and differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from bnfhmc.errors import InputError
from bnfhmc.expression import parse
from bnfhmc.posterior import Posterior
from bnfhmc.problem import Condition, Experiment, Period, Perturbation, Scan
from tests.matrix.building import assert_gradients, problem, series, with_data
from tests.matrix.by_hand import at_rest, turnover

T = np.array([0.0, 0.7, 2.0, 3.1, 5.0, 6.5])
STEADY = np.array([np.inf])
EARLY = np.array([-3.0, 0.0, 0.7, 0.9, 2.0])
RATES = {"ksyn": 2.2, "kdeg": 0.45, "k1": 0.7, "k2": 0.35}
START = {"X0": 1.3, "Y0": 0.4}


def once(*perturbations: str) -> Condition:
    """Changes made at once: ``once("k = X", "X() = X + dose")``."""
    split = (text.split(maxsplit=2) for text in perturbations)
    return Condition("c", tuple(Perturbation(target, op, parse(value)) for target, op, value in split), at_once=True)


class Case(NamedTuple):
    """``periods``: (time, changes) of each, the first at the start; ``by_hand``: θ → [time, (X, Y)]."""

    periods: tuple[tuple[float, Condition], ...]
    by_hand: Callable[[dict[str, float]], np.ndarray]
    more: dict[str, float] = {}
    before: Condition | None = None
    times: np.ndarray = T
    observables: tuple[str, str] = ("X", "Y")


def courses(p, start, *stretches, times=T) -> np.ndarray:
    """Stretches of (time, θ → new values, state → new state) from a start, as rows at `times`."""
    rows, m, state = [], dict(p), np.asarray(start, dtype=float)
    for (t0, values, change), (t1, _, _) in zip(stretches, [*stretches[1:], (np.inf, None, None)], strict=True):
        found = values(m, state)
        state = np.asarray(change(m, state), dtype=float)
        m |= found
        inside = times[(times >= t0) & (times < t1)]
        stops = np.unique([t0, *inside, *([t1] if np.isfinite(t1) else [])])
        y = turnover(m, *state, times=stops)
        rows += [y[list(stops).index(t)] for t in inside]
        state = y[-1]
    return np.array(rows)


def same(m, state):
    return state


def nothing(m, state):
    return {}


FROM_THETA = once("X() = X0", "Y() = Y0", "stim = 0.2")


def began(m, state):
    return [m["X0"], m["Y0"]]


CASES: dict[str, Case] = {
    "a bolus of a fitted dose": Case(
        ((0.0, FROM_THETA), (2.0, once("X() = X + dose"))),
        lambda p: courses(
            {**p, "stim": 0.2}, [0, 0], (0.0, nothing, began), (2.0, nothing, lambda m, s: [s[0] + m["dose"], s[1]])
        ),
        {**START, "dose": 3.0},
    ),
    "a parameter takes a fitted value": Case(
        ((0.0, FROM_THETA), (2.5, once("stim = high"))),
        lambda p: courses({**p, "stim": 0.2}, [0, 0], (0.0, nothing, began), (2.5, lambda m, s: {"stim": m["high"]}, same)),
        {**START, "high": 2.0},
    ),
    "a free parameter is pinned later": Case(
        ((0.0, FROM_THETA), (2.5, once("kdeg = 1.1"))),
        lambda p: courses({**p, "stim": 0.2}, [0, 0], (0.0, nothing, began), (2.5, lambda m, s: {"kdeg": 1.1}, same)),
        START,
    ),
    "what a period sets stays, what it does not set stays": Case(
        ((0.0, FROM_THETA), (1.0, once("kdeg = 2*kdeg")), (3.1, once("k2 = k2 + 0.1", "X() = 0.5*X")),
         (5.5, once("kdeg = k1"))),
        lambda p: courses(
            {**p, "stim": 0.2}, [0, 0], (0.0, nothing, began), (1.0, lambda m, s: {"kdeg": 2 * m["kdeg"]}, same),
            (3.1, lambda m, s: {"k2": m["k2"] + 0.1}, lambda m, s: [0.5 * s[0], s[1]]),
            (5.5, lambda m, s: {"kdeg": m["k1"]}, same),
        ),
        START,
    ),
    "a parameter keeps what it read of the state": Case(
        ((0.0, FROM_THETA), (2.0, once("stim = X/(1 + Y)*gain")), (5.0, once("Y() = Y + X"))),
        lambda p: courses(
            {**p, "stim": 0.2}, [0, 0], (0.0, nothing, began),
            (2.0, lambda m, s: {"stim": s[0] / (1 + s[1]) * m["gain"]}, same), (5.0, nothing, lambda m, s: [s[0], s[1] + s[0]]),
        ),
        {**START, "gain": 0.8},
    ),
    "all at once: two parameters and two species change places": Case(
        ((0.0, FROM_THETA), (3.1, once("k1 = k2", "k2 = k1", "X() = Y", "Y() = X"))),
        lambda p: courses(
            {**p, "stim": 0.2}, [0, 0], (0.0, nothing, began),
            (3.1, lambda m, s: {"k1": m["k2"], "k2": m["k1"]}, lambda m, s: [s[1], s[0]]),
        ),
        START,
    ),
    "the first period reads the initial state": Case(
        ((0.0, once("X() = X + 2*Y + extra", "Y() = 3*k1", "stim = X")), (2.0, once("ksyn = 1"))),
        lambda p: courses(
            p, [p["X0"], 0.2], (0.0, lambda m, s: {"stim": s[0]}, lambda m, s: [s[0] + 2 * s[1] + m["extra"], 3 * m["k1"]]),
            (2.0, lambda m, s: {"ksyn": 1.0}, same),
        ),
        {"extra": 0.9, "X0": 1.3},
    ),
    "one period that reads the initial state": Case(
        ((0.0, once("X() = X + Y + extra", "stim = 0.3")),),
        lambda p: courses(p, [p["X0"], 0.2], (0.0, lambda m, s: {"stim": 0.3}, lambda m, s: [s[0] + s[1] + m["extra"], s[1]])),
        {"extra": 0.9, "X0": 1.3},
    ),
    "after pre-equilibration": Case(
        ((0.0, once("stim = 1.5", "Y() = Y/2 + X")), (2.0, once("X() = X + dose", "kdeg = 0.6"))),
        lambda p: courses(
            {**p, "stim": 1.5}, at_rest({**p, "stim": 0.2}), (0.0, nothing, lambda m, s: [s[0], s[1] / 2 + s[0]]),
            (2.0, lambda m, s: {"kdeg": 0.6}, lambda m, s: [s[0] + m["dose"], s[1]]),
        ),
        {"dose": 3.0}, before=once("stim = 0.2"),
    ),
    "formulas read what each period sets": Case(
        ((0.0, FROM_THETA), (2.0, once("stim = high", "k2 = 0.5*k2"))),
        lambda p: observed_with_stim(p),
        {**START, "high": 2.0}, observables=("X*(1 + stim)", "Y + k2*X"),
    ),
    "a start that is not 0, and a period without rows": Case(
        ((-3.0, FROM_THETA), (-1.0, once("X() = 2*X")), (-0.5, once("stim = 1")), (0.9, once("Y() = Y + 1"))),
        lambda p: courses(
            {**p, "stim": 0.2}, [0, 0], (-3.0, nothing, began), (-1.0, nothing, lambda m, s: [2 * s[0], s[1]]),
            (-0.5, lambda m, s: {"stim": 1.0}, same), (0.9, nothing, lambda m, s: [s[0], s[1] + 1]), times=EARLY,
        ),
        START, times=EARLY,
    ),
}  # fmt: skip


def observed_with_stim(p):
    y = courses({**p, "stim": 0.2}, [0, 0], (0.0, nothing, began),
                (2.0, lambda m, s: {"stim": m["high"], "k2": 0.5 * m["k2"]}, same))  # fmt: skip
    stim, k2 = np.where(T < 2.0, 0.2, p["high"]), np.where(T < 2.0, p["k2"], 0.5 * p["k2"])
    return np.stack([y[:, 0] * (1 + stim), y[:, 1] + k2 * y[:, 0]], axis=1)


def built(case: Case, load) -> Posterior:
    (_, first), *rest = case.periods
    rows = np.arange(len(case.times))
    measured = tuple(series(o, rows) for o in case.observables)
    e = Experiment("e", "m", case.times, measured, first, case.before, later=tuple(Period(t, c) for t, c in rest))
    theta = {**RATES, **case.more}
    return Posterior(with_data(problem(load("turnover.net"), (e,), theta), theta))


def points(case: Case) -> list[dict[str, float]]:
    theta, rng = {**RATES, **case.more}, np.random.default_rng(5)
    return [theta, {n: v * (1 + 0.12 * r) for (n, v), r in zip(theta.items(), rng.uniform(-1, 1, len(theta)), strict=True)}]


@pytest.mark.parametrize("case", CASES)
def test_predictions_are_those_worked_out_by_hand(load, case):
    posterior = built(CASES[case], load)
    for theta in points(CASES[case]):
        got = posterior.predicted(posterior.u_from_theta(theta))
        np.testing.assert_allclose(got, CASES[case].by_hand(theta).T.ravel(), rtol=2e-7, atol=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_gradients_are_difference_quotients(load, quotient, case):
    posterior = built(CASES[case], load)
    for theta in points(CASES[case]):
        assert_gradients(posterior, posterior.u_from_theta(theta), quotient)


def test_the_steady_state_of_the_last_period_starts_from_the_one_before(load, quotient):
    """Without synthesis and loss X stays what the first period made of it, and Y follows."""
    later = (Period(2.0, once("ksyn = 0", "kdeg = 0", "stim = 0")),)
    e = Experiment("e", "m", STEADY, (series("X", [0]), series("Y", [0])), FROM_THETA, later=later, t_max=1e4)
    theta = {**RATES, **START}
    posterior = Posterior(with_data(problem(load("turnover.net"), (e,), theta), theta))
    for p in points(Case((), None, START)):
        x = turnover({**p, "stim": 0.2}, p["X0"], p["Y0"], np.array([0.0, 2.0]))[-1, 0]
        u = posterior.u_from_theta(p)
        np.testing.assert_allclose(posterior.predicted(u), [x, x * p["k1"] / p["k2"]], rtol=1e-6)
        assert_gradients(posterior, u, quotient, tolerance=2e-5)


def test_periods_behind_the_last_row_are_not_simulated_and_their_parameters_unused(load):
    later = (Period(2.0, once("stim = high")), Period(9.0, once("k1 = never")))
    e = Experiment("e", "m", T, (series("X", range(6)),), FROM_THETA, later=later)
    theta = {**RATES, **START, "high": 2.0}
    Posterior(problem(load("turnover.net"), (e,), theta))
    with pytest.raises(InputError, match="'never' is in no model and no formula"):
        Posterior(problem(load("turnover.net"), (e,), {**theta, "never": 1.0}))


@pytest.mark.parametrize("times", [(0.0,), (2.0, 2.0), (3.0, 1.0), (np.inf,)])
def test_periods_that_do_not_follow_each_other_are_refused(load, times):
    later = tuple(Period(t, once("stim = 1")) for t in times)
    e = Experiment("e", "m", T, (series("X", range(6)),), FROM_THETA, later=later)
    with pytest.raises(InputError, match="take effect at do not increase"):
        Posterior(problem(load("turnover.net"), (e,), {**RATES, **START}))


def test_a_scan_in_periods_is_refused(load):
    later = (Period(2.0, once("stim = 1")),)
    e = Experiment("e", "m", T, (series("X", [0, 1]),), None, scan=Scan("stim", np.array([0.0, 1.0]), 3.0), later=later)
    with pytest.raises(InputError, match="is a scan, in which no condition can take effect later"):
        Posterior(problem(load("turnover.net"), (e,), RATES))


def test_a_value_that_names_nothing_is_refused_with_the_nearest_name(load):
    e = Experiment("e", "m", T, (series("X", range(6)),), FROM_THETA, later=(Period(2.0, once("stim = X + hgih")),))
    with pytest.raises(InputError, match="'hgih' in 'X . hgih' is no free parameter.*did you mean 'high'"):
        Posterior(problem(load("turnover.net"), (e,), {**RATES, **START, "high": 1.0}))


def test_a_later_condition_in_order_builds_on_its_own_changes(load):
    """Without `at_once` the second change acts on what the first has left, as conditions of a .conf do."""
    ordered = replace(once("k1 = 2*k1", "k1 * 3"), at_once=False)
    e = Experiment("e", "m", T, (series("X", range(6)), series("Y", range(6))), FROM_THETA, later=(Period(2.0, ordered),))
    theta = {**RATES, **START}
    posterior = Posterior(problem(load("turnover.net"), (e,), theta))
    expected = courses({**theta, "stim": 0.2}, [0, 0], (0.0, nothing, began), (2.0, lambda m, s: {"k1": 6 * m["k1"]}, same))
    np.testing.assert_allclose(posterior.predicted(posterior.u_from_theta(theta)), expected.T.ravel(), rtol=2e-7)


# ---- events ---------------------------------------------------------------------------------------------------------

CYCLE = {"kf": 0.55, "kr": 0.45, "dose": 2.7, "tdose": 1.25}


def cycle(p, total, a, t):
    """A of a closed cycle, t after it was a."""
    rest = total * p["kr"] / (p["kf"] + p["kr"])
    return rest + (a - rest) * np.exp(-(p["kf"] + p["kr"]) * t)


def test_time_has_not_come_during_pre_equilibration(load, quotient):
    """The total stays 4 until the dose at tdose, however long the rest before time 0 took."""
    e = Experiment("e", "m", T, (series("A", range(6)),), once("kr = 2*kr"), once("kf = 1"))
    posterior = Posterior(with_data(problem(load("cycle.ant"), (e,), CYCLE), CYCLE))
    for theta in (CYCLE, {**CYCLE, "kf": 0.7, "tdose": 2.4}):
        start = 4 * theta["kr"] / (1 + theta["kr"])
        m = {**theta, "kr": 2 * theta["kr"]}
        at_dose = cycle(m, 4, start, theta["tdose"]) + theta["dose"]
        expected = np.where(theta["tdose"] > T, cycle(m, 4, start, T), cycle(m, 4 + theta["dose"], at_dose, T - theta["tdose"]))
        u = posterior.u_from_theta(theta)
        np.testing.assert_allclose(posterior.predicted(u), expected, rtol=2e-7)
        assert_gradients(posterior, u, quotient, tolerance=4e-6 if theta is CYCLE else 5e-5)  # one entry all but cancels


def test_events_between_the_conditions_of_an_experiment(load, quotient):
    later = (Period(0.5, once("A = A + extra", "kf = 1.1")), Period(2.0, once("B = 0.5*B")))
    e = Experiment("e", "m", T, (series("A", range(6)),), None, later=later)
    theta = {**CYCLE, "extra": 0.9}
    posterior = Posterior(with_data(problem(load("cycle.ant"), (e,), theta), theta))
    first, second = cycle(theta, 4, 4.0, 0.5) + 0.9, {**theta, "kf": 1.1}
    third = cycle(second, 4.9, first, 0.75) + 2.7
    a, total = cycle(second, 7.6, third, 0.75), 7.6
    after = a + 0.5 * (total - a)
    expected = [4.0, cycle(second, 4.9, first, 0.2), a, *cycle(second, after, a, T[3:] - 2.0)]
    u = posterior.u_from_theta(theta)
    np.testing.assert_allclose(posterior.predicted(u), expected, rtol=2e-7)
    assert_gradients(posterior, u, quotient)


@pytest.mark.parametrize("changes", [("S = 1",), ("thr = 100",)])
def test_an_event_that_a_condition_makes_fire_is_refused_where_the_model_is_no_sbml(load, changes):
    """S falls from 4 and would be refilled below thr = 1.5; the condition itself puts it there."""
    e = Experiment("e", "m", T[:4], (series("S", range(4)),), once("S = 4"), later=(Period(0.7, once(*changes)),))
    posterior = Posterior(problem(load("threshold.ant"), (e,), {"k": 0.6}))
    with pytest.raises(InputError, match=r"the event at .*S.*thr.* fires just when a condition takes effect(.|\n)*is no SBML"):
        posterior.loss(posterior.u_from_theta({"k": 0.6}))


def test_an_event_at_the_very_time_of_a_condition_is_refused(load):
    e = Experiment("e", "m", T, (series("A", range(6)),), None, later=(Period(1.3, once("kf = 1")),))
    posterior = Posterior(problem(load("cycle.ant"), (e,), {"kr": 0.6}))
    with pytest.raises(InputError, match="the event at .*tdose.* and a condition fall on one time, t = 1.3"):
        posterior.loss(posterior.u_from_theta({"kr": 0.6}))


@pytest.mark.parametrize("changes", [("S = 0.5*S",), ("thr = 1.2*low", "top = S + low")])
def test_an_event_that_a_condition_makes_fire_fires_after_it(load, quotient, changes):
    """In SBML: S halves, or the threshold rises above it, and is refilled to `top` at once; later on as it falls to `thr`."""
    times = np.array([0.0, 0.7, 0.71, 2.0, 2.8])
    e = Experiment("e", "m", times, (series("S", range(5)),), once("S = s0"), later=(Period(0.7, once(*changes)),))
    theta = {"k": 0.6, "s0": 4.0, "low": 2.4} if "low" in changes[0] else {"k": 0.6, "s0": 4.0, "top": 3.4}
    posterior = Posterior(with_data(problem(load("threshold.xml"), (e,), theta), theta))
    at_change = 4.0 * np.exp(-0.42)
    thr, top = (2.88, at_change + 2.4) if "low" in theta else (at_change / 2 + 0.3, 3.4)
    thr = thr if "low" in theta else 1.5
    assert (at_change if "low" in theta else at_change / 2) < thr < top
    refills = np.log(top / thr) / 0.6  # the time it takes from top to thr
    after = top * np.exp(-0.6 * ((times[1:] - 0.7) % refills))
    u = posterior.u_from_theta(theta)
    np.testing.assert_allclose(posterior.predicted(u), [4.0, *after], rtol=1e-6)
    assert_gradients(posterior, u, quotient, tolerance=2e-5)


def test_an_observable_may_read_parameters_alone(load, quotient):
    e = Experiment("e", "m", T, (series("2*ksyn + 0*kdeg", [0, 3]),), None)
    theta = {"ksyn": 2.2, "kdeg": 0.45}
    posterior = Posterior(with_data(problem(load("turnover.net"), (e,), theta), theta))
    u = posterior.u_from_theta(theta)
    np.testing.assert_allclose(posterior.predicted(u), [4.4, 4.4])
    assert_gradients(posterior, u, quotient)
