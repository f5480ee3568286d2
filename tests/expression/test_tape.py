"""Gradients by the reverse mode against those by symbols and by difference quotients."""

import numpy as np
import pytest

from bnfhmc.expression import parse
from bnfhmc.expression.tape import Tape

M = {"a": 2.0, "b": 3.0, "c": 0.5, "d": -1.2}
TEXTS = [
    "a", "7", "a + b*c", "a - b - c", "-(a*b)/c", "a^2", "a^b", "(a*b)^0.5", "d^3", "d^2*a", "a^0", "2^c",
    "exp(c*a)/ln(b)", "piecewise(a*c, b > 1, a^2)", "min(a, b)*max(a*c, b)", "abs(d)*a",
    "sqrt(a^2 + b^2)", "(a*b + c)*(a*b + c) + (a*b + c)", "a/b/c/d", "sin(a*b)*cos(c)",
]  # fmt: skip


def gradient_of(text, m=M):
    tape = Tape([parse(text)])
    return {n: float(d) for n, d in tape.pull(tape.values(m), {0: 1.0}).items()}


@pytest.mark.parametrize("text", TEXTS)
def test_a_gradient_is_that_of_the_symbols(text, quotient):
    root, gradient = parse(text), gradient_of(text)
    for name in root.names:
        assert gradient.get(name, 0.0) == pytest.approx(float(root.derivative(name)(M)), rel=1e-13, abs=1e-300), name
    names = sorted(root.names)
    if names:
        x = np.array([M[n] for n in names])
        by_difference = np.ravel(quotient(lambda v: np.array([root(dict(zip(names, v, strict=True)))], dtype=float), x, 1e-4))
        np.testing.assert_allclose([gradient.get(n, 0.0) for n in names], by_difference, rtol=1e-7, atol=1e-8)


def test_values_are_those_of_the_expressions():
    roots = [parse(t) for t in TEXTS]
    tape = Tape(roots)
    values = tape.values(M)
    for k, root in enumerate(roots):
        assert tape.root(values, k) == pytest.approx(float(root(M)), rel=1e-15)


def test_roots_share_their_operations():
    tape = Tape([parse("(a*b + c)*d"), parse("(a*b + c)^2"), parse("a*b")])
    assert len(tape._operations) == 4


def test_weights_of_several_roots_over_rows_of_arrays():
    """Σ_k w_k ∂root_k/∂name row by row, of outputs that are arrays and parameters that are numbers."""
    roots = [parse("s*x/(x + y)"), parse("ln(y)*s"), parse("x"), parse("s"), parse("7")]
    rows = {"x": np.array([1.0, 2.0, 0.5]), "y": np.array([0.3, 4.0, 2.0]), "s": 1.7}
    weights = {k: np.random.default_rng(k).normal(size=3) for k in range(5)}
    tape = Tape(roots)
    found = tape.pull(tape.values(rows), weights)
    for name in ("x", "y", "s"):
        expected = sum(weights[k] * np.broadcast_to(root.derivative(name)(rows), 3) for k, root in enumerate(roots))
        np.testing.assert_allclose(found[name], expected, rtol=1e-13)
    assert set(tape.pull(tape.values(rows), {1: np.ones(3)})) == {"y", "s"}
    assert tape.pull(tape.values(rows), {4: np.ones(3)}) == {}


def test_a_row_of_no_weight_contributes_nothing():
    """At the first row the logarithm has no slope, and nothing was measured there."""
    tape = Tape([parse("log10(x)"), parse("x*y")])
    rows = {"x": np.array([0.0, 2.0]), "y": np.array([3.0, 5.0])}
    found = tape.pull(tape.values(rows), {0: np.array([0.0, 1.0]), 1: np.array([1.0, 0.0])})
    np.testing.assert_allclose(found["x"], [3.0, 1 / (2 * np.log(10))])
    assert not np.isfinite(tape.pull(tape.values(rows), {0: np.ones(2)})["x"][0])


@pytest.mark.parametrize("text, name", [("a/z", "a"), ("a/z", "z"), ("ln(z)", "z"), ("a^z", "z"), ("z^(0-1)", "z")])
def test_what_has_no_value_warns_of_nothing(text, name):
    assert not np.isfinite(gradient_of(text, {**M, "z": 0.0})[name]) or text == "a^z"


def test_a_long_chain_of_shared_branches_is_short_here():
    text = "a"
    for _ in range(8):
        text = f"({text})*({text})"
    assert len(Tape([parse(text)])._operations) == 8
    assert gradient_of(text, {"a": 1.01})["a"] == pytest.approx(256 * 1.01**255, rel=1e-12)
