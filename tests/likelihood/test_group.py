"""Gaussian measurements taken together give what their family gives one by one."""

import numpy as np
import pytest

from bnfhmc.expression import parse
from bnfhmc.likelihood.group import groups_of
from bnfhmc.noise import Constant, Formula, LnNormal, Normal
from bnfhmc.problem import Series

ROWS = 5


def series(name, rows, noise=None, **sources):
    rng = np.random.default_rng(len(rows))
    made = {n: Formula(parse(v)) if isinstance(v, str) else Constant(v) for n, v in sources.items()}
    return Series(name, parse(name), np.array(rows), rng.uniform(0.5, 2.0, len(rows)), noise or Normal(), made)


SETS = {
    "each cell once": (series("A", range(ROWS), sigma=0.3), series("B", range(ROWS), sigma=np.linspace(0.1, 0.5, ROWS))),
    "replicates": (series("A", [0, 0, 0, 3, 3, 1], sigma=np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])),),
    "out of order": (series("A", [4, 2, 0], sigma=0.2), series("B", [1, 1], sigma=1.5)),
}


@pytest.mark.parametrize("which", SETS)
def test_squares_are_the_family_s_loss_and_slope(which):
    (group,) = groups_of(SETS[which], {}, ROWS)
    P = np.random.default_rng(0).uniform(0.5, 2.0, ROWS * len(SETS[which]))
    one_by_one = group.loss({}, P)
    loss, slope = group.squares.loss(P)
    weight = np.zeros(P.size)
    weight[group.squares.cells if group.squares.cells is not None else slice(None)] = slope
    assert loss == pytest.approx(one_by_one.loss.sum(), rel=1e-13)
    np.testing.assert_allclose(weight, np.bincount(group.cell, one_by_one.d_pred, minlength=P.size), rtol=1e-12, atol=1e-13)
    assert (group.squares.cells is None) is (which == "each cell once")


def test_a_cell_that_nothing_measures_may_be_anything():
    (group,) = groups_of(SETS["out of order"], {}, ROWS)
    P = np.full(2 * ROWS, np.nan)
    P[group.cell] = 1.0
    loss, slope = group.squares.loss(P)
    assert np.isfinite(loss) and np.isfinite(slope).all()


def test_a_prediction_that_is_no_number_shows():
    (group,) = groups_of(SETS["replicates"], {}, ROWS)
    P = np.ones(ROWS)
    P[3] = np.nan
    assert not np.isfinite(group.squares.loss(P)[0])


@pytest.mark.parametrize(
    "s",
    [
        series("A", [0, 1], LnNormal(), sigma=0.2),
        series("A", [0, 1], sigma="sigma"),
        series("A", [0, 1], sigma="0.1 + A"),
        series("A", [0, 1], sigma=1e-200),  # whose weight is too large for a float
        series("A", [0, 1], sigma=1e200),
    ],
    ids=["logarithmic", "estimated", "of the output", "tiny", "huge"],
)
def test_what_is_no_sum_of_known_squares_is_taken_one_by_one(s):
    reading = {(0, "sigma"): 1} if "A" in getattr(getattr(s.sources["sigma"], "expression", None), "names", ()) else {}
    (group,) = groups_of((s,), reading, ROWS)
    assert group.squares is None
