"""Starts: spread over the prior, each the best of what can be solved, with its read-out at its best."""

from itertools import islice

import numpy as np
import pytest

from bnfhmc.errors import FailedSolve
from bnfhmc.model import Failure, FailureKind
from bnfhmc.optimizers.objective import Objective
from bnfhmc.optimizers.readout import Readout, readout_of
from bnfhmc.optimizers.starts import draws, no_start, screen
from bnfhmc.prior import Normal, Parameter, Uniform, make_parameter
from tests.optimizers import problems


def test_a_round_is_a_latin_hypercube_of_the_priors():
    parameters = [make_parameter("a", None, {}, "log10", 1e-3, 1e2),
                  make_parameter("b", "normal", {"mean": 1.0, "sd": 2.0}, "lin")]  # fmt: skip
    objective = Objective(parameters, lambda theta: 0.0)
    first, second = islice(draws(objective, 10, 3), 2)
    for u in (first, second):
        np.testing.assert_array_equal(np.sort((u[:, 0] + 3.0) // 0.5), np.arange(10))
        from_prior = np.array([parameters[1].prior.cdf(x) for x in u[:, 1]])
        np.testing.assert_array_equal(np.sort(from_prior * 10 // 1), np.arange(10))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(next(draws(objective, 10, 3)), first)


def test_a_start_density_and_a_search_space_take_the_place_of_the_prior():
    parameters = [Parameter("a", Normal(0.0, 1.0), start=Uniform(2.0, 2.5)), Parameter("b", Normal(0.0, 1.0))]
    objective = Objective(parameters, lambda theta: 0.0, search_space={"b": (4.0, 5.0)})
    u = next(draws(objective, 8, 0))
    assert np.all((u[:, 0] > 2.0) & (u[:, 0] < 2.5)) and np.all((u[:, 1] > 4.0) & (u[:, 1] < 5.0))


def test_failed_draws_are_replaced_and_counted_and_the_best_comes_first():
    rows = iter(np.array([[-1.0, 0.0], [0.0, 0.0], [-1.0, 0.0], [1.0, 0.5], [1.0, 1.0]]))
    found = screen(problems.holed(), rows, 2)
    np.testing.assert_array_equal([c.u for c in found.candidates], [[1.0, 0.5], [0.0, 0.0]])
    assert found.evaluations == 4 and dict(found.failures) == {"solver": 2}


def test_nothing_but_failures_ends_with_their_kinds():
    objective = Objective({"x": (0.0, 1.0)}, lambda theta: float("nan"))
    found = screen(objective, (u for u in np.full((1000, 1), 0.5)), 3)
    assert not found.candidates and found.evaluations == 103
    assert "all of 206 draws from the prior failed (206 nonfinite)" in str(no_start([found, found]))


def test_the_read_out_is_what_no_solution_depends_on():
    posterior = problems.scaled()
    readout = Readout(Objective.of(posterior))
    assert [posterior.names[i] for i in readout.index] == ["s", "b", "sd"]
    assert readout_of(Objective.of(problems.known_sigma())) is None
    assert readout_of(problems.rosenbrock()) is None


@pytest.mark.parametrize("sd0", [1e-4, 1e-2, 1.0, 1e2])
def test_a_noise_scale_is_its_root_mean_square_at_once(sd0):
    posterior = problems.estimated_sigma()
    objective = Objective.of(posterior)
    posterior.experiments[0].model.solves.clear()
    u, f = Readout(objective).improved(np.array([0.3, -1.0, np.log10(sd0)]))
    assert len(posterior.experiments[0].model.solves) == 1
    r = posterior.predicted(u) - posterior.problem.experiments[0].series[0].observed
    assert 10.0 ** u[2] == pytest.approx(np.sqrt(np.mean(r**2)), rel=0.05)
    assert f == pytest.approx(objective.value(u), rel=1e-12)
    np.testing.assert_array_equal(u[:2], [0.3, -1.0])


def test_scale_offset_and_noise_together():
    """The best s, b and σ at a wrong k: linear regression of the data on the prediction."""
    posterior = problems.scaled()
    u0 = np.array([0.0, 0.2, 2.0, -4.0, 1.0])
    u, _ = Readout(Objective.of(posterior)).improved(u0)
    y = np.exp(-(10.0**0.2) * problems.TIMES[1:])
    observed = posterior.problem.experiments[0].series[0].observed
    slope, offset = np.polyfit(y, observed, 1)
    rms = np.sqrt(np.mean((slope * y + offset - observed) ** 2))
    theta = posterior.theta_from_u(u)
    np.testing.assert_allclose(theta[2:], [slope, offset, rms], rtol=0.05)


def test_what_cannot_be_solved_cannot_be_improved(monkeypatch):
    posterior = problems.scaled()
    monkeypatch.setattr(type(posterior.experiments[0].model), "solve", lambda *a, **k: Failure(FailureKind.SOLVER, "no"))
    with pytest.raises(FailedSolve, match="solver"):
        Readout(Objective.of(posterior)).improved(np.zeros(5))
