"""Runs compared by LOO."""

from dataclasses import replace
from pathlib import Path

import pytest

from bnfhmc.errors import InputError
from bnfhmc.posterior import Posterior
from bnfhmc.report.compare import Compared, compare, in_words, to_record
from bnfhmc.report.quiet_arviz import load_arviz
from tests.report.finished import draws, laplace, opened, problem

POSTERIOR = Posterior(problem())


def run(name, z=None, posterior=POSTERIOR):
    return opened(posterior, draws(posterior, z), Path(name)).run


@pytest.fixture(scope="module")
def both():
    z = laplace(POSTERIOR)
    return run("x/good"), run("x/bad", z + [0.15, 0.0, 0.0])


@pytest.mark.filterwarnings("ignore:Estimated shape parameter")
def test_the_better_run_comes_first(both):
    first, second = compare(both[::-1])
    assert (first.name, second.name) == ("good", "bad")
    assert first.difference == 0.0 and second.difference == pytest.approx(first.elpd - second.elpd)
    assert first.elpd == pytest.approx(load_arviz().loo(both[0].idata).elpd_loo)
    assert first.weight + second.weight == pytest.approx(1.0) and first.weight > 0.5
    assert "'good' predicts new measurements better than 'bad'" in in_words((first, second))
    assert to_record((first, second))["runs"][0]["name"] == "good"


def test_a_run_against_itself(both):
    same = compare([both[0], replace(both[0], folder=Path("again"))])
    assert same[1].difference == 0.0 and "predict alike" in in_words(same)


@pytest.mark.parametrize(("difference", "se", "high", "said"), [
    (10.0, 2.0, 0, "'a' predicts new measurements better than 'b', by 10.0 ± 2.0 in log density."),
    (10.0, 8.0, 0, "'a' may predict better than 'b' (10.0 ± 8.0), but these data cannot tell."),
    (3.0, 0.1, 0, "predict alike"),
    (10.0, 2.0, 3, "Some k̂ are too high (b 3), so take it as a hint."),
])  # fmt: skip
def test_in_words(difference, se, high, said):
    a = Compared("a", -10.0, 1.0, 3.0, 0.0, 0.0, 1.0, 0)
    assert said in in_words([a, Compared("b", -10.0 - difference, 1.0, 3.0, difference, se, 0.0, high)])


def test_what_cannot_be_compared(both):
    with pytest.raises(InputError, match="one run cannot be compared; type two folders or more"):
        compare(both[:1])
    with pytest.raises(InputError, match="the same folder is given twice"):
        compare([both[0], both[0]])
    p = problem()
    e = p.experiments[0]
    other = replace(p, experiments=(replace(e, series=(replace(e.series[0], observed=e.series[0].observed + 1),)),))
    with pytest.raises(InputError, match="other: its measurements are not those of x/good"):
        compare([both[0], run("other", posterior=Posterior(other))])
    bare = run("bare")
    del bare.idata["log_likelihood"]
    with pytest.raises(InputError, match="bare: the run has no log likelihood"):
        compare([both[0], bare])


def test_folders_of_one_name_are_told_apart(both):
    names = {c.name for c in compare([both[0], replace(both[1], folder=Path("y/good"))])}
    assert names == {"x/good", "y/good"}
