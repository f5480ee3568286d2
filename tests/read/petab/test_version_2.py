"""Version 2: what its tables say, held to closed forms of A ⇌ B."""

import numpy as np
import pytest
from scipy import stats

import bnfhmc
from tests.read.petab.problems import CONVERSION, YAML_2, At, conversion

THETA = {"k1": 0.8, "k2": 0.6}
K2_ONLY = """parameterId | lowerBound | upperBound | nominalValue | estimate
             k2 | 0 | 10 | 0.6 | true"""
BOTH = """observableId | observableFormula | noiseFormula
          obs_a | A | 0.5
          obs_b | B | 0.5"""
TWO_TIMES = """observableId | experimentId | time | measurement
               obs_a | e0 | 2 | 0.7
               obs_a | e0 | 5 | 0.1
               obs_b | e0 | 5 | 0.4"""


def check(at: At, values, llh: float, quotient) -> None:
    """Simulations, log-likelihood and gradient."""
    np.testing.assert_allclose(at.simulations, values, rtol=1e-6, atol=1e-9)
    assert at.llh == pytest.approx(llh, abs=1e-6)
    assert at.gradient_error(quotient) < 1e-4


def normal(values, measured, sigma) -> float:
    return float(stats.norm.logpdf(measured, values, sigma).sum())


def test_the_smallest_problem(petab, quotient):
    problem = petab.load(2)
    values = [conversion(0)[0], conversion(3)[0]]
    check(At.theta(problem, THETA), values, normal(values, [0.7, 0.1], 0.5), quotient)
    assert list(problem.models) == ["conversion"] and [e.name for e in problem.experiments] == ["e0"]
    assert problem.initial_theta == THETA


def test_without_an_experiment_the_model_is_as_it_is(petab, quotient):
    problem = petab.load(
        2,
        yaml=YAML_2.replace("condition_files: [conditions.tsv]\nexperiment_files: [experiments.tsv]\n", ""),
        measurements="""observableId | experimentId | time | measurement
                        obs_a |  | 0 | 0.7
                        obs_a |  | 3 | 0.1""",
    )
    values = [conversion(0)[0], conversion(3)[0]]
    check(At.theta(problem, THETA), values, normal(values, [0.7, 0.1], 0.5), quotient)
    assert [e.name for e in problem.experiments] == ["conversion"]


def test_conditions_are_expressions_of_parameters(petab, quotient):
    problem = petab.load(
        2,
        parameters="""parameterId | lowerBound | upperBound | nominalValue | estimate
                      k1 | 0.01 | 10 | 0.8 | true
                      k2 | 0 | 10 | 0.6 | true
                      start | 0.1 | 10 | 2 | true
                      half | | | 0.5 | false""",
        conditions="""conditionId | targetId | targetValue
                      c0 | A | start * half + k1
                      c0 | b0 | 0.3
                      c1 | a0 | sqrt(start)""",
        experiments="""experimentId | time | conditionId
                       e0 | 0 | c0
                       e1 | 0 | c1""",
        measurements="""observableId | experimentId | time | measurement
                        obs_a | e0 | 3 | 0.7
                        obs_a | e1 | 3 | 0.1""",
    )
    values = [conversion(3, 1.8, 0.3)[0], conversion(3, np.sqrt(2))[0]]
    check(At.theta(problem, {**THETA, "start": 2}), values, normal(values, [0.7, 0.1], 0.5), quotient)


def test_a_period_may_apply_several_conditions_and_start_at_any_time(petab, quotient):
    problem = petab.load(
        2,
        conditions="""conditionId | targetId | targetValue
                      c0 | A | 2
                      c1 | B | time""",
        experiments="""experimentId | time | conditionId
                       e0 | 1.5 | c0
                       e0 | 1.5 | c1""",
        observables=BOTH,
        measurements=TWO_TIMES,
    )
    (a2, _), (a5, b5) = conversion(0.5, 2, 1.5), conversion(3.5, 2, 1.5)
    check(At.theta(problem, THETA), [a2, a5, b5], normal([a2, a5, b5], [0.7, 0.1, 0.4], 0.5), quotient)
    assert problem.experiments[0].condition.name == "c0 + c1"
    np.testing.assert_array_equal(problem.experiments[0].times, [1.5, 2, 5])


