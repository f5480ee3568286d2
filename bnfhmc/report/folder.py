"""A result folder: held by one run at a time, and each of its files written whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnfhmc.errors import InputError, Mistake

POSTERIOR, SAMPLES, RECORD = "posterior.nc", "samples.txt", "run.json"
FILES = (POSTERIOR, SAMPLES, RECORD)  # what a run writes; no other file is ever touched
PROGRAM = "bnfhmc"

_TEMPORARY = ".bnfhmc-"
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class WriteError(OSError):
    """A result file could not be written; the message says which, why and what to do."""


@dataclass(frozen=True, slots=True)
class ResultFolder:
    """A folder that `claim` has found free to write to."""

    path: Path

    def write(self, name: str, writer: Callable[[Path], object]) -> None:
        """Have `writer` write a temporary file, and put it in the place of `name` once it is on the disk.

        Raises WriteError; whatever stood at `name` before then still does.
        """
        temporary, final = self.path / f"{_TEMPORARY}{name}", self.path / name
        try:
            writer(temporary)
            with open(temporary, "rb+") as written:
                os.fsync(written.fileno())
            os.replace(temporary, final)
        except OSError as error:
            raise WriteError(f"{final}: cannot be written: {_reason(error)}") from error
        finally:
            temporary.unlink(missing_ok=True)

    def write_text(self, name: str, text: str) -> None:
        """`write` for a text in UTF-8."""
        self.write(name, lambda path: path.write_text(text, encoding="utf-8"))


@contextmanager
def claim(path: Path, overwrite: bool = False, names: Sequence[str] = FILES) -> Iterator[ResultFolder]:
    """Make the folder where there is none, and hold it against other runs until the block ends.

    names: of the files that the run writes. Raises InputError where `path` is no folder that can be written to, where it
    holds a finished run and `overwrite` is false, where it holds a file of one of the names that no run of this program
    wrote, and where another run is writing.
    A folder that was made here and is still empty when the block ends is removed.
    """
    made = _make(path)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _lock(descriptor, path)
        _refuse(path, overwrite, {*names, *FILES})
        for leftover in path.glob(f"{_TEMPORARY}*"):
            leftover.unlink(missing_ok=True)
        yield ResultFolder(path)
    finally:
        if made:
            with suppress(OSError):  # not empty: it holds results
                path.rmdir()
        os.close(descriptor)


def _make(path: Path) -> bool:
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        if not path.is_dir():
            raise InputError(Mistake("is a file", "choose another result folder with -o DIR", path)) from None
        if not os.access(path, os.W_OK | os.X_OK):
            raise InputError(Mistake("the folder cannot be written to", "choose another with -o DIR", path)) from None
        return False
    except OSError as error:
        what = f"the result folder cannot be made: {_reason(error)}"
        raise InputError(Mistake(what, "choose another with -o DIR", path)) from None
    return True


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        hint = "wait for it to end, or choose another folder with -o DIR"
        raise InputError(Mistake("another run is writing to this folder", hint, path)) from None
    except OSError:
        pass  # a file system without locks: nothing to hold on to, and no reason to refuse


def _refuse(path: Path, overwrite: bool, names: Iterable[str]) -> None:
    present = [name for name in sorted(names) if (path / name).exists()]
    if not present:
        return
    status = _status(path / RECORD)
    if status is None:
        hint = "move it away, or choose another folder with -o DIR"
        raise InputError(Mistake("is not from a run of bnfhmc, and is left alone", hint, path / present[0]))
    if status == "finished" and not overwrite:
        hint = "type --overwrite to replace it, or -o DIR to write elsewhere"
        raise InputError(Mistake("the folder holds a finished run", hint, path))


def _status(record: Path) -> Any:
    """The status in a run.json of ours; None where there is none."""
    try:
        found = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found.get("status") if isinstance(found, dict) and found.get("program") == PROGRAM else None


def _reason(error: OSError) -> str:
    if error.errno in _NO_SPACE:
        return "no space is left on the disk; free some, or choose another folder with -o DIR"
    return os.strerror(error.errno) if error.errno else str(error)
