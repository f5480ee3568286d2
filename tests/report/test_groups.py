"""The groups that a second solve adds, and that arviz computes from them after the way to the disk and back."""

import json

import numpy as np
import pytest

from bnfhmc.errors import FailedSolve
from bnfhmc.posterior import Posterior
from bnfhmc.report.groups import add_posterior_predictive, complete
from bnfhmc.report.inference_data import to_inference_data, to_netcdf_bytes
from bnfhmc.report.quiet_arviz import load_arviz
from tests.conftest import ClosedForm
from tests.report.finished import draws, problem

POSTERIOR = Posterior(problem())
DRAWS = draws(POSTERIOR)
POISONED = float(POSTERIOR.theta_from_u(POSTERIOR.u_from_z(DRAWS.z[1, 3]))[0])
U = np.array([POSTERIOR.u_from_z(z) for z in DRAWS.z.reshape(-1, 3)]).reshape(DRAWS.z.shape)


def made():
    return to_inference_data(POSTERIOR, DRAWS, loglik=None, attrs={"random_seed": "5"})


@pytest.fixture(scope="module")
def idata(tmp_path_factory):
    path = tmp_path_factory.mktemp("nc") / "posterior.nc"
    path.write_bytes(to_netcdf_bytes(complete(made(), POSTERIOR, DRAWS.z, cores=2, seed=3)))
    return load_arviz().from_netcdf(str(path))


def test_groups(idata):
    assert {"posterior_predictive", "log_likelihood", "prior", "prior_predictive", "constant_data"} <= set(idata.groups())
    assert all(idata[g].attrs["random_seed"] == "5" for g in idata.groups())


def test_predictions_are_those_of_each_draw(idata):
    y = idata.posterior_predictive["mean_y"]
    assert y.dims == ("chain", "draw", "measurement") and y.shape == (4, 250, 21)
    np.testing.assert_allclose(y[3, 17], POSTERIOR.predicted(U[3, 17]))
    np.testing.assert_allclose(idata.log_likelihood["y"][3, 17], POSTERIOR.pointwise(U[3, 17]))
    assert y.observable.values.tolist() == ["A"] * 9 + ["N"] * 8 + ["R"] * 4


def test_the_prior(idata):
    assert idata.prior["A0"].shape == (1, 1000) and idata.prior["k"].attrs["parameter"] == "k"
    assert float(idata.prior["k"].min()) >= 1e-3 and float(idata.prior["k"].max()) <= 1e2
    i = int(idata.prior_predictive["draw"][5])
    theta = [float(idata.prior[n][0, i]) for n in POSTERIOR.names]
    predicted = POSTERIOR.predicted(POSTERIOR.u_from_theta(theta))
    np.testing.assert_allclose(idata.prior_predictive["mean_y"].sel(draw=i)[0], predicted)
    failed = sum(json.loads(idata.prior_predictive.attrs["failed_solves"]).values())
    assert failed + idata.prior_predictive.sizes["draw"] == 1000


def test_what_is_known(idata):
    known = idata.constant_data
    assert known["condition"].values.tolist() == [""] * 9 + ["fast"] * 8 + [""] * 4
    assert known["noise"].values[0].startswith("normal") and known["noise"].values[-1].startswith("lognormal")
    sigma = known["noise_sigma"].values
    assert np.isnan(sigma[:17]).all() and np.all(sigma[17:] == 0.05)


def test_arviz_computes_loo_pit_from_it(idata):
    pit = load_arviz().loo_pit(idata, y="y", y_hat="y")
    assert pit.shape == (21,) and pit.min() >= 0.0 and pit.max() <= 1.0 and pit.std() > 0.1


def test_adding_twice_replaces():
    idata = made()
    add_posterior_predictive(idata, POSTERIOR, DRAWS.z, cores=1)
    add_posterior_predictive(idata, POSTERIOR, DRAWS.z, cores=1)
    assert idata.groups().count("posterior_predictive") == 1


def test_a_draw_that_cannot_be_solved_again_is_an_error(monkeypatch):
    solve = ClosedForm.solve

    def unsolved(self, values, *how, **more):
        hopeless = {"hopeless": 1.0} if values["A0"] == POISONED else {}
        return solve(self, {**values, **hopeless}, *how, **more)

    monkeypatch.setattr(ClosedForm, "solve", unsolved)
    idata = made()
    with pytest.raises(FailedSolve, match="solver: no progress at t = 0"):
        complete(idata, POSTERIOR, DRAWS.z, cores=1)
    assert "prior_predictive" in idata.groups() and "posterior_predictive" not in idata.groups()


def test_a_measurement_that_cannot_be_drawn_is_missing(monkeypatch):
    def drawn(likelihood, prediction, rng):
        if prediction.theta["A0"] == POISONED:
            raise ValueError("lam value too large")
        return np.zeros(likelihood.size)

    monkeypatch.setattr("bnfhmc.report.predictive.new_measurements", drawn)
    idata = complete(made(), POSTERIOR, DRAWS.z, cores=1)
    assert np.isfinite(idata.log_likelihood["y"]).all()
    missing = np.isnan(idata.posterior_predictive["y"]).all("measurement").values
    assert missing.sum() == 1 and missing[1, 3]
