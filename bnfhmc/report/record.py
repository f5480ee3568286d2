"""What a run.json has to be made of, so that whoever reads one may rely on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError


class _Phase(BaseModel):
    gradients: int = 0
    failed_solves: dict[str, int] = {}
    seconds: float = 0.0


class _Counts(BaseModel):
    starting: list[_Phase] = []
    warmup: list[_Phase] = []
    sampling: list[_Phase] = []
    step_size: list[float | None] = []


class _Verdict(BaseModel):
    converged: bool | None = None
    sentence: str = ""


class _Result(BaseModel):
    sentences: list[str] = []


class _Record(BaseModel):
    versions: dict[str, str | None] = {}
    configuration: dict[str, Any] = {}
    counts: _Counts = _Counts()
    verdict: _Verdict = _Verdict()
    result: _Result = _Result()
    summary: dict[str, dict[str, float | None]] = {}
    fit: dict[str, Any] = {}
    merged_from: list[str] = []


def misshapen(record: Mapping[str, Any]) -> str:
    """Where a run.json is not made as one is, such as ``counts.sampling.0``; empty where it is."""
    try:
        _Record.model_validate(dict(record))
    except ValidationError as error:
        return ", ".join(dict.fromkeys(".".join(map(str, e["loc"])) for e in error.errors()))
    return ""
