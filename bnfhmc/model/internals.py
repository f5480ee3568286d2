"""The only touches of bngsim's internals, each with the versions it was proved with.

`Simulator.run` works out at each run, in Python and with sympy, numbers that its C++ solver needs: how initial values move
with the parameters, where a condition on time changes and how that moves. That costs up to hundreds of times the solve.
`Direct` hands the solver the same numbers from elsewhere; here is also how bngsim says them, and what it reads them from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from bngsim import SensitivityUnsupportedError, _codegen
from bngsim import _switch_sensitivity as switching
from bngsim._bngsim_core import SolverOptions, TimeSpec
from bngsim._codegen import compute_ic_param_sens_seed
from bngsim._jacobian import _inline_functions
from bngsim._seed import _DEFAULT_EVENT_SEED

from bnfhmc.expression import Call, Expression, ExpressionError, Name, expression, substitute
from bnfhmc.model.crossings import OFFSET, TIME, Crossings, Forms, Line, Thresholds, Trigger, Window, in_primaries
from bnfhmc.model.starts import Row, Starts

PROVED_WITH = ("0.16.",)  # versions for which tests/model/test_internals.py shows the route equal to the public one

EPSILON = 2.2e-16  # of a float
NO_ROWS = [(-1, 0, 0.0)]  # an empty list would bring back the rows that a set species has retired
RESCALED = ("_varvol_conc_map", "_varvol_amount_map", "_varvol_ar_conc_map", "_varvol_ar_amount_map",
            "_varvol_event_resize_map")  # fmt: skip  # what a model reports other than its solver's numbers


def compiled_without_errno(build: Any) -> Any:
    """bngsim's `build` of the compiler's command, with pow and exp that set no errno: gcc then takes equal calls together.

    No value changes. It was worth a fifth of the solve of a model with Hill functions.
    """

    def command(*args: Any, **options: Any) -> list[str]:
        words = list(build(*args, **options))
        return words if words[0].endswith(("cl", "cl.exe")) else [*words, "-fno-math-errno"]

    return command


if hasattr(_codegen, "_build_compile_cmd"):
    _codegen._build_compile_cmd = compiled_without_errno(_codegen._build_compile_cmd)


class Direct:
    """The C++ solver behind one bngsim Simulator, without the Python around it.

    Options that no point changes are set once; `run` takes those that a point may change.
    """

    def __init__(self, simulator: Any, rtol: float, atol: float, max_steps: int, timeout_s: float):
        self._solver = simulator._sim
        self._options = opts = SolverOptions()
        opts.rtol, opts.atol, opts.max_steps, opts.timeout_seconds = rtol, atol, max_steps, timeout_s
        opts.jacobian, opts.event_seed = simulator._jacobian, _DEFAULT_EVENT_SEED
        opts.codegen_so_path = simulator._codegen_so_path
        if (max_step := simulator._resolve_max_step(None)) is not None:
            opts.max_step_size = max_step
        columns, amounts = simulator._sensitivity_params, simulator._sensitivity_ic
        if columns:
            opts.set_sensitivity_params(columns)
        if amounts:
            opts.set_sensitivity_ic(amounts)
        if columns or amounts:
            opts.set_sensitivity_method(simulator._sensitivity_method)
            opts.set_state_switch_conditions(switching.state_switch_conditions(simulator.model._core))
        names = list(simulator.model._core.param_names)
        self._indices = [names.index(c) for c in columns]
        self._specs: dict[bytes, Any] = {}
        self._crossings = Crossings([], [], [])

    def control_errors(self, of_sensitivities: bool) -> None:
        """Whether sensitivities take part in the choice of steps."""
        self._options.set_sensitivity_error_control(of_sensitivities)

    def seed(self, rows: Sequence[Row]) -> None:
        """∂x(0)/∂p of the runs to come."""
        self._options.set_ic_param_sens([row for row in rows if row[2] != 0.0] or NO_ROWS)

    def cross(self, at: Crossings) -> None:
        """The crossings of the runs to come."""
        options, before = self._options, self._crossings
        self._crossings = at
        if at.stops != before.stops:
            options.set_crossing_stops(at.stops)
        if at.jumps != before.jumps:
            moved = {i for _, _, _, slope, _, _ in at.jumps for i, d in zip(self._indices, slope, strict=True) if d}
            options.set_switch_time_sens(at.jumps)
            options.set_switch_pinned_params(sorted(moved))
        if at.fires != before.fires:
            options.set_event_time_sens(at.fires)

    def run(self, times: np.ndarray) -> Any:
        """The solver's arrays at `times`, from the model's present state."""
        key = times.tobytes()
        spec = self._specs.get(key)
        if spec is None:
            if len(self._specs) > 100:
                self._specs.clear()
            spec = self._specs[key] = TimeSpec()
            spec.sample_times = times.tolist()
            spec.t_start, spec.t_end, spec.n_points = float(times[0]), float(times[-1]), len(times)
        return self._solver.run(spec, self._options)


def not_direct(simulator: Any, version: str, selectors: Iterable[str] = ()) -> str:
    """Why a simulator's runs have to take the public route; empty where they need not. ``selectors``: of its outputs."""
    if not version.startswith(PROVED_WITH):
        return f"bngsim {version} is none of those it was proved with ({', '.join(PROVED_WITH)})"
    if not simulator._codegen_so_path:
        return "its right-hand side is not a compiled library"
    if (simulator._sensitivity_params or simulator._sensitivity_ic) and not simulator._codegen_provides_sens_rhs():
        return "its sensitivities are difference quotients"
    if any(getattr(simulator.model, name) for name in RESCALED):
        return "it has compartments whose size changes"
    if {f"species:{name}" for name in simulator.model._ar_report_map or ()} & set(selectors):
        return "a species of it is reported as an assignment rule has it"
    return ""


