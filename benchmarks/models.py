"""Models of the benchmarks, written or generated as text: what each is for is said beside it."""

from __future__ import annotations

# A decays to B: two states, the smallest thing that can be fitted.
DECAY = """
begin parameters
    1 A0 10
    2 k 0.7
end parameters
begin species
    1 A() A0
    2 B() 0
end species
begin reactions
    1 1 2 k
end reactions
begin groups
    1 A 1
    2 B 2
end groups
"""

# Michaelis-Menten in full, with a total that is a derived parameter: four states.
ENZYME = """
begin parameters
    1 kf 1.2
    2 kr 0.4
    3 kcat 0.9
    4 E0 1
    5 ratio 12
    6 S0 ratio*E0
end parameters
begin functions
    1 turnover() kcat*ES
end functions
begin species
    1 E() E0
    2 S() S0
    3 ES() 0
    4 P() 0
end species
begin reactions
    1 1,2 3 kf
    2 3 1,2 kr
    3 3 1,4 kcat
end reactions
begin groups
    1 S 2
    2 P 4
    3 ES 3
end groups
"""

# The chemistry of Robertson (1966): three states, rates nine decades apart.
ROBERTSON = """
model robertson()
  k1 = 0.04; k2 = 3e7; k3 = 1e4;
  A = 1; B = 0; C = 0;
  J1: A -> B; k1*A;
  J2: B -> C; k2*B*B;
  J3: B -> A; k3*B*C;
end
"""

# The oscillator of Elowitz & Leibler (2000): six states, rates that are functions.
REPRESSILATOR = """
model repressilator()
  alpha = 200; alpha0 = 0.5; beta = 0.2; K = 40; n = 2.1; kd = 0.35; kp = 5;
  m1 = 10; m2 = 5; m3 = 1; p1 = 0; p2 = 10; p3 = 30;
  T1: -> m1; alpha0 + alpha/(1 + (p3/K)^n);
  T2: -> m2; alpha0 + alpha/(1 + (p1/K)^n);
  T3: -> m3; alpha0 + alpha/(1 + (p2/K)^n);
  D1: m1 -> ; kd*m1;
  D2: m2 -> ; kd*m2;
  D3: m3 -> ; kd*m3;
  P1: -> p1; kp*m1;
  P2: -> p2; kp*m2;
  P3: -> p3; kp*m3;
  E1: p1 -> ; beta*p1;
  E2: p2 -> ; beta*p2;
  E3: p3 -> ; beta*p3;
end
"""

# An infusion that is switched on and off at fitted times: three states and a piecewise input.
INFUSION = """
model infusion()
  ka = 0.8; ke = 0.3; kb = 0.2; rate = 4; t_on = 1.5; t_off = 4.2;
  D = 0; C = 0; P = 0;
  I: -> D; piecewise(rate, (time >= t_on) && (time < t_off), 0);
  A: D -> C; ka*D;
  X: C -> P; kb*C;
  E: C -> ; ke*C;
end
"""

# Two doses given as events, the second at a fitted time: two states.
DOSES = """
model doses()
  ka = 0.8; ke = 0.3; t1 = 2.0; dose = 5; second = 3;
  D = 1; C = 0;
  A: D -> C; ka*D;
  E: C -> ; ke*C;
  E1: at (time >= t1): D = D + dose;
  E2: at (time >= 6): D = D + second;
end
"""

# A receptor with adaptation, brought to rest before the stimulus: five states.
RECEPTOR = """
begin parameters
    1 kon 0.6
    2 koff 0.4
    3 kint 0.15
    4 krec 0.1
    5 kph 1.1
    6 kdp 0.7
    7 R0 5
    8 L 0
    9 S0 3
end parameters
begin functions
    1 bind() kon*L
    2 phos() kph*C/(1+C)
    3 feed() kdp*(1+0.3*Sp)
end functions
begin species
    1 R() R0
    2 C() 0
    3 Ri() 0
    4 S() S0
    5 Sp() 0
end species
begin reactions
    1 1 2 bind
    2 2 1 koff
    3 2 3 kint
    4 3 1 krec
    5 4 5 phos
    6 5 4 feed
end reactions
begin groups
    1 C 2
    2 Sp 5
    3 R 1
end groups
"""


