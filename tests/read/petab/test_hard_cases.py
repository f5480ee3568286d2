"""What a model or a formula may hold that a solver would get wrong without a word, or never come to an end of."""

import numpy as np
import pytest

import bnfhmc
from bnfhmc.errors import InputError
from bnfhmc.expression import ExpressionError
from bnfhmc.read.petab.formulas import read_formula
from tests.read.petab.problems import CONVERSION, TABLES_1, At

EVENT = """<listOfEvents>{}</listOfEvents></model>"""
DOSE = """<event id="E{k}" useValuesFromTriggerTime="true"><trigger initialValue="{initial}" persistent="true">
  <math xmlns="http://www.w3.org/1998/Math/MathML">{trigger}</math></trigger>{priority}<listOfEventAssignments>
  <eventAssignment variable="A"><math xmlns="http://www.w3.org/1998/Math/MathML"><apply><plus/><ci>A</ci><cn>2</cn></apply>
  </math></eventAssignment></listOfEventAssignments></event>"""
TIME = '<csymbol encoding="text" definitionURL="http://www.sbml.org/sbml/symbols/time">t</csymbol>'
FROM_1 = f"<apply><geq/>{TIME}<cn>1</cn></apply>"
FROM_0 = f"<apply><geq/>{TIME}<cn>0</cn></apply>"
BOTH = f"<apply><and/><apply><geq/>{TIME}<cn>1</cn></apply><apply><lt/>{TIME}<cn>100</cn></apply></apply>"


def with_event(trigger: str, priority: str = "", initial: str = "true", count: int = 1) -> str:
    events = "".join(DOSE.format(k=k, trigger=trigger, priority=priority, initial=initial) for k in range(count))
    return CONVERSION.replace("</model>", EVENT.format(events))


def small(unit: float) -> str:
    """The conversion with its amounts in another unit, started at numbers of the file."""
    text = CONVERSION[: CONVERSION.index("<listOfInitialAssignments>")] + CONVERSION[CONVERSION.index("<listOfReactions>") :]
    return text.replace('initialConcentration="1"', f'initialConcentration="{unit}"')


@pytest.mark.parametrize("unit", [1.0, 1e-9, 4e-13])
def test_amounts_in_a_small_unit_are_as_exact_as_in_a_large_one(petab, quotient, unit):
    observables = f"observableId | observableFormula | noiseFormula\nobs_a | A/{unit} | 0.5"
    at = At.theta(petab.load(1, model=small(unit), observables=observables), {"k1": 0.8, "k2": 0.6})
    np.testing.assert_allclose(at.simulations, [1.0, (0.6 + 0.8 * np.exp(-4.2)) / 1.4], rtol=1e-6)
    assert at.gradient_error(quotient) < 1e-5


def test_a_conversion_factor_cannot_be_fitted(petab):
    model = CONVERSION.replace('<species id="A"', '<species id="A" conversionFactor="k2"')
    with pytest.raises(InputError, match="parameter 'k2' cannot be set .* it is a conversion factor"):
        petab.load(1, model=model)


def test_a_trigger_of_two_conditions_is_read(petab):
    problem = petab.load(1, model=with_event(BOTH))
    at = At.theta(problem, {"k1": 0.8, "k2": 0.6})
    plain = At.theta(petab.load(1, model=with_event(FROM_1)), {"k1": 0.8, "k2": 0.6})
    np.testing.assert_allclose(at.simulations, plain.simulations, rtol=1e-7)


def test_events_with_priorities_are_refused(petab):
    priority = '<priority><math xmlns="http://www.w3.org/1998/Math/MathML"><cn>1</cn></math></priority>'
    problem = petab.load(1, model=with_event(FROM_1, priority, count=2))
    with pytest.raises(InputError, match="its events have priorities"):
        bnfhmc.Posterior(problem)


def test_an_event_at_the_start_belongs_to_the_measured_phase(petab, quotient):
    """At rest A holds the part k2/(k1 + k2) of 1.2; the event adds 2 at time 0, before the first measurement."""
    measured = TABLES_1["measurements"].replace("simulationConditionId", "simulationConditionId | preequilibrationConditionId")
    problem = petab.load(1, model=with_event(FROM_0), measurements=measured.replace("| c0 |", "| c0 | c0 |"))
    theta = {"k1": 0.8, "k2": 0.6}
    at = At.theta(problem, theta)
    rest, after = 1.2 * 0.6 / 1.4, 3.2 * 0.6 / 1.4
    np.testing.assert_allclose(at.simulations, [rest + 2, after + (rest + 2 - after) * np.exp(-4.2)], rtol=1e-6)
    assert at.gradient_error(quotient) < 1e-5


@pytest.mark.parametrize("text", ["9^9^9^9", "A + 9^9^9^9", "(9^9)^9^9", "exp(1000)^2 + A"])
def test_towers_of_powers_are_refused(text):
    with pytest.raises(ExpressionError, match="too large for a float"):
        read_formula(text)
