"""How long a report takes, how much memory, how large the page is, and what more cores bring.

A cascade of ten species that hand a signal on at rates of their own (20 parameters) is observed in five experiments of
different stimuli. A run of 4 × 1000 draws is made around the true parameters without a sampler, written to a folder, and
reported on by ``bnfhmc report`` in a process of its own. The posterior predictive of 1000 draws is then solved on one core and
on all in turn, five times, and the ratio of the least times is given.

    python benchmarks/report.py --json report.json
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from tables import printed, saved

import bnfhmc
from bnfhmc.cores import usable_cores
from bnfhmc.posterior import Posterior
from bnfhmc.report import run_json
from bnfhmc.report.groups import complete
from bnfhmc.report.inference_data import theta_of_draws, to_inference_data, to_netcdf_bytes
from bnfhmc.report.predictive import predict
from bnfhmc.report.summary import summarize
from bnfhmc.report.verdict import Evidence, judge
from bnfhmc.samplers.draws import ChainRecord, Draws, Trace
from bnfhmc.samplers.host import Tally

SPECIES, EXPERIMENTS, CHAINS, DRAWS = 10, 5, 4, 1000
TIMES = np.linspace(0.0, 30.0, 13)
SHOWN = (3, 6, 10)  # the species that are measured
SPREAD = 0.02  # sd of the draws around the truth, in log10
REPEATS = 5


def written(folder: Path, rng: np.random.Generator) -> Path:
    """The model, the data and the configuration; 20 parameters are free."""
    rates = {f"a{i}": 0.5 + 0.05 * i for i in range(1, SPECIES + 1)} | {f"d{i}": 0.3 + 0.03 * i for i in range(1, SPECIES + 1)}
    names = [*rates, "S"]
    lines = [f"    {i} {n} {rates.get(n, 1.0):g}" for i, n in enumerate(names, 1)]
    (folder / "cascade.net").write_text("\n".join([
        "begin parameters", *lines, "end parameters", "begin species", "    1 X0() S",
        *(f"    {i + 1} X{i}() 0" for i in range(1, SPECIES + 1)), "end species", "begin reactions",
        *(f"    {2 * i - 1} {i} {i},{i + 1} a{i}" for i in range(1, SPECIES + 1)),
        *(f"    {2 * i} {i + 1} 0 d{i}" for i in range(1, SPECIES + 1)), "end reactions", "begin groups",
        *(f"    {k} X{i} {i + 1}" for k, i in enumerate(SHOWN, 1)), "end groups", "",
    ]))  # fmt: skip
    conf = ["edition = 2", "fit_type = nuts", "model: cascade.net", "objective = chi_sq"]
    for e in range(1, EXPERIMENTS + 1):
        conf += [f"condition: c{e}, perturbations: S = {e}", f"experiment: e{e}, data: e{e}.exp, condition: c{e}"]
        header = ["time", *(f"X{i}" for i in SHOWN), *(f"X{i}_SD" for i in SHOWN)]
        rows = [[t, *([1.0] * 2 * len(SHOWN))] for t in TIMES]
        (folder / f"e{e}.exp").write_text("\n".join("\t".join(map(str, r)) for r in (header, *rows)) + "\n")
    prior = "prior: normal, parameter_scale: log10, sd: 0.5"
    conf += [f"parameter: {n}, {prior}, mean: {np.log10(v):.6g}" for n, v in rates.items()]
    path = folder / "cascade.conf"
    path.write_text("\n".join([*conf, f"population_size = {CHAINS}", f"num_samples = {DRAWS}", ""]))
    truth = Posterior(bnfhmc.load(path))
    y = truth.predicted(np.log10([*rates.values()])).reshape(EXPERIMENTS, len(SHOWN), len(TIMES))
    sd = 0.05 * y.max(axis=2, keepdims=True) + 0 * y
    noisy = y + sd * rng.normal(size=y.shape)
    for e in range(EXPERIMENTS):
        rows = [[t, *noisy[e, :, i], *sd[e, :, i]] for i, t in enumerate(TIMES)]
        text = "\n".join("\t".join(map(repr, map(float, r))) for r in rows)
        (folder / f"e{e + 1}.exp").write_text("\t".join(header) + "\n" + text + "\n")
    return path


def finished(conf: Path, folder: Path, rng: np.random.Generator) -> float:
    """A run around the truth, as a sampler would leave it; seconds that all its groups took."""
    posterior = Posterior(bnfhmc.load(conf))
    mode = np.array([p.prior.ppf(0.5) for p in posterior.problem.parameters])
    z = mode + SPREAD * rng.normal(size=(CHAINS, DRAWS, posterior.dim))
    lp = np.array([posterior.log_prior(u) - posterior.loss(u) for u in z.reshape(-1, posterior.dim)]).reshape(z.shape[:2])
    stats = {"lp": lp, "diverging": np.zeros(lp.shape, bool), "energy": 10 + rng.normal(size=lp.shape) - lp,
             "tree_depth": np.full(lp.shape, 3), "n_steps": np.full(lp.shape, 7), "step_size": np.full(lp.shape, 0.4),
             "acceptance_rate": np.full(lp.shape, 0.8), "failed": np.zeros(lp.shape, int)}  # fmt: skip
    tallies = Tally(1, {}), Tally(100, {}), Tally(7 * DRAWS, {})
    chain = ChainRecord(z[0, 0], (), None, *tallies, 1.0, 1.0, 0.4, np.eye(posterior.dim))
    warmup = Trace(z[:, :0], {k: v[:, :0] for k, v in stats.items()})
    draws = Draws(posterior.names, z, stats, warmup, (chain,) * CHAINS, "dense", 1)
    began = time.perf_counter()
    idata = complete(to_inference_data(posterior, draws, loglik=None, attrs={}), posterior, z, seed=1)
    seconds = time.perf_counter() - began
    summary = summarize(posterior.names, theta_of_draws(posterior, z))
    record = run_json.finished(
        run_json.opening(bnfhmc.__version__, "2026-01-01T00:00:00+00:00"), ended="2026-01-01T00:01:00+00:00",
        problem=posterior.problem, settings=posterior.problem.settings, draws=draws, summary=summary,
        verdict=judge(Evidence.of(summary, posterior.problem.settings, draws)),
    )  # fmt: skip
    folder.mkdir()
    (folder / "posterior.nc").write_bytes(to_netcdf_bytes(idata))
    (folder / "run.json").write_text(run_json.to_json(record), encoding="utf-8")
    return seconds


def reported(folder: Path) -> dict[str, float]:
    """Seconds and most memory of ``bnfhmc report`` as a command, and the size of its page."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "bnfhmc", "report", str(folder)], capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode not in (0, 3):
        raise SystemExit(done.stderr)
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"seconds": seconds, "memory_MB": memory / 1e6, "page_MB": (folder / "report.html").stat().st_size / 1e6}


