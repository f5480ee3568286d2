"""Edition 1: ``model = file : data`` and ``mutant`` lines, whose data files are named after the simulations."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bnfhmc.errors import nearest
from bnfhmc.problem import Condition, Perturbation
from bnfhmc.read.conditions import Written, read_perturbations
from bnfhmc.read.lines import Statement, split, unquoted
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.models import ModelFile, named_model
from bnfhmc.read.plans import CONSTRAINTS, Plan
from bnfhmc.read.record import Conf
from bnfhmc.read.simulations import Simulation, read_course

_MUTATION = re.compile(r"([A-Za-z_]\w*)\s*([-+*/=])\s*([^\s=*/]+)", re.ASCII)


def plan_actions(
    conf: Conf, models: Mapping[str, ModelFile], declared: Collection[str], mistakes: Mistakes
) -> list[Plan]:
    """The experiments of edition 1; a data file's stem is the suffix of a simulation, then the name of a mutant."""
    actions = _Actions(conf, models, _courses(conf, models, mistakes), mistakes)
    for m in models.values():
        for text in m.data:
            actions.add(m, text, m.line, actions.simulation(m, Path(unquoted(text)).stem, m.line))
    for s in conf.assigned("mutant"):
        _mutant(s, actions, declared)
    plans = list(actions.plans.values())
    for p in plans:
        if p.simulation is not None and p.model is not None:
            mistakes.at(models[p.model].path).add_each(p.simulation.wrong)
    return plans


@dataclass(slots=True)
class _Actions:
    """The plans made so far, by model and stem: a data file and constraint files of one stem are one experiment."""

    conf: Conf
    models: Mapping[str, ModelFile]
    courses: Mapping[str, list[Simulation]]
    mistakes: Mistakes
    plans: dict[tuple[str, str], Plan] = field(default_factory=dict)

    def simulation(self, m: ModelFile, suffix: str, line: int) -> Simulation | None:
        """The simulation of a suffix; None, and a mistake, where the model has none."""
        if not m.there:
            return None
        known = [*(m.bngl.simulations if m.bngl else ()), *self.courses.get(m.name, ())]
        found = [k for k in known if k.suffix == suffix]
        if found:
            return found[-1]
        how = f'add simulate({{method=>"ode",t_end=>…,suffix=>"{suffix}"}}) to its actions' if m.bngl else (
            f"type 'time_course = time:<end>, model:{m.name}, suffix:{suffix}'")  # fmt: skip
        what = f"model '{m.name}' has no simulation with the suffix '{suffix}', the name of the data file"
        self.mistakes.add(line, what, nearest(suffix, [k.suffix for k in known]) or how)
        return None

    def add(
        self, m: ModelFile, text: str, line: int, simulation: Simulation | None, mutant: Condition | None = None
    ) -> None:
        """Add a data file or a constraint file."""
        file = self.conf.file(text)
        constraint = file.suffix.lower() in CONSTRAINTS
        old = self.plans.get((m.name, file.stem))
        if old is not None and constraint:
            self.plans[m.name, file.stem] = replace(old, constraints=(*old.constraints, file))
        elif old is not None and not old.data:
            self.plans[m.name, file.stem] = replace(old, data=(file,), line=line)
        elif old is not None:
            self.mistakes.add(line, f"'{text}' is given twice for the model '{m.name}'", "list it once")
        else:
            name = file.stem if all(p.name != file.stem for p in self.plans.values()) else f"{m.name}.{file.stem}"
            data, constraints = ((), (file,)) if constraint else ((file,), ())
            condition, before = self._conditions(m, file.stem, line, simulation, mutant)
            self.plans[m.name, file.stem] = Plan(name, line, m.name, data, constraints, condition, before, simulation)

    def _conditions(
        self, m: ModelFile, stem: str, line: int, simulation: Simulation | None, mutant: Condition | None
    ) -> tuple[Written | None, Written | None]:
        """What is changed in the simulation, and in its pre-equilibration; a mutant is another model in both."""
        first = mutant.perturbations if mutant else ()
        at = (m.path, simulation.line) if simulation and not mutant else (self.conf.path, line)

        def written(changes: tuple[Perturbation, ...]) -> Written:
            return Written(Condition(mutant.name if mutant else stem, (*first, *changes)), *at)

        own = simulation.perturbations if simulation else ()
        before = simulation.before if simulation else None
        return written(own) if first or own else None, None if before is None else written(before)


def _courses(conf: Conf, models: Mapping[str, ModelFile], mistakes: Mistakes) -> dict[str, list[Simulation]]:
    """``time_course`` and ``param_scan`` lines by model; without ``model:`` one is for every model."""
    out: dict[str, list[Simulation]] = {}
    for s in conf.assigned("time_course", "param_scan"):
        found = read_course(s, mistakes)
        if found is None:
            continue
        course, model = found
        named = list(models) if model is None else [named_model(model, models, s.line, s.key, mistakes)]
        for name in (n for n in named if n is not None):
            if any(c.suffix == course.suffix for c in out.setdefault(name, [])):
                mistakes.add(s.line, f"another {s.key} has the suffix '{course.suffix}'", "give each its own")
            out[name].append(course)
    return out


def _mutant(s: Statement, actions: _Actions, declared: Collection[str]) -> None:
    """``mutant = base name k1*2 k2=3 : d1name.exp``: the suffix of the simulation, then the mutant's name."""
    mistakes = actions.mistakes
    left, *right = split(s.value, ":")
    base, name, *_ = (*left.split(), "", "")
    changes = left.split(None, 2)[2] if len(left.split()) > 2 else ""
    items = [f"{a} {op} {b}" for a, op, b in _MUTATION.findall(changes)]
    if not name or not right or _MUTATION.sub("", changes).strip() or not items:
        mistakes.add(s.line, f"'mutant = {s.value}' is no mutant",
                     "type 'mutant = <model> <name> <id>*<value> : <suffix><name>.exp'")  # fmt: skip
        return
    model = named_model(base, actions.models, s.line, f"mutant '{name}'", mistakes)
    condition = Condition(name, read_perturbations(name, tuple(items), s.line, declared, mistakes))
    for text in split(":".join(right), ","):
        stem = Path(unquoted(text)).stem
        if text.lower() == "none" or model is None:
            continue
        if not stem.endswith(name) or stem == name:
            mistakes.add(s.line, f"data file '{text}' of mutant '{name}' is not named after it",
                         f"name it <suffix>{name}.exp, with the suffix of its simulation")  # fmt: skip
            continue
        m = actions.models[model]
        actions.add(m, text, s.line, actions.simulation(m, stem.removesuffix(name), s.line), condition)
