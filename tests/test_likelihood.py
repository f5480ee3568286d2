"""One experiment's likelihood on a closed-form model: values by scipy, derivatives by difference quotients."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bnfhmc.errors import InputError
from bnfhmc.expression import parse
from bnfhmc.likelihood import ExperimentLikelihood, failure_of
from bnfhmc.model import Failure, FailureKind
from bnfhmc.noise import Constant, Formula, NegBin, Normal
from bnfhmc.problem import Condition, Experiment, Perturbation, Series

TIMES = np.array([0.0, 0.5, 1.0, 2.0, 4.0])
NAMES = ("A0", "k", "s", "growth", "sigma", "phi", "r")
THETA = {"A0": 2.5, "k": 0.6, "s": 1.1, "growth": 0.3, "sigma": 0.4, "phi": 0.2, "r": 6.0}
X = np.array(list(THETA.values()))


def series(name, observable, rows, observed, noise, **sources):
    sources = {k: v if isinstance(v, Constant) else Formula(parse(v)) if isinstance(v, str) else Constant(v)
               for k, v in sources.items()}  # fmt: skip
    return Series(name, parse(observable), np.array(rows), np.array(observed, dtype=float), noise, sources)


# rows out of order, rows twice (replicates), rows left out (missing), counts of zero
SERIES = {
    "file": series("A", "A", [0, 1, 2, 4], [2.7, 1.8, 1.2, 0.4], Normal(), sigma=np.array([0.1, 0.2, 0.3, 0.05])),
    "fixed": series("B", "B", [4, 1, 1], [2.0, 0.8, 0.9], Normal(), sigma=0.25),
    "fit": series("B2", "B", [0, 2, 3, 3], [0.1, 1.3, 1.7, 2.2], Normal(), sigma="sigma"),
    "formula": series("A2", "A", [1, 3], [2.0, 1.0], Normal(), sigma="sigma*s + 0.1"),
    "mean": series("N", "N", [0, 1, 3, 3, 4], [20, 31, 0, 25, 28], NegBin("mean"), dispersion="1/phi"),
    "median": series("N2", "N", [1, 2], [22, 40], NegBin("median"), dispersion="r"),
    "fixed r": series("N3", "N", [0, 4], [24, 33], NegBin("mean"), dispersion=4.0),
}
ALL = tuple(SERIES)
LEAST_SQUARES = ("file", "fixed")


def likelihood(model, kinds=ALL, condition=None, names=NAMES):
    experiment = Experiment("e", "closed", TIMES, tuple(SERIES[k] for k in kinds), condition)
    return ExperimentLikelihood(experiment, model, names)


def at(x, names=NAMES):
    return dict(zip(names, x, strict=True))


def loss(part, x=X):
    return part.loss(part.solve(at(x), gradient=False))


def loss_gradient(part, x=X):
    return part.loss_gradient(part.solve(at(x), gradient=True))


def by_hand(kinds, theta=THETA):
    """(loss by the constants convention, log densities) of some series, measurement by measurement, by scipy."""
    A = theta["A0"] * np.exp(-theta["k"] * TIMES) + 0.1
    outputs = {"A": A, "B": theta["s"] * theta["A0"] * (1 - np.exp(-theta["k"] * TIMES)),
               "N": 20 * theta["s"] + theta["A0"] * np.exp(theta["growth"] * TIMES)}  # fmt: skip
    total, densities = 0.0, []
    for kind in kinds:
        s = SERIES[kind]
        y, obs = outputs[s.observable.text][s.time_index], s.observed
        if isinstance(s.noise, Normal):
            source = s.sources["sigma"]
            sigma = {"fit": theta["sigma"], "formula": theta["sigma"] * theta["s"] + 0.1}.get(kind)
            known = sigma is None
            sigma = np.broadcast_to(source.values if known else sigma, obs.shape)
            density = stats.norm.logpdf(obs, y, sigma)
            total += -density.sum() - 0.5 * np.log(2 * np.pi) * len(obs) - (np.log(sigma).sum() if known else 0.0)
        else:
            r = {"mean": 1 / theta["phi"], "median": theta["r"], "fixed r": 4.0}[kind]
            p = r / (r + y)
            if kind == "median":
                p = stats.beta.ppf(0.5, r, y + 1)
            density = stats.nbinom.logpmf(obs, r, p)
            total += -density.sum()
        densities.append(density)
    return total, np.concatenate(densities)


@pytest.mark.parametrize("kinds", [*((k,) for k in ALL), ALL, ALL[::-1], ("fixed", "fit"), ("fixed r", "mean")], ids="-".join)
def test_the_loss_and_the_densities_are_those_of_scipy(closed_form, kinds):
    part = likelihood(closed_form, kinds)
    total, densities = by_hand(kinds)
    assert loss(part) == pytest.approx(total, rel=1e-12)
    np.testing.assert_allclose(part.pointwise(part.solve(THETA, gradient=False)), densities, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kinds", [*((k,) for k in ALL), ALL, ALL[::-1]], ids="-".join)
def test_the_gradient_is_the_difference_quotient_of_the_loss(closed_form, quotient, kinds):
    part = likelihood(closed_form, kinds)
    value, gradient = loss_gradient(part)
    assert value == pytest.approx(loss(part), rel=1e-14)
    expected = quotient(lambda x: loss(part, x), X, 1e-3)
    np.testing.assert_allclose(gradient, expected, rtol=1e-8, atol=1e-8)


CONDITIONS = {
    "= number": ("k", "=", "0.9"),
    "* number": ("k", "*", "2"),
    "/ number": ("growth", "/", "3"),
    "+ number": ("A0", "+", "1"),
    "- number": ("A0", "-", "0.5"),
    "= parameter": ("base", "=", "s"),
    "* parameter": ("k", "*", "s"),
    "= expression": ("growth", "=", "k*s - phi"),
    "- noise parameter": ("base", "-", "sigma/9"),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_the_gradient_goes_through_a_condition(closed_form, quotient, name):
    target, op, value = CONDITIONS[name]
    part = likelihood(closed_form, condition=Condition("c", (Perturbation(target, op, parse(value)),)))
    expected = quotient(lambda x: loss(part, x), X, 1e-3)
    np.testing.assert_allclose(loss_gradient(part)[1], expected, rtol=1e-8, atol=1e-8)
    assert loss(part) != pytest.approx(loss(likelihood(closed_form)), rel=1e-6)


def test_no_measurement_is_missing_from_the_gradient(closed_form):
    """The gradient of all is the sum of the gradients of each measurement alone, and none of those is zero."""
    _, whole = loss_gradient(likelihood(closed_form))
    parts = []
    for kind in ALL:
        s = SERIES[kind]
        for i in range(len(s.observed)):
            sources = {
                name: Constant(source.values[i]) if isinstance(source, Constant) and np.ndim(source.values) else source
                for name, source in s.sources.items()
            }
            one = replace(s, time_index=s.time_index[[i]], observed=s.observed[[i]], sources=sources)
            part = ExperimentLikelihood(Experiment("e", "closed", TIMES, (one,)), closed_form, NAMES)
            parts.append(loss_gradient(part)[1])
            assert np.abs(parts[-1]).max() > 1e-3, (kind, i)
    assert len(parts) == sum(len(SERIES[k].observed) for k in ALL)
    np.testing.assert_allclose(whole, np.sum(parts, axis=0), rtol=1e-11)


def test_residuals_are_prediction_minus_observation_over_sigma(closed_form, quotient):
    part = likelihood(closed_form, LEAST_SQUARES)
    rho, J = part.residuals(part.solve(THETA, gradient=True))
    predicted = part.predicted(part.solve(THETA, gradient=False))
    observed = np.concatenate([SERIES[k].observed for k in LEAST_SQUARES])
    sigma = np.array([0.1, 0.2, 0.3, 0.05, 0.25, 0.25, 0.25])
    np.testing.assert_allclose(rho, (predicted - observed) / sigma, rtol=1e-14)
    expected = quotient(lambda x: (part.predicted(part.solve(at(x), gradient=False)) - observed) / sigma, X)
    np.testing.assert_allclose(J, expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("kinds", [("file",), ("fixed",), LEAST_SQUARES], ids="-".join)
def test_the_gradient_of_least_squares_is_jacobian_transposed_rho(closed_form, kinds):
    part = likelihood(closed_form, kinds)
    rho, J = part.residuals(part.solve(THETA, gradient=True))
    value, gradient = loss_gradient(part)
    assert part.least_squares
    assert value == pytest.approx(0.5 * rho @ rho, rel=1e-14)
    np.testing.assert_allclose(gradient, J.T @ rho, rtol=1e-12, atol=1e-12)
    assert np.abs(gradient).max() > 1  # else twice as much would pass for the same


@pytest.mark.parametrize("kind", ["fit", "formula"])
def test_residuals_with_an_estimated_sigma(closed_form, quotient, kind):
    part = likelihood(closed_form, ("file", kind))
    assert not part.least_squares

    def rho(x):
        return part.residuals(part.solve(at(x), gradient=True))[0]

    got, J = part.residuals(part.solve(THETA, gradient=True))
    np.testing.assert_allclose(J, quotient(rho, X), rtol=1e-8, atol=1e-9)
    # what is left of the loss is log σ, whose gradient is no J^T ρ
    sigma = parse("sigma" if kind == "fit" else "sigma*s + 0.1")
    n = len(SERIES[kind].observed)
    value, gradient = loss_gradient(part)
    assert value == pytest.approx(0.5 * got @ got + n * np.log(sigma(THETA)), rel=1e-12)
    rest = np.array([n * float(sigma.derivative(name)(THETA)) / float(sigma(THETA)) for name in NAMES])
    np.testing.assert_allclose(gradient, J.T @ got + rest, rtol=1e-12, atol=1e-12)


def test_the_column_of_sigma_is_minus_r_squared_over_sigma_cubed_plus_one_over_sigma(closed_form):
    part = likelihood(closed_form, ("fit",))
    r = part.predicted(part.solve(THETA, gradient=False)) - SERIES["fit"].observed
    sigma = THETA["sigma"]
    expected = np.sum(-(r**2) / sigma**3 + 1 / sigma)
    assert loss_gradient(part)[1][NAMES.index("sigma")] == pytest.approx(expected, rel=1e-13)


def test_a_family_without_residuals_says_so(closed_form):
    part = likelihood(closed_form)
    assert not part.least_squares
    with pytest.raises(TypeError, match="least-squares"):
        part.residuals(part.solve(THETA, gradient=True))


@pytest.mark.parametrize("kinds", [("file",), ("fit",), ("formula",), ("mean",), ("median",), ALL], ids="-".join)
def test_the_information_is_the_mean_product_of_scores(closed_form, quotient, kinds):
    """E[∇loss ∇lossᵀ] measurement by measurement: ∇ through (prediction, noise parameter) by difference quotients."""
    part = likelihood(closed_form, kinds)
    F = part.fisher(part.solve(THETA, gradient=True))
    expected = np.zeros((7, 7))
    for kind in kinds:
        s, one = SERIES[kind], likelihood(closed_form, (kind,))
        predicted = one.predicted(one.solve(THETA, gradient=False))
        d_pred = quotient(lambda x, one=one: one.predicted(one.solve(at(x), gradient=False)), X)
        ((name, source),) = s.sources.items()
        free = isinstance(source, Formula)
        values = np.broadcast_to(source.value(THETA) if free else source.values, predicted.shape)
        d_noise = np.array([source.gradient(THETA).get(n, 0.0) for n in NAMES]) if free else np.zeros(7)
        kappa, blocks = s.noise.fisher(predicted, {name: values})
        for i in range(len(predicted)):
            cross = blocks[("pred", name)][i] if ("pred", name) in blocks else 0.0
            info = np.array([[kappa[i], cross], [cross, blocks[name, name][i]]])
            slopes = np.stack([d_pred[i], d_noise])
            expected += slopes.T @ info @ slopes
    np.testing.assert_allclose(F, expected, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(F, F.T, rtol=1e-14)
    assert np.linalg.eigvalsh(F).min() > -1e-9 * np.linalg.eigvalsh(F).max()


def test_two_families_may_share_an_output_and_a_row(closed_form, quotient):
    part = likelihood(closed_form, ("mean", "median", "fixed r"))
    expected = quotient(lambda x: loss(part, x), X)
    np.testing.assert_allclose(loss_gradient(part)[1], expected, rtol=1e-8, atol=1e-8)


def test_a_noise_formula_may_read_an_output(closed_form, quotient):
    """σ = 0.1 + 0.2·B + sigma at the measurement's row: a residual and a scale that both move with the model."""
    s = series("A", "A", [0, 2, 3, 3], [2.0, 1.5, 1.0, 0.7], Normal(), sigma="0.1 + 0.2*B + sigma")
    part = ExperimentLikelihood(Experiment("e", "closed", TIMES, (s, SERIES["mean"])), closed_form, NAMES)
    theta, B = THETA, THETA["s"] * THETA["A0"] * (1 - np.exp(-THETA["k"] * TIMES[s.time_index]))
    sigma = 0.1 + 0.2 * B + theta["sigma"]
    A = theta["A0"] * np.exp(-theta["k"] * TIMES[s.time_index]) + 0.1
    expected = (0.5 * ((A - s.observed) / sigma) ** 2 + np.log(sigma)).sum() + by_hand(("mean",))[0]
    assert loss(part) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(loss_gradient(part)[1], quotient(lambda x: loss(part, x), X), rtol=1e-8, atol=1e-8)
    only = ExperimentLikelihood(Experiment("e", "closed", TIMES, (s,)), closed_form, NAMES)
    expected = quotient(lambda x: only.residuals(only.solve(at(x), gradient=True))[0], X)
    np.testing.assert_allclose(only.residuals(only.solve(THETA, gradient=True))[1], expected, rtol=1e-8, atol=1e-9)
    d_pred = quotient(lambda x: only.predicted(only.solve(at(x), gradient=False)), X)
    d_sigma = quotient(lambda x: 0.1 + 0.2 * x[2] * x[0] * (1 - np.exp(-x[1] * TIMES[s.time_index])) + x[4], X)
    expected = (d_pred / sigma[:, None] ** 2).T @ d_pred + (2 * d_sigma / sigma[:, None] ** 2).T @ d_sigma
    np.testing.assert_allclose(only.fisher(only.solve(THETA, gradient=True)), expected, rtol=1e-8, atol=1e-9)


