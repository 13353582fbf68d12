# Eight verbs; `make` alone lists them. Each can be called twice.

PYTHON := .venv/bin/python
ARGS ?=
KERNEL := $(shell find kernel -type f -not -path '*/build/*')

.PHONY: help setup up test check e2e bench fuzz docs

help: ## List the verbs
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 8

setup: .venv/.ready ## Install everything into .venv

.venv/.ready: pyproject.toml requirements/dev.lock scripts/setup.sh $(KERNEL)
	@scripts/setup.sh

up: setup ## Run the service, with a demonstration on first use (ARGS="--port 8601")
	@.venv/bin/jikimi up --demo $(ARGS)

test: setup ## Run the tests, on SQLite and PostgreSQL
	@$(PYTHON) -m pytest -n auto --dist worksteal $(ARGS)

check: setup ## Lint, types, import directions
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports

e2e: setup ## Kill it, starve it, run two of it: the long tests
	@$(PYTHON) -m pytest -m slow $(ARGS)

bench: .venv-bench/.ready ## Measure beside the peers, and print the tables of bench/README.md (ARGS="--quick")
	@.venv-bench/bin/python -m bench $(ARGS)

.venv-bench/.ready: .venv/.ready requirements/bench.lock scripts/bench_setup.sh $(KERNEL)
	@scripts/bench_setup.sh

fuzz: setup ## Throw mutated files and lists at the readers (ARGS="--seconds 600")
	@$(PYTHON) -m tests.fuzz $(ARGS)

docs: setup ## Write the generated reference pages
	@$(PYTHON) -m scripts.reference
