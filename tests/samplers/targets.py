"""Densities in closed form behind the seam of samplers, right and wrong ones."""

import threading

import numpy as np

from bnfhmc.posterior import Evaluation
from bnfhmc.samplers.curvature import Curvature, CurvedEvaluation


class Gaussian:
    """z ~ Normal(mean, cov), started from Normal(mean, cov) twice as wide; counts its evaluations, clones' included."""

    def __init__(self, cov, mean=None, counted=None):
        self.cov = np.atleast_2d(cov)
        self.dim = len(self.cov)
        self.mean = np.zeros(self.dim) if mean is None else np.asarray(mean)
        self.names = [f"k{i + 1}" for i in range(self.dim)]
        self.precision = np.linalg.inv(self.cov)
        self.counted = [] if counted is None else counted

    def evaluate(self, z):
        self.counted.append(threading.get_ident())
        r = z - self.mean
        grad = -self.precision @ r
        return Evaluation(float(0.5 * r @ grad), grad, "ok")

    def sample_start(self, rng):
        return self.mean + 2.0 * np.linalg.cholesky(self.cov) @ rng.standard_normal(self.dim)

    def clone(self):
        return type(self)(self.cov, self.mean, self.counted)


class CurvedGaussian(Gaussian):
    """A normal density that tells its curvature, and its value alone."""

    def evaluate_curved(self, z):
        at = self.evaluate(z)
        return CurvedEvaluation(at.logp, at.grad, "ok", lambda: Curvature(self.precision, np.zeros(self.dim)))

    def value(self, z):
        return Evaluation(self.evaluate(z).logp, np.empty(0), "ok")


class ClosedForm:
    """A density of d coordinates from log π(z) and its gradient; ``truth``: names of statistics → (function of z, mean)."""

    def __init__(self, dim, logp_and_grad, truth=(), curvature=None, spread=1.0):
        self.dim, self.names = dim, [f"k{i + 1}" for i in range(dim)]
        self.logp_and_grad, self.truth, self.curvature, self.spread = logp_and_grad, dict(truth), curvature, spread
        if curvature is not None:
            self.evaluate_curved = self._curved

    def evaluate(self, z):
        logp, grad = self.logp_and_grad(z)
        if not np.isfinite(logp):
            return Evaluation(-np.inf, np.zeros(self.dim), "outside")
        return Evaluation(float(logp), np.asarray(grad, dtype=float), "ok")

    def _curved(self, z):
        at = self.evaluate(z)
        return at if at.status != "ok" else CurvedEvaluation(*at, lambda: Curvature(*self.curvature(z)))

    def sample_start(self, rng):
        return self.spread * rng.standard_normal(self.dim)

    def clone(self):
        return ClosedForm(self.dim, self.logp_and_grad, self.truth, self.curvature, self.spread)


class LogExponential(Gaussian):
    """u ~ Exponential(1) in z = log u: log π = z − exp z, bounded on neither side and skewed."""

    def __init__(self, *_):
        super().__init__(np.eye(1))

    def evaluate(self, z):
        return Evaluation(float(z[0] - np.exp(z[0])), 1.0 - np.exp(z), "ok")


def ill_conditioned(d=5, condition=1e4):
    """A normal density whose widths range over √condition, in directions that are no axes."""
    Q = np.linalg.qr(np.random.default_rng(5).standard_normal((d, d)))[0]
    cov = Q @ np.diag(np.geomspace(1.0 / condition, 1.0, d)) @ Q.T
    precision = Q @ np.diag(np.geomspace(condition, 1.0, d)) @ Q.T

    def logp(z):
        return -0.5 * z @ precision @ z, -precision @ z

    truth = {"first": (lambda z: z[..., 0], 0.0), "square": (lambda z: z[..., 0] ** 2, cov[0, 0]),
             "product": (lambda z: z[..., 0] * z[..., 1], cov[0, 1])}  # fmt: skip
    return ClosedForm(d, logp, truth, lambda z: (precision, np.zeros(d)))


def banana():
    """z₁ ~ Normal(0, 1), z₂ | z₁ ~ Normal(z₁²/2, ½²): a bent ridge."""

    def logp(z):
        r = (z[1] - 0.5 * z[0] ** 2) / 0.25
        return -0.5 * z[0] ** 2 - 0.5 * (z[1] - 0.5 * z[0] ** 2) * r, np.array([-z[0] + r * z[0], -r])

    def curvature(z):
        J = np.array([[-z[0] / 0.5, 1.0 / 0.5]])
        return J.T @ J, np.array([1.0, 0.0])

    truth = {"along": (lambda z: z[..., 0], 0.0), "width": (lambda z: z[..., 0] ** 2, 1.0),
             "height": (lambda z: z[..., 1], 0.5), "spread": (lambda z: (z[..., 1] - 0.5) ** 2, 0.75)}  # fmt: skip
    return ClosedForm(2, logp, truth, curvature)


