"""The command line: verbs, exit codes, and what a person reads.

Exit codes: 0 converged (or nothing wrong), 3 finished but not converged, 2 a bad command or file, 1 another error,
130 interrupted.
"""

from __future__ import annotations

import os
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

    from bnfhmc.fit_run import FitOutcome
    from bnfhmc.problem import Problem
    from bnfhmc.report.check import Section
    from bnfhmc.run import Outcome


BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


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
MaxTime = Annotated[
    float | None,
    typer.Option("--max-time", min=0.0, metavar="SECONDS", show_default=False,
                 help="End after so many seconds with the draws there are; 'bnfhmc resume' goes on."),
]  # fmt: skip
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", show_default=False, help="Have the work done by the workers of a dask scheduler."),
]


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
        typer.Option(metavar="METHOD", show_default=False, help="nuts, or an optimizer such as map. Replaces fit_type."),
    ] = None,
    chains: Annotated[int | None, typer.Option(min=1, max=10_000, metavar="N", help="Replaces chains of CONF.")] = None,
    starts: Annotated[int | None, typer.Option(min=1, metavar="N", help="Starts of a fit. Replaces num_starts.")] = None,
    then: Annotated[
        list[Path] | None,
        typer.Option("--then", metavar="CONF", show_default=False,
                     help="Run this one next, from the best points found; may be repeated."),
    ] = None,
    num_warmup: Annotated[int | None, typer.Option(min=0, metavar="N", help="Replaces num_warmup of CONF.")] = None,
    num_samples: Annotated[int | None, typer.Option(min=1, metavar="N", help="Replaces num_samples of CONF.")] = None,
    engine: Annotated[
        str | None, typer.Option(metavar="ENGINE", show_default=False, help="own, blackjax or nutpie. Replaces engine of CONF.")
    ] = None,
    start: Annotated[
        str | None, typer.Option(metavar="START", show_default=False, help="prior, map or a file. Replaces start of CONF.")
    ] = None,
    max_time: MaxTime = None,
    scheduler: Scheduler = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the finished run in the folder.")] = False,
    cores: Annotated[int | None, typer.Option(min=1, metavar="N", help="CPU cores to use. [default: all]")] = None,
    seed: Annotated[int | None, typer.Option(min=0, metavar="N", help="Replaces random_seed of CONF.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the verdict only.")] = False,
    allow_callable: AllowCallable = False,
    debug: Debug = False,
) -> None:
    """Sample the posterior of CONF, or optimize it where its fit_type is an optimizer.

    Writes posterior.nc (InferenceData), samples.txt (PyBNF's format) and run.json (what ran); a fit writes map.json,
    starts.tsv, history.tsv, plots and run.json. A fit that was interrupted goes on when the command is typed again.

    \b
    Example:
      bnfhmc run fit.conf -o results --cores 4 --seed 7
      bnfhmc run problem.yaml --method nuts
      bnfhmc run problem.yaml --method map --starts 20
      bnfhmc run fit.conf --then sample.conf
    \b
    Ends with
      0  converged
      3  finished, but not converged: R-hat > 1.01, ESS < 400 or divergences; a fit whose best start has not come to rest
      2  a bad command or file; also when the folder holds a finished run
      1  another error
    """
    with _exit_codes(debug):
        import bnfhmc
        from bnfhmc import fit_run as fits
        from bnfhmc import run as runs

        methods = (*runs.METHODS, runs.AUTO, *sorted(fits.OPTIMIZERS))
        if method is not None and method not in methods:
            known = f"the methods are {', '.join(methods)}"
            raise InputError(Mistake(f"unknown method '{method}'", nearest(method, methods) or known, "--method"))
        first = runs.with_settings(
            bnfhmc.load(conf, allow_callable=allow_callable), method=method, chains=chains, num_warmup=num_warmup,
            num_samples=num_samples, random_seed=seed, engine=engine, start=start, time_limit=max_time,
            scheduler=scheduler, executor=None if scheduler is None else "dask",
        )  # fmt: skip
        problems = [fits.asked(first, method, starts)]
        problems += [bnfhmc.load(path, allow_callable=allow_callable) for path in then or ()]
        console, converged = _console(), True
        stages = fits.stages(problems, runs.result_path(first, output_dir))
        for problem, folder in stages:
            if len(stages) > 1 and not overwrite and fits.is_done(problem, folder):
                _say(f"{folder} is finished, and is not run again")
                continue
            if fits.is_fit(problem.settings):
                converged = _fit(console, problem, folder, overwrite, cores, quiet)
                continue
            if not quiet:
                console.print(_plan(problem, folder), markup=False, highlight=False, soft_wrap=True)
            outcome = runs.run(problem, folder, overwrite=overwrite, cores=cores, quiet=quiet, tell=_say)
            _tell(console, outcome, quiet)
            converged = outcome.verdict.converged
        if not converged:
            raise typer.Exit(ExitCode.NOT_CONVERGED)


