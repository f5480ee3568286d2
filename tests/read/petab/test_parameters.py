"""Parameter tables: scales, bounds, every prior of both versions against petab's own, starts, and what is refused."""

import numpy as np
import pytest
from petab.v1.priors import Prior as PetabPrior
from petab.v2 import Parameter as PetabParameter

from bnfhmc.prior import Laplace, Normal, Truncated, Uniform
from tests.read.petab.problems import CONVERSION

V1 = ("parameterId", "parameterScale", "lowerBound", "upperBound", "nominalValue", "estimate", "objectivePriorType",
      "objectivePriorParameters", "initializationPriorType", "initializationPriorParameters")  # fmt: skip
V2 = ("parameterId", "lowerBound", "upperBound", "nominalValue", "estimate", "priorDistribution", "priorParameters")


def v1(scale="lin", lower="0.1", upper="5", nominal="0.8", estimate="1", prior="", fields="", start="", of_start="") -> str:
    """A parameter table whose k1 is as given."""
    k1 = ("k1", scale, lower, upper, nominal, estimate, prior, fields, start, of_start)
    return "\n".join(" | ".join(row) for row in (V1, k1, ("k2", "lin", "0", "10", "0.6", "1", "", "", "", "")))


def v2(lower="0.1", upper="5", nominal="0.8", estimate="true", prior="", fields="") -> str:
    k1 = ("k1", lower, upper, nominal, estimate, prior, fields)
    return "\n".join(" | ".join(row) for row in (V2, k1, ("k2", "0", "10", "0.6", "true", "", "")))


def first(petab, version: int, table: str):
    return petab.load(version, parameters=table).parameters[0]


@pytest.mark.parametrize("scale", ["lin", "log", "log10"])
@pytest.mark.parametrize(
    ("prior", "fields"),
    [
        ("parameterScaleUniform", "-0.5;0.4"), ("parameterScaleUniform", ""), ("", ""), ("parameterScaleNormal", "0.2;0.3"),
        ("parameterScaleLaplace", "0.2;0.3"), ("uniform", "0.5;2"), ("normal", "1;0.7"), ("laplace", "1;0.7"),
        ("logNormal", "0.2;0.3"), ("logLaplace", "0.2;0.3"),
    ],
)  # fmt: skip
def test_every_prior_of_version_1_is_a_density_on_the_parameters_scale(petab, scale, prior, fields):
    if scale == "lin" and fields == "-0.5;0.4":
        fields = "0.2;0.9"
    p = first(petab, 1, v1(scale, prior=prior, fields=fields))
    row = {"parameterScale": scale, "lowerBound": 0.1, "upperBound": 5.0}
    if prior:
        row |= {"objectivePriorType": prior, "objectivePriorParameters": fields or None}
    oracle = PetabPrior.from_par_dict(row, "objective")
    lo, hi = p.support
    u = np.linspace(lo, hi, 9)[1:-1]
    expected = np.log([oracle.pdf(x, x_scaled=True, rescale=True) for x in u])
    np.testing.assert_allclose(p.prior.logpdf(u), expected, rtol=1e-10)
    assert p.prior.logpdf(hi + 0.01) == -np.inf


@pytest.mark.parametrize(
    ("prior", "fields", "scale"),
    [
        ("", "", "lin"), ("uniform", "0.5;2", "lin"), ("normal", "1;0.7", "lin"), ("laplace", "1;0.7", "lin"),
        ("cauchy", "1;0.7", "lin"), ("chisquare", "3", "lin"), ("exponential", "2", "lin"), ("gamma", "3;0.5", "lin"),
        ("rayleigh", "2", "lin"), ("log-normal", "0.2;0.3", "ln"), ("log-laplace", "0.2;0.3", "ln"),
        ("log-uniform", "0.5;2", "ln"),
    ],
)  # fmt: skip
def test_every_prior_of_version_2(petab, prior, fields, scale):
    p = first(petab, 2, v2(prior=prior, fields=fields))
    assert p.scale.name == scale
    oracle = PetabParameter(id="k1", lb=0.1, ub=5, estimate=True, prior_distribution=prior or "uniform",
                            prior_parameters=fields or "0.1;5").prior_dist  # fmt: skip
    u = np.linspace(*p.support, 9)[1:-1]
    density = oracle.pdf(p.scale.theta_from_u(u)) * p.scale.dtheta_du(u)
    np.testing.assert_allclose(p.prior.logpdf(u), np.log(density), rtol=1e-10)


def test_bounds_alone_are_a_uniform_prior_on_the_scale(petab):
    assert first(petab, 1, v1("log10", "0.01", "100")).prior == Uniform(-2.0, 2.0)
    assert first(petab, 2, v2()).prior == Uniform(0.1, 5.0)


def test_what_the_bounds_do_not_cut_stays_what_it_is(petab):
    assert first(petab, 1, v1("lin", "-inf", "inf", prior="normal", fields="1;2")).prior == Normal(1, 2)
    assert first(petab, 1, v1("log", "0", "inf", prior="logLaplace", fields="1;2")).prior == Laplace(1, 2)
    assert first(petab, 2, v2("-inf", "inf", prior="log-normal", fields="1;2")).prior == Normal(1, 2)
    assert first(petab, 2, v2("0", "inf", prior="normal", fields="1;2")).prior == Truncated(Normal(1, 2), 0.0, np.inf)


