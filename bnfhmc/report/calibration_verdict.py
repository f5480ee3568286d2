"""What a simulation-based calibration shows, parameter by parameter."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from jaxtyping import Float

from bnfhmc.report.calibrate import Calibration
from bnfhmc.report.folder import PROGRAM
from bnfhmc.report.text import printable
from bnfhmc.report.uniformity import leaves_band
from bnfhmc.report.verdict import Finding

LEAST = 20  # replicates from which on a verdict is given


def findings(found: Calibration) -> dict[str, Finding | None]:
    """By parameter what its ranks show; None where they are uniform as far as they can tell.

    The level is shared over the parameters: with all of them right, one in twenty calibrations shows something.
    """
    ranks = found.ranks
    out: dict[str, Finding | None] = dict.fromkeys(found.names)
    if len(ranks) < LEAST:
        return out
    jitter = np.random.default_rng(0).random(ranks.shape)
    uniform = (ranks + jitter) / (found.ranked + 1)
    for j, name in enumerate(found.names):
        if leaves_band(uniform[:, j], 1 - 0.05 / len(found.names)):
            out[name] = _shape(name, uniform[:, j])
    return out


def calibrated(found: Calibration) -> bool:
    """Whether there are enough replicates to tell, and the ranks of every parameter are uniform."""
    return len(found.ranks) >= LEAST and not any(findings(found).values())


def to_record(found: Calibration) -> dict[str, Any]:
    """The outcome for programs."""
    said = findings(found)
    return {
        "program": PROGRAM,
        "calibrated": calibrated(found),
        "replicates": len(found.replicates),
        "fitted": len(found.ranks),
        "failures": _failures(found),
        "redrawn": sum(r.redrawn for r in found.replicates),
        "parameters": {
            n: {"uniform": finding is None, "finding": None if finding is None else asdict(finding),
                "ranks": found.ranks[:, j].tolist()}
            for j, (n, finding) in enumerate(said.items())
        },
    }  # fmt: skip


def in_words(found: Calibration) -> str:
    """The verdict, a line a parameter that is not right."""
    said, fitted = findings(found), len(found.ranks)
    failed = ", ".join(f"{kind} {count}" for kind, count in _failures(found).items())
    lines = [f"{fitted} of {len(found.replicates)} replicates were fitted{f' (failed: {failed})' if failed else ''}."]
    if fitted < LEAST:
        lines.append(f"Too few to tell: at least {LEAST} are needed, and 100 see what matters.")
    elif not any(said.values()):
        lines.append("Calibrated: the ranks of every parameter are uniform as far as so many replicates can tell.")
    lines += [f"  - {f}" for f in said.values() if f is not None]
    return "\n".join(lines)


def _shape(name: str, x: Float[np.ndarray, " n"]) -> Finding:
    spread = float(np.var(x)) * 12
    shift = (x.mean() - 0.5) * np.sqrt(12 * len(x))
    if abs(shift) > 3:
        what, meaning = ("low", "too large") if shift < 0 else ("high", "too small")
        return Finding(f"the ranks of {printable(name)} are too {what} (mean {x.mean():.2f}, not 0.50)",
                       f"fits give values that are {meaning}", _ADVICE)  # fmt: skip
    wide = spread < 1
    return Finding(
        f"the ranks of {printable(name)} are {'crowded in the middle' if wide else 'crowded at the ends'}",
        f"its intervals are too {'wide' if wide else 'narrow'}",
        _ADVICE,
    )


_ADVICE = ("See whether its fits converge (bnfhmc run on one simulated data set), and bnfhmc check for its gradient; a bias of "
           "all parameters points to the model's tolerances.")  # fmt: skip


def _failures(found: Calibration) -> dict[str, int]:
    kinds = [r.failure for r in found.replicates if r.ranks is None]
    return {k: kinds.count(k) for k in sorted(set(kinds))}
