"""Where a PEtab problem is scored: nominal values of both versions, what replaces them, and every slip at once."""

import pytest

from bnfhmc.errors import InputError
from bnfhmc.read.petab.nominal import nominal, theta_at

TABLE = """parameterId\tlowerBound\tupperBound\tnominalValue\testimate
k_on\t0\t1\t0.5\ttrue
k_off\t1\t2\t2e-3\ttrue
k_syn\t\t\t0.02\tfalse
sigma\t0\t1\t\ttrue
"""
MODEL = "model_files: {m: {language: sbml, location: m.xml}}\nmeasurement_files: [m.tsv]\nobservable_files: [o.tsv]\n"
VERSION_2 = "format_version: 2.0.0\nparameter_files: [{}]\n" + MODEL.replace("{", "{{").replace("}", "}}")
VERSION_1 = """format_version: 1
parameter_file: {}
problems: [{{sbml_files: [m.xml], measurement_files: [m.tsv], observable_files: [o.tsv], condition_files: [m.tsv]}}]
"""
FREE = ("k_off", "k_on", "sigma")


@pytest.fixture
def problem(tmp_path):
    """A YAML file and the parameter table it names."""
    (tmp_path / "tables").mkdir()
    for empty in ("m.xml", "m.tsv", "o.tsv"):
        (tmp_path / empty).touch()
    (tmp_path / "tables" / "parameters.tsv").write_text(TABLE)
    path = tmp_path / "problem.yaml"
    path.write_text(VERSION_2.format("tables/parameters.tsv"))
    return path


def said(*args):
    with pytest.raises(InputError) as error:
        theta_at(*args)
    return [str(m) for m in error.value.mistakes]


def test_nominal_values(problem):
    assert nominal(problem) == {"k_on": 0.5, "k_off": 0.002, "k_syn": 0.02}


@pytest.mark.parametrize("names", ["tables/parameters.tsv", "[tables/parameters.tsv]"])
def test_the_key_of_version_1(problem, names):
    problem.write_text(VERSION_1.format(names))
    text = TABLE.replace("true", "1\tlin").replace("false", "0\tlin").replace("estimate", "estimate\tparameterScale")
    (problem.parent / "tables" / "parameters.tsv").write_text(text)
    assert nominal(problem)["k_on"] == 0.5


def test_several_tables(problem):
    (problem.parent / "more.tsv").write_text("\ufeff" + TABLE.split("\n")[0] + "\r\noffset\t0\t1\t0.1\ttrue\r\n\r\n")
    problem.write_text(VERSION_2.format("tables/parameters.tsv, more.tsv"))
    assert nominal(problem) == {"k_on": 0.5, "k_off": 0.002, "k_syn": 0.02, "offset": 0.1}


def test_theta_is_in_the_order_of_the_problem(problem):
    theta = theta_at(problem, FREE, ["sigma=0.1"])
    assert list(theta.items()) == [("k_off", 0.002), ("k_on", 0.5), ("sigma", 0.1)]


def test_of_two_values_the_later_counts(problem, tmp_path):
    fitted = tmp_path / "fitted=1.tsv"
    fitted.write_text("parameterId\tnominalValue\nk_on\t7\nsigma\t0.3\nk_syn\t0.02\n")
    assert theta_at(problem, FREE, ["k_on=6", str(fitted), "sigma = 0.4"]) == {"k_off": 0.002, "k_on": 7.0, "sigma": 0.4}


def test_a_parameter_without_any_value_is_named(problem):
    assert said(problem, FREE) == [
        f"{problem.parent / 'tables' / 'parameters.tsv'}:5: parameter 'sigma' has no nominalValue; "
        "type --parameters sigma=<value>"
    ]


def test_every_slip_at_once(problem):
    assert said(problem, FREE, ["k_onn=1", "k_on=", "k_off=nan", "sigma=1,5", "k_syn=0.03", "fitted.tsv", "tables"]) == [
        "--parameters: the problem has no parameter 'k_onn'; did you mean 'k_on'?",
        "--parameters: 'k_on' has no value; give a finite number, in the parameter's own unit",
        "--parameters: 'nan' is no value of 'k_off'; give a finite number, in the parameter's own unit",
        "--parameters: '1,5' is no value of 'sigma'; give a finite number, in the parameter's own unit",
        "--parameters: parameter 'k_syn' is fixed at 0.02, so it cannot be 0.03; set its estimate in the parameter table, "
        "or leave it out",
        "--parameters: file 'fitted.tsv' not found",
        "--parameters: file 'tables' not found",
    ]


@pytest.mark.parametrize(("text", "slip"), [
    ("parameterId\tnominal_value\nk_on\t1\n", "1: the table has no column 'nominalValue'; did you mean 'nominal_value'?"),
    ("k_on,1\n", "1: the table has no column 'parameterId'; its columns are separated by tabs"),
    ("parameterId\tnominalValue\nk_on\t1\nk_on\t2\n", "3: parameterId 'k_on' is given twice; the other is in line 2; keep one"),
    ("parameterId\tnominalValue\nk_on\n", "2: 'k_on' has no value; give a finite number, in the parameter's own unit"),
    ("parameterId\tnominalValue\nk_on\t1e999\n",
     "2: '1e999' is no value of 'k_on'; give a finite number, in the parameter's own unit"),
])  # fmt: skip
def test_a_table_that_is_none(problem, tmp_path, text, slip):
    fitted = tmp_path / "fitted.tsv"
    fitted.write_text(text)
    assert said(problem, FREE, ["sigma=1", str(fitted)])[0] == f"{fitted}:{slip}"
