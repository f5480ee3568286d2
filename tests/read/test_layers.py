"""Configurations from end to end, one a layer: files → Problem → Posterior, whose gradient is that of its value."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bnfhmc import Posterior
from bnfhmc.read import load

NET = """
begin parameters
    1 k1 0.7
    2 k2 0.3
    3 A0 10
    4 feed 0.5
    5 kd 2*k2
    6 B0 A0/5
end parameters
begin functions
    1 ratio() A/(A+B)
end functions
begin species
    1 A() A0
    2 B() B0
end species
begin reactions
    1 1 2 k1
    2 2 0 kd
    3 0 1 feed
end reactions
begin groups
    1 A 1
    2 B 2
    3 total 1,2
end groups
"""
COURSE = "time A B\n1 6.1 4.2\n2 4.3 4.9\n4 2.2 3.6\n6 nan 2.5\n"
COUNTS = "time A B\n1 6 4\n2 4 5\n4 2 4\n6 1 3\n"
SPREAD = "time A A_SD B B_SD\n1 6.1 0.3 4.2 0.1\n2 4.3 0.4 4.9 0.2\n4 2.2 0.2 3.6 0.3\n"
STEADY = "time A B\ninf 0.8 0.9\n"
DOSES = "feed A B\n0.2 0.4 0.4\n1 1.6 1.4\n2.5 4 nan\n"
K = """\
parameter: k1, prior: uniform, parameter_scale: log10, lower: 0.05, upper: 20
parameter: k2, prior: normal, parameter_scale: ln, mean: -1, sd: 1
"""
S = "parameter: s, prior: exponential, scale: 1\n"
HEAD = "edition = 2\nfit_type = nuts\nsbml_rtol = 1e-10\nsbml_atol = 1e-12\nmodel: m.net\n"
SOS = HEAD + "objective = sos\n" + K

LAYERS = {
    "conditions": SOS + S + """\
condition: c, perturbations: k1 * s, feed = k2/(1 + s), "B()" = A0*s
condition: d, perturbations: kd + 0.1, A0 / 2, k2 = 0.4
experiment: e1, data: course.exp, condition: c
experiment: e2, data: course.exp, condition: d
experiment: e3, data: course.exp
""",
    "computed parameters are fitted": SOS + "parameter: kd, prior: exponential, scale: 1\n"
    "condition: c, perturbations: B0 * k2\nexperiment: e, data: course.exp, condition: c\n",
    "robust noise": HEAD + K + S + "parameter: nu, prior: gamma, shape: 2, scale: 2\n" """\
noise_model A = student_t, sigma = fit s, df = fit nu
noise_model B = laplace, scale = prediction_formula 0.1 + s*B + 0.01*ratio
experiment: e, data: course.exp
""",
    "noise on a logarithm": HEAD + "noise_location = mean\n" + K + S + """\
objective = lognormal
noise_model B = log_student_t, sigma = read_exp_file _SD, df = formula 2 + s
experiment: e, data: spread.exp
""",
    "counts": HEAD + K + S + """\
noise_model A = neg_bin, dispersion = formula 1/s, location = mean
noise_model B = beta_binomial, trials = fix_at 12, dispersion = fit s
experiment: e, data: counts.exp
""",
    "formulas": SOS + S + """\
observable: y, formula: s*A + log(1 + B)/A0 + feed*kd
noise_model y = normal, sigma = prediction_formula 0.2 + 0.1*abs(y)
experiment: e, data: y.exp, condition: c
condition: c, perturbations: feed = 0.2*k2
""",
    "parameters of single measurements": SOS + S + """\
observable: y, formula: observableParameter1_y*A + B
noise_model y = normal, sigma = formula 0.3*noiseParameter1_y
experiment: e, data: y.exp, measurement_params: p.tsv
""",
    "transforms": SOS + """\
normalization = floor 0.02, peak
normalization f.A = init
normalization f.B = scale
noise_model total = normal, sigma = fix_at 1, cumulative
experiment: e, data: course.exp
experiment: f, data: course.exp, more.exp
""",
    "constraints": SOS + S + """\
qualitative_loss = probit
qualitative_scale = fit s
experiment: e, data: course.exp, c.prop
experiment: f, data: c.prop, t_end: 5, n_steps: 10, condition: c
condition: c, perturbations: feed * 2
""",
    "hinges": SOS + "constraint_scale = 3\nexperiment: e, data: course.exp, c.prop\n",
    "steady states and scans": SOS + """\
experiment: e, data: steady.exp
experiment: f, data: doses.exp
experiment: g, data: doses.exp, t_end: 2, condition: c
condition: c, perturbations: k2 = 0.5*k1, "A()" = 2*feed
""",
    "pre-equilibration": SOS + """\
