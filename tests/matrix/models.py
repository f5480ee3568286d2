"""Model texts of the matrix: each is the smallest that has the feature it is named after."""

# X is made (by ksyn, more of it under a stimulus) and lost; X makes Y
TURNOVER = """
begin parameters
    1 ksyn 2
    2 kdeg 0.5
    3 k1 0.8
    4 k2 0.3
    5 stim 0
    6 X0 1.5
    7 Y0 0.2
end parameters
begin functions
    1 synth() ksyn*(1+stim)
end functions
begin species
    1 X() X0
    2 Y() Y0
end species
begin reactions
    1 0 1 synth
    2 1 0 kdeg
    3 1 1,2 k1
    4 2 0 k2
end reactions
begin groups
    1 X 1
    2 Y 2
end groups
"""

# L + R <-> C: two conserved totals, each of them a parameter, and a derived one
BINDING = """
begin parameters
    1 kon 0.6
    2 koff 0.4
    3 L0 3
    4 R0 2
    5 Kd koff/kon
end parameters
begin functions
    1 bound() C/(R+C)
end functions
begin species
    1 L() L0
    2 R() R0
    3 C() 0
end species
begin reactions
    1 1,2 3 kon
    2 3 1,2 koff
end reactions
begin groups
    1 L 1
    2 R 2
    3 C 3
    4 Rtot 2,3
end groups
"""

# A → B → C, with a derived rate, a derived initial amount, and functions of observables as outputs
CHAIN = """
begin parameters
    1 A0 10
    2 k1 0.7
    3 k2 0.3
    4 kd 2*k2
    5 s 1.5
    6 half 0.5*A0
end parameters
begin functions
    1 scaledB() s*B
    2 ratio() A/(A+B)
end functions
begin species
    1 A() A0
    2 B() half
    3 C() 1
end species
begin reactions
    1 1 2 k1
    2 2 3 kd
end reactions
begin groups
    1 A 1
    2 B 2
    3 C 3
end groups
"""

# The chain with a start that is no linear function of the parameters
CURVED = """
begin parameters
    1 A0 10
    2 k1 0.7
    3 kd 0.6
    4 start A0^2/(10*k1)
end parameters
begin species
    1 A() A0
    2 B() start
end species
begin reactions
    1 1 2 k1
    2 2 0 kd
end reactions
begin groups
    1 A 1
    2 B 2
end groups
"""

CURVED_ANT = """
model curved()
  compartment cell = 2;
  species A in cell;
  substanceOnly species B in cell;
  A0 = 10; k1 = 0.7; kd = 0.6;
  A = A0; B = cell*A0^2/(10*k1);
  J1: A -> B; cell*k1*A;
  J2: B -> ; kd*B;
end
"""

CHAIN_BNGL = """
begin model
begin parameters
  A0  10
  k1  0.7
  k2  0.3
  kd  2*k2
  s   1.5
  half 0.5*A0
end parameters
begin molecule types
  A()
  B()
  C()
end molecule types
begin seed species
  A()  A0
  B()  half
  C()  1
end seed species
begin observables
  Molecules A A()
  Molecules B B()
  Molecules C C()
end observables
begin functions
  scaledB() = s*B
  ratio() = A/(A+B)
end functions
begin reaction rules
  A() -> B() k1
  B() -> C() kd
end reaction rules
end model
"""

# 0 → A → B → 0, with a derived rate
OPEN = """
begin parameters
    1 made 1
    2 k1 0.7
    3 k2 0.3
    4 kd 2*k2
end parameters
begin species
    1 A() 3
    2 B() 1
end species
begin reactions
    1 0 1 made
    2 1 2 k1
    3 2 0 kd
end reactions
begin groups
    1 A 1
    2 B 2
end groups
"""

OPEN_BNGL = """
begin model
begin parameters
  made 1
  k1  0.7
  k2  0.3
  kd  2*k2
end parameters
begin molecule types
  A()
  B()
end molecule types
begin seed species
  A()  3
  B()  1
end seed species
begin observables
  Molecules A A()
  Molecules B B()
end observables
begin reaction rules
  0 -> A() made
  A() -> B() k1
  B() -> 0 kd
end reaction rules
end model
"""

