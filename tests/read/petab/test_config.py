"""The YAML file: what it may say, and where it is wrong."""

import logging

import pytest

from tests.read.petab.problems import CONVERSION, YAML_1, YAML_2


@pytest.mark.parametrize(
    ("yaml", "said"),
    [
        ("", ["problem.yaml: the file says nothing; it holds lines such as 'format_version: 2.0.0'"]),
        ("- a\n- b\n", ["problem.yaml:1: the file is no mapping of keys to values; type 'key: value' lines"]),
        ("a: [1\nb: 2", ["problem.yaml:2: no YAML: expected ',' or ']', but got ':'; check the indentation and quotes"]),
        ("a: 1", ["problem.yaml:1: 'format_version' is missing, so this is no PEtab problem; type 'format_version: 2.0.0'"]),
        ("format_versio: 1", ["problem.yaml:1: 'format_version' is missing, so this is no PEtab problem; did you mean "
                              "'format_versio'?"]),
        ("format_version: 3.0.0", ["problem.yaml:1: PEtab version 3.0.0 is not known here; versions 1 and 2 are"]),
        ("format_version: 1\nparameter_file: parameters.tsv",
         ["problem.yaml:1: 'problems' lists no problem; list at least one, with sbml_files, measurement_files, …"]),
        (YAML_1.replace("[model.xml]", "[model.xml, model.xml]"),
         ["problem.yaml:4: a problem has more than one model; list each model as a problem of its own"]),
        (YAML_1.replace("observable_files", "observables_files"),
         ["problem.yaml:4: 'observable_files' is missing; type 'observable_files: [<file>.tsv]'",
          "problem.yaml:7: unknown key 'observables_files'; did you mean 'observable_files'?"]),
        (YAML_2.replace("observable_files", "observables_files"),
         ["problem.yaml:1: 'observable_files' is missing; type 'observable_files: [<file>.tsv]'",
          "problem.yaml:7: unknown key 'observables_files'; did you mean 'observable_files'?"]),
        (YAML_2 + "parameter_files: [more.tsv]\n",
         ["problem.yaml:8: 'parameter_files' is given twice; the first is in line 2; keep one"]),
        (YAML_2.replace("[observables.tsv]", "[observable.tsv]"),
         ["problem.yaml:7: file 'observable.tsv' not found; did you mean 'observables.tsv'?"]),
        (YAML_2.replace("[observables.tsv]", "[https://example.org/observables.tsv]"),
         ["problem.yaml:7: 'https://example.org/observables.tsv' is a web address, and nothing is fetched; save the file "
          "beside this one and name it"]),
        (YAML_2.replace("[observables.tsv]", "{a: b}"), ["problem.yaml:7: observable_files: a file's name is no text"]),
        (YAML_2.replace("language: sbml", "language: pysb"),
         ["problem.yaml:3: models in 'pysb' are not supported; export it as SBML"]),
        (YAML_2.replace("language: sbml", "language: bngl"),
         ["problem.yaml:3: 'model.xml' does not end as a model in bngl does; such files end in .bngl or .net"]),
        (YAML_2.replace(", language: sbml", ""), ["problem.yaml:3: model 'conversion' has no language"]),
        (YAML_2 + "extensions: {sciml: {version: 0.1.0, required: true}}\n",
         ["problem.yaml:8: the extension 'sciml' is not supported; write the problem without it"]),
        (YAML_1 + "extensions: {sciml: {version: 0.1.0}}\n",
         ["problem.yaml:8: the extension 'sciml' is not supported; write the problem without it"]),
        ("!!python/object/apply:os.system ['touch pwned']",
         ["problem.yaml:1: the file is no mapping of keys to values; type 'key: value' lines"]),
    ],
)  # fmt: skip
def test_what_is_wrong(petab, yaml, said):
    version = 1 if "format_version: 1" in yaml else 2
    assert petab.wrong(version, yaml) == said
    assert not (petab.path / "pwned").exists()


def test_all_missing_files_are_named_at_once(petab):
    yaml = YAML_2.replace("measurements.tsv", "measure.tsv").replace("model.xml", "other.xml").replace("[parameters", "[para")
    assert [m.split(":")[1] for m in petab.wrong(2, yaml)] == ["2", "3", "6"]


def test_an_extension_that_changes_nothing_is_passed_over(petab):
    assert petab.load(2, YAML_2 + "extensions: {notes: {version: 0.1.0, required: false}}\n").names == ("k1", "k2")


def test_what_only_draws_pictures_is_not_opened(petab):
    assert petab.load(1, YAML_1 + "  visualization_files: [nowhere.tsv]\n").names == ("k1", "k2")


def test_files_may_lie_in_other_folders(petab):
    (petab.path / "models").mkdir()
    (petab.path / "models" / "a.sbml").write_text(CONVERSION)
    problem = petab.load(2, YAML_2.replace("model.xml", "models/../models/a.sbml"))
    assert problem.models["conversion"].path == petab.path / "models/../models/a.sbml"
    absolute = YAML_2.replace("model.xml", str(petab.path / "models" / "a.sbml"))
    assert petab.load(2, absolute).names == ("k1", "k2")


def test_nothing_is_printed_or_logged(petab, capfd, caplog):
    with caplog.at_level(logging.DEBUG):
        assert petab.load(1).names == ("k1", "k2")
        assert petab.wrong(1, observables="observableId | observableFormula | noiseFormula\nobs_a | A + | 1")
    assert capfd.readouterr() == ("", "")
    assert not [r for r in caplog.records if r.name.startswith("petab")]
    assert logging.getLogger("petab").propagate and not logging.getLogger("petab").handlers
