"""Every key has an effect or is refused by name."""

from __future__ import annotations

import pytest

from bnfhmc.read.keys import ASSIGNED, FIXED, MANY, METHODS, OTHER_METHODS, READ, RECORDS, REFUSED, SETTINGS, VARIABLES


def test_a_key_is_read_or_refused_never_both():
    assert not set(ASSIGNED) & set(REFUSED)
    assert not set(RECORDS) & set(REFUSED)
    assert len(ASSIGNED) == len(set(ASSIGNED))
    assert set(MANY) <= set(READ)


def test_every_key_of_pybnf_is_known():
    parse = pytest.importorskip("pybnf.parse", reason="pybnf of the test extra is not installed")
    theirs = {
        *parse.numkeys_int,
        *parse.numkeys_float,
        *parse.multnumkeys,
        *parse.strkeylist,
        *parse.multstrkeys,
        *parse.dictkeys,
        *parse.b_var_def_keys,
        *parse.var_def_keys,
        *parse.var_def_keys_1or2nums,
        "model",
        "mutant",
        "normalization",
        "noise_model",
        "mode",
        "expression",
        "callable",
        "data",
        "generate_network",
        "condition",
        "experiment",
        "observable",
        "parameter",
        "start_point",
    }
    assert {k.lower() for k in theirs} <= {*ASSIGNED, *RECORDS, *REFUSED}


def test_every_method_of_pybnf_is_known():
    pytest.importorskip("pybnf.algorithms", reason="pybnf of the test extra is not installed")
    from pybnf.registry import FIT_TYPE_REGISTRY

    assert set(FIT_TYPE_REGISTRY) <= {*METHODS, *OTHER_METHODS}


@pytest.mark.parametrize("key", sorted(REFUSED))
def test_a_refused_key_is_named_at_its_line(folder, fit, key):
    found = [w for w in folder.wrong(f"{fit}{key} = 1\n") if w.startswith("fit.conf:8:")]
    what, hint = REFUSED[key]
    assert found == [f"fit.conf:8: '{key}' {what}; {hint}"]


@pytest.mark.parametrize(
    ("key", "fields"), [(k, f) for k, fs in RECORDS.items() for f, why in (fs or {}).items() if why]
)
def test_a_refused_field_is_named_at_its_line(folder, fit, key, fields):
    head = {"model": "decay.bngl", "experiment": "e2, data: d1.exp", "observable": "A", "condition": "c"}[key]
    found = folder.wrong(f"{fit}{key}: {head}, {fields}: 1\n")
    assert any(w.startswith(f"fit.conf:8: '{fields}:' ") for w in found)


@pytest.mark.parametrize("key", sorted(FIXED))
def test_a_fixed_key_takes_only_what_happens_anyway(folder, fit, key):
    values, why = FIXED[key]
    for value in values:
        assert folder.wrong(f"{fit}{key} = {value}\n") == []
    assert folder.wrong(f"{fit}{key} = 17\n") == [
        f"fit.conf:8: '{key} = 17' is not what happens here: {why}; delete the line"
    ]


def test_profiling_is_refused_with_its_reason(folder, fit):
    (found,) = folder.wrong(fit + "noise_profiling = 1\n")
    assert "profiling is for optimizers: it is not marginalising" in found


@pytest.mark.parametrize("method", sorted(OTHER_METHODS))
@pytest.mark.parametrize("key", ["fit_type", "job_type"])
def test_a_method_that_is_not_run(folder, fit, method, key):
    (found,) = folder.wrong(fit.replace("fit_type = nuts", f"{key} = {method}"))
    assert found == (f"fit.conf:2: '{key} = {method}' ({OTHER_METHODS[method]}) is not run here; type '{key} = nuts'")


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("target_acept = 0.8", "unknown key 'target_acept'; did you mean 'target_accept'?"),
        ("random seed = 3", "unknown key 'random seed'; did you mean 'random_seed'?"),
        ("zzzzzzzz = 3", "unknown key 'zzzzzzzz'"),
        ("random_seed: 3", "'random_seed' takes an equals sign; type 'random_seed = 3'"),
        ("condition = c", "'condition' takes a colon; type 'condition: c'"),
        ("observables: A, column: a", "unknown keyword 'observables:'; did you mean 'observable'?"),
        ("mode = 1", "'mode' takes a colon; type 'mode: 1'"),
        ("mode: weight = 1", "'mode' has no effect without 'objective = multimodal'; delete the line"),
        ("expression = k1", "'expression' has no effect without 'objective = expression'; delete the line"),
        ("callable = a:b", "'callable' has no effect without 'objective = callable'; delete the line"),
        ("data = d1.exp", "'data' has no effect without 'objective = expression' or 'objective = callable'; delete the line"),
        ("edition = 1", "'edition = 1' contradicts 'edition = 2' on line 1; keep one of them"),
    ],
)
def test_keys_that_are_wrong(folder, fit, line, what):
    assert folder.wrong(fit + line) == [f"fit.conf:8: {what}"]


def test_an_edition_that_is_not_there(folder, fit):
    assert folder.wrong(fit.replace("edition = 2", "edition = 3")) == [
        "fit.conf:1: there is no edition '3'; type 'edition = 2'"
    ]


def test_edition_2_is_said_once_where_it_is_needed(folder, fit):
    assert folder.wrong(fit.replace("edition = 2", "")) == [
        "fit.conf:4: 'model:' lines belong to edition 2, and this file is read as edition 1; add the line 'edition = 2'"
    ]


def test_keys_are_case_insensitive_and_may_repeat_themselves(folder, fit):
    assert folder.wrong(fit + "RANDOM_SEED = 3\nrandom_seed = 3\nJob_Type = nuts\n") == []


def test_the_two_spellings_contradict_each_other(folder, fit):
    assert folder.wrong(fit + "job_type = am\nobjfunc = chi_sq\n") == [
        "fit.conf:8: 'job_type = am' contradicts 'fit_type = nuts' on line 2; keep one of them",
        "fit.conf:9: 'objfunc = chi_sq' contradicts 'objective = sos' on line 3; keep one of them",
    ]


def test_the_tables_have_the_settings_they_fill():
    from bnfhmc.problem import Settings

    assert {name for name, _ in SETTINGS.values()} <= set(Settings.model_fields)
    assert "student_t_var" in REFUSED and "loglogistic_var" in VARIABLES
