"""PriorVector: the product of d independent priors, evaluated as arrays."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar, final

import numpy as np

from bnfhmc.prior.bijector import Bijector, Transformed
from bnfhmc.prior.density import SMALLEST_DRAW, Prior
from bnfhmc.prior.parameter import Parameter
from bnfhmc.prior.scale import Scale

if TYPE_CHECKING:
    from jaxtyping import Float

T = TypeVar("T")
# (columns, member): the columns of u that one stacked prior, bijector or scale is responsible for.
Groups = tuple[tuple[Any, T], ...]


@final
@dataclass(frozen=True, slots=True)
class PriorVector:
    """The product prior of d parameters, in their order.

        log p(u) = Σ_i log p_i(u_i),   u_i = bijector_i(z_i),   θ_i = scale_i⁻¹(u_i)

    Parameters of one family are one array expression: the cost grows with the number of families, not with d.
    What the elements are at the ends of a support and far out is said at `Prior`, `Bijector` and `Scale`.

    parameters: any sequence of Parameters; kept as a tuple.
    support: the ends (lo[d], hi[d]) in u.
    """

    parameters: Sequence[Parameter]
    support: tuple[np.ndarray, np.ndarray] = field(init=False, repr=False, compare=False)
    _priors: Groups[Prior] = field(init=False, repr=False, compare=False)
    _starts: Groups[Prior] = field(init=False, repr=False, compare=False)
    _bijectors: Groups[Bijector] = field(init=False, repr=False, compare=False)
    _scales: Groups[Scale] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        chosen = tuple(self.parameters)
        ends = np.array([p.support for p in chosen], dtype=float).reshape(-1, 2).T.copy()
        ends.flags.writeable = False
        derived = {
            "parameters": chosen,
            "support": (ends[0], ends[1]),
            "_priors": _grouped([p.prior for p in chosen], _kind, _stacked),
            "_starts": _grouped([p.prior if p.start is None else p.start for p in chosen], _kind, _stacked),
            "_bijectors": _grouped([p.bijector for p in chosen], _kind, _stacked),
            "_scales": _grouped([p.scale for p in chosen], lambda s: s, lambda same: same[0]),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.parameters)

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names, in order."""
        return tuple(p.name for p in self.parameters)

    def logpdf(self, u: Float[np.ndarray, " d"]) -> float:
        """log p(u)."""
        return _total(self._terms_and_score(u)[0])

    def score(self, u: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        """∂ log p/∂u."""
        return self._terms_and_score(u)[1]

    def logpdf_and_score(self, u: Float[np.ndarray, " d"]) -> tuple[float, Float[np.ndarray, " d"]]:
        """log p(u) and ∂ log p/∂u in one pass."""
        terms, score = self._terms_and_score(u)
        return _total(terms), score

    def logpdf_terms(self, u: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        """log p_i(u_i)."""
        return self._terms_and_score(u)[0]

    def transform(self, z: Float[np.ndarray, " d"]) -> Transformed:
        """u, du/dz, log|du/dz| and its derivative at z, elementwise and in one pass."""
        z = np.asarray(z, dtype=float)
        if len(self._bijectors) == 1:
            return self._bijectors[0][1].transform(z)
        out = np.empty((4, z.size))
        for columns, bijector in self._bijectors:
            for row, values in zip(out, bijector.transform(z[columns]), strict=True):
                row[columns] = values
        return Transformed(*out)

    def u_from_z(self, z: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        """u at z, strictly inside the support."""
        return np.array(self.transform(z).u)

    def du_dz(self, z: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        """du_i/dz_i."""
        return np.asarray(self.transform(z).du_dz)

    def log_du_dz(self, z: Float[np.ndarray, " d"]) -> float:
        """Σ_i log|du_i/dz_i|."""
        return _total(np.asarray(self.transform(z).log_du_dz))

    def dlog_du_dz(self, z: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        """d log|du_i/dz_i|/dz_i."""
        return np.asarray(self.transform(z).dlog_du_dz)

    def z_from_u(self, u: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        """z of a u in the closed support; a u on an end is taken as the nearest one inside.

        Raises ValueError that names the first parameter outside of its support.
        """
        u = np.asarray(u, dtype=float)
        lo, hi = self.support
        self._refuse_outside("u", u, lo, hi)
        return _spread(self._bijectors, u, lambda bijector, part: bijector.z_from_u(part))

    def theta_from_u(self, u: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        """θ in the parameters' own units; inf where it is too large for a float."""
        return _spread(self._scales, u, lambda scale, part: scale.theta_from_u(part))

    def u_from_theta(self, theta: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        """u of θ.

        Raises ValueError that names the first parameter outside of its scale's domain.
        """
        theta = np.asarray(theta, dtype=float)
        lo, hi = np.array([p.scale.domain for p in self.parameters], dtype=float).reshape(-1, 2).T
        self._refuse_outside("theta", theta, lo, hi)
        return _spread(self._scales, theta, lambda scale, part: scale.u_from_theta(part))

    def dtheta_du(self, u: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        """dθ_i/du_i; inf where it is too large for a float."""
        return _spread(self._scales, u, lambda scale, part: scale.dtheta_du(part))

    def quantile(self, q: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        """u_i below which parameter i has the mass q_i in [0, 1]."""
        return _spread(self._priors, q, lambda prior, part: prior.ppf(part))

    def sample(self, rng: np.random.Generator) -> Float[np.ndarray, " d"]:
        """One draw of u: d uniform numbers in the parameters' order, each through its quantile function."""
        return self.quantile(np.maximum(rng.random(len(self)), SMALLEST_DRAW))

    def sample_bulk(self, rng: np.random.Generator, mass: float = 0.8) -> Float[np.ndarray, " d"]:
        """One draw of u to start from: d uniform numbers in the parameters' order, each through its quantile function.

        A component is confined to the central `mass` of its prior. One whose parameter has a `start` is drawn from all
        of that density instead, and held strictly inside the support of its prior.
        """
        q = rng.random(len(self))
        own = np.array([p.start is not None for p in self.parameters], dtype=bool)
        q = np.where(own, np.maximum(q, SMALLEST_DRAW), 0.5 + mass * (q - 0.5))
        u = _spread(self._starts, q, lambda prior, part: prior.ppf(part))
        lo, hi = self.support
        return np.where(own, np.clip(u, np.nextafter(lo, np.inf), np.nextafter(hi, -np.inf)), u)

    def _terms_and_score(
        self, u: Float[np.ndarray, " d"]
    ) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, " d"]]:
        u = np.asarray(u, dtype=float)
        if len(self._priors) == 1:
            only = self._priors[0][1].logpdf_and_score(u)
            return np.asarray(only[0]), np.asarray(only[1])
        terms, score = np.empty((2, u.size))
        for columns, prior in self._priors:
            terms[columns], score[columns] = prior.logpdf_and_score(u[columns])
        return terms, score

    def _refuse_outside(self, what: str, x: np.ndarray, lo: np.ndarray, hi: np.ndarray) -> None:
        outside = ~((x >= lo) & (x <= hi))
        if outside.any():
            i = int(np.argmax(outside))
            name = self.parameters[i].name
            raise ValueError(f"parameter '{name}': {what} = {x[i]:g} lies outside of ({lo[i]:g}, {hi[i]:g})")


def _spread(groups: Groups[T], x: np.ndarray, f: Callable[[T, np.ndarray], Any]) -> np.ndarray:
    """f(member, its part of x) for every group, put back in the order of x."""
    x = np.asarray(x, dtype=float)
    if len(groups) == 1:
        return np.array(f(groups[0][1], x))
    out = np.empty(x.size)
    for columns, member in groups:
        out[columns] = f(member, x[columns])
    return out


@np.errstate(invalid="ignore")
def _total(terms: np.ndarray) -> float:
    """The sum, where -inf outweighs +inf: a point outside one prior is outside their product."""
    total = float(terms.sum())
    return total if total == total else -np.inf


def _grouped(
    values: Sequence[T], key: Callable[[T], Hashable], merge: Callable[[list[T]], T]
) -> Groups[T]:
    """The merged values of each distinct key; columns that follow one another become a slice, a view."""
    where: dict[Hashable, list[int]] = {}
    for i, value in enumerate(values):
        where.setdefault(key(value), []).append(i)
    groups = []
    for columns in where.values():
        in_a_row = columns[-1] - columns[0] == len(columns) - 1
        at = slice(columns[0], columns[-1] + 1) if in_a_row else np.array(columns)
        groups.append((at, merge([values[i] for i in columns])))
    return tuple(groups)


def _kind(value: Any) -> Hashable:
    """The class of a prior or bijector, with the kind of a prior and the scales inside."""
    inner = [getattr(value, f.name) for f in fields(value) if f.init]
    return (type(value), *(x if isinstance(x, Scale) else _kind(x) for x in inner if isinstance(x, Prior | Scale)))


def _stacked(alike: list[Any]) -> Any:
    """One dataclass of arrays from several of floats of the same kind."""
    columns = {f.name: [getattr(x, f.name) for x in alike] for f in fields(alike[0]) if f.init}
    return type(alike[0])(**{name: _column(values) for name, values in columns.items()})


def _column(values: list[Any]) -> Any:
    """One field of several dataclasses of the same kind, which have the same scales."""
    if isinstance(values[0], Prior):
        return _stacked(values)
    return values[0] if isinstance(values[0], Scale) else np.array(values, dtype=float)
