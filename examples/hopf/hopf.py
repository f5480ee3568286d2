"""The amplitude of a Hopf oscillator brought to a target, by any backend: x' = (a − r²)x − ωy, y' = (a − r²)y + ωx."""

import sys

import numpy as np

import bnfhmc


def amplitude(a: float) -> float:
    """r at time 40, by the classical Runge–Kutta method on r' = (a − r²) r."""

    def slope(r: float) -> float:
        return (a - r * r) * r

    r, h = 0.5, 0.1
    for _ in range(400):
        k1 = slope(r)
        k2 = slope(r + 0.5 * h * k1)
        k3 = slope(r + 0.5 * h * k2)
        r += h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + slope(r + h * k3))
    return r


def misfit(theta: dict[str, float]) -> float:
    """The loss: half the squared distance to the amplitude at a = 1.5, in units of 0.1."""
    return 0.5 * ((amplitude(theta["a"]) - np.sqrt(1.5)) / 0.1) ** 2


if __name__ == "__main__":
    method = sys.argv[1] if len(sys.argv) > 1 else "nelder_mead"
    objective = bnfhmc.Objective({"a": (0.01, 4.0)}, misfit)
    fit = bnfhmc.optimize(objective, method, starts=[{"a": 0.1}], random_seed=1, cores=1)
    print(f"{fit.method}: a = {fit.theta['a']:.4f} after {fit.evaluations} evaluations ({fit.termination})")
