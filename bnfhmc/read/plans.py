"""Which simulations are compared with which data and constraints, under which conditions: ``experiment:`` records."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bnfhmc.errors import nearest
from bnfhmc.read.conditions import Written
from bnfhmc.read.keys import RECORDS
from bnfhmc.read.lines import NAME, Fields, Statement, fields, finite, unquoted, whole
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.models import ModelFile, named_model
from bnfhmc.read.record import Conf
from bnfhmc.read.simulations import MOST_ROWS, Kind, Simulation

CONSTRAINTS = (".con", ".prop")  # endings of constraint files

KINDS: Mapping[str, Kind] = {
    "time_course": "time_course", "timecourse": "time_course",
    "steady_state": "steady_state", "steadystate": "steady_state",
    "parameter_scan": "parameter_scan", "param_scan": "parameter_scan", "parameterscan": "parameter_scan",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Span:
    """What an ``experiment:`` record says of the rows it is run over; None where it says nothing."""

    kind: Kind | None = None
    t_start: float | None = None
    t_end: float | None = None
    n_steps: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """An experiment as written: its model, its data files (replicates), and what is changed in the model.

    ``model``: None where it cannot be told; ``constraints``: its constraint files; ``before``: the pre-equilibration;
    ``simulation``: edition 1's, which has its own rows and may set tolerances; ``span``: edition 2's; ``bindings``: the
    file of ``measurement_params``. A plan that is not whole comes with a mistake, and its data are read for theirs.
    """

    name: str
    line: int
    model: str | None
    data: tuple[Path, ...]
    constraints: tuple[Path, ...] = ()
    condition: Written | None = None
    before: Written | None = None
    simulation: Simulation | None = None
    span: Span = Span()
    bindings: Path | None = None

    @property
    def whose(self) -> str:
        """How mistakes call it."""
        return f"experiment '{self.name}'"

    @property
    def scan(self) -> str | None:
        """What it is known to scan before its data are read."""
        return self.simulation.quantity if self.simulation else None


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
        elif name in plans:
            mistakes.add(s.line, f"experiment '{name}' is given twice",
                         "list replicates as 'data: a.exp, b.exp' of one experiment")  # fmt: skip
        else:
            plans[name] = _plan(conf, s, name, said, models, conditions, mistakes)
    _refuse_changes(plans.values(), models, mistakes)
    return list(plans.values())


def _plan(
    conf: Conf,
    s: Statement,
    name: str,
    said: Fields,
    models: Mapping[str, ModelFile],
    conditions: Mapping[str, Written | None],
    mistakes: Mistakes,
) -> Plan:
    whose = f"experiment '{name}'"
    data = said.named.get("data", ())
    if not data:
        mistakes.add(s.line, f"{whose} has no data", f"type 'experiment: {name}, data: <file>.exp'")
    for text in dict.fromkeys(d for d in data if data.count(d) > 1):
        mistakes.add(s.line, f"{whose} lists '{text}' twice", "list each replicate once")
    files = tuple(map(conf.file, data))
    constraints = tuple(f for f in files if f.suffix.lower() in CONSTRAINTS)
    model = named_model(said.text("model"), models, s.line, whose, mistakes)
    condition, before = (
        _condition(s, f"{whose} is {how}", said.text(field), conditions, model, mistakes)
        for field, how in (("condition", "under"), ("preequilibrate", "pre-equilibrated under"))
    )
    sidecar = said.text("measurement_params")
    return Plan(
        name, s.line, model, tuple(f for f in files if f not in constraints), constraints, condition, before,
        span=_span(s, whose, said, mistakes), bindings=None if sidecar is None else conf.file(sidecar),
    )  # fmt: skip


def _span(s: Statement, whose: str, said: Fields, mistakes: Mistakes) -> Span:
    kind, method = said.text("type"), said.text("method")
    if kind is not None and kind.lower() not in KINDS:
        known = "type time_course, steady_state or parameter_scan"
        mistakes.add(s.line, f"{whose} has the unknown type '{kind}'", f"{nearest(kind, KINDS)} {known}".strip())
    if method is not None and method.lower() != "ode":
        what = f"{whose}: the method '{method}' has no gradient"
        mistakes.add(s.line, what, "type 'method: ode', or delete the field")
    numbers: dict[str, float | None] = {}
    for name, read, what in (("t_start", finite, "a time from 0 on"), ("t_end", finite, "a time after 0"),
                             ("n_steps", whole, f"a whole number below {MOST_ROWS:,}")):  # fmt: skip
        text = said.text(name)
        value = numbers[name] = None if text is None else read(text)
        low, high = {"t_start": (0, float("inf")), "t_end": (1e-300, float("inf")), "n_steps": (1, MOST_ROWS - 1)}[name]
        if text is not None and (value is None or not low <= value <= high):
            mistakes.add(s.line, f"{whose}: '{name}' takes {what}, got '{text}'")
            numbers[name] = None
    return Span(KINDS.get(kind.lower()) if kind else None, **numbers)


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
            f"{whose} the condition '{name}', which is not given",
            nearest(name, conditions) or f"add 'condition: {name}, perturbations: <id> = <value>'",
        )
        return None
    found = conditions[name]
    if found is not None and found.model is not None and model is not None:
        of = PurePosixPath(unquoted(found.model)).name
        if model not in (of, PurePosixPath(of).stem):
            subject = whose.partition(" is ")[0]
            mistakes.add(s.line, f"{subject} is of the model '{model}', its condition '{name}' of '{found.model}'",
                         "name the same model in both")  # fmt: skip
            return None
    return found


def _refuse_changes(plans: Iterable[Plan], models: Mapping[str, ModelFile], mistakes: Mistakes) -> None:
    """Actions of the model file that set something would act on every experiment; here none of them is run."""
    for m in (models[name] for name in dict.fromkeys(p.model for p in plans) if name is not None):
        for line, action in m.bngl.changes if m.bngl else ():
            mistakes.at(m.path).add(line, f"action '{action}' is not run for 'experiment:' lines",
                                    "put the change into a 'condition:' and delete the action")  # fmt: skip


def settable(plans: Collection[Plan], conditions: Iterable[Written | None]) -> set[str]:
    """The names that conditions change or read, and those that are scanned."""
    written = [*conditions, *(w for p in plans for w in (p.condition, p.before))]
    changes = [c for w in written if w is not None for c in w.condition.perturbations]
    return {n for c in changes for n in (c.target, *c.value.names)} | {p.scan for p in plans if p.scan}
