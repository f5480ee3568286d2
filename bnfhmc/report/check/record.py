"""A check as one JSON object, for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from bnfhmc.errors import FailedSolve, GradientMismatch, InputError, MissingTool, Mistake
from bnfhmc.report.check.examine import Findings, Section
from bnfhmc.report.check.trial import Point
from bnfhmc.report.folder import PROGRAM
from bnfhmc.report.run_json import plain

# What ended a check → the word that stands for it; anything else is an "error".
STATUS: Mapping[type[Exception], str] = {
    InputError: "bad input",
    MissingTool: "missing tool",
    GradientMismatch: "gradient mismatch",
    FailedSolve: "no finite point",
}


def examined(own: str, sections: Callable[[], Iterable[Section]]) -> tuple[dict[str, Any], Exception | None]:
    """The record of a check, and what ended it; the sections that came before are in the record.

    own: this program's version. sections: reads the problem and examines it.
    """
    record: dict[str, Any] = {"program": PROGRAM, "version": own, "status": "ok", "errors": []}
    try:
        for section in sections():
            _add(record, section)
    except Exception as error:
        record["status"] = next((word for kind, word in STATUS.items() if isinstance(error, kind)), "error")
        mistakes = error.mistakes if isinstance(error, InputError) else (Mistake(str(error) or type(error).__name__),)
        record["errors"] = [plain({**asdict(m), "path": m.path and str(m.path)}) for m in mistakes]
        return record, error
    return record, None


def to_json(record: Mapping[str, Any]) -> str:
    """Strict JSON in ASCII, which no terminal's encoding can break."""
    return json.dumps(record, indent=2, allow_nan=False)


def _add(record: dict[str, Any], section: Section) -> None:
    if isinstance(section, Findings):
        record[section.key] = list(section.sentences)
    elif isinstance(section, Point):
        record.setdefault(section.key, []).append(plain(asdict(section)))
    else:
        record[section.key] = plain(asdict(section))
