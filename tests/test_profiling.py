"""Scales profiled out of the loss: the minimum over them, and the gradient of that minimum."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import bnfhmc
from bnfhmc.expression import parse
from bnfhmc.noise import NOISE_FAMILIES, Constant, Formula
from bnfhmc.prior import make_parameter
from bnfhmc.problem import Experiment, Problem, Series
from bnfhmc.profiling import ProfiledLoss

TIMES = np.array([0.0, 1.0, 2.0, 4.0])


@pytest.fixture
def posterior(network):
    def build(families, sources=None):
        """One experiment a family, all of one model, with σ `sd` shared by all of them unless `sources` says otherwise."""
        rng = np.random.default_rng(5)
        experiments = []
        for i, word in enumerate(families):
            noise = NOISE_FAMILIES[word]()
            name = noise.parameters[0]
            source = (sources or {}).get(i, Formula(parse("sd")))
            series = Series("A", parse("A"), np.arange(1, 4), rng.uniform(1, 3, 3), noise, {name: source})
            experiments.append(Experiment(f"e{i}", "chain", TIMES, (series,)))
        names = [("k1", "log10"), ("sd", "ln")]
        parameters = tuple(make_parameter(n, None, {}, scale, 0.01, 10.0) for n, scale in names)
        return bnfhmc.Posterior(Problem(parameters, {"chain": network("chain.net")}, tuple(experiments)))

    return build


@pytest.mark.parametrize("families", [["normal"], ["normal", "lognormal"], ["laplace", "ln_laplace"], ["lnnormal"]])
def test_the_profiled_loss_is_the_least_over_the_scale(posterior, families):
    p = posterior(families)
    profiled = ProfiledLoss(p)
    assert profiled.scales == ("sd",)
    u = p.u_from_theta({"k1": 0.6, "sd": 1.0})
    found = profiled(u)
    best = minimize_scalar(lambda ln_s: p.loss(np.array([u[0], ln_s])), bounds=(-4, 2), method="bounded",
                           options={"xatol": 1e-10})  # fmt: skip
    assert found.loss == pytest.approx(best.fun, rel=1e-7)
    assert np.log(found.scales["sd"]) == pytest.approx(best.x, abs=1e-5)
    assert profiled(np.array([u[0], -3.0])).loss == pytest.approx(found.loss, rel=1e-12)  # whatever u says of s
    h = 1e-4
    slope = (profiled(u + [h, 0]).loss - profiled(u - [h, 0]).loss) / (2 * h)
    assert found.grad[0] == pytest.approx(slope, rel=1e-5)
    assert found.grad[1] == 0.0


def test_what_else_there_is_keeps_its_loss(posterior):
    p = posterior(["normal", "normal"], {1: Constant(0.7)})
    alone, u = posterior(["normal"]), p.u_from_theta({"k1": 0.6, "sd": 1.0})
    found = ProfiledLoss(p)(u)
    sigma = found.scales["sd"]
    at_best = p.u_from_theta({"k1": 0.6, "sd": sigma})
    assert found.loss == pytest.approx(p.loss(at_best), rel=1e-7)
    assert sigma == pytest.approx(ProfiledLoss(alone)(u).scales["sd"], rel=1e-12)
    np.testing.assert_allclose(found.grad[0], p.loss_gradient(at_best)[0], rtol=1e-9)


@pytest.mark.parametrize(
    "families, sources",
    [
        (["student_t"], {}),  # no closed form
        (["normal", "laplace"], {}),  # one parameter, two closed forms
        (["normal", "normal"], {1: Formula(parse("2*sd"))}),  # not only a scale
        (["normal"], {0: Formula(parse("sd*k1"))}),
    ],
)
def test_a_scale_without_a_closed_form_stays(posterior, families, sources):
    assert ProfiledLoss(posterior(families, sources)).scales == ()
