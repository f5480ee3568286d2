"""The loss with its estimated scales profiled out: fewer parameters to search over. For optimizers only.

    loss(θ) = min_σ loss(θ, σ),   ∂loss/∂θ = ∂loss/∂θ at σ = σ̂ (envelope theorem)

A sampler must not use it: the maximum over σ is no integral over σ, so its draws would come from no posterior.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import FailedSolve
from bnfhmc.likelihood import Group
from bnfhmc.noise.laplace import LaplaceKernel
from bnfhmc.noise.normal import GaussianKernel
from bnfhmc.noise.profile import profile_laplace, profile_normal
from bnfhmc.posterior import Posterior


class Profiled(NamedTuple):
    """The profiled loss, ∂/∂u with zeros at the profiled scales, and the scales that are best at u."""

    loss: float
    grad: Float[np.ndarray, " d"]
    scales: Mapping[str, float]


class _Part(NamedTuple):
    """Some measurements that share a scale parameter: rows of one group of one experiment."""

    experiment: int
    group: Group
    rows: slice


class ProfiledLoss:
    """u → `Profiled`, over the scales that a closed form can profile out.

    Those are parameters that are nothing but the σ of Gaussian or the b of Laplace noise about a median, on any scale
    of the noise. ``scales`` names them; the others stay as they are. A prior on a scale is not looked at.
    """

    def __init__(self, posterior: Posterior):
        self.posterior = posterior
        self._experiments = posterior.experiments
        uses = Counter[str]()
        parts: dict[str, list[_Part]] = {}
        for i, e in enumerate(self._experiments):
            uses.update(e.uses)
            for g in e.groups:
                for _, rows, formula in g.formulas:
                    if formula.is_one_parameter and _kernel(g) is not None:
                        parts.setdefault(formula.expression.text, []).append(_Part(i, g, rows))
        alike = {n: len({_kernel(p.group) for p in of_n}) == 1 for n, of_n in parts.items()}
        self._parts = {n: of_n for n, of_n in parts.items() if uses[n] == len(of_n) and alike[n]}

    @property
    def scales(self) -> tuple[str, ...]:
        """The parameters that are profiled out."""
        return tuple(self._parts)

    def __call__(self, u: Float[np.ndarray, " d"]) -> Profiled:
        """The profiled loss at u, whatever u says about the profiled scales.

        Raises FailedSolve where the model cannot be solved.
        """
        posterior, scales = self.posterior, dict[str, float]()
        solved = posterior.solved(u)
        loss, weights = 0.0, [np.zeros(p.observed.P.size) for p in solved]
        for name, parts in self._parts.items():
            residuals = [_residual(p, solved[p.experiment]) for p in parts]
            found = _kernel(parts[0].group)(np.concatenate([r for r, _ in residuals]))
            scales[name], loss = found.scale, loss + found.loss
            ends = np.cumsum([len(r) for r, _ in residuals])[:-1]
            for p, (_, slope), d in zip(parts, residuals, np.split(found.d_residual, ends), strict=True):
                weights[p.experiment] += np.bincount(p.group.cell[p.rows], d * slope, minlength=len(weights[p.experiment]))
        if not np.isfinite(loss):
            raise FailedSolve("nonfinite", "the residuals leave no best scale")
        grad = np.zeros(posterior.dim)
        for e, p, weight in zip(self._experiments, solved, weights, strict=True):
            best = p._replace(theta={**p.theta, **scales})
            rest, rest_grad = e.loss_gradient(best, without=self._parts.keys())
            loss += rest
            grad += rest_grad + p.observed.pull(weight.reshape(p.observed.P.shape))
        grad[[posterior.names.index(n) for n in self._parts]] = 0.0
        return Profiled(loss, grad * posterior.prior.dtheta_du(u), scales)


def _kernel(group: Group) -> Any:
    """How the group's scale is profiled out, or None."""
    noise = group.noise
    if not isinstance(noise, GaussianKernel | LaplaceKernel) or (noise.location == "mean" and noise.scale.ln_base):
        return None
    return profile_normal if isinstance(noise, GaussianKernel) else profile_laplace


def _residual(part: _Part, prediction: Any) -> tuple[np.ndarray, np.ndarray]:
    """r = f(pred) − f(obs) and ∂r/∂pred, on the scale f the noise is additive on."""
    g, rows = part.group, part.rows
    pred, scale = prediction.observed.P.ravel()[g.cell[rows]], g.noise.scale  # type: ignore[attr-defined]
    return scale.forward(pred) - scale.forward(g.observed[rows]), scale.slope(pred)

