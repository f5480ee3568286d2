"""θ → m: what the parameters and the conditions make of a model's own quantities, and ∂m/∂θ."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import InputError, Mistake, nearest
from bnfhmc.expression import Call, Expression, Name, Node, Num, expression, substitute
from bnfhmc.expression.closures import Numbers, number_of
from bnfhmc.model.protocol import Model
from bnfhmc.problem import Condition, Perturbation


class Read(NamedTuple):
    """A model output as it is just before the `phase`-th condition of an experiment, which some value is computed from."""

    phase: int
    output: str

    @property
    def name(self) -> str:
        """What expressions call it; no name of a configuration can be this."""
        return f"({self.phase}) {self.output}"


@dataclass(frozen=True, slots=True)
class Routing:
    """m = g(θ) for one model under one condition, or under several one after the other.

    ``values``: each quantity the problem sets, as an expression of θ (of the dose of a scan, and of ``reads``); ``columns``:
    those among them that depend on θ; ``slopes``: the non-zero ∂m_c/∂θ_j as (c, j, expression), where a j from ``dim`` on is
    a read; ``fixed``: ∂m/∂θ[c, d] where it is the same at every θ.
    """

    values: Mapping[str, Expression]
    columns: tuple[str, ...]
    slopes: tuple[tuple[int, int, Expression], ...]
    fixed: Float[np.ndarray, "c d"] | None
    dim: int
    reads: tuple[Read, ...] = ()
    _values: tuple[tuple[str, Callable[[Numbers], float]], ...] = field(init=False, repr=False)
    _slopes: tuple[tuple[int, int, Callable[[Numbers], float]], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_values", tuple((n, number_of(value)) for n, value in self.values.items()))
        object.__setattr__(self, "_slopes", tuple((c, j, number_of(slope)) for c, j, slope in self.slopes))

    def quantities(self, theta: Mapping[str, float]) -> dict[str, float]:
        """m at θ, by name; `theta` holds the values of ``reads`` too."""
        return {name: value(theta) for name, value in self._values}

    def jacobian(
        self, theta: Mapping[str, float], d_reads: Float[np.ndarray, "read d"] | None = None
    ) -> Float[np.ndarray, "c d"]:
        """∂m/∂θ, given ∂reads/∂θ: ``= c`` of a condition is a missing column, ``* c`` a c, ``/ c`` a 1/c, ``+ −`` a 1."""
        if self.fixed is not None:
            return self.fixed
        out = np.zeros((len(self.columns), self.dim + len(self.reads)))
        for c, j, slope in self._slopes:
            out[c, j] = slope(theta)
        own = out[:, : self.dim]
        return own if d_reads is None or not self.reads else own + out[:, self.dim :] @ d_reads


def route(
    model: Model,
    condition: Condition | None,
    names: tuple[str, ...],
    scan: str | None = None,
    carried: frozenset[str] = frozenset(),
    later: Sequence[Condition] = (),
) -> Routing:
    """Bind the free parameters `names` to the model's quantities of the same name, then apply the conditions.

    `carried` amounts come from an earlier phase and are bound only where the last condition sets them; `scan` names a
    quantity that takes the value θ holds under `DOSE` before a condition is applied; `later` conditions follow the first,
    which then sets parameters only. Raises InputError for a perturbation whose target or value names nothing the model
    holds, or whose relative change has no base.
    """
    nodes: dict[str, Node] = {n: Name(n) for n in names if n in model.quantities and n not in carried}
    if scan is not None:
        nodes[scan] = Name(DOSE)
    pinned = set(nodes)
    for phase, c in enumerate((condition, *later)):
        if phase:  # the amounts have become what this phase starts from
            nodes = {n: node for n, node in nodes.items() if n not in model.amounts}
        if c is None:  # what the file computes from others is a number to the model, and follows here
            _follow(nodes, pinned, model, {}, "")
        else:
            _apply_condition(c, phase, nodes, pinned, model, names)
    values = {n: expression(node) for n, node in nodes.items()}
    reads = tuple(sorted({read for v in values.values() for n in v.names if (read := _read(n)) is not None}))
    free = {n: j for j, n in enumerate((*names, *(r.name for r in reads)))}
    columns = tuple(n for n, value in values.items() if value.names & free.keys())
    slopes = tuple(
        (c, free[j], values[q].derivative(j)) for c, q in enumerate(columns) for j in sorted(values[q].names & free.keys())
    )
    fixed = None if reads else _constant(slopes, len(columns), len(names))
    return Routing(values, columns, slopes, fixed, len(names), reads)


def _constant(slopes: Sequence[tuple[int, int, Expression]], c: int, d: int) -> Float[np.ndarray, "c d"] | None:
    """The Jacobian that the slopes are at every θ, or None where one of them moves."""
    out = np.zeros((c, d))
    for row, j, slope in slopes:
        if (constant := slope.constant) is None:
            return None
        out[row, j] = constant
    return out


def _apply_condition(
    condition: Condition, phase: int, nodes: dict[str, Node], pinned: set[str], model: Model, names: tuple[str, ...]
) -> None:
    """Change `nodes`; ``pinned`` quantities are those that no longer follow what the model computes them from."""
    whose, based = f"condition '{condition.name}'", set(nodes)
    mistakes = []
    for p in condition.perturbations:
        if (wrong := _unroutable(p, model, names, based, condition.at_once)) is not None:
            mistakes.append(Mistake(f"{whose}: {wrong.what}", wrong.hint))
        based.add(p.target)
    if mistakes:
        raise InputError(mistakes)
    if condition.at_once:
        _set_at_once(condition.perturbations, phase, nodes, pinned, model, frozenset(names))
    else:
        _set(condition.perturbations, nodes, pinned, model, whose)


def _set_at_once(
    perturbations: Sequence[Perturbation], phase: int, nodes: dict[str, Node], pinned: set[str], model: Model,
    names: frozenset[str],
) -> None:  # fmt: skip
    """Give every target its value in the state before the condition; derived quantities follow what has changed."""
    before = dict(nodes)
    for p in perturbations:
        reads: dict[str, Node] = {
            n: Name(Read(phase, n).name) for n in p.value.names - names
            if n in model.amounts or (n in model.outputs and n not in model.quantities)
        }  # fmt: skip
        value = substitute(p.value.node, reads | {n: v for n, v in _known(p.value, before, model).items() if n not in reads})
        nodes[p.target] = value if p.op == "=" else Call(p.op, (before.get(p.target, Num(model.quantities[p.target])), value))
    pinned |= {p.target for p in perturbations}
    _follow(nodes, pinned, model, {}, "")


def _set(
    perturbations: Sequence[Perturbation], nodes: dict[str, Node], pinned: set[str], model: Model, whose: str
) -> None:
    """Apply the perturbations in order; a derived quantity follows what it is computed from, changed or not."""
    reading = [p for p in perturbations if p.target not in model.derived and p.value.names & model.derived.keys()]
    _apply([p for p in perturbations if p.target not in model.derived and p not in reading], nodes, model)
    changes: dict[str, list[Perturbation]] = {}
    for p in perturbations:
        if p.target in model.derived:
            changes.setdefault(p.target, []).append(p)
    _follow(nodes, pinned, model, changes, whose)
    pinned |= changes.keys()
    _apply(reading, nodes, model)


def _follow(
    nodes: dict[str, Node], pinned: Collection[str], model: Model, changes: Mapping[str, Sequence[Perturbation]], whose: str
) -> None:
    """Compute the derived quantities that are not pinned, each after what it reads, and apply the changes to them."""
    reads = {n: set(e.names) for n, e in model.derived.items()}
    for name, made in changes.items():
        reads[name] |= {n for p in made for n in p.value.names}
    try:
        order = list(TopologicalSorter({n: r & reads.keys() for n, r in reads.items()}).static_order())
    except CycleError as error:
        raise InputError(Mistake(f"{whose}: {' and '.join(sorted(set(error.args[1])))} are set by each other")) from error
    for name in order:
        if name not in pinned:
            nodes[name] = substitute(model.derived[name].node, _known(model.derived[name], nodes, model))
        _apply(changes.get(name, ()), nodes, model)


def _apply(perturbations: Sequence[Perturbation], nodes: dict[str, Node], model: Model) -> None:
    for p in perturbations:
        value = substitute(p.value.node, _known(p.value, nodes, model))
        base = nodes.get(p.target, Num(model.quantities[p.target]))
        nodes[p.target] = value if p.op == "=" else Call(p.op, (base, value))


def _known(value: Expression, nodes: Mapping[str, Node], model: Model) -> dict[str, Node]:
    """What each quantity of the model that `value` names is."""
    return {n: nodes.get(n, Num(model.quantities[n])) for n in value.names if n in model.quantities}


DOSE = "(dose)"  # no name of a configuration can be this
_READ = re.compile(r"\((\d+)\) (.+)", re.DOTALL)


def _read(name: str) -> Read | None:
    """The read that a name in an expression stands for."""
    found = _READ.fullmatch(name)
    return None if found is None else Read(int(found[1]), found[2])


def _unroutable(
    p: Perturbation, model: Model, names: tuple[str, ...], based: Collection[str], at_once: bool
) -> Mistake | None:
    """Why a perturbation cannot be applied, or None; `based` are quantities with a value of their own by now."""
    if p.target not in model.quantities:
        return Mistake(f"model '{model.name}' has no parameter or species '{p.target}'", nearest(p.target, model.quantities))
    if p.op != "=" and p.target in model.amounts and p.target not in based:
        return Mistake(f"'{p.target} {p.op} …' changes an initial amount by its own value, which parameters may set",
                       f"write '\"{p.target}\" = <amount>'")  # fmt: skip
    for n in sorted(p.value.names):
        if n not in model.quantities and n not in names and not (at_once and n in model.outputs):
            return Mistake(f"'{n}' in '{p.value.text}' is no free parameter and no parameter of model '{model.name}'",
                           nearest(n, [*names, *model.quantities]))  # fmt: skip
        if n in model.amounts and n not in based and not at_once:
            return Mistake(f"'{n}' in '{p.value.text}' is a species, whose amount the model's own parameters may set",
                           "use a parameter")  # fmt: skip
    return None
