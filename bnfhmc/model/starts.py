"""∂x(0)/∂p of initial amounts that a model computes from its parameters: expressions, evaluated anew at each point."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bnfhmc.expression import Expression
from bnfhmc.model.crossings import Numbers, number_of

Row = tuple[int, int, float]  # species, parameter, ∂x(0)/∂p


@dataclass(frozen=True)
class Starts:
    """Initial amounts by the parameters they are computed from.

    ``amounts``: (species, expression of primary parameters) for each reference of the model; ``columns``: the parameters to
    differentiate by, with their indices.
    """

    amounts: tuple[tuple[int, Expression], ...]
    columns: Mapping[str, int]
    names: tuple[str, ...] = field(init=False)
    _slopes: tuple[tuple[int, int, int, Callable[[Numbers], float]], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        slopes = [(k, species, index, value.derivative(name)) for k, (species, value) in enumerate(self.amounts)
                  for name, index in self.columns.items() if name in value.names]  # fmt: skip
        object.__setattr__(self, "names", tuple(sorted({n for *_, slope in slopes for n in slope.names})))
        object.__setattr__(self, "_slopes", tuple((*at, number_of(slope)) for *at, slope in slopes))

    def by(self, columns: Iterable[str]) -> Starts:
        """The same amounts, differentiated by fewer parameters."""
        wanted = set(columns)
        return Starts(self.amounts, {n: i for n, i in self.columns.items() if n in wanted})

    def rows(self, m: Numbers, divisors: Sequence[float]) -> list[Row]:
        """∂x(0)/∂p where `names` have the values `m`; amount k is divided by ``divisors[k]``, a volume, 0 standing for 1."""
        per = [1.0 / d if d else 1.0 for d in divisors]
        return [(species, index, slope(m) * per[k]) for k, species, index, slope in self._slopes]
