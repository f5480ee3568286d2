"""The YAML file of a PEtab problem → which files it is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import yaml

from bnfhmc.errors import nearest
from bnfhmc.read.lines import is_file, read_text
from bnfhmc.read.mistakes import Mistakes

TABLES = ("measurement_files", "condition_files", "experiment_files", "observable_files", "mapping_files")
_V2 = ("format_version", "id", "parameter_files", "model_files", *TABLES, "extensions")
_V1 = ("format_version", "parameter_file", "problems", "extensions")
_V1_PROBLEM = ("sbml_files", "measurement_files", "condition_files", "observable_files", "mapping_files", "visualization_files")

# a model's language → the suffixes of its files
LANGUAGES: Mapping[str, tuple[str, ...]] = {"sbml": (".xml", ".sbml"), "bngl": (".bngl", ".net")}


class File(NamedTuple):
    """A file, and the line of the YAML file that names it."""

    path: Path
    line: int


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model's file and the language it is written in."""

    name: str
    language: str
    file: File


@dataclass(frozen=True, slots=True)
class Part:
    """A set of tables and the models they speak of; version 1 may have several, which share parameters alone."""

    models: tuple[ModelFile, ...]
    tables: Mapping[str, tuple[File, ...]]


@dataclass(frozen=True, slots=True)
class Config:
    """What a YAML file says: the format's major version, the parameter tables, and the parts."""

    path: Path
    version: int
    parameters: tuple[File, ...]
    parts: tuple[Part, ...]


def read_config(path: Path, mistakes: Mistakes) -> Config | None:
    """Read the YAML file of a PEtab problem; None, and mistakes, where it names no readable problem."""
    text = read_text(path, mistakes)
    root = None if text is None else _compose(text, mistakes)
    if root is None:
        return None
    reader = _Reader(path, mistakes)
    top = reader.mapping(root, "the file")
    if top is None:
        return None
    version = _version(top, reader)
    if version is None:
        return None
    before = len(mistakes.found)
    _refuse_extensions(top, version, reader)
    config = _version_1(top, reader) if version == 1 else _version_2(top, reader)
    return config if len(mistakes.found) == before else None


def _compose(text: str, mistakes: Mistakes) -> yaml.Node | None:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        said = getattr(error, "problem", None) or getattr(error, "reason", None) or "it is nested too deep"
        mistakes.add(None if mark is None else mark.line + 1, f"no YAML: {said}", "check the indentation and quotes")
        return None
    if root is None:
        mistakes.add(None, "the file says nothing", "it holds lines such as 'format_version: 2.0.0'")
    return root


class _Reader:
    """Nodes of a YAML document, each known with its line, as mappings, lists and texts."""

    def __init__(self, path: Path, mistakes: Mistakes):
        self.path, self.mistakes = path, mistakes

    def mapping(self, node: yaml.Node, what: str) -> dict[str, yaml.Node] | None:
        """The entries of a mapping; a key that is given twice is a mistake."""
        if not isinstance(node, yaml.MappingNode):
            self.mistakes.add(_line(node), f"{what} is no mapping of keys to values", "type 'key: value' lines")
            return None
        out: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if name in out:
                self.mistakes.add(_line(key), f"'{name}' is given twice", f"the first is in line {_line(out[name])}; keep one")
            out.setdefault(name, value)
        return out

    def text(self, node: yaml.Node, what: str) -> str | None:
        """The text of a scalar that is not empty."""
        if isinstance(node, yaml.ScalarNode) and not _is_null(node) and node.value.strip():
            return str(node.value).strip()
        self.mistakes.add(_line(node), f"{what} is no text")
        return None

    def file(self, node: yaml.Node, what: str) -> File | None:
        """A file that is there, relative to the YAML file's folder."""
        text = self.text(node, f"{what}: a file's name")
        if text is None:
            return None
        if "://" in text:
            self.mistakes.add(_line(node), f"'{text}' is a web address, and nothing is fetched",
                              "save the file beside this one and name it")  # fmt: skip
            return None
        path = self.path.parent / text
        return File(path, _line(node)) if is_file(path, self.mistakes, _line(node)) else None

    def files(self, entries: Mapping[str, yaml.Node], key: str, required: bool, line: int = 1) -> tuple[File, ...]:
        """The files that a list, or a single text, names."""
        node = entries.get(key)
        if node is None or _is_null(node):
            if required:
                self.mistakes.add(line, f"'{key}' is missing", f"type '{key}: [<file>.tsv]'")
            return ()
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if required and not nodes:
            self.mistakes.add(_line(node), f"'{key}' names no file", f"type '{key}: [<file>.tsv]'")
        return tuple(f for n in nodes if (f := self.file(n, key)) is not None)

    def refuse_unknown(self, entries: Mapping[str, yaml.Node], known: tuple[str, ...], strict: bool) -> None:
        """Keys that are not in the format, or (unless `strict`) nearly bear the name of one that is."""
        for key, node in entries.items():
            close = nearest(key, known)
            if key not in known and (strict or close):
                self.mistakes.add(_line(node), f"unknown key '{key}'", close or f"the keys are {', '.join(known)}")


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value in ("", "null", "~")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _version(top: Mapping[str, yaml.Node], reader: _Reader) -> int | None:
    node = top.get("format_version")
    if node is None:
        said = "'format_version' is missing, so this is no PEtab problem"
        reader.mistakes.add(1, said, nearest("format_version", list(top)) or "type 'format_version: 2.0.0'")
        return None
    text = reader.text(node, "'format_version'")
    if text is None:
        return None
    major = text.split(".")[0]
    if major not in ("1", "2"):
        reader.mistakes.add(_line(node), f"PEtab version {text} is not known here", "versions 1 and 2 are")
        return None
    return int(major)


