"""Every kernel is reversible: from a draw of π itself, one step there is as probable as one back.

E[f(z) g(z′) − g(z) f(z′)] = 0 for any f and g where z ~ π, z′ ~ K(z, ·) and π(z) K(z, z′) is symmetric. The second stage of a
corrected transition rests on it.
"""

import numpy as np
import pytest

from bnfhmc.samplers.kernels.fisher_mala import FisherMala
from bnfhmc.samplers.kernels.hmc import Hmc, Mala
from bnfhmc.samplers.kernels.nuts import Nuts
from bnfhmc.samplers.kernels.pcn import Pcn
from bnfhmc.samplers.kernels.protocol import Point, Tuning
from bnfhmc.samplers.kernels.rwm import Rwm
from bnfhmc.samplers.metric import Metric
from tests.samplers import targets

STEPS = 3000
KERNELS = {
    "nuts": (Nuts(), 0.35), "nuts of depth 2": (Nuts(max_tree_depth=2), 0.3), "hmc": (Hmc(path_length=1.5), 0.5),
    "mala": (Mala(), 0.7), "fisher_mala": (FisherMala(), 0.9), "rwm": (Rwm(steps=3), 0.5),
    "pcn": (Pcn(steps=1), 0.8), "pcn of long steps": (Pcn(steps=1), 100.0),
}  # fmt: skip
PAIRS = (
    (lambda z: z[:, 0], lambda z: z[:, 1]), (lambda z: z[:, 0] ** 2, lambda z: z[:, 1]),
    (lambda z: z[:, 0] > 0.3, lambda z: z[:, 1] ** 2), (lambda z: z[:, 0] ** 3, lambda z: z[:, 0]),
)  # fmt: skip


def from_banana(rng):
    z1 = rng.standard_normal()
    return np.array([z1, 0.5 * z1**2 + 0.5 * rng.standard_normal()])


def from_cut(rng):
    while (z := rng.standard_normal(2))[0] > 0.5:
        pass
    return z


DENSITIES = {"banana": (targets.banana, from_banana), "cut": (targets.cut, from_cut)}


def worst(before, after):
    """The largest of the differences, in standard errors of independent pairs."""
    flows = [f(before) * g(after) - g(before) * f(after) for f, g in PAIRS]
    return max(abs(x.mean()) / (x.std(ddof=1) / np.sqrt(len(x))) for x in flows)


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("name", KERNELS)
def test_a_step_there_is_as_probable_as_one_back(name, density):
    (kernel, step_size), (make, draw) = KERNELS[name], DENSITIES[density]
    tuning = Tuning(step_size, Metric(np.array([0.9, 1.1])), center=np.array([0.3, -0.2]))
    target, rng = make(), np.random.default_rng(8)
    before, after = np.empty((STEPS, 2)), np.empty((STEPS, 2))
    for i in range(STEPS):
        point = Point.at(z := draw(rng), target.evaluate_curved(z))
        before[i], after[i] = z, kernel.step(rng, point, tuning, target.evaluate_curved)[0].z
    assert (before != after).any(axis=1).mean() > 0.2
    assert worst(before, after) < 4.8  # one false alarm in 150,000 for all four


def test_the_comparison_can_fail():
    """A turn leaves a round normal density as it is, and is not reversible."""
    z = np.random.default_rng(1).standard_normal((STEPS, 2))
    turned = z @ np.array([[np.cos(0.2), np.sin(0.2)], [-np.sin(0.2), np.cos(0.2)]])
    assert worst(z, turned) > 10.0
