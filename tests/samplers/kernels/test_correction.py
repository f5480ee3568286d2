"""Draws accepted by an accurate value after trajectories along a field that is wrong, but the same at every visit."""

import numpy as np
import pytest

from bnfhmc.errors import InputError
from bnfhmc.posterior import Evaluation
from bnfhmc.samplers.chains import run_chains
from bnfhmc.samplers.checkpoint import Checkpoint
from bnfhmc.samplers.curvature import Curvature, CurvedEvaluation
from bnfhmc.samplers.kernels.correction import corrected
from bnfhmc.samplers.kernels.protocol import Point, Tuning
from bnfhmc.samplers.kernels.rwm import Rwm
from bnfhmc.samplers.methods import make_kernel
from bnfhmc.samplers.metric import Metric
from tests.samplers.targets import Gaussian, standard_errors_off

METHODS = ("nuts", "hmc", "mala", "fisher_mala")
TURNED = np.array([[0.9, 0.3], [-0.3, 0.9]])  # times a gradient: a field that is the gradient of nothing


class Approximate:
    """Normal(0, 1) × Normal(0, 1) by its value alone; values beside gradients are off by up to 0.5, and the gradients turned.

    `fails(z)`: where the value alone cannot be had.
    """

    dim, names = 2, ("a", "b")

    def __init__(self, fails=lambda z: False):
        self.fails, self.values = fails, 0

    def evaluate(self, z):
        return Evaluation(float(-0.5 * z @ z + 0.5 * np.tanh(2.0 * z[0])), -TURNED @ z, "ok")

    def evaluate_curved(self, z):
        return CurvedEvaluation(*self.evaluate(z), lambda: Curvature(np.eye(2), np.zeros(2)))

    def value(self, z):
        self.values += 1
        if self.fails(z):
            return Evaluation(-np.inf, np.empty(0), "solver")
        return Evaluation(float(-0.5 * z @ z), np.empty(0), "ok")

    def sample_start(self, rng):
        return rng.standard_normal(2)

    def clone(self):
        return self


def run(target, method, accept_by="value", **options):
    number = {"mala": 2500, "fisher_mala": 1500}.get(method, 800)
    # No warm-up: where values and field do not belong together no step size, however small, would be accepted as asked for.
    tuned = [Tuning(1.0 if "mala" in method else 0.6, Metric(np.ones(2)))]
    settings = {"random_seed": 3, "num_warmup": 0, "num_samples": number, "check_gradient": False, "tuned": tuned} | options
    kernel = make_kernel("nuts", "blackjax") if method == "blackjax" else make_kernel(method)
    return run_chains(kernel, target, accept_by=accept_by, **settings)


def off(draws):
    z = draws.z
    statistics = {"mean": (z[..., 0], 0.0), "square": (z[..., 0] ** 2, 1.0), "above": ((z[..., 0] > 0.5) + 0.0, 0.3085375),
                  "other": (z[..., 1] ** 2, 1.0), "product": (z[..., 0] * z[..., 1], 0.0)}  # fmt: skip
    return {name: abs(standard_errors_off(values, expected)) for name, (values, expected) in statistics.items()}


@pytest.mark.parametrize("method", METHODS)
def test_a_wrong_field_and_wrong_values_leave_the_density_of_the_accurate_value(method):
    draws = run(Approximate(), method)
    assert max(off(draws).values()) < 5.0  # one false alarm in 300,000 each


def test_without_the_correction_it_is_another_density():
    uncorrected = off(run(Approximate(), "hmc", accept_by="gradient"))
    assert uncorrected["mean"] > 5.0 and uncorrected["above"] > 5.0


@pytest.mark.slow
def test_and_so_through_another_engine():
    assert max(off(run(Approximate(), "blackjax", num_samples=400)).values()) < 5.0


def test_it_is_in_detailed_balance():
    """π(x) K̃(x, y) a(x, y) = π(y) K̃(y, x) a(y, x) for Metropolis K̃ of π̃ over five states."""
    rng = np.random.default_rng(0)
    right, approximate = rng.standard_normal((2, 5))

    def state(i):
        return Point(np.array([float(i)]), approximate[i], np.empty(0), value=right[i])

    flow = np.zeros((5, 5))
    for i in range(5):
        for j in set(range(5)) - {i}:
            proposed = state(j)._replace(value=None)
            _, kept = corrected(rng, state(i), proposed, lambda z: Evaluation(right[int(z[0])], np.empty(0), "ok"))
            flow[i, j] = np.exp(right[i]) * 0.25 * min(1.0, np.exp(approximate[j] - approximate[i])) * kept
    np.testing.assert_allclose(flow, flow.T, rtol=1e-12)
    assert len(np.unique(flow.round(12))) > 5


