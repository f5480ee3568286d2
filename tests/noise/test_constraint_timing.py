"""The rows a constraint reads, by its timing."""

import numpy as np
import pytest

from bnfhmc.noise.constraint import Constraint
from bnfhmc.noise.constraint_penalty import Inequality
from bnfhmc.noise.constraint_timing import At, Between, Crossing, Split, Whole

TIMES = np.arange(11.0)
A_BELOW_B = Inequality("A", "B")
C = np.array([0, 2, 4, 6, 4, 2, 0, 5, 9, 5, 0.0])


@pytest.mark.parametrize(
    "timing, rows",
    [
        (Whole(), [list(range(11))]),
        (At(Crossing(6.0)), [[6]]),
        (At(Crossing(6.0, before=True)), [[5]]),
        (At(Crossing(6.5)), [[6]]),  # between two output times: the one before
        (At(Crossing(6.5, before=True)), [[5]]),
        (At(Crossing(6.00001)), [[6]]),  # as good as on the output time
        (At(Crossing(0.0)), [[0]]),
        (At(Crossing(0.0, before=True)), [[0]]),
        (At(Crossing(10.0)), [[10]]),
        (At(Crossing(11.0)), np.empty((0, 1))),
        (At(Crossing(-1.0)), np.empty((0, 1))),
        (At(Crossing(3.0, "C")), [[1]]),
        (At(Crossing(4.0, "C")), [[2]]),
        (At(Crossing(3.0, "C"), everytime=True), [[1], [4], [6], [9]]),
        (At(Crossing(4.0, "C"), everytime=True), [[2], [4], [6], [9]]),
        (At(Crossing(4.0, "C", before=True), everytime=True), [[1], [3], [5], [8]]),
        (At(Crossing(20.0, "C")), np.empty((0, 1))),
        (Between(Crossing(2.0), Crossing(5.0)), [[2, 3, 4, 5]]),
        (Between(Crossing(2.5), Crossing(5.5)), [[2, 3, 4, 5]]),
        (Between(Crossing(2.0), Crossing(3.0)), [[2, 3]]),
        (Between(Crossing(2.2), Crossing(2.8)), [[2]]),
        (Between(Crossing(0.0), Crossing(2.0)), [[0, 1, 2]]),
        (Between(Crossing(8.0), Crossing(40.0)), [[8, 9, 10]]),
        (Between(Crossing(10.0), Crossing(11.0)), [[10]]),
        (Between(Crossing(3.0, "C"), Crossing(3.0, "C")), [[1, 2, 3, 4]]),
        (Between(Crossing(4.0, "C"), Crossing(3.0)), [[2, 3]]),
        (Between(Crossing(3.0, "C"), Crossing(2.0)), [[1, 2]]),
        (Between(Crossing(3.0), Crossing(3.0, "C")), [[3, 4]]),
        (Between(Crossing(20.0, "C"), Crossing(9.0)), np.empty((0, 1))),
    ],
)
def test_rows(timing, rows):
    windows = timing.windows({"time": TIMES, "C": C})
    assert windows.lesser.tolist() == np.asarray(rows).tolist() == windows.greater.tolist()


def test_a_row_that_lies_on_the_level_is_taken_first():
    near = np.array([0, 5.99999, 6.0, 7, 6.00001, 5.0])
    columns = {"time": TIMES[:6], "C": near}
    assert At(Crossing(6.0, "C"), everytime=True).windows(columns).lesser.tolist() == [[1], [4]]


def test_rows_of_two_sides():
    windows = Split(Crossing(7.0), Crossing(4.0, "C", before=True)).windows({"time": TIMES, "C": C})
    assert windows.lesser.tolist() == [[7]] and windows.greater.tolist() == [[1]]
    unmet = Split(Crossing(7.0), Crossing(40.0, "C")).windows({"time": TIMES, "C": C})
    assert unmet.lesser.shape == unmet.greater.shape == (0, 1)


@pytest.mark.parametrize(
    "timing, unmet",
    [
        (At(Crossing(0.0)), False),
        (At(Crossing(10.0)), False),
        (At(Crossing(10.5)), True),
        (At(Crossing(-0.5)), True),
        (Split(Crossing(3.0), Crossing(99.0)), True),
        (Between(Crossing(3.0), Crossing(99.0)), False),
        (Between(Crossing(30.0), Crossing(99.0)), True),
        (At(Crossing(99.0, "C")), False),
        (Whole(), False),
    ],
)
def test_moments_outside_the_output_times_are_named(timing, unmet):
    said = Constraint(A_BELOW_B, timing).unmet(TIMES)
    assert bool(said) == unmet and ("lies outside the output times, 0 to 10" in said) == unmet
