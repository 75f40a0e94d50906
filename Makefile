# Two commands: `make demo` shows everything, `make test` proves it. Both install what they need into this folder.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
NEWEST := .venv-newest

.DEFAULT_GOAL := help
.PHONY: help demo test test-newest lint audit bench lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.installed ## Sandbox, 32 assets, checks, Dagster UI (ARGS=--no-ui leaves the UI out)
	@$(BIN)/crm-assets demo $(ARGS)

test: $(VENV)/.installed ## The test suite on all cores (ARGS go to pytest)
	@$(BIN)/python scripts/browser.py
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder -q $(ARGS)

test-newest: $(NEWEST)/.installed ## The same suite on the newest Dagster, with dagster-dlt alone
	@$(NEWEST)/bin/python scripts/browser.py
	@$(NEWEST)/bin/python -m pytest -n auto --dist loadfile --no-loadscope-reorder -q $(ARGS)

lint: $(VENV)/.installed ## Style, types, import directions and declared dependencies
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports --no-cache && $(BIN)/deptry .

audit: $(VENV)/.installed ## Look the locked packages up in the advisory database
	@$(BIN)/python scripts/audit.py

bench: $(VENV)/.installed ## All benchmarks; writes docs/performance.md (takes hours; ARGS=--only NAME for one)
	@$(BIN)/python benchmarks/venvs.py && $(BIN)/python benchmarks/run.py $(ARGS)

lock: $(VENV)/.installed ## Write both lock files anew
	@$(BIN)/python scripts/lock.py

clean: ## Remove what the commands above made
	rm -rf $(VENV) $(NEWEST) data build dist *.egg-info

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) scripts/install.py $(VENV) requirements.lock

$(NEWEST)/.installed: requirements-newest.lock pyproject.toml
	@$(PYTHON) scripts/install.py $(NEWEST) requirements-newest.lock