def test_later_periods_read_the_state_and_parameters_stay_as_they_were_set(petab, quotient):
    problem = petab.load(
        2,
        parameters=K2_ONLY,
        conditions="""conditionId | targetId | targetValue
                      c0 | k1 | 0.8
                      c1 | A | A + B
                      c1 | B | k2 * A
                      c2 | k1 | 2 * k1""",
        experiments="""experimentId | time | conditionId
                       e0 | 0 | c0
                       e0 | 4 | c2
                       e0 | 2 | c1
                       e0 | 9 | c1""",
        observables=BOTH,
        measurements=TWO_TIMES,
    )
    a, b = conversion(2)
    a, b = a + b, 0.6 * a
    after = conversion(1, *conversion(2, a, b), k1=1.6)
    values = [a, *after]
    check(At.theta(problem, {"k2": 0.6}), values, normal(values, [0.7, 0.1, 0.4], 0.5), quotient)
    assert [p.time for p in problem.experiments[0].later] == [2, 4]  # nothing is measured after the one at 9


def test_a_measurement_at_the_start_of_a_period_sees_it(petab, quotient):
    problem = petab.load(
        2,
        conditions="""conditionId | targetId | targetValue
                      c0 | off | 1
                      c1 | B | time - 1
                      c1 | off | 2""",
        experiments="""experimentId | time | conditionId
                       e0 | 0 | c0
                       e0 | 5 | c1""",
        observables="""observableId | observableFormula | noiseFormula
                       obs_a | A + off | 0.5
                       obs_b | B + off | 0.5""",
        measurements=TWO_TIMES,
    )
    values = [conversion(2)[0] + 1, conversion(5)[0] + 2, 4 + 2]
    check(At.theta(problem, THETA), values, normal(values, [0.7, 0.1, 0.4], 0.5), quotient)


def test_formulas_read_a_parameter_of_the_model_as_the_period_sets_it(petab, quotient):
    problem = petab.load(
        2,
        parameters=K2_ONLY,
        conditions="""conditionId | targetId | targetValue
                      c0 | k1 | k2 + 0.2
                      c1 | k1 | 2 * k1""",
        experiments="""experimentId | time | conditionId
                       e0 | 0 | c0
                       e0 | 4 | c1""",
        observables="""observableId | observableFormula | noiseFormula
                       obs_a | k1 * A | 0.5 + k1
                       obs_b | B | k1""",
        measurements=TWO_TIMES,
    )
    a5, b5 = conversion(1, *conversion(4), k1=1.6)
    values = [0.8 * conversion(2)[0], 1.6 * a5, b5]
    check(At.theta(problem, {"k2": 0.6}), values, normal(values, [0.7, 0.1, 0.4], [1.3, 2.1, 1.6]), quotient)


def test_preequilibration_hands_on_its_state_and_its_parameters(petab, quotient):
    problem = petab.load(
        2,
        parameters=K2_ONLY,
        conditions="""conditionId | targetId | targetValue
                      p | k1 | 0.3
                      p | A | 0
                      p | B | 2
                      c0 | A | A + 1""",
        experiments="""experimentId | time | conditionId
                       e0 | 2 | c0
                       e0 | -inf | p""",
        observables=BOTH,
        measurements=TWO_TIMES,
    )
    a, b = conversion(np.inf, 0, 2, k1=0.3)
    values = [a + 1, *conversion(3, a + 1, b, k1=0.3)]
    check(At.theta(problem, {"k2": 0.6}), values, normal(values, [0.7, 0.1, 0.4], 0.5), quotient)


def test_preequilibration_of_the_model_as_it_is(petab, quotient):
    problem = petab.load(
        2,
        experiments="""experimentId | time | conditionId
                       e0 | -inf |
                       e0 | 2 |""",
        observables=BOTH,
        measurements=TWO_TIMES,
    )
    a, b = conversion(np.inf)
    check(At.theta(problem, THETA), [a, a, b], normal([a, a, b], [0.7, 0.1, 0.4], 0.5), quotient)


