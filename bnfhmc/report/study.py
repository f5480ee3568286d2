"""A finished run and all that a report says of it, each part computed when it is first asked for."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import FailedSolve
from bnfhmc.posterior import Posterior
from bnfhmc.prior import Parameter
from bnfhmc.report.bands import SeriesFit, series_fits
from bnfhmc.report.constraints import Held, satisfaction
from bnfhmc.report.fitted import Fitted, fit_of
from bnfhmc.report.opened import Opened
from bnfhmc.report.parallel import over_draws
from bnfhmc.report.predictive import Predictive, densely, predict, prior_draws, thinned
from bnfhmc.report.quiet_arviz import load_arviz
from bnfhmc.report.summary import Summary, summarize
from bnfhmc.report.verdict import Verdict, judge

PREDICTED = 1000  # draws that predictions rest on
PRIOR_SECONDS = 30.0  # that predictions of the prior may take
INFORMED = 20  # draws that the Fisher information is averaged over


@contextmanager
def _quiet() -> Iterator[None]:
    """Without arviz's warnings of high k̂, which are said in our own words."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Loo(NamedTuple):
    """Leave-one-out by PSIS (Vehtari, Gelman, Gabry 2017): the expected log density of a new measurement with its standard
    error, the effective number of parameters, k̂ of each measurement, and the k̂ above which it cannot be trusted."""

    elpd: float
    se: float
    p: float
    pareto_k: Float[np.ndarray, " n"]
    good_k: float


class Study:
    """A run, read back with its posterior, under study.

    ``cores``: threads that solves run on. ``predicted``: how many draws the predictions rest on. One instance serves one
    thread.
    """

    def __init__(self, opened: Opened, *, cores: int | None = None, predicted: int = PREDICTED):
        self.opened, self.cores, self.limit = opened, cores, predicted
        self.run, self.posterior = opened.run, opened.posterior

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters, in declaration order."""
        return self.posterior.problem.parameters

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return self.posterior.names

    @property
    def u(self) -> Float[np.ndarray, "chain draw d"]:
        """The draws on the scales of the priors."""
        return self.opened.u

    @property
    def flat(self) -> Float[np.ndarray, "s d"]:
        """The draws of all chains, on the scales of the priors."""
        return self.u.reshape(-1, self.posterior.dim)

    @cached_property
    def theta(self) -> Float[np.ndarray, "chain draw d"]:
        """The draws in native units."""
        return self.run.theta

    @cached_property
    def stats(self) -> Mapping[str, np.ndarray]:
        """What the sampler says of each draw [chain, draw]."""
        return self.run.stats

    @cached_property
    def summary(self) -> Summary:
        """Moments, quantiles and diagnostics of each parameter."""
        return summarize(self.names, self.theta)

    @cached_property
    def verdict(self) -> Verdict:
        """Whether the chains converged."""
        return judge(self.run.evidence(self.summary))

    @property
    def sampling(self) -> list[dict[str, Any]]:
        """What run.json says of the sampling of each chain: gradients, failed solves by kind, seconds."""
        return self.run.sampling

    @cached_property
    def dense(self) -> Posterior:
        """The posterior of the same problem with more output times, for curves."""
        return Posterior(densely(self.posterior.problem))

    @cached_property
    def predictive(self) -> Predictive:
        """Predictions at evenly spaced draws of the posterior, at dense times."""
        return predict(self.dense, self.flat[thinned(len(self.flat), self.limit)], cores=self.cores)

    @cached_property
    def prior_predictive(self) -> Predictive:
        """Predictions at draws of the prior, at most 500 and as many as half a minute allows, at dense times."""
        u = prior_draws(self.posterior, min(self.limit, 500), 0)
        return predict(self.dense, u, cores=self.cores, seconds=PRIOR_SECONDS)

    @cached_property
    def fits(self) -> tuple[SeriesFit, ...]:
        """Every series beside its predictions; none where no draw could be solved."""
        return series_fits(self.dense.problem, self.predictive) if self.predictive.at.size else ()

    @cached_property
    def prior_fits(self) -> tuple[SeriesFit, ...]:
        """Every series beside what the prior predicts."""
        return series_fits(self.dense.problem, self.prior_predictive) if self.prior_predictive.at.size else ()

    @cached_property
    def loo(self) -> Loo | None:
        """Leave-one-out; None where there is no measurement, or a log density is not finite."""
        idata = self.run.idata
        if not self.posterior.measurements or "log_likelihood" not in idata.groups():
            return None
        if not np.isfinite(idata["log_likelihood"]["y"].values).all():
            return None
        with _quiet():
            found = load_arviz().loo(idata, pointwise=True)
        k = np.atleast_1d(found.pareto_k.values)
        return Loo(float(found.elpd_loo), float(found.se), float(found.p_loo), k, float(found.good_k))

    @cached_property
    def loo_pit(self) -> Float[np.ndarray, " n"] | None:
        """P(new measurement < the one made | all others) of each measurement, halves counting for ties."""
        found = self.predictive
        if not self.posterior.measurements or found.at.size < 20 or not np.isfinite(found.loglik).all():
            return None
        observed = np.array([m.observed for m in self.posterior.measurements])
        with _quiet():
            log_weights, _ = load_arviz().psislw(-found.loglik.T)
        weight = np.exp(log_weights).T
        below = (found.replicated < observed) + 0.5 * (found.replicated == observed)
        return np.asarray((weight * below).sum(axis=0) / weight.sum(axis=0))

    @cached_property
    def fisher(self) -> Float[np.ndarray, "d d"] | None:
        """Expected information of the data about u, averaged over draws; None where the likelihood has none."""
        at = self.flat[thinned(len(self.flat), INFORMED)]

        def one(own: Posterior, index: int) -> Float[np.ndarray, "d d"] | None:
            try:
                F = own.fisher(at[index])
            except (FailedSolve, TypeError):  # a failed solve, or an objective without data
                return None
            return F if np.isfinite(F).all() else None

        found = [F for F in over_draws(self.posterior, len(at), one, self.cores) if F is not None]
        return np.mean(found, axis=0) if found else None

    @cached_property
    def fitted(self) -> Fitted | None:
        """The fit that the chains started from; None where there was none."""
        return fit_of(self.run)

    @cached_property
    def constraints(self) -> tuple[Held, ...]:
        """In how many of the draws each constraint holds."""
        return satisfaction(self.posterior, self.run.z)
