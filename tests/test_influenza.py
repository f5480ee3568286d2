"""The example in the README against the published posterior.

Grinsztajn, Semenova, Margossian, Riou (2021), Bayesian workflow for disease transmission modeling in Stan, Statistics in
Medicine 40:6209; its numbers recomputed independently, rounded to the third decimal (the second for R0).
"""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import bnfhmc

PUBLISHED = {"beta": (1.736, 0.053), "gamma": (0.541, 0.045), "phi_inv": (0.139, 0.074), "R0": (3.23, 0.28)}
ROUNDING = {"beta": 5e-4, "gamma": 5e-4, "phi_inv": 5e-4, "R0": 5e-3}
FALSE_ALARM = 1e-4  # of the whole test, split over its eight comparisons

CONF = Path(__file__).parent.parent / "examples" / "influenza" / "influenza.conf"


@pytest.mark.slow
def test_the_posterior_is_the_published_one():
    import arviz as az

    posterior = bnfhmc.Posterior(bnfhmc.load(CONF))
    idata = bnfhmc.sample(posterior, chains=4, num_warmup=500, num_samples=1000, random_seed=1978)
    draws = {name: idata.posterior[name].to_numpy() for name in posterior.names}
    draws["R0"] = draws["beta"] / draws["gamma"]
    k = stats.norm.isf(FALSE_ALARM / 8 / 2)
    for name, (mean, sd) in PUBLISHED.items():
        x = draws[name]
        ess = float(az.ess(x)), float(az.ess((x - x.mean()) ** 2))
        excess = np.mean((x - x.mean()) ** 4) / x.var() ** 2
        of_mean, of_sd = x.std() / np.sqrt(ess[0]), x.std() * np.sqrt((excess - 1) / 4 / ess[1])
        # the published numbers come from chains of about the same length, hence √2
        assert abs(x.mean() - mean) < k * np.sqrt(2) * of_mean + ROUNDING[name], name
        assert abs(x.std() - sd) < k * np.sqrt(2) * of_sd + ROUNDING[name], name
        assert float(az.rhat(x)) < 1.01 and min(ess) > 400
    assert int(idata.sample_stats["diverging"].sum()) == 0
    assert int(idata.sample_stats["failed"].sum()) == 0
