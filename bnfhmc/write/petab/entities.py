"""What PEtab may call by name in a model, by the model's language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from petab.v1.models.sbml_model import SbmlModel

from bnfhmc.errors import InputError, Mistake
from bnfhmc.model.bngl import definitions, without_comments
from bnfhmc.model.protocol import Model
from bnfhmc.problem import Problem
from bnfhmc.write.findings import Findings
from bnfhmc.write.models import ModelCopy, path_of

_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entities:
    """One model as PEtab sees it.

    ``language``: sbml or bngl; ``ids``: everything in it that has an id; ``parameters``: what the parameter table may hold;
    ``settable``: what a condition may set.
    """

    copy: ModelCopy
    language: str
    ids: frozenset[str]
    parameters: frozenset[str]
    settable: frozenset[str]


def entities_of(problem: Problem, copies: Mapping[str, ModelCopy], findings: Findings) -> dict[str, Entities]:
    """By name, what PEtab may call in each model; a model in a language that it has not is refused."""
    out = {}
    for key, copy in copies.items():
        model = problem.models[key]
        path = path_of(model)
        name = copy.file if path is None else path.name
        if copy.file.endswith(".bngl"):
            out[key] = _bngl(model, copy)
        elif copy.file.endswith(".xml") and path is not None:
            out[key] = _sbml(copy, SbmlModel.from_file(path))
        elif copy.file.endswith(".ant") and path is not None:
            findings.note(f"{name} is written as SBML by antimony")
            text = _from_antimony(path)
            written = replace(copy, file=f"{copy.name}.xml", content=text.encode())
            out[key] = _sbml(written, SbmlModel.from_string(text))
        else:
            findings.refuse(f"the model {name} is a network file, which PEtab has no language for",
                            "give the .bngl file that it was generated from, or the model as SBML")  # fmt: skip
    return out


def _bngl(model: Model, copy: ModelCopy) -> Entities:
    words = frozenset(_WORD.findall(without_comments(copy.text)))
    parameters = frozenset(definitions(copy.text))
    return Entities(copy, "bngl", words, parameters, parameters | model.amounts)


def _sbml(copy: ModelCopy, sbml: SbmlModel) -> Entities:
    elements = sbml.sbml_model.getListOfAllElements()
    ids = frozenset(element.getIdAttribute() for element in elements) - {""}
    parameters = frozenset(sbml.get_valid_parameters_for_parameter_table())
    return Entities(copy, "sbml", ids, parameters, frozenset(sbml.get_valid_ids_for_condition_table()))


def _from_antimony(path: Path) -> str:
    import antimony

    antimony.clearPreviousLoads()
    if antimony.loadAntimonyFile(str(path)) < 0:
        raise InputError(Mistake(f"antimony cannot write it as SBML: {antimony.getLastError()}", "", path))
    try:
        return str(antimony.getSBMLString(antimony.getMainModuleName()))
    finally:
        antimony.clearPreviousLoads()
