"""Whole runs: known targets, seeds, cores, failures, exceptions, and what is left of each."""

import os
import re
import signal
import threading
import time

import numpy as np
import pytest

from bnfhmc.errors import GradientMismatch
from bnfhmc.samplers.chains import run_chains
from bnfhmc.samplers.kernels.ensemble import Ensemble
from bnfhmc.samplers.kernels.fisher_mala import FisherMala
from bnfhmc.samplers.kernels.hmc import Hmc
from bnfhmc.samplers.kernels.nuts import Nuts
from bnfhmc.samplers.kernels.protocol import Tuning
from bnfhmc.samplers.methods import make_kernel
from bnfhmc.samplers.metric import Metric
from bnfhmc.samplers.starts import NoStart
from tests.samplers.targets import (
    Altered,
    ClosedForm,
    CurvedGaussian,
    Gaussian,
    LogExponential,
    correlated,
    failing,
    ill_conditioned,
    standard_errors_off,
)

# Each comparison of a moment is allowed five standard errors: one false alarm in 300,000.
ALLOWED = 5.0


def run_nuts(target, *, target_accept=0.8, max_tree_depth=10, **settings):
    """A run of NUTS on our own engine."""
    return run_chains(make_kernel("nuts", target_accept=target_accept, max_tree_depth=max_tree_depth), target, **settings)


def within(values, expected):
    return abs(standard_errors_off(values, expected)) < ALLOWED


@pytest.fixture(scope="module")
def gaussian():
    """A run on three correlated parameters, and the target that counted its evaluations."""
    target = Gaussian(correlated(3), mean=[1.0, -2.0, 300.0])
    return target, run_nuts(target, random_seed=1, num_warmup=300, num_samples=700)


def test_moments_of_a_correlated_gaussian(gaussian):
    target, draws = gaussian
    r = draws.z - target.mean
    for i in range(3):
        assert within(r[..., i], 0.0)
        for j in range(i + 1):
            assert within(r[..., i] * r[..., j], target.cov[i, j])
    assert within(draws.stats["lp"], -1.5)


def test_the_moments_can_fail(gaussian):
    target, draws = gaussian
    assert not within(draws.z[..., 0] - target.mean[0], 0.2)
    assert not within((draws.z[..., 0] - target.mean[0]) ** 2, 1.3 * target.cov[0, 0])


def test_what_a_run_leaves_has_its_shapes(gaussian):
    target, draws = gaussian
    assert draws.names == tuple(target.names)
    assert draws.z.shape == (4, 700, 3)
    least = min(chain.num_warmup for chain in draws.chains)
    assert 50 < least < 300 and draws.warmup.z.shape == (4, least, 3)
    for stats, shape in ((draws.stats, (4, 700)), (draws.warmup.stats, (4, least))):
        assert {name: values.shape for name, values in stats.items()} == dict.fromkeys(
            ["lp", "diverging", "energy", "tree_depth", "n_steps", "step_size", "acceptance_rate", "failed", "seconds",
             "solver_steps"], shape
        )
    assert [chain.inverse_mass_matrix.shape for chain in draws.chains] == [(3, 3)] * 4
    assert draws.metric == "dense"


class Stepping(Gaussian):
    """A normal density whose every gradient takes seven steps of a solver."""

    solver_steps = 0

    def evaluate(self, z):
        self.solver_steps += 7
        return super().evaluate(z)

    def clone(self):
        return Stepping(self.cov)


def test_each_draw_has_its_seconds_and_the_steps_of_the_solver(gaussian):
    draws = run_nuts(Stepping(np.eye(2)), chains=2, num_warmup=50, num_samples=30, random_seed=1)
    np.testing.assert_array_equal(draws.stats["solver_steps"], 7 * draws.stats["n_steps"])
    assert np.isnan(gaussian[1].stats["solver_steps"]).all()  # of a target that has no solver
    for run in (draws, gaussian[1]):
        assert (run.stats["seconds"] > 0).all()
        for seconds, chain in zip(run.stats["seconds"], run.chains, strict=True):
            assert seconds.sum() < chain.sampling_seconds


