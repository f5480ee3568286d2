"""One or more members of every family, beside the scipy.stats distribution that each must equal."""

from __future__ import annotations

from scipy import stats

from bnfhmc.prior import FAMILIES

# name: (family, fields, the same distribution by scipy)
CASES = {
    "uniform": ("uniform", {"lower": -2.0, "upper": 3.0}, stats.uniform(-2, 5)),
    "normal": ("normal", {"mean": 0.5, "sd": 2.0}, stats.norm(0.5, 2)),
    "laplace": ("laplace", {"location": -1.0, "scale": 0.7}, stats.laplace(-1, 0.7)),
    "cauchy": ("cauchy", {"location": 0.3, "scale": 1.5}, stats.cauchy(0.3, 1.5)),
    "gamma": ("gamma", {"shape": 2.5, "scale": 0.8}, stats.gamma(2.5, scale=0.8)),
    "gamma, pole": ("gamma", {"shape": 0.3, "scale": 4.0}, stats.gamma(0.3, scale=4)),
    "gamma, shape 1": ("gamma", {"shape": 1.0, "scale": 4.0}, stats.gamma(1, scale=4)),
    "exponential": ("exponential", {"scale": 3.0}, stats.expon(scale=3)),
    "chisquare": ("chisquare", {"dof": 5.0}, stats.chi2(5)),
    "chisquare, pole": ("chisquare", {"dof": 1.0}, stats.chi2(1)),
    "rayleigh": ("rayleigh", {"scale": 1.7}, stats.rayleigh(scale=1.7)),
    "half_normal": ("half_normal", {"scale": 0.6}, stats.halfnorm(scale=0.6)),
    "half_cauchy": ("half_cauchy", {"scale": 2.5}, stats.halfcauchy(scale=2.5)),
    "beta": ("beta", {"alpha": 2.0, "beta": 3.5}, stats.beta(2, 3.5)),
    "beta, poles": ("beta", {"alpha": 0.4, "beta": 0.5}, stats.beta(0.4, 0.5)),
    "inv_gamma": ("inv_gamma", {"shape": 3.0, "scale": 2.0}, stats.invgamma(3, scale=2)),
    "weibull": ("weibull", {"shape": 1.8, "scale": 2.0}, stats.weibull_min(1.8, scale=2)),
    "weibull, pole": ("weibull", {"shape": 0.6, "scale": 2.0}, stats.weibull_min(0.6, scale=2)),
    "gumbel": ("gumbel", {"location": 1.0, "scale": 0.5}, stats.gumbel_r(1, 0.5)),
    "logistic": ("logistic", {"location": -0.5, "scale": 1.2}, stats.logistic(-0.5, 1.2)),
    "student_t": ("student_t", {"df": 4.0, "location": 1.0, "scale": 2.0}, stats.t(4, 1, 2)),
    "student_t, df 1": ("student_t", {"df": 1.0, "location": 0.0, "scale": 1.0}, stats.t(1, 0, 1)),
}
PRIORS = {name: FAMILIES[family](**fields) for name, (family, fields, _) in CASES.items()}
SCIPY = {name: frozen for name, (_, _, frozen) in CASES.items()}
