"""The amplitude of a Hopf oscillator brought to a target: x' = (a − r²)x − ωy, y' = (a − r²)y + ωx.

    python hopf.py [METHOD ...]

With more than one method, convergence.png holds their ways to the minimum side by side.
"""

import sys

import numpy as np

import bnfhmc
from bnfhmc.optimizers import plots
from bnfhmc.optimizers.backends import BACKENDS

TARGET, SIGMA = np.sqrt(1.5), 0.1


def amplitude(a: float) -> tuple[float, float]:
    """r at time 40 and ∂r/∂a, by the classical Runge–Kutta method on r' = (a − r²) r and s' = r + (a − 3r²) s."""

    def slope(r: float, s: float) -> tuple[float, float]:
        return (a - r * r) * r, r + (a - 3.0 * r * r) * s

    r, s, h = 0.5, 0.0, 0.1
    for _ in range(400):
        k1, l1 = slope(r, s)
        k2, l2 = slope(r + 0.5 * h * k1, s + 0.5 * h * l1)
        k3, l3 = slope(r + 0.5 * h * k2, s + 0.5 * h * l2)
        k4, l4 = slope(r + h * k3, s + h * l3)
        r, s = r + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4), s + h / 6.0 * (l1 + 2.0 * l2 + 2.0 * l3 + l4)
    return r, s


def residuals(theta: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """ρ, the distance to the target in units of σ, and ∂ρ/∂a."""
    r, s = amplitude(theta["a"])
    return np.array([(r - TARGET) / SIGMA]), np.array([[s / SIGMA]])


def gradient(theta: dict[str, float]) -> tuple[float, np.ndarray]:
    """The loss ½ρ² and its gradient."""
    rho, J = residuals(theta)
    return float(0.5 * rho @ rho), J.T @ rho


def value(theta: dict[str, float]) -> float:
    """The loss alone, as of a quantity whose derivative nobody knows."""
    return gradient(theta)[0]


FORMS = {"residuals": residuals, "information": residuals, "gradient": gradient, "value": value}


def fitted(method: str) -> bnfhmc.optimizers.FitResult:
    """One fit from a = 0.1, with what the method asks of a function and no more."""
    needs = BACKENDS[method].needs
    returns = "residuals" if needs == "information" else needs
    objective = bnfhmc.Objective({"a": (0.01, 4.0)}, FORMS[needs], returns=returns)
    return bnfhmc.optimize(objective, method, starts=[{"a": 0.1}], random_seed=1, cores=1)


if __name__ == "__main__":
    fits = {method: fitted(method) for method in sys.argv[1:] or ["nelder_mead"]}
    for method, fit in fits.items():
        print(f"{method}: a = {fit.theta['a']:.4f} after {fit.evaluations} evaluations ({fit.termination})")
    if len(fits) > 1:
        plots.convergence(fits).savefig("convergence.png", dpi=200)
