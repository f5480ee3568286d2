"""PyBNF 1.8.1 asked for loss, gradient, residuals and prior at one point, in this process and with nothing fitted.

What is read off it, in its own conventions: the loss leaves out ½ log 2π and the normaliser of a known scale; gradients
and Jacobians are in u; parameters come in declaration order; the prior is a density in u. It refuses gradients of a
configuration of edition 1.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

if "BNGPATH" not in os.environ and (found := find_spec("bionetgen")) is not None and found.origin:
    os.environ["BNGPATH"] = str(Path(found.origin).parent / "bng-linux")

from pybnf import printing
from pybnf.algorithms.core import Result
from pybnf.algorithms.optimizers.lbfgs import LBFGSAlgorithm
from pybnf.algorithms.optimizers.trf import TRFAlgorithm
from pybnf.config import Configuration
from pybnf.parse import ploop
from pybnf.pset import PSet

OURS = ("fit_type", "job_type", "output_dir", "verbosity", "population_size", "num_warmup", "num_samples")


class Answer(NamedTuple):
    """PyBNF's view of one θ; the last four are None where it takes no gradients, the residuals where it has none."""

    loss: float
    log_prior: float
    u: np.ndarray
    gradient: np.ndarray | None = None
    dtheta_du: np.ndarray | None = None
    residuals: np.ndarray | None = None
    jacobian: np.ndarray | None = None


class Oracle:
    """One configuration as PyBNF reads it. `folder` holds its files and takes what PyBNF writes."""

    def __init__(self, text: str, folder: Path, least_squares: bool = False, gradients: bool = True):
        self.folder, modern = folder, "edition = 2" in text
        self.gradients = gradients and modern
        kept = [line for line in text.splitlines() if not line.strip().startswith(OURS)]
        kind = "de" if not self.gradients else "trf" if least_squares else "lbfgs"
        kept += [f"{'job_type' if modern else 'fit_type'} = {kind}", f"output_dir = {folder / 'pybnf'}",
                 "population_size = 4", "max_iterations = 2", "sbml_backend = bngsim", "verbosity = 0"]  # fmt: skip
        (folder / "pybnf").mkdir(exist_ok=True)
        printing.verbosity = 0
        here = os.getcwd()
        os.chdir(folder)  # it looks for files from where it runs
        try:
            self.config = Configuration(ploop([f"{line}\n" for line in kept]))
            self.config.config["random_seed"] = self.config.config.get("random_seed") or 1
            self.fit = self._algorithm(kind)(self.config)
            if self.gradients:
                self.fit._setup_gradient_path()
        finally:
            os.chdir(here)
        self.parameters = {p.name: p for p in self.fit.variables}

    @staticmethod
    def _algorithm(kind: str) -> Any:
        if kind == "de":
            from pybnf.algorithms.optimizers.differential_evolution import DifferentialEvolution

            return DifferentialEvolution
        return {"trf": TRFAlgorithm, "lbfgs": LBFGSAlgorithm}[kind]

    def at(self, theta: Mapping[str, float]) -> Answer:
        """Everything PyBNF says of θ."""
        values = [p.set_value(float(theta[n]), reflect=False) for n, p in self.parameters.items()]
        result = self._solved(PSet(values))
        settings = self.config.config
        result.normalize(settings["normalization"])
        result.postprocess_data(self.config.postprocessing)
        result.score = self.config.obj.evaluate_multiple(
            result.simdata, self.config.exp_data, result.pset, self.config.constraints, show_warnings=False
        )
        u = np.array([p.to_sampling_space(theta[n]) for n, p in self.parameters.items()])
        log_prior = sum(p.prior_logpdf(theta[n]) for n, p in self.parameters.items() if p.has_prior)
        if not self.gradients:
            return Answer(float(result.score), float(log_prior), u)
        slopes = self.fit.gradient_at(result)
        dtheta_du = [p.d_from_sampling_space(x) if p.log_space else 1.0
                     for p, x in zip(self.parameters.values(), u, strict=True)]  # fmt: skip
        return Answer(float(result.score), float(log_prior), u, np.asarray(slopes.gradient), np.array(dtheta_du),
                      slopes.residual, slopes.jacobian)  # fmt: skip

    def loss(self, u: np.ndarray) -> float:
        """The loss at u, for difference quotients."""
        theta = {n: p.from_sampling_space(x) for (n, p), x in zip(self.parameters.items(), u, strict=True)}
        return self.at(theta).loss

    def _solved(self, point: PSet) -> Result:
        settings, solved = self.config.config, {}
        for model in self.fit.model_list:
            copy = model.copy_with_param_set(point)
            copy._pybnf_replicate_index = 0
            copy._pybnf_stochastic_seed_policy = settings["stochastic_seed"]
            solved[model.name] = copy.execute(str(self.folder), model.name, settings["wall_time_sim"])
        return Result(point, solved, "oracle")
