"""A proposed configuration can be read, and means what was proposed."""

from pathlib import Path

import numpy as np
import pytest

import bnfhmc
from bnfhmc.errors import InputError
from bnfhmc.model import load_model
from bnfhmc.noise import Constant, Formula
from bnfhmc.write.scaffold import scaffold, write_scaffold

BNGL = """begin model
begin parameters
  A0 10
  k  k__FREE
  L  0
end parameters
begin molecule types
  A()
end molecule types
begin seed species
  A() A0
end seed species
begin observables
  Molecules A A()
end observables
begin functions
  double() = 2*A + L
end functions
begin reaction rules
  A() -> 0 k
end reaction rules
end model
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "m.bngl").write_text(BNGL)
    (tmp_path / "in" / "d.exp").write_text("time A A_SD\n1 8 0.5\n2 6 0.4\n")
    (tmp_path / "in" / "e.exp").write_text("time double\n1 16\n3 nan\n4 8\n")
    (tmp_path / "in" / "s.exp").write_text("L A\n0 8\n2 6\n")
    return tmp_path


def propose(files, *data, target="fit.conf"):
    path = files / target
    text = scaffold(files / "in" / "m.bngl", [files / "in" / d for d in data], path, load_model=load_model)
    write_scaffold(path, text)
    return bnfhmc.load(path)


def test_it_can_be_read(files):
    p = propose(files, "d.exp", "e.exp")
    assert p.names == ("A0", "L", "k__FREE", "sd_double") or set(p.names) == {"A0", "L", "k__FREE", "sd_double"}
    by_name = {q.name: q for q in p.parameters}
    assert by_name["A0"].scale.name == "log10" and by_name["A0"].prior.mean == pytest.approx(1.0)
    assert by_name["L"].scale.name == "lin" and by_name["L"].prior.sd == 1.0
    assert by_name["sd_double"].prior.scale == pytest.approx(1.6)
    d, e = p.experiments
    assert isinstance(d.series[0].sources["sigma"], Constant) and isinstance(e.series[0].sources["sigma"], Formula)
    np.testing.assert_array_equal(d.series[0].sources["sigma"].values, [0.5, 0.4])
    assert bnfhmc.Posterior(p).dim == 4


def test_with_all_standard_deviations_one_line_does(files):
    p = propose(files, "d.exp")
    assert "sigma = read_exp_file _SD" in (files / "fit.conf").read_text() and len(p.parameters) == 3


def test_a_scanned_quantity_is_no_parameter(files):
    p = propose(files, "s.exp")
    assert "L" not in p.names and p.experiments[0].scan.quantity == "L"


def test_paths_are_relative_to_the_configuration(files):
    assert propose(files, "d.exp", target="elsewhere/deep/fit.conf").experiments[0].name == "d"
    assert "../../in/m.bngl" in (files / "elsewhere/deep/fit.conf").read_text()


def test_two_files_of_one_name(files):
    (files / "in" / "more").mkdir()
    (files / "in" / "more" / "d.exp").write_text("time A A_SD\n1 7 0.5\n")
    assert [e.name for e in propose(files, "d.exp", "more/d.exp").experiments] == ["d_1", "d_2"]


def test_columns_that_the_model_does_not_have(files):
    (files / "in" / "w.exp").write_text("time duble A_SD\n1 2 3\n")
    (files / "in" / "v.exp").write_text("dose A\n1 2\n")
    with pytest.raises(InputError) as error:
        propose(files, "w.exp", "v.exp")
    said = str(error.value)
    assert "w.exp:1: column 'duble' is no output of model 'm'; did you mean 'double'?" in said
    assert "column 'A_SD'" in said and "v.exp:1: the first column 'dose' is neither 'time' nor a quantity" in said


def test_nothing_is_replaced(files):
    propose(files, "d.exp")
    with pytest.raises(InputError, match="is there already; name another file, or type --overwrite"):
        write_scaffold(files / "fit.conf", "mine")
    write_scaffold(files / "fit.conf", "mine", overwrite=True)
    assert Path(files / "fit.conf").read_text() == "mine"


def test_no_data(files):
    with pytest.raises(InputError, match="no data file is given"):
        propose(files)
