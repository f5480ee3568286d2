"""The official cases of PEtab 1 as configurations, and from there as PEtab 2: the same posterior each time."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from bnfhmc.posterior import Posterior
from bnfhmc.write import convert
from tests.write.building import assert_same, read

SPEC = find_spec("petabtests")
ROOT = Path((SPEC.submodule_search_locations or [""])[0]) / "cases" / "v1.0.0" / "sbml" if SPEC is not None else Path()
CASES = [f"{n:04d}" for n in range(1, 19)]


@pytest.mark.skipif(SPEC is None, reason="needs the package petabtests")
@pytest.mark.parametrize("case", CASES)
def test_through_a_configuration(tmp_path: Path, case: str):
    source = ROOT / case / f"_{case}.yaml"
    problem = read(source)
    assert Posterior(problem).measurements
    middle = convert(source, tmp_path / "conf").paths[0]
    assert_same(problem, read(middle), {n: n for n in problem.names})
    again = read(convert(middle, tmp_path / "petab").paths[0])
    assert_same(problem, again, dict(zip(problem.names, again.names, strict=True)))
