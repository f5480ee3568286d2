"""The models of the matrix in closed form, or their equations written out and integrated by scipy."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy.integrate import solve_ivp

Theta = Mapping[str, float]

T = np.array([0.0, 0.4, 1.5, 5.0])
LATE = np.array([0.0, 1.0, 1.5, 4.0, 7.0])  # on both sides of what happens at some time
LARGE, SMALL = 2.5, 0.4  # volumes of amounts.xml


def ivp(rhs: Callable, start, times) -> np.ndarray:
    """State[time, species], by scipy at tolerances of its own."""
    start = np.asarray(start, dtype=float)
    if times[-1] == times[0]:
        return start[None, :]
    got = solve_ivp(rhs, (times[0], times[-1]), start, method="LSODA", t_eval=times, rtol=1e-11, atol=1e-13)
    assert got.success, got.message
    return got.y.T


def turnover(m: Theta, x0: float, y0: float, times=T) -> np.ndarray:
    def rhs(t, s):
        return [m["ksyn"] * (1 + m["stim"]) - m["kdeg"] * s[0], m["k1"] * s[0] - m["k2"] * s[1]]

    return ivp(rhs, [x0, y0], times)


def at_rest(m: Theta) -> tuple[float, float]:
    x = m["ksyn"] * (1 + m["stim"]) / m["kdeg"]
    return x, m["k1"] * x / m["k2"]


def complex_at_rest(p: Theta, ligand: float, receptor: float) -> float:
    b = ligand + receptor + p["koff"] / p["kon"]
    return (b - np.sqrt(b * b - 4 * ligand * receptor)) / 2


def binding(p: Theta, start, times=T) -> np.ndarray:
    def rhs(t, s):
        flux = p["kon"] * s[0] * s[1] - p["koff"] * s[2]
        return [-flux, -flux, flux]

    return ivp(rhs, start, times)


def chain(m: Theta, t=T) -> np.ndarray:
    """A, B, C, scaledB, ratio; with ``kd`` or ``B0`` where they are not as the file has them."""
    k1, kd, A0 = m["k1"], m.get("kd", 2 * m.get("k2", 0.3)), m["A0"]
    B0 = m.get("B0", 0.5 * A0)
    A = A0 * np.exp(-k1 * t)
    B = B0 * np.exp(-kd * t) + A0 * k1 / (kd - k1) * (np.exp(-k1 * t) - np.exp(-kd * t))
    return np.stack([A, B, 1 + A0 + B0 - A - B, m.get("s", 1.5) * B, A / (A + B)], axis=1)


def opened(m: Theta, A0: float, B0: float) -> np.ndarray:
    return ivp(lambda t, s: [m["made"] - m["k1"] * s[0], m["k1"] * s[0] - m["kd"] * s[1]], [A0, B0], T)


def switched(p: Theta) -> np.ndarray:
    """X under an input of `amp` from ton to toff and `base` elsewhere."""

    def decay(x, u, dt):
        return u / p["k"] + (x - u / p["k"]) * np.exp(-p["k"] * dt)

    def at(t):
        x = decay(p["X0"], p["base"], min(t, p["ton"]))
        x = decay(x, p["amp"], min(max(t - p["ton"], 0), p["toff"] - p["ton"]))
        return decay(x, p["base"], max(t - p["toff"], 0))

    return np.array([at(t) for t in LATE])


def dosed(p: Theta, start: float | None = None, feed: float = 0.0) -> np.ndarray:
    """S after a dose at tdose."""
    rest, k, S0 = feed / p["k"], p["k"], p["S0"] if start is None else start
    return (rest + (S0 - rest) * np.exp(-k * LATE)
            + np.where(p["tdose"] <= LATE, p["dose"] * np.exp(-k * np.maximum(LATE - p["tdose"], 0)), 0.0))  # fmt: skip


def product(p: Theta) -> np.ndarray:
    k, q = p["k"], p["kp"]

    def made(s0, t):
        return s0 * k / (q - k) * (np.exp(-k * t) - np.exp(-q * t))

    return made(p["S0"], LATE) + np.where(p["tdose"] <= LATE, made(p["dose"], np.maximum(LATE - p["tdose"], 0)), 0.0)


def cell(p: Theta, A0: float, B0: float, times=T) -> np.ndarray:
    """A, B, scaledB, ratio as concentrations: the compartment's volume cancels."""
    y = ivp(lambda t, s: [p["made"] - p["k1"] * s[0], p["k1"] * s[0] - 2 * p["k2"] * s[1]], [A0, B0], times)
    return np.stack([y[:, 0], y[:, 1], p["s"] * y[:, 1], y[:, 0] / (y[:, 0] + y[:, 1])], axis=1)


def amounts(p: Theta, start, times=T) -> np.ndarray:
    """A a concentration in the large compartment, B an amount and D a concentration in the small one."""
    large, small = p.get("large", LARGE), p.get("small", SMALL)
    return ivp(
        lambda t, s: [p["v"] / large - p["k1"] * s[0], large * p["k1"] * s[0] - p["k2"] * s[1],
                      p["k2"] * s[1] / small - p["k3"] * s[2]], start, times,
    )  # fmt: skip


def amounts_at_rest(p: Theta) -> list[float]:
    large, small = p.get("large", LARGE), p.get("small", SMALL)
    return [p["v"] / (large * p["k1"]), p["v"] / p["k2"], p["v"] / (small * p["k3"])]


def ruled(p: Theta, b: float | None = None) -> np.ndarray:
    """B an amount, P a parameter with a rate rule, A a concentration, total an amount by assignment rule."""
    V = p["cell"]
    B0 = 1.5 * p["b0"] if b is None else b
    y = ivp(lambda t, s: [-p["k"] * s[0], 0.5 - p["g"] * s[1], p["k"] * s[0] / V], [B0, 0.2, 1.0], T)
    return np.column_stack([y, y[:, 0] + V * y[:, 2]])


def hill(m: Theta, start, times=T) -> np.ndarray:
    m = {"K": 2.0, "km": 1.5, "vc": 1.2, **m}

    def rhs(t, s):
        turn = m["vc"] * s[0] / (m["km"] + s[0])
        return [m["vmax"] * m["K"] ** m["n"] / (m["K"] ** m["n"] + s[1] ** m["n"]) - turn, turn - m["d"] * s[1]]

    return ivp(rhs, start, times)


def curved(p: Theta) -> tuple[dict[str, float], ...]:
    """What the changes make of the parameters, with B0 = A0²/(10 k1) unless it is set."""
    each = ({"kd": 1}, {"A0": p["A0"] * p["f"]}, {"k1": p["f"] / 2}, {"B0": p["f"] * p["A0"]}, {"k1": 2 * p["k1"], "start": 4})
    out = []
    for change in each:
        m = {**p, **change}
        m.setdefault("B0", m["A0"] ** 2 / (10 * m["k1"]))
        out.append({**m, "A0": m.get("start", m["A0"])})
    return tuple(out)
