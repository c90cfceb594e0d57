# `make help` lists the targets. Everything runs in .venv, which is made on first use; PYTHON chooses the interpreter.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check lint types layers format docs pages bench bench-peers bench-full bars quality install-torchrec clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
MANIFESTS := pyproject.toml constraints.txt samples/pyproject.toml $(wildcard samples/src/likewise_samples/*.*)
ONLY ?=
ARGS ?=
export NO_MKDOCS_2_WARNING := 1

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "Variables: PYTHON=python3.12 (interpreter of a new .venv), ONLY=name (bars), ARGS='...' (passed on to demo, test and bench)"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Likewise needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-demo: $(MANIFESTS) | $(BIN)/python
	@echo 'Installing into $(VENV); the first time takes a few minutes.'
	$(PIP) install -qq -c constraints.txt -e '.[plots]' ./samples
	@touch $@

$(VENV)/.installed-dev: $(MANIFESTS) | $(BIN)/python
	@echo 'Installing into $(VENV); the first time takes a few minutes.'
	$(PIP) install -qq -c constraints.txt -e '.[dev,docs]' ./samples
	@touch $(VENV)/.installed-demo $@

demo: $(VENV)/.installed-demo ## Fit, evaluate, recommend and explain on the sample; writes a report page to demo/
	$(BIN)/likewise demo $(ARGS)

test: $(VENV)/.installed-dev ## Run the tests (the slow ones: make quality)
	$(BIN)/python -m pytest $(ARGS)

check: lint types layers docs ## Format, lint, types, layer order, strict docs build (make -k check goes on after a failure)

lint: $(VENV)/.installed-dev ## Format and lint, changing nothing
	$(BIN)/ruff format --check --quiet || { $(BIN)/ruff format --diff 2>&1 | head -40; exit 1; }
	$(BIN)/ruff check

types: $(VENV)/.installed-dev ## mypy --strict
	$(BIN)/mypy

layers: $(VENV)/.installed-dev ## The order of the rooms
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev ## Format the code and mend what the linter can mend
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

docs: $(VENV)/.installed-dev ## Build the documentation site strictly into site/
	$(BIN)/mkdocs build --strict --quiet

pages: $(VENV)/.installed-dev ## Run the code of the documents and write what it prints and draws, and the tables of results
	$(BIN)/python -m tests.pages $(ARGS)
	$(BIN)/python -m benchmarks.tables

bench: $(VENV)/.installed-dev ## Benchmark Likewise and the peers already installed, on the sample
	$(BIN)/python -m benchmarks $(ARGS)

bench-peers: $(VENV)/.installed-dev ## Install the peer libraries, each in an environment of its own
	$(BIN)/python benchmarks/install_peers.py $(ARGS)

bench-full: $(VENV)/.installed-dev ## The whole benchmark; needs LIKEWISE_DATA
	$(BIN)/python -m benchmarks --full $(ARGS)

BARS = $(if $(ONLY),$(ONLY),$(sort $(filter-out _%,$(notdir $(basename $(wildcard benchmarks/bars/[!_]*.py))))))
bars: $(VENV)/.installed-dev ## Run every file of benchmarks/bars, or one: make bars ONLY=posterior; needs LIKEWISE_DATA
	@status=0; for bar in $(BARS); do echo "== $$bar"; $(BIN)/python -m benchmarks.bars.$$bar $(ARGS) || status=1; done; exit $$status

quality: $(VENV)/.installed-dev ## Run the slow tests: full-size quality and faults; needs LIKEWISE_DATA
	$(BIN)/python -m pytest -m slow --durations=10 $(ARGS)

install-torchrec: $(VENV)/.installed-dev ## Add TorchRec, for training on several processes or machines
	$(PIP) install -qq -c constraints.txt -c constraints-torchrec.txt tensordict pyre-extensions torchmetrics tqdm
	$(PIP) install -qq -c constraints-torchrec.txt --no-deps torchrec fbgemm-gpu-cpu

clean: ## Remove everything that was built, the environment included
	rm -rf $(VENV) build dist site demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
