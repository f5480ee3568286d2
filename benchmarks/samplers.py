"""Samplers beside each other: effective draws for 1000 gradients and for a CPU second, everything counted.

    python benchmarks/samplers.py [--case NAME ...] [--problem FILE ...] [--method NAME ...] [--draws N] [--seed N]
                                  [--seconds S] [--json FILE]

Cases: lotka-volterra, michaelis-menten, gaussian, influenza, overhead; FILE is a .conf or a PEtab .yaml. ESS is the smallest
bulk ESS over the parameters (in z), of four chains on one core. Gradients are those of the search for modes, of the starts, of
the warm-up and of the sampling; in brackets, of the sampling alone. A method that solves for values alone is counted by these.
"sd off" compares the sds with those of a reference run of ten times the draws, in Monte Carlo standard errors of both; the
largest is shown.

"nutpie" is nutpie's NUTS as it comes, with its low-rank metric, from draws of the prior; "blackjax" is blackjax's NUTS after
its own window adaptation of a dense metric. The rest is this package.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import sampler_cases
from tables import Row, printed, saved

import bnfhmc
from bnfhmc.posterior import Evaluation
from bnfhmc.report.quiet_arviz import load_arviz
from bnfhmc.samplers.chains import run_chains
from bnfhmc.samplers.curvature import Curvature, CurvedEvaluation
from bnfhmc.samplers.draws import Draws
from bnfhmc.samplers.kernels.leapfrog import enter, leap
from bnfhmc.samplers.kernels.protocol import Point, Tuning
from bnfhmc.samplers.methods import METHODS, make_kernel
from bnfhmc.samplers.metric import Metric
from bnfhmc.samplers.posterior_target import as_target
from bnfhmc.samplers.starts import stream
from bnfhmc.sampling import near_modes

ROOT = Path(__file__).resolve().parents[1]
RIVALS = ("nutpie", "blackjax")


class Ran(NamedTuple):
    """Draws z[chain, draw, d], solves with gradients and for values in all and in the sampling, and CPU seconds."""

    z: np.ndarray
    gradients: int
    values: int
    sampling: int
    seconds: float
    diverging: int = 0
    note: str = ""


class Gaussian:
    """A normal density of 20 parameters with condition number 1e4, whose curvature is known."""

    def __init__(self, d: int = 20, condition: float = 1e4):
        Q = np.linalg.qr(np.random.default_rng(0).standard_normal((d, d)))[0]
        self.precision = Q @ np.diag(np.geomspace(condition, 1.0, d)) @ Q.T
        self.dim, self.names = d, [f"x{i + 1}" for i in range(d)]

    def evaluate(self, z: np.ndarray) -> Evaluation:
        grad = -self.precision.dot(z)
        return Evaluation(0.5 * float(z.dot(grad)), grad, "ok")

    def evaluate_curved(self, z: np.ndarray) -> CurvedEvaluation:
        return CurvedEvaluation(*self.evaluate(z), lambda: Curvature(self.precision, np.zeros(self.dim)))

    def sample_start(self, rng: np.random.Generator) -> np.ndarray:
        return 2.0 * rng.standard_normal(self.dim)

    def clone(self) -> Gaussian:
        return self


class Normal:
    """The standard normal density."""

    def __init__(self, d: int):
        self.dim, self.names = d, [f"x{i + 1}" for i in range(d)]

    def evaluate(self, z: np.ndarray) -> Evaluation:
        return Evaluation(-0.5 * float(z.dot(z)), -z, "ok")

    def sample_start(self, rng: np.random.Generator) -> np.ndarray:
        return rng.standard_normal(self.dim)

    def clone(self) -> Normal:
        return self


def ours(name: str, target: Any, draws: int, seed: int, seconds: float) -> Ran:
    """A method of this package, from the modes that a multistart finds, as a run begins it."""
    kernel = make_kernel(name)
    posterior = getattr(target, "posterior", None)
    near = None if posterior is None else near_modes(posterior, 1, lambda said: None)
    number = {"mala": 3 * draws, "fisher_mala": 3 * draws, "ensemble": max(draws // 5, 20)}.get(name, draws)
    began = time.process_time()
    made: Draws = run_chains(
        kernel, target, num_samples=number, random_seed=seed, cores=1, check_gradient=False, start="map",
        near_modes=near, time_limit=seconds,
    )  # fmt: skip
    spent = time.process_time() - began
    phases = [(chain.starting, chain.warmup, chain.sampling) for chain in made.chains]
    gradients = made.search.gradients + sum(tally.gradients for chain in phases for tally in chain)
    values = made.search.values + sum(tally.values for chain in phases for tally in chain)
    sampling = sum(chain[2].gradients or chain[2].values for chain in phases)
    note = "; ".join([made.ended, *(made.died or {}).values()]).strip("; ")
    return Ran(made.z, gradients, values, sampling, spent, int(made.stats["diverging"].sum()), note)


def nutpie(target: Any, draws: int, seed: int, seconds: float) -> Ran:
    """nutpie's NUTS as it comes, with a low-rank metric, from the prior."""
    import nutpie as rival
    from nutpie.compiled_pyfunc import from_pyfunc

    own = target.clone()

    def make_logp() -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
        def logp(z: np.ndarray) -> tuple[float, np.ndarray]:
            at = own.evaluate(z.copy())
            return (at.logp, at.grad) if at.status == "ok" else (-np.inf, np.zeros_like(z))

        return logp

    def solvable(chain_seed: int) -> np.ndarray:
        rng = np.random.default_rng(chain_seed)
        while own.evaluate(z := own.sample_start(rng)).status != "ok":
            pass
        return np.asarray(z)

    model = from_pyfunc(
        target.dim, make_logp, lambda *_: lambda z: {"z": z}, [np.dtype("float64")], [(target.dim,)], ["z"],
        make_initial_point_fn=solvable,
    )  # fmt: skip
    began = time.process_time()
    idata = rival.sample(
        model, draws=draws, tune=400, chains=4, cores=1, seed=seed, low_rank_modified_mass_matrix=True, progress_bar=False
    )
    spent = time.process_time() - began
    sampling, warmup = (int(idata[group]["n_steps"].sum()) for group in ("sample_stats", "warmup_sample_stats"))
    diverging = int(idata.sample_stats["diverging"].sum())
    return Ran(idata.posterior["z"].values, sampling + warmup, 0, sampling, spent, diverging)


