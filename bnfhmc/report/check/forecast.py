"""How long a run will take, as far as the price of a gradient tells it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from bnfhmc.cores import usable_cores
from bnfhmc.problem import Settings
from bnfhmc.report.check import words

# Gradients of one draw, from and to: a NUTS tree of depth d takes up to 2^d, and posteriors of moderate width and
# curvature ask for depths of 3 to 5.
GRADIENTS_PER_DRAW: Mapping[str, tuple[int, int]] = {"nuts": (2**3, 2**5)}


@dataclass(frozen=True, slots=True)
class Forecast:
    """seconds = draws · gradients per draw · seconds per gradient · ⌈chains/cores⌉, from and to."""

    key: ClassVar[str] = "forecast"
    method: str
    chains: int
    cores: int
    num_warmup: int
    num_samples: int
    gradients_per_draw: tuple[int, int]
    seconds_per_gradient: float
    seconds: tuple[float, float]

    def __str__(self) -> str:
        least, most = (words.duration(s) for s in self.seconds)
        time = f"between {least} and {most}" if least != most else f"about {most}"
        few, many = self.gradients_per_draw
        return (
            f"{words.many(self.chains, 'chain')} of {self.num_warmup} warm-up steps and {self.num_samples} draws on "
            f"{words.many(self.cores, 'core')}: {time}, if a draw takes {few} to {many} gradients (trees of depth "
            f"{few.bit_length() - 1} to {many.bit_length() - 1}) of {words.price(self.seconds_per_gradient)} each. "
            "A narrow or curved posterior takes deeper trees, and how many effective draws come of it only the run shows."
        )


def forecast(settings: Settings, seconds_per_gradient: float, cores: int | None = None) -> Forecast | None:
    """The run that the settings ask for; None for a method whose price nothing is known of.

    cores: None takes all that the process may use.
    """
    if settings.method not in GRADIENTS_PER_DRAW:
        return None
    cores = cores or usable_cores()
    least, most = GRADIENTS_PER_DRAW[settings.method]
    one = (settings.num_warmup + settings.num_samples) * seconds_per_gradient * math.ceil(settings.chains / cores)
    return Forecast(
        settings.method, settings.chains, cores, settings.num_warmup, settings.num_samples, (least, most),
        seconds_per_gradient, (one * least, one * most),
    )  # fmt: skip
