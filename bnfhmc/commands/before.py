"""The verbs before a run: doctor, init and calibrate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bnfhmc.commands.arguments import (
    AllowCallable,
    AsJson,
    Conf,
    Cores,
    Debug,
    Overwrite,
    loader,
    print_record,
    speaking_to_stderr,
)
from bnfhmc.commands.endings import ExitCode, console, exit_codes, say, tell

if TYPE_CHECKING:
    import numpy as np

    from bnfhmc.posterior import Posterior
    from bnfhmc.report.calibrate import Replicate


def doctor(as_json: AsJson = False, debug: Debug = False) -> None:
    """Say what this computer has of what bnfhmc needs, and how to install the rest.

    Looks at Python, packages, compiler, perl and BNG2.pl, cores and caches, and solves a small model with its gradient.

    \b
    Example:
      bnfhmc doctor
      bnfhmc doctor --json > doctor.json
    \b
    Ends with
      0  everything that is needed is there
      1  something is missing
    """
    with exit_codes(debug):
        from bnfhmc.report import doctor as doctors

        with speaking_to_stderr(as_json):
            checks = list(doctors.examine())
        if as_json:
            print_record(doctors.to_record(checks))
        else:
            doctors.print_checks(console(), checks)
            tell("Everything that is needed is there." if doctors.healthy(checks) else "Something is missing; see above.")
        if not doctors.healthy(checks):
            raise typer.Exit(ExitCode.ERROR)


def init(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", show_default=False, help="A model: .bngl, .net, .xml (SBML) or .ant (Antimony).")
    ],
    data: Annotated[
        list[Path],
        typer.Argument(metavar="DATA...", show_default=False, help="Data files, one an experiment: .exp, .tsv or .csv."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="CONF", show_default=False,
                     help="The configuration to write. [default: MODEL's name with .conf, here]"),
    ] = None,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Propose a configuration from a model and its data, to be edited.

    Every parameter of the model gets a prior around its value; the noise is taken from columns named with _SD, or fitted.

    \b
    Example:
      bnfhmc init receptor.bngl dose.csv time.csv -o fit.conf
      bnfhmc check fit.conf
    \b
    Ends with
      0  written
      2  a bad command or file, or a file of that name is there
    """
    with exit_codes(debug):
        from bnfhmc.model import load_model
        from bnfhmc.write.scaffold import scaffold, write_scaffold

        target = output or Path(f"{model.stem}.conf")
        write_scaffold(target, scaffold(model, data, target, load_model=load_model), overwrite=overwrite)
        tell(f"written: {target}")
        tell(f"Its priors are guesses: edit them, then type: bnfhmc check {target}")


def calibrate(
    conf: Conf,
    n: Annotated[int, typer.Option("-n", "--replicates", min=1, metavar="N", help="How many data sets to simulate and fit.")]
    = 100,
    output_dir: Annotated[
        Path | None,
        typer.Option("-o", "--output-dir", metavar="DIR", show_default=False,
                     help="Where replicates are kept. [default: CONF's name with _calibration]"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Of the whole calibration.")] = 0,
    cores: Cores = None,
    as_json: AsJson = False,
    allow_callable: AllowCallable = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Test model, gradient and sampler together: do fits of simulated data get the prior back?

    Draws parameters from the prior, simulates data at them and fits these with CONF's settings, N times, in parallel. An
    interrupted calibration goes on where it stopped when the same command is typed again, and a larger N adds to it.

    \b
    Example:
      bnfhmc calibrate fit.conf -n 100 -o calibration
      bnfhmc calibrate fit.conf -n 200 -o calibration --json > calibration.json
    \b
    Ends with
      0  the ranks of every parameter are uniform, as far as so many replicates can tell
      3  those of a parameter are not, or there are too few replicates to tell
      2  a bad command or file, or a folder with another calibration
      1  another error
    """
    with exit_codes(debug):
        from bnfhmc.report import calibration_verdict as verdict
        from bnfhmc.report.calibrate import calibrate as calibrating

        folder = output_dir or Path(f"{conf.stem}_calibration")
        with speaking_to_stderr(as_json):
            problem = loader(allow_callable)(conf)
            count = iter(range(1, n + 1))

            def done(found: Replicate) -> None:
                say(f"replicate {found.index + 1} of {n} {found.failure or 'done'} ({next(count)} in this call)")

            found = calibrating(problem, folder, n, _draws, seed=seed, cores=cores, tell=done)
        if as_json:
            print_record(verdict.to_record(found))
        else:
            tell(verdict.in_words(found))
            tell(f"The replicates are in {folder}")
        if not verdict.calibrated(found):
            raise typer.Exit(ExitCode.NOT_CONVERGED)


def _draws(posterior: Posterior, seed: int) -> np.ndarray:
    """The draws z[chain, draw, d] of a fit with the problem's own settings, on one core."""
    from bnfhmc.run import draw

    return draw(posterior, random_seed=seed, cores=1).z
