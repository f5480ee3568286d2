"""Where chains start once the modes are known."""

import json

import numpy as np
import pytest

from bnfhmc.errors import InputError
from bnfhmc.optimizers import map_starts, optimize, points_of, spread
from bnfhmc.optimizers.result import plain
from tests.optimizers import problems


def test_chains_are_spread_as_the_posterior_is_wide():
    posterior = problems.known_sigma()
    found = map_starts(posterior, 400, starts=3, random_seed=1)
    H = found.fit.laplace.covariance
    assert np.all(np.abs(found.u.mean(axis=0) - found.fit.u) < 4 * np.sqrt(np.diag(H) / 400))
    np.testing.assert_allclose(np.cov(found.u.T), H, rtol=0.35, atol=0.1 * np.sqrt(np.outer(np.diag(H), np.diag(H))).max())
    assert found.basin == (0,) * 400
    np.testing.assert_allclose([posterior.u_from_z(z) for z in found.z[:5]], found.u[:5])


def test_the_metric_is_the_curvature_of_the_density_in_z():
    posterior = problems.known_sigma()
    found = map_starts(posterior, 4, starts=3, random_seed=1)
    np.testing.assert_allclose(found.inverse_mass_matrix @ found.information, np.eye(2), atol=1e-8)
    z = posterior.z_from_u(found.fit.u)
    step = 1e-4
    hess = np.array([(posterior.evaluate(z - step * e).grad - posterior.evaluate(z + step * e).grad) / (2 * step)
                     for e in np.eye(2)])  # fmt: skip
    np.testing.assert_allclose(found.information, hess, rtol=0.2, atol=0.1 * np.abs(hess).max())


def test_the_same_seed_gives_the_same_starts_on_any_number_of_cores():
    one, two = (map_starts(problems.estimated_sigma(), 4, starts=4, random_seed=3, cores=c) for c in (1, 2))
    np.testing.assert_array_equal(one.z, two.z)


def test_every_basin_that_carries_mass_has_chains_and_no_other():
    posterior = two_modes()
    high, low = np.array([np.log10(0.5)]), np.array([np.log10(2.0)])
    found = spread(posterior, [high, low], 4, random_seed=1)
    assert found.basin == (0, 1, 0, 1)
    assert np.all(np.abs(found.u[0::2] - high) < 0.3) and np.all(np.abs(found.u[1::2] - low) < 0.3)
    hopeless = spread(posterior, [high, np.array([0.9])], 3, random_seed=1)
    assert hopeless.basin == (0, 0, 0)


def two_modes():
    """(log10 k)² is measured, so that k and 1/k fit alike."""
    from bnfhmc.expression import parse
    from bnfhmc.noise import Constant, Normal
    from bnfhmc.posterior import Posterior
    from bnfhmc.prior import make_parameter
    from bnfhmc.problem import Experiment, Problem, Series
    from tests.conftest import ClosedForm

    model = ClosedForm({"y": lambda m, t: np.log10(m["k"]) ** 2}, {"k": 1.0})
    times = np.array([0.0, 1.0])
    measured = Series("y", parse("y"), np.array([1]), np.array([np.log10(2.0) ** 2]), Normal(), {"sigma": Constant(0.01)})
    parameters = (make_parameter("k", None, {}, "log10", 0.1, 10.0),)
    return Posterior(Problem(parameters, {"m": model}, (Experiment("e", "m", times, (measured,)),)))


def test_no_start_is_at_a_bound_where_z_is_infinite():
    posterior = problems.scaled()
    lower, upper = posterior.prior.support
    corner = np.array(lower, dtype=float)
    corner[0], corner[-1] = np.log10(3.0), 1.0
    found = spread(posterior, [corner], 3, random_seed=1)
    assert np.isfinite(found.z).all()
    assert np.all((found.u > lower) & (found.u < upper))


def test_the_points_of_a_file(tmp_path):
    posterior = problems.known_sigma()
    fit = optimize(posterior, starts=3, random_seed=1)
    (tmp_path / "map.json").write_text(fit.to_json())
    for path in (tmp_path, tmp_path / "map.json"):
        np.testing.assert_allclose(points_of(path, posterior), [b.u for b in fit.basins])
    (tmp_path / "map.json").write_text(json.dumps(plain({"status": "unfinished", "theta": fit.theta})))
    np.testing.assert_allclose(points_of(tmp_path, posterior), [fit.u])


@pytest.mark.parametrize(("text", "said"), [
    (None, "there is no such file to start from; name the map.json of a fit"),
    ("{", "is no map.json of a fit"),
    ("[1]", "is no map.json of a fit"),
    ('{"theta": {"A0": 1.0, "kk": 1.0}}', "a start names 'kk', which is no parameter; did you mean 'k'"),
    ('{"theta": {"A0": 1.0, "k": 1e9}}', "the start 1e\\+09 lies outside of"),
])  # fmt: skip
def test_a_file_that_is_none(tmp_path, text, said):
    if text is not None:
        (tmp_path / "map.json").write_text(text)
    with pytest.raises(InputError, match=said):
        points_of(tmp_path / "map.json", problems.known_sigma())