def test_a_value_after_preequilibration_reads_what_was_set_before_it(petab, quotient):
    problem = petab.load(
        2,
        parameters=K2_ONLY,
        conditions="""conditionId | targetId | targetValue
                      p | k1 | k2 / 2
                      c0 | k1 | 3 * k1""",
        experiments="""experimentId | time | conditionId
                       e0 | -inf | p
                       e0 | 2 | c0""",
        observables=BOTH,
        measurements=TWO_TIMES,
    )
    a, b = conversion(np.inf, k1=0.3)
    values = [a, *conversion(3, a, b, k1=0.9)]
    check(At.theta(problem, {"k2": 0.6}), values, normal(values, [0.7, 0.1, 0.4], 0.5), quotient)


def test_formulas_have_parameters_of_their_own_in_each_period(petab, quotient):
    problem = petab.load(
        2,
        parameters=TWO_MORE,
        conditions="""conditionId | targetId | targetValue
                      c0 | off | offset
                      c0 | times | scaling
                      c1 | off | 3 * offset""",
        experiments="""experimentId | time | conditionId
                       e0 | 0 | c0
                       e0 | 4 | c1""",
        observables="""observableId | observableFormula | noiseFormula
                       obs_a | times * A + off | 0.5
                       obs_b | B | 0.5""",
        measurements=TWO_TIMES,
    )
    values = [2 * conversion(2)[0] + 0.5, 2 * conversion(5)[0] + 1.5, conversion(5)[1]]
    at = At.theta(problem, {**THETA, "scaling": 2, "offset": 0.5})
    check(at, values, normal(values, [0.7, 0.1, 0.4], 0.5), quotient)


TWO_MORE = """parameterId | lowerBound | upperBound | nominalValue | estimate
              k1 | 0.01 | 10 | 0.8 | true
              k2 | 0 | 10 | 0.6 | true
              scaling | 0.1 | 10 | 2 | true
              offset | -1 | 1 | 0.5 | true"""


def test_declared_placeholders_take_numbers_and_parameters(petab, quotient):
    problem = petab.load(
        2,
        parameters=TWO_MORE,
        observables="""observableId | observableFormula | noiseFormula | observablePlaceholders | noisePlaceholders
                       obs_a | s * A + o | sd * s | s; o | sd""",
        measurements="""observableId | experimentId | time | measurement | observableParameters | noiseParameters
                        obs_a | e0 | 0 | 0.7 | 0.5;2 | 0.4
                        obs_a | e0 | 3 | 0.1 | scaling;offset | scaling""",
    )
    values = [0.5 * conversion(0)[0] + 2, 2 * conversion(3)[0] + 0.5]
    at = At.theta(problem, {**THETA, "scaling": 2, "offset": 0.5})
    check(at, values, normal(values, [0.7, 0.1], [0.2, 4]), quotient)


@pytest.mark.parametrize(
    ("distribution", "density"),
    [
        ("", lambda m, s, sigma: stats.norm.logpdf(m, s, sigma)),
        ("normal", lambda m, s, sigma: stats.norm.logpdf(m, s, sigma)),
        ("laplace", lambda m, s, sigma: stats.laplace.logpdf(m, s, sigma)),
        ("log-normal", lambda m, s, sigma: stats.lognorm.logpdf(m, sigma, scale=s)),
        ("log-laplace", lambda m, s, sigma: stats.laplace.logpdf(np.log(m), np.log(s), sigma) - np.log(m)),
    ],
)
def test_every_noise(petab, quotient, distribution, density):
    problem = petab.load(
        2,
        observables=f"""observableId | observableFormula | noiseFormula | noiseDistribution
                        obs_a | A | 0.4 | {distribution}""",
    )
    values = np.array([conversion(0)[0], conversion(3)[0]])
    check(At.theta(problem, THETA), values, density(np.array([0.7, 0.1]), values, 0.4).sum(), quotient)


