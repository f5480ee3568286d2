"""Observables computed by a formula, and placeholders that have a value for each measurement."""

from __future__ import annotations

import numpy as np
import pytest

from bnfhmc.expression import Name
from bnfhmc.noise import Formula

DATA = "time y A\n1 10 0\n2 6 3\n3 5 nan\n"
S = "parameter: s, prior: exponential, scale: 1\n"
Y = "observable: y, formula: s*A + k1 - kd/A0\n"


def series(folder, conf: str, data: str = DATA):
    folder.write("d1.exp", data)
    return {s.name: s for s in folder.load(conf).experiments[0].series}


def test_a_formula_reads_outputs_parameters_and_quantities(folder, fit):
    got = series(folder, fit + S + Y)
    assert got["y"].observable.names == {"s", "A", "k1", "kd", "A0"}
    assert got["A"].observable.node == Name("A")
    assert {"kd", "A0"} <= folder.calls["decay"]["settable"]


def test_a_formula_may_be_renamed_in_the_data_and_hide_an_output(folder, fit):
    got = series(folder, fit + S + "observable: y, formula: s*A, column: Y\n", "time Y\n1 2\n")
    assert got["y"].observable.names == {"s", "A"}
    got = series(folder, fit + "observable: A, formula: 2*A\n", "time A\n1 2\n")
    assert got["A"].observable({"A": 3.0}) == 6.0


def test_a_sigma_may_name_a_formula(folder, fit):
    lines = Y + "noise_model y = normal, sigma = prediction_formula 0.1*y + 1\n"
    sigma = series(folder, fit + S + lines)["y"].sources["sigma"].expression
    at = {"s": 2.0, "A": 3.0, "k1": 1.0, "kd": 4.0, "A0": 2.0}
    assert sigma(at) == pytest.approx(0.1 * (2 * 3 + 1 - 4 / 2) + 1)


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ("observable: y, formula: s*AA", "8: observable 'y' = s*AA names 'AA', which is no output or quantity of the model "
         "'decay', and no parameter of the fit; did you mean 'A'?"),
        ("observable: y, formula: s*(A", "8: observable 'y' = s*(A: 's*(A': expected ')' at column 5, found 'the end'"),
        ("observable: y, formula: s*A\nobservable: y, formula: A", "9: observable 'y' has a formula on line 8; keep one line"),
        ("observable: y, formula: s*A\nobservable: z, formula: A", "9: no data are named 'z', which has a formula"),
        ("observable: y, formula: s*A\nnormalization A = peak", "8: observable 'y' = s*A names 'A', which is normalised in "
         "experiment 'd1': as the model gives it, or as it is compared?; give 'A' as the model gives it a name of its own "
         "there"),
    ],
)  # fmt: skip
def test_formulas_that_are_wrong(folder, fit, lines, what):
    folder.write("d1.exp", DATA)
    s = S if "formula: s*(" not in lines else ""
    assert f"fit.conf:{what}" in folder.wrong(fit + lines + "\n" + s)


# measurement_params

ROWS = """\
column\ttime\tplaceholder\ttoken
y\t1\tobservableParameter1_y\ts
y\t2\tobservableParameter1_y\t2.5
y\t3\tobservableParameter1_y\ts
y\t1\tnoiseParameter1_y\tk2
y\t2\tnoiseParameter1_y\tk2
y\t3\tnoiseParameter1_y\tA0
"""
PLACED = (
    "observable: y, formula: observableParameter1_y*A\n"
    "noise_model y = normal, sigma = formula 0.5 + noiseParameter1_y\n"
)


@pytest.fixture
def placed(folder, fit):
    """A configuration with a formula and a sigma that differ from measurement to measurement."""
    folder.write("d1.exp", DATA)
    folder.write("p.tsv", ROWS)
    return fit.replace("data: d1.exp", "data: d1.exp, measurement_params: p.tsv") + S + PLACED


