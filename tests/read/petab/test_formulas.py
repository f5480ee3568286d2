"""PEtab's mathematics as our expressions: values and derivatives against sympy's own."""

import math

import numpy as np
import pytest
import sympy as sp
from petab.v1.math import sympify_petab

from bnfhmc.expression import ExpressionError, Name, Num
from bnfhmc.read.petab.formulas import read_formula

AT = {"a": 0.3, "b": 1.7, "c": -0.6, "x": 2.2, "_y": 0.9, "e": 0.5}

ARITHMETIC = ["a - 2*b + 3*c", "a/b", "-1/(a*b)", "-3*a*b/(c*x)", "(a + b)*(a + b)", "2*a/3", "a*(b + c)/(x - 1)^0.5",
              "a^2", "a^-2", "a^b", "2^a", "e^a", "x^0.5", "x^-0.5", "pow(a, 3)", "0.1234567890123456789*a", "+a - -b",
              "_y*1e-3"]  # fmt: skip
FUNCTIONS = ["sqrt(a)", "exp(a)", "exp(1)*a", "log10(b)", "log2(b)", "log(b)", "log(b, 3)", "ln(b)", "abs(c)", "sign(c)*a",
             "min(a, max(b, c))", "sin(a) + cos(a) + tan(a)", "sec(a)*csc(b)*cot(a)", "sinh(a) + cosh(a) + tanh(a)",
             "sech(a) + csch(a) + coth(a)", "arcsin(a) + arccos(a) + arctan(a)",
             "arcsinh(a) + arccosh(b) + arctanh(a)"]  # fmt: skip
CHOICES = ["piecewise(1, a > b, 2, a < b, 3)", "piecewise(a, a > 1 && b < 2 || !(c < 0), b)", "piecewise(a, b == 1.7, c)",
           "piecewise(a, b != 1.7, c)", "piecewise(a^2, b >= 1.7, c <= 0, 2, 3)", "piecewise(a, true, b)"]  # fmt: skip


def of_sympy(e: sp.Expr) -> float:
    return float(e.subs({s: AT[s.name] for s in e.free_symbols}))


@pytest.mark.parametrize("text", [*ARITHMETIC, *FUNCTIONS, *CHOICES])
def test_values_and_derivatives_are_sympys(text):
    ours, theirs = read_formula(text), sympify_petab(text)
    assert ours.names == {s.name for s in theirs.free_symbols}
    assert float(ours(AT)) == pytest.approx(of_sympy(theirs), rel=1e-13)
    for name in ours.names if "sign" not in text and "abs" not in text else ():
        symbol = next(s for s in theirs.free_symbols if s.name == name)
        assert float(ours.derivative(name)(AT)) == pytest.approx(of_sympy(theirs.diff(symbol)), rel=1e-12, abs=1e-13)


def test_numbers_and_names_are_themselves():
    assert read_formula("0.25").node == Num(0.25) and read_formula("-3e2").node == Num(-300.0)
    assert read_formula("k_1").node == Name("k_1")
    assert read_formula("true").constant == 1.0 and read_formula("1 + 2").constant == 3.0


def test_a_condition_that_is_a_number_holds_unless_it_is_zero():
    said = read_formula("piecewise(1, x, 2)")
    np.testing.assert_array_equal(said({"x": np.array([0.0, 0.5])}), [2, 1])


def test_shared_branches_are_one():
    deep = "*".join(["(a + b*exp(c))"] * 40)
    assert math.isclose(float(read_formula(deep)(AT)), (0.3 + 1.7 * math.exp(-0.6)) ** 40, rel_tol=1e-12)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a +", "mismatched input '<EOF>' expecting"), ("a b", "at column 3"), ("foo(a)", "Unknown function: foo(a)"),
        ("1/0", "is not real-valued"), ("log10(0)", "is no finite number"), ("sqrt(-1)", "is not real-valued"),
        ("nan", "Use of reserved name 'nan'"), ("inf", "is no finite number"), ("(a < b)*2", "Relational cannot be used"),
        ("a +" * 4000, "longer than 10000 characters"),
        ("(" * 3000 + "a" + ")" * 3000, "it is nested too deep"), ("__import__('os').system('ls')", "at column"),
        ("sin(a, b)", "Unexpected number of arguments"),
    ],
)  # fmt: skip
def test_what_is_no_formula(text, said):
    with pytest.raises(ExpressionError) as error:
        read_formula(text)
    assert said in str(error.value)