def test_the_nominal_value_is_where_it_starts_unless_it_lies_outside(petab):
    assert first(petab, 1, v1("log10")).initial == 0.8
    assert first(petab, 1, v1("log10", nominal="0.05")).initial is None
    assert first(petab, 1, v1("log", nominal="-1")).initial is None
    assert first(petab, 2, v2(nominal="")).initial is None


def test_starts_are_drawn_from_the_initialization_prior_where_the_prior_has_mass(petab):
    none = first(petab, 1, v1("log"))
    assert none.start is None
    told = first(petab, 1, v1("log", start="logNormal", of_start="0.1;0.2"))
    assert told.start == Truncated(Normal(0.1, 0.2), np.log(0.1), np.log(5.0))
    narrow = first(petab, 1, v1(prior="uniform", fields="1;2", start="parameterScaleUniform"))
    assert narrow.prior == Uniform(1, 2) and narrow.start == Uniform(1, 2)
    wide = first(petab, 1, v1(prior="uniform", fields="1;2", start="normal", of_start="0;3"))
    assert wide.start.support == (1, 2)


def test_a_fixed_parameter_needs_a_nominal_value_and_no_bounds(petab):
    table = v1(lower="", upper="", estimate="0")
    assert petab.load(1, parameters=table).names == ("k2",)
    assert petab.wrong(1, parameters=v1(nominal="", estimate="0")) == [
        "parameters.tsv:2: nominalValue is empty or NaN; type a number"
    ]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (v1(scale="log2"), "parameterScale 'log2' is not known; did you mean 'log'?"),
        (v1(estimate="yes"), "estimate 'yes' is not 0 or 1"),
        (v1(lower=""), "parameter 'k1' is estimated and has no lowerBound; type a number"),
        (v1(lower="low"), "lowerBound 'low' is no number; type a number"),
        (v1(lower="5", upper="0.1"), "parameter 'k1': lowerBound 5 is not below upperBound 0.1"),
        (v1("log10", lower="0"), "parameter 'k1': lowerBound 0 leaves no uniform prior on the log10 scale, and no other is "
                                 "given; type another bound, or a prior"),
        (v1(upper="inf"), "parameter 'k1': upperBound inf leaves no uniform prior, and no other is given; type another "
                          "bound, or a prior"),
        (v1(prior="normale", fields="0;1"),
         "parameter 'k1': objectivePriorType 'normale' is not known; did you mean 'normal'?"),
        (v1(prior="normal", fields="0"), "parameter 'k1': objectivePriorParameters '0' is not what the family needs; normal "
                                         "takes mean ; standard deviation"),
        (v1(prior="normal", fields="0;-1"), "parameter 'k1': normal '0;-1': sd must be > 0, got -1"),
        (v1(prior="uniform", fields="6;7"),
         "parameter 'k1': uniform '6;7' within the bounds: lower must be < upper, got 6.0 and 5.0"),
        (v1(prior="uniform", fields="1;2", start="uniform", of_start="3;4"),
         "parameter 'k1': the initialization prior: lower must be < upper, got 3.0 and 2.0"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_version_1(petab, table, said):
    assert petab.wrong(1, parameters=table) == [f"parameters.tsv:2: {said}"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (v2(estimate="1"), "estimate '1' is not true or false"),
        (v2(prior="log-uniform", fields="0;1"), "parameter 'k1': priorParameters '0;1' has to be positive for log-uniform; "
                                                "log-uniform takes lower ; upper"),
        (v2(prior="chi-squared", fields="3"), "parameter 'k1': priorDistribution 'chi-squared' is not known; did you mean "
                                              "'chisquare'?"),
        (v2(fields="3"), "parameter 'k1': priorParameters '3' is given without priorDistribution; type a family there"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_version_2(petab, table, said):
    assert petab.wrong(2, parameters=table) == [f"parameters.tsv:2: {said}"]


def test_a_parameter_is_one_row(petab):
    table = v2() + "\nk2 | 0 | 10 | 0.6 | true | |"
    said = "parameters.tsv:4: parameterId 'k2' is given twice; the other is in line 3; keep one"
    assert petab.wrong(2, parameters=table) == [said]


def test_a_parameter_that_nothing_depends_on(petab):
    table = v2() + "\nidle | 0 | 10 | 0.6 | true | |"
    assert petab.wrong(2, parameters=table) == [
        "parameters.tsv:4: parameter 'idle' is estimated, and no measurement depends on it; set its estimate to 0 or false, or "
        "delete the row"
    ]


def test_names_and_units_are_kept(petab):
    columns = ("parameterId", "parameterName", *V1[1:])
    rows = (columns, ("k1", "forward rate", "lin", "0.1", "5", "0.8", "1", "", "", "", ""),
            ("k2", "", "lin", "0", "10", "0.6", "1", "", "", "", ""))  # fmt: skip
    table = "\n".join(" | ".join(row) for row in rows)
    model = CONVERSION.replace('<parameter id="k1"', '<parameter units="hertz" id="k1"')
    k1, k2 = petab.load(1, parameters=table, model=model).parameters
    assert (k1.description, k1.unit) == ("forward rate", "hertz") and (k2.description, k2.unit) == ("", "")
