"""The one adapter to bngsim: reaction networks from .bngl, .net, SBML and Antimony, solved with forward sensitivities.

Solver: CVODES (Hindmarsh et al. 2005; Serban & Hindmarsh 2005) through bngsim's compiled right-hand sides.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from math import isfinite
from pathlib import Path
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

# SUNDIALS prints warnings of hopeless points from C on stdout; these names silence it and must be set before it loads.
os.environ.setdefault("SUNLOGGER_WARNING_FILENAME", os.devnull)
os.environ.setdefault("SUNLOGGER_ERROR_FILENAME", os.devnull)

import bngsim

from bnfhmc.errors import InputError, MissingTool, Mistake
from bnfhmc.expression import Expression
from bnfhmc.model.events import condition, conversion_factors, ordered_events
from bnfhmc.model.firing import Firing, with_arms
from bnfhmc.model.internals import not_direct, reads_time, trigger_texts
from bnfhmc.model.lane import Lane, Seeds
from bnfhmc.model.limits import TIMEOUT_S, Tolerances
from bnfhmc.model.plan import Plans
from bnfhmc.model.protocol import Failure, FailureKind, Trajectory
from bnfhmc.model.refusals import refuse_underivable, refuse_volumes, wrong_derivatives

logging.getLogger("bngsim").addHandler(logging.NullHandler())

INTERNAL = ("__bngsim", "_obs_", "_vd_", "_rateLaw", "_ic_", "_V0_")  # names bngsim makes for itself

@dataclass(slots=True)
class Network:
    """A reaction network solved by bngsim; see `bnfhmc.model.protocol.Model`.

    ``quantities`` are its independent parameters and its species' initial amounts, in the units the model reports them in;
    ``derived`` are those quantities that the file computes from others; ``outputs`` its observables, functions and species.
    Setting a species replaces its initial amount, whatever the file says about it.
    """

    name: str
    source: bngsim.Model
    tolerances: Tolerances = Tolerances()
    timeout_s: float = TIMEOUT_S
    derived: Mapping[str, Expression] = field(default_factory=dict)
    path: Path | None = None
    quantities: Mapping[str, float] = field(init=False)
    amounts: frozenset[str] = field(init=False)
    outputs: tuple[str, ...] = field(init=False)
    _units: Mapping[str, float] = field(init=False)
    _selectors: Mapping[str, str] = field(init=False)
    _armed: Network | None = field(init=False, default=None)
    _lanes: dict[tuple[tuple[str, ...], tuple[str, ...]], Lane] = field(init=False, default_factory=dict)
    _plans: Plans | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        m = self.source
        shut = {*m.unwritable_compartment_size_params, *conversion_factors(self.path)}
        self._units = MappingProxyType(_units(m))
        state = dict(zip(m.species_names, m.get_state().tolist(), strict=True))
        self.quantities = MappingProxyType(
            {n: m.get_param(n) for n in m.primary_param_names if n not in shut}
            | {n: state[n] * unit for n, unit in self._units.items()}
        )
        self.amounts = frozenset(self._units)
        # SBML may name one thing thrice; its function is an assignment rule, its observable the amount or concentration
        # that the species' units ask for, its species row the solver's own concentration
        kinds = (("species", m.species_names), ("observable", m.observable_names), ("expression", m.function_names))
        self._selectors = MappingProxyType({n: f"{kind}:{n}" for kind, names in kinds for n in names
                                            if not n.startswith(INTERNAL)})  # fmt: skip
        self.outputs = tuple(self._selectors)

    @property
    def rtol(self) -> float:
        """The integrator's relative tolerance, the looser one where solves with sensitivities have their own."""
        return max(self.tolerances.rtol, self.tolerances.gradient_rtol or 0.0)

    @property
    def solver_steps(self) -> int:
        """Steps that the integrator has taken so far, in the solves that did not fail."""
        return sum(lane.steps for lane in self._lanes.values()) + (self._armed.solver_steps if self._armed is not None else 0)

    @property
    def triggers(self) -> tuple[Expression, ...]:
        """The conditions that its events fire at."""
        return tuple(condition(text) for text in trigger_texts(self.source))

    def solve(
        self,
        values: Mapping[str, float],
        times: Float[np.ndarray, " time"],
        outputs: tuple[str, ...],
        columns: tuple[str, ...] = (),
        seeds: Seeds | None = None,
    ) -> Trajectory | Failure:
        """y[time, output] and ∂y/∂columns, integrated from ``times[0]``; see `bnfhmc.model.protocol.Model.solve`."""
        if len(times) > 1:
            return self._run(values, times, outputs, columns, seeds)
        start = float(times[0])  # the integrator wants an interval; its first row is the answer
        solved = self._run(values, np.array([start, start + 1e-9 * max(1.0, abs(start))]), outputs, columns, seeds)
        return solved if isinstance(solved, Failure) else Trajectory(solved.y[:1], solved.dy[:1])

    def equilibrate(
        self,
        values: Mapping[str, float],
        t_max: float,
        outputs: tuple[str, ...],
        columns: tuple[str, ...] = (),
        seeds: Seeds | None = None,
        since: float = 0.0,
    ) -> Trajectory | Failure:
        """The steady state reached from the initial values, as one row; see `bnfhmc.model.protocol.Model.equilibrate`.

        The sensitivities are integrated along with the state: bngsim's algebraic ones leave out what conserved totals
        inherit from initial values.
        """
        grid = _grid(t_max)
        grid = grid + since if since and reads_time(self.source) else grid  # 0 leaves steps all their digits
        solved = self._run(values, grid, outputs, columns, seeds, steady=True)
        return solved if isinstance(solved, Failure) else Trajectory(solved.y[-1:], solved.dy[-1:])

    def sensitivity_note(self, columns: tuple[str, ...]) -> str:
        """Why the sensitivities by `columns` are difference quotients (dearer, less exact); empty where they are analytic."""
        simulator = self._lane(columns, columns).simulator if columns else None
        if simulator is None or simulator.has_analytic_sens_rhs:
            return ""
        return str(simulator.sens_rhs_decline_reason or "no analytic sensitivity right-hand side")

    def refusal(self, columns: tuple[str, ...]) -> str:
        """Why the sensitivities by `columns` would be wrong; empty where they are right."""
        plans = self._shared()
        refusals = plans.refusals
        if columns not in refusals:
            parameters = tuple(c for c in columns if c not in self.amounts)
            said = plans.said if parameters else []
            refusals[columns] = wrong_derivatives(self.source, parameters, said, lambda: self.sensitivity_note(columns))
            refusals[columns] = refusals[columns] or (ordered_events(self.path) if columns else "")
        return refusals[columns]

    def firing(self, events: tuple[int, ...]) -> Firing:
        """The same model, where some of its events fire at the first time."""
        if self.path is None or self.path.suffix.lower() not in (".xml", ".sbml"):
            raise InputError(Mistake(f"model '{self.name}' is no SBML, of which alone an event can be made to fire"))
        if self._armed is None:
            source = bngsim.Model.from_sbml_string(with_arms(self.path.read_text(encoding="utf-8")))
            self._armed = replace(self, source=source)
        return Firing(self._armed, events)

    def clone(self) -> Network:
        """An independent copy for another thread; its compiled code is shared through bngsim's cache."""
        made = replace(self, source=self.source.clone())
        made._plans, made._armed = self._shared(), self._armed.clone() if self._armed is not None else None
        return made

    def loosened(self, rtol: float, timeout_s: float) -> Network:
        """A clone that is solved less exactly, and given up earlier: for searches, which need few digits until their end."""
        made = self.clone()
        made.tolerances, made.timeout_s = self.tolerances.loosened(rtol), min(timeout_s, self.timeout_s)
        return made

    def _run(
        self, values: Mapping[str, float], times: np.ndarray, outputs: tuple[str, ...], columns: tuple[str, ...],
        seeds: Seeds | None, steady: bool = False,
    ) -> Trajectory | Failure:  # fmt: skip
        lane = self._lane(tuple(values), columns)
        try:
            run = lane.run(values, times, seeds)
        except bngsim.SimulationTimeout as error:
            return Failure(FailureKind.TIMEOUT, str(error))
        except RuntimeError as error:
            if isinstance(error, ValueError):
                raise InputError(Mistake(f"model '{self.name}' cannot be differentiated: {error}")) from error
            if isinstance(error, bngsim.BngsimError) and not isinstance(error, bngsim.SimulationError):
                raise
            if "dlopen" in str(error):  # the compiled model calls something the C library does not have: at every point
                raise InputError(Mistake(f"model '{self.name}' cannot be compiled: {_brief(error)}")) from error
            return Failure(FailureKind.SOLVER, str(error))
        except ValueError as error:
            raise InputError(Mistake(f"model '{self.name}' cannot be differentiated: {error}")) from error
        if steady and not lane.settled(run):
            return Failure(FailureKind.SOLVER, f"no steady state by t = {times[-1]:g}")
        try:
            y, dy = lane.read(run, tuple([self._selectors[o] for o in outputs]))
        except ValueError as error:
            hint = "measure what it is computed from, or use a gradient-free method"
            raise InputError(Mistake(f"model '{self.name}' cannot be differentiated: {error}", hint)) from error
        if not _finite(y):
            return Failure(FailureKind.NONFINITE, "the solution is not finite")
        if not _finite(dy):
            refuse_underivable(self.name, outputs, dy)
            return Failure(FailureKind.NONFINITE, "the sensitivities are not finite")
        return Trajectory(y, dy)

    def _lane(self, names: tuple[str, ...], columns: tuple[str, ...]) -> Lane:
        lane = self._lanes.get((names, columns))
        if lane is None:
            self._refuse_volumes(names)
            parameters, amounts = ([c for c in columns if (c in self._units) is kind] for kind in (False, True))
            simulator = _simulator(self.source.clone(), parameters, amounts, self.tolerances.method)
            limits = self.tolerances.limits(bool(columns), self.timeout_s)
            public = not_direct(simulator, bngsim.__version__, self._selectors.values())
            lane = self._lanes[names, columns] = Lane(simulator, self._units, names, columns, limits, self._shared(), public)
        return lane

    def _shared(self) -> Plans:
        """What is read of the model once, for its clones as well."""
        if self._plans is None:
            self._plans = Plans(self.source)
        return self._plans

    def _refuse_volumes(self, names: tuple[str, ...]) -> None:
        sizes = sorted(set(names) & set(self.source.compartment_size_params))
        if sizes:
            probe = self.source.clone()
            probe.set_params({n: 1.5 * self.quantities[n] + 1.0 for n in sizes})
            refuse_volumes(self.name, sizes[0], names, self._units, _units(probe))


