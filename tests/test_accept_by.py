"""Trajectories along gradients at a looser tolerance than the value, from a configuration: what they are, and the posterior."""

import numpy as np
import pytest

import bnfhmc
from bnfhmc import run as runs
from bnfhmc.report.quiet_arviz import load_arviz
from bnfhmc.samplers.posterior_target import as_target
from tests.samplers.targets import standard_errors_off

NET = """begin parameters
    1 a 1.0
    2 b 1.0
end parameters
begin species
    1 P() 1.5
    2 Q() 0.7
end species
begin reactions
    1 1 1,1 a
    2 1,2 2 b
    3 2 0 a
    4 1,2 1,2,2 b
end reactions
begin groups
    1 P 1
    2 Q 2
end groups
"""
CONF = """edition = 2
fit_type = {method}
model: prey.net{model}
experiment: d, data: d.exp
noise_model = lnnormal, sigma = fix_at 0.05
parameter: a, prior: normal, parameter_scale: ln, mean: 0, sd: 0.5
parameter: b, prior: normal, parameter_scale: ln, mean: 0, sd: 0.5
population_size = 4
num_warmup = 100
num_samples = 300
random_seed = 3
start = start.txt
"""
LOOSE = ", gradient_rtol: 1e-3, gradient_atol: 1e-3"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prey")
    (folder / "prey.net").write_text(NET)
    (folder / "start.txt").write_text("a b\n1 1\n")
    times = np.arange(1.0, 21.0)
    rows = "\n".join(f"{t:g} 1 1" for t in times)
    (folder / "d.exp").write_text(f"# time P Q\n{rows}\n")
    posterior = bnfhmc.Posterior(bnfhmc.load(written(folder)))
    u = posterior.u_from_theta({"a": 1.0, "b": 1.0})
    y = posterior.predicted(u).reshape(2, -1).T * np.exp(0.05 * np.random.default_rng(1).standard_normal((20, 2)))
    lines = "\n".join(f"{t:g} {p:.12g} {q:.12g}" for t, (p, q) in zip(times, y, strict=True))
    (folder / "d.exp").write_text(f"# time P Q\n{lines}\n")
    return folder


def written(folder, model="", method="nuts", more=""):
    path = folder / "fit.conf"
    path.write_text(CONF.format(model=model, method=method) + more)
    return path


def posterior(folder, *args):
    return bnfhmc.Posterior(bnfhmc.load(written(folder, *args)))


@pytest.fixture(scope="module")
def exact(folder):
    """Mean and sd of each z by a sum over a grid of values at the tight tolerance."""
    target = as_target(posterior(folder))
    z0 = target.posterior.z_from_u(target.posterior.u_from_theta({"a": 1.0, "b": 1.0}))
    line = np.linspace(-0.025, 0.025, 41)
    logp = np.array([[target.value(z0 + np.array([a, b])).logp for b in line] for a in line])
    weights = np.exp(logp - logp.max()) / np.exp(logp - logp.max()).sum()
    assert weights[[0, -1]].sum() + weights[:, [0, -1]].sum() < 1e-3
    out = []
    for i, of in enumerate((weights.sum(axis=1), weights.sum(axis=0))):
        mean = of @ line
        out.append((z0[i] + mean, np.sqrt(of @ (line - mean) ** 2)))
    return out


def off(z, exact):
    """How far means and variances are from those of the grid, in Monte Carlo standard errors."""
    wrong = []
    for i, (mean, sd) in enumerate(exact):
        wrong += [standard_errors_off(z[..., i], mean), standard_errors_off((z[..., i] - mean) ** 2, sd**2)]
    return np.abs(wrong)


def sampled(folder, out, *args):
    runs.run(bnfhmc.load(written(folder, *args)), out, quiet=True)
    return load_arviz().from_netcdf(str(out / "posterior.nc"))


@pytest.mark.parametrize("method", [pytest.param("nuts", marks=pytest.mark.slow), "hmc"])
def test_the_posterior_is_that_of_the_tight_tolerance(folder, exact, tmp_path, method):
    idata = sampled(folder, tmp_path / "out", LOOSE, method, "accept_by = value\n")
    z = idata.unconstrained_posterior["z"].values
    assert off(z, exact).max() < 5.0  # one false alarm in 300,000 each
    target = as_target(posterior(folder, LOOSE))
    assert idata.sample_stats["lp"].values[2, 7] == pytest.approx(target.value(z[2, 7]).logp, rel=1e-12)


def test_without_the_accurate_value_it_is_that_of_the_loose_one(folder, exact, tmp_path):
    idata = sampled(folder, tmp_path / "out", LOOSE, "hmc")
    assert off(idata.unconstrained_posterior["z"].values, exact).max() > 6.0


def test_the_loose_field_is_a_function_of_the_point_alone(folder):
    """Whatever was solved before, and on whichever copy: the same bits, which a reversible trajectory takes for granted."""
    first = as_target(posterior(folder, LOOSE))
    z0 = first.posterior.z_from_u(first.posterior.u_from_theta({"a": 1.0, "b": 1.0}))
    points = z0 + 0.01 * np.random.default_rng(2).standard_normal((6, 2))
    seen = [first.evaluate(z) for z in points]
    other = first.clone()
    for z in points[::-1]:
        other.value(z)
        other.evaluate(z + 1.0)
    again = [other.evaluate(z) for z in points[::-1]][::-1]
    curved = [first.evaluate_curved(z) for z in points]
    for a, b, c in zip(seen, again, curved, strict=True):
        assert a.logp == b.logp and a.logp == pytest.approx(c.logp, rel=1e-14)
        np.testing.assert_array_equal(a.grad, b.grad)
    loose, tight = np.array([a.logp for a in seen]), np.array([first.value(z).logp for z in points])
    assert np.abs(loose - tight).max() > 0.1


def test_the_argument_of_python_is_the_key_of_a_configuration(folder, tmp_path):
    options = {"chains": 2, "num_warmup": 30, "num_samples": 20, "random_seed": 1}
    own = posterior(folder, LOOSE)
    options["starts"] = [own.u_from_theta({"a": 1.0, "b": 1.0})]
    both = [bnfhmc.sample(own, "hmc", accept_by=by, **options).posterior["a"].values for by in ("value", "gradient", None)]
    assert not np.array_equal(both[0], both[1])
    np.testing.assert_array_equal(both[1], both[2])
    problem = bnfhmc.load(written(folder, LOOSE, "hmc", "accept_by = value\n"))
    assert problem.settings.accept_by == "value"
