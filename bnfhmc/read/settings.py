"""How to run, from a configuration's keys."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from bnfhmc.errors import nearest
from bnfhmc.problem import Experiment, Settings
from bnfhmc.read.keys import METHODS, OTHER_METHODS, SETTINGS
from bnfhmc.read.lines import Statement, finite, unquoted, whole
from bnfhmc.read.mistakes import Mistakes
from bnfhmc.read.models import MOVING
from bnfhmc.read.optimization import PROFILES, SAMPLERS, read_optimization, refuse_misplaced
from bnfhmc.read.record import Conf
from bnfhmc.samplers.methods import TUNED_BY_USER, misplaced

STARTS = ("prior", "map")  # any other start is a file

def _named_units(text: str) -> dict[str, str] | None:
    """``time = min, Bound = nM`` → {name: unit}; None for what is of another form."""
    pairs = [[unquoted(side.strip()) for side in part.split("=", 1)] for part in text.split(",")]
    if any(len(pair) != 2 or not all(pair) for pair in pairs) or len({pair[0] for pair in pairs}) < len(pairs):
        return None
    return {name: unit for name, unit in pairs}


_READ = {"whole number": whole, "number": finite, "word": lambda text: text.lower(), "text": unquoted,
         "list of NAME = UNIT, …": _named_units}  # fmt: skip


def read_settings(conf: Conf, mistakes: Mistakes) -> Settings:
    """The run that a configuration asks for; the defaults where something is wrong with it.

    ``output_dir`` is left as written, so that a relative one is resolved where the command runs.
    """
    methods = _methods(conf, mistakes)
    values: dict[str, object] = {"method": methods[0], "then": methods[1:]}
    said: dict[str, Statement] = {}
    for key, (name, kind) in SETTINGS.items():
        s = conf.one(key)
        if s is None:
            continue
        value = unquoted(s.value) if kind == "path" else str(conf.file(s.value)) if kind == "file" else _READ[kind](s.value)
        if key == "start" and s.value.lower() in STARTS:
            value = s.value.lower()
        if value is None and key == "sbml_atol" and s.value.split()[0].lower() in MOVING:
            mistakes.add(s.line, f"'{key} = {s.value}' would change with the state; here a tolerance is one number a model",
                         f"type {key} = 1e-8")  # fmt: skip
        elif value is None:
            mistakes.add(s.line, f"'{key}' takes a {kind}, got '{s.value}'")
        else:
            values[name], said[name] = value, s
    refuse_misplaced(conf, methods, said, mistakes)
    values["optimization"] = read_optimization(conf, methods, mistakes)
    wrong = misplaced(methods[-1], values) if methods[-1] in SAMPLERS else {}
    if "target_accept" in said and methods[-1] in SAMPLERS and methods[-1] not in (*TUNED_BY_USER, "auto"):
        wrong["target_accept"] = f"belongs to {' and '.join(sorted(TUNED_BY_USER))}"
    for name, why in wrong.items():
        s = said[name]
        mistakes.add(s.line, f"'{s.key} = {s.value}' {why}", "delete the line")
    if (values.get("executor") == "dask") != ("scheduler" in values) and said.keys() & {"executor", "scheduler"}:
        s = said.get("executor") or said["scheduler"]
        hint = "type both 'executor = dask' and 'scheduler = <address>'"
        mistakes.add(s.line, f"'{s.key} = {s.value}' says half of it", hint)
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        for e in error.errors():
            s = said[str(e["loc"][0])]
            mistakes.add(s.line, f"'{s.key} = {s.value}': {e['msg'].replace('Input should', 'it should')}")
        return Settings()


def check_units(conf: Conf, settings: Settings, experiments: Sequence[Experiment], mistakes: Mistakes) -> None:
    """Refuse a unit of what is on no axis."""
    s = conf.one("axis_units")
    on_axes = {"time", *(e.scan.quantity for e in experiments if e.scan is not None)}
    on_axes |= {series.name for e in experiments for series in e.series}
    for name in settings.axis_units if s is not None else ():
        if name not in on_axes:
            hint = nearest(name, on_axes) or f"there are {', '.join(sorted(on_axes))}"
            mistakes.add(s.line if s is not None else None, f"'axis_units' names '{name}', which is on no axis", hint)


def read_timeout(conf: Conf, mistakes: Mistakes) -> float | None:
    """Seconds one solve may take, where the configuration says so (``wall_time_sim``)."""
    s = conf.one("wall_time_sim")
    if s is None:
        return None
    seconds = finite(s.value)
    if seconds is None or seconds <= 0:
        mistakes.add(s.line, f"'wall_time_sim' takes the seconds that one solve may take, got '{s.value}'",
                     "type a positive number, or delete the line")  # fmt: skip
        return None
    return seconds


def _methods(conf: Conf, mistakes: Mistakes) -> tuple[str, ...]:
    """What runs, in order: ``fit_type = nuts``, or a chain ``fit_type = map, nuts``, of which only the last may sample."""
    s = conf.one("fit_type", "job_type")
    if s is None:
        mistakes.add(None, "no fit_type says what to run", "type 'fit_type = nuts'")
        return ("nuts",)
    before = len(mistakes.found)
    found = tuple(_method(s, word.lower(), mistakes) for word in s.items)
    if len(mistakes.found) > before:
        return found[:1]
    early = [m for m in found[:-1] if m in SAMPLERS or m == PROFILES]
    if early:
        mistakes.add(s.line, f"'{s.key} = {s.value}': {early[0]} leads to no best point that the next method could start from",
                     f"put {early[0]} last")  # fmt: skip
    return found


def _method(s: Statement, word: str, mistakes: Mistakes) -> str:
    known = f"type '{s.key} = nuts'"
    if word in METHODS:
        return METHODS[word]
    said = s.value if len(s.items) == 1 else word
    if word in OTHER_METHODS:
        mistakes.add(s.line, f"'{s.key} = {said}' ({OTHER_METHODS[word]}) is not run here", known)
    else:
        close = nearest(word, METHODS)
        mistakes.add(s.line, f"unknown {s.key} '{said}'", f"{close} {known}".strip())
    return "nuts"
