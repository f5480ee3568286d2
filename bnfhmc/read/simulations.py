"""Simulations of edition 1: actions of a .bngl file, and ``time_course`` and ``param_scan`` lines.

Transforms and constraints look at all rows of a simulation; without either, it is solved at the rows of the data alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import nearest
from bnfhmc.problem import Perturbation
from bnfhmc.read.lines import Statement, finite, split, unquoted, whole
from bnfhmc.read.mistakes import Mistakes

Kind = Literal["time_course", "steady_state", "parameter_scan"]
Wrong = tuple[int, str, str]  # line, what, hint

# what choose only what is printed, and where
_PRINTED = ("suffix", "prefix", "print_functions", "print_cdat", "print_net", "print_end", "save_progress", "verbose",
            "sparse", "seed")  # fmt: skip
_ROWS = ("n_steps", "n_output_steps", "sample_times", "output_step_interval")
_SIMULATE = ("method", "t_start", "t_end", "atol", "rtol", "steady_state", *_ROWS)
_SCAN = ("method", "t_start", "t_end", "atol", "rtol", "steady_state", "ss_method", "parameter", "par_min", "par_max",
         "n_scan_pts", "log_scale", "par_scan_vals", "reset_conc", "n_steps")  # fmt: skip
_TIME_COURSE = ("time", "t_end", "model", "suffix", "method", "step", "t_start", "subdivisions", "steady_state")
_PARAM_SCAN = ("param", "min", "max", "step", "time", "t_end", "logspace", "model", "suffix", "method", "subdivisions",
               "steady_state")  # fmt: skip
MOST_ROWS = 1_000_000  # a simulation of more rows is a slip of the pen


@dataclass(frozen=True, slots=True)
class Simulation:
    """One simulation, named by its suffix.

    ``t_start``, ``t_end``: first and last time, or when a scan is read and by when a steady state has to be reached;
    ``rows``: its output times or doses, None where it leaves them open; ``quantity``: what a scan varies; ``before``:
    what is set while it is brought to steady state first, None where it is not; ``perturbations``: what is set in it;
    ``wrong``: what keeps it from being run here; ``rtol``, ``atol``: None where it leaves them to the default.
    """

    suffix: str
    line: int
    t_end: float | None = None
    t_start: float = 0.0
    steady: bool = False
    quantity: str | None = None
    rows: Float[np.ndarray, " row"] | None = None
    rtol: float | None = None
    atol: float | None = None
    perturbations: tuple[Perturbation, ...] = ()
    before: tuple[Perturbation, ...] | None = None
    wrong: tuple[Wrong, ...] = ()

    @property
    def kind(self) -> Kind:
        """What it is run over."""
        if self.quantity is not None:
            return "parameter_scan"
        return "steady_state" if self.steady else "time_course"


def of_action(line: int, name: str, arguments: Mapping[str, str]) -> tuple[Simulation, list[Wrong]]:
    """A simulate or parameter_scan action by its arguments, and what is wrong with them."""
    scan = name == "parameter_scan"
    wrong = _wrong_arguments(line, name, arguments)
    said = {a: unquoted(v) for a, v in arguments.items()}
    t_start, t_end, rtol, atol = (finite(said.get(a, "")) for a in ("t_start", "t_end", "rtol", "atol"))
    steady = said.get("steady_state", "0") == "1"
    quantity, rows = None, None
    if scan:
        quantity, rows = said.get("parameter", ""), _doses(line, said, wrong)
        if not quantity:
            wrong.append((line, "parameter_scan names no parameter", 'type parameter=>"<name>"'))
        if t_end is None and not steady:
            wrong.append((line, "parameter_scan does not say when it is read", "type t_end=>… or steady_state=>1"))
    elif not steady:
        rows = _times(said, t_start or 0.0, t_end)
    if t_start is not None and t_end is not None and t_end < t_start:
        wrong.append((line, f"t_end=>{t_end:g} lies before t_start=>{t_start:g}", "let it end later"))
    made = Simulation(said.get("suffix", ""), line, t_end, t_start or 0.0, steady, quantity, rows, rtol, atol)
    return made, wrong


def _wrong_arguments(line: int, name: str, arguments: Mapping[str, str]) -> list[Wrong]:
    if name == "bifurcate":
        return [(line, "bifurcate follows branches of steady states, and no data are compared with them",
                 "use parameter_scan")]  # fmt: skip
    scan, wrong = name == "parameter_scan", list[Wrong]()
    method = unquoted(arguments.get("method", "" if scan else name.removeprefix("simulate").removeprefix("_")))
    if method.lower() not in ("ode", "cvode"):
        wrong.append((line, f"{'parameter_scan' if scan else 'simulate'} with the method '{method}' has no gradient",
                      'type method=>"ode"'))  # fmt: skip
    start = finite(unquoted(arguments.get("t_start", "0")))
    if start is None or start < 0 or (scan and start != 0):
        wrong.append((line, f"t_start=>{arguments['t_start']} is no start{' of a scan' if scan else ''}", "type t_start=>0"))
    for a in ("rtol", "atol"):
        if a in arguments and not (finite(arguments[a]) or 0) > 0:
            wrong.append((line, f"{a}=>{arguments[a]} is no tolerance", f"type {a}=>1e-8"))
    for a, value in arguments.items():
        if scan and a == "reset_conc" and unquoted(value) != "1":
            wrong.append((line, f"parameter_scan with {a}=>{value} starts a dose where the one before it ended",
                          "type reset_conc=>1"))  # fmt: skip
        elif a not in _PRINTED and a not in (_SCAN if scan else _SIMULATE) and unquoted(value) != "0":
            how = "parameter, par_min, par_max, n_scan_pts, t_end" if scan else "method, t_end"
            wrong.append((line, f"{'parameter_scan' if scan else 'simulate'} with {a}=>{value} is not run here",
                          f"use {how} and suffix"))  # fmt: skip
    return wrong


def _times(said: Mapping[str, str], start: float, end: float | None) -> Float[np.ndarray, " row"] | None:
    steps = next((whole(said[a]) for a in ("n_steps", "n_output_steps") if a in said), None)
    if steps is not None:
        return None if end is None else evenly(start, end, steps)
    listed = _numbers(said.get("sample_times", ""))
    if listed is None or "output_step_interval" in said:
        return None
    return np.unique(listed if end is None or end <= listed.max() else [*listed, end])


def _doses(line: int, said: Mapping[str, str], wrong: list[Wrong]) -> Float[np.ndarray, " row"] | None:
    low, high = (finite(said.get(a, "")) for a in ("par_min", "par_max"))
    points = whole(said.get("n_scan_pts", ""))
    if low is None and high is None:
        listed = _numbers(said.get("par_scan_vals", ""))
        if listed is None:
            wrong.append((line, "parameter_scan names no doses", "type par_scan_vals=>[1,2,3], or par_min, par_max and "
                          "n_scan_pts"))  # fmt: skip
        return None if listed is None else np.unique(listed)
    if low is None or high is None or not low < high or points is None or not 1 < points < MOST_ROWS:
        wrong.append((line, "par_min, par_max and n_scan_pts are no range of doses",
                      "type par_min=>1,par_max=>10,n_scan_pts=>10"))  # fmt: skip
        return None
    return evenly(low, high, points - 1, said.get("log_scale", "0") == "1")


def evenly(low: float, high: float, steps: float, log: bool = False) -> Float[np.ndarray, " row"] | None:
    """Rows at even steps, on a logarithm where `log`; None where there are none, or too many."""
    if not 0 <= steps < MOST_ROWS or (log and low <= 0):
        return None
    count = round(steps) + 1
    return np.geomspace(low, high, count) if log else np.linspace(low, high, count)


def _numbers(text: str) -> Float[np.ndarray, " n"] | None:
    """The numbers of ``[1, 2, 3]``."""
    if not (text.startswith("[") and text.endswith("]")):
        return None
    values = [finite(unquoted(v)) for v in split(text[1:-1], ",")]
    known = [v for v in values if v is not None]
    return np.array(known) if values and len(known) == len(values) else None


def read_course(s: Statement, mistakes: Mistakes) -> tuple[Simulation, str | None] | None:
    """A ``time_course`` or ``param_scan`` line as a simulation and the model that it names."""
    before = len(mistakes.found)
    known = _TIME_COURSE if s.key == "time_course" else _PARAM_SCAN
    said = {k.strip().lower(): v.strip() for k, _, v in (item.partition(":") for item in s.items)}
    for name in said.keys() - set(known):
        mistakes.add(s.line, f"'{s.key}' has no attribute '{name}'", nearest(name, known))
    method = said.get("method", "ode")
    if method.lower() != "ode":
        mistakes.add(s.line, f"'{s.key}' with method:{method} has no gradient", "type method:ode, or delete it")
    steady = said.get("steady_state", "0")
    if steady not in ("0", "1"):
        mistakes.add(s.line, f"'{s.key}' with steady_state:{steady}", "type steady_state:1 or steady_state:0")
    made = _time_course(s, said, mistakes) if s.key == "time_course" else _param_scan(s, said, mistakes)
    return (made, said.get("model")) if len(mistakes.found) == before else None


def _number(s: Statement, said: Mapping[str, str], name: str, mistakes: Mistakes, default: float | None = None) -> float:
    value = finite(said[name]) if name in said else default
    if value is None:
        mistakes.add(s.line, f"'{s.key}' takes '{name}' as a number, got '{said.get(name, '')}'", f"type '{name}:<number>'")
        return 1.0
    return value


def _time_course(s: Statement, said: Mapping[str, str], mistakes: Mistakes) -> Simulation:
    steady = said.get("steady_state") == "1"
    start, step = (_number(s, said, n, mistakes, d) for n, d in (("t_start", 0.0), ("step", 1.0)))
    name = "t_end" if "t_end" in said else "time"
    end = _number(s, said, name, mistakes, 1e6 if steady else None)
    if start < 0 or end < start or step <= 0:
        mistakes.add(s.line, f"'time_course' from {start:g} to {end:g} by {step:g} is no course",
                     "type 'time:<end>, step:<step>'")  # fmt: skip
        return Simulation("", s.line)
    rows = None if steady else evenly(start, end, (end - start) / step)
    return Simulation(said.get("suffix", "time_course"), s.line, end, start, steady, None, rows)


def _param_scan(s: Statement, said: Mapping[str, str], mistakes: Mistakes) -> Simulation:
    steady, log = said.get("steady_state") == "1", said.get("logspace", "0") == "1"
    low, high, step = (_number(s, said, n, mistakes) for n in ("min", "max", "step"))
    name = "t_end" if "t_end" in said else "time"
    end = _number(s, said, name, mistakes, 1e6 if steady else None)
    if "param" not in said:
        mistakes.add(s.line, "'param_scan' names no parameter", "type 'param:<name>'")
    if high < low or step <= 0 or end <= 0 or (log and low <= 0):
        mistakes.add(s.line, f"'param_scan' from {low:g} to {high:g} by {step:g}, read at {end:g}, is no scan",
                     "type 'min:<dose>, max:<dose>, step:<step>, time:<end>'")  # fmt: skip
        return Simulation("", s.line)
    rows = evenly(low, high, (high - low) / step, log)
    return Simulation(said.get("suffix", "param_scan"), s.line, end, 0.0, steady, said.get("param", ""), rows)
