"""A finished fit under study: its files, the posterior it is of, and what the best point predicts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import InputError, Mistake
from bnfhmc.posterior import Posterior
from bnfhmc.prior import Parameter
from bnfhmc.report.bands import SeriesFit, series_fits
from bnfhmc.report.fitted import Fitted, read_fitted
from bnfhmc.report.folder import RECORD
from bnfhmc.report.opened import MOST_APART, Load, problem_file, read_record
from bnfhmc.report.predictive import Predictive, densely, predict

PREDICTED = 400  # draws around the best point


class FitStudy:
    """A fit, read back with its posterior. ``cores``: that predictions take."""

    def __init__(self, fitted: Fitted, posterior: Posterior, *, cores: int | None = None):
        self.fitted, self.posterior, self.cores = fitted, posterior, cores

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters, in declaration order."""
        return self.posterior.problem.parameters

    @cached_property
    def dense(self) -> Posterior:
        """The posterior of the same problem with more output times, for curves."""
        return Posterior(densely(self.posterior.problem))

    @cached_property
    def around(self) -> Float[np.ndarray, "s d"]:
        """Points u of the normal (Laplace) approximation around the best one; that one alone where there is none."""
        from bnfhmc.optimizers import Objective
        from bnfhmc.optimizers.laplace import laplace

        objective = Objective.of(self.posterior)
        approximation = laplace(objective, self.fitted.u)
        if approximation is None:
            return np.repeat(self.fitted.u[None], PREDICTED, axis=0)
        return approximation.draw(np.random.default_rng(0), objective.bounds, PREDICTED)

    @cached_property
    def predictive(self) -> Predictive:
        """Predictions around the best point, at dense times."""
        return predict(self.dense, self.around, cores=self.cores)

    @cached_property
    def fits(self) -> tuple[SeriesFit, ...]:
        """Every series beside its predictions; none where nothing could be solved."""
        return series_fits(self.dense.problem, self.predictive) if self.predictive.at.size else ()


def is_fit(record: Mapping[str, Any]) -> bool:
    """Whether a run.json is that of a fit."""
    return "fit" in record


def open_fit(folder: Path, load: Load, conf: Path | None = None, *, cores: int | None = None) -> FitStudy:
    """A finished fit with its posterior.

    ``load``: reads a problem file, as `bnfhmc.load` does. ``conf``: the problem file, where it is not where run.json says.
    Raises InputError where files are missing or damaged, and where the problem is no longer the one that was fitted.
    """
    record = read_record(folder)
    fitted = read_fitted(folder)
    posterior = Posterior(load(problem_file(record, folder / RECORD, conf)))
    path, hint = posterior.problem.path, "restore the files as they were, or fit again"
    if fitted.names != posterior.names:
        what = f"has the parameters {', '.join(posterior.names)}, and the fit has {', '.join(fitted.names)}"
        raise InputError(Mistake(what, hint, path))
    here = posterior.log_prior(fitted.u) - posterior.loss(fitted.u)
    if not abs(here - fitted.log_posterior) <= MOST_APART + 1e-6 * abs(fitted.log_posterior):
        what = (f"the log posterior at the best point is {here:.6g} and was {fitted.log_posterior:.6g} in the fit: the "
                "configuration, the data or the model has changed since")  # fmt: skip
        raise InputError(Mistake(what, hint, path))
    return FitStudy(fitted, posterior, cores=cores)
