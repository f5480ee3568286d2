"""Starts: drawn again until one can be solved, the reasons kept, nothing shared between chains."""

import numpy as np
import pytest

from bnfhmc.posterior import Evaluation
from bnfhmc.samplers.starts import NoStart, draw_start, prior_spread, stream
from tests.samplers.targets import Altered, Gaussian, failing

NORMAL = Gaussian(np.eye(2))


def start(change, seed=0, **options):
    rng = np.random.default_rng(seed)
    return draw_start(NORMAL.sample_start, Altered(NORMAL, change).evaluate, rng, chain=2, **options)


def test_a_start_that_can_be_solved_is_kept():
    found = start(lambda z, evaluation: evaluation)
    np.testing.assert_array_equal(found.z, NORMAL.sample_start(np.random.default_rng(0)))
    assert found.evaluation.logp == NORMAL.evaluate(found.z).logp
    assert found.redrawn == ()


def test_a_start_that_fails_is_drawn_again_and_the_reasons_are_kept_in_order():
    kinds = iter(["solver", "timeout", "solver", "ok"])

    def change(z, evaluation):
        kind = next(kinds)
        return evaluation if kind == "ok" else Evaluation(-np.inf, np.zeros_like(z), kind)

    found = start(change)
    assert found.redrawn == ("solver", "timeout", "solver")
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(found.z, [NORMAL.sample_start(rng) for _ in range(4)][-1])


def test_no_start_at_all_says_how_the_draws_failed():
    kinds = iter(["timeout"] * 30 + ["solver"] * 70)
    with pytest.raises(NoStart, match=r"^chain 3: .*all of 100 draws from the prior failed \(70 solver, 30 timeout\); narrow"):
        start(lambda z, _: Evaluation(-np.inf, np.zeros_like(z), next(kinds)))


def test_the_number_of_tries_is_the_one_asked_for():
    tried = []
    with pytest.raises(NoStart, match="all of 7 draws"):
        start(failing(lambda z: tried.append(z) or True), tries=7)
    assert len(tried) == 7


def test_streams_differ_by_seed_chain_and_purpose_and_by_nothing_else():
    first = {
        (seed, chain, purpose): float(stream(seed, chain, purpose).random())
        for seed in (0, 1)
        for chain in (0, 1, 2)
        for purpose in (0, 1)
    }
    assert len(set(first.values())) == len(first)
    assert stream(1, 2, 0).random() == first[1, 2, 0]


def test_the_spread_of_the_prior_in_each_parameter_s_unit():
    wide = Altered(Gaussian(np.eye(3)), None, start=lambda rng: rng.standard_normal(3) * [1e-6, 1.0, 1e6])
    np.testing.assert_allclose(prior_spread(wide) / [1e-6, 1.0, 1e6], 1.0, rtol=0.3)


def test_a_heavy_tail_does_not_stretch_the_spread():
    cauchy = Altered(Gaussian(np.eye(1)), None, start=lambda rng: rng.standard_cauchy(1))
    assert prior_spread(cauchy)[0] < 4.0


def test_starts_that_do_not_vary_have_unit_spread():
    fixed = Altered(Gaussian(np.eye(2)), None, start=lambda rng: np.array([3.0, rng.normal()]))
    assert prior_spread(fixed)[0] == 1.0
