"""What a .bngl file says besides its model: edition 1's simulations in its actions, and its ``__FREE`` names.

Only as much of BNGL is read as a configuration leans on; the model itself is read by BioNetGen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bnfhmc.expression import ExpressionError, number, parse
from bnfhmc.problem import Perturbation
from bnfhmc.read.keys import LATER
from bnfhmc.read.lines import finite, split, unquoted, without_comment

_FREE = re.compile(r"[A-Za-z_]\w*__FREE\b", re.ASCII)
_ACTION = re.compile(r"([A-Za-z_]\w*)\s*(?:\((.*)\))?", re.ASCII | re.DOTALL)
_BLOCK = re.compile(r"(begin|end)\s+([a-z][a-z\s]*)", re.IGNORECASE)
_DEFINED = re.compile(r"(?:\d+\s+)?([A-Za-z_]\w*)", re.ASCII)

# actions that print, or set what is printed
_PRINTS = ("generate_network", "writexml", "writesbml", "writemfile", "writemexfile", "writenetwork", "writefile",
           "writemodel", "writemdl", "writelatex", "writesscfile", "visualize", "setmodelname", "version", "setoption",
           "substanceunits")  # fmt: skip
# arguments of simulate that choose what is printed, and where; the output times here are those of the data
_PRINTED = ("suffix", "prefix", "n_steps", "n_output_steps", "sample_times", "output_step_interval", "print_functions",
            "print_cdat", "print_net", "print_end", "save_progress", "verbose", "sparse", "seed")  # fmt: skip
_READ = ("method", "t_start", "t_end", "atol", "rtol")


@dataclass(frozen=True, slots=True)
class Simulation:
    """One simulate action.

    ``perturbations``: what the actions before it set; ``wrong``: (line, what, hint) that keep it from being run here;
    ``t_end``: its last time; ``rtol``, ``atol``: None where it leaves them to the default.
    """

    suffix: str
    line: int
    t_end: float | None
    rtol: float | None
    atol: float | None
    perturbations: tuple[Perturbation, ...]
    wrong: tuple[tuple[int, str, str], ...]


@dataclass(frozen=True, slots=True)
class BnglFile:
    """What was found in a .bngl file.

    ``free``: names ending in ``__FREE`` and the line of their first use; ``defined``: its parameters block's names;
    ``simulations``: in order; ``network``: (line, options) of its own generate_network; ``changes``: (line, action) of
    what sets or keeps a state.
    """

    free: Mapping[str, int]
    defined: frozenset[str]
    simulations: tuple[Simulation, ...]
    network: tuple[int, str] | None
    changes: tuple[tuple[int, str], ...]


def scan_bngl(text: str) -> BnglFile:
    """Read a .bngl file's ``__FREE`` names, parameter names and actions."""
    free: dict[str, int] = {}
    defined: set[str] = set()
    state = _Actions()
    block = ""
    for line, said in _logical_lines(text):
        for name in _FREE.findall(said):
            free.setdefault(name, line)
        if match := _BLOCK.match(said):
            kind = " ".join(match.group(2).lower().split())
            block = "" if kind == "model" or match.group(1).lower() == "end" else kind
        elif block == "parameters" and (named := _DEFINED.match(said)):
            defined.add(named.group(1))
        elif block in ("", "actions"):
            for action in split(said, ";", "\"'"):
                state.run(line, action)
    return BnglFile(free, frozenset(defined), tuple(state.simulations), state.network, tuple(state.changes))


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """(line, text) without comments and blank lines, those that end in a backslash joined with the next."""
    start, joined = 0, ""
    for n, raw in enumerate(text.split("\n"), 1):
        said = without_comment(raw, "\"'")
        start = start if joined else n
        if said.endswith("\\"):
            joined += said[:-1] + " "
        elif said or joined:
            yield start, joined + said
            joined = ""
    if joined:
        yield start, joined


