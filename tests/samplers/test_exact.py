"""The draws of every kernel are a function of the seed: not of cores, of starts that are looked for, nor of a time limit."""

import numpy as np
import pytest

from bnfhmc.samplers.chains import run_chains
from bnfhmc.samplers.checkpoint import Checkpoint
from bnfhmc.samplers.methods import make_kernel
from tests.samplers.targets import CurvedGaussian, correlated

METHODS = ("nuts", "hmc", "mala", "fisher_mala", "rwm", "pcn", "ensemble")


def run(method, target=None, **options):
    kernel = make_kernel(method, **({"sweeps": 1} if method == "ensemble" else {}))
    settings = {"random_seed": 5, "chains": 3, "num_warmup": 60, "num_samples": 40, "check_gradient": False} | options
    return run_chains(kernel, target or CurvedGaussian(correlated(3), mean=[1.0, 2.0, 3.0]), **settings)


def same(a, b):
    np.testing.assert_array_equal(a.z, b.z)
    np.testing.assert_array_equal(a.warmup.z, b.warmup.z)
    for name in a.stats.keys() - {"seconds"}:  # what a draw takes, no run repeats
        np.testing.assert_array_equal(a.stats[name], b.stats[name])


@pytest.mark.parametrize("start", ["prior", "map"])
@pytest.mark.parametrize("method", METHODS)
def test_the_number_of_cores_changes_no_bit(method, start):
    one = run(method, start=start, cores=1)
    same(run(method, start=start, cores=3), one)
    assert not np.array_equal(run(method, start=start, random_seed=6, cores=3).z, one.z)


@pytest.mark.parametrize("method", METHODS)
def test_a_run_in_slices_of_time_ends_with_the_very_draws(tmp_path, method, ticking):
    options = {"checkpoint": Checkpoint(tmp_path, every=1e9), "num_samples": 300, "cores": 2}
    slices, draws = 0, None
    while draws is None or draws.ended:
        try:
            draws = run(method, time_limit=0.4, resume=slices > 0, **options)
        except TimeoutError:  # within the warm-up
            assert draws is None
        slices += 1
        assert slices < 1000
    assert slices > 3
    same(draws, run(method, num_samples=300))
