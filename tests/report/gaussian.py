"""A posterior in closed form behind the interface of Posterior, and draws as a sampler leaves them."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from bnfhmc.errors import FailedSolve
from bnfhmc.expression import parse
from bnfhmc.likelihood.group import groups_of
from bnfhmc.noise import Constant, Normal
from bnfhmc.posterior import Evaluation, Measurement
from bnfhmc.prior import make_parameter
from bnfhmc.problem import Experiment, Problem, Series, Settings
from bnfhmc.samplers.draws import ChainRecord, Draws, Trace
from bnfhmc.samplers.host import Tally

TIMES, OBSERVED, SIGMA = np.array([1.0, 2.0, 4.0]), np.array([1.5, 1.0, 2.0]), 0.8


def problem(names=("b", "a"), **settings):
    """Two parameters: the first positive on a log10 scale, the second on the line; three measurements of y."""
    series = Series("y", parse("y"), np.array([1, 2, 3]), OBSERVED, Normal(), {"sigma": Constant(SIGMA)})
    return Problem(
        (make_parameter(names[0], "half_normal", {"scale": 1.0}, "log10", initial=10.0),
         make_parameter(names[1], "normal", {"mean": 0.0, "sd": 1.0}, "lin")),
        {},
        (Experiment("d1", "closed_form", np.array([0.0, *TIMES]), (series,)),),
        Settings(**settings),
        Path("fit.conf"),
    )  # fmt: skip


class Measured:
    """The measurements of the one experiment, predicted as u_b + u_a at every time."""

    size = 3

    def __init__(self, experiment):
        self.experiment, self.groups = experiment, groups_of(experiment.series, {}, len(experiment.times))

    def predicted(self, solved):
        return solved.observed.P[1:, 0]

    def pointwise(self, solved):
        return -0.5 * ((self.predicted(solved) - OBSERVED) / SIGMA) ** 2 - np.log(SIGMA) - 0.5 * np.log(2 * np.pi)


class Gaussian:
    """b, a | y: y ~ Normal(u_b + u_a, SIGMA), u_b ~ HalfNormal(1), u_a ~ Normal(0, 1); θ_b = 10^u_b, u_b = exp z_b."""

    rtol = 1e-10
    notes = ()
    dim = 2

    def __init__(self, of=None, fails_at=None):
        self.problem, self.fails_at = of or problem(), fails_at
        self.names = self.problem.names
        self.prior = SimpleNamespace(log_du_dz=lambda z: float(z[0]), sample=lambda rng: np.abs(rng.normal(size=2)))
        self.experiments = [Measured(e) for e in self.problem.experiments]
        self.measurements = [Measurement("d1", "y", t, y) for t, y in zip(TIMES, OBSERVED, strict=True)]
        self.clones = []

    def clone(self):
        self.clones.append(Gaussian(self.problem, self.fails_at))
        return self.clones[-1]

    def u_from_theta(self, theta):
        b, a = (theta[n] for n in self.names)
        return np.array([np.log10(b), a])

    def theta_from_u(self, u):
        return np.array([10.0 ** u[0], u[1]])

    def u_from_z(self, z):
        return np.array([np.exp(z[0]), z[1]])

    def z_from_u(self, u):
        return np.array([np.log(u[0]), u[1]])

    def log_prior(self, u):
        return float(-0.5 * u @ u - np.log(np.pi))

    def loss(self, u):
        return float(0.5 * np.sum(((u.sum() - OBSERVED) / SIGMA) ** 2))

    def solved(self, u, gradient=True):
        if self.fails_at is not None and np.allclose(self.theta_from_u(u), self.fails_at):
            raise FailedSolve("solver", "too many steps")
        return [SimpleNamespace(theta={}, observed=SimpleNamespace(P=np.full((4, 1), u.sum())))]

    def pointwise(self, u):
        return np.concatenate([e.pointwise(p) for e, p in zip(self.experiments, self.solved(u), strict=True)])

    def evaluate(self, z):
        u = self.u_from_z(z)
        slope = -u - np.sum(u.sum() - OBSERVED) / SIGMA**2
        return Evaluation(self.log_prior(u) - self.loss(u) + z[0], slope * [u[0], 1.0] + [1.0, 0.0], "ok")

    def sample_start(self, rng):
        return rng.uniform(-1.0, 1.0, 2)


def trace(posterior, z, diverging=()):
    """A trace with the true lp and no other number of interest; `diverging`: (chain, draw) pairs."""
    shape = z.shape[:2]
    lp = np.array([posterior.evaluate(row).logp for row in z.reshape(-1, z.shape[-1])]).reshape(shape)
    stats = {
        "lp": lp, "diverging": np.zeros(shape, bool), "energy": 1.0 - lp, "tree_depth": np.full(shape, 2),
        "n_steps": np.full(shape, 3), "step_size": np.full(shape, 0.5), "acceptance_rate": np.full(shape, 0.8),
        "failed": np.zeros(shape, int),
    }  # fmt: skip
    for at in diverging:
        stats["diverging"][at] = True
    return Trace(z, stats)


def draws(posterior, chains=4, num_samples=500, num_warmup=5, *, seed=1, apart=0.0, diverging=(), failures=None):
    """Independent draws of z, each chain shifted from the one before by `apart`."""
    rng = np.random.default_rng(seed)
    z = 0.3 * rng.normal(size=(chains, num_samples, 2)) + apart * np.arange(chains)[:, None, None]
    warm = 0.3 * rng.normal(size=(chains, num_warmup, 2))
    kept, warmed = trace(posterior, z, diverging), trace(posterior, warm)
    record = ChainRecord(
        start=np.zeros(2), redrawn=("solver",), gradient_check=None, starting=Tally(13, {"solver": 1}),
        warmup=Tally(70, {"timeout": 2}), sampling=Tally(3 * num_samples, failures or {}), warmup_seconds=0.5,
        sampling_seconds=1.5, step_size=0.5, inverse_mass_matrix=np.ones(2),
    )  # fmt: skip
    return Draws(posterior.names, z, kept.stats, warmed, (record,) * chains, "dense", seed)