@app.command()
def resume(
    folder: Annotated[Path, typer.Argument(metavar="DIR", show_default=False, help="The result folder of a run.")],
    num_samples: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", show_default=False, help="Draws a chain in all; may be more than it was asked for."),
    ] = None,
    max_time: MaxTime = None,
    scheduler: Scheduler = None,
    cores: Annotated[int | None, typer.Option(min=1, metavar="N", help="CPU cores to use. [default: all]")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the verdict only.")] = False,
    allow_callable: AllowCallable = False,
    debug: Debug = False,
) -> None:
    """Go on with a run or a fit that was stopped, or add draws to a finished run.

    The draws are those of a run that was never stopped, bit for bit. What it is a run of is read again from the files of its
    configuration, which have to be what they were.

    \b
    Example:
      bnfhmc resume results
      bnfhmc resume results --num-samples 5000 --max-time 3600
    \b
    Ends as run does:
      0  converged
      3  finished, or out of time, but not converged
      2  a bad command; no run in the folder; or its files have changed
      1  another error
    """
    with _exit_codes(debug):
        import bnfhmc
        from bnfhmc import fit_run as fits
        from bnfhmc import run as runs

        def load(path: Path) -> Problem:
            return bnfhmc.load(path, allow_callable=allow_callable)

        if "fit" in fits.record_of(folder):
            if num_samples or max_time:
                hint = f"type 'bnfhmc resume {folder}' without --num-samples and --max-time"
                raise InputError(Mistake("the folder holds a fit, which has no chains", hint, folder))
            console = _console()
            done = fits.resume(folder, load=load, scheduler=scheduler, cores=cores, console=None if quiet else console)
            if not _tell_fit(console, done, quiet):
                raise typer.Exit(ExitCode.NOT_CONVERGED)
            return
        outcome = runs.resume(
            folder, load=load, num_samples=num_samples, time_limit=max_time, scheduler=scheduler, cores=cores, quiet=quiet,
            tell=_say,
        )  # fmt: skip
        _tell(_console(), outcome, quiet)
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
    # Threads go over chains and starts: a BLAS that takes more of them for small matrices stands in their way. Before NumPy.
    for name in BLAS_THREADS:
        os.environ.setdefault(name, "1")
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


def _fit(console: Console, problem: Problem, folder: Path, overwrite: bool, cores: int | None, quiet: bool) -> bool:
    """Run a fit and print it; whether it has converged."""
    from bnfhmc import fit_run as fits

    if not quiet:
        console.print(fits.plan(problem, folder), markup=False, highlight=False, soft_wrap=True)
    outcome = fits.run_fit(problem, folder, overwrite=overwrite, cores=cores, console=None if quiet else console)
    return _tell_fit(console, outcome, quiet)


def _tell_fit(console: Console, outcome: FitOutcome, quiet: bool) -> bool:
    """Print a fit; whether it has converged."""
    from bnfhmc.report import fit as report
    from bnfhmc.report.text import printable

    if not quiet:
        report.print_fit(console, outcome.fit)
        if outcome.profiles is not None:
            report.print_profiles(console, outcome.profiles)
    files = report.FIT_FILES if outcome.profiles is None else (*report.FIT_FILES, *report.PROFILE_FILES)
    for line in (report.verdict(outcome.fit), f"{', '.join(files)} are in {printable(str(outcome.folder))}"):
        console.print(line, markup=False, highlight=False, soft_wrap=not console.is_terminal)
    return outcome.fit.converged


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