# One input, switched on by time; one output that saturates
SWITCH_BNGL = """
begin model
begin parameters
  ton  1.2
  toff 3.1
  amp  2.0
  base 0.3
  k    0.7
  X0   0.5
end parameters
begin molecule types
  X()
end molecule types
begin seed species
  X() X0
end seed species
begin observables
  Molecules X X()
end observables
begin functions
  input() = if((time() >= ton) && (time() < toff), amp, base)
end functions
begin reaction rules
  0 -> X() input()
  X() -> 0 k
end reaction rules
end model
"""

SWITCH_ANT = """
model switching()
  species X; X = X0;
  ton = 1.2; toff = 3.1; amp = 2.0; base = 0.3; k = 0.7; X0 = 0.5;
  u := piecewise(base, time < ton, amp, time < toff, base);
  J1: -> X; u;
  J2: X -> ; k*X;
end
"""

# Lost at one rate above a threshold and at another below it
TWO_RATES_ANT = """
model two_rates()
  species S; S = S0;
  S0 = 4; fast = 0.9; slow = 0.3; thr = 1.5;
  rate := piecewise(fast, S > thr, slow);
  J1: S -> ; rate*S;
end
"""

TWO_RATES = """
begin parameters
    1 S0 4
    2 fast 0.9
    3 slow 0.3
    4 thr 1.5
end parameters
begin functions
    1 rate() if(S>thr,fast,slow)
end functions
begin species
    1 S() S0
end species
begin reactions
    1 1 0 rate
end reactions
begin groups
    1 S 1
end groups
"""

DOSE_ANT = """
model dosing()
  species S, P; S = S0; P = 0;
  S0 = 2; k = 0.6; kp = 0.4; dose = 3; tdose = 1.3;
  J1: S -> P; k*S;
  J2: P -> ; kp*P;
  E1: at (time >= tdose): S = S + dose;
end
"""

THRESHOLD_ANT = """
model refilled()
  species S; S = S0;
  S0 = 4; k = 0.6; thr = 1.5; top = 3;
  J1: S -> ; k*S;
  E1: at (S < thr): S = top;
end
"""

# the same in SBML; antimony writes its trigger as "true before the start", as SBML has it where nothing is said
THRESHOLD_SBML = """<?xml version="1.0" encoding="UTF-8"?>
<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1">
  <model id="refilled">
    <listOfCompartments><compartment id="cell" spatialDimensions="3" size="1" constant="true"/></listOfCompartments>
    <listOfSpecies>
      <species id="S" compartment="cell" initialConcentration="4" hasOnlySubstanceUnits="false" boundaryCondition="false"
               constant="false"/>
    </listOfSpecies>
    <listOfParameters>
      <parameter id="k" value="0.6" constant="true"/><parameter id="thr" value="1.5" constant="true"/>
      <parameter id="top" value="3" constant="true"/>
    </listOfParameters>
    <listOfReactions>
      <reaction id="J1" reversible="false" fast="false">
        <listOfReactants><speciesReference species="S" stoichiometry="1" constant="true"/></listOfReactants>
        <kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML"><apply><times/><ci>k</ci><ci>S</ci></apply></math>
        </kineticLaw>
      </reaction>
    </listOfReactions>
    <listOfEvents>
      <event id="E1" useValuesFromTriggerTime="true">
        <trigger initialValue="true" persistent="true">
          <math xmlns="http://www.w3.org/1998/Math/MathML"><apply><lt/><ci>S</ci><ci>thr</ci></apply></math>
        </trigger>
        <listOfEventAssignments>
          <eventAssignment variable="S"><math xmlns="http://www.w3.org/1998/Math/MathML"><ci>top</ci></math></eventAssignment>
        </listOfEventAssignments>
      </event>
    </listOfEvents>
  </model>
</sbml>
"""

