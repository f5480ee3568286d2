"""Objectives and noise models."""

from __future__ import annotations

import numpy as np
import pytest

from bnfhmc.errors import InputError
from bnfhmc.expression import Name
from bnfhmc.noise import NOISE_FAMILIES, Constant, Formula, Laplace, LnNormal, LogNormal, NegBin, Normal
from bnfhmc.noise.transform import Increments

SIGMA = "parameter: s, prior: exponential, scale: 1\n"
COUNTS = "time A\n0 3\n1 0\n"


def series(folder, fit, objective: str, data: str | None = None, more: str = ""):
    if data is not None:
        folder.write("d1.exp", data)
    problem = folder.load(fit.replace("objective = sos", objective) + more)
    return {s.name: s for s in problem.experiments[0].series}


def wrong(folder, fit, objective: str, data: str | None = None, more: str = ""):
    if data is not None:
        folder.write("d1.exp", data)
    return folder.wrong(fit.replace("objective = sos", objective) + more)


def one(folder, objective: str):
    """The first series of a configuration of edition 1."""
    folder.write("decay.net", "")
    extra = {"chi_sq_dynamic": "uniform_var = sigma__FREE 0.1 1", "neg_bin_dynamic": "uniform_var = r__FREE 0.1 1"}
    lines = [
        "fit_type = nuts",
        objective,
        "model = decay.net : d1.exp",
        "time_course = time:5, suffix:d1",
        "uniform_var = k1 0 1",
        extra.get(objective.rpartition(" ")[2], ""),
    ]
    return folder.load("\n".join(lines)).experiments[0].series[0]


@pytest.mark.parametrize(
    ("objective", "values"),
    [
        ("objective = sos", [1.0, 1.0]),
        ("objfunc = SOS", [1.0, 1.0]),
        ("objective = chi_sq", [0.5, 2.0]),
        ("objective = norm_sos", [4.0, 2.0]),
        ("objective = ave_norm_sos", [1.0, 1.0]),
        ("noise_model = normal, sigma = fix_at 0.25", [0.25, 0.25]),
        ("noise_model = Gaussian, SIGMA = FIX_AT 0.25", [0.25, 0.25]),
        ("noise_model = normal, sigma = read_exp_file _SD", [0.5, 2.0]),
        ("noise_model = normal, sigma = relative", [4.0, 2.0]),
        ("noise_model = normal, sigma = relative 0.5", [2.0, 1.0]),
        ("noise_model = normal, sigma = column_mean", [1.0, 1.0]),
    ],
)
def test_a_sigma_known_before_the_run(folder, fit, objective, values):
    sd = " A_SD\n0 4 0.5\n1 nan nan\n2 -2 2\n" if "chi" in objective or "_SD" in objective else "\n0 4\n1 nan\n2 -2\n"
    got = series(folder, fit, objective, "time A" + sd)["A"]
    assert isinstance(got.noise, Normal) and isinstance(got.sources["sigma"], Constant)
    assert np.broadcast_to(got.sources["sigma"].values, 2) == pytest.approx(values)


def test_edition_1_leaves_out_the_half(folder):
    folder.write("d1.exp", "time A A_SD\n0 4 1\n1 2 1\n")
    assert one(folder, "objfunc = chi_sq").sources["sigma"].values == pytest.approx(1.0)
    assert one(folder, "# the default").sources["sigma"].values == pytest.approx(1.0)
    folder.write("d1.exp", "time A\n0 4\n1 2\n")
    assert one(folder, "objfunc = sos").sources["sigma"].values == pytest.approx(np.sqrt(0.5))
    assert one(folder, "objective = norm_sos").sources["sigma"].values == pytest.approx(np.sqrt(0.5) * np.array([4, 2]))
    assert one(folder, "objfunc = ave_norm_sos").sources["sigma"].values == pytest.approx(np.sqrt(0.5) * 3)
    assert one(folder, "noise_model = normal, sigma = fix_at 1").sources["sigma"].values == 1.0
    assert one(folder, "objfunc = chi_sq_dynamic").sources["sigma"].expression.names == {"sigma__FREE"}


