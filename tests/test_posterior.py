"""The posterior of simulated models: every derivative against difference quotients, every failure by its name."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bnfhmc.errors import FailedSolve, InputError
from bnfhmc.expression import parse
from bnfhmc.model import FailureKind
from bnfhmc.noise import Constant, Formula, NegBin, Normal
from bnfhmc.posterior import Posterior
from bnfhmc.prior import make_parameter
from bnfhmc.problem import Condition, Experiment, Perturbation, Problem, Scan, Series

TIMES = np.array([0.0, 0.3, 1.0, 2.5, 6.0])


def series(name, observable, rows, observed, noise, **sources):
    sources = {k: Formula(parse(v)) if isinstance(v, str) else Constant(np.asarray(v) if np.ndim(v) else v)
               for k, v in sources.items()}  # fmt: skip
    return Series(name, parse(observable), np.array(rows), np.array(observed, dtype=float), noise, sources)


def condition(name, *perturbations):
    split = (text.split(maxsplit=2) for text in perturbations)
    return Condition(name, tuple(Perturbation(target, op, parse(value)) for target, op, value in split))


def chain(network):
    """Three conditions of one decay chain, three kinds of σ, replicates, missing points; all three scales."""
    parameters = (
        make_parameter("A0", "normal", {"mean": 9.0, "sd": 3.0}, "lin", lower=0.0, initial=9.0),
        make_parameter("k1", "uniform", {}, "log10", lower=0.01, upper=10.0),
        make_parameter("k2", "normal", {"mean": -1.0, "sd": 0.8}, "ln"),
        make_parameter("s", "gamma", {"shape": 4.0, "scale": 0.4}, "lin"),
        make_parameter("sigma", "uniform", {}, "log10", lower=0.01, upper=10.0),
        make_parameter("dose", "student_t", {"df": 4.0, "location": 1.0, "scale": 0.5}, "ln"),
    )
    experiments = (
        Experiment("plain", "m", TIMES, (
            series("A", "A", [0, 1, 2, 4], [10.2, 8.0, 5.1, 0.1], Normal(), sigma=[0.5, 0.4, 0.3, 0.05]),
            series("B", "B", [1, 1, 3, 3, 3], [6.0, 6.6, 4.9, 4.0, 4.4], Normal(), sigma="sigma"),
        )),
        Experiment("fast", "m", TIMES, (
            series("scaledB", "scaledB", [1, 2, 3], [14.0, 15.0, 5.0], Normal(), sigma="sigma*s + 0.1"),
            series("A", "A", [2], [1.0], Normal(), sigma=0.2),
        ), condition("faster", "k1 * 2.5", "s + 1")),
        Experiment("dosed", "m", TIMES, (
            series("ratio", "ratio", [0, 2, 4], [0.4, 0.2, 0.1], Normal(), sigma=0.05),
            series("C", "C", [1, 4], [1.5, 8.0], Normal(), sigma=0.5),
        ), condition("dose", "A() = dose", "k2 / 2")),
    )  # fmt: skip
    return Problem(parameters, {"m": network("chain.net", rtol=1e-11, atol=1e-13)}, experiments)


def sir(network):
    """Counts of an outbreak by mean and by median, with contacts halved in a second school."""
    parameters = (
        make_parameter("beta", "normal", {"mean": 2.0, "sd": 1.0}, "lin", lower=0.0),
        make_parameter("gamma", "normal", {"mean": 0.4, "sd": 0.5}, "lin", lower=0.0),
        make_parameter("phi_inv", "exponential", {"scale": 0.2}, "lin"),
        make_parameter("r", "uniform", {}, "ln", lower=0.1, upper=1000.0),
        make_parameter("I0", "half_normal", {"scale": 3.0}, "lin"),
    )
    days = np.arange(15.0)
    counts = [3, 8, 26, 76, 225, 298, 258, 233, 189, 128, 68, 29, 14, 4]
    experiments = (
        Experiment("school", "m", days, (
            series("I", "I", np.arange(1, 15), counts, NegBin("mean"), dispersion="1/phi_inv"),
        )),
        Experiment("half", "m", days, (
            series("I", "I", [2, 6, 10, 10, 14], [3, 9, 20, 31, 60], NegBin("median"), dispersion="r"),
            series("S", "S", [4, 12], [750, 600], Normal(), sigma=20.0),
        ), condition("half", "beta / 2", "I0 + 1")),
    )  # fmt: skip
    return Problem(parameters, {"m": network("sir.net", rtol=1e-11, atol=1e-10)}, experiments)


def hill(network):
    """Rate laws that are functions; a time course, a rest before a change, a steady state, a dose response."""
    parameters = (
        make_parameter("vmax", "uniform", {}, "log10", lower=0.1, upper=100.0),
        make_parameter("n", "normal", {"mean": 2.0, "sd": 0.5}, "lin", lower=1.0, upper=4.0),
        make_parameter("d", "normal", {"mean": -1.0, "sd": 0.5}, "ln"),
        make_parameter("X0", "gamma", {"shape": 5.0, "scale": 1.0}, "lin"),
        make_parameter("kick", "laplace", {"location": 0.3, "scale": 0.2}, "log10"),
        make_parameter("sigma", "half_cauchy", {"scale": 0.3}, "lin"),
        make_parameter("rel", "beta", {"alpha": 2.0, "beta": 8.0}, "lin"),
    )
    noise = {"sigma": "sigma + rel*Y"}
    experiments = (
        Experiment("course", "m", TIMES, (
            series("Y", "Y", [1, 2, 3, 4], [1.1, 1.9, 2.2, 2.6], Normal(), **noise),
            series("X", "log10(X)", [0, 4], [0.7, 1.0], Normal(), sigma=0.1),
        )),
        Experiment("kicked", "m", TIMES, (
            series("Y", "Y", [0, 1, 2, 4], [1.4, 1.5, 2.0, 2.9], Normal(), sigma="sigma"),
            series("X", "X", [0, 3], [0.8, 2.0], Normal(), sigma=0.4),
        ), condition("kick", "vmax * kick"), before=condition("rest", "vmax / 3")),
        Experiment("doubled", "m", TIMES, (
            series("Y", "Y", [0, 1, 3], [1.4, 1.7, 2.4], Normal(), sigma=0.2),
        ), condition("double", "vmax * 2", "n + 0.1"), before=condition("rest", "vmax / 3", "d * 1.5")),
        Experiment("crossed", "m", TIMES, (
            series("Y", "Y", [0, 1, 3], [2.5, 2.0, 1.5], Normal(), sigma=0.2),
        ), condition("cross", "d * vmax"), before=condition("rest", "vmax / 3")),
        Experiment("pinned", "m", TIMES, (
            series("Y", "Y", [0, 2, 4], [1.4, 1.5, 2.0], Normal(), sigma=0.2),
        ), condition("pin", "vmax = 4", "X() = 2*kick"), before=condition("rest", "vmax / 3")),
        Experiment("rest", "m", np.array([np.inf]), (
            series("Y", "Y", [0, 0], [2.5, 2.3], Normal(), sigma=0.3),
        )),
        Experiment("doses", "m", np.array([]), (
            series("Y", "Y", [0, 1, 2, 2], [1.0, 1.9, 2.2, 2.8], Normal(), sigma="sigma"),
        ), condition("c", "vmax * 1.5"), scan=Scan("K", np.array([0.3, 1.0, 4.0]), t_end=3.0)),
        Experiment("doses at rest", "m", np.array([]), (
            series("X", "X", [0, 1], [0.5, 3.0], Normal(), sigma=1.0),
        ), scan=Scan("K", np.array([0.3, 1.0]))),
    )  # fmt: skip
    return Problem(parameters, {"m": network("hill.net", rtol=1e-11, atol=1e-13)}, experiments)


PROBLEMS = {"chain": chain, "sir": sir, "hill": hill}
THETA = {
    "chain": {"A0": 8.5, "k1": 0.8, "k2": 0.33, "s": 1.4, "sigma": 0.7, "dose": 3.1},
    "sir": {"beta": 1.74, "gamma": 0.54, "phi_inv": 0.14, "r": 9.0, "I0": 1.6},
    "hill": {"vmax": 2.2, "n": 2.1, "d": 0.42, "X0": 5.2, "kick": 2.1, "sigma": 0.25, "rel": 0.15},
}


@pytest.fixture(params=PROBLEMS)
def kind(request):
    return request.param


@pytest.fixture
def problem(kind, network):
    return PROBLEMS[kind](network)


@pytest.fixture
def posterior(problem):
    return Posterior(problem)


@pytest.fixture
def u(posterior, kind):
    return posterior.u_from_theta(THETA[kind])


def close(got, expected, tolerance=2e-6):
    """Agreement as far as a difference quotient of a solver can tell: relative to each entry, and to the largest one."""
    floor = 0.02 * tolerance * np.abs(expected).max()
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=floor)


# coordinates


def test_vectors_are_in_declaration_order(posterior, problem, kind, u):
    assert posterior.names == tuple(p.name for p in problem.parameters) == tuple(THETA[kind])
    assert posterior.dim == len(THETA[kind]) == u.size
    shuffled = dict(reversed(THETA[kind].items()))
    np.testing.assert_array_equal(posterior.u_from_theta(shuffled), u)
    np.testing.assert_array_equal(posterior.u_from_theta(list(THETA[kind].values())), u)


def test_round_trips(posterior, kind, u):
    np.testing.assert_allclose(posterior.theta_from_u(u), list(THETA[kind].values()), rtol=1e-14)
    z = posterior.z_from_u(u)
    np.testing.assert_allclose(posterior.u_from_z(z), u, rtol=1e-13)
    rng = np.random.default_rng(3)
    for _ in range(20):
        z = posterior.sample_start(rng)
        np.testing.assert_allclose(posterior.z_from_u(posterior.u_from_z(z)), z, rtol=1e-7, atol=1e-7)
        theta = posterior.theta_from_u(posterior.u_from_z(z))
        np.testing.assert_allclose(posterior.u_from_theta(theta), posterior.u_from_z(z), rtol=1e-12, atol=1e-12)


def test_scales_are_applied_once(network):
    posterior = Posterior(chain(network))
    u = dict(zip(posterior.names, posterior.u_from_theta(THETA["chain"]), strict=True))
    assert u["A0"] == 8.5 and u["k1"] == pytest.approx(np.log10(0.8)) and u["k2"] == pytest.approx(np.log(0.33))


@pytest.mark.parametrize("theta", [{"A0": 1.0}, {**THETA["chain"], "extra": 1.0}, {}])
def test_names_that_are_missing_or_unknown_are_named(network, theta):
    with pytest.raises(KeyError) as error:
        Posterior(chain(network)).u_from_theta(theta)
    assert ("extra" if "extra" in theta else "dose") in str(error.value)


def test_starts_lie_in_the_bulk_of_the_prior(posterior):
    rng = np.random.default_rng(5)
    u = np.array([posterior.u_from_z(posterior.sample_start(rng)) for _ in range(300)])
    mass = np.array([[p.prior.cdf(x) for p, x in zip(posterior.problem.parameters, row, strict=True)] for row in u])
    assert mass.min() > 0.0999 and mass.max() < 0.9001
    assert (mass.min(axis=0) < 0.15).all() and (mass.max(axis=0) > 0.85).all()


# derivatives


def test_the_gradient_of_the_loss_is_its_difference_quotient(posterior, u, quotient):
    expected = quotient(posterior.loss, u, 2e-3)
    close(posterior.loss_gradient(u), expected)
    assert (np.abs(expected) > 1e-3).all()


def test_the_gradient_is_right_away_from_the_data_too(posterior, u, quotient):
    z = posterior.z_from_u(u) + 0.3 * np.random.default_rng(8).standard_normal(u.size)
    away = posterior.u_from_z(z)
    close(posterior.loss_gradient(away), quotient(posterior.loss, away, 2e-3))


def test_the_gradient_of_the_prior_is_its_difference_quotient(posterior, u, quotient):
    close(posterior.log_prior_gradient(u), quotient(posterior.log_prior, u), 1e-7)


def test_the_gradient_of_the_posterior_is_its_difference_quotient(posterior, u, quotient):
    z = posterior.z_from_u(u)
    evaluation = posterior.evaluate(z)
    assert evaluation.status == "ok"
    expected = quotient(lambda x: posterior.evaluate(x).logp, z, 2e-3)
    close(evaluation.grad, expected)
    assert (np.abs(expected) > 1e-3).all()


def test_logp_is_prior_less_loss_plus_the_bijectors(posterior, u):
    z = posterior.z_from_u(u)
    expected = posterior.log_prior(u) - posterior.loss(u) + posterior.prior.log_du_dz(z)
    assert posterior.evaluate(z).logp == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_values_with_and_without_gradient_agree(posterior, u):
    z = posterior.z_from_u(u)
    with_gradient = posterior.log_prior(u) + posterior.prior.log_du_dz(z) - posterior.evaluate(z).logp
    assert with_gradient == pytest.approx(posterior.loss(u), rel=1e-7)


def test_the_log_prior_is_that_of_scipy_in_u_without_a_jacobian(network):
    posterior = Posterior(chain(network))
    u = posterior.u_from_theta(THETA["chain"])
    expected = (
        stats.norm(9, 3).logpdf(u[0]) - stats.norm(9, 3).logsf(0)
        + stats.uniform(-2, 3).logpdf(u[1])
        + stats.norm(-1, 0.8).logpdf(u[2])
        + stats.gamma(4, scale=0.4).logpdf(u[3])
        + stats.uniform(-2, 3).logpdf(u[4])
        + stats.t(4, 1, 0.5).logpdf(u[5])
    )  # fmt: skip
    assert posterior.log_prior(u) == pytest.approx(expected, rel=1e-12)


def test_residuals_and_their_jacobian(network, quotient):
    """Of the chain, whose families all have residuals; σ is estimated in two series."""
    posterior = Posterior(chain(network))
    u = posterior.u_from_theta(THETA["chain"])
    rho, J = posterior.residuals(u)
    assert rho.shape == (18,) and J.shape == (18, 6)
    close(J, quotient(lambda x: posterior.residuals(x)[0], u, 2e-3))
    observed = np.array([m.observed for m in posterior.measurements])
    signs = np.sign(posterior.predicted(u) - observed)
    np.testing.assert_array_equal(np.sign(rho), signs)
    assert not posterior.least_squares


def fixed_sigmas(problem):
    """The same problem with every σ known, and the parameters that only noise used left out."""
    def fix(s):
        return replace(s, sources={n: src if isinstance(src, Constant) else Constant(0.6) for n, src in s.sources.items()})

    experiments = tuple(replace(e, series=tuple(fix(s) for s in e.series)) for e in problem.experiments)
    kept = tuple(p for p in problem.parameters if p.name not in ("sigma", "rel"))
    return replace(problem, parameters=kept, experiments=experiments)


@pytest.mark.parametrize("kind", ["chain", "hill"], indirect=True)
def test_least_squares(problem, kind, quotient):
    posterior = Posterior(fixed_sigmas(problem))
    assert posterior.least_squares
    u = posterior.u_from_theta({n: v for n, v in THETA[kind].items() if n in posterior.names})
    rho, J = posterior.residuals(u)
    gradient = posterior.loss_gradient(u)
    assert posterior.loss(u) == pytest.approx(0.5 * rho @ rho, rel=1e-7)
    np.testing.assert_allclose(gradient, J.T @ rho, rtol=1e-9, atol=1e-9)
    assert np.abs(gradient).min() > 1e-2  # so that 2Jᵀρ would not pass
    np.testing.assert_allclose(posterior.fisher(u), J.T @ J, rtol=1e-9, atol=1e-9)
    close(gradient, quotient(posterior.loss, u, 2e-3))


def test_no_measurement_is_missing_from_the_gradient(problem, posterior, u):
    """Every measurement moved by a little moves the gradient, by just the amount that its own term says."""
    base = posterior.loss_gradient(u)
    moved = []
    for i, e in enumerate(problem.experiments):
        for j, s in enumerate(e.series):
            for k in range(len(s.observed)):
                observed = s.observed.copy()
                observed[k] += 1.0
                new = replace(e, series=(*e.series[:j], replace(s, observed=observed), *e.series[j + 1 :]))
                other = replace(problem, experiments=(*problem.experiments[:i], new, *problem.experiments[i + 1 :]))
                moved.append(np.abs(Posterior(other).loss_gradient(u) - base).max())
    assert len(moved) == len(posterior.measurements)
    assert min(moved) > 1e-4


def test_dtheta_du_is_in_the_gradient_once(network, quotient):
    """The same point on a lin scale and on its own: ∂/∂u = dθ/du ∂/∂θ."""
    problem = chain(network)
    wide = [make_parameter(p.name, "normal", {"mean": 1.0, "sd": 100.0}, "lin") for p in problem.parameters]
    native = Posterior(replace(problem, parameters=tuple(wide)))
    posterior = Posterior(problem)
    theta = np.array(list(THETA["chain"].values()))
    u = posterior.u_from_theta(theta)
    np.testing.assert_array_equal(native.u_from_theta(theta), theta)
    slope = np.array([1, np.log(10) * 0.8, 0.33, 1, np.log(10) * 0.7, 3.1])
    np.testing.assert_allclose(posterior.loss_gradient(u), native.loss_gradient(theta) * slope, rtol=1e-9)
    np.testing.assert_allclose(posterior.residuals(u)[1], native.residuals(theta)[1] * slope, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(posterior.fisher(u), native.fisher(theta) * np.outer(slope, slope), rtol=1e-9, atol=1e-9)


def test_the_information_is_a_covariance_matrix(posterior, u):
    F = posterior.fisher(u)
    np.testing.assert_allclose(F, F.T, rtol=1e-12)
    assert F.shape == (u.size, u.size) and (np.diag(F) > 0).all()
    assert np.linalg.eigvalsh(F).min() > -1e-9 * np.linalg.eigvalsh(F).max()


def test_the_score_of_new_data_has_the_information_as_covariance(network):
    """400 data sets of the outbreak: each entry within 5 standard errors of F (a false alarm in 1e5 were the seed free)."""
    problem = sir(network)
    posterior, rng, scores = Posterior(problem), np.random.default_rng(6), []
    u = posterior.u_from_theta(THETA["sir"])
    values = {"phi_inv": {"dispersion": 1 / 0.14}, "r": {"dispersion": 9.0}}
    predicted = posterior.predicted(u)
    for _ in range(400):
        start, experiments = 0, []
        for e in problem.experiments:
            new = []
            for s in e.series:
                source = next(iter(s.sources.values()))
                noise = {"sigma": 20.0} if isinstance(source, Constant) else values[next(iter(source.expression.names))]
                n = len(s.observed)
                new.append(replace(s, observed=s.noise.draw(rng, predicted[start : start + n], noise)))
                start += n
            experiments.append(replace(e, series=tuple(new)))
        scores.append(Posterior(replace(problem, experiments=tuple(experiments))).loss_gradient(u))
    products = np.einsum("ni,nj->nij", scores, scores)
    error = products.std(axis=0) / np.sqrt(400)
    assert (np.abs(products.mean(axis=0) - posterior.fisher(u)) < 5 * error + 1e-9).all()
    assert (np.abs(np.mean(scores, axis=0)) < 5 * np.std(scores, axis=0) / np.sqrt(400)).all()


# measurement by measurement


def test_pointwise_densities_of_the_outbreak_are_those_of_scipy(network):
    posterior = Posterior(sir(network))
    u = posterior.u_from_theta(THETA["sir"])
    y, obs = posterior.predicted(u), np.array([m.observed for m in posterior.measurements])
    expected = np.concatenate([
        stats.nbinom.logpmf(obs[:14], 1 / 0.14, (1 / 0.14) / (1 / 0.14 + y[:14])),
        stats.nbinom.logpmf(obs[14:19], 9, stats.beta.ppf(0.5, 9, y[14:19] + 1)),
        stats.norm.logpdf(obs[19:], y[19:], 20),
    ])  # fmt: skip
    np.testing.assert_allclose(posterior.pointwise(u), expected, rtol=1e-9)
    # the loss leaves out what never changes: ½ log 2π and log σ of a known σ
    constants = 2 * (0.5 * np.log(2 * np.pi) + np.log(20))
    assert posterior.loss(u) == pytest.approx(-expected.sum() - constants, rel=1e-9)


def test_pointwise_densities_of_the_chain_are_those_of_scipy(network):
    posterior = Posterior(chain(network))
    u = posterior.u_from_theta(THETA["chain"])
    y, obs = posterior.predicted(u), np.array([m.observed for m in posterior.measurements])
    known = [0.5, 0.4, 0.3, 0.05]
    sigma = np.array([*known, *[0.7] * 5, *[0.7 * 1.4 + 0.1] * 3, 0.2, *[0.05] * 3, 0.5, 0.5])
    np.testing.assert_allclose(posterior.pointwise(u), stats.norm.logpdf(obs, y, sigma), rtol=1e-9)
    in_loss = 18 * 0.5 * np.log(2 * np.pi) + np.log([*known, 0.2, *[0.05] * 3, 0.5, 0.5]).sum()
    assert posterior.loss(u) == pytest.approx(-posterior.pointwise(u).sum() - in_loss, rel=1e-9)


def test_measurements_say_what_each_row_is(network):
    posterior = Posterior(chain(network))
    rows = posterior.measurements
    assert len(rows) == 18 == posterior.pointwise(posterior.u_from_theta(THETA["chain"])).size
    assert rows[0] == ("plain", "A", 0.0, 10.2)
    assert rows[4:6] == [("plain", "B", 0.3, 6.0), ("plain", "B", 0.3, 6.6)]
    assert rows[-1] == ("dosed", "C", 6.0, 8.0)


def test_predictions_are_the_models(network):
    problem = chain(network)
    posterior = Posterior(problem)
    u = posterior.u_from_theta(THETA["chain"])
    m = {n: v for n, v in THETA["chain"].items() if n in ("A0", "k1", "k2", "s")}
    plain = problem.models["m"].solve(m, TIMES, ("A", "B")).y
    fast = problem.models["m"].solve(m | {"k1": 2.0, "s": 2.4}, TIMES, ("scaledB", "A")).y
    dosed = problem.models["m"].solve(m | {"k2": 0.165, "A()": 3.1}, TIMES, ("ratio", "C")).y
    expected = [*plain[[0, 1, 2, 4], 0], *plain[[1, 1, 3, 3, 3], 1], *fast[1:4, 0], fast[2, 1], *dosed[[0, 2, 4], 0],
                *dosed[[1, 4], 1]]  # fmt: skip
    np.testing.assert_allclose(posterior.predicted(u), expected, rtol=1e-8)


# one instance and another


def test_a_point_gives_the_same_numbers_whatever_came_before(posterior, u):
    first = (posterior.loss(u), posterior.loss_gradient(u), posterior.fisher(u), posterior.pointwise(u))
    rng = np.random.default_rng(4)
    for _ in range(4):
        posterior.evaluate(posterior.sample_start(rng))
    again = (posterior.loss(u), posterior.loss_gradient(u), posterior.fisher(u), posterior.pointwise(u))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)


def test_clones_in_threads_give_identical_numbers(posterior):
    rng = np.random.default_rng(9)
    places = [posterior.sample_start(rng) for _ in range(8)]
    alone, found = [posterior.evaluate(z) for z in places], {}
    clones = [posterior.clone() for _ in range(2)]

    def work(c):
        for i in range(c, 8, 2):
            found[i] = clones[c].evaluate(places[i])

    threads = [threading.Thread(target=work, args=(c,)) for c in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for i, evaluation in enumerate(alone):
        assert found[i].status == evaluation.status and found[i].logp == evaluation.logp
        np.testing.assert_array_equal(found[i].grad, evaluation.grad)


# failures


def failing(network, **sigma):
    """dX/dt = k Xⁿ, infinite at t = X0/k for n = 2; measured at t = 1."""
    parameters = [
        make_parameter("k", "uniform", {}, "log10", lower=1e-3, upper=1e6),
        make_parameter("X0", "normal", {"mean": 1.0, "sd": 1.0}, "lin", lower=0.0),
    ]
    if sigma:
        parameters.append(make_parameter("sigma", "normal", {"mean": 0.0, "sd": 100.0}, "ln"))
    s = series("X", "X", [1], [2.0], Normal(), sigma=sigma.get("sigma", 0.1))
    experiment = Experiment("e", "m", np.array([0.0, 1.0]), (s,))
    return Posterior(Problem(tuple(parameters), {"m": network("blowup.net", timeout_s=20.0)}, (experiment,)))


def test_a_failed_solve_has_a_name_everywhere(network, capfd):
    posterior = failing(network)
    u = posterior.u_from_theta({"k": 100.0, "X0": 5.0})
    assert posterior.loss(u) == np.inf
    for ask in (posterior.loss_gradient, posterior.residuals, posterior.fisher, posterior.pointwise, posterior.predicted):
        with pytest.raises(FailedSolve, match="solver: ") as error:
            ask(u)
        assert error.value.kind == "solver"
    z = posterior.z_from_u(u)
    logp, grad, status = posterior.evaluate(z)
    assert (logp, status) == (-np.inf, "solver") and isinstance(status, str)
    np.testing.assert_array_equal(grad, np.zeros(2))
    assert posterior.explain(z).startswith("solver: ")
    assert capfd.readouterr() == ("", "")


def test_after_a_failed_solve_all_is_as_before(network):
    posterior = failing(network)
    good, bad = posterior.u_from_theta({"k": 0.4, "X0": 0.9}), posterior.u_from_theta({"k": 100.0, "X0": 5.0})
    first = posterior.evaluate(posterior.z_from_u(good))
    posterior.evaluate(posterior.z_from_u(bad))
    again = posterior.evaluate(posterior.z_from_u(good))
    assert first.status == "ok" and first.logp == again.logp and posterior.explain(posterior.z_from_u(good)) == ""
    np.testing.assert_array_equal(first.grad, again.grad)


def test_where_the_prior_has_no_density_nothing_is_solved(closed_form):
    parameters = (make_parameter("k", "normal", {"mean": 0.0, "sd": 1e-3}, "lin"),)
    s = series("A", "A", [1], [2.0], Normal(), sigma=0.1)
    posterior = Posterior(Problem(parameters, {"closed": closed_form}, (Experiment("e", "closed", TIMES, (s,)),)))
    closed_form.solves.clear()
    for z in (1e200, np.nan, np.inf):
        logp, grad, status = posterior.evaluate(np.array([z]))
        assert (logp, status) == (-np.inf, "outside")
        np.testing.assert_array_equal(grad, [0.0])
        assert posterior.explain(np.array([z])).startswith("outside: ")
    assert closed_form.solves == []


def test_a_parameter_too_large_for_a_float_is_outside(closed_form):
    parameters = (make_parameter("k", "cauchy", {"location": 0.0, "scale": 10.0}, "log10"),)
    s = series("A", "A", [1], [2.0], Normal(), sigma=0.1)
    posterior = Posterior(Problem(parameters, {"closed": closed_form}, (Experiment("e", "closed", TIMES, (s,)),)))
    assert posterior.evaluate(np.array([400.0])).status == "outside"
    assert posterior.loss(np.array([400.0])) == np.inf


def test_a_likelihood_that_is_no_number_is_nonfinite(network):
    posterior = failing(network, sigma="sigma")
    for log_sigma in (-800.0, -400.0):  # σ = 0, and σ whose square is 0
        u = np.array([-1.0, 1.0, log_sigma])
        assert posterior.loss(u) == np.inf
        with pytest.raises(FailedSolve) as error:
            posterior.loss_gradient(u)
        assert error.value.kind == FailureKind.NONFINITE
        evaluation = posterior.evaluate(posterior.z_from_u(u))
        assert (evaluation.logp, evaluation.status) == (-np.inf, "nonfinite")
        np.testing.assert_array_equal(evaluation.grad, np.zeros(3))


@pytest.mark.parametrize("r", [0.0, -1.0])
def test_a_dispersion_that_leaves_its_domain_is_nonfinite(closed_form, r):
    parameters = (
        make_parameter("k", "normal", {"mean": 0.5, "sd": 1.0}, "lin"),
        make_parameter("r", "normal", {"mean": 1.0, "sd": 1.0}, "lin"),
    )
    s = series("N", "N", [1, 2], [20, 25], NegBin(), dispersion="r")
    t = series("A", "A", [1], [2.0], Normal(), sigma=0.1)
    posterior = Posterior(Problem(parameters, {"closed": closed_form}, (Experiment("e", "closed", TIMES, (s, t)),)))
    assert posterior.evaluate(np.array([0.5, 1.0])).status == "ok"
    assert posterior.evaluate(np.array([0.5, r])) .status == "nonfinite"
    assert posterior.loss(np.array([0.5, r])) == np.inf


def test_far_out_there_is_a_status_and_never_a_nan(posterior):
    rng = np.random.default_rng(12)
    for scale in (5.0, 50.0, 700.0, 1e5):
        for _ in range(3):
            logp, grad, status = posterior.evaluate(scale * rng.standard_normal(posterior.dim))
            assert status in ("ok", *FailureKind) and np.isfinite(grad).all() and not np.isnan(logp)
            assert (status == "ok") == np.isfinite(logp)
            assert status == "ok" or not grad.any()


# mistakes


def test_an_output_that_nothing_has_is_refused(network):
    problem = chain(network)
    e = problem.experiments[0]
    wrong = replace(e, series=(replace(e.series[0], observable=parse("AA")), *e.series[1:]))
    with pytest.raises(InputError) as error:
        Posterior(replace(problem, experiments=(wrong,)))
    assert "plain" in str(error.value) and "'AA'" in str(error.value) and "did you mean" in str(error.value)


def test_parameters_that_nothing_uses_are_refused_all_at_once(network):
    problem = chain(network)
    extra = tuple(make_parameter(n, "normal", {"mean": 0, "sd": 1}, "lin") for n in ("k11", "zeta"))
    with pytest.raises(InputError) as error:
        Posterior(replace(problem, parameters=(*problem.parameters, *extra)))
    assert "'k11'" in str(error.value) and "did you mean 'k1'" in str(error.value) and "'zeta'" in str(error.value)


def test_a_parameter_that_every_condition_overrides_is_unused(network):
    problem = chain(network)
    pinned = tuple(replace(e, condition=condition("pin", "k1 = 1", "A() = dose")) for e in problem.experiments)
    with pytest.raises(InputError, match="'k1'"):
        Posterior(replace(problem, experiments=pinned))


def test_a_noise_formula_that_names_nothing_is_refused(network):
    problem = chain(network)
    e = problem.experiments[0]
    wrong = replace(e, series=(replace(e.series[0], sources={"sigma": Formula(parse("sgma + 1"))}), *e.series[1:]))
    with pytest.raises(InputError, match="sgma"):
        Posterior(replace(problem, experiments=(wrong, *problem.experiments[1:])))


def test_a_condition_on_what_the_model_does_not_have_is_refused(network):
    problem = chain(network)
    wrong = replace(problem.experiments[0], condition=condition("c", "k7 = 1"))
    with pytest.raises(InputError, match="k7"):
        Posterior(replace(problem, experiments=(wrong,)))