def test_stats_belong_to_their_draws(gaussian):
    target, draws = gaussian
    for chain, draw in ((0, 0), (1, 350), (3, 699)):
        assert draws.stats["lp"][chain, draw] == target.evaluate(draws.z[chain, draw]).logp
    stats = draws.stats
    assert (stats["energy"] > -stats["lp"]).mean() > 0.9  # the kinetic energy is positive but for its constant
    assert (stats["n_steps"] < 2 ** stats["tree_depth"]).all()
    assert np.all((stats["acceptance_rate"] >= 0) & (stats["acceptance_rate"] <= 1))
    np.testing.assert_array_equal(stats["step_size"], np.repeat([[c.step_size] for c in draws.chains], 700, axis=1))
    assert not stats["diverging"].any()


def test_the_warmup_reaches_the_target_and_the_metric(gaussian):
    target, draws = gaussian
    assert 0.75 < draws.stats["acceptance_rate"].mean() < 0.95
    for chain in draws.chains:
        np.testing.assert_allclose(chain.inverse_mass_matrix, target.cov, rtol=0.8)
    assert np.unique(draws.warmup.stats["step_size"][0]).size > 50


def test_every_solve_is_counted_once(gaussian):
    target, draws = gaussian
    for c, chain in enumerate(draws.chains):
        assert chain.sampling.gradients == draws.stats["n_steps"][c].sum()
        last = draws.warmup.stats["n_steps"][c].sum()
        assert last + 3 * 2 <= chain.warmup.gradients  # the search for a step size after each window takes two at least
        assert 1 + 3 * 8 <= chain.starting.gradients <= 1 + 3 * 20
        assert chain.warmup_seconds > 0
        assert chain.sampling_seconds > 0


def test_the_counts_of_all_chains_are_the_calls_of_the_target():
    target = Gaussian(correlated(3))
    draws = run_nuts(target, random_seed=2, chains=3, num_warmup=40, num_samples=10)
    tallies = [t.gradients for chain in draws.chains for t in (chain.starting, chain.warmup, chain.sampling)]
    assert len(target.counted) == sum(tallies)


def test_starts_are_spread_and_where_the_chains_begin(gaussian):
    _, draws = gaussian
    starts = np.array([chain.start for chain in draws.chains])
    assert np.all(np.ptp(starts, axis=0) > 0.5)
    assert all(chain.redrawn == () for chain in draws.chains)


def test_a_skewed_density_on_the_half_line():
    draws = run_nuts(LogExponential(), random_seed=3, num_warmup=300, num_samples=1000)
    u = np.exp(draws.z[..., 0])
    assert within(u, 1.0)
    assert within(u**2, 2.0)
    assert within(draws.z[..., 0], -np.euler_gamma)


def test_failing_solves_leave_the_density_restricted_to_the_rest():
    # Normal(0, 1) cut at 1: mean −φ(1)/Φ(1), second moment 1 − φ(1)/Φ(1), P(z > 0) = (Φ(1) − ½)/Φ(1).
    target = Altered(Gaussian(np.eye(1)), failing(lambda z: z[0] > 1.0))
    draws = run_nuts(target, random_seed=4, num_warmup=300, num_samples=1500)
    z, ratio, below = draws.z[..., 0], 0.2419707245 / 0.8413447461, 0.8413447461
    assert z.max() <= 1.0
    assert within(z, -ratio)
    assert within(z**2, 1.0 - ratio)
    assert within((z > 0.0).astype(float), (below - 0.5) / below)
    assert within((z > 0.9).astype(float), 0.0254004 / below)