def test_the_location_of_neg_bin(folder, fit):
    folder.write("d1.exp", COUNTS)
    two = "noise_model = neg_bin, dispersion = fix_at 3"
    assert one(folder, "objfunc = neg_bin").noise == NegBin("mean")
    assert one(folder, "objfunc = neg_bin_dynamic").noise == NegBin("mean")
    assert one(folder, "objfunc = neg_bin\nnoise_location = median").noise == NegBin("median")
    assert one(folder, "objfunc = neg_bin\nnoise_model A = neg_bin, dispersion = fix_at 3").noise == NegBin("median")
    assert series(folder, fit, "objective = neg_bin")["A"].noise == NegBin("median")
    assert series(folder, fit, "objective = neg_bin\nnoise_location = Mean")["A"].noise == NegBin("mean")
    assert series(folder, fit, f"{two}")["A"].noise == NegBin("median")
    assert series(folder, fit, f"{two}, location = mean")["A"].noise == NegBin("mean")
    own = "noise_model A = neg_bin, dispersion = fix_at 3, location = median\nobjective = sos\nnoise_location = mean"
    assert series(folder, fit, own)["A"].noise == NegBin("median")


def test_the_dispersion_of_neg_bin(folder, fit):
    folder.write("d1.exp", COUNTS)
    assert series(folder, fit, "objective = neg_bin")["A"].sources["dispersion"].values == 24
    assert series(folder, fit, "objective = neg_bin\nneg_bin_r = 3")["A"].sources["dispersion"].values == 3
    r = "parameter: r__FREE, prior: exponential, scale: 1\n"
    got = series(folder, fit, "objective = neg_bin_dynamic", more=r)["A"].sources["dispersion"]
    assert isinstance(got, Formula) and got.is_one_parameter and got.expression.names == {"r__FREE"}
    got = series(folder, fit, "noise_model = neg_bin, dispersion = formula 1/s", more=SIGMA)["A"].sources["dispersion"]
    assert got.value({"s": 0.25}) == 4.0
    folder.write("d1.exp", "time A A_r\n0 3 2\n1 0 5\n")
    got = series(folder, fit, "noise_model = neg_bin, dispersion = read_exp_file _r")["A"].sources["dispersion"]
    assert got.values.tolist() == [2, 5]


@pytest.mark.parametrize("verb", ["fit s", "formula s", "FIT s"])
def test_an_estimated_sigma(folder, fit, verb):
    got = series(folder, fit, f"noise_model = normal, sigma = {verb}", more=SIGMA)["A"].sources["sigma"]
    assert isinstance(got, Formula) and got.is_one_parameter


def test_chi_sq_dynamic(folder, fit):
    s = "parameter: sigma__FREE, prior: exponential, scale: 1\n"
    got = series(folder, fit, "objective = chi_sq_dynamic", more=s)["B"].sources["sigma"]
    assert got.expression.names == {"sigma__FREE"}


def test_a_parameter_named_like_a_constant_is_fitted(folder, fit):
    for name in ("e", "_e"):
        parameter = f"parameter: {name}, prior: exponential, scale: 1\n"
        got = series(folder, fit, f"noise_model = normal, sigma = fit {name}", more=parameter)["A"].sources["sigma"]
        assert got.expression.node == Name(name)
    e = "parameter: e, prior: exponential, scale: 1\n"
    got = series(folder, fit, "noise_model = normal, sigma = formula 2*e", more=e)["A"].sources["sigma"]
    assert got.expression({"e": 3.0}) == 6.0
    assert wrong(folder, fit, "noise_model = normal, sigma = formula 2*_e", more=e.replace("e,", "_e,", 1)) == [
        "fit.conf:3: 'sigma = formula 2*_e': '_e' is a constant, and a declared parameter; give the parameter another name",
        "fit.conf:8: parameter '_e' appears in no model and no formula",
    ]


def test_an_observable_has_its_own_noise_model(folder, fit):
    got = series(
        folder, fit, "objective = sos\nnoise_model B = normal, sigma = formula max(s, 0.1) + s*0.5", more=SIGMA
    )
    assert got["A"].sources["sigma"].values == 1.0
    assert got["B"].sources["sigma"].value({"s": 2.0}) == 3.0


