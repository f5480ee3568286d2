"""Models: what an SBML file may hold, what a table may set of it, and BNGL."""

import re

import numpy as np
import pytest

from tests.read.petab.problems import CONVERSION, YAML_2, At

MATH = '<math xmlns="http://www.w3.org/1998/Math/MathML">{}</math>'
OBS_TIME = '<csymbol encoding="text" definitionURL="http://www.sbml.org/sbml/symbols/{0}">{0}</csymbol>'


def with_rule(rule: str) -> str:
    return CONVERSION.replace("    <listOfReactions>", f"    <listOfRules>{rule}</listOfRules>\n    <listOfReactions>")


def with_initial(symbol: str, math: str) -> str:
    made = f'<initialAssignment symbol="{symbol}">{MATH.format(math)}</initialAssignment>'
    return CONVERSION.replace("    </listOfInitialAssignments>", f"      {made}\n    </listOfInitialAssignments>")


ALGEBRAIC = with_rule(f"<algebraicRule>{MATH.format('<apply><minus/><ci>A</ci><ci>B</ci></apply>')}</algebraicRule>").replace(
    'id="B" compartment="v" initialConcentration="0" hasOnlySubstanceUnits="false" boundaryCondition="false"',
    'id="B" compartment="v" initialConcentration="0" hasOnlySubstanceUnits="false" boundaryCondition="true"',
)
DELAYED = with_rule(
    '<assignmentRule variable="late">'
    + MATH.format(f"<apply>{OBS_TIME.format('delay')}<ci>A</ci><cn>1</cn></apply>")
    + "</assignmentRule>"
).replace('<parameter id="a0"', '<parameter id="late" constant="false"/><parameter id="a0"')
STOICHIOMETRY = with_initial("two", "<ci>a0</ci>").replace(
    '<listOfProducts><speciesReference species="B"', '<listOfProducts><speciesReference id="two" species="B"'
)
FAST = CONVERSION.replace("version2/core", "version1/core").replace('version="2"', 'version="1"')
FAST = FAST.replace('reversible="false"', 'reversible="false" fast="false"', 2).replace('fast="false"', 'fast="true"', 1)
COMP = CONVERSION.replace(
    'level="3"',
    'xmlns:comp="http://www.sbml.org/sbml/level3/version1/comp/version1" comp:required="true" level="3"', 1
)  # fmt: skip


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (ALGEBRAIC, "algebraic rules are not supported; write an assignment rule"),
        (DELAYED, "the rule of 'late' uses a delay, which is not supported"),
        (STOICHIOMETRY, "an initial assignment of the stoichiometry 'two' is not supported; write the number itself"),
        (FAST, "the fast reaction 'there' is not supported; write its equilibrium as an assignment rule"),
        (COMP, "the SBML package 'comp' is not supported; flatten the model to SBML core"),
        ("<sbml", "no valid SBML: "),
        (CONVERSION.replace("<ci>k1</ci>", "<ci>k9</ci>"), "no valid SBML: "),
        (re.sub("<model.*</model>", "", CONVERSION, flags=re.DOTALL), ""),
    ],
)
def test_what_is_not_supported(petab, model, said):
    found = petab.wrong(2, model=model)
    assert found and all(re.match(r"model\.xml(:\d+)?: ", m) for m in found)
    assert any(said in m for m in found)


TWICE = with_initial("k2", "<apply><times/><cn>2</cn><ci>k1</ci></apply>")


def test_an_initial_assignment_follows_what_it_reads(petab):
    problem = petab.load(
        2, model=TWICE, parameters="parameterId | lowerBound | upperBound | nominalValue | estimate\nk1 | 0.1 | 2 | 0.5 | true"
    )
    k1, k2 = 0.5, 1.0
    rest = 1.2 * k2 / (k1 + k2)
    np.testing.assert_allclose(At.theta(problem, [k1]).simulations[1], rest + (1 - rest) * np.exp(-3 * (k1 + k2)), rtol=1e-6)


def test_what_an_initial_assignment_computes_is_not_set_by_a_table(petab):
    assert petab.wrong(2, model=TWICE)[0] == (
        "parameters.tsv:3: parameter 'k2' cannot be set in model 'conversion': it is a parameter with an initial assignment; "
        "delete the row, or what the model computes it by"
    )
    k1 = "parameterId | lowerBound | upperBound | nominalValue | estimate\nk1 | 0.1 | 2 | 0.5 | true"
    said = petab.wrong(
        2,
        model=TWICE,
        parameters=k1,
        conditions="conditionId | targetId | targetValue\nc0 | k2 | 3",
        experiments="experimentId | time | conditionId\ne0 | 0 | c0",
    )
    assert said == [
        "conditions.tsv:2: a condition cannot set 'k2': it is a parameter with an initial assignment; set what it is computed "
        "from"
    ]


