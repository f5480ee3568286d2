"""The way in: which reader a file gets, what is imported for it, and what models are opened with."""

import numpy as np
import pytest

import bnfhmc
from bnfhmc.errors import InputError, MissingTool
from bnfhmc.model import load_model
from bnfhmc.read.petab import read_petab
from tests.test_cli import modules_after

HEAVY = {"petab", "pandas", "sympy", "yaml", "libsbml", "antlr4"}


def test_nothing_of_petab_is_imported_until_a_problem_is_read():
    assert not modules_after("import bnfhmc; bnfhmc.load") & HEAVY


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="nowhere.yaml: file '.*nowhere.yaml' not found"):
        bnfhmc.load(tmp_path / "nowhere.yaml")


def test_a_configuration_is_read_as_one(tmp_path):
    (tmp_path / "fit.conf").write_text("fit_typ = nuts\n")
    with pytest.raises(InputError, match="fit_typ"):
        bnfhmc.load(tmp_path / "fit.conf")


def test_models_are_opened_with_the_settings_of_the_problem(petab):
    asked = {}

    def loader(path, **options):
        asked.update(options, path=path)
        return load_model(path, **options)

    problem = read_petab(petab.write(1), load_model=loader)
    assert asked["path"] == petab.path / "model.xml" and asked["name"] == "model"
    assert (asked["rtol"], asked["atol"]) == (problem.settings.rtol, problem.settings.atol)
    assert asked["free"] == {"k1": 0.8, "k2": 0.6} and {"k1", "k2", "A"} <= asked["settable"]


def test_a_tool_that_is_missing_is_said_alone_or_beside_the_mistakes(petab):
    def loader(path, **options):
        raise MissingTool("a compiler is missing")

    with pytest.raises(MissingTool, match="a compiler"):
        read_petab(petab.write(2), load_model=loader)


def test_loading_again_gives_the_same_problem(petab):
    path = petab.write(2)
    posteriors = [bnfhmc.Posterior(bnfhmc.load(path)) for _ in range(2)]
    u = posteriors[0].u_from_theta([0.8, 0.6])
    np.testing.assert_array_equal(posteriors[0].pointwise(u), posteriors[1].pointwise(u))