def test_all_observables_may_have_their_own_and_no_objective_is_needed(folder, fit):
    lines = "noise_model A = normal, sigma = fix_at 1\nnoise_model B = normal, sigma = fix_at 2"
    assert {s.sources["sigma"].values for s in series(folder, fit, lines).values()} == {1.0, 2.0}
    assert wrong(folder, fit, lines.splitlines()[0]) == [
        "fit.conf: no noise model for 'B'; type 'noise_model B = <family>, …', or 'noise_model = <family>, …' for all"
    ]


def test_no_objective(folder, fit):
    assert wrong(folder, fit, "") == [
        "fit.conf: no objective says how the measurements scatter; type 'objective = chi_sq' or 'noise_model = "
        "<family>, …'"
    ]


KNOWN = (
    "sos, chi_sq, chi_sq_dynamic, norm_sos, ave_norm_sos, lognormal, lnnormal, laplace, sod, neg_bin, neg_bin_dynamic"
)
WITH_SD = "time A A_SD\n0 4 0.5\n2 2 2\n"


@pytest.mark.parametrize(("name", "family"), [("lognormal", LogNormal()), ("lnnormal", LnNormal())])
def test_objectives_on_a_logarithm(folder, fit, name, family):
    for got in (
        series(folder, fit, f"objective = {name}", WITH_SD)["A"],
        series(folder, fit, f"noise_model = {name}, sigma = read_exp_file _SD", WITH_SD)["A"],
    ):
        assert got.noise == family and got.sources["sigma"].values.tolist() == [0.5, 2]
    assert series(folder, fit, f"objective = {name}\nnoise_location = mean")["A"].noise == type(family)("mean")


def test_objectives_of_absolute_differences(folder, fit):
    got = series(folder, fit, "objective = sod")["A"]
    assert (got.noise, got.sources["scale"].values) == (Laplace(), 1.0)
    assert one(folder, "objfunc = sod").sources["scale"].values == 1.0
    b = "parameter: b__FREE, prior: exponential, scale: 1\n"
    assert series(folder, fit, "objective = laplace", more=b)["A"].sources["scale"].expression.names == {"b__FREE"}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("kl", "compares the shapes of columns"),
        ("wasserstein", "compares the shapes of columns"),
        ("score", "takes a simulated column for a loss"),
        ("direct_pass", "takes a simulated column for a loss"),
    ],
)
def test_objectives_that_are_no_likelihood(folder, fit, name, why):
    assert wrong(folder, fit, f"objective = {name}") == [
        f"fit.conf:3: objective '{name}' {why}, and is no likelihood of measurements; known are {KNOWN}"
    ]


@pytest.mark.parametrize("family", sorted(NOISE_FAMILIES))
@pytest.mark.parametrize("location", ["", ", location = mean", ", location = median"])
def test_every_family_at_either_location(folder, fit, family, location):
    """A family is read with the location it says, or refused in its own words."""
    wants = NOISE_FAMILIES[family]().parameters
    line = f"noise_model = {family}{''.join(f', {p} = fix_at 20' for p in wants)}{location}"
    try:
        expected = NOISE_FAMILIES[family](location=location.rpartition(" ")[2]) if location else NOISE_FAMILIES[family]()
    except InputError as error:
        assert wrong(folder, fit, line, "time A\n0 4\n1 3\n") == [f"fit.conf:3: {error}"]
    else:
        got = series(folder, fit, line, "time A\n0 4\n1 3\n")["A"]
        assert got.noise == expected and {p: s.values for p, s in got.sources.items()} == dict.fromkeys(wants, 20.0)


def test_a_location_that_the_objective_cannot_have(folder, fit):
    assert wrong(folder, fit, "noise_model = poisson\nnoise_location = median", COUNTS) == [
        "fit.conf:4: a prediction of poisson is the mean, not the median; type 'location = mean'"
    ]


def test_parameters_with_a_default_may_be_left_out(folder, fit):
    got = series(folder, fit, "noise_model = student_t, sigma = fit s", more=SIGMA)["A"]
    assert set(got.sources) == {"sigma"}
    line = "noise_model = student_t, sigma = relative 0.1, df = fit s"
    got = series(folder, fit, line, "time A\n0 4\n", more=SIGMA)["A"]
    assert got.sources["df"].expression.names == {"s"}