def start_rows(core: Any) -> list[Row]:
    """∂x(0)/∂p as bngsim derives it from the model's file, at the core's present values."""
    return compute_ic_param_sens_seed(core)


def starts_of(core: Any) -> Starts:
    """The closed form of `start_rows`, by every primary parameter; raises ExpressionError where there is none."""
    names, derived = list(core.param_names), _derived(core)
    amounts = tuple((species, in_primaries(names[p], derived)) for species, p in core.species_ic_param_refs)
    _refuse_stale(core, (n for _, value in amounts for n in value.names))
    return Starts(amounts, {n: i for i, n in enumerate(names) if n not in derived})


def volumes(core: Any) -> tuple[list[float], list[Row]]:
    """What the amounts of `starts_of` are divided by, and how stored amounts move with the compartments' sizes."""
    return list(core.species_ic_param_ref_divisors), [tuple(row) for row in core.compartment_ic_sens_seeds]


def clocks_of(core: Any) -> dict[int, str]:
    """The species whose rate is 1 whatever the state, at the core's present parameters."""
    names = list(core.species_names)
    return {i: names[i] for i in sorted(switching._unit_rate_clock_indices(core))} if core.n_functions else {}


def conditions_on_state(core: Any) -> list[str]:
    """The conditions whose crossings the solver finds as it goes."""
    return list(switching.state_switch_conditions(core))


def named_in_conditions(model: Any) -> set[str]:
    """Every name in a text that may hold a condition on time, and in what those names stand for."""
    core = model._core
    bodies = {**_derived(core), **dict(core.functional_jacobian_context()["function_map"])}
    texts = [*model.time_discontinuity_conditions(), *trigger_texts(model),
             *(t for t in function_texts(model) if switching._IF_CALL.search(t))]  # fmt: skip
    found, new = set[str](), {n for t in texts for n in _NAME.findall(t)}
    while new:
        found |= new
        new = {n for name in new for n in _NAME.findall(bodies.get(name, ""))} - found
    return found if texts else set()


