"""Noise families in PEtab's words: location median, and widths on the natural logarithm."""

from __future__ import annotations

import numpy as np

from bnfhmc.noise import Laplace, LnLaplace, LnNormal, LogLaplace, LogNormal, NoiseModel, Normal
from bnfhmc.write.words import NOISE_WORDS

LN_10 = float(np.log(10.0))

# family → PEtab's word, and what PEtab's width is a multiple of ours by
DISTRIBUTIONS: dict[type, tuple[str, float]] = {
    Normal: ("normal", 1.0), Laplace: ("laplace", 1.0),
    LnNormal: ("log-normal", 1.0), LnLaplace: ("log-laplace", 1.0),
    LogNormal: ("log-normal", LN_10), LogLaplace: ("log-laplace", LN_10),
}  # fmt: skip


def why_not(noise: NoiseModel) -> tuple[str, str] | None:
    """Why PEtab cannot say a noise model, and what to do; None where it can."""
    family = type(noise)
    if family not in DISTRIBUTIONS:
        known = "normal, laplace, lnnormal, lognormal, ln_laplace or log_laplace"
        return f"PEtab has no {NOISE_WORDS[family]} noise", f"choose {known}"
    on_logarithm = family not in (Normal, Laplace)
    if on_logarithm and getattr(noise, "location", "median") == "mean":
        return (f"PEtab's {DISTRIBUTIONS[family][0]} noise is about the median, and this one is about the mean",
                "type 'location = median', or shift the observable by a formula")  # fmt: skip
    return None
