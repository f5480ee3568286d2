"""petab's linter has the last word, in our voice."""

from tests.read.petab.problems import TABLES_1, TABLES_2


def test_version_1(petab):
    table = TABLES_1["parameters"] + "\nidle | lin | | | 1 | 0"
    assert petab.wrong(1, parameters=table) == [
        "parameters.tsv:4: 'idle': Extraneous parameter(s) in parameter table (petab's linter)"
    ]


def test_version_2(petab):
    table = TABLES_2["parameters"] + "\nidle | | | 1 | false\nidler | | | 1 | false"
    assert petab.wrong(2, parameters=table) == [
        f"parameters.tsv:{line}: '{name}': Extraneous parameter(s) in parameter table (petab's linter)"
        for line, name in ((4, "idle"), (5, "idler"))
    ]


def test_an_observable_that_is_not_measured_is_looked_at_too(petab):
    for version in (1, 2):
        (said,) = petab.wrong(version, observables=TABLES_1["observables"] + "\nobs_b | B + nowhere | 1")
        assert "{'nowhere'} (petab's linter)" in said
