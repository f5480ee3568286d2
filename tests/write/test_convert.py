"""``convert`` as a whole: where it writes, what it says, and that it writes nothing it has not proved."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from bnfhmc.errors import InputError
from bnfhmc.model.limits import Tolerances
from bnfhmc.write import convert
from bnfhmc.write.conf.problem import _told
from tests.write.building import assert_same, read

module = sys.modules["bnfhmc.write.convert"]  # its name in the package is the function's

FIT = "objective = sos\nexperiment: d1, data: d1.exp\nparameter: k1, lower: 0.1, upper: 2\n"
DATA = {"d1.exp": "# time A B\n0 2.91 1.12\n1 2.53 1.44\n"}

EDITION_1 = "fit_type = nuts\nmodel = e1.bngl : d1.exp\nobjfunc = chi_sq\nloguniform_var = k1__FREE 0.1 2\n"
E1_BNGL = """
begin parameters
  k1 k1__FREE
  A0 3
end parameters
begin seed species
  A() A0
end seed species
begin observables
  Molecules A A()
end observables
begin reaction rules
  A() -> 0 k1
end reaction rules
generate_network({overwrite=>1})
setParameter("A0", 5)
simulate({method=>"ode", t_end=>4, n_steps=>8, suffix=>"d1"})
"""


def complaints(source: Path, target: Path) -> list[str]:
    with pytest.raises(InputError) as error:
        convert(source, target)
    return [m.what for m in error.value.mistakes]


def test_the_files_stand_in_the_folder_and_name_nothing_outside_of_it(conf, tmp_path: Path):
    written = convert(conf(f"model: m.xml\n{FIT}", DATA), tmp_path / "petab")
    assert [p.name for p in written.paths] == [
        "problem.yaml", "experiments.tsv", "m.xml", "measurements.tsv", "observables.tsv", "parameters.tsv"
    ]  # fmt: skip
    assert all(str(tmp_path) not in p.read_text() for p in written.paths)
    assert yaml.safe_load(written.paths[0].read_text())["model_files"] == {"m": {"location": "m.xml", "language": "sbml"}}


def test_the_two_conversions_forget_where_they_came_from(conf, tmp_path: Path):
    source = conf(f"model: m.xml\n{FIT}", DATA)
    petab = convert(source, tmp_path / "petab").paths[0]
    made = convert(petab, tmp_path / "conf")
    for path in source.parent.iterdir():
        path.unlink()
    assert read(petab).names == read(made.paths[0]).names == ("k1",)


def test_settings_are_no_part_of_petab_and_it_says_so(conf, tmp_path: Path):
    written = convert(conf(f"model: m.xml\nnum_samples = 50\n{FIT}", DATA), tmp_path / "petab")
    assert any("how to run" in note and "command line" in note for note in written.notes)


def test_other_tolerances_and_times_of_rest_are_noted(conf, tmp_path: Path):
    text = FIT.replace("d1.exp", "d1.exp, t_end: 5e5")
    source = conf(f"model: m.xml, rtol: 1e-10, atol: 1e-12\n{text}", {"d1.exp": "# time A\ninf 1.3\n"})
    notes = " ".join(convert(source, tmp_path / "petab").notes)
    assert "tolerances" in notes and "steady state" in notes


def test_a_folder_in_use_is_refused_before_anything_is_read(tmp_path: Path):
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "mine").write_text("")
    assert complaints(tmp_path / "nowhere.conf", tmp_path / "to") == ["the folder is not empty"]


def test_overwriting_replaces_files_of_the_same_name_alone(conf, tmp_path: Path):
    source = conf(f"model: m.xml\n{FIT}", DATA)
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "mine").write_text("mine")
    (tmp_path / "to" / "problem.yaml").write_text("old")
    convert(source, tmp_path / "to", overwrite=True)
    assert (tmp_path / "to" / "mine").read_text() == "mine"
    assert "2.0.0" in (tmp_path / "to" / "problem.yaml").read_text()


def test_what_petab_cannot_say_is_said_all_at_once_and_nothing_is_written(conf, tmp_path: Path):
    source = conf(
        "model: n.net\nexperiment: d1, data: d1.exp\nexperiment: d2, data: d2.exp, c.prop\n"
        "normalization A = peak\nnormalization B = floor 0.1, scale\nnoise_model = student_t, sigma = fix_at 1\n"
        "noise_model B = lnnormal, sigma = fix_at 1, location = mean\n"
        "noise_model N = neg_bin, dispersion = fix_at 3, cumulative\n"
        "parameter: k1, prior: beta, alpha: 2, beta: 3\n"
        "parameter: k2, prior: cauchy, parameter_scale: log10, location: 0, scale: 1\n",
        {"d1.exp": "# time A B\n0 1 4\n1 2 3\n", "d2.exp": "# time N\n0 1\n1 3\n", "c.prop": "A < 5 always\n", "n.net": NET},
    )  # fmt: skip
    said = "\n".join(complaints(source, tmp_path / "petab"))
    for part in (
        "experiment 'd2': constraints", "observable 'A': normalization 'peak'", "observable 'B': normalization 'floor'",
        "observable 'B': normalization 'scale'", "observable 'N': 'cumulative'", "no student_t noise", "no neg_bin noise",
        "about the mean", "parameter 'k1': PEtab has no beta prior", "parameter 'k2': PEtab has no cauchy prior on the log10",
        "model n.net is a network file",
    ):  # fmt: skip
        assert part in said
    assert not (tmp_path / "petab").exists()


NET = """
begin parameters
  1 k1 0.5
  2 k2 0.2
