"""The gradient check finds wrong gradients and lets right ones pass, noise or not."""

import re

import numpy as np
import pytest

from bnfhmc.errors import GradientMismatch
from bnfhmc.posterior import Evaluation
from bnfhmc.samplers.gradient_check import Verdict, check_gradient, compare_gradient
from tests.samplers.targets import Altered, Gaussian, correlated, failing

D = 4
T = np.linspace(0.0, 10.0, 30)


class Decay:
    """y = Σ exp(−10^k_i t) measured with a small error, far from the truth: log π from −10 to −10⁶, curved at every scale."""

    names = ("k1", "k2", "k3", "k4")

    def __init__(self, sigma=0.003):
        self.sigma = sigma
        self.observed = self.signal(np.array([-0.8, -0.3, 0.0, 0.3]))

    @staticmethod
    def signal(z):
        return np.exp(-np.outer(T, 10.0**z)).sum(axis=1)

    def evaluate(self, z):
        rate = 10.0**z
        J = -np.exp(-np.outer(T, rate)) * np.outer(T, rate) * np.log(10.0) / self.sigma
        rho = (self.signal(z) - self.observed) / self.sigma
        return Evaluation(float(-0.5 * rho @ rho - 0.5 * z @ z), -rho @ J - z, "ok")


def noisy(evaluate, relative, seed):
    """The same with log π off by a relative error, new at every point, and a gradient off by 100 times less than it may be."""
    rng = np.random.default_rng(seed)

    def solve(z):
        logp, grad, status = evaluate(z)
        return Evaluation(logp * (1.0 + relative * rng.standard_normal()), grad * (1.0 + 3e-5 * rng.standard_normal(D)), status)

    return solve


def scaled(evaluate, factor):
    """The same with a gradient off by these factors."""

    def solve(z):
        logp, grad, status = evaluate(z)
        return Evaluation(logp, grad * factor, status)

    return solve


def report(evaluate, z, *, names=Decay.names, scale=1.0, rtol=1e-8):
    return compare_gradient(evaluate, names, z, evaluate(z), scale=np.full(len(z), scale), rtol=rtol)


def points(n, seed=0):
    return np.random.default_rng(seed).uniform(-1.2, 0.7, size=(n, D))


def verdicts(make, n=60):
    """Verdicts by parameter at n points; `make(seed)` gives the evaluation."""
    return np.array([[s.verdict for s in report(make(i), z).slopes] for i, z in enumerate(points(n))])


def test_the_points_reach_far_from_the_mode():
    logp = [Decay().evaluate(z).logp for z in points(60)]
    assert min(logp) < -3e5
    assert max(logp) > -3e4


def test_a_right_gradient_passes():
    found = verdicts(lambda i: Decay().evaluate)
    assert np.mean(found == Verdict.OK) > 0.97
    assert not np.any(found == Verdict.MISMATCH)


@pytest.mark.parametrize("relative", [1e-9, 1e-7, 1e-6, 1e-5, 1e-4, 1e-2])
def test_solver_noise_never_condemns_a_right_gradient(relative):
    found = verdicts(lambda i: noisy(Decay().evaluate, relative, i))
    assert not np.any(found == Verdict.MISMATCH)
    confirmed = np.mean(found == Verdict.OK)
    assert confirmed > (0.9 if relative <= 1e-6 else 0.5 if relative <= 1e-4 else -1.0)


def test_noise_at_a_log_posterior_of_minus_a_million_never_condemns():
    target = Gaussian(correlated(D) * 1e-6)
    for i, z in enumerate(2.0 * np.random.default_rng(3).standard_normal((30, D))):
        assert target.evaluate(z).logp < -1e5
        found = report(noisy(target.evaluate, 1e-6, i), z, names=target.names)
        assert not found.named(Verdict.MISMATCH)
        assert len(found.named(Verdict.OK)) >= 3


@pytest.mark.parametrize("factor", [1.01, 0.99, 0.5, -1.0, 0.0, 1e3])
@pytest.mark.parametrize("relative", [0.0, 1e-8])
def test_one_wrong_column_is_found_and_no_other_is_blamed(factor, relative):
    wrong = np.array([1.0, factor, 1.0, 1.0])
    found = verdicts(lambda i: scaled(noisy(Decay().evaluate, relative, i), wrong), n=40)
    assert np.mean(found[:, 1] == Verdict.MISMATCH) > (0.8 if abs(factor - 1) < 0.02 else 0.95)
    assert not np.any(found[:, [0, 2, 3]] == Verdict.MISMATCH)


def test_two_swapped_columns_are_found():
    def swapped(z):
        logp, grad, status = Decay().evaluate(z)
        return Evaluation(logp, grad[[1, 0, 2, 3]], status)

    z = np.array([-1.0, 0.2, 0.1, 0.4])
    assert [s.name for s in report(swapped, z).named(Verdict.MISMATCH)] == ["k1", "k2"]