def sped_up(conf: Path, rng: np.random.Generator, cores: int) -> dict[str, float]:
    """The least seconds of 1000 predictions on one core and on all, in turn, and their ratio."""
    posterior = Posterior(bnfhmc.load(conf))
    mode = np.array([p.prior.ppf(0.5) for p in posterior.problem.parameters])
    u = mode + SPREAD * rng.normal(size=(1000, posterior.dim))
    taken: dict[int, list[float]] = {1: [], cores: []}
    predict(posterior, u[:50], cores=cores)
    for _ in range(REPEATS):
        for n, seconds in taken.items():
            began = time.perf_counter()
            predict(posterior, u, cores=n)
            seconds.append(time.perf_counter() - began)
    return {"one": min(taken[1]), "all": min(taken[cores]), "ratio": min(taken[1]) / min(taken[cores])}


def main() -> None:
    """Measure, print, and write where a file is asked for."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--json", type=Path, help="write the numbers there")
    arguments.add_argument("--cores", type=int, default=usable_cores())
    asked = arguments.parse_args()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory(prefix="bnfhmc_") as name:
        conf = written(Path(name), rng)
        groups = finished(conf, Path(name) / "run", rng)
        page = reported(Path(name) / "run")
        ratio = sped_up(conf, rng, asked.cores)
    rows = [
        {"what": "report, s", "measured": page["seconds"], "target": "< 60"},
        {"what": "report, memory in MB", "measured": page["memory_MB"], "target": "< 1000"},
        {"what": "report.html, MB", "measured": page["page_MB"], "target": "< 10"},
        {"what": "all groups of posterior.nc (4000 draws), s", "measured": groups, "target": ""},
        {"what": "1000 predictions on one core, s", "measured": ratio["one"], "target": ""},
        {"what": f"1000 predictions on {asked.cores} cores, s", "measured": ratio["all"], "target": ""},
        {"what": "how many times faster", "measured": ratio["ratio"], "target": "> 1.7"},
    ]
    printed(f"A report from {CHAINS} × {DRAWS} draws, 20 parameters, {EXPERIMENTS} experiments", rows)
    saved(asked.json, "report", rows)


if __name__ == "__main__":
    main()
