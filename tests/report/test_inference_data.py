"""InferenceData: every group, and that it survives the way to the disk and back."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bnfhmc.errors import FailedSolve
from bnfhmc.report.inference_data import (
    ln_probability,
    log_likelihood,
    theta_of_draws,
    to_inference_data,
    to_netcdf_bytes,
)
from bnfhmc.report.quiet_arviz import load_arviz
from tests.report.gaussian import OBSERVED, TIMES, Gaussian, draws, problem

ROOT = Path(__file__).resolve().parents[2]
POSTERIOR = Gaussian()
DRAWS = draws(POSTERIOR, chains=3, num_samples=120, num_warmup=7, diverging=[(1, 4)])
ATTRS = {"random_seed": str(2**70), "inference_library": "bnfhmc"}


@pytest.fixture(scope="module")
def idata(tmp_path_factory):
    """Written, and read back as anybody would."""
    made = to_inference_data(POSTERIOR, DRAWS, loglik=log_likelihood(POSTERIOR, DRAWS.z, cores=2), attrs=ATTRS)
    path = tmp_path_factory.mktemp("nc") / "posterior.nc"
    path.write_bytes(to_netcdf_bytes(made))
    return load_arviz().from_netcdf(str(path))


def test_groups(idata):
    assert sorted(idata.groups()) == [
        "log_likelihood", "observed_data", "posterior", "sample_stats", "unconstrained_posterior", "warmup_posterior",
        "warmup_sample_stats",
    ]  # fmt: skip
    for group in (idata, *(idata[g] for g in idata.groups())):
        assert group.attrs["random_seed"] == "1180591620717411303424"


def test_the_posterior_is_in_theta(idata):
    assert list(idata.posterior.data_vars) == ["b", "a"]
    assert idata.posterior["b"].dims == ("chain", "draw")
    np.testing.assert_allclose(idata.posterior["b"], 10.0 ** np.exp(DRAWS.z[:, :, 0]), rtol=1e-14)
    np.testing.assert_array_equal(idata.posterior["a"], DRAWS.z[:, :, 1])
    np.testing.assert_allclose(idata.warmup_posterior["b"], 10.0 ** np.exp(DRAWS.warmup.z[:, :, 0]), rtol=1e-14)


def test_z_is_kept(idata):
    z = idata.unconstrained_posterior["z"]
    assert z.dims == ("chain", "draw", "parameter") and z.parameter.values.tolist() == ["b", "a"]
    np.testing.assert_array_equal(z, DRAWS.z)


def test_sample_stats(idata):
    assert sorted(idata.sample_stats.data_vars) == [
        "acceptance_rate", "diverging", "energy", "failed", "lp", "n_steps", "step_size", "tree_depth",
    ]  # fmt: skip
    assert idata.sample_stats["diverging"].dtype == bool and idata.sample_stats["diverging"].sum() == 1
    np.testing.assert_array_equal(idata.sample_stats["lp"], DRAWS.stats["lp"])
    assert idata.warmup_sample_stats["lp"].shape == (3, 7)


def test_measurements_are_labelled(idata):
    for group in (idata.log_likelihood, idata.observed_data):
        assert group["y"].dims[-1] == "measurement"
        assert group.experiment.values.tolist() == ["d1"] * 3 and group.observable.values.tolist() == ["y"] * 3
        np.testing.assert_array_equal(group.time, TIMES)
    np.testing.assert_array_equal(idata.observed_data["y"], OBSERVED)
    at = POSTERIOR.u_from_z(DRAWS.z[2, 119])
    np.testing.assert_array_equal(idata.log_likelihood["y"][2, 119], POSTERIOR.pointwise(at))


def test_arviz_computes_loo_from_it(idata):
    loo = load_arviz().loo(idata)
    assert loo.n_data_points == 3 and np.isfinite(loo.elpd_loo)


def test_the_log_likelihood_does_not_depend_on_the_cores():
    one, many = (log_likelihood(Gaussian(), DRAWS.z, cores) for cores in (1, 3))
    assert one.shape == (3, 120, 3)
    np.testing.assert_array_equal(one, many)


def test_each_thread_has_its_own_posterior():
    posterior = Gaussian()
    posterior.pointwise = None
    log_likelihood(posterior, DRAWS.z, cores=3)
    assert len(posterior.clones) == 3


def test_a_draw_that_cannot_be_solved_again_is_an_error():
    posterior = Gaussian(fails_at=theta_of_draws(POSTERIOR, DRAWS.z)[1, 60])
    with pytest.raises(FailedSolve, match="solver: too many steps"):
        log_likelihood(posterior, DRAWS.z, cores=2)
    assert "log_likelihood" not in to_inference_data(posterior, DRAWS, loglik=None, attrs={}).groups()


def test_ln_probability_has_no_jacobian():
    lp = ln_probability(POSTERIOR, DRAWS)
    u = POSTERIOR.u_from_z(DRAWS.z[1, 5])
    assert lp.shape == (3, 120)
    assert lp[1, 5] == pytest.approx(POSTERIOR.log_prior(u) - POSTERIOR.loss(u), rel=1e-12)


def test_no_warmup():
    groups = to_inference_data(POSTERIOR, draws(POSTERIOR, num_warmup=0), loglik=None, attrs={}).groups()
    assert "posterior" in groups and not any(g.startswith("warmup") for g in groups)


@pytest.mark.parametrize("names", [("chain", "draw"), ("a/b", "[red]\n"), (".", "é")])
def test_any_name_can_be_written(tmp_path, names):
    posterior = Gaussian(problem(names))
    made = to_inference_data(posterior, draws(posterior, num_samples=4), loglik=None, attrs={})
    (tmp_path / "p.nc").write_bytes(to_netcdf_bytes(made))
    back = load_arviz().from_netcdf(str(tmp_path / "p.nc"))
    assert tuple(v.attrs["parameter"] for v in back.posterior.data_vars.values()) == names
    assert tuple(back.unconstrained_posterior.parameter.values) == names


def test_arviz_is_imported_without_its_traps(tmp_path):
    """No notice, numba off, and an unwritable cache folder is no obstacle: arviz 0.23 writes there at import."""
    program = "from bnfhmc.report.quiet_arviz import load_arviz; print(load_arviz().Numba.numba_flag)"
    done = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", "-c", program], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "XDG_CACHE_HOME": "/dev/null/cache", "MPLCONFIGDIR": str(tmp_path)},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "False\n", "")


def test_numba_is_switched_off(monkeypatch):
    az = load_arviz()
    monkeypatch.setattr(az.Numba, "numba_flag", True)
    assert load_arviz().Numba.numba_flag is False


def test_units_and_descriptions_are_attributes():
    b, a = Gaussian().problem.parameters
    posterior = Gaussian(replace(problem(), parameters=(replace(b, unit="nM", description="the dose"), a)))
    found = to_inference_data(posterior, DRAWS, loglik=None, attrs=ATTRS)
    for group in (found.posterior, found.warmup_posterior):
        assert group["b"].attrs == {"parameter": "b", "scale": "log10", "units": "nM", "long_name": "the dose"}
        assert group["a"].attrs == {"parameter": "a", "scale": "lin"}