def crossings_asked(model: Any, columns: Sequence[str], window: Window) -> Crossings:
    """The crossings of a run as bngsim derives them, from the model's present state and values."""
    core, start, end = model._core, *window
    stops = switching.fixed_crossing_stops(core, start, end, model.time_discontinuity_conditions())
    held = [(s.time, s.clock_species_idx, s.threshold) for s in stops]
    if not columns:
        return Crossings(held, [], [])
    jumps, _ = switching.compute_switch_time_sens(core, list(columns), start, end, has_analytic_sens_rhs=True)
    fires = switching.compute_event_time_sens(core, list(columns), start, end)
    blocked = fires.blocked.keys() - set(core.events_with_runtime_event_time_sens()) if fires.blocked else set()
    if blocked:
        raise SensitivityUnsupportedError("; ".join(fires.blocked[e] for e in sorted(blocked)))
    return Crossings(held, [tuple(jump) for jump in jumps], [(e, list(slope)) for e, slope in fires.records])


def forms_of(model: Any, columns: Sequence[str]) -> Forms:
    """Closed forms of `crossings_asked`; raises ExpressionError where a condition is more than a threshold on a clock."""
    core = model._core
    context = core.functional_jacobian_context()
    scope = switching.switch_condition_scope(core, context)
    exprs = switching._threshold_scope(scope, context).exprs
    lines = [_line(c, scope, context, exprs) for c in model.time_discontinuity_conditions()]
    forms = Forms(
        tuple(line for line in lines if line is not None),
        Thresholds(tuple(dict.fromkeys(_switch_readings(scope, context))) if columns else (), tuple(columns)),
        tuple(_triggers(core, scope, context, tuple(columns))) if columns else (),
    )
    _refuse_stale(core, forms.names)
    return forms


def _refuse_stale(core: Any, names: Iterable[str]) -> None:
    """A function's value is kept as a parameter that is brought up to date only while the solver runs."""
    owned = sorted(set(names) & set(core.function_names))
    if owned:
        raise ExpressionError(f"it reads '{owned[0]}', which is a function")


def _line(condition: str, scope: Any, context: Any, derived: Mapping[str, str]) -> Line | None:
    """The condition as a straight line in the time, or None where bngsim places no stop for it."""
    symbols = [s for s in scope.clocks if not switching._clock_free(condition, {s})]
    if len({scope.clocks[s] for s in symbols}) > 1:
        return None
    atom = switching._strip_redundant_parens(condition.strip())
    if switching._clock_periodic_schedule(atom, scope.clock_symbols, scope) is not None:
        raise ExpressionError(f"'{condition}' repeats")
    sides = switching._relational_split(atom)
    if sides is None:
        return None
    aliases = switching._time_alias_bodies(context)
    text = switching._inline_time_aliases(f"({sides[0]})-({sides[1]})", aliases)
    residual = in_primaries(text, derived)
    clock = Call("+", (Name(TIME), Name(OFFSET)))
    residual = expression(substitute(residual.node, {s.removesuffix("()"): clock for s in symbols}))
    others = residual.names - {TIME, OFFSET}
    if TIME not in residual.names or not others <= scope.param_idx.keys() - aliases.keys():
        return None
    return Line(scope.clocks[symbols[0]] if symbols else -1, residual)


def _switch_readings(scope: Any, context: Any) -> list[tuple[int, Expression]]:
    """(clock, reading) of every threshold that a branch of a rate law has on a clock."""
    bodies, out = dict(context["function_map"]), []
    flat = [_inline_functions(body, bodies) or body for body in bodies.values()]
    for atom in dict.fromkeys(a for body in flat for a in switching._iter_condition_atoms(body)):
        split = switching._clock_threshold_splits(atom, scope.clock_symbols)
        if split is None:
            if switching._clock_guarded_thresholds(atom, scope.clock_symbols) is not None:
                raise ExpressionError(f"'{atom}' has branches")
            if switching._clock_periodic_schedule(atom, scope.clock_symbols, scope) is not None:
                raise ExpressionError(f"'{atom}' repeats")
            continue
        known = [switching._threshold_crossing_terms(text, scope) is not None for text in split[1]]
        if any(known) and not all(known):
            raise ExpressionError(f"'{atom}' is only partly a threshold on a clock")
        if all(known):
            out += [(scope.clocks.get(split[0], -1), in_primaries(text, scope.derived_exprs)) for text in split[1]]
    return out