end parameters
begin species
  1 A() 5
  2 B() 1
end species
begin reactions
  1 1 2 k1
  2 2 0 k2
end reactions
begin groups
  1 A 1
  2 B 2
  3 N 1,2
end groups
"""


def test_an_objective_without_a_model_is_refused(conf, tmp_path: Path):
    source = conf("objective = gaussian, mean = 0, variance = 1\nparameter: x1, prior: normal, mean: 0, sd: 2\n")
    assert complaints(source, tmp_path / "petab") == ["an objective without a model has no PEtab form"]


def test_edition_1_leaves_its_actions_behind_and_defines_its_free_names(conf, tmp_path: Path):
    source = conf(EDITION_1, {"e1.bngl": E1_BNGL, "d1.exp": "# time A A_SD\n1 2.5 0.2\n2 1.4 0.2\n"}, edition="")
    written = convert(source, tmp_path / "petab")
    model = (tmp_path / "petab" / "e1.bngl").read_text()
    assert "k1__FREE 0.4" in model and "setParameter" not in model and "simulate" not in model
    assert any("k1__FREE" in note for note in written.notes) and any("actions" in note for note in written.notes)
    problem, again = read(source), read(written.paths[0])
    assert_same(problem, again, {"k1__FREE": "k1__FREE"})
    assert again.experiments[0].condition.perturbations[0].target == "A0"


def test_options_of_a_network_go_into_its_model(conf, tmp_path: Path):
    chain = """
begin parameters
  k1 0.5
end parameters
begin molecule types
  A(a,a)
end molecule types
begin seed species
  A(a,a) 3
end seed species
begin observables
  Molecules A A()
  Species M A==1
end observables
begin reaction rules
  A(a) + A(a) -> A(a!1).A(a!1) k1
end reaction rules
"""
    source = conf(f"model: p.bngl\ngenerate_network = max_stoich=>{{A=>3}}\n{FIT}",
                  {"p.bngl": chain, "d1.exp": "# time M\n1 2.5\n2 1.4\n"})  # fmt: skip
    written = convert(source, tmp_path / "petab")
    assert "max_stoich=>{A=>3}" in (tmp_path / "petab" / "p.bngl").read_text()
    assert_same(read(source), read(written.paths[0]), {"k1": "k1"})


def test_a_parameter_that_conditions_set_has_another_id(conf, tmp_path: Path):
    text = FIT + "experiment: d2, data: d2.exp, condition: slow\ncondition: slow, perturbations: k1 / 2\n"
    written = convert(conf(f"model: m.xml\n{text}", {**DATA, "d2.exp": "# time A\n1 2.2\n"}), tmp_path / "petab")
    assert read(written.paths[0]).names == ("k1_est",)
    assert any("'k1' is 'k1_est'" in note for note in written.notes)


def test_what_was_written_is_compared_before_it_is_kept(conf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source = conf(f"model: m.xml\n{FIT}", DATA)
    as_petab = module._as_petab

    def with_a_slip(*args: object) -> module.Form:
        form = as_petab(*args)
        slipped = form.files["measurements.tsv"].replace(b"2.91", b"2.81")
        return module.Form(form.main, form.files | {"measurements.tsv": slipped}, form.ids)

    monkeypatch.setattr(module, "_as_petab", with_a_slip)
    (said,) = complaints(source, tmp_path / "petab")
    assert "not the same problem" in said
    assert not (tmp_path / "petab").exists()


def test_what_the_linter_finds_is_said(conf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source = conf(f"model: m.xml\n{FIT}", DATA)
    as_petab = module._as_petab

    def with_a_slip(*args: object) -> module.Form:
        form = as_petab(*args)
        slipped = form.files["measurements.tsv"].replace(b"obs_A", b"other")
        return module.Form(form.main, form.files | {"measurements.tsv": slipped}, form.ids)

    monkeypatch.setattr(module, "_as_petab", with_a_slip)
    assert any("linter" in said and "other" in said for said in complaints(source, tmp_path / "petab"))


def test_how_a_model_is_solved_comes_back_in_a_conf():
    usual = Tolerances()
    assert _told(usual) == ""
    own = Tolerances(1e-9, 1e-10, 1e-6, 1e-7, error_control=False, method="staggered")
    assert _told(own) == (
        ", rtol: 1e-09, atol: 1e-10, gradient_rtol: 1e-06, gradient_atol: 1e-07, sensitivity_error_control: off, "
        "sensitivity_method: staggered"
    )
