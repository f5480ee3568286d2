"""How to optimize, as a configuration says it."""

from __future__ import annotations

import re

import pytest

from bnfhmc.optimizers.backends import BACKENDS
from bnfhmc.problem import Optimization, Optimizer
from bnfhmc.read.keys import METHODS, OPTIMIZATION, OPTION_KEYS, OPTION_WORDS, OPTIONS


@pytest.fixture
def optimize(folder, fit):
    """Reads the lines under a fit_type."""
    return lambda fit_type, lines="": folder.load(fit.replace("fit_type = nuts", f"fit_type = {fit_type}") + lines).settings


@pytest.mark.parametrize("method", [*BACKENDS, "map", "profile_likelihood"])
def test_every_method(optimize, method):
    s = optimize(method)
    assert (s.method, s.then, s.optimization) == (method, (), Optimization())


@pytest.mark.parametrize(("word", "method"), [("de", "differential_evolution"), ("sim", "nelder_mead"), ("CMAES", "cma")])
def test_words_of_pybnf(optimize, word, method):
    assert optimize(word).method == method


def test_all_keys(optimize):
    s = optimize("profile_likelihood", """\
num_starts = 50
start_draws = 3
max_evaluations = 700
tolerance = 1e-4
search_space = k1 0.5 2
search_space = k2 0 3
profile_likelihood_params = k1, k2
profile_likelihood_confidence = 0.9
start = results/map.json
""")  # fmt: skip
    assert s.optimization == Optimization(
        starts=50, draws=3, max_evaluations=700, tolerance=1e-4, search_space={"k1": (0.5, 2.0), "k2": (0.0, 3.0)},
        profiled=("k1", "k2"), confidence=0.9,
    )  # fmt: skip
    assert s.start is not None and s.start.endswith("results/map.json") and s.start != "results/map.json"


def test_the_population_is_the_starts(optimize):
    assert optimize("map", "population_size = 7").optimization.starts == 7
    assert optimize("map", "population_size = 7\nnum_starts = 9").optimization.starts == 9
    assert optimize("nuts", "population_size = 7").optimization.starts is None


def test_options_of_the_methods(optimize):
    s = optimize("cma, adam", "cma_popsize = 12\ncma_sigma0 = 0.3\nadam_schedule = constant\n")
    assert s.optimization.options == {"cma": {"popsize": 12, "sigma0": 0.3}, "adam": {"schedule": "constant"}}
    assert isinstance(s.optimization.options["cma"]["popsize"], int)


def test_a_chain(optimize):
    s = optimize("differential_evolution, map, nuts", "num_samples = 10\nnum_starts = 3")
    assert (s.method, s.then, s.num_samples, s.optimization.starts) == ("differential_evolution", ("map", "nuts"), 10, 3)


def test_starts_of_a_sampler(optimize):
    assert optimize("nuts", "start = MAP\nnum_starts = 30").optimization.starts == 30
    assert optimize("nuts", "num_starts = 30").optimization.starts == 30  # chains start around the modes


@pytest.mark.parametrize(("fit_type", "line", "what"), [
    ("map", "num_samples = 10", "'num_samples' has no effect on fit_type = map, which draws no samples; delete the line, or "
                                "type 'fit_type = map, nuts'"),
    ("nuts", "start = prior\nnum_starts = 3", "'num_starts' has no effect on fit_type = nuts without 'start = map'; add that "
                                              "line, or delete this one"),
    ("map", "profile_likelihood_params = k1", "'profile_likelihood_params' has no effect without 'fit_type = "
                                              "profile_likelihood'; delete the line"),
    ("map", "cma_sigma0 = 0.3", "'cma_sigma0' has no effect without 'fit_type = cma'; delete the line"),
    ("cma", "cma_sigma0 = wide", "'cma_sigma0' takes a number, got 'wide'"),
    ("map", "num_starts = many", "'num_starts' takes a whole number, got 'many'"),
    ("map", "num_starts = 0", "'num_starts = 0': it should be greater than or equal to 1"),
    ("map", "population_size = 0", "'population_size = 0': it should be greater than or equal to 1"),
    ("map", "tolerance = -1", "'tolerance = -1': it should be greater than 0"),
    ("map", "search_space = k1 0.5", "'search_space' takes a parameter and its two bounds, got 'k1 0.5'; type 'search_space = "
                                     "<parameter> <lower> <upper>'"),
    ("map", "search_space = kk2 0.5 2", "search_space of 'kk2', which is no declared parameter; did you mean 'k2'?"),
    ("profile_likelihood", "profile_likelihood_params = k1, kk2", "'kk2' is no declared parameter; did you mean 'k2'?"),
    ("map", "num_start = 3", "unknown key 'num_start'; did you mean 'num_starts'?"),
])  # fmt: skip
def test_what_is_wrong(folder, fit, fit_type, line, what):
    found = folder.wrong(fit.replace("fit_type = nuts", f"fit_type = {fit_type}") + line + "\n")
    assert any(re.sub(r"^fit.conf:\d+: ", "", w) == what for w in found), found


@pytest.mark.parametrize("fit_type", ["nuts, map", "profile_likelihood, map"])
def test_what_leads_nowhere_stands_last(folder, fit, fit_type):
    (found,) = folder.wrong(fit.replace("fit_type = nuts", f"fit_type = {fit_type}"))
    first = fit_type.split(",")[0]
    assert found == (f"fit.conf:2: 'fit_type = {fit_type}': {first} leads to no best point that the next method could start "
                     f"from; put {first} last")  # fmt: skip


def test_an_unknown_method_of_a_chain(folder, fit):
    (found,) = folder.wrong(fit.replace("fit_type = nuts", "fit_type = mapp, nuts"))
    assert found == "fit.conf:2: unknown fit_type 'mapp'; did you mean 'map'? type 'fit_type = nuts'"


def test_the_tables_agree_with_the_backends():
    from typing import get_args

    assert {*get_args(Optimizer)} == {*BACKENDS, "map", "profile_likelihood"} <= set(METHODS.values())
    assert {name for name, _ in OPTIMIZATION.values()} == {*Optimization.model_fields} - {"options"}
    for method, keys in OPTIONS.items():
        assert set(keys) <= set(BACKENDS[method].extra)
    assert set(OPTION_WORDS) <= set(OPTION_KEYS)
