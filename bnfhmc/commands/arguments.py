"""Arguments and options that more than one verb takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bnfhmc.errors import InputError, Mistake

if TYPE_CHECKING:
    from bnfhmc.report.opened import Load

Conf = Annotated[
    Path,
    typer.Argument(metavar="CONF", show_default=False, help="A PyBNF configuration (.conf), or a PEtab problem (.yaml)."),
]
AllowCallable = Annotated[
    bool, typer.Option("--allow-callable", help="Let 'objective = callable' in CONF import and run Python code.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]
Cores = Annotated[int | None, typer.Option(min=1, metavar="N", help="CPU cores to use. [default: all]")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
Folder = Annotated[Path, typer.Argument(metavar="DIR", show_default=False, help="The folder of a finished run.")]
Folders = Annotated[list[Path], typer.Argument(metavar="DIR...", show_default=False, help="Folders of finished runs.")]
FromConf = Annotated[
    Path | None,
    typer.Option("--conf", metavar="CONF", show_default=False,
                 help="The configuration of the run, where it is not where run.json says."),
]  # fmt: skip
Unit = Annotated[
    list[str] | None,
    typer.Option("--unit", metavar="NAME=UNIT", show_default=False,
                 help="What the axes say, such as time=h or a column of the data, in the place of axis_units of CONF; may be "
                      "repeated."),
]  # fmt: skip


def loader(allow_callable: bool) -> Load:
    """What reads the configuration of a run."""
    import bnfhmc

    return partial(bnfhmc.load, allow_callable=allow_callable)


def named_units(given: Sequence[str] | None) -> dict[str, str]:
    """``NAME=UNIT`` → {NAME: UNIT}; raises InputError for what is of another form."""
    other = [g for g in given or () if "=" not in g]
    wrong = [Mistake(f"'{g}' is not of the form NAME=UNIT", "type --unit time=h", "--unit") for g in other]
    if wrong:
        raise InputError(wrong)
    return dict(g.split("=", 1) for g in given or ())


@contextmanager
def speaking_to_stderr(as_json: bool) -> Iterator[None]:
    """What libraries print within goes to stderr where stdout is for one JSON object."""
    import sys

    with redirect_stdout(sys.stderr if as_json else sys.stdout):
        yield


def print_record(record: Any) -> None:
    """Print one JSON object."""
    from bnfhmc.report.run_json import plain, to_json

    print(to_json(plain(record)), end="")
