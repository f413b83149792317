# The two commands to know: `make demo` and `make test`. `make` alone lists the rest.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PY := .venv/bin/python
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11; do "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
ARGS ?=

.PHONY: help setup demo test check fmt lock

help: ## list these targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 16

setup: .venv/.dev ## everything for development into .venv

test: .venv/.dev ## every test, against a real Postgres and RabbitMQ (ARGS="tests/runs -k name")
	$(PY) -m pytest -n auto $(ARGS)

check: .venv/.dev ## ruff, pyright, import-linter
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/pyright
	.venv/bin/lint-imports

fmt: .venv/.dev ## format and apply safe lint fixes
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

.venv/.dev: requirements-dev.lock
	"$(PYTHON)" -m venv .venv
	$(PY) -m pip install -q --require-hashes -r requirements-dev.lock
	@touch .venv/.dev
