"""Every kind of experiment on simulated models: the gradient by difference quotients, the predictions by hand.

By hand means a closed form, or the equations of the model text written out again and integrated by scipy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from bnfhmc.errors import FailedSolve, InputError
from bnfhmc.expression import parse
from bnfhmc.noise import Normal
from bnfhmc.posterior import Posterior
from bnfhmc.problem import Condition, Experiment, Scan
from tests.matrix.building import assert_gradients, condition, problem, series, with_data
from tests.matrix.by_hand import (
    LATE,
    T,
    Theta,
    amounts,
    amounts_at_rest,
    at_rest,
    binding,
    cell,
    chain,
    complex_at_rest,
    curved,
    dosed,
    hill,
    ivp,
    opened,
    product,
    ruled,
    switched,
    turnover,
)

ALL = [0, 1, 2, 3]
REST = np.array([np.inf])
NOTHING = Condition("rest", ())


class Case(NamedTuple):
    """``file``: of model "m", or of "m" and "n"; ``by_hand``: θ → the predictions, measurement by measurement."""

    file: str | tuple[str, str]
    theta: dict[str, float]
    experiments: tuple[Experiment, ...]
    by_hand: Callable[[Theta], np.ndarray] | None = None
    options: dict[str, object] = {}
    step: float = 2e-3


CASES: dict[str, Case] = {}
MOVING: dict[str, Case] = {}  # volumes that move, with amounts that are set: right, or refused


# ---- turnover: X made and lost, Y made by X -------------------------------------------------------------------------

RATES = {"ksyn": 2.2, "kdeg": 0.45, "k1": 0.7, "k2": 0.35}
BOTH = (series("X", ALL), series("Y", ALL))


def turnover_case(name: str, measured: list[str], before: list[str], more: Theta, by_hand) -> None:
    e = Experiment("e", "m", T, BOTH, condition(*measured), condition(*before))
    CASES[name] = Case("turnover.net", {**RATES, **more}, (e,), lambda p: by_hand(p).T.ravel())


turnover_case(
    "pre-equilibration: free in both phases", ["stim = 1.5"], ["stim = 0.2"], {},
    lambda p: turnover({**p, "stim": 1.5}, *at_rest({**p, "stim": 0.2})),
)  # fmt: skip
turnover_case(
    "pre-equilibration: pinned in the measured phase", ["stim = 1.5", "kdeg = 0.3"], ["stim = 0"], {},
    lambda p: turnover({**p, "stim": 1.5, "kdeg": 0.3}, *at_rest({**p, "stim": 0})),
)  # fmt: skip
turnover_case(
    "pre-equilibration: all pinned in the measured phase",
    ["ksyn = 1", "kdeg = 0.6", "k1 = 0.4", "k2 = 0.9"], ["stim = f"], {"f": 0.7},
    lambda p: turnover({"stim": 0, "ksyn": 1, "kdeg": 0.6, "k1": 0.4, "k2": 0.9}, *at_rest({**p, "stim": p["f"]})),
)  # fmt: skip
turnover_case(
    "pre-equilibration: scaled by another parameter", ["kdeg * f"], ["stim = 0"], {"f": 1.7},
    lambda p: turnover({**p, "stim": 0, "kdeg": p["kdeg"] * p["f"]}, *at_rest({**p, "stim": 0})),
)  # fmt: skip
turnover_case(
    "pre-equilibration: scaled by zero", ["kdeg * 0", "ksyn * 0"], ["stim = 0"], {},
    lambda p: turnover({**p, "stim": 0, "kdeg": 0, "ksyn": 0}, *at_rest({**p, "stim": 0})),
)  # fmt: skip
turnover_case(
    "pre-equilibration: scaled in the phase before", ["stim = 1"], ["kdeg * f", "ksyn / 3"], {"f": 1.7},
    lambda p: turnover({**p, "stim": 1}, *at_rest({**p, "stim": 0, "kdeg": p["kdeg"] * p["f"], "ksyn": p["ksyn"] / 3})),
)  # fmt: skip
turnover_case(
    "pre-equilibration: one parameter moves two", ["kdeg = 0.2*ksyn", "k2 = ksyn/5"], ["stim = 0"], {},
    lambda p: turnover(
        {**p, "stim": 0, "kdeg": 0.2 * p["ksyn"], "k2": p["ksyn"] / 5}, *at_rest({**p, "stim": 0}),
    ),
)  # fmt: skip
turnover_case(
    "pre-equilibration: another level of one parameter", ["stim = f"], ["stim = f/3"], {"f": 1.7},
    lambda p: turnover({**p, "stim": p["f"]}, *at_rest({**p, "stim": p["f"] / 3})),
)  # fmt: skip
turnover_case(
    "pre-equilibration: a species set to a dose", ["Y() = dose"], ["stim = 1"], {"dose": 3.0},
    lambda p: turnover({**p, "stim": 0}, at_rest({**p, "stim": 1})[0], p["dose"]),
)  # fmt: skip
turnover_case(
    "pre-equilibration: a species set to a number, a rate pinned", ["Y() = 2.5", "k1 = 1.1"], ["stim = 1"], {},
    lambda p: turnover({**p, "stim": 0, "k1": 1.1}, at_rest({**p, "stim": 1})[0], 2.5),
)  # fmt: skip
turnover_case(
    "pre-equilibration: a dose by an expression of free parameters", ["Y() = dose*k1 + f^2", "kdeg * f"], ["stim = 1"],
    {"dose": 3.0, "f": 1.3},
    lambda p: turnover({**p, "stim": 0, "kdeg": p["kdeg"] * p["f"]}, at_rest({**p, "stim": 1})[0],
                       p["dose"] * p["k1"] + p["f"] ** 2),
)  # fmt: skip
turnover_case(
    "pre-equilibration: every species set", ["X() = dose", "Y() = 2*dose"], ["stim = 1"], {"dose": 3.0},
    lambda p: turnover({**p, "stim": 0}, p["dose"], 2 * p["dose"]),
)  # fmt: skip
turnover_case(
    "pre-equilibration: a species set in the phase before, and forgotten", ["stim = 1"], ["X() = dose", "Y() = f"],
    {"dose": 3.0, "f": 1.3}, lambda p: turnover({**p, "stim": 1}, *at_rest({**p, "stim": 0})),
)  # fmt: skip
turnover_case(
    "pre-equilibration: from a start that is a rest already", ["stim = 1"], ["X() = 5", "Y() = 10"],
    {"ksyn": 2.25},  # 2.25/0.45 = 5, 5·0.7/0.35 = 10
    lambda p: turnover({**p, "stim": 1}, *at_rest({**p, "stim": 0})),
)  # fmt: skip
CASES["pre-equilibration: read at its end"] = Case(
    "turnover.net", RATES,
    (Experiment("e", "m", T[:1], (series("X", [0]), series("Y", [0])), condition("kdeg = 1"), condition("stim = 1")),),
    lambda p: np.array(at_rest({**p, "stim": 1})),
)  # fmt: skip
CASES["time course: a species set by an expression"] = Case(
    "turnover.net", {**RATES, "dose": 3.0, "X0": 1.4},
    (Experiment("e", "m", T, BOTH, condition("Y() = dose*k1", "stim = 0.5")),),
    lambda p: turnover({**p, "stim": 0.5}, p["X0"], p["dose"] * p["k1"]).T.ravel(),
)  # fmt: skip
CASES["steady state, measured after a rest"] = Case(
    "turnover.net", RATES,
    (Experiment("e", "m", REST, (series("X", [0, 0]), series("Y", [0])), condition("stim = 1"), NOTHING),),
    lambda p: np.array(at_rest({**p, "stim": 1}))[[0, 0, 1]],
)  # fmt: skip

# ---- binding: conserved totals ---------------------------------------------------------------------------------------

BIND = {"kon": 0.7, "koff": 0.35, "L0": 3.2, "R0": 1.8}


def binding_by_hand(measured: Callable[[Theta], Theta], before: Callable[[Theta], tuple], reset=lambda p, s: s):
    """Start at the rest of the totals (ligand, receptor) that `before` gives, change the state, integrate; L, C, bound."""

    def by_hand(p):
        ligand, receptor = before(p)
        c = complex_at_rest(p, ligand, receptor)
        y = binding(measured(p), reset(p, [ligand - c, receptor - c, c]))
        return np.concatenate([y[:, 0], y[:, 2], y[:, 2] / (y[:, 1] + y[:, 2])])

    return by_hand


LC = (series("L", ALL), series("C", ALL), series("bound", ALL))
CASES["steady state: conserved totals that are parameters"] = Case(
    "binding.net", BIND, (Experiment("e", "m", REST, (series("C", [0, 0]), series("L", [0]), series("bound", [0]))),),
    lambda p: (lambda c: np.array([c, c, p["L0"] - c, c / p["R0"]]))(complex_at_rest(p, p["L0"], p["R0"])),
)  # fmt: skip
CASES["pre-equilibration: conserved totals, their parameters free in both phases"] = Case(
    "binding.net", {**BIND, "f": 3.0}, (Experiment("e", "m", T, LC, condition("koff * f"), NOTHING),),
    binding_by_hand(lambda p: {**p, "koff": p["koff"] * p["f"]}, lambda p: (p["L0"], p["R0"])),
)  # fmt: skip
CASES["pre-equilibration: a total set in the phase before"] = Case(
    "binding.net", {**BIND, "dose": 2.4}, (Experiment("e", "m", T, LC, condition("koff = 2"), condition("L() = dose")),),
    binding_by_hand(lambda p: {**p, "koff": 2.0}, lambda p: (p["dose"], p["R0"])),
)  # fmt: skip
CASES["pre-equilibration: a total's parameter pinned in the measured phase"] = Case(
    "binding.net", BIND, (Experiment("e", "m", T, LC, condition("L0 = 9", "koff = 2"), NOTHING),),
    binding_by_hand(lambda p: {**p, "koff": 2.0}, lambda p: (p["L0"], p["R0"])),
)  # fmt: skip
CASES["pre-equilibration: ligand washed away"] = Case(
    "binding.net", {**BIND, "dose": 2.4}, (Experiment("e", "m", T, LC, condition("L() = 0"), condition("L() = dose")),),
    binding_by_hand(lambda p: p, lambda p: (p["dose"], p["R0"]), lambda p, s: [0.0, *s[1:]]),
)  # fmt: skip
CASES["pre-equilibration: ligand given by a parameter that also set it before"] = Case(
    "binding.net", {**BIND, "dose": 2.4},
    (Experiment("e", "m", T, LC, condition("L() = dose + L0", "kon / dose"), condition("L() = dose/4")),),
    binding_by_hand(lambda p: {**p, "kon": p["kon"] / p["dose"]}, lambda p: (p["dose"] / 4, p["R0"]),
                    lambda p, s: [p["dose"] + p["L0"], *s[1:]]),
)  # fmt: skip

# ---- scans -----------------------------------------------------------------------------------------------------------

DOSES = np.array([0.3, 1.0, 4.0])


def scanned(name: str, file: str, theta: Theta, observed, row, *conditions, quantity: str, t_end=None, **options) -> None:
    """`row`: (θ, dose) → the outputs measured there, one for each of `observed`."""
    e = Experiment("e", "m", np.array([]), tuple(series(o, [0, 1, 2]) for o in observed), *conditions,
                   scan=Scan(quantity, DOSES, t_end))  # fmt: skip

    def by_hand(p):
        return np.array([row(p, dose) for dose in DOSES]).T.ravel()

    CASES[name] = Case(file, dict(theta), (e,), by_hand, options)


scanned(
    "scan of a rate at a time point", "turnover.net", RATES, ("X", "Y"),
    lambda p, dose: turnover({**p, "stim": dose}, 1.5, 0.2, [0, 2.5])[-1], quantity="stim", t_end=2.5,
)  # fmt: skip
scanned(
    "scan of a rate at steady state", "turnover.net", RATES, ("X", "Y"),
    lambda p, dose: at_rest({**p, "stim": dose}), quantity="stim",
)  # fmt: skip
scanned(
    "scan of a species at a time point", "turnover.net", {**RATES, "Y0": 0.3}, ("X", "Y"),
    lambda p, dose: turnover({**p, "stim": 0}, dose, p["Y0"], [0, 2.5])[-1], quantity="X()", t_end=2.5,
)  # fmt: skip
scanned(
    "scan of a conserved total at steady state", "binding.net", {k: BIND[k] for k in ("kon", "koff", "R0")}, ("C", "bound"),
    lambda p, dose: (lambda c: [c, c / p["R0"]])(complex_at_rest(p, dose, p["R0"])), quantity="L0",
)  # fmt: skip
scanned(
    "scan, with a condition that reads the scanned quantity", "turnover.net",
    {"ksyn": 2.2, "kdeg": 0.45, "k1": 0.7, "f": 0.4}, ("X", "Y"),
    lambda p, dose: turnover({**p, "stim": dose, "k2": 0.1 + p["f"] * dose, "kdeg": p["kdeg"] * (1 + dose)},
                             p["f"] * dose**2, 0.2, [0, 2.5])[-1],
    condition("k2 = 0.1 + f*stim", "kdeg * (1 + stim)", "X() = f*stim^2"), quantity="stim", t_end=2.5,
)  # fmt: skip
scanned(
    "scan, with a condition that changes the scanned quantity", "turnover.net", {**RATES, "f": 0.4}, ("X", "Y"),
    lambda p, dose: at_rest({**p, "stim": dose * p["f"]}), condition("stim * f"), quantity="stim",
)  # fmt: skip
scanned(
    "scan after pre-equilibration", "turnover.net", RATES, ("X", "Y"),
    lambda p, dose: turnover({**p, "stim": dose}, *at_rest({**p, "stim": 0}), [0, 2.5])[-1],
    None, NOTHING, quantity="stim", t_end=2.5,
)  # fmt: skip
scanned(
    "scan after pre-equilibration, a rate pinned, a dose given", "turnover.net", {**RATES, "dose": 2.0}, ("X", "Y"),
    lambda p, dose: turnover({**p, "stim": dose, "kdeg": 0.9}, at_rest({**p, "stim": 1})[0], p["dose"] * dose, [0, 2.5])[-1],
    condition("kdeg = 0.9", "Y() = dose*stim"), condition("stim = 1"), quantity="stim", t_end=2.5,
)  # fmt: skip
scanned(
    "scan of a species after pre-equilibration", "binding.net", BIND, ("C", "L"),
    lambda p, dose: (lambda c: binding(p, [dose, p["R0"] - c, c], [0, 2.5])[-1][[2, 0]])(
        complex_at_rest(p, p["L0"], p["R0"])),
    None, NOTHING, quantity="L()", t_end=2.5,
)  # fmt: skip
scanned(
    "scan at steady state after pre-equilibration, totals inherited", "binding.net",
    {k: BIND[k] for k in ("kon", "L0", "R0")}, ("C", "L"),
    lambda p, dose: (lambda c: [c, p["L0"] - c])(complex_at_rest({**p, "koff": dose}, p["L0"], p["R0"])),
    None, NOTHING, quantity="koff",
)  # fmt: skip
scanned(
    "scan, a formula that reads the scanned quantity", "turnover.net", {**RATES, "f": 0.4}, ("X/(f + stim)", "Y*k2"),
    lambda p, dose: (lambda y: [y[0] / (p["f"] + dose), y[1] * 2 * p["k2"] * dose])(
        turnover({**p, "stim": dose, "k2": 2 * p["k2"] * dose}, 1.5, 0.2, [0, 2.5])[-1]),
    condition("k2 * (2*stim)"), quantity="stim", t_end=2.5,
)  # fmt: skip
scanned(
    "scan of what a settable parameter is computed from", "chain.net", {"A0": 9.0, "k1": 0.8, "f": 1.4}, ("A", "B", "kd*B"),
    lambda p, dose: (lambda a, b: [a, b, 2 * dose * p["f"] * b])(
        *chain({**p, "kd": 2 * dose * p["f"]}, np.array([2.5]))[0, :2]),
    condition("kd * f"), quantity="k2", t_end=2.5, settable={"kd"},
)  # fmt: skip
scanned(
    "scan over zero, where a rate vanishes, after pre-equilibration", "turnover.net", RATES, ("X", "Y"),
    lambda p, dose: turnover({**p, "stim": dose - 0.3, "kdeg": p["kdeg"] * (dose - 0.3)}, *at_rest({**p, "stim": 1}),
                             [0, 2.5])[-1],
    condition("stim - 0.3", "kdeg * stim"), condition("stim = 1"), quantity="stim", t_end=2.5,
)  # fmt: skip

# ---- the chain A → B → C ---------------------------------------------------------------------------------------------

CHAIN = {"A0": 9.0, "k1": 0.8, "k2": 0.33, "s": 1.4}


CASES["time course: derived rates and initial amounts, functions"] = Case(
    "chain.net", CHAIN, (Experiment("e", "m", T, tuple(series(o, ALL) for o in ("A", "B", "C", "scaledB", "ratio"))),),
    lambda p: chain(p).T.ravel(),
)  # fmt: skip
CASES["a start later than zero"] = Case(
    "chain.net", CHAIN, (Experiment("e", "m", T + 3, (series("A", ALL), series("ratio", ALL))),),
    lambda p: chain(p)[:, [0, 4]].T.ravel(),
)  # fmt: skip


CASES["many conditions"] = Case(
    "chain.net", {**CHAIN, "f": 1.6},
    tuple(
        Experiment(f"e{i}", "m", T, (series("B", [0, 2, 3]), series("ratio", [1])), condition(*changes))
        for i, changes in enumerate([
            ["k1 = 1.3"], ["k1 * 2"], ["k1 / f"], ["k1 + 0.4"], ["k1 - k2"], ["k2 = f"], ["A0 * f", "A0 + 1"],
            ["s = 2", "k1 * f", "k1 * f"], ["B() = f"], ["A0 = A0*k1"], ["k2 / k1"], ["k1 = k2", "k2 = k1"],
        ])
    ),
    lambda p: np.concatenate([
        np.concatenate([(y := chain({**p, **change}))[[0, 2, 3], 1], y[[1], 4]]) for change in (
            {"k1": 1.3}, {"k1": 2 * p["k1"]}, {"k1": p["k1"] / p["f"]}, {"k1": p["k1"] + 0.4}, {"k1": p["k1"] - p["k2"]},
            {"k2": p["f"]}, {"A0": p["A0"] * p["f"] + 1}, {"k1": p["k1"] * p["f"] ** 2}, {"B0": p["f"]},
            {"A0": p["A0"] * p["k1"]}, {"k2": p["k2"] / p["k1"]}, {"k1": p["k2"]},  # in order: k2 = k1 comes second
        )
    ]),
)  # fmt: skip
for suffix in ("net", "bngl"):
    CASES[f"derived parameters set by conditions, .{suffix}"] = Case(
        f"chain.{suffix}", {**CHAIN, "kx": 1.9},
        tuple(
            Experiment(f"e{i}", "m", T, (series("B", ALL), series("kd*A + half", [1, 2])), condition(*changes))
            for i, changes in enumerate([
                ["s = 1"], ["kd = kx"], ["kd * 3"], ["k2 * 2"], ["kd + kx", "k2 / 2"], ["half = kx*A0"], ["s = kd", "kd - k2"],
            ])
        ),
        lambda p: np.concatenate([
            np.concatenate([(y := chain({**p, "B0": half, "kd": kd}))[:, 1], kd * y[[1, 2], 0] + half])
            for kd, half in (
                (2 * p["k2"], p["A0"] / 2), (p["kx"], p["A0"] / 2), (6 * p["k2"], p["A0"] / 2), (4 * p["k2"], p["A0"] / 2),
                (p["k2"] + p["kx"], p["A0"] / 2), (2 * p["k2"], p["kx"] * p["A0"]), (p["k2"], p["A0"] / 2),
            )
        ]),
        {"settable": {"kd", "half"}},
    )  # fmt: skip
    CASES[f"a derived parameter that is free, .{suffix}"] = Case(
        f"chain.{suffix}", {"A0": 9.0, "k1": 0.8, "kd": 0.75},
        (Experiment("e", "m", T, (series("B", ALL),)), Experiment("g", "m", T, (series("B", ALL),), condition("kd * 1.5"))),
        lambda p: np.concatenate([chain(p)[:, 1], chain({**p, "kd": 1.5 * p["kd"]})[:, 1]]),
        {"settable": {"kd"}},
    )  # fmt: skip
    CASES[f"a derived rate changed after a rest, .{suffix}"] = Case(
        f"open.{suffix}", {"made": 1.3, "k1": 0.8, "k2": 0.33, "kx": 1.9},
        (
            Experiment("e", "m", T, (series("A", ALL), series("B", ALL)), condition("kd = kx"), condition("kd * 1.5")),
            Experiment("g", "m", T, (series("B", ALL),), condition("kd * kx", "made = 0"), condition("k2 * 2")),
        ),
        lambda p: np.concatenate([
            opened({**p, "kd": p["kx"]}, p["made"] / p["k1"], p["made"] / (3 * p["k2"])).T.ravel(),
            opened({**p, "kd": 2 * p["k2"] * p["kx"], "made": 0}, p["made"] / p["k1"], p["made"] / (4 * p["k2"]))[:, 1],
        ]),
        {"settable": {"kd"}},
    )  # fmt: skip
CURVED_THETA = {"A0": 9.0, "k1": 0.8, "kd": 0.55, "f": 1.3}
CURVED_CHANGES = (["kd = 1"], ["A0 * f"], ["k1 = f/2"], ["B() = f*A0"], ["A() = 4", "k1 * 2"])


CASES["a start that is no linear function of parameters"] = Case(
    "curved.net", CURVED_THETA,
    tuple(Experiment(f"e{i}", "m", T, (series("B", ALL), series("A", [1])), condition(*c))
          for i, c in enumerate(CURVED_CHANGES)),
    lambda p: np.concatenate([y for m in curved(p) for y in (chain(m)[:, 1], chain(m)[[1], 0])]),
)  # fmt: skip
CASES["SBML: a start that is no linear function of parameters and the volume"] = Case(
    "curved.ant", {**CURVED_THETA, "cell": 2.3},
    tuple(Experiment(f"e{i}", "m", T, (series("B", ALL), series("A", [1])),
                     condition(*(s.replace("()", "") for s in c)))
          for i, c in enumerate(CURVED_CHANGES) if "B() = f*A0" not in c),
    lambda p: np.concatenate([
        y for i, m in enumerate(curved(p)) if i != 3 for y in (p["cell"] * chain(m)[:, 1], chain(m)[[1], 0])
    ]),
)  # fmt: skip
CASES["a formula reads parameters as the condition sets them"] = Case(
    "chain.net", {**CHAIN, "f": 1.6},
    (
        Experiment("plain", "m", T, (series("A*k1 + s", ALL),)),
        Experiment("changed", "m", T, (series("A*k1 + s", ALL), series("f*B", ALL)), condition("k1 * 2.5", "s = f*A0")),
    ),
    lambda p: np.concatenate([
        chain(p)[:, 0] * p["k1"] + p["s"],
        chain({**p, "k1": 2.5 * p["k1"]})[:, 0] * 2.5 * p["k1"] + p["f"] * p["A0"],
        p["f"] * chain({**p, "k1": 2.5 * p["k1"]})[:, 1],
    ]),
)  # fmt: skip

# ---- events and inputs that change with time -------------------------------------------------------------------------

FIVE = [0, 1, 2, 3, 4]


SWITCH = {"ton": 1.2, "toff": 3.1, "amp": 2.0, "base": 0.3, "k": 0.7, "X0": 0.5}
for suffix in ("ant", "bngl"):
    CASES[f"an input that parameters switch on and off, .{suffix}"] = Case(
        f"switch.{suffix}", SWITCH, (Experiment("e", "m", LATE, (series("X", FIVE),)),), switched
    )  # fmt: skip


DOSE = {"S0": 2.1, "k": 0.55, "kp": 0.4, "dose": 2.7, "tdose": 1.25}
CASES["an event whose time and dose are parameters"] = Case(
    "dose.ant", DOSE, (Experiment("e", "m", LATE, (series("S", FIVE), series("P", FIVE))),),
    lambda p: np.concatenate([dosed(p), product(p)]),
)  # fmt: skip
CASES["an event changed by conditions"] = Case(
    "dose.ant", {**{n: v for n, v in DOSE.items() if n != "tdose"}, "f": 1.8},
    (Experiment("e", "m", LATE, (series("S", FIVE),), condition("dose * f", "tdose = 3*kp")),),
    lambda p: dosed({**p, "dose": p["dose"] * p["f"], "tdose": 3 * p["kp"]}),
)  # fmt: skip
CASES["an event at a threshold that is a parameter"] = Case(
    "threshold.ant", {"S0": 4.2, "k": 0.6, "thr": 1.5, "top": 3.3},
    (Experiment("e", "m", np.array([0.0, 1.0, 2.0, 2.9, 3.5]), (series("S", FIVE),)),),
    lambda p: (lambda t, hit: np.where(t < hit, p["S0"] * np.exp(-p["k"] * t), p["top"] * np.exp(
        -p["k"] * ((t - hit) % (np.log(p["top"] / p["thr"]) / p["k"])))))(
        np.array([0.0, 1.0, 2.0, 2.9, 3.5]), np.log(p["S0"] / p["thr"]) / p["k"]),
)  # fmt: skip
for suffix in ("ant", "net"):
    CASES[f"a rate that changes at a threshold of the state, .{suffix}"] = Case(
        f"two_rates.{suffix}", {"S0": 4.2, "fast": 0.9, "slow": 0.35, "thr": 1.5},
        (Experiment("e", "m", LATE, (series("S", FIVE),)),),
        lambda p: (lambda hit: np.where(hit > LATE, p["S0"] * np.exp(-p["fast"] * LATE),
                                        p["thr"] * np.exp(-p["slow"] * (LATE - hit))))(np.log(p["S0"] / p["thr"]) / p["fast"]),
    )  # fmt: skip
CASES["an event that gives an amount and a concentration"] = Case(
    "amount_dose.ant", {"S0": 2.1, "k": 0.55, "dose": 2.7, "tdose": 1.25},
    (Experiment("e", "m", LATE, (series("S", FIVE), series("P", FIVE))),),
    lambda p: np.concatenate([
        dosed(p), 0.1 + np.where(p["tdose"] <= LATE, p["dose"] / 4, 0.0)
        + (p["S0"] + np.where(p["tdose"] <= LATE, p["dose"], 0.0) - dosed(p)) / 2,
    ]),
)  # fmt: skip
CASES["an event after pre-equilibration"] = Case(
    "fed.ant", {"k": 0.55, "feed": 1.2, "dose": 2.7, "tdose": 1.25},
    (Experiment("e", "m", LATE, (series("S", FIVE),), condition("feed * 2"), NOTHING),),
    lambda p: dosed({**p, "S0": 0}, p["feed"] / p["k"], 2 * p["feed"]),
)  # fmt: skip
CASES["an event after pre-equilibration, its rate pinned"] = Case(
    "fed.ant", {"k": 0.55, "feed": 1.2, "dose": 2.7, "tdose": 1.25},
    (Experiment("e", "m", LATE, (series("S", FIVE),), condition("k = 0.8"), NOTHING),),
    lambda p: dosed({**p, "S0": 0, "k": 0.8}, p["feed"] / p["k"], p["feed"]),
)  # fmt: skip

# ---- SBML: compartments, amounts, rules ------------------------------------------------------------------------------


CELL = {"A0": 9.0, "k1": 0.8, "k2": 0.33, "s": 1.4, "made": 0.9}
FOUR = tuple(series(o, ALL) for o in ("A", "B", "scaledB", "ratio"))
CASES["SBML: initial assignments and rules in a compartment"] = Case(
    "cell.ant", CELL, (Experiment("e", "m", T, FOUR),), lambda p: cell(p, p["A0"], 0.5 * p["A0"]).T.ravel()
)  # fmt: skip
CASES["SBML: a species set by a condition in a compartment"] = Case(
    "cell.ant", {**CELL, "dose": 4.0}, (Experiment("e", "m", T, FOUR, condition("B = dose*s")),),
    lambda p: cell(p, p["A0"], p["dose"] * p["s"]).T.ravel(),
)  # fmt: skip
CASES["SBML: pre-equilibrated in a compartment, a species set, a rate pinned"] = Case(
    "cell.ant", {k: v for k, v in CELL.items() if k != "A0"} | {"dose": 4.0},
    (Experiment("e", "m", T, FOUR, condition("B = dose", "k1 = 0.4"), condition("made * 2")),),
    lambda p: cell({**p, "k1": 0.4}, 2 * p["made"] / p["k1"], p["dose"]).T.ravel(),
)  # fmt: skip
CASES["SBML: a species that is a free parameter"] = Case(
    "cell.ant", {"A": 4.0, "B": 2.5, "k1": 0.8},
    (Experiment("e", "m", T, FOUR), Experiment("g", "m", T, (series("B", ALL),), condition("A * 2"))),
    lambda p: np.concatenate([
        cell({**p, "k2": 0.3, "s": 1.5, "made": 0.8}, p["A"], p["B"]).T.ravel(),
        cell({**p, "k2": 0.3, "s": 1.5, "made": 0.8}, 2 * p["A"], p["B"])[:, 1],
    ]),
)  # fmt: skip
CASES["SBML: a species that is a free parameter, carried over from a rest"] = Case(
    "cell.ant", {"A": 4.0, "k1": 0.8, "made": 0.9},
    (Experiment("e", "m", T, FOUR, condition("k1 * 3"), NOTHING),),
    lambda p: cell({**p, "k2": 0.3, "s": 1.5, "k1": 3 * p["k1"]}, p["made"] / p["k1"], p["made"] / 0.6).T.ravel(),
)  # fmt: skip
CASES["SBML: a conserved total that an initial assignment gives, carried over"] = Case(
    "exchange.ant", {"A0": 4.0, "kf": 0.8, "kr": 0.5, "f": 2.1},
    (
        Experiment("e", "m", T, (series("A", ALL), series("B", ALL)), condition("kf * f"), NOTHING),
        Experiment("g", "m", T, (series("B", ALL),), condition("kf = 2", "kr = 1"), condition("kr * f")),
    ),
    lambda p: np.concatenate([
        exchange(p["A0"], p["kf"], p["kr"], p["kf"] * p["f"], p["kr"]).T.ravel(),
        exchange(p["A0"], p["kf"], p["kr"] * p["f"], 2.0, 1.0)[:, 1],
    ]),
)  # fmt: skip


def exchange(A0: float, *rates: float) -> np.ndarray:
    """A in a volume of 2 and B in one of 0.5: at rest under the first pair of rates, then under the second."""
    amount = 2 * (A0 + 0.3) + 0.5 * 0.4 * A0

    def rest(kf: float, kr: float) -> float:
        return amount * kr / (kf / 2 + kr / 0.5) / 0.5 / 2  # kf A = kr B, with A and B concentrations

    (kf, kr), (kf2, kr2) = rates[:2], rates[2:]
    A, end = rest(kf, kr), rest(kf2, kr2)
    A = end + (A - end) * np.exp(-(kf2 / 2 + kr2 / 0.5) * T)
    return np.stack([A, (amount - 2 * A) / 0.5], axis=1)


AMOUNTS = {"v": 1.6, "k1": 0.8, "k2": 0.33, "k3": 0.6}


THREE = (series("A", ALL), series("B", ALL), series("D", ALL), series("B/(A + D)", [1, 3]))


def seen(y: np.ndarray) -> np.ndarray:
    return np.concatenate([y.T.ravel(), (y[:, 1] / (y[:, 0] + y[:, 2]))[[1, 3]]])


CASES["SBML: an amount among concentrations, two compartments"] = Case(
    "amounts.xml", AMOUNTS, (Experiment("e", "m", T, THREE),), lambda p: seen(amounts(p, [3, 10, 1]))
)
CASES["SBML: amounts and concentrations set by conditions"] = Case(
    "amounts.xml", {**AMOUNTS, "a": 2.0, "b": 5.0},
    (Experiment("e", "m", T, THREE, condition("A = a", "B = b*a", "D = 0.5*b")),),
    lambda p: seen(amounts(p, [p["a"], p["b"] * p["a"], 0.5 * p["b"]])),
)  # fmt: skip
CASES["SBML: amounts and concentrations carried over from a rest"] = Case(
    "amounts.xml", AMOUNTS, (Experiment("e", "m", T, THREE, condition("k1 * 3"), condition("v * 2")),),
    lambda p: seen(amounts({**p, "k1": 3 * p["k1"]}, amounts_at_rest({**p, "v": 2 * p["v"]}))),
)  # fmt: skip
CASES["SBML: amounts and concentrations carried over, rates pinned, an amount given"] = Case(
    "amounts.xml", {**AMOUNTS, "b": 5.0},
    (Experiment("e", "m", T, THREE, condition("k1 = 2", "k2 = 1", "B = b"), condition("v * 2")),),
    lambda p: seen(amounts({**p, "k1": 2, "k2": 1},
                           (lambda s: [s[0], p["b"], s[2]])(amounts_at_rest({**p, "v": 2 * p["v"]})))),
)  # fmt: skip
CASES["SBML: amounts carried over, all rates pinned"] = Case(
    "amounts.xml", AMOUNTS,
    (Experiment("e", "m", T, THREE, condition("k1 = 2", "k2 = 1", "k3 = 0.7", "v = 3"), NOTHING),),
    lambda p: seen(amounts({"k1": 2, "k2": 1, "k3": 0.7, "v": 3}, amounts_at_rest(p))),
)  # fmt: skip
VOLUMES = {**AMOUNTS, "large": 2.2, "small": 0.55}
CASES["SBML: volumes that are free"] = Case(
    "amounts.xml", VOLUMES, (Experiment("e", "m", T, THREE),), lambda p: seen(amounts(p, [3, 10, 1]))
)
MOVING["volumes that are free, amounts and concentrations set"] = Case(
    "amounts.xml", VOLUMES, (Experiment("e", "m", T, THREE, condition("A = 2", "B = 5", "D = 1.5")),),
    lambda p: seen(amounts(p, [2, 5, 1.5])),
)  # fmt: skip
MOVING["volumes that are free, amounts and concentrations carried over"] = Case(
    "amounts.xml", VOLUMES, (Experiment("e", "m", T, THREE, condition("k1 * 3"), condition("v * 2")),),
    lambda p: seen(amounts({**p, "k1": 3 * p["k1"]}, amounts_at_rest({**p, "v": 2 * p["v"]}))),
)  # fmt: skip
MOVING["volumes that are free, amounts carried over, rates pinned"] = Case(
    "amounts.xml", VOLUMES, (Experiment("e", "m", T, THREE, condition("k1 = 2", "v = 1"), NOTHING),),
    lambda p: seen(amounts({**p, "k1": 2, "v": 1}, amounts_at_rest(p))),
)  # fmt: skip
CASES["SBML: amounts and concentrations at steady state"] = Case(
    "amounts.xml", AMOUNTS, (Experiment("e", "m", REST, tuple(series(o, [0]) for o in "ABD")),),
    lambda p: np.array(amounts_at_rest(p)),
)  # fmt: skip
CASES["SBML: scan of an amount"] = Case(
    "amounts.xml", AMOUNTS,
    (Experiment("e", "m", np.array([]), tuple(series(o, [0, 1, 2]) for o in "ABD"), scan=Scan("B", DOSES, 2.0)),),
    lambda p: np.array([amounts(p, [3, dose, 1], [0, 2.0])[-1] for dose in DOSES]).T.ravel(),
)  # fmt: skip

CASES["SBML: an amount assigned at the start, a rule for a parameter, a volume that is free"] = Case(
    "rules.ant", {"b0": 2.0, "k": 0.6, "g": 0.3, "cell": 2.4},
    (
        Experiment("e", "m", T, (series("B", ALL), series("P", ALL), series("A", ALL))),
        Experiment("h", "m", T, (series("B", ALL), series("total", ALL)), condition("k / 2")),
    ),
    lambda p: np.concatenate([ruled(p)[:, :3].T.ravel(), ruled({**p, "k": p["k"] / 2})[:, [0, 3]].T.ravel()]),
)  # fmt: skip
for size in ("", "1"):  # of the file: 2 and 1
    MOVING[f"a volume that is free, an amount set, {size or 2} in the file"] = Case(
        f"rules{size}.ant", {"b0": 2.0, "k": 0.6, "cell": 2.4},
        (Experiment("e", "m", T, (series("B", ALL), series("total", ALL)), condition("B = 3*b0")),),
        lambda p: ruled({**p, "g": 0.4}, 3 * p["b0"])[:, [0, 3]].T.ravel(),
    )  # fmt: skip
    MOVING[f"a volume set by a condition, an amount set as well, {size or 2} in the file"] = Case(
        f"rules{size}.ant", {"b0": 2.0, "k": 0.6},
        (Experiment("e", "m", T, (series("B", ALL), series("total", ALL)), condition("B = 3*b0", "cell = 3")),),
        lambda p: ruled({**p, "g": 0.4, "cell": 3.0}, 3 * p["b0"])[:, [0, 3]].T.ravel(),
    )  # fmt: skip
    MOVING[f"a volume that is free, an amount carried over, {size or 2} in the file"] = Case(
        f"filled{size}.ant", {"made": 2.0, "k": 0.6, "cell": 2.4},
        (Experiment("e", "m", T, (series("B", ALL), series("A", ALL)), condition("k * 2"), NOTHING),),
        lambda p: filled({**p, "k": 2 * p["k"]}, p["made"] / p["k"], p["made"] / (0.5 * p["cell"])).T.ravel(),
    )  # fmt: skip


def filled(p: Theta, B: float, A: float) -> np.ndarray:
    """B an amount, made and turned into A, a concentration, which is lost."""
    V = p["cell"]
    return ivp(lambda t, s: [p["made"] - p["k"] * s[0], p["k"] * s[0] / V - 0.5 * s[1]], [B, A], T)


# ---- several models --------------------------------------------------------------------------------------------------

CASES["two models that share parameters"] = Case(
    ("chain.net", "turnover.net"), {"A0": 9.0, "k1": 0.8, "k2": 0.33, "ksyn": 2.2, "f": 1.3},
    (
        Experiment("a", "m", T, (series("A", ALL), series("B", ALL))),
        Experiment("b", "n", T, BOTH),
        Experiment("c", "m", T, (series("B", ALL),), condition("k1 * f")),
        Experiment("d", "n", T, BOTH, condition("k1 * f", "stim = A0/10"), NOTHING),
    ),
    lambda p: (lambda n: np.concatenate([
        chain(p)[:, :2].T.ravel(), turnover(n, 1.5, 0.2).T.ravel(), chain({**p, "k1": p["k1"] * p["f"]})[:, 1],
        turnover({**n, "k1": p["k1"] * p["f"], "stim": p["A0"] / 10}, *at_rest(n)).T.ravel(),
    ]))({**p, "kdeg": 0.5, "stim": 0}),
)  # fmt: skip

# ---- rate laws that are functions ------------------------------------------------------------------------------------

HILL = {"vmax": 2.2, "n": 2.1, "d": 0.42, "X0": 5.2, "kick": 2.1}


CASES["functional rate laws, before and after a kick"] = Case(
    "hill.net", HILL, (Experiment("e", "m", T, BOTH, condition("vmax * kick"), condition("vmax / 3")),),
    lambda p: hill({**p, "vmax": p["vmax"] * p["kick"]},
                   hill({**p, "vmax": p["vmax"] / 3}, [p["X0"], 0.1], [0, 300])[-1]).T.ravel(),
)  # fmt: skip
CASES["functional rate laws, pinned after a rest"] = Case(
    "hill.net", HILL, (Experiment("e", "m", T, BOTH, condition("vmax = 4", "X() = 2*kick"), condition("vmax / 3")),),
    lambda p: hill({**p, "vmax": 4}, [2 * p["kick"], hill({**p, "vmax": p["vmax"] / 3}, [5, 0.1], [0, 300])[-1, 1]]).T.ravel(),
)  # fmt: skip


# ---- the tests -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def posteriors() -> dict[str, Posterior]:
    return {}


def built(c: Case, load) -> Posterior:
    files = (c.file,) if isinstance(c.file, str) else c.file
    models = {name: load(file, **c.options) for name, file in zip("mn", files, strict=False)}
    return Posterior(with_data(problem(models, c.experiments, c.theta), c.theta))


@pytest.fixture
def posterior(posteriors, load, case) -> Posterior:
    """Built once for all the tests of a case."""
    if case not in posteriors:
        posteriors[case] = built(CASES[case], load)
    return posteriors[case]


def points(c: Case) -> list[dict[str, float]]:
    """Where the data were made, and a place up to 12 % off."""
    theta, rng = c.theta, np.random.default_rng(5)
    return [theta, {n: v * (1 + 0.12 * r) for (n, v), r in zip(theta.items(), rng.uniform(-1, 1, len(theta)), strict=True)}]


@pytest.mark.parametrize("point", [0, 1])
@pytest.mark.parametrize("case", CASES)
def test_the_gradient_is_the_difference_quotient(posterior, quotient, case, point):
    u = posterior.u_from_theta(points(CASES[case])[point])
    assert_gradients(posterior, u, quotient, CASES[case].step)


@pytest.mark.parametrize("point", [0, 1])
@pytest.mark.parametrize("case", [c for c in CASES if CASES[c].by_hand])
def test_the_predictions_are_those_worked_out_by_hand(posterior, case, point):
    theta = points(CASES[case])[point]
    expected = CASES[case].by_hand(theta)
    np.testing.assert_allclose(posterior.predicted(posterior.u_from_theta(theta)), expected, rtol=2e-7, atol=1e-9)


@pytest.mark.parametrize("case", MOVING)
def test_amounts_in_a_volume_that_moves_are_right_or_refused(load, quotient, case):
    """An amount is a concentration times a size: where the size moves, what the amount means moves as well."""
    c = MOVING[case]
    try:
        posterior = built(c, load)
    except InputError as error:
        assert "cannot be set together with an amount" in str(error)
        return
    for theta in points(c):
        u = posterior.u_from_theta(theta)
        np.testing.assert_allclose(posterior.predicted(u), c.by_hand(theta), rtol=2e-7, atol=1e-9)
        assert_gradients(posterior, u, quotient)


@pytest.mark.parametrize("slowness", [1e-3, 1e-5, 3e-7])
def test_sensitivities_at_a_rest_that_the_model_starts_at_are_right_or_no_rest_is_found(load, slowness):
    """X is at rest from the start and says nothing of ∂X/∂ksyn, which settles at the pace of kdeg."""
    theta = {"ksyn": 5 * slowness, "kdeg": slowness}
    changes = ("X() = 5", "Y() = 10", "k1 = 0.7", "k2 = 0.35")
    e = Experiment("e", "m", REST, (series("X", [0]),), condition(*changes))
    posterior = Posterior(problem(load("turnover.net"), (e,), theta))
    u = posterior.u_from_theta(theta)
    assert posterior.predicted(u) == pytest.approx(5.0, rel=1e-9)
    try:
        J = posterior.residuals(u)[1][0] * 0.5 / posterior.prior.dtheta_du(u)
    except FailedSolve as error:
        assert "steady state" in str(error)
        return
    np.testing.assert_allclose(J, [1 / slowness, -5 / slowness], rtol=1e-4)


@pytest.mark.parametrize("case", CASES)
def test_residuals_have_the_gradient_and_the_information_of_least_squares(posterior, case):
    """σ is known in every case: loss = ½‖ρ‖², ∂loss = Jᵀρ, F = JᵀJ."""
    u = posterior.u_from_theta(points(CASES[case])[1])
    rho, J = posterior.residuals(u)
    assert posterior.least_squares
    assert posterior.loss(u) == pytest.approx(0.5 * rho @ rho, rel=1e-6)
    gradient = posterior.loss_gradient(u)
    np.testing.assert_allclose(gradient, J.T @ rho, rtol=1e-9, atol=1e-9 * np.abs(gradient).max())
    np.testing.assert_allclose(posterior.fisher(u), J.T @ J, rtol=1e-9, atol=1e-9 * np.abs(J.T @ J).max())


@pytest.mark.parametrize("sigma", ["0.3 + eta*stim + 0.1*X", "0.3 + eta*stim", "eta*(1 + k2)*Y/X"])
def test_a_noise_formula_reads_outputs_and_quantities_of_its_own_row(load, quotient, sigma):
    """In a dose response after a rest: every dose has an X, a stim and a k2 of its own."""
    theta = {**RATES, "eta": 0.2}
    observed = np.array([5.0, 9.0, 30.0, 22.0])
    s = series("X", [0, 1, 2, 2], Normal(), observed, sigma=sigma)
    e = Experiment("e", "m", np.array([]), (s,), condition("k2 = 0.1*stim"), NOTHING, scan=Scan("stim", DOSES, 2.5))
    posterior = Posterior(problem(load("turnover.net"), (e,), theta))
    loss = 0.0
    for dose, datum in zip(DOSES[[0, 1, 2, 2]], observed, strict=True):
        m = {**theta, "stim": dose, "k2": 0.1 * dose}
        x, y = turnover(m, *at_rest({**theta, "stim": 0}), [0, 2.5])[-1]
        width = parse(sigma)({"eta": 0.2, "stim": dose, "X": x, "Y": y, "k2": theta["k2"]})
        loss += 0.5 * ((x - datum) / width) ** 2 + np.log(width)
    u = posterior.u_from_theta(theta)
    assert posterior.loss(u) == pytest.approx(loss, rel=1e-7)
    assert_gradients(posterior, u, quotient)
