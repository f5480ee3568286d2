"""Normalisations, increments and the analytic factor against PyBNF's own arrays, scores and chain rules."""

import numpy as np
import pytest

pytest.importorskip("pybnf", reason="pybnf (test extra) is not installed")

from pybnf.data import Data  # noqa: E402
from pybnf.gradient.assembly import _normalized_sensitivity  # noqa: E402
from pybnf.noise import Gaussian, Laplace, NegBinomial  # noqa: E402
from pybnf.objective import ChiSquareObjective, LogNormalObjective, NegBinLikelihood  # noqa: E402
from pybnf.parse import parse_normalization_chain  # noqa: E402

from bnfhmc.noise import NOISE_FAMILIES  # noqa: E402
from bnfhmc.noise.profile import profile_laplace, profile_normal  # noqa: E402
from bnfhmc.noise.transform import SeriesData, SeriesScale, apply_chain, floored, parse_chain  # noqa: E402

TIMES = np.array([0.0, 1.0, 2.0, 4.0, 8.0, 9.0])
SERIES = {
    "rising": np.array([0.5, 0.8, 2.0, 3.1, 2.9, 3.3]),
    "falling": np.array([3.0, 2.2, 1.4, 1.1, 0.9, 0.4]),
    "negative": np.array([-2.0, -1.0, -3.0, -0.5, -2.5, -4.0]),
    "mixed": np.array([0.3, -1.0, 2.0, 0.1, -0.7, 1.9]),
    "tied": np.array([1.0, 4.0, 2.0, 4.0, 1.0, 1.0]),
    "constant": np.full(6, 0.1),
    "zero": np.zeros(6),
}
CHAINS = ["init", "peak", "zero", "unit", "floor", "floor 0.2", "floor 0.03, peak", "peak, zero", "unit, floor 0.1",
          "zero, peak, unit", "init, init"]  # fmt: skip
NOTHING = SeriesData(np.array([0]), np.array([1.0]))


def table(values, *names):
    data = Data(arr=np.column_stack([TIMES[: len(values[0])], *values]))
    data.cols = {name: i for i, name in enumerate(("time", *names))}
    data.headers = {i: name for name, i in data.cols.items()}
    data.weights = np.ones_like(data.data)
    return data


def theirs_of(text, x):
    chain = parse_normalization_chain(text)
    data = table([x], "A")
    data.normalize([(t, ["A"]) for t in ([chain] if isinstance(chain, str) else chain)])
    return data


@pytest.mark.parametrize("name", SERIES)
@pytest.mark.parametrize("text", CHAINS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning:pybnf")
def test_normalised_values(text, name):
    ours = apply_chain(parse_chain(text), SERIES[name], NOTHING).value
    try:
        theirs = theirs_of(text, SERIES[name]).data[:, 1]
    except ValueError as error:
        assert "All-NaN" in str(error)  # a later link of the chain finds no value left
        theirs = np.full(6, np.nan)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ["rising", "falling", "negative", "mixed", "tied"])
@pytest.mark.parametrize("text", CHAINS)
def test_normalised_sensitivities(text, name):
    dx = np.random.default_rng(1).normal(size=(6, 3))
    data = theirs_of(text, SERIES[name])
    assert np.isfinite(data.data).all()
    rule = _normalized_sensitivity(data.normalization["A"], "A", data, lambda column, row: dx[row])
    ours = apply_chain(parse_chain(text), SERIES[name], NOTHING).push(dx)
    np.testing.assert_allclose(ours, [rule("A", row) for row in range(6)], rtol=1e-10, atol=1e-12)


def test_the_floor_of_the_measurements_skips_missing_ones():
    observed = np.array([2.0, np.nan, 5.0, 0.0])
    data = table([observed], "A")
    data.normalize([(("floor", 0.1), ["A"])])
    present = ~np.isnan(observed)
    np.testing.assert_allclose(floored(parse_chain("floor 0.1, peak"), observed[present]), data.data[present, 1])