def test_a_formula_observable(closed_form, quotient):
    s = series("ratio", "s*A/(A + B) + log10(N)", [0, 2, 3, 3], [2.0, 1.5, 1.0, 0.7], Normal(), sigma=0.3)
    part = ExperimentLikelihood(Experiment("e", "closed", TIMES, (s, SERIES["fit"])), closed_form, NAMES)
    np.testing.assert_allclose(loss_gradient(part)[1], quotient(lambda x: loss(part, x), X), rtol=1e-8, atol=1e-8)
    only = ExperimentLikelihood(Experiment("e", "closed", TIMES, (s,)), closed_form, NAMES)
    rho, J = only.residuals(only.solve(THETA, gradient=True))
    np.testing.assert_allclose(loss_gradient(only)[1], J.T @ rho, rtol=1e-12, atol=1e-12)


def test_a_formula_observable_reads_quantities_as_the_condition_sets_them(closed_form, quotient):
    s = series("y", "A/base + k", [1, 2, 3], [20.0, 15.0, 10.0], Normal(), sigma=2.0)
    condition = Condition("c", (Perturbation("base", "=", parse("s/2")), Perturbation("k", "*", parse("3"))))
    part = ExperimentLikelihood(Experiment("e", "closed", TIMES, (s, SERIES["fit"]), condition), closed_form, NAMES)
    base, k, t = THETA["s"] / 2, 3 * THETA["k"], TIMES[[1, 2, 3]]
    y = (THETA["A0"] * np.exp(-k * t) + base) / base + k
    np.testing.assert_allclose(part.predicted(part.solve(THETA, gradient=False))[:3], y, rtol=1e-12)
    np.testing.assert_allclose(loss_gradient(part)[1], quotient(lambda x: loss(part, x), X), rtol=1e-7, atol=1e-8)


