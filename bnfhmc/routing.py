"""θ → m: what the parameters and a condition make of a model's own quantities, and ∂m/∂θ."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import InputError, Mistake, nearest
from bnfhmc.expression import Call, Expression, Name, Node, Num, expression, substitute
from bnfhmc.model.protocol import Model
from bnfhmc.problem import Condition, Perturbation


@dataclass(frozen=True, slots=True)
class Routing:
    """m = g(θ) for one model under one condition.

    ``values``: each quantity the problem sets, as an expression of θ (and of the dose of a scan); ``columns``: those among
    them that depend on θ; ``slopes``: the non-zero ∂m_c/∂θ_j as (c, j, expression); ``fixed``: ∂m/∂θ[c, d] where it is the
    same at every θ.
    """

    values: Mapping[str, Expression]
    columns: tuple[str, ...]
    slopes: tuple[tuple[int, int, Expression], ...]
    fixed: Float[np.ndarray, "c d"] | None
    dim: int

    def quantities(self, theta: Mapping[str, float]) -> dict[str, float]:
        """m at θ, by name."""
        return {name: float(value(theta)) for name, value in self.values.items()}

    def jacobian(self, theta: Mapping[str, float]) -> Float[np.ndarray, "c d"]:
        """∂m/∂θ: the factor ``= c`` of a condition is a missing column, ``* c`` a c, ``/ c`` a 1/c, ``+ −`` a 1."""
        if self.fixed is not None:
            return self.fixed
        out = np.zeros((len(self.columns), self.dim))
        for c, j, slope in self.slopes:
            out[c, j] = slope(theta)
        return out


def route(
    model: Model,
    condition: Condition | None,
    names: tuple[str, ...],
    scan: str | None = None,
    carried: frozenset[str] = frozenset(),
) -> Routing:
    """Bind the free parameters `names` to the model's quantities of the same name, then apply the condition in order.

    `carried` amounts come from an earlier phase and are bound only where the condition sets them; `scan` names a quantity
    that takes the value θ holds under `DOSE` before the condition is applied. Raises InputError for a perturbation whose
    target or value names nothing the model holds, or whose relative change has no base.
    """
    nodes: dict[str, Node] = {n: Name(n) for n in names if n in model.quantities and n not in carried}
    if scan is not None:
        nodes[scan] = Name(DOSE)
    perturbations = condition.perturbations if condition else ()
    whose = f"condition '{condition.name}'" if condition else ""
    based, mistakes = set(nodes), []
    for p in perturbations:
        if (wrong := _unroutable(p, model, names, based)) is not None:
            mistakes.append(Mistake(f"{whose}: {wrong.what}", wrong.hint))
        based.add(p.target)
    if mistakes:
        raise InputError(mistakes)
    _set(perturbations, nodes, model, whose)
    values = {n: expression(node) for n, node in nodes.items()}
    columns = tuple(n for n, value in values.items() if value.names & set(names))
    slopes = tuple(
        (c, names.index(j), values[q].derivative(j))
        for c, q in enumerate(columns)
        for j in sorted(values[q].names & set(names))
    )
    constants = [slope.constant for _, _, slope in slopes]
    fixed = None
    if None not in constants:
        fixed = np.zeros((len(columns), len(names)))
        for (c, j, _), constant in zip(slopes, constants, strict=True):
            fixed[c, j] = constant
    return Routing(values, columns, slopes, fixed, len(names))


def _set(perturbations: Sequence[Perturbation], nodes: dict[str, Node], model: Model, whose: str) -> None:
    """Apply the perturbations in order; a derived quantity follows what it is computed from, changed or not."""
    reading = [p for p in perturbations if p.target not in model.derived and p.value.names & model.derived.keys()]
    _apply([p for p in perturbations if p.target not in model.derived and p not in reading], nodes, model)
    reads = {n: set(e.names) for n, e in model.derived.items()}
    for p in perturbations:
        if p.target in reads:
            reads[p.target] |= p.value.names
    try:
        order = list(TopologicalSorter({n: r & reads.keys() for n, r in reads.items()}).static_order())
    except CycleError as error:
        raise InputError(Mistake(f"{whose}: {' and '.join(sorted(set(error.args[1])))} are set by each other")) from error
    for name in order:
        if name not in nodes:
            nodes[name] = substitute(model.derived[name].node, _known(model.derived[name], nodes, model))
        _apply([p for p in perturbations if p.target == name], nodes, model)
    _apply(reading, nodes, model)


def _apply(perturbations: Sequence[Perturbation], nodes: dict[str, Node], model: Model) -> None:
    for p in perturbations:
        value = substitute(p.value.node, _known(p.value, nodes, model))
        base = nodes.get(p.target, Num(model.quantities[p.target]))
        nodes[p.target] = value if p.op == "=" else Call(p.op, (base, value))


def _known(value: Expression, nodes: Mapping[str, Node], model: Model) -> dict[str, Node]:
    """What each quantity of the model that `value` names is."""
    return {n: nodes.get(n, Num(model.quantities[n])) for n in value.names if n in model.quantities}


DOSE = "(dose)"  # no name of a configuration can be this


def _unroutable(
    p: Perturbation, model: Model, names: tuple[str, ...], based: Collection[str]
) -> Mistake | None:
    """Why a perturbation cannot be applied, or None; `based` are quantities with a value of their own by now."""
    if p.target not in model.quantities:
        return Mistake(f"model '{model.name}' has no parameter or species '{p.target}'", nearest(p.target, model.quantities))
    if p.op != "=" and p.target in model.amounts and p.target not in based:
        return Mistake(f"'{p.target} {p.op} …' changes an initial amount by its own value, which parameters may set",
                       f"write '\"{p.target}\" = <amount>'")  # fmt: skip
    for n in sorted(p.value.names):
        if n not in model.quantities and n not in names:
            return Mistake(f"'{n}' in '{p.value.text}' is no free parameter and no parameter of model '{model.name}'",
                           nearest(n, [*names, *model.quantities]))  # fmt: skip
        if n in model.amounts and n not in based:
            return Mistake(f"'{n}' in '{p.value.text}' is a species, whose amount the model's own parameters may set",
                           "use a parameter")  # fmt: skip
    return None