def _refuse_extensions(top: Mapping[str, yaml.Node], version: int, reader: _Reader) -> None:
    """An extension changes what a problem means, unless it says that it does not."""
    node = top.get("extensions")
    if node is None or _is_null(node):
        return
    for name, said in (reader.mapping(node, "'extensions'") or {}).items():
        inner = reader.mapping(said, f"extension '{name}'") or {}
        required = inner.get("required")
        optional = version == 2 and isinstance(required, yaml.ScalarNode) and required.value.lower() == "false"
        if not optional:
            reader.mistakes.add(_line(said), f"the extension '{name}' is not supported", "write the problem without it")


def _version_1(top: Mapping[str, yaml.Node], reader: _Reader) -> Config | None:
    reader.refuse_unknown(top, _V1, strict=False)
    parameters = reader.files(top, "parameter_file", True)
    problems = top.get("problems")
    if not isinstance(problems, yaml.SequenceNode) or not problems.value:
        reader.mistakes.add(1 if problems is None else _line(problems), "'problems' lists no problem",
                            "list at least one, with sbml_files, measurement_files, …")  # fmt: skip
        return None
    name = _unique_names()
    parts = [_part_1(node, reader, name) for node in problems.value]
    return Config(reader.path, 1, parameters, tuple(p for p in parts if p is not None))


def _part_1(node: yaml.Node, reader: _Reader, name: Callable[[str], str]) -> Part | None:
    entries = reader.mapping(node, "a problem")
    if entries is None:
        return None
    reader.refuse_unknown(entries, _V1_PROBLEM, strict=False)
    line = _line(node)
    models = reader.files(entries, "sbml_files", True, line)
    if len(models) > 1:
        reader.mistakes.add(models[1].line, "a problem has more than one model", "list each model as a problem of its own")
    required = ("measurement_files", "condition_files", "observable_files")
    tables = {key: reader.files(entries, key, key in required, line) for key in (*required, "mapping_files")}
    return Part(tuple(ModelFile(name(f.path.stem), "sbml", f) for f in models[:1]), tables)


def _version_2(top: Mapping[str, yaml.Node], reader: _Reader) -> Config | None:
    reader.refuse_unknown(top, _V2, strict=True)
    parameters = reader.files(top, "parameter_files", True)
    required = ("measurement_files", "observable_files")
    tables = {key: reader.files(top, key, key in required) for key in TABLES}
    node = top.get("model_files")
    entries = {} if node is None else reader.mapping(node, "'model_files'") or {}
    if node is None:
        hint = "type 'model_files: {<id>: {location: <file>.xml, language: sbml}}'"
        reader.mistakes.add(1, "'model_files' is missing", hint)
    elif not entries:
        reader.mistakes.add(_line(node), "'model_files' names no model")
    models = [_model(name, said, reader) for name, said in entries.items()]
    return Config(reader.path, 2, parameters, (Part(tuple(m for m in models if m is not None), tables),))


def _model(name: str, node: yaml.Node, reader: _Reader) -> ModelFile | None:
    entries = reader.mapping(node, f"model '{name}'")
    if entries is None:
        return None
    for key in ("location", "language"):
        if key not in entries:
            reader.mistakes.add(_line(node), f"model '{name}' has no {key}", nearest(key, list(entries)))
    if not {"location", "language"} <= entries.keys():
        return None
    language = reader.text(entries["language"], "'language'")
    if language is not None and language not in LANGUAGES:
        reader.mistakes.add(_line(entries["language"]), f"models in '{language}' are not supported", "export it as SBML")
        return None
    file = reader.file(entries["location"], "'location'")
    if file is None or language is None:
        return None
    if file.path.suffix.lower() not in LANGUAGES[language]:
        reader.mistakes.add(file.line, f"'{file.path.name}' does not end as a model in {language} does",
                            f"such files end in {' or '.join(LANGUAGES[language])}")  # fmt: skip
        return None
    return ModelFile(name, language, file)


def _unique_names() -> Callable[[str], str]:
    """Names that differ: the second 'a' is 'a#2'."""
    count: dict[str, int] = {}

    def name(stem: str) -> str:
        count[stem] = count.get(stem, 0) + 1
        return stem if count[stem] == 1 else f"{stem}#{count[stem]}"

    return name
