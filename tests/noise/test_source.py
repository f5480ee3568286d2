"""Where a noise parameter comes from."""

import numpy as np
import pytest

from bnfhmc.expression import parse
from bnfhmc.noise import Constant, Formula


def test_a_formula_has_value_and_gradient():
    source = Formula(parse("a/phi + b"))
    at = {"a": 3.0, "phi": 0.5, "b": 1.0, "other": 9.0}
    assert source.value(at) == 7.0
    assert source.gradient(at) == pytest.approx({"a": 2.0, "phi": -12.0, "b": 1.0})
    assert not source.is_one_parameter


def test_fit_is_the_formula_that_is_one_name():
    source = Formula(parse("sigma"))
    assert source.is_one_parameter
    assert source.value({"sigma": 0.3}) == 0.3
    assert source.gradient({"sigma": 0.3}) == {"sigma": 1.0}


def test_a_formula_out_of_its_domain_is_no_number_and_silent(recwarn):
    source = Formula(parse("1/phi"))
    assert source.value({"phi": 0.0}) == np.inf
    assert not np.isfinite(source.gradient({"phi": 0.0})["phi"])
    assert not recwarn.list


def test_a_constant_is_a_number_or_one_number_a_measurement():
    assert Constant(2.0).values == 2.0
    assert Constant(np.array([1.0, 2.0])).values.tolist() == [1.0, 2.0]
