"""PyBNF-style configuration files, edition 1 and 2 → Problem, or everything that is wrong with them at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bnfhmc.prior import Parameter
from bnfhmc.problem import Problem, Settings
from bnfhmc.read.actions import plan_actions
from bnfhmc.read.bindings import read_bindings
from bnfhmc.read.conditions import read_conditions
from bnfhmc.read.constraints import Penalties, read_files, read_penalties
from bnfhmc.read.data import read_table
from bnfhmc.read.experiments import Builder, Material
from bnfhmc.read.formulas import PLACEHOLDER
from bnfhmc.read.loading import Loader, load_models
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.models import read_models, scan_models
from bnfhmc.read.noise import read_noise
from bnfhmc.read.normalization import read_normalizations
from bnfhmc.read.observables import read_observables
from bnfhmc.read.optimization import check_names
from bnfhmc.read.parameters import Declared, read_parameters
from bnfhmc.read.plans import Plan, plan_records, settable
from bnfhmc.read.record import Conf, read_statements
from bnfhmc.read.settings import check_units, read_settings
from bnfhmc.read.target import objective_of, read_target, refuse_alone
from bnfhmc.read.usage import check_columns, check_conditions, check_parameters


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


def load(path: str | Path, *, load_model: Loader | None = None, allow_callable: bool = False) -> Problem:
    """The problem that a configuration file, its models and its data define.

    ``load_model``: what opens a model file, `bnfhmc.model.load_model` where none is given. ``allow_callable``: whether a
    ``callable = …`` may run the Python code it names. Files are named relative to the configuration's folder.

    Raises InputError with every mistake of every file, and MissingTool where that is all that is missing.
    """
    mistakes = Mistakes(Path(path))
    conf = read_statements(Path(path), mistakes)
    if conf is None:
        mistakes.raise_any()
        raise AssertionError("a configuration without text has mistakes")
    settings = read_settings(conf, mistakes)
    declared = read_parameters(conf, mistakes)
    check_names(conf, settings.optimization, tuple(declared), mistakes)
    objective = objective_of(conf)
    if objective is None:
        return _of_models(conf, settings, declared, load_model or _default_loader(), mistakes)
    target = read_target(conf, objective, declared, allow_callable, mistakes)
    mistakes.raise_any()
    return Problem(_parameters(declared), {}, (), settings, conf.path, target)


def _of_models(
    conf: Conf, settings: Settings, declared: Mapping[str, Declared], loader: Loader, mistakes: Mistakes
) -> Problem:
    """The problem of models and their data."""
    names = tuple(declared)
    refuse_alone(conf, mistakes)
    specs = read_noise(conf, declared, mistakes)
    conditions = read_conditions(conf, declared, mistakes)
    observables = read_observables(conf, declared, mistakes)
    files = scan_models(read_models(conf, mistakes), conf.edition, declared, mistakes)
    plans = [*plan_records(conf, files, conditions, mistakes), *plan_actions(conf, files, declared, mistakes)]
    if not plans and not mistakes.found:
        mistakes.add(None, "no data are given", "type 'experiment: <name>, data: <file>.exp' and edition = 2")
    penalties = read_penalties(conf, declared, any(p.constraints for p in plans), mistakes)
    material = [_material(p, penalties, mistakes) for p in plans]
    formulas = {n for f in observables.formulas.values() for n in f.formula.names}
    formulas |= {n for spec in specs.all for n in spec.names} | penalties.names
    formulas |= {n for m in material if m.bindings is not None for n in m.bindings.names}
    scanned = {t.names[0] for m in material for t in m.tables if t.names[0] != "time"}
    changed = settable(plans, conditions.values())
    read = {*names, *formulas, *scanned, *changed}
    loaded = load_models(conf, files, declared, plans, read, settings, loader, mistakes)
    models = loaded.models
    builder = Builder(conf, names, specs, observables, read_normalizations(conf, mistakes), penalties, mistakes)
    built = [builder.experiment(p, m, models.get(p.model or "")) for p, m in zip(plans, material, strict=True)]
    experiments = tuple(e for e in built if e is not None)
    check_conditions(builder, conditions, plans, models)
    if len(experiments) == len(plans):
        check_units(conf, settings, experiments, mistakes)
    if not mistakes.found:
        named = {id(w) for p in plans for w in (p.condition, p.before)}
        for name, written in conditions.items():
            if written is not None and id(written) not in named:
                mistakes.add(written.line, f"no experiment is under the condition '{name}'",
                             f"type 'condition: {name}' in an experiment, or delete the line")  # fmt: skip
    if models and len(models) == len(files):
        whole = len(experiments) == len(plans) and not mistakes.found
        unbound = any(PLACEHOLDER.fullmatch(n) for n in formulas) and all(m.bindings is None for m in material)
        check_parameters(builder, declared, models, {*formulas, *changed, *(names if unbound else ())}, whole)
        if all(m.tables or not p.data for p, m in zip(plans, material, strict=True)) and all(p.model for p in plans):
            check_columns(builder, plans)
    for line, error in loaded.lacking:
        if not mistakes.found:
            raise error
        mistakes.add(line, str(error))
    mistakes.raise_any()
    return Problem(_parameters(declared), models, experiments, settings, conf.path)


def _material(plan: Plan, penalties: Penalties, mistakes: Mistakes) -> Material:
    """The files of an experiment, read."""
    tables = tuple(t for path in plan.data if (t := read_table(path, mistakes, plan.line)) is not None)
    bindings = None if plan.bindings is None else read_bindings(plan.bindings, mistakes, plan.line)
    return Material(tables, read_files(plan.constraints, penalties, plan.line, mistakes), bindings)


def _parameters(declared: Mapping[str, Declared]) -> tuple[Parameter, ...]:
    return tuple(d.parameter for d in declared.values() if d.parameter is not None)


def _default_loader() -> Loader:
    from bnfhmc.model import load_model  # here, so that reading with another loader needs no simulator

    return load_model
