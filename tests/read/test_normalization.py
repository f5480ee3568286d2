"""``normalization`` lines."""

from __future__ import annotations

import pytest

from bnfhmc.noise.transform import Floor, Increments, Initial, Peak, SeriesScale, UnitRange, ZScore

TWO = "experiment: d2, data: d2.exp\n"


@pytest.fixture
def two(folder, fit):
    """Two experiments of A and B."""
    folder.write("d2.exp", "time A B\n1 4 3\n2 2 5\n")
    return fit + TWO


def transforms(folder, conf: str):
    return {f"{e.name}.{s.name}": s.transforms for e in folder.load(conf).experiments for s in e.series}


def test_the_most_specific_line_wins(folder, two):
    lines = "normalization = peak\nnormalization B = init\nnormalization d2.B = zero\n"
    assert transforms(folder, two + lines) == {
        "d1.A": (Peak(),),
        "d1.B": (Initial(),),
        "d2.A": (Peak(),),
        "d2.B": (ZScore(),),
    }
    assert transforms(folder, two + "normalization d2.B = unit\n") == {
        "d1.A": (),
        "d1.B": (),
        "d2.A": (),
        "d2.B": (UnitRange(),),
    }


def test_chains_act_in_order_and_a_floor_acts_on_the_data_too(folder, two):
    e = folder.load(two + "normalization A = floor 0.1, peak, floor\n").experiments[1]
    a, b = e.series
    assert a.transforms == (Floor(0.1), Peak(), Floor())
    assert a.observed.tolist() == pytest.approx([4.4 + 0.03 * 4.4, 2.4 + 0.03 * 4.4])
    assert b.observed.tolist() == [3, 5]


def test_a_floor_makes_zeros_positive_and_sigmas_follow_it(folder, fit):
    folder.write("d1.exp", "time A\n1 0\n2 10\n")
    conf = fit.replace("objective = sos", "noise_model = lognormal, sigma = relative 0.5")
    assert "noise on log10 needs positive values" in folder.wrong(conf.replace("relative 0.5", "fix_at 1"))[0]
    (s,) = folder.load(conf + "normalization = floor 0.1\n").experiments[0].series
    assert s.observed.tolist() == [1, 11] and s.sources["sigma"].values.tolist() == [0.5, 5.5]


def test_a_factor_is_fitted_in_the_space_of_the_noise(folder, two):
    conf = two.replace("data: d1.exp", "data: d2.exp")
    got = transforms(folder, conf + "normalization = scale\nnoise_model B = lnnormal, sigma = fix_at 1\n")
    assert got == {"d1.A": (SeriesScale(),), "d1.B": (SeriesScale("log"),)} | {
        "d2.A": (SeriesScale(),), "d2.B": (SeriesScale("log"),)}  # fmt: skip


def test_cumulative_counts_are_normalised_first(folder, two):
    line = "normalization A = init\nnoise_model A = normal, sigma = fix_at 1, cumulative\n"
    assert transforms(folder, two + line)["d1.A"] == (Initial(), Increments())


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ("normalization A = pek", "unknown normalization 'pek'; did you mean 'peak'? known are init, peak, zero, unit, floor, "
         "scale"),
        ("normalization = floor -1", "'floor' takes one number, a fraction of the maximum from 0 up, got '-1'; type 'floor "
         "0.03'"),
        ("normalization = peak,", "a normalization names nothing between two commas or at its end; delete the comma"),
        ("normalization C = peak", "no data are named 'C', which has a normalization"),
        ("normalization d2.C = peak", "no data of experiment 'd2' are named 'C', which has a normalization"),
        ("normalization d3.A = peak", "no experiment is named 'd3'"),
        ("normalization = peak: d1.exp", "'normalization = peak: d1.exp' names files, and edition 2 names data by experiment; "
         "type 'normalization <experiment>.<observable> = peak'"),
    ],
)  # fmt: skip
def test_lines_that_are_wrong(folder, two, lines, what):
    assert folder.wrong(two + lines) == [f"fit.conf:9: {what}"]


def test_lines_that_do_not_go_together(folder, two):
    lines = "normalization = peak\nnormalization A = init\nnormalization = init\nnormalization A = unit\n"
    assert folder.wrong(two + lines) == [
        "fit.conf:11: another normalization of the whole fit, first on line 9; keep one",
        "fit.conf:12: another normalization of 'A', first on line 10; keep one",
    ]


def test_counts_have_no_factor(folder, fit):
    folder.write("d1.exp", "time A\n1 4\n")
    conf = fit.replace("objective = sos", "noise_model = poisson")
    assert folder.wrong(conf + "normalization = scale\n") == [
        "fit.conf:8: 'scale' has no factor for counts (Poisson); multiply the observable by a parameter instead"
    ]


# edition 1 names files

OLD = """\
fit_type = nuts
model = decay.net : d1.exp, d2.exp
time_course = time:2, suffix:d1
time_course = time:2, suffix:d2
objfunc = sos
uniform_var = k1 0 1
"""


@pytest.fixture
def old(folder):
    folder.write("decay.net", "")
    folder.write("d2.exp", "time A B\n1 4 3\n2 2 5\n")
    return folder


def test_files(old):
    assert transforms(old, OLD + "normalization = peak: d1.exp, (d2.exp: A)\nnormalization = init: (d2.exp: B)\n") == {
        "d1.A": (Peak(),),
        "d1.B": (Peak(),),
        "d2.A": (Peak(),),
        "d2.B": (Initial(),),
    }
    assert transforms(old, OLD + "normalization = unit: (d1.exp: 1-2), (d2.exp: 2)\n") == {
        "d1.A": (UnitRange(),),
        "d1.B": (UnitRange(),),
        "d2.A": (),
        "d2.B": (UnitRange(),),
    }
    assert set(transforms(old, OLD + "normalization = zero\n").values()) == {(ZScore(),)}


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("normalization = peek: d1.exp", "'normalization = peek: …' takes one of init, peak, zero, unit; did you mean 'peak'?"),
        ("normalization = floor 0.1: d1.exp", "'normalization = floor 0.1: …' takes one of init, peak, zero, unit; 'floor 0.1' "
         "is for the whole fit"),
        ("normalization = peak: d3.exp", "'d3.exp' is no data file of the fit; did you mean 'd2.exp'?"),
        ("normalization = peak: (d1.exp: A, C)", "'d1.exp' has no measured column C; name its observables, or their numbers "
         "where 0 is the first column"),
        ("normalization = peak: (d1.exp: 0-1)", "'d1.exp' has no measured column 0; name its observables, or their numbers "
         "where 0 is the first column"),
        ("normalization = peak: (d1.exp: A,)", "'(d1.exp: A,)' names no file and columns; type 'peak: d1.exp, (d2.exp: A, B)'"),
        ("normalization = peak: d1.exp, (d1.exp: A)", "'d1.exp' is normalised twice, first on line 7; keep one"),
    ],
)  # fmt: skip
def test_files_that_are_wrong(old, line, what):
    assert f"fit.conf:7: {what}" in old.wrong(OLD + line)


def test_files_and_the_whole_fit(old):
    assert old.wrong(OLD + "normalization = peak: d1.exp\nnormalization = init\n") == [
        "fit.conf:8: normalization of the whole fit, and of single files; keep one of them"
    ]