def _finite(x: np.ndarray) -> bool:
    """Whether every number is finite; of those that are, the sum of squares nearly always is."""
    flat = x.ravel()
    with np.errstate(over="ignore"):  # of a square, which says nothing
        return isfinite(np.dot(flat, flat)) or bool(np.isfinite(flat).all())


def _units(model: bngsim.Model) -> dict[str, float]:
    """Reported amount per solver concentration of each species that can be set (one an assignment rule owns cannot)."""
    species = [n for n in model.species_names if n not in set(model.function_names)]
    reported = [n for n in species if n in set(model.observable_names)]
    units = dict.fromkeys(species, 1.0)
    if reported:
        probe = model.clone()
        for name in species:
            probe.set_concentration(name, 1.0)
        result = bngsim.Simulator(probe, method="ode").run(t_span=(0.0, 1e-12), n_points=2)
        units |= dict(zip(reported, result.outputs([f"observable:{n}" for n in reported])[0].tolist(), strict=True))
    return units


@cache
def _grid(t_max: float) -> Float[np.ndarray, " time"]:
    """Times at which a steady state is looked for, further and further apart; the last two tell whether it is one."""
    return np.array([0.0, *np.geomspace(t_max / 1e6, t_max / 10, 6), t_max / 2, t_max])


def _simulator(model: bngsim.Model, parameters: list[str], amounts: list[str], method: str) -> bngsim.Simulator:
    try:
        return bngsim.Simulator(
            model, method="ode", codegen=True,
            sensitivity_params=parameters or None, sensitivity_ic=amounts or None, sensitivity_method=method,
        )  # fmt: skip
    except (bngsim.SensitivityUnsupportedError, ValueError) as error:
        raise InputError(Mistake(f"the model cannot be differentiated: {error}")) from error
    except FileNotFoundError:
        raise
    except (RuntimeError, OSError) as error:
        raise MissingTool(
            f"the model's sensitivities could not be compiled ({_brief(error)}); a C compiler is installed with 'apt-get "
            "install gcc' (Debian), 'dnf install gcc' (Fedora) or 'xcode-select --install' (macOS), and CC names another"
        ) from error


def _brief(error: BaseException) -> str:
    """The last line of the first cause, which is the one that says what happened."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1][:300]


def open_network(path: Path, name: str, tolerances: Tolerances, timeout_s: float) -> Network:
    """Read a .bngl, .net, .xml/.sbml or .ant file; raises InputError with what bngsim says of a file it cannot read."""
    read = {
        ".bngl": bngsim.Model.from_bngl,
        ".net": bngsim.Model.from_net,
        ".xml": bngsim.Model.from_sbml,
        ".sbml": bngsim.Model.from_sbml,
        ".ant": bngsim.Model.from_antimony,
    }[path.suffix.lower()]
    try:
        model = read(str(path))
        if model.n_species == 0:
            raise ValueError("it has no species")
        return Network(name, model, tolerances, timeout_s, path=path)
    except (bngsim.BngsimError, ValueError, RuntimeError, OSError) as error:
        said = " ".join(str(error).split())
        raise InputError(Mistake(f"the model cannot be loaded: {said[:2000]}", "", path)) from error
