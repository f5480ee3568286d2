"""What of an experiment no point of the posterior could be blamed for."""

from __future__ import annotations

import numpy as np

from bnfhmc.errors import InputError, Mistake, nearest
from bnfhmc.model.protocol import Model
from bnfhmc.noise import Constant, Formula
from bnfhmc.problem import Experiment, Series


def refuse_wrong(experiment: Experiment, model: Model, names: tuple[str, ...]) -> None:
    """Raise InputError for series and constraints that have no meaning, all of them at once."""
    wrong = [m for s in experiment.series for m in _wrong_series(s)]
    for c in experiment.constraints:
        whose = f"experiment '{experiment.name}': constraint '{c.text}'"
        wrong += [Mistake(f"{whose} reads '{n}', which is no output of model '{model.name}'",
                          nearest(n, model.outputs), c.path, c.line) for n in c.outputs if n not in model.outputs]  # fmt: skip
        scale = c.scale.expression.names if c.scale is not None else frozenset()
        wrong += [Mistake(f"{whose}: its scale '{n}' is no free parameter", nearest(n, names), c.path, c.line)
                  for n in sorted(scale - set(names))]  # fmt: skip
        if why := c.unmet(experiment.rows):  # it would hold by default
            wrong.append(Mistake(f"{whose}: {why}", "", c.path, c.line))
    if wrong:
        raise InputError(wrong)


def _wrong_series(s: Series) -> list[Mistake]:
    family, noise = type(s.noise).__name__, s.noise
    wrong = [Mistake(f"'{s.name}': {family} has no noise parameter '{n}'", nearest(n, noise.parameters))
             for n in s.sources if n not in noise.parameters]  # fmt: skip
    wrong += [Mistake(f"'{s.name}': the noise parameter '{n}' of {family} is not given")
              for n in noise.parameters if n not in s.sources and n not in noise.defaults]  # fmt: skip
    if isinstance(s.sources.get("trials"), Formula):
        wrong.append(Mistake(f"'{s.name}': trials are counted, not estimated", "give a number, or a column of the data"))
    wrong += [Mistake(f"'{s.name}': the noise parameter '{n}' of {family} has to be positive")
              for n, source in s.sources.items()
              if isinstance(source, Constant) and not np.all(np.isfinite(source.values) & (np.asarray(source.values) > 0))]
    known = {n: source.values for n, source in s.sources.items() if isinstance(source, Constant)}
    if said := noise.rejects(s.observed, known):
        wrong.append(Mistake(f"'{s.name}': {said}"))
    return wrong
