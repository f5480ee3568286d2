"""Posteriors of the sampler benchmarks, written as a .conf, a model and its data into a folder.

Lotka-Volterra: the pelts of the Hudson Bay company, 1900-1920 (hare and lynx in thousands), with the priors and the noise of
Carpenter's Stan case study (2018). Michaelis-Menten: one compartment with first-order absorption and saturable elimination,
half-Cauchy priors, data simulated once (Margossian & Gillespie 2017 have the model).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

LYNX = (4.0, 6.1, 9.8, 35.2, 59.4, 41.7, 19.0, 13.0, 8.3, 9.1, 7.4, 8.0, 12.3, 19.5, 45.7, 51.1, 29.7, 15.8, 9.7, 10.1, 8.6)
HARE = (30.0, 47.2, 70.2, 77.4, 36.3, 20.6, 18.1, 21.4, 22.0, 25.4, 27.1, 40.3, 57.0, 76.6, 52.3, 19.5, 11.2, 7.6, 14.6, 16.2,
        24.7)  # fmt: skip

LOTKA_VOLTERRA = """
begin parameters
    1 alpha 0.55
    2 beta 0.028
    3 gamma 0.8
    4 delta 0.024
    5 H0 34
    6 L0 6
end parameters
begin species
    1 H() H0
    2 L() L0
end species
begin reactions
    1 1 1,1 alpha
    2 1,2 2 beta
    3 2 0 gamma
    4 1,2 1,2,2 delta
end reactions
begin groups
    1 Hare 1
    2 Lynx 2
end groups
"""

LOTKA_VOLTERRA_CONF = """edition = 2
job_type = nuts
model: lotka_volterra.net
experiment: pelts, data: pelts.exp
noise_model Hare = lnnormal, sigma = fit sigma_H
noise_model Lynx = lnnormal, sigma = fit sigma_L
parameter: alpha, prior: normal, mean: 1, sd: 0.5, lower: 0, upper: inf
parameter: beta, prior: normal, mean: 0.05, sd: 0.05, lower: 0, upper: inf
parameter: gamma, prior: normal, mean: 1, sd: 0.5, lower: 0, upper: inf
parameter: delta, prior: normal, mean: 0.05, sd: 0.05, lower: 0, upper: inf
parameter: H0, prior: normal, parameter_scale: ln, mean: 2.302585, sd: 1
parameter: L0, prior: normal, parameter_scale: ln, mean: 2.302585, sd: 1
parameter: sigma_H, prior: normal, parameter_scale: ln, mean: -1, sd: 1
parameter: sigma_L, prior: normal, parameter_scale: ln, mean: -1, sd: 1
"""

# Amount in the gut G and concentration C: dG/dt = -k_a G, dC/dt = k_a G/V - V_m/V C/(K_m + C), with the dose 30 and V = 2.
MICHAELIS_MENTEN = """
begin parameters
    1 k_a 0.75
    2 K_m 0.25
    3 V_m 1
    4 V 2
end parameters
begin functions
    1 absorption() k_a/V
    2 elimination() V_m/(V*(K_m + C))
end functions
begin species
    1 G() 30
    2 C() 0
end species
begin reactions
    1 1 0 k_a
    2 1 1,2 absorption
    3 2 0 elimination
end reactions
begin groups
    1 C 2
end groups
"""

MICHAELIS_MENTEN_CONF = """edition = 2
job_type = nuts
model: michaelis_menten.net
experiment: blood, data: blood.exp
noise_model = lnnormal, sigma = fit sigma
parameter: k_a, prior: half_cauchy, scale: 1
parameter: K_m, prior: half_cauchy, scale: 1
parameter: V_m, prior: half_cauchy, scale: 1
parameter: sigma, prior: half_cauchy, scale: 1
"""


def lotka_volterra(folder: Path) -> Path:
    """Write the case into `folder`; its .conf."""
    rows = "\n".join(f"{t} {h} {y}" for t, (h, y) in enumerate(zip(HARE, LYNX, strict=True)))
    return _write(folder, "lotka_volterra", LOTKA_VOLTERRA, LOTKA_VOLTERRA_CONF, {"pelts.exp": f"# time Hare Lynx\n{rows}\n"})


def michaelis_menten(folder: Path) -> Path:
    """Write the case into `folder`, with data at 20 times and 10 % noise by a fixed seed; its .conf."""
    import bnfhmc

    times = np.arange(1, 21)
    files = {"blood.exp": "# time C\n" + "".join(f"{t} 1\n" for t in times)}
    path = _write(folder, "michaelis_menten", MICHAELIS_MENTEN, MICHAELIS_MENTEN_CONF, files)
    posterior = bnfhmc.Posterior(bnfhmc.load(path))
    truth = {"k_a": 0.75, "K_m": 0.25, "V_m": 1.0, "sigma": 0.1}
    y = posterior.predicted(posterior.u_from_theta(truth)) * np.exp(0.1 * np.random.default_rng(7).standard_normal(len(times)))
    files = {"blood.exp": "# time C\n" + "".join(f"{t} {v:.10g}\n" for t, v in zip(times, y, strict=True))}
    return _write(folder, "michaelis_menten", MICHAELIS_MENTEN, MICHAELIS_MENTEN_CONF, files)


def _write(folder: Path, name: str, model: str, conf: str, files: Mapping[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in {f"{name}.net": model, f"{name}.conf": conf, **files}.items():
        (folder / file).write_text(text)
    return folder / f"{name}.conf"


CASES: Mapping[str, Callable[[Path], Path]] = {"lotka-volterra": lotka_volterra, "michaelis-menten": michaelis_menten}
