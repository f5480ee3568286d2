"""The verbs on one finished run: summary, report, plot and predict."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bnfhmc.commands.arguments import (
    AllowCallable,
    AsJson,
    Cores,
    Debug,
    Folder,
    FromConf,
    Unit,
    loader,
    named_units,
    print_record,
    speaking_to_stderr,
)
from bnfhmc.commands.endings import ExitCode, console, exit_codes, say, tell
from bnfhmc.errors import InputError, Mistake

if TYPE_CHECKING:
    from bnfhmc.report.verbs import Reported


def summary(folder: Folder, as_json: AsJson = False, debug: Debug = False) -> None:
    """Print the estimates and the verdict of a run, or the best point of a fit and what is to be said of it.

    \b
    Example:
      bnfhmc summary results
      bnfhmc summary results --json > summary.json
    \b
    Ends with
      0  converged
      3  finished, but not converged
      2  a bad command, or no finished run
    """
    with exit_codes(debug):
        from bnfhmc.report import verbs
        from bnfhmc.report.fitted import print_best
        from bnfhmc.report.summary import print_summary

        with speaking_to_stderr(as_json):
            found = verbs.summary(folder)
        if as_json:
            print_record(verbs.summary_record(found))
        else:
            if isinstance(found, verbs.SummarizedFit):
                print_best(console(), found.fitted)
                for sentence in found.sentences:
                    tell(sentence)
            else:
                print_summary(console(), found.summary)
                tell(str(found.verdict))
        converged = found.converged if isinstance(found, verbs.SummarizedFit) else found.verdict.converged
        if not converged:
            raise typer.Exit(ExitCode.NOT_CONVERGED)


def report(
    folder: Folder,
    conf: FromConf = None,
    audit: Annotated[
        bool, typer.Option("--audit", help="Evaluate 200 draws again at a hundredth of the solver's tolerance.")
    ] = False,
    unit: Unit = None,
    cores: Cores = None,
    as_json: AsJson = False,
    allow_callable: AllowCallable = False,
    debug: Debug = False,
) -> None:
    """Write report.html: can the draws be trusted, does the model fit, what is not determined.

    Solves the model again at 1000 of the draws. The page is one file that opens without a network. The other files of the
    run stay as they are.

    \b
    Example:
      bnfhmc report results
      bnfhmc report results --audit --unit time=h
    \b
    Ends with
      0  the draws can be trusted
      3  they cannot; the page and the lines on the screen say why and what to type
      2  a bad command, no finished run, or files that are not those of the run
      1  another error
    """
    with exit_codes(debug):
        from bnfhmc.report import verbs

        with speaking_to_stderr(as_json):
            found = verbs.report(
                folder, loader(allow_callable), conf=conf, audit=audit, cores=cores, units=named_units(unit)
            )
        if as_json:
            print_record(_record(found))
        else:
            _tell(found)
        if not found.diagnosis.trusted:
            raise typer.Exit(ExitCode.NOT_CONVERGED)


def _kinds(incomplete: str) -> list[str]:
    from bnfhmc.report.plots import KINDS

    return [kind for kind in KINDS if kind.startswith(incomplete)]


def plot(
    folder: Folder,
    kinds: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KIND...]", show_default=False, autocompletion=_kinds,
                       help="fit, prior, trace, marginals, pair, forest, energy, convergence, loo-pit, pareto-k, "
                            "constraints, waterfall or profile; of a fit, fit, waterfall or profile. [default: all of them]"),
    ] = None,
    output_dir: Annotated[
        Path | None,
        typer.Option("-o", "--output-dir", metavar="FOLDER", show_default=False,
                     help="Where the pictures are written. [default: plots within DIR]"),
    ] = None,
    conf: FromConf = None,
    unit: Unit = None,
    cores: Cores = None,
    allow_callable: AllowCallable = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Write pictures of a run, or of a fit, as SVG and PNG.

    \b
    Example:
      bnfhmc plot results
      bnfhmc plot results fit pair -o figures --unit time=h
    \b
    Ends with
      0  written
      2  a bad command, no finished run, or files that are not those of the run
      1  another error
    """
    with exit_codes(debug):
        from bnfhmc.report import verbs

        found = verbs.plot(
            folder, kinds or (), loader(allow_callable), conf=conf, output_dir=output_dir, cores=cores,
            units=named_units(unit),
        )  # fmt: skip
        if not found:
            say(f"nothing to show: this run has no {' or '.join(kinds or ('picture',))}")
        for path in found:
            tell(str(path))


