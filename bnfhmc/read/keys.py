"""Which keys a configuration may hold: those that are read, and PyBNF's other ones with what to type instead.

A key never goes unread: it has an effect, or it is refused by name.
"""

from __future__ import annotations

from typing import get_args

from bnfhmc.errors import nearest
from bnfhmc.problem import Optimizer, Sampler
from bnfhmc.read.lines import Statement
from bnfhmc.read.mistakes import Mistakes

# fit_type → Settings.method; the last three are PyBNF's words
METHODS = {**{name: name for name in (*get_args(Sampler), *get_args(Optimizer))},
           "de": "differential_evolution", "sim": "nelder_mead", "cmaes": "cma"}  # fmt: skip

# PyBNF's other values of fit_type
OTHER_METHODS = {
    "am": "adaptive Metropolis", "mh": "Metropolis–Hastings", "bmc": "Metropolis–Hastings", "pt": "parallel tempering",
    "dream": "DREAM(ZS)", "p_dream": "preconditioned DREAM",
    "ade": "asynchronous differential evolution", "pso": "particle swarm", "ss": "scatter search",
    "sa": "simulated annealing", "ms": "multiple shooting", "check": "a check of the models",
}  # fmt: skip

# key → (field of Settings, kind of value)
SETTINGS = {
    "population_size": ("chains", "whole number"),
    "num_warmup": ("num_warmup", "whole number"),
    "num_samples": ("num_samples", "whole number"),
    "target_accept": ("target_accept", "number"),
    "engine": ("engine", "word"),
    "metric": ("metric", "word"),
    "max_tree_depth": ("max_tree_depth", "whole number"),
    "path_length": ("path_length", "number"),
    "accept_by": ("accept_by", "word"),
    "start": ("start", "file"),
    "warmup_from": ("warmup_from", "file"),
    "wall_time_fit": ("time_limit", "number"),
    "executor": ("executor", "word"),
    "scheduler": ("scheduler", "text"),
    "checkpoint_interval": ("checkpoint_interval", "number"),
    "random_seed": ("random_seed", "whole number"),
    "output_dir": ("output_dir", "path"),
    "sbml_rtol": ("rtol", "number"),
    "sbml_atol": ("atol", "number"),
    "sensitivity_fallback": ("sensitivity_fallback", "word"),
    "axis_units": ("axis_units", "list of NAME = UNIT, …"),
}

# key → (field of Optimization, kind of value)
OPTIMIZATION = {
    "num_starts": ("starts", "whole number"),
    "start_draws": ("draws", "whole number"),
    "max_evaluations": ("max_evaluations", "whole number"),
    "tolerance": ("tolerance", "number"),
    "search_space": ("search_space", "bounds"),
    "profile_likelihood_params": ("profiled", "names"),
    "profile_likelihood_confidence": ("confidence", "number"),
}

# option of a method → the key that gives it
OPTIONS = {
    method: {option: f"{method}_{option}" for option in options.split()}
    for method, options in {
        "adam": "learning_rate schedule b1 b2", "lbfgs": "maxcor", "shgo": "n iters", "cma": "sigma0 popsize",
        "differential_evolution": "popsize mutation recombination strategy", "dual_annealing": "initial_temp visit",
        "nevergrad": "optimizer",
    }.items()
}  # fmt: skip
OPTION_WORDS = ("adam_schedule", "differential_evolution_strategy", "nevergrad_optimizer")  # the others take numbers
OPTION_KEYS = tuple(key for keys in OPTIONS.values() for key in keys.values())

# key → the values that say what happens here anyway, and why no other can
FIXED: dict[str, tuple[tuple[str, ...], str]] = {
    "sbml_backend": (("bngsim",), "every model is solved by bngsim"),
    "bngl_backend": (("bngsim", "auto"), "every model is solved by bngsim"),
    "sbml_integrator": (("cvode",), "the integrator with sensitivities is cvode"),
    "initialization_distribution": (("prior",), "chains start in the bulk of the prior"),
    "ind_var_rounding": (("0",), "a model is solved at exactly the rows of the data"),
    "smoothing": (("1",), "means of stochastic simulations have no gradient, and no other simulation differs from its mean"),
    "bootstrap": (("0",), "the posterior says how certain a parameter is, without fits to resampled data"),
    "refine": (("0",), "a fit polishes its best start by itself"),
    "noise_profiling": (("0",), "profiling is for optimizers: it is not marginalising"),
    "output_inference_data": (("1",), "posterior.nc is always written"),
}

# other keys that are read
READ = ("edition", "fit_type", "job_type", "objfunc", "objective", "noise_model", "noise_location", "neg_bin_r",
        "normalization", "model", "mutant", "time_course", "param_scan", "start_point", "generate_network",
        "wall_time_sim", "constraint_scale", "constraint_smoothing", "qualitative_loss", "qualitative_scale",
        "expression", "callable", "data")  # fmt: skip

# may stand on many lines; each reader finds its own repetitions
MANY = ("noise_model", "normalization", "model", "mutant", "time_course", "param_scan", "start_point", "search_space")

