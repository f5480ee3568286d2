"""The verbs for PEtab: petab-score and convert."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bnfhmc.commands.arguments import Debug
from bnfhmc.commands.endings import exit_codes, say
from bnfhmc.errors import InputError, Mistake

if TYPE_CHECKING:
    from bnfhmc.report.petab_score import Score


def petab_score(
    problem: Annotated[Path, typer.Argument(metavar="PROBLEM", show_default=False, help="A PEtab problem (.yaml).")],
    parameters: Annotated[
        list[str] | None,
        typer.Option("-p", "--parameters", metavar="NAME=VALUE|FILE.tsv", show_default=False,
                     help="In place of nominal values, in the parameters' own units; may be repeated."),
    ] = None,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Print the log-likelihood, chi2, simulations and gradient of a PEtab problem, as JSON.

    At the nominal values of its parameter table, or at those given. `gradient.llh` is by the parameters themselves,
    `gradient.log_posterior` and `log_prior` are on the parameters' scales. Simulations are in the order of the
    measurement table.

    \b
    Example:
      bnfhmc petab-score problem.yaml
      bnfhmc petab-score problem.yaml -p k1=0.5 -p k2=3
      bnfhmc petab-score problem.yaml -p fitted.tsv > score.json
    \b
    Ends with
      0  everything was solved
      1  an experiment could not be solved; its name and why are in the object
      2  a bad command or file
    """
    with exit_codes(debug):
        from bnfhmc import __version__
        from bnfhmc.report import petab_score as scores
        from bnfhmc.report.check import to_json

        with redirect_stdout(sys.stderr):
            record, error = scores.record(__version__, str(problem), lambda: _score(problem, parameters or ()))
        print(to_json(record))
        if error is not None:
            raise error


def convert(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", show_default=False, help="A .conf, or the .yaml of a PEtab problem.")
    ],
    target: Annotated[Path, typer.Argument(metavar="FOLDER", show_default=False, help="Where the files are written.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of the same names there.")] = False,
    debug: Debug = False,
) -> None:
    """Write a PyBNF configuration as a PEtab problem, or a PEtab problem as a configuration.

    What is written is read again and compared with the source. Where the other format cannot say something, it is named
    and nothing is written; what takes another form is said.

    \b
    Example:
      bnfhmc convert fit.conf problem/
      bnfhmc convert problem.yaml fit/
    \b
    Ends with
      0  written
      2  a bad command or file, or something that the other format cannot say
      1  another error
    """
    with exit_codes(debug):
        from bnfhmc.report.text import printable
        from bnfhmc.write import convert as write

        with redirect_stdout(sys.stderr):
            written = write(source, target, overwrite=overwrite)
        for note in written.notes:
            say(f"note: {note}")
        print(f"written: {printable(str(written.paths[0]))} and {len(written.paths) - 1} more files beside it")


def _score(path: Path, parameters: Sequence[str]) -> Score:
    import bnfhmc
    from bnfhmc.posterior import Posterior
    from bnfhmc.read.petab.nominal import theta_at
    from bnfhmc.report.petab_score import score

    if path.suffix.lower() not in (".yaml", ".yml"):
        hint = f"type 'bnfhmc convert {path.name} <folder>' first" if path.suffix == ".conf" else ""
        raise InputError(Mistake("no PEtab problem: the name of one ends in .yaml", hint, path))
    problem = bnfhmc.load(path)
    return score(Posterior(problem), theta_at(path, problem.names, parameters))
