"""Version 1: what its tables say, held to closed forms of A ⇌ B."""

import numpy as np
import pytest
from scipy import stats

from tests.read.petab.problems import YAML_1, At, conversion

THETA = {"k1": 0.8, "k2": 0.6}
MEASURED = {"measurements": """observableId | simulationConditionId | time | measurement
                               obs_a | c0 | 0 | 0.7
                               obs_a | c0 | 3 | 0.1
                               obs_b | c0 | 3 | 0.4"""}
OBSERVABLES = """observableId | observableFormula | noiseFormula
                 obs_a | A | 0.5
                 obs_b | B | 0.5"""
WITH_SCALING = """parameterId | parameterScale | lowerBound | upperBound | nominalValue | estimate
                  k1 | log10 | 0.01 | 10 | 0.8 | 1
                  k2 | lin | 0 | 10 | 0.6 | 1
                  scaling | log | 0.1 | 10 | 2 | 1
                  offset | lin | -1 | 1 | 0.5 | 1"""


def check(at: At, values, llh: float, quotient) -> None:
    """Simulations, log-likelihood and gradient."""
    np.testing.assert_allclose(at.simulations, values, rtol=1e-6, atol=1e-9)
    assert at.llh == pytest.approx(llh, abs=1e-6)
    assert at.gradient_error(quotient) < 1e-4


def normal(values, measured, sigma) -> float:
    return float(stats.norm.logpdf(measured, values, sigma).sum())


def test_the_smallest_problem(petab, quotient):
    problem = petab.load(1)
    values = [conversion(0)[0], conversion(3)[0]]
    check(At.theta(problem, THETA), values, normal(values, [0.7, 0.1], 0.5), quotient)
    assert [p.name for p in problem.parameters] == ["k1", "k2"]
    assert [p.scale.name for p in problem.parameters] == ["log10", "lin"]
    assert problem.initial_theta == THETA and problem.path == petab.path / "problem.yaml"


def test_conditions_set_parameters_and_an_empty_cell_leaves_the_models_own(petab, quotient):
    problem = petab.load(
        1,
        conditions="""conditionId | conditionName | a0 | b0
                      c0 | first | 2 |
                      c1 | second | NaN | 0.5""",
        measurements="""observableId | simulationConditionId | time | measurement
                        obs_a | c0 | 3 | 0.7
                        obs_a | c1 | 3 | 0.1""",
    )
    values = [conversion(3, a0=2)[0], conversion(3, b0=0.5)[0]]
    check(At.theta(problem, THETA), values, normal(values, [0.7, 0.1], 0.5), quotient)
    assert [e.name for e in problem.experiments] == ["c0", "c1"]


def test_a_condition_names_parameters_of_the_table_and_of_the_model(petab, quotient):
    problem = petab.load(
        1,
        parameters="""parameterId | parameterScale | lowerBound | upperBound | nominalValue | estimate
                      k1 | log10 | 0.01 | 10 | 0.8 | 1
                      k2 | lin | 0 | 10 | 0.6 | 1
                      first | log | 0.1 | 10 | 2 | 1
                      second | lin | 0 | 1 | 0.5 | 0""",
        conditions="""conditionId | a0 | b0
                      c0 | first | second
                      c1 | b0 | first
                      c2 | 1 | a0""",
        measurements="""observableId | simulationConditionId | time | measurement
                        obs_a | c0 | 3 | 0.7
                        obs_a | c1 | 3 | 0.1
                        obs_a | c2 | 3 | 0.1""",
    )
    values = [conversion(3, a0=2, b0=0.5)[0], conversion(3, a0=2, b0=2)[0], conversion(3, a0=1, b0=1)[0]]
    check(At.theta(problem, {**THETA, "first": 2}), values, normal(values, [0.7, 0.1, 0.1], 0.5), quotient)


def test_numbers_fill_in_for_placeholders(petab, quotient):
    problem = petab.load(
        1,
        observables="""observableId | noiseFormula | observableFormula
                       obs_a | noiseParameter1_obs_a + noiseParameter2_obs_a | """
        "observableParameter1_obs_a * A + observableParameter2_obs_a",
        measurements="""observableId | simulationConditionId | time | measurement | observableParameters | noiseParameters
                        obs_a | c0 | 0 | 0.7 | 0.5;2 | 0.5;1
                        obs_a | c0 | 3 | 0.1 | 3; -1 | 0.2;0.1""",
    )
    values = [0.5 * conversion(0)[0] + 2, 3 * conversion(3)[0] - 1]
    check(At.theta(problem, THETA), values, normal(values, [0.7, 0.1], [1.5, 0.3]), quotient)
    assert [s.name for s in problem.experiments[0].series] == ["obs_a", "obs_a#2"]


