"""samples.txt: its exact layout, and that PyBNF reads it."""

import numpy as np
import pytest

from bnfhmc.report.samples_txt import write_samples


def test_layout(tmp_path):
    theta = np.array([[[0.1, 2.0], [1e-30, 4.0]], [[5.0, -6.5], [7.0, 8.0]]])
    write_samples(tmp_path / "s", ("k2", "A"), theta, np.array([[-1.0, -2.5], [0.0, -4.0]]))
    assert (tmp_path / "s").read_bytes() == (
        b"# Name\tLn_probability\tA\tk2\n"
        b"iter0run0\t-1.0\t2.0\t0.1\n"
        b"iter1run0\t-2.5\t4.0\t1e-30\n"
        b"iter0run1\t0.0\t-6.5\t5.0\n"
        b"iter1run1\t-4.0\t8.0\t7.0\n"
    )


def test_pybnf_reads_it_to_the_last_digit(tmp_path):
    bridge = pytest.importorskip("pybnf.inference_data", reason="PyBNF is not installed: pip install 'bnfhmc[test]'")
    rng = np.random.default_rng(5)
    names = ("k10__FREE", "k2", "Kd", "beta")
    theta = 10.0 ** rng.uniform(-30, 30, (3, 12, 4))    # 12 draws: as texts, iter10 comes before iter2
    lp = rng.normal(size=(3, 12))
    write_samples(tmp_path / "samples.txt", names, theta, lp)
    idata = bridge.from_pybnf(str(tmp_path))
    assert sorted(idata.posterior.data_vars) == sorted(names)
    for i, name in enumerate(names):
        assert np.array_equal(idata.posterior[name].values, theta[:, :, i])
    assert np.array_equal(idata.sample_stats["lp"].values, lp)


def test_a_name_cannot_add_columns_or_rows(tmp_path):
    write_samples(tmp_path / "s", ("a\tb\nc", "d"), np.ones((1, 1, 2)), np.zeros((1, 1)))
    assert (tmp_path / "s").read_text() == "# Name\tLn_probability\ta b c\td\niter0run0\t0.0\t1.0\t1.0\n"
