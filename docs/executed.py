"""Runs the examples of the documentation while it is built, so that none of them says what is not so.

A page takes part when it is named in PAGES. In the order of the page, in a folder of its own: a block under
``<!-- file: NAME -->`` is written as NAME; a ``sh`` block runs each line that begins with ``bnfhmc``, which has to end with 0
or 3; the ``python`` blocks are one program. ``<!-- not run: WHY -->`` above a block leaves it out.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

FIRST = "getting-started"
PAGES = ("python", "report", "results", "check", "convert", "petab")  # that begin with what it leaves, as fit.conf too
SECONDS = 600  # that one command may take
_BLOCK = re.compile(
    r"(?:<!-- (?P<mark>file|not run): (?P<what>[^\n]*?) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


class Block(NamedTuple):
    """One fenced block: its language, its text, and what the comment above it says."""

    kind: str
    text: str
    mark: str
    what: str


class Wrong(Exception):
    """An example that does not run."""


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page."""
    return [Block(m["kind"], m["text"], m["mark"] or "", m["what"] or "") for m in _BLOCK.finditer(page)]


def execute(docs: Path, name: str, folder: Path) -> None:
    """Run the blocks of a page in a folder; raises Wrong with what an example said."""
    program = []
    for block in blocks((docs / f"{name}.md").read_text(encoding="utf-8")):
        if block.mark == "not run":
            continue
        if block.mark == "file":
            (folder / block.what).write_text(block.text, encoding="utf-8")
        elif block.kind == "sh":
            for line in block.text.splitlines():
                if line.startswith("bnfhmc "):
                    _run(["sh", "-c", f'exec "$PYTHON" -m {line}'], folder, f"{name}.md: {line}", (0, 3))
        elif block.kind == "python":
            program.append(block.text)
    if program:
        _run([sys.executable, "-c", "\n".join(program)], folder, f"the Python of {name}.md", (0,))


def execute_pages(docs: Path) -> None:
    """Run FIRST and every page of PAGES, each in a folder of its own with the files of examples/petab beside."""
    with tempfile.TemporaryDirectory(prefix="bnfhmc_docs_") as name:
        first = Path(name) / FIRST
        shutil.copytree(docs.parent / "examples" / "petab", first)
        execute(docs, FIRST, first)
        shutil.copy(first / "binding.conf", first / "fit.conf")
        for page in PAGES:
            shutil.copytree(first, Path(name) / page)
            execute(docs, page, Path(name) / page)


def _run(command: list[str], folder: Path, what: str, expected: tuple[int, ...]) -> None:
    source = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": path, "MPLBACKEND": "Agg"}
    done = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS,
        check=False,
    )  # fmt: skip
    if done.returncode not in expected:
        raise Wrong(f"{what}\nended with {done.returncode}: {done.stderr[-2000:] or done.stdout[-2000:]}")
