"""How exactly a model is solved, and when a solve is given up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

# What a single point may cost before it counts as failed, in seconds; the solver looks at the clock after so many steps.
MAX_STEPS = 10_000
TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How exactly a run is integrated, and the seconds after which it is given up, looked at after every `max_steps` steps.

    ``error_control``: whether sensitivities take part in the choice of steps; bngsim's own run knows no other way.
    """

    rtol: float
    atol: float
    max_steps: int
    timeout_s: float
    error_control: bool = True


@dataclass(frozen=True, slots=True)
class Tolerances:
    """Relative and absolute tolerance of the integrator (the sensitivities are held to the same ones).

    ``gradient_rtol``, ``gradient_atol``: those of solves with sensitivities, where they are others; ``error_control``:
    whether sensitivities take part in the choice of steps; ``method``: their equations are solved after those of the state
    (staggered) or along with them (simultaneous).
    """

    rtol: float = 1e-8
    atol: float = 1e-8
    gradient_rtol: float | None = None
    gradient_atol: float | None = None
    error_control: bool = True
    method: Literal["staggered", "simultaneous"] = "simultaneous"

    def loosened(self, rtol: float) -> Tolerances:
        """Looser by the factor that brings the relative tolerance to `rtol`, with and without sensitivities; never tighter."""
        factor = max(1.0, rtol / self.rtol)
        return replace(self, rtol=factor * self.rtol, atol=factor * self.atol, gradient_rtol=None, gradient_atol=None)

    def limits(self, gradient: bool, timeout_s: float) -> Limits:
        """What a solve is held to."""
        rtol = self.gradient_rtol if gradient and self.gradient_rtol else self.rtol
        atol = self.gradient_atol if gradient and self.gradient_atol else self.atol
        return Limits(rtol, atol, MAX_STEPS, timeout_s, self.error_control or not gradient)
