"""A fit, read back from the files it left: where its starts ended, the best point, and its profiles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float

from bnfhmc.errors import InputError, Mistake
from bnfhmc.report.fit import MAP, PROFILES
from bnfhmc.report.text import print_table, printable

if TYPE_CHECKING:
    from rich.console import Console

    from bnfhmc.report.opened import Run

CHECKPOINT = "checkpoint"  # within the folder of a run, where the fit that its chains started from is kept


@dataclass(frozen=True, slots=True)
class Curve:
    """The profile of one parameter: ``u[n]``, ``rise[n]``: its values, and by how much the best log posterior falls there;
    ``best``: its u at the mode; ``sentence``: what it says."""

    name: str
    u: Float[np.ndarray, " n"]
    rise: Float[np.ndarray, " n"]
    best: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a fit found.

    ``u[d]``: the best point; ``theta``: it in native units, by name; ``log_posterior``: there, as a density in u;
    ``reached[start]``: the log posterior that each start ended at, −inf where none was found; ``converged[start]``: whether it
    came to rest; ``standard_errors``: of θ by name, NaN where there is none; ``sentences``: what is to be said of it;
    ``confidence``: of the intervals of the ``profiles``.
    """

    folder: Path
    names: tuple[str, ...]
    u: Float[np.ndarray, " d"]
    theta: Mapping[str, float]
    log_posterior: float
    reached: Float[np.ndarray, " start"]
    converged: Bool[np.ndarray, " start"]
    standard_errors: Mapping[str, float]
    profiles: tuple[Curve, ...] = ()
    confidence: float = 0.95


def read_fitted(folder: Path) -> Fitted:
    """The fit whose files are in a folder. Raises InputError where they are missing, damaged, or of an interrupted fit."""
    path = folder / MAP
    said = _json(path)
    try:
        if said.get("status") == "unfinished":
            raise InputError(Mistake("the fit has not ended", "type the command that began it again, to go on with it", path))
        names = tuple(str(n) for n in said["names"])
        u = np.array(said["u"], dtype=float)
        starts = said["starts"]
        errors = said.get("standard_errors") or {}
        found = Fitted(
            folder, names, u, {n: float(said["theta"][n]) for n in names}, float(said["log_posterior"]),
            np.array([-_number(s["value"], np.inf) for s in starts], dtype=float),
            np.array([bool(s["converged"]) for s in starts], dtype=bool),
            {n: _number(errors.get(n), np.nan) for n in names},
        )  # fmt: skip
        if u.shape != (len(names),):
            raise ValueError(f"it has {len(names)} names and {u.size} numbers")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, error) from None
    return _with_profiles(found, folder / PROFILES)


def fit_of(run: Run) -> Fitted | None:
    """The fit that the chains of a run started from; None where there was none, or it is there no more."""
    start = run.record.get("configuration", {}).get("start")
    if start == "map":
        where = [run.folder / CHECKPOINT]
    elif isinstance(start, str) and start != "prior":
        said = Path(start)
        said = said.parent if said.name == MAP else said
        where = [said, run.folder.parent / said.name]  # the folder of the stage before has the same parent
    else:
        return None
    folder = next((f for f in where if (f / MAP).is_file()), None)
    if folder is None:
        return None
    found = read_fitted(folder)
    return found if found.names == run.names else None


def print_best(console: Console, found: Fitted) -> None:
    """The best point, in native units, with its standard errors."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Column, Table

    table = Table("parameter", Column("best", justify="right"), Column("standard error", justify="right"), box=SIMPLE_HEAD,
                  pad_edge=False)  # fmt: skip
    for name in found.names:
        error = found.standard_errors[name]
        table.add_row(escape(printable(name)), f"{found.theta[name]:.4g}", f"{error:.3g}" if np.isfinite(error) else "")
    print_table(console, table)


def _with_profiles(found: Fitted, path: Path) -> Fitted:
    if not path.is_file():
        return found
    said = _json(path)
    try:
        curves = []
        for name, p in said["by_name"].items():
            u, rise = (np.array([_number(v, np.nan) for v in p[k]]) for k in ("u", "rise"))
            if u.shape != rise.shape:
                raise ValueError(f"the profile of '{name}' has {u.size} values and {rise.size} rises")
            curves.append(Curve(str(name), u, rise, float(found.u[found.names.index(name)]), str(p["sentence"])))
        return Fitted(
            found.folder, found.names, found.u, found.theta, found.log_posterior, found.reached, found.converged,
            found.standard_errors, tuple(curves), float(said["confidence"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, error) from None


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(Mistake("is missing", "type the folder of a fit that has ended", path)) from None
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> InputError:
    what = f"cannot be read: {str(error) or type(error).__name__}"
    return InputError(Mistake(what, "delete it, or run again with --overwrite", path))


def _number(value: Any, missing: float) -> float:
    """What JSON has for a number, whose null is what is not finite."""
    return missing if value is None else float(value)
