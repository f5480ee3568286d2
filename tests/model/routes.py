"""Models for which the direct route has to give the numbers of the public one, each with points to walk through."""

from __future__ import annotations

from dataclasses import dataclass

# Initial amounts that are linear, quadratic, of two parameters, under a condition, derived of derived, and none at all.
SEEDS = """
begin parameters
    1 A0 3
    2 k 0.5
    3 f 0.25
    4 sq A0^2*k
    5 cond if(k>1,A0,2*A0*f)
    6 deep sq+f
    7 jump if(k>1,A0,7)
end parameters
begin species
    1 A() A0
    2 B() sq
    3 C() cond
    4 D() deep
    5 E() 1
    6 F() jump
end species
begin reactions
    1 1 5 k
    2 2 5 k
    3 3 5 f
    4 4 5 k
    5 6 5 f
end reactions
begin groups
    1 A 1
    2 B 2
    3 C 3
    4 D 4
    5 E 5
    6 F 6
end groups
"""

# A counter that starts at 1 is the clock, as BNGL models have it; the second threshold is derived.
COUNTER = """
begin parameters
    1 k 0.7
    2 sigma 2.5
    3 span 3
    4 off sigma+span
    5 A0 4
    6 w 0.3
end parameters
begin functions
    1 rate() if(t>=sigma,if(t<off,k,w),0.1)
end functions
begin species
    1 A() A0
    2 B() 0
    3 c() 1
end species
begin reactions
    1 1 2 rate
    2 2 0 w
    3 0 3 one
end reactions
begin groups
    1 A 1
    2 B 2
    3 t 3
end groups
""".replace("6 w 0.3", "6 w 0.3\n    7 one 1")

INFUSION = """
model infusion()
  ka = 0.8; ke = 0.3; rate = 4; t_on = 1.5; t_off = 4.2;
  D = 0.5; C = 0;
  I: -> D; piecewise(rate, (time >= t_on) && (time < t_off), 0);
  A: D -> C; ka*D;
  E: C -> ; ke*C;
end
"""

SHAPES = """
model shapes()
  a = 0.8; b = 0.3; c = 2; s = 1.5; lag = 0.7;
  X = 1; Y = 0;
  R1: -> X; piecewise(a, (time - lag) > s, 0);
  R2: -> Y; piecewise(b, 0 < c - a*(time - lag), 2*b);
  R3: X -> ; piecewise(b, time^2 >= c*s, a);
  R4: Y -> ; b*Y;
end
"""

WINDOW = """
model window()
  a = 0.8; b = 0.3; c = 4; s = 1.5;
  X = 1;
  R1: -> X; piecewise(a, (time - s)*(time - s) >= c, 0);
  R2: X -> ; b*X;
end
"""

SCHEDULE = """
model schedule()
  k = 0.8; d = 0.3; duty = 2; period = 5;
  X = 1;
  R1: -> X; piecewise(k, time - period*floor(time/period) >= duty, 0);
  R2: X -> ; d*X;
end
"""

STATE = """
model state()
  k = 0.8; d = 0.3; low = 2; t_on = 1.2;
  X = 5; Y = 0;
  R1: X -> Y; piecewise(k*X, X > low, 0.1*k*X);
  R2: Y -> ; piecewise(d*Y, time > t_on, 0);
end
"""

DOSES = """
model doses()
  ka = 0.8; ke = 0.3; t1 = 2; gap = 1.5; dose = 5; last = 9; low = 0.6;
  t2 := t1 + gap;
  D = 1; C = 0;
  A: D -> C; ka*D;
  E: C -> ; ke*C;
  E1: at (time >= t1): D = D + dose;
  E2: at ((time >= t2) && (time < last)): D = D + 2*dose;
  E3: at (time >= 6): C = 0.5*C + ke;
  E4: at (C < low), t0 = true: D = D + 1;
end
"""

# B is an amount in a compartment of a size that may be set; its start is computed, and an assignment rule observes it.
SIZED = """
model sized()
  compartment cell = 2;
  species A in cell;
  substanceOnly species B in cell;
  A0 = 10; k = 0.7; d = 0.6; s = 1.3;
  A = A0; B = A0^2/(10*k);
  total := s*A + B/(1 + A);
  J1: A -> B; cell*k*A;
  J2: B -> ; d*B;
end
"""

# The size of the compartment grows, so that what is reported is rescaled after the solve.
GROWING = """
model growing()
  compartment cell = 1;
  species A in cell;
  k = 0.7; g = 0.2;
  A = 3;
  cell' = g*cell;
  J1: A -> ; cell*k*A;
end
"""

# Nothing that starts, switches or fires; a stiff pair of rates.
STIFF = """
begin parameters
    1 kf 1e3
    2 kr 2e3
    3 d 0.1
    4 A0 2
end parameters
begin functions
    1 share() B/(A+B)
end functions
begin species
    1 A() A0
    2 B() 0
end species
begin reactions
    1 1 2 kf
    2 2 1 kr
    3 2 0 d
end reactions
begin groups
    1 A 1
    2 B 2
end groups
"""


@dataclass(frozen=True)
class Case:
    """A model by its file, the columns to differentiate by, and the points of a walk; ``start``: of the run.

    ``exact``: whether closed forms round as bngsim's own derivation does; ``direct``: whether the direct route takes it.
    """

    file: str
    text: str
    outputs: tuple[str, ...]
    columns: tuple[str, ...]
    points: tuple[dict[str, float], ...]
    start: float = 0.0
    exact: bool = True
    direct: bool = True