# a closed cycle, which forgets nothing, and a dose into it
CYCLE_ANT = """
model cycle()
  species A, B; A = 4; B = 0;
  kf = 0.6; kr = 0.4; dose = 3; tdose = 1.3;
  J1: A -> B; kf*A;
  J2: B -> A; kr*B;
  E1: at (time >= tdose): A = A + dose;
end
"""

# a dose that is an amount, into a compartment of volume 2
AMOUNT_DOSE_ANT = """
model injected()
  compartment cell = 2;
  substanceOnly species S in cell; species P in cell; S = S0; P = 0.1;
  S0 = 2; k = 0.6; dose = 3; tdose = 1.3;
  J1: S -> P; k*S;
  E1: at (time >= tdose): S = S + dose, P = P + dose/4;
end
"""

# made at a constant rate; a dose at tdose, which the pre-equilibration sees as well
FED_ANT = """
model feeding()
  species S; S = S0;
  S0 = 2; k = 0.6; feed = 1.1; dose = 3; tdose = 1.3;
  J0: -> S; feed;
  J1: S -> ; k*S;
  E1: at (time >= tdose): S = S + dose;
end
"""

# Antimony's compartment of volume 2: rates are amounts a time, species are concentrations; outputs by assignment rule
CELL_ANT = """
model two_species()
  compartment cell = 2;
  species A in cell, B in cell;
  A0 = 10; k1 = 0.7; k2 = 0.3; s = 1.5; made = 0.8;
  A = A0; B = 0.5*A0;
  J0: -> A; cell*made;
  J1: A -> B; cell*k1*A;
  J2: B -> ; cell*2*k2*B;
  scaledB := s*B;
  ratio := A/(A + B);
end
"""

# A in one volume goes to B in another and back; their total comes from initial assignments
EXCHANGE_ANT = """
model exchanging()
  compartment large = 2; compartment small = 0.5;
  species A in large, B in small;
  A0 = 3; kf = 0.7; kr = 0.4;
  A = A0 + 0.3; B = 0.4*A0;
  J1: A -> B; kf*A;
  J2: B -> A; kr*B;
end
"""

# An amount with an initial assignment, a parameter with a rate rule, an amount by assignment rule
RULES_ANT = """
model rules()
  compartment cell = 2;
  species A in cell;
  substanceOnly species B in cell;
  b0 = 2; k = 0.7; g = 0.4;
  A = 1; B = 1.5*b0;
  P = 0.2; P' = 0.5 - g*P;
  J1: B -> A; k*B;
  total := B + cell*A;
end
"""

# An amount that is made, and turns into a concentration
FILLED_ANT = """
model filling()
  compartment cell = 2;
  species A in cell;
  substanceOnly species B in cell;
  made = 1; k = 0.7;
  A = 1; B = 2;
  J0: -> B; made;
  J1: B -> A; k*B;
  J2: A -> ; cell*0.5*A;
end
"""

