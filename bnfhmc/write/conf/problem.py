"""A problem → a configuration of edition 2 with its data and model files, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from bnfhmc.model.limits import Tolerances
from bnfhmc.problem import Experiment, Problem
from bnfhmc.write.conf.conditions import Conditions
from bnfhmc.write.conf.data import data_files
from bnfhmc.write.conf.observables import Column, columns, resolved
from bnfhmc.write.conf.parameters import parameter_line
from bnfhmc.write.findings import Findings
from bnfhmc.write.formulas import number_text
from bnfhmc.write.models import ModelCopy, model_copies
from bnfhmc.write.names import Names
from bnfhmc.write.priors import start_of

MAIN = "fit.conf"
T_MAX = 1e6
# key of a configuration → field of Settings
SETTINGS = {"population_size": "chains", "num_warmup": "num_warmup", "num_samples": "num_samples",
            "target_accept": "target_accept"}  # fmt: skip


def conf_files(problem: Problem, findings: Findings) -> dict[str, bytes]:
    """The files of the problem as a configuration, `MAIN` among them, by their names.

    Raises InputError with everything that a configuration cannot say; what takes another form is a note.
    """
    _refuse_unsayable(problem, findings)
    copies = model_copies(problem, {p.name: start_of(p) for p in problem.parameters}, None, findings)
    findings.raise_any()
    said = resolved(problem)
    names = Names()
    names.take([*said.names, *(n for m in said.models.values() for n in (*m.quantities, *m.outputs))])
    by_series: dict[int, tuple[Column, int]] = {}
    observables = list[str]()
    for column, lines in columns(said, names, findings):
        observables += lines
        by_series |= {id(s): (column, k) for k, (_, s) in enumerate(column.observable.members)}
    writer = _Experiments(said, names, Conditions(said, names, findings), by_series, copies)
    experiments = [writer.line(e) for e in said.experiments if e.series]
    parameters = [parameter_line(p, findings) for p in said.parameters]
    findings.raise_any()
    models = [_model_line(said, key, copy) for key, copy in copies.items()]
    blocks = [_settings_lines(said), models, parameters, observables, writer.conditions.lines, experiments]
    text = "\n".join("".join(f"{line}\n" for line in block) for block in blocks if block)
    texts = {MAIN: text, **writer.files}
    return {name: t.encode() for name, t in texts.items()} | {c.file: c.content for c in copies.values()}


@dataclass(slots=True)
class _Experiments:
    """Makes the ``experiment:`` lines, and their ``files``."""

    problem: Problem
    names: Names
    conditions: Conditions
    by_series: Mapping[int, tuple[Column, int]]
    copies: Mapping[str, ModelCopy]
    files: dict[str, str] = field(default_factory=dict)

    def line(self, e: Experiment) -> str:
        """The line of one experiment; its data files are added."""
        name = self.names.new(e.name, "e_")
        made = data_files(e, self.by_series)
        tables = [f"{name if r == 0 else self.names.new(f'{name}_{r + 1}')}.exp" for r in range(len(made.tables))]
        self.files |= dict(zip(tables, made.tables, strict=True))
        before, condition = self.conditions.of(e)
        said = [f"experiment: {name}", f"data: {', '.join(tables)}"]
        said += [f"preequilibrate: {before}"] if before is not None else []
        said += [f"condition: {condition}"] if condition is not None else []
        said += [f"model: {self.copies[e.model].file}"] if len(self.copies) > 1 else []
        if e.t_max != T_MAX and np.isinf(e.times[0]):
            said.append(f"t_end: {number_text(e.t_max)}")
        if made.params:
            file = f"{self.names.new(f'{name}_params')}.tsv"
            self.files[file] = made.params
            said.append(f"measurement_params: {file}")
        return ", ".join(said)


def _model_line(problem: Problem, key: str, copy: ModelCopy) -> str:
    model = problem.models[key]
    tolerances = getattr(model, "tolerances", None) or Tolerances(model.rtol)
    return f"model: {copy.file}{_told(tolerances)}"


def _told(tolerances: Tolerances) -> str:
    """The fields of a model's line that say how it is solved, as far as that is not how every model is."""
    usual, now = Tolerances(), tolerances
    out = [("rtol", now.rtol), ("atol", now.atol)] if (now.rtol, now.atol) != (usual.rtol, usual.atol) else []
    out += [(n, x) for n, x in (("gradient_rtol", now.gradient_rtol), ("gradient_atol", now.gradient_atol)) if x is not None]
    told = [f"{name}: {value!r}" for name, value in out]
    told += [] if now.error_control else ["sensitivity_error_control: off"]
    told += [] if now.method == usual.method else [f"sensitivity_method: {now.method}"]
    return "".join(f", {field}" for field in told)


def _settings_lines(problem: Problem) -> list[str]:
    settings = problem.settings
    lines = ["edition = 2", f"fit_type = {settings.method}"]
    lines += [f"{key} = {getattr(settings, name)}" for key, name in SETTINGS.items()]
    if settings.random_seed is not None:
        lines.append(f"random_seed = {settings.random_seed}")
    if settings.axis_units:
        lines.append("axis_units = " + ", ".join(f"{name} = {unit}" for name, unit in settings.axis_units.items()))
    return lines


def _refuse_unsayable(problem: Problem, findings: Findings) -> None:
    """Say all that a configuration has no word for, or that no PEtab problem has."""
    for e in problem.experiments:
        whose = f"experiment '{e.name}'"
        if e.later:
            times = ", ".join(f"{p.time:g}" for p in e.later)
            findings.refuse(f"{whose}: conditions that take effect later (at {times}) have no word in a configuration",
                            "write the change into the model as an event")  # fmt: skip
        if e.scan is None and e.times[0] != 0 and np.isfinite(e.times[0]):
            findings.refuse(f"{whose} starts at time {e.times[0]:g}, and a configuration's at 0", "shift the times")
        if e.scan is not None or e.constraints or any(s.transforms for s in e.series):
            findings.refuse(f"{whose} is a scan, or has constraints or transforms, which are not written")
        if e.t_max != T_MAX and np.isfinite(e.times[-1]):
            findings.note(f"by when a pre-equilibration has to be at rest has no word in a configuration; it is {T_MAX:g}")
    if problem.target is not None:
        findings.refuse("an objective without a model is not written")
