"""Scales that noise is additive on: the map f with f(ỹ) = f(y) + noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class NoiseScale:
    """f(x) = x (lin), or f(x) = ln x / ln b on a logarithmic scale of base b (log10, ln).

    name: the word for it; ln_base: ln b, and 0 for lin, so that the mean of b^X is E exp(ln_base · X).
    A value of x that is not positive has no place on a logarithmic scale and maps to NaN.
    """

    name: str
    ln_base: float

    def forward(self, x: Any) -> Any:
        """f(x)."""
        return np.asarray(x) if self.ln_base == 0 else np.log(positive(x)) / self.ln_base

    def inverse(self, f: Any) -> Any:
        """x with f(x) = f."""
        return f if self.ln_base == 0 else np.exp(self.ln_base * f)

    def slope(self, x: Any) -> Any:
        """f′(x)."""
        return np.ones(np.shape(x)) if self.ln_base == 0 else 1.0 / (positive(x) * self.ln_base)

    def log_slope(self, x: Any) -> Any:
        """log f′(x): what turns a density of f(x) into a density of x."""
        return 0.0 if self.ln_base == 0 else -np.log(positive(x)) - np.log(self.ln_base)


def positive(x: Any) -> Any:
    """x where it is a positive finite number, else NaN; by the real part of a complex step."""
    x = np.asarray(x)
    return np.where((x.real > 0) & np.isfinite(x), x, np.nan)


LIN = NoiseScale("lin", 0.0)
LOG10 = NoiseScale("log10", float(np.log(10.0)))
LN = NoiseScale("ln", 1.0)
