"""What an optimization leaves: the mode, every start, the basins, and what the curvature at the mode says."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from bnfhmc.optimizers.basins import Basin
from bnfhmc.optimizers.identifiability import Direction
from bnfhmc.optimizers.laplace import Laplace

NEAR = 0.1  # of a unit of log posterior: what counts as the best value again


@dataclass(frozen=True, slots=True)
class Start:
    """One row of the table of starts.

    ``u0``, ``value0``: where the search began and f there, of the draws it was chosen from. ``u``, ``value``: the best point it
    found. ``evaluations``: its solves, those of the screening included, of which ``gradients`` came with derivatives.
    ``at_bound``: names of the parameters at a bound. ``basin``: which of `FitResult.basins`; None where it has not converged.
    ``history``: (evaluations, value) at each improvement. ``failures``: failed solves by kind.
    """

    index: int
    u0: Float[np.ndarray, " d"]
    value0: float
    u: Float[np.ndarray, " d"]
    value: float
    evaluations: int
    gradients: int
    reason: str
    converged: bool
    at_bound: tuple[str, ...]
    basin: int | None
    history: tuple[tuple[int, float], ...]
    failures: Mapping[str, int]
    solve_seconds: float


@dataclass(frozen=True, slots=True)
class FitResult:
    """The best point that an optimization found, and how.

    ``theta``: it in native units by name; ``u``: on the parameters' scales. ``loss``: −log p(data | θ) there up to a constant;
    ``log_posterior``: Σ log p(u_i) − loss, the density in u. ``method``, ``why``: what ran and what chose it.
    ``near_best``: how many starts came within 0.1 of the best log posterior. ``history``: of the best start.
    ``standard_errors``: of θ by name, from the Laplace approximation; NaN at a bound. ``undetermined``: what the data leave
    open. ``wall_seconds``: of the clock; ``solve_seconds``: spent in solves, summed over threads. ``random_seed`` repeats the
    run on any number of cores. ``theta_of_starts``: the best point of each start. ``poles``: parameters whose prior has an
    infinite density at an end of its support, which the search stays off.
    """

    names: tuple[str, ...]
    theta: Mapping[str, float]
    u: Float[np.ndarray, " d"]
    loss: float
    log_posterior: float
    method: str
    why: str
    termination: str
    converged: bool
    starts: tuple[Start, ...]
    basins: tuple[Basin, ...]
    near_best: int
    history: tuple[tuple[int, float], ...]
    at_bound: tuple[str, ...]
    laplace: Laplace | None
    standard_errors: Mapping[str, float] | None
    undetermined: tuple[Direction, ...]
    evaluations: int
    gradients: int
    failures: Mapping[str, int]
    wall_seconds: float
    solve_seconds: float
    random_seed: int
    theta_of_starts: Float[np.ndarray, "start d"]
    poles: tuple[str, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is to be said of it, one thing a line."""
        n = len(self.starts)
        said = [
            f"{self.method}: {self.why}",
            f"log posterior {self.log_posterior:.6g} ({self.termination}); {self.near_best} of {n} starts came within "
            f"{NEAR:g} of it",
        ]
        if len(self.basins) > 1:
            heights = ", ".join(f"{b.value - self.basins[0].value:.3g}" for b in self.basins[1:6])
            said.append(f"{len(self.basins)} basins were found; the others lie {heights}{' …' if len(self.basins) > 6 else ''} "
                        "below the best log posterior")  # fmt: skip
        if self.at_bound:
            said.append(f"at a bound: {', '.join(self.at_bound)}")
        for name in self.poles:
            said.append(f"the prior density of {name} is infinite at an end of its support, where the posterior has no mode: "
                        "the outermost 0.05 % of the prior is left out of the search")  # fmt: skip
        if self.laplace is not None and self.laplace.log_evidence is not None:
            said.append(f"log evidence {self.laplace.log_evidence:.6g}, by the Laplace approximation")
        said += [d.sentence for d in self.undetermined]
        if self.failures:
            kinds = ", ".join(f"{count} {kind}" for kind, count in self.failures.items())
            said.append(f"failed solves, survived: {kinds}")
        return tuple(said)

    @property
    def table(self) -> str:
        """The starts as text, the best first."""
        rows = [("start", "log posterior", "evaluations", "gradients", "basin", "ended", "at a bound")]
        for s in sorted(self.starts, key=lambda s: s.value):
            rows.append((str(s.index + 1), f"{-s.value:.6g}", str(s.evaluations), str(s.gradients),
                         "" if s.basin is None else str(s.basin + 1), s.reason, ", ".join(s.at_bound)))  # fmt: skip
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)

    def to_json(self) -> str:
        """Everything above as JSON, numbers that are not finite as null: the content of map.json."""
        return json.dumps(plain(self), indent=1)


def plain(value: Any) -> Any:
    """A value as JSON has it: dataclasses as objects, arrays as lists, what is not finite as None."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, tuple | list):
        return [plain(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer | np.bool_):
        return value.item()
    return value
