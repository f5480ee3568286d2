"""A posterior as a target: one solve gives value, gradient and curvature, and they are what the posterior says itself."""

from pathlib import Path

import numpy as np
import pytest

import bnfhmc
from bnfhmc.samplers.curvature import Curved, CurvedEvaluation, Valued
from bnfhmc.samplers.posterior_target import CurvedPosterior, ValuedPosterior, as_target, prior_curvature
from tests.samplers.targets import Gaussian

ROOT = Path(__file__).resolve().parents[2]
BANANA = "edition = 2\nfit_type = nuts\nobjective = banana, a = 1, b = 5\n" + "".join(
    f"parameter: x{i}, prior: normal, mean: 0, sd: 2\n" for i in (1, 2)
)
DECAY = """edition = 2
fit_type = nuts
model: decay.net
experiment: d1, data: d1.exp
noise_model = normal, sigma = fit s
parameter: k, prior: uniform, parameter_scale: log10, lower: 0.01, upper: 10
parameter: A0, prior: normal, mean: 9, sd: 3, lower: 0, upper: inf
parameter: s, prior: half_cauchy, scale: 1
"""
NET = """begin parameters
    1 k   0.5
    2 A0  10
end parameters
begin species
    1 A() A0
end species
begin reactions
    1 1 0 k
end reactions
begin groups
    1 A 1
end groups
"""
CHAIN_NET = """begin parameters
    1 k1  0.8
    2 k2  0.3
end parameters
begin species
    1 A() 10
    2 B() 0
end species
begin reactions
    1 1 2 k1
    2 2 0 k2
end reactions
begin groups
    1 B 2
end groups
"""
CHAIN = """edition = 2
fit_type = nuts
model: chain.net
experiment: d1, data: d1.exp
noise_model = lnnormal, sigma = fit s
parameter: k1, prior: normal, parameter_scale: ln, mean: 0, sd: 0.5
parameter: k2, prior: normal, parameter_scale: ln, mean: -1, sd: 0.5
parameter: s, prior: normal, parameter_scale: ln, mean: -2, sd: 0.5
"""
TIMES = np.array([0.5, 1.0, 2.0, 3.0, 5.0, 8.0])
ERRORS = {0.5: 0.3, 1: -0.2, 2: 0.1, 4: 0.2}
DATA = "# time A\n" + "".join(f"{t} {10 * np.exp(-0.5 * t) + e}\n" for t, e in ERRORS.items())


@pytest.fixture(scope="module")
def decay(tmp_path_factory):
    folder = tmp_path_factory.mktemp("decay")
    (folder / "decay.net").write_text(NET)
    (folder / "d1.exp").write_text(DATA)
    (folder / "fit.conf").write_text(DECAY)
    return bnfhmc.Posterior(bnfhmc.load(folder / "fit.conf"))


@pytest.fixture
def places(decay):
    rng = np.random.default_rng(1)
    return [decay.sample_start(rng) for _ in range(4)]


def test_value_and_gradient_are_those_of_the_posterior(decay, places):
    target = as_target(decay)
    assert isinstance(target, CurvedPosterior) and isinstance(target, Curved) and isinstance(target, Valued)
    for z in places:
        ours, theirs = target.evaluate_curved(z), decay.evaluate(z)
        assert (ours.status, ours.logp) == ("ok", pytest.approx(theirs.logp, rel=1e-12))
        np.testing.assert_allclose(ours.grad, theirs.grad, rtol=1e-9)
        assert target.value(z).logp == pytest.approx(theirs.logp, rel=1e-6)


def test_the_information_is_that_of_the_posterior(decay, places):
    for z in places:
        to_z = decay.prior.du_dz(z)
        expected = decay.fisher(decay.u_from_z(z)) * np.outer(to_z, to_z)
        np.testing.assert_allclose(as_target(decay).evaluate_curved(z).curvature().information, expected, rtol=1e-9)


def test_the_curvature_is_that_of_the_point_however_late_it_is_asked_for(decay, places):
    target = as_target(decay)
    evaluated = [target.evaluate_curved(z) for z in places]
    at_once = [target.evaluate_curved(z).curvature() for z in places]
    for late, soon in zip([at.curvature() for at in evaluated], at_once, strict=True):
        np.testing.assert_array_equal(late.information, soon.information)
        np.testing.assert_array_equal(late.diagonal, soon.diagonal)


def test_the_curvature_of_the_prior_is_its_second_derivative(decay, places):
    """−∂²/∂z² of log prior and Jacobian, against second differences."""
    for z in places:
        H = prior_curvature(decay, z)
        for i, h in enumerate(np.eye(decay.dim) * 1e-3):

            def log_prior(z):
                return decay.log_prior(decay.u_from_z(z)) + decay.prior.log_du_dz(z)

            second = (log_prior(z + h) - 2 * log_prior(z) + log_prior(z - h)) / 1e-6
            assert H[i] == pytest.approx(-second, rel=1e-3, abs=1e-4)


