"""Priors as PEtab words them: the same densities of θ, by petab's own distributions."""

from pathlib import Path

import numpy as np
import pytest
from petab import v2

from bnfhmc.prior import FAMILIES, LIN, LN, LOG10, LOGIT, Normal, Parameter, PriorVector, Uniform, make_parameter, prior_in
from bnfhmc.write.findings import Findings
from bnfhmc.write.petab.parameters import COLUMNS, parameter_rows, prior_words

FIELDS = {
    "uniform": {"lower": 0.2, "upper": 4.0}, "normal": {"mean": 0.3, "sd": 0.7}, "laplace": {"location": 0.3, "scale": 0.7},
    "cauchy": {"location": 0.3, "scale": 0.7}, "gamma": {"shape": 2.5, "scale": 0.8}, "exponential": {"scale": 1.3},
    "chisquare": {"dof": 3.0}, "rayleigh": {"scale": 1.1}, "half_normal": {"scale": 1.2}, "half_cauchy": {"scale": 0.9},
    "beta": {"alpha": 2.0, "beta": 3.0}, "inv_gamma": {"shape": 2.0, "scale": 1.0}, "weibull": {"shape": 2.0, "scale": 1.0},
    "gumbel": {"location": 0.0, "scale": 1.0}, "logistic": {"location": 0.0, "scale": 1.0},
    "student_t": {"df": 4.0, "location": 0.0, "scale": 1.0},
}  # fmt: skip
IN_THETA = ("uniform", "normal", "laplace", "cauchy", "gamma", "exponential", "chisquare", "rayleigh", "half_normal",
            "half_cauchy")  # fmt: skip
ON_LOGARITHM = ("uniform", "normal", "laplace")


def written(parameter: Parameter) -> tuple[list[str] | None, Findings]:
    """The row of a parameter, None where it is refused."""
    findings = Findings(Path("fit.conf"))
    words = prior_words((parameter,), findings)
    return (parameter_rows((parameter,), words, {"k": "k"}, findings)[0] if words else None), findings


def assert_same_density(parameter: Parameter) -> None:
    row, _ = written(parameter)
    assert row is not None
    petab = v2.Parameter(**dict(zip(COLUMNS, row, strict=True))).prior_dist
    theta = np.array([parameter.quantile(q) for q in (0.05, 0.3, 0.6, 0.95)])
    ours = PriorVector([parameter])
    u = [ours.u_from_theta([x]) for x in theta]
    density = [np.exp(ours.logpdf(x)) / ours.dtheta_du(x)[0] for x in u]
    np.testing.assert_allclose(petab.pdf(theta), density, rtol=1e-12)


def test_every_family_is_either_said_or_refused():
    assert set(FIELDS) == set(FAMILIES)


@pytest.mark.parametrize("bounds", [(None, None), (0.4, 2.5)])
@pytest.mark.parametrize("family", IN_THETA)
def test_families_in_theta(family: str, bounds: tuple[float | None, float | None]):
    assert_same_density(make_parameter("k", family, FIELDS[family], "lin", *bounds))


@pytest.mark.parametrize("bounds", [(None, None), (0.4, 2.5)])
@pytest.mark.parametrize("scale", ["ln", "log10"])
@pytest.mark.parametrize("family", ON_LOGARITHM)
def test_families_on_a_logarithm(family: str, scale: str, bounds: tuple[float | None, float | None]):
    assert_same_density(make_parameter("k", family, FIELDS[family], scale, *bounds))


def test_degrees_of_freedom_between_whole_numbers_are_a_gamma_density():
    parameter = make_parameter("k", "chisquare", {"dof": 3.5}, "lin")
    row, findings = written(parameter)
    assert row is not None and row[-2:] == ["gamma", "1.75;2"]
    assert findings.notes
    assert_same_density(parameter)


def test_a_prior_in_theta_on_another_scale_is_what_it_is_in_theta():
    parameter = Parameter("k", prior_in(LOG10, Normal(1.0, 0.3), LIN, 0.2, 5.0), LOG10)
    row, _ = written(parameter)
    assert row is not None and row == ["k", "0.2", "5", row[3], "true", "normal", "1;0.3"]
    assert_same_density(parameter)


@pytest.mark.parametrize(
    ("family", "scale"),
    [(f, "lin") for f in FIELDS if f not in IN_THETA] + [(f, "ln") for f in FIELDS if f not in (*ON_LOGARITHM, "beta")],
)
def test_what_petab_has_no_family_for_is_refused_by_name(family: str, scale: str):
    row, findings = written(make_parameter("k", family, FIELDS[family], scale))
    assert row is None
    (mistake,) = findings.mistakes
    assert f"parameter 'k': PEtab has no {family} prior" in mistake.what
    assert "choose" in mistake.hint


def test_the_logit_scale_is_refused():
    row, findings = written(Parameter("k", Uniform(-1.0, 1.0), LOGIT))
    assert row is None
    assert "logit scale" in findings.mistakes[0].what


def test_the_nominal_value_is_the_initial_one_or_the_median():
    assert written(Parameter("k", Normal(0.0, 1.0), LN, 2.5))[0][3] == "2.5"
    row, findings = written(Parameter("k", Uniform(-2.0, 2.0), LOG10))
    assert row[3] == "1"
    assert "median" in findings.notes[0]


def test_bounds_that_a_logarithm_rounds_are_written_as_they_were_given():
    row, _ = written(make_parameter("k", None, {}, "log10", 0.003, 70.0))
    assert row[1:3] == ["0.003", "70"] and row[-1] == "0.003;70"


def test_a_prior_for_starts_is_left_out_and_said():
    _, findings = written(Parameter("k", Normal(0.0, 1.0), LN, 2.5, Uniform(0.0, 1.0)))
    assert any("starts" in note for note in findings.notes)