def predict(
    folder: Folder,
    experiment: Annotated[
        str | None,
        typer.Option(metavar="NAME", show_default=False, help="Whose model, condition and times. [default: the first]"),
    ] = None,
    condition: Annotated[
        str | None,
        typer.Option(metavar="NAME|CHANGES", show_default=False,
                     help="A condition of the configuration, or changes such as 'L=0, kon*2', in place of the experiment's."),
    ] = None,
    times: Annotated[
        str | None,
        typer.Option(metavar="TIMES", show_default=False, help="0,10,30 or 0:60:61 (from, to, how many)."),
    ] = None,
    output: Annotated[
        list[str] | None,
        typer.Option(metavar="FORMULA", show_default=False,
                     help="What to predict in place of what was measured, such as 'Bound/Rtot'; may be repeated."),
    ] = None,
    draws: Annotated[int, typer.Option(min=1, metavar="N", help="Draws that the prediction rests on.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Of the new measurements.")] = 0,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print one line a row, for a spreadsheet.")] = False,
    as_json: AsJson = False,
    conf: FromConf = None,
    cores: Cores = None,
    allow_callable: AllowCallable = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Predict what was not measured: other times, another condition, other outputs.

    Prints the median and the central 90 % of the model's value and of a new measurement; --csv and --json have the central
    50 % too.

    \b
    Example:
      bnfhmc predict results --times 0:60:61
      bnfhmc predict results --condition 'L=0' --output 'Bound/Rtot' --csv > bound.csv
    \b
    Ends with
      0  predicted
      2  a bad command, no finished run, or files that are not those of the run
      1  another error
    """
    with exit_codes(debug):
        from bnfhmc.report import scenario, verbs

        if as_csv and as_json:
            raise InputError(Mistake("--csv and --json exclude each other", "type one of them"))
        asked = scenario.Asked(
            experiment, condition, None if times is None else scenario.parse_times(times), tuple(output or ())
        )
        with speaking_to_stderr(as_csv or as_json):
            found = verbs.predict(folder, loader(allow_callable), asked, conf=conf, draws=draws, cores=cores, seed=seed)
        if as_json:
            print_record(scenario.to_record(found))
        elif as_csv:
            print(scenario.to_csv(found), end="")
        else:
            scenario.print_answer(console(), found)
        if found.failures:
            kinds = ", ".join(f"{kind} {count}" for kind, count in found.failures.items())
            say(f"{sum(found.failures.values())} draws could not be solved like this and are left out: {kinds}")


def _tell(found: Reported) -> None:
    trusted = found.diagnosis.trusted
    tell("These draws can be trusted." if trusted else "Do not trust these draws yet:")
    blocking = [f for f in found.diagnosis.findings if f.blocking]
    remarks = [f for f in found.diagnosis.findings if not f.blocking]
    for f in blocking:
        tell(f"  - {f}")
    if remarks:
        tell("Remarks:")
    for f in remarks:
        tell(f"  - {f}")
    tell(f"The report is {found.path}")


def _record(found: Reported) -> dict[str, object]:
    topics = {topic: [asdict(f) for f in said] for topic, said in found.diagnosis.topics.items()}
    return {"report": str(found.path), "trusted": found.diagnosis.trusted, "findings": topics}
