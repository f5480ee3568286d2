"""log p(data | θ) of experiments as array expressions over [row, series, θ], with its derivatives."""

from bnfhmc.likelihood.experiment import ExperimentLikelihood, Prediction, failure_of, finite
from bnfhmc.likelihood.group import Group
from bnfhmc.likelihood.pool import Pool
from bnfhmc.likelihood.sharing import batches, shared_times

__all__ = ["ExperimentLikelihood", "Group", "Pool", "Prediction", "batches", "failure_of", "finite", "shared_times"]
