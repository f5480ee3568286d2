"""The matrix: noise family × location × source of each noise parameter × chain of transforms, on a closed-form model.

Every cell that can be combined is there. Its loss and its densities are worked out again from scipy's laws and from the
definitions (`tests.matrix.combinations`); every derivative is held against difference quotients.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bnfhmc.errors import FailedSolve
from tests.matrix.combinations import CHAINS, NOISE, SOURCES, THETA, Cell, all_sources, kinds, make, posterior_of


def cells(noise: str, chain: str) -> list[Cell]:
    return [make(noise, sources, chain, seed=i) for i, sources in enumerate(all_sources(NOISE[noise].model))]


def assert_cell(cell: Cell, quotient, posterior=None, step=2e-4, tolerance=2e-7, digits=1e-9) -> None:
    """All there is to know of a cell, at its θ; `digits` of the values, `tolerance` of the derivatives."""
    posterior = posterior or cell.posterior()
    theta, where = cell.theta, f"{cell.noise} {cell.sources} {cell.chain}"
    u = posterior.u_from_theta(cell.free)
    if not cell.possible(theta):
        assert_refused_at(posterior, u, where)
        return
    densities = cell.log_densities(theta)
    loss = posterior.loss(u)
    if cell.predictions(theta).min() <= 0 and not cell.case.kernel:
        digits = 1e-6  # scipy loses some of them where a mean is almost zero
    np.testing.assert_allclose(posterior.predicted(u), cell.predictions(theta), rtol=digits, atol=digits, err_msg=where)
    np.testing.assert_allclose(posterior.pointwise(u), densities, rtol=10 * digits, atol=10 * digits, err_msg=where)
    by_hand = -densities.sum() - cell.dropped(theta)
    assert np.isfinite(loss) and loss == pytest.approx(by_hand, rel=10 * digits, abs=10 * digits), where
    gradient, expected = posterior.loss_gradient(u), quotient(posterior.loss, u, step)
    floor = tolerance * max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(gradient, expected, rtol=tolerance, atol=floor, err_msg=where)
    assert_residuals(cell, posterior, u, (loss, gradient), quotient, (step, 5 * tolerance, digits), where)
    F = posterior.fisher(u)
    np.testing.assert_allclose(F, F.T, rtol=1e-12, atol=1e-12, err_msg=where)
    assert np.linalg.eigvalsh(F).min() > -1e-9 * max(1.0, np.linalg.eigvalsh(F).max()), where


def assert_residuals(cell, posterior, u, value, quotient, steps, where) -> None:
    """ρ and J where the family has them: exact least squares where every noise parameter is known, and else not said to be."""
    (loss, gradient), (step, tolerance, digits) = value, steps
    known = all(kind in ("number", "file") for kind in cell.sources.values())
    assert posterior.least_squares == (cell.model.least_squares and known), where
    if not cell.model.least_squares:
        with pytest.raises(TypeError, match="least-squares"):
            posterior.residuals(u)
        return
    rho, J = posterior.residuals(u)
    expected = quotient(lambda x: posterior.residuals(x)[0], u, step)
    floor = tolerance * max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(J, expected, rtol=tolerance, atol=floor, err_msg=where)
    if known:
        assert loss == pytest.approx(0.5 * rho @ rho, rel=digits, abs=digits), where
        np.testing.assert_allclose(gradient, J.T @ rho, rtol=1e-10, atol=1e-10 * np.abs(gradient).max(), err_msg=where)
    else:
        assert loss != pytest.approx(0.5 * rho @ rho, rel=1e-6), where


def assert_refused_at(posterior, u, where) -> None:
    """A prediction that the family cannot have has no loss, and says so by name."""
    assert posterior.loss(u) == np.inf, where
    with pytest.raises(FailedSolve, match="nonfinite"):
        posterior.loss_gradient(u)
    logp, grad, status = posterior.evaluate(posterior.z_from_u(u))
    assert (logp, status) == (-np.inf, "nonfinite") and not grad.any(), where


# a factor that is fitted, and a floor that is added to the data as well, are nothing for counts: test_gate.py
COMBINED = [(n, c) for n in NOISE for c in CHAINS if NOISE[n].kernel or not ("scale" in c or "floor" in c)]


@pytest.mark.parametrize("noise, chain", COMBINED)
def test_every_source_of_the_noise_parameters(noise, chain, quotient):
    for cell in cells(noise, chain):
        assert_cell(cell, quotient)


EVERY = [cell for noise, chain in COMBINED for cell in cells(noise, chain)]


def test_a_sample_of_the_cells_on_a_simulated_model(load, quotient):
    """One in 37 of the cells, with every family, every chain and every source, on a network that is solved."""
    model, sample = load("cells.net"), [*EVERY[::37], *cells("poisson", "increments")]
    assert {c.noise for c in sample} == set(NOISE) and {c.chain for c in sample} == set(CHAINS)
    assert {kind for c in sample for kind in c.sources.values()} == set(SOURCES)
    for cell in sample:
        assert_cell(cell, quotient, cell.posterior(model), step=1e-3, tolerance=2e-6, digits=1e-7)


@pytest.mark.parametrize("seed", range(12))
def test_cells_side_by_side_add_up(seed):
    """Eight cells as series of one experiment: the families are grouped, the noise formulas ride in columns of their own."""
    rng = np.random.default_rng(seed)
    squares = seed % 2 == 1
    possible = [c for c in EVERY if c.possible(THETA) and (c.model.least_squares or not squares)]
    chosen = [possible[i] for i in rng.choice(len(possible), 8, replace=False)]
    free = {n: v for n, v in THETA.items() if any(n in c.free for c in chosen)}
    whole, parts = posterior_of(chosen, free), [posterior_of([c], c.free) for c in chosen]
    u, names = whole.u_from_theta(free), list(free)
    gradient, F = np.zeros(len(names)), np.zeros((len(names), len(names)))
    scale = whole.prior.dtheta_du(u)  # each part has scales of its own
    for c, part in zip(chosen, parts, strict=True):
        at, v = [names.index(n) for n in part.names], part.u_from_theta(c.free)
        slope = scale[at] / part.prior.dtheta_du(v)
        gradient[at] += part.loss_gradient(v) * slope
        F[np.ix_(at, at)] += part.fisher(v) * np.outer(slope, slope)
    each = [p.u_from_theta(c.free) for c, p in zip(chosen, parts, strict=True)]
    assert whole.loss(u) == pytest.approx(sum(p.loss(v) for p, v in zip(parts, each, strict=True)), rel=1e-12)
    np.testing.assert_allclose(whole.loss_gradient(u), gradient, rtol=1e-9, atol=1e-9 * np.abs(gradient).max())
    np.testing.assert_allclose(whole.fisher(u), F, rtol=1e-9, atol=1e-10 * np.abs(F).max())
    for ask in ("pointwise", "predicted"):
        separate = np.concatenate([getattr(p, ask)(v) for p, v in zip(parts, each, strict=True)])
        np.testing.assert_allclose(getattr(whole, ask)(u), separate, rtol=1e-11, atol=1e-12)
    if squares:
        separate = np.concatenate([p.residuals(v)[0] for p, v in zip(parts, each, strict=True)])
        np.testing.assert_allclose(whole.residuals(u)[0], separate, rtol=1e-11)


@st.composite
def drawn(draw) -> Cell:
    """Any cell, with sources combined in any way, numbers within a factor of about two, and data of its own."""
    noise, chain = draw(st.sampled_from(COMBINED))
    sources = {p: draw(st.sampled_from(kinds(p))) for p in NOISE[noise].model.parameters}
    for p in NOISE[noise].model.defaults:
        if draw(st.booleans()):
            del sources[p]
    theta = {n: v * draw(st.floats(0.6, 1.6)) for n, v in THETA.items()}
    return make(noise, sources, chain, theta, draw(st.integers(0, 10_000)))


@settings(max_examples=250)
@given(cell=drawn())
def test_any_combination_with_any_numbers(quotient, cell):
    assume(cell.smooth(cell.theta))
    assert_cell(cell, quotient, tolerance=1e-6)
    posterior = cell.posterior()
    z = posterior.z_from_u(posterior.u_from_theta(cell.free))
    logp, grad, status = posterior.evaluate(z)
    if status == "ok":
        u = posterior.u_from_z(z)
        by_parts = posterior.log_prior(u) - posterior.loss(u) + posterior.prior.log_du_dz(z)
        assert logp == pytest.approx(by_parts, rel=1e-12, abs=1e-10)
        expected = quotient(lambda x: posterior.evaluate(x).logp, z, 2e-4)
        np.testing.assert_allclose(grad, expected, rtol=1e-6, atol=1e-6 * max(1.0, np.abs(expected).max()))
