"""The models of a part, opened, and what a name of a table means in each of them."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from bnfhmc.errors import InputError, MissingTool
from bnfhmc.expression import Name, Node, Num
from bnfhmc.model.protocol import Model
from bnfhmc.problem import Settings
from bnfhmc.read.loading import Loader
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.petab.config import ModelFile
from bnfhmc.read.petab.records import ParameterRecord, Records
from bnfhmc.read.petab.sbml import SbmlFacts, read_sbml

SMALLEST = 1e-8  # of a start, what an absolute tolerance may be


@dataclass(frozen=True, slots=True)
class OpenModel:
    """A model with the names that tables have for it.

    ``mapping``: the model's own name of an entity, by the tables' name; ``sbml``: what its file says, where it is SBML.
    """

    model: Model
    parameters: Mapping[str, ParameterRecord]
    mapping: Mapping[str, str] = field(default_factory=dict)
    sbml: SbmlFacts | None = None

    def own(self, name: str) -> str:
        """The model's own name of what a table calls `name`."""
        return self.mapping.get(name, name)

    def node(self, name: str) -> Node | None:
        """What a name in a formula is: a parameter of the table, or something of the model; None where it is neither."""
        if name in self.parameters:
            record = self.parameters[name]
            return Name(name) if record.estimate else Num(float(record.nominal or 0.0))
        own = self.own(name)
        if own in self.model.outputs or own in self.model.quantities:
            return Name(own)
        size = self.sbml.compartments.get(own, math.nan) if self.sbml is not None else math.nan
        return Num(size) if math.isfinite(size) else None

    @property
    def bound(self) -> dict[str, Node]:
        """What every condition sets: fixed parameters, and free ones that the model has under another name."""
        out: dict[str, Node] = {}
        for name, record in self.parameters.items():
            own, node = self.own(name), self.node(name)
            if own in self.model.quantities and node is not None and not (record.estimate and own == name):
                out[own] = node
        return out

    def unit(self, name: str) -> str:
        """The unit that the model's file gives to what a table calls `name`; empty where it gives none."""
        return "" if self.sbml is None else self.sbml.units.get(self.own(name), "")

    def kind(self, name: str) -> str:
        """What a name of a table names in the model, in words; empty where it names nothing."""
        own = self.own(name)
        if self.sbml is not None and own in self.sbml.kinds:
            return self.sbml.kinds[own]
        if own in self.model.quantities:
            return "a quantity of the model"
        return "an output of the model" if own in self.model.outputs else ""

    @property
    def compartments(self) -> Collection[str]:
        """The names of compartments."""
        return self.sbml.compartments if self.sbml is not None else ()

    def said(self, name: str) -> str:
        """A name of a table in quotes, with what it stands for."""
        return f"'{name}' ({self.mapping[name]})" if name in self.mapping else f"'{name}'"

    def known(self) -> list[str]:
        """Every name that a table may use for this model."""
        mapped = [n for n in self.mapping if self.node(n) is not None]
        return [*self.parameters, *mapped, *self.model.outputs, *self.model.quantities]


def open_models(
    records: Records, parameters: Mapping[str, ParameterRecord], settings: Settings, loader: Loader, mistakes: Mistakes
) -> dict[str, OpenModel]:
    """The models that measurements are of, by name; those that cannot be opened are left out, and mistakes."""
    used = {m.model for m in records.measurements}
    out = {}
    for file in records.models:
        opened = _open(file, records, parameters, settings, loader, mistakes) if file.name in used or not used else None
        if opened is not None:
            out[file.name] = opened
    return out


def _atol(model: Model, most: float) -> float:
    """An absolute tolerance that the model's smallest positive start stands well above."""
    starts = [x for a in model.amounts if (x := model.quantities[a]) > 0]
    return min(most, max(1e-300, SMALLEST * min(starts, default=1.0)))


def _open(
    file: ModelFile, records: Records, parameters: Mapping[str, ParameterRecord], settings: Settings, loader: Loader,
    mistakes: Mistakes,
) -> OpenModel | None:  # fmt: skip
    sbml = read_sbml(file.file.path, mistakes, file.file.line) if file.language == "sbml" else None
    if file.language == "sbml" and sbml is None:
        return None
    free = {name: 1.0 if r.nominal is None else r.nominal for name, r in parameters.items()}
    read = {n for o in records.observables.values() for n in o.formula.names | o.noise.names}
    names = {*parameters, *records.targets, *read}

    def load(atol: float) -> Model:
        return loader(file.file.path, name=file.name, free=free, settable={records.mapping.get(n, n) for n in names},
                      generate_network=None, rtol=settings.rtol, atol=atol)  # fmt: skip

    try:
        model = load(settings.atol)
        if (atol := _atol(model, settings.atol)) < settings.atol:
            model = load(atol)
    except InputError as error:
        mistakes.include(error, file.file.line)
        return None
    except MissingTool as error:
        if not mistakes.found:
            raise
        mistakes.add(file.file.line, str(error))
        return None
    return OpenModel(model, parameters, records.mapping, sbml)
