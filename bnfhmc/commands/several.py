"""The verbs on several finished runs: compare and merge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bnfhmc.commands.arguments import AsJson, Debug, Folders, Overwrite, print_record, speaking_to_stderr
from bnfhmc.commands.endings import ExitCode, console, exit_codes, tell


def compare(folders: Folders, as_json: AsJson = False, debug: Debug = False) -> None:
    """Compare runs of the same data: which model predicts a new measurement better? (PSIS-LOO)

    \b
    Example:
      bnfhmc compare one-site two-sites
      bnfhmc compare one-site two-sites --json > compared.json
    \b
    Ends with
      0  compared
      2  a bad command, no finished runs, or runs of other data
    """
    with exit_codes(debug):
        from bnfhmc.report import verbs
        from bnfhmc.report.compare import in_words, print_comparison, to_record

        with speaking_to_stderr(as_json):
            found = verbs.compare(folders)
        if as_json:
            print_record(to_record(found))
        else:
            print_comparison(console(), found)
            tell(in_words(found))


def merge(
    folders: Folders,
    output_dir: Annotated[
        Path, typer.Option("-o", "--output-dir", metavar="FOLDER", show_default=False, help="Where the merged run is written.")
    ],
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Put chains that were run apart together as one run.

    The runs are of one problem, have as many draws a chain, and were run with other seeds.

    \b
    Example:
      bnfhmc merge run1 run2 run3 -o all
    \b
    Ends with
      0  merged, and all chains together converged
      3  merged, but they did not converge
      2  a bad command, or runs that do not belong together
    """
    with exit_codes(debug):
        from bnfhmc.report import verbs
        from bnfhmc.report.folder import FILES
        from bnfhmc.report.summary import print_summary

        summary, verdict = verbs.merge(folders, output_dir, overwrite=overwrite)
        print_summary(console(), summary)
        tell(str(verdict))
        tell(f"{', '.join(FILES)} are in {output_dir}")
        if not verdict.converged:
            raise typer.Exit(ExitCode.NOT_CONVERGED)
