"""Configurations written from problems as a PEtab reader makes them, and what they cannot say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bnfhmc.expression import parse
from bnfhmc.noise import Constant, Formula, LnLaplace, LogNormal, Normal
from bnfhmc.prior import LIN, LN, LOG10, Gamma, Parameter, Uniform, make_parameter, prior_in
from bnfhmc.prior import Normal as NormalPrior
from bnfhmc.problem import Condition, Experiment, Period, Perturbation, Problem, Series
from bnfhmc.write.conf import MAIN, conf_files
from bnfhmc.write.findings import Findings
from bnfhmc.write.folder import write_files
from tests.write.building import MODELS, assert_same, read, tightly

K1 = make_parameter("k1", "normal", {"mean": -0.5, "sd": 0.4}, "ln", initial=0.6)


@pytest.fixture
def problem(tmp_path: Path) -> Callable[..., Problem]:
    """``problem(experiment, …, model="m.xml", parameters=(…))`` with a model in a file."""

    def make(*experiments: Experiment, model: str = "m.xml", parameters: tuple[Parameter, ...] = (K1,), **options) -> Problem:
        path = tmp_path / model
        path.write_text(MODELS[model], encoding="utf-8")
        return Problem(parameters, {"m": tightly(path, name="m", **options)}, experiments)

    return make


def at_once(name: str, **values: str) -> Condition:
    """A condition as PEtab has it."""
    return Condition(name, tuple(Perturbation(q, "=", parse(v)) for q, v in values.items()), at_once=True)


def series(name: str, formula: str, times: list[int], observed: list[float], noise: object = None, **sources: object) -> Series:
    made = {n: Formula(parse(s)) if isinstance(s, str) else Constant(s) for n, s in (sources or {"sigma": 0.3}).items()}
    return Series(name, parse(formula), np.array(times), np.array(observed), noise or Normal(), made)


def experiment(name: str, *made: Series, times: tuple[float, ...] = (0.0, 1.0, 2.0), **options: object) -> Experiment:
    return Experiment(name, "m", np.array(times), made, **options)


def written(made: Problem, folder: Path) -> tuple[str, Problem]:
    """The configuration's text and the problem it is read as, which is the same."""
    paths = write_files(folder / "conf", conf_files(made, Findings(None)), MAIN)
    again = read(paths[0])
    assert_same(made, again, {n: n for n in made.names})
    return paths[0].read_text(), again


def refused(made: Problem) -> list[str]:
    findings = Findings(None)
    try:
        conf_files(made, findings)
    except Exception:
        return [m.what for m in findings.mistakes]
    return []


A_AND_B = (
    series("obs_a", "A", [0, 1, 2], [2.9, 2.2, 1.7]),
    series("obs_b", "B/scale", [0, 2], [1.2, 1.6], LogNormal(), sigma="0.1*scale"),
)
SCALE = make_parameter("scale", None, {}, "log10", 0.5, 2.0)


def test_edition_2_samples_by_nuts_with_the_settings_there_are(problem, tmp_path: Path):
    text, again = written(problem(experiment("e1", A_AND_B[0])), tmp_path)
    assert text.startswith("edition = 2\nfit_type = nuts\npopulation_size = 4\nnum_warmup = 1000\nnum_samples = 1000\n")
    assert again.settings == problem(experiment("e1", A_AND_B[0])).settings


def test_formulas_noise_and_fixed_parameters(problem, tmp_path: Path):
    fixed = at_once("fixed parameters", make="0.9", k2="k1/3 + 0.1")
    text, _ = written(problem(experiment("e1", *A_AND_B, condition=fixed), parameters=(K1, SCALE)), tmp_path)
    for line in (
        "observable: obs_a, formula: A", "noise_model obs_a = normal, sigma = fix_at 0.3",
        "observable: obs_b, formula: B / scale", "noise_model obs_b = lognormal, sigma = formula 0.1 * scale",
        "condition: fixed_parameters, perturbations: make = 0.9, k2 = k1 / 3 + 0.1",
        "experiment: e1, data: e1.exp, condition: fixed_parameters",
    ):  # fmt: skip
        assert line in text.splitlines()


@pytest.mark.parametrize(
    "parameter",
    [
        make_parameter("k1", None, {}, "log10", 0.01, 10.0, 0.5),
        make_parameter("k1", "laplace", {"location": -1.0, "scale": 0.5}, "log10"),
        make_parameter("k1", "gamma", {"shape": 2.0, "scale": 0.4}, "lin", 0.1, 3.0),
        Parameter("k1", prior_in(LOG10, Gamma(2.0, 0.4), LIN, 0.1, 3.0), LOG10, 0.5),
        Parameter("k1", prior_in(LOG10, NormalPrior(0.5, 0.4), LIN, 0.05, 3.0), LOG10),
        Parameter("k1", prior_in(LIN, NormalPrior(-0.5, 0.4), LN, 0.1, 3.0), LIN),
    ],
    ids=["uniform", "laplace", "cut gamma", "gamma seen on log10", "normal seen on log10", "log-normal seen on lin"],
)
def test_priors_are_the_same_densities(problem, tmp_path: Path, parameter: Parameter):
    _, again = written(problem(experiment("e1", A_AND_B[0]), parameters=(parameter,)), tmp_path)
    assert again.parameters[0].initial == parameter.initial