# Two compartments; A (concentration, in the large one) goes to B (an amount: hasOnlySubstanceUnits, in the small one)
AMOUNTS_SBML = """<?xml version="1.0" encoding="UTF-8"?>
<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1">
  <model id="amounts">
    <listOfCompartments>
      <compartment id="large" spatialDimensions="3" size="2.5" constant="true"/>
      <compartment id="small" spatialDimensions="3" size="0.4" constant="true"/>
    </listOfCompartments>
    <listOfSpecies>
      <species id="A" compartment="large" initialConcentration="3" hasOnlySubstanceUnits="false"
               boundaryCondition="false" constant="false"/>
      <species id="B" compartment="small" initialAmount="10" hasOnlySubstanceUnits="true"
               boundaryCondition="false" constant="false"/>
      <species id="D" compartment="small" initialConcentration="1" hasOnlySubstanceUnits="false"
               boundaryCondition="false" constant="false"/>
    </listOfSpecies>
    <listOfParameters>
      <parameter id="v" value="1.5" constant="true"/>
      <parameter id="k1" value="0.7" constant="true"/>
      <parameter id="k2" value="0.3" constant="true"/>
      <parameter id="k3" value="0.5" constant="true"/>
    </listOfParameters>
    <listOfReactions>
      <reaction id="J0" reversible="false" fast="false">
        <listOfProducts><speciesReference species="A" stoichiometry="1" constant="true"/></listOfProducts>
        <kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML"><ci>v</ci></math></kineticLaw>
      </reaction>
      <reaction id="J1" reversible="false" fast="false">
        <listOfReactants><speciesReference species="A" stoichiometry="1" constant="true"/></listOfReactants>
        <listOfProducts><speciesReference species="B" stoichiometry="1" constant="true"/></listOfProducts>
        <kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML">
          <apply><times/><ci>large</ci><ci>k1</ci><ci>A</ci></apply></math></kineticLaw>
      </reaction>
      <reaction id="J2" reversible="false" fast="false">
        <listOfReactants><speciesReference species="B" stoichiometry="1" constant="true"/></listOfReactants>
        <listOfProducts><speciesReference species="D" stoichiometry="1" constant="true"/></listOfProducts>
        <kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML">
          <apply><times/><ci>k2</ci><ci>B</ci></apply></math></kineticLaw>
      </reaction>
      <reaction id="J3" reversible="false" fast="false">
        <listOfReactants><speciesReference species="D" stoichiometry="1" constant="true"/></listOfReactants>
        <kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML">
          <apply><times/><ci>small</ci><ci>k3</ci><ci>D</ci></apply></math></kineticLaw>
      </reaction>
    </listOfReactions>
  </model>
</sbml>
"""

# Production by a Hill function against decay, saturable conversion: rate laws that are functions
HILL = """
begin parameters
    1 vmax 3
    2 K 2
    3 n 2
    4 d 0.4
    5 X0 5
    6 km 1.5
    7 vc 1.2
end parameters
begin functions
    1 make() vmax*K^n/(K^n+Y^n)
    2 turn() vc/(km+X)
end functions
begin species
    1 X() X0
    2 Y() 0.1
end species
begin reactions
    1 0 1 make
    2 1 2 turn
    3 2 0 d
end reactions
begin groups
    1 X 1
    2 Y 2
end groups
"""

# The closed form of tests/matrix/combinations.py as a network: X = A0 e^{−kt}, Z = A0 k t e^{−kt}
CELLS = """
begin parameters
    1 A0 4
    2 k 0.5
    3 c 1
    4 base 0.6
end parameters
begin functions
    1 P() Z/k+base
    2 C() c*(1+A0-X)
    3 Q() 1+0.5*c*X/A0
end functions
begin species
    1 X() A0
    2 Z() 0
end species
begin reactions
    1 1 2 k
    2 2 0 k
end reactions
begin groups
    1 X 1
    2 Z 2
end groups
"""

FILES = {
    "cells.net": CELLS, "turnover.net": TURNOVER, "binding.net": BINDING, "chain.net": CHAIN, "chain.bngl": CHAIN_BNGL,
    "open.net": OPEN, "curved.net": CURVED, "curved.ant": CURVED_ANT, "open.bngl": OPEN_BNGL, "rules.ant": RULES_ANT,
    "filled.ant": FILLED_ANT, "rules1.ant": RULES_ANT.replace("cell = 2", "cell = 1"),
    "filled1.ant": FILLED_ANT.replace("cell = 2", "cell = 1"), "exchange.ant": EXCHANGE_ANT, "switch.bngl": SWITCH_BNGL,
    "switch.ant": SWITCH_ANT, "two_rates.ant": TWO_RATES_ANT, "two_rates.net": TWO_RATES, "dose.ant": DOSE_ANT,
    "amount_dose.ant": AMOUNT_DOSE_ANT, "threshold.ant": THRESHOLD_ANT, "fed.ant": FED_ANT, "cell.ant": CELL_ANT,
    "amounts.xml": AMOUNTS_SBML, "hill.net": HILL, "cycle.ant": CYCLE_ANT,
    "threshold.xml": THRESHOLD_SBML,
}  # fmt: skip