def test_noise_that_hides_the_slope_leaves_it_undecided():
    def shallow(z):
        return Evaluation(-1e6 + 0.01 * z[0] - 0.5e6 * z[1] ** 2, np.array([0.01, -1e6 * z[1]]), "ok")

    z, rng = np.array([0.0, 1.0]), np.random.default_rng(0)
    found = report(lambda z: shallow(z)._replace(logp=shallow(z).logp + rng.normal()), z, names=("a", "b"))
    assert [s.verdict for s in found.slopes] == [Verdict.UNDECIDED, Verdict.OK]
    assert found.slopes[0].error > 0.01


def test_a_parameter_without_effect_is_right_to_have_no_slope():
    found = report(
        lambda z: Evaluation(-0.5 * z[0] ** 2, np.array([-z[0], 0.0]), "ok"), np.ones(2), names=("a", "b"), rtol=1e-10
    )
    assert [s.verdict for s in found.slopes] == [Verdict.OK, Verdict.OK]


def test_a_jump_in_log_posterior_is_not_decided_by_a_quotient_that_steps_over_it():
    def jumps(z):
        return Evaluation(-0.5 * z @ z - 100.0 * (z[0] > 1.0), -z, "ok")

    assert report(jumps, np.ones(D)).slopes[0].verdict is not Verdict.OK


def test_wide_steps_that_agree_on_a_wrong_slope_do_not_outvote_the_narrow_ones():
    # The slope is 953 within 0.0003 of the point and about 200 on the average over anything wider.
    def bends(z):
        x, width = z[0], 3e-4
        slope = 953.0 - 750.0 * (x**4 + 3 * x**2 * width**2) / (x**2 + width**2) ** 2
        return Evaluation(-5e4 + 953.0 * x - 750.0 * x**3 / (x**2 + width**2), np.array([slope]), "ok")

    assert report(bends, np.zeros(1), names=("a",), rtol=1e-9).slopes[0].verdict is Verdict.UNDECIDED


def test_failed_solves_around_the_point_leave_it_undecided():
    at = np.full(D, 0.3)
    target = Altered(Gaussian(np.eye(D)), failing(lambda z: z[2] > 0.3))
    found = report(target.evaluate, at)
    assert [s.verdict for s in found.slopes] == [Verdict.OK, Verdict.OK, Verdict.UNDECIDED, Verdict.OK]


def test_failed_solves_at_wide_steps_leave_the_narrow_ones_to_decide():
    target = Altered(Gaussian(np.eye(D)), failing(lambda z: np.abs(z[2] - 0.3) > 0.02))
    assert not report(target.evaluate, np.full(D, 0.3), rtol=1e-12).named(Verdict.UNDECIDED)


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_the_unit_of_a_parameter_changes_nothing(unit):
    def rescaled(z):
        logp, grad, status = Decay().evaluate(z / unit)
        return Evaluation(logp, grad / unit, status)

    z = np.array([-1.0, 0.2, 0.1, 0.4])
    found = report(scaled(rescaled, np.array([1.0, 1.1, 1.0, 1.0])), z * unit, scale=unit)
    assert [s.verdict for s in found.slopes] == [Verdict.OK, Verdict.MISMATCH, Verdict.OK, Verdict.OK]


def test_the_check_costs_eight_solves_a_parameter_where_all_is_well():
    target = Gaussian(correlated(D))
    found = report(target.evaluate, np.array([3.0, 1.0, -2.0, 2.0]), names=target.names, rtol=1e-10)
    assert len(found.named(Verdict.OK)) == D
    assert len(target.counted) == 1 + 8 * D


def test_a_mismatch_names_chain_parameter_numbers_and_place():
    z = np.array([-1.0, 0.2, 0.1, 0.4])
    wrong = scaled(Decay().evaluate, np.array([1.0, 1.0, -1.0, 1.0]))
    slope = Decay().evaluate(z).grad[2]
    with pytest.raises(GradientMismatch) as caught:
        check_gradient(wrong, Decay.names, z, wrong(z), scale=np.ones(D), rtol=1e-8, chain=1)
    said = str(caught.value)
    assert said.startswith("chain 2: ")
    gradient, difference = re.search(r"for k3: gradient (\S+), central difference (\S+) ± ", said).groups()
    assert float(gradient) == pytest.approx(-slope, rel=1e-6)
    assert float(difference) == pytest.approx(slope, rel=1e-3)
    assert "1e-08" in said
    assert "k1 = -1, k2 = 0.2, k3 = 0.1, k4 = 0.4" in said
    assert said.count(": gradient ") == 1
