"""Everything that a likelihood cannot be, said once each, at its line, all together."""

from __future__ import annotations

CONF = """\
edition = 2
fit_type = nuts
model: decay.bngl
noise_model = normal, sigma = fix_at -1
noise_model A = lognormal, sigma = read_exp_file _SD
noise_model B = poisson
noise_model f = normal, sigma = formula 1 - 2
condition: c, perturbations: k1 = 2, k1 = 3
condition: d, perturbations: k1 / 0
condition: e, perturbations: k1 = kk2
experiment: d1, data: d1.exp
experiment: d2, data: d2.exp, c.prop, condition: e
experiment: d3, data: d3.exp
parameter: k1, prior: uniform, lower: 0.1, upper: 10
parameter: k2, prior: uniform, lower: 0.1, upper: 10
"""


def test_all_of_it_at_once(folder):
    folder.write("d1.exp", "time A A_SD B\n0 1 0.1 3\n1 0 0.1 2\n2 -3 0.1 2.5\n3 1 0 1\n")
    folder.write("d2.exp", "time A A_SD\n0 1 -0.1\n")
    folder.write("d3.exp", "k2 B\n1 3\n2 4\n")
    folder.write("c.prop", "A < CC always\nB < 3 at 2\n")
    assert folder.wrong(CONF) == [
        "fit.conf:4: 'sigma = fix_at' takes a positive number, got '-1'",
        "fit.conf:7: 'sigma = formula 1 - 2' is -1, which is not positive",
        "fit.conf:7: no data are named 'f', which has a noise_model",
        "fit.conf:8: condition 'c' sets 'k1' to 2 and to 3; keep one of them",
        "fit.conf:9: condition 'd': 'k1 / 0' gives no finite value; type another value",
        "fit.conf:10: condition 'e': 'kk2' in 'kk2' is no free parameter and no parameter of model 'decay'; did you mean 'k2'?",
        "c.prop:1: no output of the model is named 'CC'",
        "d1.exp:3: 'A': noise on log10 needs positive values, got 0",
        "d1.exp:4: 'A': noise on log10 needs positive values, got -3",
        "d1.exp:4: 'B': poisson needs counts (0, 1, 2, …), got 2.5",
        "d1.exp:5: 'A_SD' is not positive where 'A' is measured",
        "d2.exp:2: 'A_SD' is not positive where 'A' is measured",
        "d3.exp:1: 'k2' is scanned, and fitted as a parameter; scan another quantity, or do not declare this one",
    ]