def funnel():
    """v ~ Normal(0, 3²), x | v ~ Normal(0, exp v) in the coordinates v = 3 z₁, x = exp(v/2) z₂ that make it easy."""

    def logp(z):
        return -0.5 * z @ z, -z

    mean_log = -0.5 * (np.euler_gamma + np.log(2.0))
    truth = {"v": (lambda z: 3 * z[..., 0], 0.0), "v²": (lambda z: 9 * z[..., 0] ** 2, 9.0),
             "log |x|": (lambda z: 1.5 * z[..., 0] + np.log(np.abs(z[..., 1])), mean_log)}  # fmt: skip
    return ClosedForm(2, logp, truth, lambda z: (np.eye(2), np.zeros(2)))


def box():
    """u₁ ~ Beta(2, 3), u₂ uniform on (0, 1), in z = logit u."""

    def logp(z):
        log_s, log_1s = -np.logaddexp(0, -z), -np.logaddexp(0, z)
        a, b = np.array([2.0, 1.0]), np.array([3.0, 1.0])
        s = np.exp(log_s)
        return float(a @ log_s + b @ log_1s), a * (1 - s) - b * s

    def curvature(z):
        s = 1 / (1 + np.exp(-z))
        return np.zeros((2, 2)), np.array([5.0, 2.0]) * s * (1 - s)

    def u(z):
        return 1 / (1 + np.exp(-z))

    truth = {"beta": (lambda z: u(z[..., 0]), 0.4), "beta²": (lambda z: u(z[..., 0]) ** 2, 0.2),
             "uniform": (lambda z: u(z[..., 1]), 0.5), "uniform²": (lambda z: u(z[..., 1]) ** 2, 1 / 3),
             "end": (lambda z: (u(z[..., 1]) < 0.05) + 0.0, 0.05)}  # fmt: skip
    return ClosedForm(2, logp, truth, curvature)


def half_open():
    """u₁, u₂ ~ Gamma(2, 1) in z = log u."""

    def logp(z):
        return float(np.sum(2 * z - np.exp(z))), 2 - np.exp(z)

    truth = {"mean": (lambda z: np.exp(z[..., 0]), 2.0), "second": (lambda z: np.exp(2 * z[..., 1]), 6.0),
             "log": (lambda z: z[..., 0], 1 - np.euler_gamma)}  # fmt: skip
    return ClosedForm(2, logp, truth, lambda z: (np.zeros((2, 2)), np.exp(z)))


def mode():
    """The mode at 0 of a mixture whose other one, at 40, no chain from here reaches: Normal(0, 1) in each coordinate."""

    def logp(z):
        near, far = -0.5 * z @ z, -0.5 * (z - 40.0) @ (z - 40.0)
        total = np.logaddexp(near, far)
        return total, -z * np.exp(near - total) - (z - 40.0) * np.exp(far - total)

    truth = {"mean": (lambda z: z[..., 0], 0.0), "square": (lambda z: z[..., 1] ** 2, 1.0)}
    return ClosedForm(2, logp, truth, lambda z: (np.eye(2), np.zeros(2)))


def cut():
    """Normal(0, 1) × Normal(0, 1) where the solve fails for z₁ > ½: a hole within the typical set."""

    def logp(z):
        return (-np.inf if z[0] > 0.5 else -0.5 * z @ z), -z

    phi, below = 0.3520653267642995, 0.6914624612740131
    truth = {"mean": (lambda z: z[..., 0], -phi / below), "square": (lambda z: z[..., 0] ** 2, 1 - 0.5 * phi / below),
             "edge": (lambda z: (z[..., 0] > 0.3) + 0.0, (below - 0.6179114221889526) / below),
             "other": (lambda z: z[..., 1] ** 2, 1.0)}  # fmt: skip
    return ClosedForm(2, logp, truth, lambda z: (np.eye(2), np.zeros(2)))


class Altered:
    """A target whose evaluations pass through `change(z, evaluation)`, which may fail or raise."""

    def __init__(self, target, change, start=None):
        self.target, self.change, self.start = target, change, start
        self.dim, self.names = target.dim, target.names

    def evaluate(self, z):
        return self.change(z, self.target.evaluate(z))

    def sample_start(self, rng):
        return self.start(rng) if self.start else self.target.sample_start(rng)

    def clone(self):
        return Altered(self.target.clone(), self.change, self.start)


def failing(where, kind="solver"):
    """A change: the solve fails wherever `where(z)` holds."""
    return lambda z, evaluation: Evaluation(-np.inf, np.zeros_like(z), kind) if where(z) else evaluation


def correlated(d=3, rho=0.9):
    """A covariance with sds 1, 2, … and one correlation throughout."""
    sd = np.arange(1.0, d + 1.0)
    return np.outer(sd, sd) * ((1 - rho) * np.eye(d) + rho)


def standard_errors_off(values, expected, batches=20):
    """(mean − expected) in Monte Carlo standard errors, from the means of batches of values[chain, draw].

    Student's t with chains · batches − 1 degrees of freedom: with 4 chains a right sampler exceeds 5 once in 300,000.
    """
    chains, draws = values.shape
    means = values[:, : draws // batches * batches].reshape(chains * batches, -1).mean(axis=1)
    return (means.mean() - expected) / (means.std(ddof=1) / np.sqrt(means.size))
