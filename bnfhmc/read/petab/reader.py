"""PEtab problems, versions 1 and 2 → Problem, or everything that is wrong with them at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bnfhmc.model.protocol import Model
from bnfhmc.problem import Experiment, Problem, Settings
from bnfhmc.read.loading import Loader
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.petab import conditions_1, conditions_2
from bnfhmc.read.petab.config import Part, read_config
from bnfhmc.read.petab.experiments import build_experiments
from bnfhmc.read.petab.lint import lint
from bnfhmc.read.petab.mapping import read_mapping
from bnfhmc.read.petab.measurements import MeasurementReader
from bnfhmc.read.petab.models import OpenModel, open_models
from bnfhmc.read.petab.observables import read_observables
from bnfhmc.read.petab.parameters import free_parameters, read_parameters
from bnfhmc.read.petab.records import Course, ParameterRecord, Records
from bnfhmc.read.petab.tables import Rows

# The states of published problems lie many orders apart, and an absolute tolerance leaves the small ones to chance.
SETTINGS = Settings(rtol=1e-8, atol=1e-10)


def read_petab(path: str | Path, *, load_model: Loader | None = None) -> Problem:
    """The problem that the YAML file of a PEtab problem, its tables and its models define.

    ``load_model``: what opens a model file, `bnfhmc.model.load_model` where none is given. Files are named relative to the
    YAML file's folder. Raises InputError with every mistake of every file, and MissingTool where that is all that is missing.
    """
    mistakes = Mistakes(Path(path))
    config = read_config(Path(path), mistakes)
    if config is None:
        mistakes.raise_any()
        raise AssertionError("a problem that cannot be read has mistakes")
    parameters = read_parameters(config, mistakes)
    count, parts = 0, []
    for part in config.parts:
        records, count = _records(part, config.version, count, mistakes)
        parts.append(records)
    mistakes.raise_any()
    models: dict[str, Model] = {}
    experiments: list[Experiment] = []
    opened: list[dict[str, OpenModel]] = []
    for records in parts:
        opened.append(open_models(records, parameters, SETTINGS, load_model or _default_loader(), mistakes))
        experiments += build_experiments(records, opened[-1], config.version, mistakes)
        models |= {name: m.model for name, m in opened[-1].items()}
        _refuse_shadows(records, opened[-1], parameters, mistakes)
        _refuse_unsettable(parameters, opened[-1], mistakes)
    mistakes.raise_any()
    _refuse_unused(parameters, experiments, models, mistakes)
    mistakes.raise_any()
    for part, records, of_part in zip(config.parts, parts, opened, strict=True):
        lint(config, part, records, parameters, of_part, mistakes)
    mistakes.raise_any()
    units = {n: unit for of_part in opened for m in of_part.values() for n in parameters if (unit := m.unit(n))}
    return Problem(free_parameters(parameters, units), models, _distinct(experiments), SETTINGS, config.path)


def _records(part: Part, version: int, start: int, mistakes: Mistakes) -> tuple[Records, int]:
    """What the tables of a part say, and how many measurements there are up to its last."""
    observables = read_observables(part, version, mistakes)
    mapping = read_mapping(part, mistakes)
    courses: Mapping[str, Course | None]
    if version == 1:
        conditions = conditions_1.read_conditions(part, mistakes)
        named = conditions_1.Courses(conditions)
        reader = MeasurementReader(part, version, observables, named.of, start, mistakes)
        courses = named.found
    else:
        conditions = conditions_2.read_conditions(part, mistakes)
        courses = conditions_2.read_courses(part, conditions, mistakes)
        reader = MeasurementReader(part, version, observables, conditions_2.Courses(courses).of, start, mistakes)
    measurements = reader.read()
    targets = frozenset(change.target for c in conditions.values() for change in c.changes)
    found = {name: course for name, course in courses.items() if course is not None}
    return Records(part.models, observables, found, measurements, mapping, targets), reader.count


def _refuse_shadows(
    records: Records, opened: Mapping[str, OpenModel], parameters: Mapping[str, ParameterRecord], mistakes: Mistakes
) -> None:
    """An observable with the name of something else: a formula that reads the name would have two meanings."""
    rows = Rows(mistakes)
    for name, record in records.observables.items():
        kinds = ["a parameter of the problem"] if name in parameters else []
        kinds += [kind for m in opened.values() if (kind := m.kind(name))]
        if kinds:
            rows.wrong(record.row, f"observableId '{name}' is {kinds[0]} too", "give the observable a name of its own")


def _refuse_unsettable(
    parameters: Mapping[str, ParameterRecord], opened: Mapping[str, OpenModel], mistakes: Mistakes
) -> None:
    """A parameter of the table that a model has and computes by itself would have no effect on it."""
    rows = Rows(mistakes)
    for m in opened.values():
        for name, record in parameters.items():
            if m.own(name) not in m.model.quantities and (kind := m.kind(name)):
                rows.wrong(record.row, f"parameter '{name}' cannot be set in model '{m.model.name}': it is {kind}",
                           "delete the row, or what the model computes it by")  # fmt: skip


def _refuse_unused(
    parameters: Mapping[str, ParameterRecord], experiments: list[Experiment], models: Mapping[str, Model], mistakes: Mistakes
) -> None:
    """A parameter that no measurement depends on would keep its prior, whatever is measured."""
    used = {n for m in models.values() for n in m.quantities}
    for e in experiments:
        used |= {n for c in e.conditions for p in c.perturbations for n in p.value.names}
        used |= {n for s in e.series for n in s.observable.names}
        used |= {n for s in e.series for source in s.sources.values() for n in getattr(source, "derivatives", ())}
    rows = Rows(mistakes)
    for name, record in parameters.items():
        if record.estimate and name not in used:
            rows.wrong(record.row, f"parameter '{name}' is estimated, and no measurement depends on it",
                       "set its estimate to 0 or false, or delete the row", kind="unused")  # fmt: skip


def _distinct(experiments: list[Experiment]) -> tuple[Experiment, ...]:
    """The experiments with names of their own: parts of a problem may give one name to two."""
    names = [e.name for e in experiments]
    return tuple(replace(e, name=f"{e.name} ({e.model})") if names.count(e.name) > 1 else e for e in experiments)


def _default_loader() -> Loader:
    from bnfhmc.model import load_model  # here, so that reading with another loader needs no simulator

    return load_model