def test_in_expectation_over_the_data_it_is_the_hessian(decay):
    """With many data on the model, −∂² log π/∂z² and the curvature agree but for second derivatives of the model."""
    z = decay.z_from_u(decay.u_from_theta({"k": 0.5, "A0": 10.0, "s": 0.2}))
    target = as_target(decay)
    curvature = target.evaluate_curved(z).curvature()
    H = curvature.information + np.diag(curvature.diagonal)
    numeric = np.array([(target.evaluate(z - h).grad - target.evaluate(z + h).grad) / 2e-4 for h in np.eye(3) * 1e-4])
    assert np.abs(H[:2, :2] - numeric[:2, :2]).max() < 0.15 * np.abs(numeric[:2, :2]).max()


def test_a_closed_form_objective_has_no_curvature(tmp_path):
    (tmp_path / "fit.conf").write_text(BANANA)
    posterior = bnfhmc.Posterior(bnfhmc.load(tmp_path / "fit.conf"))
    target = as_target(posterior)
    assert isinstance(target, ValuedPosterior) and not isinstance(target, Curved)
    z = np.array([0.3, -0.2])
    assert target.value(z).logp == pytest.approx(posterior.evaluate(z).logp)
    assert target.clone().evaluate(z).logp == posterior.evaluate(z).logp


def test_any_other_target_is_taken_as_it_is():
    target = Gaussian(np.eye(2))
    assert as_target(target) is target


class Unsolvable:
    """The posterior where nothing can be solved."""

    def __init__(self, of, kind):
        self.of, self.kind = of, kind

    def __call__(self, u, gradient=True):
        raise bnfhmc.FailedSolve(self.kind, "too many steps")


@pytest.mark.parametrize("kind", ["solver", "timeout"])
def test_a_failed_solve_keeps_its_kind(decay, places, kind, monkeypatch):
    target = as_target(decay)
    monkeypatch.setattr(decay, "solved", Unsolvable(decay, kind))
    for at in (target.evaluate_curved(places[0]), target.value(places[0])):
        assert (at.logp, at.status) == (-np.inf, kind) and not isinstance(at, CurvedEvaluation)


def test_clones_do_not_share_a_posterior(decay, places):
    target = as_target(decay)
    other = target.clone()
    assert other.posterior is not decay
    assert other.evaluate_curved(places[0]).logp == target.evaluate_curved(places[0]).logp


@pytest.fixture(scope="module")
def examples(decay, tmp_path_factory):
    """Influenza, a decay seen at four times, and a chain of two reactions seen with noise that is proportional."""
    folder = tmp_path_factory.mktemp("chain")
    (folder / "chain.net").write_text(CHAIN_NET)
    y = 10 * 0.8 / (0.8 - 0.3) * (np.exp(-0.3 * TIMES) - np.exp(-0.8 * TIMES))
    noisy = y * np.exp(0.1 * np.random.default_rng(4).standard_normal(len(TIMES)))
    (folder / "d1.exp").write_text("# time B\n" + "".join(f"{t} {v}\n" for t, v in zip(TIMES, noisy, strict=True)))
    (folder / "fit.conf").write_text(CHAIN)
    return {
        "influenza": bnfhmc.Posterior(bnfhmc.load(ROOT / "examples" / "influenza" / "influenza.conf")),
        "decay": decay,
        "chain": bnfhmc.Posterior(bnfhmc.load(folder / "fit.conf")),
    }


@pytest.fixture(scope="module")
def of_nuts(examples):
    return {name: draws_of(posterior, "nuts", 1500) for name, posterior in examples.items()}


@pytest.mark.slow
@pytest.mark.parametrize("example", ["influenza", "decay", "chain"])
@pytest.mark.parametrize("method", ["hmc", "mala", "fisher_mala", "rwm", "pcn", "ensemble", "blackjax", "nutpie"])
def test_every_kernel_finds_the_same_posterior(method, example, examples, of_nuts):
    """Means and sds beside those of NUTS, within five standard errors of both; ESS by batches of the chains."""
    posterior, of_nuts = examples[example], of_nuts[example]
    engine = method if method in ("blackjax", "nutpie") else None
    if engine == "nutpie":
        pytest.importorskip("nutpie", reason="nutpie is not installed")
    n = {"hmc": 1000, "mala": 4000, "fisher_mala": 4000, "rwm": 1500, "pcn": 1500, "ensemble": 300}.get(method, 1000)
    z = draws_of(posterior, "nuts" if engine else method, n, engine)
    for i in range(posterior.dim):
        mean = of_nuts[..., i].mean()
        for f in (lambda x: x, lambda x, m=mean: (x - m) ** 2):
            (a, se_a), (b, se_b) = mean_and_error(f(z[..., i])), mean_and_error(f(of_nuts[..., i]))
            assert abs(a - b) < 5 * np.hypot(se_a, se_b)


def draws_of(posterior, method, num_samples, engine=None):
    from bnfhmc import run as runs

    options = {} if engine is None else {"engine": engine}
    draws = runs.METHODS[method](
        posterior, progress=False, chains=4, num_warmup=500, num_samples=num_samples, target_accept=0.8, random_seed=3,
        **options,
    )  # fmt: skip
    return draws.z


def mean_and_error(x, batches=10):
    means = x[:, : x.shape[1] // batches * batches].reshape(len(x) * batches, -1).mean(axis=1)
    return means.mean(), means.std(ddof=1) / np.sqrt(means.size)