condition: before, perturbations: feed = 2*k1, k2 * 0.5
condition: after, perturbations: feed = 0, "A()" = 5
experiment: e, data: course.exp, preequilibrate: before, condition: after
experiment: f, data: steady.exp, preequilibrate: before
experiment: g, data: doses.exp, preequilibrate: before, t_end: 3
""",
    "edition 1": """\
fit_type = nuts
sbml_rtol = 1e-10
sbml_atol = 1e-12
model = m.net : course.exp, other.prop, doses.exp
mutant = m fast k1*2 kd/3 : coursefast.exp
time_course = time:6, step:0.5, suffix:course
time_course = time:6, step:0.25, suffix:other
param_scan = param:feed, min:0.2, max:2.5, step:0.1, time:3, suffix:doses
normalization = init: course.exp, (doses.exp: B)
objfunc = laplace
loguniform_var = k1 0.05 20
lognormal_var = k2 -0.5 0.5
uniform_var = b__FREE 0.1 5
""",
    "two models": HEAD.replace("m.net", "m.net, n.net") + "objective = sos\n" + K + """\
experiment: e, data: course.exp, model: m.net
experiment: f, data: course.exp, model: n.net, condition: c
condition: c, model: n.net, perturbations: k1 / 2
""",
}  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The folder of all the files that the layers name."""
    texts = {
        "m.net": NET,
        "n.net": NET.replace("5 kd 2*k2", "5 kd 3*k2"),
        "course.exp": COURSE,
        "coursefast.exp": COURSE,
        "more.exp": "time total A\n3 7 5\n5 2 nan\n",
        "counts.exp": COUNTS,
        "spread.exp": SPREAD,
        "steady.exp": STEADY,
        "doses.exp": DOSES,
        "y.exp": "time y\n1 3\n2 4\n4 5\n",
        "p.tsv": "column\ttime\tplaceholder\ttoken\ny\t1\tobservableParameter1_y\ts\ny\t2\tobservableParameter1_y\t2\n"
        "y\t4\tobservableParameter1_y\tfeed\ny\t1\tnoiseParameter1_y\ts\ny\t2\tnoiseParameter1_y\ts\n"
        "y\t4\tnoiseParameter1_y\t0.7\n",
        "c.prop": "A < B at 3 weight 2\nB > 4.5 once between 1, 5 weight 0.5\nA < 5 at B=4.4 weight 1\n",
        "other.prop": "A < B at 3 weight 2\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("layer", sorted(LAYERS))
def test_the_gradient_of_a_layer(files, quotient, layer):
    conf = files / "fit.conf"
    conf.write_text(LAYERS[layer])
    posterior = Posterior(load(conf))
    rng = np.random.default_rng(3)
    z = np.mean([posterior.sample_start(rng) for _ in range(8)], axis=0)
    value = posterior.evaluate(z)
    assert value.status == "ok", posterior.explain(z)
    slope = quotient(lambda z: posterior.evaluate(z).logp, z, step=1e-3)
    assert value.grad == pytest.approx(slope, rel=2e-5, abs=2e-5 * np.abs(slope).max())
    assert np.abs(slope).min() > 0


def test_conditions_reach_the_model(files):
    """A scan of one dose is a time course under the condition that sets it, and so is its pre-equilibration."""
    conf = files / "fit.conf"

    def losses(experiments: str) -> list[float]:
        conf.write_text(SOS + experiments)
        posterior = Posterior(load(conf))
        return [posterior.loss(posterior.u_from_theta({"k1": 0.6, "k2": 0.2}))]

    (files / "dose.exp").write_text("feed A B\n1.5 4 3\n")
    (files / "time.exp").write_text("time A B\n3 4 3\n")
    set_dose = "condition: c, perturbations: feed = 1.5\n"
    scanned = losses("experiment: e, data: dose.exp, t_end: 3\n")
    assert scanned == pytest.approx(losses("experiment: e, data: time.exp, condition: c\n" + set_dose), rel=1e-8)
    (files / "time.exp").write_text("time A B\ninf 4 3\n")
    scanned = losses("experiment: e, data: dose.exp\n")
    assert scanned == pytest.approx(losses("experiment: e, data: time.exp, condition: c\n" + set_dose), rel=1e-6)
    (files / "time.exp").write_text("time A B\n0 4 3\n1 4 3\n")
    start = losses("experiment: e, data: time.exp, preequilibrate: c\n" + set_dose)
    twice = losses("experiment: e, data: time.exp, preequilibrate: c, condition: d\n" + set_dose
                   + "condition: d, perturbations: k1 * 1\n")  # fmt: skip
    assert start == pytest.approx(twice, rel=1e-9) and start == pytest.approx([2 * scanned[0]], rel=1e-5)
