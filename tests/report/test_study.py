"""What a study computes of a run, against the same by other means."""

import numpy as np
import pytest

from bnfhmc.posterior import Posterior
from bnfhmc.report.quiet_arviz import load_arviz
from tests.report.finished import draws, problem, study

POSTERIOR = Posterior(problem())
STUDY = study(POSTERIOR, draws(POSTERIOR, diverging=[(1, 4)]), predicted=10_000)


def test_the_verdict_is_that_of_the_run():
    said = STUDY.run.record["verdict"]
    assert STUDY.verdict.converged == said["converged"] is False
    assert [f.what for f in STUDY.verdict.findings] == [f["what"] for f in said["findings"]]


def test_predictions_rest_on_so_many_draws():
    assert STUDY.predictive.at.size == 1000 and study(POSTERIOR, predicted=30).predictive.at.size == 30
    assert len(STUDY.fits) == 3 and len(STUDY.prior_fits) == 3
    assert np.mean(STUDY.prior_fits[0].new[4] - STUDY.prior_fits[0].new[0]) > 2 * np.mean(
        STUDY.fits[0].new[4] - STUDY.fits[0].new[0])  # fmt: skip


@pytest.mark.filterwarnings("ignore:Estimated shape parameter")
def test_loo():
    expected = load_arviz().loo(STUDY.run.idata)
    assert STUDY.loo.elpd == pytest.approx(expected.elpd_loo) and STUDY.loo.pareto_k.shape == (21,)


def test_loo_pit_is_arviz_s():
    from bnfhmc.report.groups import add_posterior_predictive

    other = study(POSTERIOR)
    add_posterior_predictive(other.run.idata, POSTERIOR, other.run.z, cores=1, seed=9)
    theirs = load_arviz().loo_pit(other.run.idata, y="y", y_hat="y")
    assert np.abs(STUDY.loo_pit - theirs).max() < 0.06  # the new measurements are others


def test_fisher_is_averaged_over_draws():
    one = POSTERIOR.fisher(STUDY.flat[500])
    assert STUDY.fisher.shape == (3, 3) and np.allclose(STUDY.fisher, STUDY.fisher.T)
    assert 0.3 < STUDY.fisher[0, 0] / one[0, 0] < 3.0


def test_no_constraints_no_table():
    assert STUDY.constraints == ()