def test_failures_are_counted_by_kind_beside_the_divergences():
    def change(z, evaluation):
        return failing(lambda z: z[0] > 1.0, "timeout" if z[1] > 0 else "solver")(z, evaluation)

    draws = run_nuts(Altered(Gaussian(np.eye(2)), change), random_seed=5, chains=2, num_warmup=150, num_samples=300)
    for c, chain in enumerate(draws.chains):
        assert set(chain.sampling.failures) == set(chain.warmup.failures) == {"solver", "timeout"}
        assert sum(chain.sampling.failures.values()) == draws.stats["failed"][c].sum()
        assert sum(chain.warmup.failures.values()) >= draws.warmup.stats["failed"][c].sum()
    np.testing.assert_array_equal(draws.stats["failed"] > 0, draws.stats["diverging"])
    assert draws.stats["failed"].max() == 1


def same(a, b):
    """Whether two runs are equal bit for bit in everything but their clocks."""
    np.testing.assert_array_equal(a.z, b.z)
    np.testing.assert_array_equal(a.warmup.z, b.warmup.z)
    for name in a.stats.keys() - {"seconds"}:
        np.testing.assert_array_equal(a.stats[name], b.stats[name])
        np.testing.assert_array_equal(a.warmup.stats[name], b.warmup.stats[name])
    for one, other in zip(a.chains, b.chains, strict=True):
        np.testing.assert_array_equal(one.inverse_mass_matrix, other.inverse_mass_matrix)
        assert (one.starting, one.warmup, one.sampling, one.step_size) == (
            other.starting,
            other.warmup,
            other.sampling,
            other.step_size,
        )


def short(**options):
    settings = {"random_seed": 7, "chains": 3, "num_warmup": 60, "num_samples": 40} | options
    return run_nuts(Altered(Gaussian(correlated(3)), failing(lambda z: z[0] > 1.5)), **settings)


@pytest.fixture(scope="module")
def one_core():
    return short(cores=1)


@pytest.mark.parametrize("cores", [2, 3, 8, None])
def test_the_number_of_cores_changes_no_bit(one_core, cores):
    same(one_core, short(cores=cores))


def test_a_chain_does_not_depend_on_how_many_run_beside_it(one_core):
    np.testing.assert_array_equal(short(chains=1).z[0], one_core.z[0])


def test_the_gradient_check_changes_no_draw(one_core):
    unchecked = short(check_gradient=False)
    np.testing.assert_array_equal(unchecked.z, one_core.z)
    assert all(chain.gradient_check is None for chain in unchecked.chains)
    assert all(len(chain.gradient_check.slopes) == 3 for chain in one_core.chains)


def test_seeds_and_chains_differ(one_core):
    assert not np.array_equal(short(random_seed=8).z, one_core.z)
    assert not np.array_equal(one_core.z[0], one_core.z[1])


def test_without_a_seed_one_is_drawn_and_repeats_the_run():
    drawn = short(random_seed=None, chains=1)
    assert drawn.random_seed != short(random_seed=None, chains=1, num_samples=1).random_seed
    same(drawn, short(random_seed=drawn.random_seed, chains=1))


@pytest.mark.parametrize("num_warmup", [0, 1, 3, 10, 20, 50])
def test_a_short_warmup_or_none(num_warmup):
    draws = run_nuts(Gaussian(np.eye(3)), random_seed=1, chains=2, num_warmup=num_warmup, num_samples=50)
    assert draws.warmup.z.shape == (2, num_warmup, 3)
    assert draws.stats["acceptance_rate"].mean() > 0.3
    assert np.isfinite(draws.z).all()


@pytest.mark.parametrize("metric", ["diagonal", "dense"])
def test_the_metric_that_is_asked_for(metric):
    draws = run_nuts(
        Gaussian(np.diag([1e-8, 1.0, 1e8])), random_seed=1, chains=2, num_warmup=150, num_samples=50, metric=metric
    )
    assert draws.metric == metric
    for chain in draws.chains:
        assert chain.inverse_mass_matrix.ndim == (2 if metric == "dense" else 1)
        learnt = np.diag(chain.inverse_mass_matrix) if metric == "dense" else chain.inverse_mass_matrix
        assert np.all(np.abs(np.log10(learnt / [1e-8, 1.0, 1e8])) < 1.0)
    assert draws.stats["tree_depth"].mean() < 4