def test_replicates_are_files(problem, tmp_path: Path):
    s = series("obs_a", "A", [0, 1, 1, 2, 1], [2.9, 2.2, 2.3, 1.7, 2.1], LnLaplace(), scale=np.array([0.1, 0.2, 0.3, 0.4, 0.5]))
    text, _ = written(problem(experiment("e1", s)), tmp_path)
    assert "experiment: e1, data: e1.exp, e1_2.exp, e1_3.exp\n" in text
    assert (tmp_path / "conf" / "e1.exp").read_text() == "# time obs_a obs_a_SD\n0 2.9 0.1\n1 2.2 0.2\n2 1.7 0.4\n"
    assert (tmp_path / "conf" / "e1_3.exp").read_text() == "# time obs_a obs_a_SD\n1 2.1 0.5\n"


def test_overrides_are_measurement_params(problem, tmp_path: Path):
    parameters = (K1, SCALE, make_parameter("late", None, {}, "lin", 1.0, 2.0))
    two = (
        series("obs_a", "scale*A", [0, 1], [2.9, 2.2], sigma="0.1*late"),
        series("obs_a#2", "late*A", [1, 2], [2.4, 1.7], sigma="0.3*late"),
    )
    text, _ = written(problem(experiment("e1", *two), parameters=parameters), tmp_path)
    assert "observable: obs_a, formula: observableParameter1_obs_a * A\n" in text
    assert "noise_model obs_a = normal, sigma = formula noiseParameter1_obs_a * late\n" in text
    table = (tmp_path / "conf" / "e1_params.tsv").read_text().splitlines()
    assert table[0] == "column\ttime\tplaceholder\ttoken\treplicate"
    assert "obs_a\t1\tobservableParameter1_obs_a\tlate\t2" in table


def test_a_noise_formula_of_quantities_alone_gets_what_the_conditions_make_of_them(problem, tmp_path: Path):
    first = series("obs_a", "A", [0, 1], [2.9, 2.2], sigma="make + 0.1")
    second = replace(first, observed=np.array([2.8, 2.1]))
    made = problem(experiment("e1", first), experiment("e2", second, condition=at_once("c", make="2*k1")))
    text, _ = written(made, tmp_path)
    assert "sigma = read_exp_file" not in text and "prediction_formula" not in text


def test_steady_states_and_their_time(problem, tmp_path: Path):
    s = series("obs_a", "A", [0], [0.7])
    text, again = written(problem(experiment("e1", s, times=(np.inf,), t_max=5e5)), tmp_path)
    assert "t_end: 500000" in text and again.experiments[0].t_max == 5e5


def test_what_a_pre_equilibration_sets_is_set_back(problem, tmp_path: Path):
    before, after = at_once("before", make="2", k2="0.3", A="5"), at_once("after", k2="0.3", B="2*k1")
    text, again = written(problem(experiment("e1", A_AND_B[0], before=before, condition=after)), tmp_path)
    assert "condition: before, perturbations: make = 2, k2 = 0.3, A = 5\n" in text
    assert "condition: after, perturbations: make = 0.5, B = 2 * k1\n" in text


def test_a_pre_equilibration_that_changes_nothing_is_one(problem, tmp_path: Path):
    _, again = written(problem(experiment("e1", A_AND_B[0], before=Condition("", ()))), tmp_path)
    assert again.experiments[0].before is not None


def test_a_fitted_parameter_that_comes_back_is_refused(problem):
    made = problem(experiment("e1", A_AND_B[0], before=at_once("before", k1="0"), condition=None))
    (said,) = refused(made)
    assert "experiment 'e1'" in said and "stays set" in said


def test_periods_and_other_starts_are_refused_all_at_once(problem):
    later = (Period(1.0, at_once("c", make="0")),)
    s = A_AND_B[0]
    said = refused(problem(experiment("e1", s, later=later), experiment("e2", s, times=(5.0, 6.0, 7.0)), experiment("e3", s)))
    assert len(said) == 2
    assert "experiment 'e1': conditions that take effect later (at 1)" in said[0]
    assert "experiment 'e2' starts at time 5" in said[1]


def test_a_condition_that_reads_the_state_it_finds_is_refused(problem):
    made = problem(experiment("e1", A_AND_B[0], before=at_once("before", make="2"), condition=at_once("after", B="2*A")))
    assert "reads A as it finds it" in refused(made)[0]


def test_names_are_made_names_of_columns_conditions_and_files(problem, tmp_path: Path):
    s = series("A_SD", "A", [0, 1], [2.9, 2.2], sigma=np.array([0.1, 0.2]))
    t = series("a", "B", [0, 1], [1.1, 1.2], sigma=np.array([0.1, 0.3]))
    e = experiment("run 1 (m)", s, t, condition=at_once("a + b", make="1"))
    text, _ = written(problem(e), tmp_path)
    assert "experiment: run_1_m, data: run_1_m.exp, condition: a_b\n" in text
    assert "observable: a_2, formula: B\n" in text


def test_a_species_with_components_keeps_its_own_name(problem, tmp_path: Path):
    s = replace(series("p", "A", [0, 1], [0.1, 0.2]), observable=parse("A").renamed({"A": "B(s~p)"}))
    text, _ = written(problem(experiment("e1", s), model="m.bngl"), tmp_path)
    assert "noise_model B(s~p) = normal, sigma = fix_at 0.3\n" in text


def test_a_formula_of_one_is_refused(problem):
    s = replace(series("p", "2*A", [0, 1], [0.1, 0.2]), observable=parse("2*A").renamed({"A": "B(s~p)"}))
    assert "cannot name 'B(s~p)'" in refused(problem(experiment("e1", s), model="m.bngl"))[0]


def test_a_prior_for_starts_is_left_out_and_said(problem):
    findings = Findings(None)
    conf_files(problem(experiment("e1", A_AND_B[0]), parameters=(replace(K1, start=Uniform(-1.0, 0.0)),)), findings)
    assert any("starts" in note for note in findings.notes)
