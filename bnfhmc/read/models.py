"""Model files: the lines that name them, what is read of a .bngl file, and loading."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bnfhmc.errors import nearest
from bnfhmc.read.bngl_actions import BnglFile, scan_bngl
from bnfhmc.read.keys import RECORDS
from bnfhmc.read.lines import Statement, fields, finite, is_file, read_text, split, unquoted
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.record import Conf

MOVING = ("auto", "tracking")  # PyBNF's words for tolerances that follow the state
TOLERANCES = ("rtol", "atol", "gradient_rtol", "gradient_atol")
# field of a model's line → word → value
WORDS: dict[str, dict[str, bool | str]] = {
    "sensitivity_error_control": {"on": True, "off": False},
    "sensitivity_method": {"staggered": "staggered", "simultaneous": "simultaneous"},
}
SUFFIXES = (".bngl", ".net", ".xml", ".sbml", ".ant")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file that a configuration names.

    ``data``: edition 1's data files, as written on the model's line; ``bngl``: what a .bngl file says besides its
    model; ``there``: whether it can be opened; ``gradient``: what is said of the solves with sensitivities, as arguments
    of `bnfhmc.model.load_model`.
    """

    name: str
    path: Path
    line: int
    rtol: float | None = None
    atol: float | None = None
    data: tuple[str, ...] = ()
    bngl: BnglFile | None = None
    there: bool = True
    gradient: Mapping[str, float | bool | str] = field(default_factory=dict)


def read_models(conf: Conf, mistakes: Mistakes) -> dict[str, ModelFile]:
    """The model files by name, which is the stem of the file's name."""
    out: dict[str, ModelFile] = {}
    for s in conf.statements:
        if s.key != "model":
            continue
        for m in _declared(conf, s, mistakes) if s.form == ":" else _with_data(conf, s, mistakes):
            if m.path.suffix.lower() not in SUFFIXES:
                target = m.path.suffix.lower() == ".target"
                hint = "type 'objective = <target>, …' and no model" if target else f"model files end in {', '.join(SUFFIXES)}"
                mistakes.add(s.line, f"'{m.path.name}' is no model file", hint)
            elif m.name in out:
                mistakes.add(s.line, f"two models are named '{m.name}', the first on line {out[m.name].line}",
                             "name each model once, each with its own file name")  # fmt: skip
            else:
                out[m.name] = m
    if not any(s.key == "model" for s in conf.statements):
        new = conf.edition > 1
        mistakes.add(None, "no model is given", f"type 'model: <file>.bngl'{'' if new else ' and edition = 2'}")
    return out


def _declared(conf: Conf, s: Statement, mistakes: Mistakes) -> list[ModelFile]:
    """``model: file[, file]`` or ``model: file, rtol: number, atol: number``."""
    said = fields(s, RECORDS["model"], mistakes)
    if not said.head:
        mistakes.add(s.line, "'model:' names no file", "type 'model: <file>.bngl'")
    tolerances = {n: _tolerance(s, n, said.text(n), mistakes) for n in TOLERANCES if n in said.named}
    words = {n: _word(s, n, said.text(n), mistakes) for n in WORDS if n in said.named}
    if len(said.head) > 1 and (tolerances or words):
        mistakes.add(s.line, f"tolerances for {len(said.head)} models at once", "give each model its own 'model:' line")
    own = {n: tolerances.pop(n, None) for n in ("rtol", "atol")}
    gradient = {n: value for n, value in (tolerances | words).items() if value is not None}
    files = [(text, conf.file(text)) for text in said.head]
    return [ModelFile(p.stem, p, s.line, own["rtol"], own["atol"], gradient=gradient) for _, p in files]


def _word(s: Statement, name: str, text: str | None, mistakes: Mistakes) -> bool | str | None:
    known = WORDS[name]
    if (value := known.get((text or "").lower())) is None:
        mistakes.add(s.line, f"'{name}: {text}' is not known", f"type {' or '.join(f'{name}: {word}' for word in known)}")
    return value


def _tolerance(s: Statement, name: str, text: str | None, mistakes: Mistakes) -> float | None:
    value = finite(text or "")
    if (text or "").split(" ")[0].lower() in MOVING:
        mistakes.add(s.line, f"'{name}: {text}' would change with the state; here a tolerance is one number a model",
                     f"type {name}: 1e-8")  # fmt: skip
    elif value is None or not 0 < value < (1 if name.endswith("rtol") else float("inf")):
        mistakes.add(s.line, f"'{name}: {text}' is no tolerance", f"type a small positive number, such as {name}: 1e-8")
    else:
        return value
    return None


def _with_data(conf: Conf, s: Statement, mistakes: Mistakes) -> list[ModelFile]:
    """Edition 1's ``model = file : data, data`` or ``model = file : none``."""
    file, *rest = _halves(s.value)
    if not rest:
        mistakes.add(
            s.line, f"'model = {s.value}' names no data", f"type 'model = {s.value} : <data>.exp', or ': none'"
        )
        return []
    path = conf.file(file)
    names = split(rest[0], ",")
    if "" in names:
        mistakes.add(s.line, "a data file has no name", "delete the comma or complete it")
    return [ModelFile(path.stem, path, s.line, data=tuple(n for n in names if n and n.lower() != "none"))]


def _halves(text: str) -> tuple[str, ...]:
    """The parts before and after the colon; a drive letter's colon (C:\\) is none."""
    first, *rest = split(text, ":")
    if rest and len(first) == 1 and rest[0][:1] in ("\\", "/"):
        first, rest = f"{first}:{rest[0]}", rest[1:]
    return (first, ":".join(rest)) if rest else (first,)


def named_model(
    text: str | None, known: Mapping[str, ModelFile], line: int, whose: str, mistakes: Mistakes
) -> str | None:
    """The model that ``model: <file>`` names, or the only one; None, and a mistake, where there is none."""
    if text is None and len(known) == 1:
        return next(iter(known))
    if text is None:
        if known:
            mistakes.add(line, f"{whose} does not say which of {len(known)} models it is for", "add 'model: <file>'")
        return None
    name = Path(unquoted(text)).name
    found = next((n for n in (name, Path(name).stem) if n in known), None)
    if found is None:
        mistakes.add(line, f"{whose} names the model '{text}', which is not declared", nearest(Path(name).stem, known))
    return found


def scan_models(models: Mapping[str, ModelFile], edition: int, declared: Collection[str], mistakes: Mistakes
                ) -> dict[str, ModelFile]:  # fmt: skip
    """The same models, with their .bngl files scanned and those that cannot be opened marked.

    An undeclared ``x__FREE`` is a mistake: edition 1 means every one to be fitted, edition 2 only those without a
    value.
    """
    out = {}
    for m in models.values():
        if m.path.suffix.lower() != ".bngl":
            out[m.name] = replace(m, there=is_file(m.path, mistakes, m.line))
            continue
        text = read_text(m.path, mistakes, m.line)
        bngl = None if text is None else scan_bngl(text)
        out[m.name] = replace(m, bngl=bngl, there=bngl is not None)
        if bngl is None:
            continue
        for name, line in bngl.free.items():
            if name not in declared and (edition == 1 or name not in bngl.defined):
                what = f"'{name}' is to be fitted, and the configuration does not declare it"
                mistakes.at(m.path).add(line, what, f"add a parameter '{name}' to it")
    return out
