"""``bnfhmc convert``: a configuration as a PEtab problem, and a PEtab problem as a configuration."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bnfhmc.errors import InputError, Mistake
from bnfhmc.problem import Problem
from bnfhmc.read import read_conf
from bnfhmc.read.problem import PETAB_SUFFIXES, load
from bnfhmc.write.findings import Findings
from bnfhmc.write.folder import check_free, write_files
from bnfhmc.write.proof import difference


@dataclass(frozen=True, slots=True)
class Written:
    """What `convert` has written: ``paths``, of which the first is the one to run; ``notes``: what took another form."""

    paths: tuple[Path, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """A problem in a format: ``files`` by name, the ``main`` one among them; ``ids``: what the parameters are called."""

    main: str
    files: Mapping[str, bytes]
    ids: Mapping[str, str]


def convert(source: Path, target: Path, *, overwrite: bool = False) -> Written:
    """Write the problem of a .conf into a folder as PEtab 2, or that of a PEtab .yaml as a .conf with its files.

    What is written is read again and compared with the source before it goes to `target`: measurements, predictions and
    densities at one θ are the same. `overwrite`: replace files of the same names in a folder that is not empty.

    Raises InputError with everything that the other format cannot say, and where the folder is not free; what reading
    raises; OSError where a file cannot be written. Nothing is written then.
    """
    source, target = Path(source), Path(target)
    check_free(target, overwrite)
    findings = Findings(source)
    problem = load(source)
    form = _as_conf(problem, findings) if source.suffix.lower() in PETAB_SUFFIXES else _as_petab(problem, source, findings)
    with tempfile.TemporaryDirectory(prefix="bnfhmc_") as folder:
        paths = write_files(Path(folder), form.files, form.main)
        _prove(problem, paths[0], form, findings)
    return Written(write_files(target, form.files, form.main), tuple(findings.notes))


def _as_petab(problem: Problem, source: Path, findings: Findings) -> Form:
    from bnfhmc.write.petab import MAIN, petab_files

    options = read_conf(source).one("generate_network")
    files, ids = petab_files(problem, None if options is None else options.value, findings)
    return Form(MAIN, files, ids)


def _as_conf(problem: Problem, findings: Findings) -> Form:
    from bnfhmc.write.conf import MAIN, conf_files

    return Form(MAIN, conf_files(problem, findings), {n: n for n in problem.names})


def _prove(problem: Problem, path: Path, form: Form, findings: Findings) -> None:
    """Read what was written, and raise InputError where it is not the same posterior."""
    wrong = _linted(path) if path.suffix in PETAB_SUFFIXES else []
    if wrong:
        raise InputError(Mistake(f"what was written is refused by PEtab's linter: {text}", "", findings.path) for text in wrong)
    try:
        again = load(path)
    except InputError as error:
        raise InputError(
            Mistake(f"what was written cannot be read again: {m.what}", m.hint, findings.path) for m in error.mistakes
        ) from error
    found = difference(problem, again, form.ids)
    if found:
        raise InputError(Mistake(f"what was written is not the same problem: {found}", "nothing is kept of it", findings.path))
    if found == "":
        findings.note("the model could be solved at no point that was tried, so that the two were not compared")


def _linted(path: Path) -> list[str]:
    from bnfhmc.write.petab import lint

    return lint(path)
