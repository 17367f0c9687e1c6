# overparam: `make audit` and `make test` are enough on a machine with Python 3.11, pip and make.
# Everything that is installed or cached lies inside this checkout (.venv, .cache).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CACHE := $(CURDIR)/.cache
MARKS := .cache/installed

DATA ?= digits
TARGET ?=
OUT ?= overparam-$(basename $(basename $(notdir $(DATA))))
ARGS ?=
PAPER ?=
SCALE ?= quick
WORKERS ?= 2

export PIP_CACHE_DIR := $(CACHE)/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export XDG_CACHE_HOME := $(CACHE)
export OVERPARAM_CACHE := $(CACHE)/overparam
export TORCHINDUCTOR_CACHE_DIR := $(CACHE)/inductor
export SKB_DATA_DIRECTORY := $(CACHE)/skrub
export OMP_WAIT_POLICY := passive

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## (.*)/  make \1|\2/' | column -t -s '|'

.PHONY: audit
audit: $(MARKS)/run ## audit DATA (an embedded set or a file; TARGET=column): make audit DATA=my.csv TARGET=price
	@$(BIN)/overparam audit '$(DATA)' $(if $(TARGET),--target '$(TARGET)') --out '$(OUT)' $(ARGS)

.PHONY: test
test: $(MARKS)/test ## run every test
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -rs $(ARGS)

.PHONY: lint
lint: $(MARKS)/lint ## format, lint, types, import directions, generated pages
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tools/check_imports.py
	@$(BIN)/python tools/results.py --check
	@$(BIN)/python tools/finding_pages.py --check

.PHONY: format
format: $(MARKS)/lint ## rewrite the source in the house's format
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

.PHONY: reproduce
reproduce: $(MARKS)/run ## measure a paper's claims: make reproduce PAPER=slug SCALE=quick (without PAPER: the list)
	@$(BIN)/overparam reproduce $(PAPER) $(if $(PAPER),--scale $(SCALE)) $(ARGS)

.PHONY: results
results: $(MARKS)/run ## rewrite RESULTS.md and the tables of the docs from results/
	@$(BIN)/python tools/results.py
	@$(BIN)/python tools/finding_pages.py

.PHONY: bench
bench: $(MARKS)/bench ## race every method against its peer (minutes)
	@for b in benchmarks/*.py; do case $$b in */race.py) ;; *) echo "== $$b"; $(BIN)/python $$b || exit 1;; esac; done

.PHONY: clean
clean: ## remove the virtual environment and every cache
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# One mark a kind of installation; made again only when what is asked for changes.
REQUIREMENTS := pyproject.toml constraints.txt

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(MARKS)/run: $(REQUIREMENTS) | $(BIN)/python
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@mkdir -p $(MARKS) && touch $@

$(MARKS)/test: $(MARKS)/run
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps netcal torchattacks
	@touch $@

$(MARKS)/lint: $(MARKS)/run
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[lint]'
	@touch $@

$(MARKS)/bench: $(MARKS)/test
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	@touch $@
