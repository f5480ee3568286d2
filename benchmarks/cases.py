"""Problems of the benchmarks: a model, a .conf and its data, written into a folder; the data are made by the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import bnfhmc
from benchmarks import models


@dataclass(frozen=True)
class Case:
    """A fit: ``theta`` its free parameters and their true values, ``observed`` the outputs measured at `times`.

    ``conditions``: the perturbations of each experiment, "" for none; ``before``: the condition all are brought to rest
    under first.
    """

    name: str
    suffix: str
    text: str
    theta: Mapping[str, float]
    observed: Sequence[str]
    times: Sequence[float]
    conditions: Sequence[str] = ("",)
    before: str = ""
    what: str = ""
    replicates: int = 1
    noise: str = "objective = chi_sq"
    bounded: bool = False

    def conf(self) -> str:
        """The configuration."""
        out = ["edition = 2", "job_type = nuts", f"model: model{self.suffix}", self.noise]
        if self.before:
            out.append(f"condition: rest, perturbations: {self.before}")
        for i, changes in enumerate(self.conditions):
            if changes:
                out.append(f"condition: c{i}, perturbations: {changes}")
            extra = (f", condition: c{i}" if changes else "") + (", preequilibrate: rest" if self.before else "")
            out.append(f"experiment: e{i}, data: e{i}.exp{extra}")
        out += [
            f"parameter: {name}, prior: normal, parameter_scale: ln, mean: {np.log(value):.6f}, sd: 1"
            + (f", lower: {value / 1e3:g}, upper: {value * 1e3:g}" if self.bounded else "")
            for name, value in self.theta.items()
        ]
        return "\n".join(out) + "\n"

    def write(self, folder: Path) -> Path:
        """Write the case's files and return its .conf; the measurements lie 5 % off the model, by a fixed seed."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"model{self.suffix}").write_text(self.text)
        path = folder / f"{self.name}.conf"
        path.write_text(self.conf())
        self._data(folder, None)
        posterior = bnfhmc.Posterior(bnfhmc.load(path))
        self._data(folder, posterior.predicted(posterior.u_from_theta(self.theta)))
        return path

    def opened(self, folder: Path) -> tuple[bnfhmc.Posterior, np.ndarray]:
        """The case written into a folder and read from there, and the z of its true values."""
        posterior = bnfhmc.Posterior(bnfhmc.load(self.write(folder)))
        return posterior, posterior.z_from_u(posterior.u_from_theta(self.theta))

    def _data(self, folder: Path, predicted: np.ndarray | None) -> None:
        rng, at = np.random.default_rng(7), 0
        times = np.repeat(np.asarray(self.times, dtype=float), self.replicates)
        scaled = "chi_sq" in self.noise
        header = "# time " + " ".join(f"{o} {o}_SD" if scaled else o for o in self.observed) + "\n"
        for i in range(len(self.conditions)):
            values = np.ones((len(self.observed), len(times)))
            if predicted is not None:
                values = predicted[at : at + values.size].reshape(values.shape)
                at += values.size
            sd = 0.05 * np.abs(values) + 0.02
            noisy = values + sd * rng.standard_normal(values.shape)
            text = header
            for t, row, errors in zip(times, noisy.T, sd.T, strict=True):
                cells = (f"{v:.10g} {e:.10g}" if scaled else f"{v:.10g}" for v, e in zip(row, errors, strict=True))
                text += f"{t:.12g} {' '.join(cells)}\n"
            (folder / f"e{i}.exp").write_text(text)


def _grid(end: float, n: int) -> list[float]:
    return np.linspace(0.0, end, n + 1)[1:].round(9).tolist()


def rates_of(rates: Sequence[str], text: str) -> dict[str, float]:
    """The values that a .net text gives the rates."""
    lines = (line.split() for line in text.splitlines())
    found = {w[1]: float(w[2]) for w in lines if len(w) == 3 and w[1] in rates}
    return {r: found[r] for r in rates}


def overhead_cases() -> list[Case]:
    """Models of 2 to 100 states: tiny, stiff, oscillating, piecewise, with events, conditions, and a rest before."""
    medium, medium_rates = models.cascade(8, 20)
    large, large_rates = models.cycle(60, 24)
    largest, largest_rates = models.cycle(100, 30)
    return [
        Case("decay", ".net", models.DECAY, {"A0": 10, "k": 0.7}, ("A", "B"), _grid(5, 10), what="2 states"),
        Case("enzyme", ".net", models.ENZYME, {"kf": 1.2, "kr": 0.4, "kcat": 0.9, "E0": 1, "ratio": 12},
             ("S", "P", "turnover"), _grid(20, 20), what="4 states, derived initial amount"),
        Case("robertson", ".ant", models.ROBERTSON, {"k1": 0.04, "k2": 3e7, "k3": 1e4}, ("A", "C"),
             np.geomspace(1e-2, 1e5, 15).tolist(), what="3 states, stiff"),
        Case("repressilator", ".ant", models.REPRESSILATOR,
             {"alpha": 200, "alpha0": 0.5, "beta": 0.2, "K": 40, "n": 2.1, "kd": 0.35, "kp": 5}, ("p1", "p2", "p3"),
             _grid(60, 40), what="6 states, oscillating"),
        Case("infusion", ".ant", models.INFUSION,
             {"ka": 0.8, "ke": 0.3, "kb": 0.2, "rate": 4, "t_on": 1.5, "t_off": 4.2}, ("C", "P"), _grid(10, 20),
             what="3 states, piecewise input at fitted times"),
        Case("doses", ".ant", models.DOSES, {"ka": 0.8, "ke": 0.3, "t1": 2.0, "dose": 5, "second": 3}, ("C",),
             _grid(12, 24), what="2 states, events, one at a fitted time"),
        Case("receptor", ".net", models.RECEPTOR,
             {"kon": 0.6, "koff": 0.4, "kint": 0.15, "krec": 0.1, "kph": 1.1, "kdp": 0.7}, ("C", "Sp"), _grid(15, 12),
             conditions=("L = 0.3", "L = 1", "L = 3", "L = 10"), before="L = 0.05",
             what="5 states, 4 conditions after pre-equilibration"),
        Case("knockdowns", ".net", medium, rates_of(medium_rates, medium), ("Xp0", "Xp3", "Xp7"), _grid(20, 12),
             conditions=("", "k0 * 0.3", "k1 = 0.2", "v2 / 3", "signal = 0.1", "b3 * 4"),
             what="24 states, 20 parameters, 6 conditions"),
        Case("ring60", ".net", large, rates_of(large_rates, large), ("Z0", "Z7", "Z19"), _grid(30, 20),
             what="60 states, 24 parameters"),
        Case("ring100", ".net", largest, rates_of(largest_rates, largest), ("Z0", "Z9", "Z29", "Z50"), _grid(30, 20),
             what="100 states, 30 parameters"),
    ]  # fmt: skip
