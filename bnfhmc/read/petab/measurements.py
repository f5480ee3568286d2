"""Measurement tables → measurements, each with the course of conditions it was taken in."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bnfhmc.errors import nearest
from bnfhmc.expression import Expression, Name, Num, expression
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.petab.config import Part
from bnfhmc.read.petab.records import MeasurementRecord, ObservableRecord
from bnfhmc.read.petab.tables import ID, Row, Rows, number, read_table

Course = Callable[[Row, Rows], str | None]  # the key of the course that a row names; None, and a mistake, where it is none

_REQUIRED: Mapping[int, tuple[str, ...]] = {
    1: ("observableId", "simulationConditionId", "measurement", "time"),
    2: ("observableId", "experimentId", "measurement", "time"),
}
_KNOWN: Mapping[int, tuple[str, ...]] = {
    1: ("preequilibrationConditionId", "observableParameters", "noiseParameters", "datasetId", "replicateId"),
    2: ("modelId", "observableParameters", "noiseParameters", "datasetId", "replicateId"),
}


class MeasurementReader:
    """Reads the measurements of a part; ``start``: how many rows the parts before it have."""

    def __init__(
        self, part: Part, version: int, observables: Mapping[str, ObservableRecord], course: Course, start: int,
        mistakes: Mistakes,
    ):  # fmt: skip
        self.part, self.version, self.observables, self.course = part, version, observables, course
        self.mistakes, self.rows, self.count = mistakes, Rows(mistakes), start

    def read(self) -> tuple[MeasurementRecord, ...]:
        """All the rows that are right, in their order; ``count`` is then the number of rows so far."""
        out = []
        for file in self.part.tables["measurement_files"]:
            table = read_table(file.path, self.mistakes, file.line, _REQUIRED[self.version], _KNOWN[self.version])
            for row in table.rows if table is not None else ():
                record = self._record(row, self.count)
                self.count += 1
                if record is not None:
                    out.append(record)
        if not out and not self.mistakes.found:
            self.mistakes.add(None, "the measurement tables have no row", "add one for each measurement")
        return tuple(out)

    def _record(self, row: Row, index: int) -> MeasurementRecord | None:
        rows = self.rows
        course, model = self.course(row, rows), self._model(row)
        time, value = rows.number(row, "time", finite=False), rows.number(row, "measurement")
        observable = self._observable(row)
        if time is not None and (time == float("-inf") or (self.version == 1 and time < 0)):
            rows.wrong(row, f"a measurement at time {time:g}", "type a time from 0 on, or inf for a steady state", kind="time")
            time = None
        if observable is None:
            return None
        overrides = self._overrides(row, "observableParameters", observable.name, observable.placeholders)
        noise_overrides = self._overrides(row, "noiseParameters", observable.name, observable.noise_placeholders)
        if value is not None and value <= 0 and observable.scale != "lin":
            rows.wrong(row, f"measurement {value:g} of '{observable.name}', whose noise is on a logarithmic scale",
                       "type a positive number, or change the noise", kind="not positive")  # fmt: skip
        if None in (course, model, time, value, overrides, noise_overrides):
            return None
        return MeasurementRecord(
            index, row, str(model), str(course), observable.name, float(time or 0.0), float(value or 0.0), overrides or (),
            noise_overrides or (),
        )  # fmt: skip

    def _model(self, row: Row) -> str | None:
        """The model that a row names, or the only one."""
        names, said = [m.name for m in self.part.models], row.get("modelId") if self.version == 2 else ""
        if said in names or (not said and len(names) == 1):
            return said or names[0]
        if said:
            self.rows.wrong(row, f"modelId '{said}' is no model of the problem", nearest(said, names), kind=f"modelId {said}")
        elif names:
            self.rows.wrong(row, f"modelId is empty, and there are {len(names)} models", f"type one of {', '.join(names)}",
                            kind="modelId")  # fmt: skip
        return None

    def _observable(self, row: Row) -> ObservableRecord | None:
        name = row.get("observableId")
        if name in self.observables:
            return self.observables[name]
        if not name or self.observables:
            said = f"observableId '{name}' is not in the observable table" if name else "observableId is empty"
            self.rows.wrong(row, said, nearest(name, self.observables), kind=f"observable {name}")
        return None

    def _overrides(
        self, row: Row, column: str, observable: str, placeholders: tuple[str, ...]
    ) -> tuple[Expression, ...] | None:
        """What a measurement fills in for an observable's placeholders."""
        text = row.get(column)
        parts = [p.strip() for p in text.split(";")] if text else []
        if len(parts) != len(placeholders):
            takes = f"it takes {len(placeholders)}: {'; '.join(placeholders)}" if placeholders else "it takes none"
            self.rows.wrong(row, f"{column} '{text}' gives '{observable}' {len(parts)} values", takes,
                            kind=f"{column} {observable}")  # fmt: skip
            return None
        out = [_override(p) for p in parts]
        for part, said in zip(parts, out, strict=True):
            if said is None:
                self.rows.wrong(row, f"{column}: '{part}' is no finite number and no identifier",
                                "type numbers and parameters, with semicolons between", kind=column)  # fmt: skip
        return None if None in out else tuple(o for o in out if o is not None)


def _override(text: str) -> Expression | None:
    value = number(text)
    if value is not None:
        return None if value in (float("inf"), float("-inf")) else expression(Num(value))
    return expression(Name(text)) if ID.fullmatch(text) else None