def test_the_depth_of_a_trajectory_is_bounded():
    draws = short(max_tree_depth=2, chains=1)
    assert draws.stats["tree_depth"].max() == 2
    assert draws.stats["n_steps"].max() == 3


@pytest.mark.parametrize("kernel", [Hmc(path_length=40.0), Nuts()])
def test_trajectories_are_short_until_the_warmup_has_settled(kernel):
    target = Gaussian(correlated(3, rho=0.99999))  # no diagonal metric fits it
    made = run_chains(kernel, target, chains=1, num_warmup=40, num_samples=10, metric="diagonal", random_seed=1, cores=1)
    learning, settled = np.split(made.warmup.stats["n_steps"][0], [30])  # the last quarter tunes the step size alone
    assert 0 < learning.max() <= 63 < max(settled.max(), made.stats["n_steps"].max())


def test_a_dense_metric_makes_a_correlated_target_as_cheap_as_a_round_one():
    cov = correlated(3, rho=0.9999)
    cost = {
        metric: run_nuts(Gaussian(cov), random_seed=1, chains=1, num_warmup=150, num_samples=50, metric=metric)
        .stats["n_steps"]
        .mean()
        for metric in ("dense", "diagonal")
    }
    assert cost["dense"] < 8
    assert cost["diagonal"] > 5 * cost["dense"]


class OutOfReach(Exception):
    """An exception that nobody else knows."""


@pytest.mark.parametrize("after", [0, 30, 300])
def test_an_exception_of_the_target_reaches_the_caller_as_it_is(after):
    error, calls = OutOfReach("species X is not in the model"), []

    def change(z, evaluation):
        calls.append(z)
        if len(calls) > after:
            raise error
        return evaluation

    with pytest.raises(OutOfReach) as caught:
        run_nuts(Altered(Gaussian(np.eye(3)), change), random_seed=1, num_warmup=200, num_samples=200, cores=2)
    assert caught.value is error
    assert len(calls) <= after + 4  # each chain meets it at its next solve


def test_one_chain_that_raises_is_reported_and_the_others_go_on():
    class Mortal(Altered):
        """Its second clone dies at its hundredth solve."""

        clones = 0

        def clone(self):
            Mortal.clones += 1
            left = iter(range(100))

            def change(z, evaluation):
                if next(left, None) is None:
                    raise OutOfReach("species X is not in the model")
                return evaluation

            return Altered(self.target, change if Mortal.clones == 2 else self.change)

    target = Mortal(Gaussian(np.eye(3)), lambda z, evaluation: evaluation)
    draws = run_nuts(target, random_seed=7, chains=3, num_warmup=60, num_samples=40, cores=2, check_gradient=False)
    assert draws.died == {1: "OutOfReach: species X is not in the model"}
    whole = run_nuts(Gaussian(np.eye(3)), random_seed=7, chains=3, num_warmup=60, num_samples=40, check_gradient=False)
    np.testing.assert_array_equal(draws.z, whole.z[[0, 2]])
    assert whole.died == {} and len(draws.chains) == 2


def interrupt_at(after, calls):
    """SIGINT to this process at a call; those after it wait a little each, so that few are made before it is heard."""
    if len(calls) == after:
        os.kill(os.getpid(), signal.SIGINT)
    elif len(calls) > after:
        time.sleep(1e-3)


def test_an_interrupt_stops_all_chains():
    calls = []

    def change(z, evaluation):
        calls.append(z)
        interrupt_at(200, calls)
        return evaluation

    with pytest.raises(KeyboardInterrupt):
        run_nuts(Altered(Gaussian(np.eye(3)), change), random_seed=1, num_warmup=50_000, num_samples=5000, cores=2)
    assert len(calls) < 5000
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("chain")]


def interrupting(after):
    """A target that interrupts the process at a solve."""
    calls = []

    def change(z, evaluation):
        calls.append(z)
        interrupt_at(after, calls)
        return evaluation

    return Altered(Gaussian(np.eye(3)), change), calls


