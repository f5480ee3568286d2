"""The backends: each minimises a `Search` from a point, and says why it ended."""

from __future__ import annotations

from collections.abc import Mapping

from bnfhmc.optimizers.backends import (
    adam,
    cma,
    differential_evolution,
    dual_annealing,
    fides,
    gntr,
    lbfgs,
    nelder_mead,
    nevergrad,
    powell,
    shgo,
    trf,
)
from bnfhmc.optimizers.backends.protocol import Backend, minimised

BACKENDS: Mapping[str, Backend] = {
    "trf": trf.BACKEND,
    "gntr": gntr.BACKEND,
    "fides": fides.BACKEND,
    "lbfgs": lbfgs.BACKEND,
    "adam": adam.BACKEND,
    "nelder_mead": nelder_mead.BACKEND,
    "powell": powell.BACKEND,
    "differential_evolution": differential_evolution.BACKEND,
    "dual_annealing": dual_annealing.BACKEND,
    "shgo": shgo.BACKEND,
    "cma": cma.BACKEND,
    "nevergrad": nevergrad.BACKEND,
}

__all__ = ["BACKENDS", "Backend", "minimised"]