def test_one_number_of_noise_a_measurement_is_one_series(petab):
    problem = petab.load(
        1,
        observables="""observableId | observableFormula | noiseFormula
                       obs_a | A | noiseParameter1_obs_a""",
        measurements="""observableId | simulationConditionId | time | measurement | noiseParameters
                        obs_a | c0 | 0 | 0.7 | 0.5
                        obs_a | c0 | 3 | 0.1 | 0.2""",
    )
    (series,) = problem.experiments[0].series
    np.testing.assert_array_equal(series.sources["sigma"].values, [0.5, 0.2])


def test_parameters_fill_in_for_placeholders(petab, quotient):
    problem = petab.load(
        1,
        parameters=WITH_SCALING.replace("offset", "sigma").replace("-1 | 1 | 0.5 | 1", "0.1 | 1 | 0.5 | 1"),
        observables="""observableId | observableFormula | noiseFormula
                       obs_a | observableParameter1_obs_a * A | noiseParameter1_obs_a""",
        measurements="""observableId | simulationConditionId | time | measurement | observableParameters | noiseParameters
                        obs_a | c0 | 0 | 0.7 | 1 | 0.3
                        obs_a | c0 | 3 | 0.1 | scaling | sigma""",
    )
    values = [conversion(0)[0], 2 * conversion(3)[0]]
    at = At.theta(problem, {**THETA, "scaling": 2, "sigma": 0.5})
    check(at, values, normal(values, [0.7, 0.1], [0.3, 0.5]), quotient)


def test_formulas_of_parameters_that_the_model_does_not_have(petab, quotient):
    problem = petab.load(
        1,
        parameters=WITH_SCALING,
        observables="""observableId | observableFormula | noiseFormula
                       obs_a | scaling * A + offset | 1""",
    )
    values = [2 * conversion(0)[0] + 0.5, 2 * conversion(3)[0] + 0.5]
    check(At.theta(problem, {**THETA, "scaling": 2, "offset": 0.5}), values, normal(values, [0.7, 0.1], 1), quotient)


def test_conditions_give_formulas_parameters_of_their_own(petab, quotient):
    problem = petab.load(
        1,
        parameters=WITH_SCALING,
        conditions="""conditionId | off
                      c0 | offset
                      c1 | -0.25""",
        observables="""observableId | observableFormula | noiseFormula
                       obs_a | scaling * A + off | 1""",
        measurements="""observableId | simulationConditionId | time | measurement
                        obs_a | c0 | 3 | 0.7
                        obs_a | c1 | 3 | 0.1""",
    )
    values = [2 * conversion(3)[0] + 0.5, 2 * conversion(3)[0] - 0.25]
    check(At.theta(problem, {**THETA, "scaling": 2, "offset": 0.5}), values, normal(values, [0.7, 0.1], 1), quotient)


@pytest.mark.parametrize(
    ("transformation", "distribution", "density"),
    [
        ("lin", "", lambda m, s, sigma: stats.norm.logpdf(m, s, sigma)),
        ("", "normal", lambda m, s, sigma: stats.norm.logpdf(m, s, sigma)),
        ("log", "normal", lambda m, s, sigma: stats.lognorm.logpdf(m, sigma, scale=s)),
        ("log10", "normal", lambda m, s, sigma: stats.lognorm.logpdf(m, sigma * np.log(10), scale=s)),
        ("lin", "laplace", lambda m, s, sigma: stats.laplace.logpdf(m, s, sigma)),
        ("log", "laplace", lambda m, s, sigma: stats.laplace.logpdf(np.log(m), np.log(s), sigma) - np.log(m)),
        ("log10", "laplace",
         lambda m, s, sigma: stats.laplace.logpdf(np.log10(m), np.log10(s), sigma) - np.log(m * np.log(10))),
    ],
)  # fmt: skip
def test_every_noise(petab, quotient, transformation, distribution, density):
    problem = petab.load(
        1,
        observables=f"""observableId | observableFormula | noiseFormula | observableTransformation | noiseDistribution
                        obs_a | A | 0.4 | {transformation} | {distribution}""",
    )
    values = np.array([conversion(0)[0], conversion(3)[0]])
    check(At.theta(problem, THETA), values, density(np.array([0.7, 0.1]), values, 0.4).sum(), quotient)


