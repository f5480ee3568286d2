# `make` or `make help` lists what can be typed. Everything happens in $(VENV); pip's own configuration is respected.

PYTHON ?= python3
VENV ?= .venv
RESULTS ?= results/influenza
# Processes that share the tests: a number, or as many as there are cores.
JOBS ?= $(shell nproc 2>/dev/null || echo logical)
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check
SAY := @printf '\n==> %s\n'

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow lint types contracts docs bench clean need browser
# Two targets at once would install into one environment at once.
.NOTPARALLEL:

help:
	@printf 'make demo       install bnfhmc and sample the posterior of the influenza example\n'
	@printf 'make test       install the test extra and run the tests that are not slow, on all cores (JOBS=2: on two)\n'
	@printf 'make test-slow  run the slow tests, on all cores: whole runs and known posteriors\n'
	@printf 'make lint       ruff    make types  mypy    make contracts  import order\n'
	@printf 'make docs       build the documentation into docs/_build/html\n'
	@printf 'make bench      measure what evaluations cost; tables here, numbers in results/benchmarks\n'
	@printf 'make clean      remove the virtual environment and what was built\n'

demo: $(VENV)/.bngl
	$(SAY) 'Sampling examples/influenza with NUTS'
	@$(BIN)/bnfhmc run examples/influenza/influenza.conf -o $(RESULTS) --overwrite; status=$$?; \
	case $$status in \
	  0) printf '\n==> Done. The results lie in %s (draws: posterior.nc, samples.txt; what ran: run.json)\n' '$(RESULTS)' ;; \
	  3) printf '\n==> Finished, but not converged; the results lie in %s\n' '$(RESULTS)' ;; \
	esac; exit $$status

test: $(VENV)/.test browser
	$(SAY) 'Running the tests that are not slow'
	@$(BIN)/python -m pytest -m 'not slow' -n $(JOBS) --dist worksteal

# pytest ends with 5 when it collects nothing, which is no failure here.
test-slow: $(VENV)/.test browser
	$(SAY) 'Running the slow tests'
	@$(BIN)/python -m pytest -m slow -n $(JOBS) --dist worksteal || [ $$? -eq 5 ]

lint: $(VENV)/.test
	$(SAY) 'Checking style (ruff)'
	@$(BIN)/ruff check .

types: $(VENV)/.test
	$(SAY) 'Checking types (mypy)'
	@$(BIN)/mypy bnfhmc

contracts: $(VENV)/.test
	$(SAY) 'Checking the import order (import-linter)'
	@$(BIN)/lint-imports

docs: $(VENV)/.docs
	$(SAY) 'Building the documentation'
	@$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	$(SAY) 'Open docs/_build/html/index.html'

bench: $(VENV)/.test
	$(SAY) 'Measuring what evaluations cost (some minutes)'
	@for name in overhead growth knobs threads memory against_pybnf against_pypesto; do \
	  OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.$$name --quick --json results/benchmarks/$$name.json || exit 1; \
	done

clean:
	rm -rf $(VENV) build dist docs/_build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

# A test opens the report in chromium, and is skipped where there is none.
browser:
	@sh .ci/browser

need:
	@sh .ci/need $(PYTHON)

$(VENV)/.made: | need
	$(SAY) 'Making a virtual environment in $(VENV)'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# One stamp for each extra, so that pip runs again only when pyproject.toml has changed.
$(VENV)/.bngl $(VENV)/.test $(VENV)/.docs: $(VENV)/.%: $(VENV)/.made pyproject.toml | need
	$(SAY) 'Installing bnfhmc with the extra "$*" (the first time takes some minutes)'
	@$(PIP) -q -e '.[$*]'
	@touch $@
