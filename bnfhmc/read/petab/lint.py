"""petab's own linter, asked after our checks have found nothing, with the rows of what it speaks of."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from petab.v1.models.sbml_model import SbmlModel

from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.petab.config import Config, File, Part
from bnfhmc.read.petab.models import OpenModel
from bnfhmc.read.petab.phases import TIME
from bnfhmc.read.petab.records import ParameterRecord, Records
from bnfhmc.read.petab.tables import Row

_QUOTED = re.compile(r"'(\w+)'")
_WITHOUT_MODEL = ("CheckUniquePrimaryKeys", "CheckMeasuredObservablesDefined", "CheckPosLogMeasurements",
                  "CheckOverridesMatchPlaceholders", "CheckExperimentTable", "CheckExperimentConditionsExist",
                  "CheckPriorDistribution", "CheckInitialChangeSymbols")  # fmt: skip


def lint(
    config: Config, part: Part, records: Records, parameters: Mapping[str, ParameterRecord], models: Mapping[str, OpenModel],
    mistakes: Mistakes,
) -> None:  # fmt: skip
    """Add what petab's linter finds wrong with a part."""
    sbml = [_wrapped(name, m) for name, m in models.items() if m.sbml is not None]
    whole = len(part.models) == 1 and bool(sbml)
    with _listening() as heard, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if config.version == 1:
                _lint_1(config, part, sbml[0])
            else:
                heard += _lint_2(config, part, sbml if whole else [])
        except Exception as error:  # petab raises whatever its readers do; all of it speaks of the tables
            heard.append(_said(error))
    for message in dict.fromkeys(heard):
        _add(message, records, parameters, len(config.parts) > 1, mistakes)


def _wrapped(name: str, m: OpenModel) -> Any:
    assert m.sbml is not None
    return SbmlModel(sbml_document=m.sbml.document, model_id=name)


def _lint_1(config: Config, part: Part, model: Any) -> None:
    """Version 1's linter logs what it finds."""
    import petab.v1 as petab
    from petab.v1.core import concat_tables

    def table(files: tuple[File, ...], read: Any) -> Any:
        return concat_tables([str(f.path) for f in files], read) if files else None

    problem = petab.Problem(
        model=model,
        parameter_df=petab.get_parameter_df([str(f.path) for f in config.parameters]),
        condition_df=table(part.tables["condition_files"], petab.get_condition_df),
        measurement_df=table(part.tables["measurement_files"], petab.get_measurement_df),
        observable_df=table(part.tables["observable_files"], petab.get_observable_df),
        mapping_df=table(part.tables["mapping_files"], petab.mapping.get_mapping_df),
    )
    petab.lint_problem(problem)


def _lint_2(config: Config, part: Part, models: list[Any]) -> list[str]:
    """Version 2's linter returns what it finds; without a model of SBML, some of its checks cannot be made."""
    from petab.v2 import lint as checks
    from petab.v2.core import (
        ConditionTable,
        ExperimentTable,
        MappingTable,
        MeasurementTable,
        ObservableTable,
        ParameterTable,
        Problem,
    )

    def tables(key: str, kind: Any) -> list[Any]:
        return [kind.from_tsv(f.path) for f in part.tables[key]]

    problem = Problem(
        models=models,
        condition_tables=tables("condition_files", ConditionTable),
        experiment_tables=tables("experiment_files", ExperimentTable),
        observable_tables=tables("observable_files", ObservableTable),
        measurement_tables=tables("measurement_files", MeasurementTable),
        mapping_tables=tables("mapping_files", MappingTable),
        parameter_tables=[ParameterTable.from_tsv(f.path) for f in config.parameters],
    )
    tasks = checks.default_validation_tasks if models else [getattr(checks, name)() for name in _WITHOUT_MODEL]
    found = problem.validate(tasks)
    return [str(i.message) for i in found if i.level >= checks.ValidationIssueSeverity.ERROR]


@contextmanager
def _listening() -> Iterator[list[str]]:
    """The errors that petab logs, which go nowhere else meanwhile."""
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.ERROR and record.getMessage() != "Not OK":
                heard.append(record.getMessage())

    logger, ear = logging.getLogger("petab"), Ear()
    propagate = logger.propagate
    logger.addHandler(ear)
    logger.propagate = False
    try:
        yield heard
    finally:
        logger.removeHandler(ear)
        logger.propagate = propagate


def _said(error: Exception) -> str:
    """One line of an exception; of pydantic's, what is wrong with the first field."""
    errors = getattr(error, "errors", None)
    if callable(errors) and (first := next(iter(errors()), None)):
        return f"{'.'.join(map(str, first.get('loc', ())))}: {first.get('msg', '')}".lstrip(": ")
    return f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error)


def _add(
    message: str, records: Records, parameters: Mapping[str, ParameterRecord], composite: bool, mistakes: Mistakes
) -> None:
    """One mistake for each entity that a message names and a table has, or one of the YAML file."""
    said = " ".join(message.split())
    names = list(dict.fromkeys(_QUOTED.findall(said)))
    if said.startswith("Missing parameter(s)"):  # petab takes the time and observables that a formula reads for parameters
        names = [n for n in names if n not in records.observables and n != TIME]
        if not names:
            return
    if composite and said.startswith("Extraneous parameter(s)"):  # which another part of the problem has
        return
    rows = {n: row for n in names if (row := _row(n, records, parameters)) is not None}
    general = _QUOTED.sub("", said.split("{")[0]).strip(" :,[]") or said
    for name, row in rows.items():
        mistakes.at(row.path).add(row.line, f"'{name}': {general[:300]} (petab's linter)")
    if not rows:
        mistakes.add(None, f"{said[:600]} (petab's linter)")


def _row(name: str, records: Records, parameters: Mapping[str, ParameterRecord]) -> Row | None:
    found = parameters.get(name) or records.observables.get(name)
    return None if found is None else found.row
