"""What is wrong in the tables: every mistake with its file and row, all at once."""

import pytest

from bnfhmc.errors import InputError
from bnfhmc.read.petab import read_petab
from tests.read.petab.problems import TABLES_1, TABLES_2, YAML_2

OBSERVABLES = "observableId | observableFormula | noiseFormula\n"
MEASUREMENTS_1 = "observableId | simulationConditionId | time | measurement\n"
MEASUREMENTS_2 = "observableId | experimentId | time | measurement\n"
CONDITIONS = "conditionId | targetId | targetValue\n"
EXPERIMENTS = "experimentId | time | conditionId\n"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("obs_a | c0 | 0 |", "measurement is empty or NaN; type a number"),
        ("obs_a | c0 | 0 | NaN", "measurement is empty or NaN; type a number"),
        ("obs_a | c0 | 0 | much", "measurement 'much' is no number; type a number"),
        ("obs_a | c0 | 0 | 1e999", "measurement 1e999 is not finite; type a finite number"),
        ("obs_a | c0 | soon | 1", "time 'soon' is no number; type a number"),
        ("obs_a | c0 | -1 | 1", "a measurement at time -1; type a time from 0 on, or inf for a steady state"),
        ("obs_b | c0 | 0 | 1", "observableId 'obs_b' is not in the observable table; did you mean 'obs_a'?"),
        ("obs_a | c1 | 0 | 1", "simulationConditionId 'c1' is not in the condition table"),
        ("obs_a | | 0 | 1", "simulationConditionId is empty"),
        ("obs_a | c0 | 0 | 1 | 5", "'5' is beyond the last column; the table has 4 columns"),
    ],
)  # fmt: skip
def test_measurements(petab, row, said):
    table = MEASUREMENTS_1 + "obs_a | c0 | 3 | 0.1\n" + row
    assert petab.wrong(1, measurements=table) == [f"measurements.tsv:3: {said}"]


def test_lines_are_counted_as_an_editor_counts_them(petab):
    said = petab.wrong(1, measurements=MEASUREMENTS_1 + "\n\nobs_a | c0 | 3 | x\n")
    assert said == ["measurements.tsv:4: measurement 'x' is no number; type a number"]


def test_of_many_alike_twenty_are_said(petab):
    said = petab.wrong(1, measurements=MEASUREMENTS_1 + "obs_a | c0 | 3 | x\n" * 500)
    assert len(said) == 21 and said[-1] == "measurements.tsv:22: more like these from this line on"


@pytest.mark.parametrize("scale", ["log", "log10"])
def test_logarithmic_noise_needs_positive_measurements(petab, scale):
    observables = f"observableId | observableFormula | noiseFormula | observableTransformation\nobs_a | A | 1 | {scale}"
    assert petab.wrong(1, observables=observables, measurements=MEASUREMENTS_1 + "obs_a | c0 | 1 | 0") == [
        "measurements.tsv:2: measurement 0 of 'obs_a', whose noise is on a logarithmic scale; type a positive number, or "
        "change the noise"
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("obs_a | A * ( | 1", "observableFormula 'A * (' is no formula: mismatched input '<EOF>' expecting {NUMBER, 'true', "
                              "'false', NAME, '(', '+', '-', '!'} at column 6"),
        ("obs_a | | 1", "observableFormula is empty; type a number or a formula"),
        ("obs_a | A |", "noiseFormula is empty; type a number or a formula"),
        ("obs_a | A | -2", "noiseFormula is -2, which is not positive; type a standard deviation or scale"),
        ("obs_a | A + k3 | 1", "observable 'obs_a': its formula reads 'k3', which is not defined; add it to the parameter "
                               "table"),
        ("obs_a | A | k3 * A", "observable 'obs_a': its formula reads 'k3', which is not defined; add it to the parameter "
                               "table"),
        ("obs_a | obs_a + 1 | 1", "observable 'obs_a': the formula of 'obs_a' reads 'obs_a' itself; write what it is computed "
                                  "from"),
        ("obs_a | there | 1", "observable 'obs_a': its formula reads 'there', which is a reaction and no output; write what it "
                              "is computed from"),
        ("k1 | A | 1", "observableId 'k1' is a parameter of the problem too; give the observable a name of its own"),
        ("B | A | 1", "observableId 'B' is a species too; give the observable a name of its own"),
        ("1st | A | 1", "observableId '1st' is no identifier; type letters, digits and underscores, no digit first"),
    ],
)  # fmt: skip
def test_observables(petab, row, said):
    measurements = MEASUREMENTS_1 + f"{row.split()[0]} | c0 | 0 | 1"
    assert petab.wrong(1, observables=OBSERVABLES + row, measurements=measurements)[0] == f"observables.tsv:2: {said}"


def test_observables_that_read_each_other(petab):
    observables = OBSERVABLES + "obs_a | obs_b | 1\nobs_b | obs_a | 1"
    (said,) = petab.wrong(1, observables=observables)
    assert said == (
        "observables.tsv:2: observable 'obs_a': the formula of 'obs_a' reads 'obs_a' itself by way of obs_b; write what it is "
        "computed from"
    )


