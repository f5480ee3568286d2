"""How a command ends: exit codes, and the words on stderr."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING

import typer

from bnfhmc.errors import InputError, MissingTool

if TYPE_CHECKING:
    from rich.console import Console


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    NOT_CONVERGED = 3
    INTERRUPTED = 130


@contextmanager
def exit_codes(debug: bool) -> Iterator[None]:
    """Turn what is raised within into a message and an exit code."""
    try:
        yield
        sys.stdout.flush()
    except typer.Exit:
        raise
    except KeyboardInterrupt as error:
        fail(error, "interrupted; the run is not finished", ExitCode.INTERRUPTED, debug)
    except (InputError, MissingTool) as error:
        fail(error, str(error), ExitCode.USAGE, debug)
    except BrokenPipeError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the flush at exit fails once more
        fail(error, "the reader of the output has gone", ExitCode.ERROR, debug)
    except Exception as error:
        fail(error, _in_words(error), ExitCode.ERROR, debug)


def fail(error: BaseException, message: str, code: ExitCode, debug: bool) -> None:
    """Say the message and end with the code; with the traceback where it is asked for."""
    if debug:
        traceback.print_exception(error)
    say(message)
    raise typer.Exit(code) from None


def say(message: str) -> None:
    """Write the message on stderr, each line under the name of the program."""
    from bnfhmc.report.text import printable

    for line in message.splitlines():
        print(f"bnfhmc: {printable(line)}", file=sys.stderr, flush=True)


def console() -> Console:
    """Where tables are printed."""
    from rich.console import Console

    return Console()


def tell(text: str) -> None:
    """Print lines as they are, wrapped where a person reads them; no line moves the cursor."""
    from bnfhmc.report.text import printable

    out = console()
    for line in text.splitlines():
        out.print(printable(line), markup=False, highlight=False, soft_wrap=not out.is_terminal)


def _in_words(error: Exception) -> str:
    """The message of an error of this package or of the system; of any other its kind and first line."""
    if isinstance(error, OSError) or type(error).__module__.startswith("bnfhmc."):
        return str(error)
    first = (str(error).splitlines() or [""])[0]
    return f"unexpected {type(error).__name__}: {first}; --debug shows the traceback"
