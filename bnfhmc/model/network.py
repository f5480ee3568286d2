"""The one adapter to bngsim: reaction networks from .bngl, .net, SBML and Antimony, solved with forward sensitivities.

Solver: CVODES (Hindmarsh et al. 2005; Serban & Hindmarsh 2005) through bngsim's compiled right-hand sides.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

# SUNDIALS prints warnings of hopeless points from C on stdout; these names silence it and must be set before it loads.
os.environ.setdefault("SUNLOGGER_WARNING_FILENAME", os.devnull)
os.environ.setdefault("SUNLOGGER_ERROR_FILENAME", os.devnull)

import bngsim

from bnfhmc.errors import InputError, MissingTool, Mistake
from bnfhmc.expression import Expression, parse
from bnfhmc.model.firing import Firing, with_arms
from bnfhmc.model.internals import blind_starts, function_texts, reads_time, remembering, trigger_texts
from bnfhmc.model.protocol import Failure, FailureKind, Trajectory
from bnfhmc.model.rounding import rounded_states

logging.getLogger("bngsim").addHandler(logging.NullHandler())

_Simulator = remembering(bngsim.Simulator, bngsim.__version__)

Seeds = Mapping[str, Float[np.ndarray, " column"]]  # species → ∂(initial amount)/∂column
INTERNAL = ("__bngsim", "_obs_", "_vd_", "_rateLaw", "_ic_", "_V0_")  # names bngsim makes for itself

# What a single point may cost before it counts as failed: internal steps between two outputs, and seconds in all.
MAX_STEPS = 10_000
TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Tolerances:
    """Relative and absolute tolerance of the integrator (the sensitivities are held to the same ones)."""

    rtol: float = 1e-8
    atol: float = 1e-8


class _Lane:
    """One bngsim model and simulator for one set of quantities to set and one set of sensitivity columns.

    Lanes are never shared, so a value that one experiment sets cannot linger in another.
    """

    def __init__(self, source: bngsim.Model, units: Mapping[str, float], names: tuple[str, ...], columns: tuple[str, ...]):
        self.model = source.clone()
        self.parameters = tuple(n for n in names if n not in units)
        self.amounts = tuple((n, units[n]) for n in names if n in units)
        self.by_parameter = tuple(c for c in columns if c not in units)
        by_amount = tuple(c for c in columns if c in units)
        ordered = self.by_parameter + by_amount
        self.order = None if ordered == columns else np.array([ordered.index(c) for c in columns])
        self.per_unit = np.array([1.0 / units[c] for c in by_amount])
        self.simulator = _simulator(self.model, self.by_parameter, by_amount)

    def set(self, values: Mapping[str, float], columns: tuple[str, ...], seeds: Seeds | None) -> None:
        model = self.model
        model.set_params({n: values[n] for n in self.parameters})
        model.reset()
        for name, unit in self.amounts:
            model.set_concentration(name, values[name] / unit)
        if self.amounts:  # no parameter seeds a species that is set, also where the set value happens to equal its own
            rows = seeds or {}
            model.declare_ic_sensitivity({
                n: {c: float(d) / unit for c, d in zip(columns, rows[n], strict=True) if d} if n in rows else {}
                for n, unit in self.amounts
            })  # fmt: skip

    def read(self, result: bngsim.Result, selectors: list[str]) -> Trajectory:
        y = result.outputs(selectors)
        parts = []
        if self.by_parameter:
            parts.append(result.output_sensitivities(selectors))
        if self.per_unit.size:
            parts.append(result.output_sensitivities(selectors, axis="ic") * self.per_unit)
        if not parts:
            return Trajectory(y, np.empty((*y.shape, 0)))
        dy = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
        return Trajectory(y, dy if self.order is None else dy[:, :, self.order])


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
    _lanes: dict[tuple[tuple[str, ...], tuple[str, ...]], _Lane] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        m = self.source
        shut = set(m.unwritable_compartment_size_params)
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
        """The integrator's relative tolerance."""
        return self.tolerances.rtol

    @property
    def triggers(self) -> tuple[Expression, ...]:
        """The conditions that its events fire at."""
        return tuple(parse(text) for text in trigger_texts(self.source))

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
            return self._run(values, times.tolist(), outputs, columns, seeds)
        start = float(times[0])  # the integrator wants an interval; its first row is the answer
        solved = self._run(values, [start, start + 1e-9 * max(1.0, abs(start))], outputs, columns, seeds)
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
        grid = np.array([0.0, *np.geomspace(t_max / 1e6, t_max / 10, 6), t_max / 2, t_max])
        grid = (grid + since if since and reads_time(self.source) else grid).tolist()  # 0 leaves steps all their digits
        solved = self._run(values, grid, outputs, columns, seeds, steady=True)
        return solved if isinstance(solved, Failure) else Trajectory(solved.y[-1:], solved.dy[-1:])

    def sensitivity_note(self, columns: tuple[str, ...]) -> str:
        """Why the sensitivities by `columns` are difference quotients (dearer, less exact); empty where they are analytic."""
        simulator = self._lane(columns, columns).simulator if columns else None
        if simulator is None or simulator.has_analytic_sens_rhs:
            return ""
        return str(simulator.sens_rhs_decline_reason or "no analytic sensitivity right-hand side")

    def refusal(self, columns: tuple[str, ...]) -> str:
        """Why the sensitivities by `columns` would be wrong; empty where they are right.

        A difference quotient of the right-hand side does not see that a jump (of ``floor(A)``, or of an ``if`` on the
        state) comes sooner or later as a parameter moves.
        """
        blind = blind_starts(self.source, tuple(c for c in columns if c not in self.amounts))
        if blind:
            return f"bngsim has no derivative of {', '.join(blind)}"
        moving = {*self.source.species_names, *self.source.observable_names, *self.source.function_names}
        rounded = rounded_states(function_texts(self.source), moving)
        rounds = f"{', '.join(rounded)} rounds a quantity that changes with the state, and has no derivative"
        try:
            reason = self.sensitivity_note(columns)
        except MissingTool:
            if rounded:  # C has no % of numbers with fractions
                return rounds
            raise
        if reason and rounded:
            return rounds
        return reason if "crossing time" in reason else ""

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
        return Network(self.name, self.source.clone(), self.tolerances, self.timeout_s, self.derived, self.path)

    def _run(
        self, values: Mapping[str, float], times: list[float], outputs: tuple[str, ...], columns: tuple[str, ...],
        seeds: Seeds | None, steady: bool = False,
    ) -> Trajectory | Failure:  # fmt: skip
        lane = self._lane(tuple(values), columns)
        lane.set(values, columns, seeds)
        try:
            result = lane.simulator.run(
                sample_times=times, rtol=self.tolerances.rtol, atol=self.tolerances.atol, max_steps=MAX_STEPS,
                timeout=self.timeout_s,
            )  # fmt: skip
        except bngsim.SimulationTimeout as error:
            return Failure(FailureKind.TIMEOUT, str(error))
        except bngsim.SimulationError as error:
            if "dlopen" in str(error):  # the compiled model calls something the C library does not have: at every point
                raise InputError(Mistake(f"model '{self.name}' cannot be compiled: {_brief(error)}")) from error
            return Failure(FailureKind.SOLVER, str(error))
        except (bngsim.SensitivityUnsupportedError, ValueError) as error:
            raise InputError(Mistake(f"model '{self.name}' cannot be differentiated: {error}")) from error
        if steady and not self._settled(lane, result):
            return Failure(FailureKind.SOLVER, f"no steady state by t = {times[-1]:g}")
        try:
            y, dy = lane.read(result, [self._selectors[o] for o in outputs])
        except ValueError as error:
            hint = "measure what it is computed from, or use a gradient-free method"
            raise InputError(Mistake(f"model '{self.name}' cannot be differentiated: {error}", hint)) from error
        if not np.isfinite(y).all():
            return Failure(FailureKind.NONFINITE, "the solution is not finite")
        if not np.isfinite(dy).all():
            self._refuse_underivable(outputs, dy)
            return Failure(FailureKind.NONFINITE, "the sensitivities are not finite")
        return Trajectory(y, dy)

    def _settled(self, lane: _Lane, result: bngsim.Result) -> bool:
        """Whether the last state is at rest (its rates vanish, or doubling the time has changed nothing), and so are its
        sensitivities, which settle at the pace of the slowest mode also where the state was at rest from the start.
        """
        state = result.state
        size = 1.0 + float(np.abs(state[-1]).max())
        rates = lane.model.rhs(state[-1], float(result.time[-1]))
        at_rest = np.linalg.norm(rates) / len(rates) < max(self.tolerances.atol, 1e-12 * size)
        if not (at_rest or np.allclose(state[-1], state[-2], rtol=1e-6, atol=1e-9 * size)):
            return False
        for S in (result.sensitivities if lane.by_parameter else None, result.sensitivities_ic if lane.per_unit.size else None):
            if S is not None and S.size and not np.allclose(S[-1], S[-2], rtol=1e-4, atol=1e-6 * np.abs(S[-1]).max() + 1e-12):
                return False
        return True

    def _lane(self, names: tuple[str, ...], columns: tuple[str, ...]) -> _Lane:
        lane = self._lanes.get((names, columns))
        if lane is None:
            self._refuse_volumes(names)
            lane = self._lanes[names, columns] = _Lane(self.source, self._units, names, columns)
        return lane

    def _refuse_volumes(self, names: tuple[str, ...]) -> None:
        """An amount is a concentration times a size; where the size moves, so would what an amount means here."""
        sizes = sorted(set(names) & set(self.source.compartment_size_params))
        if not sizes:
            return
        probe = self.source.clone()
        probe.set_params({n: 1.5 * self.quantities[n] + 1.0 for n in sizes})
        moved = _units(probe)
        amounts = sorted(n for n in names if n in moved and moved[n] != self._units[n])
        if amounts:
            what = f"model '{self.name}': the compartment size '{sizes[0]}' cannot be set together with an amount"
            hint = "give it as a concentration, or fix the size"
            raise InputError(Mistake(f"{what} ({', '.join(amounts[:3])})", hint))

    def _refuse_underivable(self, outputs: tuple[str, ...], dy: np.ndarray) -> None:
        blind = [o for i, o in enumerate(outputs) if np.isnan(dy[1:, i]).any(axis=-1).all()]
        if blind:
            raise InputError([
                Mistake(f"model '{self.name}': output '{o}' cannot be differentiated",
                        "measure a species or observable it is computed from, or use a gradient-free method")
                for o in blind
            ])  # fmt: skip


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


def _simulator(model: bngsim.Model, parameters: tuple[str, ...], amounts: tuple[str, ...]) -> bngsim.Simulator:
    try:
        return _Simulator(
            model, method="ode", codegen=True,
            sensitivity_params=list(parameters) or None, sensitivity_ic=list(amounts) or None,
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


def open_network(path: Path, name: str, tolerances: Tolerances = Tolerances(), timeout_s: float = TIMEOUT_S) -> Network:
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
