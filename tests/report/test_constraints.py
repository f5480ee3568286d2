"""How often constraints hold over draws."""

from pathlib import Path

import numpy as np

from bnfhmc.noise.constraint import Constraint
from bnfhmc.noise.constraint_penalty import Inequality
from bnfhmc.noise.constraint_timing import At, Crossing, Whole
from bnfhmc.report.constraints import Held, constraint_satisfaction

TIMES = np.arange(4.0)
ALWAYS = Constraint(Inequality("A", 2.0), Whole(), text="A < 2 always", path=Path("d.prop"), line=3)
AT = Constraint(Inequality("A", 2.0), At(Crossing(5.0, "B")), text="A < 2 at B=5", smoothing=0.3)


def draw(a, b=0.0):
    return TIMES, {"A": np.array([0.0, a, 0.0, 1.0]), "B": np.array([0.0, 0.0, b, b])}


def test_fractions_margins_and_the_worst_draw():
    draws = iter([draw(1), None, draw(3.5), draw(2.5, 9), draw(0, 9)])
    always, at = constraint_satisfaction([ALWAYS, AT], draws)
    assert always == Held("A < 2 always", "d.prop:3", 4, 1, 1.0, 0.5, -1.5, 0.25, 2)
    assert at == Held("A < 2 at B=5", "", 4, 1, 0.5, 0.75, -0.5, 0.75, 3)


def test_nothing_solved_and_never_asked_for():
    assert constraint_satisfaction([AT], [None, None]) == (Held("A < 2 at B=5", "", 0, 2, *[None] * 5),)
    assert constraint_satisfaction([AT], []) == (Held("A < 2 at B=5", "", 0, 0, *[None] * 5),)
    assert constraint_satisfaction([AT], [draw(9)]) == (Held("A < 2 at B=5", "", 1, 0, 0.0, 1.0, None, None, None),)
    assert constraint_satisfaction([], [draw(9)]) == ()