def test_noise_that_reads_the_model_and_observables(petab, quotient):
    problem = petab.load(
        1,
        parameters=WITH_SCALING.replace("offset", "sigma").replace("-1 | 1 | 0.5 | 1", "0.1 | 1 | 0.5 | 1"),
        observables="""observableId | observableFormula | noiseFormula
                       obs_a | scaling * A | sigma + 0.1 * obs_a + 0.2 * obs_b + 0.01 * k1
                       obs_b | obs_a + B | 0.5 + 0.1 * B""",
        **MEASURED,
    )
    (a0, b0), (a3, b3) = conversion(0), conversion(3)
    values = np.array([2 * a0, 2 * a3, 2 * a3 + b3])
    of_a = [0.508 + 0.2 * a + 0.2 * (2 * a + b) for a, b in ((a0, b0), (a3, b3))]
    sigma = np.array([*of_a, 0.5 + 0.1 * b3])
    at = At.theta(problem, {**THETA, "scaling": 2, "sigma": 0.5})
    check(at, values, normal(values, [0.7, 0.1, 0.4], sigma), quotient)


def test_replicates_are_measurements_of_one_row(petab, quotient):
    problem = petab.load(
        1,
        measurements="""observableId | simulationConditionId | time | measurement
                        obs_a | c0 | 3 | 0.7
                        obs_a | c0 | 0 | 0.2
                        obs_a | c0 | 3 | 0.1""",
    )
    values = [conversion(3)[0], conversion(0)[0], conversion(3)[0]]
    check(At.theta(problem, THETA), values, normal(values, [0.7, 0.2, 0.1], 0.5), quotient)
    np.testing.assert_array_equal(problem.experiments[0].times, [0, 3])


PREEQUILIBRATED = """observableId | preequilibrationConditionId | simulationConditionId | time | measurement
                     obs_a | p | c0 | 0 | 0.7
                     obs_a | p | c0 | 3 | 0.1
                     obs_b | p | c0 | 3 | 0.4
                     obs_a |  | c0 | 3 | 0.4"""
K2_ONLY = """parameterId | parameterScale | lowerBound | upperBound | nominalValue | estimate
             k2 | lin | 0 | 10 | 0.6 | 1"""


def test_preequilibration_hands_its_state_on(petab, quotient):
    problem = petab.load(
        1,
        parameters=K2_ONLY,
        observables=OBSERVABLES,
        conditions="""conditionId | k1
                      p | 0.3
                      c0 | 0.8""",
        measurements=PREEQUILIBRATED,
    )
    a, b = conversion(np.inf, k1=0.3)
    values = [a, conversion(3, a, b)[0], conversion(3, a, b)[1], conversion(3)[0]]
    check(At.theta(problem, {"k2": 0.6}), values, normal(values, [0.7, 0.1, 0.4, 0.4], 0.5), quotient)
    assert [e.name for e in problem.experiments] == ["c0 after p", "c0"]


def test_species_are_set_anew_after_preequilibration_but_where_the_cell_is_empty(petab, quotient):
    problem = petab.load(
        1,
        parameters=K2_ONLY,
        observables=OBSERVABLES,
        conditions="""conditionId | k1 | A | B
                      p | 0.3 | 0.5 | 2
                      c0 | 0.8 | 1 | NaN""",
        measurements=PREEQUILIBRATED,
    )
    b = conversion(np.inf, 0.5, 2, k1=0.3)[1]
    values = [1, *conversion(3, 1, b), conversion(3, 1, 0.2)[0]]
    check(At.theta(problem, {"k2": 0.6}), values, normal(values, [0.7, 0.1, 0.4, 0.4], 0.5), quotient)


def test_species_start_where_a_condition_says(petab, quotient):
    problem = petab.load(
        1,
        parameters="""parameterId | parameterScale | lowerBound | upperBound | nominalValue | estimate
                      k1 | log10 | 0.01 | 10 | 0.8 | 1
                      k2 | lin | 0 | 10 | 0.6 | 1
                      start | log | 0.1 | 10 | 2 | 1""",
        conditions="""conditionId | B | A
                      c0 | start | 0.5""",
    )
    values = [conversion(0, 0.5, 2)[0], conversion(3, 0.5, 2)[0]]
    check(At.theta(problem, {**THETA, "start": 2}), values, normal(values, [0.7, 0.1], 0.5), quotient)