def pieces(folder, conf: str):
    return [(s.observable.text, s.sources["sigma"].expression.text, s.time_index.tolist(), s.observed.tolist())
            for s in folder.load(conf).experiments[0].series if s.name == "y"]  # fmt: skip


def test_a_series_for_each_set_of_values(folder, placed):
    assert pieces(folder, placed) == [
        ("(s * A)", "(0.5 + k2)", [1], [10]),
        ("(2.5 * A)", "(0.5 + k2)", [2], [6]),
        ("(s * A)", "(0.5 + A0)", [3], [5]),
    ]
    folder.write("p.tsv", ROWS.replace("A0", "k2").replace("2.5", "s"))
    assert pieces(folder, placed) == [("(s * A)", "(0.5 + k2)", [1, 2, 3], [10, 6, 5])]


def test_values_beside_the_measurements_are_taken_along(folder, placed):
    folder.write("d1.exp", "time y y_SD\n1 10 1\n2 6 2\n3 5 3\n")
    folder.write("p.tsv", "".join(line for line in ROWS.splitlines(True) if "noise" not in line))
    conf = placed.replace("sigma = formula 0.5 + noiseParameter1_y", "sigma = read_exp_file _SD")
    got = [s.sources["sigma"].values.tolist() for s in folder.load(conf).experiments[0].series]
    assert got == [[1, 3], [2]]


def test_a_floor_is_that_of_all_measurements(folder, fit):
    folder.write("d1.exp", "time A\n1 10\n2 0\n")
    folder.write("p.tsv", "column\ttime\tplaceholder\ttoken\nA\t1\tnoiseParameter1_A\ts\nA\t2\tnoiseParameter1_A\t2\n")
    conf = fit.replace("data: d1.exp", "data: d1.exp, measurement_params: p.tsv") + S
    conf += "noise_model A = normal, sigma = formula noiseParameter1_A\nnormalization A = floor 0.1\n"
    assert [s.observed.tolist() for s in folder.load(conf).experiments[0].series] == [[11], [1]]
    assert folder.wrong(conf.replace("floor 0.1", "scale")) == [
        "fit.conf:5: experiment 'd1': 'scale' fits one factor to all of 'A', whose noise differs from measurement to "
        "measurement; multiply the observable by a parameter instead"
    ]


def test_replicates(folder, fit):
    folder.write("d1.exp", "time A\n1 10\n2 0\n")
    folder.write("d2.exp", "time B\n1 1\n")
    folder.write("d3.exp", "time A\n1 7\n2 nan\n")
    head = "replicate\tcolumn\ttime\tplaceholder\ttoken\n"
    rows = "\tA\t1\tnoiseParameter1_A\ts\n1\tA\t2\tnoiseParameter1_A\t2\n3\tA\t1\tnoiseParameter1_A\tk1\n"
    folder.write("p.tsv", head + rows)
    conf = fit.replace("data: d1.exp", "data: d1.exp, d2.exp, d3.exp, measurement_params: p.tsv") + S
    conf += "noise_model A = normal, sigma = formula noiseParameter1_A\n"
    got = [(s.sources["sigma"].expression.text, s.observed.tolist())
           for s in folder.load(conf).experiments[0].series if s.name == "A"]  # fmt: skip
    assert got == [("s", [10]), ("2", [0]), ("k1", [7])]
    folder.write("p.tsv", head + rows + "2\tA\t1\tnoiseParameter1_A\ts\n4\tA\t1\tnoiseParameter1_A\ts\n")
    assert folder.wrong(conf) == [
        "p.tsv:5: 'A' is not measured at 1 in replicate 2; delete the row",
        "p.tsv:6: 'A' is not measured at 1 in replicate 4; delete the row",
    ]