def test_what_an_initial_assignment_reads_may_not_change_within_an_experiment(petab):
    said = petab.wrong(
        2,
        model=TWICE,
        parameters="parameterId | lowerBound | upperBound | nominalValue | estimate\na0 | 0.1 | 2 | 0.5 | true",
        conditions="conditionId | targetId | targetValue\nc1 | k1 | 3",
        experiments="experimentId | time | conditionId\ne0 | 0 |\ne0 | 2 | c1",
    )
    assert said[0].startswith(
        "conditions.tsv:2: 'k2' has an initial assignment that reads 'k1', which changes within experiment 'e0'; this is not"
    )


BNGL = """begin model
begin parameters
  k_on 0.5
  k_off k_on/2
  A0 10
end parameters
begin molecule types
  A(b~u~p)
end molecule types
begin seed species
  A(b~u) A0
  A(b~p) 0
end seed species
begin observables
  Molecules all A()
end observables
begin reaction rules
  A(b~u) -> A(b~p) k_on
  A(b~p) -> A(b~u) k_off
end reaction rules
end model
"""
YAML_BNGL = YAML_2.replace("model.xml, language: sbml", "model.bngl, language: bngl") + "mapping_files: [mapping.tsv]\n"


def test_bngl_with_species_by_mapped_names(petab, quotient):
    """A(b~u) ⇌ A(b~p) with a first rate that is estimated and a second that the table fixes."""
    (petab.path / "model.bngl").write_text(BNGL)
    problem = petab.load(
        2,
        YAML_BNGL,
        mapping="petabEntityId | modelEntityId\nfree | A(b~u)\nbound | A(b~p)",
        parameters="""parameterId | lowerBound | upperBound | nominalValue | estimate
                      k_on | 0.01 | 10 | 0.8 | true
                      A0 | 1 | 20 | 10 | true
                      k_off | | | 0.3 | false""",
        conditions="""conditionId | targetId | targetValue
                      c0 | bound | A0 / 5
                      c1 | free | free + bound
                      c1 | bound | 0""",
        experiments="""experimentId | time | conditionId
                       e0 | 0 | c0
                       e0 | 5 | c1""",
        observables="""observableId | observableFormula | noiseFormula
                       obs_b | bound | 0.5
                       obs_all | all + 0 * free | 0.5""",
        measurements="""observableId | experimentId | time | measurement
                        obs_b | e0 | 0 | 2
                        obs_b | e0 | 4 | 8
                        obs_b | e0 | 5 | 1
                        obs_b | e0 | 6 | 5
                        obs_all | e0 | 6 | 12""",
    )
    at = At.theta(problem, {"k_on": 0.8, "A0": 10})

    def bound(start, t):
        return 12 * 0.8 / 1.1 + (start - 12 * 0.8 / 1.1) * np.exp(-1.1 * t)

    np.testing.assert_allclose(at.simulations, [2, bound(2, 4), 0, bound(0, 1), 12], rtol=1e-6, atol=1e-9)
    assert at.gradient_error(quotient) < 1e-4


def test_bngl_with_an_initial_amount_that_is_estimated_by_a_mapped_name(petab, quotient):
    (petab.path / "model.bngl").write_text(BNGL)
    problem = petab.load(
        2,
        YAML_BNGL,
        mapping="petabEntityId | modelEntityId\nfree | A(b~u)\nbound | A(b~p)",
        parameters="parameterId | lowerBound | upperBound | nominalValue | estimate\nfree | 1 | 20 | 6 | true",
        observables="observableId | observableFormula | noiseFormula\nobs_a | bound / 2 | 1",
    )
    at = At.theta(problem, [6])
    np.testing.assert_allclose(at.simulations, [0, 2 * (1 - np.exp(-0.75 * 3))], rtol=1e-6, atol=1e-9)
    assert at.gradient_error(quotient) < 1e-4


def test_bngl_mistakes_are_found_without_petabs_linter(petab):
    (petab.path / "model.bngl").write_text(BNGL)
    tables = {
        "mapping": "petabEntityId | modelEntityId\nbound | A(b~x)",
        "observables": "observableId | observableFormula | noiseFormula\nobs_a | bound | 1",
        "parameters": "parameterId | lowerBound | upperBound | nominalValue | estimate\nk_on | 0.1 | 2 | 0.5 | true",
    }
    assert petab.wrong(2, YAML_BNGL, **tables) == [
        "observables.tsv:2: observable 'obs_a': its formula reads 'bound' (A(b~x)), which is not defined; add it to the "
        "parameter table"
    ]