def test_unknown_words_of_noise(petab):
    columns = "observableId | observableFormula | noiseFormula | observableTransformation | noiseDistribution\n"
    assert petab.wrong(1, observables=columns + "obs_a | A | 1 | ln | normale") == [
        "observables.tsv:2: noiseDistribution 'normale' is not known; did you mean 'normal'?",
        "observables.tsv:2: observableTransformation 'ln' is not known; did you mean 'lin'?",
    ][::-1]
    columns = "observableId | observableFormula | noiseFormula | noiseDistribution\n"
    assert petab.wrong(2, observables=columns + "obs_a | A | 1 | lognormal") == [
        "observables.tsv:2: noiseDistribution 'lognormal' is not known; did you mean 'log-normal'?"
    ]


def test_placeholders(petab):
    observables = OBSERVABLES + "obs_a | A * observableParameter2_obs_a | 1"
    assert (
        "observables.tsv:2: the placeholders observableParameter2_obs_a are not numbered from 1 on; name them "
        "observableParameter1_obs_a"
    ) in petab.wrong(1, observables=observables)
    columns = "observableId | observableFormula | noiseFormula | observablePlaceholders | noisePlaceholders\n"
    found = petab.wrong(2, observables=columns + "obs_a | s * A | s | s | s")
    assert "observables.tsv:2: placeholder 's' is declared twice; give each a name of its own" in found


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("", "observableParameters '' gives 'obs_a' 0 values; it takes 1: observableParameter1_obs_a"),
        ("1;2", "observableParameters '1;2' gives 'obs_a' 2 values; it takes 1: observableParameter1_obs_a"),
        ("2*k1", "observableParameters: '2*k1' is no finite number and no identifier; type numbers and parameters, with "
                 "semicolons between"),
        ("k3", "'k3' fills in for a placeholder of 'obs_a' and is not defined; add it to the parameter table"),
    ],
)  # fmt: skip
def test_overrides(petab, cell, said):
    table = MEASUREMENTS_1.strip() + f" | observableParameters\nobs_a | c0 | 0 | 1 | {cell}"
    observables = OBSERVABLES + "obs_a | A * observableParameter1_obs_a | 1"
    assert petab.wrong(1, observables=observables, measurements=table) == [f"measurements.tsv:2: {said}"]


def test_noise_that_a_measurement_makes_negative(petab):
    table = MEASUREMENTS_1.strip() + " | noiseParameters\nobs_a | c0 | 0 | 1 | -1"
    observables = OBSERVABLES + "obs_a | A | noiseParameter1_obs_a"
    assert petab.wrong(1, observables=observables, measurements=table) == [
        "measurements.tsv:2: the noise of 'obs_a' is -1, which is not positive; type a positive standard deviation or scale"
    ]


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ("conditionId | k1\nc0 | 1", "conditions.tsv:2: 'k1' is set by a condition and is in the parameter table; delete one"),
        ("conditionId | a1\nc0 | 1", "conditions.tsv:2: a condition sets 'a1', which is nothing in model 'model' and in no "
                                     "formula; did you mean 'A'?"),
        ("conditionId | there\nc0 | 1", "conditions.tsv:2: a condition cannot set 'there': it is a reaction; set what it is "
                                        "computed from"),
        ("conditionId | a0\nc0 | a9", "conditions.tsv:2: the value of 'a0' names 'a9', which is no parameter of the problem "
                                      "and nothing in the model; did you mean 'A'?"),
        ("conditionId | a0 | b0\nc0 | b0 | a0", "conditions.tsv:2: a0 and b0 are set by each other; type a number or a "
                                                "parameter"),
        ("conditionId | a0\nc0 | 2*k1", "conditions.tsv:2: a0 '2*k1' is no finite number and no identifier; type a number or a "
                                        "parameter"),
        ("conditionId | a 0\nc0 | 1", "conditions.tsv:1: column 'a 0' is no identifier; type letters, digits and underscores"),
        ("conditionId\nc0\nc0", "conditions.tsv:3: conditionId 'c0' is given twice; the other is in line 2; keep one"),
        ("conditionId | a0 | a0\nc0 | 1 | 2", "conditions.tsv:1: two columns are named 'a0'; keep one"),
    ],
)  # fmt: skip
def test_conditions_of_version_1(petab, conditions, said):
    assert petab.wrong(1, conditions=conditions)[0] == said


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"conditions": CONDITIONS + "c0 | a0 |"}, "conditions.tsv:2: targetValue is empty; type a number or a formula"),
        ({"conditions": CONDITIONS + "c0 | a0 | 1\nc0 | a0 | 2"},
         "conditions.tsv:3: condition 'c0' sets 'a0' twice; the other is in line 2"),
        ({"conditions": CONDITIONS + "c0 | a0 | B", "experiments": EXPERIMENTS + "e0 | 0 | c0"},
         "conditions.tsv:2: the value of 'a0' reads 'B' at the start of an experiment, where only parameters of the table may "
         "be read; add it to the parameter table"),
        ({"conditions": CONDITIONS + "c0 | a0 | time", "experiments": EXPERIMENTS + "e0 | -inf | c0\ne0 | 0 |"},
         "conditions.tsv:2: the value of 'a0' names 'time', which is no parameter of the problem and nothing in the model; add "
         "it to the parameter table"),
        ({"experiments": EXPERIMENTS + "e0 | 0 | c9"}, "experiments.tsv:2: conditionId 'c9' is not in the condition table"),
        ({"experiments": EXPERIMENTS + "e0 | inf |"},
         "experiments.tsv:2: a period that starts at time inf; type a time, or -inf for what is equilibrated under first"),
        ({"experiments": EXPERIMENTS + "e0 | -inf |"},
         "experiments.tsv:2: experiment 'e0' has no period after the one that starts at -inf; add one with a time"),
        ({"experiments": EXPERIMENTS + "e0 | 0 | c0\ne0 | 0 | c1", "conditions": CONDITIONS + "c0 | a0 | 1\nc1 | a0 | 2"},
         "experiments.tsv:3: experiment 'e0' sets 'a0' twice at time 0; delete it from one of the conditions"),
        ({"experiments": EXPERIMENTS + "e0 | 1 |"},
         "measurements.tsv:2: a measurement at time 0, before its experiment starts at 1; change the time, or the first "
         "period's"),
        ({"measurements": MEASUREMENTS_2 + "obs_a | e_0 | 0 | 1"},
         "measurements.tsv:2: experimentId 'e_0' is not in the experiment table; did you mean 'e0'?"),
        ({"measurements": MEASUREMENTS_2.strip() + " | modelId\nobs_a | e0 | 0 | 1 | conversions"},
         "measurements.tsv:2: modelId 'conversions' is no model of the problem; did you mean 'conversion'?"),
    ],
)  # fmt: skip
def test_conditions_and_experiments_of_version_2(petab, tables, said):
    assert petab.wrong(2, **tables)[0] == said


