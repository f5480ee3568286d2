"""Texts of expressions, read again by the two formats' own readers."""

import pytest
import sympy as sp
from petab.v1.math import sympify_petab

from bnfhmc.expression import parse
from bnfhmc.write.formulas import conf_text, number_text, petab_text

VALUES = {"x": 1.7, "y": 2.7, "z": 3.7, "a": 0.3, "b": 0.6, "c": 5.0}
FORMULAS = [
    "(-x)^2", "-2^x", "(-2)^2*x", "x^-2", "2^(3^x)", "(2^3)^x", "a-(b-c)", "a-b-c", "x/(y/z)", "x/y/z", "-(x+y)*z", "2--3*x",
    "!(x>2)*3", "(x>1 || y>100)*z + abs(-x)", "(a>1) == (b<2)", "min(x, y>1)", "if(x>2 && y, x, y)",
    "piecewise(1, x, 2, y>3, z)", "piecewise(x>1, y>3, z>1)", "acos(0.1*x) + asinh(y)", "exp(-x)*ln(y)/log10(z)",
    "log(x, 3)", "1e-7*x + 1.25e12", "_pi*x + _e",
]  # fmt: skip


@pytest.mark.parametrize("text", FORMULAS)
def test_a_configuration_reads_what_was_written(text: str):
    said = parse(text)
    assert parse(conf_text(said))(VALUES) == said(VALUES)


@pytest.mark.parametrize("text", FORMULAS)
def test_petab_reads_what_was_written(text: str):
    said = parse(text)
    read = sympify_petab(petab_text(said, str))
    value = float(read.subs({sp.Symbol(n, real=True): v for n, v in VALUES.items()}))
    assert value == pytest.approx(float(said(VALUES)), rel=1e-14)


def test_names_are_replaced_in_petab_alone():
    assert petab_text(parse("k1*A + A"), {"k1": "k1_est", "A": "s_A"}.__getitem__) == "k1_est * s_A + s_A"


def test_numbers_are_short_and_exact():
    assert [number_text(x) for x in (3.0, 0.1, 1e300, -2.0, float("inf"), float("-inf"))] == [
        "3", "0.1", "1e+300", "-2", "inf", "-inf"
    ]  # fmt: skip
    assert float(number_text(1 / 3)) == 1 / 3
