"""Constraints on simulated models: the loss by hand from trajectories by hand, the gradient by difference quotients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pytest
from scipy.special import expit, ndtr

from bnfhmc.noise.constraint import Constraint
from bnfhmc.noise.constraint_penalty import Bernoulli, Hinge, Inequality
from bnfhmc.noise.constraint_timing import At, Between, Crossing, Split, Whole
from bnfhmc.posterior import Posterior
from bnfhmc.problem import Condition, Experiment, Scan
from tests.matrix.building import assert_gradients, close, condition, problem, series, source
from tests.matrix.by_hand import at_rest, chain, turnover

CHAIN = {"A0": 9.0, "k1": 0.8, "k2": 0.33, "s": 1.4}
RATES = {"ksyn": 2.2, "kdeg": 0.45, "k1": 0.7, "k2": 0.35}
DOSES = np.array([0.3, 1.0, 4.0])
TIMES = np.array([0.0, 0.5, 1.0, 1.6, 2.5, 4.0, 6.0])
Theta = Mapping[str, float]


class Case(NamedTuple):
    """``loss``: of the constraints, by hand, from θ."""

    file: str
    theta: dict[str, float]
    experiment: Callable[..., Experiment]
    constraints: tuple[Constraint, ...]
    loss: Callable[[Theta], float]


def probit(g, scale, low=0.0, high=1.0):
    return -np.log(low + (high - low) * ndtr(-g / scale))


def logit(g, scale, low=0.0, high=1.0):
    return -np.log(low + (high - low) * expit(-g / scale))


def smooth_max(d, width):
    return width * np.log(np.sum(np.exp(d / width)))


def soft(g, width):
    return width * np.log1p(np.exp(g / width))


def plain(constraints, *conditions):
    return Experiment("e", "m", TIMES, (), *conditions, constraints=constraints)


def measured(constraints):
    return Experiment("e", "m", TIMES, (series("A", [1, 3], observed=[5.0, 3.0]),), constraints=constraints)


def a_and_b(p: Theta):
    y = chain(p, TIMES)
    return y[:, 0], y[:, 1]


A_BELOW_B, ROW = Inequality("A", "B"), 3  # A passes B between rows 1 and 2
CASES = {
    "hinge, always": Case(
        "chain.net", CHAIN, plain, (Constraint(A_BELOW_B, Whole(), Hinge(2.5)),),
        lambda p: 2.5 * max(a_and_b(p)[0] - a_and_b(p)[1]),
    ),
    "hinge, smoothed": Case(
        "chain.net", CHAIN, plain, (Constraint(A_BELOW_B, Whole(), Hinge(2.5), smoothing=0.6),),
        lambda p: 2.5 * soft(smooth_max(a_and_b(p)[0] - a_and_b(p)[1], 0.6), 0.6),
    ),
    "hinge with an alternative, at a time": Case(
        "chain.net", CHAIN, plain,
        (Constraint(Inequality("B", "A"), At(Crossing(2.5)), Hinge(2.0, 0.1, Inequality("scaledB", 0.5))),),
        lambda p: 2.0 * max(chain(p, TIMES)[4, 3] - 0.5, 0.1),
    ),
    "probit of a fitted scale, with a measurement": Case(
        "chain.net", {**CHAIN, "tol": 0.8}, measured,
        (Constraint(A_BELOW_B, At(Crossing(1.6)), Bernoulli("probit", 1.0, 0.02, 0.98), scale=source("tol*k1 + 0.1")),),
        lambda p: probit(a_and_b(p)[0][ROW] - a_and_b(p)[1][ROW], p["tol"] * p["k1"] + 0.1, 0.02, 0.98)
        + 0.5 * ((a_and_b(p)[0][1] - 5.0) / 0.5) ** 2 + 0.5 * ((a_and_b(p)[0][3] - 3.0) / 0.5) ** 2,
    ),
    "logit of a fitted scale, smoothed over an interval": Case(
        "chain.net", {**CHAIN, "tol": 0.8}, plain,
        (Constraint(Inequality("B", "A"), Between(Crossing(1.0), Crossing(4.0)), Bernoulli("logit", 1.0), scale=source("tol"),
                    smoothing=0.3),),
        lambda p: logit(smooth_max((a_and_b(p)[1] - a_and_b(p)[0])[2:6], 0.3), p["tol"]),
    ),
    "once in an interval": Case(
        "chain.net", CHAIN, plain,
        (Constraint(Inequality("B", 1.0), Between(Crossing(1.0), Crossing(4.0), once=True), Bernoulli("probit", 0.7, 0.01)),),
        lambda p: probit(min(a_and_b(p)[1][2:6] - 1.0), 0.7, 0.01),
    ),
    "at every crossing of an output": Case(
        "chain.net", CHAIN, plain,
        (Constraint(Inequality("ratio", 0.4), At(Crossing(4.6, "B"), everytime=True), Bernoulli("logit", 0.2)),),
        lambda p: sum(logit(chain(p, TIMES)[r, 4] - 0.4, 0.2) for r in crossings(a_and_b(p)[1], 4.6)),
    ),
    "two moments": Case(
        "chain.net", CHAIN, plain, (Constraint(A_BELOW_B, Split(Crossing(0.5), Crossing(2.5)), Hinge(1.5)),),
        lambda p: 1.5 * max(a_and_b(p)[0][1] - a_and_b(p)[1][4], 0.0),
    ),
    "a smoothed step": Case(
        "chain.net", CHAIN, plain,
        (Constraint(A_BELOW_B, At(Crossing(1.6)), Bernoulli("probit", 0.0, 0.05, 0.95), smoothing=0.8),),
        lambda p: probit(a_and_b(p)[0][ROW] - a_and_b(p)[1][ROW], 0.8, 0.05, 0.95),
    ),
    "several, after pre-equilibration": Case(
        "turnover.net", {**RATES, "tol": 0.8},
        lambda c: plain(c, condition("kdeg = 0.9", "Y() = 2*ksyn"), condition("stim = 1")),
        (Constraint(Inequality("X", "Y"), Whole(), Bernoulli("probit", 1.0, 0.01, 0.99), scale=source("tol")),
         Constraint(Inequality(6.0, "X"), At(Crossing(1.0)), Hinge(0.7))),
        lambda p: (lambda y: probit(max(y[:, 0] - y[:, 1]), p["tol"], 0.01, 0.99) + 0.7 * max(6.0 - y[2, 0], 0))(
            turnover({**p, "stim": 0, "kdeg": 0.9}, at_rest({**p, "stim": 1})[0], 2 * p["ksyn"], TIMES)),
    ),
    "over the doses of a scan": Case(
        "turnover.net", RATES,
        lambda c: Experiment("e", "m", np.array([]), (), scan=Scan("stim", DOSES, 2.5), constraints=c),
        (Constraint(Inequality("X", "Y"), Whole(), Bernoulli("logit", 0.9)),
         Constraint(Inequality("Y", "X"), At(Crossing(1.0)), Bernoulli("probit", 0.9))),
        lambda p: (lambda y: logit(max(y[:, 0] - y[:, 1]), 0.9) + probit(y[1, 1] - y[1, 0], 0.9))(
            np.array([turnover({**p, "stim": d}, 1.5, 0.2, [0, 2.5])[-1] for d in DOSES])),
    ),
    "at steady state": Case(
        "turnover.net", RATES,
        lambda c: Experiment("e", "m", np.array([np.inf]), (), None, Condition("rest", ()), constraints=c),
        (Constraint(Inequality("Y", "X"), Whole(), Bernoulli("logit", 2.0)),),
        lambda p: (lambda x, y: logit(y - x, 2.0))(*at_rest({**p, "stim": 0})),
    ),
}  # fmt: skip


def crossings(x: np.ndarray, level: float) -> list[int]:
    """The last rows before x passes the level."""
    return [i for i in range(len(x) - 1) if (x[i] < level) != (x[i + 1] < level)]


@pytest.fixture
def posterior(load, case) -> Posterior:
    c = CASES[case]
    return Posterior(problem(load(c.file), (c.experiment(c.constraints),), c.theta))


def points(case: str) -> list[dict[str, float]]:
    """θ of a case, and another place."""
    theta, factors = CASES[case].theta, (1.05, 0.96, 0.94, 1.03, 1.08)
    return [theta, {n: v * f for (n, v), f in zip(theta.items(), factors, strict=False)}]


@pytest.mark.parametrize("point", [0, 1])
@pytest.mark.parametrize("case", CASES)
def test_the_loss_is_that_worked_out_by_hand(posterior, case, point):
    theta = points(case)[point]
    expected = CASES[case].loss(theta)
    assert expected > 1e-3  # so that something is paid
    assert posterior.loss(posterior.u_from_theta(theta)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("point", [0, 1])
@pytest.mark.parametrize("case", CASES)
def test_the_gradient_is_the_difference_quotient(posterior, quotient, case, point):
    u = posterior.u_from_theta(points(case)[point])
    assert_gradients(posterior, u, quotient, tolerance=1e-5)
    assert np.abs(posterior.loss_gradient(u)).max() > 1e-3 and not posterior.least_squares


@pytest.mark.parametrize("case", [c for c in CASES if all(isinstance(x.penalty, Bernoulli) for x in CASES[c].constraints)])
def test_one_outcome_has_its_share_of_the_information(posterior, case):
    """With one window and no measurement, F = P s sᵀ/(1 − P) with s the score of what was seen, which has probability P."""
    u = posterior.u_from_theta(CASES[case].theta)
    if len(CASES[case].constraints) > 1 or "every" in case or posterior.measurements:
        assert np.linalg.eigvalsh(posterior.fisher(u)).min() > -1e-9 * np.abs(posterior.fisher(u)).max()
        return
    p, s = np.exp(-posterior.loss(u)), posterior.loss_gradient(u)
    close(posterior.fisher(u), p / (1 - p) * np.outer(s, s), 1e-6)