def test_a_steady_state_follows_the_last_period(petab, quotient):
    problem = petab.load(
        2,
        conditions="""conditionId | targetId | targetValue
                      c1 | B | B + 3""",
        experiments="""experimentId | time | conditionId
                       e0 | 0 |
                       e0 | 4 | c1""",
        observables=BOTH,
        measurements=TWO_TIMES.replace("obs_b | e0 | 5", "obs_b | e0 | inf"),
    )
    a, b = conversion(4)
    values = [conversion(2)[0], conversion(1, a, b + 3)[0], conversion(np.inf, a, b + 3)[1]]
    check(At.theta(problem, THETA), values, normal(values, [0.7, 0.1, 0.4], 0.5), quotient)
    assert [e.name for e in problem.experiments] == ["e0", "e0 at steady state"]


def test_fixed_parameters_are_their_nominal_values_in_every_period(petab, quotient):
    problem = petab.load(
        2,
        parameters="""parameterId | lowerBound | upperBound | nominalValue | estimate
                      k1 | 0.01 | 10 | 0.8 | true
                      k2 | | | 0.25 | false
                      more | | | 4 | false""",
        conditions="""conditionId | targetId | targetValue
                      p | a0 | more
                      c1 | A | k2 * A""",
        experiments="""experimentId | time | conditionId
                       e0 | -inf | p
                       e0 | 0 |
                       e0 | 4 | c1""",
        observables=BOTH,
        measurements=TWO_TIMES,
    )
    a, b = conversion(np.inf, 4, k2=0.25)
    values = [a, *conversion(1, 0.25 * a, b, k2=0.25)]
    check(At.theta(problem, {"k1": 0.8}), values, normal(values, [0.7, 0.1, 0.4], 0.5), quotient)


def test_measurements_say_which_of_several_models_they_are_of(petab, quotient):
    yaml = YAML_2.replace("{conversion: {", "{faster: {location: other.xml, language: sbml}, conversion: {")
    (petab.path / "other.xml").write_text(CONVERSION.replace('id="b0" value="0.2"', 'id="b0" value="5"'))
    problem = petab.load(
        2,
        yaml,
        measurements="""observableId | modelId | experimentId | time | measurement
                        obs_a | conversion | e0 | 3 | 0.7
                        obs_a | faster | e0 | 3 | 0.1""",
    )
    values = [conversion(3)[0], conversion(3, b0=5)[0]]
    check(At.theta(problem, THETA), values, normal(values, [0.7, 0.1], 0.5), quotient)
    assert {e.name: e.model for e in problem.experiments} == {"e0 (conversion)": "conversion", "e0 (faster)": "faster"}


def test_the_origin_counts_rows_over_all_files(petab):
    problem = petab.load(
        2,
        yaml=YAML_2.replace("[measurements.tsv]", "[measurements.tsv, more.tsv]"),
        observables=BOTH,
        more="""observableId | experimentId | time | measurement
                obs_b | e0 | 1 | 0.5
                obs_a | e0 | 1 | 0.4""",
    )
    assert {s.name: s.origin.tolist() for s in problem.experiments[0].series} == {"obs_a": [0, 1, 3], "obs_b": [2]}


# S, a concentration in C, grows at the rate p; an event doubles C when S has come to 14.
GROWTH = """<?xml version="1.0" encoding="UTF-8"?>
<sbml xmlns="http://www.sbml.org/sbml/level3/version2/core" level="3" version="2">
  <model id="growth">
    <listOfCompartments><compartment id="C" spatialDimensions="3" size="4" constant="false"/></listOfCompartments>
    <listOfSpecies>
      <species id="S" compartment="C" initialConcentration="3" hasOnlySubstanceUnits="false" boundaryCondition="false"
               constant="false"/>
    </listOfSpecies>
    <listOfParameters><parameter id="p" value="1" constant="true"/></listOfParameters>
    <listOfRules><rateRule variable="S"><math xmlns="http://www.w3.org/1998/Math/MathML"><ci>p</ci></math></rateRule></listOfRules>
    <listOfEvents>
      <event id="full" useValuesFromTriggerTime="false">
        <trigger initialValue="true" persistent="true"><math xmlns="http://www.w3.org/1998/Math/MathML">
          <apply><geq/><ci>S</ci><cn>14</cn></apply></math></trigger>
        <listOfEventAssignments><eventAssignment variable="C"><math xmlns="http://www.w3.org/1998/Math/MathML">
          <apply><times/><ci>C</ci><cn>2</cn></apply></math></eventAssignment></listOfEventAssignments>
      </event>
    </listOfEvents>
  </model>
</sbml>
"""


