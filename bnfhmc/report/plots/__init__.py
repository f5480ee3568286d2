"""Pictures of a finished run, each a function that returns axes, and the kinds that ``bnfhmc plot`` knows.

    study = bnfhmc.open_study("results")
    with bnfhmc.plot.styled():
        ax = bnfhmc.plot.plot_forest(study.names, study.theta)
        every = bnfhmc.plot.axes(study, "fit")
    bnfhmc.plot.figure_of(ax).savefig("forest.svg")
"""

from bnfhmc.report.plots.checks import (
    plot_constraints,
    plot_convergence,
    plot_energy,
    plot_loo_pit,
    plot_pareto_k,
    plot_profile,
    plot_ranks,
    plot_waterfall,
)
from bnfhmc.report.plots.drawn import Picture
from bnfhmc.report.plots.draws import plot_forest, plot_marginals, plot_pair, plot_trace
from bnfhmc.report.plots.fit import plot_experiment, plot_fit
from bnfhmc.report.plots.kinds import KINDS, OF_FITS, axes, check_kind, kinds_of, pictures, save_pictures
from bnfhmc.report.plots.style import figure_of, rendered, styled

__all__ = [
    "KINDS",
    "OF_FITS",
    "Picture",
    "axes",
    "check_kind",
    "figure_of",
    "kinds_of",
    "pictures",
    "plot_constraints",
    "plot_convergence",
    "plot_energy",
    "plot_experiment",
    "plot_fit",
    "plot_forest",
    "plot_loo_pit",
    "plot_marginals",
    "plot_pair",
    "plot_pareto_k",
    "plot_profile",
    "plot_ranks",
    "plot_trace",
    "plot_waterfall",
    "rendered",
    "save_pictures",
    "styled",
]
