"""A problem in closed form with three kinds of experiments, and a finished run of it in a folder, made without a sampler."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from bnfhmc.expression import Name, expression, parse
from bnfhmc.noise import Constant, Formula, LogNormal, Normal, Poisson
from bnfhmc.posterior import Posterior
from bnfhmc.prior import make_parameter
from bnfhmc.problem import Condition, Experiment, Perturbation, Problem, Scan, Series, Settings
from bnfhmc.report import run_json
from bnfhmc.report.inference_data import log_likelihood, to_inference_data, to_netcdf_bytes
from bnfhmc.report.opened import Opened, Run
from bnfhmc.report.study import Study
from bnfhmc.report.summary import summarize
from bnfhmc.report.verdict import Evidence, judge
from tests.conftest import ClosedForm
from tests.report import gaussian

TRUE = {"A0": 10.0, "k": 0.4, "sd": 0.5}
TIMES = np.arange(0.0, 9.0)
DOSES = np.array([0.1, 1.0, 10.0, 100.0])


def model(amount="A0", rate="k") -> ClosedForm:
    """A decays; N counts what has decayed, fifty times over; R responds to a dose."""
    return ClosedForm(
        {
            "A": lambda m, t: m[amount] * np.exp(-m[rate] * t),
            "N": lambda m, t: 50 * m[amount] * (1 - np.exp(-m[rate] * t)),
            "R": lambda m, t: m[amount] * m["dose"] / (m["dose"] + 10 * m[rate]) + 0 * t,
        },
        {amount: 3.0, rate: 0.5, "dose": 1.0, "hopeless": 0.0},
    )


def problem(names=("A0", "k", "sd"), title="decay") -> Problem:
    """Amounts with an estimated sd, counts under a condition, and a dose response; data drawn at TRUE."""
    amount, rate, sd = names
    closed = model(amount, rate)
    rng = np.random.default_rng(3)
    y = TRUE["A0"] * np.exp(-TRUE["k"] * TIMES) + TRUE["sd"] * rng.normal(size=9)
    counts = rng.poisson(50 * TRUE["A0"] * (1 - np.exp(-2 * TRUE["k"] * TIMES[1:])))
    response = TRUE["A0"] * DOSES / (DOSES + 10 * TRUE["k"]) * 10 ** (0.05 * rng.normal(size=4))
    a = Series("A", parse("A"), np.arange(9), y, Normal(), {"sigma": Formula(_name(sd))})
    n = Series("N", parse("N"), np.arange(1, 9), counts.astype(float), Poisson(), {})
    r = Series("R", parse("R"), np.arange(4), response, LogNormal(), {"sigma": Constant(0.05)})
    fast = Condition("fast", (Perturbation(rate, "*", parse("2")),))
    return Problem(
        (make_parameter(amount, "normal", {"mean": 0.5, "sd": 1.0}, "log10"),
         make_parameter(rate, None, {}, "log10", lower=1e-3, upper=1e2),
         make_parameter(sd, "exponential", {"scale": 1.0}, "lin")),
        {"closed": closed},
        (Experiment(title, "closed", TIMES, (a,)),
         Experiment("counts", "closed", TIMES, (n,), fast),
         Experiment("dose response", "closed", np.array([]), (r,), scan=Scan("dose", DOSES, 1.0))),
        Settings(chains=4, num_warmup=5, num_samples=250, random_seed=5),
        Path("fit.conf"),
    )  # fmt: skip


def laplace(posterior, chains=4, num_samples=250, seed=1):
    """Draws z ~ N(mode, H⁻¹) [chain, draw, d], which is the posterior almost."""
    start = posterior.z_from_u(posterior.u_from_theta([*TRUE.values()]))

    def value(z):
        logp, grad, _ = posterior.evaluate(z)
        return -logp, -grad

    mode = minimize(value, start, jac=True, method="BFGS").x
    h = 1e-4 * np.eye(posterior.dim)
    H = np.array([(value(mode + e)[1] - value(mode - e)[1]) / 2e-4 for e in h])
    scale = np.linalg.cholesky(np.linalg.inv((H + H.T) / 2))
    return mode + np.random.default_rng(seed).normal(size=(chains, num_samples, posterior.dim)) @ scale.T


def draws(posterior, z=None, **given):
    """The Draws of a sampler that went through z."""
    z = laplace(posterior) if z is None else z
    like = gaussian.draws(gaussian.Gaussian(), len(z), z.shape[1], 5)
    kept, warm = gaussian.trace(posterior, z, **given), gaussian.trace(posterior, z[:, :5])
    return replace(like, names=posterior.names, z=z, stats=kept.stats, warmup=warm)


def opened(posterior: Posterior, run=None, folder=Path("out")) -> Opened:
    """A run as it is read back, without the way to the disk."""
    run = draws(posterior) if run is None else run
    settings = posterior.problem.settings
    idata = to_inference_data(
        posterior, run, loglik=log_likelihood(posterior, run.z, cores=1), attrs={"random_seed": str(run.random_seed)}
    )
    u = np.array([posterior.u_from_z(r) for r in run.z.reshape(-1, posterior.dim)])
    theta = np.array([posterior.theta_from_u(row) for row in u])
    summary = summarize(posterior.names, theta.reshape(run.z.shape))
    record = run_json.finished(
        run_json.opening("0.1.0", "2026-01-01T00:00:00+00:00"), ended="2026-01-01T00:01:00+00:00",
        problem=posterior.problem, settings=settings.model_copy(update={"output_dir": folder}), draws=run, summary=summary,
        verdict=judge(Evidence.of(summary, settings, run)),
    )  # fmt: skip
    return Opened(Run(folder, record, idata), posterior, u.reshape(run.z.shape))


def study(posterior: Posterior | None = None, run=None, **how) -> Study:
    """A study of such a run."""
    return Study(opened(posterior or Posterior(problem()), run), **{"cores": 1, "predicted": 200, **how})


def write_run(folder: Path, posterior: Posterior, run=None) -> Path:
    """posterior.nc and run.json as a finished run leaves them."""
    made = opened(posterior, run, folder).run
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "posterior.nc").write_bytes(to_netcdf_bytes(made.idata))
    (folder / "run.json").write_text(run_json.to_json(made.record), encoding="utf-8")
    return folder


def _name(text):
    """The expression that is one name, whatever characters the name has."""
    return expression(Name(text))
