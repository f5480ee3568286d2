"""The leapfrog step: back to where it came from, no volume gained or lost, an energy error of second order."""

import numpy as np
import pytest

from bnfhmc.samplers.kernels.leapfrog import diverges, enter, leap, point_of, reversed_
from bnfhmc.samplers.kernels.protocol import Point, Tuning
from bnfhmc.samplers.metric import Metric
from tests.samplers import targets

METRICS = {
    "diagonal": Metric(np.array([0.5, 2.0])),
    "dense": Metric(np.array([[0.5, 0.0], [0.3, 2.0]])),
}


def at(target, z):
    return Point.at(np.asarray(z, dtype=float), target.evaluate(np.asarray(z, dtype=float)))


def run(target, z, r, tuning, steps):
    phase = enter(at(target, z), np.asarray(r, dtype=float), tuning)
    for _ in range(steps):
        phase = leap(phase, tuning, target.evaluate)
    return phase


def wrong():
    """A field that is the gradient of nothing, the same at every visit."""
    turned = np.array([[0.9, 0.4], [-0.4, 0.9]])
    return targets.Altered(targets.banana(), lambda z, at: at._replace(grad=turned @ at.grad + np.floor(3 * z)))


FIELDS = {"gradient": targets.banana, "another field": wrong}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("metric", METRICS)
def test_turned_round_it_comes_back(metric, field):
    target, tuning, z, r = FIELDS[field](), Tuning(0.07, METRICS[metric]), [0.3, -0.4], [1.1, -0.6]
    end = run(target, z, r, tuning, 40)
    assert np.abs(end.z - z).max() > 0.1
    back = reversed_(end)
    for _ in range(40):
        back = leap(back, tuning, target.evaluate)
    np.testing.assert_allclose(back.z, z, atol=1e-12)
    np.testing.assert_allclose(-back.r, r, atol=1e-12)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("metric", METRICS)
def test_it_keeps_the_volume_of_phase_space(metric, field):
    target, tuning, x, h = FIELDS[field](), Tuning(0.2, METRICS[metric]), np.array([0.3, -0.4, 1.1, -0.6]), 1e-6

    def flow(x):
        end = run(target, x[:2], x[2:], tuning, 5)
        return np.concatenate([end.z, end.r])

    J = np.stack([(flow(x + h * e) - flow(x - h * e)) / (2 * h) for e in np.eye(4)])
    assert np.linalg.det(J) == pytest.approx(1.0, abs=1e-7)


def test_the_energy_error_falls_with_the_square_of_the_step():
    target, z, r = targets.banana(), [0.3, -0.4], [1.1, -0.6]
    errors = []
    for step_size in (0.04, 0.02, 0.01, 0.005):
        tuning = Tuning(step_size, METRICS["dense"])
        first, last = enter(at(target, z), np.array(r), tuning), run(target, z, r, tuning, round(0.8 / step_size))
        errors.append(abs(last.energy - first.energy))
    np.testing.assert_allclose(np.log2(errors[:-1]) - np.log2(errors[1:]), 2.0, atol=0.1)


def test_a_metric_is_a_change_of_coordinates():
    """A step in z with the metric L Lᵀ is a plain step in q, z = L q."""
    target, L, z, r = targets.banana(), METRICS["dense"].root, np.array([0.3, -0.4]), np.array([1.1, -0.6])
    ours = run(target, z, r, Tuning(0.1, METRICS["dense"]), 7)
    q, p = np.linalg.solve(L, z), r
    for _ in range(7):
        p = p + 0.05 * L.T @ target.evaluate(L @ q).grad
        q = q + 0.1 * p
        p = p + 0.05 * L.T @ target.evaluate(L @ q).grad
    np.testing.assert_allclose(ours.z, L @ q, rtol=1e-12)
    np.testing.assert_allclose(ours.r, p, rtol=1e-12)


def test_the_start_is_not_evaluated_again_and_is_given_back_as_it_was():
    target = targets.Gaussian(np.eye(2))
    point = at(target, [1.0, 2.0])
    start = enter(point, np.ones(2), Tuning(0.1, METRICS["dense"]))
    assert point_of(start) is point
    leap(start, Tuning(0.1, METRICS["dense"]), target.evaluate)
    assert len(target.counted) == 2


@pytest.mark.parametrize(("energy", "said"), [(5.0, False), (1004.0, False), (1006.0, True), (np.inf, True), (np.nan, True)])
def test_what_diverges(energy, said):
    assert diverges(energy, 5.0) is said


def test_what_is_too_large_for_a_float_diverges_in_silence(recwarn):
    target = targets.Altered(targets.Gaussian(np.eye(2)), lambda z, at: at._replace(grad=np.full(2, 1e200)))
    phase = enter(at(targets.Gaussian(np.eye(2)), [1.0, 2.0]), np.ones(2), Tuning(0.1, METRICS["dense"]))
    assert diverges(leap(phase, Tuning(0.1, METRICS["dense"]), target.evaluate).energy, 0.0)
    assert not recwarn.list
