"""``parameter:`` lines: a family on a scale, its fields in u, bounds and initial value in θ."""

from __future__ import annotations

from dataclasses import fields

from bnfhmc.prior import Parameter, Uniform
from bnfhmc.write.findings import Findings
from bnfhmc.write.priors import density_of
from bnfhmc.write.words import PRIOR_WORDS


def parameter_line(p: Parameter, findings: Findings) -> str:
    """The line of one parameter; its prior is the same density of θ, on the scale that the density is given on."""
    density = density_of(p)
    said = [f"parameter: {p.name}"]
    if density.scale != p.scale:
        findings.note(f"parameter '{p.name}' is on the {density.scale.name} scale in the place of {p.scale.name}, since its "
                      "prior is given there: the same density of θ")  # fmt: skip
    if isinstance(density.prior, Uniform):
        said += [f"parameter_scale: {density.scale.name}", f"lower: {density.lower!r}", f"upper: {density.upper!r}"]
    else:
        said += [f"prior: {PRIOR_WORDS[type(density.prior)]}", f"parameter_scale: {density.scale.name}"]
        names = [f.name for f in fields(density.prior) if f.init]  # type: ignore[arg-type]
        said += [f"{name}: {value!r}" for name, value in zip(names, density.numbers, strict=True)]
        if density.cut:
            said += [f"lower: {density.lower!r}", f"upper: {density.upper!r}"]
    if p.initial is not None:
        said.append(f"initial_value: {p.initial!r}")
    said += [f"{word}: {text}" for word, text in (("unit", p.unit), ("description", p.description)) if _writable(text)]
    if p.start is not None:
        findings.note(f"parameter '{p.name}': a prior for starts alone has no word in a configuration; starts are drawn from "
                      "the prior itself")  # fmt: skip
    return ", ".join(said)


def _writable(text: str) -> bool:
    """Whether a text is read again as it is: without an end of line, a comment or the name of a field."""
    return bool(text) and text.isprintable() and not any(c in text for c in "#:") and ", ".join(
        part.strip() for part in text.split(",") if part.strip()) == text  # fmt: skip
