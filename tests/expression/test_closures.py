"""Plain functions of expressions against the expressions."""

import numpy as np
import pytest

from bnfhmc.expression import parse
from bnfhmc.expression.closures import LARGEST, number_of

M = {"a": 2.0, "b": -3.0, "z": 0.0}


@pytest.mark.parametrize("text", ["a", "7", "a - b*a/7 + -b", "a^2", "exp(a)*b", "piecewise(a, b > 0, z)", "-(a/(b + a))"])
def test_the_value_is_that_of_the_expression(text):
    value = number_of(parse(text))(M)
    assert isinstance(value, float) and value == float(parse(text)(M))


@pytest.mark.parametrize("text, value", [("a/z", np.inf), ("b/z", -np.inf), ("z/z", np.nan), ("1/(a - a)", np.inf)])
def test_what_does_not_exist_is_what_the_expression_says(text, value):
    np.testing.assert_array_equal(number_of(parse(text))(M), value)


def test_large_trees_and_shared_branches_are_left_to_the_expression():
    long = " + ".join(["a"] * 2000)
    deep = "a"
    for _ in range(40):
        deep = f"({deep})*1"
    assert number_of(parse(long))(M) == 4000.0
    assert number_of(parse(deep))(M) == 2.0
    assert LARGEST < 2000
