# Everything a developer types. Needed beforehand: make, and Python 3.11 to 3.14 with venv and pip.
# `make` alone lists the targets. The environment is built at first use and whenever the lock changes.

.DEFAULT_GOAL := help

# Say PYTHON=/path/to/python to name one; else the first fitting one of PYTHONS is taken.
PYTHON ?= python3
PYTHONS := $(if $(filter file,$(origin PYTHON)),python3 python3.11 python3.12 python3.13 python3.14,$(PYTHON))

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
UV := $(BIN)/uv

# uv installs for the Python that is there; it brings none of its own.
export UV_PYTHON_DOWNLOADS := never
export UV_NO_PROGRESS := 1

FITS := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))

.PHONY: help install demo test faults season bench night lint lock clean

help: ## what can be made
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

install: $(STAMP) ## build the environment in .venv from requirements.lock

demo: $(STAMP) ## a night from export to pictures, all on this machine (EXIT=1 ends it when done)
	@$(BIN)/tryon demo $(if $(EXIT),--exit)

# First what shares out over the cores, then what starts Airflow, which keeps the cores busy by itself.
# pytest says 5 when PYTEST_ARGS chooses none of a half.
test: $(STAMP) ## run the tests (PYTEST_ARGS="-k ledger" passes arguments on)
	@$(BIN)/python -m pytest -m "not e2e" -n 3 --dist loadfile $(PYTEST_ARGS) || [ $$? -eq 5 ]
	@$(BIN)/python -m pytest -m "e2e and not long" -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS) \
		|| [ $$? -eq 5 ]

faults: $(STAMP) ## run the whole fault matrix, alone: real processes, killed (about 15 minutes)
	@$(BIN)/python -m pytest -m faults $(PYTEST_ARGS)

season: $(STAMP) ## run what takes longest: a season of nights, many kills, a killed demo (about 12 minutes)
	@$(BIN)/python -m pytest -m long $(PYTEST_ARGS)

bench: $(STAMP) ## measure, and print the table
	@$(BIN)/python tests/bench/run.py

night: $(STAMP) ## measure a night at the vendor's pace (LOOKS=600 LATENCY=3 CONCURRENCY=5 SLOTS=8 WORKERS=0 BARE= KEEP=), as a line of JSON
	@$(BIN)/python -m tests.bench.night --looks $(or $(LOOKS),600) --latency $(or $(LATENCY),3) \
		--concurrency $(or $(CONCURRENCY),5) --slots $(or $(SLOTS),8) \
		--workers $(or $(WORKERS),0) $(if $(BARE),--bare) $(if $(KEEP),--keep)

lint: $(STAMP) ## style, types, import rules, DAG imports
	@echo "ruff: rules"
	@$(BIN)/ruff check .
	@echo "ruff: format"
	@$(BIN)/ruff format --check .
	@echo "mypy: types"
	@$(BIN)/mypy
	@echo "import-linter: imports go one way"
	@$(BIN)/lint-imports
	@echo "Airflow: every DAG file imports"
	@$(BIN)/python -m pytest -q tests/dags/test_integrity.py

# Keeps the versions already locked wherever they still fit; UPGRADE=1 takes the newest of everything.
lock: $(UV) ## lock again after a change of pyproject.toml (UPGRADE=1: newest versions)
	@$(UV) pip compile --quiet --python $(BIN)/python --python-version 3.11 --universal --generate-hashes \
		--no-emit-index-url --all-extras --group dev --custom-compile-command "make lock" \
		$(if $(UPGRADE),--upgrade) pyproject.toml --output-file requirements.lock
	@echo "requirements.lock: $$(grep -c '==' requirements.lock) packages"

clean: ## remove .venv, caches and builds; .demo, the demo's database and pictures, stays
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

# The lock holds hatchling too, so the project itself is installed without fetching anything unhashed.
$(STAMP): pyproject.toml requirements.lock $(UV)
	@echo "installing what requirements.lock names into $(VENV)"
	@$(UV) pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes --no-build requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# uv's own version and hashes come from the lock as well.
$(UV):
	@grep -q '^uv==' requirements.lock || \
		{ echo "requirements.lock names no uv: take the committed one back" >&2; exit 1; }
	@python=; \
	for candidate in $(PYTHONS); do \
		if "$$candidate" -c '$(FITS)' >/dev/null 2>&1; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo "Python 3.11, 3.12, 3.13 or 3.14 with venv and pip is needed; tried: $(PYTHONS)." >&2; \
		echo "Install one (on Debian and Ubuntu also its package python3-venv)," >&2; \
		echo "or name one: make PYTHON=/path/to/python3.11 install" >&2; \
		exit 1; \
	fi; \
	echo "creating $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv --clear $(VENV)
	@sed -n '/^uv==/,/^    # via/p' requirements.lock > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
		--require-hashes --requirement $(VENV)/uv.txt
