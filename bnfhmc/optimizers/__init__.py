"""argmin of the negative log posterior: one objective for every optimizer, many starts, and what the mode says.

    fit = optimize(posterior, starts=20, random_seed=1)
    print(fit.table)
    profiles = profile_likelihood(posterior, fit, ["k1", "k2"])
"""

from bnfhmc.optimizers.chain_starts import ChainStarts, map_starts, points_of, spread
from bnfhmc.optimizers.fit import METHODS, choose, optimize
from bnfhmc.optimizers.laplace import Laplace, metric
from bnfhmc.optimizers.objective import Objective
from bnfhmc.optimizers.profiles import Profile, Profiles, profile_likelihood
from bnfhmc.optimizers.result import FitResult, Start
from bnfhmc.optimizers.search import Step
from bnfhmc.optimizers.starts import NoStart

__all__ = [
    "METHODS", "ChainStarts", "FitResult", "Laplace", "NoStart", "Objective", "Profile", "Profiles", "Start", "Step", "choose",
    "map_starts", "metric", "optimize", "points_of", "profile_likelihood", "spread",
]  # fmt: skip
