"""Settings that hold for all constraints of a fit: another penalty, a weight, a fitted scale, a width."""

import dataclasses
from pathlib import Path

import pytest

from bnfhmc.errors import InputError
from bnfhmc.expression import parse
from bnfhmc.noise import Constant, Formula
from bnfhmc.noise.constraint import Constraint, configured
from bnfhmc.noise.constraint_penalty import Bernoulli, Hinge, Inequality
from bnfhmc.noise.constraint_timing import Whole

A_BELOW_B = Inequality("A", "B")


def one(penalty, **settings):
    constraint = Constraint(A_BELOW_B, Whole(), penalty, "A < B always", Path("d.prop"), 3)
    return configured([constraint], **settings)[0].penalty


def test_conversions():
    assert one(Hinge(4.0), family="logit") == Bernoulli("logit", 0.25)
    assert one(Hinge(4.0), family="probit", weight=2.0) == Bernoulli("probit", 0.2)
    assert one(Bernoulli("logit", 0.5, 0.1, 0.9), family="probit") == Bernoulli("probit", 0.8, 0.1, 0.9)
    assert one(Bernoulli("probit", 0.8, 0.1, 0.9), family="logit") == Bernoulli("logit", 0.5, 0.1, 0.9)
    assert one(Bernoulli("probit", 0.8, 0.1, 0.9), family="hinge") == Hinge(2.0)
    assert one(Hinge(2.0, 1.0), family="hinge") == Hinge(2.0, 1.0)
    assert one(Bernoulli("probit", 0.0, 0.1), family="probit") == Bernoulli("probit", 0.0, 0.1)
    assert one(Bernoulli("logit", 1.0), family="auto") == Bernoulli("logit", 1.0)
    assert one(Hinge(2.0, 1.0), weight=3.0) == Hinge(6.0, 1.0)
    assert one(Bernoulli("logit", 2.0), weight=3.0, scale=Constant(5.0)) == Bernoulli("logit", 5.0)


def test_a_fitted_scale_and_a_smoothing_are_kept():
    source = Formula(parse("s"))
    (made,) = configured([Constraint(A_BELOW_B, Whole())], "probit", scale=source, smoothing=0.2)
    assert made.scale == source and made.smoothing == 0.2 and made.scale.value({"s": 0.4}) == 0.4


@pytest.mark.parametrize(
    "penalty, arguments, said",
    [
        (Hinge(0.0), {"family": "logit"}, "weight 0 is no logit penalty"),
        (Hinge(1.0, 2.0), {"family": "logit"}, "a logit penalty has no 'min'"),
        (Hinge(1.0, 0.0, A_BELOW_B), {"family": "probit"}, "a probit penalty has no 'altpenalty'"),
        (Bernoulli("probit", 0.0, 0.1), {"family": "hinge"}, "a step (tolerance 0) is no hinge penalty"),
        (Hinge(), {"scale": Formula(parse("s"))}, "a hinge has no scale to fit"),
        (Hinge(), {"family": "softplus"}, "there is no penalty 'softplus'"),
        (Hinge(), {"smoothing": -1.0}, "smoothing -1"),
        (Bernoulli("logit", 1.0), {"scale": Constant(-1.0)}, "scale -1"),
    ],
)
def test_what_cannot_be_done_is_named_at_its_line(penalty, arguments, said):
    with pytest.raises(InputError) as error:
        one(penalty, **arguments)
    (mistake,) = error.value.mistakes
    assert said in str(mistake) and str(mistake).startswith("d.prop:3: ")


def test_all_the_lines_that_cannot_be_done_are_named_at_once():
    first = Constraint(A_BELOW_B, Whole(), path=Path("d.prop"), line=1)
    lines = [first, *(dataclasses.replace(first, penalty=Hinge(0.0), line=line) for line in (2, 3))]
    with pytest.raises(InputError) as error:
        configured(lines, "logit")
    assert [m.line for m in error.value.mistakes] == [2, 3]
    with pytest.raises(InputError, match="constraint_scale = -1"):
        configured(lines, weight=-1.0)