@dataclass(slots=True)
class _Actions:
    """The state that actions leave to the next: set values, and what cannot be followed."""

    simulations: list[Simulation] = field(default_factory=list)
    network: tuple[int, str] | None = None
    changes: list[tuple[int, str]] = field(default_factory=list)
    parameters: dict[str, Perturbation] = field(default_factory=dict)
    amounts: dict[str, Perturbation] = field(default_factory=dict)
    ran: int | None = None  # line of a simulate whose end state is the present state
    lost: list[tuple[int, str, str]] = field(default_factory=list)

    def run(self, line: int, action: str) -> None:
        """Follow one action."""
        match = _ACTION.fullmatch(action)
        name = match.group(1).lower() if match else ""
        inside = ((match.group(2) or "") if match else "").strip()
        if not action:
            return
        if name.startswith("simulate") or name in ("parameter_scan", "bifurcate"):
            self._simulate(line, name, _arguments(inside))
        elif name == "generate_network":
            self.network = (line, _network_options(inside))
        elif name in ("setparameter", "setconcentration"):
            self._set(line, "setParameter" if name == "setparameter" else "setConcentration", inside)
        elif name == "resetconcentrations" and not inside:
            self.amounts.clear()
            self.ran = None
        elif name == "resetparameters" and not inside:
            self.parameters.clear()
        elif name not in _PRINTS:
            word = match.group(1) if match else action[:40]
            self.changes.append((line, word))
            self.lost.append((line, f"action '{word}' {LATER}", "use setParameter and setConcentration"))

    def _set(self, line: int, name: str, inside: str) -> None:
        parts = [unquoted(p) for p in split(inside, ",", "\"'")]
        kept = self.parameters if name == "setParameter" else self.amounts
        self.changes.append((line, name))
        value = _constant(parts[1]) if len(parts) == 2 else None
        if value is None:
            hint = 'type setParameter("k", 2) or setConcentration("A()", 2)'
            self.lost.append((line, f"'{name}({inside})' does not set a name to a number", hint))
            return
        kept.pop(parts[0], None)
        kept[parts[0]] = Perturbation(parts[0], "=", number(value))

    def _simulate(self, line: int, name: str, arguments: dict[str, str]) -> None:
        suffix = unquoted(arguments.get("suffix", ""))
        wrong = [*self.lost, *_wrong_arguments(line, name, arguments)]
        if self.ran is not None:
            wrong.append((line, f"'{name}' continues from the state that line {self.ran} ended in, which {LATER}",
                          "put resetConcentrations() before it"))  # fmt: skip
        if suffix and any(s.suffix == suffix for s in self.simulations):
            wrong.append((line, f"another action has the suffix '{suffix}'", "give each its own"))
        rtol, atol, t_end = (finite(arguments.get(a, "")) for a in ("rtol", "atol", "t_end"))
        if suffix:
            told = (*self.parameters.values(), *self.amounts.values())
            self.simulations.append(Simulation(suffix, line, t_end, rtol, atol, told, tuple(wrong)))
        if name.startswith("simulate"):
            self.ran = line


def _wrong_arguments(line: int, name: str, arguments: Mapping[str, str]) -> list[tuple[int, str, str]]:
    if not name.startswith("simulate"):
        return [(line, f"action '{name}' {LATER}", "use simulate with time-course data")]
    wrong = []
    method = unquoted(arguments.get("method", name.removeprefix("simulate").removeprefix("_")))
    if method.lower() not in ("ode", "cvode"):
        wrong.append((line, f"simulate with the method '{method}' has no gradient", 'type method=>"ode"'))
    if finite(unquoted(arguments.get("t_start", "0"))) != 0:
        wrong.append((line, f"simulate with t_start=>{arguments['t_start']} {LATER}", "type t_start=>0"))
    for a in ("rtol", "atol"):
        if a in arguments and not (finite(arguments[a]) or 0) > 0:
            wrong.append((line, f"{a}=>{arguments[a]} is no tolerance", f"type {a}=>1e-8"))
    for a, value in arguments.items():
        if a not in _PRINTED and a not in _READ and unquoted(value) != "0":
            wrong.append((line, f"simulate with {a}=>{value} {LATER}", "use simulate with method, t_end and suffix"))
    return wrong


def _arguments(inside: str) -> dict[str, str]:
    """``{a=>1, b=>"x"}`` as a → 1, b → "x"; names in lower case."""
    inner = inside[1:-1] if inside.startswith("{") and inside.endswith("}") else inside
    pairs = (part.partition("=>") for part in split(inner, ",", "\"'") if part)
    return {unquoted(a).lower(): value.strip() for a, _, value in pairs}


def _network_options(inside: str) -> str:
    """The options of a generate_network action, without ``overwrite``, which is always set."""
    inner = inside[1:-1] if inside.startswith("{") and inside.endswith("}") else inside
    parts = (part for part in split(inner, ",", "\"'") if part)
    return ", ".join(p for p in parts if not p.lower().startswith("overwrite"))


def _constant(text: str) -> float | None:
    try:
        value = parse(text).constant
    except ExpressionError:
        return None
    return value if value is not None and abs(value) < float("inf") else None