SAME = {"job_type": "fit_type", "objfunc": "objective"}  # two spellings of one key

# prior families with a positional keyword <family>_var and log<family>_var: the fields its numbers fill
POSITIONAL = {
    "uniform": ("lower", "upper"), "normal": ("mean", "sd"), "laplace": ("location", "scale"),
    "cauchy": ("location", "scale"), "gamma": ("shape", "scale"), "exponential": ("scale",), "chisquare": ("dof",),
    "rayleigh": ("scale",), "half_normal": ("scale",), "half_cauchy": ("scale",), "beta": ("alpha", "beta"),
    "inv_gamma": ("shape", "scale"), "weibull": ("shape", "scale"), "gumbel": ("location", "scale"),
    "logistic": ("location", "scale"),
}  # fmt: skip
# keyword → (family, scale); PyBNF's "log" is log10
VARIABLES = {f"{f}_var": (f, "lin") for f in POSITIONAL} | {f"log{f}_var": (f, "log10") for f in POSITIONAL}

# keyword → its fields, each with why it is refused (empty: it is read); None takes any field
RECORDS: dict[str, dict[str, str] | None] = {
    "model": {**dict.fromkeys(("rtol", "atol", "gradient_rtol", "gradient_atol", "sensitivity_error_control",
                               "sensitivity_method"), ""),
              "species_atol": "has no counterpart here; give one 'atol: <number>' for all species of a model"},
    "condition": {"model": "", "perturbations": ""},
    "experiment": {
        **dict.fromkeys(("data", "condition", "preequilibrate", "model", "type", "method", "t_end", "t_start", "n_steps",
                         "measurement_params"), ""),
        "equil_t_end": "(a pre-equilibration of fixed length) is not run: a system is brought to its steady state before "
                       "time 0; delete the field",
        "gml": "belongs to network-free simulation, which has no gradient; delete the field",
        "complex": "belongs to network-free simulation, which has no gradient; delete the field",
    },
    "observable": {"column": "", "formula": ""},
    "parameter": None,
    "mode": None,
}  # fmt: skip


def _each(keys: str, what: str, hint: str = "delete the line") -> dict[str, tuple[str, str]]:
    return {key: (what, hint) for key in keys.split()}


# PyBNF's other keys: what is to say of one, and what to type
REFUSED: dict[str, tuple[str, str]] = {
    **_each("max_iterations", "belongs to methods that iterate",
            "give the draws of a chain as 'num_samples = …', or the solves of a start as 'max_evaluations = …'"),
    **_each("burn_in", "is not known to NUTS, whose warm-up is left out of the draws", "type 'num_warmup = …'"),
    **_each("sample_every", "would thin the draws; every draw is kept"),
    **_each("starting_params", "gives start values by their order", "type 'start_point = <parameter> <value>'"),
    **_each("var logvar lnvar", "gives a parameter no prior, and a posterior needs one",
            "type 'parameter: <name>, prior: <family>, …'"),
    **_each("student_t_var logstudent_t_var", "does not exist",
            "type 'parameter: <name>, prior: student_t, df: …, location: …, scale: …'"),
    **_each("postprocess", "runs a script on simulated data, whose derivative is not known",
            "type 'observable: <id>, formula: <expression>', or compute it in the model file"),
    **_each("profile_objective", "compares the shapes of columns, which is no likelihood of measurements",
            "type 'objective = …'"),
    **_each("sbml_ssa_strict stochastic_seed", "belongs to stochastic simulation, which has no gradient"),
    **_each("initialization", "is not used: chains start inside the bulk of the prior"),
    **_each("verbosity", "is not used: the command prints one table"),
    **_each("parallel_count parallelize_models local_objective_eval", "is not used: chains run on the cores there are"),
    **_each("cluster_type scheduler_node scheduler_file worker_nodes", "belongs to PyBNF's clusters",
            "type 'executor = dask' and 'scheduler = <address>'"),
    **_each("bng_command", "is not used: BioNetGen comes with pip install 'bnfhmc[bngl]'"),
    **_each("simulation_dir delete_old_files save_best_data embed_best_fit_data smooth_plot_points output_trajectory "
            "output_noise_trajectory num_to_output output_every output_hist_every hist_bins diagnostics_every "
            "credible_intervals backup_every backup_information_criteria continue_run",
            "is not used: the results are posterior.nc, samples.txt and run.json"),
    **_each("wall_time_refine_frac wall_time_gen",
            "is not used: a run ends after num_samples draws, a fit when its starts have ended"),
    **_each("min_objective max_failed_simulations bootstrap_max_obj refine_method", "belongs to PyBNF's optimizers"),
    **_each("rhat_threshold", "is not used: R-hat is reported against 1.01"),
    **_each("cognitive social particle_weight particle_weight_final adaptive_n_max adaptive_n_stop adaptive_abs_tol "
            "adaptive_rel_tol v_stop", "tunes particle swarms, which are not run here"),
    **_each("n_starts", "is PyBNF's", "type 'num_starts = …'"),
    **_each("mutation_rate mutation_factor stop_tolerance de_tolfun de_strategy islands migrate_every num_to_migrate",
            "tunes PyBNF's differential evolution", "the keys here are differential_evolution_popsize, …_mutation, "
            "…_recombination and …_strategy"),
    **_each("init_size local_min_limit reserve_size", "tunes scatter search, which is not run here"),
    **_each("simplex_step simplex_log_step simplex_reflection simplex_expansion simplex_contraction simplex_shrink "
            "simplex_stop_tol simplex_max_iterations powell_step powell_line_tol powell_stop_tol powell_max_iterations",
            "tunes PyBNF's local optimizers", "here 'tolerance' and 'max_evaluations' say when a start has ended"),
    **_each("cmaes_sigma0 cmaes_stop_tol cmaes_tolfun cmaes_ipop_factor cmaes_restarts cmaes_run_maxgen "
            "cmaes_restart_strategy", "tunes PyBNF's CMA-ES", "the keys here are cma_sigma0 and cma_popsize"),
    **_each("trf_grad_tol trf_step_tol trf_max_iterations lbfgs_grad_tol lbfgs_step_tol lbfgs_c1 lbfgs_backtrack "
            "lbfgs_history lbfgs_max_iterations gntr_grad_tol gntr_step_tol gntr_ridge gntr_max_iterations",
            "tunes PyBNF's gradient optimizers", "here 'tolerance' and 'max_evaluations' say when a start has ended"),
    **_each("ms_segments ms_coarsening ms_inner_iterations ms_max_iterations ms_parallel_segments ms_penalty "
            "ms_penalty_growth ms_max_penalty ms_feasibility_tol ms_optimality_tol ms_aux_decades ms_knots "
            "ms_knot_placement", "tunes multiple shooting, which is not run here"),
    **_each("profile_likelihood_max_iterations profile_likelihood_max_points profile_likelihood_reopt_max_iterations "
            "profile_likelihood_max_parallel profile_likelihood_step profile_likelihood_min_step "
            "profile_likelihood_max_step profile_likelihood_dchi2_target profile_likelihood_grad_tol "
            "profile_likelihood_step_tol", "is not used: a profile chooses its steps by how far the fit has risen"),
    **_each("beta beta_range beta_max cooling step_size exchange_every reps_per_beta adaptive stablizingcov "
            "calculate_covari proposal crossover_number delta archive_size archive_thin_rate precondition_adapt "
            "adaptive_step_size outlier_method gamma_prob zeta lambda snooker_prob kalman_burnin_frac n_try",
            "tunes another sampler; NUTS tunes itself in its warm-up"),
}  # fmt: skip

