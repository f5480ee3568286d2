"""Pictures: what is in them, and that they can be written."""

import numpy as np
import pytest

from bnfhmc.optimizers import optimize, plots, profile_likelihood
from tests.optimizers import problems


@pytest.fixture(scope="module")
def fit():
    return optimize(problems.known_sigma(), "gntr", starts=4, random_seed=1)


def written(figure, path):
    figure.savefig(path)
    return path.stat().st_size > 5000


def test_the_waterfall_has_every_start_in_order(fit, tmp_path):
    figure = plots.waterfall(fit)
    line = figure.axes[0].lines[0]
    assert len(line.get_xdata()) == 4 and np.all(np.diff(line.get_ydata()) >= 0)
    assert "4 of 4 starts within 0.1" in figure.axes[0].get_title()
    assert written(figure, tmp_path / "waterfall.png")


def test_backends_side_by_side(fit, tmp_path):
    other = optimize(problems.known_sigma(), "lbfgs", starts=3, random_seed=1)
    figure = plots.convergence({"gntr": fit, "lbfgs": other})
    assert len(figure.axes[0].lines) == 7
    assert [t.get_text() for t in figure.axes[0].get_legend().get_texts()] == [
        "gntr, the best of 4", "lbfgs, the best of 3",
    ]  # fmt: skip
    bold = [line for line in figure.axes[0].lines if line.get_linewidth() == 2.0]
    assert [line.get_linestyle() for line in bold] == ["-", "--"]
    assert written(figure, tmp_path / "convergence.png")


def test_profiles_with_their_intervals(fit, tmp_path):
    figure = plots.profile_plot(profile_likelihood(problems.known_sigma(), fit))
    assert [a.get_xlabel() for a in figure.axes] == ["A0", "k"]
    assert len(figure.axes[0].lines) == 4  # the profile, the threshold, two ends
    assert written(figure, tmp_path / "profiles.png")


def test_what_has_no_value_and_what_lies_apart_is_shown(tmp_path):
    fit = optimize(problems.camel("gradient"), "lbfgs", starts=12, draws=1, random_seed=2)
    figure = plots.waterfall(fit)
    said = [t.get_text() for t in figure.axes[0].get_legend().get_texts()]
    assert len(fit.basins) > 1 and said[:2] == ["converged, basin 1", "converged, basin 2"] and "0.1 below the best" in said
    failing = optimize(problems.holed(), starts=[[0.9, 0.9], [-1.0, -1.0]], random_seed=1)
    assert plots.waterfall(failing).axes[0].get_xlabel() == "start, the best first (1 without a value)"
    assert written(figure, tmp_path / "waterfall.png")


def test_a_flat_profile_has_a_heading(tmp_path):
    from tests.optimizers.test_profiles import product

    objective = product()
    figure = plots.profile_plot(profile_likelihood(objective, optimize(objective, starts=2, random_seed=1), cores=1))
    assert [a.get_title() for a in figure.axes] == ["flat: not identifiable"] * 2
    assert figure.axes[0].get_xscale() == "log" and written(figure, tmp_path / "profiles.png")
