"""One experiment solved: equilibrate, perturb, integrate phase by phase or scan, every derivative carried through to θ."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from jaxtyping import Float

from bnfhmc.errors import InputError, Mistake, nearest
from bnfhmc.expression import Expression
from bnfhmc.model.protocol import Failure, Model, Solver
from bnfhmc.phase import Passed, Phase, Solved, State, Theta
from bnfhmc.problem import Experiment, Scan
from bnfhmc.routing import DOSE, Routing, route

# Pre-equilibration ends before the measured phase starts, so that an event at the start is an event of the latter.
ENDED = 1.0 + 1e-6


class Simulation:
    """θ → the outputs of one experiment.

    Its phases: the pre-equilibration under `before`, the start under `condition`, and each of `later` that a row lies in or
    behind. Each hands its last state x(θ) and ∂x/∂θ to the next. Raises InputError for what cannot be simulated, or not with
    right derivatives.
    """

    def __init__(
        self, experiment: Experiment, model: Model, names: tuple[str, ...], outputs: tuple[str, ...], reads: frozenset[str]
    ):
        self.experiment, self.model, self.names, self.outputs = experiment, model, names, outputs
        scan = experiment.scan
        _refuse_periods(experiment)
        if scan is not None:
            _check_scan(experiment.name, scan, model, names)
        stretches = _stretches(experiment)
        conditions = [p.condition for p in experiment.later[: len(stretches) - 1]]
        carried = model.amounts if experiment.before else frozenset[str]()
        routings = [route(model, experiment.condition, names, scan.quantity if scan else None, carried)]
        routings += [
            route(model, experiment.condition, names, carried=model.amounts, later=conditions[: k + 1])
            for k in range(len(conditions))
        ]
        species = tuple(q for q in model.quantities if q in model.amounts)
        read = [tuple(r for r in routing.reads if r.phase == k) for k, routing in enumerate(routings)]
        self._reads = read
        self._solvers: dict[tuple[int, ...], Solver] = {}

        self.triggers, watched = _triggers(experiment, model, len(stretches)), tuple[str, ...]()
        if self.triggers:
            named = {n for t in self.triggers for n in t.names}
            watched = tuple(dict.fromkeys((*species, *sorted(named & set(model.outputs)))))

        def state(k: int) -> tuple[str, ...]:
            """What phase k starts from and reads, and what tells whether an event fires as it starts."""
            return tuple(dict.fromkeys((*species, *(r.output for r in read[k]), *watched)))

        self.measured = tuple(
            Phase(routing, model, times, rows, outputs, reads, experiment.t_max, state(k + 1) if k < len(conditions) else (),
                  experiment.later[k - 1].time if k else 0.0, watched if k or experiment.before else ())
            for k, (routing, (times, rows)) in enumerate(zip(routings, stretches, strict=True))
        )
        self.before = None
        if experiment.before is not None or read[0]:
            times = np.array([np.inf]) if experiment.before is not None else stretches[0][0][:1]
            routing, nothing = route(model, experiment.before, names), frozenset[str]()
            t_max, start = experiment.t_max, _first(experiment)
            self.before = Phase(routing, model, times, np.arange(0), (), nothing, t_max, state(0), start - t_max * ENDED)
        self._refuse_wrong_gradients()

    @property
    def routings(self) -> tuple[Routing, ...]:
        """Of each phase, in the order of time."""
        measured = tuple(p.routing for p in self.measured)
        return measured if self.before is None else (self.before.routing, *measured)

    @property
    def used(self) -> frozenset[str]:
        """The free parameters that some quantity of the model depends on."""
        return frozenset(n for r in self.routings for value in r.values.values() for n in value.names) & set(self.names)

    @property
    def slow(self) -> str:
        """Why the sensitivities are difference quotients, dearer and less exact; empty where they are analytic."""
        return next((note for r in self.routings if (note := self.model.sensitivity_note(r.columns))), "")

    def solve(self, theta: Theta, gradient: bool) -> Solved | Failure:
        """The outputs at θ, with their sensitivities where `gradient`."""
        past = self.before.solve(theta, None, None, gradient) if self.before is not None else None
        if isinstance(past, Failure):
            return past
        start = past.end if past is not None else None
        if self.experiment.scan is not None:
            return self._scanned(self.experiment.scan, theta, start, gradient)
        if len(self.measured) == 1 and not self._reads[0] and not self.triggers:
            solved = self.measured[0].solve(theta, None, start, gradient)
            return solved if isinstance(solved, Failure) else solved.rows
        return self._in_turn(theta, past, gradient)

    def _in_turn(self, theta: Theta, past: Passed | None, gradient: bool) -> Solved | Failure:
        """The rows of every phase, each from the state that the one before it has left."""
        rows, values, slopes = list[Solved](), dict(theta), dict[str, np.ndarray]()
        carries = self.experiment.before is not None
        for phase, reads in zip(self.measured, self._reads, strict=True):
            state = past.end if past else None
            for read in reads:
                assert state is not None  # a phase before one that reads has a state
                values[read.name], slopes[read.name] = state.of(read.output)
            d_reads = np.array([slopes[r.name] for r in phase.routing.reads]) if gradient and slopes else None
            solved = phase.solve(values, d_reads, state if carries else None, gradient)
            if isinstance(solved, Failure):
                return solved
            if self.triggers and carries and past is not None and (fired := self._fired(past, solved, float(phase.times[0]))):
                solved = phase.solve(values, d_reads, state, gradient, self._firing(fired))
                if isinstance(solved, Failure):
                    return solved
            rows.append(solved.rows)
            past, carries = solved, True
        return _stacked(rows, gradient)

    def _fired(self, past: Passed, now: Passed, t: float) -> tuple[int, ...]:
        """The events that a condition makes fire as it takes effect: their triggers were false just before and are true."""
        assert past.end is not None and now.began is not None  # both are asked for where there are triggers
        own, began = self.model.quantities, now.began.by_name()
        ended = {**own, **past.values, **past.end.by_name(), "time": t}
        earlier, later = {**ended, "time": np.nextafter(t, -np.inf)}, {**own, **now.values, **began, "time": t}
        whose = f"experiment '{self.experiment.name}'"
        first = self.experiment.before is not None and past.rows.y.size == 0 and t == _first(self.experiment)
        for e in self.triggers:
            if not first and not e(earlier) and e(ended):  # it may have fired at the end of the phase before, or not
                raise InputError(Mistake(f"{whose}: the event at {e.text} and a condition fall on one time, t = {t:g}",
                                         "move one of the two"))  # fmt: skip
        for n, x in now.values.items():  # an event whose trigger counts as false at every start
            if n in self.model.amounts and abs(began[n] - x) > 1e-6 * abs(x) + 1e-12:
                raise InputError(Mistake(f"{whose}: an event changes {n} at t = {t:g}, just when a condition takes effect",
                                         "move one of the two"))  # fmt: skip
        return tuple(k for k, e in enumerate(self.triggers) if not e(earlier) and e(later))

    def _firing(self, events: tuple[int, ...]) -> Solver:
        """The model with these events fired at the start; InputError, which names them, where that cannot be."""
        if events not in self._solvers:
            try:
                self._solvers[events] = self.model.firing(events)
            except InputError as error:
                what = (f"experiment '{self.experiment.name}': the event at {self.triggers[events[0]].text} fires just when a "
                        "condition takes effect")  # fmt: skip
                raise InputError((Mistake(what, "move one of the two"), *error.mistakes)) from error
        return self._solvers[events]

    def _scanned(self, scan: Scan, theta: Theta, start: State | None, gradient: bool) -> Solved | Failure:
        rows = []
        for dose in scan.doses.tolist():
            row = self.measured[0].solve({**theta, DOSE: dose}, None, start, gradient)
            if isinstance(row, Failure):
                return row
            rows.append(row.rows)
        return _stacked(rows, gradient)

    def _refuse_wrong_gradients(self) -> None:
        for routing in self.routings:
            if why := self.model.refusal(routing.columns):
                raise InputError(Mistake(f"model '{self.model.name}' cannot be differentiated: {why}",
                                         "write it with a smooth function, or with an event"))  # fmt: skip


def _stretches(e: Experiment) -> list[tuple[np.ndarray, np.ndarray | None]]:
    """Of each measured phase the times to ask for, and which of them are rows (None: all)."""
    if e.scan is not None:
        return [(np.array([np.inf]), None) if e.scan.t_end is None else (np.array([0.0, e.scan.t_end]), np.array([1]))]
    if not e.later:
        return [(e.times, None)]
    steady = not np.isfinite(e.times[-1])
    starts = [_first(e), *(p.time for p in e.later)]
    last = len(starts) - 1 if steady else max(k for k, start in enumerate(starts) if start <= e.times[-1])
    out: list[tuple[np.ndarray, np.ndarray | None]] = []
    for start, end in pairwise(starts[: last + 1]):
        rows = np.array([]) if steady else e.times[(e.times >= start) & (e.times < end)]
        times = np.unique(np.concatenate([[start], rows, [end]]))
        out.append((times, np.searchsorted(times, rows)))
    if steady:
        return [*out, (e.times, None)]
    rows = e.times[e.times >= starts[last]]
    times = np.unique(np.concatenate([[starts[last]], rows]))
    return [*out, (times, np.searchsorted(times, rows))]


def _first(e: Experiment) -> float:
    """When the measured phases start: at 0 where the experiment has no time but that of its steady state."""
    return float(e.times[0]) if e.scan is None and np.isfinite(e.times[0]) else 0.0


def _refuse_periods(e: Experiment) -> None:
    """Raise InputError where the later conditions have no order, or no meaning."""
    if not e.later:
        return
    if e.scan is not None:
        raise InputError(Mistake(f"experiment '{e.name}' is a scan, in which no condition can take effect later"))
    starts = [_first(e), *(p.time for p in e.later)]
    if not all(a < b < np.inf for a, b in pairwise(starts)):
        told = ", ".join(f"{t:g}" for t in starts)
        raise InputError(Mistake(f"experiment '{e.name}': the times its conditions take effect at do not increase ({told})"))


def _triggers(e: Experiment, model: Model, phases: int) -> tuple[Expression, ...]:
    """The conditions that events fire at, where a change between two phases could make one true."""
    if (phases == 1 and e.before is None) or not model.triggers:
        return ()
    unknown = {n for t in model.triggers for n in t.names} - {*model.outputs, *model.quantities, "time"}
    if unknown:
        what = f"model '{model.name}': an event reads '{min(unknown)}', so that no condition can take effect later"
        raise InputError(Mistake(what, "write what it is computed from into the event"))
    if phases > 1 and not np.isfinite(e.times[-1]):
        raise InputError(Mistake(f"experiment '{e.name}' ends in a steady state after a condition that takes effect later, in "
                                 "a model with events", "give it a time that is late enough"))  # fmt: skip
    return model.triggers


def _check_scan(whose: str, scan: Scan, model: Model, names: tuple[str, ...]) -> None:
    wrong = []
    if scan.quantity in names:
        wrong.append(Mistake(f"experiment '{whose}' scans '{scan.quantity}', which is a free parameter",
                             "scan another quantity, or fix this one"))  # fmt: skip
    if scan.quantity not in model.quantities:
        wrong.append(Mistake(f"experiment '{whose}' scans '{scan.quantity}', which model '{model.name}' cannot set",
                             nearest(scan.quantity, model.quantities)))  # fmt: skip
    if scan.t_end is not None and not 0 < scan.t_end < np.inf:
        wrong.append(Mistake(f"experiment '{whose}' reads its scan at t = {scan.t_end:g}", "give a time after 0"))
    if wrong:
        raise InputError(wrong)


def _stacked(parts: list[Solved], gradient: bool) -> Solved:
    """One Solved from several, its sensitivities already in θ (each part has a G of its own)."""
    d = parts[0].G.shape[1]

    def spread(part: Solved, q: str) -> Float[np.ndarray, "row d"]:
        return np.broadcast_to(part.dm.get(q, np.zeros(d)), (len(part.y), d))

    dy = np.concatenate([p.dy @ p.G if gradient else p.dy for p in parts])
    m = {q: np.concatenate([np.full(len(p.y), p.m[q]) for p in parts]) for q in parts[0].m}
    moving = {q for p in parts for q in p.dm}
    dm = {q: np.concatenate([spread(p, q) for p in parts]) for q in moving}
    return Solved(np.concatenate([p.y for p in parts]), dy, np.eye(d) if gradient else parts[0].G, m, dm)
