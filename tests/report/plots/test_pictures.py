"""Every kind of picture: what it shows, that it is a file, and that names stay text."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.axes import Axes

from bnfhmc.errors import InputError
from bnfhmc.posterior import Posterior
from bnfhmc.prior import make_parameter
from bnfhmc.report import plots
from bnfhmc.report.constraints import Held
from bnfhmc.report.plots.style import label, ticks_in_theta
from tests.report.finished import draws, problem, study

HOSTILE = ("$\\frac{1}$", "<script>alert(1)</script>", "s" * 200)
POSTERIOR = Posterior(problem())
STUDY = study(POSTERIOR, draws(POSTERIOR, diverging=[(0, 3), (2, 9)]))
EXPECTED = {"fit": 3, "prior": 3, "constraints": 0, "waterfall": 0, "profile": 0}


@pytest.mark.parametrize("kind", plots.KINDS)
def test_each_kind_is_an_svg_and_a_png_with_words(kind):
    made = list(plots.pictures(STUDY, kind, png=True))
    assert len(made) == EXPECTED.get(kind, 1)
    for picture in made:
        assert ElementTree.fromstring(picture.svg).tag == "{http://www.w3.org/2000/svg}svg"
        assert picture.png.startswith(b"\x89PNG") and len(picture.text) > 20 and picture.kind == kind


def test_an_unknown_kind_is_named():
    with pytest.raises(InputError, match="unknown picture 'fits'; did you mean 'fit'"):
        list(plots.pictures(STUDY, "fits"))


def test_the_same_picture_has_the_same_bytes():
    first, second = (next(plots.pictures(study(POSTERIOR), "forest")).svg for _ in range(2))
    assert first == second


def leaves(axes):
    """The single axes in nested lists of them."""
    return [leaf for part in axes for leaf in leaves(part)] if isinstance(axes, list | tuple) else [axes]


@pytest.mark.parametrize("kind", plots.KINDS)
def test_each_kind_gives_its_axes(kind):
    made = plots.axes(STUDY, kind, units={"time": "min"})
    assert len(made) == EXPECTED.get(kind, 1)
    for picture in made:
        assert all(isinstance(ax, Axes) for ax in leaves(picture))
        assert len({plots.figure_of(ax) for ax in leaves(picture)}) == 1


def test_files(tmp_path):
    paths = plots.save_pictures(STUDY, "fit", tmp_path / "pictures")
    assert sorted(p.name for p in paths) == sorted(
        f"fit_{e}.{kind}" for e in ("decay", "counts", "dose_response") for kind in ("png", "svg")
    )
    assert all(p.stat().st_size > 5000 for p in paths)


def test_file_names_stay_in_their_folder(tmp_path):
    other = study(Posterior(problem(title="../../etc/passwd")))
    paths = plots.save_pictures(other, "fit", tmp_path / "in")
    assert {p.parent for p in paths} == {tmp_path / "in"} and not list(tmp_path.glob("*.svg"))


@pytest.fixture(scope="module")
def hostile():
    return study(Posterior(problem(HOSTILE, title="$x$<b>")))


@pytest.mark.parametrize("kind", plots.KINDS)
def test_hostile_names_are_text(kind, hostile):
    for picture in plots.pictures(hostile, kind):
        tags = {e.tag.partition("}")[2] for e in ElementTree.fromstring(picture.svg).iter()}
        assert not tags & {"script", "b", "foreignObject"} and not re.search(rb"https?://(?!www\.w3|purl|matplotlib|creative)",
                                                                             picture.svg)  # fmt: skip


def test_labels():
    assert label("a$b") == r"a\$b" and label("a\nb") == r"a\nb" and len(label("x" * 90)) == 30


def test_the_fit_shows_data_bands_and_residuals():
    top, bottom = plots.plot_fit(STUDY.fits[0], units={"time": "min", "A": "nM"})
    points = next(line for line in top.lines if line.get_marker() == "o")
    np.testing.assert_array_equal(points.get_ydata(), STUDY.fits[0].observed)
    assert len(top.collections) == 4 and top.get_ylabel() == "A (nM)" and bottom.get_xlabel() == "time (min)"
    left = next(line for line in bottom.lines if line.get_marker() == "o")
    np.testing.assert_allclose(left.get_ydata(), STUDY.fits[0].observed - STUDY.fits[0].predicted)


def test_logarithmic_noise_is_drawn_on_a_logarithmic_axis():
    top, bottom = plots.plot_fit(STUDY.fits[2])
    assert top.get_yscale() == "log" and bottom.get_ylabel() == "log₁₀ ratio" and bottom.get_xscale() == "log"


def test_a_curve_that_vanishes_leaves_a_logarithmic_axis_to_the_data():
    dose = STUDY.fits[2]
    vanishing = replace(dose, curve=np.concatenate([dose.curve[:, :2], 1e-12 * dose.curve[:, 2:]], axis=1))
    low, high = plots.plot_fit(vanishing)[0].get_ylim()
    assert dose.new.min() / 15 < low < dose.new.min() and dose.new.max() < high < 15 * dose.new.max()
    labels = [t.get_text() for t in plots.plot_fit(dose)[0].get_yticklabels()]
    assert {"1", "10"} <= set(labels) and not any("10^" in t for t in labels)


def test_data_that_their_bands_dwarf_are_seen_on_a_logarithmic_axis():
    counts = STUDY.fits[1]
    assert plots.plot_fit(counts)[0].get_yscale() == "linear"
    wide = replace(counts, curve=counts.curve * np.array([0.1, 1, 1, 10, 300])[:, None])
    assert plots.plot_fit(wide)[0].get_yscale() == "log"
    zero = replace(wide, observed=np.where(np.arange(8) == 2, 0.0, wide.observed))
    assert plots.plot_fit(zero)[0].get_yscale() == "symlog"


def test_the_legend_says_what_any_panel_shows():
    known = replace(STUDY.fits[1], bars=np.array([STUDY.fits[1].observed - 1, STUDY.fits[1].observed + 1]))
    (top, _), _ = plots.plot_experiment([STUDY.fits[0], known])
    (legend,) = plots.figure_of(top).legends
    said = [t.get_text() for t in legend.get_texts()]
    assert {"measured", "measured ± σ", "prediction, median"} < set(said) and len(said) == len(set(said))


def test_units_are_those_of_the_configuration_unless_others_are_given():
    settings = problem().settings.model_copy(update={"axis_units": {"time": "s", "A": "µM"}})
    plain, of_conf = study(POSTERIOR), study(Posterior(replace(problem(), settings=settings)))

    def drawn(of, units):
        return next(plots.pictures(of, "fit", units=units)).svg

    assert drawn(of_conf, {}) == drawn(plain, {"time": "s", "A": "µM"}) != drawn(plain, {})
    assert drawn(of_conf, {"time": "h"}) == drawn(plain, {"time": "h", "A": "µM"})


def test_a_steady_state_has_no_time_axis():
    steady = replace(STUDY.fits[0], rows=np.array([np.inf]), curve=STUDY.fits[0].curve[:, :1], x=np.full(9, np.inf))
    _, bottom = plots.plot_fit(steady)
    assert [t.get_text() for t in bottom.get_xticklabels()] == ["steady state"]


def test_marginals_are_densities_with_their_prior():
    a, *_ = plots.plot_marginals(STUDY.parameters, STUDY.flat)
    stairs = a.patches[0].get_data()
    assert np.sum(stairs.values * np.diff(stairs.edges)) == pytest.approx(1.0, abs=1e-6)
    x, y = a.lines[0].get_data()
    np.testing.assert_allclose(y, np.exp(-0.5 * (x - 0.5) ** 2) / np.sqrt(2 * np.pi))


def test_ticks_are_round_values_of_theta():
    rate = make_parameter("k", None, {}, "log10", lower=1e-3, upper=1e2)
    ax = plots.plot_energy(np.random.default_rng(0).normal(size=(2, 50)))
    for lo, hi, expected in ((-3, 2, {"0.001", "0.1", "10"}), (-0.2, 0.2, {"0.75", "1.25"}), (-0.5, 0.5, {"0.5", "1", "2"})):
        ax.set_xlim(lo, hi)
        ticks_in_theta(ax, rate.scale)
        labels = [t.get_text() for t in ax.get_xticklabels()]
        assert expected <= set(labels) and all(lo <= np.log10(float(t)) <= hi for t in labels)


def test_the_pair_plot_marks_divergences():
    axes = plots.plot_pair(STUDY.parameters, STUDY.flat, STUDY.stats["diverging"].ravel())
    crosses = [line for line in axes[1][0].lines if line.get_marker() == "x"]
    assert len(crosses) == 1 and len(crosses[0].get_xdata()) == 2


def test_ranks_count_every_draw():
    (_, right), *_ = plots.plot_trace(STUDY.parameters[:1], STUDY.u[:, :, :1])
    assert all(sum(s.get_data().values) == 250 for s in right.patches if hasattr(s, "get_data"))


def test_energy_names_every_chain():
    energy = np.random.default_rng(0).normal(size=(3, 400))
    assert plots.plot_energy(energy).get_title(loc="left").count(",") == 2
    assert "to" in plots.plot_energy(np.tile(energy, (3, 1))).get_title(loc="left")


def test_waterfall_and_profile():
    ax = plots.plot_waterfall(np.array([3.0, 1.0, np.inf, 1.05, 8.0]))
    filled = ax.lines[1].get_ydata()
    np.testing.assert_allclose(filled, [0.0, 0.05])
    ax = plots.plot_waterfall(np.array([3.0, 1.0, np.inf, 1.05, 8.0]), converged=np.array([True, True, True, False, False]))
    assert [line.get_label() for line in ax.lines[1:]] == ["within 0.1 of the best (1)", "elsewhere (1)", "not at rest (2)"]
    np.testing.assert_allclose(ax.lines[3].get_ydata(), [0.05, 7.0])
    u = np.linspace(-1, 1, 9)
    ax = plots.plot_profile(STUDY.parameters[0], u, u**2 + 3, (0.0, 3.0))
    np.testing.assert_allclose(ax.lines[0].get_ydata(), u**2)
    assert ax.lines[2].get_ydata()[0] == pytest.approx(1.9207, abs=1e-4)


def test_constraints():
    held = (Held("A > 1 at 3", "f.prop:1", 10, 0, 1.0, 0.7, -1.0, 0.2, 3), Held("x", "", 0, 4, None, None, None, None, None))
    ax = plots.plot_constraints(held)
    assert [b.get_width() for b in ax.patches] == [70.0, 0.0]
    assert any(t.get_text() == "not solved" for t in ax.texts)