def test_trials_come_from_the_data(folder, fit):
    got = series(folder, fit, "noise_model = binomial, trials = read_exp_file _n", "time A A_n\n0 3 5\n1 0 4\n")["A"]
    assert got.sources["trials"].values.tolist() == [5, 4]
    assert wrong(folder, fit, "noise_model = binomial, trials = read_exp_file _n", "time A A_n\n0 3 5\n1 6 4\n2 1 1.5\n") == [
        "d1.exp:3: 'A': binomial counted 6 out of 4 trials",
        "d1.exp:4: 'A': binomial needs 1, 2, 3, … trials, got 1.5",
    ]
    assert wrong(folder, fit, "noise_model = binomial, trials = fix_at 2", "time A\n0 3\n")[0] == (
        "d1.exp:2: 'A': binomial counted 3 out of 2 trials"
    )


@pytest.mark.parametrize(("family", "data"), [("lognormal", "0 0"), ("log_laplace", "0 -1"), ("ln_student_t", "0 0")])
def test_a_logarithmic_family_needs_positive_data(folder, fit, family, data):
    parameter = NOISE_FAMILIES[family]().parameters[0]
    (found,) = wrong(folder, fit, f"noise_model = {family}, {parameter} = fix_at 1", f"time A\n{data}\n1 2\n")
    assert found.startswith("d1.exp:2: 'A': noise on log10 needs positive" if "ln" not in family else "d1.exp:2: 'A': noise on")


def test_cumulative_counts(folder, fit):
    line = "objective = sos\nnoise_model A = normal, sigma = fix_at 1, cumulative"
    got = series(folder, fit, line)
    assert (got["A"].transforms, got["B"].transforms) == ((Increments(),), ())
    assert got["A"].observed.tolist() == [10, 6, 4]


def test_a_sigma_of_the_prediction(folder, fit):
    got = series(folder, fit, "noise_model = normal, sigma = prediction_formula s + 0.1*abs(A) + 0*f", more=SIGMA)
    assert all(s.sources["sigma"].expression.names == {"s", "A", "f"} for s in got.values())
    assert got["A"].sources["sigma"].expression({"s": 1.0, "A": 2.0, "f": 9.0}) == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        (
            "noise_model = normal, sigma = prediction_formula s*AA",
            "'sigma = prediction_formula s*AA' names 'AA', which is no output or quantity of the model 'decay', and no "
            "parameter of the fit; did you mean 'A'?",
        ),
        (
            "noise_model = normal, sigma = prediction_formula 2*s",
            "'sigma = prediction_formula 2*s' reads no output of the model; type 'sigma = formula 2*s'",
        ),
        (
            "noise_model = normal, sigma = prediction_formula s*A0",
            "'sigma = prediction_formula s*A0' reads no output of the model 'decay'; type 'sigma = formula s*A0'",
        ),
        (
            "noise_model = normal, sigma = prediction_formula s*A\nnormalization B = peak\nnormalization A = init",
            "'sigma = prediction_formula s*A' names 'A', which is normalised in experiment 'd1': as the model gives it, or as "
            "it is compared?; give 'A' as the model gives it a name of its own there",
        ),
    ],
)
def test_sigmas_of_the_prediction_that_are_wrong(folder, fit, lines, what):
    found = wrong(folder, fit, lines, more=SIGMA)
    assert found[0] == f"fit.conf:3: {what}"
    assert len(found) == 1 or "appears in no model and no formula" in found[1]


VERBS = "type one of fix_at, read_exp_file, fit, formula, prediction_formula, relative, column_mean"
FAMILIES = ", ".join(NOISE_FAMILIES)