def walk(values: dict[str, float], *changes: dict[str, float]) -> tuple[dict[str, float], ...]:
    """The values, then with each of the changes, and the values again."""
    return (values, *({**values, **c} for c in changes), values)


SEED_VALUES = {"A0": 3.0, "k": 0.5, "f": 0.25}
SEED_WALK = walk(
    SEED_VALUES, {}, {"f": 0.5}, {"A0": 1.0, "f": 0.5},
    {"A0": 1.0, "k": 1.5, "f": 0.5},  # the other branch, with the same C(0) = A0 = 2 A0 f
    {"A0": 0.0, "k": 1.5, "f": 0.5},  # where a row is zero
    {"A0": 0.0, "k": 0.7, "f": 0.1}, {"A0": 2.0, "k": 0.7, "f": 0.0},
)  # fmt: skip

CASES = {
    "nothing special": Case("stiff.net", STIFF, ("A", "B", "share"), ("kf", "d", "A0"),
                            walk({"kf": 1e3, "kr": 2e3, "d": 0.1, "A0": 2.0}, {"d": 0.3}, {"A0": 0.1, "kf": 5.0})),
    "derived initial amounts": Case("seeds.net", SEEDS, tuple("ABCDEF"), ("k", "A0", "f"), SEED_WALK),
    "one derivative of them": Case("seeds.net", SEEDS, tuple("ABCDEF"), ("A0",), SEED_WALK),
    "a counter for a clock": Case(
        "counter.net", COUNTER, ("A", "B"), ("sigma", "k", "span", "w"),
        walk({"k": 0.7, "sigma": 2.5, "span": 3.0, "A0": 4.0, "w": 0.3}, {"sigma": 3.1}, {"span": 1.0, "sigma": 0.5},
             {"span": 50.0}, {"w": 0.1})),
    "a piecewise input": Case(
        "infusion.ant", INFUSION, ("D", "C"), ("t_on", "ka", "t_off", "rate"),
        walk({"ka": 0.8, "ke": 0.3, "rate": 4.0, "t_on": 1.5, "t_off": 4.2}, {"t_on": 2.2}, {"t_off": 3.0, "t_on": 1.0},
             {"t_on": 11.0, "t_off": 12.0}, {"rate": 3.0}, {"t_on": -1.0}, {"t_on": 3.0, "t_off": 3.0})),
    "a piecewise input at fixed times": Case(
        "infusion.ant", INFUSION, ("D", "C"), ("ka", "rate"),
        walk({"ka": 0.8, "rate": 4.0}, {"ka": 0.5}, {"rate": 1.0})),
    "a run that starts later": Case(
        "infusion.ant", INFUSION, ("D", "C"), ("t_on", "ka", "t_off"),
        walk({"ka": 0.8, "t_on": 3.5, "t_off": 6.2}, {"t_on": 2.0}, {"t_off": 4.5}), start=3.0),
    "thresholds that have to be solved for": Case(
        "shapes.ant", SHAPES, ("X", "Y"), ("a", "s", "lag", "c"),
        walk({"a": 0.8, "b": 0.3, "c": 2.0, "s": 1.5, "lag": 0.7}, {"s": 1.9}, {"c": 3.0, "a": 1.0}, {"lag": 0.1}),
        exact=False),
    "a window, which has two edges": Case(
        "window.ant", WINDOW, ("X",), ("s", "c", "a"),
        walk({"a": 0.8, "b": 0.3, "c": 4.0, "s": 1.5}, {"s": 2.5}, {"c": 1.0}, {"c": 0.5, "s": 4.0}), exact=False),
    "a schedule that repeats": Case(
        "schedule.ant", SCHEDULE, ("X",), ("k", "duty", "d"),
        walk({"k": 0.8, "d": 0.3, "duty": 2.0, "period": 5.0}, {"duty": 1.1}, {"period": 3.0}, {"k": 2.0})),
    "a threshold on the state": Case(
        "state.ant", STATE, ("X", "Y"), ("low", "k", "t_on"),
        walk({"k": 0.8, "d": 0.3, "low": 2.0, "t_on": 1.2}, {"low": 1.0}, {"k": 2.0}, {"t_on": 0.4})),
    "events": Case(
        "doses.ant", DOSES, ("D", "C"), ("t1", "dose", "gap", "ke", "low"),
        walk({"ka": 0.8, "ke": 0.3, "t1": 2.0, "gap": 1.5, "dose": 5.0, "last": 9.0, "low": 0.6}, {"t1": 2.7},
             {"gap": 30.0}, {"last": 3.0}, {"ke": 0.2, "dose": 1.0}, {"t1": 30.0})),
    "compartments": Case(
        "sized.ant", SIZED, ("A", "B", "total"), ("A0", "k", "s"),
        walk({"A0": 10.0, "k": 0.7, "d": 0.6, "s": 1.3}, {"A0": 4.0}, {"k": 2.0, "s": 0.1}), exact=False),
    "compartments whose sizes are set": Case(
        "sized.ant", SIZED, ("A", "B", "total"), ("cell", "A0", "k"),
        walk({"A0": 10.0, "k": 0.7, "cell": 2.0}, {"cell": 3.0}, {"A0": 4.0, "cell": 0.5}), exact=False),
    "compartments that grow": Case(
        "growing.ant", GROWING, ("A",), ("k", "g"), walk({"k": 0.7, "g": 0.2}, {"k": 0.3}, {"g": 0.5}), direct=False),
}  # fmt: skip