def scored(objective, x, observed, rows, cumulative, scale, space):
    """PyBNF's score, its effective predictions and their sensitivities, beside ours, of one series."""
    sim, exp = table([x], "A"), table([observed, 0.5 * np.ones(len(observed))], "A", "A_SD")
    exp.data[:, 0] = TIMES[rows]
    exp.weights = np.ones_like(exp.data)
    objective._cumulative_cols = frozenset({"A"} if cumulative else ())
    objective._analytic_scale = {"d": frozenset({"A"})} if scale else {}
    score = objective.evaluate(sim, exp, show_warnings=False, data_key="d")
    data = SeriesData(rows, observed)
    noise = NOISE_FAMILIES["lognormal" if space == "log" else "normal"]()
    chain = parse_chain("scale" if scale else "", cumulative=cumulative, noise=noise)
    ours = apply_chain(chain, x, data)
    theirs = [objective._prediction(sim, r, "A", exp, i) for i, r in enumerate(rows)]
    np.testing.assert_allclose(ours.value[rows], theirs, rtol=1e-12)
    dx = np.random.default_rng(2).normal(size=(len(x), 2))

    def raw(column, row):
        return dx[row]

    index = {"p": 0, "q": 1}
    terms = objective.analytic_scale_sensitivity(sim, exp, "time", {"A"}, "d", raw, index)
    slopes = [objective.prediction_sensitivity(sim, r, "A", exp, i, raw, index, terms) for i, r in enumerate(rows)]
    np.testing.assert_allclose(ours.push(dx)[rows], slopes, rtol=1e-10, atol=1e-12)
    return score, ours.value[rows]


ROWS = np.array([0, 2, 3, 3, 5])
OBSERVED = np.array([1.0, 4.0, 6.5, 7.0, 5.0])


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("cumulative", [False, True])
def test_increments_and_the_factor_under_a_gaussian(cumulative, scale):
    score, pred = scored(ChiSquareObjective(), SERIES["rising"], OBSERVED, ROWS, cumulative, scale, "linear")
    assert score == pytest.approx(np.sum((pred - OBSERVED) ** 2) / (2 * 0.5**2), rel=1e-12)


def test_the_factor_under_a_lognormal():
    score, pred = scored(LogNormalObjective(), SERIES["rising"], OBSERVED, ROWS, False, True, "log")
    assert score == pytest.approx(np.sum(np.log10(pred / OBSERVED) ** 2) / (2 * 0.5**2), rel=1e-12)


def test_the_factor_does_not_know_the_noise():
    """PyBNF weighs no measurement by its σ: another σ column leaves the factor where it is."""
    objective = ChiSquareObjective()
    objective._analytic_scale = {"d": frozenset({"A"})}
    factors = []
    for sd in (np.ones(5), np.array([1, 9, 0.1, 3, 2.0])):
        exp = table([OBSERVED, sd], "A", "A_SD")
        exp.data[:, 0] = TIMES[ROWS]
        factors.append(objective._analytic_scale_factors(table([SERIES["rising"]], "A"), exp, "time", {"A"}, "d")["A"])
    ours = SeriesScale().apply(SERIES["rising"], SeriesData(ROWS, OBSERVED)).value[0] / SERIES["rising"][0]
    assert factors == pytest.approx([ours, ours], rel=1e-14)


def test_counts_have_no_factor_there_either():
    with pytest.raises(AttributeError):
        scored(NegBinLikelihood(24.0), SERIES["rising"], OBSERVED.round(), ROWS, False, True, "linear")


def test_profiled_scales():
    r = np.array([0.3, -1.2, 0.8, 2.5])
    for family, profile in ((Gaussian(), profile_normal), (Laplace(), profile_laplace)):
        total = sum(family.profile_statistic(x, 0.0) for x in r)
        assert profile(r).scale == pytest.approx(family.profiled_scale(total, len(r)), rel=1e-14)
    assert not NegBinomial().supports_profiled_scale()
