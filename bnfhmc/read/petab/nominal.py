"""Where a PEtab problem is scored: the nominal values of its parameter table, and what replaces them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from bnfhmc.errors import nearest
from bnfhmc.read.lines import finite
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.petab.config import read_config
from bnfhmc.read.petab.parameters import read_parameters
from bnfhmc.read.petab.records import ParameterRecord
from bnfhmc.read.petab.tables import Row, Rows, read_table

OPTION = "--parameters"
ID, VALUE = "parameterId", "nominalValue"


def nominal(path: Path) -> dict[str, float]:
    """θ by parameterId as the parameter table has it, estimated or fixed; a parameter without a nominal value is left out.

    path: the problem's YAML file. Raises InputError for a file that cannot be read.
    """
    mistakes = Mistakes(Path(path))
    records = _records(mistakes)
    mistakes.raise_any()
    return {name: record.nominal for name, record in records.items() if record.nominal is not None}


def theta_at(path: Path, names: Sequence[str], entries: Iterable[str] = ()) -> dict[str, float]:
    """θ of the free parameters `names`: their nominal values, with those replaced that `entries` give.

    entries: ``name=value``, or the name of a parameter table (.tsv); of two for one parameter the later counts. A fixed
    parameter may be named with the value that it has. Raises InputError with everything that is wrong.
    """
    mistakes = Mistakes(Path(path))
    records = _records(mistakes)
    known = {name: record.nominal for name, record in records.items() if record.nominal is not None}
    here, theta = mistakes.at(Path(OPTION)), {n: v for n, v in known.items() if n in names}
    for entry in entries:
        name, equals, value = entry.partition("=")
        if equals and not entry.endswith(".tsv"):
            _give(theta, names, known, name.strip(), value.strip(), None, here)
            continue
        for name, row in _rows(Path(entry), here):
            _give(theta, names, known, name, row.get(VALUE), row.line, mistakes.at(row.path))
    for name in (n for n in names if n not in theta and n in records and not mistakes.found):
        row = records[name].row
        mistakes.at(row.path).add(row.line, f"parameter '{name}' has no {VALUE}", f"type {OPTION} {name}=<value>")
    mistakes.raise_any()
    return {n: theta[n] for n in names}


def _records(mistakes: Mistakes) -> Mapping[str, ParameterRecord]:
    config = read_config(mistakes.path, mistakes)
    return {} if config is None else read_parameters(config, mistakes)


def _give(
    theta: dict[str, float], names: Sequence[str], known: Mapping[str, float], name: str, value: str, line: int | None,
    here: Mistakes,
) -> None:  # fmt: skip
    number = finite(value)
    if name not in names and name not in known:
        here.add(line, f"the problem has no parameter '{name}'", nearest(name, {**known, **dict.fromkeys(names)}))
    elif number is None:
        said = f"'{value}' is no value of '{name}'" if value else f"'{name}' has no value"
        here.add(line, said, "give a finite number, in the parameter's own unit")
    elif name in names:
        theta[name] = number
    elif number != known[name]:
        here.add(line, f"parameter '{name}' is fixed at {known[name]:g}, so it cannot be {number:g}",
                 "set its estimate in the parameter table, or leave it out")  # fmt: skip


def _rows(path: Path, mistakes: Mistakes) -> Iterator[tuple[str, Row]]:
    """The rows of a table of values by parameterId."""
    table = read_table(path, mistakes, None, (ID, VALUE))
    return Rows(mistakes).unique(((r.get(ID), r) for r in (table.rows if table is not None else ())), ID)