@pytest.mark.parametrize(
    ("objective", "what"),
    [
        ("objective = chisq", f"unknown objective 'chisq'; did you mean 'chi_sq'? known are {KNOWN}"),
        ("objective = sos, 3", "objective 'sos' takes nothing after it, got '3'; type 'objective = sos'"),
        (
            "objective = chi_sq_dynamic",
            "'sigma__FREE', to be fitted as the sigma of normal, is no declared parameter; "
            "type 'parameter: sigma__FREE, prior: <family>, …'",
        ),
        (
            "noise_model = neg_bn, dispersion = fix_at 1",
            "unknown noise family 'neg_bn'; did you mean 'neg_bin'? known are " + FAMILIES,
        ),
        ("noise_model = normal", "normal needs sigma; type 'sigma = fit <parameter>' or 'sigma = fix_at <number>'"),
        ("noise_model = normal, sgma = fix_at 1", "normal has no noise parameter 'sgma'; did you mean 'sigma'?"),
        (
            "noise_model = normal, dispersion = fix_at 1",
            "normal has no noise parameter 'dispersion'; normal takes sigma and location",
        ),
        ("noise_model = normal, sigma = fix_at 1, sigma = fix_at 2", "'sigma' is given twice; keep one"),
        (
            "noise_model = normal, sigma = fix_at 1, location = mode",
            "unknown location 'mode'; type 'location = mean' or 'location = median'",
        ),
        (
            "noise_model = normal, sigma = fix_at 1, cumulative",
            "'cumulative' for all observables at once; type 'noise_model <observable> = normal, sigma = fix_at 1, cumulative'",
        ),
        (
            "noise_model A = normal, sigma = fix_at 1, cumulative = 1\nobjective = sos",
            "'cumulative' takes nothing after it, got '1'; type 'cumulative'",
        ),
        (
            "noise_model = normal, sigma = fix_at 1, time_error = uniform",
            "'time_error' in a noise_model (times of measurement that are uncertain) is not supported; take the times for "
            "exact, and delete it",
        ),
        (
            "noise_model = normal, sigma = fix_at 1, sigma_t = fit s",
            "'sigma_t' in a noise_model (times of measurement that are uncertain) is not supported; take the times for "
            "exact, and delete it",
        ),
        (
            "noise_model = neg_bin, dispersion = relative",
            "'dispersion = relative' of neg_bin: a dispersion has not the unit of the data; type one of fix_at, "
            "read_exp_file, fit, formula, prediction_formula",
        ),
        (
            "noise_model = binomial, trials = fit k1",
            "'trials = fit' of binomial: the trials are known before the run; type one of fix_at, read_exp_file",
        ),
        ("noise_model = binomial", "binomial needs trials; type 'trials = fix_at <number>'"),
        ("noise_model = poisson, sigma = fix_at 1", "poisson has no noise parameter 'sigma'; poisson takes location"),
        (
            "noise_model = normal, sigma = fxi_at 1",
            f"'sigma = fxi_at 1': unknown verb 'fxi_at'; did you mean 'fix_at'? {VERBS}",
        ),
        ("noise_model = normal, sigma = 2", "'sigma = 2' has no verb; type 'sigma = fix_at 2'"),
        ("noise_model = normal, sigma = k1", "'sigma = k1' has no verb; type 'sigma = fit k1'"),
        ("noise_model = normal, sigma = fix_at 0", "'sigma = fix_at' takes a positive number, got '0'"),
        ("noise_model = normal, sigma = fix_at", "'sigma = fix_at' takes a positive number, got ''"),
        ("noise_model = normal, sigma = relative -1", "'sigma = relative' takes a positive number, got '-1'"),
        ("noise_model = normal, sigma = column_mean 2", "'sigma = column_mean' takes nothing after it, got '2'"),
        ("noise_model = normal, sigma = fit", "'sigma = fit' is not complete; type 'sigma = fit <parameter>'"),
        (
            "noise_model = normal, sigma = formula",
            "'sigma = formula' is not complete; type 'sigma = formula <expression>'",
        ),
        (
            "noise_model = normal, sigma = read_exp_file",
            "'sigma = read_exp_file' is not complete; type 'sigma = read_exp_file <suffix>'",
        ),
        (
            "noise_model = normal, sigma = fit kk1",
            "'kk1', to be fitted as the sigma of normal, is no declared parameter; did you mean 'k1'?",
        ),
        (
            "noise_model = normal, sigma = formula k1 + zz*A",
            "'sigma = formula k1 + zz*A' names 'A', which is no "
            "declared "
            "parameter; type 'parameter: A, prior: <family>, …', or 'sigma = prediction_formula …' if it is an output of the "
            "model",
        ),
        ("noise_model = normal, sigma = formula 1-2", "'sigma = formula 1-2' is -1, which is not positive"),
        (
            "noise_model = normal, sigma = formula 2*(k1",
            "'sigma = formula 2*(k1': '2*(k1': expected ')' at column 6, found 'the end'",
        ),
    ],
)
def test_what_is_wrong(folder, fit, objective, what):
    assert wrong(folder, fit, objective)[0] == f"fit.conf:3: {what}"


