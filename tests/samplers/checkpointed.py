"""A run that is slow enough to be killed, as a program: FOLDER KERNEL [resume]."""

import sys
import time
from pathlib import Path

import numpy as np

from bnfhmc.samplers.chains import run_chains
from bnfhmc.samplers.checkpoint import Checkpoint
from bnfhmc.samplers.methods import make_kernel
from tests.samplers.targets import CurvedGaussian, correlated

# Seconds of a solve with which a run takes some seconds.
PACE = {
    "nuts": 6e-3, "hmc": 1.2e-2, "mala": 2e-2, "fisher_mala": 2e-2, "rwm": 3e-3, "pcn": 3e-3, "ensemble": 1e-3,
    "blackjax": 3e-3,
}  # fmt: skip


class Slow(CurvedGaussian):
    """A normal density that takes its time, all clones alike."""

    pace = 0.0

    def evaluate(self, z):
        time.sleep(Slow.pace)
        return super().evaluate(z)


def run(folder, method, resume=False, num_samples=60, target=None):
    """A short run of three chains on two threads, kept in the folder."""
    engine = "blackjax" if method == "blackjax" else "own"
    options = {"sweeps": 1} if method == "ensemble" else {}
    kernel = make_kernel("nuts" if method == "blackjax" else method, engine, **options)
    return run_chains(
        kernel, target or Slow(correlated(3)), chains=3, num_warmup=120, num_samples=num_samples, random_seed=5, cores=2,
        check_gradient=False, checkpoint=Checkpoint(Path(folder), every=0.02), resume=resume,
    )  # fmt: skip


if __name__ == "__main__":
    Slow.pace = PACE[sys.argv[2]]
    draws = run(sys.argv[1], sys.argv[2], resume="resume" in sys.argv)
    np.savez(Path(sys.argv[1]) / "ended.npz", z=draws.z, warmup=draws.warmup.z, **draws.stats)
