"""The priors of PEtab version 1 on each parameter scale, against the petab package."""

import numpy as np
import pytest
from petab.v1.priors import Prior as PetabPrior

from bnfhmc.prior import LIN, LN, LOG10, Laplace, Normal, Uniform, prior_in

SCALES = {"lin": LIN, "log": LN, "log10": LOG10}
# word: (family, the scale it is given on, its two parameters); None is the parameter's own scale
PRIORS = {
    "uniform": (Uniform, LIN, (0.5, 8.0)), "normal": (Normal, LIN, (2.0, 1.5)), "laplace": (Laplace, LIN, (2.0, 0.7)),
    "logNormal": (Normal, LN, (0.4, 0.6)), "logLaplace": (Laplace, LN, (0.4, 0.3)),
    "parameterScaleUniform": (Uniform, None, (-0.5, 0.9)), "parameterScaleNormal": (Normal, None, (0.4, 0.6)),
    "parameterScaleLaplace": (Laplace, None, (0.4, 0.6)),
}  # fmt: skip


@pytest.mark.parametrize("word", PRIORS)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("bounds", [(1e-12, 1e12), (0.7, 6.0)])
def test_it_is_petabs_density_with_the_jacobian_of_the_scale(word, scale, bounds):
    family, given, fields = PRIORS[word]
    outer = SCALES[scale]
    ours = prior_in(outer, family(*fields), given or outer, *bounds)
    theirs = PetabPrior(word, fields, bounds=bounds, transformation=scale)
    u = ours.ppf(np.linspace(0.03, 0.97, 9))
    expected = theirs.pdf(u, x_scaled=True, rescale=True)
    np.testing.assert_allclose(np.exp(ours.logpdf(u)), expected, rtol=1e-9)
    # neglogprior is that of the density in θ, which this differs from by the Jacobian alone
    assert np.array_equal(-np.log(theirs.pdf(outer.theta_from_u(u))), theirs.neglogprior(u, x_scaled=True))
    np.testing.assert_allclose(ours.logpdf(u), -theirs.neglogprior(u, x_scaled=True) + np.log(outer.dtheta_du(u)), atol=1e-9)
    lo, hi = outer.theta_from_u(np.array(ours.support))
    assert lo >= bounds[0] * (1 - 1e-15) and hi <= bounds[1] * (1 + 1e-15)
