"""A problem → the files of PEtab 2, by their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from bnfhmc.expression import Call, Num, expression
from bnfhmc.problem import Problem
from bnfhmc.write.findings import Findings
from bnfhmc.write.formulas import number_text
from bnfhmc.write.models import model_copies
from bnfhmc.write.observables import Observable, grouped, observable_of
from bnfhmc.write.petab.courses import Course, Courses
from bnfhmc.write.petab.entities import entities_of
from bnfhmc.write.petab.ids import Ids
from bnfhmc.write.petab.noise import DISTRIBUTIONS
from bnfhmc.write.petab.parameters import COLUMNS, parameter_rows, prior_words
from bnfhmc.write.petab.unsaid import note_unsaid, refuse_unsayable
from bnfhmc.write.priors import start_of

MAIN = "problem.yaml"

Rows = list[list[str]]


def petab_files(
    problem: Problem, network_options: str | None, findings: Findings
) -> tuple[dict[str, bytes], Mapping[str, str]]:
    """The files of the problem in PEtab 2, `MAIN` among them, by their names; and the ids of its parameters.

    `network_options`: what its configuration says of generating networks. Raises InputError with everything that PEtab
    cannot say; what takes another form is a note.
    """
    refuse_unsayable(problem, findings)
    priors = prior_words(problem.parameters, findings)
    copies = model_copies(problem, {p.name: start_of(p) for p in problem.parameters}, network_options, findings)
    entities = entities_of(problem, copies, findings)
    findings.raise_any()
    courses = Courses.of(problem)
    ids = Ids.of(problem, entities, courses, findings)
    tables = _Tables(problem, ids)
    texts = {
        "parameters": _table(COLUMNS, parameter_rows(problem.parameters, priors, ids.parameters, findings)),
        **tables.of_experiments(list(courses.made(ids.renamed))),
        **tables.of_observables(),
    }
    if ids.mapping:
        texts["mapping"] = _table(("petabEntityId", "modelEntityId"), [[i, name] for name, i in ids.mapping.items()])
        findings.note("species whose names are no PEtab ids stand in the mapping table")
    findings.raise_any()
    note_unsaid(problem, findings)
    models = {e.copy.name: {"location": e.copy.file, "language": e.language} for e in entities.values()}
    listed: dict[str, object] = {"format_version": "2.0.0", "model_files": models}
    listed |= {f"{kind.removesuffix('s')}_files": [f"{kind}.tsv"] for kind in texts}
    files = {MAIN: yaml.safe_dump(listed, sort_keys=False).encode()}
    files |= {f"{kind}.tsv": text.encode() for kind, text in texts.items()}
    return files | {e.copy.file: e.copy.content for e in entities.values()}, ids.parameters


def _table(columns: tuple[str, ...], rows: Rows) -> str:
    """The table as tab-separated lines, without the columns that say nothing and may be left out."""
    always = ("conditionId", "experimentId")
    kept = [k for k, name in enumerate(columns) if name in always or any(row[k] for row in rows)]
    return "".join("\t".join(row[k] for k in kept) + "\n" for row in [list(columns), *rows])


@dataclass(slots=True)
class _Tables:
    """Makes the tables of experiments, conditions, observables and measurements; ``runs``: by experiment and row of a scan."""

    problem: Problem
    ids: Ids
    runs: dict[tuple[int, int | None], tuple[str, Course]] = field(default_factory=dict)

    def of_experiments(self, courses: list[Course]) -> dict[str, str]:
        """The tables of experiments and conditions; a condition that sets the same as another is that one."""
        self.runs = {(c.experiment, c.row): (self.ids.names.new(c.name, "e_"), c) for c in courses}
        conditions: dict[tuple[tuple[str, str], ...], str] = {}
        rows = []
        for name, course in self.runs.values():
            model = self.problem.experiments[course.experiment].model
            for period in course.periods:
                changes = tuple((self.ids.target(model, q), self.ids.value(v)) for q, v in period.changes.items())
                if changes and changes not in conditions:
                    conditions[changes] = self.ids.names.new(period.name, "c_")
                rows.append([name, number_text(period.time), conditions.get(changes, "")])
        out = {"experiments": _table(("experimentId", "time", "conditionId"), rows)}
        if conditions:
            changed = [[name, target, value] for changes, name in conditions.items() for target, value in changes]
            out["conditions"] = _table(("conditionId", "targetId", "targetValue"), changed)
        return out

    def of_observables(self) -> dict[str, str]:
        """The tables of observables and of measurements, the latter in the order of the problem."""
        rows, place = [], dict[int, tuple[Observable, int]]()
        for name, members in grouped(self.problem):
            o = observable_of(self.ids.names.new(name, "obs_"), members, self.problem)
            rows.append(self._observable(o))
            place |= {id(s): (o, k) for k, (_, s) in enumerate(o.members)}
        columns = ("observableId", "observableFormula", "noiseFormula", "noiseDistribution", "observablePlaceholders",
                   "noisePlaceholders")  # fmt: skip
        measured = ("modelId", "observableId", "experimentId", "time", "measurement", "observableParameters", "noiseParameters")
        return {"observables": _table(columns, rows), "measurements": _table(measured, list(self._measurements(place)))}

    def _observable(self, o: Observable) -> list[str]:
        model = self.problem.experiments[o.members[0][0]].model
        word, factor = DISTRIBUTIONS[type(o.noise)]
        (width,) = o.sources.values()
        formula = self.ids.formula(model, o.formula, o.placeholders)
        if (constant := width.constant) is not None:
            noise = number_text(factor * constant)
        else:
            width = width if factor == 1.0 else expression(Call("*", (Num(factor), width.node)))
            noise = self.ids.formula(model, width, o.placeholders, of_noise=True)
        return [o.name, formula, noise, word, ";".join(o.in_formula), ";".join(o.in_noise)]

    def _measurements(self, place: Mapping[int, tuple[Observable, int]]) -> Iterator[list[str]]:
        several = len(self.problem.models) > 1
        for i, e in enumerate(self.problem.experiments):
            model = self.ids.entities[e.model].copy.name if several else ""
            for s in e.series:
                o, member = place[id(s)]
                for n, (t, value) in enumerate(zip(s.time_index.tolist(), s.observed.tolist(), strict=True)):
                    run, course = self.runs[i, None if e.scan is None else t]
                    time = float(e.times[t]) if course.read_at is None else course.read_at
                    said = [";".join(self._token(h.token(member, n)) for h in holes.values())
                            for holes in (o.in_formula, o.in_noise)]  # fmt: skip
                    yield [model, o.name, run, number_text(time), number_text(value), *said]

    def _token(self, token: float | str) -> str:
        return self.ids.parameters[token] if isinstance(token, str) else number_text(token)


