"""Which simulations are compared with which data files, under which conditions, in either edition."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bnfhmc.errors import nearest
from bnfhmc.problem import Condition
from bnfhmc.read.bngl_actions import Simulation
from bnfhmc.read.conditions import Written, read_perturbations
from bnfhmc.read.keys import LATER, RECORDS
from bnfhmc.read.lines import NAME, Statement, fields, finite, split, unquoted
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.models import ModelFile, named_model
from bnfhmc.read.record import Conf

_TIME_COURSE = ("time", "model", "suffix", "method", "step", "t_start", "subdivisions", "steady_state")
_MUTATION = re.compile(r"([A-Za-z_]\w*)\s*([-+*/=])\s*([^\s=*/]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Plan:
    """An experiment as written: its model, its data files (replicates), and what is changed in the model.

    ``model``: None where it cannot be told; ``simulation``: edition 1's action, which bounds the times and may set
    tolerances. A plan that is not whole comes with a mistake, and its data are read for theirs.
    """

    name: str
    line: int
    model: str | None
    data: tuple[Path, ...]
    condition: Written | None = None
    simulation: Simulation | None = None


def plan_records(
    conf: Conf, models: Mapping[str, ModelFile], conditions: Mapping[str, Written | None], mistakes: Mistakes
) -> list[Plan]:
    """Edition 2's ``experiment:`` records."""
    plans: dict[str, Plan] = {}
    for s in conf.records("experiment"):
        said = fields(s, RECORDS["experiment"], mistakes)
        name = said.head[0] if len(said.head) == 1 else ""
        if not NAME.fullmatch(name):
            mistakes.add(s.line, f"'{', '.join(said.head)}' is no name of an experiment",
                         "type 'experiment: <name>, data: <file>.exp'")  # fmt: skip
            continue
        if name in plans:
            mistakes.add(s.line, f"experiment '{name}' is given twice",
                         "list replicates as 'data: a.exp, b.exp' of one experiment")  # fmt: skip
            continue
        whose = f"experiment '{name}'"
        _check_kind(s, whose, said.text("type"), said.text("method"), mistakes)
        data = said.named.get("data", ())
        if not data:
            mistakes.add(s.line, f"{whose} has no data", f"type 'experiment: {name}, data: <file>.exp'")
        for text in dict.fromkeys(d for d in data if data.count(d) > 1):
            mistakes.add(s.line, f"{whose} lists '{text}' twice", "list each replicate once")
        model = named_model(said.text("model"), models, s.line, whose, mistakes)
        found = _condition(s, whose, said.text("condition"), conditions, model, mistakes)
        plans[name] = Plan(name, s.line, model, tuple(map(conf.file, data)), found)
    _refuse_changes(plans.values(), models, mistakes)
    return list(plans.values())


def _check_kind(s: Statement, whose: str, kind: str | None, method: str | None, mistakes: Mistakes) -> None:
    if kind is not None and kind.lower() not in ("time_course", "timecourse"):
        mistakes.add(s.line, f"{whose}: type '{kind}' {LATER}", "use time-course data, and delete the field")
    if method is not None and method.lower() != "ode":
        what = f"{whose}: the method '{method}' has no gradient"
        mistakes.add(s.line, what, "type 'method: ode', or delete the field")


def _condition(
    s: Statement,
    whose: str,
    name: str | None,
    conditions: Mapping[str, Written | None],
    model: str | None,
    mistakes: Mistakes,
) -> Written | None:
    """The condition an experiment names; None where it names none, or one that is not as it should be."""
    if name is None:
        return None
    if name not in conditions:
        mistakes.add(
            s.line,
            f"{whose} is under the condition '{name}', which is not given",
            nearest(name, conditions) or f"add 'condition: {name}, perturbations: <id> = <number>'",
        )
        return None
    found = conditions[name]
    if found is not None and found.model is not None and model is not None:
        of = PurePosixPath(unquoted(found.model)).name
        if model not in (of, PurePosixPath(of).stem):
            mistakes.add(s.line, f"{whose} is of the model '{model}', its condition '{name}' of '{found.model}'",
                         "name the same model in both")  # fmt: skip
            return None
    return found


def _refuse_changes(plans: Iterable[Plan], models: Mapping[str, ModelFile], mistakes: Mistakes) -> None:
    """Actions of the model file that set something would act on every experiment; here none of them is run."""
    for m in (models[name] for name in dict.fromkeys(p.model for p in plans) if name is not None):
        for line, action in m.bngl.changes if m.bngl else ():
            mistakes.at(m.path).add(line, f"action '{action}' is not run for 'experiment:' lines",
                                    "put the change into a 'condition:' and delete the action")  # fmt: skip


def plan_actions(conf: Conf, models: Mapping[str, ModelFile], mistakes: Mistakes) -> list[Plan]:
    """Edition 1's ``model = file : data`` and ``mutant`` lines; a data file's stem is the suffix of a simulation."""
    courses = _time_courses(conf, models, mistakes)
    plans: list[Plan] = []
    for m in models.values():
        for text in m.data:
            simulation = _simulation(m, Path(unquoted(text)).stem, courses, m.line, mistakes)
            _add(plans, conf, m, text, m.line, simulation, None)
    for s in conf.assigned("mutant"):
        _mutant(s, conf, models, courses, plans, mistakes)
    for p in plans:
        if p.simulation is not None and p.model is not None:
            mistakes.at(models[p.model].path).add_each(p.simulation.wrong)
    return plans


