"""The command line: verbs, exit codes, and what a person reads.

Exit codes: 0 converged (or nothing wrong), 3 finished but not converged, 2 a bad command or file, 1 another error,
130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from bnfhmc.commands import before, finished, petab, several
from bnfhmc.commands.arguments import AllowCallable, AsJson, Conf, Debug
from bnfhmc.commands.endings import ExitCode
from bnfhmc.commands.endings import console as _console
from bnfhmc.commands.endings import exit_codes as _exit_codes
from bnfhmc.commands.endings import say as _say
from bnfhmc.errors import InputError, Mistake, nearest

if TYPE_CHECKING:
    from rich.console import Console

    from bnfhmc.problem import Problem
    from bnfhmc.report.check import Section
    from bnfhmc.run import Outcome


class Point(Enum):
    """Where `check` solves the model."""

    INITIAL = "initial"
    PRIOR = "prior"


class Verbs(TyperGroup):
    """The verbs, and PyBNF's ``-c FILE`` for ``run FILE``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0].startswith("-") and "-c" in args:
            at = args.index("-c")
            args = ["run", *args[:at], *args[at + 1 :]]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Output = Annotated[
    Path | None,
    typer.Option("-o", "--output-dir", metavar="DIR", show_default=False,
                 help="Folder for the results. [default: output_dir of CONF, or CONF's name with _out]"),
]  # fmt: skip

def _version(asked: bool) -> None:
    if asked:
        from bnfhmc import __version__

        typer.echo(f"bnfhmc {__version__}")
        raise typer.Exit()