def test_a_compartment_of_another_size_leaves_concentrations_as_they_are(petab, quotient):
    problem = petab.load(
        1,
        conditions="""conditionId | v
                      c0 | 5""",
        observables="""observableId | observableFormula | noiseFormula
                       obs_a | A * v | 0.5""",
    )
    values = [5 * conversion(0)[0], 5 * conversion(3)[0]]
    check(At.theta(problem, THETA), values, normal(values, [0.7, 0.1], 0.5), quotient)


def test_a_steady_state_is_an_experiment_of_its_own(petab, quotient):
    problem = petab.load(
        1,
        measurements="""observableId | simulationConditionId | time | measurement
                        obs_a | c0 | inf | 0.7
                        obs_a | c0 | 3 | 0.1""",
    )
    values = [conversion(np.inf)[0], conversion(3)[0]]
    check(At.theta(problem, THETA), values, normal(values, [0.7, 0.1], 0.5), quotient)
    assert [e.name for e in problem.experiments] == ["c0 at steady state", "c0"]


def test_fixed_parameters_are_their_nominal_values_everywhere(petab, quotient):
    problem = petab.load(
        1,
        parameters="""parameterId | parameterScale | lowerBound | upperBound | nominalValue | estimate
                      k1 | log10 | 0.01 | 10 | 0.8 | 1
                      k2 | lin | | | 0.25 | 0
                      scaling | lin | 0 | 10 | 3 | 0""",
        observables="""observableId | observableFormula | noiseFormula
                       obs_a | scaling * k2 * A | 0.5""",
    )
    values = [0.75 * conversion(0)[0], 0.75 * conversion(3, k2=0.25)[0]]
    check(At.theta(problem, {"k1": 0.8}), values, normal(values, [0.7, 0.1], 0.5), quotient)
    assert problem.names == ("k1",)


def test_formulas_may_read_the_time(petab, quotient):
    problem = petab.load(
        1,
        observables="""observableId | observableFormula | noiseFormula
                       obs_a | A + 0.1 * time | 0.5 + obs_b
                       obs_b | 0.2 * time | 1""",
    )
    values = [conversion(0)[0], conversion(3)[0] + 0.3]
    check(At.theta(problem, THETA), values, normal(values, [0.7, 0.1], [0.5, 1.1]), quotient)


def test_tables_may_be_in_several_files(petab, quotient):
    yaml = YAML_1.replace("parameters.tsv", "[parameters.tsv, more_parameters.tsv]")
    for name in ("conditions", "measurements", "observables"):
        yaml = yaml.replace(f"[{name}.tsv]", f"[{name}.tsv, more_{name}.tsv]")
    problem = petab.load(
        1,
        yaml,
        more_parameters="""parameterId | parameterScale | lowerBound | upperBound | nominalValue | estimate
                           scaling | log | 0.1 | 10 | 2 | 1
                           offset | lin | -1 | 1 | 0.5 | 1""",
        more_conditions="""conditionId | a0
                           c1 | 2""",
        more_observables="""observableId | observableFormula | noiseFormula
                            obs_b | scaling * B + offset | 1""",
        more_measurements="""observableId | simulationConditionId | time | measurement
                             obs_b | c1 | 3 | 0.4
                             obs_a | c0 | 1 | 0.5""",
    )
    values = [conversion(0)[0], conversion(3)[0], 2 * conversion(3, a0=2)[1] + 0.5, conversion(1)[0]]
    at = At.theta(problem, {**THETA, "scaling": 2, "offset": 0.5})
    check(at, values, normal(values, [0.7, 0.1, 0.4, 0.5], [0.5, 0.5, 1, 0.5]), quotient)


def test_several_problems_share_their_parameters(petab, quotient):
    part = YAML_1.split("problems:\n")[1]
    yaml = YAML_1 + part.replace("measurements", "more_measurements").replace("conditions", "more_conditions")
    problem = petab.load(
        1,
        yaml,
        more_conditions="""conditionId | a0
                           c0 | 2""",
        more_measurements="""observableId | simulationConditionId | time | measurement
                             obs_a | c0 | 3 | 0.4""",
    )
    values = [conversion(0)[0], conversion(3)[0], conversion(3, a0=2)[0]]
    check(At.theta(problem, THETA), values, normal(values, [0.7, 0.1, 0.4], 0.5), quotient)
    assert list(problem.models) == ["model", "model#2"]
    assert [e.name for e in problem.experiments] == ["c0 (model)", "c0 (model#2)"]
