"""Closed forms of crossings and starts, by hand and against difference quotients."""

from __future__ import annotations

import numpy as np
import pytest

from bnfhmc.expression import ExpressionError, parse
from bnfhmc.model.crossings import (
    OFFSET,
    Ambiguous,
    Forms,
    Line,
    Thresholds,
    Trigger,
    in_primaries,
    number_of,
)
from bnfhmc.model.starts import Starts

COLUMNS = ("a", "b")
M = {"a": 2.0, "b": 3.0, "c": 0.5}


def readings(*texts, clock=-1):
    return tuple((clock, parse(text)) for text in texts)


def forms(*texts, lines=(), triggers=(), clock=-1):
    return Forms(tuple(lines), Thresholds(readings(*texts, clock=clock), COLUMNS), tuple(triggers))


def test_a_jump_has_the_slopes_of_its_threshold(quotient):
    texts = ("a*b", "a^2 + c", "sqrt(b)")
    (crossings,) = [forms(*texts).at(M, {}, (0.0, 10.0))]
    assert [jump[0] for jump in crossings.jumps] == sorted(parse(t)(M) for t in texts)
    for t, clock, reading, slope, index, delta in crossings.jumps:
        text = next(x for x in texts if parse(x)(M) == t)
        expected = quotient(lambda v, text=text: np.array([parse(text)({**M, "a": v[0], "b": v[1]})]), np.array([2.0, 3.0]))
        np.testing.assert_allclose(slope, np.ravel(expected), rtol=1e-8, atol=1e-10)
        assert (clock, reading, index, delta) == (-1, t, [], [])


def test_a_species_that_is_a_clock_is_ahead_by_what_it_starts_with():
    (jump,) = forms("a*b", clock=4).at(M, {4: 1.5}, (2.0, 10.0)).jumps
    assert jump[:3] == (2.0 + (6.0 - 1.5), 4, 6.0)


@pytest.mark.parametrize("window, inside", [((0.0, 6.0), True), ((0.0, 5.9), False), ((6.0, 9.0), False), ((5.9, 9.0), True)])
def test_a_window_is_open_at_its_start(window, inside):
    found = forms("a*b", lines=[Line(-1, parse("time - a*b"))], triggers=[trigger(("a*b",))]).at(M, {}, window)
    assert (bool(found.jumps), bool(found.stops), bool(found.fires)) == (inside,) * 3


def test_what_no_column_moves_is_stopped_at_and_does_not_jump():
    found = forms("c", "7", lines=[Line(-1, parse("time - c"))]).at(M, {}, (0.0, 10.0))
    assert found.jumps == [] and found.stops == [(0.5, -1, 0.0)]


@pytest.mark.parametrize("other", ["6", "3*a", "a*b*(1 + 1e-13)"])
def test_crossings_at_one_instant_are_ambiguous(other):
    with pytest.raises(Ambiguous):
        forms("a*b", other).at(M, {}, (0.0, 10.0))
    assert forms("a*b", other).at(M, {}, (0.0, 5.0)).jumps == []


@pytest.mark.parametrize("text", ["ln(0-a)", "1/(a-2)"])
def test_a_threshold_that_is_no_number_is_ambiguous(text):
    with pytest.raises(Ambiguous):
        forms(text).at(M, {}, (0.0, 10.0))


def test_a_stop_is_where_its_line_is_zero_and_a_curve_has_none():
    lines = [Line(-1, parse("b*(time - a) - 1.5")), Line(-1, parse("time^2 - a")), Line(-1, parse("a - b + 0*time"))]
    assert forms(lines=lines).at(M, {}, (0.0, 10.0)).stops == [(pytest.approx(2.5, rel=1e-15), -1, 0.0)]


def test_a_stop_of_a_clock_has_its_reading_and_takes_the_place_of_one_in_time():
    clock = parse("time + shift - 6")
    shifted = Line(2, clock.renamed({"shift": OFFSET}))
    lines = [Line(-1, parse("time - 5")), shifted, Line(-1, parse("time - 1"))]
    assert forms(lines=lines).at(M, {2: 1.0}, (0.0, 10.0)).stops == [(1.0, -1, 0.0), (5.0, 2, 6.0)]


def trigger(after, before=(), event=3):
    return Trigger(event, Thresholds(readings(*after), COLUMNS), Thresholds(readings(*before), ()))


@pytest.mark.parametrize(
    "after, before, fires",
    [
        (("a",), (), [(3, [1.0, 0.0])]),
        (("a", "b"), (), [(3, [0.0, 1.0])]),  # the last bound to be passed is when it fires
        (("a", "b"), ("c",), []),  # never true
        (("a",), ("b",), [(3, [1.0, 0.0])]),
        (("c",), (), []),
        (("a*10",), (), []),  # after the end
    ],
)
def test_an_event_fires_at_the_last_of_its_lower_bounds(after, before, fires):
    assert forms(triggers=[trigger(after, before)]).at(M, {}, (0.0, 10.0)).fires == fires


def test_two_lower_bounds_at_one_instant_are_ambiguous():
    with pytest.raises(Ambiguous):
        forms(triggers=[trigger(("b", "a*1.5"))]).at(M, {}, (0.0, 10.0))


def test_derived_parameters_are_replaced_by_what_they_are_computed_from():
    derived = {"x": "y + a", "y": "2*b"}
    assert in_primaries("x*y", derived)(M) == (6.0 + 2.0) * 6.0
    assert in_primaries("x*y", derived).names == {"a", "b"}


@pytest.mark.parametrize("derived", [{"x": "y", "y": "x"}, {"x": "x + 1"}, {"x": "nonsense("}])
def test_what_is_no_arithmetic_of_primaries_is_refused(derived):
    with pytest.raises(ExpressionError):
        in_primaries("x", derived)


@pytest.mark.parametrize("text, value", [("a", 2.0), ("4.5", 4.5), ("a*b", 6.0)])
def test_numbers_of_expressions(text, value):
    assert number_of(parse(text))(M) == value


def test_starts_have_the_slopes_of_their_amounts(quotient):
    texts = ("a", "a^2*b", "piecewise(c, b > 1, a)")
    starts = Starts(tuple((k, parse(t)) for k, t in enumerate(texts)), {"a": 5, "b": 7, "c": 8})
    divisors = [1.0, 4.0, 0.0]
    rows = starts.rows(M, divisors)
    x = np.array([2.0, 3.0, 0.5])
    slopes = quotient(lambda v: np.array([parse(t)(dict(zip("abc", v, strict=True))) for t in texts], dtype=float), x)
    expected = np.reshape(slopes, (3, 3)) / np.array([[1.0], [4.0], [1.0]])
    got = np.zeros((3, 3))
    for species, parameter, slope in rows:
        got[species, {5: 0, 7: 1, 8: 2}[parameter]] += slope
    np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-10)
    assert set(starts.names) == {"a", "b", "c"}
    assert starts.by(["b"]).rows(M, divisors) == [row for row in rows if row[1] == 7]
    assert starts.rows({n: 2 * v for n, v in M.items()}, divisors) != rows  # none of another point is kept
    assert starts.rows(M, divisors) == rows