@app.callback(epilog="bnfhmc -c CONF, as PyBNF has it, is bnfhmc run CONF.")
def _bnfhmc(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """The posterior of a biochemical model, sampled by its gradient.

    \b
    Example:
      bnfhmc check fit.conf
      bnfhmc run fit.conf -o results
      bnfhmc report results
    """


@app.command()
def run(
    conf: Conf,
    output_dir: Output = None,
    method: Annotated[
        str | None,
        typer.Option(metavar="METHOD", show_default=False, help="How to sample, such as nuts. Replaces method of CONF."),
    ] = None,
    chains: Annotated[int | None, typer.Option(min=1, max=10_000, metavar="N", help="Replaces chains of CONF.")] = None,
    num_warmup: Annotated[int | None, typer.Option(min=0, metavar="N", help="Replaces num_warmup of CONF.")] = None,
    num_samples: Annotated[int | None, typer.Option(min=1, metavar="N", help="Replaces num_samples of CONF.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the finished run in the folder.")] = False,
    cores: Annotated[int | None, typer.Option(min=1, metavar="N", help="CPU cores to use. [default: all]")] = None,
    seed: Annotated[int | None, typer.Option(min=0, metavar="N", help="Replaces random_seed of CONF.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the verdict only.")] = False,
    allow_callable: AllowCallable = False,
    debug: Debug = False,
) -> None:
    """Sample the posterior of CONF.

    Writes posterior.nc (InferenceData), samples.txt (PyBNF's format) and run.json (what ran).

    \b
    Example:
      bnfhmc run fit.conf -o results --cores 4 --seed 7
      bnfhmc run problem.yaml --method nuts
    \b
    Ends with
      0  converged
      3  finished, but not converged: R-hat > 1.01, ESS < 400 or divergences
      2  a bad command or file; also when the folder holds a finished run
      1  another error
    """
    with _exit_codes(debug):
        import bnfhmc
        from bnfhmc import run as runs

        if method is not None and method not in runs.METHODS:
            known = f"the methods are {', '.join(runs.METHODS)}"
            raise InputError(Mistake(f"unknown method '{method}'", nearest(method, runs.METHODS) or known, "--method"))
        problem = runs.with_settings(
            bnfhmc.load(conf, allow_callable=allow_callable), method=method, chains=chains, num_warmup=num_warmup,
            num_samples=num_samples, random_seed=seed,
        )  # fmt: skip
        folder = runs.result_path(problem, output_dir)
        console = _console()
        if not quiet:
            console.print(_plan(problem, folder), markup=False, highlight=False, soft_wrap=True)
        outcome = runs.run(problem, folder, overwrite=overwrite, cores=cores, quiet=quiet, tell=_say)
        _tell(console, outcome, quiet)
        if not outcome.verdict.converged:
            raise typer.Exit(ExitCode.NOT_CONVERGED)


@app.command()
def check(
    conf: Conf,
    as_json: AsJson = False,
    point: Annotated[Point, typer.Option(help="Solve at the initial values of CONF, or at the medians of the prior.")]
    = Point.INITIAL,
    allow_callable: AllowCallable = False,
    debug: Debug = False,
) -> None:
    """Say what CONF means, check its gradient, and foretell the time of its run.

    Reads all the files, solves every experiment, compares the gradient with central differences at three points, and
    says what a run will meet. Writes no file.

    \b
    Example:
      bnfhmc check fit.conf
      bnfhmc check fit.conf --json > check.json
    \b
    Ends with
      0  nothing is wrong that would stop a run
      1  the gradient is wrong, or no point can be solved
      2  a bad command or file
    """
    with _exit_codes(debug):
        from bnfhmc.report.check import print_section

        if as_json:
            _check_as_json(conf, point, allow_callable)
            return
        console = _console()
        for section in _examined(conf, point, allow_callable):
            print_section(console, section)


_VERBS: dict[str, Callable[..., None]] = {
    "report": finished.report,
    "summary": finished.summary,
    "plot": finished.plot,
    "predict": finished.predict,
    "compare": several.compare,
    "merge": several.merge,
    "init": before.init,
    "calibrate": before.calibrate,
    "doctor": before.doctor,
    "petab-score": petab.petab_score,
    "convert": petab.convert,
}
for _name, _verb in _VERBS.items():
    app.command(_name)(_verb)


def main() -> None:
    """Run the command line; the console script of the package."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    # Libraries that a model needs read sys.argv too: bionetgen takes --debug and --quiet for its own.
    args, sys.argv[1:] = sys.argv[1:], []
    try:
        app(args, prog_name="bnfhmc")
    except KeyboardInterrupt:
        _say("interrupted")
        sys.exit(ExitCode.INTERRUPTED)


def _examined(conf: Path, point: Point, allow_callable: bool) -> Iterator[Section]:
    import bnfhmc
    from bnfhmc.report.check import examine

    yield from examine(bnfhmc.load(conf, allow_callable=allow_callable), point.value)


def _check_as_json(conf: Path, point: Point, allow_callable: bool) -> None:
    """Print the object whatever happens, and raise what ended the check; what others print goes to stderr."""
    from bnfhmc import __version__
    from bnfhmc.report.check import examined, to_json

    with redirect_stdout(sys.stderr):
        record, error = examined(__version__, lambda: _examined(conf, point, allow_callable))
    print(to_json(record))
    if error is not None:
        raise error


def _plan(problem: Problem, folder: Path) -> str:
    from bnfhmc.report.text import printable

    s = problem.settings
    measurements = sum(len(series.observed) for e in problem.experiments for series in e.series)
    return (
        f"parameters: {len(problem.parameters)}, experiments: {len(problem.experiments)}, "
        f"measurements: {measurements}; {s.chains} chains of {s.num_warmup} warm-up steps and {s.num_samples} draws; "
        f"results in {printable(str(folder))}"
    )


def _tell(console: Console, outcome: Outcome, quiet: bool) -> None:
    from bnfhmc.report.constraints import print_satisfaction
    from bnfhmc.report.folder import FILES
    from bnfhmc.report.summary import print_summary
    from bnfhmc.report.text import printable

    if not quiet:
        print_summary(console, outcome.summary)
        if outcome.constraints:
            print_satisfaction(console, outcome.constraints)
    where = printable(str(outcome.folder))
    for line in (str(outcome.verdict), f"{', '.join(FILES)} are in {where}"):
        console.print(line, markup=False, highlight=False, soft_wrap=not console.is_terminal)
