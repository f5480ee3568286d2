"""What petab's own linter says of a problem that was written."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def lint(path: Path) -> list[str]:
    """The errors that petab finds in a problem of PEtab 2; none where it knows no more than its tables.

    petab 0.8 validates problems of one SBML model. Of any other the tables are read, which is a check of their own.
    """
    from petab import v2

    config = v2.ProblemConfig(**_yaml(path), base_path=path.parent, filepath=path)
    models = list((config.model_files or {}).values())
    try:
        with _quiet():
            if len(models) != 1 or models[0].language != "sbml":
                _read_tables(config, path.parent)
                return []
            found = v2.Problem.from_yaml(path).validate()
    except ValueError as error:
        return [" ".join(str(error).split())]
    return [f"{issue.message} ({issue.task})" for issue in found if issue.level >= v2.lint.ValidationIssueSeverity.ERROR]


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing of what petab logs, or pandas thinks of petab."""
    logger = logging.getLogger("petab")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _yaml(path: Path) -> dict[str, object]:
    import yaml

    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def _read_tables(config: object, folder: Path) -> None:
    from petab import v2

    kinds = {"parameter": v2.ParameterTable, "condition": v2.ConditionTable, "experiment": v2.ExperimentTable,
             "observable": v2.ObservableTable, "measurement": v2.MeasurementTable, "mapping": v2.MappingTable}  # fmt: skip
    for kind, table in kinds.items():
        for name in getattr(config, f"{kind}_files"):
            table.from_tsv(name, folder)