def blackjax(target: Any, draws: int, seed: int, seconds: float) -> Ran:
    """blackjax's NUTS after its own window adaptation of 1000 steps, with a dense metric, from the prior."""
    import blackjax as rival
    import jax

    from bnfhmc.samplers.kernels import through_blackjax as bridge

    counted = [0]

    def host(z: np.ndarray) -> tuple[np.float64, np.ndarray]:
        counted[0] += 1
        at = target.evaluate(np.array(z))
        return (np.float64(at.logp), at.grad) if at.status == "ok" else (np.float64(-np.inf), np.zeros_like(z))

    chains, sampling, began, diverging = [], 0, time.process_time(), 0
    with bridge.bound(host) as slot:
        density = bridge._logdensity(jax.numpy.float64(slot))
        step = None
        for chain in range(4):
            start = target.sample_start(stream(seed, chain, 0))
            warm = rival.window_adaptation(rival.nuts, density, is_mass_matrix_diagonal=False)
            key = jax.random.key(seed * 100 + chain)
            (state, parameters), _ = warm.run(key, start, num_steps=1000)
            kernel = rival.nuts(density, **parameters)
            before, rows = counted[0], []
            step = jax.jit(kernel.step)
            for n in range(draws):
                state, info = step(jax.random.fold_in(key, n), state)
                rows.append(np.asarray(state.position))
                diverging += int(info.is_divergent)
            sampling += counted[0] - before
            chains.append(rows)
    return Ran(np.array(chains), counted[0], 0, sampling, time.process_time() - began, diverging)


