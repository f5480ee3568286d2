"""A start goes back to its other draws while too few starts have come to the best value, and its account stays whole."""

from __future__ import annotations

import json

import numpy as np

import bnfhmc
from bnfhmc.optimizers.multistart import ENOUGH, SEARCHED

# A shallow bowl around x = 2 with a narrow deep hole at x = −3: from most of the prior a climb ends in the bowl.
HOLE, DEPTH, WIDTH = -3.0, 20.0, 0.15


def hole(theta):
    x, y = theta["x"], theta["y"]
    well = DEPTH * np.exp(-0.5 * ((x - HOLE) / WIDTH) ** 2)
    value = 0.5 * (x - 2.0) ** 2 + 0.5 * y**2 - well
    return value, np.array([(x - 2.0) + well * (x - HOLE) / WIDTH**2, y])


def bowl(theta):
    x, y = theta["x"], theta["y"]
    return 0.5 * (x - 2.0) ** 2 + 0.5 * y**2, np.array([x - 2.0, y])


def objective(fn):
    return bnfhmc.Objective({"x": (-5.0, 5.0), "y": (-5.0, 5.0)}, fn, returns="gradient")


def test_a_value_that_enough_starts_have_reached_ends_the_search():
    fit = bnfhmc.optimize(objective(bowl), "lbfgs", starts=6, draws=1, random_seed=1, cores=1)
    assert fit.near_best == 6
    again = bnfhmc.optimize(objective(bowl), "lbfgs", starts=6, draws=SEARCHED, random_seed=1, cores=1)
    # one more solve for each draw that is looked at, and none to search from it
    assert again.evaluations < fit.evaluations + 6 * SEARCHED


def test_starts_go_back_to_their_draws_until_enough_have_the_best_value():
    fit = bnfhmc.optimize(objective(hole), "lbfgs", starts=6, random_seed=7, cores=1)
    assert fit.near_best == ENOUGH and max(s.evaluations for s in fit.starts) > 2 * min(s.evaluations for s in fit.starts)
    for s in fit.starts:
        assert s.evaluations <= 1000 and sorted((v for _, v in s.history), reverse=True) == [v for _, v in s.history]
        assert sorted(n for n, _ in s.history) == [n for n, _ in s.history] and s.history[-1][1] >= s.value - 1e-9
    assert fit.evaluations == sum(s.evaluations for s in fit.starts)


def test_the_same_on_two_cores_and_gone_on_with(tmp_path):
    whole = bnfhmc.optimize(objective(hole), "lbfgs", starts=6, random_seed=7, cores=1, store=tmp_path / "whole")
    both = bnfhmc.optimize(objective(hole), "lbfgs", starts=6, random_seed=7, cores=2)
    assert [s.value for s in whole.starts] == [s.value for s in both.starts] and whole.evaluations == both.evaluations
    lines = (tmp_path / "whole").read_text().splitlines()
    draws = [json.loads(line)["draw"] for line in lines[1:]]
    assert max(draws) >= 1, "the test needs starts that go back to a second draw"
    for kept in (3, 1 + draws.count(0), len(lines) - 1):
        (tmp_path / "part").write_text("\n".join(lines[:kept]) + "\n")
        gone_on = bnfhmc.optimize(objective(hole), "lbfgs", starts=6, random_seed=7, cores=1, store=tmp_path / "part")
        assert [s.value for s in gone_on.starts] == [s.value for s in whole.starts]
        assert [s.history for s in gone_on.starts] == [s.history for s in whole.starts]
        assert gone_on.evaluations == whole.evaluations


def test_max_evaluations_counts_the_searches_of_a_start_together():
    fit = bnfhmc.optimize(objective(hole), "lbfgs", starts=4, random_seed=3, cores=1, max_evaluations=25)
    assert max(s.evaluations for s in fit.starts) <= 25 + 8
