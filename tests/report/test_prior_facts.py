"""What is said of a prior that is a density on another scale than its parameter's."""

import json

import pytest

from bnfhmc.prior import LIN, LN, LOG10, Normal, PushedForward, Truncated
from bnfhmc.report.check.overview import prior_facts
from bnfhmc.report.run_json import plain


@pytest.mark.parametrize("pushed, said", [
    (PushedForward(Normal(0.3, 0.5), LN, LIN), "normal(mean 0.3, sd 0.5) of ln(θ)"),
    (Truncated(PushedForward(Normal(2.0, 0.5), LIN, LOG10), -1.0, 1.0), "normal(mean 2, sd 0.5) of θ on [-1, 1]"),
])  # fmt: skip
def test_it_says_which_scale(pushed, said):
    assert str(prior_facts(pushed)) == said
    recorded = json.loads(json.dumps(plain(pushed)))
    assert "ln" in json.dumps(recorded) or "lin" in json.dumps(recorded)
