"""Gradient-based Bayesian inference for biochemical models.

    problem = bnfhmc.load("fit.conf")
    posterior = bnfhmc.Posterior(problem)
    fit = bnfhmc.optimize(posterior, starts=20, random_seed=7)
    idata = bnfhmc.sample(posterior, chains=4, random_seed=7)

Importing the package is light: a name is imported when it is first asked for, and jax when `sample` is called.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bnfhmc.errors import FailedSolve, GradientMismatch, InputError, MissingTool, Mistake
    from bnfhmc.optimizers import FitResult, Objective, optimize, profile_likelihood
    from bnfhmc.posterior import Evaluation, Posterior
    from bnfhmc.problem import Problem, Settings
    from bnfhmc.read.problem import load
    from bnfhmc.report import plots as plot
    from bnfhmc.run import open_study, sample

__version__ = "0.1.0"

__all__ = [
    "Evaluation",
    "FailedSolve",
    "FitResult",
    "GradientMismatch",
    "InputError",
    "MissingTool",
    "Mistake",
    "Objective",
    "Posterior",
    "Problem",
    "Settings",
    "load",
    "open_study",
    "optimize",
    "plot",
    "profile_likelihood",
    "sample",
]

_HOME = {
    "Evaluation": "bnfhmc.posterior",
    "FailedSolve": "bnfhmc.errors",
    "FitResult": "bnfhmc.optimizers",
    "GradientMismatch": "bnfhmc.errors",
    "InputError": "bnfhmc.errors",
    "MissingTool": "bnfhmc.errors",
    "Mistake": "bnfhmc.errors",
    "Objective": "bnfhmc.optimizers",
    "Posterior": "bnfhmc.posterior",
    "Problem": "bnfhmc.problem",
    "Settings": "bnfhmc.problem",
    "load": "bnfhmc.read.problem",
    "open_study": "bnfhmc.run",
    "optimize": "bnfhmc.optimizers",
    "plot": "bnfhmc.report.plots",
    "profile_likelihood": "bnfhmc.optimizers",
    "sample": "bnfhmc.run",
}

_MODULES = {"plot"}  # names of whole modules


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(_HOME[name])
    value = home if name in _MODULES else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
