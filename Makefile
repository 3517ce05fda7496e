# Everything a checkout needs. `make` alone says what there is.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup test-setup bench-setup demo test check mutants soak bench clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.demo ## .venv with mountnd and the demo; installs fuse3 where it is missing and we may
	@bin/setup-packages fuse3

test-setup: setup $(VENV)/.dev ## what `make test` and `make check` need beside
	@bin/setup-packages libfaketime nifti-bin tinyproxy

bench-setup: setup $(VENV)/.bench ## what `make bench` needs beside (root)
	@bin/setup-packages gcc nginx-light libnginx-mod-http-lua s3fs

$(VENV)/.demo: pyproject.toml bin/setup-venv
	@bin/setup-venv $(VENV) $(PYTHON) demo
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	@bin/setup-venv $(VENV) $(PYTHON) demo,test,dev
	@touch $@

$(VENV)/.bench: $(VENV)/.demo
	@bin/setup-venv $(VENV) $(PYTHON) demo,bench
	@touch $@

demo: setup ## an S3 server, a mount and a picture of a brain slice, without a network
	@$(BIN)/mountnd demo

test: test-setup ## the test suite
	@$(BIN)/python -m pytest -n 2 --dist loadfile

check: test-setup ## style, types and the import contract
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

mutants: test-setup ## change the policy modules in small ways: do their tests notice? MUTANTS="mountnd/.../window.py" for some
	@$(BIN)/python -m tests.mutation $(MUTANTS)

soak: test-setup ## readers under faults, kill -9, a full disk, flipped bits (root); SOAK_MINUTES=10, SOAK_SEED=n
	@$(BIN)/python -m tests.soak

bench: bench-setup ## mountnd beside its peers behind a 30 ms network (root, 6 GB of memory); BENCH="--rtt 2 ..." for more
	@$(BIN)/python -m tests.benchmarks $(BENCH)

clean: ## remove what the targets above made
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	rm -f mountnd-demo.png
