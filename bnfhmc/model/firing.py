"""A model some of whose events fire as integration starts, because a change of its state has just made their triggers true.

bngsim, as SBML has it, fires an event when its trigger becomes true while time runs. A copy of each event with the trigger
``time >= arm`` is added to the model, and an armed one fires a moment after the start, far below the solver's tolerance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import InputError, Mistake
from bnfhmc.model.protocol import Failure, Trajectory

if TYPE_CHECKING:
    from bnfhmc.model.network import Network

MOMENT = 1e-9  # relative to the time, or absolute below 1
NEVER = 1e300


@dataclass(slots=True)
class Firing:
    """``network``: with the copies of its events; ``events``: which of them fire at the start, counted from 0."""

    network: Network
    events: tuple[int, ...]

    def solve(
        self,
        values: Mapping[str, float],
        times: Float[np.ndarray, " time"],
        outputs: tuple[str, ...],
        columns: tuple[str, ...] = (),
        seeds: Mapping[str, Float[np.ndarray, " column"]] | None = None,
    ) -> Trajectory | Failure:
        """As `bnfhmc.model.protocol.Model.solve`; the row of the first time is that just after the events."""
        start = float(times[0])
        moment = MOMENT * max(1.0, abs(start))
        armed = {**values, **{_arm(k): start + moment for k in self.events}}
        solved = self.network.solve(armed, np.array([start, start + 2 * moment, *times[1:]]), outputs, columns, seeds)
        return solved if isinstance(solved, Failure) else Trajectory(solved.y[1:], solved.dy[1:])


def _arm(event: int) -> str:
    return f"bnfhmc_arm_{event}"


def with_arms(text: str) -> str:
    """SBML with a copy of each event that fires at a time of its own, which is never unless it is set.

    Raises InputError where the text is no SBML.
    """
    import libsbml  # loads slowly, and few models need it

    document = libsbml.readSBMLFromString(text)
    model = document.getModel()
    if model is None:
        raise InputError(Mistake("the model's events cannot be copied: it is no SBML"))
    for k in range(model.getNumEvents()):
        arm = model.createParameter()
        arm.setId(_arm(k))
        arm.setConstant(True)
        arm.setValue(NEVER)
        copy = model.getEvent(k).clone()
        copy.setId(f"bnfhmc_event_{k}")
        copy.unsetMetaId()
        copy.getTrigger().setMath(libsbml.parseL3Formula(f"time >= {_arm(k)}"))
        model.addEvent(copy)
    return str(libsbml.writeSBMLToString(document))
