"""Where chains start: what a configuration says of the multistart reaches it, and modes at the ends of a prior are left."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

import bnfhmc
from bnfhmc.posterior import Posterior
from bnfhmc.problem import Optimization, Settings
from bnfhmc.samplers.chains import run_chains
from bnfhmc.samplers.methods import make_kernel
from bnfhmc.samplers.posterior_target import as_target
from bnfhmc.sampling import _inside, near_modes
from tests.optimizers import problems


def test_the_multistart_of_a_sampler_is_run_as_the_configuration_says(monkeypatch):
    asked = {}

    def optimize(posterior, **given):
        asked.update(given)
        raise RuntimeError("enough")

    monkeypatch.setattr("bnfhmc.optimizers.optimize", optimize)
    said = Optimization(starts=3, draws=5, tolerance=1e-3, max_evaluations=70, search_space={"k": (0.1, 0.9)})
    posterior = Posterior(replace(problems.known_sigma().problem, settings=Settings(optimization=said)))
    with pytest.raises(RuntimeError, match="enough"):
        near_modes(posterior, 1, print)(4)
    assert asked == {
        "starts": 3, "draws": 5, "tolerance": 1e-3, "max_evaluations": 70, "search_space": {"k": (0.1, 0.9)},
        "random_seed": 4, "cores": 1,
    }  # fmt: skip


def test_points_near_the_modes_are_the_basins_of_the_multistart():
    posterior = problems.known_sigma()
    kept = []
    points, gradients = near_modes(posterior, 1, lambda said: None, kept.append)(1)
    fit = bnfhmc.optimize(posterior, random_seed=1)
    np.testing.assert_allclose(posterior.u_from_z(points[0]), fit.u, rtol=1e-6)
    assert gradients == fit.gradients > 0
    np.testing.assert_array_equal(kept[0].u, fit.u)


@pytest.mark.parametrize("random_seed", [1, None])
def test_a_pilot_and_its_run_find_the_modes_once(monkeypatch, random_seed):
    original, seeds = bnfhmc.optimizers.optimize, []

    def optimize(posterior, **given):
        seeds.append(given["random_seed"])
        return original(posterior, **given)

    monkeypatch.setattr("bnfhmc.optimizers.optimize", optimize)
    monkeypatch.setattr("bnfhmc.samplers.pilot.WARMUP", 40)
    monkeypatch.setattr("bnfhmc.samplers.pilot.DRAWS", 20)
    lengths = {"chains": 2, "num_warmup": 30, "num_samples": 5}
    idata = bnfhmc.sample(problems.known_sigma(), "auto", **lengths, random_seed=random_seed, cores=1)
    assert len(seeds) == 1 and (random_seed is None or seeds == [1])
    assert idata.posterior.sizes["draw"] == 5


def test_a_mode_at_the_end_of_a_prior_is_moved_to_where_the_density_has_a_slope():
    posterior = problems.known_sigma()
    lo, hi = posterior.prior.support
    bounded = np.isfinite(lo) & np.isfinite(hi)
    assert bounded.any() and not bounded.all()
    u = np.where(bounded, lo, posterior.prior.quantile(np.full(len(lo), 0.5)))
    z = _inside(posterior, u)
    assert np.all(np.abs(z) < 50) and np.allclose(posterior.u_from_z(z)[~bounded], u[~bounded])


def test_the_modes_are_looked_for_ahead_of_the_display():
    """A display has a thread, beside which nothing can be forked."""
    shown, found = [], []

    class Display:
        @contextmanager
        def watching(self, rows):
            shown.append(list(found))
            yield

    def near(seed):
        found.append((seed, len(shown)))
        return [], 0

    target = as_target(problems.known_sigma())
    run_chains(make_kernel("rwm"), target, chains=2, num_warmup=30, num_samples=5, random_seed=3, cores=1, start="map",
               near_modes=near, progress=Display())  # fmt: skip
    assert found == [(3, 0)] and shown == [[(3, 0)]]
    run_chains(make_kernel("rwm"), target, chains=2, num_warmup=30, num_samples=5, random_seed=3, cores=1, near_modes=near)
    assert len(found) == 1  # not where the chains start from the prior
