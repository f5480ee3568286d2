"""Targets as configurations word them: defaults, the order of coordinates, and every mistake at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnfhmc.errors import InputError
from bnfhmc.noise.target import (
    TARGETS,
    Banana,
    Funnel,
    Gaussian,
    Multimodal,
    RotatedGaussian,
    RotatedQuartic,
    parse_target,
)

XY = ("x1", "x2")


def mistakes(*args, **kwargs):
    with pytest.raises(InputError) as caught:
        parse_target(*args, **kwargs)
    return [str(m) for m in caught.value.mistakes]


@pytest.mark.parametrize("name, fields, expected", [
    ("banana", (), Banana(XY, 1.0, 100.0)),
    ("banana", ("b = 20", "A=-2"), Banana(XY, -2.0, 20.0)),
    ("funnel", (), Funnel(XY, 3.0)),
    ("funnel", ("sd = 1.5e0",), Funnel(XY, 1.5)),
    ("gaussian", ("mean = 0 1", "variance = 1 .5"), Gaussian(XY, (0.0, 1.0), (1.0, 0.5))),
    ("rotated_gaussian", ("mean = 0 0", "variances = 2 0.5"), RotatedGaussian(XY, (0.0, 0.0), (2.0, 0.5), 0.0)),
    ("rotated_quartic", ("mean = 0 0", "angle = 0.5", "coeff = 0.01 1"),
     RotatedQuartic(XY, (0.0, 0.0), (0.01, 1.0), 0.5)),
])  # fmt: skip
def test_closed_forms(name, fields, expected):
    assert parse_target(name, fields, (), None, XY) == expected


def test_modes():
    modes = (("weight = 0.5", "mean = -4 -4", "variance = 0.5 0.5"), ("mean = 4 4", "variance = 1 2"))
    assert parse_target("multimodal", (), modes, None, XY) == Multimodal(
        XY, [0.5, 1.0], [(-4.0, -4.0), (4.0, 4.0)], [(0.5, 0.5), (1.0, 2.0)]
    )


def test_coordinates_follow_the_numbers_in_the_names():
    names = tuple(f"theta{i}" for i in (10, 2, 1, 9, 8, 7, 3, 4, 6, 5))
    assert parse_target("banana", (), (), None, names).names == tuple(f"theta{i}" for i in range(1, 11))
    target = parse_target("gaussian", ("mean = 1 2", "variance = 1 1"), (), None, ("p2", "q1"))
    assert target.names == ("q1", "p2")
    assert target.loss(np.array([1.0, 2.0])) == 0


def test_an_expression_depends_on_the_parameters_it_names():
    target = parse_target("expression", (), (), "a^2 + c", ("c", "b", "a"))
    assert target.names == ("c", "a")
    assert target.loss_gradient(np.array([1.0, 3.0]))[1] == pytest.approx([1, 6])


@pytest.mark.parametrize("args, said", [
    (("bananna", (), (), None, XY), ["did you mean 'banana'?"]),
    (("callable", (), (), None, XY), ["known are"]),
    (("banana", ("a = 1", "a = 2", "c = 3", "b", "b = x", "b = 1 2", "b = nan"), (), None, XY),
     ["'a' is given twice", "no field 'c'", "'b' is no 'field = number'", "finite numbers, got 'x'",
      "one number, got '1 2'", "finite numbers, got 'nan'"]),
    (("gaussian", ("mean = 0 0 0",), (), None, ("x", "x2")), ["needs 'variance'", "'x' does not say which coordinate"]),
    (("gaussian", ("mean = 0 1e999", "variance = "), (), None, XY), ["'mean' takes finite", "'variance' takes finite"]),
    (("gaussian", ("mean = 0 0 0", "variance = 1 -1"), (), None, XY), ["'mean' has 3 numbers for 2", "holds positive"]),
    (("multimodal", ("mean = 0 0",), (), None, XY), ["multimodal has no field 'mean'", "has no mode"]),
    (("multimodal", (), (("wieght = 1", "mean = 0 0", "variance = 1 1"), ("mean = 0 0",)), None, XY),
     ["mode 1 has no field 'wieght'; did you mean 'weight'?", "mode 2 needs 'variance'"]),
    (("banana", (), (("mean = 0",),), "x1", XY, {"t": np.ones(2)}), ["'mode: …'", "'expression = …'", "'data = …'"]),
    (("banana", (), (), None, ("x1", "x3")), ["from 1 to 2; name them x1, x2, … without a gap"]),
    (("banana", (), (), None, ("x1", "y1")), ["from 1 to 2"]),
    (("banana", ("b = -1",), (), None, ("x1",)), ["'b' is a positive", "at least 2"]),
    (("expression", ("a = 1",), (), None, XY), ["takes nothing after it", "needs the expression itself"]),
    (("expression", (), (), "x1 +* 2", XY), ["column 5"]),
    (("expression", (), (), "__import__('os').system('true')", XY), ["unexpected"]),
    (("expression", (), (), "x1 + kk + zz", ("x1", "kkk")), ["'kk'", "'zz'"]),
    (("expression", (), (), "x1 + _e", ("x1", "_e")), ["'_e' is a constant of mathematics"]),
    (("expression", (), (), "2 + t", ("x1",), {"t": np.ones(2)}), ["names no parameter"]),
    (("expression", (), (), "x1", ("x1", "t"), {"t": np.ones(2)}), ["read by nothing"]),
    (("expression", (), (), "x1*t", ("x1", "t"), {"t": np.ones(2)}), ["a declared parameter and a column"]),
])  # fmt: skip
def test_every_mistake_at_once(args, said):
    found = mistakes(*args)
    assert len(found) == len(said), found
    assert all(words in line for words, line in zip(said, found, strict=True)), found


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.sampled_from([*TARGETS, "expression"]), st.lists(st.text(max_size=12), max_size=3),
       st.lists(st.lists(st.text(max_size=12), max_size=2), max_size=2), st.none() | st.text(max_size=20),
       st.lists(st.text(max_size=4), max_size=3, unique=True))  # fmt: skip
def test_any_text_is_read_or_refused(name, fields, modes, expression, names):
    try:
        target = parse_target(name, fields, modes, expression, names)
    except InputError as error:
        assert error.mistakes
    else:
        assert target.loss_gradient(np.ones(len(target.names)))[1].shape == (len(target.names),)
