"""PyBNF-style configuration files, edition 1 and 2 → Problem, or everything that is wrong with them at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bnfhmc.errors import nearest
from bnfhmc.model.protocol import Model
from bnfhmc.problem import Problem
from bnfhmc.read.conditions import Written, check_targets, read_conditions
from bnfhmc.read.experiments import Builder, read_renames
from bnfhmc.read.loading import Loader, load_models
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.models import ModelFile, read_models, scan_models
from bnfhmc.read.noise import read_noise
from bnfhmc.read.parameters import Declared, read_parameters
from bnfhmc.read.plans import Plan, plan_actions, plan_records
from bnfhmc.read.record import Conf, read_statements
from bnfhmc.read.settings import read_settings


def read_conf(path: str | Path) -> Conf:
    """The statements of a configuration file, its keys checked; no other file is opened.

    Raises InputError with all mistakes of its lines and keys.
    """
    mistakes = Mistakes(Path(path))
    conf = read_statements(Path(path), mistakes)
    mistakes.raise_any()
    if conf is None:
        raise AssertionError("a configuration without text has mistakes")
    return conf


def load(path: str | Path, *, load_model: Loader | None = None) -> Problem:
    """The problem that a configuration file, its models and its data define.

    ``load_model``: what opens a model file, `bnfhmc.model.load_model` where none is given. Files are named relative to
    the configuration's folder.

    Raises InputError with every mistake of every file, and MissingTool where that is all that is missing.
    """
    mistakes = Mistakes(Path(path))
    conf = read_statements(Path(path), mistakes)
    if conf is None:
        mistakes.raise_any()
        raise AssertionError("a configuration without text has mistakes")
    settings = read_settings(conf, mistakes)
    declared = read_parameters(conf, mistakes)
    specs = read_noise(conf, declared, mistakes)
    conditions = read_conditions(conf, mistakes)
    files = scan_models(read_models(conf, mistakes), conf.edition, declared, mistakes)
    plans = [*plan_records(conf, files, conditions, mistakes), *plan_actions(conf, files, mistakes)]
    if not plans and not mistakes.found:
        mistakes.add(None, "no data are given", "type 'experiment: <name>, data: <file>.exp' and edition = 2")
    loader = load_model or _default_loader()
    models, lacking = load_models(conf, files, declared, plans, settings, loader, mistakes)
    builder = Builder(conf, specs, read_renames(conf, mistakes), mistakes)
    experiments = [e for p in plans if (e := builder.experiment(p, models)) is not None]
    _check_conditions(conditions, plans, models, declared, mistakes)
    if models and len(models) == len(files):
        _check_parameters(builder, declared, models, files, mistakes)
        if len(experiments) == len(plans):
            _check_columns(builder, mistakes)
    for line, error in lacking:
        if not mistakes.found:
            raise error
        mistakes.add(line, str(error))
    mistakes.raise_any()
    parameters = tuple(d.parameter for d in declared.values() if d.parameter is not None)
    return Problem(parameters, models, tuple(experiments), settings, Path(path))


def _default_loader() -> Loader:
    from bnfhmc.model import load_model  # here, so that reading with another loader needs no simulator

    return load_model


def _check_conditions(
    conditions: Mapping[str, Written | None],
    plans: list[Plan],
    models: Mapping[str, Model],
    declared: Mapping[str, Declared],
    mistakes: Mistakes,
) -> None:
    """The targets of conditions are quantities of the models they are used with, or of the only model."""
    pairs = [(p.condition, p.model) for p in plans if p.condition is not None and p.model is not None]
    pairs += [(w, name) for w in conditions.values() if w is not None for name in models if len(models) == 1]
    for written, name in pairs:
        if name in models:
            check_targets(written, models[name], frozenset(declared), mistakes)


def _check_parameters(
    builder: Builder,
    declared: Mapping[str, Declared],
    models: Mapping[str, Model],
    files: Mapping[str, ModelFile],
    mistakes: Mistakes,
) -> None:
    """Every declared parameter is a quantity of a model or named by a noise model."""
    settable = {name for model in models.values() for name in model.quantities}
    named = {name for spec in builder.specs.all for name in spec.names}
    for d in declared.values():
        if d.name in settable | named:
            continue
        computed = next((m for m in files.values() if m.bngl is not None and d.name in m.bngl.defined), None)
        if computed is not None:
            mistakes.add(d.line, f"parameter '{d.name}' cannot be set: {computed.path.name} computes it from others",
                         "fit one of those, or give it a number there")  # fmt: skip
        else:
            mistakes.add(d.line, f"parameter '{d.name}' appears in no model and no formula", nearest(d.name, settable))


def _check_columns(builder: Builder, mistakes: Mistakes) -> None:
    """Observables with a noise model of their own, and renamed columns, are in the data."""
    for name, line in builder.specs.own_lines.items():
        if name not in builder.seen:
            mistakes.add(line, f"no data are named '{name}', which has a noise_model", nearest(name, builder.seen))
    for header, line in builder.renames.line.items():
        if header not in builder.headers:
            mistakes.add(line, f"no data file has a column '{header}'", nearest(header, builder.headers))
