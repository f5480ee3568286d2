"""PEtab problems of published size, generated: scipy simulates them again, petab counts the likelihood.

Each is a cascade X1 → X2 → … with dX_i/dt = a_i X_{i−1} (1 − X_i) − d_i X_i, whose input and whose data differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import solve_ivp

import bnfhmc

antimony = pytest.importorskip("antimony", reason="needs antimony, which writes the SBML of the generated models")

TIMES = (0.5, 1.0, 2.0, 4.0, 8.0)
Theta = Mapping[str, float]
Change = Callable[[np.ndarray, dict[str, float]], tuple[np.ndarray, dict[str, float]]]


def cascade(n: int, input_: str = "dose", more: str = "") -> str:
    """The model as SBML."""
    lines = [f"X{i}' = a{i}*{'u' if i == 1 else f'X{i - 1}'}*(1 - X{i}) - d{i}*X{i}; X{i} = 0;" for i in range(1, n + 1)]
    constants = "; ".join(f"a{i} = 1; d{i} = 1" for i in range(1, n + 1))
    text = f"model cascade()\n  u := {input_};\n  dose = 1; {constants};\n  " + "\n  ".join(lines) + f"\n  {more}\nend\n"
    antimony.clearPreviousLoads()
    assert antimony.loadAntimonyString(text) >= 0, antimony.getLastError()
    return str(antimony.getSBMLString("cascade"))


def rates(n: int, m: Theta, u: Callable[[float], float]) -> Callable[[float, np.ndarray], np.ndarray]:
    a, d = (np.array([m[f"{k}{i}"] for i in range(1, n + 1)]) for k in "ad")
    return lambda t, x: a * np.concatenate([[u(t)], x[:-1]]) * (1 - x) - d * x


def simulated(
    n: int, m: Theta, times=TIMES, u: Callable[[float, Theta], float] = lambda t, m: m["dose"], before: Theta | None = None,
    jumps: Mapping[float, Change] | None = None, stops: tuple[float, ...] = (),
) -> np.ndarray:  # fmt: skip
    """State[time, i] under the input u, constant between `stops`; at `jumps` the state or the parameters change."""
    m, x, jumps = dict(m), np.zeros(n), jumps or {}
    if before is not None:
        x = integrated(n, {**m, **before}, u, x, 0.0, [1e4])[-1]
    edges = sorted({0.0, *jumps, *stops, float(times[-1])})
    rows: dict[float, np.ndarray] = {}
    for k, start in enumerate(edges):
        if start in jumps:
            x, m = jumps[start](x, m)
        rows[start] = x
        if k + 1 < len(edges):
            asked = [*(t for t in times if start < t < edges[k + 1]), edges[k + 1]]
            got = integrated(n, m, u, x, start, asked)
            rows |= dict(zip(asked[:-1], got, strict=False))
            x = got[-1]
    return np.array([rows[t] for t in times])


def integrated(n: int, m: Theta, u: Callable[[float, Theta], float], x: np.ndarray, start: float, times) -> np.ndarray:
    """State[time, i] from x at `start`, the input that of the middle of the span."""
    level = u((start + times[-1]) / 2, m)
    got = solve_ivp(rates(n, m, lambda t: level), (start, times[-1]), x, method="LSODA", t_eval=times, rtol=1e-11, atol=1e-13)
    assert got.success, got.message
    return got.y.T


def written(folder: Path, version: int, sbml: str, tables: Mapping[str, pd.DataFrame]) -> Path:
    """The files of a problem; ``tables`` by the word its YAML key begins with."""
    (folder / "model.xml").write_text(sbml, encoding="utf-8")
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.tsv", sep="\t", index=False)
    lists = "".join(f"{name}_files: [{name}.tsv]\n" for name in tables if version == 2 or name != "parameter")
    if version == 1:
        head = "format_version: 1\nparameter_file: parameter.tsv\nproblems:\n- sbml_files: [model.xml]\n"
        text = head + "".join(f"  {line}\n" for line in lists.splitlines())
    else:
        text = "format_version: 2.0.0\nmodel_files: {cascade: {location: model.xml, language: sbml}}\n" + lists
    path = folder / "problem.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def data(seed: int, y: np.ndarray) -> np.ndarray:
    """Positive measurements 10 to 30 % off the simulation."""
    rng = np.random.default_rng(seed)
    return y * (1 + rng.uniform(0.1, 0.3, y.shape) * rng.choice([-1, 1], y.shape)) + 0.01


def values(seed: int, names: list[str]) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    return {name: float(x) for name, x in zip(names, 10 ** rng.uniform(-0.4, 0.4, len(names)), strict=True)}


def rows_1(theta: Theta, scales: tuple[str, ...] = ("log10", "lin", "log")) -> pd.DataFrame:
    return pd.DataFrame([
        {"parameterId": n, "parameterScale": scales[i % len(scales)], "lowerBound": v / 50, "upperBound": 50 * v,
         "nominalValue": v, "estimate": 1}
        for i, (n, v) in enumerate(theta.items())
    ])  # fmt: skip


def agrees(path: Path, theta: Theta, measured: pd.DataFrame, simulation: np.ndarray, llh: float, quotient) -> None:
    """Predictions are scipy's, the likelihood petab's, the gradient a difference quotient."""
    posterior = bnfhmc.Posterior(bnfhmc.load(path))
    assert set(posterior.names) == set(theta)
    u = posterior.u_from_theta(theta)
    origin = np.concatenate([s.origin for e in posterior.problem.experiments for s in e.series])
    assert sorted(origin) == list(range(len(measured)))
    np.testing.assert_allclose(posterior.predicted(u), simulation[origin], rtol=2e-6, atol=1e-9)
    assert posterior.pointwise(u).sum() == pytest.approx(llh, abs=1e-4)
    grad, by_differences = posterior.loss_gradient(u), quotient(posterior.loss, u, 1e-3)
    np.testing.assert_allclose(grad, by_differences, rtol=1e-4, atol=1e-5 * np.abs(grad).max())


def llh_1(measured: pd.DataFrame, simulation: np.ndarray, observables: pd.DataFrame, parameters: pd.DataFrame) -> float:
    from petab.v1.calculate import calculate_llh

    # sympy reads Python's floats, not always numpy's
    column = pd.Series(simulation.tolist(), dtype=object)
    simulations = measured.rename(columns={"measurement": "simulation"}).assign(simulation=column)
    own = parameters.set_index("parameterId").astype({"nominalValue": object})
    return float(calculate_llh(measured, simulations, observables.set_index("observableId"), own))


def test_pre_equilibration_and_estimated_noise_and_scales_in_version_1(tmp_path, quotient):
    """Rest under a low dose, then a high one; log10-normal and Laplace noise; scales, offsets and σ are estimated."""
    n = 4
    theta = values(1, [*(f"{k}{i}" for i in range(1, n + 1) for k in "ad"), "scale2", "offset2", "scale4", "sigma2", "sigma4"])
    x = simulated(n, {**theta, "dose": 3.0}, before={"dose": 0.2})
    y2, y4 = theta["scale2"] * x[:, 1] + theta["offset2"], theta["scale4"] * x[:, 3]
    simulation = np.concatenate([y2, y4])
    measured = pd.DataFrame({
        "observableId": ["y2"] * 5 + ["y4"] * 5, "preequilibrationConditionId": "low", "simulationConditionId": "high",
        "time": TIMES * 2, "measurement": data(1, simulation),
        "observableParameters": ["scale2;offset2"] * 5 + ["scale4"] * 5, "noiseParameters": ["sigma2"] * 5 + ["sigma4"] * 5,
    })  # fmt: skip
    observables = pd.DataFrame({
        "observableId": ["y2", "y4"],
        "observableFormula": ["observableParameter1_y2*X2 + observableParameter2_y2", "observableParameter1_y4*X4"],
        "noiseFormula": ["noiseParameter1_y2", "0.1 + noiseParameter1_y4*y4"], "observableTransformation": ["log10", "lin"],
        "noiseDistribution": ["normal", "laplace"],
    })  # fmt: skip
    conditions = pd.DataFrame({"conditionId": ["low", "high"], "dose": [0.2, 3.0]})
    tables = {"parameter": rows_1(theta), "condition": conditions, "observable": observables, "measurement": measured}
    sigma4 = 0.1 + theta["sigma4"] * y4
    by_petab = llh_1(measured[:5], y2, observables[:1], tables["parameter"])
    by_hand = float(np.sum(-np.log(2 * sigma4) - np.abs(measured["measurement"].to_numpy()[5:] - y4) / sigma4))
    path = written(tmp_path, 1, cascade(n), tables)
    agrees(path, theta, measured, simulation, by_petab + by_hand, quotient)


def test_thirty_six_conditions_and_seven_hundred_measurements(tmp_path, quotient):
    """Doses by knock-downs of a rate, a σ of its own for each dose, replicates."""
    n, doses, knocked = 3, np.geomspace(0.05, 5, 9), (1.0, 0.5, 0.2, 0.05)
    theta = values(2, [*(f"{k}{i}" for i in range(1, n + 1) for k in "ad"), "s_low", "s_high"])
    names = [(f"c{i}_{j}", dose, part) for i, dose in enumerate(doses) for j, part in enumerate(knocked)]
    parts, simulation = [], []
    for name, dose, part in names:
        x = simulated(n, {**theta, "dose": dose, "a2": part})
        sigma = "s_low" if dose < 0.5 else "s_high"
        for observable, column in (("y3", x[:, 2]), ("y2", x[:, 1])):
            for _ in range(2):
                parts.append(pd.DataFrame({"observableId": observable, "simulationConditionId": name, "time": TIMES,
                                           "noiseParameters": sigma}))  # fmt: skip
                simulation.append(column)
    simulation = np.concatenate(simulation)
    measured = pd.concat(parts, ignore_index=True).assign(measurement=data(2, simulation))
    assert len(measured) == 720
    observables = pd.DataFrame({"observableId": ["y2", "y3"], "observableFormula": ["X2", "X3"],
                                "noiseFormula": ["noiseParameter1_y2", "noiseParameter1_y3"]})  # fmt: skip
    conditions = pd.DataFrame({"conditionId": [c for c, _, _ in names], "dose": [d for _, d, _ in names],
                               "a2": [p for _, _, p in names]})  # fmt: skip
    del theta["a2"]
    tables = {"parameter": rows_1(theta), "condition": conditions, "observable": observables, "measurement": measured}
    llh = llh_1(measured, simulation, observables, tables["parameter"])
    agrees(written(tmp_path, 1, cascade(n), tables), theta, measured, simulation, llh, quotient)


def test_events_and_a_piecewise_input_with_fitted_times(tmp_path, quotient):
    """The input is on from t_on to t_off; at t_wash an event takes X1 down to a fitted fraction."""
    n = 3
    theta = {**values(3, [f"{k}{i}" for i in range(1, n + 1) for k in "ad"]), "t_on": 0.7, "t_off": 3.1, "t_wash": 5.2,
             "left": 0.3, "high": 2.5, "sigma": 0.15}  # fmt: skip
    sbml = cascade(n, "piecewise(high, time >= t_on && time < t_off, 0.1)",
                   "t_on = 1; t_off = 2; t_wash = 3; left = 0.5; high = 1; at (time >= t_wash): X1 = left*X1;")  # fmt: skip

    def on(t: float, m: Theta) -> float:
        return m["high"] if m["t_on"] <= t < m["t_off"] else 0.1

    def washed(x: np.ndarray, m: dict[str, float]) -> tuple[np.ndarray, dict[str, float]]:
        return np.concatenate([[m["left"] * x[0]], x[1:]]), m

    times = (0.5, 1.0, 2.0, 4.0, 6.0, 8.0)
    x = simulated(n, theta, times, on, jumps={theta["t_wash"]: washed}, stops=(theta["t_on"], theta["t_off"]))
    simulation = x.T.ravel()
    measured = pd.DataFrame({"observableId": np.repeat(["y1", "y2", "y3"], 6), "simulationConditionId": "c", "time": times * 3,
                             "measurement": data(3, simulation)})  # fmt: skip
    observables = pd.DataFrame({"observableId": ["y1", "y2", "y3"], "observableFormula": ["X1", "X2", "X3"],
                                "noiseFormula": ["sigma"] * 3})  # fmt: skip
    tables = {"parameter": rows_1(theta, ("lin", "log10")), "condition": pd.DataFrame({"conditionId": ["c"]}),
              "observable": observables, "measurement": measured}  # fmt: skip
    llh = llh_1(measured, simulation, observables, tables["parameter"])
    agrees(written(tmp_path, 1, sbml, tables), theta, measured, simulation, llh, quotient)


def test_forty_four_parameters_and_periods_in_version_2(tmp_path, quotient):
    """Twenty levels, log-normal noise; a rest, a dose, a knock-down and a wash-out that reads the state it finds."""
    n = 20
    theta = values(4, [*(f"{k}{i}" for i in range(1, n + 1) for k in "ad"), "scale", "washed", "sigma_a", "sigma_b"])

    def knock(x: np.ndarray, m: dict[str, float]) -> tuple[np.ndarray, dict[str, float]]:
        return x, {**m, "dose": 0.3}

    def wash(x: np.ndarray, m: dict[str, float]) -> tuple[np.ndarray, dict[str, float]]:
        return np.concatenate([[m["washed"] * x[0] / (1 + x[1])], x[1:]]), m

    x = simulated(n, {**theta, "dose": 4.0}, before={"dose": 0.1}, jumps={1.0: knock, 4.0: wash})
    seen = (1, 3, 6, 10)
    simulation = np.concatenate([theta["scale"] * x[:, i - 1] for i in seen])
    measured = pd.DataFrame({"observableId": np.repeat([f"y{i}" for i in seen], 5), "experimentId": "e", "time": TIMES * 4,
                             "measurement": data(4, simulation)})  # fmt: skip
    sigma = ["sigma_a", "sigma_b", "sigma_a", "sigma_b"]
    observables = pd.DataFrame({
        "observableId": [f"y{i}" for i in seen], "observableFormula": [f"scale*X{i}" for i in seen],
        "noiseFormula": sigma, "noiseDistribution": "log-normal",
    })  # fmt: skip
    tables = {
        "parameter": pd.DataFrame({"parameterId": list(theta), "lowerBound": [v / 50 for v in theta.values()],
                                   "upperBound": [50 * v for v in theta.values()], "nominalValue": list(theta.values()),
                                   "estimate": "true"}),
        "condition": pd.DataFrame([("rest", "dose", "0.1"), ("on", "dose", "4"), ("knock", "dose", "0.3"),
                                   ("wash", "X1", "washed*X1/(1 + X2)")], columns=["conditionId", "targetId", "targetValue"]),
        "experiment": pd.DataFrame([("e", "-inf", "rest"), ("e", "0", "on"), ("e", "1", "knock"), ("e", "4", "wash")],
                                   columns=["experimentId", "time", "conditionId"]),
        "observable": observables, "measurement": measured,
    }  # fmt: skip
    s = np.repeat([theta[name] for name in sigma], 5)
    m = measured["measurement"].to_numpy()
    llh = float(np.sum(-np.log(np.sqrt(2 * np.pi) * s * m) - (np.log(m) - np.log(simulation)) ** 2 / (2 * s**2)))
    agrees(written(tmp_path, 2, cascade(n), tables), theta, measured, simulation, llh, quotient)
