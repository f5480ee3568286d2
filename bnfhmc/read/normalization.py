"""``normalization`` lines → the transforms of each observable in each experiment.

The most specific line wins: ``normalization <experiment>.<observable> = …``, then ``normalization <observable> = …``,
then ``normalization = …``. Edition 1 names data files: ``normalization = peak: d1.exp, (d2.exp: A, B), (d3.exp: 1, 3-4)``,
where numbers count columns, the first one being 0. As in PyBNF the data are taken as normalised already; only a floor is
added to them too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bnfhmc.errors import InputError, nearest
from bnfhmc.noise import NoiseModel
from bnfhmc.noise.transform import TRANSFORMS, Transform, parse_chain
from bnfhmc.read.data import Column
from bnfhmc.read.lines import Statement, split, whole
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.plans import Plan
from bnfhmc.read.record import Conf

OF_FILES = ("init", "peak", "zero", "unit")  # what edition 1 knows for single files


@dataclass(frozen=True, slots=True)
class OfFile:
    """One data file of edition 1, its columns (by header or number; None: all), and what is done to them."""

    path: Path
    columns: tuple[str, ...] | None
    word: str
    line: int


@dataclass(slots=True)
class Normalizations:
    """The lines of a configuration: the whole fit's, by observable or ``experiment.observable``, and by file.

    ``used``: the targets and (file, column) that were found in data.
    """

    default: Statement | None = None
    own: Mapping[str, Statement] = field(default_factory=dict)
    files: Sequence[OfFile] = ()
    used: set[str | tuple[OfFile, str]] = field(default_factory=set)

    def transforms(
        self, plan: Plan, column: Column, cumulative: bool, noise: NoiseModel, mistakes: Mistakes
    ) -> tuple[Transform, ...]:
        """What is done to the simulated values of an observable."""
        text, line = self._of(plan, column)
        try:
            return parse_chain(text, cumulative=cumulative, noise=noise)
        except InputError as error:
            mistakes.include(error, line)
            return ()

    def _of(self, plan: Plan, column: Column) -> tuple[str, int | None]:
        for target in (f"{plan.name}.{column.name}", column.name):
            if target in self.own:
                self.used.update((target, column.name))
                return self.own[target].value, self.own[target].line
        for rule in self.files:
            called = {column.header, *(str(t.names.index(column.header)) for t in column.tables)}
            found = called & set(rule.columns) if rule.columns is not None else {""}
            if rule.path in plan.data and found:
                self.used.update((rule, name) for name in found)
                return rule.word, rule.line
        return ("", None) if self.default is None else (self.default.value, self.default.line)

    def say_unused(self, plans: Sequence[Plan], observables: Collection[str], mistakes: Mistakes) -> None:
        """Lines of observables, experiments and files that no data have."""
        experiments = [p.name for p in plans]
        for target, s in self.own.items():
            if target in self.used:
                continue
            experiment, dot, observable = target.rpartition(".")
            if dot and experiment not in experiments:
                mistakes.add(s.line, f"no experiment is named '{experiment}'", nearest(experiment, experiments))
            else:
                whose = f"of experiment '{experiment}' " if dot else ""
                mistakes.add(s.line, f"no data {whose}are named '{observable}', which has a normalization",
                             nearest(observable, observables))  # fmt: skip
        for rule in self.files:
            missing = [name for name in rule.columns or ("",) if (rule, name) not in self.used]
            known = [f.name for p in plans for f in p.data]
            if missing and all(rule.path not in p.data for p in plans):
                what = f"'{rule.path.name}' is no data file of the fit"
                mistakes.add(rule.line, what, nearest(rule.path.name, known))
            elif missing:
                what = f"'{rule.path.name}' has no measured column {', '.join(missing)}".rstrip()
                mistakes.add(rule.line, what, "name its observables, or their numbers where 0 is the first column")


def read_normalizations(conf: Conf, mistakes: Mistakes) -> Normalizations:
    """The ``normalization`` lines."""
    own: dict[str, Statement] = {}
    files: list[OfFile] = []
    default: Statement | None = None
    for s in conf.assigned("normalization"):
        if ":" in s.value and not s.subject:
            files += _of_files(conf, s, mistakes)
        elif s.subject in own or (default is not None and not s.subject):
            first = own[s.subject].line if s.subject else default.line if default else 0
            whose = f"of '{s.subject}'" if s.subject else "of the whole fit"
            mistakes.add(s.line, f"another normalization {whose}, first on line {first}", "keep one")
        elif s.subject:
            own[s.subject] = s
        else:
            default = s
    for f in files:
        twice = next((g for g in files if g is not f and g.path == f.path and g.line <= f.line and _overlap(f, g)), None)
        if twice is not None and files.index(twice) < files.index(f):
            mistakes.add(f.line, f"'{f.path.name}' is normalised twice, first on line {twice.line}", "keep one")
    if files and default is not None:
        mistakes.add(default.line, "normalization of the whole fit, and of single files", "keep one of them")
    return Normalizations(default, own, files)


def _overlap(f: OfFile, g: OfFile) -> bool:
    return f.columns is None or g.columns is None or bool(set(f.columns) & set(g.columns))


def _of_files(conf: Conf, s: Statement, mistakes: Mistakes) -> list[OfFile]:
    """``peak: d1.exp, (d2.exp: A, B)``."""
    word, *rest = split(s.value, ":")
    word = word.strip().lower()
    if conf.edition > 1:
        mistakes.add(s.line, f"'normalization = {s.value}' names files, and edition 2 names data by experiment",
                     f"type 'normalization <experiment>.<observable> = {word}'")  # fmt: skip
        return []
    if word not in OF_FILES:
        close = nearest(word, OF_FILES)
        whole_fit = f"; '{word}' is for the whole fit" if word.split(" ")[0] in TRANSFORMS else ""
        mistakes.add(s.line, f"'normalization = {word}: …' takes one of {', '.join(OF_FILES)}{whole_fit}", close)
        return []
    out = []
    for item in split(":".join(rest), ","):
        inside = item[1:-1] if item.startswith("(") and item.endswith(")") else item
        file, *columns = split(inside, ":")
        named = [c for part in columns for c in split(part, ",")]
        if not file or "" in named or len(columns) > 1:
            mistakes.add(s.line, f"'{item}' names no file and columns", f"type '{word}: d1.exp, (d2.exp: A, B)'")
            continue
        out.append(OfFile(conf.file(file), tuple(n for c in named for n in _range(c)) if columns else None, word, s.line))
    return out


def _range(text: str) -> list[str]:
    """``3-5`` as 3, 4, 5."""
    ends = [whole(part) for part in text.split("-")]
    if len(ends) == 2 and ends[0] is not None and ends[1] is not None and 0 <= ends[0] <= ends[1] < 10_000:
        return [str(n) for n in range(ends[0], ends[1] + 1)]
    return [text]