def cascade(levels: int, free: int) -> tuple[str, tuple[str, ...]]:
    """A cascade of `levels` cycles of phosphorylation (three states each), as a .net text, and its first `free` rates.

    Each level has X, Xp and its phosphatase complex Y; Xp of one level drives the next, the last one feeds back.
    """
    rates = [name for i in range(levels) for name in (f"k{i}", f"v{i}", f"b{i}", f"u{i}")]
    value = {"k": 0.8, "v": 1.1, "b": 0.6, "u": 0.5}
    lines = ["begin parameters", *(f"    {n} {r} {value[r[0]] * (1 + 0.03 * n)}" for n, r in enumerate(rates, 1)),
             f"    {len(rates) + 1} signal 1", f"    {len(rates) + 2} fb 0.2", "end parameters", "begin functions"]  # fmt: skip
    for i in range(levels):
        drive = f"signal/(1+fb*Xp{levels - 1})" if i == 0 else f"Xp{i - 1}"
        lines.append(f"    {i + 1} act{i}() k{i}*{drive}")
    lines += ["end functions", "begin species"]
    for i in range(levels):
        lines += [f"    {3 * i + 1} X{i}() {4 + i % 3}", f"    {3 * i + 2} Xp{i}() 0", f"    {3 * i + 3} Y{i}() 0"]
    lines += ["end species", "begin reactions"]
    for i in range(levels):
        x, xp, y = 3 * i + 1, 3 * i + 2, 3 * i + 3
        lines += [f"    {4 * i + 1} {x} {xp} act{i}", f"    {4 * i + 2} {xp} {y} b{i}",
                  f"    {4 * i + 3} {y} {xp} u{i}", f"    {4 * i + 4} {y} {x} v{i}"]  # fmt: skip
    lines += ["end reactions", "begin groups", *(f"    {i + 1} Xp{i} {3 * i + 2}" for i in range(levels)), "end groups"]
    return "\n".join(lines) + "\n", tuple(rates[:free])


def cycle(species: int, free: int) -> tuple[str, tuple[str, ...]]:
    """`species` forms in a ring of first-order steps with a dimer now and then, as a .net text, and its first rates."""
    lines = ["begin parameters", *(f"    {i + 1} c{i} {0.3 + 0.9 * (i * 0.37 % 1):.4f}" for i in range(species)),
             f"    {species + 1} d 0.05", "end parameters", "begin species",
             *(f"    {i + 1} Z{i}() {1 if i else 10}" for i in range(species)), "end species", "begin reactions"]  # fmt: skip
    lines += [f"    {i + 1} {i + 1} {(i + 1) % species + 1} c{i}" for i in range(species)]
    pairs = range(0, species - 2, 5)
    lines += [f"    {species + n + 1} {i + 1},{i + 2} {i + 3},{i + 3} d" for n, i in enumerate(pairs)]
    lines += ["end reactions", "begin groups", *(f"    {i + 1} Z{i} {i + 1}" for i in range(species)), "end groups"]
    return "\n".join(lines) + "\n", tuple(f"c{i}" for i in range(free))


def antimony(net: str) -> str:
    """One of the .net texts above as Antimony: a species is its group of one, a function of it an assignment rule."""
    blocks = {name: [line.split(maxsplit=3) for line in body.strip().splitlines()] for name, body in _blocks(net)}
    species = [words[1].removesuffix("()") for words in blocks["species"]]
    out = ["model made()", *(f"  {words[1]} = {''.join(words[2:])};" for words in blocks["parameters"])]
    out += [f"  {name} = {words[2]};" for name, words in zip(species, blocks["species"], strict=True)]
    functions = {words[1].removesuffix("()"): "".join(words[2:]) for words in blocks.get("functions", [])}
    out += [f"  {name} := {text};" for name, text in functions.items()]
    for number, left, right, rate in blocks["reactions"]:
        reactants, products = ([species[int(i) - 1] for i in side.split(",") if i != "0"] for side in (left, right))
        law = "*".join([rate, *reactants])
        out.append(f"  J{number}: {' + '.join(reactants)} -> {' + '.join(products)}; {law};")
    return "\n".join([*out, "end"]) + "\n"


def _blocks(net: str) -> list[tuple[str, str]]:
    return [(part.split("\n", 1)[0].strip(), part.split("\n", 1)[1].split("end ")[0]) for part in net.split("begin ")[1:]]
