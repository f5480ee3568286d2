"""The model files that go beside the tables or the configuration: copies that need nothing of where they came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bnfhmc.model.bngl import for_network, undefined_free_names, with_parameters
from bnfhmc.model.protocol import Model
from bnfhmc.problem import Problem
from bnfhmc.read.bngl_actions import scan_bngl
from bnfhmc.write.findings import Findings
from bnfhmc.write.names import Names

SBML = (".xml", ".sbml")


@dataclass(frozen=True, slots=True)
class ModelCopy:
    """``name``: of the model in the new problem; ``file``: its file's name there; ``content``: what the file holds."""

    name: str
    file: str
    content: bytes

    @property
    def text(self) -> str:
        """The content as a text."""
        return self.content.decode("utf-8-sig")


def model_copies(
    problem: Problem, values: Mapping[str, float], network_options: str | None, findings: Findings
) -> dict[str, ModelCopy]:
    """By name, a copy of each model's file; what cannot be copied is refused.

    `values`: of the parameters, for those that a .bngl uses without defining them; `network_options`: what its
    configuration says of generating networks.
    """
    names, out = Names(set()), dict[str, ModelCopy]()
    for key, model in problem.models.items():
        path = path_of(model)
        if path is None:
            findings.refuse(f"model '{key}' is in no file")
            continue
        name, content = names.new(key), path.read_bytes()
        suffix = path.suffix.lower()
        if suffix == ".bngl":
            content = _bngl(content.decode("utf-8-sig"), path, values, network_options, findings).encode()
        out[key] = ModelCopy(name, name + (".xml" if suffix in SBML else suffix), content)
    return out


def path_of(model: Model) -> Path | None:
    """The file a model was read from."""
    return getattr(model, "path", None)


def _bngl(text: str, path: Path, values: Mapping[str, float], options: str | None, findings: Findings) -> str:
    """A .bngl text that defines all it uses, and does nothing but say what the model is."""
    added = sorted(undefined_free_names(text) & values.keys())
    if added:
        findings.note(f"{path.name} uses {', '.join(added)} without a value; the copy of it defines them")
        text = with_parameters(text, {n: values[n] for n in added})
    found = scan_bngl(text)
    if options is not None or found.simulations or found.changes:
        findings.note(f"the actions of {path.name} are left out of its copy; what they simulate is said by experiments")
        return for_network(text, options)
    return text