# what is asked of the model


def test_a_value_with_its_gradient_is_one_solve_and_asks_for_no_more_than_it_needs(closed_form):
    part = likelihood(closed_form, ("file", "mean"))
    closed_form.solves.clear()
    loss_gradient(part)
    (call,) = closed_form.solves
    assert set(call["outputs"]) == {"A", "N"}
    assert set(call["columns"]) == {"A0", "k", "s", "growth"}  # sigma, phi and r are nothing of the model's
    assert call["values"] == {n: THETA[n] for n in ("A0", "k", "s", "growth")}
    closed_form.solves.clear()
    loss(part)
    (call,) = closed_form.solves
    assert call["columns"] == ()


def test_a_failed_solve_is_handed_on(closed_form):
    part = likelihood(closed_form, names=(*NAMES, "hopeless"))
    for gradient in (False, True):
        failure = part.solve({**THETA, "hopeless": 1.0}, gradient)
        assert isinstance(failure, Failure) and failure.kind == FailureKind.SOLVER


def test_an_output_that_the_model_does_not_have_is_named(closed_form):
    s = [series(n, n, [0], [1.0], Normal(), sigma=1.0) for n in ("A", "BB", "C/zeta")]
    with pytest.raises(InputError) as error:
        ExperimentLikelihood(Experiment("dose1", "closed", TIMES, tuple(s)), closed_form, NAMES)
    for words in ("dose1", "'BB'", "did you mean 'B'", "'zeta'"):
        assert words in str(error.value)


def test_a_loss_that_is_no_number_is_a_failure():
    assert failure_of(1.0) is None and failure_of(1.0, np.zeros(3)) is None
    for bad in (np.nan, np.inf, -np.inf):
        assert failure_of(bad).kind == FailureKind.NONFINITE
        assert failure_of(1.0, np.array([0.0, bad])).kind == FailureKind.NONFINITE


def test_which_parameters_it_depends_on(closed_form):
    assert likelihood(closed_form, ("file",)).used == {"A0", "k", "s", "growth"}
    assert likelihood(closed_form, ("formula", "mean")).used == {"A0", "k", "s", "growth", "sigma", "phi"}