def test_an_interrupt_keeps_the_draws_there_are():
    target, calls = interrupting(20_000)
    draws = run_nuts(target, random_seed=1, chains=2, num_warmup=60, num_samples=100_000, cores=2, check_gradient=False)
    assert draws.ended == "interrupted" and len(calls) < 30_000
    made = draws.z.shape[1]
    assert 500 < made < 10_000
    whole = run_nuts(Gaussian(np.eye(3)), random_seed=1, chains=2, num_warmup=60, num_samples=made, check_gradient=False)
    np.testing.assert_array_equal(draws.z, whole.z)
    np.testing.assert_array_equal(draws.stats["lp"], whole.stats["lp"])


def test_a_time_limit_ends_a_run_with_what_there_is(ticking):
    limited = run_nuts(Gaussian(np.eye(3)), random_seed=1, chains=3, num_warmup=60, num_samples=10**6, time_limit=3.0, cores=2)
    assert limited.ended == "out of time"
    made = limited.z.shape[1]
    whole = run_nuts(Gaussian(np.eye(3)), random_seed=1, chains=3, num_warmup=60, num_samples=50)
    assert made >= 50  # a chain takes turns with the others
    np.testing.assert_array_equal(limited.z[:, :50], whole.z)


def test_a_time_limit_within_the_warmup_is_said():
    with pytest.raises(TimeoutError, match="before any chain had left its warm-up"):
        run_nuts(Altered(Gaussian(np.eye(3)), slow), random_seed=1, num_warmup=500, time_limit=0.2, check_gradient=False)


def slow(z, evaluation):
    time.sleep(0.01)
    return evaluation


def test_chains_start_where_they_are_told():
    starts = [np.array([1.0, 2.0, 3.0]), np.array([-1.0, 0.0, 1.0])]
    draws = run_nuts(Gaussian(np.eye(3)), random_seed=1, chains=3, num_warmup=20, num_samples=5, starts=starts)
    np.testing.assert_array_equal([chain.start for chain in draws.chains], [starts[0], starts[1], starts[0]])


def test_a_start_that_cannot_be_solved_is_refused():
    target = Altered(Gaussian(np.eye(3)), failing(lambda z: z[0] > 0))
    with pytest.raises(NoStart, match=r"chain \d: the start that was given fails \(solver\)"):
        run_nuts(target, random_seed=1, starts=[np.ones(3)])


def test_what_one_run_has_learnt_can_be_given_to_the_next():
    target = Gaussian(correlated(3))
    first = run_nuts(target, random_seed=1, num_warmup=300, num_samples=5)
    tuned = [Tuning(c.step_size, Metric.from_inverse_mass(c.inverse_mass_matrix)) for c in first.chains]
    second = run_nuts(target, random_seed=2, num_warmup=0, num_samples=200, tuned=tuned)
    assert [c.step_size for c in second.chains] == [c.step_size for c in first.chains]
    for one, other in zip(first.chains, second.chains, strict=True):
        np.testing.assert_allclose(other.inverse_mass_matrix, one.inverse_mass_matrix, rtol=1e-12)
    assert 0.7 < second.stats["acceptance_rate"].mean() < 0.95


def test_a_target_that_tells_its_curvature_needs_less_to_learn():
    curved, cost = ill_conditioned(12), {}
    plain = ClosedForm(12, curved.logp_and_grad)
    for name, target in (("curved", curved), ("plain", plain)):
        draws = run_nuts(target, random_seed=3, num_samples=5, check_gradient=False)
        cost[name] = sum(chain.warmup.gradients for chain in draws.chains)
    assert cost["curved"] < 0.5 * cost["plain"]


def test_a_kernel_that_needs_the_information_is_refused_without():
    with pytest.raises(ValueError, match="FisherMala needs the Fisher information"):
        run_chains(FisherMala(), Gaussian(np.eye(3)))


