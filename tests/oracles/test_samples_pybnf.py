"""samples.txt as PyBNF's own bridge to arviz reads it."""

import numpy as np
import pytest

pytest.importorskip("pybnf", reason="pybnf (test extra) is not installed")

from pybnf.inference_data import from_pybnf  # noqa: E402

from bnfhmc.prior import make_parameter  # noqa: E402
from bnfhmc.report.samples_txt import write_samples  # noqa: E402

NAMES = ("kon", "Koff", "s")
SCALES = {"kon": "log10", "Koff": "lin", "s": "ln"}


@pytest.fixture
def drawn():
    rng = np.random.default_rng(3)
    return 10 ** rng.normal(size=(4, 30, 3)), rng.normal(size=(4, 30))


def test_every_draw_of_every_chain_in_order(tmp_path, drawn):
    theta, lps = drawn
    write_samples(tmp_path / "samples.txt", NAMES, theta, lps)
    idata = from_pybnf(tmp_path / "samples.txt")  # without a .conf it knows no scales, and takes θ as it is
    assert dict(idata.posterior.sizes) == {"chain": 4, "draw": 30}
    for i, name in enumerate(NAMES):
        np.testing.assert_array_equal(idata.posterior[name], theta[:, :, i])
    np.testing.assert_array_equal(idata.sample_stats["lp"], lps)


def test_on_the_scales_of_the_parameters(tmp_path, drawn):
    from pybnf.pset import FreeParameter

    theta, lps = drawn
    write_samples(tmp_path / "samples.txt", NAMES, theta, lps)
    prefix = {"lin": "", "log10": "log", "ln": "ln"}
    variables = [FreeParameter(n, f"{prefix[SCALES[n]]}normal_var", 0.0, 1.0) for n in NAMES]
    posterior = from_pybnf(tmp_path / "samples.txt", variables=variables).posterior
    for i, name in enumerate(NAMES):
        ours = make_parameter(name, "normal", {"mean": 0.0, "sd": 1.0}, SCALES[name])
        theirs = posterior[name if SCALES[name] == "lin" else f"{SCALES[name]}_{name}"]
        np.testing.assert_allclose(theirs, ours.scale.u_from_theta(theta[:, :, i]), rtol=1e-14)