def _triggers(core: Any, scope: Any, context: Any, columns: tuple[str, ...]) -> list[Trigger]:
    """The triggers that are bounds on a clock, all of them; of others bngsim gives no time before the run."""
    thresholds, out = switching._threshold_scope(scope, context), []
    for event, text in enumerate(core.event_trigger_sources() if core.n_events else []):
        found = switching._analyze_event_trigger(
            core, text or "", scope, thresholds, scope.clocks, set(scope.clock_symbols), 0.0
        )
        if isinstance(found, str):
            continue
        bounds: dict[str, list[tuple[int, Expression]]] = {"lower": [], "upper": []}
        for atom in switching._split_logical_atoms(text.strip()):
            split = switching._clock_threshold_split_oriented(atom, scope.clock_symbols)
            if split is not None:
                bounds[split[2]].append((scope.clocks.get(split[0], -1), in_primaries(split[1], thresholds.exprs)))
        if bounds["lower"]:
            out.append(Trigger(event, Thresholds(tuple(bounds["lower"]), columns), Thresholds(tuple(bounds["upper"]), ())))
    return out


def _derived(core: Any) -> dict[str, str]:
    parameters = zip(core.param_names, core.param_is_expression, core.param_expressions, strict=True)
    return {name: text for name, computed, text in parameters if computed and text}


_NAME = re.compile(r"[A-Za-z_]\w*")


def undifferentiable(simulator: Any) -> dict[str, str]:
    """Why some functions of the model have no sensitivity, by name."""
    return {name: why for name, why in simulator._expression_sens_support().items() if why}


def function_texts(model: Any) -> list[str]:
    """The expressions of the model's functions and functional rate laws, as bngsim holds them."""
    return list(model._core.function_expressions)


def trigger_texts(model: Any) -> list[str]:
    """The conditions that the model's events fire at, as bngsim holds them."""
    return list(model._core.event_trigger_sources())


def reads_time(model: Any) -> bool:
    """Whether a rate law, a function or the trigger of an event names the time."""
    return any("time()" in text.replace(" ", "") for text in (*function_texts(model), *trigger_texts(model)))


def blind_starts(model: Any, columns: Sequence[str], said: Sequence[Row]) -> list[str]:
    """Initial amounts that move with one of `columns` otherwise than bngsim's ∂x(0)/∂p, which is `said`, has it, in words.

    bngsim leaves out an initial value it cannot differentiate, without a word. Compared at the model's own values, by the
    state that `reset` gives for a parameter a little above and below.
    """
    probe, found = model.clone(), list[str]()
    core, names, parameters = model._core, model.species_names, list(model._core.param_names)
    texts = {names[i]: core.param_expressions[p] for i, p in core.species_ic_param_refs}
    for name in columns:
        own = np.zeros(len(names))
        for species, parameter, slope in said:
            own[species] += slope if parameters[parameter] == name else 0.0
        value = probe.get_param(name)
        h = 1e-5 * max(abs(value), 1e-3)
        above, below = (_start(probe, name, value + d) for d in (h, -h))
        _start(probe, name, value)
        rounding = 8 * EPSILON * (abs(above) + abs(below)) / h
        slopes = (above - below) / (2 * h)
        wrong = abs(slopes - own) > 1e-4 * (abs(slopes) + abs(own)) + rounding
        found += [f"the initial amount of {names[i]} ({texts.get(names[i], '…')}) by {name}" for i in wrong.nonzero()[0]]
    return found


def _start(model: Any, name: str, value: float) -> Any:
    model.set_param(name, value)
    model.reset()
    return model.get_state()
