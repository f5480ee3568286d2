"""A folder that is written whole, and only where nothing is in the way."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bnfhmc.errors import InputError, Mistake


def check_free(target: Path, overwrite: bool) -> None:
    """Raise InputError where `target` is no folder, or holds something and `overwrite` is false."""
    if target.exists() and not target.is_dir():
        raise InputError(Mistake("is a file, and the result is a folder", "name a folder", target))
    if target.is_dir() and not overwrite and any(target.iterdir()):
        raise InputError(Mistake("the folder is not empty", "name a new one, or type --overwrite", target))


def write_files(target: Path, files: Mapping[str, bytes], main: str) -> tuple[Path, ...]:
    """Write the files, `main` last, each of them whole or not at all; their paths, `main` first.

    A file of the same name is replaced, also where it is a link; no other file is touched. Raises OSError.
    """
    wrong = [name for name in files if Path(name).name != name or name in (".", "..")]
    if wrong:
        raise ValueError(f"'{wrong[0]}' is no plain file name")
    target.mkdir(parents=True, exist_ok=True)
    for name in sorted(files, key=lambda name: (name == main, name)):
        _replace(target / name, files[name])
    return tuple(target / name for name in sorted(files, key=lambda name: (name != main, name)))


def _replace(path: Path, content: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=".bnfhmc-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