def test_the_walkers_of_an_ensemble_are_chains():
    options = {"random_seed": 1, "chains": 2, "num_warmup": 3, "num_samples": 5}
    draws = run_chains(Ensemble(number=8, sweeps=1), CurvedGaussian(np.eye(3)), **options)
    assert draws.z.shape == (16, 5, 3) and draws.stats["lp"].shape == (16, 5)
    assert draws.warmup.z.shape == (16, 3, 3) and len(draws.chains) == 2
    assert draws.stats["lp"][9, 4] == CurvedGaussian(np.eye(3)).value(draws.z[9, 4]).logp


def test_a_wrong_gradient_stops_the_run_before_the_first_draw():
    calls = []

    def change(z, evaluation):
        calls.append(z)
        return evaluation._replace(grad=evaluation.grad * [1.0, 1.01, 1.0])

    with pytest.raises(GradientMismatch, match=r"chain \d: .* for k2: gradient "):
        run_nuts(Altered(Gaussian(np.eye(3)), change), random_seed=1, rtol=1e-10)
    assert len(calls) <= 4 * (1 + 3 * 20)


def test_starts_that_fail_are_drawn_again_and_the_reasons_are_kept():
    target = Altered(Gaussian(np.eye(3)), failing(lambda z: z[0] < 2.0, "outside"))
    draws = run_nuts(target, random_seed=1, num_warmup=20, num_samples=5, check_gradient=False)
    assert all(chain.start[0] >= 2.0 for chain in draws.chains)
    assert all(set(chain.redrawn) <= {"outside"} for chain in draws.chains)
    assert sum(len(chain.redrawn) for chain in draws.chains) > 4
    for chain in draws.chains:
        assert chain.starting.failures == ({"outside": len(chain.redrawn)} if chain.redrawn else {})


def test_no_start_is_said_in_words():
    with pytest.raises(NoStart, match=r"chain \d: .*100 solver"):
        run_nuts(Altered(Gaussian(np.eye(3)), failing(lambda z: True)), random_seed=1)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("chains", 0),
        ("num_warmup", -1),
        ("num_samples", 0),
        ("target_accept", 1.0),
        ("target_accept", 0.0),
        ("max_tree_depth", 0),
        ("metric", "low-rank"),
        ("cores", 0),
        ("random_seed", -1),
    ],
)
def test_an_option_outside_its_domain_is_named(option, value):
    with pytest.raises(ValueError, match=re.escape(f"{option} = {value!r}")):
        run_nuts(Gaussian(np.eye(3)), **{option: value})


def test_all_wrong_options_are_named_at_once():
    with pytest.raises(ValueError, match="chains = 0.*; num_samples = 0"):
        run_nuts(Gaussian(np.eye(3)), chains=0, num_samples=0)


def test_a_target_without_parameters_is_refused():
    empty = Altered(Gaussian(np.eye(1)), None)
    empty.dim, empty.names = 0, []
    with pytest.raises(ValueError, match="no parameter to sample"):
        run_nuts(empty)


def test_a_run_prints_nothing_of_its_own(capfd):
    short(chains=1)
    assert capfd.readouterr() == ("", "")


def test_chains_start_around_modes_that_are_found_elsewhere_or_climbed_to():
    target = CurvedGaussian(correlated(3), mean=[10.0, 20.0, 30.0])
    options = {"random_seed": 1, "chains": 3, "num_warmup": 20, "num_samples": 5, "start": "map"}
    asked = []

    def near_modes(seed):
        asked.append(seed)
        return [np.array([10.1, 20.2, 29.9])], 7

    given = run_chains(make_kernel("nuts"), target, near_modes=near_modes, **options)
    assert asked == [1] and 7 < given.search.gradients < 20 and given.search.modes == pytest.approx([0.0], abs=0.01)
    assert all(target.evaluate(chain.start).logp > -40.0 for chain in given.chains)
    climbed = run_chains(make_kernel("nuts"), target, **options)
    assert climbed.search.gradients > 8 and climbed.search.modes == pytest.approx([0.0], abs=0.01)
    assert all(target.evaluate(chain.start).logp > -40.0 for chain in climbed.chains)
    assert len({chain.start[0] for chain in climbed.chains}) == 3
