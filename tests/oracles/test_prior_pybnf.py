"""log p(u) and quantiles of every family on every scale, whole and truncated, against PyBNF."""

import math

import numpy as np
import pytest

pytest.importorskip("pybnf", reason="pybnf (test extra) is not installed")

from pybnf.priors import build_prior  # noqa: E402
from pybnf.pset import FreeParameter  # noqa: E402

from bnfhmc.prior import FAMILIES, make_parameter  # noqa: E402
from tests.prior.cases import CASES  # noqa: E402

PREFIX = {"lin": "", "log10": "log", "ln": "ln"}
OTHERS = [name for name, (family, _, _) in CASES.items() if family != "uniform"]
SCALES = pytest.mark.parametrize("scale", PREFIX)
# The bounds as quantiles; 0 and 1 stand for an open side.
CUTS = pytest.mark.parametrize("low, high", [(0, 1), (0.15, 0.8), (0.3, 1), (0, 0.6)])


def compare(ours, theirs):
    inside = np.array([ours.quantile(q) for q in np.linspace(0.01, 0.99, 25)])
    step = 0.1 * (inside[-1] - inside[0])
    lo, hi = ours.theta_bounds
    outside = [theta for theta, end in ((lo - step, lo), (hi + step, hi)) if math.isfinite(end)]
    if ours.scale.name != "lin":
        outside = [theta for theta in outside if theta > 0]
    for theta in (*inside, *outside):
        assert ours.prior.logpdf(ours.scale.u_from_theta(theta)) == pytest.approx(
            theirs.prior_logpdf(theta), rel=1e-10, abs=1e-10)
        assert ours.scale.u_from_theta(theta) == pytest.approx(theirs.to_sampling_space(theta), rel=1e-14)
    for q in (0.02, 0.5, 0.98):
        assert ours.quantile(q) == pytest.approx(theirs.value_from_quantile(q).value, rel=1e-9)
    u = ours.scale.u_from_theta(inside[7])
    assert ours.scale.theta_from_u(u) == pytest.approx(theirs.from_sampling_space(u), rel=1e-14)
    assert ours.scale.dtheta_du(u) == pytest.approx(theirs.d_from_sampling_space(u), rel=1e-14)


@SCALES
@CUTS
@pytest.mark.parametrize("name", OTHERS)
def test_prior_is_that_of_pybnf(name, scale, low, high):
    family, fields, _ = CASES[name]
    whole = make_parameter("k", family, fields, scale)
    lower = whole.quantile(low) if low > 0 else None
    upper = whole.quantile(high) if high < 1 else None
    p1, p2, p3 = (*fields.values(), None, None)[:3]
    theirs = FreeParameter("k", f"{PREFIX[scale]}{family}_var", p1, p2, p3=p3, lb=lower, ub=upper)
    compare(make_parameter("k", family, fields, scale, lower, upper), theirs)


@SCALES
def test_uniform_is_that_of_pybnf(scale):
    theirs = FreeParameter("k", f"{PREFIX[scale]}uniform_var", 0.02, 30.0)
    ours = make_parameter("k", "uniform", {}, scale, 0.02, 30.0)
    assert ours.support == tuple(theirs.prior_support())
    compare(ours, theirs)


@pytest.mark.parametrize("family", FAMILIES)
def test_fields_are_those_of_pybnf_in_its_order(family):
    fields = next(fields for name, fields, _ in CASES.values() if name == family)
    theirs, _ = build_prior(f"{family}_var", *(*fields.values(), None, None)[:3])
    assert tuple(theirs.field_names) == tuple(fields)
