"""What PEtab has no words for: what is refused since the posterior would be another, and what is left out since it is not."""

from __future__ import annotations

from bnfhmc.noise.transform import Floor, Increments, Initial, Peak, SeriesScale, UnitRange, ZScore
from bnfhmc.problem import Problem, Series, Settings
from bnfhmc.read.petab.reader import SETTINGS
from bnfhmc.write.findings import Findings
from bnfhmc.write.petab.noise import why_not

TRANSFORMS = {
    Initial: "normalization 'init'", Peak: "normalization 'peak'", ZScore: "normalization 'zero'",
    UnitRange: "normalization 'unit'", Floor: "normalization 'floor'", SeriesScale: "normalization 'scale'",
    Increments: "'cumulative'",
}  # fmt: skip
T_MAX = 1e6  # by when a steady state has to be reached where nothing is said of it


def refuse_unsayable(problem: Problem, findings: Findings) -> None:
    """Say all that has no counterpart in PEtab, each thing once."""
    if problem.target is not None:
        findings.refuse("an objective without a model has no PEtab form")
    measured = [(e, s) for e in problem.experiments for s in e.series]
    for e in problem.experiments:
        if e.constraints:
            findings.refuse(f"experiment '{e.name}': constraints (.prop, .con) have no PEtab form", "leave these files out")
        if e.later:
            findings.refuse(f"experiment '{e.name}': conditions that take effect later are not written")
    for e, s in measured:
        whose = f"experiment '{e.name}', observable '{s.name}'"
        for t in s.transforms:
            hint = ("multiply the observable by a parameter" if isinstance(t, SeriesScale)
                    else "compare the observable as the model gives it")  # fmt: skip
            findings.refuse(f"{whose}: {TRANSFORMS.get(type(t), type(t).__name__)} has no PEtab form", hint)
    for s in {(s.name, s.noise): s for _, s in measured}.values():
        _refuse_noise(s, findings)


def _refuse_noise(s: Series, findings: Findings) -> None:
    if (why := why_not(s.noise)) is not None:
        findings.refuse(f"observable '{s.name}': {why[0]}", why[1])


def note_unsaid(problem: Problem, findings: Findings) -> None:
    """Say what is left out: how to run, and how to solve."""
    findings.note("how to run (fit_type, chains, draws, seed, output_dir) is no part of PEtab; say it on the command line")
    tolerances = {(m.rtol, getattr(getattr(m, "tolerances", None), "atol", 1e-8)) for m in problem.models.values()}
    own, theirs = Settings(), SETTINGS
    if tolerances - {(own.rtol, own.atol), (theirs.rtol, theirs.atol)}:
        findings.note("the tolerances of the solver are no part of PEtab; problems in it are solved with "
                      f"rtol {theirs.rtol:g} and atol {theirs.atol:g}")  # fmt: skip
    if any(e.t_max != T_MAX for e in problem.experiments):
        findings.note(f"by when a steady state has to be reached is no part of PEtab; it is {T_MAX:g}")