def test_what_is_kept_is_kept_with_its_probability():
    rng, point, kept = np.random.default_rng(1), Point(np.zeros(1), 0.0, np.empty(0), value=0.0), 0
    for _ in range(4000):
        proposed = Point(np.ones(1), 0.0, np.empty(0))
        after, probability = corrected(rng, point, proposed, lambda z: Evaluation(-0.5, np.empty(0), "ok"))
        assert probability == pytest.approx(np.exp(-0.5))
        assert after is point or after.value == -0.5
        kept += after is not point
    assert abs(kept / 4000 - np.exp(-0.5)) < 5 * np.sqrt(0.25 / 4000)


@pytest.mark.parametrize("method", ["nuts", "hmc", "mala"])
def test_a_point_whose_value_fails_is_rejected_and_the_rest_is_as_it_should_be(method):
    draws = run(Approximate(lambda z: z[1] > 0.5), method, starts=[np.array([0.0, -1.0])])
    z, below, phi = draws.z, 0.6914624612740131, 0.3520653267642995
    assert z[..., 1].max() <= 0.5
    assert all(set(chain.sampling.failures) == {"solver"} for chain in draws.chains)
    assert draws.stats["failed"].sum() == sum(chain.sampling.failures["solver"] for chain in draws.chains)
    for values, expected in ((z[..., 1], -phi / below), (z[..., 1] ** 2, 1 - 0.5 * phi / below), (z[..., 0], 0.0)):
        assert abs(standard_errors_off(values, expected)) < 5.0


def test_a_draw_costs_one_value_and_tells_it():
    target = Approximate()
    draws = run(target, "nuts", chains=2, num_samples=100, num_warmup=50, tuned=())
    np.testing.assert_allclose(draws.stats["lp"], -0.5 * (draws.z**2).sum(axis=-1), rtol=1e-14)
    counted = [t for chain in draws.chains for t in (chain.starting, chain.warmup, chain.sampling)]
    assert target.values == sum(t.values for t in counted)
    assert all(95 <= chain.sampling.values <= 100 for chain in draws.chains)


def test_the_acceptance_is_that_of_both_stages():
    both, one = (run(Approximate(), "hmc", accept_by=by).stats["acceptance_rate"].mean() for by in ("value", "gradient"))
    assert both < one - 0.03


def test_a_run_that_is_stopped_goes_on_to_the_very_draws(tmp_path):
    options = {"chains": 2, "num_warmup": 40, "tuned": ()}
    whole = run(Approximate(), "nuts", num_samples=50, **options)
    run(Approximate(), "nuts", num_samples=20, checkpoint=Checkpoint(tmp_path), **options)
    more = run(Approximate(), "nuts", num_samples=50, checkpoint=Checkpoint(tmp_path), resume=True, **options)
    np.testing.assert_array_equal(more.z, whole.z)
    np.testing.assert_array_equal(more.stats["lp"], whole.stats["lp"])
    with pytest.raises(InputError, match="accept_by = value, and not None"):
        run(Approximate(), "nuts", "gradient", num_samples=60, checkpoint=Checkpoint(tmp_path), resume=True, **options)


def test_what_cannot_be_accepted_by_a_value_is_refused():
    with pytest.raises(ValueError, match="accept_by = 'value': this target has no value alone"):
        run(Gaussian(np.eye(2)), "nuts")
    with pytest.raises(ValueError, match="accept_by = 'value': Rwm asks for values alone"):
        run_chains(Rwm(), Approximate(), accept_by="value")
    with pytest.raises(ValueError, match="accept_by = 'energy': gradient or value"):
        run(Approximate(), "nuts", accept_by="energy")


def test_a_start_without_a_value_is_said():
    with pytest.raises(RuntimeError, match=r"chain 1: its start .* fails without \(solver\)"):
        run(Approximate(lambda z: True), "nuts", chains=1)
