"""The box that a search looks in."""

import numpy as np
import pytest

from bnfhmc.errors import InputError
from bnfhmc.optimizers.box import OUTSIDE, search_box
from bnfhmc.prior import PriorVector, make_parameter


def vector(*parameters):
    return PriorVector(tuple(parameters))


UNIFORM = make_parameter("a", None, {}, "log10", 1e-3, 1e2)
NORMAL = make_parameter("b", "normal", {"mean": 1.0, "sd": 2.0}, "lin")
HALF = make_parameter("c", "exponential", {"scale": 2.0}, "lin")
WILD = make_parameter("d", "cauchy", {"location": 0.0, "scale": 10.0}, "log10")


def test_supports_and_central_masses():
    box = search_box(vector(UNIFORM, NORMAL, HALF))
    np.testing.assert_allclose(box.lower, [-3.0, 1.0 - 2.0 * 3.2905267, 0.0], rtol=1e-6)
    np.testing.assert_allclose(box.upper, [2.0, 1.0 + 2.0 * 3.2905267, -2.0 * np.log(OUTSIDE / 2)], rtol=1e-6)
    np.testing.assert_allclose(box.width, box.upper - box.lower)


def test_a_search_space_overrides_in_theta_and_stays_in_the_support():
    box = search_box(vector(UNIFORM, NORMAL), {"a": (0.1, 1e9), "b": (-1.0, 4.0)})
    np.testing.assert_allclose(box.lower, [-1.0, -1.0])
    np.testing.assert_allclose(box.upper, [2.0, 4.0])


def test_a_box_that_cannot_be_derived_names_its_parameters():
    with pytest.raises(InputError, match="parameter 'd': no box to search in .* give search_space = {'d': "):
        search_box(vector(UNIFORM, WILD))
    assert np.isfinite(search_box(vector(UNIFORM, WILD), {"d": (1e-3, 1e3)}).width).all()


def test_an_infinite_support_is_left_alone_where_it_may_be():
    box = search_box(vector(NORMAL, WILD), {"b": (0.0, 1.0)}, finite=False)
    np.testing.assert_array_equal(box.lower, [0.0, -np.inf])


@pytest.mark.parametrize("space, said", [
    ({"q": (0.0, 1.0), "b": (2.0, 1.0)}, ["names 'q', which is no parameter", "'b': search_space is \\(2, 1\\)"]),
    ({"a": (-1.0, 1.0)}, ["'a': search_space is \\(-1, 1\\); it takes two finite values, .* between 0 and inf"]),
    ({"a": (1e3, 1e4)}, ["nothing of search_space \\(1000, 10000\\) lies in the support"]),
    ({"b": (0.0, np.inf)}, ["two finite values"]),
])  # fmt: skip
def test_wrong_search_spaces_are_all_said_at_once(space, said):
    with pytest.raises(InputError) as raised:
        search_box(vector(UNIFORM, NORMAL), space)
    for sentence in said:
        assert raised.match(sentence)
