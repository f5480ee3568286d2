"""What this computer has of what bnfhmc needs, each with the command that installs it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bnfhmc.cores import usable_cores
from bnfhmc.report.check import words
from bnfhmc.report.text import print_table, printable

if TYPE_CHECKING:
    from rich.console import Console

NEEDED = (
    "numpy", "scipy", "bngsim", "jax", "blackjax", "arviz", "h5netcdf", "matplotlib", "pydantic", "typer", "rich", "jinja2",
)  # fmt: skip
OPTIONAL = {
    "bionetgen": "pip install 'bnfhmc[bngl]', for .bngl models",
    "antimony": "pip install 'bnfhmc[antimony]', for .ant models",
    "petab": "pip install petab, for PEtab problems",
}
INSTALL = "'apt-get install {}' (Debian), 'dnf install {}' (Fedora) or 'brew install {}' (macOS)"
LEAST_FREE = 200e6  # bytes in the folder of temporary files

# A decay, in both of the languages that need a tool: compiled and differentiated it proves the tool.
NET = """begin parameters
    1 k 0.5
end parameters
begin species
    1 A() 10
end species
begin reactions
    1 1 0 k
end reactions
begin groups
    1 A 1
end groups
"""
BNGL = """begin model
begin parameters
    k 0.5
end parameters
begin molecule types
    A()
end molecule types
begin seed species
    A() 10
end seed species
begin observables
    Molecules A A()
end observables
begin reaction rules
    A() -> 0 k
end reaction rules
end model
"""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: ``ok`` is None where it is missing but not needed by everybody; ``advice``: what to type."""

    name: str
    ok: bool | None
    said: str
    advice: str = ""


def examine() -> Iterator[Check]:
    """Every check, each as soon as it is known."""
    for check in CHECKS:
        yield from check()


def healthy(checks: list[Check]) -> bool:
    """Whether everything that is needed is there."""
    return all(c.ok is not False for c in checks)


def to_record(checks: list[Check]) -> dict[str, Any]:
    """The checks for programs."""
    return {"healthy": healthy(checks), "checks": [asdict(c) for c in checks]}


def print_checks(console: Console, checks: list[Check]) -> None:
    """One line a check."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    table = Table("", "what", "found", "to do", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for c in checks:
        mark = {True: "ok", None: "–", False: "missing"}[c.ok]
        table.add_row(mark, *(escape(printable(text)) for text in (c.name, c.said, "" if c.ok else c.advice)))
    print_table(console, table)


def _python() -> Iterator[Check]:
    said = f"{platform.python_version()} at {sys.executable}"
    yield Check("Python", sys.version_info >= (3, 11), said, "install Python 3.11")
    yield Check("system", True, f"{platform.system()} {platform.machine()}, {words.many(usable_cores(), 'core')} to use")


def _packages() -> Iterator[Check]:
    for name in NEEDED:
        found = _version(name)
        yield Check(name, found is not None, found or "not installed", f"pip install {name}")
    for name, advice in OPTIONAL.items():
        found = _version(name)
        yield Check(name, True if found else None, found or "not installed", advice)


def _tools() -> Iterator[Check]:
    compiler = os.environ.get("CC") or "cc"
    found = shutil.which(compiler.split()[0])
    yield Check("C compiler", found is not None, found or f"'{compiler}' is not on the PATH", "install gcc: " + _install("gcc"))
    perl = shutil.which("perl")
    yield Check("perl", True if perl else None, perl or "not on the PATH", "for .bngl models: " + _install("perl"))
    pointed = os.environ.get("BNG2_PL") or os.environ.get("BNGPATH") or shutil.which("BNG2.pl")
    where = pointed or ("in the package bionetgen" if find_spec("bionetgen") else None)
    yield Check("BNG2.pl", True if where else None, where or "not found", "for .bngl models: pip install 'bnfhmc[bngl]'")


def _folders() -> Iterator[Check]:
    temporary = Path(tempfile.gettempdir())
    free = shutil.disk_usage(temporary).free
    said = f"{temporary}, {free / 1e9:.1f} GB free"
    writable = os.access(temporary, os.W_OK)
    yield Check("temporary files", writable and free > LEAST_FREE, said, "free some space, or set TMPDIR to another folder")
    for name, default in (("BNGSIM_CODEGEN_CACHE_DIR", "codegen"), ("BNGSIM_BNGL_CACHE_DIR", "bngl")):
        path = Path(os.environ.get(name) or Path.home() / ".cache" / "bngsim" / default)
        above = next(p for p in (path, *path.parents) if p.exists())
        size = sum(f.stat().st_size for f in path.rglob("*") if f.is_file()) if path.is_dir() else 0
        yield Check(f"cache of {default}", True if os.access(above, os.W_OK) else None, f"{path}, {size / 1e6:.1f} MB",
                    f"set {name} to a folder that can be written to; without it models are compiled in every run")  # fmt: skip


def _simulator() -> Iterator[Check]:
    """A model compiled, solved and differentiated: y = 10 exp(−kt), ∂y/∂k = −10 t exp(−kt)."""
    for suffix, text, needed in ((".net", NET, True), (".bngl", BNGL, None)):
        try:
            seconds, wrong = _solve(suffix, text)
        except Exception as error:  # whatever a broken installation raises is the answer
            first = (str(error).splitlines() or [type(error).__name__])[0]
            yield Check(f"a {suffix} model", False if needed else None, first, "see the lines above; --debug shows more")
            continue
        said = f"solved with its gradient, in {words.price(seconds)} with all preparations"
        yield Check(f"a {suffix} model", wrong < 1e-4, said if wrong < 1e-4 else f"its gradient is off by {wrong:.1g}",
                    "install bngsim again: pip install --force-reinstall 'bngsim>=0.16,<0.17'")  # fmt: skip


CHECKS: tuple[Callable[[], Iterator[Check]], ...] = (_python, _packages, _tools, _folders, _simulator)


def _solve(suffix: str, text: str) -> tuple[float, float]:
    """Seconds it takes, and the largest error of the derivative."""
    from bnfhmc.model import Failure, load_model

    times, began = np.linspace(0.0, 4.0, 5), time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="bnfhmc_") as folder:
        path = Path(folder) / f"decay{suffix}"
        path.write_text(text, encoding="utf-8")
        solved = load_model(path, name="decay").solve({"k": 0.5}, times, ("A",), ("k",))
    if isinstance(solved, Failure):
        raise ArithmeticError(f"{solved.kind}: {solved.message}")
    expected = -10 * times * np.exp(-0.5 * times)
    return time.perf_counter() - began, float(np.abs(solved.dy[:, 0, 0] - expected).max())


def _install(package: str) -> str:
    return INSTALL.format(package, package, package)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
