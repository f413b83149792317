# The two commands to know: `make demo` and `make test`. `make` alone lists the rest.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
BIN := .venv/bin
PY := $(BIN)/python
ARGS ?=
export PYTHON

.PHONY: help demo setup test check fmt bench soak simulate docs schema lock sbom

help: ## list these targets
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/make \1\t\2/p' Makefile | expand -t 14

demo: ## a run from envelope to delivered output, on an embedded Postgres; needs nothing but Python
	@tools/setup.sh runtime
	@$(BIN)/flexrun demo $(ARGS)

setup: ## everything for development, into .venv
	@tools/setup.sh dev

test: setup ## every test, on a real Postgres and RabbitMQ (ARGS="tests/runs -k name" for some)
	$(PY) -m pytest -n logical $(ARGS)

check: setup ## ruff, pyright strict, import-linter, types of the SDK for Node, generated files up to date, secrets, known vulnerabilities
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(PY) -m pyright
	$(BIN)/lint-imports
	$(PY) -m schemas.export --check
	$(PY) -m runs.diagrams --check
	$(PY) -m flexrun.settings_page --check
	$(PY) -m flexrun.metrics.page --check
	$(PY) -m flexrun.command_shapes --check
	$(PY) -m tests.support.node_packages sdk/typescript check
	$(PY) -m tests.support.secret_scan
	$(PY) tools/audit.py

docs: setup ## write again what is generated from code: JSON Schemas, state diagrams, the lists of settings and metrics, types of the SDK for Node
	$(PY) -m schemas.export
	$(PY) -m runs.diagrams
	$(PY) -m flexrun.settings_page
	$(PY) -m flexrun.metrics.page
	$(PY) -m flexrun.command_shapes
	$(PY) -m tests.support.node_packages sdk/typescript build

schema: setup ## write eventstore/schema.sql again, after a new migration
	$(PY) -m flexrun.schema_file

fmt: setup ## format, and apply the lint fixes that are safe
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## measure this machine: first frame, runs/s, CPU per run, frames/s (ARGS=...)
	$(PY) -m bench $(ARGS)

soak: setup ## kill processes, broker and database under load for as long as you like (ARGS=...)
	$(PY) -m bench.soak $(ARGS)

simulate: setup ## the engine on simulated clock, database and broker, from 1,000 seeds (ARGS="--seeds 1000000", ARGS="--seed 47")
	$(PY) -m simulation $(ARGS)

lock: setup ## pin every dependency again, with hashes, from pyproject.toml
	@tools/lock.sh

sbom: setup ## write dist/flexrun.cdx.json: what an installation brings along, in CycloneDX
	@tools/sbom.sh