ASSIGNED = (*SETTINGS, *OPTIMIZATION, *OPTION_KEYS, *FIXED, *READ, *VARIABLES)  # keys of a supported `key = value`


def check_keys(statements: tuple[Statement, ...], mistakes: Mistakes) -> None:
    """Say what is wrong with each statement's key: unknown, refused, of the other form, or given twice."""
    first: dict[str, Statement] = {}
    for s in statements:
        if s.form == ":":
            _check_record(s, mistakes)
        elif s.key in ASSIGNED:
            _check_fixed(s, mistakes)
            if s.key not in MANY and s.key not in VARIABLES:
                _check_repeated(s, first, mistakes)
        elif s.key in REFUSED:
            what, hint = REFUSED[s.key]
            mistakes.add(s.line, f"'{s.key}' {what}", hint)
        elif s.key in RECORDS:
            mistakes.add(s.line, f"'{s.key}' takes a colon", f"type '{s.key}: {s.value}'")
        else:
            mistakes.add(s.line, f"unknown key '{s.key}'", _nearest_key(s.key))


def _check_record(s: Statement, mistakes: Mistakes) -> None:
    if s.key in RECORDS:
        return
    if s.key in ASSIGNED:
        mistakes.add(s.line, f"'{s.key}' takes an equals sign", f"type '{s.key} = {s.value}'")
    elif s.key in REFUSED:
        what, hint = REFUSED[s.key]
        mistakes.add(s.line, f"'{s.key}' {what}", hint)
    else:
        mistakes.add(s.line, f"unknown keyword '{s.key}:'", _nearest_key(s.key))


def _check_fixed(s: Statement, mistakes: Mistakes) -> None:
    values, why = FIXED.get(s.key, ((), ""))
    if why and s.value.lower() not in values:
        mistakes.add(s.line, f"'{s.key} = {s.value}' is not what happens here: {why}", "delete the line")


def _check_repeated(s: Statement, first: dict[str, Statement], mistakes: Mistakes) -> None:
    before = first.setdefault(SAME.get(s.key, s.key), s)
    if before.value != s.value:
        mistakes.add(s.line, f"'{s.key} = {s.value}' contradicts '{before.key} = {before.value}' on line {before.line}",
                     "keep one of them")  # fmt: skip


def _nearest_key(key: str) -> str:
    return nearest(key, (*ASSIGNED, *RECORDS)) or nearest(key, REFUSED)