def _add(
    plans: list[Plan],
    conf: Conf,
    m: ModelFile,
    text: str,
    line: int,
    simulation: Simulation | None,
    mutant: Condition | None,
) -> None:
    stem = Path(unquoted(text)).stem
    name = stem if all(p.name != stem for p in plans) else f"{m.name}.{stem}"
    changes = (*(mutant.perturbations if mutant else ()), *(simulation.perturbations if simulation else ()))
    written = None
    if changes:
        at = (m.path, simulation.line) if simulation and not mutant else (conf.path, line)
        written = Written(Condition(mutant.name if mutant else stem, changes), *at)
    plans.append(Plan(name, line, m.name, (conf.file(text),), written, simulation))


def _simulation(
    m: ModelFile, suffix: str, courses: Mapping[str, list[Simulation]], line: int, mistakes: Mistakes
) -> Simulation | None:
    if not m.there:
        return None
    known = [*(m.bngl.simulations if m.bngl else ()), *courses.get(m.name, ())]
    found = [k for k in known if k.suffix == suffix]
    if not found:
        how = f'add simulate({{method=>"ode",t_end=>…,suffix=>"{suffix}"}}) to its actions' if m.bngl else (
            f"type 'time_course = time:<end>, model:{m.name}, suffix:{suffix}'")  # fmt: skip
        mistakes.add(line, f"model '{m.name}' has no simulation with the suffix '{suffix}', the name of the data file",
                     nearest(suffix, [k.suffix for k in known]) or how)  # fmt: skip
        return None
    return found[-1]


def _time_courses(conf: Conf, models: Mapping[str, ModelFile], mistakes: Mistakes) -> dict[str, list[Simulation]]:
    """``time_course = time:60, model:m, suffix:d1`` lines by model; without ``model:`` one is for every model."""
    out: dict[str, list[Simulation]] = {}
    for s in conf.assigned("time_course"):
        said = {k.strip().lower(): v.strip() for k, _, v in (item.partition(":") for item in s.items)}
        before = len(mistakes.found)
        for name in said.keys() - set(_TIME_COURSE):
            mistakes.add(s.line, f"'time_course' has no attribute '{name}'", nearest(name, _TIME_COURSE))
        end = finite(said.get("time", ""))
        if end is None or end < 0:
            what = f"'time_course' takes its end as a number, got '{said.get('time', '')}'"
            mistakes.add(s.line, what, "type 'time:<number>'")
        for name, fixed in (("method", "ode"), ("t_start", "0"), ("steady_state", "0"), ("subdivisions", "1")):
            given = said.get(name, fixed)
            if given.lower() != fixed and (finite(given) is None or finite(given) != finite(fixed)):
                what = f"'time_course' with {name}:{given} {LATER}"
                mistakes.add(s.line, what, f"type {name}:{fixed}, or delete it")
        whose = "time_course"
        named = [named_model(said["model"], models, s.line, whose, mistakes)] if "model" in said else list(models)
        if len(mistakes.found) == before:
            course = Simulation(said.get("suffix", "time_course"), s.line, end, None, None, (), ())
            for name in (n for n in named if n is not None):
                if any(c.suffix == course.suffix for c in out.setdefault(name, [])):
                    mistakes.add(s.line, f"another time_course has the suffix '{course.suffix}'", "give each its own")
                out[name].append(course)
    return out


def _mutant(
    s: Statement,
    conf: Conf,
    models: Mapping[str, ModelFile],
    courses: Mapping[str, list[Simulation]],
    plans: list[Plan],
    mistakes: Mistakes,
) -> None:
    """``mutant = base name k1*2 k2=3 : d1name.exp``: the suffix of the simulation, then the mutant's name."""
    left, *right = split(s.value, ":")
    base, name, *_ = (*left.split(), "", "")
    changes = left.split(None, 2)[2] if len(left.split()) > 2 else ""
    items = [f"{a} {op} {b}" for a, op, b in _MUTATION.findall(changes)]
    if not name or not right or _MUTATION.sub("", changes).strip() or not items:
        mistakes.add(s.line, f"'mutant = {s.value}' is no mutant",
                     "type 'mutant = <model> <name> <id>*<number> : <suffix><name>.exp'")  # fmt: skip
        return
    model = named_model(base, models, s.line, f"mutant '{name}'", mistakes)
    condition = Condition(name, read_perturbations(name, tuple(items), s.line, mistakes))
    for text in split(":".join(right), ","):
        stem = Path(unquoted(text)).stem
        if text.lower() == "none" or model is None:
            continue
        if not stem.endswith(name) or stem == name:
            mistakes.add(s.line, f"data file '{text}' of mutant '{name}' is not named after it",
                         f"name it <suffix>{name}.exp, with the suffix of its simulation")  # fmt: skip
            continue
        simulation = _simulation(models[model], stem.removesuffix(name), courses, s.line, mistakes)
        _add(plans, conf, models[model], text, s.line, simulation, condition)