def test_a_scan_has_doses_for_times(folder, fit):
    folder.write("d1.exp", "A0 A\n3 10\n1 0\n")
    folder.write("p.tsv", "column\ttime\tplaceholder\ttoken\nA\t1\tnoiseParameter1_A\ts\nA\t3\tnoiseParameter1_A\t2\n")
    conf = fit.replace("data: d1.exp", "data: d1.exp, measurement_params: p.tsv") + S
    got = folder.load(conf + "noise_model A = normal, sigma = formula noiseParameter1_A\n").experiments[0].series
    assert [(s.time_index.tolist(), s.sources["sigma"]) for s in got] == [
        ([1], Formula(got[0].sources["sigma"].expression)), ([0], Formula(got[1].sources["sigma"].expression))
    ]  # fmt: skip
    assert np.isclose(got[0].sources["sigma"].expression({}), 2)


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("y\t3\tobservableParameter1_y\ts\n", "", "d1.exp:4", "'y' has no value of observableParameter1_y here; add it to "
         "p.tsv"),
        ("y\t2\tn", "z\t2\tn", "d1.exp:3", "'y' has no value of noiseParameter1_y here; add it to p.tsv"),
        ("\ts\n", "\tss\n", "p.tsv:2", "'ss' is no declared parameter and no quantity of the model; did you mean 's'?"),
        ("y\t2\tn", "z\t2\tn", "p.tsv:6", "no data are named 'z'"),
        ("A0\n", "A0\ny\t4\tnoiseParameter1_y\t1\n", "p.tsv:8", "'y' is not measured at 4; delete the row"),
        ("A0\n", "A0\ny\t3\tnoiseParameter2_y\t1\n", "p.tsv:8", "no formula of 'y' names 'noiseParameter2_y'; did you mean "
         "'noiseParameter1_y'?"),
        ("A0\n", "A0\nA\t1\tnoiseParameter1_A\t1\n", "p.tsv:8", "no formula of 'A' names 'noiseParameter1_A'"),
        ("A0\n", "A0\ny\t3\tnoiseParameter1_y\t1\n", "p.tsv:8", "'noiseParameter1_y' of 'y' at 3 is A0 on line 7; keep one "
         "row"),
        ("A0\n", "1/2\n", "p.tsv:7", "'1/2' is no finite number and no name"),
        ("A0\n", "inf\n", "p.tsv:7", "'inf' is no finite number and no name"),
        ("A0\n", "A0\t3\n", "p.tsv:7", "5 entries where the header names 4 columns"),
        ("y\t1\tn", "y\tone\tn", "p.tsv:5", "'one' is no time"),
        ("y\t1\tn", "y\t1\tp", "p.tsv:5", "'poiseParameter1_y' is no placeholder such as noiseParameter1_y"),
        ("column\ttime", "column\tt", "p.tsv:1", "no column 'time'; the header is column time placeholder token, separated by "
         "tabs, and replicate if need be"),
        ("column\t", "column\tx\t", "p.tsv:1", "unknown or repeated column 'x'; the header is column time placeholder token, "
         "separated by tabs, and replicate if need be"),
        ("column\t", "replicate\tcolumn\t", "p.tsv:2", "4 entries where the header names 5 columns"),
    ],
)  # fmt: skip
def test_tables_that_are_wrong(folder, placed, old, new, line, what):
    folder.write("p.tsv", ROWS.replace(old, new))
    assert f"{line}: {what}" in folder.wrong(placed)


def test_a_table_is_needed_and_has_to_be_there(folder, placed):
    assert folder.wrong(placed.replace(", measurement_params: p.tsv", "")) == [
        "fit.conf:10: 'noiseParameter1_y' has a value for each measurement, and experiment 'd1' does not give them; add "
        "'measurement_params: <file>.tsv' to it"
    ]
    (folder.path / "p.tsv").unlink()
    assert "fit.conf:5: file 'p.tsv' not found" in folder.wrong(placed)


def test_a_normalised_formula_is_the_same_for_all_measurements(folder, placed):
    assert folder.wrong(placed + "normalization y = peak\n") == [
        "fit.conf:9: observable 'y' is normalised, and its formula differs from measurement to measurement; delete the "
        "normalization"
    ]