NORMAL = "normal, sigma = fix_at 1"


@pytest.mark.parametrize(
    ("objective", "what"),
    [
        (
            f"noise_model = {NORMAL}\nobjective = sos",
            "3: noise_model and 'objective = sos' (line 4) both say how all measurements scatter; keep one of them",
        ),
        (
            f"noise_model = {NORMAL}\nnoise_model = {NORMAL}",
            "4: another noise_model of the whole fit, first on line 3; keep one",
        ),
        (
            f"objective = sos\nnoise_model A = {NORMAL}\nnoise_model A = {NORMAL}",
            "5: another noise_model of 'A', first on line 4; keep one",
        ),
        (f"objective = sos\nnoise_model C = {NORMAL}", "4: no data are named 'C', which has a noise_model"),
        (
            "objective = sos\nneg_bin_r = 3",
            "4: 'neg_bin_r' has no effect without 'objective = neg_bin'; delete the line",
        ),
        ("objective = neg_bin\nneg_bin_r = 0", "4: 'dispersion = fix_at' takes a positive number, got '0'"),
        (
            "objective = sos\nnoise_location = mode",
            "4: unknown noise_location 'mode'; type 'noise_location = mean' or '= median'",
        ),
    ],
)
def test_lines_that_do_not_go_together(folder, fit, objective, what):
    assert wrong(folder, fit, objective)[0] == f"fit.conf:{what}"


@pytest.mark.parametrize(
    ("objective", "data", "what"),
    [
        (
            "objective = chi_sq",
            "time A\n1 2\n",
            "d1.exp:1: no column 'A_SD', which the noise model of 'A' reads; "
            "add it, or type 'noise_model A = normal, sigma = fit <parameter>'",
        ),
        (
            "objective = chi_sq",
            "time A A_SD\n1 2 0\n2 nan 0\n",
            "d1.exp:2: 'A_SD' is not positive where 'A' is measured",
        ),
        ("objective = chi_sq", "time A A_SD\n1 2 nan\n", "d1.exp:2: 'A_SD' is not positive where 'A' is measured"),
        ("objective = chi_sq", "time A A_SD\n1 2 -1\n", "d1.exp:2: 'A_SD' is not positive where 'A' is measured"),
        ("objective = norm_sos", "time A\n1 0\n", "d1.exp:2: 'A' is 0, and so is its sigma = relative"),
        (
            "objective = ave_norm_sos",
            "time A\n1 -1\n2 1\n",
            "d1.exp:1: the mean of 'A' is 0, and 'sigma = column_mean' takes it",
        ),
    ],
)
def test_what_is_wrong_with_the_data(folder, fit, objective, data, what):
    assert wrong(folder, fit, objective, data) == [what]


def test_counts_are_whole_and_not_negative(folder, fit):
    found = wrong(folder, fit, "objective = neg_bin", "time A\n0 1.5\n1 3\n2 -3\n")
    assert [f.split(" ")[0] for f in found] == ["d1.exp:2:", "d1.exp:4:"]
    assert "'A': neg_bin needs counts" in found[0]


def test_a_second_replicate_without_its_noise_column(folder, fit):
    folder.write("d2.exp", "time A\n1 2\n")
    conf = fit.replace("data: d1.exp", "data: d1.exp, d2.exp")
    (found,) = wrong(folder, conf, "objective = chi_sq", "time A A_SD\n1 2 1\n")
    assert found.startswith("d2.exp:1: no column 'A_SD'")
