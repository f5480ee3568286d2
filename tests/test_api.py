"""The public Python: light to import, complete, and used as the documentation says."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

import bnfhmc
from bnfhmc import run as runs
from bnfhmc.errors import FailedSolve
from bnfhmc.report.inference_data import theta_of_draws
from tests.report.gaussian import Gaussian, draws
from tests.test_cli import modules_after

ROOT = Path(__file__).resolve().parents[1]


def test_the_version_is_that_of_the_package():
    assert bnfhmc.__version__ == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_every_public_name_is_there():
    assert set(bnfhmc.__all__) == set(bnfhmc._HOME) <= set(dir(bnfhmc))
    for name in set(bnfhmc.__all__) - bnfhmc._MODULES:
        assert getattr(bnfhmc, name).__name__.rpartition(".")[2] == name
    assert bnfhmc.plot.plot_forest  # a module, whose own name is another


def test_no_other_name():
    with pytest.raises(AttributeError, match="module 'bnfhmc' has no attribute 'sampel'"):
        _ = bnfhmc.sampel


def test_importing_the_package_is_light():
    assert not modules_after("import bnfhmc") & {"numpy", "scipy", "jax", "arviz", "pydantic", "typer", "bngsim"}
    heavy = {"jax", "arviz", "blackjax", "xarray", "matplotlib", "scipy.stats"}
    names = ("sample", "plot", "open_study", "Posterior", "Problem", "InputError")
    program = f"import bnfhmc; {', '.join(f'bnfhmc.{n}' for n in names)}"
    assert not modules_after(program) & heavy


def test_sample_hands_its_arguments_on(monkeypatch):
    asked = {}

    def sampler(posterior, **arguments):
        asked.update(arguments)
        return draws(posterior, num_samples=30, seed=2**70)

    monkeypatch.setitem(runs.METHODS, "nuts", sampler)
    posterior = Gaussian()
    idata = bnfhmc.sample(
        posterior, method="nuts", chains=2, num_warmup=7, num_samples=30, random_seed=9, target_accept=0.9, cores=3
    )
    assert asked == {
        "chains": 2, "num_warmup": 7, "num_samples": 30, "random_seed": 9, "target_accept": 0.9, "cores": 3,
        "progress": False, "start": "map",
    }  # fmt: skip
    z = idata.unconstrained_posterior["z"].values
    np.testing.assert_array_equal(idata.posterior["b"], theta_of_draws(posterior, z)[:, :, 0])
    assert idata.attrs["random_seed"] == str(2**70) and idata.attrs["sampling_method"] == "nuts"
    assert idata.posterior.attrs["inference_library"] == "bnfhmc" and "numpy" in idata.posterior.attrs["versions"]


def test_the_defaults(monkeypatch):
    asked = {}
    monkeypatch.setitem(runs.METHODS, "nuts", lambda posterior, **a: asked.update(a) or draws(posterior, num_samples=9))
    bnfhmc.sample(Gaussian())
    assert asked.pop("cores") >= 1
    assert asked == {
        "chains": 4, "num_warmup": 1000, "num_samples": 1000, "random_seed": None, "target_accept": 0.8,
        "progress": False, "start": "map",
    }  # fmt: skip


def test_an_unknown_method():
    with pytest.raises(ValueError, match="unknown method 'nutz'; did you mean 'nuts'?"):
        bnfhmc.sample(Gaussian(), method="nutz")
    with pytest.raises(ValueError, match="unknown method 'gibbs'; there is nuts"):
        bnfhmc.sample(Gaussian(), method="gibbs")


def test_a_draw_that_cannot_be_solved_again(monkeypatch):
    run = draws(Gaussian(), num_samples=9)
    monkeypatch.setitem(runs.METHODS, "nuts", lambda posterior, **_: run)
    with pytest.raises(FailedSolve, match="too many steps"):
        bnfhmc.sample(Gaussian(fails_at=theta_of_draws(Gaussian(), run.z)[0, 3]))


def test_nuts_finds_the_posterior():
    """The whole way with the real sampler, against quadrature."""
    posterior = Gaussian()
    idata = bnfhmc.sample(posterior, chains=2, num_warmup=300, num_samples=500, random_seed=7)
    b, a = np.meshgrid(np.linspace(1e-3, 5, 500), np.linspace(-5, 5, 500), indexing="ij")
    logp = np.array([posterior.log_prior(u) - posterior.loss(u) for u in np.stack([b.ravel(), a.ravel()], axis=1)])
    weight = np.exp(logp - logp.max()) / np.exp(logp - logp.max()).sum()
    u_b = np.log10(idata.posterior["b"].values)
    for found, grid in ((u_b, b), (idata.posterior["a"].values, a)):
        mean = weight @ grid.ravel()
        sd = np.sqrt(weight @ (grid.ravel() - mean) ** 2)
        assert abs(found.mean() - mean) < 5 * sd / np.sqrt(200)    # at least 200 effective draws
        assert found.std() == pytest.approx(sd, rel=0.2)
