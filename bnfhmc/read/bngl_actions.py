"""What a .bngl file says besides its model: edition 1's simulations in its actions, and its ``__FREE`` names.

Only as much of BNGL is read as a configuration leans on; the model itself is read by BioNetGen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from bnfhmc.expression import Expression, ExpressionError, parse
from bnfhmc.problem import Perturbation
from bnfhmc.read.lines import split, unquoted, without_comment
from bnfhmc.read.simulations import Simulation, Wrong, of_action

_FREE = re.compile(r"[A-Za-z_]\w*__FREE\b", re.ASCII)
_ACTION = re.compile(r"([A-Za-z_]\w*)\s*(?:\((.*)\))?", re.ASCII | re.DOTALL)
_BLOCK = re.compile(r"(begin|end)\s+([a-z][a-z\s]*)", re.IGNORECASE)
_DEFINED = re.compile(r"(?:\d+\s+)?([A-Za-z_]\w*)", re.ASCII)

# actions that print, or set what is printed
_PRINTS = ("generate_network", "writexml", "writesbml", "writemfile", "writemexfile", "writenetwork", "writefile",
           "writemodel", "writemdl", "writelatex", "writesscfile", "visualize", "setmodelname", "version", "setoption",
           "substanceunits")  # fmt: skip


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
    """The state that actions leave to the next: set values, and what cannot be followed.

    ``ran``: the line of the simulate whose end state is the present state; ``steady``: what was set in it, where that
    state is a steady one that was reached from the initial state; ``own``: the amounts set since.
    """

    simulations: list[Simulation] = field(default_factory=list)
    network: tuple[int, str] | None = None
    changes: list[tuple[int, str]] = field(default_factory=list)
    parameters: dict[str, Perturbation] = field(default_factory=dict)
    amounts: dict[str, Perturbation] = field(default_factory=dict)
    ran: int | None = None
    steady: tuple[Perturbation, ...] | None = None
    lost: list[Wrong] = field(default_factory=list)

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
            self.ran = self.steady = None
        elif name == "resetparameters" and not inside:
            self.parameters.clear()
        elif name not in _PRINTS:
            word = match.group(1) if match else action[:40]
            self.changes.append((line, word))
            self.lost.append((line, f"action '{word}' is not followed, and may change what comes after it",
                              "use setParameter, setConcentration and resetConcentrations"))  # fmt: skip

    def _set(self, line: int, name: str, inside: str) -> None:
        parts = [unquoted(p) for p in split(inside, ",", "\"'")]
        kept = self.parameters if name == "setParameter" else self.amounts
        self.changes.append((line, name))
        value = _value(parts[1]) if len(parts) == 2 else None
        if value is None:
            hint = 'type setParameter("k", 2) or setConcentration("A()", 2)'
            self.lost.append((line, f"'{name}({inside})' does not set a name to a value", hint))
            return
        readers = [p.target for p in (*self.parameters.values(), *self.amounts.values())
                   if parts[0] in p.value.names and p.target != parts[0]]  # fmt: skip
        if readers:
            self.lost.append((line, f"'{parts[0]}' is set after '{readers[0]}', whose value names it",
                              f"set '{parts[0]}' first"))  # fmt: skip
        kept.pop(parts[0], None)
        kept[parts[0]] = Perturbation(parts[0], "=", value)

    def _simulate(self, line: int, name: str, arguments: dict[str, str]) -> None:
        made, own = of_action(line, name, arguments)
        wrong = [*self.lost, *own]
        told = (*self.parameters.values(), *self.amounts.values())
        if self.ran is not None and (self.steady is None or made.quantity is not None):
            wrong.append((line, f"'{name}' continues from the state that line {self.ran} ended in, and only a simulate with "
                          "steady_state=>1 can come before another", "put resetConcentrations() before it"))  # fmt: skip
        if made.suffix and any(s.suffix == made.suffix for s in self.simulations):
            wrong.append((line, f"another action has the suffix '{made.suffix}'", "give each its own"))
        if made.suffix:
            self.simulations.append(replace(made, perturbations=told, before=self.steady, wrong=tuple(wrong)))
        if name.startswith("simulate") and not wrong and made.steady and self.ran is None:
            self.steady = told
            self.amounts.clear()
        else:
            self.steady = None
        self.ran = line


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


def _value(text: str) -> Expression | None:
    try:
        value = parse(text)
    except ExpressionError:
        return None
    constant = value.constant
    return value if constant is None or abs(constant) < float("inf") else None
