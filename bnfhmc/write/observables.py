"""The series of all experiments as observables: one formula for each, with placeholders where measurements differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from bnfhmc.expression import Call, Expression, Name, Node, Num, expression
from bnfhmc.noise import Constant, NoiseModel
from bnfhmc.problem import Problem, Series


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Numbers that differ from measurement to measurement: a leaf of a tree."""

    values: Float[np.ndarray, " n"]


Leaf = Num | Name | Data


@dataclass(frozen=True, slots=True)
class Hole:
    """A place where the trees of several series differ: the leaf of each."""

    leaves: tuple[Leaf, ...]

    def token(self, member: int, n: int) -> float | str:
        """What stands there in measurement n of a series: a number or a free parameter."""
        leaf = self.leaves[member]
        if isinstance(leaf, Name):
            return leaf.id
        return float(leaf.values[n]) if isinstance(leaf, Data) else leaf.value

    @property
    def numeric(self) -> bool:
        """Whether all of it is numbers."""
        return not any(isinstance(leaf, Name) for leaf in self.leaves)


@dataclass(frozen=True, slots=True)
class Observable:
    """One formula and one noise model for all measurements of its name.

    ``members``: (experiment's index, series); ``formula`` and ``sources`` (by noise parameter) name a placeholder
    ``observableParameter1_<name>`` or ``noiseParameter1_<name>`` where measurements differ; ``in_formula`` and ``in_noise``
    are these, each with its hole.
    """

    name: str
    noise: NoiseModel
    members: tuple[tuple[int, Series], ...]
    formula: Expression
    sources: Mapping[str, Expression]
    in_formula: Mapping[str, Hole]
    in_noise: Mapping[str, Hole]

    @property
    def placeholders(self) -> dict[str, Hole]:
        """All of them, those of the formula first."""
        return {**self.in_formula, **self.in_noise}

    def numbers(self, source: str) -> Hole | None:
        """The numbers that a noise parameter is, one a measurement; None where it is something else."""
        node = self.sources[source].node
        hole = self.in_noise.get(node.id) if isinstance(node, Name) else None
        others = [e for n, e in self.sources.items() if n != source]
        if hole is None or not hole.numeric or not isinstance(node, Name) or any(node.id in e.names for e in others):
            return None
        return hole


Members = list[tuple[int, Series]]


def grouped(problem: Problem) -> Iterator[tuple[str, Members]]:
    """The series (with their experiment's index) that one formula describes, under the name they share.

    A name comes more than once where its series differ in more than numbers and free parameters, or are of two models.
    """
    free = _free(problem)
    found: dict[tuple[str, str], list[Members]] = {}
    for i, e in enumerate(problem.experiments):
        for s in e.series:
            groups = found.setdefault((s.name.partition("#")[0], e.model), [])
            fits = (g for g in groups if _alike(g[0][1], s) and _templates([g[0][1], s], free) is not None)
            if (group := next(fits, None)) is not None:
                group.append((i, s))
            else:
                groups.append([(i, s)])
    for (name, _), groups in found.items():
        yield from ((name, group) for group in groups)


def observable_of(name: str, members: Sequence[tuple[int, Series]], problem: Problem) -> Observable:
    """One of the groups as an observable."""
    series = [s for _, s in members]
    made = _templates(series, _free(problem))
    if made is None:
        raise ValueError(f"the series of '{name}' have no formula in common")
    (formula, *rest), holes = made
    of_formula = [h for h in holes.found if h in formula.names]
    of_noise = [h for h in holes.found if h not in formula.names]
    called = {h: f"observableParameter{k}_{name}" for k, h in enumerate(of_formula, 1)}
    called |= {h: f"noiseParameter{k}_{name}" for k, h in enumerate(of_noise, 1)}
    return Observable(
        name, series[0].noise, tuple(members), formula.renamed(called),
        {n: e.renamed(called) for n, e in zip(series[0].sources, rest, strict=True)},
        {called[h]: holes.found[h] for h in of_formula}, {called[h]: holes.found[h] for h in of_noise},
    )  # fmt: skip


def _free(problem: Problem) -> frozenset[str]:
    """The free parameters that are nothing else in any model, so that a name means the same wherever it stands."""
    models = problem.models.values()
    return frozenset(problem.names).difference(*(m.outputs for m in models), *(m.quantities for m in models))


def _alike(a: Series, b: Series) -> bool:
    return a.noise == b.noise and list(a.sources) == list(b.sources)


@dataclass(slots=True)
class _Holes:
    """The holes found so far, by a name that no formula can have."""

    found: dict[str, Hole] = field(default_factory=dict)

    def name(self, leaves: tuple[Leaf, ...]) -> Name:
        hole = next((h for h, known in self.found.items() if _same(known.leaves, leaves)), None)
        if hole is None:
            hole = f"({len(self.found)})"
            self.found[hole] = Hole(leaves)
        return Name(hole)


def _same(a: tuple[Leaf, ...], b: tuple[Leaf, ...]) -> bool:
    return all(
        np.array_equal(x.values, y.values) if isinstance(x, Data) and isinstance(y, Data) else x == y
        for x, y in zip(a, b, strict=True)
    )


def _templates(series: Sequence[Series], free: frozenset[str]) -> tuple[list[Expression], _Holes] | None:
    """The observable's formula and those of its noise parameters, with what differs left open; None if more than leaves do."""
    holes = _Holes()
    slots: list[list[Node | Data]] = [[s.observable.node for s in series]]
    slots += [[_root(s, n) for s in series] for n in series[0].sources]
    trees = [_template(slot, free, holes) for slot in slots]
    return None if None in trees else ([expression(t) for t in trees if t is not None], holes)


def _root(s: Series, source: str) -> Node | Data:
    found = s.sources[source]
    if not isinstance(found, Constant):
        return found.expression.node
    values = np.asarray(found.values, dtype=float)
    return Num(float(values.flat[0])) if np.all(values == values.flat[0]) else Data(values)


def _template(trees: Sequence[Node | Data], free: frozenset[str], holes: _Holes) -> Node | None:
    """One tree for several that differ in no more than numbers and free parameters; None where there is none."""
    out: list[Node] = []
    stack: list[tuple[tuple[Node | Data, ...], bool]] = [(tuple(trees), False)]
    while stack:
        nodes, done = stack.pop()
        calls = [n for n in nodes if isinstance(n, Call)]
        if done:
            args = tuple(out[-len(calls[0].args) :])
            del out[-len(args) :]
            out.append(Call(calls[0].fn, args))
        elif calls:
            if len(calls) < len(nodes) or len({(c.fn, len(c.args)) for c in calls}) > 1:
                return None
            stack.append((nodes, True))
            stack.extend((parts, False) for parts in reversed(list(zip(*(c.args for c in calls), strict=True))))
        else:
            leaf = _leaf(tuple(n for n in nodes if not isinstance(n, Call)), free, holes)
            if leaf is None:
                return None
            out.append(leaf)
    return out[0]


def _leaf(leaves: tuple[Leaf, ...], free: frozenset[str], holes: _Holes) -> Node | None:
    first = leaves[0]
    if not isinstance(first, Data) and all(leaf == first for leaf in leaves):
        return first
    if any(isinstance(leaf, Name) and leaf.id not in free for leaf in leaves):
        return None
    return holes.name(leaves)
