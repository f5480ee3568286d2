"""Model files → `Network`, by suffix."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import signal
import tempfile
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from bnfhmc.errors import InputError, MissingTool, Mistake
from bnfhmc.expression import Expression, ExpressionError, expression, parse, substitute
from bnfhmc.model.bngl import (
    definitions,
    for_network,
    undefined_free_names,
    with_numbers,
    with_parameters,
    without_comments,
)
from bnfhmc.model.limits import TIMEOUT_S, Tolerances
from bnfhmc.model.network import Network, open_network

SUFFIXES = (".bngl", ".net", ".xml", ".sbml", ".ant")


def load_model(
    path: Path,
    *,
    name: str,
    free: Mapping[str, float] | None = None,
    settable: Collection[str] = (),
    generate_network: str | None = None,
    rtol: float = 1e-8,
    atol: float = 1e-8,
    timeout_s: float = TIMEOUT_S,
    gradient_rtol: float | None = None,
    gradient_atol: float | None = None,
    sensitivity_error_control: bool = True,
    sensitivity_method: Literal["staggered", "simultaneous"] = "simultaneous",
) -> Network:
    """Read a model file.

    ``free``: the configuration's free parameters with a value each; those a .bngl uses as undefined ``x__FREE`` names are
    added to its parameters block. ``settable``: names the configuration sets or fits; those that a .bngl or .net computes
    from other parameters become parameters of their own, with the file's expression as what they are otherwise.
    ``generate_network``: BNG2.pl options that replace the file's actions. ``timeout_s``: seconds a single solve may take.
    ``gradient_rtol`` and what follows: see `bnfhmc.model.limits.Tolerances`. Raises InputError for a file that cannot be
    read and MissingTool for what BNGL or Antimony need and the machine lacks.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(Mistake(f"'{path.name}' is no model file", f"known are {', '.join(SUFFIXES)}", path))
    if not path.is_file():
        raise InputError(Mistake("model file not found", "", path))
    if suffix == ".ant" and find_spec("antimony") is None:
        raise MissingTool(f"{path}: Antimony models need the package antimony: pip install 'bnfhmc[antimony]'")
    tolerances = Tolerances(rtol, atol, gradient_rtol, gradient_atol, sensitivity_error_control, sensitivity_method)
    if suffix not in (".bngl", ".net"):
        return open_network(path, name, tolerances, timeout_s)
    if suffix == ".bngl":
        _need_bionetgen(path)
    text = _read_text(path)
    _refuse_rate_laws(path, text)
    changed = _completed(path, text, dict(free or {}), generate_network) if suffix == ".bngl" else text
    with _signals_kept():
        network = _open_text(path, changed, text, name, tolerances, timeout_s)
        derived = _derived(path, changed, set(settable), network)
        if not derived:
            return network
        numbers = {n: network.source.get_param(n) for n in derived}
        made = _open_text(path, with_numbers(changed, numbers), text, name, tolerances, timeout_s)
    return replace(made, derived=derived)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(Mistake(f"not a text file in UTF-8 ({error.reason} at byte {error.start})", "", path)) from error


def _refuse_rate_laws(path: Path, text: str) -> None:
    """bngsim 0.16 leaves out reactions with the rate laws Sat and Hill when it compiles a model, and says nothing."""
    laws = _NET_LAW if path.suffix.lower() == ".net" else _BNGL_LAW
    body = without_comments(text)
    found = [(body.count("\n", 0, m.start("law")) + 1, m.group("law")) for m in laws.finditer(body)]
    if found:
        hint = "write it as a function, such as v() = Vmax*S/(Km + S)"
        raise InputError(Mistake(f"the rate law {law} is not supported", hint, path, line) for line, law in found)