def measured(name: str, target: Any, options: argparse.Namespace, reference: np.ndarray | None) -> Row:
    """A row of the table."""
    run = {"nutpie": nutpie, "blackjax": blackjax}.get(name, partial(ours, name))
    try:
        ran = run(target, options.draws, options.seed, options.seconds)
    except Exception as error:  # a method that cannot do a posterior has its line in the table
        return {"method": name, "note": f"{type(error).__name__}: {error}"[:80]}
    az = load_arviz()
    data = az.convert_to_dataset(ran.z)
    bulk, tail = (az.ess(data, method=kind).x.values.min() for kind in ("bulk", "tail"))
    solves = ran.gradients if ran.gradients > ran.values else ran.gradients + ran.values
    return {
        "method": name,
        "ESS": float(bulk),
        "tail": float(tail),
        "R-hat": f"{float(az.rhat(data).x.values.max()):.3f}",
        "gradients": ran.gradients,
        "values": ran.values,
        "ESS/1000": f"{1000 * bulk / solves:.0f} ({1000 * bulk / max(ran.sampling, 1):.0f})",
        "CPU s": ran.seconds,
        "ESS/CPU s": float(bulk / ran.seconds),
        "divergences": ran.diverging,
        "sd off": "" if reference is None else f"{sds_off(ran.z, reference):.1f}",
        "note": ran.note,
    }


def sds_off(z: np.ndarray, reference: np.ndarray) -> float:
    """The largest difference of an sd from the reference's, in standard errors of both."""
    az = load_arviz()
    off = []
    for i in range(z.shape[-1]):
        own, other = z[..., i], reference[..., i]
        errors = [az.mcse(x, method="sd") for x in (own, other)]
        off.append(abs(own.std() - other.std()) / np.hypot(*(float(e) for e in errors)))
    return float(max(off))


def overhead() -> list[Row]:
    """Microseconds of our own in a leapfrog step, in one of NUTS with all that it does, with a target that costs nothing."""
    rows: list[Row] = []
    for d in (5, 20, 100):
        flat = Evaluation(0.0, np.zeros(d), "ok")
        quick = lambda z, at=flat: at  # noqa: E731
        tuning, rng = Tuning(0.1, Metric(np.eye(d))), np.random.default_rng(0)
        point = Point(np.zeros(d), 0.0, np.zeros(d))
        phase = enter(point, rng.standard_normal(d), tuning)
        began = time.perf_counter()
        for _ in range(20_000):
            phase = leap(phase, tuning, quick)
        leaps = (time.perf_counter() - began) / 20_000

        options: Mapping[str, Any] = {"chains": 1, "cores": 1, "check_gradient": False, "random_seed": 1}
        began = time.perf_counter()
        target = Normal(d)
        z = np.zeros(d)
        for _ in range(20_000):
            target.evaluate(z)
        alone = (time.perf_counter() - began) / 20_000
        made = run_chains(make_kernel("nuts"), target, num_warmup=200, num_samples=2000, **options)
        sampled = made.chains[0].sampling_seconds / made.chains[0].sampling.gradients
        rows.append({"d": d, "leapfrog µs": 1e6 * leaps, "NUTS µs per gradient": 1e6 * (sampled - alone)})
    return rows


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", action="append", choices=["gaussian", "influenza", "overhead", *sampler_cases.CASES])
    parser.add_argument("--problem", action="append", type=Path, default=[])
    parser.add_argument("--method", action="append", choices=[*METHODS, *RIVALS])
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=300.0, help="limit of a run, which ends with what there is")
    parser.add_argument("--reference", action="store_true", help="compare the sds with those of a long run")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cases = options.case or ([] if options.problem else ["gaussian", "influenza", "overhead", *sampler_cases.CASES])
    everything: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for case in [*cases, *options.problem]:
            if case == "overhead":
                rows = overhead()
            else:
                target = _target(case, Path(folder))
                reference = None
                if options.reference:
                    reference = ours("nuts", target, 10 * options.draws, options.seed + 1000, 10 * options.seconds).z
                rows = []
                for name in options.method or [*METHODS, *RIVALS]:
                    rows.append(measured(name, target, options, reference))
                    print(*(f"{k} {v}" for k, v in rows[-1].items() if v != ""), sep=", ", file=sys.stderr, flush=True)
            printed(str(getattr(case, "stem", case)), rows)
            everything += [{"case": str(case), **row} for row in rows]
            saved(options.json, "samplers", everything)


def _target(case: str | Path, folder: Path) -> Any:
    if case == "gaussian":
        return Gaussian()
    if case == "influenza":
        path = ROOT / "examples" / "influenza" / "influenza.conf"
    else:
        path = sampler_cases.CASES[case](folder / case) if isinstance(case, str) else case
    return as_target(bnfhmc.Posterior(bnfhmc.load(path)))


if __name__ == "__main__":
    main()
