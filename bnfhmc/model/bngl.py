"""BNGL text made ready for BNG2.pl: the model and nothing else, with what a configuration adds to it.

BNG2.pl runs every action it reads as Perl, so no text of a stranger's actions may reach it: only the blocks of the model
pass, and a generate_network written anew from options that are numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_BLOCK = re.compile(r"^[ \t]*begin[ \t]+parameters\b.*$", re.MULTILINE)
_MODEL = re.compile(r"^[ \t]*begin[ \t]+model\b.*$", re.MULTILINE)
_WORD = re.compile(r"[A-Za-z_]\w*")
_PARAMETER = re.compile(
    r"^[ \t]*(?:\d+[ \t]+|\w+:[ \t]*)?(?P<name>[A-Za-z_]\w*)(?:[ \t]*=[ \t]*|[ \t]+)"
    r"(?P<value>[^#\s=][^#\r\n]*?)[ \t\r]*(?=#|$)",
    re.MULTILINE,
)
BLOCKS = ("model", "parameters", "molecule types", "seed species", "species", "observables", "functions",
          "reaction rules", "compartments", "energy patterns", "population maps", "population types")  # fmt: skip
_EDGE = re.compile(r"[ \t]*(?P<word>begin|end)[ \t]+(?P<name>[a-z]+(?:[ \t]+[a-z]+)?)[ \t]*(?:#.*)?")
_LIKE_EDGE = re.compile(r"\W*(?:begin|end)\b(?!\s*[(:=])", re.IGNORECASE)
_CONTINUED = re.compile(r"\\[ \t]*\r?\n")
_DIRECTIVE = re.compile(
    r'\s*(?:setOption|version|substanceUnits)\s*\(\s*"[\w.+-]*"(?:\s*,\s*"?[\w.+-]*"?)?\s*\)\s*;?\s*(?:#.*)?$'
)

_COUNT = r"\s*\w+\s*=>\s*\d+\s*"
_OPTION = re.compile(
    rf"\s*(?:(?P<key>max_iter|max_agg|check_iso)\s*=>\s*\d+|overwrite\s*=>\s*1|max_stoich\s*=>\s*\{{{_COUNT}(?:,{_COUNT})*\}})\s*"
)
_FILE_ONLY = re.compile(r"""\s*(?:(?:prefix|suffix)\s*=>\s*(?:"[^"]*"|'[^']*')|(?:overwrite|TextReaction|TextSpecies|verbose|"""
                        r"""print_iter)\s*=>\s*\d+)\s*""")  # fmt: skip
_GENERATE = re.compile(r"^[ \t]*generate_network\s*\(\s*\{?(?P<options>.*?)\}?\s*\)\s*;?\s*(?:#.*)?$", re.MULTILINE)


def without_comments(text: str) -> str:
    """The text with everything from each ``#`` to the end of its line removed."""
    return re.sub(r"#.*", "", text)


def undefined_free_names(text: str) -> set[str]:
    """Names ending in ``__FREE`` that the text uses and its parameters block does not define."""
    body = without_comments(text)
    used = {w for w in _WORD.findall(body) if w.endswith("__FREE")}
    return used - definitions(body).keys()


def with_parameters(text: str, values: Mapping[str, float]) -> str:
    """The text with `values` added at the head of its parameters block (made when there is none)."""
    if not values:
        return text
    lines = "".join(f"\n  {name} {float(value)!r}" for name, value in values.items())
    if block := _BLOCK.search(text):
        at = block.end() - block.group().endswith("\r")
        return text[:at] + lines + text[at:]
    at = match.end() if (match := _MODEL.search(text)) else 0
    return f"{text[:at]}\nbegin parameters{lines}\nend parameters\n{text[at:]}"


def definitions(text: str) -> dict[str, str]:
    """What the parameters block of a .bngl or .net text defines: name → the expression it is given."""
    return {m.group("name"): m.group("value") for m in _parameter_lines(text)}


def with_numbers(text: str, values: Mapping[str, float]) -> str:
    """The text with some parameters defined as numbers instead of by expressions."""
    for m in reversed([m for m in _parameter_lines(text) if m.group("name") in values]):
        text = text[: m.start("value")] + repr(float(values[m.group("name")])) + text[m.end("value") :]
    return text


def for_network(text: str, options: str | None = None) -> str:
    """The model blocks of the text, and one ``generate_network`` with `options` or, without any, with the text's own.

    Raises ValueError where the options are more than ``max_iter``, ``max_agg``, ``max_stoich`` and ``check_iso`` by numbers.
    """
    own = [m.group("options") for m in _GENERATE.finditer(text)]
    chosen = _options(options) if options is not None else _options(own[-1], _FILE_ONLY) if own else []
    actions = ", ".join(["overwrite=>1", *(o for o in chosen if not o.startswith("overwrite"))])
    return "\n".join(_model_lines(text)) + f"\n\ngenerate_network({{{actions}}})\n"


def _options(text: str, also: re.Pattern[str] | None = None) -> list[str]:
    """The options for BNG2.pl; those that `also` matches are fine and have nothing to say here."""
    if not text.strip():
        return []
    parts = re.split(r",(?![^{]*\})", text)
    bad = [p.strip() for p in parts if not _OPTION.fullmatch(p) and not (also and also.fullmatch(p))]
    if bad:
        raise ValueError(
            f"generate_network option '{bad[0]}' is not one of max_iter=>N, max_agg=>N, check_iso=>N and "
            "max_stoich=>{Molecule=>N, …}"
        )
    return [p.strip() for p in parts if _OPTION.fullmatch(p)]


def _model_lines(text: str) -> Iterator[str]:
    """The lines of the model's blocks and the directives before them; actions, in a block or bare, become empty lines.

    Where a block begins and ends must be beyond doubt, since BNG2.pl runs what it takes to stand outside of one: a line
    that only resembles an edge, an edge of another block and a block of unknown name raise ValueError.
    """
    blocks: list[str] = []
    for number, line in enumerate(_CONTINUED.sub(lambda m: " " * len(m.group()), text).split("\n"), 1):
        edge = _EDGE.fullmatch(line.rstrip("\r"))
        name = " ".join(edge.group("name").split()) if edge else ""
        if edge is None:
            if _LIKE_EDGE.match(line.partition("#")[0]):
                raise ValueError(f"line {number}: '{line.strip()}' is neither 'begin <block>' nor 'end <block>' as BNGL has it")
            inside = bool(blocks) and blocks[-1] not in ("model", "actions")
            yield line if inside or _DIRECTIVE.fullmatch(line.rstrip("\r")) else ""
            continue
        if name not in (*BLOCKS, "actions"):
            raise ValueError(f"line {number}: '{name}' is no block of a model; known are {', '.join(BLOCKS)}")
        if edge.group("word") == "begin":
            if blocks and (blocks != ["model"] or name == "model"):
                raise ValueError(f"line {number}: 'begin {name}' inside of '{blocks[-1]}'")
            blocks.append(name)
        elif not blocks or blocks.pop() != name:
            raise ValueError(f"line {number}: 'end {name}' without its 'begin {name}'")
        yield "" if name == "actions" else line
    if blocks:
        raise ValueError(f"'begin {blocks[-1]}' without its end")


def _parameter_lines(text: str) -> list[re.Match[str]]:
    block = re.search(r"(?ms)^[ \t]*begin[ \t]+parameters\b[^\n]*\n(?P<body>.*?)^[ \t]*end[ \t]+parameters\b", text)
    return list(_PARAMETER.finditer(text, block.start("body"), block.end("body"))) if block else []