def _completed(path: Path, text: str, free: dict[str, float], options: str | None) -> str:
    """What BNG2.pl gets of a .bngl text: its model, with the free names it leaves undefined, and one generate_network."""
    if not re.search(r"(?mi)^\s*begin\s", text):
        raise InputError(Mistake("this is no BNGL: it has no 'begin … end' block", "", path))
    undefined = undefined_free_names(text)
    if unknown := sorted(undefined - free.keys()):
        raise InputError(
            Mistake(f"'{n}' has no value", f"declare it in the configuration as a parameter named '{n}'", path)
            for n in unknown
        )
    try:
        return for_network(with_parameters(text, {n: free[n] for n in sorted(undefined)}), options)
    except ValueError as error:
        raise InputError(Mistake(str(error), "", path)) from error


def _open_text(
    path: Path, text: str, original: str, name: str, tolerances: Tolerances, timeout_s: float
) -> Network:
    """The network of a text that stands for `path`, of which `original` is the content."""
    if text == original:
        return open_network(path, name, tolerances, timeout_s)
    changed = Path(tempfile.mkdtemp(dir=_session())) / path.name
    changed.write_text(text, encoding="utf-8")
    try:
        return replace(open_network(changed, name, tolerances, timeout_s), path=path)
    except InputError as error:  # name the user's file, not the changed copy
        said = (Mistake(_COPY.sub(lambda _: str(path), m.what), m.hint, path) for m in error.mistakes)
        raise InputError(said) from error


@cache
def _session() -> str:
    """A folder for changed copies, which are compiled when they are first solved; it goes when the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="bnfhmc_")
    atexit.register(folder.cleanup)
    return folder.name


def _derived(path: Path, text: str, settable: set[str], network: Network) -> dict[str, Expression]:
    """Parameters among `settable` that the text computes from others, as expressions of independent ones."""
    defined = definitions(text)
    computed = {n for n in settable & defined.keys() if n not in network.quantities}
    out = {}
    for name in sorted(computed):
        try:
            node, seen = parse(defined[name]).node, {name}
            while inner := {n for n in expression(node).names if n not in network.quantities and n not in computed}:
                if inner & seen or not inner <= defined.keys():
                    raise ExpressionError(f"it reads {', '.join(sorted(inner))}, which is no parameter")
                seen |= inner
                node = substitute(node, {n: parse(defined[n]).node for n in inner})
        except ExpressionError as error:
            what = f"parameter '{name}' = {defined[name]} cannot be set: {error}"
            raise InputError(Mistake(what, "set the parameters it is computed from", path)) from error
        out[name] = expression(node)
    return out


_COPY = re.compile(r"\S*(?:bnfhmc_|bngsim-bngl)\S*")  # paths of temporary copies, ours and bngsim's

_NET_LAW = re.compile(r"^[ \t]*\d+[ \t]+[\d,]+[ \t]+[\d,]+[ \t]+(?P<law>Sat|Hill)\b", re.MULTILINE)
_BNGL_LAW = re.compile(r"(?<![\w.])(?P<law>Sat|Hill)\s*\(")

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Leave Ctrl-C and its kin as they were: bionetgen, once imported, takes them."""
    here = threading.current_thread() is threading.main_thread()
    kept = {number: signal.getsignal(number) for number in _SIGNALS} if here else {}
    try:
        yield
    finally:
        for number, taken in kept.items():
            signal.signal(number, signal.SIG_DFL if taken is None else taken)


def _need_bionetgen(path: Path) -> None:
    missing = []
    pointed = os.environ.get("BNG2_PL") or os.environ.get("BNGPATH") or shutil.which("BNG2.pl")
    if not pointed and find_spec("bionetgen") is None:
        missing.append("BioNetGen: pip install 'bnfhmc[bngl]'")
    if shutil.which("perl") is None:
        missing.append("perl: 'apt-get install perl' (Debian), 'dnf install perl' (Fedora) or 'brew install perl' (macOS)")
    if missing:
        raise MissingTool(f"{path}: .bngl models need {' and '.join(missing)}")