def test_a_compartment_that_a_condition_and_an_event_resize(petab, quotient):
    """A condition leaves concentrations as they are; in the model's own event, SBML keeps amounts: S is halved."""
    problem = petab.load(
        2,
        model=GROWTH,
        parameters="""parameterId | lowerBound | upperBound | nominalValue | estimate
                      p | 0 | 10 | 1 | true""",
        conditions="""conditionId | targetId | targetValue
                      c0 | S | 2
                      c1 | S | C + S
                      c1 | C | 8""",
        experiments="""experimentId | time | conditionId
                       e0 | 0 | c0
                       e0 | 6 | c1""",
        observables="""observableId | observableFormula | noiseFormula
                       conc | S | 1
                       amount | S * C | 1""",
        measurements="""observableId | experimentId | time | measurement
                        conc | e0 | 5 | 1
                        amount | e0 | 5 | 1
                        conc | e0 | 6 | 1
                        amount | e0 | 6 | 1
                        conc | e0 | 7 | 1
                        conc | e0 | 9 | 1
                        amount | e0 | 9 | 1""",
    )
    # S = 2 + t, at 6 it is set to 4 + 8 = 12 in a C of 8; at 8 it is 14, and 7 in a C of 16; at 9 it is 8
    values = [7, 28, 12, 96, 13, 8, 128]
    check(At.theta(problem, {"p": 1}), values, normal(values, [1] * 7, 1), quotient)


def test_rate_rules_are_set_like_species(petab, quotient):
    """x′ = −k1 x for a parameter x."""
    decay = """<?xml version="1.0" encoding="UTF-8"?>
    <sbml xmlns="http://www.sbml.org/sbml/level3/version2/core" level="3" version="2"><model id="decay">
      <listOfParameters><parameter id="x" value="3" constant="false"/><parameter id="k1" value="1" constant="true"/>
        <parameter id="twice" constant="false"/></listOfParameters>
      <listOfRules><rateRule variable="x"><math xmlns="http://www.w3.org/1998/Math/MathML">
        <apply><minus/><apply><times/><ci>k1</ci><ci>x</ci></apply></apply></math></rateRule>
        <assignmentRule variable="twice"><math xmlns="http://www.w3.org/1998/Math/MathML">
        <apply><times/><cn>2</cn><ci>x</ci></apply></math></assignmentRule></listOfRules>
    </model></sbml>""".replace("\n    ", "\n")
    problem = petab.load(
        2,
        model=decay,
        parameters="""parameterId | lowerBound | upperBound | nominalValue | estimate
                      k1 | 0.01 | 10 | 0.8 | true""",
        conditions="""conditionId | targetId | targetValue
                      c0 | x | 5
                      c1 | x | x + twice""",
        experiments="""experimentId | time | conditionId
                       e0 | 0 | c0
                       e0 | 4 | c1""",
        observables="""observableId | observableFormula | noiseFormula
                       obs_a | x | 0.5
                       obs_b | twice | 0.5""",
        measurements=TWO_TIMES,
    )
    values = [5 * np.exp(-1.6), 15 * np.exp(-4), 30 * np.exp(-4)]
    check(At.theta(problem, {"k1": 0.8}), values, normal(values, [0.7, 0.1, 0.4], 0.5), quotient)


def test_load_takes_both_suffixes(petab):
    path = petab.write(2)
    other = path.rename(path.with_suffix(".YML"))
    assert bnfhmc.load(str(other)).names == ("k1", "k2")
