"""The summary: against arviz where arviz is right, and where a spread is too small or too large for it."""

import io

import numpy as np
import pytest
from rich.console import Console

from bnfhmc.report.quiet_arviz import load_arviz
from bnfhmc.report.summary import Summary, print_summary, summarize

RNG = np.random.default_rng(3)
AR = np.zeros((4, 600))
for t in range(1, 600):
    AR[:, t] = 0.6 * AR[:, t - 1] + RNG.normal(size=4)


def printed(summary, width=100):
    out = io.StringIO()
    print_summary(Console(file=out, width=width), summary)
    return out.getvalue()


def test_against_arviz():
    az = load_arviz()
    s = summarize(("x",), AR[:, :, None])
    expected = az.summary(az.convert_to_dataset({"x": AR}), round_to="none").loc["x"]
    assert s.mean[0] == pytest.approx(expected["mean"]) and s.sd[0] == pytest.approx(expected["sd"])
    assert s.mcse_mean[0] == pytest.approx(expected["mcse_mean"], rel=1e-9)
    assert s.ess_bulk[0] == pytest.approx(expected["ess_bulk"], rel=1e-9)
    assert s.ess_tail[0] == pytest.approx(expected["ess_tail"], rel=1e-9)
    assert s.r_hat[0] == pytest.approx(expected["r_hat"], rel=1e-9)
    assert (s.q05[0], s.q95[0]) == tuple(np.quantile(AR, [0.05, 0.95]))
    assert s.ess_bulk[0] < 1500


@pytest.mark.parametrize("unit", [1e-25, 1e-16, 1e200])
def test_no_unit_changes_the_diagnostics(unit):
    """arviz alone counts any spread below 1e-15 as none, with every draw effective."""
    one, other = summarize(("x",), AR[:, :, None]), summarize(("x",), unit * AR[:, :, None])
    for field in ("ess_bulk", "ess_tail", "r_hat"):
        np.testing.assert_allclose(getattr(other, field), getattr(one, field), rtol=1e-6)
    for field in ("mean", "q05", "q95", "mcse_mean"):
        np.testing.assert_allclose(getattr(other, field), unit * getattr(one, field), rtol=1e-6)


def test_what_does_not_exist_is_nan(recwarn):
    stuck = summarize(("stuck", "far"), np.stack([np.full((4, 50), 2.0), np.full((4, 50), np.inf)], axis=-1))
    assert np.isnan(stuck.r_hat).all() and np.isnan(stuck.ess_bulk).all() and stuck.mean[0] == 2.0
    alone = summarize(("x",), AR[:1, :, None])
    assert np.isnan(alone.r_hat[0]) and alone.ess_bulk[0] > 100
    few = summarize(("x",), AR[:, :3, None])
    assert np.isnan(few.r_hat[0]) and np.isnan(few.ess_bulk[0]) and np.isfinite(few.mean[0])
    assert np.isfinite(summarize(("x",), AR[:, :1, None]).mean[0])
    assert not [w for w in recwarn if issubclass(w.category, RuntimeWarning)]


def one(name, **values):
    fields = ("mean", "sd", "q05", "q95", "mcse_mean", "ess_bulk", "ess_tail", "r_hat")
    return Summary((name,), *(np.array([values.get(f, 1.0)]) for f in fields))


@pytest.mark.parametrize("name", ["[red]k[/red]", "[/]", "k\\[", "[link=https://example.org]x"])
def test_markup_in_a_name_is_text(name):
    assert name in printed(one(name))


def test_control_characters_in_a_name_are_spelt_out():
    out = printed(one("a\nb\x1b[2Jc\u202ed"))
    assert r"a\nb\x1b[2Jc\u202ed" in out


def test_a_narrow_console_cuts_nothing_off():
    out = printed(one("a_rather_long_parameter_name", mean=-1.2345e-10, ess_bulk=12345.0, r_hat=np.nan), width=20)
    row = next(line for line in out.splitlines() if "a_rather" in line)
    assert row.split() == ["a_rather_long_parameter_name", "-1.234e-10", "1", "1", "1", "1", "12345", "1", "–"]
