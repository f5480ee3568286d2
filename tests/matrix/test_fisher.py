"""posterior.fisher against its expectation: the covariance of the score over data that the noise model draws.

Each case draws 20 000 data sets (4000 where the mean has to be found from a median). The score of all of them is put
together from the noise family's slopes and from difference quotients of predictions and noise parameters worked out by
hand; that it is the posterior's own score is shown on three of them. An entry passes within five standard errors of the
mean of its products. There are about 1300 entries, so that the whole file would raise a false alarm with probability
10⁻³ were its seeds free. A standard error is at most 3 % (6 %) of an entry of the diagonal, so that one is seen to be
wrong from 15 % on at the latest, from 7 % on where scores are Gaussian.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bnfhmc.noise.constraint import Constraint
from bnfhmc.noise.constraint_penalty import Bernoulli, Hinge, Inequality
from bnfhmc.noise.constraint_timing import At, Between, Crossing, Split, Whole
from bnfhmc.posterior import Posterior
from bnfhmc.problem import Experiment
from tests.conftest import ClosedForm
from tests.matrix.building import problem, series, source
from tests.matrix.combinations import NOISE, OUTPUTS, QUANTITIES, ROWS, THETA, TIMES, Cell

ERRORS = 5.0

# the first noise parameter; the second, where there is one, is estimated along with an estimated first one
MODES = {"estimated": "estimated", "by the prediction": "outputs", "by both": "outputs and quantities", "known": "file"}


def cell(noise: str, mode: str, chain: str) -> Cell:
    """Sources by mode; `trials` are always known."""
    first, *rest = NOISE[noise].model.parameters or ("",)
    sources = {first: MODES[mode]} if first and first != "trials" else {}
    sources |= {p: "parameters" if mode == "estimated" and p != "trials" else "file" for p in rest}
    sources |= {"trials": "file"} if first == "trials" else {}
    return Cell(noise, sources, chain, THETA, np.ones(len(ROWS)))


KINDS = [
    (noise, mode, chain)
    for noise in NOISE
    for mode, chain in (("estimated", "none"), ("by the prediction", "peak"), ("by both", "none"), ("known", "increments"))
    if mode == "known" or set(NOISE[noise].model.parameters) - {"trials"}
]


def by_hand(c: Cell, posterior: Posterior, u: np.ndarray, quotient):
    """Predictions and noise parameters at u, and their slopes in u."""

    def theta(x):
        return {**c.theta, **dict(zip(posterior.names, posterior.theta_from_u(x), strict=True))}

    d_pred = quotient(lambda x: c.predictions(theta(x)), u, 1e-3)
    d_noise = {p: quotient(lambda x, p=p: c.noise_values(theta(x))[p], u, 1e-3) for p in c.model.parameters}
    return c.predictions(theta(u)), c.noise_values(theta(u)), d_pred, d_noise


@pytest.mark.parametrize("noise, mode, chain", KINDS)
def test_the_covariance_of_the_score(noise, mode, chain, quotient):
    c = cell(noise, mode, chain)
    posterior = c.posterior()
    u = posterior.u_from_theta(c.free)
    pred, values, d_pred, d_noise = by_hand(c, posterior, u, quotient)
    estimated = frozenset(p for p, kind in c.sources.items() if kind not in ("number", "file"))
    draws = 4_000 if noise == "neg_bin, median" else 20_000
    obs = c.model.draw(np.random.default_rng(11), np.broadcast_to(pred, (draws, len(pred))), values)
    _, slope, slopes = c.model.loss(pred, obs, values, estimated)
    scores = slope @ d_pred + sum(slopes[p] @ d_noise[p] for p in estimated)
    for b in range(3):
        own = replace(c, observed=obs[b]).posterior().loss_gradient(u)
        np.testing.assert_allclose(scores[b], own, rtol=1e-6, atol=1e-6 * np.abs(own).max())
    products = np.einsum("ni,nj->nij", scores, scores)
    F, error = posterior.fisher(u), products.std(axis=0) / np.sqrt(draws)
    assert (error.diagonal() < 0.03 * np.sqrt(20_000 / draws) * F.diagonal()).all()
    far = np.abs(products.mean(axis=0) - F) / error
    assert (far < ERRORS).all(), f"{far.max():.1f} standard errors: {products.mean(axis=0)}\n{F}"
    assert (np.abs(scores.mean(axis=0)) < ERRORS * scores.std(axis=0) / np.sqrt(draws)).all()


# ---- constraints -----------------------------------------------------------------------------------------------------

# whether an inequality is seen to hold is one of two outcomes, so their expectation is a sum of two terms

LINKS = [
    Bernoulli("probit", 0.6, 0.02, 0.97), Bernoulli("probit", 0.6), Bernoulli("logit", 0.3), Bernoulli("logit", 0.3, 0.1, 0.9),
]  # fmt: skip
TIMINGS = {
    "at a time": At(Crossing(1.6)), "always": Whole(), "once": Whole(once=True),
    "between": Between(Crossing(0.9), Crossing(2.4)), "two moments": Split(Crossing(0.9), Crossing(3.5)),
}  # fmt: skip


def constrained(*constraints: Constraint, measured=()) -> Posterior:
    """P and Q under constraints, with series or with none."""
    free = {"A0": 5.0, "k": 0.7, "c": 1.3, "eta": 0.35}
    if all(x.scale is None for x in constraints):
        del free["eta"]
    e = Experiment("e", "m", TIMES, tuple(measured), constraints=constraints)
    return Posterior(problem(ClosedForm(OUTPUTS, QUANTITIES), (e,), free))


def opposite(x: Constraint) -> Constraint:
    """The constraint that is seen to hold where this one is not: −g in the place of g, 1 − P in the place of P."""
    timing = {
        Whole: lambda t: Whole(once=not t.once), At: lambda t: t, Split: lambda t: Split(t.greater, t.lesser),
        Between: lambda t: Between(t.start, t.end, not t.once),
    }[type(x.timing)](x.timing)  # fmt: skip
    penalty = replace(x.penalty, pmin=1 - x.penalty.pmax, pmax=1 - x.penalty.pmin)
    return replace(x, inequality=Inequality(x.inequality.greater, x.inequality.lesser), timing=timing, penalty=penalty)


@pytest.mark.parametrize("fitted", [False, True], ids=["known scale", "fitted scale"])
@pytest.mark.parametrize("smoothing", [None, 0.2], ids=["exact", "smoothed"])
@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize("penalty", LINKS, ids=repr)
def test_the_information_of_a_constraint_is_the_expectation_over_both_outcomes(penalty, timing, smoothing, fitted):
    scale = source("eta*c") if fitted else None
    seen = Constraint(Inequality("P", "Q"), TIMINGS[timing], penalty, "P < Q", scale=scale, smoothing=smoothing)
    holds, broken = constrained(seen), constrained(opposite(seen))
    u = holds.u_from_theta({n: THETA[n] for n in holds.names})
    p = np.exp(-holds.loss(u))
    assert p + np.exp(-broken.loss(u)) == pytest.approx(1.0, rel=1e-12) and 1e-6 < p < 1 - 1e-6
    score = [x.loss_gradient(u) for x in (holds, broken)]
    expected = p * np.outer(score[0], score[0]) + (1 - p) * np.outer(score[1], score[1])
    np.testing.assert_allclose(p * score[0] + (1 - p) * score[1], 0.0, atol=1e-10)
    np.testing.assert_allclose(holds.fisher(u), expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max())
    np.testing.assert_allclose(broken.fisher(u), expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max())
    assert np.abs(expected).max() > 1e-6


def test_the_information_of_constraints_and_of_measurements_adds_up():
    first = Constraint(Inequality("P", "Q"), At(Crossing(1.6)), LINKS[0])
    second = Constraint(Inequality(1.2, "P"), At(Crossing(2.0, "P"), everytime=True), LINKS[2], smoothing=0.1)
    hinge = Constraint(Inequality("P", "Q"), Whole(), Hinge(3.0))
    measured = series("P", [1, 2, 3])
    whole = constrained(first, second, hinge, measured=[measured])
    u = whole.u_from_theta({n: THETA[n] for n in whole.names})
    parts = [constrained(x).fisher(u) for x in (first, second)]
    assert not constrained(hinge).fisher(u).any() and constrained(hinge).loss(u) > 0
    alone = constrained(measured=[measured, series("Q", [1, 2])])
    q = constrained(measured=[series("Q", [1, 2])])  # alone, so that c is in some formula
    at_q = q.u_from_theta({n: THETA[n] for n in q.names})
    parts.append(alone.fisher(u) - q.fisher(at_q))
    np.testing.assert_allclose(whole.fisher(u), sum(parts), rtol=1e-9, atol=1e-9)
    assert not whole.least_squares and all(part.any() for part in parts)