def test_a_measurement_of_one_of_several_models(petab):
    yaml = YAML_2.replace("{conversion: {", "{other: {location: model.xml, language: sbml}, conversion: {")
    said = "measurements.tsv:2: modelId is empty, and there are 2 models; type one of other, conversion"
    assert petab.wrong(2, yaml)[0] == said


@pytest.mark.parametrize(("version", "tables"), [(1, TABLES_1), (2, TABLES_2)])
def test_columns(petab, version, tables):
    said = petab.wrong(version, measurements=tables["measurements"].replace("measurement\n", "measurment\n"))
    assert said == [
        "measurements.tsv:1: the table has no column 'measurement'; its columns are separated by tabs",
        "measurements.tsv:1: unknown column 'measurment'; did you mean 'measurement'?",
    ]
    said = petab.wrong(version, measurements=tables["measurements"].replace("measurement\n", "measurement | noiseParameter\n"))
    assert said == ["measurements.tsv:1: unknown column 'noiseParameter'; did you mean 'noiseParameters'?"]


def test_a_column_that_is_nothing_of_petabs_is_passed_over(petab):
    table = TABLES_1["measurements"].replace("measurement\n", "measurement | laboratory\n")
    assert petab.load(1, measurements=table).names == ("k1", "k2")


@pytest.mark.parametrize(
    ("raw", "said"),
    [(b"", "the table is empty"), (b"a\tb\n1\t\xff\n", "no UTF-8"), (b'a\t"b\n1\t2\n', "no tab-separated table")],
)
def test_files_that_are_no_tables(petab, raw, said):
    path = petab.write(1)
    (petab.path / "observables.tsv").write_bytes(raw)
    with pytest.raises(InputError, match=said):
        read_petab(path)


def test_the_mistakes_of_all_the_tables_are_said_at_once(petab):
    said = petab.wrong(
        1,
        parameters=TABLES_1["parameters"].replace("| 0.6 | 1", "| six | 1"),
        observables=OBSERVABLES + "obs_a | A + | 1",
        measurements=MEASUREMENTS_1 + "obs_a | c1 | 0 | x",
    )
    assert [m.split(":")[0] for m in said] == ["measurements.tsv", "measurements.tsv", "observables.tsv", "parameters.tsv"]


def test_mappings(petab):
    yaml = YAML_2 + "mapping_files: [mapping.tsv]\n"
    table = "petabEntityId | modelEntityId\nalias | k1\nnote |"
    assert petab.wrong(2, yaml, mapping=table) == [
        "mapping.tsv:2: 'alias' stands for 'k1', which is an identifier already; use 'k1' in all the tables"
    ]
    assert petab.load(2, yaml, mapping="petabEntityId | modelEntityId\nnote |\nk1 | k1").names == ("k1", "k2")
