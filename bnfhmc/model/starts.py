"""∂x(0)/∂p of initial amounts that a model computes from its parameters: expressions, evaluated anew at each point."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bnfhmc.expression import Expression, Name
from bnfhmc.expression.tape import Tape

Row = tuple[int, int, float]  # species, parameter, ∂x(0)/∂p
Slope = tuple[int, int, int, float]  # amount, species, parameter, ∂amount/∂p


@dataclass(frozen=True)
class Starts:
    """Initial amounts by the parameters they are computed from.

    ``amounts``: (species, expression of primary parameters) for each reference of the model; ``columns``: the parameters to
    differentiate by, with their indices; ``names``: what the derivatives are evaluated with.
    """

    amounts: tuple[tuple[int, Expression], ...]
    columns: Mapping[str, int]
    names: tuple[str, ...] = field(init=False)
    _plain: tuple[tuple[int, int, int], ...] = field(init=False, repr=False)  # (k, species, parameter) of slope 1
    _computed: tuple[tuple[int, int], ...] = field(init=False, repr=False)  # (k, species) of those on the tape
    _tape: Tape = field(init=False, repr=False)
    _last: dict[str, tuple[tuple[float, ...], list[Slope]]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        plain, computed, roots = [], [], []
        for k, (species, value) in enumerate(self.amounts):
            if isinstance(value.node, Name):
                plain += [(k, species, self.columns[value.node.id])] if value.node.id in self.columns else []
            elif not value.names.isdisjoint(self.columns):
                computed.append((k, species))
                roots.append(value)
        tape = Tape(roots)
        for name, derived in (("_plain", tuple(plain)), ("_computed", tuple(computed)), ("_tape", tape),
                              ("names", tape.names)):  # fmt: skip
            object.__setattr__(self, name, derived)

    def by(self, columns: Iterable[str]) -> Starts:
        """The same amounts, differentiated by fewer parameters."""
        wanted = set(columns)
        return Starts(self.amounts, {n: i for n, i in self.columns.items() if n in wanted})

    def rows(self, m: Mapping[str, float], divisors: Sequence[float]) -> list[Row]:
        """∂x(0)/∂p where `names` have the values `m`; amount k is divided by ``divisors[k]``, a volume, 0 standing for 1."""
        per = [1.0 / d if d else 1.0 for d in divisors]
        return [(species, index, slope * per[k]) for k, species, index, slope in self._slopes(m)]

    def _slopes(self, m: Mapping[str, float]) -> list[Slope]:
        """(k, species, parameter, slope); those of the last values are kept, since conditions seldom change them."""
        at = tuple(m[n] for n in self.names)
        kept = self._last.get("slopes")  # one place, read and written as a whole, since clones in other threads share it
        if kept is not None and kept[0] == at:
            return kept[1]
        slopes = [(*where, 1.0) for where in self._plain]
        values = self._tape.values(m)
        for root, (k, species) in enumerate(self._computed):
            pulled = self._tape.pull(values, {root: 1.0})
            slopes += [(k, species, self.columns[n], float(d)) for n, d in pulled.items() if n in self.columns]
        self._last["slopes"] = at, slopes
        return slopes
